// SPDX-License-Identifier: BSD-3-Clause
// Tests of sorted sets: against a naive model through both encodings, memory to the byte, scores,
// ranges, walks, fairness, scans, copies, releasing in slices.
#include "types/zset.h"

#include "base/memory.h"
#include "store/digest.h"
#include "support/unit.h"
#include "types/zset_draft.h"
#include "unit/store/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define UNIVERSE 400
#define NAME_MAX 96

static const struct collection_limits limits = { .zset_max_listpack_entries = 24,
                                                 .zset_max_listpack_value = 80 };
static const struct collection_limits no_limits = { .zset_max_listpack_entries = 0 };

static char names[UNIVERSE][NAME_MAX];
static size_t lens[UNIVERSE];
static size_t used_before;
static struct random dice;

// What the sorted set has to be: sorted whenever it is looked at.
struct model {
    bool has[UNIVERSE];
    double scores[UNIVERSE];
    size_t order[UNIVERSE];
    size_t count;
};

static void set_up(void)
{
    random_seed(&dice, 17);
    for (size_t i = 0; i < UNIVERSE; i++) {
        // Integers, short texts, texts that outgrow the small encoding's lengths; all different.
        int len = i % 3 == 0   ? snprintf(names[i], NAME_MAX, "%zu", i * 997)
                  : i % 3 == 1 ? snprintf(names[i], NAME_MAX, "member:%zu", i)
                               : snprintf(names[i], NAME_MAX, "x%0*zu", (int)(3 + i % 70), i);
        lens[i] = (size_t)len;
    }
    lens[1] = 0;
    used_before = mem_used();
}

static void tear_down(void)
{
    ck_assert_uint_eq(mem_used(), used_before);
}

static struct slice text_of(size_t i)
{
    return (struct slice){ .ptr = names[i], .len = lens[i] };
}

static void release(struct entry *entry)
{
    zset_type_ops.release(entry);
    entry_free(entry);
}

static const char *encoding(const struct entry *entry)
{
    return zset_type_ops.encoding_name(entry);
}

static struct entry *new_zset(void)
{
    return zset_new(SLICE("key"), 0);
}

static void put(struct entry **entry, size_t i, double score)
{
    zset_add(entry, &limits, text_of(i), 0, &score);
}

static double score_of(const struct entry *entry, struct slice member)
{
    double score = NAN;
    ck_assert(zset_score(entry, member, &score));
    return score;
}

static const struct model *sorting;

static int compare(const void *a, const void *b)
{
    size_t i = *(const size_t *)a;
    size_t j = *(const size_t *)b;
    if (sorting->scores[i] != sorting->scores[j])
        return sorting->scores[i] < sorting->scores[j] ? -1 : 1;
    return zset_compare_members(text_of(i), text_of(j));
}

static void sort_model(struct model *model)
{
    model->count = 0;
    for (size_t i = 0; i < UNIVERSE; i++) {
        if (model->has[i])
            model->order[model->count++] = i;
    }
    sorting = model;
    qsort(model->order, model->count, sizeof(*model->order), compare);
}

static void expect_walks(const struct entry *entry, const struct model *model)
{
    struct zset_iter iter;
    struct zset_item item;
    size_t from = random_below(&dice, model->count + 1);
    if (from < model->count) {
        zset_iter_init(&iter, entry, from, false);
        for (size_t r = from; r < model->count; r++) {
            EXPECT(zset_iter_next(&iter, &item));
            EXPECT(slice_equal(item.member, text_of(model->order[r])));
            EXPECT(item.score == model->scores[model->order[r]]);
        }
        EXPECT(!zset_iter_next(&iter, &item));
        zset_iter_init(&iter, entry, from, true);
        for (size_t r = from + 1; r-- > 0;) {
            EXPECT(zset_iter_next(&iter, &item));
            EXPECT(slice_equal(item.member, text_of(model->order[r])));
        }
        EXPECT(!zset_iter_next(&iter, &item));
    }
}

static void expect_same(const struct entry *entry, struct model *model)
{
    sort_model(model);
    zset_check(entry);
    EXPECT(zset_len(entry) == model->count);
    for (size_t r = 0; r < model->count; r++) {
        size_t rank;
        double score;
        EXPECT(zset_rank(entry, text_of(model->order[r]), &rank, &score));
        EXPECT(rank == r && score == model->scores[model->order[r]]);
    }
    for (size_t i = 0; i < UNIVERSE; i++) {
        double score;
        EXPECT(zset_score(entry, text_of(i), &score) == model->has[i]);
    }
    expect_walks(entry, model);
    EXPECT(mem_used() - used_before ==
           mem_good_size(entry_size(entry)) + zset_type_ops.memory(entry));
}

static double random_score(void)
{
    static const double some[] = { INFINITY, -INFINITY, 0.5,  -2.25, 1e300, 3.14,
                                   0,        -1e-7,     1e18, 2e19,  1,     0x1p53 };
    if (random_below(&dice, 3) == 0)
        return some[random_below(&dice, sizeof(some) / sizeof(*some))];
    return (double)random_below(&dice, 12) - 6;
}

// What ZADD's documentation says.
static enum zset_outcome add_to_model(struct model *model, size_t i, unsigned flags, double *score)
{
    if (!model->has[i]) {
        if (flags & ZSET_ADD_XX)
            return ZSET_REFUSED;
        model->has[i] = true;
        model->scores[i] = *score;
        return ZSET_ADDED;
    }
    if (flags & ZSET_ADD_NX)
        return ZSET_REFUSED;
    double old = model->scores[i];
    double wanted = flags & ZSET_ADD_INCR ? old + *score : *score;
    if (isnan(wanted))
        return ZSET_NAN;
    if (((flags & ZSET_ADD_GT) && wanted <= old) || ((flags & ZSET_ADD_LT) && wanted >= old))
        return ZSET_REFUSED;
    *score = wanted;
    model->scores[i] = wanted;
    return wanted == old ? ZSET_SAME : ZSET_UPDATED;
}

static void play_add(struct entry **entry, struct model *model, size_t i)
{
    static const unsigned sets[] = { 0,           0,           0,
                                     0,           ZSET_ADD_NX, ZSET_ADD_XX,
                                     ZSET_ADD_GT, ZSET_ADD_LT, ZSET_ADD_XX | ZSET_ADD_GT };
    unsigned flags = sets[random_below(&dice, sizeof(sets) / sizeof(*sets))];
    flags |= random_below(&dice, 4) == 0 ? ZSET_ADD_INCR : 0;
    double score = random_score();
    double want = score;
    enum zset_outcome outcome = add_to_model(model, i, flags, &want);
    EXPECT(zset_add(entry, &limits, text_of(i), flags, &score) == outcome);
    EXPECT(outcome == ZSET_NAN || outcome == ZSET_REFUSED || score == want);
}

static void play_remove_span(struct entry **entry, struct model *model)
{
    sort_model(model);
    size_t first = random_below(&dice, model->count + 1);
    size_t most = model->count - first < 5 ? model->count - first : 5;
    struct zset_span span = { .first = first, .count = random_below(&dice, most + 1) };
    for (size_t r = first; r < first + span.count; r++)
        model->has[model->order[r]] = false;
    zset_remove_span(entry, span);
}

static void play(struct entry **entry, struct model *model, size_t universe, unsigned adds_percent)
{
    size_t i = random_below(&dice, universe);
    if (random_below(&dice, 100) < adds_percent) {
        play_add(entry, model, i);
    } else if (random_below(&dice, 4) == 0) {
        play_remove_span(entry, model);
    } else {
        EXPECT(zset_remove(entry, text_of(i)) == model->has[i]);
        model->has[i] = false;
    }
}

START_TEST(as_the_model)
{
    for (size_t round = 0; round < 40; round++) {
        static struct model model;
        memset(&model, 0, sizeof(model));
        size_t universe = round % 2 == 0 ? 20 : UNIVERSE;
        struct entry *entry = new_zset();
        for (size_t step = 0; step < 1000; step++) {
            play(&entry, &model, universe, step < 700 ? 80 : 30);
            if (step % 25 == 0)
                expect_same(entry, &model);
        }
        expect_same(entry, &model);
        ck_assert_str_eq(encoding(entry), universe == 20 ? "listpack" : "skiplist");
        release(entry);
    }
}
END_TEST

static bool in_scores(const struct zset_score_range *range, double score)
{
    return (range->min_open ? score > range->min : score >= range->min) &&
           (range->max_open ? score < range->max : score <= range->max);
}

static void expect_score_spans(const struct entry *entry, const struct model *model)
{
    for (int i = 0; i < 100; i++) {
        struct zset_score_range range = { .min = random_score(),
                                          .max = random_score(),
                                          .min_open = random_below(&dice, 2),
                                          .max_open = random_below(&dice, 2) };
        struct zset_span span = zset_span_of_scores(entry, &range);
        size_t count = 0;
        size_t first = 0;
        for (size_t r = model->count; r-- > 0;) {
            if (!in_scores(&range, model->scores[model->order[r]]))
                continue;
            first = r;
            count++;
        }
        EXPECT(span.count == count && (count == 0 || span.first == first));
    }
}

START_TEST(ranges_of_scores)
{
    static struct model model;
    memset(&model, 0, sizeof(model));
    struct entry *entry = new_zset();
    for (size_t i = 0; i < (_i == 0 ? 20 : UNIVERSE); i++)
        play_add(&entry, &model, i);
    sort_model(&model);
    expect_score_spans(entry, &model);
    release(entry);
}
END_TEST

static struct zset_lex_bound random_bound(void)
{
    static const enum zset_lex_kind kinds[] = { ZSET_LEX_FIRST,  ZSET_LEX_LAST, ZSET_LEX_CLOSED,
                                                ZSET_LEX_CLOSED, ZSET_LEX_OPEN, ZSET_LEX_OPEN };
    return (struct zset_lex_bound){ .kind = kinds[random_below(&dice, 6)],
                                    .text = text_of(random_below(&dice, UNIVERSE)) };
}

START_TEST(ranges_of_the_alphabet)
{
    static struct model model;
    memset(&model, 0, sizeof(model));
    struct entry *entry = new_zset();
    for (size_t i = 0; i < (_i == 0 ? 20 : UNIVERSE); i++) {
        put(&entry, i, 7);
        model.has[i] = true;
        model.scores[i] = 7;
    }
    sort_model(&model);
    for (int i = 0; i < 500; i++) {
        struct zset_lex_range range = { .min = random_bound(), .max = random_bound() };
        size_t count = 0;
        for (size_t r = 0; r < model.count; r++) {
            struct slice text = text_of(model.order[r]);
            int low = zset_compare_members(text, range.min.text);
            int high = zset_compare_members(text, range.max.text);
            bool above = range.min.kind == ZSET_LEX_FIRST ||
                         (range.min.kind == ZSET_LEX_CLOSED && low >= 0) ||
                         (range.min.kind == ZSET_LEX_OPEN && low > 0);
            bool below = range.max.kind == ZSET_LEX_LAST ||
                         (range.max.kind == ZSET_LEX_CLOSED && high <= 0) ||
                         (range.max.kind == ZSET_LEX_OPEN && high < 0);
            count += above && below;
        }
        struct zset_span span = zset_span_of_lex(entry, &range, false);
        struct zset_span back = zset_span_of_lex(entry, &range, true);
        EXPECT(span.count == count && back.count == count);
        EXPECT(count == 0 || span.first == back.first);
    }
    release(entry);
}
END_TEST

START_TEST(scores_come_back_as_they_were)
{
    struct entry *entry = new_zset();
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_next(&dice);
        double score;
        memcpy(&score, &bits, sizeof(score));
        if (isnan(score))
            continue;
        zset_add(&entry, &limits, SLICE("m"), 0, &score);
        EXPECT(score_of(entry, SLICE("m")) == score);
    }
    ck_assert_str_eq(encoding(entry), "listpack");
    release(entry);
}
END_TEST

START_TEST(encodings_follow_the_limits)
{
    struct entry *entry = new_zset();
    char longest[81];
    memset(longest, 'x', sizeof(longest));
    double score = 1;
    zset_add(&entry, &limits, (struct slice){ .ptr = longest, .len = 80 }, 0, &score);
    ck_assert_str_eq(encoding(entry), "listpack");
    zset_add(&entry, &limits, (struct slice){ .ptr = longest, .len = 81 }, 0, &score);
    ck_assert_str_eq(encoding(entry), "skiplist");
    release(entry);
    entry = new_zset();
    for (size_t i = 0; i < 24; i++)
        put(&entry, i, 1);
    ck_assert_str_eq(encoding(entry), "listpack");
    put(&entry, 0, 2);
    ck_assert_str_eq(encoding(entry), "listpack");
    put(&entry, 24, 1);
    ck_assert_str_eq(encoding(entry), "skiplist");
    zset_remove_span(&entry, (struct zset_span){ .first = 1, .count = 24 });
    ck_assert_uint_eq(zset_len(entry), 1);
    ck_assert_str_eq(encoding(entry), "skiplist");
    release(entry);
}
END_TEST

START_TEST(a_small_one_takes_little)
{
    struct entry *entry = zset_new(SLICE("key:000000000001"), 0);
    for (int i = 0; i < 5; i++) {
        double score = i + 1;
        zset_add(&entry, &limits, (struct slice){ .ptr = &"abcde"[i], .len = 1 }, 0, &score);
    }
    ck_assert_uint_le(entry_size(entry), 64);
    ck_assert_uint_eq(zset_type_ops.memory(entry), 0);
    release(entry);
}
END_TEST

static struct entry *filled(size_t count)
{
    struct entry *entry = new_zset();
    for (size_t i = 0; i < count; i++)
        put(&entry, i, (double)(i % 7));
    return entry;
}

// A sum of squares that is so many standard deviations off is no chance.
static void expect_fair(const size_t *drawn, size_t kinds, size_t draws)
{
    double expected = (double)draws / (double)kinds;
    double chi = 0;
    for (size_t i = 0; i < kinds; i++)
        chi += ((double)drawn[i] - expected) * ((double)drawn[i] - expected) / expected;
    double freedom = (double)(kinds - 1);
    ck_assert_double_lt(fabs(chi - freedom), 5 * sqrt(2 * freedom));
}

static size_t index_of(struct slice member)
{
    size_t i = 0;
    while (i < UNIVERSE && !slice_equal(member, text_of(i)))
        i++;
    EXPECT(i < UNIVERSE);
    return i;
}

START_TEST(choices_are_fair)
{
    size_t count = _i == 0 ? 20 : 300;
    struct entry *entry = filled(count);
    size_t drawn[UNIVERSE] = { 0 };
    size_t draws = count * 200;
    for (size_t i = 0; i < draws; i++) {
        struct zset_item item;
        zset_random(entry, &dice, &item);
        EXPECT(item.score == score_of(entry, item.member));
        drawn[index_of(item.member)]++;
    }
    expect_fair(drawn, count, draws);
    release(entry);
}
END_TEST

static void count_item(const struct zset_item *item, void *udata)
{
    size_t *drawn = udata;
    drawn[index_of(item->member)]++;
}

START_TEST(samples_are_fair_and_different)
{
    size_t count = _i == 0 ? 20 : 300;
    size_t wanted = _i == 2 ? 200 : 10;
    struct entry *entry = filled(count);
    size_t total[UNIVERSE] = { 0 };
    for (size_t round = 0; round < 2000; round++) {
        size_t drawn[UNIVERSE] = { 0 };
        size_t sum = 0;
        zset_sample(entry, &dice, wanted, count_item, drawn);
        for (size_t i = 0; i < count; i++) {
            EXPECT(drawn[i] <= 1);
            sum += drawn[i];
            total[i] += drawn[i];
        }
        EXPECT(sum == wanted);
    }
    // Samples without repetition vary less than single draws: only too much is wrong.
    double expected = 2000.0 * (double)wanted / (double)count;
    for (size_t i = 0; i < count; i++)
        EXPECT(fabs((double)total[i] - expected) < 6 * sqrt(expected));
    size_t all[UNIVERSE] = { 0 };
    zset_sample(entry, &dice, count + 5, count_item, all);
    for (size_t i = 0; i < count; i++)
        EXPECT(all[i] == 1);
    release(entry);
}
END_TEST

START_TEST(scans_emit_all)
{
    size_t count = _i == 0 ? 20 : 300;
    struct entry *entry = filled(count);
    size_t seen[UNIVERSE] = { 0 };
    uint64_t cursor = 0;
    do {
        cursor = zset_scan(entry, cursor, count_item, seen);
    } while (cursor != 0);
    for (size_t i = 0; i < count; i++)
        EXPECT(seen[i] >= 1);
    release(entry);
}
END_TEST

static struct digest digest_of(const struct entry *entry)
{
    struct digest digest = { { 0 } };
    zset_type_ops.digest(entry, &digest);
    return digest;
}

START_TEST(copies_are_their_own)
{
    struct entry *entry = filled(_i == 0 ? 20 : 300);
    struct entry *copy = entry_clone(entry, SLICE("copy"));
    zset_type_ops.unshare(copy);
    zset_check(copy);
    struct digest digest = digest_of(entry);
    struct digest other = digest_of(copy);
    ck_assert_mem_eq(digest.bytes, other.bytes, sizeof(digest.bytes));
    put(&entry, 3, 1000);
    ck_assert_double_eq(score_of(copy, text_of(3)), 3);
    release(entry);
    zset_check(copy);
    other = digest_of(copy);
    ck_assert_mem_eq(digest.bytes, other.bytes, sizeof(digest.bytes));
    release(copy);
}
END_TEST

START_TEST(large_ones_are_released_in_slices)
{
    struct entry *entry = filled(UNIVERSE);
    ck_assert_uint_eq(zset_type_ops.pieces(entry), UNIVERSE);
    size_t steps = 1;
    size_t used = mem_used();
    while (!zset_type_ops.release_some(entry, 16)) {
        steps++;
        ck_assert_uint_le(mem_used(), used + 256);
        used = mem_used();
    }
    ck_assert_uint_ge(steps, UNIVERSE / 16);
    entry_free(entry);
    entry = filled(5);
    ck_assert_uint_eq(zset_type_ops.pieces(entry), 1);
    ck_assert(zset_type_ops.release_some(entry, 1));
    entry_free(entry);
}
END_TEST

static double add_up(double old, double score)
{
    return old + score;
}

START_TEST(drafts_become_sorted_sets)
{
    static struct model model;
    size_t count = _i == 0 ? 20 : 300;
    memset(&model, 0, sizeof(model));
    struct zset_draft draft;
    zset_draft_init(&draft);
    for (size_t i = 0; i < count * 3; i++) {
        double score = random_score();
        size_t m = random_below(&dice, count);
        score = isinf(score) ? 1 : score;
        zset_draft_merge(&draft, text_of(m), score, add_up);
        model.scores[m] = model.has[m] ? model.scores[m] + score : score;
        model.has[m] = true;
    }
    struct entry *entry = zset_draft_finish(&draft, SLICE("key"), 0, &limits);
    expect_same(entry, &model);
    ck_assert_str_eq(encoding(entry), _i == 0 ? "listpack" : "skiplist");
    release(entry);
}
END_TEST

START_TEST(drafts_take_the_smallest_encoding)
{
    struct zset_draft draft;
    zset_draft_init(&draft);
    zset_draft_add(&draft, SLICE("b"), 2);
    zset_draft_add(&draft, SLICE("a"), 1);
    struct entry *entry = zset_draft_finish(&draft, SLICE("key"), 0, &no_limits);
    ck_assert_str_eq(encoding(entry), "skiplist");
    zset_check(entry);
    release(entry);
    zset_draft_init(&draft);
    zset_draft_add(&draft, SLICE("b"), 2);
    zset_draft_release(&draft);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("zset");
    TCase *tc = tcase_create("zset");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, as_the_model);
    tcase_add_loop_test(tc, ranges_of_scores, 0, 2);
    tcase_add_loop_test(tc, ranges_of_the_alphabet, 0, 2);
    tcase_add_test(tc, scores_come_back_as_they_were);
    tcase_add_test(tc, encodings_follow_the_limits);
    tcase_add_test(tc, a_small_one_takes_little);
    tcase_add_loop_test(tc, choices_are_fair, 0, 2);
    tcase_add_loop_test(tc, samples_are_fair_and_different, 0, 3);
    tcase_add_loop_test(tc, scans_emit_all, 0, 2);
    tcase_add_loop_test(tc, copies_are_their_own, 0, 2);
    tcase_add_test(tc, large_ones_are_released_in_slices);
    tcase_add_loop_test(tc, drafts_become_sorted_sets, 0, 2);
    tcase_add_test(tc, drafts_take_the_smallest_encoding);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

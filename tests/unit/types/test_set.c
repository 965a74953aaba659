// SPDX-License-Identifier: BSD-3-Clause
// Tests of sets: against a naive model through all encodings, memory to the byte, encodings, fairness,
// walks, batches, scans, copies, releasing in slices.
#include "types/set.h"

#include "base/memory.h"
#include "support/unit.h"
#include "types/packed.h"
#include "unit/store/expect.h"

#include <stdio.h>

#define UNIVERSE 1200
#define NAME_MAX 96

static const struct collection_limits limits = { .set_max_intset_entries = 64,
                                                 .set_max_listpack_entries = 32,
                                                 .set_max_listpack_value = 40 };

// What may be a member: integers of all widths, short texts, long ones, no text at all.
static char names[UNIVERSE][NAME_MAX];
static size_t lens[UNIVERSE];
static size_t used_before;
static struct random dice;

static void name(size_t i, const char *text)
{
    lens[i] = strlen(text);
    memcpy(names[i], text, lens[i]);
}

static void set_up(void)
{
    char text[NAME_MAX];
    random_seed(&dice, 11);
    memset(names, 0, sizeof(names));
    for (size_t i = 0; i < UNIVERSE; i++) {
        int number = (int)i;
        if (i % 3 == 0)
            snprintf(text, sizeof(text), "%lld", (long long)(number - 300) * (1LL << (i % 4 * 15)));
        else if (i % 3 == 1)
            snprintf(text, sizeof(text), "member:%d", number);
        else
            snprintf(text, sizeof(text), "%0*d", (int)(2 + i % 77), number);
        name(i, text);
    }
    name(1, "");
    // Equal ones would be one member of the set, and two of the model.
    for (size_t i = 0; i < UNIVERSE; i++) {
        for (size_t j = 0; j < i; j++) {
            if (lens[i] == lens[j] && memcmp(names[i], names[j], lens[i]) == 0)
                lens[i] = (size_t)snprintf(names[i], NAME_MAX, "twin-%zu", i);
        }
    }
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

static void member_of(struct set_member *member, size_t i)
{
    set_member_init(member, text_of(i));
}

static struct entry *new_set(struct slice text, size_t expected)
{
    struct set_member member;
    set_member_init(&member, text);
    return set_new(SLICE("key"), 0, &limits, &member, expected);
}

static bool add(struct entry **entry, struct slice text)
{
    struct set_member member;
    set_member_init(&member, text);
    return set_add(entry, &limits, &member);
}

static bool has(const struct entry *entry, struct slice text)
{
    struct set_member member;
    set_member_init(&member, text);
    return set_has(entry, &member);
}

static bool take(struct entry **entry, struct slice text)
{
    struct set_member member;
    set_member_init(&member, text);
    return set_remove(entry, &member);
}

static void release(struct entry *entry)
{
    set_type_ops.release(entry);
    entry_free(entry);
}

static const char *encoding(const struct entry *entry)
{
    return set_type_ops.encoding_name(entry);
}

// All of the model's, once each, and nothing else; the memory is what the type says.
static void expect_same(const struct entry *entry, const bool *model)
{
    size_t found = 0;
    size_t want = 0;
    size_t count;
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    for (size_t i = 0; i < UNIVERSE; i++) {
        want += model[i];
        EXPECT(has(entry, text_of(i)) == model[i]);
    }
    EXPECT(set_count(entry) == want);
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        found += count;
        for (size_t i = 0; i < count; i++)
            EXPECT(has(entry, set_member_text(&members[i])));
        EXPECT(set_has_many(entry, members, set_batch_all(count)) == set_batch_all(count));
    }
    EXPECT(found == want);
    EXPECT(mem_used() - used_before ==
           mem_good_size(entry_size(entry)) + set_type_ops.memory(entry));
}

static void play(struct entry **entry, bool *model, size_t from, size_t to, unsigned adds_percent)
{
    size_t i = from + random_below(&dice, to - from);
    struct set_member member;
    member_of(&member, i);
    if (random_below(&dice, 100) < adds_percent) {
        EXPECT(set_add(entry, &limits, &member) == !model[i]);
        model[i] = true;
    } else {
        EXPECT(set_remove(entry, &member) == model[i]);
        model[i] = false;
    }
}

START_TEST(as_the_model)
{
    for (size_t round = 0; round < 60; round++) {
        bool model[UNIVERSE] = { 0 };
        // Few or many candidates, so that some rounds stay small.
        size_t to = round % 3 == 0 ? 20 : round % 3 == 1 ? 120 : UNIVERSE;
        struct entry *entry = new_set(text_of(0), 1);
        model[0] = true;
        for (size_t step = 0; step < 1500; step++) {
            play(&entry, model, 0, to, step < 1000 ? 65 : 30);
            if (step % 100 == 0)
                expect_same(entry, model);
        }
        expect_same(entry, model);
        release(entry);
    }
}
END_TEST

START_TEST(integers_as_the_model)
{
    bool model[UNIVERSE] = { 0 };
    struct entry *entry = new_set(text_of(0), 1);
    model[0] = true;
    for (size_t step = 0; step < 400; step++) {
        size_t i = random_below(&dice, 63) * 3;
        struct set_member member;
        member_of(&member, i);
        EXPECT(set_add(&entry, &limits, &member) == !model[i]);
        model[i] = true;
        i = random_below(&dice, 63) * 3;
        member_of(&member, i);
        EXPECT(set_remove(&entry, &member) == model[i]);
        model[i] = false;
    }
    ck_assert_str_eq(encoding(entry), "intset");
    expect_same(entry, model);
    release(entry);
}
END_TEST

static void add_numbers(struct entry **entry, int from, int count)
{
    char text[24];
    for (int i = from; i < from + count; i++) {
        int len = snprintf(text, sizeof(text), "%d", i);
        ck_assert(add(entry, (struct slice){ .ptr = text, .len = (size_t)len }));
    }
}

START_TEST(encodings)
{
    struct entry *entry = new_set(SLICE("1"), 1);
    ck_assert_str_eq(encoding(entry), "intset");
    add_numbers(&entry, 2, 63);
    ck_assert_str_eq(encoding(entry), "intset");
    add_numbers(&entry, 65, 1);
    ck_assert_str_eq(encoding(entry), "hashtable");
    ck_assert(take(&entry, SLICE("65")));
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);

    entry = new_set(SLICE("1"), 1);
    add_numbers(&entry, 2, 30);
    ck_assert(add(&entry, SLICE("text")));
    ck_assert_str_eq(encoding(entry), "listpack");
    ck_assert(add(&entry, SLICE("more")));
    ck_assert_str_eq(encoding(entry), "hashtable");
    ck_assert(has(entry, SLICE("31")));
    release(entry);

    entry = new_set(SLICE("0123456789012345678901234567890123456789"), 1);
    ck_assert_str_eq(encoding(entry), "listpack");
    ck_assert(add(&entry, SLICE("01234567890123456789012345678901234567890")));
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);
}
END_TEST

START_TEST(what_is_expected_decides)
{
    struct entry *entry = new_set(SLICE("1"), 64);
    ck_assert_str_eq(encoding(entry), "intset");
    set_expect(&entry, &limits, 64);
    ck_assert_str_eq(encoding(entry), "intset");
    set_expect(&entry, &limits, 65);
    ck_assert_str_eq(encoding(entry), "hashtable");
    ck_assert(has(entry, SLICE("1")));
    release(entry);
    entry = new_set(SLICE("1"), 65);
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);
    entry = new_set(SLICE("a"), 33);
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);
}
END_TEST

START_TEST(small_limits)
{
    static const struct collection_limits none = { 0 };
    static const struct collection_limits narrow = { .set_max_intset_entries = 100,
                                                     .set_max_listpack_entries = 100,
                                                     .set_max_listpack_value = 3 };
    struct set_member member;
    set_member_init(&member, SLICE("1"));
    struct entry *entry = set_new(SLICE("key"), 0, &none, &member, 1);
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);
    // An integer of four digits does not fit a listpack of three.
    set_member_init(&member, SLICE("-123"));
    entry = set_new(SLICE("key"), 0, &narrow, &member, 1);
    set_member_init(&member, SLICE("x"));
    ck_assert(set_add(&entry, &narrow, &member));
    ck_assert_str_eq(encoding(entry), "hashtable");
    release(entry);
}
END_TEST

START_TEST(bytes_of_small_and_large)
{
    static const struct collection_limits usual = { .set_max_intset_entries = 512,
                                                    .set_max_listpack_entries = 128,
                                                    .set_max_listpack_value = 64 };
    struct set_member member;
    set_member_init(&member, SLICE("a123456"));
    struct entry *entry = set_new(SLICE("set:000000123456"), 0, &usual, &member, 5);
    static const char *const more[] = { "b", "c", "d", "e" };
    for (size_t i = 0; i < 4; i++) {
        set_member_init(&member, slice_of(more[i]));
        ck_assert(set_add(&entry, &usual, &member));
    }
    // With a slot of the keyspace's table, about 12 bytes, it is below 84.
    ck_assert_uint_le(mem_used() - used_before, 64);
    release(entry);

    set_member_init(&member, SLICE("member:1000000"));
    entry = set_new(SLICE("key"), 0, &usual, &member, 1);
    for (int i = 1; i < 100000; i++) {
        char text[24];
        snprintf(text, sizeof(text), "member:%d", i);
        set_member_init(&member, slice_of(text));
        EXPECT(set_add(&entry, &usual, &member));
    }
    ck_assert_uint_le(set_type_ops.memory(entry) / 100000, 31);
    release(entry);
}
END_TEST

// A set of 0 to count - 1, in an encoding: with a limit, or a text besides.
static struct entry *numbered(const char *want, size_t count)
{
    static const struct collection_limits wide = { .set_max_intset_entries = 2000,
                                                   .set_max_listpack_entries = 2000,
                                                   .set_max_listpack_value = 64 };
    static const struct collection_limits none = { 0 };
    bool table = strcmp(want, "hashtable") == 0;
    struct set_member member;
    set_member_init(&member, strcmp(want, "listpack") == 0 ? SLICE("x") : SLICE("0"));
    struct entry *entry = set_new(SLICE("key"), 0, table ? &none : &wide, &member, 1);
    for (size_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%zu", i);
        set_member_init(&member, slice_of(text));
        set_add(&entry, table ? &none : &wide, &member);
    }
    if (strcmp(want, "listpack") == 0)
        take(&entry, SLICE("x"));
    ck_assert_str_eq(encoding(entry), want);
    ck_assert_uint_eq(set_count(entry), count);
    return entry;
}

static const char *const all_encodings[] = { "intset", "listpack", "hashtable" };

#define CHOICES 100

static void count_choice(struct set_member *member, void *udata)
{
    unsigned *counts = udata;
    int64_t number;
    EXPECT(parse_int64(set_member_text(member), &number) && number < CHOICES);
    counts[number]++;
}

// The statistic has 99 degrees of freedom: mean 99, deviation 14. The seed is fixed.
static void expect_fair(const unsigned *counts, double expected)
{
    double sum = 0;
    for (size_t i = 0; i < CHOICES; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    ck_assert_msg(sum < 99 + 5 * 14, "chi-square %f", sum);
}

START_TEST(random_members_are_fair)
{
    struct entry *entry = numbered(all_encodings[_i], CHOICES);
    unsigned counts[CHOICES] = { 0 };
    for (int i = 0; i < 100000; i++) {
        struct set_member member;
        set_random(entry, &dice, &member);
        count_choice(&member, counts);
    }
    expect_fair(counts, 1000);
    release(entry);
}
END_TEST

static void count_distinct(struct set_member *member, void *udata)
{
    bool *seen = udata;
    int64_t number;
    EXPECT(parse_int64(set_member_text(member), &number) && !seen[number]);
    seen[number] = true;
}

START_TEST(samples_are_fair)
{
    static const size_t sizes[] = { 1, 10, 50, 99, 100, 1000 };
    struct entry *entry = numbered(all_encodings[_i], CHOICES);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        unsigned counts[CHOICES] = { 0 };
        size_t size = sizes[i] < CHOICES ? sizes[i] : CHOICES;
        for (int round = 0; round < 10000; round++) {
            bool seen[CHOICES] = { 0 };
            size_t emitted = 0;
            set_sample(entry, &dice, sizes[i], count_distinct, seen);
            for (size_t j = 0; j < CHOICES; j++) {
                counts[j] += seen[j];
                emitted += seen[j];
            }
            EXPECT(emitted == size);
        }
        expect_fair(counts, 100.0 * (double)size);
    }
    release(entry);
}
END_TEST

START_TEST(popping_is_fair)
{
    // Which one is left of ten, when nine have been popped.
    unsigned counts[CHOICES] = { 0 };
    for (int round = 0; round < 10000; round++) {
        struct entry *entry = numbered(all_encodings[_i], 10);
        struct set_member member;
        while (set_count(entry) > 1) {
            set_random(entry, &dice, &member);
            EXPECT(set_remove(&entry, &member));
        }
        set_random(entry, &dice, &member);
        count_choice(&member, counts);
        release(entry);
    }
    for (size_t i = 0; i < 10; i++)
        ck_assert_msg(counts[i] > 850 && counts[i] < 1150, "%zu: %u", i, counts[i]);
}
END_TEST

START_TEST(batches)
{
    struct entry *entry = numbered(all_encodings[_i], 8);
    static const char *const asked[] = { "0",  "8", "7",  "",  "x", "07",    "3", "-1",
                                         "1 ", "4", "+4", "5", "6", "99999", "2", "1" };
    struct set_member members[SET_BATCH];
    for (size_t i = 0; i < SET_BATCH; i++)
        set_member_init(&members[i], slice_of(asked[i]));
    ck_assert_uint_eq(set_has_many(entry, members, set_batch_all(SET_BATCH)), 0xDA45);
    ck_assert_uint_eq(set_has_many(entry, members, 0x00F0), 0x0040);
    ck_assert_uint_eq(set_has_many(entry, members, 0), 0);
    release(entry);
}
END_TEST

START_TEST(scans_meet_all)
{
    struct entry *entry = numbered(all_encodings[_i], 1000);
    bool seen[1000] = { 0 };
    uint64_t cursor = 0;
    int steps = 0;
    // What is there all the time is met, whatever else is removed.
    do {
        struct set_member member;
        bool met[1000] = { 0 };
        cursor = set_scan(entry, cursor, count_distinct, met);
        for (size_t i = 0; i < 1000; i++)
            seen[i] |= met[i];
        char text[24];
        snprintf(text, sizeof(text), "%d", 500 + steps++ % 500);
        set_member_init(&member, slice_of(text));
        set_remove(&entry, &member);
    } while (cursor != 0);
    for (size_t i = 0; i < 500; i++)
        EXPECT(seen[i]);
    release(entry);
}
END_TEST

START_TEST(copies_are_apart)
{
    struct entry *entry = numbered(all_encodings[_i], 300);
    struct entry *clone = entry_clone(entry, SLICE("other"));
    set_type_ops.unshare(clone);
    ck_assert(take(&entry, SLICE("7")));
    ck_assert(has(clone, SLICE("7")));
    ck_assert(take(&clone, SLICE("8")));
    ck_assert(has(entry, SLICE("8")));
    ck_assert_uint_eq(set_count(clone), 299);
    ck_assert_uint_eq(mem_used() - used_before,
                      mem_good_size(entry_size(entry)) + set_type_ops.memory(entry) +
                          mem_good_size(entry_size(clone)) + set_type_ops.memory(clone));
    release(entry);
    ck_assert(has(clone, SLICE("299")));
    release(clone);
}
END_TEST

START_TEST(large_sets_are_released_in_slices)
{
    struct entry *entry = numbered("hashtable", 1000);
    ck_assert_uint_eq(set_type_ops.pieces(entry), 1000);
    int slices = 1;
    while (!set_type_ops.release_some(entry, 64))
        slices++;
    ck_assert_int_ge(slices, 1000 / 64);
    ck_assert_int_le(slices, 1000 / 64 + 3);
    entry_free(entry);
    entry = numbered("intset", 1000);
    ck_assert_uint_le(set_type_ops.pieces(entry), 1);
    release(entry);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("set");
    TCase *tcase = tcase_create("set");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, as_the_model);
    tcase_add_test(tcase, integers_as_the_model);
    tcase_add_test(tcase, encodings);
    tcase_add_test(tcase, what_is_expected_decides);
    tcase_add_test(tcase, small_limits);
    tcase_add_test(tcase, bytes_of_small_and_large);
    tcase_add_loop_test(tcase, random_members_are_fair, 0, 3);
    tcase_add_loop_test(tcase, samples_are_fair, 0, 3);
    tcase_add_loop_test(tcase, popping_is_fair, 0, 3);
    tcase_add_loop_test(tcase, batches, 0, 3);
    tcase_add_loop_test(tcase, scans_meet_all, 0, 3);
    tcase_add_loop_test(tcase, copies_are_apart, 0, 3);
    tcase_add_test(tcase, large_sets_are_released_in_slices);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

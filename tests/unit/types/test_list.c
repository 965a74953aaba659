// SPDX-License-Identifier: BSD-3-Clause
// Tests of lists: random operations in both encodings against a naive model, with every byte of memory
// accounted for, and when a list changes its encoding.
#include "types/list.h"

#include "base/memory.h"
#include "base/random.h"
#include "store/digest.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

#define ITEMS_MAX   4096
#define TEXT_MAX    600
#define STEPS       3000
#define SOME_EXPIRY INT64_C(1795287731123)
#define ACCESS      0xABCDEF

static const int fills[] = { -1, -2, -5, 0, 1, 4, 128 };
static const size_t key_lens[] = { 0, 16, 250 };

#define FILLS (sizeof fills / sizeof *fills)
#define KEYS  (sizeof key_lens / sizeof *key_lens)

struct item {
    size_t len;
    char text[TEXT_MAX];
};

struct model {
    struct random random;
    struct collection_limits limits;
    struct entry *entry;  // NULL: empty
    size_t used_before;
    char key[256];
    struct slice name;
    struct item *items[ITEMS_MAX];
    size_t count;
    size_t seen[2];  // steps in each encoding
};

static size_t below(struct model *model, size_t bound)
{
    return (size_t)random_below(&model->random, bound);
}

static struct slice text_of(const struct item *item)
{
    return (struct slice){ .ptr = item->text, .len = item->len };
}

// Few different values, so that some are found again; now and then a long one.
static struct item *new_item(struct model *model)
{
    struct item *item = calloc(1, sizeof *item);
    ck_assert_ptr_nonnull(item);
    int len;
    switch (below(model, 8)) {
    case 0:
        len = snprintf(item->text, TEXT_MAX, "%lld", (long long)random_next(&model->random));
        break;
    case 1: len = snprintf(item->text, TEXT_MAX, "%0*d", (int)below(model, TEXT_MAX - 1), 7); break;
    case 2: len = 0; break;
    default: len = snprintf(item->text, TEXT_MAX, "%c", 'a' + (int)below(model, 4)); break;
    }
    item->len = (size_t)len;
    return item;
}

static void model_insert(struct model *model, size_t at, struct item *item)
{
    EXPECT(model->count < ITEMS_MAX);
    memmove(model->items + at + 1, model->items + at, (model->count - at) * sizeof *model->items);
    model->items[at] = item;
    model->count++;
}

static void model_remove(struct model *model, size_t at)
{
    free(model->items[at]);
    model->count--;
    memmove(model->items + at, model->items + at + 1, (model->count - at) * sizeof *model->items);
}

static void release(struct entry *entry)
{
    list_type_ops.release(entry);
    entry_free(entry);
}

static void open_model(struct model *model, int i)
{
    memset(model, 0, sizeof *model);
    random_seed(&model->random, (uint64_t)i + 1);
    model->limits.list_max_listpack_size = fills[(size_t)i % FILLS];
    memset(model->key, 'k', sizeof model->key);
    model->name = (struct slice){ .ptr = model->key, .len = key_lens[(size_t)i / FILLS % KEYS] };
    model->used_before = mem_used();
}

static void close_model(struct model *model)
{
    if (model->entry)
        release(model->entry);
    while (model->count > 0)
        free(model->items[--model->count]);
    ck_assert_uint_eq(mem_used(), model->used_before);
}

// --- Operations ---------------------------------------------------------------------------------

static void push(struct model *model)
{
    struct slice values[20];
    size_t count = 1 + below(model, below(model, 10) ? 3 : 20);
    enum list_end end = below(model, 2) ? LIST_LEFT : LIST_RIGHT;
    if (model->count + count > ITEMS_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        struct item *item = new_item(model);
        values[i] = text_of(item);
        model_insert(model, end == LIST_LEFT ? 0 : model->count, item);
    }
    if (model->entry) {
        list_entry_push(&model->entry, &model->limits, end, values, count);
        return;
    }
    model->entry = list_entry_new(model->name, ACCESS, &model->limits, end, values, count);
    if (below(model, 2))
        model->entry = entry_with_expiry(model->entry, SOME_EXPIRY);
}

static void pop(struct model *model)
{
    enum list_end end = below(model, 2) ? LIST_LEFT : LIST_RIGHT;
    list_entry_pop(&model->entry, &model->limits, end);
    model_remove(model, end == LIST_LEFT ? 0 : model->count - 1);
}

static void remove_range(struct model *model)
{
    size_t start = below(model, 3) ? below(model, model->count) : 0;
    size_t count = below(model, 20) ? below(model, 8) : below(model, model->count + 1);
    if (count > model->count - start)
        count = model->count - start;
    list_entry_remove_range(&model->entry, &model->limits, start, count);
    while (count-- > 0)
        model_remove(model, start);
}

static void set(struct model *model)
{
    struct item *item = new_item(model);
    int64_t index = (int64_t)below(model, model->count * 2 + 2) - (int64_t)model->count - 1;
    int64_t at = index < 0 ? index + (int64_t)model->count : index;
    bool there = at >= 0 && at < (int64_t)model->count;
    EXPECT(list_entry_set(&model->entry, &model->limits, index, text_of(item)) == there);
    if (!there) {
        free(item);
        return;
    }
    free(model->items[at]);
    model->items[at] = item;
}

static void insert(struct model *model)
{
    struct item *pivot = new_item(model);
    struct item *item = new_item(model);
    bool behind = below(model, 2);
    size_t at = 0;
    while (at < model->count && !slice_equal(text_of(model->items[at]), text_of(pivot)))
        at++;
    bool there = at < model->count && model->count < ITEMS_MAX;
    if (model->count < ITEMS_MAX)
        EXPECT(list_entry_insert(&model->entry, &model->limits, text_of(pivot), behind,
                                 text_of(item)) == there);
    free(pivot);
    if (there)
        model_insert(model, at + behind, item);
    else
        free(item);
}

static void remove_equal(struct model *model)
{
    struct item *value = new_item(model);
    int64_t count = (int64_t)below(model, 7) - 3;
    size_t want = 0;
    size_t max = count ? (size_t)llabs(count) : SIZE_MAX;
    for (size_t i = 0; i < model->count && want < max;) {
        size_t at = count < 0 ? model->count - 1 - i : i;
        if (slice_equal(text_of(model->items[at]), text_of(value))) {
            model_remove(model, at);
            want++;
        } else {
            i++;
        }
    }
    EXPECT(list_entry_remove_equal(&model->entry, &model->limits, text_of(value), count) == want);
    free(value);
}

// --- Comparing ----------------------------------------------------------------------------------

static void expect_at(const struct model *model, const struct list_place *place, size_t at)
{
    char scratch[24];
    EXPECT(place->lp);
    EXPECT(slice_equal(lp_text(place->lp, place->offset, scratch), text_of(model->items[at])));
}

static void compare(struct model *model)
{
    const struct entry *entry = model->entry;
    struct list_place place = list_entry_seek(entry, 0);
    for (size_t i = 0; i < model->count; i++, list_place_next(&place))
        expect_at(model, &place, i);
    EXPECT(!place.lp);
    place = list_entry_seek(entry, -1);
    for (size_t i = model->count; i > 0; i--, list_place_prev(&place))
        expect_at(model, &place, i - 1);
    EXPECT(!place.lp);
    size_t at = below(model, model->count);
    place = list_entry_seek(entry, (int64_t)at);
    expect_at(model, &place, at);
    place = list_entry_seek(entry, (int64_t)at - (int64_t)model->count);
    expect_at(model, &place, at);
    EXPECT(!list_entry_seek(entry, (int64_t)model->count).lp);
    EXPECT(!list_entry_seek(entry, -(int64_t)model->count - 1).lp);
}

static void compare_clone(struct model *model)
{
    struct entry *original = model->entry;
    struct entry *clone = entry_clone(original, SLICE("a key of another length"));
    list_type_ops.unshare(clone);
    model->entry = clone;
    compare(model);
    release(clone);
    model->entry = original;
}

static void check_memory(const struct model *model)
{
    size_t own = mem_good_size(entry_size(model->entry)) + list_type_ops.memory(model->entry);
    EXPECT(mem_used() == model->used_before + own);
    EXPECT(slice_equal(entry_key(model->entry), model->name));
    EXPECT(entry_access(model->entry) == ACCESS);
    EXPECT(entry_type(model->entry) == TYPE_LIST);
}

static void step(struct model *model)
{
    static void (*const operations[])(struct model *) = {
        push, push, push, push, pop, pop, remove_range, set, set, insert, insert, remove_equal,
    };
    size_t choice = below(model, sizeof operations / sizeof *operations);
    if (!model->entry)
        choice = 0;
    operations[choice](model);
    if (!model->entry)
        return;
    EXPECT(list_entry_count(model->entry) == model->count);
    if (model->count == 0) {
        release(model->entry);
        model->entry = NULL;
        EXPECT(mem_used() == model->used_before);
        return;
    }
    model->seen[entry_encoding(model->entry)]++;
    check_memory(model);
    if (below(model, 10) == 0)
        compare(model);
    if (below(model, 50) == 0)
        compare_clone(model);
}

START_TEST(random_operations_against_a_model)
{
    static struct model model;
    open_model(&model, _i);
    for (int i = 0; i < STEPS; i++)
        step(&model);
    // With a limit of one element hardly any list is small, and none becomes so again.
    int64_t fill = model.limits.list_max_listpack_size;
    EXPECT(model.seen[LIST_ENC_LISTPACK] > 0 || fill == 0 || fill == 1);
    EXPECT(model.seen[LIST_ENC_QUICKLIST] > 0 || fill == -5);
    close_model(&model);
}
END_TEST

// --- Encodings ----------------------------------------------------------------------------------

static struct entry *list_of(const struct collection_limits *limits, size_t count, size_t len)
{
    static char text[100000];
    memset(text, 'x', sizeof text);
    const struct slice value = { .ptr = text, .len = len };
    struct entry *entry = list_entry_new(SLICE("k"), 0, limits, LIST_RIGHT, &value, 1);
    for (size_t i = 1; i < count; i++)
        list_entry_push(&entry, limits, LIST_RIGHT, &value, 1);
    return entry;
}

static void expect_encoding(const struct entry *entry, const char *want)
{
    ck_assert_str_eq(list_type_ops.encoding_name(entry), want);
}

START_TEST(a_list_is_small_up_to_its_limit_of_bytes)
{
    static const size_t sizes[] = { 4096, 8192, 16384, 32768, 65536, 65536 };
    const struct collection_limits limits = { .list_max_listpack_size = -1 - _i };
    struct entry *entry = list_of(&limits, 1, sizes[_i] - LP_EMPTY_BYTES);
    expect_encoding(entry, "listpack");
    release(entry);
    entry = list_of(&limits, 1, sizes[_i] - LP_EMPTY_BYTES + 1);
    expect_encoding(entry, "quicklist");
    release(entry);
}
END_TEST

START_TEST(a_list_is_small_up_to_its_limit_of_elements)
{
    const struct collection_limits limits = { .list_max_listpack_size = 10 };
    struct entry *entry = list_of(&limits, 10, 3);
    expect_encoding(entry, "listpack");
    list_entry_push(&entry, &limits, LIST_LEFT, &SLICE("x"), 1);
    expect_encoding(entry, "quicklist");
    list_entry_remove_range(&entry, &limits, 3, 5);
    expect_encoding(entry, "quicklist");
    list_entry_pop(&entry, &limits, LIST_LEFT);
    expect_encoding(entry, "listpack");
    ck_assert_uint_eq(list_entry_count(entry), 5);
    release(entry);
}
END_TEST

START_TEST(a_list_is_small_again_when_half_is_left)
{
    const struct collection_limits limits = { .list_max_listpack_size = -2 };
    struct entry *entry = list_of(&limits, 200, 100);
    expect_encoding(entry, "quicklist");
    // An element takes 103 bytes: 39 of them are 4,024 with the listpack's own.
    for (size_t left = 199; left > 39; left--) {
        list_entry_pop(&entry, &limits, LIST_RIGHT);
        expect_encoding(entry, "quicklist");
    }
    list_entry_pop(&entry, &limits, LIST_RIGHT);
    expect_encoding(entry, "listpack");
    ck_assert_uint_eq(list_entry_count(entry), 39);
    release(entry);
}
END_TEST

START_TEST(what_fails_leaves_the_encoding)
{
    const struct collection_limits limits = { .list_max_listpack_size = -2 };
    static char text[9000];
    memset(text, 'y', sizeof text);
    const struct slice large = { .ptr = text, .len = sizeof text };
    struct entry *entry = list_of(&limits, 3, 3);
    ck_assert(!list_entry_insert(&entry, &limits, SLICE("nowhere"), true, large));
    ck_assert(!list_entry_set(&entry, &limits, 3, large));
    expect_encoding(entry, "listpack");
    ck_assert(list_entry_set(&entry, &limits, 1, large));
    expect_encoding(entry, "quicklist");
    ck_assert(list_entry_set(&entry, &limits, 1, SLICE("short")));
    expect_encoding(entry, "listpack");
    release(entry);
}
END_TEST

START_TEST(digests_know_no_encoding)
{
    const struct collection_limits small = { .list_max_listpack_size = -2 };
    const struct collection_limits large = { .list_max_listpack_size = 1 };
    struct entry *entries[] = { list_of(&small, 5, 2), list_of(&large, 5, 2) };
    struct digest digests[2] = { 0 };
    for (int i = 0; i < 2; i++)
        list_type_ops.digest(entries[i], &digests[i]);
    ck_assert_mem_eq(&digests[0], &digests[1], sizeof digests[0]);
    list_entry_push(&entries[0], &small, LIST_LEFT, &SLICE("1"), 1);
    digests[0] = (struct digest){ 0 };
    list_type_ops.digest(entries[0], &digests[0]);
    ck_assert_mem_ne(&digests[0], &digests[1], sizeof digests[0]);
    release(entries[0]);
    release(entries[1]);
}
END_TEST

START_TEST(large_lists_are_released_in_slices)
{
    size_t used_before = mem_used();
    const struct collection_limits limits = { .list_max_listpack_size = -1 };
    struct entry *entry = list_of(&limits, 5000, 100);
    size_t pieces = list_type_ops.pieces(entry);
    ck_assert_uint_gt(pieces, 100);
    size_t steps = 1;
    while (!list_type_ops.release_some(entry, 10))
        steps++;
    entry_free(entry);
    ck_assert_uint_ge(steps, pieces / 10);
    ck_assert_uint_eq(mem_used(), used_before);
    entry = list_of(&limits, 50, 10);
    ck_assert_uint_eq(list_type_ops.pieces(entry), 1);
    ck_assert(list_type_ops.release_some(entry, 1));
    entry_free(entry);
    ck_assert_uint_eq(mem_used(), used_before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 120);
    tcase_add_loop_test(model, random_operations_against_a_model, 0, (int)(FILLS * KEYS));
    suite_add_tcase(suite, model);
    TCase *encodings = tcase_create("encodings");
    tcase_add_loop_test(encodings, a_list_is_small_up_to_its_limit_of_bytes, 0, 6);
    tcase_add_test(encodings, a_list_is_small_up_to_its_limit_of_elements);
    tcase_add_test(encodings, a_list_is_small_again_when_half_is_left);
    tcase_add_test(encodings, what_fails_leaves_the_encoding);
    tcase_add_test(encodings, digests_know_no_encoding);
    tcase_add_test(encodings, large_lists_are_released_in_slices);
    suite_add_tcase(suite, encodings);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

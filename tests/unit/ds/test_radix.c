// SPDX-License-Identifier: BSD-3-Clause
// The radix tree against a sorted array: every operation at every shape of keys, with and without
// memory, and keys as long and as deep as a client may make them.
#include "base/bytes.h"
#include "base/memory.h"
#include "base/random.h"
#include "ds/radix.h"
#include "support/unit.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// Check writes a record for every assertion; this one reports only failures.
#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond))                                       \
            ck_abort_msg("expectation failed: %s", #cond); \
    } while (0)

#define KEY_MAX  64
#define MEGABYTE ((size_t)1 << 20)

// Doubles as the value of its key.
struct item {
    unsigned char len;
    char key[KEY_MAX];
};

// The tree, and the sorted array that it must equal.
struct model {
    struct radix tree;
    struct item **sorted;
    size_t count;
    size_t room;
    size_t mem_before;
    struct random random;
};

static void model_init(struct model *model, uint64_t seed)
{
    *model = (struct model){ .mem_before = mem_used() };
    random_seed(&model->random, seed);
}

static struct slice item_key(const struct item *item)
{
    return (struct slice){ .ptr = item->key, .len = item->len };
}

static int key_order(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, shorter);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool begins_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

// Where the key is in the array, or would be.
static size_t model_rank(const struct model *model, struct slice key)
{
    size_t begin = 0;
    size_t end = model->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (key_order(item_key(model->sorted[middle]), key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static struct item *model_find(const struct model *model, struct slice key)
{
    size_t rank = model_rank(model, key);
    bool there = rank < model->count && slice_equal(item_key(model->sorted[rank]), key);
    return there ? model->sorted[rank] : NULL;
}

static void model_note(struct model *model, struct item *item)
{
    if (model->count == model->room) {
        model->room = model->room * 2 + 16;
        model->sorted = realloc(model->sorted, model->room * sizeof(struct item *));
    }
    size_t rank = model_rank(model, item_key(item));
    struct item **at = &model->sorted[rank];
    memmove(at + 1, at, (model->count - rank) * sizeof(*at));
    *at = item;
    model->count++;
}

static void model_forget(struct model *model, const struct item *item)
{
    size_t rank = model_rank(model, item_key(item));
    struct item **at = &model->sorted[rank];
    EXPECT(*at == item);
    memmove(at, at + 1, (model->count - rank - 1) * sizeof(*at));
    model->count--;
}

// False: there was no memory, and nothing has changed.
static bool model_put(struct model *model, const struct item *wanted)
{
    struct item *item = malloc(sizeof(*item));
    *item = *wanted;
    struct item *before = model_find(model, item_key(item));
    void *old = item;
    size_t bytes = model->tree.bytes;
    if (radix_put(&model->tree, item_key(item), item, &old) != STATUS_OK) {
        EXPECT(before == NULL && old == NULL && model->tree.bytes == bytes);
        EXPECT(radix_find(&model->tree, item_key(item)) == NULL);
        free(item);
        return false;
    }
    EXPECT(old == before);
    if (before != NULL)
        model_forget(model, before);
    free(before);
    model_note(model, item);
    return true;
}

static void model_remove(struct model *model, struct slice key)
{
    struct item *item = model_find(model, key);
    EXPECT(radix_remove(&model->tree, key) == item);
    if (item != NULL)
        model_forget(model, item);
    free(item);
}

static void note_released(void *value, void *udata)
{
    struct item *item = value;
    size_t *count = udata;
    EXPECT(item->len <= KEY_MAX);
    item->len = KEY_MAX + 1;
    ++*count;
}

static void model_release(struct model *model)
{
    size_t released = 0;
    radix_release(&model->tree, note_released, &released);
    EXPECT(released == model->count);
    EXPECT(model->tree.root == NULL && model->tree.count == 0 && model->tree.bytes == 0);
    EXPECT(mem_used() == model->mem_before);
    for (size_t i = 0; i < model->count; i++)
        free(model->sorted[i]);
    free(model->sorted);
}

// What a walk must meet, and the number of visits after which it stops.
struct expected {
    const struct model *model;
    struct slice text;
    size_t at;
    size_t visits;
    size_t stop_after;
};

static bool visit_in_order(struct slice key, void *value, void *udata)
{
    struct expected *expected = udata;
    EXPECT(expected->at < expected->model->count);
    struct item *item = expected->model->sorted[expected->at++];
    EXPECT(item == value && slice_equal(item_key(item), key));
    return ++expected->visits != expected->stop_after;
}

static void check_walk(const struct model *model, struct slice prefix, size_t stop_after)
{
    struct expected expected = { .model = model, .stop_after = stop_after };
    expected.at = model_rank(model, prefix);
    size_t end = expected.at;
    while (end < model->count && begins_with(item_key(model->sorted[end]), prefix))
        end++;
    size_t there = end - expected.at;
    bool whole = stop_after == 0 || stop_after > there;
    EXPECT(radix_walk(&model->tree, prefix, visit_in_order, &expected) == whole);
    EXPECT(expected.visits == (whole ? there : stop_after));
}

// The array's items are in byte order, so one that begins another text's comes before it: the
// shortest first.
// cppcheck-suppress constParameter ; a visitor's type
static bool visit_prefix(void *value, size_t key_len, void *udata)
{
    struct expected *expected = udata;
    const struct model *model = expected->model;
    while (expected->at < model->count &&
           !begins_with(expected->text, item_key(model->sorted[expected->at])))
        expected->at++;
    EXPECT(expected->at < model->count && model->sorted[expected->at] == value);
    EXPECT(model->sorted[expected->at++]->len == key_len);
    return ++expected->visits != expected->stop_after;
}

static void check_prefixes(const struct model *model, struct slice text, size_t stop_after)
{
    size_t there = 0;
    for (size_t len = 0; len <= text.len; len++)
        there += model_find(model, (struct slice){ .ptr = text.ptr, .len = len }) != NULL;
    struct expected expected = { .model = model, .text = text, .stop_after = stop_after };
    bool whole = stop_after == 0 || stop_after > there;
    EXPECT(radix_prefixes_of(&model->tree, text, visit_prefix, &expected) == whole);
    EXPECT(expected.visits == (whole ? there : stop_after));
}

static void model_verify(const struct model *model)
{
    radix_check(&model->tree);
    EXPECT(model->tree.count == model->count);
    EXPECT(mem_used() - model->mem_before == model->tree.bytes);
    for (size_t i = 0; i < model->count; i++)
        EXPECT(radix_find(&model->tree, item_key(model->sorted[i])) == model->sorted[i]);
    check_walk(model, SLICE(""), 0);
}

// The shapes of keys.
typedef void (*shape_fn)(struct random *random, struct item *item);

// Many keys that begin others.
static void shape_two_letters(struct random *random, struct item *item)
{
    item->len = (unsigned char)random_below(random, 12);
    for (unsigned i = 0; i < item->len; i++)
        item->key[i] = (char)('a' + random_below(random, 2));
}

static void shape_binary(struct random *random, struct item *item)
{
    item->len = (unsigned char)random_below(random, 4);
    for (unsigned i = 0; i < item->len; i++)
        item->key[i] = (char)random_next(random);
}

static void shape_channels(struct random *random, struct item *item)
{
    unsigned room = (unsigned)random_below(random, 40);
    unsigned user = (unsigned)random_below(random, 40);
    item->len = (unsigned char)snprintf(item->key, KEY_MAX, "chat:room:%u:user:%u", room, user);
}

// Long chains that fork anywhere.
static void shape_long(struct random *random, struct item *item)
{
    item->len = (unsigned char)random_below(random, KEY_MAX + 1);
    memset(item->key, 'x', item->len);
    if (item->len > 0 && random_below(random, 2) == 0)
        item->key[random_below(random, item->len)] = (char)random_below(random, 256);
}

// Ends of one and the same text, so that a node has nothing but one child and a value.
static void shape_nested(struct random *random, struct item *item)
{
    item->len = (unsigned char)random_below(random, KEY_MAX + 1);
    memset(item->key, 'n', item->len);
}

static const shape_fn shapes[] = {
    shape_two_letters, shape_binary, shape_channels, shape_long, shape_nested,
};
#define SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

// A key that is there, as it is, shortened or changed, or any.
static void some_key(struct model *model, shape_fn shape, struct item *item)
{
    if (model->count == 0 || random_below(&model->random, 3) == 0) {
        shape(&model->random, item);
        return;
    }
    *item = *model->sorted[random_below(&model->random, model->count)];
    if (item->len > 0 && random_below(&model->random, 2) == 0)
        item->len = (unsigned char)random_below(&model->random, item->len + 1U);
    if (item->len > 0 && random_below(&model->random, 4) == 0)
        item->key[item->len - 1] = (char)random_next(&model->random);
}

static void random_operation(struct model *model, shape_fn shape, unsigned puts)
{
    struct item item;
    some_key(model, shape, &item);
    uint64_t dice = random_below(&model->random, 100);
    size_t stop_after = random_below(&model->random, 4);
    if (dice < puts)
        model_put(model, &item);
    else if (dice < 70)
        model_remove(model, item_key(&item));
    else if (dice < 80)
        EXPECT(radix_find(&model->tree, item_key(&item)) == model_find(model, item_key(&item)));
    else if (dice < 90)
        check_prefixes(model, item_key(&item), stop_after);
    else
        check_walk(model, item_key(&item), stop_after);
}

START_TEST(empty_tree_answers)
{
    struct model model;
    model_init(&model, 1);
    model_verify(&model);
    check_walk(&model, SLICE("a"), 0);
    check_prefixes(&model, SLICE("abc"), 0);
    ck_assert_ptr_null(radix_find(&model.tree, SLICE("")));
    ck_assert_ptr_null(radix_remove(&model.tree, SLICE("")));
    ck_assert_ptr_null(radix_remove(&model.tree, SLICE("a")));
    model_release(&model);
}
END_TEST

// Without an address, too.
START_TEST(empty_key_is_a_key)
{
    struct radix tree = { 0 };
    struct slice nothing = { 0 };
    int first = 1;
    int second = 2;
    void *old;
    ck_assert_int_eq(radix_put(&tree, nothing, &first, &old), STATUS_OK);
    ck_assert_ptr_null(old);
    ck_assert_ptr_eq(radix_find(&tree, SLICE("")), &first);
    ck_assert_int_eq(radix_put(&tree, SLICE("a"), &second, &old), STATUS_OK);
    ck_assert_ptr_eq(radix_find(&tree, nothing), &first);
    ck_assert_int_eq(radix_put(&tree, nothing, &second, &old), STATUS_OK);
    ck_assert_ptr_eq(old, &first);
    ck_assert_uint_eq(tree.count, 2);
    ck_assert_ptr_eq(radix_remove(&tree, nothing), &second);
    ck_assert_ptr_null(radix_find(&tree, nothing));
    radix_check(&tree);
    radix_release(&tree, NULL, NULL);
    ck_assert_uint_eq(tree.bytes, 0);
}
END_TEST

static bool collect_lengths(void *value, size_t key_len, void *udata)
{
    (void)value;
    bytes_printf(udata, "%zu ", key_len);
    return true;
}

START_TEST(prefixes_come_shortest_first)
{
    static const char *const keys[] = { "news.fr", "", "news.", "newt", "news.fr.paris", "n" };
    struct radix tree = { 0 };
    struct bytes lengths = { 0 };
    void *old;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        ck_assert_int_eq(radix_put(&tree, slice_of(keys[i]), (void *)keys[i], &old), STATUS_OK);
    ck_assert(radix_prefixes_of(&tree, SLICE("news.fr.lyon"), collect_lengths, &lengths));
    ck_assert(slice_equal(bytes_slice(&lengths), SLICE("0 1 5 7 ")));
    bytes_release(&lengths);
    radix_release(&tree, NULL, NULL);
}
END_TEST

// All 256 bytes at one node, in and out of order, so that it takes every size and leaves it again.
START_TEST(every_byte_branches)
{
    struct model model;
    model_init(&model, 2);
    for (unsigned i = 0; i < 256; i++) {
        struct item item = { .len = 2, .key = { 'k', (char)(i * 167) } };
        EXPECT(model_put(&model, &item));
        model_verify(&model);
    }
    size_t full = model.tree.bytes;
    while (model.count > 0) {
        model_remove(&model, item_key(model.sorted[random_below(&model.random, model.count)]));
        model_verify(&model);
        EXPECT(model.count != 8 || model.tree.bytes < full / 20);
    }
    ck_assert_uint_eq(model.tree.bytes, 0);
    model_release(&model);
}
END_TEST

START_TEST(random_operations)
{
    for (uint64_t seed = 10; seed < 13; seed++) {
        struct model model;
        model_init(&model, seed);
        for (unsigned i = 0; i < 8000; i++) {
            random_operation(&model, shapes[_i], i / 2000 % 2 == 0 ? 50 : 20);
            radix_check(&model.tree);
            if (i % 200 == 0)
                model_verify(&model);
        }
        model_verify(&model);
        model_release(&model);
    }
}
END_TEST

// Looser trees, never other ones; and they get compact again.
START_TEST(random_operations_without_memory)
{
    struct model model;
    model_init(&model, 20);
    size_t refused = 0;
    for (unsigned i = 0; i < 15000; i++) {
        struct item item;
        some_key(&model, shapes[_i], &item);
        mem_fail_after(random_below(&model.random, 4));
        if (random_below(&model.random, 100) < 55)
            refused += !model_put(&model, &item);
        else
            model_remove(&model, item_key(&item));
        mem_fail_never();
        radix_check(&model.tree);
        if (i % 500 == 0)
            model_verify(&model);
    }
    ck_assert_uint_gt(refused, 10);
    while (model.count > 0) {
        model_remove(&model, item_key(model.sorted[random_below(&model.random, model.count)]));
        radix_check(&model.tree);
    }
    ck_assert_uint_eq(model.tree.bytes, 0);
    model_release(&model);
}
END_TEST

// cppcheck-suppress constParameter ; a visitor's type
static bool count_keys(struct slice key, void *value, void *udata)
{
    size_t *total = udata;
    *total += key.len + (value == NULL);
    return true;
}

// cppcheck-suppress constParameter ; a visitor's type
static bool count_prefixes(void *value, size_t key_len, void *udata)
{
    size_t *total = udata;
    *total += key_len + (value == NULL);
    return true;
}

// Two keys a megabyte long for each of many places where they part.
START_TEST(keys_of_a_megabyte)
{
    struct radix tree = { 0 };
    char *text = malloc(MEGABYTE);
    size_t total = 0;
    void *old;
    memset(text, 'm', MEGABYTE);
    struct slice key = { .ptr = text, .len = MEGABYTE };
    ck_assert_int_eq(radix_put(&tree, key, text, &old), STATUS_OK);
    for (size_t at = MEGABYTE / 2; at > 0; at /= 2) {
        text[at] = 'x';
        ck_assert_int_eq(radix_put(&tree, key, text, &old), STATUS_OK);
        struct slice half = { .ptr = text, .len = at };
        ck_assert_int_eq(radix_put(&tree, half, text, &old), STATUS_OK);
        text[at] = 'm';
    }
    radix_check(&tree);
    ck_assert_uint_eq(tree.count, 41);
    ck_assert(radix_prefixes_of(&tree, key, count_prefixes, &total));
    ck_assert_uint_eq(total, 2 * MEGABYTE - 1);
    total = 0;
    ck_assert(radix_walk(&tree, SLICE("m"), count_keys, &total));
    ck_assert_uint_eq(total, 21 * MEGABYTE + MEGABYTE - 1);
    for (size_t at = MEGABYTE / 2; at > 0; at /= 2) {
        struct slice half = { .ptr = text, .len = at };
        ck_assert_ptr_eq(radix_remove(&tree, half), text);
    }
    radix_check(&tree);
    radix_release(&tree, NULL, NULL);
    ck_assert_uint_eq(tree.bytes, 0);
    free(text);
}
END_TEST

#define DEEP 6000

// Every length of one text, each a node: deeper than a small stack is long.
static void *build_deep(void *udata)
{
    struct radix *tree = udata;
    static const char text[DEEP] = { 0 };
    size_t total = 0;
    void *old;
    mem_thread_init();
    for (size_t len = 0; len < DEEP; len++) {
        struct slice key = { .ptr = text, .len = len };
        EXPECT(radix_put(tree, key, tree, &old) == STATUS_OK);
    }
    radix_check(tree);
    EXPECT(radix_walk(tree, SLICE(""), count_keys, &total));
    EXPECT(radix_prefixes_of(tree, (struct slice){ .ptr = text, .len = DEEP }, count_prefixes,
                             &total));
    EXPECT(total == (size_t)DEEP * (DEEP - 1));
    for (size_t len = 0; len < DEEP / 2; len++)
        EXPECT(radix_remove(tree, (struct slice){ .ptr = text, .len = len }) == tree);
    radix_check(tree);
    radix_release(tree, NULL, NULL);
    return NULL;
}

START_TEST(depth_takes_no_stack)
{
    struct radix tree = { 0 };
    pthread_attr_t attr;
    pthread_t thread;
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, build_deep, &tree), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(pthread_attr_destroy(&attr), 0);
    ck_assert_uint_eq(tree.bytes, 0);
}
END_TEST

static double bytes_each(void (*shape)(size_t i, struct random *random, struct item *item))
{
    struct radix tree = { 0 };
    struct random random;
    void *old;
    random_seed(&random, 30);
    for (size_t i = 0; i < 10000; i++) {
        struct item item;
        shape(i, &random, &item);
        ck_assert_int_eq(radix_put(&tree, item_key(&item), &tree, &old), STATUS_OK);
    }
    double bytes = (double)tree.bytes / (double)tree.count;
    radix_release(&tree, NULL, NULL);
    return bytes;
}

static void numbered(size_t i, struct random *random, struct item *item)
{
    (void)random;
    item->len = (unsigned char)snprintf(item->key, KEY_MAX, "channel:%zu", i);
}

static void any_sixteen(size_t i, struct random *random, struct item *item)
{
    (void)i;
    item->len = 16;
    for (unsigned at = 0; at < item->len; at++)
        item->key[at] = (char)random_next(random);
}

START_TEST(memory_is_bounded)
{
    ck_assert_double_le(bytes_each(numbered), 32);
    ck_assert_double_le(bytes_each(any_sixteen), 51);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("radix");
    TCase *small = tcase_create("small");
    tcase_add_test(small, empty_tree_answers);
    tcase_add_test(small, empty_key_is_a_key);
    tcase_add_test(small, prefixes_come_shortest_first);
    tcase_add_test(small, every_byte_branches);
    tcase_add_test(small, memory_is_bounded);
    suite_add_tcase(suite, small);
    TCase *model = tcase_create("model");
    tcase_add_loop_test(model, random_operations, 0, SHAPES);
    tcase_add_loop_test(model, random_operations_without_memory, 0, SHAPES);
    tcase_set_timeout(model, 60);
    suite_add_tcase(suite, model);
    TCase *hostile = tcase_create("hostile");
    tcase_add_test(hostile, keys_of_a_megabyte);
    tcase_add_test(hostile, depth_takes_no_stack);
    tcase_set_timeout(hostile, 60);
    suite_add_tcase(suite, hostile);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

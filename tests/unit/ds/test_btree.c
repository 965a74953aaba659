// SPDX-License-Identifier: BSD-3-Clause
// The B+tree against a sorted array: every operation at every shape of keys, with the verifier.
#include "base/memory.h"
#include "base/random.h"
#include "ds/btree.h"
#include "support/unit.h"

#include <check.h>
#include <stdlib.h>

// Check writes a record for every assertion; this one reports only failures.
#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

struct item {
    uint64_t key;
    uint64_t id;
};

static uint64_t item_key(const void *element)
{
    return ((const struct item *)element)->key;
}

static int item_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->id;
    uint64_t y = ((const struct item *)b)->id;
    return (x > y) - (x < y);
}

static int item_order(const struct item *a, const struct item *b)
{
    return a->key != b->key ? (a->key > b->key) - (a->key < b->key) : item_compare(a, b);
}

static const struct btree_ops item_ops = { .key = item_key, .compare = item_compare };

// The tree, and the sorted array that it must equal.
struct model {
    struct btree tree;
    struct item **sorted;
    size_t count;
    size_t room;
    uint64_t next_id;
    size_t mem_before;
    struct random random;
};

static void model_init(struct model *model, uint64_t seed)
{
    *model = (struct model){ .mem_before = mem_used() };
    btree_init(&model->tree, &item_ops);
    random_seed(&model->random, seed);
}

static void model_release(struct model *model)
{
    btree_release(&model->tree);
    EXPECT(model->tree.memory == 0 && model->tree.root == NULL && model->tree.count == 0);
    EXPECT(mem_used() == model->mem_before);
    for (size_t i = 0; i < model->count; i++) {
        free(model->sorted[i]);
    }
    free(model->sorted);
}

// How many items of the array are below this one.
static size_t model_rank(const struct model *model, const struct item *item)
{
    size_t begin = 0;
    size_t end = model->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (item_order(model->sorted[middle], item) < 0) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

static void model_insert(struct model *model, uint64_t key, uint64_t id)
{
    struct item *item = malloc(sizeof(*item));
    *item = (struct item){ .key = key, .id = id };
    if (model->count == model->room) {
        model->room = model->room * 2 + 16;
        model->sorted = realloc(model->sorted, model->room * sizeof(struct item *));
    }
    size_t rank = model_rank(model, item);
    struct item **at = &model->sorted[rank];
    memmove(at + 1, at, (model->count - rank) * sizeof(*at));
    *at = item;
    model->count++;
    EXPECT(btree_rank(&model->tree, item) == rank);
    btree_insert(&model->tree, item);
    EXPECT(btree_rank(&model->tree, item) == rank);
}

// Ids in no order, so that ties come in no order either.
static void model_insert_key(struct model *model, uint64_t key)
{
    model_insert(model, key, model->next_id++ * UINT64_C(0x9e3779b97f4a7c15));
}

static void model_forget(struct model *model, size_t rank, size_t count)
{
    struct item **at = &model->sorted[rank];
    memmove(at, at + count, (model->count - rank - count) * sizeof(*at));
    model->count -= count;
}

static void model_remove(struct model *model, size_t rank)
{
    struct item *item = model->sorted[rank];
    EXPECT(btree_rank(&model->tree, item) == rank);
    btree_remove(&model->tree, item);
    model_forget(model, rank, 1);
    free(item);
}

static void write_key(void *element, const void *key)
{
    ((struct item *)element)->key = *(const uint64_t *)key;
}

// The item gets another key.
static void model_update(struct model *model, size_t rank, uint64_t key)
{
    struct item *item = model->sorted[rank];
    struct item wanted = { .key = key, .id = item->id };
    model_forget(model, rank, 1);
    size_t to = model_rank(model, &wanted);
    struct item **at = &model->sorted[to];
    memmove(at + 1, at, (model->count - to) * sizeof(*at));
    *at = item;
    model->count++;
    btree_update(&model->tree, item, write_key, &key);
    EXPECT(item->key == key && btree_rank(&model->tree, item) == to);
}

// The item gets another address; the tree must not read the old one.
static void model_move(struct model *model, size_t rank)
{
    struct item *moved = malloc(sizeof(*moved));
    struct item *item = model->sorted[rank];
    *moved = *item;
    *item = (struct item){ .key = ~moved->key, .id = ~moved->id };
    btree_moved(&model->tree, item, moved);
    free(item);
    model->sorted[rank] = moved;
}

struct released {
    struct item **expected;
    size_t count;
};

static void note_released(void *element, void *udata)
{
    struct released *released = udata;
    EXPECT(released->expected[released->count] == element);
    released->count++;
    free(element);
}

static void model_remove_range(struct model *model, size_t rank, size_t count)
{
    struct released released = { .expected = &model->sorted[rank] };
    btree_remove_range(&model->tree, rank, count, note_released, &released);
    size_t there = model->count - rank;
    EXPECT(released.count == (count < there ? count : there));
    model_forget(model, rank, released.count);
}

static bool item_below(const void *element, const void *bound)
{
    return item_order(element, bound) < 0;
}

// Ranks by every kind of bound, at one item.
static void check_bounds(const struct model *model, size_t rank)
{
    const struct btree *tree = &model->tree;
    const struct item *item = model->sorted[rank];
    struct item first = { .key = item->key, .id = 0 };
    struct item behind = { .key = item->key, .id = UINT64_MAX };
    size_t begin = model_rank(model, &first);
    size_t end = model_rank(model, &behind);
    struct item copy = *item;
    EXPECT(btree_rank(tree, item) == rank);
    EXPECT(btree_rank(tree, &copy) == rank);
    EXPECT(btree_count_below(tree, item_below, item) == rank);
    EXPECT(btree_count_below_key(tree, item->key, false) == begin);
    EXPECT(btree_count_below_key(tree, item->key, true) == end);
    struct item near = { .key = item->key + 1, .id = 7 };
    if (near.key != 0) {
        struct item low = { .key = near.key, .id = 0 };
        EXPECT(btree_rank(tree, &near) == model_rank(model, &near));
        EXPECT(btree_count_below_key(tree, near.key, false) == model_rank(model, &low));
    }
    struct btree_at at = btree_select(tree, rank);
    EXPECT(at.leaf != NULL && btree_element(at) == item);
}

static void check_walks(const struct model *model)
{
    struct btree_at at = btree_select(&model->tree, 0);
    for (size_t i = 0; i < model->count; i++, at = btree_next(at)) {
        EXPECT(at.leaf != NULL && btree_element(at) == model->sorted[i]);
    }
    EXPECT(at.leaf == NULL);
    EXPECT(btree_select(&model->tree, model->count).leaf == NULL);
    if (model->count == 0) {
        return;
    }
    at = btree_select(&model->tree, model->count - 1);
    for (size_t i = model->count; i-- > 0; at = btree_prev(at)) {
        EXPECT(at.leaf != NULL && btree_element(at) == model->sorted[i]);
    }
    EXPECT(at.leaf == NULL);
}

static void model_verify(const struct model *model)
{
    const struct btree *tree = &model->tree;
    btree_check(tree);
    EXPECT(tree->count == model->count);
    EXPECT(mem_used() - model->mem_before == tree->memory);
    check_walks(model);
    size_t step = model->count / 500 + 1;
    for (size_t i = 0; i < model->count; i += step) {
        check_bounds(model, i);
    }
    size_t below_all = model->count == 0 || model->sorted[0]->key > 0 ? 0 : SIZE_MAX;
    EXPECT(below_all == SIZE_MAX || btree_count_below_key(tree, 0, true) == 0);
    EXPECT(btree_count_below_key(tree, 0, false) == 0);
    EXPECT(btree_count_below_key(tree, UINT64_MAX, true) == model->count);
}

// The shapes of keys: each makes a key from the number of the insertion and a random word.
typedef uint64_t (*shape_fn)(uint64_t i, uint64_t random);

static uint64_t shape_random(uint64_t i, uint64_t random)
{
    (void)i;
    return random;
}

static uint64_t shape_ascending(uint64_t i, uint64_t random)
{
    return (UINT64_C(0x42) << 56) + i * 1000 + random % 1000;
}

static uint64_t shape_descending(uint64_t i, uint64_t random)
{
    return UINT64_MAX - i * 1000 - random % 1000;
}

static uint64_t shape_few(uint64_t i, uint64_t random)
{
    (void)i;
    return (UINT64_C(1) << 63) - 5 + random % 10;
}

static uint64_t shape_equal(uint64_t i, uint64_t random)
{
    (void)i;
    (void)random;
    return 4711;
}

// Clusters of neighbouring keys with wide gaps, both ends of the range among them.
static uint64_t shape_clusters(uint64_t i, uint64_t random)
{
    static const uint64_t centres[] = { 0, UINT64_C(1) << 20, UINT64_C(1) << 63, UINT64_MAX };
    uint64_t spread = (random >> 8) % (i % 3 == 0 ? 3 : 100000);
    uint64_t centre = centres[random % 4];
    return centre > UINT64_MAX / 2 ? centre - spread : centre + spread;
}

// Any magnitude.
static uint64_t shape_magnitudes(uint64_t i, uint64_t random)
{
    return random >> (i % 64);
}

// Ascending, each up to a hundred places too early or too late.
static uint64_t shape_jittered(uint64_t i, uint64_t random)
{
    return i * 1000 + random % 100000;
}

static const shape_fn shapes[] = {
    shape_random, shape_ascending, shape_descending, shape_few,
    shape_equal,  shape_clusters,  shape_magnitudes, shape_jittered,
};
#define SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

static void grow(struct model *model, shape_fn shape, size_t count)
{
    for (size_t i = 0; model->count < count; i++) {
        model_insert_key(model, shape(i, random_next(&model->random)));
    }
}

START_TEST(empty_tree_answers)
{
    struct model model;
    model_init(&model, 1);
    struct item probe = { .key = 5, .id = 5 };
    model_verify(&model);
    ck_assert_uint_eq(btree_rank(&model.tree, &probe), 0);
    ck_assert_uint_eq(btree_count_below(&model.tree, item_below, &probe), 0);
    btree_remove_range(&model.tree, 0, 10, NULL, NULL);
    ck_assert(btree_release_step(&model.tree, 0));
    ck_assert_uint_eq(model.tree.memory, 0);
    model_release(&model);
}
END_TEST

START_TEST(one_element_costs_one_line)
{
    struct model model;
    model_init(&model, 1);
    model_insert_key(&model, 3);
    ck_assert_uint_le(model.tree.memory, 64);
    model_verify(&model);
    model_remove(&model, 0);
    model_verify(&model);
    model_release(&model);
}
END_TEST

// Every size from none to a few levels and back, verified at each.
START_TEST(step_by_step)
{
    struct model model;
    model_init(&model, 2);
    for (size_t i = 0; i < 700; i++) {
        grow(&model, shapes[_i], i + 1);
        btree_check(&model.tree);
    }
    model_verify(&model);
    while (model.count > 0) {
        model_remove(&model, random_below(&model.random, model.count));
        btree_check(&model.tree);
    }
    model_verify(&model);
    model_release(&model);
}
END_TEST

START_TEST(grows_and_shrinks)
{
    static const size_t sizes[] = { 3000, 800, 20000, 19000, 100, 5000, 0, 1000, 0 };
    struct model model;
    model_init(&model, 3);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        grow(&model, shapes[_i], sizes[i]);
        while (model.count > sizes[i]) {
            model_remove(&model, random_below(&model.random, model.count));
        }
        model_verify(&model);
    }
    ck_assert_uint_eq(model.tree.memory, 0);
    model_release(&model);
}
END_TEST

// From one end, and from the middle.
START_TEST(removed_in_order)
{
    for (unsigned way = 0; way < 3; way++) {
        struct model model;
        model_init(&model, 4);
        grow(&model, shapes[_i], 5000);
        while (model.count > 0) {
            model_remove(&model, way == 0 ? 0 : way == 1 ? model.count - 1 : model.count / 2);
            if (model.count % 97 == 0) {
                btree_check(&model.tree);
            }
        }
        model_verify(&model);
        model_release(&model);
    }
}
END_TEST

static void random_operation(struct model *model, shape_fn shape, uint64_t i)
{
    uint64_t dice = random_below(&model->random, 1000);
    if (model->count == 0 || dice < 560) {
        model_insert_key(model, shape(i, random_next(&model->random)));
        return;
    }
    size_t rank = random_below(&model->random, model->count);
    if (dice < 900) {
        model_remove(model, rank);
    } else if (dice < 985) {
        model_move(model, rank);
    } else {
        model_remove_range(model, rank, random_below(&model->random, 40));
    }
}

START_TEST(random_operations)
{
    for (uint64_t seed = 10; seed < 14; seed++) {
        struct model model;
        model_init(&model, seed);
        for (uint64_t i = 0; i < 30000; i++) {
            random_operation(&model, shapes[i / 3000 % 2 == 0 ? _i : (int)(seed % SHAPES)], i);
            if (i % 500 == 0) {
                model_verify(&model);
            }
        }
        model_verify(&model);
        model_release(&model);
    }
}
END_TEST

// A key of the same shape, one close to the old one, or that of another item.
static uint64_t another_key(struct model *model, shape_fn shape, uint64_t i, size_t rank)
{
    uint64_t word = random_next(&model->random);
    switch (i % 4) {
    case 0: return shape(i, word);
    case 1: return model->sorted[word % model->count]->key;
    case 2: return model->sorted[rank]->key + (word >> (32 + i % 32));
    default: return model->sorted[rank]->key - (word >> (32 + i % 32));
    }
}

START_TEST(keys_change)
{
    static const size_t counts[] = { 1, 2, 61, 3000 };
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        struct model model;
        model_init(&model, 30 + c);
        grow(&model, shapes[_i], counts[c]);
        for (uint64_t i = 0; i < 10000; i++) {
            size_t rank = random_below(&model.random, model.count);
            model_update(&model, rank, another_key(&model, shapes[_i], i, rank));
            if (i % 500 == 0) {
                model_verify(&model);
            }
        }
        model_verify(&model);
        model_release(&model);
    }
}
END_TEST

START_TEST(ranges_are_removed)
{
    static const size_t counts[] = { 0, 1, 59, 60, 61, 700, 5000, SIZE_MAX };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct model model;
        model_init(&model, i);
        for (unsigned round = 0; round < 6; round++) {
            grow(&model, shapes[_i], 8000);
            size_t rank = round == 0 ? 0 : random_below(&model.random, model.count);
            model_remove_range(&model, rank, counts[i]);
            model_verify(&model);
        }
        size_t tail = counts[i] < model.count ? counts[i] : model.count;
        model_remove_range(&model, model.count - tail, tail);
        model_verify(&model);
        model_remove_range(&model, 0, SIZE_MAX);
        model_verify(&model);
        model_release(&model);
    }
}
END_TEST

START_TEST(elements_move)
{
    struct model model;
    model_init(&model, 5);
    grow(&model, shapes[_i], 3000);
    for (size_t i = 0; i < model.count; i++) {
        model_move(&model, i);
    }
    model_verify(&model);
    model_release(&model);
}
END_TEST

START_TEST(released_step_by_step)
{
    struct model model;
    model_init(&model, 6);
    grow(&model, shape_random, 5000);
    size_t steps = 0;
    for (size_t before = model.tree.memory; !btree_release_step(&model.tree, 3); steps++) {
        EXPECT(model.tree.memory < before);
        before = model.tree.memory;
    }
    ck_assert_uint_gt(steps, 20);
    ck_assert_uint_eq(model.tree.memory, 0);
    ck_assert_uint_eq(mem_used(), model.mem_before);
    model_release(&model);
}
END_TEST

static double bytes_each(const struct model *model)
{
    return (double)model->tree.memory / (double)model->count;
}

// The tree only, without the array: that would be quadratic.
static double bytes_after(shape_fn shape, size_t count)
{
    struct model model;
    struct item *items = calloc(count, sizeof(*items));
    model_init(&model, 7);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){ .key = shape(i, random_next(&model.random)), .id = i };
        btree_insert(&model.tree, &items[i]);
    }
    btree_check(&model.tree);
    double bytes = (double)model.tree.memory / (double)count;
    model_release(&model);
    free(items);
    return bytes;
}

START_TEST(memory_is_bounded)
{
    ck_assert_double_le(bytes_after(shape_random, 200000), 11.5);
    ck_assert_double_le(bytes_after(shape_few, 200000), 13);  // each key's elements ascend
    ck_assert_double_le(bytes_after(shape_ascending, 200000), 9.5);
    ck_assert_double_le(bytes_after(shape_jittered, 200000), 10);
    ck_assert_double_le(bytes_after(shape_descending, 200000), 9.5);
    ck_assert_double_le(bytes_after(shape_equal, 200000), 9.5);
}
END_TEST

// At worst, nodes are half full.
START_TEST(memory_is_bounded_when_shrunk)
{
    struct model model;
    model_init(&model, 8);
    grow(&model, shape_random, 20000);
    while (model.count > 5000) {
        model_remove(&model, random_below(&model.random, model.count));
    }
    ck_assert_double_le(bytes_each(&model), 19);
    model_release(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("btree");
    TCase *small = tcase_create("small");
    tcase_add_test(small, empty_tree_answers);
    tcase_add_test(small, one_element_costs_one_line);
    tcase_add_test(small, released_step_by_step);
    suite_add_tcase(suite, small);
    TCase *model = tcase_create("model");
    tcase_add_loop_test(model, step_by_step, 0, SHAPES);
    tcase_add_loop_test(model, grows_and_shrinks, 0, SHAPES);
    tcase_add_loop_test(model, removed_in_order, 0, SHAPES);
    tcase_add_loop_test(model, random_operations, 0, SHAPES);
    tcase_add_loop_test(model, keys_change, 0, SHAPES);
    tcase_add_loop_test(model, ranges_are_removed, 0, SHAPES);
    tcase_add_loop_test(model, elements_move, 0, SHAPES);
    tcase_set_timeout(model, 60);
    suite_add_tcase(suite, model);
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, memory_is_bounded);
    tcase_add_test(memory, memory_is_bounded_when_shrunk);
    tcase_set_timeout(memory, 60);
    suite_add_tcase(suite, memory);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

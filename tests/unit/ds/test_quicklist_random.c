// SPDX-License-Identifier: BSD-3-Clause
// The quicklist against a naive model: random operations with every kind of chunk, and a long run.
#include "quicklist_model.h"

#include "support/unit.h"

#include <time.h>

// How long the long run takes; its operations follow from their number alone.
#define LONG_RUN_MS 3000

static const int fills[] = { -1, -2, -3, -4, -5, 1, 2, 7, 128 };
#define NFILLS (sizeof fills / sizeof fills[0])

static void push_some(struct model *model)
{
    enum quicklist_end end = random_below(&model->random, 2);
    for (uint64_t n = random_below(&model->random, 40); n > 0; n--)
        both_push(model, end, item_random(model));
}

static void pop_some(struct model *model)
{
    bool head = random_below(&model->random, 2);
    for (uint64_t n = random_below(&model->random, 40); n > 0 && model->count > 0; n--)
        both_remove(model, head ? 0 : model->count - 1);
}

static void append_some(struct model *model)
{
    unsigned char *lp = malloc(LP_EMPTY_BYTES + 3 * LP_INTEGER_MAX);
    ck_assert_ptr_nonnull(lp);
    lp_init(lp);
    for (size_t i = 0; i < 3; i++) {
        struct item item = { .number = (int64_t)random_next(&model->random), .integer = true };
        size_t end = lp_end(lp);
        struct lp_edit edit = { .at = end,
                                .added = lp_encoded_int_bytes(item.number),
                                .added_count = 1 };
        lp_splice(lp, &edit);
        lp_encode_int(lp + end, item.number);
        model_insert(model, model->count, item);
    }
    quicklist_append_listpack(model->list, lp);
    free(lp);
}

static void change_copy(struct model *model)
{
    struct quicklist *copy = quicklist_copy(model->list);
    quicklist_free(model->list);
    model->list = copy;
}

// `target`: how many elements the list tends to have.
static void random_step(struct model *model, size_t target)
{
    struct random *random = &model->random;
    unsigned what = (unsigned)random_below(random, 100);
    bool grow = random_below(random, target * 2) > model->count;
    if (model->count == 0 || (what < 8 && grow)) {
        push_some(model);
        return;
    }
    size_t index = random_below(random, model->count);
    if (what < 8)
        pop_some(model);
    else if (what < 10)
        both_remove_range(model, index, random_below(random, 50));
    else if (what < 11)
        append_some(model);
    else if (what < 30)
        both_replace(model, index, item_random(model));
    else if (grow)
        both_insert(model, index, what & 1, item_random(model));
    else
        both_remove(model, index);
    if (what == 99 && random_below(random, 100) == 0)
        change_copy(model);
}

static void random_run(struct model *model, size_t steps, size_t target)
{
    for (size_t i = 0; i < steps; i++) {
        random_step(model, target);
        model_glance(model);
        if (random_below(&model->random, 16 + model->count / 4) == 0)
            quicklist_check(model->list);
    }
    model_verify(model);
}

START_TEST(random_operations)
{
    static const size_t targets[] = { 3, 30, 300, 2000 };
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        struct model *model = model_new(fills[_i], 100 * (uint64_t)_i + t);
        random_run(model, 4000, targets[t]);
        random_run(model, 400, 1);
        model_free(model);
    }
}
END_TEST

// One element a chunk: an index of several levels that grows and shrinks everywhere.
START_TEST(deep_index)
{
    struct model *model = model_new(1, 11);
    both_fill(model, 2);
    for (size_t i = 0; i < 20000; i++) {
        size_t index = i % 3 == 0 ? 0 : random_below(&model->random, model->count);
        both_insert(model, index, true, (struct item){ .number = (int64_t)i, .integer = true });
        if (i % 1000 == 0)
            quicklist_check(model->list);
    }
    model_verify(model);
    while (model->count > 100) {
        both_remove(model, random_below(&model->random, model->count));
        if (model->count % 1000 == 0)
            quicklist_check(model->list);
    }
    model_verify(model);
    model_free(model);
}
END_TEST

// Everything at once, on lists of all kinds, until the time is over.
START_TEST(long_run)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 + LONG_RUN_MS;
    for (uint64_t seed = 1000;; seed++) {
        struct model *model = model_new(fills[seed % NFILLS], seed);
        random_run(model, 500, 1 + random_below(&model->random, 1 + seed % 800));
        model_free(model);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec * 1000 + now.tv_nsec / 1000000 > end_ms)
            break;
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("quicklist_random");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, random_operations, 0, NFILLS);
    tcase_add_test(tcase, deep_index);
    tcase_add_test(tcase, long_run);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Fairness of the table's random choice, by chi-square: all entries must be equally likely.
//
// Seeds are fixed, so a correct table always passes. The bound is 4 standard deviations (Wilson and
// Hilferty's normal approximation), and each test draws so often that an entry, or a class of
// entries, which is a few per cent too likely is far beyond it: catches_a_bias says how far.
#include "table_model.h"

#include "support/unit.h"

#include <math.h>

#define BOUND 4.0

// How many standard deviations the counts (items' `seen`) are away from a uniform choice.
static double deviation(const struct model *model, double draws)
{
    double expected = draws / (double)model->present;
    double chi2 = 0;
    for (size_t i = 0; i < model->nitems; i++) {
        const struct item *item = &model->items[i];
        EXPECT(item->present || item->seen == 0);
        if (item->present) {
            chi2 += (item->seen - expected) * (item->seen - expected) / expected;
        }
    }
    double freedom = (double)model->present - 1;
    double ninth = 2 / (9 * freedom);
    return model->present < 2 ? 0 : (cbrt(chi2 / freedom) - (1 - ninth)) / sqrt(ninth);
}

static double draw(struct model *model, size_t draws)
{
    struct random random;
    random_seed(&random, 4711);
    for (size_t i = 0; i < model->nitems; i++) {
        model->items[i].seen = 0;
    }
    for (size_t i = 0; i < draws; i++) {
        const struct table_slot *slot = table_random(&model->table, &random);
        EXPECT(slot != NULL);
        ((struct item *)table_slot_entry(slot))->seen++;
    }
    return deviation(model, (double)draws);
}

static void check_fair(struct model *model, size_t draws_each)
{
    double sigmas = draw(model, draws_each * model->present);
    ck_assert_msg(sigmas < BOUND, "%zu entries: %.1f standard deviations", model->present, sigmas);
}

START_TEST(fair_at_sizes_1_to_20)
{
    for (size_t count = 1; count <= 20; count++) {
        struct model model;
        model_init(&model, count, hash_uniform, count);
        model_resize(&model, count);
        check_fair(&model, 5000);
        model_release(&model);
    }
}
END_TEST

// All sizes of the ladder; at some counts one segment has split and another has not.
START_TEST(fair_in_the_middle_of_the_ladder)
{
    bool mixed = false;
    for (size_t count = 300; count < 2000; count += 50) {
        struct model model;
        model_init(&model, count, hash_uniform, count);
        model_resize(&model, count);
        mixed |= model.table.at_depth != model.table.segments;
        check_fair(&model, 300);
        model_release(&model);
    }
    ck_assert(mixed);
}
END_TEST

// Half of the items in one 32nd of the hashes: depths from 2 to 7 in one table.
static uint64_t hash_lopsided(uint64_t id)
{
    return id % 2 == 0 ? hash_uniform(id) : hash_uniform(id) >> 5;
}

START_TEST(fair_with_mixed_depths)
{
    struct model model;
    model_init(&model, 6000, hash_lopsided, 21);
    model_resize(&model, 6000);
    ck_assert_uint_gt(model.table.depth, 5);
    ck_assert_uint_lt(model.table.segments, 24);
    check_fair(&model, 200);
    model_release(&model);
}
END_TEST

START_TEST(fair_after_deleting_95_percent)
{
    struct model model;
    model_init(&model, 40000, hash_uniform, 22);
    model_resize(&model, 40000);
    model_resize(&model, 2000);
    check_fair(&model, 500);
    model_release(&model);
}
END_TEST

// Removes all of one half of the hashes and almost nothing of the other.
START_TEST(fair_after_lopsided_deleting)
{
    struct model model;
    model_init(&model, 8000, hash_uniform, 23);
    model_resize(&model, 8000);
    for (size_t i = 0; i < model.nitems; i++) {
        struct item *item = &model.items[i];
        if (item->hash >> 63 == 0 ? i % 50 != 0 : i % 5 == 0) {
            model_remove(&model, item);
        }
    }
    table_check(&model.table);
    check_fair(&model, 200);
    model_release(&model);
}
END_TEST

START_TEST(fair_with_stashed_entries)
{
    struct model model;
    struct table_stats stats;
    size_t count = 300;
    model_init(&model, 2000, hash_uniform, 24);
    do {
        model_resize(&model, count++);
        table_stats(&model.table, &stats);
    } while (stats.in_stash < 12);
    check_fair(&model, 1000);
    model_release(&model);
}
END_TEST

static uint64_t hash_clustered(uint64_t id)
{
    return id % 2 == 0 ? hash_uniform(id) : UINT64_C(0x123456789abcdef0);
}

START_TEST(fair_with_chains)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 2000, hash_clustered, 25);
    model_resize(&model, 2000);
    table_stats(&model.table, &stats);
    ck_assert_uint_gt(stats.chained_segments, 3);
    check_fair(&model, 200);
    model_release(&model);
}
END_TEST

// A reserved table is almost empty: most choices end in the walk by rank.
START_TEST(fair_in_a_reserved_table)
{
    struct model model;
    model_init(&model, 30, hash_uniform, 26);
    ck_assert_int_eq(table_reserve(&model.table, 20000), STATUS_OK);
    model_resize(&model, 30);
    check_fair(&model, 1000);
    model_release(&model);
}
END_TEST

// The same draws, of which every 25th is replaced by one among the first half of the entries: 4 %
// too much for these.
START_TEST(catches_a_bias)
{
    struct model model;
    model_init(&model, 2000, hash_uniform, 27);
    model_resize(&model, 2000);
    size_t draws = 1000000;
    ck_assert(draw(&model, draws) < BOUND);
    for (size_t i = 0; i < draws / 25; i++) {
        model.items[i % 2000].seen--;
        model.items[i % 1000].seen++;
    }
    ck_assert(deviation(&model, (double)draws) > 2 * BOUND);
    model_release(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("table_random");
    TCase *fair = tcase_create("fair");
    tcase_add_test(fair, fair_at_sizes_1_to_20);
    tcase_add_test(fair, fair_in_the_middle_of_the_ladder);
    tcase_add_test(fair, fair_with_mixed_depths);
    tcase_add_test(fair, fair_after_deleting_95_percent);
    tcase_add_test(fair, fair_after_lopsided_deleting);
    tcase_add_test(fair, fair_with_stashed_entries);
    tcase_add_test(fair, fair_with_chains);
    tcase_add_test(fair, fair_in_a_reserved_table);
    tcase_add_test(fair, catches_a_bias);
    tcase_set_timeout(fair, 60);
    suite_add_tcase(suite, fair);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// SCAN over the table: complete, and complete while the table grows and shrinks between the steps.
#include "table_model.h"

#include "support/unit.h"

#define CURSOR_END (UINT64_C(1) << 48)

static void count_seen(void *entry, uint8_t expiry_class, void *udata)
{
    struct item *item = entry;
    EXPECT(item->present);
    EXPECT(item->in_class == expiry_class);
    item->seen++;
    ++*(size_t *)udata;
}

static void forget_seen(struct model *model)
{
    for (size_t i = 0; i < model->nitems; i++) {
        model->items[i].seen = 0;
    }
}

// Scans from start to end; `between` runs between any two steps. Returns how many were emitted.
static size_t scan_all(struct model *model, void (*between)(struct model *model, size_t step))
{
    size_t emitted = 0;
    size_t step = 0;
    uint64_t cursor = 0;
    do {
        uint64_t next = table_scan(&model->table, cursor, count_seen, &emitted);
        EXPECT(next < CURSOR_END);
        EXPECT(next == 0 || next > cursor);
        cursor = next;
        if (between != NULL) {
            between(model, step);
        }
        step++;
    } while (cursor != 0);
    return emitted;
}

START_TEST(a_table_at_rest_is_emitted_exactly_once)
{
    for (size_t count = 1; count < 200000; count += count / 5 + 1) {
        struct model model;
        model_init(&model, count, hash_uniform, count);
        model_resize(&model, count - count / 4);
        ck_assert_uint_eq(scan_all(&model, NULL), model.present);
        for (size_t i = 0; i < count; i++) {
            EXPECT(model.items[i].seen == model.items[i].present);
        }
        model_release(&model);
    }
}
END_TEST

// Merged segments are laid out, and ordered, like any others.
START_TEST(a_shrunken_table_is_emitted_completely)
{
    struct model model;
    model_init(&model, 100000, hash_uniform, 12);
    model_resize(&model, 100000);
    for (size_t count = 50000; count > 0; count /= 3) {
        model_resize(&model, count);
        forget_seen(&model);
        ck_assert_uint_eq(scan_all(&model, NULL), model.present);
        for (size_t i = 0; i < model.nitems; i++) {
            EXPECT(model.items[i].seen == model.items[i].present);
        }
    }
    model_release(&model);
}
END_TEST

// Items below this id stay in the table during a whole scan; the others come and go.
static size_t stable;

static struct item *pick_unstable(struct model *model)
{
    uint64_t id = stable + random_below(&model->random, model->nitems - stable);
    return &model->items[id];
}

static void toggle(struct model *model, size_t count, bool insert)
{
    for (size_t i = 0; i < count; i++) {
        struct item *item = pick_unstable(model);
        if (item->present && !insert) {
            model_remove(model, item);
        } else if (!item->present && insert) {
            model_insert(model, item);
        }
    }
}

static void grow_between(struct model *model, size_t step)
{
    toggle(model, 1 + step / 4, true);
}

static void shrink_between(struct model *model, size_t step)
{
    toggle(model, 5 + step / 4, false);
}

// Long runs of growth and of shrinking, so that segments split and merge under the cursor.
static void sway_between(struct model *model, size_t step)
{
    size_t unstable = model->nitems - stable;
    toggle(model, random_below(&model->random, unstable / 4 + 2), (step / 8) % 2 == 0);
}

// All or nothing of what is unstable, at every step.
static void jump_between(struct model *model, size_t step)
{
    for (size_t i = stable; i < model->nitems; i++) {
        struct item *item = &model->items[i];
        if (item->present && step % 2 == 1) {
            model_remove(model, item);
        } else if (!item->present && step % 2 == 0) {
            model_insert(model, item);
        }
    }
}

static void check_guarantee(size_t nitems, size_t nstable, bool full, hash_fn hash,
                            void (*between)(struct model *model, size_t step))
{
    struct model model;
    model_init(&model, nitems, hash, nitems * 31 + nstable);
    stable = nstable;
    for (size_t i = 0; i < (full ? nitems : nstable); i++) {
        model_insert(&model, &model.items[i]);
    }
    scan_all(&model, between);
    for (size_t i = 0; i < nstable; i++) {
        EXPECT(model.items[i].seen > 0);
    }
    model_verify(&model);
    model_release(&model);
}

START_TEST(nothing_is_missed_while_the_table_grows)
{
    for (size_t nitems = 2; nitems < 100000; nitems = nitems * 3 + 1) {
        check_guarantee(nitems, nitems / 20 + 1, false, hash_uniform, grow_between);
        check_guarantee(nitems, nitems / 2, false, hash_uniform, grow_between);
    }
}
END_TEST

START_TEST(nothing_is_missed_while_the_table_shrinks)
{
    for (size_t nitems = 2; nitems < 100000; nitems = nitems * 3 + 1) {
        check_guarantee(nitems, nitems / 100 + 1, true, hash_uniform, shrink_between);
        check_guarantee(nitems, nitems / 2, true, hash_uniform, shrink_between);
    }
}
END_TEST

START_TEST(nothing_is_missed_while_the_table_sways)
{
    for (size_t nitems = 10; nitems < 20000; nitems = nitems * 2 + 1) {
        check_guarantee(nitems, nitems / 50 + 1, false, hash_uniform, sway_between);
        check_guarantee(nitems, nitems / 10 + 1, true, hash_uniform, sway_between);
    }
}
END_TEST

START_TEST(nothing_is_missed_while_the_table_jumps)
{
    for (size_t nitems = 10; nitems < 6000; nitems = nitems * 2 + 1) {
        check_guarantee(nitems, nitems / 30 + 1, false, hash_uniform, jump_between);
        check_guarantee(nitems, nitems / 4 + 1, true, hash_uniform, jump_between);
    }
}
END_TEST

// Four clusters of hashes that share 20 bits, a fifth of the items at one single hash: chains.
static uint64_t hash_clustered(uint64_t id)
{
    uint64_t cluster = hash_uniform(id % 4) & ~(UINT64_MAX >> 20);
    return id % 5 == 0 ? cluster : cluster | hash_uniform(id) >> 20;
}

START_TEST(nothing_is_missed_in_chains)
{
    static void (*const betweens[])(struct model *, size_t) = { grow_between, shrink_between,
                                                                sway_between, jump_between };
    for (size_t i = 0; i < 4; i++) {
        check_guarantee(3000, 300, false, hash_clustered, betweens[i]);
        check_guarantee(3000, 30, true, hash_clustered, betweens[i]);
    }
}
END_TEST

START_TEST(chains_at_rest_are_emitted_exactly_once)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 5000, hash_clustered, 13);
    model_resize(&model, 5000);
    table_stats(&model.table, &stats);
    ck_assert_uint_gt(stats.chained_segments, 0);
    ck_assert_uint_eq(scan_all(&model, NULL), 5000);
    model_release(&model);
}
END_TEST

// Cursors come from clients: any number must be safe and lead to the end.
START_TEST(foreign_cursors_end)
{
    struct model model;
    size_t emitted = 0;
    model_init(&model, 3000, hash_uniform, 14);
    model_resize(&model, 3000);
    for (unsigned round = 0; round < 200; round++) {
        uint64_t cursor = random_next(&model.random) >> random_below(&model.random, 64);
        unsigned steps = 0;
        do {
            cursor = table_scan(&model.table, cursor, count_seen, &emitted);
            EXPECT(cursor < CURSOR_END);
            EXPECT(++steps < 3000);
        } while (cursor != 0);
    }
    ck_assert_uint_eq(table_scan(&model.table, UINT64_MAX, count_seen, &emitted), 0);
    model_release(&model);
}
END_TEST

// The order of the hashes is the order of the scan: what lies before the cursor is not emitted.
static uint64_t highest_hash;
static uint64_t lowest_hash;

static void note_range(void *entry, uint8_t expiry_class, void *udata)
{
    uint64_t hash = item_hash(entry);
    (void)expiry_class;
    ++*(size_t *)udata;
    highest_hash = hash > highest_hash ? hash : highest_hash;
    lowest_hash = hash < lowest_hash ? hash : lowest_hash;
}

START_TEST(steps_follow_the_order_of_the_hashes)
{
    struct model model;
    size_t emitted = 0;
    uint64_t cursor = 0;
    model_init(&model, 30000, hash_uniform, 15);
    model_resize(&model, 30000);
    do {
        highest_hash = 0;
        lowest_hash = UINT64_MAX;
        uint64_t next = table_scan(&model.table, cursor, note_range, &emitted);
        EXPECT(lowest_hash >> 16 >= cursor);
        EXPECT(next == 0 || highest_hash >> 16 < next);
        cursor = next;
    } while (cursor != 0);
    ck_assert_uint_eq(emitted, 30000);
    model_release(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("table_scan");
    TCase *rest = tcase_create("at rest");
    tcase_add_test(rest, a_table_at_rest_is_emitted_exactly_once);
    tcase_add_test(rest, a_shrunken_table_is_emitted_completely);
    tcase_add_test(rest, chains_at_rest_are_emitted_exactly_once);
    tcase_add_test(rest, foreign_cursors_end);
    tcase_add_test(rest, steps_follow_the_order_of_the_hashes);
    tcase_set_timeout(rest, 60);
    suite_add_tcase(suite, rest);
    TCase *change = tcase_create("under change");
    tcase_add_test(change, nothing_is_missed_while_the_table_grows);
    tcase_add_test(change, nothing_is_missed_while_the_table_shrinks);
    tcase_add_test(change, nothing_is_missed_while_the_table_sways);
    tcase_add_test(change, nothing_is_missed_while_the_table_jumps);
    tcase_add_test(change, nothing_is_missed_in_chains);
    tcase_set_timeout(change, 120);
    suite_add_tcase(suite, change);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// The table against a naive model: inserting, replacing, removing, iterating, growing, shrinking.
#include "table_model.h"

#include "ds/table_inl.h"
#include "support/unit.h"

START_TEST(empty_table_answers)
{
    struct table table;
    struct random random;
    struct table_iter iter;
    struct table_stats stats;
    uint64_t key = 1;
    table_init(&table, &item_ops);
    random_seed(&random, 1);
    table_check(&table);
    ck_assert_ptr_null(table_find(&table, 1, &key));
    ck_assert_uint_eq(table_scan(&table, 0, NULL, NULL), 0);
    ck_assert_uint_eq(table_scan(&table, 12345, NULL, NULL), 0);
    ck_assert_ptr_null(table_random(&table, &random));
    table_iter_init(&iter, &table);
    ck_assert_ptr_null(table_iter_next(&iter));
    table_prefetch_bucket(&table, 1);
    ck_assert(table_prefetch_entry(&table, 1));
    table_prefetch_displaced(&table, 1);
    table_stats(&table, &stats);
    ck_assert_uint_eq(stats.slots, 0);
    ck_assert_uint_eq(table_memory(&table), 0);
    table_release(&table, NULL, NULL);
}
END_TEST

START_TEST(one_entry_costs_about_a_hundred_bytes)
{
    struct model model;
    size_t before = mem_used();
    model_init(&model, 1, hash_uniform, 1);
    model_insert(&model, &model.items[0]);
    ck_assert_uint_le(table_memory(&model.table), 96);
    ck_assert_uint_eq(mem_used() - before, table_memory(&model.table));
    ck_assert_uint_le(sizeof(struct table), 56);
    model_verify(&model);
    model_remove(&model, &model.items[0]);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_uint_eq(table_memory(&model.table), 0);
    model_release(&model);
}
END_TEST

// Every size a few times, verified after every single operation.
START_TEST(each_step_of_the_ladder)
{
    struct model model;
    model_init(&model, 1200, hash_uniform, 7);
    for (size_t i = 0; i < model.nitems; i++) {
        model_insert(&model, &model.items[i]);
        table_check(&model.table);
    }
    model_verify(&model);
    for (size_t i = 0; i < model.nitems; i++) {
        model_remove(&model, &model.items[i]);
        table_check(&model.table);
    }
    ck_assert_uint_eq(table_memory(&model.table), 0);
    model_release(&model);
}
END_TEST

static void random_operations(struct model *model, size_t operations)
{
    for (size_t i = 0; i < operations; i++) {
        struct item *item = model_pick(model);
        struct table_slot *slot = model_find(model, item);
        EXPECT((slot != NULL) == item->present);
        if (slot == NULL) {
            model_insert(model, item);
        } else if (random_below(&model->random, 3) == 0) {
            table_slot_set(slot, item);
            model_set_due(model, item, slot);
        } else {
            model_remove(model, item);
        }
    }
}

START_TEST(random_operations_at_small_sizes)
{
    for (size_t nitems = 1; nitems < 5000; nitems += nitems / 3 + 1) {
        struct model model;
        model_init(&model, nitems, hash_uniform, nitems);
        for (unsigned round = 0; round < 20; round++) {
            random_operations(&model, nitems / 4 + 5);
            model_verify(&model);
        }
        for (unsigned round = 0; round < 10; round++) {
            model_resize(&model, random_below(&model.random, nitems + 1));
            model_verify(&model);
        }
        model_release(&model);
    }
}
END_TEST

START_TEST(a_million_and_back)
{
    static const size_t sizes[] = { 100,    20000,  3000,   150000,  400000, 390000,
                                    700000, 300000, 900000, 1000000, 50000,  0 };
    struct model model;
    size_t before = mem_used();
    model_init(&model, 1000000, hash_uniform, 99);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        // The last tenth by drawing at random, the rest in order: drawing would take for ever.
        for (size_t k = 0; k < model.nitems && model.present < sizes[i]; k++) {
            if (!model.items[k].present && hash_uniform(k ^ i) % 8 != 0) {
                model_insert(&model, &model.items[k]);
            }
        }
        for (size_t k = 0; k < model.nitems && model.present != sizes[i]; k++) {
            if (model.items[k].present == (model.present > sizes[i])) {
                model.items[k].present ? model_remove(&model, &model.items[k])
                                       : model_insert(&model, &model.items[k]);
            }
        }
        random_operations(&model, sizes[i] / 20);
        model_verify(&model);
        model_resize(&model, sizes[i]);
    }
    ck_assert_uint_eq(model.table.count, 0);
    ck_assert_uint_eq(table_memory(&model.table), 0);
    ck_assert_uint_eq(mem_used(), before);
    model_release(&model);
}
END_TEST

// An entry that moved is found at its new place; the tag and the class stay.
START_TEST(replaced_entries)
{
    struct model model;
    model_init(&model, 3000, hash_uniform, 5);
    model_resize(&model, 3000);
    struct item *copies = calloc(model.nitems, sizeof(struct item));
    ck_assert_ptr_nonnull(copies);
    for (size_t i = 0; i < model.nitems; i++) {
        copies[i] = model.items[i];
        table_slot_set(model_find(&model, &model.items[i]), &copies[i]);
    }
    free(model.items);
    model.items = copies;
    model_verify(&model);
    model_release(&model);
}
END_TEST

static void count_release(void *entry, void *udata)
{
    ((struct item *)entry)->seen++;
    ++*(size_t *)udata;
}

START_TEST(release_visits_each_entry_once)
{
    struct model model;
    size_t before = mem_used();
    size_t released = 0;
    model_init(&model, 10000, hash_uniform, 6);
    model_resize(&model, 7000);
    table_release(&model.table, count_release, &released);
    ck_assert_uint_eq(released, 7000);
    for (size_t i = 0; i < model.nitems; i++) {
        EXPECT(model.items[i].seen == model.items[i].present);
    }
    ck_assert_uint_eq(mem_used(), before);
    table_check(&model.table);
    ck_assert_int_eq(table_insert(&model.table, 1, &model.items[0], NULL), STATUS_OK);
    model_release(&model);
}
END_TEST

START_TEST(reserved_room_suffices)
{
    static const size_t counts[] = { 1, 5, 50, 627, 628, 5000, 100000 };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct model model;
        struct table_stats before, after;
        model_init(&model, counts[i], hash_uniform, i);
        ck_assert_int_eq(table_reserve(&model.table, counts[i]), STATUS_OK);
        table_check(&model.table);
        table_stats(&model.table, &before);
        size_t memory = table_memory(&model.table);
        ck_assert_uint_ge(before.slots, counts[i]);
        model_resize(&model, counts[i]);
        table_stats(&model.table, &after);
        ck_assert_uint_eq(after.segments, before.segments);
        ck_assert_uint_le(table_memory(&model.table), memory + memory / 50);
        model_verify(&model);
        ck_assert_int_eq(table_reserve(&model.table, counts[i] / 2), STATUS_OK);
        ck_assert_uint_le(table_memory(&model.table), memory + memory / 50);
        model_release(&model);
    }
}
END_TEST

START_TEST(reserving_more_for_a_table_in_use)
{
    struct model model;
    model_init(&model, 20000, hash_uniform, 3);
    model_resize(&model, 3000);
    ck_assert_int_eq(table_reserve(&model.table, 20000), STATUS_OK);
    model_verify(&model);
    size_t memory = table_memory(&model.table);
    model_resize(&model, 20000);
    ck_assert_uint_le(table_memory(&model.table), memory + memory / 50);
    model_verify(&model);
    model_resize(&model, 10);
    model_verify(&model);
    ck_assert_uint_lt(table_memory(&model.table), 1000);
    model_release(&model);
}
END_TEST

// Removing gives memory back on the way down, and the directory halves.
START_TEST(shrinking_gives_memory_back)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 200000, hash_uniform, 4);
    model_resize(&model, 200000);
    table_stats(&model.table, &stats);
    unsigned depth = stats.depth;
    for (size_t count = 100000; count > 100; count /= 2) {
        model_resize(&model, count);
        table_check(&model.table);
        ck_assert_uint_lt(table_memory(&model.table), 22 * count + 100);
    }
    table_stats(&model.table, &stats);
    ck_assert_uint_lt(stats.depth, depth - 4);
    model_release(&model);
}
END_TEST

// Entries that come and go at a steady number must neither use the table up nor pile up outside of
// their home buckets.
START_TEST(churn_keeps_the_order)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 60000, hash_uniform, 8);
    model_resize(&model, 30000);
    for (unsigned i = 0; i < 300000; i++) {
        struct item *item = model_pick(&model);
        if (item->present) {
            model_remove(&model, item);
            model_resize(&model, 30000);
        }
    }
    model_verify(&model);
    table_stats(&model.table, &stats);
    ck_assert_uint_lt(stats.in_neighbour + stats.in_stash, 30000 / 10);
    ck_assert_uint_lt(table_memory(&model.table), 30000 * 14);
    model_release(&model);
}
END_TEST

// Prefetching is a hint that changes nothing; only for displaced entries there is more to fetch.
START_TEST(prefetching_tells_displaced_entries)
{
    struct model model;
    struct table_stats stats;
    size_t displaced = 0;
    model_init(&model, 4000, hash_uniform, 9);
    model_resize(&model, 3000);
    for (size_t i = 0; i < model.nitems; i++) {
        const struct item *item = &model.items[i];
        table_prefetch_bucket(&model.table, item->hash);
        if (!table_prefetch_entry(&model.table, item->hash)) {
            table_prefetch_displaced(&model.table, item->hash);
            displaced += item->present;
        }
    }
    table_stats(&model.table, &stats);
    ck_assert_uint_gt(displaced, 100);
    // Where another entry with the same tag lies in the home bucket, it is taken for this one.
    ck_assert_uint_le(displaced, stats.in_neighbour + stats.in_stash);
    ck_assert_uint_ge(displaced * 10 / 9, stats.in_neighbour + stats.in_stash);
    model_verify(&model);
    model_release(&model);
}
END_TEST

// Memory for a directory of the double size is got before its time; it must not be lost.
START_TEST(a_prepared_directory_is_given_back)
{
    struct model model;
    size_t before = mem_used();
    model_init(&model, 640000, hash_uniform, 11);
    for (size_t i = 0; i < model.nitems; i++) {
        model_insert(&model, &model.items[i]);
    }
    ck_assert_ptr_nonnull(model.table.next);
    table_check(&model.table);
    for (size_t i = 0; i < model.nitems; i++) {
        model_remove(&model, &model.items[i]);
    }
    ck_assert_uint_eq(mem_used(), before);
    for (size_t i = 0; i < model.nitems; i++) {
        model_insert(&model, &model.items[i]);
    }
    ck_assert_ptr_nonnull(model.table.next);
    table_release(&model.table, NULL, NULL);
    ck_assert_uint_eq(mem_used(), before);
    model_release(&model);
}
END_TEST

// The vector comparison against the obvious one, with tags 0 and 0xffff and values around them.
START_TEST(bucket_match_compares_all_tags)
{
    static const uint16_t tags[] = { 0, 1, 0x7fff, 0x8000, 0xffff, 0xfffe, 0x00ff };
    struct table_bucket bucket;
    struct random random;
    random_seed(&random, 10);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned expected = 0;
        uint16_t tag = tags[random_below(&random, 7)];
        uint64_t pointers = random_next(&random) >> 16;
        memset(&bucket, (int)random_below(&random, 256), sizeof(bucket));
        for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
            uint64_t slot_tag = tags[random_below(&random, 7)];
            bucket.slots[i].word = slot_tag << 48 | pointers;
            expected |= (unsigned)(slot_tag == tag) << i;
        }
        EXPECT(table_bucket_match(&bucket, tag) == expected);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *basics = tcase_create("basics");
    tcase_add_test(basics, empty_table_answers);
    tcase_add_test(basics, one_entry_costs_about_a_hundred_bytes);
    tcase_add_test(basics, each_step_of_the_ladder);
    tcase_add_test(basics, replaced_entries);
    tcase_add_test(basics, release_visits_each_entry_once);
    tcase_add_test(basics, reserved_room_suffices);
    tcase_add_test(basics, reserving_more_for_a_table_in_use);
    tcase_add_test(basics, shrinking_gives_memory_back);
    tcase_add_test(basics, churn_keeps_the_order);
    tcase_add_test(basics, prefetching_tells_displaced_entries);
    tcase_add_test(basics, bucket_match_compares_all_tags);
    tcase_set_timeout(basics, 60);
    suite_add_tcase(suite, basics);
    TCase *model = tcase_create("model");
    tcase_add_test(model, random_operations_at_small_sizes);
    tcase_add_test(model, a_million_and_back);
    tcase_add_test(model, a_prepared_directory_is_given_back);
    tcase_set_timeout(model, 120);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

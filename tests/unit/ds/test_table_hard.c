// SPDX-License-Identifier: BSD-3-Clause
// The table in bad conditions: hashes that cluster, and memory that fails at any allocation.
#include "table_model.h"

#include "support/unit.h"

// --- clustered hashes ---------------------------------------------------------------------------

static uint64_t same_top_bits(uint64_t id, unsigned bits)
{
    uint64_t top = UINT64_C(0x8badf00d5ca1ab1e) & ~(UINT64_MAX >> bits);
    return top | hash_uniform(id) >> bits;
}

static uint64_t hash_same_top_16(uint64_t id)
{
    return same_top_bits(id, 16);
}

static uint64_t hash_same_top_32(uint64_t id)
{
    return same_top_bits(id, 32);
}

static uint64_t hash_same_top_48(uint64_t id)
{
    return same_top_bits(id, 48);
}

static uint64_t hash_identical(uint64_t id)
{
    (void)id;
    return UINT64_C(0x8badf00d5ca1ab1e);
}

static uint64_t hash_zero(uint64_t id)
{
    (void)id;
    return 0;
}

static uint64_t hash_ones(uint64_t id)
{
    (void)id;
    return UINT64_MAX;
}

// Only the top bits differ: every split is by the one bit that matters, tags are all alike.
static uint64_t hash_same_low_56(uint64_t id)
{
    return hash_uniform(id) << 56;
}

// Every second item is somewhere, the others share 24 bits.
static uint64_t hash_half_clustered(uint64_t id)
{
    return id % 2 == 0 ? hash_uniform(id) : same_top_bits(id, 24);
}

static const hash_fn clustered[] = { hash_same_top_16, hash_same_top_32,   hash_same_top_48,
                                     hash_identical,   hash_zero,          hash_ones,
                                     hash_same_low_56, hash_half_clustered };

#define CLUSTERED_COUNT (sizeof(clustered) / sizeof(clustered[0]))

static void check_bounds(const struct table *table)
{
    struct table_stats stats;
    table_stats(table, &stats);
    unsigned log2_segments = 63U - (unsigned)__builtin_clzll(stats.segments);
    EXPECT(stats.depth <= log2_segments + 4);
    // 64 bytes for every fourth entry, and what a few nearly empty segments cost.
    EXPECT(table_memory(table) < 200 * table->count + 40000);
}

START_TEST(clusters_end_in_chains)
{
    struct model model;
    model_init(&model, 1500, clustered[_i], 31);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < model.nitems; i++) {
            model_insert(&model, &model.items[i]);
            if (i % 97 == 0) {
                table_check(&model.table);
                check_bounds(&model.table);
            }
        }
        model_verify(&model);
        while (model.present > 0) {
            model_resize(&model, model.present * 9 / 10);
            table_check(&model.table);
        }
        ck_assert_uint_eq(table_memory(&model.table), 0);
    }
    model_release(&model);
}
END_TEST

START_TEST(clusters_under_random_operations)
{
    struct model model;
    model_init(&model, 1600, clustered[_i], 32);
    for (unsigned round = 0; round < 20; round++) {
        model_resize(&model, random_below(&model.random, model.nitems));
        model_verify(&model);
    }
    model_release(&model);
}
END_TEST

// A chain made while the table was small is distributed when more segments allow deeper ones.
static uint64_t hash_cluster_then_uniform(uint64_t id)
{
    return id < 3000 ? same_top_bits(id, 8) : hash_uniform(id);
}

START_TEST(a_chain_is_resolved_when_the_table_has_grown)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 60000, hash_cluster_then_uniform, 33);
    for (size_t i = 0; i < 3000; i++) {
        model_insert(&model, &model.items[i]);
    }
    table_stats(&model.table, &stats);
    ck_assert_uint_gt(stats.chained_segments, 0);
    // What comes into the chain, when there are many segments, takes it apart.
    for (size_t i = 3000; i < model.nitems; i++) {
        model_insert(&model, &model.items[i]);
    }
    for (size_t i = 0; i < 3000; i++) {
        model_remove(&model, &model.items[i]);
        model_insert(&model, &model.items[i]);
    }
    model_verify(&model);
    table_stats(&model.table, &stats);
    ck_assert_uint_eq(stats.chained_segments, 0);
    model_release(&model);
}
END_TEST

START_TEST(a_chain_that_has_become_small_is_one_segment)
{
    struct model model;
    struct table_stats stats;
    model_init(&model, 1500, hash_identical, 38);
    model_resize(&model, 1500);
    model_resize(&model, 60);
    model_verify(&model);
    table_stats(&model.table, &stats);
    ck_assert_uint_eq(stats.chained_segments, 0);
    ck_assert_uint_lt(table_memory(&model.table), 20000);
    model_release(&model);
}
END_TEST

// --- failing allocation -------------------------------------------------------------------------

// Inserts with every allocation that it needs failing once; the table stays as it was each time.
static unsigned insert_with_failures(struct model *model, struct item *item)
{
    struct table_slot *slot = NULL;
    for (unsigned failed = 0;; failed++) {
        size_t count = model->table.count;
        mem_fail_after(failed);
        enum status status = table_insert(&model->table, item->hash, item, &slot);
        mem_fail_never();
        if (status == STATUS_OK) {
            model_note_inserted(model, item, slot);
            return failed;
        }
        EXPECT(status == STATUS_NOMEM);
        EXPECT(model->table.count == count);
        EXPECT(model_find(model, item) == NULL);
        model_verify(model);
    }
}

static void check_inserting(hash_fn hash, size_t nitems)
{
    struct model model;
    unsigned failures = 0;
    unsigned most = 0;
    model_init(&model, nitems, hash, 34);
    for (size_t i = 0; i < nitems; i++) {
        unsigned failed = insert_with_failures(&model, &model.items[i]);
        failures += failed;
        most = failed > most ? failed : most;
    }
    // The first insert needs two allocations, a split with a new directory five.
    ck_assert_uint_gt(failures, 10);
    ck_assert_uint_ge(most, 5);
    model_verify(&model);
    model_release(&model);
}

START_TEST(inserting_survives_failing_allocations)
{
    check_inserting(hash_uniform, 5000);
    for (size_t i = 0; i < CLUSTERED_COUNT; i++) {
        check_inserting(clustered[i], 950);
    }
}
END_TEST

// Removing never fails: shrinking is left undone, and done later.
START_TEST(removing_survives_failing_allocations)
{
    for (uint64_t successes = 0; successes < 7; successes++) {
        struct model model;
        model_init(&model, 6000, successes % 2 == 0 ? hash_uniform : hash_half_clustered, 35);
        model_resize(&model, 6000);
        for (size_t i = 0; i < model.nitems; i++) {
            mem_fail_after(successes);
            model_remove(&model, &model.items[i]);
            mem_fail_never();
            if (i % 50 == 0) {
                table_check(&model.table);
            }
        }
        ck_assert_uint_eq(table_memory(&model.table), 0);
        model_release(&model);
    }
}
END_TEST

// With memory again after a time without, the table becomes small all the same.
START_TEST(shrinking_catches_up)
{
    struct model model;
    model_init(&model, 20000, hash_uniform, 36);
    model_resize(&model, 20000);
    mem_fail_after(0);
    model_resize(&model, 5000);
    model_verify(&model);
    mem_fail_never();
    model_resize(&model, 2000);
    model_verify(&model);
    ck_assert_uint_lt(table_memory(&model.table), 22 * 2000);
    model_release(&model);
}
END_TEST

START_TEST(reserving_survives_failing_allocations)
{
    struct model model;
    model_init(&model, 5000, hash_uniform, 37);
    model_resize(&model, 1000);
    enum status status = STATUS_NOMEM;
    uint64_t successes = 0;
    for (; status != STATUS_OK; successes++) {
        mem_fail_after(successes);
        status = table_reserve(&model.table, 5000);
        mem_fail_never();
        ck_assert(status == STATUS_OK || status == STATUS_NOMEM);
        model_verify(&model);
    }
    ck_assert_uint_gt(successes, 3);
    model_resize(&model, 5000);
    model_verify(&model);
    model_release(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("table_hard");
    TCase *clusters = tcase_create("clusters");
    tcase_add_loop_test(clusters, clusters_end_in_chains, 0, CLUSTERED_COUNT);
    tcase_add_loop_test(clusters, clusters_under_random_operations, 0, CLUSTERED_COUNT);
    tcase_add_test(clusters, a_chain_is_resolved_when_the_table_has_grown);
    tcase_add_test(clusters, a_chain_that_has_become_small_is_one_segment);
    tcase_set_timeout(clusters, 60);
    suite_add_tcase(suite, clusters);
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, inserting_survives_failing_allocations);
    tcase_add_test(memory, removing_survives_failing_allocations);
    tcase_add_test(memory, shrinking_catches_up);
    tcase_add_test(memory, reserving_survives_failing_allocations);
    tcase_set_timeout(memory, 60);
    suite_add_tcase(suite, memory);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

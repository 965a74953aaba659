// SPDX-License-Identifier: BSD-3-Clause
// Tests of freeing in slices, with a type whose values are a number of blocks.
#include "store/reclaim.h"

#include "base/memory.h"
#include "store/keyspace.h"
#include "support/unit.h"

#include <stdio.h>

// A value: blocks that are linked.
struct block {
    struct block *next;
};

static struct keyspace keyspace;
static size_t used_before;

static size_t pieces(const struct entry *entry)
{
    size_t count = 0;
    for (const struct block *block = entry_pointer(entry); block; block = block->next)
        count++;
    return count;
}

static bool release_some(struct entry *entry, size_t budget)
{
    struct block *block = entry_pointer(entry);
    for (; block && budget > 0; budget--) {
        struct block *next = block->next;
        mem_free(block, sizeof(*block));
        block = next;
    }
    entry_set_word(entry, (uintptr_t)block);
    return !block;
}

static void release(struct entry *entry)
{
    (void)release_some(entry, SIZE_MAX);
}

static const struct type_ops blocks_ops = {
    .name = "blocks",
    .release = release,
    .pieces = pieces,
    .release_some = release_some,
};

static void set_up(void)
{
    used_before = mem_used();
    keyspace_init(&keyspace);
    keyspace_register_type(&keyspace, TYPE_LIST, &blocks_ops);
    keyspace_open(&keyspace, 2);
}

static void tear_down(void)
{
    keyspace_release(&keyspace);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void add(struct db *db, struct slice name, size_t count)
{
    struct block *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct block *block = mem_alloc(sizeof(*block));
        block->next = first;
        first = block;
    }
    struct key key = key_of(name);
    const struct entry_spec spec = {
        .type = TYPE_LIST,
        .expiry = EXPIRY_NONE,
        .word = (uintptr_t)first,
    };
    db_insert(db, &key, entry_new(name, &spec));
}

static void take_out(struct db *db, struct slice name)
{
    struct key key = key_of(name);
    db_remove(db, &key, db_find(db, &key));
}

START_TEST(small_values_are_freed_at_once)
{
    struct db *db = &keyspace.dbs[0];
    size_t used = mem_used();
    add(db, SLICE("k"), RECLAIM_PIECES);
    take_out(db, SLICE("k"));
    ck_assert(!reclaim_pending(&keyspace.reclaim));
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

START_TEST(large_values_are_freed_in_slices)
{
    enum { MANY = 100000 };
    struct db *db = &keyspace.dbs[0];
    size_t used = mem_used();
    add(db, SLICE("a"), MANY);
    add(db, SLICE("b"), MANY);
    take_out(db, SLICE("a"));
    take_out(db, SLICE("b"));
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(reclaim_count(&keyspace.reclaim), 2);
    ck_assert_uint_gt(mem_used(), used + MANY * sizeof(struct block));
    int steps = 0;
    for (; reclaim_pending(&keyspace.reclaim); steps++)
        reclaim_some(&keyspace, 0);
    ck_assert_int_gt(steps, 1000);
    ck_assert_uint_eq(keyspace.reclaim.freed, 2);
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

START_TEST(flushed_databases_are_freed_in_slices)
{
    enum { KEYS = 20000 };
    struct db *db = &keyspace.dbs[1];
    char name[16];
    for (int i = 0; i < KEYS; i++) {
        int len = snprintf(name, sizeof(name), "%d", i);
        add(db, (struct slice){ .ptr = name, .len = (size_t)len }, i % 100 == 0 ? 200 : 1);
    }
    db_flush(db, REMOVED_LATER);
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(reclaim_count(&keyspace.reclaim), KEYS);
    // It is usable at once, and what is put there stays.
    add(db, SLICE("1"), 1000);
    int steps = 0;
    for (; reclaim_pending(&keyspace.reclaim); steps++)
        reclaim_some(&keyspace, 0);
    ck_assert_int_gt(steps, KEYS / 100);
    ck_assert_uint_eq(keyspace.reclaim.freed, KEYS + KEYS / 100);
    struct key key = key_of(SLICE("1"));
    ck_assert_uint_eq(pieces(db_find(db, &key).entry), 1000);
    ck_assert_uint_eq(db_size(db), 1);
}
END_TEST

START_TEST(what_is_left_is_freed_at_the_end)
{
    add(&keyspace.dbs[0], SLICE("a"), 1000);
    take_out(&keyspace.dbs[0], SLICE("a"));
    add(&keyspace.dbs[0], SLICE("b"), 1000);
    db_flush(&keyspace.dbs[0], REMOVED_LATER);
    add(&keyspace.dbs[0], SLICE("c"), 1000);
    reclaim_some(&keyspace, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *cases = tcase_create("reclaim");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, small_values_are_freed_at_once);
    tcase_add_test(cases, large_values_are_freed_in_slices);
    tcase_add_test(cases, flushed_databases_are_freed_in_slices);
    tcase_add_test(cases, what_is_left_is_freed_at_the_end);
    suite_add_tcase(suite, cases);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

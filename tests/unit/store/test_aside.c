// SPDX-License-Identifier: BSD-3-Clause
// Tests of databases aside: nothing meets them before the exchange, which is all at once, and what goes is freed.
#include "store/aside.h"

#include "store/expire.h"
#include "support/unit.h"
#include "unit/store/keyspace_fixture.h"

#define KEYS 1000

static char heard[256];

static void listen(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)udata;
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof(heard) - len, "%s%d%s ",
             event == DB_FLUSHED   ? "flushed"
             : event == DB_SWAPPED ? "swapped"
                                   : "other",
             db->id, key ? "!" : "");
    // What a listener finds.
    if (event == DB_SWAPPED && db->id == 1)
        ck_assert_uint_eq(db_size(&keyspace.dbs[2]), KEYS);
}

static void set_up(void)
{
    heard[0] = '\0';
    clock_update();
    fixture_open();
    keyspace_hear(&keyspace, keyspace_listen(&keyspace, listen, NULL), UINT32_MAX);
}

static void fill(struct db *db, size_t first, int64_t expiry)
{
    char name[FIXTURE_NAME_MAX];
    for (size_t i = first; i < first + KEYS; i++)
        fixture_add(db, fixture_name(name, i), i, expiry);
}

static bool has(struct db *db, size_t number)
{
    char name[FIXTURE_NAME_MAX];
    const struct key key = key_of(fixture_name(name, number));
    return db_peek(db, &key).entry != NULL;
}

START_TEST(nothing_meets_what_is_aside)
{
    int64_t past_ms = clock_wall_ms() - 1000;
    fill(&keyspace.dbs[0], 0, EXPIRY_NONE);
    heard[0] = '\0';
    aside_open(&keyspace);
    fill(&keyspace.aside->dbs[0], KEYS, past_ms);
    fill(&keyspace.aside->dbs[2], KEYS, EXPIRY_NONE);
    ck_assert_str_eq(heard, "");
    ck_assert_int_eq(expire_due(&keyspace), TABLE_DUE_NEVER);
    ck_assert(!expire_sweep(&keyspace, 1000000));
    ck_assert(has(&keyspace.dbs[0], 0) && !has(&keyspace.dbs[0], KEYS));
    ck_assert(has(&keyspace.aside->dbs[0], KEYS) && !has(&keyspace.aside->dbs[0], 0));
    ck_assert_uint_eq(db_size(&keyspace.dbs[2]), 0);
    aside_drop(&keyspace, REMOVED_NOW);
    ck_assert_ptr_null(keyspace.aside);
    ck_assert_uint_eq(fixture_released, 2 * KEYS);
    ck_assert_uint_eq(db_size(&keyspace.dbs[0]), KEYS);
    aside_drop(&keyspace, REMOVED_NOW);
}
END_TEST

START_TEST(all_are_exchanged_at_once)
{
    int64_t past_ms = clock_wall_ms() - 1000;
    fill(&keyspace.dbs[0], 0, EXPIRY_NONE);
    fill(&keyspace.dbs[1], 0, EXPIRY_NONE);
    aside_open(&keyspace);
    fill(&keyspace.aside->dbs[0], KEYS, past_ms);
    fill(&keyspace.aside->dbs[2], KEYS, EXPIRY_NONE);
    heard[0] = '\0';
    aside_exchange(&keyspace, REMOVED_NOW);
    ck_assert_str_eq(heard, "flushed0 swapped0 swapped1 swapped2 ");
    ck_assert_uint_eq(fixture_released, 2 * KEYS);
    for (int i = 0; i < FIXTURE_DBS; i++) {
        ck_assert_int_eq(keyspace.dbs[i].id, i);
        ck_assert_ptr_eq(keyspace.dbs[i].keyspace, &keyspace);
        table_check(&keyspace.dbs[i].table);
    }
    ck_assert_uint_eq(db_size(&keyspace.dbs[1]), 0);
    ck_assert(has(&keyspace.dbs[2], KEYS));
    ck_assert_uint_eq(keyspace.dbs[0].expires, KEYS);
    // What was kept aside though its time had come goes now.
    ck_assert_int_le(expire_due(&keyspace), clock_wall_ms());
    while (expire_sweep(&keyspace, 1000000))
        ;
    ck_assert_uint_eq(db_size(&keyspace.dbs[0]), 0);
}
END_TEST

START_TEST(what_was_there_is_freed_in_slices)
{
    fill(&keyspace.dbs[0], 0, EXPIRY_NONE);
    aside_open(&keyspace);
    fill(&keyspace.aside->dbs[2], KEYS, EXPIRY_NONE);
    aside_exchange(&keyspace, REMOVED_LATER);
    ck_assert_uint_eq(fixture_released, 0);
    ck_assert_uint_eq(reclaim_count(&keyspace.reclaim), KEYS);
    reclaim_all(&keyspace);
    ck_assert_uint_eq(fixture_released, KEYS);
    ck_assert_uint_eq(db_size(&keyspace.dbs[2]), KEYS);
}
END_TEST

START_TEST(what_is_given_up_is_freed_in_slices)
{
    aside_open(&keyspace);
    fill(&keyspace.aside->dbs[2], KEYS, EXPIRY_NONE);
    aside_drop(&keyspace, REMOVED_LATER);
    ck_assert_uint_eq(reclaim_count(&keyspace.reclaim), KEYS);
    reclaim_some(&keyspace, 0);
    ck_assert_uint_lt(fixture_released, KEYS);
    reclaim_all(&keyspace);
    ck_assert_uint_eq(fixture_released, KEYS);
}
END_TEST

// Nothing is left behind when the server ends meanwhile.
START_TEST(the_end_may_come_meanwhile)
{
    fill(&keyspace.dbs[0], 0, EXPIRY_NONE);
    aside_open(&keyspace);
    fill(&keyspace.aside->dbs[2], KEYS, EXPIRY_NONE);
    keyspace_release(&keyspace);
    ck_assert_uint_eq(fixture_released, 2 * KEYS);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aside");
    TCase *aside = tcase_create("aside");
    tcase_add_checked_fixture(aside, set_up, fixture_close);
    tcase_add_test(aside, nothing_meets_what_is_aside);
    tcase_add_test(aside, all_are_exchanged_at_once);
    tcase_add_test(aside, what_was_there_is_freed_in_slices);
    tcase_add_test(aside, what_is_given_up_is_freed_in_slices);
    tcase_add_test(aside, the_end_may_come_meanwhile);
    suite_add_tcase(suite, aside);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

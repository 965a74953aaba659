// SPDX-License-Identifier: BSD-3-Clause
// Tests of when the sweep comes if the wall clock is set while it waits.
#include "server/sweeper.h"

#include "support/unit.h"
#include "unit/server/rig.h"

#define HOUR_MS INT64_C(3600000)

static struct db *db;

static void set_up(void)
{
    rig_make(NULL);
    rig_start();
    db = &server->keyspace->dbs[0];
}

static void add(const char *name, int64_t ttl_ms)
{
    clock_update();
    const struct entry_spec spec = {
        .type = TYPE_STRING,
        .encoding = STRING_ENC_INT,
        .expiry = clock_wall_ms() + ttl_ms,
        .word = 1,
    };
    struct key key = key_of(slice_of(name));
    db_insert(db, &key, entry_new(slice_of(name), &spec));
    // The sweeper hears of it.
    rig_turn();
}

static void expect_swept(size_t left)
{
    for (int turns = 0; db_size(db) > left; turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        usleep(1000);
        rig_turn();
    }
    ck_assert_uint_eq(db_size(db), left);
}

static void end_of_run(void *udata)
{
    loop_stop(udata);
}

// Leaves the loop to itself for some ticks of cron; the timer's first ring ends it.
static void run_for(unsigned ms)
{
    struct loop_timer *timer = loop_every(server->loop, ms, end_of_run, server->loop);
    loop_run(server->loop);
    loop_timer_set_period(server->loop, timer, 0);
}

START_TEST(set_forward)
{
    add("a", HOUR_MS);
    add("b", 3 * HOUR_MS);
    add("c", 5 * HOUR_MS);
    clock_shift_ms(2 * HOUR_MS);
    expect_swept(2);
    ck_assert_uint_ge(sweeper_lag_ms(server->sweeper, 100), HOUR_MS * 9 / 10);
    clock_shift_ms(2 * HOUR_MS);
    expect_swept(1);
    ck_assert_uint_eq(server->keyspace->expired_by_sweep, 2);
    // Nothing is due: the loop sleeps.
    ck_assert(rig_loop_sleeps());
    ck_assert_uint_eq(db_size(db), 1);
}
END_TEST

START_TEST(set_back)
{
    add("a", 10);
    clock_shift_ms(-HOUR_MS);
    // The timer comes too early, finds nothing due, and waits anew.
    run_for(300);
    ck_assert_uint_eq(db_size(db), 1);
    ck_assert(rig_loop_sleeps());
    ck_assert_uint_eq(db_size(db), 1);
    clock_shift_ms(HOUR_MS);
    expect_swept(0);
}
END_TEST

// What is set while the clock is back follows that clock.
START_TEST(set_back_and_a_new_key)
{
    add("old", HOUR_MS);
    clock_shift_ms(-2 * HOUR_MS);
    add("new", 10);
    expect_swept(1);
    struct key key = key_of(SLICE("old"));
    ck_assert_ptr_nonnull(db_peek(db, &key).entry);
    clock_shift_ms(2 * HOUR_MS);
    run_for(300);
    ck_assert_uint_eq(db_size(db), 1);
    clock_shift_ms(HOUR_MS);
    expect_swept(0);
}
END_TEST

// A thousand jumps, there and back, by more than the wheel's turns: nothing goes early, nothing stays.
START_TEST(set_to_and_fro)
{
    enum { KEYS = 200 };
    char name[16];
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "%d", i);
        add(name, (i + 1) * HOUR_MS);
    }
    for (int i = 0; i < 1000; i++) {
        int64_t by_ms = (i * 7919 % (KEYS * 2)) * HOUR_MS;
        clock_shift_ms(-by_ms);
        rig_turn();
        clock_shift_ms(by_ms);
        rig_turn();
    }
    ck_assert_uint_eq(db_size(db), KEYS);
    for (size_t hours = 50; hours <= KEYS; hours += 50) {
        clock_shift_ms(50 * HOUR_MS + 1000);
        expect_swept(KEYS - hours);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sweeper");
    TCase *tcase = tcase_create("clock");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, set_forward);
    tcase_add_test(tcase, set_back);
    tcase_add_test(tcase, set_back_and_a_new_key);
    tcase_add_test(tcase, set_to_and_fro);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of periodic work: order, periods in ticks, and changing hz. Nothing here depends on how long
// anything took: runs are counted against ticks.
#include "server/cron.h"

#include "base/memory.h"
#include "net/loop.h"
#include "server/client.h"
#include "server/config.h"
#include "server/server.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static struct server server;
static struct cron *cron;
static size_t used_before;
static unsigned ticks;
static unsigned runs;
static unsigned ticks_wanted;
static char order[16];

static void set_up(void)
{
    used_before = mem_used();
    server = (struct server){ .loop = loop_new(), .config = config_new() };
    cron = cron_new(&server);
    ticks = runs = 0;
    memset(order, 0, sizeof(order));
}

static void tear_down(void)
{
    cron_free(cron);
    config_free(server.config);
    loop_free(server.loop);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void set_hz(int hz)
{
    char text[16];
    struct config_error error;
    snprintf(text, sizeof(text), "%d", hz);
    const struct slice pairs[] = { SLICE("hz"), slice_of(text) };
    ck_assert_int_eq(config_set(server.config, pairs, 1, &error), STATUS_OK);
}

static void count_tick(void *udata)
{
    (void)udata;
    if (++ticks >= ticks_wanted)
        loop_stop(server.loop);
}

static void count_run(void *udata)
{
    (void)udata;
    runs++;
}

static void note_order(void *udata)
{
    size_t len = strlen(order);
    if (len + 1 < sizeof(order))
        order[len] = *(const char *)udata;
}

// Runs the loop for so many ticks.
static void run_ticks(unsigned count)
{
    ticks_wanted = ticks + count;
    loop_run(server.loop);
}

START_TEST(jobs_run_in_the_order_of_registration)
{
    set_hz(500);
    cron_add(cron, 0, note_order, "a");
    cron_add(cron, 0, note_order, "b");
    cron_add(cron, 0, note_order, "c");
    cron_add(cron, 0, count_tick, NULL);
    cron_start(cron);
    run_ticks(3);
    ck_assert_str_eq(order, "abcabcabc");
}
END_TEST

START_TEST(a_rare_job_runs_rarely)
{
    set_hz(500);
    cron_add(cron, 0, count_tick, NULL);
    cron_add(cron, 3600000, count_run, NULL);
    cron_start(cron);
    run_ticks(20);
    ck_assert_uint_le(runs, 1);
}
END_TEST

// Ticks come a little late, each by another little: a job that is due at one must not be found too
// early for it and left to the next.
static void expect_runs(unsigned period_ms, unsigned ticks_per_run)
{
    const unsigned count = 240;
    set_hz(200);
    cron_add(cron, period_ms, count_run, NULL);
    cron_add(cron, 0, count_tick, NULL);
    cron_start(cron);
    run_ticks(count);
    ck_assert_uint_le(runs, count);
    ck_assert_uint_ge(runs, count / ticks_per_run * 97 / 100);
}

START_TEST(a_job_at_every_tick)
{
    expect_runs(5, 1);
}
END_TEST

START_TEST(a_job_at_every_third_tick)
{
    expect_runs(15, 3);
}
END_TEST

START_TEST(hz_is_brought_within_bounds)
{
    cron_start(cron);
    ck_assert_int_eq(cron_hz(cron), 10);
    set_hz(100);
    ck_assert_int_eq(cron_hz(cron), 100);
    set_hz(100000);
    ck_assert_int_eq(cron_hz(cron), 500);
    set_hz(0);
    ck_assert_int_eq(cron_hz(cron), 1);
}
END_TEST

START_TEST(hz_can_change_while_it_ticks)
{
    set_hz(1);
    cron_add(cron, 0, count_tick, NULL);
    cron_start(cron);
    set_hz(500);
    // At one a second this would take a minute.
    run_ticks(60);
    ck_assert_uint_eq(ticks, 60);
}
END_TEST

static void set_dynamic(const char *yes)
{
    struct config_error error;
    const struct slice pairs[] = { SLICE("dynamic-hz"), slice_of(yes) };
    ck_assert_int_eq(config_set(server.config, pairs, 1, &error), STATUS_OK);
}

// The more clients, the more ticks, up to the bound; as soon as the next tick.
START_TEST(dynamic_hz_follows_the_clients)
{
    struct clients clients = { .count = 2000 };
    server.clients = &clients;
    set_hz(10);
    cron_add(cron, 0, count_tick, NULL);
    cron_start(cron);
    ck_assert_int_eq(cron_hz(cron), 10);
    server.clients->count = 2001;
    run_ticks(1);
    ck_assert_int_eq(cron_hz(cron), 20);
    server.clients->count = 1000000;
    run_ticks(1);
    ck_assert_int_eq(cron_hz(cron), 500);
    ck_assert_int_eq(cron_configured_hz(cron), 10);
    set_dynamic("no");
    ck_assert_int_eq(cron_hz(cron), 10);
    set_dynamic("yes");
    ck_assert_int_eq(cron_hz(cron), 500);
    server.clients->count = 1;
    run_ticks(1);
    ck_assert_int_eq(cron_hz(cron), 10);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cron");
    TCase *tcase = tcase_create("cron");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, jobs_run_in_the_order_of_registration);
    tcase_add_test(tcase, a_rare_job_runs_rarely);
    tcase_add_test(tcase, a_job_at_every_tick);
    tcase_add_test(tcase, a_job_at_every_third_tick);
    tcase_add_test(tcase, hz_is_brought_within_bounds);
    tcase_add_test(tcase, hz_can_change_while_it_ticks);
    tcase_add_test(tcase, dynamic_hz_follows_the_clients);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

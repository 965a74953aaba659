// SPDX-License-Identifier: BSD-3-Clause
// Tests of the INFO sections of the server as a whole: figures that move, counters that are reset,
// directives that may not be there.
#include "server/sections.h"

#include "rig.h"
#include "server/ctx.h"
#include "server/info.h"
#include "support/unit.h"

// ERR: an error.
static void cmd_err(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_SYNTAX);
}

static const struct command commands[] = {
    { .name = "err", .arity = 1, .handler = cmd_err },
    { 0 },
};

static struct bytes text;

static void set_up(void)
{
    rig_make(commands);
    rig_start();
    text = (struct bytes){ 0 };
}

static void tear_down(void)
{
    bytes_release(&text);
    rig_stop();
}

// The text of a field of INFO everything, as it is now.
static const char *field(const char *name)
{
    struct slice everything = slice_of("everything");
    char line[96];
    int len = snprintf(line, sizeof(line), "\n%s:", name);
    bytes_clear(&text);
    info_write(server->info, &everything, 1, &text);
    bytes_append_char(&text, '\0');
    const char *found = strstr(text.data, line);
    ck_assert_msg(found != NULL, "no field %s", name);
    return found + len;
}

static long long number(const char *name)
{
    return strtoll(field(name), NULL, 10);
}

static double seconds(const char *name)
{
    return strtod(field(name), NULL);
}

// ---- what moves ---------------------------------------------------------------------------------

START_TEST(the_loop_is_counted)
{
    rig_turn();
    long long cycles = number("eventloop_cycles");
    rig_turns(100);
    ck_assert_int_eq(number("eventloop_cycles"), cycles + 100);
    int fd = rig_connect();
    long long commands_us = number("eventloop_duration_cmd_sum");
    long long all_us = number("eventloop_duration_sum");
    while (number("eventloop_duration_cmd_sum") == commands_us)
        rig_ask(fd, "err\r\n", "-ERR syntax error\r\n");
    ck_assert_int_gt(number("eventloop_duration_sum"), all_us);
    while (number("instantaneous_eventloop_cycles_per_sec") == 0)
        rig_turn();
    ck_assert_int_ge(number("instantaneous_eventloop_duration_usec"), 0);
}
END_TEST

START_TEST(cpu_time_goes_on)
{
    double used = seconds("used_cpu_user") + seconds("used_cpu_sys");
    double main_thread = seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread");
    while (seconds("used_cpu_user") + seconds("used_cpu_sys") <= used ||
           seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread") <=
               main_thread)
        rig_turn();
    ck_assert_double_ge(seconds("used_cpu_user_children"), 0);
    ck_assert_double_ge(seconds("used_cpu_sys_children"), 0);
}
END_TEST

START_TEST(errors_and_traffic_are_counted)
{
    int fd = rig_connect();
    rig_ask(fd, "err\r\n", "-ERR syntax error\r\n");
    rig_ask(fd, "err\r\nerr\r\n", "-ERR syntax error\r\n-ERR syntax error\r\n");
    ck_assert_int_eq(number("total_error_replies"), 3);
    ck_assert_int_eq(number("total_connections_received"), 1);
    ck_assert_int_eq(number("total_net_input_bytes"), 15);
    ck_assert_int_eq(number("total_net_output_bytes"), 3 * 19);
    ck_assert_int_eq(number("connected_clients"), 1);
}
END_TEST

START_TEST(the_peak_stays)
{
    long long used = number("used_memory");
    void *block = mem_alloc(10000000);
    long long more = number("used_memory");
    mem_free(block, 10000000);
    ck_assert_int_ge(more, used + 10000000);
    ck_assert_int_ge(number("used_memory_peak"), more);
    ck_assert_int_lt(number("used_memory"), more);
}
END_TEST

// ---- reset --------------------------------------------------------------------------------------

static const char *const counters[] = {
    "total_connections_received",
    "total_commands_processed",
    "instantaneous_ops_per_sec",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "instantaneous_input_kbps",
    "instantaneous_output_kbps",
    "rejected_connections",
    "expired_keys",
    "expired_stale_perc",
    "expired_time_cap_reached_count",
    "expire_cycle_cpu_milliseconds",
    "expire_lag_p50_ms",
    "expire_lag_p99_ms",
    "keyspace_hits",
    "keyspace_misses",
    "total_error_replies",
    "total_reads_processed",
    "total_writes_processed",
    "client_query_buffer_limit_disconnections",
    "client_output_buffer_limit_disconnections",
    "instantaneous_eventloop_cycles_per_sec",
    "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth",
};

START_TEST(a_reset_clears_the_counters)
{
    struct keyspace *keyspace = server->keyspace;
    rig_connect();
    rig_turns(10);
    memset(&server->stats, 1, sizeof(server->stats));
    memset(&server->rates, 1, sizeof(server->rates));
    keyspace->hits = keyspace->misses = keyspace->expired_keys = 5;
    keyspace->stale_percent = 5;
    keyspace->sweeps_cut_short = 5;
    keyspace->sweep_us = 5000;
    keyspace->on_swept(keyspace->on_swept_udata, 5);
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        ck_assert_msg(number(counters[i]) > 0, "%s is 0", counters[i]);
    long long peak = number("used_memory_peak");

    info_reset(server->info);
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        ck_assert_msg(number(counters[i]) == 0, "%s is %lld", counters[i], number(counters[i]));
    ck_assert_int_eq(number("eventloop_cycles"), 0);
    ck_assert_int_eq(number("eventloop_duration_sum"), 0);
    ck_assert_int_eq(number("eventloop_duration_cmd_sum"), 0);
    // These are no counters.
    ck_assert_int_eq(number("connected_clients"), 1);
    ck_assert_int_ge(number("used_memory_peak"), peak);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sections");
    TCase *moving = tcase_create("what moves");
    tcase_add_checked_fixture(moving, set_up, tear_down);
    tcase_set_timeout(moving, 60);
    tcase_add_test(moving, the_loop_is_counted);
    tcase_add_test(moving, cpu_time_goes_on);
    tcase_add_test(moving, errors_and_traffic_are_counted);
    tcase_add_test(moving, the_peak_stays);
    suite_add_tcase(suite, moving);

    TCase *reset = tcase_create("reset");
    tcase_add_checked_fixture(reset, set_up, tear_down);
    tcase_add_test(reset, a_reset_clears_the_counters);
    suite_add_tcase(suite, reset);

    return suite;
}

UNIT_TEST_MAIN(make_suite)

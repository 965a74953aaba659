// SPDX-License-Identifier: BSD-3-Clause
// What a live server remembers about commands: that the right one is blamed, and that what is measured
// agrees with itself. Forms and rules are compared with redis-server (redis-compat/cases/admin).
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INFO_MAX 65536

// The number behind "field=" in the line of a command; -1 without the line.
static double stat_of(redisContext *c, const char *section, const char *line, const char *field)
{
    static char info[INFO_MAX];
    char text[128];
    snprintf(text, sizeof(text), "INFO %s", section);
    client_text(c, info, sizeof(info), text);
    snprintf(text, sizeof(text), "\r\n%s:", line);
    char *found = strstr(info, text);
    if (!found)
        return -1;
    *strchr(found + 2, '\r') = '\0';
    snprintf(text, sizeof(text), "%s=", field);
    found = strstr(found + 2, text);
    ck_assert_ptr_nonnull(found);
    return strtod(found + strlen(text), NULL);
}

// Commands that arrive together are timed one by one: DEBUG SLEEP is slow, not its neighbours.
START_TEST(the_slow_one_is_blamed)
{
    struct test_server *server = server_start(SERVER_ARGS("--enable-debug-command", "yes",
                                                          "--slowlog-log-slower-than", "250000",
                                                          "--latency-monitor-threshold", "250"));
    int fd = raw_connect(server);
    raw_text(fd, "SET a 1\r\nGET a\r\nDEBUG SLEEP 0.4\r\nGET a\r\nINCR a\r\nGET a\r\n");
    raw_expect(fd, "+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n");
    close(fd);

    redisContext *c = client_connect(server);
    expect_int(c, 1, "SLOWLOG LEN");
    redisReply *reply = client_ask(c, "SLOWLOG GET");
    ck_assert_uint_eq(reply->elements, 1);
    const redisReply *entry = reply->element[0];
    ck_assert_uint_eq(entry->elements, 6);
    // Measured by another clock than the one that sleeps: they agree to a fraction of a per mille.
    ck_assert_int_ge(entry->element[2]->integer, 399000);
    ck_assert_str_eq(entry->element[3]->element[0]->str, "DEBUG");
    ck_assert_str_eq(entry->element[3]->element[2]->str, "0.4");
    freeReplyObject(reply);

    reply = client_ask(c, "LATENCY LATEST");
    ck_assert_uint_eq(reply->elements, 1);
    ck_assert_str_eq(reply->element[0]->element[0]->str, "command");
    ck_assert_int_ge(reply->element[0]->element[2]->integer, 400);
    freeReplyObject(reply);
    ck_assert_double_ge(stat_of(c, "commandstats", "cmdstat_debug", "usec"), 400000);
    ck_assert_double_lt(stat_of(c, "commandstats", "cmdstat_get", "usec"), 400000);
    ck_assert_double_ge(stat_of(c, "latencystats", "latency_percentiles_usec_debug", "p50"),
                        400000);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(figures_agree)
{
    redisContext *c = plain();
    int fd = raw_connect(plain_server());
    for (int i = 0; i < 1000; i++)
        raw_text(fd, "GET a\r\n");
    for (int i = 0; i < 1000; i++)
        raw_expect(fd, "$-1\r\n");
    close(fd);
    double usec = stat_of(c, "commandstats", "cmdstat_get", "usec");
    ck_assert_double_eq(stat_of(c, "commandstats", "cmdstat_get", "calls"), 1000);
    ck_assert_double_eq_tol(stat_of(c, "commandstats", "cmdstat_get", "usec_per_call"), usec / 1000,
                            0.011);
    double p50 = stat_of(c, "latencystats", "latency_percentiles_usec_get", "p50");
    double p99 = stat_of(c, "latencystats", "latency_percentiles_usec_get", "p99");
    ck_assert_double_gt(p50, 0);
    ck_assert_double_le(p50, p99);

    redisReply *reply = client_ask(c, "LATENCY HISTOGRAM get");
    ck_assert_uint_eq(reply->elements, 2);
    const redisReply *get = reply->element[1];
    ck_assert_int_eq(get->element[1]->integer, 1000);
    const redisReply *buckets = get->element[3];
    long long bound = 0;
    long long calls = 0;
    for (size_t i = 0; i < buckets->elements; i += 2) {
        ck_assert_int_gt(buckets->element[i]->integer, bound);
        ck_assert_int_gt(buckets->element[i + 1]->integer, calls);
        bound = buckets->element[i]->integer;
        calls = buckets->element[i + 1]->integer;
    }
    ck_assert_int_eq(calls, 1000);
    freeReplyObject(reply);
}
END_TEST

START_TEST(directives_from_a_file)
{
    struct test_server *server = server_start_with(
        &(struct server_options){ .config_file = "-",
                                  .stdin_text = "latency-tracking-info-percentiles 10 99.5\n"
                                                "latency-tracking yes\n"
                                                "slowlog-log-slower-than 0\n"
                                                "slowlog-max-len 2\n"
                                                "latency-monitor-threshold 100\n" });
    redisContext *c = client_connect(server);
    expect_status(c, "PONG", "PING");
    expect_status(c, "PONG", "PING");
    expect_status(c, "PONG", "PING");
    expect_int(c, 2, "SLOWLOG LEN");
    expect_list(c, "latency-tracking-info-percentiles 10 99.5",
                "CONFIG GET latency-tracking-info-percentiles");
    ck_assert_double_gt(stat_of(c, "latencystats", "latency_percentiles_usec_ping", "p99.5"), 0);
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("observe");
    TCase *own = server_tcase(suite, "servers of their own");
    tcase_add_test(own, the_slow_one_is_blamed);
    tcase_add_test(own, directives_from_a_file);
    TCase *tcase = plain_tcase(suite, "plain");
    tcase_add_test(tcase, figures_agree);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

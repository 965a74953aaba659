// SPDX-License-Identifier: BSD-3-Clause
// Tests of what redis-server can't be asked about DEBUG, MEMORY and LOLWUT: lines whose figures are our
// own, what goes into the effect stream, limits.
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "server/settings.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <regex.h>

static struct bytes fed;
static int fd;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    server->settings->debug_command = DEBUG_COMMAND_YES;
    effects_add_sink(server->effects, feed, &fed);
    fd = rig_connect();
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

// The next line, without its end, in `out`.
static void read_line(char out[256])
{
    size_t len = 0;
    do {
        ck_assert_uint_lt(len, 255);
        rig_receive(fd, out + len, 1);
    } while (out[len++] != '\n');
    out[len - 2] = '\0';
}

static int64_t ask_int(const char *request)
{
    char line[256];
    rig_say(fd, request);
    read_line(line);
    ck_assert_msg(line[0] == ':', "%s: %s", request, line);
    return strtoll(line + 1, NULL, 10);
}

static void expect_line(const char *request, const char *pattern)
{
    char line[256];
    regex_t regex;
    rig_say(fd, request);
    read_line(line);
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, line, 0, NULL, 0) == 0, "'%s' is not like '%s'", line, pattern);
    regfree(&regex);
}

static void expect_object(const char *value, const char *encoding, int serialized)
{
    char request[20100];
    char pattern[256];
    snprintf(request, sizeof(request), "SET k \"%s\"\r\n", value);
    rig_ask(fd, request, "+OK\r\n");
    snprintf(pattern, sizeof(pattern),
             "^[+]Value at:0x[0-9a-f]+ refcount:[0-9]+ encoding:%s serializedlength:%d "
             "lru:[0-9]+ lru_seconds_idle:0$",
             encoding, serialized);
    expect_line("DEBUG OBJECT k\r\n", pattern);
}

// Lengths as the documentation of RDB files gives them, without compression.
START_TEST(object_tells_the_length_in_a_file)
{
    expect_object("12", "int", 2);
    expect_object("-128", "int", 2);
    expect_object("128", "int", 3);
    expect_object("-32768", "int", 3);
    expect_object("32768", "int", 5);
    expect_object("-2147483648", "int", 5);
    expect_object("2147483648", "int", 11);
    expect_object("", "embstr", 1);
    expect_object("hello", "embstr", 6);
    const int lengths[][2] = { { 63, 64 }, { 64, 66 }, { 16383, 16385 }, { 16384, 16389 } };
    for (size_t i = 0; i < 4; i++) {
        char text[20000] = { 0 };
        memset(text, 'x', (size_t)lengths[i][0]);
        expect_object(text, "raw", lengths[i][1]);
    }
}
END_TEST

START_TEST(populate_goes_to_nobody_else)
{
    uint64_t changes = server->changes;
    rig_ask(fd, "DEBUG POPULATE 10\r\n", "+OK\r\n");
    ck_assert_uint_eq(fed.len, 0);
    ck_assert_uint_eq(server->changes, changes + 10);
    rig_ask(fd, "DEBUG POPULATE 10\r\n", "+OK\r\n");
    ck_assert_uint_eq(server->changes, changes + 10);
}
END_TEST

START_TEST(populate_keeps_to_the_limit_of_strings)
{
    ck_assert_int_eq(rig_config_set("proto-max-bulk-len", "1mb"), STATUS_OK);
    rig_ask(fd, "DEBUG POPULATE 1 k 1048576\r\n", "+OK\r\n");
    rig_ask(fd, "STRLEN k:0\r\n", ":1048576\r\n");
    rig_ask(fd, "DEBUG POPULATE 1 l 1048577\r\n",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    rig_ask(fd, "DBSIZE\r\n", ":1\r\n");
}
END_TEST

START_TEST(populate_without_memory)
{
    // Once, so that reading the request needs no memory any more.
    rig_ask(fd, "DEBUG POPULATE 0 k 1000000\r\n", "+OK\r\n");
    mem_fail_after(0);
    expect_line("DEBUG POPULATE 1 k 1000000\r\n", "^-OOM ");
    mem_fail_never();
    rig_ask(fd, "DBSIZE\r\n", ":0\r\n");
}
END_TEST

START_TEST(stringmatch_len)
{
    rig_ask(fd, "DEBUG STRINGMATCH-LEN 5 a*a\r\n", ":1\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN 5 aaaaa\r\n", ":1\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN 5 aaaa\r\n", ":0\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN 100000 *a*a*a*a*a*b\r\n", ":0\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN -1 a\r\n",
            "-ERR value is out of range, must be positive\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN x a\r\n",
            "-ERR value is not an integer or out of range\r\n");
    rig_ask(fd, "DEBUG STRINGMATCH-LEN 9223372036854775807 a\r\n",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}
END_TEST

START_TEST(active_expiry_can_be_switched_off)
{
    rig_ask(fd, "DEBUG SET-ACTIVE-EXPIRE 0\r\n", "+OK\r\n");
    ck_assert(server->keyspace->sweep_paused);
    rig_ask(fd, "DEBUG SET-ACTIVE-EXPIRE 1\r\n", "+OK\r\n");
    ck_assert(!server->keyspace->sweep_paused);
}
END_TEST

START_TEST(push_and_attribute)
{
    rig_ask(fd, "HELLO 3\r\n", "%7\r\n");
    rig_turns(3);
    char rest[4096];
    ck_assert_int_gt(recv(fd, rest, sizeof(rest), 0), 0);
    rig_ask(fd, "DEBUG PROTOCOL push\r\n", ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n");
    rig_expect(fd, "$40\r\nSome real reply following the push reply\r\n");
    rig_ask(fd, "DEBUG PROTOCOL attrib\r\n",
            "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
            "$39\r\nSome real reply following the attribute\r\n");
}
END_TEST

// The figures of all keys add up to what the server uses for them.
START_TEST(memory_usage_adds_up)
{
    // Once, so that the client has its buffers.
    rig_ask(fd, "DEBUG POPULATE 1 other 100\r\n", "+OK\r\n");
    rig_ask(fd, "FLUSHALL\r\n", "+OK\r\n");
    rig_turns(3);
    size_t before = mem_used();
    rig_ask(fd, "DEBUG POPULATE 2000 k 100\r\n", "+OK\r\n");
    rig_turns(3);
    double used = (double)(mem_used() - before);
    double sum = 0;
    char request[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(request, sizeof(request), "MEMORY USAGE k:%d\r\n", i);
        sum += (double)ask_int(request);
    }
    ck_assert_msg(sum > 0.97 * used && sum < 1.03 * used, "%.0f of %.0f", sum, used);
}
END_TEST

START_TEST(memory_usage_of_large_values)
{
    rig_ask(fd, "DEBUG POPULATE 1 k 1000000\r\n", "+OK\r\n");
    ck_assert_int_ge(ask_int("MEMORY USAGE k:0\r\n"), 1000000);
}
END_TEST

START_TEST(lolwut_draws_as_large_as_asked)
{
    rig_ask(fd, "LOLWUT VERSION 5 2 1\r\n", "$25\r\n");
    char text[27];
    rig_receive(fd, text, sizeof(text));
    ck_assert_int_eq(memcmp(text + 6, "\n\nRedis ver. 7.2.4\n\r\n", 21), 0);
    // No more than there is sense in, whatever is asked for.
    rig_ask(fd, "LOLWUT VERSION 6 9223372036854775807 9223372036854775807\r\n", "$38498\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("debug");
    TCase *tcase = tcase_create("debug");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, object_tells_the_length_in_a_file);
    tcase_add_test(tcase, populate_goes_to_nobody_else);
    tcase_add_test(tcase, populate_keeps_to_the_limit_of_strings);
    tcase_add_test(tcase, populate_without_memory);
    tcase_add_test(tcase, stringmatch_len);
    tcase_add_test(tcase, active_expiry_can_be_switched_off);
    tcase_add_test(tcase, push_and_attribute);
    tcase_add_test(tcase, memory_usage_adds_up);
    tcase_add_test(tcase, memory_usage_of_large_values);
    tcase_add_test(tcase, lolwut_draws_as_large_as_asked);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

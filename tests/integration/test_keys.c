// SPDX-License-Identifier: BSD-3-Clause
// Keys of any type: DEL UNLINK EXISTS TYPE RANDOMKEY DBSIZE KEYS FLUSHDB FLUSHALL, TIME, DEBUG.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

START_TEST(del_unlink_exists)
{
    redisContext *c = plain();
    expect_int(c, 0, "DEL a");
    expect_ok(c, "MSET a 1 b 2 c 3 d 4");
    expect_int(c, 3, "EXISTS a b nokey c");
    // A key named twice counts twice for EXISTS, and once for DEL.
    expect_int(c, 2, "EXISTS a a");
    expect_int(c, 1, "DEL a a");
    expect_int(c, 2, "UNLINK b x c");
    expect_int(c, 0, "UNLINK b");
    expect_int(c, 1, "DBSIZE");
    expect_int(c, 1, "EXISTS d");
    expect_error(c, "ERR wrong number of arguments for 'del' command", "DEL");
    expect_error(c, "ERR wrong number of arguments for 'unlink' command", "UNLINK");
    expect_error(c, "ERR wrong number of arguments for 'exists' command", "EXISTS");
}
END_TEST

START_TEST(type)
{
    redisContext *c = plain();
    expect_status(c, "none", "TYPE a");
    expect_ok(c, "SET a text");
    expect_status(c, "string", "TYPE a");
    expect_ok(c, "SET a 1");
    expect_status(c, "string", "TYPE a");
}
END_TEST

START_TEST(randomkey)
{
    enum { KEYS = 20 };
    bool seen[KEYS] = { false };
    int found = 0;
    redisContext *c = plain();
    expect_nil(c, "RANDOMKEY");
    client_fill(c, "", KEYS);
    for (struct deadline limit = deadline(); found < KEYS; deadline_wait(&limit)) {
        char name[16];
        client_text(c, name, sizeof(name), "RANDOMKEY");
        long i = strtol(name, NULL, 10);
        ck_assert_int_lt(i, KEYS);
        found += !seen[i];
        seen[i] = true;
    }
    expect_ok(c, "SELECT 1");
    expect_nil(c, "RANDOMKEY");
}
END_TEST

// A key that has expired is not picked, and does not make the command go in circles.
START_TEST(randomkey_and_expired_keys)
{
    redisContext *c = plain();
    expect_ok(c, "SET gone 1 PX 1");
    expect_ok(c, "SET here 1");
    for (struct deadline limit = deadline(); client_int(c, "EXISTS gone");)
        deadline_wait(&limit);
    for (int i = 0; i < 50; i++)
        expect_text(c, "here", "RANDOMKEY");
    for (int i = 0; i < 50; i++)
        expect_ok(c, "SET soon:%d 1 PX 20", i);
    expect_int(c, 1, "DEL here");
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "RANDOMKEY");
        bool none = reply->type == REDIS_REPLY_NIL;
        freeReplyObject(reply);
        if (none)
            break;
    }
}
END_TEST

// --- KEYS ---------------------------------------------------------------------------------------

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The names that match, sorted, are `want`.
static void expect_keys(redisContext *c, const char *pattern, const char *want)
{
    char got[256] = "";
    const char *names[32] = { NULL };
    size_t len = 0;
    redisReply *reply = client_ask(c, "KEYS %s", pattern);
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_le(reply->elements, sizeof(names) / sizeof(*names));
    for (size_t i = 0; i < reply->elements; i++)
        names[i] = reply->element[i]->str;
    qsort(names, reply->elements, sizeof(*names), compare_texts);
    for (size_t i = 0; i < reply->elements; i++)
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "", names[i]);
    ck_assert_msg(strcmp(got, want) == 0, "KEYS %s: wanted '%s', got '%s'", pattern, want, got);
    freeReplyObject(reply);
}

START_TEST(keys_patterns)
{
    redisContext *c = plain();
    expect_keys(c, "*", "");
    expect_ok(c, "MSET hallo 1 hello 1 hillo 1 hllo 1 heello 1 h*llo 1 HELLO 1 a[b 1 a\\b 1");
    expect_keys(c, "*", "HELLO a[b a\\b h*llo hallo heello hello hillo hllo");
    expect_keys(c, "h?llo", "h*llo hallo hello hillo");
    expect_keys(c, "h*llo", "h*llo hallo heello hello hillo hllo");
    expect_keys(c, "h[ae]llo", "hallo hello");
    expect_keys(c, "h[^e]llo", "h*llo hallo hillo");
    expect_keys(c, "h[a-b]llo", "hallo");
    expect_keys(c, "h\\*llo", "h*llo");
    expect_keys(c, "hello", "hello");
    expect_keys(c, "Hello", "");
    expect_keys(c, "nosuch*", "");
    expect_keys(c, "", "");
    expect_keys(c, "a\\[b", "a[b");
    expect_keys(c, "**********o", "h*llo hallo heello hello hillo hllo");
}
END_TEST

// A pattern that makes naive matchers take for ever.
START_TEST(hostile_pattern)
{
    char name[2001];
    char pattern[2001];
    redisContext *c = plain();
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i < sizeof(pattern) - 1; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof(pattern) - 2] = 'b';
    pattern[sizeof(pattern) - 1] = '\0';
    expect_ok(c, "SET %s 1", name);
    expect_keys(c, pattern, "");
    expect_list(c, "", "KEYS %s", pattern);
}
END_TEST

START_TEST(many_keys)
{
    enum { KEYS = 30000 };
    static bool seen[KEYS];
    redisContext *c = plain();
    client_fill(c, "key:", KEYS);
    expect_int(c, KEYS, "DBSIZE");
    redisReply *reply = client_ask(c, "KEYS *");
    ck_assert_uint_eq(reply->elements, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        long k = strtol(reply->element[i]->str + strlen("key:"), NULL, 10);
        ck_assert(!seen[k]);
        seen[k] = true;
    }
    freeReplyObject(reply);
    expect_ok(c, "FLUSHALL");
    expect_int(c, 0, "DBSIZE");
    expect_keys(c, "*", "");
    expect_nil(c, "GET key:1");
}
END_TEST

// --- Emptying -----------------------------------------------------------------------------------

START_TEST(flush)
{
    redisContext *c = plain();
    for (int i = 0; i < 3; i++) {
        expect_ok(c, "SELECT %d", i);
        client_fill(c, "key:", 100 * (i + 1));
    }
    expect_int(c, 300, "DBSIZE");
    expect_ok(c, "FLUSHDB");
    expect_int(c, 0, "DBSIZE");
    expect_ok(c, "SELECT 1");
    expect_int(c, 200, "DBSIZE");
    expect_ok(c, "FLUSHDB ASYNC");
    expect_int(c, 0, "DBSIZE");
    expect_ok(c, "SET again 1");
    expect_ok(c, "SELECT 0");
    expect_int(c, 100, "DBSIZE");
    expect_error(c, "ERR syntax error", "FLUSHALL FOO");
    expect_error(c, "ERR syntax error", "FLUSHDB ASYNC SYNC");
    expect_int(c, 100, "DBSIZE");
    expect_ok(c, "FLUSHALL sync");
    expect_int(c, 0, "DBSIZE");
    expect_ok(c, "SELECT 1");
    expect_int(c, 0, "DBSIZE");
    expect_ok(c, "FLUSHALL async");
    expect_ok(c, "SET a 1");
    expect_int(c, 1, "DBSIZE");
}
END_TEST

// --- The person's commands ----------------------------------------------------------------------

START_TEST(server_time)
{
    redisContext *c = plain();
    time_t before = time(NULL);
    redisReply *reply = client_ask(c, "TIME");
    time_t after = time(NULL);
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->elements, 2);
    ck_assert_int_eq(reply->element[0]->type, REDIS_REPLY_STRING);
    long long seconds = strtoll(reply->element[0]->str, NULL, 10);
    long long micros = strtoll(reply->element[1]->str, NULL, 10);
    ck_assert(seconds >= before && seconds <= after);
    ck_assert(micros >= 0 && micros < 1000000);
    freeReplyObject(reply);
    expect_error(c, "ERR wrong number of arguments for 'time' command", "TIME x");
}
END_TEST

START_TEST(debug_is_refused)
{
    expect_error(plain(),
                 "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                 "\"local\", you can run it from a local connection, otherwise you need to set "
                 "this option in the configuration file, and then restart the server.",
                 "DEBUG SLEEP 0");
    expect_error(plain(),
                 "ERR CONFIG SET failed (possibly related to argument 'enable-debug-command') - "
                 "can't set immutable config",
                 "CONFIG SET enable-debug-command yes");
}
END_TEST

START_TEST(debug_sleep)
{
    const char *words[] = { "yes", "local" };
    for (int i = 0; i < 2; i++) {
        struct test_server *server = server_start(SERVER_ARGS("--enable-debug-command", words[i]));
        redisContext *c = client_connect(server);
        long long begin_ms = monotonic_ms();
        expect_ok(c, "DEBUG SLEEP 0.2");
        ck_assert_int_ge(monotonic_ms() - begin_ms, 200);
        expect_ok(c, "DEBUG SLEEP 0");
        expect_error(c,
                     "ERR unknown subcommand or wrong number of arguments for 'FOO'. Try DEBUG "
                     "HELP.",
                     "DEBUG FOO");
        redisFree(c);
        server_stop(server);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("keys");
    TCase *tcase = plain_tcase(suite, "keys");
    tcase_add_test(tcase, del_unlink_exists);
    tcase_add_test(tcase, type);
    tcase_add_test(tcase, randomkey);
    tcase_add_test(tcase, randomkey_and_expired_keys);
    tcase_add_test(tcase, keys_patterns);
    tcase_add_test(tcase, hostile_pattern);
    tcase_add_test(tcase, many_keys);
    tcase_add_test(tcase, flush);
    tcase = plain_tcase(suite, "server");
    tcase_add_test(tcase, server_time);
    tcase_add_test(tcase, debug_is_refused);
    tcase = server_tcase(suite, "debug");
    tcase_add_test(tcase, debug_sleep);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

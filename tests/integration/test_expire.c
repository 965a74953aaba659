// SPDX-License-Identifier: BSD-3-Clause
// Times to live: EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL PERSIST, SET's options, the sweep.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_AN_INTEGER "ERR value is not an integer or out of range"

// The server's clock.
static long long server_ms(redisContext *c)
{
    redisReply *reply = client_ask(c, "TIME");
    long long ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                   strtoll(reply->element[1]->str, NULL, 10) / 1000;
    freeReplyObject(reply);
    return ms;
}

static void wait_until(redisContext *c, long long ms)
{
    for (struct deadline limit = deadline(); server_ms(c) < ms;)
        deadline_wait(&limit);
}

// --- Setting and asking -------------------------------------------------------------------------

START_TEST(ttl_and_pttl)
{
    redisContext *c = plain();
    expect_int(c, -2, "TTL a");
    expect_int(c, -2, "PTTL a");
    expect_ok(c, "SET a 1");
    expect_int(c, -1, "TTL a");
    expect_int(c, -1, "PTTL a");
    expect_int(c, 1, "EXPIRE a 100");
    expect_ttl(c, 100, "TTL a");
    long long left_ms = client_int(c, "PTTL a");
    ck_assert(left_ms > 70000 && left_ms <= 100000);
    expect_int(c, 1, "PEXPIRE a 50000");
    expect_ttl(c, 50, "TTL a");
    expect_text(c, "1", "GET a");
    expect_int(c, 0, "EXPIRE nokey 10");
    expect_int(c, 0, "PEXPIREAT nokey 10");
    expect_error(c, "ERR wrong number of arguments for 'ttl' command", "TTL a b");
    expect_error(c, "ERR wrong number of arguments for 'expire' command", "EXPIRE a");
}
END_TEST

START_TEST(absolute_times)
{
    redisContext *c = plain();
    long long now_s = server_ms(c) / 1000;
    expect_ok(c, "SET a 1");
    expect_int(c, 1, "EXPIREAT a %lld", now_s + 1000);
    long long left_s = client_int(c, "TTL a");
    ck_assert(left_s > 970 && left_s <= 1000);
    expect_int(c, 1, "PEXPIREAT a %lld", (now_s + 2000) * 1000);
    left_s = client_int(c, "TTL a");
    ck_assert(left_s > 1970 && left_s <= 2000);
    expect_ok(c, "SET b 1 EXAT %lld", now_s + 3000);
    left_s = client_int(c, "TTL b");
    ck_assert(left_s > 2970 && left_s <= 3000);
    expect_ok(c, "SET b 1 PXAT %lld", (now_s + 4000) * 1000);
    left_s = client_int(c, "TTL b");
    ck_assert(left_s > 3970 && left_s <= 4000);
    // As late as it gets.
    expect_int(c, 1, "PEXPIREAT a 9223372036854775807");
    ck_assert_int_gt(client_int(c, "PTTL a"), 9000000000000000000LL);
    expect_text(c, "1", "GET a");
}
END_TEST

START_TEST(persist_and_overwriting)
{
    redisContext *c = plain();
    expect_int(c, 0, "PERSIST a");
    expect_ok(c, "SET a 1 EX 100");
    expect_int(c, 1, "PERSIST a");
    expect_int(c, 0, "PERSIST a");
    expect_int(c, -1, "TTL a");
    expect_ok(c, "SET a 1 EX 100");
    expect_ok(c, "SET a 2 KEEPTTL");
    expect_ttl(c, 100, "TTL a");
    expect_ok(c, "SET a 3 XX KEEPTTL");
    expect_ttl(c, 100, "TTL a");
    expect_ok(c, "SET a 4");
    expect_int(c, -1, "TTL a");
    expect_ok(c, "SET new 1 KEEPTTL");
    expect_int(c, -1, "TTL new");
    // A key that was deleted does not give its time to the next of that name.
    expect_ok(c, "SET a 1 EX 100");
    expect_int(c, 1, "DEL a");
    expect_ok(c, "SET a 1 KEEPTTL");
    expect_int(c, -1, "TTL a");
    // Values of every size keep theirs.
    expect_ok(c, "SET a 1 EX 100");
    static char value[100001];
    memset(value, 'v', sizeof(value) - 1);
    for (size_t len = 1; len < sizeof(value); len *= 7) {
        expect_ok(c, "SET a %b KEEPTTL", value, len);
        expect_ttl(c, 100, "TTL a");
    }
}
END_TEST

START_TEST(expire_options)
{
    redisContext *c = plain();
    expect_ok(c, "SET a 1");
    expect_int(c, 0, "EXPIRE a 100 XX");
    // Without a time to live a key lives for ever, which is longer than any time.
    expect_int(c, 0, "EXPIRE a 100 GT");
    expect_int(c, -1, "TTL a");
    expect_int(c, 1, "EXPIRE a 100 LT");
    expect_ttl(c, 100, "TTL a");
    expect_int(c, 0, "EXPIRE a 200 NX");
    expect_int(c, 0, "EXPIRE a 50 GT");
    expect_int(c, 0, "EXPIRE a 200 LT");
    expect_ttl(c, 100, "TTL a");
    expect_int(c, 1, "EXPIRE a 200 gt");
    expect_ttl(c, 200, "TTL a");
    expect_int(c, 1, "EXPIRE a 150 lt");
    expect_ttl(c, 150, "TTL a");
    expect_int(c, 1, "EXPIRE a 300 XX");
    expect_int(c, 1, "EXPIRE a 400 XX GT");
    expect_int(c, 0, "EXPIRE a 300 XX GT");
    expect_int(c, 1, "EXPIRE a 300 XX LT");
    expect_ttl(c, 300, "TTL a");
    expect_int(c, 1, "PERSIST a");
    expect_int(c, 1, "PEXPIRE a 70000 NX NX");
    expect_ttl(c, 70, "TTL a");
}
END_TEST

START_TEST(expire_errors)
{
    redisContext *c = plain();
    const char *nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
    const char *gt = "ERR GT and LT options at the same time are not compatible";
    const char *invalid = "ERR invalid expire time in 'expire' command";
    expect_ok(c, "SET a 1 EX 100");
    expect_error(c, nx, "EXPIRE a 10 NX XX");
    expect_error(c, nx, "EXPIRE a 10 GT NX");
    expect_error(c, nx, "EXPIRE a 10 NX LT");
    expect_error(c, gt, "EXPIRE a 10 GT LT");
    expect_error(c, "ERR Unsupported option FOO", "EXPIRE a 10 FOO");
    expect_error(c, "ERR Unsupported option FOO", "EXPIRE a x FOO");
    expect_error(c, NOT_AN_INTEGER, "EXPIRE a x");
    expect_error(c, NOT_AN_INTEGER, "EXPIRE a 1.5");
    expect_error(c, NOT_AN_INTEGER, "EXPIRE a %s", "");
    expect_error(c, NOT_AN_INTEGER, "EXPIRE a 9223372036854775808");
    expect_error(c, invalid, "EXPIRE a 9223372036854775807");
    expect_error(c, invalid, "EXPIRE a 9223372036854775");
    expect_error(c, invalid, "EXPIRE a -9223372036854775807");
    expect_error(c, "ERR invalid expire time in 'pexpire' command",
                 "PEXPIRE a 9223372036854775807");
    expect_error(c, "ERR invalid expire time in 'expireat' command",
                 "EXPIREAT a 9223372036854775807");
    expect_ttl(c, 100, "TTL a");
}
END_TEST

// A time that is over deletes the key at once.
START_TEST(times_in_the_past)
{
    redisContext *c = plain();
    const char *commands[] = { "EXPIRE a 0",   "EXPIRE a -1",   "PEXPIRE a -1",  "EXPIREAT a 1",
                               "EXPIREAT a 0", "EXPIREAT a -5", "PEXPIREAT a 1", "EXPIRE a -1 LT" };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        expect_ok(c, "SET a 1");
        expect_int(c, 1, commands[i]);
        expect_int(c, 0, "EXISTS a");
        expect_int(c, 0, "DBSIZE");
    }
    // Unless the condition does not hold.
    expect_ok(c, "SET a 1 EX 100");
    expect_int(c, 0, "EXPIRE a -1 NX");
    expect_int(c, 0, "EXPIRE a -1 GT");
    expect_ttl(c, 100, "TTL a");
    expect_ok(c, "SET a 1 PXAT 1");
    expect_nil(c, "GET a");
    expect_int(c, 0, "DBSIZE");
    expect_nil(c, "SET b 1 EXAT 1 GET");
    expect_int(c, 0, "EXISTS b");
}
END_TEST

// --- Exactness ----------------------------------------------------------------------------------

// A key is there before its time by the server's own clock, and gone from then on.
START_TEST(exact_on_access)
{
    redisContext *c = plain();
    bool gone = false;
    long long at_ms = server_ms(c) + 150;
    expect_ok(c, "SET a 1 PXAT %lld", at_ms);
    while (!gone) {
        long long before_ms = server_ms(c);
        redisReply *reply = client_ask(c, "GET a");
        long long after_ms = server_ms(c);
        gone = reply->type == REDIS_REPLY_NIL;
        ck_assert_msg(gone || before_ms <= at_ms, "there %lld ms late", before_ms - at_ms);
        ck_assert_msg(!gone || after_ms >= at_ms, "gone %lld ms early", at_ms - after_ms);
        freeReplyObject(reply);
    }
}
END_TEST

// To no command is an expired key there.
START_TEST(expired_keys_are_gone_for_all)
{
    redisContext *c = plain();
    long long at_ms = server_ms(c) + 60;
    for (int i = 0; i < 20; i++)
        expect_ok(c, "SET k%d 5 PXAT %lld", i, at_ms);
    wait_until(c, at_ms + 1);
    expect_int(c, 0, "EXISTS k0 k0");
    expect_status(c, "none", "TYPE k1");
    expect_int(c, -2, "TTL k2");
    expect_int(c, 0, "STRLEN k3");
    expect_ok(c, "SET here 1");
    expect_list(c, "(nil) 1", "MGET k4 here");
    expect_list(c, "here", "KEYS *");
    expect_text(c, "here", "RANDOMKEY");
    redisReply *reply = client_ask(c, "SCAN 0 COUNT 1000");
    ck_assert_uint_eq(reply->element[1]->elements, 1);
    freeReplyObject(reply);
}
END_TEST

START_TEST(expired_keys_and_writes)
{
    redisContext *c = plain();
    long long at_ms = server_ms(c) + 60;
    for (int i = 0; i < 20; i++)
        expect_ok(c, "SET k%d 5 PXAT %lld", i, at_ms);
    wait_until(c, at_ms + 1);
    expect_int(c, 1, "INCR k0");
    expect_int(c, -1, "TTL k0");
    expect_int(c, 1, "APPEND k1 x");
    expect_int(c, -1, "TTL k1");
    expect_int(c, 1, "SETNX k2 new");
    expect_ok(c, "SET k3 new NX");
    expect_nil(c, "SET k4 new XX");
    expect_nil(c, "SET k5 new GET");
    expect_ok(c, "SET k6 new KEEPTTL");
    expect_int(c, -1, "TTL k6");
    expect_nil(c, "GETDEL k7");
    expect_int(c, 0, "DEL k8 k9");
    expect_int(c, 0, "EXPIRE k10 100");
    expect_int(c, 0, "PERSIST k11");
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") != 6;)
        deadline_wait(&limit);
    ck_assert_int_eq(server_info(plain_server(), "expired_keys"), 20);
}
END_TEST

// --- The sweep ----------------------------------------------------------------------------------

// Sets `count` keys that expire `ms` from now, pipelined.
static void fill_expiring(redisContext *c, const char *prefix, int count, int ms)
{
    for (int i = 0; i < count; i++)
        redisAppendCommand(c, "SET %s%d %d PX %d", prefix, i, i, ms + i % 100);
    for (int i = 0; i < count; i++) {
        redisReply *reply = client_next(c);
        ck_assert_str_eq(reply->str, "OK");
        freeReplyObject(reply);
    }
}

START_TEST(sweep_removes_what_nobody_asks_for)
{
    redisContext *c = plain();
    client_fill(c, "stays:", 5000);
    fill_expiring(c, "goes:", 5000, 300);
    expect_ok(c, "SELECT 9");
    fill_expiring(c, "goes:", 3000, 300);
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > 0;)
        deadline_wait(&limit);
    expect_ok(c, "SELECT 0");
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > 5000;)
        deadline_wait(&limit);
    expect_int(c, 5000, "DBSIZE");
    ck_assert_int_eq(server_info(plain_server(), "expired_keys"), 8000);
}
END_TEST

// Many keys that are far from their time do not hide the few that are due.
START_TEST(sweep_among_many)
{
    const int many = 100000;
    const int few = 1000;
    redisContext *c = plain();
    fill_expiring(c, "far:", many, 3600000);
    fill_expiring(c, "near:", few, 200);
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > many;)
        deadline_wait(&limit);
    expect_int(c, many, "DBSIZE");
    ck_assert_int_eq(server_info(plain_server(), "expired_keys"), few);
}
END_TEST

// Keys whose time changes before it comes follow the last one.
START_TEST(sweep_follows_changes)
{
    redisContext *c = plain();
    fill_expiring(c, "longer:", 100, 200);
    fill_expiring(c, "shorter:", 100, 3600000);
    fill_expiring(c, "kept:", 100, 200);
    for (int i = 0; i < 100; i++) {
        expect_int(c, 1, "EXPIRE longer:%d 3600", i);
        expect_int(c, 1, "PEXPIRE shorter:%d 100", i);
        expect_int(c, 1, "PERSIST kept:%d", i);
    }
    wait_until(c, server_ms(c) + 500);
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > 200;)
        deadline_wait(&limit);
    for (int i = 0; i < 100; i++) {
        expect_int(c, 1, "EXISTS longer:%d", i);
        expect_int(c, 1, "EXISTS kept:%d", i);
    }
    expect_int(c, 200, "DBSIZE");
}
END_TEST

// What is due all at once is deleted in slices: others are served meanwhile, and nothing is left.
START_TEST(sweep_of_a_burst)
{
    const int burst = 50000;
    redisContext *c = plain();
    fill_expiring(c, "stays:", 1000, 3600000);
    expect_ok(c, "CONFIG RESETSTAT");
    fill_expiring(c, "burst:", burst, 1500);
    for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > 1000;) {
        expect_int(c, 1, "EXISTS stays:7");
        deadline_wait(&limit);
    }
    ck_assert_int_eq(server_info(plain_server(), "expired_keys"), burst);
    long long p50_ms = server_info(plain_server(), "expire_lag_p50_ms");
    ck_assert_int_ge(p50_ms, 0);
    ck_assert_int_ge(server_info(plain_server(), "expire_lag_p99_ms"), p50_ms);
}
END_TEST

// The sweep has to come earlier than it thought, for what was set last.
START_TEST(sweep_comes_for_the_nearest)
{
    redisContext *c = plain();
    fill_expiring(c, "far:", 10, 3600000);
    for (int i = 0; i < 5; i++) {
        expect_ok(c, "SET near %d PX 30", i);
        for (struct deadline limit = deadline(); client_int(c, "DBSIZE") > 10;)
            deadline_wait(&limit);
    }
    expect_int(c, 10, "DBSIZE");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("expire");
    TCase *tcase = plain_tcase(suite, "commands");
    tcase_add_test(tcase, ttl_and_pttl);
    tcase_add_test(tcase, absolute_times);
    tcase_add_test(tcase, persist_and_overwriting);
    tcase_add_test(tcase, expire_options);
    tcase_add_test(tcase, expire_errors);
    tcase_add_test(tcase, times_in_the_past);
    tcase = plain_tcase(suite, "access");
    tcase_add_test(tcase, exact_on_access);
    tcase_add_test(tcase, expired_keys_are_gone_for_all);
    tcase_add_test(tcase, expired_keys_and_writes);
    tcase = plain_tcase(suite, "sweep");
    tcase_add_test(tcase, sweep_removes_what_nobody_asks_for);
    tcase_add_test(tcase, sweep_among_many);
    tcase_add_test(tcase, sweep_follows_changes);
    tcase_add_test(tcase, sweep_of_a_burst);
    tcase_add_test(tcase, sweep_comes_for_the_nearest);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

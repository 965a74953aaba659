// SPDX-License-Identifier: BSD-3-Clause
// Strings: SET and its options, GET GETDEL SETEX PSETEX SETNX MGET MSET INCR DECR APPEND STRLEN.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_AN_INTEGER "ERR value is not an integer or out of range"
#define WOULD_OVERFLOW "ERR increment or decrement would overflow"

// --- SET and GET --------------------------------------------------------------------------------

START_TEST(set_and_get)
{
    redisContext *c = plain();
    expect_nil(c, "GET a");
    expect_ok(c, "SET a 1");
    expect_text(c, "1", "GET a");
    expect_ok(c, "SET a %s", "some longer text that replaces a number");
    expect_text(c, "some longer text that replaces a number", "GET a");
    expect_ok(c, "SET a %s", "");
    expect_text(c, "", "GET a");
    expect_ok(c, "SET %s empty-key", "");
    expect_text(c, "empty-key", "GET %s", "");
    expect_int(c, 2, "DBSIZE");
    expect_error(c, "ERR wrong number of arguments for 'set' command", "SET a");
    expect_error(c, "ERR wrong number of arguments for 'get' command", "GET");
    expect_error(c, "ERR wrong number of arguments for 'get' command", "GET a b");
}
END_TEST

// Values that could be mistaken for numbers come back byte for byte.
START_TEST(values_keep_their_bytes)
{
    const char *values[] = { "0",
                             "-0",
                             "00",
                             "007",
                             "+1",
                             " 1",
                             "1 ",
                             "-1",
                             "9223372036854775807",
                             "9223372036854775808",
                             "-9223372036854775808",
                             "-9223372036854775809",
                             "18446744073709551615",
                             "1e3",
                             "1.0",
                             "0x10",
                             "nan",
                             "-",
                             "" };
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        expect_ok(c, "SET v %s", values[i]);
        expect_text(c, values[i], "GET v");
        expect_int(c, (long long)strlen(values[i]), "STRLEN v");
    }
}
END_TEST

// Lengths around every encoding's edge, with every byte value.
START_TEST(values_of_all_lengths)
{
    static char value[40000];
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (char)(i * 7);
    for (size_t len = 0; len < sizeof(value); len += len < 600 ? 1 : 1031) {
        redisReply *reply = client_ask(c, "SET key:%d %b", (int)(len % 10), value, len);
        ck_assert_str_eq(reply->str, "OK");
        freeReplyObject(reply);
        reply = client_ask(c, "GET key:%d", (int)(len % 10));
        ck_assert_uint_eq(reply->len, len);
        ck_assert_mem_eq(reply->str, value, len);
        freeReplyObject(reply);
        expect_int(c, (long long)len, "STRLEN key:%d", (int)(len % 10));
    }
}
END_TEST

START_TEST(binary_and_long_keys)
{
    static char key[70000];
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (char)(i % 256);
    const size_t lengths[] = { 1, 255, 256, 257, 4096, 65535, 65536, sizeof(key) };
    const int count = sizeof(lengths) / sizeof(*lengths);
    for (int i = 0; i < count; i++) {
        redisReply *reply = client_ask(c, "SET %b %d", key, lengths[i], i);
        ck_assert_str_eq(reply->str, "OK");
        freeReplyObject(reply);
    }
    expect_int(c, count, "DBSIZE");
    for (int i = 0; i < count; i++) {
        redisReply *reply = client_ask(c, "GET %b", key, lengths[i]);
        ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
        ck_assert_int_eq(strtol(reply->str, NULL, 10), i);
        freeReplyObject(reply);
        reply = client_ask(c, "DEL %b", key, lengths[i]);
        ck_assert_int_eq(reply->integer, 1);
        freeReplyObject(reply);
    }
    expect_int(c, 0, "DBSIZE");
}
END_TEST

START_TEST(set_conditions)
{
    redisContext *c = plain();
    expect_nil(c, "SET a 1 XX");
    expect_int(c, 0, "EXISTS a");
    expect_ok(c, "SET a 1 NX");
    expect_nil(c, "SET a 2 NX");
    expect_text(c, "1", "GET a");
    expect_ok(c, "SET a 3 xx");
    expect_text(c, "3", "GET a");
    expect_ok(c, "SET a 4 XX XX");
    expect_error(c, "ERR syntax error", "SET a 5 NX XX");
    expect_error(c, "ERR syntax error", "SET a 5 XX NX");
    expect_error(c, "ERR syntax error", "SET a 5 FOO");
    expect_error(c, "ERR syntax error", "SET a 5 PERSIST");
    expect_text(c, "4", "GET a");
}
END_TEST

START_TEST(set_get)
{
    redisContext *c = plain();
    expect_nil(c, "SET a 1 GET");
    expect_text(c, "1", "SET a 2 GET");
    expect_text(c, "2", "GET a");
    // With NX and GET together the old value is told, and kept.
    expect_text(c, "2", "SET a 3 NX GET");
    expect_text(c, "2", "GET a");
    expect_nil(c, "SET b 1 NX GET");
    expect_text(c, "1", "GET b");
    expect_text(c, "1", "SET b 2 GET XX");
    expect_text(c, "2", "GET b");
    expect_nil(c, "SET c 1 XX GET");
    expect_int(c, 0, "EXISTS c");
    expect_text(c, "2", "SET b 3 EX 100 GET GET");
    expect_ttl(c, 100, "TTL b");
}
END_TEST

// A large value is sent from where it lies: what replaces or removes it at the same moment must not
// change what was asked for.
START_TEST(old_values_outlive_their_key)
{
    enum { LEN = 100000 };
    static char value[LEN + 1];
    char head[16];
    int fd = raw_connect(plain_server());
    memset(value, 'v', LEN);
    for (int i = 0; i < 2; i++) {
        expect_ok(plain(), "SET a %s", value);
        raw_text(fd, i ? "GET a\r\nGETDEL a\r\nGET a\r\n" : "GET a\r\nSET a x GET\r\nGET a\r\n");
        for (int k = 0; k < 2; k++) {
            raw_line(fd, head, sizeof(head));
            ck_assert_str_eq(head, "$100000");
            raw_expect_bytes(fd, value, LEN);
            raw_expect(fd, "\r\n");
        }
        raw_expect(fd, i ? "$-1\r\n" : "$1\r\nx\r\n");
    }
    close(fd);
}
END_TEST

START_TEST(set_expiry_options)
{
    redisContext *c = plain();
    const char *invalid = "ERR invalid expire time in 'set' command";
    expect_ok(c, "SET a 1 EX 100");
    expect_ttl(c, 100, "TTL a");
    expect_ok(c, "SET a 1 PX 200000");
    expect_ttl(c, 200, "TTL a");
    expect_ok(c, "SET a 1");
    expect_int(c, -1, "TTL a");
    expect_error(c, invalid, "SET a 2 EX 0");
    expect_error(c, invalid, "SET a 2 EX -1");
    expect_error(c, invalid, "SET a 2 PXAT 0");
    expect_error(c, invalid, "SET a 2 EX 9223372036854775807");
    expect_error(c, invalid, "SET a 2 EX 9223372036854775");
    expect_error(c, invalid, "SET a 2 PX 9223372036854775807");
    expect_error(c, invalid, "SET a 2 EXAT 9223372036854775807");
    expect_error(c, NOT_AN_INTEGER, "SET a 2 EX x");
    expect_error(c, NOT_AN_INTEGER, "SET a 2 PX 1.5");
    expect_error(c, "ERR syntax error", "SET a 2 EX");
    expect_error(c, "ERR syntax error", "SET a 2 EX 10 PX 10");
    expect_error(c, "ERR syntax error", "SET a 2 EXAT 10 EX 10");
    expect_error(c, "ERR syntax error", "SET a 2 KEEPTTL EX 10");
    expect_error(c, "ERR syntax error", "SET a 2 EX 10 KEEPTTL");
    expect_text(c, "1", "GET a");
    // The same option twice is no error: the last one counts.
    expect_ok(c, "SET a 2 EX 10 EX 200");
    expect_ttl(c, 200, "TTL a");
}
END_TEST

// --- The older ones -----------------------------------------------------------------------------

START_TEST(setex_and_psetex)
{
    redisContext *c = plain();
    expect_ok(c, "SETEX a 100 v");
    expect_text(c, "v", "GET a");
    expect_ttl(c, 100, "TTL a");
    expect_ok(c, "PSETEX a 50000 w");
    expect_ttl(c, 50, "TTL a");
    expect_error(c, "ERR invalid expire time in 'setex' command", "SETEX a 0 v");
    expect_error(c, "ERR invalid expire time in 'setex' command", "SETEX a -5 v");
    expect_error(c, "ERR invalid expire time in 'psetex' command", "PSETEX a 0 v");
    expect_error(c, "ERR invalid expire time in 'setex' command", "SETEX a 9223372036854775807 v");
    expect_error(c, NOT_AN_INTEGER, "SETEX a x v");
    expect_error(c, "ERR wrong number of arguments for 'setex' command", "SETEX a 10");
    expect_text(c, "w", "GET a");
}
END_TEST

START_TEST(setnx_and_getdel)
{
    redisContext *c = plain();
    expect_int(c, 1, "SETNX a 1");
    expect_int(c, 0, "SETNX a 2");
    expect_text(c, "1", "GETDEL a");
    expect_nil(c, "GETDEL a");
    expect_int(c, 0, "EXISTS a");
    expect_ok(c, "SET a 1 EX 100");
    expect_int(c, 0, "SETNX a 2");
    expect_ttl(c, 100, "TTL a");
}
END_TEST

START_TEST(mget_and_mset)
{
    redisContext *c = plain();
    expect_list(c, "(nil) (nil)", "MGET a b");
    expect_ok(c, "MSET a 1 b 2 c 3");
    expect_list(c, "1 (nil) 3 1 2", "MGET a x c a b");
    // Of a key named twice, the last value stays; a time to live does not.
    expect_int(c, 1, "EXPIRE a 100");
    expect_ok(c, "MSET a 5 a 6");
    expect_list(c, "6", "MGET a");
    expect_int(c, -1, "TTL a");
    expect_error(c, "ERR wrong number of arguments for 'mset' command", "MSET a 1 b");
    expect_error(c, "ERR wrong number of arguments for 'mset' command", "MSET a");
    expect_error(c, "ERR wrong number of arguments for 'mget' command", "MGET");
    expect_list(c, "6 2", "MGET a b");
}
END_TEST

// More keys in one command than a batch holds.
START_TEST(thousands_of_keys_in_one_command)
{
    enum { KEYS = 5000 };
    static char text[KEYS * 2 + 1][24];
    static const char *argv[KEYS * 2 + 1];
    redisContext *c = plain();
    for (int i = 0; i < KEYS; i++) {
        snprintf(text[2 * i + 1], sizeof(text[0]), "key:%d", i);
        snprintf(text[2 * i + 2], sizeof(text[0]), "%d", i);
    }
    argv[0] = "MSET";
    for (int i = 1; i <= 2 * KEYS; i++)
        argv[i] = text[i];
    redisReply *reply = redisCommandArgv(c, 2 * KEYS + 1, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    ck_assert_str_eq(reply->str, "OK");
    freeReplyObject(reply);
    expect_int(c, KEYS, "DBSIZE");

    for (int i = 0; i < KEYS; i++)
        argv[i + 1] = text[2 * i + 1];
    argv[0] = "MGET";
    reply = redisCommandArgv(c, KEYS + 1, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    ck_assert_uint_eq(reply->elements, KEYS);
    for (int i = 0; i < KEYS; i++)
        ck_assert_int_eq(strtol(reply->element[i]->str, NULL, 10), i);
    freeReplyObject(reply);

    argv[0] = "DEL";
    reply = redisCommandArgv(c, KEYS + 1, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->integer, KEYS);
    freeReplyObject(reply);
    expect_int(c, 0, "DBSIZE");
}
END_TEST

// --- Numbers ------------------------------------------------------------------------------------

START_TEST(counters)
{
    redisContext *c = plain();
    expect_int(c, 1, "INCR n");
    expect_int(c, 2, "INCR n");
    expect_int(c, 12, "INCRBY n 10");
    expect_int(c, 7, "INCRBY n -5");
    expect_int(c, 6, "DECR n");
    expect_int(c, -94, "DECRBY n 100");
    expect_int(c, 6, "DECRBY n -100");
    expect_text(c, "6", "GET n");
    expect_int(c, -1, "DECR other");
    expect_error(c, NOT_AN_INTEGER, "INCRBY n x");
    expect_error(c, NOT_AN_INTEGER, "INCRBY n 9223372036854775808");
    expect_error(c, NOT_AN_INTEGER, "INCRBY n 1.5");
    expect_error(c, NOT_AN_INTEGER, "DECRBY n %s", "");
    expect_text(c, "6", "GET n");
    // The time to live stays.
    expect_int(c, 1, "EXPIRE n 100");
    expect_int(c, 7, "INCR n");
    expect_ttl(c, 100, "TTL n");
}
END_TEST

START_TEST(counter_bounds)
{
    redisContext *c = plain();
    expect_ok(c, "SET n 9223372036854775806");
    expect_int(c, 9223372036854775807LL, "INCR n");
    expect_error(c, WOULD_OVERFLOW, "INCR n");
    expect_error(c, WOULD_OVERFLOW, "INCRBY n 9223372036854775807");
    expect_text(c, "9223372036854775807", "GET n");
    expect_int(c, -1, "INCRBY n -9223372036854775808");
    expect_ok(c, "SET n -9223372036854775808");
    expect_error(c, WOULD_OVERFLOW, "DECR n");
    expect_error(c, "ERR decrement would overflow", "DECRBY n -9223372036854775808");
    expect_text(c, "-9223372036854775808", "GET n");
}
END_TEST

START_TEST(counters_on_texts)
{
    const char *texts[] = { "abc", " 1", "1 ",  "01",  "-0",
                            "+1",  "",   "1.0", "0x1", "9223372036854775808" };
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        expect_ok(c, "SET t %s", texts[i]);
        expect_error(c, NOT_AN_INTEGER, "INCR t");
        expect_text(c, texts[i], "GET t");
    }
}
END_TEST

// --- APPEND and STRLEN --------------------------------------------------------------------------

START_TEST(append_and_strlen)
{
    redisContext *c = plain();
    expect_int(c, 0, "STRLEN a");
    expect_int(c, 1, "APPEND a x");
    expect_int(c, 1, "APPEND a %s", "");
    expect_int(c, 3, "APPEND a yz");
    expect_text(c, "xyz", "GET a");
    expect_int(c, 3, "STRLEN a");
    // To a number, which is then a number again.
    expect_ok(c, "SET n 12");
    expect_int(c, 3, "APPEND n 3");
    expect_text(c, "123", "GET n");
    expect_int(c, 124, "INCR n");
    expect_int(c, 0, "APPEND empty %s", "");
    expect_int(c, 1, "EXISTS empty");
    expect_int(c, 1, "EXPIRE a 100");
    expect_int(c, 4, "APPEND a !");
    expect_ttl(c, 100, "TTL a");
}
END_TEST

// Grows through every encoding, checked against what it should be.
START_TEST(append_grows)
{
    static char want[60001];
    redisContext *c = plain();
    size_t len = 0;
    for (int i = 0; len < sizeof(want) - 200; i++) {
        char piece[128];
        int piece_len = snprintf(piece, sizeof(piece), "%d,", i * 7919);
        if (i % 10 == 0)
            piece_len = snprintf(piece, sizeof(piece), "%0100d,", i);
        memcpy(want + len, piece, (size_t)piece_len);
        len += (size_t)piece_len;
        want[len] = '\0';
        expect_int(c, (long long)len, "APPEND a %s", piece);
        if (i % 50 == 0)
            expect_text(c, want, "GET a");
    }
    expect_text(c, want, "GET a");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("strings");
    TCase *tcase = plain_tcase(suite, "set");
    tcase_add_test(tcase, set_and_get);
    tcase_add_test(tcase, values_keep_their_bytes);
    tcase_add_test(tcase, values_of_all_lengths);
    tcase_add_test(tcase, binary_and_long_keys);
    tcase_add_test(tcase, set_conditions);
    tcase_add_test(tcase, set_get);
    tcase_add_test(tcase, old_values_outlive_their_key);
    tcase_add_test(tcase, set_expiry_options);
    tcase = plain_tcase(suite, "others");
    tcase_add_test(tcase, setex_and_psetex);
    tcase_add_test(tcase, setnx_and_getdel);
    tcase_add_test(tcase, mget_and_mset);
    tcase_add_test(tcase, thousands_of_keys_in_one_command);
    tcase = plain_tcase(suite, "numbers");
    tcase_add_test(tcase, counters);
    tcase_add_test(tcase, counter_bounds);
    tcase_add_test(tcase, counters_on_texts);
    tcase = plain_tcase(suite, "append");
    tcase_add_test(tcase, append_and_strlen);
    tcase_add_test(tcase, append_grows);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

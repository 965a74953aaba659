// SPDX-License-Identifier: BSD-3-Clause
// SCAN: its guarantee while the keyspace changes between the calls, MATCH, COUNT, TYPE, its cursor.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS_MAX 200000

// Some clients keep a cursor in a double.
#define CURSOR_LIMIT (1ULL << 48)

// Which of the keys "<prefix><number>" were returned, and how often.
struct walk {
    const char *prefix;
    unsigned char *seen;
    int calls;
    size_t returned;
    unsigned long long cursor;
};

static void walk_begin(struct walk *walk, const char *prefix)
{
    *walk = (struct walk){ .prefix = prefix, .seen = calloc(KEYS_MAX, 1) };
    ck_assert_ptr_nonnull(walk->seen);
}

static void walk_end(struct walk *walk)
{
    free(walk->seen);
}

static void note_key(struct walk *walk, const char *key)
{
    walk->returned++;
    size_t len = strlen(walk->prefix);
    if (strncmp(key, walk->prefix, len) != 0)
        return;
    long i = strtol(key + len, NULL, 10);
    // An assertion of Check's costs a write of its own: too much for each key.
    if (i < 0 || i >= KEYS_MAX)
        ck_abort_msg("a key that was never set: %s", key);
    if (walk->seen[i] < UINT8_MAX)
        walk->seen[i]++;
}

// One call of SCAN; false when the walk is complete. `options` may be empty.
static bool walk_step(struct walk *walk, redisContext *c, const char *options)
{
    char command[128];
    char *end;
    snprintf(command, sizeof(command), "SCAN %llu %s", walk->cursor, options);
    redisReply *reply = client_ask(c, command);
    ck_assert_msg(reply->type == REDIS_REPLY_ARRAY && reply->elements == 2, "%s: %s", command,
                  reply->str ? reply->str : "a wrong shape");
    ck_assert_int_eq(reply->element[0]->type, REDIS_REPLY_STRING);
    ck_assert_int_eq(reply->element[1]->type, REDIS_REPLY_ARRAY);
    walk->cursor = strtoull(reply->element[0]->str, &end, 10);
    ck_assert_int_eq(*end, '\0');
    ck_assert(walk->cursor < CURSOR_LIMIT);
    for (size_t i = 0; i < reply->element[1]->elements; i++)
        note_key(walk, reply->element[1]->element[i]->str);
    freeReplyObject(reply);
    walk->calls++;
    return walk->cursor != 0;
}

static void walk_all(struct walk *walk, redisContext *c, const char *options)
{
    while (walk_step(walk, c, options))
        ck_assert_int_lt(walk->calls, 1000000);
}

// Keys `from` to `to` - 1 were returned: at least once, or exactly once.
static void check_seen(const struct walk *walk, int from, int to, bool once)
{
    for (int i = from; i < to; i++) {
        if (once ? walk->seen[i] != 1 : walk->seen[i] == 0)
            ck_abort_msg("%s%d was returned %d times", walk->prefix, i, walk->seen[i]);
    }
}

// Sets or deletes keys `from` to `to` - 1, pipelined.
static void change(redisContext *c, bool set, const char *prefix, int from, int to)
{
    for (int i = from; i < to; i++)
        redisAppendCommand(c, set ? "SET %s%d v" : "DEL %s%d", prefix, i);
    for (int i = from; i < to; i++)
        freeReplyObject(client_next(c));
}

// --- Nothing changes ----------------------------------------------------------------------------

START_TEST(empty_database)
{
    int fd = raw_connect(plain_server());
    raw_ask(fd, "SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    raw_ask(fd, "SET a 1", "+OK\r\n");
    raw_ask(fd, "SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n");
    raw_ask(fd, "SELECT 1", "+OK\r\n");
    raw_ask(fd, "SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    close(fd);
}
END_TEST

START_TEST(every_key_once)
{
    const int sizes[] = { 1, 7, 13, 100, 1000, 5000 };
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct walk walk;
        walk_begin(&walk, "key:");
        client_fill(c, "key:", sizes[i]);
        walk_all(&walk, c, i % 2 ? "COUNT 10" : "");
        ck_assert_uint_eq(walk.returned, (size_t)sizes[i]);
        check_seen(&walk, 0, sizes[i], true);
        walk_end(&walk);
    }
}
END_TEST

START_TEST(hundred_thousand_keys)
{
    const int count = 100000;
    redisContext *c = plain();
    struct walk walk;
    walk_begin(&walk, "key:");
    client_fill(c, "key:", count);
    walk_all(&walk, c, "COUNT 100");
    ck_assert_uint_eq(walk.returned, (size_t)count);
    check_seen(&walk, 0, count, true);
    // COUNT is about what a call returns.
    ck_assert_int_lt(walk.calls, 2 * count / 100);
    ck_assert_int_gt(walk.calls, count / 100 / 4);
    walk_end(&walk);

    walk_begin(&walk, "key:");
    walk_all(&walk, c, "COUNT 1000000");
    ck_assert_int_eq(walk.calls, 1);
    ck_assert_uint_eq(walk.returned, (size_t)count);
    walk_end(&walk);
}
END_TEST

// One call does a bounded amount of work, also when nothing matches.
START_TEST(sparse_database)
{
    const int count = 50000;
    redisContext *c = plain();
    struct walk walk;
    walk_begin(&walk, "key:");
    client_fill(c, "key:", count);
    change(c, false, "key:", 3, count);
    walk_all(&walk, c, "COUNT 10");
    ck_assert_uint_eq(walk.returned, 3);
    check_seen(&walk, 0, 3, true);
    walk_end(&walk);
}
END_TEST

// --- Options ------------------------------------------------------------------------------------

START_TEST(match)
{
    redisContext *c = plain();
    struct walk walk;
    client_fill(c, "user:", 1000);
    client_fill(c, "item:", 1000);
    walk_begin(&walk, "user:");
    walk_all(&walk, c, "MATCH user:*");
    ck_assert_uint_eq(walk.returned, 1000);
    check_seen(&walk, 0, 1000, true);
    // COUNT counts what is looked at, not what matches.
    ck_assert_int_gt(walk.calls, 100);
    walk_end(&walk);

    walk_begin(&walk, "item:");
    walk_all(&walk, c, "COUNT 50 MATCH item:1?[05]");
    ck_assert_uint_eq(walk.returned, 20);
    walk_end(&walk);

    walk_begin(&walk, "");
    walk_all(&walk, c, "MATCH nosuch");
    ck_assert_uint_eq(walk.returned, 0);
    walk_end(&walk);
}
END_TEST

START_TEST(type_option)
{
    redisContext *c = plain();
    struct walk walk;
    client_fill(c, "key:", 500);
    walk_begin(&walk, "key:");
    walk_all(&walk, c, "TYPE STRING");
    check_seen(&walk, 0, 500, true);
    walk_end(&walk);
    const char *others[] = { "TYPE list", "TYPE zset", "TYPE nosuch" };
    for (int i = 0; i < 3; i++) {
        walk_begin(&walk, "");
        walk_all(&walk, c, others[i]);
        ck_assert_uint_eq(walk.returned, 0);
        walk_end(&walk);
    }
    walk_begin(&walk, "key:");
    walk_all(&walk, c, "TYPE string MATCH key:1* COUNT 20");
    ck_assert_uint_eq(walk.returned, 111);
    walk_end(&walk);
}
END_TEST

START_TEST(scan_errors)
{
    redisContext *c = plain();
    expect_error(c, "ERR wrong number of arguments for 'scan' command", "SCAN");
    expect_error(c, "ERR invalid cursor", "SCAN x");
    expect_error(c, "ERR invalid cursor", "SCAN 1x");
    expect_error(c, "ERR invalid cursor", "SCAN 18446744073709551616");
    expect_error(c, "ERR syntax error", "SCAN 0 COUNT");
    expect_error(c, "ERR syntax error", "SCAN 0 COUNT 0");
    expect_error(c, "ERR syntax error", "SCAN 0 COUNT -1");
    expect_error(c, "ERR value is not an integer or out of range", "SCAN 0 COUNT x");
    expect_error(c, "ERR syntax error", "SCAN 0 MATCH");
    expect_error(c, "ERR syntax error", "SCAN 0 FOO");
    expect_error(c, "ERR syntax error", "SCAN 0 FOO bar");
}
END_TEST

// Cursors that the server never gave out lead to some place or to the end, never astray.
START_TEST(made_up_cursors)
{
    redisContext *c = plain();
    client_fill(c, "key:", 10000);
    const unsigned long long cursors[] = { 1,
                                           12345678901234,
                                           CURSOR_LIMIT - 1,
                                           CURSOR_LIMIT,
                                           CURSOR_LIMIT * 3 + 5,
                                           9223372036854775808ULL,
                                           18446744073709551615ULL };
    for (size_t i = 0; i < sizeof(cursors) / sizeof(*cursors); i++) {
        struct walk walk;
        walk_begin(&walk, "key:");
        walk.cursor = cursors[i];
        walk_all(&walk, c, "COUNT 1000");
        ck_assert_uint_le(walk.returned, 10000);
        walk_end(&walk);
    }
}
END_TEST

// --- The keyspace changes -----------------------------------------------------------------------

// Keys that are there from the first call to the last are returned, whatever comes and goes
// meanwhile: growth in one test, shrinking in the next, both in the last.
START_TEST(guarantee_while_growing)
{
    const int staying = 2000;
    redisContext *c = plain();
    struct walk walk;
    walk_begin(&walk, "stays:");
    client_fill(c, "stays:", staying);
    int added = 0;
    while (walk_step(&walk, c, "COUNT 20") && added < 100000) {
        change(c, true, "new:", added, added + 500);
        added += 500;
    }
    walk_all(&walk, c, "COUNT 500");
    ck_assert_int_gt(added, 20000);
    check_seen(&walk, 0, staying, false);
    walk_end(&walk);
}
END_TEST

START_TEST(guarantee_while_shrinking)
{
    const int staying = 2000;
    const int going = 100000;
    redisContext *c = plain();
    struct walk walk;
    walk_begin(&walk, "stays:");
    client_fill(c, "stays:", staying);
    client_fill(c, "goes:", going);
    int gone = 0;
    while (walk_step(&walk, c, "COUNT 200")) {
        int until = gone + 1000 < going ? gone + 1000 : going;
        change(c, false, "goes:", gone, until);
        gone = until;
    }
    ck_assert_int_gt(gone, going / 2);
    check_seen(&walk, 0, staying, false);
    walk_end(&walk);
}
END_TEST

START_TEST(guarantee_while_breathing)
{
    const int staying = 3000;
    const int coming = 20000;
    redisContext *c = plain();
    struct walk walk;
    walk_begin(&walk, "stays:");
    client_fill(c, "stays:", staying);
    for (int i = 0; walk_step(&walk, c, "COUNT 100"); i++) {
        if (i < 12)
            change(c, i % 2 == 0, "comes:", 0, coming);
        // Overwriting moves entries.
        change(c, true, "stays:", 0, staying);
        ck_assert_int_lt(i, 10000);
    }
    check_seen(&walk, 0, staying, false);
    walk_end(&walk);
}
END_TEST

// Deleting what each call returns, as cleaning jobs do, ends with nothing left.
START_TEST(scan_and_delete)
{
    const int count = 20000;
    redisContext *c = plain();
    client_fill(c, "key:", count);
    unsigned long long cursor = 0;
    do {
        redisReply *reply = client_ask(c, "SCAN %llu MATCH key:* COUNT 100", cursor);
        cursor = strtoull(reply->element[0]->str, NULL, 10);
        const redisReply *keys = reply->element[1];
        for (size_t i = 0; i < keys->elements; i++)
            redisAppendCommand(c, "UNLINK %s", keys->element[i]->str);
        for (size_t i = 0; i < keys->elements; i++)
            freeReplyObject(client_next(c));
        freeReplyObject(reply);
    } while (cursor);
    expect_int(c, 0, "DBSIZE");
}
END_TEST

// Two walks do not disturb each other.
START_TEST(two_walks)
{
    redisContext *c = plain();
    struct walk one;
    struct walk two;
    walk_begin(&one, "key:");
    walk_begin(&two, "key:");
    client_fill(c, "key:", 10000);
    bool more_one = true;
    bool more_two = true;
    while (more_one || more_two) {
        more_one = more_one && walk_step(&one, c, "COUNT 70");
        more_two = more_two && walk_step(&two, c, "COUNT 31");
    }
    check_seen(&one, 0, 10000, true);
    check_seen(&two, 0, 10000, true);
    walk_end(&one);
    walk_end(&two);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = plain_tcase(suite, "still");
    tcase_add_test(tcase, empty_database);
    tcase_add_test(tcase, every_key_once);
    tcase_add_test(tcase, hundred_thousand_keys);
    tcase_add_test(tcase, sparse_database);
    tcase = plain_tcase(suite, "options");
    tcase_add_test(tcase, match);
    tcase_add_test(tcase, type_option);
    tcase_add_test(tcase, scan_errors);
    tcase_add_test(tcase, made_up_cursors);
    tcase = plain_tcase(suite, "changing");
    tcase_add_test(tcase, guarantee_while_growing);
    tcase_add_test(tcase, guarantee_while_shrinking);
    tcase_add_test(tcase, guarantee_while_breathing);
    tcase_add_test(tcase, scan_and_delete);
    tcase_add_test(tcase, two_walks);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

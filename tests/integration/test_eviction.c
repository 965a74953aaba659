// SPDX-License-Identifier: BSD-3-Clause
// The memory limit on a live server: what each policy keeps and drops, what is refused, clients that hold too
// much.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OOM "OOM command not allowed when used memory > 'maxmemory'."

#define VALUE_BYTES 1000

// What the tests' limits leave above an empty server.
#define ROOM_KEYS 1000

static long long info_number(redisContext *c, const char *section, const char *field)
{
    char wanted[64];
    redisReply *reply = client_ask(c, "INFO %s", section);
    snprintf(wanted, sizeof(wanted), "\n%s:", field);
    const char *at = strstr(reply->str, wanted);
    ck_assert_msg(at != NULL, "no %s", field);
    long long number = strtoll(at + strlen(wanted), NULL, 10);
    freeReplyObject(reply);
    return number;
}

static long long used_memory(redisContext *c)
{
    return info_number(c, "memory", "used_memory");
}

static void set_value(redisContext *c, const char *prefix, int number, const char *options)
{
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    char command[64];
    snprintf(command, sizeof(command), "SET %s:%d %%s %s", prefix, number, options);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    expect_ok(c, command, value);
#pragma GCC diagnostic pop
}

static void set_values(redisContext *c, const char *prefix, int count, const char *options)
{
    for (int i = 0; i < count; i++)
        set_value(c, prefix, i, options);
}

static int count_keys(redisContext *c, const char *prefix, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += (int)client_int(c, "EXISTS %s:%d", prefix, i);
    return found;
}

// A limit with room for so many values more.
static long long limit_for(redisContext *c, const char *policy, int values)
{
    long long limit = used_memory(c) + (long long)values * (VALUE_BYTES + 60);
    expect_ok(c, "CONFIG SET maxmemory-policy %s", policy);
    expect_ok(c, "CONFIG SET maxmemory %lld", limit);
    return limit;
}

static void wait_for_limit(redisContext *c, long long limit)
{
    for (struct deadline end = deadline(); used_memory(c) > limit + 65536;)
        deadline_wait(&end);
}

START_TEST(noeviction_refuses)
{
    redisContext *c = plain();
    limit_for(c, "noeviction", 200);
    int stored = 0;
    redisReply *reply = NULL;
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    for (; stored < 10000; stored++) {
        reply = client_ask(c, "SET k:%d %s", stored, value);
        if (reply->type == REDIS_REPLY_ERROR)
            break;
        freeReplyObject(reply);
    }
    ck_assert_int_lt(stored, 10000);
    ck_assert_str_eq(reply->str, OOM);
    freeReplyObject(reply);
    ck_assert_int_gt(stored, 0);
    expect_error(c, OOM, "APPEND k:0 x");
    // Reading and deleting go on; what they free may be used again.
    expect_text(c, value, "GET k:0");
    expect_int(c, stored, "DBSIZE");
    expect_int(c, 1, "EXPIRE k:0 1000");
    for (int i = 0; i < stored; i++)
        expect_int(c, 1, "DEL k:%d", i);
    expect_ok(c, "SET k v");
    ck_assert_int_eq(info_number(c, "stats", "evicted_keys"), 0);
}
END_TEST

START_TEST(lru_keeps_what_is_used)
{
    redisContext *c = plain();
    long long limit = limit_for(c, "allkeys-lru", ROOM_KEYS);
    set_values(c, "old", ROOM_KEYS / 2, "");
    for (struct deadline end = deadline(); client_int(c, "OBJECT IDLETIME old:0") < 3;)
        deadline_wait(&end);
    for (int i = 0; i < 100; i++)
        freeReplyObject(client_ask(c, "GET old:%d", i));
    set_values(c, "new", ROOM_KEYS * 3 / 4, "");
    wait_for_limit(c, limit);
    ck_assert_int_gt(info_number(c, "stats", "evicted_keys"), 100);
    ck_assert_int_ge(count_keys(c, "old", 100), 90);
    ck_assert_int_lt(count_keys(c, "old", ROOM_KEYS / 2), ROOM_KEYS / 2 - 100);
    ck_assert_int_ge(count_keys(c, "new", ROOM_KEYS * 3 / 4), ROOM_KEYS * 3 / 4 * 8 / 10);
}
END_TEST

START_TEST(lfu_keeps_what_is_used_often)
{
    redisContext *c = plain();
    long long limit = limit_for(c, "allkeys-lfu", ROOM_KEYS);
    set_values(c, "hot", 100, "");
    for (int use = 0; use < 20; use++) {
        for (int i = 0; i < 100; i++)
            freeReplyObject(client_ask(c, "GET hot:%d", i));
    }
    ck_assert_int_ge(client_int(c, "OBJECT FREQ hot:0"), 5);
    set_values(c, "cold", ROOM_KEYS * 3, "");
    wait_for_limit(c, limit);
    ck_assert_int_ge(count_keys(c, "hot", 100), 95);
    ck_assert_int_gt(info_number(c, "stats", "evicted_keys"), ROOM_KEYS);
}
END_TEST

static const char *const volatile_policies[] = { "volatile-lru", "volatile-lfu", "volatile-random",
                                                 "volatile-ttl" };

START_TEST(volatile_policies_leave_persistent_keys)
{
    redisContext *c = plain();
    limit_for(c, volatile_policies[_i], ROOM_KEYS);
    set_values(c, "stays", ROOM_KEYS / 4, "");
    set_values(c, "soon", ROOM_KEYS / 4, "EX 1000");
    set_values(c, "later", ROOM_KEYS, "EX 100000");
    ck_assert_int_eq(count_keys(c, "stays", ROOM_KEYS / 4), ROOM_KEYS / 4);
    ck_assert_int_gt(info_number(c, "stats", "evicted_keys"), ROOM_KEYS / 4);
    int soon = count_keys(c, "soon", ROOM_KEYS / 4);
    if (strcmp(volatile_policies[_i], "volatile-ttl") == 0)
        ck_assert_int_le(soon, ROOM_KEYS / 20);
    // When all that may go is gone, writes are refused.
    int refused = 0;
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    for (int i = 0; i < ROOM_KEYS * 2 && !refused; i++) {
        redisReply *reply = client_ask(c, "SET more:%d %s", i, value);
        refused = reply->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
    ck_assert_int_eq(refused, 1);
    ck_assert_int_eq(count_keys(c, "later", ROOM_KEYS), 0);
    ck_assert_int_eq(count_keys(c, "stays", ROOM_KEYS / 4), ROOM_KEYS / 4);
}
END_TEST

START_TEST(random_holds_the_limit_across_databases)
{
    redisContext *c = plain();
    long long limit = limit_for(c, "allkeys-random", ROOM_KEYS);
    set_values(c, "a", ROOM_KEYS, "");
    expect_ok(c, "SELECT 9");
    set_values(c, "b", ROOM_KEYS, "");
    wait_for_limit(c, limit);
    ck_assert_int_gt(client_int(c, "DBSIZE"), ROOM_KEYS / 10);
    expect_ok(c, "SELECT 0");
    long long first = client_int(c, "DBSIZE");
    ck_assert_int_gt(first, ROOM_KEYS / 20);
    ck_assert_int_lt(first, ROOM_KEYS * 9 / 10);
}
END_TEST

// Asked for in the same turn as what is behind: nothing is evicted in between.
static long long used_memory_behind(redisContext *c, const char *format, int number,
                                    const char *value, size_t len)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    redisAppendCommand(c, format, number, value, len);
#pragma GCC diagnostic pop
    redisAppendCommand(c, "INFO memory");
    redisReply *reply = client_next(c);
    ck_assert_str_eq(reply->str, "OK");
    freeReplyObject(reply);
    reply = client_next(c);
    const char *at = strstr(reply->str, "\nused_memory:");
    ck_assert_ptr_nonnull(at);
    long long used = strtoll(at + strlen("\nused_memory:"), NULL, 10);
    freeReplyObject(reply);
    return used;
}

// Many small values make way for huge ones, and huge ones for each other: the limit is passed by no more
// than one of them and what writes need not wait for.
START_TEST(small_and_huge_values)
{
    enum { HUGE_BYTES = 2 << 20, LIMIT = 24 << 20, PASSED_BYTES = HUGE_BYTES + (2 << 20) };
    redisContext *c = plain();
    static char huge[HUGE_BYTES];
    memset(huge, 'h', sizeof(huge));
    expect_ok(c, "CONFIG SET maxmemory-policy allkeys-lru maxmemory %d", LIMIT);
    client_fill(c, "small:", 200000);
    wait_for_limit(c, LIMIT);
    for (int i = 0; i < 30; i++) {
        long long used = used_memory_behind(c, "SET huge:%d %b", i, huge, sizeof(huge));
        ck_assert_msg(used < LIMIT + PASSED_BYTES, "%d: %lld", i, used - LIMIT);
    }
    wait_for_limit(c, LIMIT);
    ck_assert_int_eq(client_int(c, "STRLEN huge:29"), HUGE_BYTES);
    ck_assert_int_gt(client_int(c, "DBSIZE"), 0);
}
END_TEST

// Several at a time, and others with small values between them: nobody is refused.
START_TEST(huge_values_of_many_clients)
{
    enum { CLIENTS = 6, HUGE_BYTES = 1 << 20, LIMIT = 24 << 20, ROUNDS = 10 };
    redisContext *c = plain();
    redisContext *clients[CLIENTS];
    static char huge[HUGE_BYTES];
    memset(huge, 'h', sizeof(huge));
    expect_ok(c, "CONFIG SET maxmemory-policy allkeys-lru maxmemory %d", LIMIT);
    client_fill(c, "small:", 200000);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_connect_unix(plain_server());
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            redisAppendCommand(clients[i], "SET huge:%d:%d %b", i, round, huge, sizeof(huge));
            redisAppendCommand(clients[i], "SET few:%d:%d x", i, round);
        }
        for (int i = 0; i < CLIENTS * 2; i++) {
            redisReply *reply = client_next(clients[i / 2]);
            ck_assert_str_eq(reply->str, "OK");
            freeReplyObject(reply);
        }
        ck_assert_int_lt(used_memory(c), LIMIT + (CLIENTS + 2) * HUGE_BYTES);
    }
    wait_for_limit(c, LIMIT);
    for (int i = 0; i < CLIENTS; i++)
        redisFree(clients[i]);
}
END_TEST

START_TEST(a_lowered_limit_is_reached)
{
    redisContext *c = plain();
    long long empty = used_memory(c);
    client_fill(c, "k:", 200000);
    expect_ok(c, "CONFIG SET maxmemory-policy allkeys-random");
    expect_ok(c, "CONFIG SET maxmemory %lld", empty + (1 << 20));
    // Without another write.
    wait_for_limit(c, empty + (1 << 20));
    ck_assert_int_gt(client_int(c, "DBSIZE"), 1000);
    struct deadline end = deadline();
    while (info_number(c, "stats", "current_eviction_exceeded_time") != 0)
        deadline_wait(&end);
    expect_ok(c, "SET a b");
}
END_TEST

// A large set on its way out is no reason to evict others.
START_TEST(what_is_being_freed_counts_as_freed)
{
    redisContext *c = plain();
    for (int i = 0; i < 200; i++) {
        char members[500][16] = { { 0 } };
        const char *argv[502] = { "SADD", "large" };
        for (int m = 0; m < 500; m++) {
            snprintf(members[m], sizeof(members[m]), "m%d", i * 500 + m);
            argv[2 + m] = members[m];
        }
        redisReply *reply = redisCommandArgv(c, 502, argv, NULL);
        ck_assert_int_eq(reply->integer, 500);
        freeReplyObject(reply);
    }
    client_fill(c, "k:", 10000);
    expect_ok(c, "CONFIG SET maxmemory-policy allkeys-lru");
    // Both in one turn: the limit is passed until the set's memory is back.
    redisAppendCommand(c, "CONFIG SET maxmemory %lld", used_memory(c) - (1 << 20));
    redisAppendCommand(c, "DEL large");
    freeReplyObject(client_next(c));
    freeReplyObject(client_next(c));
    client_fill(c, "n:", 1000);
    expect_int(c, 11000, "DBSIZE");
    ck_assert_int_eq(info_number(c, "stats", "evicted_keys"), 0);
}
END_TEST

// --- Clients ------------------------------------------------------------------------------------

static void expect_logged(const char *text)
{
    char path[SERVER_PATH_MAX];
    snprintf(path, sizeof(path), "%s", plain_server()->log_path);
    for (struct deadline end = deadline();; deadline_wait(&end)) {
        static char log[1 << 20];
        FILE *file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        size_t len = fread(log, 1, sizeof(log) - 1, file);
        log[len] = '\0';
        fclose(file);
        if (strstr(log, text))
            return;
    }
}

// Asks for much, in one go: it may be closed for it at once.
static void ask_for_much(int fd)
{
    char requests[500 * sizeof("GET value\r\n")] = "";
    for (int i = 0; i < 500; i++)
        strcat(requests, "GET value\r\n");
    raw_text(fd, requests);
}

// A client that asks for much and reads nothing.
static int greedy_client(void)
{
    int fd = raw_connect_unix(plain_server());
    ask_for_much(fd);
    return fd;
}

START_TEST(greedy_clients_are_closed)
{
    redisContext *c = plain();
    static char value[8192];
    memset(value, 'v', sizeof(value));
    expect_ok(c, "SET value %b", value, sizeof(value));
    expect_ok(c, "CONFIG SET maxmemory-clients 1mb");
    int modest = raw_connect_unix(plain_server());
    raw_ask(modest, "PING", "+PONG\r\n");
    int greedy = greedy_client();
    for (struct deadline end = deadline(); info_number(c, "stats", "evicted_clients") == 0;)
        deadline_wait(&end);
    expect_logged("maxmemory-clients");
    raw_ask(modest, "PING", "+PONG\r\n");
    expect_int(c, 1, "EXISTS value");
    close(greedy);
    close(modest);
}
END_TEST

START_TEST(who_said_no_evict_stays)
{
    redisContext *c = plain();
    static char value[8192];
    memset(value, 'v', sizeof(value));
    expect_ok(c, "SET value %b", value, sizeof(value));
    expect_ok(c, "CLIENT NO-EVICT ON");
    expect_ok(c, "CONFIG SET maxmemory 1gb maxmemory-clients 1");
    int exempt = raw_connect_unix(plain_server());
    raw_ask(exempt, "CLIENT NO-EVICT ON", "+OK\r\n");
    ask_for_much(exempt);
    int greedy = greedy_client();
    for (struct deadline end = deadline(); info_number(c, "stats", "evicted_clients") == 0;)
        deadline_wait(&end);
    raw_skip(exempt, 500 * (sizeof(value) + strlen("$8192\r\n\r\n")));
    raw_ask(exempt, "PING", "+PONG\r\n");
    close(greedy);
    close(exempt);
    ck_assert_int_ge(info_number(c, "stats", "evicted_clients"), 1);
    expect_ok(c, "CONFIG RESETSTAT");
    ck_assert_int_eq(info_number(c, "stats", "evicted_clients"), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("eviction");
    TCase *keys = plain_tcase(suite, "keys");
    tcase_add_test(keys, noeviction_refuses);
    tcase_add_test(keys, lru_keeps_what_is_used);
    tcase_add_test(keys, lfu_keeps_what_is_used_often);
    tcase_add_loop_test(keys, volatile_policies_leave_persistent_keys, 0, 4);
    tcase_add_test(keys, random_holds_the_limit_across_databases);
    tcase_add_test(keys, small_and_huge_values);
    tcase_add_test(keys, huge_values_of_many_clients);
    tcase_add_test(keys, a_lowered_limit_is_reached);
    tcase_add_test(keys, what_is_being_freed_counts_as_freed);
    TCase *clients = plain_tcase(suite, "clients");
    tcase_add_test(clients, greedy_clients_are_closed);
    tcase_add_test(clients, who_said_no_evict_stays);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Transactions on a live server: long ones, clients that race for a key, and those that leave, or hold too much.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static redisReply *exec_of(redisContext *c, size_t elements)
{
    redisReply *reply = client_ask(c, "EXEC");
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->elements, elements);
    return reply;
}

START_TEST(a_hundred_thousand_commands)
{
    enum { COMMANDS = 100000 };
    redisContext *c = plain();
    expect_ok(c, "MULTI");
    for (int i = 0; i < COMMANDS; i++) {
        const char *format = i % 2 ? "GET key:%d" : "SET key:%d %d";
        ck_assert_int_eq(redisAppendCommand(c, format, i / 2, i), REDIS_OK);
    }
    for (int i = 0; i < COMMANDS; i++) {
        redisReply *queued = client_next(c);
        ck_assert_str_eq(queued->str, "QUEUED");
        freeReplyObject(queued);
    }
    redisReply *reply = exec_of(c, COMMANDS);
    for (int i = 1; i < COMMANDS; i += 2)
        ck_assert_int_eq(strtol(reply->element[i]->str, NULL, 10), i - 1);
    freeReplyObject(reply);
    expect_int(c, COMMANDS / 2, "DBSIZE");
}
END_TEST

// Each reads the number, adds one to it, and does so again if somebody else was faster: none is lost.
START_TEST(optimistic_counters_lose_nothing)
{
    enum { CLIENTS = 8, ROUNDS = 200 };
    redisContext *clients[CLIENTS];
    long long done = 0;
    long long aborted = 0;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_connect(plain_server());
    expect_ok(clients[0], "SET counter 0");
    for (int round = 0; round < ROUNDS; round++) {
        long long seen[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            expect_ok(clients[i], "WATCH counter");
            char text[32];
            client_text(clients[i], text, sizeof(text), "GET counter");
            seen[i] = strtoll(text, NULL, 10);
        }
        for (int i = 0; i < CLIENTS; i++) {
            expect_ok(clients[i], "MULTI");
            expect_status(clients[i], "QUEUED", "SET counter %lld", seen[i] + 1);
        }
        for (int i = 0; i < CLIENTS; i++) {
            redisReply *reply = client_ask(clients[(i + round) % CLIENTS], "EXEC");
            done += reply->type == REDIS_REPLY_ARRAY;
            aborted += reply->type == REDIS_REPLY_NIL;
            freeReplyObject(reply);
        }
    }
    ck_assert_int_eq(done, ROUNDS);
    ck_assert_int_eq(aborted, ROUNDS * (CLIENTS - 1));
    expect_int(clients[0], done + 1, "INCR counter");
    for (int i = 0; i < CLIENTS; i++)
        redisFree(clients[i]);
}
END_TEST

// What it has queued is not run, and what it watched is nobody's concern any more.
START_TEST(a_client_that_leaves)
{
    struct test_server *server = server_start(NULL);
    redisContext *c = client_connect_unix(server);
    int fd = raw_connect_unix(server);
    raw_ask(fd, "WATCH a b c", "+OK\r\n");
    raw_ask(fd, "MULTI", "+OK\r\n");
    raw_ask(fd, "SET k v", "+QUEUED\r\n");
    ck_assert_int_eq(server_info(server, "watching_clients"), 1);
    ck_assert_int_eq(server_info(server, "total_watched_keys"), 3);
    // An EXEC of which a part is missing.
    raw_text(fd, "*1\r\n$4\r\nEX");
    close(fd);
    struct deadline limit = deadline();
    while (server_info(server, "watching_clients") != 0)
        deadline_wait(&limit);
    ck_assert_int_eq(server_info(server, "total_watched_keys"), 0);
    expect_int(c, 0, "EXISTS k");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(the_server_ends_inside_transactions)
{
    struct test_server *server = server_start(NULL);
    int fd = raw_connect_unix(server);
    raw_ask(fd, "WATCH a b c", "+OK\r\n");
    raw_ask(fd, "MULTI", "+OK\r\n");
    raw_ask(fd, "SET k v", "+QUEUED\r\n");
    server_stop(server);
    raw_expect_closed(fd);
    close(fd);
}
END_TEST

// Queues values until it is cut, or has queued so many.
static bool queue_until_cut(redisContext *c, size_t bytes, int count)
{
    char *value = calloc(1, bytes);
    ck_assert_ptr_nonnull(value);
    expect_ok(c, "MULTI");
    bool cut = false;
    for (int i = 0; i < count && !cut; i++) {
        redisReply *reply = redisCommand(c, "SET k%d %b", i, value, bytes);
        cut = reply == NULL;
        freeReplyObject(reply);
    }
    free(value);
    return cut;
}

START_TEST(who_queues_too_much_is_cut)
{
    struct test_server *server = server_start(SERVER_ARGS("--client-query-buffer-limit", "1mb"));
    redisContext *c = client_connect_unix(server);
    redisContext *other = client_connect_unix(server);
    ck_assert(queue_until_cut(c, 10000, 1000));
    ck_assert(server_logged(server, "reached max query buffer length"));
    ck_assert_int_eq(server_info(server, "client_query_buffer_limit_disconnections"), 1);
    expect_int(other, 0, "DBSIZE");
    redisFree(c);
    redisFree(other);
    server_stop(server);
}
END_TEST

START_TEST(who_queues_most_is_evicted)
{
    struct test_server *server = server_start(SERVER_ARGS("--maxmemory-clients", "1mb"));
    redisContext *c = client_connect_unix(server);
    redisContext *other = client_connect_unix(server);
    ck_assert(queue_until_cut(c, 40000, 1000));
    ck_assert_int_eq(server_info(server, "evicted_clients"), 1);
    expect_int(other, 0, "DBSIZE");
    redisFree(c);
    redisFree(other);
    server_stop(server);
}
END_TEST

// What waits to be sent is bounded while the queue is run, too.
START_TEST(a_reply_that_grows_too_large)
{
    enum { COMMANDS = 1000 };
    struct test_server *server = server_start(
        SERVER_ARGS("--client-output-buffer-limit", "normal 4mb 0 0"));
    redisContext *c = client_connect_unix(server);
    redisContext *other = client_connect_unix(server);
    expect_int(other, 10000, "SETRANGE k 9999 x");
    expect_ok(c, "MULTI");
    for (int i = 0; i < COMMANDS; i++)
        expect_status(c, "QUEUED", "GET k");
    expect_status(c, "QUEUED", "SET last v");
    ck_assert_ptr_null(redisCommand(c, "EXEC"));
    // It was run to the end all the same.
    expect_int(other, 1, "EXISTS last");
    ck_assert_int_lt(server_info(server, "used_memory_peak"), 9 << 20);
    redisFree(c);
    redisFree(other);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("transactions");
    TCase *plain_case = plain_tcase(suite, "commands");
    tcase_add_test(plain_case, a_hundred_thousand_commands);
    tcase_add_test(plain_case, optimistic_counters_lose_nothing);
    TCase *own = server_tcase(suite, "leaving and limits");
    tcase_add_test(own, a_client_that_leaves);
    tcase_add_test(own, the_server_ends_inside_transactions);
    tcase_add_test(own, who_queues_too_much_is_cut);
    tcase_add_test(own, who_queues_most_is_evicted);
    tcase_add_test(own, a_reply_that_grows_too_large);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

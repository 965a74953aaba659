// SPDX-License-Identifier: BSD-3-Clause
// Limits: maxclients, sizes of values, requests and waiting replies, idle clients, memory.
#include "support/raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MB (1024 * 1024)

#define MAX_CLIENTS_TEXT "-ERR max number of clients reached\r\n"

// A buffer of `len` bytes whose contents tell where they were.
static char *make_value(size_t len)
{
    char *value = malloc(len);
    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < len; i++)
        value[i] = (char)(i * 2654435761U >> 13);
    return value;
}

// Sends SET <key> <value>, without reading the reply.
static void send_set(int fd, const char *key, const char *value, size_t len)
{
    char head[128];
    snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(key), key,
             len);
    raw_text(fd, head);
    raw_send(fd, value, len);
    raw_text(fd, "\r\n");
}

// The next reply is this bulk.
static void expect_bulk(int fd, const char *value, size_t len)
{
    char head[32];
    snprintf(head, sizeof(head), "$%zu\r\n", len);
    raw_expect(fd, head);
    raw_expect_bytes(fd, value, len);
    raw_expect(fd, "\r\n");
}

static void wait_for_clients(redisContext *c, int count)
{
    char text[16384];
    char want[64];
    snprintf(want, sizeof(want), "\nconnected_clients:%d\r", count);
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        client_text(c, text, sizeof(text), "INFO clients");
        if (strstr(text, want))
            return;
    }
}

// --- maxclients ---------------------------------------------------------------------------------

START_TEST(maxclients)
{
    enum { MAX = 5 };
    redisContext *clients[MAX];
    struct test_server *server = server_start(SERVER_ARGS("--maxclients", "5"));
    for (int i = 0; i < MAX; i++) {
        clients[i] = i % 2 ? client_connect_unix(server) : client_connect(server);
        expect_status(clients[i], "PONG", "PING");
    }
    for (int i = 0; i < 4; i++) {
        int fd = i % 2 ? raw_connect_unix(server) : raw_connect(server);
        raw_expect(fd, MAX_CLIENTS_TEXT);
        raw_expect_closed(fd);
        close(fd);
    }
    char info[16384];
    client_text(clients[0], info, sizeof(info), "INFO");
    ck_assert_ptr_nonnull(strstr(info, "rejected_connections:4\r\n"));
    ck_assert_ptr_nonnull(strstr(info, "connected_clients:5\r\n"));
    // Who is in is not touched; a place that becomes free is taken.
    for (int i = 0; i < MAX; i++)
        expect_status(clients[i], "PONG", "PING");
    redisFree(clients[1]);
    wait_for_clients(clients[0], MAX - 1);
    clients[1] = client_connect(server);
    expect_status(clients[1], "PONG", "PING");
    expect_ok(clients[0], "CONFIG SET maxclients 6");
    redisContext *more = client_connect(server);
    expect_status(more, "PONG", "PING");
    redisFree(more);
    for (int i = 0; i < MAX; i++)
        redisFree(clients[i]);
    server_stop(server);
}
END_TEST

// When the process may open fewer files than maxclients wants, the surplus is told so as well.
START_TEST(fewer_files_than_clients)
{
    enum { FILES = 100, TRIED = 150 };
    int fds[TRIED];
    int served = 0;
    int refused = 0;
    struct test_server *server = server_start_with(&(struct server_options){ .file_limit = FILES });
    redisContext *c = client_connect(server);
    expect_status(c, "PONG", "PING");
    for (int i = 0; i < TRIED; i++) {
        char said[64] = "";
        fds[i] = raw_connect(server);
        (void)raw_send_some(fds[i], "PING\r\n", 6);
        size_t len = raw_read(fds[i], said, sizeof(said) - 1);
        served += len > 0 && strcmp(said, "+PONG\r\n") == 0;
        refused += len > 0 && strcmp(said, MAX_CLIENTS_TEXT) == 0;
    }
    ck_assert_int_gt(served, FILES / 2);
    ck_assert_int_gt(refused, TRIED - FILES);
    ck_assert_int_eq(served + refused, TRIED);
    expect_status(c, "PONG", "PING");
    for (int i = 0; i < TRIED; i++)
        close(fds[i]);
    wait_for_clients(c, 1);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Sizes --------------------------------------------------------------------------------------

START_TEST(proto_max_bulk_len)
{
    struct test_server *server = server_start(SERVER_ARGS("--proto-max-bulk-len", "1mb"));
    char *value = make_value(MB + 1);
    int fd = raw_connect(server);
    send_set(fd, "a", value, MB);
    raw_expect(fd, "+OK\r\n");
    raw_text(fd, "GET a\r\n");
    expect_bulk(fd, value, MB);
    raw_ask(fd, "APPEND a x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    raw_ask(fd, "STRLEN a", ":1048576\r\n");
    raw_text(fd, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1048577\r\n");
    raw_expect(fd, "-ERR Protocol error: invalid bulk length\r\n");
    raw_expect_closed(fd);
    close(fd);

    fd = raw_connect(server);
    raw_ask(fd, "CONFIG SET proto-max-bulk-len 2mb", "+OK\r\n");
    send_set(fd, "a", value, MB + 1);
    raw_expect(fd, "+OK\r\n");
    raw_ask(fd, "APPEND a x", ":1048578\r\n");
    close(fd);
    free(value);
    server_stop(server);
}
END_TEST

// Sends the same bytes again and again until the server closes the connection, or until `max` bytes
// are sent, which fails the test.
static void send_until_closed(int fd, const char *bytes, size_t len, size_t max)
{
    size_t sent = 0;
    for (struct deadline limit = deadline(); sent < max;) {
        ssize_t n = raw_send_some(fd, bytes, len);
        if (n < 0)
            return;
        sent += (size_t)n;
        if (n == 0)
            deadline_wait(&limit);
    }
    ck_abort_msg("%zu bytes were accepted", sent);
}

START_TEST(query_buffer_limit)
{
    struct test_server *server = server_start(SERVER_ARGS("--client-query-buffer-limit", "1mb"));
    redisContext *c = client_connect(server);
    // One command of many arguments, each of them small.
    enum { ARG = sizeof("$9\r\n123456789\r\n") - 1 };
    static char args[ARG * 1000];
    for (int i = 0; i < 1000; i++)
        memcpy(args + (size_t)i * ARG, "$9\r\n123456789\r\n", ARG);
    int fd = raw_connect(server);
    raw_text(fd, "*1000000\r\n");
    send_until_closed(fd, args, sizeof(args), 12 * MB);
    close(fd);
    wait_for_clients(c, 1);
    ck_assert_int_eq(server_info(server, "client_query_buffer_limit_disconnections"), 1);
    ck_assert(server_logged(server, "query buffer"));

    // Many commands that fit are no matter, however many they are.
    fd = raw_connect(server);
    static char pings[14 * 1000];
    for (int i = 0; i < 1000; i++)
        memcpy(pings + (size_t)i * 14, "*1\r\n$4\r\nPING\r\n", 14);
    for (int i = 0; i < 300; i++) {
        raw_send(fd, pings, sizeof(pings));
        raw_skip(fd, 7 * 1000);
    }
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);
    ck_assert_int_eq(server_info(server, "client_query_buffer_limit_disconnections"), 1);
    redisFree(c);
    server_stop(server);
}
END_TEST

// A value that the limit has no room for ends its client, too.
START_TEST(query_buffer_limit_and_large_values)
{
    struct test_server *server = server_start(SERVER_ARGS("--client-query-buffer-limit", "1mb"));
    redisContext *c = client_connect(server);
    char *value = make_value(4 * MB);
    int fd = raw_connect(server);
    send_set(fd, "a", value, MB / 2);
    raw_expect(fd, "+OK\r\n");
    raw_text(fd, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$16777216\r\n");
    send_until_closed(fd, value, 4 * MB, 16 * MB);
    close(fd);
    wait_for_clients(c, 1);
    expect_int(c, 0, "EXISTS b");
    free(value);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Replies that wait --------------------------------------------------------------------------

// Asks for `count` replies of 100 kB and reads none of them.
static int ask_without_reading(const struct test_server *server, int count)
{
    static char request[7 * 1000];
    int fd = raw_connect(server);
    ck_assert_uint_le((size_t)count * 7, sizeof(request));
    for (int i = 0; i < count; i++)
        memcpy(request + (size_t)i * 7, "GET v\r\n", 7);
    // In one write, since the connection may be cut at once.
    raw_send(fd, request, (size_t)count * 7);
    return fd;
}

// Reads to the end; returns how much came.
static size_t read_to_the_end(int fd)
{
    static char dropped[1 << 16];
    size_t sum = 0;
    size_t n;
    while ((n = raw_read(fd, dropped, sizeof(dropped))) > 0)
        sum += n;
    return sum;
}

static void set_100_kb(redisContext *c)
{
    char *value = make_value(100000);
    redisReply *reply = client_ask(c, "SET v %b", value, (size_t)100000);
    ck_assert_str_eq(reply->str, "OK");
    freeReplyObject(reply);
    free(value);
}

START_TEST(output_hard_limit)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--client-output-buffer-limit", "normal 1mb 0 0"));
    redisContext *c = client_connect(server);
    set_100_kb(c);
    int fd = ask_without_reading(server, 1000);
    wait_for_clients(c, 1);
    ck_assert_uint_lt(read_to_the_end(fd), 50 * MB);
    close(fd);
    ck_assert_int_eq(server_info(server, "client_output_buffer_limit_disconnections"), 1);
    ck_assert(server_logged(server, "output buffer limits"));
    ck_assert_int_lt(server_info(server, "used_memory"), 30 * MB);

    // One that reads is not cut, however much it asks for.
    fd = raw_connect(server);
    for (int i = 0; i < 300; i++) {
        raw_text(fd, "GET v\r\n");
        raw_skip(fd, 100000 + strlen("$100000\r\n\r\n"));
    }
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);
    redisFree(c);
    server_stop(server);
}
END_TEST

// One reply may be too large by itself.
START_TEST(output_hard_limit_in_one_reply)
{
    enum { COUNT = 100 };
    struct test_server *server = server_start(
        SERVER_ARGS("--client-output-buffer-limit", "normal 1mb 0 0"));
    redisContext *c = client_connect(server);
    set_100_kb(c);
    int fd = raw_connect(server);
    raw_text(fd, "*101\r\n$4\r\nMGET\r\n");
    for (int i = 0; i < COUNT; i++)
        raw_text(fd, "$1\r\nv\r\n");
    ck_assert_uint_lt(read_to_the_end(fd), (size_t)COUNT * 100000);
    close(fd);
    wait_for_clients(c, 1);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(output_soft_limit)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--client-output-buffer-limit", "normal 0 1mb 1"));
    redisContext *c = client_connect(server);
    set_100_kb(c);
    long long begin_ms = monotonic_ms();
    int fd = ask_without_reading(server, 500);
    // Nothing more is asked for: its time runs out all the same.
    wait_for_clients(c, 1);
    ck_assert_int_ge(monotonic_ms() - begin_ms, 900);
    ck_assert_uint_lt(read_to_the_end(fd), (size_t)500 * 100000);
    close(fd);
    ck_assert_int_eq(server_info(server, "client_output_buffer_limit_disconnections"), 1);
    redisFree(c);
    server_stop(server);
}
END_TEST

// Within its time a client may be over the soft limit; and without a limit at any time.
START_TEST(output_limits_that_hold)
{
    const char *limits[] = { "normal 0 1mb 300", "normal 0 0 0", "normal 100mb 0 0" };
    for (int i = 0; i < 3; i++) {
        struct test_server *server = server_start(
            SERVER_ARGS("--client-output-buffer-limit", limits[i]));
        redisContext *c = client_connect(server);
        set_100_kb(c);
        int fd = ask_without_reading(server, 300);
        expect_status(c, "PONG", "PING");
        for (int k = 0; k < 300; k++)
            raw_skip(fd, 100000 + strlen("$100000\r\n\r\n"));
        raw_ask(fd, "PING", "+PONG\r\n");
        close(fd);
        redisFree(c);
        server_stop(server);
    }
}
END_TEST

// --- Idle clients -------------------------------------------------------------------------------

START_TEST(timeout_closes_idle_clients)
{
    redisContext *c = plain();
    int idle = raw_connect(plain_server());
    int half = raw_connect(plain_server());
    raw_ask(idle, "PING", "+PONG\r\n");
    raw_text(half, "*2\r\n$4\r\nECHO\r\n$100\r\nabc");
    expect_ok(c, "CONFIG SET timeout 1");
    // Talking all the time keeps one in.
    wait_for_clients(c, 1);
    raw_expect_closed(idle);
    raw_expect_closed(half);
    close(idle);
    close(half);
    expect_status(c, "PONG", "PING");

    expect_ok(c, "CONFIG SET timeout 0");
    idle = raw_connect(plain_server());
    raw_ask(idle, "PING", "+PONG\r\n");
    long long begin_ms = monotonic_ms();
    for (struct deadline limit = deadline(); monotonic_ms() - begin_ms < 2500;)
        deadline_wait(&limit);
    raw_ask(idle, "PING", "+PONG\r\n");
    close(idle);
}
END_TEST

// --- Large values -------------------------------------------------------------------------------

START_TEST(twenty_megabytes)
{
    const size_t len = 20 * MB;
    char *value = make_value(len + 5);
    long long before = server_info(plain_server(), "used_memory");
    int fds[2] = { raw_connect(plain_server()), raw_connect_unix(plain_server()) };
    for (int i = 0; i < 2; i++) {
        send_set(fds[i], "v", value, len);
        raw_expect(fds[i], "+OK\r\n");
        raw_ask(fds[i], "STRLEN v", ":20971520\r\n");
        raw_text(fds[i], "GET v\r\nPING\r\n");
        expect_bulk(fds[i], value, len);
        raw_expect(fds[i], "+PONG\r\n");
    }
    raw_words(fds[0], "APPEND v 12345");
    raw_expect(fds[0], ":20971525\r\n");
    memcpy(value + len, "12345", 5);
    raw_text(fds[1], "MGET v nokey v\r\n");
    raw_expect(fds[1], "*3\r\n");
    expect_bulk(fds[1], value, len + 5);
    raw_expect(fds[1], "$-1\r\n");
    expect_bulk(fds[1], value, len + 5);
    raw_text(fds[0], "GETDEL v\r\nEXISTS v\r\n");
    expect_bulk(fds[0], value, len + 5);
    raw_expect(fds[0], ":0\r\n");
    close(fds[0]);
    close(fds[1]);
    free(value);
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        if (server_info(plain_server(), "used_memory") - before < 2 * MB)
            break;
    }
}
END_TEST

// Who was answered with a value gets it whole, whatever happens to the key while it is on its way.
START_TEST(large_values_change_while_they_are_sent)
{
    const size_t len = 20 * MB;
    char *value = make_value(len);
    int writer = raw_connect(plain_server());
    int readers[4];
    send_set(writer, "v", value, len);
    raw_expect(writer, "+OK\r\n");
    for (int i = 0; i < 4; i++) {
        readers[i] = raw_connect(plain_server());
        raw_text(readers[i], "GET v\r\n");
        // The first part is under way.
        raw_expect(readers[i], "$20971520\r\n");
        const char *change = i == 0 ? "SET v x" : i == 1 ? "DEL v" : i == 2 ? "FLUSHALL" : "PING";
        redisReply *reply = client_ask(plain(), change);
        ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
        send_set(writer, "v", value, len);
        raw_expect(writer, "+OK\r\n");
        if (i == 3) {
            raw_ask(writer, "APPEND v more", ":20971524\r\n");
        }
    }
    for (int i = 0; i < 4; i++) {
        raw_expect_bytes(readers[i], value, len);
        raw_expect(readers[i], "\r\n");
        close(readers[i]);
    }
    close(writer);
    free(value);
}
END_TEST

// --- Memory -------------------------------------------------------------------------------------

START_TEST(idle_connections_are_cheap)
{
    enum { COUNT = 2000 };
    static int fds[COUNT];
    redisContext *c = plain();
    expect_status(c, "PONG", "PING");
    long long before = server_info(plain_server(), "used_memory");
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect(plain_server());
        raw_ask(fds[i], "SET a 1", "+OK\r\n");
    }
    long long each = (server_info(plain_server(), "used_memory") - before) / COUNT;
    ck_assert_msg(each < 1200, "an idle connection takes %lld bytes", each);
    wait_for_clients(c, COUNT + 1);
    // All of them at once, and all are answered.
    for (int i = 0; i < COUNT; i++)
        raw_text(fds[i], "GET a\r\nPING\r\n");
    for (int i = 0; i < COUNT; i++) {
        raw_expect(fds[i], "$1\r\n1\r\n+PONG\r\n");
        close(fds[i]);
    }
    wait_for_clients(c, 1);
    ck_assert_int_lt(server_info(plain_server(), "used_memory") - before, 20 * MB);
}
END_TEST

static bool server_has_asan(void)
{
    struct test_server *server = server_start(NULL);
    char info[16384];
    redisContext *c = client_connect(server);
    client_text(c, info, sizeof(info), "INFO memory");
    redisFree(c);
    server_stop(server);
    return strstr(info, "mem_allocator:jemalloc") == NULL;
}

// Where a client chose the size, a lack of memory is that client's own trouble.
START_TEST(no_memory_for_a_large_value)
{
    if (server_has_asan()) {
        printf("skipped: sanitizers need more address space than a limit leaves\n");
        return;
    }
    struct test_server *server = server_start_with(
        &(struct server_options){ .memory_limit_mb = 300 });
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    char *value = make_value(4 * MB);
    int fd = raw_connect(server);
    raw_text(fd, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$500000000\r\n");
    send_until_closed(fd, value, 4 * MB, 500000000);
    close(fd);
    expect_text(c, "1", "GET a");

    // Growing a value until there is no more.
    fd = raw_connect(server);
    for (int i = 0; i < 100; i++) {
        char line[256];
        raw_text(fd, "*3\r\n$6\r\nAPPEND\r\n$1\r\nb\r\n$4194304\r\n");
        raw_send(fd, value, 4 * MB);
        raw_text(fd, "\r\n");
        raw_line(fd, line, sizeof(line));
        if (line[0] == '-') {
            ck_assert_msg(strncmp(line, "-OOM ", 5) == 0, "%s", line);
            break;
        }
        ck_assert_int_lt(i, 99);
    }
    raw_ask(fd, "DEL b", ":1\r\n");
    close(fd);
    expect_text(c, "1", "GET a");
    free(value);
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tcase = server_tcase(suite, "maxclients");
    tcase_add_test(tcase, maxclients);
    tcase_add_test(tcase, fewer_files_than_clients);
    tcase = server_tcase(suite, "requests");
    tcase_add_test(tcase, proto_max_bulk_len);
    tcase_add_test(tcase, query_buffer_limit);
    tcase_add_test(tcase, query_buffer_limit_and_large_values);
    tcase = server_tcase(suite, "replies");
    tcase_add_test(tcase, output_hard_limit);
    tcase_add_test(tcase, output_hard_limit_in_one_reply);
    tcase_add_test(tcase, output_soft_limit);
    tcase_add_test(tcase, output_limits_that_hold);
    tcase = plain_tcase(suite, "idle");
    tcase_add_test(tcase, timeout_closes_idle_clients);
    tcase_add_test(tcase, idle_connections_are_cheap);
    tcase = plain_tcase(suite, "large");
    tcase_add_test(tcase, twenty_megabytes);
    tcase_add_test(tcase, large_values_change_while_they_are_sent);
    tcase = server_tcase(suite, "memory");
    tcase_add_test(tcase, no_memory_for_a_large_value);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

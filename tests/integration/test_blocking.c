// SPDX-License-Identifier: BSD-3-Clause
// Clients that wait for lists: many of them, for many keys, in order; clients that go away while they
// wait; what INFO and CLIENT LIST say of them.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WAITERS_MAX 1000

// Files of the test beside its waiters' sockets.
#define OTHER_FILES 50

// As many as the limit of open files allows; the server has the same one.
static int waiters_allowed(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_max > WAITERS_MAX + OTHER_FILES ? WAITERS_MAX
                                                      : (int)limit.rlim_max - OTHER_FILES;
}

static void wait_for_blocked(const struct test_server *server, long long count)
{
    struct deadline limit = deadline();
    while (server_info(server, "blocked_clients") != count)
        deadline_wait(&limit);
}

// Connections that wait, each after the one before it.
static int *open_waiters(const struct test_server *server, int count, const char *command)
{
    int *fds = calloc((size_t)count, sizeof(*fds));
    ck_assert_ptr_nonnull(fds);
    for (int i = 0; i < count; i++) {
        fds[i] = raw_connect_unix(server);
        raw_words(fds[i], command);
        // Their order is that of the server's reading: now and then they wait for one another.
        if (i % 100 == 99)
            wait_for_blocked(server, i + 1);
    }
    wait_for_blocked(server, count);
    return fds;
}

static void close_all(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
}

static void expect_popped(int fd, const char *key, const char *value)
{
    char want[256];
    snprintf(want, sizeof(want), "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(key), key,
             strlen(value), value);
    raw_expect(fd, want);
}

// --- Order --------------------------------------------------------------------------------------

START_TEST(each_of_many_gets_one)
{
    int count = waiters_allowed();
    struct test_server *server = server_start(NULL);
    int *fds = open_waiters(server, count, "BLPOP k 0");
    int writer = raw_connect_unix(server);
    char *got = calloc((size_t)count, 1);
    ck_assert_ptr_nonnull(got);
    for (int i = 0; i < count; i++) {
        char words[64];
        snprintf(words, sizeof(words), "RPUSH k %d", i);
        raw_ask(writer, words, ":1\r\n");
    }
    for (int i = 0; i < count; i++) {
        char line[64];
        for (int skip = 0; skip < 4; skip++)
            raw_line(fds[i], line, sizeof(line));
        raw_line(fds[i], line, sizeof(line));
        long value = strtol(line, NULL, 10);
        ck_assert_int_ge(value, 0);
        ck_assert_int_lt(value, count);
        ck_assert_msg(!got[value], "%ld came twice", value);
        got[value] = 1;
    }
    raw_ask(writer, "EXISTS k", ":0\r\n");
    wait_for_blocked(server, 0);
    free(got);
    close_all(fds, count);
    close(writer);
    server_stop(server);
}
END_TEST

START_TEST(who_came_first_is_served_first)
{
    enum { COUNT = 50 };
    struct test_server *server = server_start(NULL);
    int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect_unix(server);
        raw_words(fds[i], i % 2 ? "BRPOP k 0" : "BLPOP other k 0");
        wait_for_blocked(server, i + 1);
    }
    int writer = raw_connect_unix(server);
    for (int i = 0; i < COUNT; i++) {
        char text[32];
        char words[64];
        snprintf(text, sizeof(text), "element:%d", i);
        snprintf(words, sizeof(words), "LPUSH k %s", text);
        raw_ask(writer, words, ":1\r\n");
        expect_popped(fds[i], "k", text);
        if (i + 1 < COUNT)
            raw_expect_nothing(fds[i + 1]);
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    close(writer);
    server_stop(server);
}
END_TEST

START_TEST(many_keys_each)
{
    enum { KEYS = 500, COUNT = 20 };
    struct test_server *server = server_start(NULL);
    int writer = raw_connect_unix(server);
    int fds[COUNT];
    char command[KEYS * 8 + 16] = "BLPOP";
    size_t len = strlen(command);
    for (int i = 0; i < KEYS; i++)
        len += (size_t)snprintf(command + len, sizeof(command) - len, " k%d", i);
    snprintf(command + len, sizeof(command) - len, " 0\r\n");
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect_unix(server);
        raw_text(fds[i], command);
        wait_for_blocked(server, i + 1);
    }
    ck_assert_int_eq(server_info(server, "total_blocking_keys"), KEYS);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        char words[64];
        snprintf(key, sizeof(key), "k%d", (i * 37) % KEYS);
        snprintf(words, sizeof(words), "RPUSH %s %d", key, i);
        raw_ask(writer, words, ":1\r\n");
        snprintf(words, sizeof(words), "%d", i);
        expect_popped(fds[i], key, words);
    }
    ck_assert_int_eq(server_info(server, "total_blocking_keys"), 0);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    close(writer);
    server_stop(server);
}
END_TEST

// --- Going away ---------------------------------------------------------------------------------

START_TEST(who_hangs_up_gets_nothing)
{
    int count = waiters_allowed() / 2;
    struct test_server *server = server_start(NULL);
    int writer = raw_connect_unix(server);
    int *gone = open_waiters(server, count, "BLPOP k l 0");
    int stays = raw_connect_unix(server);
    raw_words(stays, "BLPOP k 0");
    wait_for_blocked(server, count + 1);
    close_all(gone, count);
    wait_for_blocked(server, 1);
    raw_ask(writer, "RPUSH k a b", ":2\r\n");
    expect_popped(stays, "k", "a");
    raw_ask(writer, "LRANGE k 0 -1", "*1\r\n$1\r\nb\r\n");
    ck_assert_int_eq(server_info(server, "total_blocking_keys"), 0);
    close(stays);
    close(writer);
    server_stop(server);
}
END_TEST

START_TEST(the_server_ends_while_clients_wait)
{
    struct test_server *server = server_start(NULL);
    int *fds = open_waiters(server, 100, "BLMOVE k l LEFT RIGHT 0");
    server_stop(server);
    for (int i = 0; i < 100; i++)
        raw_expect_closed(fds[i]);
    close_all(fds, 100);
}
END_TEST

// --- Time ---------------------------------------------------------------------------------------

START_TEST(many_timeouts)
{
    enum { COUNT = 200 };
    struct test_server *server = server_start(NULL);
    int fds[COUNT];
    long long begin_ms = monotonic_ms();
    for (int i = 0; i < COUNT; i++) {
        char words[64];
        fds[i] = raw_connect_unix(server);
        snprintf(words, sizeof(words), "BLPOP k%d k 0.%03d", i, 1 + i);
        raw_words(fds[i], words);
    }
    for (int i = 0; i < COUNT; i++)
        raw_expect(fds[i], "*-1\r\n");
    ck_assert_int_ge(monotonic_ms() - begin_ms, COUNT);
    ck_assert_int_eq(server_info(server, "blocked_clients"), 0);
    ck_assert_int_eq(server_info(server, "clients_in_timeout_table"), 0);
    ck_assert_int_eq(server_info(server, "total_blocking_keys"), 0);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    server_stop(server);
}
END_TEST

// A queue as people build it: producers and consumers that wait, each job done once.
START_TEST(a_queue)
{
    enum { CONSUMERS = 8, JOBS = 2000 };
    struct test_server *server = server_start(NULL);
    int producer = raw_connect_unix(server);
    int fds[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++) {
        fds[i] = raw_connect_unix(server);
        for (int j = 0; j < JOBS / CONSUMERS; j++)
            raw_words(fds[i], "BLMOVE jobs done RIGHT LEFT 0");
    }
    char reply[32];
    for (int i = 0; i < JOBS; i++) {
        char words[32];
        snprintf(words, sizeof(words), "LPUSH jobs %04d", i);
        raw_words(producer, words);
        raw_line(producer, reply, sizeof(reply));
    }
    for (int i = 0; i < CONSUMERS; i++)
        raw_skip(fds[i], (size_t)(JOBS / CONSUMERS) * strlen("$4\r\n0000\r\n"));
    raw_ask(producer, "EXISTS jobs", ":0\r\n");
    raw_ask(producer, "LLEN done", ":2000\r\n");
    raw_ask(producer, "LRANGE done 0 2", "*3\r\n$4\r\n1999\r\n$4\r\n1998\r\n$4\r\n1997\r\n");
    for (int i = 0; i < CONSUMERS; i++)
        close(fds[i]);
    close(producer);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("blocking");
    TCase *order = server_tcase(suite, "order");
    tcase_add_test(order, each_of_many_gets_one);
    tcase_add_test(order, who_came_first_is_served_first);
    tcase_add_test(order, many_keys_each);
    TCase *going = server_tcase(suite, "going away");
    tcase_add_test(going, who_hangs_up_gets_nothing);
    tcase_add_test(going, the_server_ends_while_clients_wait);
    TCase *time = server_tcase(suite, "time");
    tcase_add_test(time, many_timeouts);
    tcase_add_test(time, a_queue);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

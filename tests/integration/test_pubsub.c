// SPDX-License-Identifier: BSD-3-Clause
// Publish/subscribe with a thousand subscribers: those who read lose nothing, in order, whatever others do.
#include "support/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SUBSCRIBERS 1000
#define STALLED     50
#define MESSAGES    6000
#define PAYLOAD     100

// What a subscriber of "news" is sent for one message.
#define FRAME_HEAD  "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$100\r\n"
#define FRAME_BYTES (sizeof(FRAME_HEAD) - 1 + PAYLOAD + 2)

struct subscriber {
    int fd;
    long next;  // the number of the message that is to come
    size_t at;  // so much of it has
};

static char frames[2][FRAME_BYTES + 1];

// Message number n: its number and then a filling.
static const char *frame(long n)
{
    static long made[2] = { -1, -1 };
    char *out = frames[n & 1];
    if (made[n & 1] != n)
        snprintf(out, FRAME_BYTES + 1, "%s%0*ld\r\n", FRAME_HEAD, PAYLOAD, n);
    made[n & 1] = n;
    return out;
}

// Checks what has arrived against what must; an assertion for every message would take a write each.
static void take(struct subscriber *s, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t part = FRAME_BYTES - s->at < len ? FRAME_BYTES - s->at : len;
        if (memcmp(bytes, frame(s->next) + s->at, part) != 0)
            ck_abort_msg("not message %ld: %.*s", s->next, (int)part, bytes);
        s->at += part;
        bytes += part;
        len -= part;
        if (s->at == FRAME_BYTES) {
            s->at = 0;
            s->next++;
        }
    }
}

static void read_some(struct subscriber *s)
{
    static char bytes[65536];
    ssize_t got = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    ck_assert_msg(got > 0 || (got < 0 && errno == EAGAIN), "a subscriber's connection ended");
    if (got > 0)
        take(s, bytes, (size_t)got);
}

// Reads what has arrived for those who read, waiting for a moment at most.
static void read_all(struct subscriber *subscribers, int count)
{
    static struct pollfd polled[SUBSCRIBERS];
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){ .fd = subscribers[i].fd, .events = POLLIN };
    ck_assert_int_ge(poll(polled, (nfds_t)count, 10), 0);
    for (int i = 0; i < count; i++) {
        if (polled[i].revents)
            read_some(&subscribers[i]);
    }
}

static bool all_have(const struct subscriber *subscribers, int count, long next)
{
    for (int i = 0; i < count; i++) {
        if (subscribers[i].next < next)
            return false;
    }
    return true;
}

static int subscribe(const struct test_server *server)
{
    int fd = raw_connect_unix(server);
    raw_ask(fd, "SUBSCRIBE news", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    return fd;
}

static void allow_files(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < SUBSCRIBERS + 100) {
        limit.rlim_cur = SUBSCRIBERS + 100;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
}

// Sends all messages in pipelines as fast as the server takes them, while `readers` read along.
static void publish_all(const struct test_server *server, struct subscriber *readers, int count)
{
    enum { REQUEST_MAX = PAYLOAD + 64 };
    static char requests[MESSAGES * REQUEST_MAX];
    size_t len = 0;
    for (long n = 0; n < MESSAGES; n++)
        len += (size_t)snprintf(requests + len, REQUEST_MAX,
                                "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$100\r\n%0*ld\r\n", PAYLOAD,
                                n);
    int fd = raw_connect_unix(server);
    struct deadline limit = deadline();
    size_t sent = 0;
    while (sent < len) {
        size_t part = len - sent < 20000 ? len - sent : 20000;
        ssize_t got = raw_send_some(fd, requests + sent, part);
        ck_assert_int_ge(got, 0);
        sent += (size_t)got;
        read_all(readers, count);
        deadline_wait(&limit);
        limit = deadline();
    }
    for (long n = 0; n < MESSAGES; n++) {
        char line[32];
        raw_line(fd, line, sizeof(line));
        if (line[0] != ':' || strtol(line + 1, NULL, 10) < count)
            ck_abort_msg("message %ld was answered by '%s'", n, line);
    }
    close(fd);
}

START_TEST(slow_readers_hurt_nobody)
{
    static struct subscriber readers[SUBSCRIBERS - STALLED];
    static int stalled[STALLED];
    const int count = SUBSCRIBERS - STALLED;
    allow_files();
    struct test_server *server = server_start(SERVER_ARGS(
        "--client-output-buffer-limit", "pubsub 400kb 0 0", "--maxmemory-clients", "0"));
    // Those who stall stand between those who don't.
    for (int i = 0; i < count; i++) {
        readers[i] = (struct subscriber){ .fd = subscribe(server) };
        if (i < STALLED)
            stalled[i] = subscribe(server);
    }
    long long used = server_info(server, "used_memory");
    ck_assert_int_eq(server_info(server, "pubsub_clients"), SUBSCRIBERS);
    publish_all(server, readers, count);
    struct deadline limit = deadline();
    while (!all_have(readers, count, MESSAGES)) {
        read_all(readers, count);
        deadline_wait(&limit);
    }
    ck_assert_int_lt(server_info(server, "used_memory_peak") - used, 40 * 1000 * 1000);
    ck_assert_int_eq(server_info(server, "client_output_buffer_limit_disconnections"), STALLED);
    ck_assert_int_eq(server_info(server, "pubsub_clients"), count);
    ck_assert(server_logged(server, "hard limit of client-output-buffer-limit pubsub"));
    for (int i = 0; i < count; i++)
        close(readers[i].fd);
    for (int i = 0; i < STALLED; i++)
        close(stalled[i]);
    server_stop(server);
}
END_TEST

START_TEST(a_thousand_slow_readers_share_memory)
{
    static struct subscriber stalled[SUBSCRIBERS];
    allow_files();
    struct test_server *server = server_start(
        SERVER_ARGS("--client-output-buffer-limit", "pubsub 0 0 0"));
    for (int i = 0; i < SUBSCRIBERS; i++)
        stalled[i] = (struct subscriber){ .fd = subscribe(server) };
    long long used = server_info(server, "used_memory");
    publish_all(server, stalled, 0);
    // Each is owed some 800 kB, of which its socket has taken a part.
    ck_assert_int_lt(server_info(server, "used_memory") - used, 10 * 1000 * 1000);
    // They wake up, and get it all.
    struct deadline limit = deadline();
    while (!all_have(stalled, SUBSCRIBERS, MESSAGES)) {
        read_all(stalled, SUBSCRIBERS);
        deadline_wait(&limit);
    }
    for (int i = 0; i < SUBSCRIBERS; i++)
        close(stalled[i].fd);
    ck_assert_int_eq(server_info(server, "client_output_buffer_limit_disconnections"), 0);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pubsub");
    TCase *slow = server_tcase(suite, "slow readers");
    tcase_set_timeout(slow, 240);
    tcase_add_test(slow, slow_readers_hurt_nobody);
    tcase_add_test(slow, a_thousand_slow_readers_share_memory);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

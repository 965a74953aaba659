// SPDX-License-Identifier: BSD-3-Clause
// Fairness: a client that sends a great deal does not keep the others waiting.
//
// Nothing here measures time. Either the server is stopped while all requests are put into its
// sockets, and the replies tell in which order it took them; or a process of its own floods the
// server while this one counts what it gets done meanwhile.
#include "support/raw.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Commands of a greedy client: 400 kB, which a socket takes while nobody reads.
#define GREEDY_COMMANDS 50000

static void stop_server(void)
{
    int status;
    ck_assert_int_eq(kill(plain_server()->pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(plain_server()->pid, &status, WUNTRACED), plain_server()->pid);
    ck_assert(WIFSTOPPED(status));
}

static void continue_server(void)
{
    ck_assert_int_eq(kill(plain_server()->pid, SIGCONT), 0);
}

// Sends "INCR <key>" that often, without waiting for the server.
static void send_incrs(int fd, char key)
{
    enum { LEN = sizeof("INCR n\r\n") - 1 };
    static char request[GREEDY_COMMANDS * LEN];
    for (int i = 0; i < GREEDY_COMMANDS; i++) {
        memcpy(request + (size_t)i * LEN, "INCR n\r\n", LEN);
        request[(size_t)i * LEN + 5] = key;
    }
    ck_assert_int_eq(raw_send_some(fd, request, sizeof(request)), (ssize_t)sizeof(request));
}

// Reads all replies of send_incrs(), which rise, and returns the last.
static long read_incrs(int fd)
{
    char line[64];
    long last = 0;
    FILE *stream = fdopen(dup(fd), "r");
    ck_assert_ptr_nonnull(stream);
    for (int i = 0; i < GREEDY_COMMANDS; i++) {
        // An assertion of Check's costs a write of its own: too much for each line.
        if (!fgets(line, sizeof(line), stream) || line[0] != ':' ||
            strtol(line + 1, NULL, 10) <= last)
            ck_abort_msg("reply %d is '%.60s', behind %ld", i, line, last);
        last = strtol(line + 1, NULL, 10);
    }
    fclose(stream);
    return last;
}

// --- Who comes first ----------------------------------------------------------------------------

// One command beside a long pipeline runs when a part of that has run.
START_TEST(one_command_beside_a_long_pipeline)
{
    int greedy = raw_connect(plain_server());
    int modest = raw_connect(plain_server());
    raw_ask(greedy, "SET n 0", "+OK\r\n");
    raw_ask(modest, "PING", "+PONG\r\n");
    stop_server();
    send_incrs(greedy, 'n');
    raw_text(modest, "GET n\r\n");
    continue_server();
    char line[64];
    raw_line(modest, line, sizeof(line));
    raw_line(modest, line, sizeof(line));
    long seen = strtol(line, NULL, 10);
    ck_assert_msg(seen < GREEDY_COMMANDS / 4, "%ld commands of another client came first", seen);
    ck_assert_int_eq(read_incrs(greedy), GREEDY_COMMANDS);
    close(greedy);
    close(modest);
}
END_TEST

// The same with many such pipelines: each has run a part at most.
START_TEST(one_command_beside_many_pipelines)
{
    enum { GREEDY = 8 };
    int greedy[GREEDY];
    int modest = raw_connect(plain_server());
    raw_ask(modest, "MSET a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0", "+OK\r\n");
    for (int i = 0; i < GREEDY; i++) {
        greedy[i] = raw_connect(plain_server());
        raw_ask(greedy[i], "PING", "+PONG\r\n");
    }
    stop_server();
    for (int i = 0; i < GREEDY; i++)
        send_incrs(greedy[i], (char)('a' + i));
    raw_text(modest, "MGET a b c d e f g h\r\n");
    continue_server();
    char line[64];
    raw_expect(modest, "*8\r\n");
    for (int i = 0; i < GREEDY; i++) {
        raw_line(modest, line, sizeof(line));
        raw_line(modest, line, sizeof(line));
        long seen = strtol(line, NULL, 10);
        ck_assert_msg(seen < GREEDY_COMMANDS / 4, "%ld commands of client %d came first", seen, i);
    }
    for (int i = 0; i < GREEDY; i++) {
        ck_assert_int_eq(read_incrs(greedy[i]), GREEDY_COMMANDS);
        close(greedy[i]);
    }
    close(modest);
}
END_TEST

// Two long pipelines advance side by side: when either is through, the other is nearly so.
START_TEST(two_pipelines_share)
{
    int first = raw_connect(plain_server());
    int second = raw_connect(plain_server());
    raw_ask(first, "SET n 0", "+OK\r\n");
    raw_ask(second, "PING", "+PONG\r\n");
    stop_server();
    send_incrs(first, 'n');
    send_incrs(second, 'n');
    continue_server();
    long last_first = read_incrs(first);
    long last_second = read_incrs(second);
    long earlier = last_first < last_second ? last_first : last_second;
    ck_assert_msg(earlier > GREEDY_COMMANDS * 3 / 2, "one was through after %ld of %d commands",
                  earlier, 2 * GREEDY_COMMANDS);
    ck_assert_int_eq(last_first + last_second - earlier, 2 * GREEDY_COMMANDS);
    close(first);
    close(second);
}
END_TEST

// A crowd at the door does not keep those inside waiting.
START_TEST(one_command_beside_many_connects)
{
    enum { CROWD = 450 };
    int fds[CROWD];
    char line[1024];
    int modest = raw_connect(plain_server());
    raw_ask(modest, "PING", "+PONG\r\n");
    stop_server();
    for (int i = 0; i < CROWD; i++) {
        fds[i] = raw_connect(plain_server());
        raw_text(fds[i], "PING\r\n");
    }
    raw_text(modest, "INFO clients\r\n");
    continue_server();
    do {
        raw_line(modest, line, sizeof(line));
    } while (strncmp(line, "connected_clients:", 18) != 0);
    long connected = strtol(line + 18, NULL, 10);
    ck_assert_msg(connected < CROWD / 2, "%ld connections were accepted first", connected);
    for (int i = 0; i < CROWD; i++) {
        raw_expect(fds[i], "+PONG\r\n");
        close(fds[i]);
    }
    close(modest);
}
END_TEST

// --- A flood ------------------------------------------------------------------------------------

#define FLOOD_COMMANDS 1000000
#define PONG_BYTES     (sizeof("+PONG\r\n") - 1)

struct flood {
    atomic_size_t received;  // bytes of replies
    atomic_bool wrong;
};

// Sends and reads as fast as it goes, as pipelining clients do.
static void run_flood(int fd, struct flood *flood)
{
    static char request[6 * 10000];
    static char reply[1 << 16];
    const size_t total = (size_t)FLOOD_COMMANDS * 6;
    size_t sent = 0;
    for (size_t i = 0; i < sizeof(request); i += 6)
        memcpy(request + i, "PING\r\n", 6);
    while (flood->received < FLOOD_COMMANDS * PONG_BYTES) {
        struct pollfd wait = { .fd = fd, .events = sent < total ? POLLIN | POLLOUT : POLLIN };
        poll(&wait, 1, -1);
        if (wait.revents & POLLOUT) {
            size_t at = sent % sizeof(request);
            size_t len = sizeof(request) - at < total - sent ? sizeof(request) - at : total - sent;
            ssize_t n = raw_send_some(fd, request + at, len);
            sent += n > 0 ? (size_t)n : 0;
        }
        if (wait.revents & (POLLIN | POLLHUP)) {
            ssize_t n = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
            for (ssize_t i = 0; i < n; i++)
                flood->wrong |= reply[i] != "+PONG\r\n"[(flood->received + (size_t)i) % PONG_BYTES];
            if (n <= 0)
                break;
            flood->received += (size_t)n;
        }
    }
}

START_TEST(pings_during_a_flood)
{
    struct flood *flood = mmap(NULL, sizeof(*flood), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(flood != MAP_FAILED);
    int greedy = raw_connect(plain_server());
    int modest = raw_connect(plain_server());
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_flood(greedy, flood);
        _exit(0);
    }
    for (struct deadline limit = deadline(); flood->received == 0;)
        deadline_wait(&limit);
    for (int i = 0; i < 100; i++)
        raw_ask(modest, "PING", "+PONG\r\n");
    size_t received = flood->received;
    ck_assert_msg(received < FLOOD_COMMANDS * PONG_BYTES,
                  "the flood was over before 100 commands of another client were answered");
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(flood->received, FLOOD_COMMANDS * PONG_BYTES);
    ck_assert(!flood->wrong);
    munmap(flood, sizeof(*flood));
    close(greedy);
    close(modest);
}
END_TEST

// One that sends a large value slowly, and one that does not read its replies, stand in nobody's way.
START_TEST(slow_clients)
{
    static char value[1000001];
    redisContext *c = plain();
    memset(value, 'v', sizeof(value) - 1);
    expect_ok(c, "SET v %s", value);
    int sender = raw_connect(plain_server());
    int deaf = raw_connect(plain_server());
    raw_text(sender, "*3\r\n$3\r\nSET\r\n$1\r\nw\r\n$1000000\r\n");
    for (int i = 0; i < 50; i++)
        raw_text(deaf, "GET v\r\n");
    for (int i = 0; i < 100; i++) {
        raw_send(sender, value, 10000);
        expect_int(c, i + 1, "INCR n");
    }
    raw_text(sender, "\r\n");
    raw_expect(sender, "+OK\r\n");
    expect_int(c, 1000000, "STRLEN w");
    for (int i = 0; i < 50; i++)
        raw_skip(deaf, strlen("$1000000\r\n\r\n") + 1000000);
    raw_expect_nothing(deaf);
    close(sender);
    close(deaf);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fairness");
    TCase *tcase = plain_tcase(suite, "order");
    tcase_add_test(tcase, one_command_beside_a_long_pipeline);
    tcase_add_test(tcase, one_command_beside_many_pipelines);
    tcase_add_test(tcase, two_pipelines_share);
    tcase_add_test(tcase, one_command_beside_many_connects);
    tcase = plain_tcase(suite, "flood");
    tcase_add_test(tcase, pings_during_a_flood);
    tcase_add_test(tcase, slow_clients);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

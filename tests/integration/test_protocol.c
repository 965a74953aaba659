// SPDX-License-Identifier: BSD-3-Clause
// The protocol byte by byte: requests in pieces, large pipelines, errors with their exact texts,
// hostile counts and lengths, limits before authentication.
#include "support/raw.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// A text with NULs in it, and its length.
#define BYTES(text) (text), sizeof(text) - 1

#define PROTOCOL_ERROR(text) "-ERR Protocol error: " text "\r\n"

// --- Requests in pieces -------------------------------------------------------------------------

static const char mixed_request[] = "*3\r\n$3\r\nSET\r\n$4\r\nk\r\n1\r\n$10\r\n12345\r\n890\r\n"
                                    "PING \"in line\"\r\n"
                                    "*0\r\n\r\n*-1\r\n"
                                    "*2\r\n$3\r\nGET\r\n$4\r\nk\r\n1\r\n"
                                    "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
                                    "*1\r\n$4\r\nPING\r\n";
static const char mixed_reply[] = "+OK\r\n$7\r\nin line\r\n$10\r\n12345\r\n890\r\n$0\r\n\r\n"
                                  "+PONG\r\n";

// Lets the server see what has come so far: it answers another connection meanwhile.
static void let_it_read(void)
{
    expect_status(plain(), "PONG", "PING");
}

START_TEST(split_at_every_position)
{
    const size_t len = sizeof(mixed_request) - 1;
    int fd = raw_connect(plain_server());
    for (size_t i = 1; i < len; i++) {
        raw_send(fd, mixed_request, i);
        let_it_read();
        raw_send(fd, mixed_request + i, len - i);
        raw_expect(fd, mixed_reply);
        raw_expect_nothing(fd);
    }
    close(fd);
}
END_TEST

START_TEST(byte_by_byte)
{
    const size_t len = sizeof(mixed_request) - 1;
    int fd = raw_connect(plain_server());
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < len; i++) {
            raw_send(fd, mixed_request + i, 1);
            let_it_read();
        }
        raw_expect(fd, mixed_reply);
        raw_expect_nothing(fd);
    }
    close(fd);
}
END_TEST

// Several half requests at the same time do not get mixed up.
START_TEST(interleaved_clients)
{
    enum { CLIENTS = 50 };
    const size_t len = sizeof(mixed_request) - 1;
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = raw_connect(plain_server());
    for (size_t at = 0; at < len; at += 3) {
        for (int i = 0; i < CLIENTS; i++)
            raw_send(fds[i], mixed_request + at, len - at < 3 ? len - at : 3);
    }
    for (int i = 0; i < CLIENTS; i++) {
        raw_expect(fds[i], mixed_reply);
        raw_expect_nothing(fds[i]);
        close(fds[i]);
    }
}
END_TEST

// Large values cut at places around every buffer's size.
START_TEST(large_value_in_pieces)
{
    enum { LEN = 300000 };
    static char request[LEN + 64];
    const size_t cuts[] = { 20, 28, 29, 30, 4096, 16384, 16385, 32767, 32768, 65536, 131072, LEN };
    int fd = raw_connect(plain_server());
    size_t len = (size_t)sprintf(request, "*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$%d\r\n", LEN);
    for (size_t i = 0; i < LEN; i++)
        request[len++] = (char)(i * 31 % 251);
    const char *value = request + len - LEN;
    request[len++] = '\r';
    request[len++] = '\n';
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        raw_send(fd, request, cuts[i]);
        let_it_read();
        raw_send(fd, request + cuts[i], len - cuts[i]);
        raw_text(fd, "GET v\r\nSTRLEN v\r\nPING\r\n");
        raw_expect(fd, "+OK\r\n$300000\r\n");
        raw_expect_bytes(fd, value, LEN);
        raw_expect(fd, "\r\n:300000\r\n+PONG\r\n");
    }
    close(fd);
}
END_TEST

// A request or a reply that is put together.
struct text {
    char *bytes;
    size_t len;
};

#define TEXT_ROOM (4u << 20)

static void add(struct text *text, const void *bytes, size_t len)
{
    if (text->len + len > TEXT_ROOM)
        ck_abort_msg("no room for %zu bytes more", len);
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static void add_text(struct text *text, const char *more)
{
    add(text, more, strlen(more));
}

static void add_bulk(struct text *text, const void *bytes, size_t len)
{
    char head[32];
    snprintf(head, sizeof(head), "$%zu\r\n", len);
    add_text(text, head);
    add(text, bytes, len);
    add_text(text, "\r\n");
}

// Commands with large arguments in every place, among small ones.
static void make_large_requests(const char *value, size_t len, struct text *request,
                                struct text *reply)
{
    add_text(request, "*7\r\n$4\r\nMSET\r\n$1\r\na\r\n");
    add_bulk(request, value, len);
    add_text(request, "$1\r\nb\r\n$5\r\nsmall\r\n$1\r\nc\r\n");
    add_bulk(request, value, len / 2);
    add_text(reply, "+OK\r\n");
    // As a key.
    add_text(request, "*3\r\n$3\r\nSET\r\n");
    add_bulk(request, value, len);
    add_text(request, "$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n");
    add_bulk(request, value, len);
    add_text(reply, "+OK\r\n:2\r\n");
    // With options behind it, right and wrong ones.
    add_text(request, "*5\r\n$3\r\nSET\r\n$1\r\nd\r\n");
    add_bulk(request, value, len);
    add_text(request, "$2\r\nEX\r\n$3\r\n100\r\n*4\r\n$3\r\nSET\r\n$1\r\nd\r\n");
    add_bulk(request, value, len);
    add_text(request, "$3\r\nFOO\r\n");
    add_text(reply, "+OK\r\n-ERR syntax error\r\n");
    // Twice in one command, and where it does not belong.
    add_text(request, "*3\r\n$4\r\nECHO\r\n");
    add_bulk(request, value, len);
    add_bulk(request, value, len);
    add_text(reply, "-ERR wrong number of arguments for 'echo' command\r\n");
    add_text(request, "*2\r\n$3\r\nGET\r\n");
    add_bulk(request, value, len - 1);
    add_text(reply, "$-1\r\n");
    add_text(request, "*2\r\n");
    add_bulk(request, value, len);
    add_text(request, "$1\r\nx\r\n");
    add_text(reply, "-ERR unknown command '");
    add(reply, value, 128);
    add_text(reply, "', with args beginning with: 'x' \r\n");
    // All of it is there.
    add_text(request, "APPEND d !\r\n*5\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n"
                      "$1\r\nc\r\n$5\r\nnokey\r\n*1\r\n$4\r\nPING\r\n");
    char appended[32];
    snprintf(appended, sizeof(appended), ":%zu\r\n*4\r\n", len + 1);
    add_text(reply, appended);
    add_bulk(reply, value, len);
    add_text(reply, "$5\r\nsmall\r\n");
    add_bulk(reply, value, len / 2);
    add_text(reply, "$-1\r\n+PONG\r\n");
}

START_TEST(large_arguments_everywhere)
{
    const size_t lengths[] = { 20000, 32767, 32768, 32769, 70000, 200000 };
    struct text request = { .bytes = malloc(TEXT_ROOM) };
    struct text reply = { .bytes = malloc(TEXT_ROOM) };
    char *value = malloc(200000);
    ck_assert(request.bytes && reply.bytes && value);
    // Nothing that an error's text would show in another way.
    for (size_t i = 0; i < 200000; i++)
        value[i] = (char)('a' + i * 7 % 26);
    int fd = raw_connect(plain_server());
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        request.len = reply.len = 0;
        make_large_requests(value, lengths[i], &request, &reply);
        const size_t pieces[] = { request.len, 100000, 65536, 30011, 9973 };
        for (size_t k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
            expect_ok(plain(), "FLUSHALL");
            for (size_t at = 0; at < request.len; at += pieces[k]) {
                size_t left = request.len - at;
                raw_send(fd, request.bytes + at, left < pieces[k] ? left : pieces[k]);
                let_it_read();
            }
            raw_expect_bytes(fd, reply.bytes, reply.len);
            raw_expect_nothing(fd);
        }
    }
    close(fd);
    free(request.bytes);
    free(reply.bytes);
    free(value);
}
END_TEST

// Connections that end, by either side, while a large argument is on its way.
START_TEST(large_arguments_that_never_end)
{
    static char value[60000];
    memset(value, 'v', sizeof(value));
    long long before = server_info(plain_server(), "used_memory");
    for (int i = 0; i < 60; i++) {
        int fd = raw_connect(plain_server());
        raw_text(fd, i % 3 ? "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n"
                           : "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$60000\r\n");
        raw_send(fd, value, sizeof(value));
        if (i % 3 == 0)
            raw_text(fd, "\r\n$1\r\nb\r\n$50000\r\nsome");
        let_it_read();
        if (i % 2)
            ck_assert_int_ge(client_int(plain(), "CLIENT KILL TYPE normal"), 1);
        close(fd);
    }
    expect_int(plain(), 0, "DBSIZE");
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        if (server_info(plain_server(), "used_memory") - before < 500000)
            break;
    }
}
END_TEST

// What is behind a large argument is as strictly looked at as anything.
START_TEST(errors_behind_a_large_argument)
{
    static char value[60000];
    memset(value, 'v', sizeof(value));
    int fd = raw_connect(plain_server());
    raw_text(fd, "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$60000\r\n");
    let_it_read();
    raw_send(fd, value, sizeof(value));
    raw_text(fd, "\r\nx1\r\n");
    raw_expect(fd, "-ERR Protocol error: expected '$', got 'x'\r\n");
    raw_expect_closed(fd);
    close(fd);
    expect_int(plain(), 0, "EXISTS a");
}
END_TEST

// --- Pipelines ----------------------------------------------------------------------------------

START_TEST(ten_thousand_commands_in_one_write)
{
    enum { COMMANDS = 10000 };
    static char request[COMMANDS * 40];
    static char reply[COMMANDS * 10];
    size_t len = 0;
    size_t reply_len = 0;
    for (int i = 0; i < COMMANDS; i++) {
        len += (size_t)sprintf(request + len, "*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$1\r\n%d\r\n", 1);
        reply_len += (size_t)sprintf(reply + reply_len, ":%d\r\n", i + 1);
    }
    int fd = raw_connect(plain_server());
    raw_send(fd, request, len);
    raw_expect_bytes(fd, reply, reply_len);
    raw_expect_nothing(fd);
    close(fd);
}
END_TEST

// The same with commands of all kinds and errors among them.
START_TEST(mixed_pipeline_in_one_write)
{
    enum { ROUNDS = 2000 };
    static const char part[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nx\r\nGET a\r\nnosuch 1\r\n"
                               "*2\r\n$4\r\nINCR\r\n$1\r\na\r\nMGET a b\nDEL a\r\nGET\r\n";
    static const char answer[] =
        "+OK\r\n$1\r\nx\r\n-ERR unknown command 'nosuch', with args beginning with: '1' \r\n"
        "-ERR value is not an integer or out of range\r\n*2\r\n$1\r\nx\r\n$-1\r\n:1\r\n"
        "-ERR wrong number of arguments for 'get' command\r\n";
    static char request[ROUNDS * (sizeof(part) - 1)];
    for (int i = 0; i < ROUNDS; i++)
        memcpy(request + (size_t)i * (sizeof(part) - 1), part, sizeof(part) - 1);
    int fd = raw_connect(plain_server());
    raw_send(fd, request, sizeof(request));
    for (int i = 0; i < ROUNDS; i++)
        raw_expect(fd, answer);
    raw_expect_nothing(fd);
    close(fd);
}
END_TEST

// A client that sends all before it reads anything: 20 MB of replies wait meanwhile.
START_TEST(replies_wait_for_the_reader)
{
    enum { COMMANDS = 2000, LEN = 10000 };
    static char value[LEN + 1];
    static char request[COMMANDS * 7];
    memset(value, 'v', LEN);
    expect_ok(plain(), "SET v %s", value);
    for (int i = 0; i < COMMANDS; i++)
        memcpy(request + (size_t)i * 7, "GET v\r\n", 7);
    int fd = raw_connect(plain_server());
    raw_send(fd, request, sizeof(request));
    let_it_read();
    for (int i = 0; i < COMMANDS; i++) {
        raw_expect(fd, "$10000\r\n");
        raw_expect_bytes(fd, value, LEN);
        raw_expect(fd, "\r\n");
    }
    raw_expect_nothing(fd);
    close(fd);
}
END_TEST

// --- Errors -------------------------------------------------------------------------------------

// The request is answered with this; then the connection is closed and the server goes on.
static void expect_refused(const void *request, size_t len, const char *reply)
{
    int fd = raw_connect(plain_server());
    raw_send(fd, request, len);
    raw_expect(fd, reply);
    raw_expect_closed(fd);
    close(fd);
}

START_TEST(protocol_errors)
{
    static const struct {
        const char *request;
        const char *reply;
    } cases[] = {
        { "*x\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "* 1\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*+1\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*01\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*1.0\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*2147483648\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*99999999999999999999\r\n", PROTOCOL_ERROR("invalid multibulk length") },
        { "*1\r\nPING\r\n", PROTOCOL_ERROR("expected '$', got 'P'") },
        { "*1\r\n+PING\r\n", PROTOCOL_ERROR("expected '$', got '+'") },
        { "*1\r\n:1\r\n", PROTOCOL_ERROR("expected '$', got ':'") },
        { "*1\r\n*1\r\n", PROTOCOL_ERROR("expected '$', got '*'") },
        { "*1\r\n\r\n", PROTOCOL_ERROR("expected '$', got ' '") },
        { "*2\r\n$4\r\nPING\r\nx\r\n", PROTOCOL_ERROR("expected '$', got 'x'") },
        { "*1\r\n$x\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$-1\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$-2147483648\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$04\r\nPING\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870913\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$9223372036854775807\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "*1\r\n$18446744073709551617\r\n", PROTOCOL_ERROR("invalid bulk length") },
        { "ECHO \"abc\r\n", PROTOCOL_ERROR("unbalanced quotes in request") },
        { "ECHO 'abc\r\n", PROTOCOL_ERROR("unbalanced quotes in request") },
        { "ECHO \"abc\"d\r\n", PROTOCOL_ERROR("unbalanced quotes in request") },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect_refused(cases[i].request, strlen(cases[i].request), cases[i].reply);
    expect_int(plain(), 0, "DBSIZE");
    ck_assert_int_eq(server_info(plain_server(), "connected_clients"), 2);
}
END_TEST

// What came before the error is answered; what comes behind it is not run.
START_TEST(commands_around_an_error)
{
    int fd = raw_connect(plain_server());
    raw_text(fd, "SET a 1\r\n*1\r\n$4\r\nPING\r\n*3\r\n$x\r\nSET a 2\r\nPING\r\n");
    raw_expect(fd, "+OK\r\n+PONG\r\n" PROTOCOL_ERROR("invalid bulk length"));
    raw_expect_closed(fd);
    close(fd);
    expect_text(plain(), "1", "GET a");
}
END_TEST

START_TEST(endless_lines)
{
    enum { LEN = 70000 };
    static char line[LEN];
    memset(line, '1', LEN);
    expect_refused(line, LEN, PROTOCOL_ERROR("too big inline request"));
    line[0] = '*';
    expect_refused(line, LEN, PROTOCOL_ERROR("too big mbulk count string"));
    memcpy(line, "*1\r\n$", 5);
    expect_refused(line, LEN, PROTOCOL_ERROR("too big bulk count string"));
}
END_TEST

// A NUL is a byte like any other.
START_TEST(zero_bytes)
{
    int fd = raw_connect(plain_server());
    raw_send(fd, BYTES("*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n"));
    raw_expect(fd, "$-1\r\n");
    raw_send(fd, BYTES("*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$2\r\n\0\0\r\n"));
    raw_expect(fd, "+OK\r\n");
    raw_send(fd, BYTES("*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n"));
    raw_expect_bytes(fd, "$2\r\n\0\0\r\n", 8);
    raw_ask(fd, "EXISTS a", ":0\r\n");
    close(fd);
}
END_TEST

// --- Promises -----------------------------------------------------------------------------------

// Sends the text on many connections; returns by how much a field of INFO rises for each.
static long long promise(const char *text, const char *field)
{
    enum { COUNT = 10 };
    int fds[COUNT];
    long long before = server_info(plain_server(), field);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect(plain_server());
        raw_text(fds[i], text);
    }
    let_it_read();
    let_it_read();
    long long each = (server_info(plain_server(), field) - before) / COUNT;
    for (int i = 0; i < COUNT; i++) {
        raw_expect_nothing(fds[i]);
        close(fds[i]);
    }
    return each;
}

// Memory is taken for what has come, not for what is promised.
START_TEST(huge_counts)
{
    static const char *const promises[] = {
        "*2147483647\r\n",
        "*2147483647\r\n$4\r\nMGET\r\n$1\r\na\r\n",
        "*1048576\r\n$1\r\na\r\n",
    };
    for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++)
        ck_assert_int_lt(promise(promises[i], "used_memory"), 20000);
    expect_status(plain(), "PONG", "PING");
}
END_TEST

// Room for a large value may be set aside, but not filled.
START_TEST(huge_lengths)
{
    static const char *const promises[] = {
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nsome of it",
        "*1\r\n$400000000\r\n",
    };
    for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++)
        ck_assert_int_lt(promise(promises[i], "used_memory_rss"), 200000);
    expect_status(plain(), "PONG", "PING");
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        if (server_info(plain_server(), "used_memory") < 20000000)
            break;
    }
}
END_TEST

// A command of a hundred thousand arguments, in one piece and slowly.
START_TEST(many_arguments)
{
    enum { ARGS = 100000 };
    static char request[ARGS * 12 + 64];
    int fd = raw_connect(plain_server());
    size_t len = (size_t)sprintf(request, "*%d\r\n$6\r\nEXISTS\r\n", ARGS + 1);
    for (int i = 0; i < ARGS; i++)
        len += (size_t)sprintf(request + len, "$5\r\n%05d\r\n", i);
    expect_ok(plain(), "MSET 00000 a 00007 b 99999 c");
    raw_send(fd, request, len);
    raw_expect(fd, ":3\r\n");
    for (size_t at = 0; at < len; at += 50001) {
        raw_send(fd, request + at, len - at < 50001 ? len - at : 50001);
        let_it_read();
    }
    raw_expect(fd, ":3\r\n");
    close(fd);
}
END_TEST

// --- Before authentication ----------------------------------------------------------------------

START_TEST(unauthenticated_limits)
{
    static char bulk[20000];
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", "secret"));
    static const struct {
        const char *request;
        const char *reply;
    } cases[] = {
        { "*11\r\n", PROTOCOL_ERROR("unauthenticated multibulk length") },
        { "*2147483647\r\n", PROTOCOL_ERROR("unauthenticated multibulk length") },
        { "*2\r\n$4\r\nAUTH\r\n$16385\r\n", PROTOCOL_ERROR("unauthenticated bulk length") },
        { "*1\r\n$536870912\r\n", PROTOCOL_ERROR("unauthenticated bulk length") },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int fd = raw_connect(server);
        raw_text(fd, cases[i].request);
        raw_expect(fd, cases[i].reply);
        raw_expect_closed(fd);
        close(fd);
    }
    // Up to there all is as ever; and behind AUTH the limits are gone, in the same write too.
    int fd = raw_connect(server);
    raw_text(fd, "*10\r\n$4\r\nMGET\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"
                 "$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n");
    raw_expect(fd, "-NOAUTH Authentication required.\r\n");
    memset(bulk, 'b', sizeof(bulk));
    raw_text(fd, "*2\r\n$4\r\nAUTH\r\n$16384\r\n");
    raw_send(fd, bulk, 16384);
    raw_expect_nothing(fd);
    raw_text(fd, "\r\n");
    raw_expect(fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    raw_text(fd,
             "AUTH secret\r\n*12\r\n$6\r\nEXISTS\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"
             "$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$1\r\na\r\n$1\r\nb\r\n"
             "*2\r\n$4\r\nECHO\r\n$20000\r\n");
    raw_send(fd, bulk, sizeof(bulk));
    raw_text(fd, "\r\n");
    raw_expect(fd, "+OK\r\n:0\r\n$20000\r\n");
    raw_expect_bytes(fd, bulk, sizeof(bulk));
    raw_expect(fd, "\r\n");
    close(fd);
    server_stop(server);
}
END_TEST

// --- Noise --------------------------------------------------------------------------------------

// Reads what there is, so that neither side waits for the other; true when the connection is closed.
static bool drained(int fd)
{
    char dropped[65536];
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    while (poll(&wait, 1, 0) > 0) {
        if (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) <= 0)
            return true;
    }
    return false;
}

// Made of the protocol's own signs, so that much of it is nearly right. The seed is fixed.
START_TEST(noise)
{
    static const char *const pieces[] = { "*",      "$",   "\r\n", "1",    "3",
                                          "PING",   "SET", "\r",   "\n",   "-1",
                                          "\"",     "'",   "GET",  "a",    "*1\r\n$4\r\nPING\r\n",
                                          "$3\r\n", "\\x", " ",    "99999" };
    unsigned long long state = 42;
    for (int round = 0; round < 300; round++) {
        char request[2048] = "";
        size_t len = 0;
        while (len < sizeof(request) - 32) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            size_t piece = (state >> 33) % (sizeof(pieces) / sizeof(*pieces));
            len += (size_t)sprintf(request + len, "%s", pieces[piece]);
        }
        int fd = raw_connect(plain_server());
        for (size_t at = 0; at < len && !drained(fd); at += 500)
            (void)raw_send_some(fd, request + at, len - at < 500 ? len - at : 500);
        close(fd);
    }
    expect_status(plain(), "PONG", "PING");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tcase = plain_tcase(suite, "pieces");
    tcase_add_test(tcase, split_at_every_position);
    tcase_add_test(tcase, byte_by_byte);
    tcase_add_test(tcase, interleaved_clients);
    tcase_add_test(tcase, large_value_in_pieces);
    tcase_add_test(tcase, large_arguments_everywhere);
    tcase_add_test(tcase, large_arguments_that_never_end);
    tcase_add_test(tcase, errors_behind_a_large_argument);
    tcase = plain_tcase(suite, "pipelines");
    tcase_add_test(tcase, ten_thousand_commands_in_one_write);
    tcase_add_test(tcase, mixed_pipeline_in_one_write);
    tcase_add_test(tcase, replies_wait_for_the_reader);
    tcase = plain_tcase(suite, "errors");
    tcase_add_test(tcase, protocol_errors);
    tcase_add_test(tcase, commands_around_an_error);
    tcase_add_test(tcase, endless_lines);
    tcase_add_test(tcase, zero_bytes);
    tcase = plain_tcase(suite, "promises");
    tcase_add_test(tcase, huge_counts);
    tcase_add_test(tcase, huge_lengths);
    tcase_add_test(tcase, many_arguments);
    tcase = server_tcase(suite, "unauthenticated");
    tcase_add_test(tcase, unauthenticated_limits);
    tcase = plain_tcase(suite, "noise");
    tcase_add_test(tcase, noise);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

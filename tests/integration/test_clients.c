// SPDX-License-Identifier: BSD-3-Clause
// CLIENT: ID SETNAME GETNAME SETINFO INFO LIST KILL.
#include "support/raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_MAX 65536

#define BAD_NAME "ERR Client names cannot contain spaces, newlines or special characters."

// The fields of a line of CLIENT LIST, in Redis 7.2's order.
static const char *const field_names[] = {
    "id",        "addr", "laddr", "fd",   "name",     "age",     "idle",      "flags",
    "db",        "sub",  "psub",  "ssub", "multi",    "qbuf",    "qbuf-free", "argv-mem",
    "multi-mem", "rbs",  "rbp",   "obl",  "oll",      "omem",    "tot-mem",   "events",
    "cmd",       "user", "redir", "resp", "lib-name", "lib-ver",
};
#define FIELD_COUNT (sizeof(field_names) / sizeof(*field_names))

// Copies the value of a field of one line; false without it.
static bool field(const char *line, const char *name, char *out, size_t room)
{
    size_t len = strlen(name);
    const char *end = line + strcspn(line, "\n");
    for (const char *at = line; at < end; at += strcspn(at, " \n") + 1) {
        if (strncmp(at, name, len) != 0 || at[len] != '=')
            continue;
        snprintf(out, room, "%.*s", (int)strcspn(at + len + 1, " \n"), at + len + 1);
        return true;
    }
    return false;
}

static void expect_field(const char *line, const char *name, const char *want)
{
    char got[256];
    ck_assert_msg(field(line, name, got, sizeof(got)), "no %s in %s", name, line);
    ck_assert_msg(strcmp(got, want) == 0, "%s is '%s', wanted '%s', in %s", name, got, want, line);
}

static long long field_number(const char *line, const char *name)
{
    char text[64];
    char *end;
    ck_assert_msg(field(line, name, text, sizeof(text)), "no %s in %s", name, line);
    long long value = strtoll(text, &end, 10);
    ck_assert_msg(end != text && !*end, "%s is '%s' in %s", name, text, line);
    return value;
}

// "address:port" of this end of the connection.
static void own_address(int fd, char *out, size_t room)
{
    struct sockaddr_in address = { 0 };
    socklen_t len = sizeof(address);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(out, room, "127.0.0.1:%d", ntohs(address.sin_port));
}

static int count_lines(const char *text)
{
    int count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

// Closing connections takes the server a turn.
static void wait_for_clients(redisContext *c, int count)
{
    char text[TEXT_MAX];
    struct deadline limit = deadline();
    for (;;) {
        client_text(c, text, sizeof(text), "CLIENT LIST");
        if (count_lines(text) == count)
            return;
        deadline_wait(&limit);
    }
}

// --- Who am I -----------------------------------------------------------------------------------

START_TEST(ids_rise)
{
    redisContext *c = plain();
    long long id = client_int(c, "CLIENT ID");
    ck_assert_int_gt(id, 0);
    expect_int(c, id, "CLIENT ID");
    for (int i = 0; i < 5; i++) {
        redisContext *other = client_connect(plain_server());
        long long other_id = client_int(other, "CLIENT ID");
        ck_assert_int_gt(other_id, id);
        id = other_id;
        redisFree(other);
    }
}
END_TEST

START_TEST(names)
{
    redisContext *c = plain();
    expect_nil(c, "CLIENT GETNAME");
    // BullMQ's names have such signs.
    expect_ok(c, "CLIENT SETNAME bull:cXVldWU=:w");
    expect_text(c, "bull:cXVldWU=:w", "CLIENT GETNAME");
    expect_error(c, BAD_NAME, "CLIENT SETNAME %s", "a b");
    expect_error(c, BAD_NAME, "CLIENT SETNAME %s", "a\nb");
    expect_error(c, BAD_NAME, "CLIENT SETNAME %s", "\x7f");
    expect_error(c, BAD_NAME, "CLIENT SETNAME %s", "\xc3\xa4");
    expect_text(c, "bull:cXVldWU=:w", "CLIENT GETNAME");
    expect_ok(c, "CLIENT SETNAME %s", "");
    expect_nil(c, "CLIENT GETNAME");
    expect_error(c, "ERR wrong number of arguments for 'client|setname' command", "CLIENT SETNAME");
    expect_error(c, "ERR wrong number of arguments for 'client|getname' command",
                 "CLIENT GETNAME x");
}
END_TEST

START_TEST(library_info)
{
    redisContext *c = plain();
    char line[1024];
    expect_ok(c, "CLIENT SETINFO LIB-NAME my(lib)");
    expect_ok(c, "client setinfo lib-ver 1.2.3-beta");
    client_text(c, line, sizeof(line), "CLIENT INFO");
    expect_field(line, "lib-name", "my(lib)");
    expect_field(line, "lib-ver", "1.2.3-beta");
    expect_error(c, "ERR lib-name cannot contain spaces, newlines or special characters.",
                 "CLIENT SETINFO LIB-NAME %s", "a b");
    expect_error(c, "ERR lib-ver cannot contain spaces, newlines or special characters.",
                 "CLIENT SETINFO lib-ver %s", "1\n");
    expect_error(c, "ERR Unrecognized option 'foo'", "CLIENT SETINFO foo bar");
    expect_error(c, "ERR wrong number of arguments for 'client|setinfo' command",
                 "CLIENT SETINFO LIB-NAME");
    expect_ok(c, "CLIENT SETINFO LIB-NAME %s", "");
    client_text(c, line, sizeof(line), "CLIENT INFO");
    expect_field(line, "lib-name", "");
    expect_field(line, "lib-ver", "1.2.3-beta");
}
END_TEST

// --- INFO and LIST ------------------------------------------------------------------------------

static void check_field_order(const char *line)
{
    const char *at = line;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t len = strlen(field_names[i]);
        ck_assert_msg(strncmp(at, field_names[i], len) == 0 && at[len] == '=',
                      "wanted %s at '%.20s' in %s", field_names[i], at, line);
        at += strcspn(at, " \n");
        // Exporters drop a line with a second '=' in a field.
        ck_assert_int_eq(*at, i + 1 < FIELD_COUNT ? ' ' : '\n');
        at++;
    }
    ck_assert_int_eq(*at, '\0');
}

START_TEST(info_line)
{
    redisContext *c = plain();
    char line[2048];
    char own[64];
    char theirs[64];
    own_address(c->fd, own, sizeof(own));
    snprintf(theirs, sizeof(theirs), "127.0.0.1:%d", plain_server()->port);
    expect_ok(c, "CLIENT SETNAME me");
    expect_ok(c, "SELECT 3");
    client_text(c, line, sizeof(line), "CLIENT INFO");
    check_field_order(line);
    ck_assert_int_eq(field_number(line, "id"), client_int(c, "CLIENT ID"));
    expect_field(line, "addr", own);
    expect_field(line, "laddr", theirs);
    expect_field(line, "name", "me");
    expect_field(line, "flags", "N");
    expect_field(line, "db", "3");
    expect_field(line, "sub", "0");
    expect_field(line, "multi", "-1");
    expect_field(line, "events", "r");
    expect_field(line, "cmd", "client|info");
    expect_field(line, "user", "default");
    expect_field(line, "redir", "-1");
    expect_field(line, "resp", "2");
    ck_assert_int_ge(field_number(line, "fd"), 3);
    ck_assert_int_ge(field_number(line, "age"), 0);
    ck_assert_int_ge(field_number(line, "idle"), 0);
    ck_assert_int_gt(field_number(line, "tot-mem"), 0);
    ck_assert_int_ge(field_number(line, "omem"), 0);
}
END_TEST

START_TEST(info_of_resp3_and_unix)
{
    int fd = raw_connect_unix(plain_server());
    char line[2048];
    char want[SERVER_PATH_MAX + 8];
    raw_text(fd, "CLIENT INFO\r\n");
    raw_line(fd, line, sizeof(line));
    ck_assert_int_eq(line[0], '$');
    raw_line(fd, line, sizeof(line));
    snprintf(want, sizeof(want), "%s:0", plain_server()->socket_path);
    expect_field(line, "addr", want);
    expect_field(line, "laddr", want);
    expect_field(line, "flags", "U");

    raw_text(fd, "HELLO 3\r\n");
    raw_skip(fd, strlen("%7\r\n$6\r\nserver\r\n"));
    do {
        raw_line(fd, line, sizeof(line));
    } while (strcmp(line, "*0") != 0);
    const char *commands[] = { "CLIENT INFO\r\n", "CLIENT LIST\r\n" };
    for (int i = 0; i < 2; i++) {
        raw_text(fd, commands[i]);
        raw_line(fd, line, sizeof(line));
        ck_assert_msg(line[0] == '=', "not a verbatim text: %s", line);
        long len = strtol(line + 1, NULL, 10);
        raw_expect(fd, "txt:");
        ck_assert_int_lt(len, (long)sizeof(line));
        raw_skip(fd, (size_t)len - 4);
        raw_expect(fd, "\r\n");
    }
    close(fd);
}
END_TEST

START_TEST(list)
{
    redisContext *c = plain();
    redisContext *other = client_connect(plain_server());
    char text[TEXT_MAX];
    long long id = client_int(c, "CLIENT ID");
    long long other_id = client_int(other, "CLIENT ID");
    expect_ok(other, "CLIENT SETNAME other");
    expect_status(other, "PONG", "PING");
    client_text(c, text, sizeof(text), "CLIENT LIST");
    ck_assert_int_eq(count_lines(text), 2);
    ck_assert_int_eq(field_number(text, "id"), id);
    expect_field(text, "cmd", "client|list");
    const char *second = strchr(text, '\n') + 1;
    check_field_order(second);
    ck_assert_int_eq(field_number(second, "id"), other_id);
    expect_field(second, "name", "other");
    expect_field(second, "cmd", "ping");

    client_text(c, text, sizeof(text), "CLIENT LIST TYPE normal");
    ck_assert_int_eq(count_lines(text), 2);
    expect_text(c, "", "CLIENT LIST TYPE master");
    expect_text(c, "", "CLIENT LIST TYPE replica");
    expect_text(c, "", "CLIENT LIST TYPE slave");
    expect_text(c, "", "CLIENT LIST TYPE pubsub");
    client_text(c, text, sizeof(text), "CLIENT LIST ID %lld", other_id);
    ck_assert_int_eq(count_lines(text), 1);
    ck_assert_int_eq(field_number(text, "id"), other_id);
    client_text(c, text, sizeof(text), "CLIENT LIST ID %lld 99999 %lld", other_id, id);
    ck_assert_int_eq(count_lines(text), 2);
    ck_assert_int_eq(field_number(text, "id"), other_id);
    expect_text(c, "", "CLIENT LIST ID 99999");
    expect_error(c, "ERR Unknown client type 'foo'", "CLIENT LIST TYPE foo");
    expect_error(c, "ERR Invalid client ID", "CLIENT LIST ID x");
    expect_error(c, "ERR syntax error", "CLIENT LIST ID");
    expect_error(c, "ERR syntax error", "CLIENT LIST TYPE");
    expect_error(c, "ERR syntax error", "CLIENT LIST FOO");
    redisFree(other);
    wait_for_clients(c, 1);
}
END_TEST

// What is on its way shows.
START_TEST(buffers_in_the_list)
{
    redisContext *c = plain();
    char text[TEXT_MAX];
    int fd = raw_connect(plain_server());
    raw_text(fd, "CLIENT SETNAME half\r\n");
    raw_expect(fd, "+OK\r\n");
    raw_text(fd, "*2\r\n$4\r\nECHO\r\n$100000\r\nsome of it");
    for (struct deadline limit = deadline();;) {
        client_text(c, text, sizeof(text), "CLIENT LIST");
        const char *line = strstr(text, "name=half");
        ck_assert_ptr_nonnull(line);
        if (field_number(line, "qbuf") > 0 || field_number(line, "argv-mem") > 0)
            break;
        deadline_wait(&limit);
    }
    close(fd);
    wait_for_clients(c, 1);
}
END_TEST

// --- KILL ---------------------------------------------------------------------------------------

START_TEST(kill_by_address)
{
    redisContext *c = plain();
    int fd = raw_connect(plain_server());
    char address[64];
    own_address(fd, address, sizeof(address));
    raw_ask(fd, "PING", "+PONG\r\n");
    expect_error(c, "ERR No such client", "CLIENT KILL 127.0.0.1:1");
    expect_ok(c, "CLIENT KILL %s", address);
    raw_expect_closed(fd);
    expect_error(c, "ERR No such client", "CLIENT KILL %s", address);
    close(fd);

    fd = raw_connect(plain_server());
    own_address(fd, address, sizeof(address));
    raw_ask(fd, "PING", "+PONG\r\n");
    expect_int(c, 1, "CLIENT KILL ADDR %s", address);
    raw_expect_closed(fd);
    expect_int(c, 0, "CLIENT KILL ADDR %s", address);
    close(fd);
}
END_TEST

// Whoever has heard that a client is closed may rely on it: the end of its connection is there.
START_TEST(killed_clients_know_it_first)
{
    redisContext *c = plain();
    for (int i = 0; i < 200; i++) {
        int fd = raw_connect_unix(plain_server());
        char id[32];
        raw_words(fd, "CLIENT ID");
        raw_line(fd, id, sizeof(id));
        expect_int(c, 1, "CLIENT KILL ID %s", id + 1);
        char byte;
        ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
        close(fd);
    }
}
END_TEST

START_TEST(kill_by_filters)
{
    redisContext *c = plain();
    int first = raw_connect(plain_server());
    int second = raw_connect(plain_server());
    int local = raw_connect_unix(plain_server());
    redisContext *named = client_connect(plain_server());
    long long id = client_int(named, "CLIENT ID");
    raw_ask(first, "PING", "+PONG\r\n");
    raw_ask(second, "PING", "+PONG\r\n");
    raw_ask(local, "PING", "+PONG\r\n");

    expect_int(c, 0, "CLIENT KILL ID 99999");
    expect_int(c, 0, "CLIENT KILL TYPE pubsub SKIPME no");
    expect_int(c, 0, "CLIENT KILL TYPE master");
    expect_int(c, 0, "CLIENT KILL TYPE replica");
    expect_int(c, 0, "CLIENT KILL ID %lld TYPE pubsub", id);
    expect_int(c, 1, "CLIENT KILL ID %lld TYPE normal USER default", id);
    expect_int(c, 0, "CLIENT KILL ID %lld", id);
    ck_assert_ptr_null(redisCommand(named, "PING"));
    redisFree(named);

    expect_int(c, 1, "CLIENT KILL LADDR %s:0", plain_server()->socket_path);
    raw_expect_closed(local);
    // Everybody else, but not oneself.
    expect_int(c, 2, "CLIENT KILL TYPE normal");
    raw_expect_closed(first);
    raw_expect_closed(second);
    expect_status(c, "PONG", "PING");
    wait_for_clients(c, 1);
    close(first);
    close(second);
    close(local);
}
END_TEST

START_TEST(kill_errors)
{
    redisContext *c = plain();
    expect_error(c, "ERR client-id should be greater than 0", "CLIENT KILL ID 0");
    expect_error(c, "ERR client-id should be greater than 0", "CLIENT KILL ID x");
    expect_error(c, "ERR Unknown client type 'foo'", "CLIENT KILL TYPE foo");
    expect_error(c, "ERR No such user 'nobody'", "CLIENT KILL USER nobody");
    expect_error(c, "ERR syntax error", "CLIENT KILL SKIPME maybe");
    expect_error(c, "ERR syntax error", "CLIENT KILL FOO bar");
    expect_error(c, "ERR syntax error", "CLIENT KILL ID 1 ADDR");
    expect_error(c, "ERR wrong number of arguments for 'client|kill' command", "CLIENT KILL");
    expect_status(c, "PONG", "PING");
}
END_TEST

// One's own reply comes first; what is behind it in the pipeline does not run.
START_TEST(kill_oneself)
{
    int fd = raw_connect(plain_server());
    char command[128];
    char address[64];
    raw_text(fd, "CLIENT KILL TYPE normal SKIPME no\r\nSET a 1\r\nPING\r\n");
    raw_expect(fd, ":2\r\n");
    raw_expect_closed(fd);
    close(fd);

    fd = raw_connect(plain_server());
    own_address(fd, address, sizeof(address));
    snprintf(command, sizeof(command), "CLIENT KILL %s\r\nSET a 1\r\n", address);
    raw_text(fd, command);
    raw_expect(fd, "+OK\r\n");
    raw_expect_closed(fd);
    close(fd);

    redisContext *c = client_connect(plain_server());
    expect_int(c, 0, "EXISTS a");
    redisFree(c);
}
END_TEST

// A client that has commands waiting and replies unread goes like any other.
START_TEST(kill_in_the_middle_of_a_pipeline)
{
    enum { COMMANDS = 20000 };
    redisContext *c = plain();
    for (int round = 0; round < 5; round++) {
        redisContext *victim = client_connect(plain_server());
        long long id = client_int(victim, "CLIENT ID");
        for (int i = 0; i < COMMANDS; i++)
            redisAppendCommand(victim, "INCR n");
        int done = 0;
        while (!done && redisBufferWrite(victim, &done) == REDIS_OK)
            ;
        expect_int(c, 1, "CLIENT KILL ID %lld", id);
        redisFree(victim);
    }
    wait_for_clients(c, 1);
    ck_assert_int_le(client_int(c, "INCR n"), 5 * COMMANDS + 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("clients");
    TCase *tcase = plain_tcase(suite, "names");
    tcase_add_test(tcase, ids_rise);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, library_info);
    tcase = plain_tcase(suite, "list");
    tcase_add_test(tcase, info_line);
    tcase_add_test(tcase, info_of_resp3_and_unix);
    tcase_add_test(tcase, list);
    tcase_add_test(tcase, buffers_in_the_list);
    tcase = plain_tcase(suite, "kill");
    tcase_add_test(tcase, kill_by_address);
    tcase_add_test(tcase, killed_clients_know_it_first);
    tcase_add_test(tcase, kill_by_filters);
    tcase_add_test(tcase, kill_errors);
    tcase_add_test(tcase, kill_oneself);
    tcase_add_test(tcase, kill_in_the_middle_of_a_pipeline);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Commands about the connection itself: PING ECHO HELLO AUTH SELECT RESET QUIT, pipelines, inline.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "a password"

#define UNAUTHENTICATED "-NOAUTH Authentication required.\r\n"
#define WRONG_PASSWORD  "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define NO_PROTO        "-NOPROTO unsupported protocol version\r\n"

// --- PING and ECHO ------------------------------------------------------------------------------

START_TEST(ping_and_echo)
{
    redisContext *c = plain();
    expect_status(c, "PONG", "PING");
    expect_text(c, "hello there", "PING %s", "hello there");
    expect_text(c, "", "ECHO %s", "");
    expect_error(c, "ERR wrong number of arguments for 'ping' command", "PING a b");
    expect_error(c, "ERR wrong number of arguments for 'echo' command", "ECHO");
    expect_error(c, "ERR wrong number of arguments for 'echo' command", "ECHO a b");

    const char binary[] = "\r\n\0$-1\r\n\xff\x80";
    redisReply *reply = client_ask(c, "ECHO %b", binary, sizeof(binary));
    ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
    ck_assert_uint_eq(reply->len, sizeof(binary));
    ck_assert_mem_eq(reply->str, binary, sizeof(binary));
    freeReplyObject(reply);
}
END_TEST

START_TEST(names_ignore_case)
{
    redisContext *c = plain();
    expect_status(c, "PONG", "ping");
    expect_status(c, "PONG", "PiNg");
    expect_ok(c, "set a 1 eX 100 nX");
    expect_text(c, "1", "gEt a");
    expect_int(c, client_int(c, "CLIENT ID"), "client iD");
}
END_TEST

START_TEST(unknown_commands)
{
    int fd = raw_connect(plain_server());
    raw_ask(fd, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    raw_ask(fd, "FOO a \"b c\"",
            "-ERR unknown command 'FOO', with args beginning with: 'a' 'b c' \r\n");
    raw_ask(fd, "CLIENT foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n");
    raw_ask(fd, "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip",
            "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
    raw_ask(fd, "config foo bar", "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n");
    raw_ask(fd, "CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
    raw_ask(fd, "client id x", "-ERR wrong number of arguments for 'client|id' command\r\n");
    // A line end in a name must not end the reply's line.
    raw_text(fd, "*2\r\n$6\r\nfo\r\n:1\r\n$3\r\na\nb\r\n");
    raw_expect(fd, "-ERR unknown command 'fo  :1', with args beginning with: 'a b' \r\n");
    // Nor must a NUL swallow the rest of it.
    const char with_nul[] = "*3\r\n$3\r\nfoo\r\n$2\r\na\0\r\n$1\r\nb\r\n";
    raw_send(fd, with_nul, sizeof(with_nul) - 1);
    raw_expect(fd, "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);
}
END_TEST

// --- HELLO --------------------------------------------------------------------------------------

// Reads HELLO's reply behind its head and checks all but the id, which it returns.
static long long expect_hello(int fd, int proto)
{
    char line[64];
    raw_expect(fd, proto == 3 ? "%7\r\n" : "*14\r\n");
    raw_expect(fd,
               "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n");
    raw_expect(fd, proto == 3 ? ":3\r\n" : ":2\r\n");
    raw_expect(fd, "$2\r\nid\r\n:");
    raw_line(fd, line, sizeof(line));
    raw_expect(fd, "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
                   "$7\r\nmodules\r\n*0\r\n");
    raw_expect_nothing(fd);
    return strtoll(line, NULL, 10);
}

START_TEST(hello)
{
    int fd = raw_connect(plain_server());
    char reply[64];
    raw_words(fd, "HELLO");
    long long id = expect_hello(fd, 2);
    snprintf(reply, sizeof(reply), ":%lld\r\n", id);
    raw_ask(fd, "CLIENT ID", reply);
    raw_words(fd, "hello 3");
    ck_assert_int_eq(expect_hello(fd, 3), id);
    // Without a version the protocol stays what it is.
    raw_words(fd, "HELLO");
    expect_hello(fd, 3);
    raw_words(fd, "HELLO 2");
    expect_hello(fd, 2);
    close(fd);
}
END_TEST

START_TEST(hello_chooses_the_protocol)
{
    int fd = raw_connect(plain_server());
    raw_ask(fd, "GET nokey", "$-1\r\n");
    raw_ask(fd, "CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    raw_words(fd, "HELLO 3");
    expect_hello(fd, 3);
    raw_ask(fd, "GET nokey", "_\r\n");
    raw_ask(fd, "MGET a b", "*2\r\n_\r\n_\r\n");
    raw_ask(fd, "CLIENT GETNAME", "_\r\n");
    raw_ask(fd, "CONFIG GET timeout", "%1\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    raw_ask(fd, "CONFIG GET nosuch", "%0\r\n");
    raw_ask(fd, "INFO nosuch", "=4\r\ntxt:\r\n");
    raw_words(fd, "HELLO 2");
    expect_hello(fd, 2);
    raw_ask(fd, "GET nokey", "$-1\r\n");
    raw_ask(fd, "INFO nosuch", "$0\r\n\r\n");
    // Each reply of a pipeline speaks the protocol that held when its command ran.
    raw_text(fd, "GET nokey\r\nHELLO 3\r\nGET nokey\r\nHELLO 2\r\nGET nokey\r\n");
    raw_expect(fd, "$-1\r\n%7\r\n");
    raw_skip(fd, strlen("$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"));
    close(fd);
}
END_TEST

START_TEST(hello_errors)
{
    int fd = raw_connect(plain_server());
    raw_ask(fd, "HELLO 1", NO_PROTO);
    raw_ask(fd, "HELLO 4", NO_PROTO);
    raw_ask(fd, "HELLO -3", NO_PROTO);
    raw_ask(fd, "HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    raw_ask(fd, "HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n");
    raw_ask(fd, "HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    raw_ask(fd, "HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    raw_ask(fd, "HELLO 3 AUTH nobody x", WRONG_PASSWORD);
    raw_ask(fd, "HELLO 3 SETNAME \"a b\"",
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    // None of these has changed anything.
    raw_ask(fd, "CLIENT GETNAME", "$-1\r\n");
    close(fd);
}
END_TEST

START_TEST(hello_setname)
{
    int fd = raw_connect(plain_server());
    raw_words(fd, "HELLO 3 SETNAME app:1");
    expect_hello(fd, 3);
    raw_ask(fd, "CLIENT GETNAME", "$5\r\napp:1\r\n");
    raw_words(fd, "HELLO 2 setname other auth default anything");
    expect_hello(fd, 2);
    raw_ask(fd, "CLIENT GETNAME", "$5\r\nother\r\n");
    close(fd);
}
END_TEST

// --- AUTH ---------------------------------------------------------------------------------------

START_TEST(auth_without_password)
{
    redisContext *c = plain();
    expect_error(c,
                 "ERR AUTH <password> called without any password configured for the default "
                 "user. Are you sure your configuration is correct?",
                 "AUTH x");
    expect_ok(c, "AUTH default anything");
    expect_error(c, "WRONGPASS invalid username-password pair or user is disabled.",
                 "AUTH nobody x");
    expect_error(c, "ERR wrong number of arguments for 'auth' command", "AUTH");
    expect_error(c, "ERR syntax error", "AUTH a b c");
    expect_status(c, "PONG", "PING");
}
END_TEST

START_TEST(auth_gates)
{
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", PASSWORD));
    int fd = raw_connect(server);
    raw_ask(fd, "PING", UNAUTHENTICATED);
    raw_ask(fd, "GET a", UNAUTHENTICATED);
    raw_ask(fd, "CLIENT ID", UNAUTHENTICATED);
    raw_ask(fd, "CONFIG GET requirepass", UNAUTHENTICATED);
    raw_ask(fd, "COMMAND COUNT", UNAUTHENTICATED);
    raw_ask(fd, "INFO", UNAUTHENTICATED);
    raw_ask(fd, "SELECT 1", UNAUTHENTICATED);
    // What is wrong in itself is said first.
    raw_ask(fd, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    raw_ask(fd, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    raw_ask(fd, "AUTH wrong", WRONG_PASSWORD);
    raw_ask(fd, "AUTH \"\"", WRONG_PASSWORD);
    raw_ask(fd, "AUTH \"a password \"", WRONG_PASSWORD);
    raw_ask(fd, "AUTH default \"a passwor\"", WRONG_PASSWORD);
    raw_ask(fd, "AUTH nobody \"a password\"", WRONG_PASSWORD);
    raw_ask(fd, "RESET", "+RESET\r\n");
    raw_ask(fd, "PING", UNAUTHENTICATED);
    raw_ask(fd, "AUTH \"a password\"", "+OK\r\n");
    raw_ask(fd, "PING", "+PONG\r\n");
    // A wrong password takes nothing away.
    raw_ask(fd, "AUTH wrong", WRONG_PASSWORD);
    raw_ask(fd, "PING", "+PONG\r\n");
    raw_ask(fd, "RESET", "+RESET\r\n");
    raw_ask(fd, "PING", UNAUTHENTICATED);
    raw_ask(fd, "AUTH default \"a password\"", "+OK\r\n");
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);

    fd = raw_connect(server);
    raw_text(fd, "QUIT\r\nPING\r\n");
    raw_expect(fd, "+OK\r\n");
    raw_expect_closed(fd);
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(hello_auth)
{
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", PASSWORD));
    int fd = raw_connect(server);
    const char *refused =
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time\r\n";
    raw_ask(fd, "HELLO", refused);
    raw_ask(fd, "HELLO 3", refused);
    raw_ask(fd, "HELLO 3 SETNAME me", refused);
    raw_ask(fd, "HELLO 4", NO_PROTO);
    raw_ask(fd, "HELLO 3 AUTH default wrong", WRONG_PASSWORD);
    raw_ask(fd, "PING", UNAUTHENTICATED);
    raw_words(fd, "HELLO 3 AUTH default \"a password\" SETNAME me");
    expect_hello(fd, 3);
    raw_ask(fd, "CLIENT GETNAME", "$2\r\nme\r\n");
    raw_ask(fd, "GET a", "_\r\n");
    close(fd);
    server_stop(server);
}
END_TEST

// Every command of a batch is answered, the refused ones among them: a reply too few shifts all that
// follow.
START_TEST(auth_in_a_pipeline)
{
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", "secret"));
    int fd = raw_connect(server);
    raw_text(fd, "PING\r\nAUTH wrong\r\nPING\r\nAUTH secret\r\nPING\r\nSET a 1\r\n"
                 "AUTH wrong\r\nGET a\r\nRESET\r\nGET a\r\nAUTH secret\r\nGET a\r\n");
    raw_expect(fd, UNAUTHENTICATED WRONG_PASSWORD UNAUTHENTICATED
               "+OK\r\n+PONG\r\n+OK\r\n" WRONG_PASSWORD "$1\r\n1\r\n+RESET\r\n" UNAUTHENTICATED
               "+OK\r\n$1\r\n1\r\n");
    raw_expect_nothing(fd);
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(password_changes)
{
    redisContext *old = plain();
    expect_ok(old, "CONFIG SET requirepass secret");
    // Who is in stays in.
    expect_status(old, "PONG", "PING");
    redisContext *new = client_connect(plain_server());
    expect_error(new, "NOAUTH Authentication required.", "PING");
    expect_ok(new, "AUTH secret");
    expect_ok(new, "CONFIG SET requirepass other");
    expect_error(new, "WRONGPASS invalid username-password pair or user is disabled.",
                 "AUTH secret");
    expect_ok(new, "AUTH other");
    expect_ok(new, "CONFIG SET requirepass %s", "");
    redisFree(new);
    new = client_connect(plain_server());
    expect_status(new, "PONG", "PING");
    redisFree(new);
}
END_TEST

// --- SELECT, RESET, QUIT ------------------------------------------------------------------------

START_TEST(select_database)
{
    redisContext *c = plain();
    expect_ok(c, "SET a zero");
    expect_ok(c, "SELECT 15");
    expect_nil(c, "GET a");
    expect_ok(c, "SET a fifteen");
    expect_int(c, 1, "DBSIZE");
    expect_error(c, "ERR DB index is out of range", "SELECT 16");
    expect_error(c, "ERR DB index is out of range", "SELECT -1");
    expect_error(c, "ERR value is not an integer or out of range", "SELECT x");
    expect_error(c, "ERR value is not an integer or out of range", "SELECT 99999999999999999999");
    expect_text(c, "fifteen", "GET a");
    expect_ok(c, "FLUSHDB");
    expect_ok(c, "SELECT 0");
    expect_text(c, "zero", "GET a");
}
END_TEST

// Commands that follow a SELECT in the same batch run on the new database.
START_TEST(select_in_a_pipeline)
{
    int fd = raw_connect(plain_server());
    raw_text(fd, "SET a 0\r\nSELECT 1\r\nSET a 1\r\nGET a\r\nSELECT 2\r\nGET a\r\nSELECT 0\r\n"
                 "GET a\r\nSELECT 1\r\nDEL a\r\nDBSIZE\r\nSELECT 0\r\nGET a\r\n");
    raw_expect(fd, "+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$-1\r\n+OK\r\n"
                   "$1\r\n0\r\n+OK\r\n:1\r\n:0\r\n+OK\r\n$1\r\n0\r\n");
    close(fd);
}
END_TEST

START_TEST(databases_directive)
{
    struct test_server *server = server_start(SERVER_ARGS("--databases", "3"));
    redisContext *c = client_connect(server);
    expect_ok(c, "SELECT 2");
    expect_error(c, "ERR DB index is out of range", "SELECT 3");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(reset)
{
    int fd = raw_connect(plain_server());
    raw_words(fd, "HELLO 3 SETNAME me");
    expect_hello(fd, 3);
    raw_ask(fd, "SELECT 3", "+OK\r\n");
    raw_ask(fd, "SET a 3", "+OK\r\n");
    raw_ask(fd, "RESET", "+RESET\r\n");
    raw_ask(fd, "CLIENT GETNAME", "$-1\r\n");
    raw_ask(fd, "GET a", "$-1\r\n");
    raw_ask(fd, "RESET x", "-ERR wrong number of arguments for 'reset' command\r\n");
    close(fd);
}
END_TEST

START_TEST(quit)
{
    int fd = raw_connect(plain_server());
    raw_text(fd, "SET a 1\r\nQUIT\r\nSET a 2\r\nPING\r\n");
    raw_expect(fd, "+OK\r\n+OK\r\n");
    raw_expect_closed(fd);
    close(fd);
    expect_text(plain(), "1", "GET a");
}
END_TEST

// --- Pipelines and inline commands --------------------------------------------------------------

START_TEST(pipeline)
{
    redisContext *c = plain();
    const int count = 20000;
    for (int i = 0; i < count; i++) {
        redisAppendCommand(c, "SET key:%d %d", i % 100, i);
        redisAppendCommand(c, "GET key:%d", i % 100);
        redisAppendCommand(c, "INCR counter");
    }
    for (int i = 0; i < count; i++) {
        redisReply *set = client_next(c);
        redisReply *get = client_next(c);
        redisReply *incr = client_next(c);
        ck_assert_str_eq(set->str, "OK");
        ck_assert_int_eq(strtol(get->str, NULL, 10), i);
        ck_assert_int_eq(incr->integer, i + 1);
        freeReplyObject(set);
        freeReplyObject(get);
        freeReplyObject(incr);
    }
    expect_int(c, 101, "DBSIZE");
}
END_TEST

START_TEST(inline_commands)
{
    int fd = raw_connect(plain_server());
    raw_text(fd, "PING\r\n");
    raw_expect(fd, "+PONG\r\n");
    raw_text(fd, "PING\n");
    raw_expect(fd, "+PONG\r\n");
    raw_text(fd, "  \t ping   \"a b\" \r\n");
    raw_expect(fd, "$3\r\na b\r\n");
    raw_text(fd, "\r\n\n\r\nSET k ''\nGET k\r\n");
    raw_expect(fd, "+OK\r\n$0\r\n\r\n");
    raw_text(fd, "ECHO \"\\x41\\n\\r\\t\\\"\\\\\"\r\n");
    raw_expect(fd, "$6\r\nA\n\r\t\"\\\r\n");
    raw_text(fd, "ECHO 'a\\'b\\n'\r\n");
    raw_expect(fd, "$5\r\na'b\\n\r\n");
    raw_text(fd, "ECHO x\"y z\"\r\n");
    raw_expect(fd, "$4\r\nxy z\r\n");
    // In turns with arrays.
    raw_text(fd, "PING\r\n*1\r\n$4\r\nPING\r\nPING a\n*2\r\n$4\r\nPING\r\n$1\r\nb\r\n");
    raw_expect(fd, "+PONG\r\n+PONG\r\n$1\r\na\r\n$1\r\nb\r\n");
    raw_expect_nothing(fd);
    close(fd);
}
END_TEST

// What browsers can be made to send must not reach the commands behind it.
START_TEST(http_requests)
{
    int fd = raw_connect(plain_server());
    raw_text(fd, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nSET a 1\r\n");
    raw_expect_closed(fd);
    close(fd);
    fd = raw_connect(plain_server());
    raw_text(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n");
    char said[4096];
    raw_read_all(fd, said, sizeof(said));
    close(fd);
    expect_int(plain(), 0, "EXISTS a");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("connection");
    TCase *tcase = plain_tcase(suite, "basic");
    tcase_add_test(tcase, ping_and_echo);
    tcase_add_test(tcase, names_ignore_case);
    tcase_add_test(tcase, unknown_commands);
    tcase = plain_tcase(suite, "hello");
    tcase_add_test(tcase, hello);
    tcase_add_test(tcase, hello_chooses_the_protocol);
    tcase_add_test(tcase, hello_errors);
    tcase_add_test(tcase, hello_setname);
    tcase = plain_tcase(suite, "auth");
    tcase_add_test(tcase, auth_without_password);
    tcase_add_test(tcase, password_changes);
    tcase = server_tcase(suite, "requirepass");
    tcase_add_test(tcase, auth_gates);
    tcase_add_test(tcase, hello_auth);
    tcase_add_test(tcase, auth_in_a_pipeline);
    tcase_add_test(tcase, databases_directive);
    tcase = plain_tcase(suite, "state");
    tcase_add_test(tcase, select_database);
    tcase_add_test(tcase, select_in_a_pipeline);
    tcase_add_test(tcase, reset);
    tcase_add_test(tcase, quit);
    tcase = plain_tcase(suite, "requests");
    tcase_add_test(tcase, pipeline);
    tcase_add_test(tcase, inline_commands);
    tcase_add_test(tcase, http_requests);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

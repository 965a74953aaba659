// SPDX-License-Identifier: BSD-3-Clause
// Configuration: a file, arguments, standard input, CONFIG GET, SET and RESETSTAT.
#include "support/raw.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX 4096

// Where the program was started, which is the root of the tree.
static char tree[PATH_MAX];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

// CONFIG GET of one directive answers this value.
#define expect_config(c, name, want) expect_list(c, name " " want, "CONFIG GET " name)

static void expect_failed_start(const char *dir, const char *const *args, const char *const *said)
{
    char output[OUTPUT_MAX];
    int status = server_run(dir, args, output, sizeof(output));
    ck_assert_msg(status == 1, "exit status %d, and: %s", status, output);
    for (int i = 0; said[i]; i++)
        ck_assert_msg(strstr(output, said[i]) != NULL, "'%s' is not in: %s", said[i], output);
}

// --- At the start -------------------------------------------------------------------------------

// The values of Redis 7.2.
START_TEST(defaults)
{
    redisContext *c = plain();
    expect_config(c, "databases", "16");
    expect_config(c, "maxclients", "10000");
    expect_config(c, "timeout", "0");
    expect_config(c, "tcp-keepalive", "300");
    expect_config(c, "tcp-backlog", "511");
    expect_config(c, "proto-max-bulk-len", "536870912");
    expect_config(c, "client-query-buffer-limit", "1073741824");
    expect_config(c, "client-output-buffer-limit",
                  "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    expect_config(c, "requirepass", "");
    expect_config(c, "protected-mode", "yes");
    expect_config(c, "unixsocketperm", "0");
    expect_config(c, "loglevel", "notice");
    expect_config(c, "logfile", "");
    expect_config(c, "hz", "10");
    expect_config(c, "appendonly", "no");
    expect_config(c, "save", "");
    expect_config(c, "enable-debug-command", "no");
}
END_TEST

static const char file_text[] = "# a comment, and an empty line\n"
                                "\n"
                                "maxclients 100\n"
                                "  timeout\t 30   \n"
                                "TCP-Keepalive 60\r\n"
                                "requirepass \"a \\\"quoted\\\" \\x41\"\n"
                                "   # an indented comment\n"
                                "proto-max-bulk-len 2mb\n"
                                "client-query-buffer-limit 3Gb\n"
                                "client-output-buffer-limit normal 1mb 512kb 10\n"
                                "client-output-buffer-limit pubsub 32mb 8mb 60\n"
                                "protected-mode no\n"
                                "loglevel verbose\n"
                                "timeout 31\n";

// Checks what file_text sets.
static void check_file_values(redisContext *c)
{
    expect_ok(c, "AUTH %s", "a \"quoted\" A");
    expect_config(c, "maxclients", "100");
    expect_config(c, "timeout", "31");
    expect_config(c, "tcp-keepalive", "60");
    expect_config(c, "proto-max-bulk-len", "2097152");
    expect_config(c, "client-query-buffer-limit", "3221225472");
    expect_config(
        c, "client-output-buffer-limit",
        "normal 1048576 524288 10 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    expect_config(c, "protected-mode", "no");
    expect_config(c, "loglevel", "verbose");
}

START_TEST(from_a_file)
{
    char dir[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 16];
    char info[OUTPUT_MAX];
    char field[SERVER_PATH_MAX + 32];
    server_temp_dir(dir);
    snprintf(path, sizeof(path), "%s/my.conf", dir);
    write_file(path, file_text);
    struct test_server *server = server_start_with(&(struct server_options){ .config_file = path });
    redisContext *c = client_connect(server);
    check_file_values(c);
    client_text(c, info, sizeof(info), "INFO server");
    snprintf(field, sizeof(field), "config_file:%s\r\n", path);
    ck_assert_msg(strstr(info, field) != NULL, "no %s in %s", field, info);
    redisFree(c);
    server_stop(server);
    remove(path);
    rmdir(dir);
}
END_TEST

START_TEST(from_standard_input)
{
    struct test_server *server = server_start_with(
        &(struct server_options){ .config_file = "-", .stdin_text = file_text });
    redisContext *c = client_connect(server);
    check_file_values(c);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(from_arguments)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--maxclients", "77", "--Timeout", "5", "--client-output-buffer-limit",
                    "normal", "1mb", "1mb", "5", "--client-output-buffer-limit", "pubsub 2mb 1mb 7",
                    "--requirepass", "two words", "--timeout", "6"));
    redisContext *c = client_connect(server);
    expect_ok(c, "AUTH %s", "two words");
    expect_config(c, "maxclients", "77");
    expect_config(c, "timeout", "6");
    expect_config(c, "client-output-buffer-limit",
                  "normal 1048576 1048576 5 slave 268435456 67108864 60 pubsub 2097152 1048576 7");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(arguments_win_over_the_file)
{
    struct test_server *server = server_start_with(
        &(struct server_options){ .config_file = "-",
                                  .stdin_text = "maxclients 100\ntimeout 50\nhz 20",
                                  .args = SERVER_ARGS("--timeout", "60") });
    redisContext *c = client_connect(server);
    expect_config(c, "maxclients", "100");
    expect_config(c, "timeout", "60");
    // The last line counts, also without a line end.
    expect_config(c, "hz", "20");
    redisFree(c);
    server_stop(server);
}
END_TEST

// The file that comes with the server says what holds without it.
START_TEST(own_file_holds_the_defaults)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/conf/respite.conf", tree);
    ck_assert_msg(access(path, R_OK) == 0, "no %s", path);
    struct test_server *servers[2];
    redisReply *replies[2];
    servers[0] = server_start_with(&(struct server_options){ .config_file = path });
    servers[1] = server_start(NULL);
    for (int i = 0; i < 2; i++) {
        redisContext *c = client_connect(servers[i]);
        replies[i] = client_ask(c, "CONFIG GET *");
        redisFree(c);
    }
    ck_assert_uint_gt(replies[0]->elements, 20);
    ck_assert_uint_eq(replies[0]->elements, replies[1]->elements);
    for (size_t i = 0; i < replies[0]->elements; i += 2) {
        const char *name = replies[0]->element[i]->str;
        ck_assert_str_eq(name, replies[1]->element[i]->str);
        if (strcmp(name, "port") == 0 || strcmp(name, "unixsocket") == 0 ||
            strcmp(name, "dir") == 0)
            continue;
        ck_assert_msg(strcmp(replies[0]->element[i + 1]->str, replies[1]->element[i + 1]->str) == 0,
                      "%s is '%s', its default '%s'", name, replies[0]->element[i + 1]->str,
                      replies[1]->element[i + 1]->str);
    }
    for (int i = 0; i < 2; i++) {
        freeReplyObject(replies[i]);
        server_stop(servers[i]);
    }
}
END_TEST

START_TEST(bad_files_stop_the_start)
{
    static const struct {
        const char *text;
        const char *line;
        const char *shown;
    } files[] = {
        { "maxclients 10\nnosuchthing 5\n", "line 2", "nosuchthing 5" },
        { "# one\n\n\ntimeout x\n", "line 4", "timeout x" },
        { "timeout -1", "line 1", "timeout -1" },
        { "timeout\n", "line 1", "timeout" },
        { "timeout 1 2\n", "line 1", "timeout 1 2" },
        { "requirepass \"abc\n", "line 1", "requirepass" },
        { "protected-mode maybe\n", "line 1", "protected-mode maybe" },
        { "maxclients 10\nloglevel loud\n", "line 2", "loglevel loud" },
        { "proto-max-bulk-len 1zb\n", "line 1", "1zb" },
        { "client-output-buffer-limit normal 1 2\n", "line 1", "normal 1 2" },
        { "port 65536\n", "line 1", "port 65536" },
    };
    char dir[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 16];
    server_temp_dir(dir);
    snprintf(path, sizeof(path), "%s/bad.conf", dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        write_file(path, files[i].text);
        expect_failed_start(dir, SERVER_ARGS(path, "--port", "0"),
                            SERVER_ARGS("bad.conf", files[i].line, files[i].shown));
    }
    remove(path);
    expect_failed_start(dir, SERVER_ARGS(path), SERVER_ARGS("bad.conf", "No such file"));
}
END_TEST

START_TEST(bad_arguments_stop_the_start)
{
    char dir[SERVER_PATH_MAX];
    server_temp_dir(dir);
    expect_failed_start(dir, SERVER_ARGS("--nosuchthing", "5"), SERVER_ARGS("nosuchthing"));
    expect_failed_start(dir, SERVER_ARGS("--port", "x"), SERVER_ARGS("port", "integer"));
    expect_failed_start(dir, SERVER_ARGS("--port"), SERVER_ARGS("port"));
    expect_failed_start(dir, SERVER_ARGS("--maxclients", "0"), SERVER_ARGS("maxclients"));
    expect_failed_start(dir, SERVER_ARGS("--dir", "/nosuchdir"),
                        SERVER_ARGS("dir", "No such file or directory"));
    expect_failed_start(dir, SERVER_ARGS("--port", "0", "--logfile", "/nosuchdir/log"),
                        SERVER_ARGS("/nosuchdir/log", "No such file or directory"));
}
END_TEST

START_TEST(version_and_help)
{
    char dir[SERVER_PATH_MAX];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    const char *versions[] = { "-v", "--version" };
    const char *helps[] = { "-h", "--help" };
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(server_run(dir, SERVER_ARGS(versions[i]), output, sizeof(output)), 0);
        ck_assert_msg(strstr(output, "v=") != NULL, "%s", output);
        ck_assert_int_eq(server_run(dir, SERVER_ARGS(helps[i]), output, sizeof(output)), 0);
        ck_assert_msg(strstr(output, "Usage:") != NULL, "%s", output);
        ck_assert_msg(strstr(output, "--ping") != NULL, "%s", output);
    }
}
END_TEST

START_TEST(log_file_and_level)
{
    char dir[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 16];
    static char log[65536];
    server_temp_dir(dir);
    snprintf(path, sizeof(path), "%s/my.log", dir);
    struct test_server *server = server_start(
        SERVER_ARGS("--logfile", path, "--loglevel", "notice"));
    server_read_file(path, log, sizeof(log));
    ck_assert_msg(strstr(log, "Ready to accept connections") != NULL, "%s", log);
    server_stop(server);

    remove(path);
    server = server_start(SERVER_ARGS("--logfile", path, "--loglevel", "warning"));
    server_read_file(path, log, sizeof(log));
    ck_assert_msg(strstr(log, "Ready to accept") == NULL, "%s", log);
    server_stop(server);
    remove(path);
    rmdir(dir);
}
END_TEST

// --- CONFIG GET ---------------------------------------------------------------------------------

START_TEST(config_get)
{
    redisContext *c = plain();
    expect_list(c, "", "CONFIG GET nosuch");
    // A name comes back as it was asked for.
    expect_list(c, "TIMEOUT 0", "CONFIG GET TIMEOUT");
    redisReply *reply = client_ask(c, "CONFIG GET maxcli* timeout t?meout databases nosuch");
    ck_assert_uint_eq(reply->elements, 6);
    freeReplyObject(reply);
    reply = client_ask(c, "CONFIG GET *");
    ck_assert_uint_gt(reply->elements, 20);
    ck_assert_uint_eq(reply->elements % 2, 0);
    freeReplyObject(reply);
    expect_error(c, "ERR wrong number of arguments for 'config|get' command", "CONFIG GET");
    expect_error(c, "ERR wrong number of arguments for 'config' command", "CONFIG");
}
END_TEST

// --- CONFIG SET ---------------------------------------------------------------------------------

#define SET_FAILED(name) "ERR CONFIG SET failed (possibly related to argument '" name "') - "

START_TEST(config_set)
{
    redisContext *c = plain();
    expect_ok(c, "CONFIG SET timeout 10");
    expect_config(c, "timeout", "10");
    expect_ok(c, "CONFIG SET TimeOut 20 MAXCLIENTS 500 tcp-keepalive 30");
    expect_config(c, "timeout", "20");
    expect_config(c, "maxclients", "500");
    expect_config(c, "tcp-keepalive", "30");
    expect_ok(c, "CONFIG SET proto-max-bulk-len 3mb client-query-buffer-limit 1g");
    expect_config(c, "proto-max-bulk-len", "3145728");
    expect_config(c, "client-query-buffer-limit", "1000000000");
    expect_ok(c, "CONFIG SET client-output-buffer-limit %s", "normal 1mb 512kb 5 replica 0 0 0");
    expect_config(c, "client-output-buffer-limit",
                  "normal 1048576 524288 5 slave 0 0 0 pubsub 33554432 8388608 60");
    expect_ok(c, "CONFIG SET protected-mode no loglevel debug hz 50");
    expect_config(c, "protected-mode", "no");
    expect_config(c, "loglevel", "debug");
    expect_config(c, "hz", "50");
    expect_ok(c, "CONFIG SET save %s", "");
    expect_ok(c, "CONFIG SET appendonly no");
}
END_TEST

START_TEST(config_set_errors)
{
    redisContext *c = plain();
    expect_error(c, "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
                 "CONFIG SET nosuch 1");
    expect_error(c, SET_FAILED("databases") "can't set immutable config", "CONFIG SET databases 4");
    expect_error(c, SET_FAILED("unixsocket") "can't set immutable config",
                 "CONFIG SET unixsocket /tmp/x");
    expect_error(c, SET_FAILED("timeout") "argument couldn't be parsed into an integer",
                 "CONFIG SET timeout x");
    expect_error(c, SET_FAILED("timeout") "argument must be between 0 and 2147483647 inclusive",
                 "CONFIG SET timeout -1");
    expect_error(c, SET_FAILED("maxclients") "argument must be between 1 and 4294967295 inclusive",
                 "CONFIG SET maxclients 0");
    expect_error(c, SET_FAILED("protected-mode") "argument must be 'yes' or 'no'",
                 "CONFIG SET protected-mode maybe");
    expect_error(c, SET_FAILED("proto-max-bulk-len") "argument must be a memory value",
                 "CONFIG SET proto-max-bulk-len x");
    expect_error(c,
                 SET_FAILED("proto-max-bulk-len") "argument must be between 1048576 and "
                                                  "9223372036854775807 inclusive",
                 "CONFIG SET proto-max-bulk-len 1kb");
    expect_error(c, SET_FAILED("timeout") "duplicate parameter", "CONFIG SET timeout 1 timeout 2");
    expect_error(c, "ERR wrong number of arguments for 'config|set' command", "CONFIG SET timeout");
    expect_error(c, "ERR syntax error", "CONFIG SET timeout 1 maxclients");
    expect_config(c, "timeout", "0");
}
END_TEST

// Several directives are set all together or not at all.
START_TEST(config_set_all_or_nothing)
{
    const char *bad[] = {
        "CONFIG SET timeout 10 maxclients 500 nosuch 1",
        "CONFIG SET timeout 10 maxclients x",
        "CONFIG SET timeout 10 maxclients 500 databases 4",
        "CONFIG SET timeout 10 maxclients 500 timeout 20",
        "CONFIG SET proto-max-bulk-len 2mb timeout 10 maxclients 500 protected-mode maybe",
        "CONFIG SET requirepass secret timeout 10 hz 50 loglevel loud",
        "CONFIG SET nosuch 1 timeout 10",
    };
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        redisReply *reply = client_ask(c, bad[i]);
        ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
        expect_config(c, "timeout", "0");
        expect_config(c, "maxclients", "10000");
        expect_config(c, "proto-max-bulk-len", "536870912");
        expect_config(c, "hz", "10");
        expect_config(c, "requirepass", "");
    }
    redisContext *other = client_connect(plain_server());
    expect_status(other, "PONG", "PING");
    redisFree(other);
}
END_TEST

START_TEST(working_directory)
{
    char dir[SERVER_PATH_MAX];
    redisContext *c = plain();
    server_temp_dir(dir);
    redisReply *reply = client_ask(c, "CONFIG GET dir");
    ck_assert_str_eq(reply->element[1]->str, plain_server()->dir);
    freeReplyObject(reply);
    // A client that could choose where files are written could write them anywhere.
    expect_error(c, SET_FAILED("dir") "can't set protected config", "CONFIG SET dir %s", dir);
}
END_TEST

// --- CONFIG RESETSTAT ---------------------------------------------------------------------------

START_TEST(resetstat)
{
    const char *zeroed[] = { "keyspace_hits", "keyspace_misses", "expired_keys",
                             "total_error_replies", "rejected_connections" };
    redisContext *c = plain();
    expect_ok(c, "SET a 1 PX 1");
    for (struct deadline limit = deadline(); client_int(c, "EXISTS a");)
        deadline_wait(&limit);
    expect_ok(c, "SET b 1");
    expect_text(c, "1", "GET b");
    expect_nil(c, "GET nokey");
    expect_error(c, "ERR syntax error", "SET a b c");
    ck_assert_int_ge(server_info(plain_server(), "keyspace_hits"), 1);
    ck_assert_int_ge(server_info(plain_server(), "total_commands_processed"), 5);
    ck_assert_int_gt(server_info(plain_server(), "total_net_input_bytes"), 100);
    expect_ok(c, "CONFIG RESETSTAT");
    for (size_t i = 0; i < sizeof(zeroed) / sizeof(*zeroed); i++)
        ck_assert_msg(server_info(plain_server(), zeroed[i]) == 0, "%s", zeroed[i]);
    ck_assert_int_le(server_info(plain_server(), "total_commands_processed"), 10);
    ck_assert_int_eq(client_int(c, "DBSIZE"), 1);
    expect_error(c, "ERR wrong number of arguments for 'config|resetstat' command",
                 "CONFIG RESETSTAT x");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config");
    if (!getcwd(tree, sizeof(tree)))
        tree[0] = '\0';
    TCase *tcase = plain_tcase(suite, "defaults");
    tcase_add_test(tcase, defaults);
    tcase = server_tcase(suite, "start");
    tcase_add_test(tcase, from_a_file);
    tcase_add_test(tcase, from_standard_input);
    tcase_add_test(tcase, from_arguments);
    tcase_add_test(tcase, arguments_win_over_the_file);
    tcase_add_test(tcase, own_file_holds_the_defaults);
    tcase_add_test(tcase, bad_files_stop_the_start);
    tcase_add_test(tcase, bad_arguments_stop_the_start);
    tcase_add_test(tcase, version_and_help);
    tcase_add_test(tcase, log_file_and_level);
    tcase = plain_tcase(suite, "get");
    tcase_add_test(tcase, config_get);
    tcase = plain_tcase(suite, "set");
    tcase_add_test(tcase, config_set);
    tcase_add_test(tcase, config_set_errors);
    tcase_add_test(tcase, config_set_all_or_nothing);
    tcase_add_test(tcase, working_directory);
    tcase = plain_tcase(suite, "resetstat");
    tcase_add_test(tcase, resetstat);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

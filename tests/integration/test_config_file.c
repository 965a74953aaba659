// SPDX-License-Identifier: BSD-3-Clause
// The configuration's file on a live server: includes, renamed commands, CONFIG REWRITE,
// --check-config, and what is logged about directives that do nothing here.
#include "support/raw.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUT_MAX 4096

static char dir[SERVER_PATH_MAX];
static char path[SERVER_PATH_MAX + 16];
static char more[SERVER_PATH_MAX + 16];

static void set_up(void)
{
    server_temp_dir(dir);
    snprintf(path, sizeof(path), "%s/main.conf", dir);
    snprintf(more, sizeof(more), "%s/more.conf", dir);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void expect_file(const char *want)
{
    char text[OUTPUT_MAX];
    server_read_file(path, text, sizeof(text));
    ck_assert_str_eq(text, want);
}

static int count_files(void)
{
    DIR *folder = opendir(dir);
    ck_assert_ptr_nonnull(folder);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static struct test_server *start(const char *text, const char *const *args)
{
    write_file(path, text);
    return server_start_with(&(struct server_options){ .config_file = path, .args = args });
}

#define expect_config(c, name, want) expect_list(c, name " " want, "CONFIG GET " name)

// ---- reading ------------------------------------------------------------------------------------

START_TEST(includes)
{
    char text[OUTPUT_MAX];
    write_file(more, "timeout 33\nmaxclients 44\n");
    snprintf(text, sizeof(text), "timeout 11\ninclude %s/mo*.conf\nmaxclients 55\n", dir);
    struct test_server *server = start(text, NULL);
    redisContext *c = client_connect(server);
    expect_config(c, "timeout", "33");
    expect_config(c, "maxclients", "55");
    expect_list(c, "", "CONFIG GET include");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(standard_input_at_the_end)
{
    write_file(path, "timeout 11\nmaxclients 12\ntcp-keepalive 13\n");
    struct test_server *server = server_start_with(
        &(struct server_options){ .config_file = path,
                                  .stdin_text = "maxclients 22\ntcp-keepalive 23\n",
                                  .args = SERVER_ARGS("--tcp-keepalive", "33", "-") });
    redisContext *c = client_connect(server);
    expect_config(c, "timeout", "11");
    expect_config(c, "maxclients", "22");
    expect_config(c, "tcp-keepalive", "33");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(save_points)
{
    struct test_server *server = start(
        "save 900 1\nsave 300 10\n",
        SERVER_ARGS("--save", "900", "1", "--save", "60 100", "--timeout", "5"));
    redisContext *c = client_connect(server);
    // The arguments of all tests have an empty one in front.
    expect_config(c, "save", "900 1 60 100");
    redisFree(c);
    server_stop(server);

    server = start("save 900 1\n", SERVER_ARGS("--save", "--timeout", "5"));
    c = client_connect(server);
    expect_config(c, "save", "");
    expect_config(c, "timeout", "5");
    expect_ok(c, "CONFIG SET save %s", "5 6");
    expect_config(c, "save", "5 6");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(renamed_commands)
{
    struct test_server *server = start("rename-command FLUSHALL \"\"\nrename-command ping pong-7\n",
                                       SERVER_ARGS("--rename-command", "get", "fetch"));
    redisContext *c = client_connect(server);
    expect_error(c, "ERR unknown command 'FLUSHALL', with args beginning with: ", "FLUSHALL");
    expect_error(c, "ERR unknown command 'GET', with args beginning with: 'k' ", "GET k");
    expect_status(c, "PONG", "Pong-7");
    expect_ok(c, "SET k v");
    expect_text(c, "v", "FETCH k");
    expect_list(c, "", "CONFIG GET rename-command");
    redisFree(c);
    server_stop(server);
}
END_TEST

static void expect_run(const char *const *args, int want, const char *said)
{
    char output[OUTPUT_MAX];
    int status = server_run(dir, args, output, sizeof(output));
    ck_assert_msg(status == want, "exit status %d, and: %s", status, output);
    ck_assert_msg(strstr(output, said) != NULL, "'%s' is not in: %s", said, output);
}

START_TEST(renames_that_stop_the_start)
{
    expect_run(SERVER_ARGS("--rename-command", "nosuch", "x"), 1,
               "No such command in rename-command");
    expect_run(SERVER_ARGS("--rename-command", "get", "SET"), 1,
               "Target command name already exists");
    expect_run(SERVER_ARGS("--rename-command", "get"), 1,
               "Bad directive or wrong number of arguments");
    expect_run(SERVER_ARGS("--rename-command", "config|get", "x"), 1,
               "No such command in rename-command");
}
END_TEST

// ---- what is not supported ----------------------------------------------------------------------

START_TEST(unsupported_directives)
{
    expect_run(SERVER_ARGS("--port", "0", "--tls-cluster", "yes"), 1, "'tls-cluster'");
    struct test_server *server = start("tls-cluster yes\nignore-unsupported yes\n", NULL);
    redisContext *c = client_connect(server);
    expect_config(c, "tls-cluster", "yes");
    ck_assert(server_logged(server, "'tls-cluster' is not supported"));
    expect_ok(c, "CONFIG SET tls-cluster no");
    expect_error(
        c,
        "ERR CONFIG SET failed (possibly related to argument 'tls-cluster') - not supported "
        "by this server",
        "CONFIG SET tls-cluster yes");
    expect_config(c, "tls-cluster", "no");
    redisFree(c);
    server_stop(server);
}
END_TEST

// ---- --check-config -----------------------------------------------------------------------------

START_TEST(check_config)
{
    char text[OUTPUT_MAX];
    snprintf(text, sizeof(text), "logfile %s/my.log\nunixsocket %s/sock\nport 7777\ndir %s\n", dir,
             dir, dir);
    write_file(path, text);
    expect_run(SERVER_ARGS("--check-config", path), 0, "OK");
    expect_run(SERVER_ARGS("--check-config", path, "--timeout", "5"), 0, "OK");
    expect_run(SERVER_ARGS("--check-config", path, "--timeout", "x"), 1, "'timeout \"x\"'");
    expect_run(SERVER_ARGS("--check-config", path, "--tls-cluster", "yes"), 1, "tls-cluster");
    // Nothing but the file itself, and what was printed.
    ck_assert_int_eq(count_files(), 2);
    expect_file(text);
    write_file(path, "timeout 1\ntimeout -1\n");
    expect_run(SERVER_ARGS("--check-config", path), 1, "main.conf, line 2: 'timeout -1'");
    remove(path);
    expect_run(SERVER_ARGS("--check-config", path), 1, "No such file");
    expect_run(SERVER_ARGS("--check-config"), 1, "check-config");
}
END_TEST

// ---- CONFIG REWRITE -----------------------------------------------------------------------------

START_TEST(rewrite)
{
    static const char text[] = "# A file\n"
                               "maxclients   100\n"
                               "\n"
                               "save 900 1\n"
                               "rename-command flushall \"\"\n"
                               "proto-max-bulk-len 2097152\n"
                               "client-output-buffer-limit pubsub 1mb 1mb 1\n";
    struct test_server *server = start(text, NULL);
    redisContext *c = client_connect(server);
    ck_assert_int_eq(chmod(path, 0640), 0);
    expect_ok(c, "CONFIG SET maxclients 200 requirepass %s", "a \"b\"");
    expect_ok(c, "CONFIG SET save %s client-output-buffer-limit %s", "5 6 7 8", "pubsub 2mb 1mb 1");
    expect_ok(c, "CONFIG REWRITE");
    char after[OUTPUT_MAX];
    server_read_file(path, after, sizeof(after));
    static const char begin[] = "# A file\n"
                                "maxclients 200\n"
                                "\n"
                                "save 5 6\n"
                                "save 7 8\n"
                                "rename-command flushall \"\"\n"
                                "proto-max-bulk-len 2097152\n"
                                "client-output-buffer-limit normal 0 0 0\n"
                                "client-output-buffer-limit slave 268435456 67108864 60\n"
                                "client-output-buffer-limit pubsub 2097152 1048576 1\n";
    ck_assert_msg(strncmp(after, begin, strlen(begin)) == 0, "%s", after);
    ck_assert_msg(strstr(after, "\n# Generated by CONFIG REWRITE\n") != NULL, "%s", after);
    ck_assert_msg(strstr(after, "\nrequirepass \"a \\\"b\\\"\"\n") != NULL, "%s", after);
    struct stat now;
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_eq(now.st_mode & 07777, 0640);
    ck_assert_int_eq(count_files(), 1);
    redisFree(c);
    server_stop(server);

    server = server_start_with(&(struct server_options){ .config_file = path });
    c = client_connect(server);
    expect_ok(c, "AUTH %s", "a \"b\"");
    expect_config(c, "maxclients", "200");
    expect_config(c, "proto-max-bulk-len", "2097152");
    expect_config(c, "client-output-buffer-limit",
                  "normal 0 0 0 slave 268435456 67108864 60 pubsub 2097152 1048576 1");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(rewrite_without_a_file)
{
    redisContext *c = plain();
    expect_error(c, "ERR The server is running without a config file", "CONFIG REWRITE");
    expect_error(c, "ERR wrong number of arguments for 'config|rewrite' command",
                 "CONFIG REWRITE x");
}
END_TEST

// A file that may not grow any further is as a full disk.
START_TEST(rewrite_that_fails)
{
    struct test_server *server = start("timeout 5\n", NULL);
    redisContext *c = client_connect(server);
    struct rlimit limit = { .rlim_cur = 8, .rlim_max = RLIM_INFINITY };
    expect_ok(c, "CONFIG SET timeout 6");
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);
    expect_error(c, "ERR Rewriting config file: File too large", "CONFIG REWRITE");
    expect_file("timeout 5\n");
    ck_assert_int_eq(count_files(), 1);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);

    remove(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_error(c, "ERR Rewriting config file: Is a directory", "CONFIG REWRITE");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
    expect_error(c, "ERR Rewriting config file: No such file or directory", "CONFIG REWRITE");
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    expect_ok(c, "CONFIG REWRITE");
    char text[OUTPUT_MAX];
    server_read_file(path, text, sizeof(text));
    ck_assert_msg(strstr(text, "\ntimeout 6\n") != NULL, "%s", text);
    ck_assert(server_logged(server, "Is a directory"));
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config file");
    TCase *tcase = server_tcase(suite, "reading");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, includes);
    tcase_add_test(tcase, standard_input_at_the_end);
    tcase_add_test(tcase, save_points);
    tcase_add_test(tcase, renamed_commands);
    tcase_add_test(tcase, renames_that_stop_the_start);
    tcase_add_test(tcase, unsupported_directives);
    tcase_add_test(tcase, check_config);
    tcase = server_tcase(suite, "rewrite");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, rewrite);
    tcase_add_test(tcase, rewrite_that_fails);
    tcase = plain_tcase(suite, "rewrite without a file");
    tcase_add_test(tcase, rewrite_without_a_file);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// The end of a server that has files to finish: the append-only file, children at work, disks that refuse, signals.
#include "support/raw.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_ROOM 256

static char dir[SERVER_PATH_MAX];
static const char refusal[] = "ERR Errors trying to SHUTDOWN. Check logs.";

static void set_up(void)
{
    server_temp_dir(dir);
}

#define START(...) \
    server_start(SERVER_ARGS("--dir", dir, "--enable-debug-command", "yes", __VA_ARGS__))

static int count_in(const char *folder, const char *text)
{
    int count = 0;
    DIR *open_folder = opendir(folder);
    ck_assert_ptr_nonnull(open_folder);
    for (const struct dirent *file; (file = readdir(open_folder)) != NULL;)
        count += strstr(file->d_name, text) != NULL;
    closedir(open_folder);
    return count;
}

static void expect_saved(bool saved)
{
    ck_assert_int_eq(count_in(dir, "dump.rdb"), saved);
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/dump.rdb", dir);
    unlink(path);
}

// Frees the struct as server_stop() does, and gives the status instead of judging it.
static int exit_status(struct test_server *server)
{
    int status = 0;
    struct deadline limit = deadline();
    while (waitpid(server->pid, &status, WNOHANG) != server->pid)
        deadline_wait(&limit);
    unlink(server->log_path);
    free(server);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void await_log(const struct test_server *server, const char *text)
{
    struct deadline limit = deadline();
    while (!server_logged(server, text))
        deadline_wait(&limit);
}

// Under every policy, by a signal or by a client that has just written.
START_TEST(what_was_written_is_there)
{
    static const char *const policies[] = { "always", "everysec", "no" };
    struct test_server *server = START("--appendonly", "yes", "--appendfsync", policies[_i]);
    int other = raw_connect(server);
    int fd = raw_connect(server);
    raw_text(other, "SET other 1\r\n");
    raw_text(fd, "SET a 1\r\nSHUTDOWN\r\nSET a 2\r\n");
    raw_expect(fd, "+OK\r\n");
    raw_expect_closed(fd);
    raw_expect(other, "+OK\r\n");
    raw_expect_closed(other);
    close(fd);
    close(other);
    server_stop_with(server, 0);

    server = START("--appendonly", "yes", "--appendfsync", policies[_i]);
    redisContext *c = client_connect(server);
    expect_text(c, "1", "GET a");
    expect_text(c, "1", "GET other");
    expect_ok(c, "SET a 3");
    redisFree(c);
    server_stop(server);
    server = START("--appendonly", "yes");
    c = client_connect(server);
    expect_text(c, "3", "GET a");
    redisFree(c);
    server_stop(server);
}
END_TEST

// A server whose append-only file lacks a write.
static struct test_server *start_on_full_disk(redisContext **c)
{
    static char value[70000];
    struct test_server *server = START("--appendonly", "yes", "--save", "");
    *c = client_connect(server);
    expect_ok(*c, "SET a 1");
    server_limit_files(server, 65536);
    memset(value, 'x', sizeof(value) - 1);
    expect_ok(*c, "SET large %s", value);
    return server;
}

START_TEST(an_append_only_file_that_cannot_be_written)
{
    redisContext *c;
    struct test_server *server = start_on_full_disk(&c);
    expect_error(c, refusal, "SHUTDOWN");
    expect_error(c, refusal, "SHUTDOWN NOSAVE NOW");
    ck_assert(server_logged(server, "can't be written and synced: File too large. Can't exit"));
    kill(server->pid, SIGTERM);
    await_log(server, "Received SIGTERM");
    expect_text(c, "1", "GET a");
    // It ends when the disk has room again.
    server_limit_files(server, RLIM_INFINITY);
    ck_assert_ptr_null(redisCommand(c, "SHUTDOWN"));
    redisFree(c);
    server_stop_with(server, 0);
    server = START("--appendonly", "yes");
    c = client_connect(server);
    expect_int(c, 2, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(by_force_something_is_lost)
{
    redisContext *c;
    struct test_server *server = start_on_full_disk(&c);
    ck_assert_ptr_null(redisCommand(c, "SHUTDOWN FORCE"));
    redisFree(c);
    ck_assert_int_eq(exit_status(server), 1);
    server = START("--appendonly", "yes");
    c = client_connect(server);
    expect_text(c, "1", "GET a");
    expect_int(c, 1, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

// Turned on at run time, and ended before its first base is there. In one batch, so that it can't be.
START_TEST(the_first_base_is_not_there)
{
    struct test_server *server = START("--save", "");
    int fd = raw_connect(server);
    raw_ask(fd, "DEBUG POPULATE 200000", "+OK\r\n");
    raw_text(fd, "CONFIG SET appendonly yes\r\nSHUTDOWN\r\nSHUTDOWN NOSAVE NOW\r\nPING\r\n");
    raw_expect(fd, "+OK\r\n-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
                   "-ERR Errors trying to SHUTDOWN. Check logs.\r\n+PONG\r\n");
    ck_assert(server_logged(server, "Writing initial AOF, can't exit."));
    raw_ask(fd, "CONFIG SET appendonly no", "+OK\r\n");
    raw_text(fd, "CONFIG SET appendonly yes\r\nSHUTDOWN FORCE\r\n");
    raw_expect(fd, "+OK\r\n");
    raw_expect_closed(fd);
    close(fd);
    server_stop_with(server, 0);
}
END_TEST

// Children at work die with the server, and leave what was there before them.
START_TEST(children_at_work)
{
    struct test_server *server = START("--appendonly", "yes", "--save", "");
    int fd = raw_connect(server);
    raw_ask(fd, "DEBUG POPULATE 200000", "+OK\r\n");
    raw_text(fd, "SET a 1\r\nBGREWRITEAOF\r\nSET b 1\r\nSHUTDOWN\r\n");
    raw_expect(fd, "+OK\r\n+Background append only file rewriting started\r\n+OK\r\n");
    raw_expect_closed(fd);
    close(fd);
    server_stop_with(server, 0);
    server = START("--appendonly", "yes", "--save", "");
    redisContext *c = client_connect(server);
    expect_text(c, "1", "GET a");
    expect_text(c, "1", "GET b");
    redisFree(c);

    fd = raw_connect(server);
    raw_ask(fd, "DEBUG POPULATE 200000 more", "+OK\r\n");
    raw_text(fd, "BGSAVE\r\nSHUTDOWN NOSAVE\r\n");
    raw_expect(fd, "+Background saving started\r\n");
    raw_expect_closed(fd);
    close(fd);
    server_stop_with(server, 0);
    expect_saved(false);
    ck_assert_int_eq(count_in(dir, ".draft-"), 0);
}
END_TEST

// --- Signals ------------------------------------------------------------------------------------

static void end_by(int signal_number, const char *directive, const char *words, const char *points)
{
    struct test_server *server = START("--save", points, directive, words);
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    redisFree(c);
    server_stop_with(server, signal_number);
}

START_TEST(what_a_signal_means)
{
    end_by(SIGTERM, "--shutdown-on-sigterm", "default", "");
    expect_saved(false);
    end_by(SIGTERM, "--shutdown-on-sigterm", "save", "");
    expect_saved(true);
    end_by(SIGTERM, "--shutdown-on-sigterm", "nosave now", "900 1");
    expect_saved(false);
    end_by(SIGINT, "--shutdown-on-sigterm", "nosave", "900 1");
    expect_saved(true);
    end_by(SIGINT, "--shutdown-on-sigint", "nosave", "900 1");
    expect_saved(false);

    struct test_server *server = START("--save", "");
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    expect_ok(c, "CONFIG SET shutdown-on-sigterm %s", "save force");
    expect_list(c, "shutdown-on-sigterm save force", "CONFIG GET shutdown-on-sigterm");
    redisFree(c);
    server_stop(server);
    expect_saved(true);
}
END_TEST

START_TEST(a_signal_by_force)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--dir", "/proc", "--save", "900 1", "--shutdown-on-sigterm", "force"));
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("shutdown");
    TCase *tcase = server_tcase(suite, "files");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, what_was_written_is_there, 0, 3);
    tcase_add_test(tcase, an_append_only_file_that_cannot_be_written);
    tcase_add_test(tcase, by_force_something_is_lost);
    tcase_add_test(tcase, the_first_base_is_not_there);
    tcase_add_test(tcase, children_at_work);
    tcase = server_tcase(suite, "signals");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, what_a_signal_means);
    tcase_add_test(tcase, a_signal_by_force);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

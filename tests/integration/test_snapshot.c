// SPDX-License-Identifier: BSD-3-Clause
// Tests of snapshots: what is saved when, what comes back, and what a failure leaves behind.
#include "support/client.h"
#include "support/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGEST_MAX 64

// So many keys are not saved or loaded within a blink.
#define MANY 2500000

static char dir[SERVER_PATH_MAX];
static char file_path[SERVER_PATH_MAX + 16];

static void set_up(void)
{
    server_temp_dir(dir);
    snprintf(file_path, sizeof(file_path), "%s/dump.rdb", dir);
}

static struct test_server *start(const char *save)
{
    return server_start(SERVER_ARGS("--dir", dir, "--enable-debug-command", "yes", "--save", save));
}

static void kill_server(struct test_server *server)
{
    kill(server->pid, SIGKILL);
    // What a killed server leaves is looked at; its own folder goes with the program.
    int status;
    ck_assert_int_eq(waitpid(server->pid, &status, 0), server->pid);
    unlink(server->log_path);
    free(server);
}

static bool file_exists(void)
{
    return access(file_path, F_OK) == 0;
}

// Files in the folder whose names hold the text.
static int count_files(const char *text)
{
    int count = 0;
    DIR *folder = opendir(dir);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *file; (file = readdir(folder)) != NULL;)
        count += strstr(file->d_name, text) != NULL;
    closedir(folder);
    return count;
}

static void wait_saved(const struct test_server *server)
{
    for (struct deadline limit = deadline(); server_info(server, "rdb_bgsave_in_progress") != 0;)
        deadline_wait(&limit);
}

static bool last_save_failed(redisContext *c)
{
    redisReply *reply = client_ask(c, "INFO persistence");
    bool failed = strstr(reply->str, "rdb_last_bgsave_status:err") != NULL;
    freeReplyObject(reply);
    return failed;
}

// Values on both sides of the encodings' bounds, in two databases, some with an expiry.
static void fill(redisContext *c)
{
    expect_ok(c, "SET text %s", "some text");
    expect_ok(c, "SET number 12345");
    expect_ok(c, "SET binary %b EX 100000", "a\0\r\n\xff", (size_t)5);
    expect_ok(c, "SET large %s", "");
    expect_int(c, 100000, "SETRANGE large 99999 x");
    for (int i = 0; i < 600; i++) {
        freeReplyObject(client_ask(c, "RPUSH list:large element:%d", i));
        freeReplyObject(client_ask(c, "SADD set:large element:%d", i));
        freeReplyObject(client_ask(c, "SADD set:numbers %d", i));
        freeReplyObject(client_ask(c, "HSET hash:large field:%d %d", i, i));
        freeReplyObject(client_ask(c, "ZADD zset:large %d.5 element:%d", i, i));
    }
    expect_ok(c, "SELECT 3");
    expect_int(c, 3, "RPUSH list 1 two 3");
    expect_int(c, 3, "SADD set one two three");
    expect_int(c, 3, "SADD numbers 1 70000 -5");
    expect_int(c, 2, "HSET hash a 1 b two");
    expect_int(c, 3, "ZADD zset -inf a 0 b 1e300 c");
    expect_int(c, 1, "PEXPIRE zset 100000000");
    expect_ok(c, "SET gone x PX 50");
    expect_ok(c, "SELECT 0");
}

static void get_digest(redisContext *c, char out[DIGEST_MAX])
{
    redisReply *reply = client_ask(c, "DEBUG DIGEST");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
    snprintf(out, DIGEST_MAX, "%s", reply->str);
    freeReplyObject(reply);
}

START_TEST(all_types_come_back)
{
    char before[DIGEST_MAX];
    char after[DIGEST_MAX];
    struct test_server *server = start("");
    redisContext *c = client_connect(server);
    fill(c);
    expect_ok(c, "SAVE");
    expect_ok(c, "SELECT 3");
    for (struct deadline limit = deadline(); client_int(c, "EXISTS gone") != 0;)
        deadline_wait(&limit);
    get_digest(c, before);
    redisFree(c);
    kill_server(server);

    server = start("");
    c = client_connect(server);
    for (struct deadline limit = deadline(); server_info(server, "loading") != 0;)
        deadline_wait(&limit);
    get_digest(c, after);
    ck_assert_str_eq(after, before);
    expect_int(c, 9, "DBSIZE");
    expect_ttl(c, 100000, "TTL binary");
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 0);
    ck_assert_int_ge(server_info(server, "rdb_last_load_keys_loaded"), 14);
    expect_ok(c, "DEBUG RELOAD");
    get_digest(c, after);
    ck_assert_str_eq(after, before);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_signal_saves)
{
    struct test_server *server = start("900 1");
    redisContext *c = client_connect(server);
    expect_ok(c, "SET key value");
    redisFree(c);
    server_stop(server);
    ck_assert(file_exists());

    server = start("");
    c = client_connect(server);
    expect_text(c, "value", "GET key");
    expect_ok(c, "SET key changed");
    redisFree(c);
    server_stop(server);

    // Without save points nothing was saved.
    server = start("");
    c = client_connect(server);
    expect_text(c, "value", "GET key");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_child_saves_what_was_there)
{
    struct test_server *server = start("");
    redisContext *c = client_connect(server);
    expect_ok(c, "DEBUG POPULATE 50000");
    redisAppendCommand(c, "BGSAVE");
    redisAppendCommand(c, "SET key:7 changed");
    redisAppendCommand(c, "SET after 1");
    redisAppendCommand(c, "DEL key:8");
    for (int i = 0; i < 4; i++)
        freeReplyObject(client_next(c));
    wait_saved(server);
    ck_assert(!last_save_failed(c));
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 3);
    ck_assert_int_eq(server_info(server, "total_forks"), 1);
    ck_assert_int_gt(server_info(server, "rdb_last_cow_size"), 0);
    redisFree(c);
    kill_server(server);

    server = start("");
    c = client_connect(server);
    for (struct deadline limit = deadline(); server_info(server, "loading") != 0;)
        deadline_wait(&limit);
    expect_int(c, 50000, "DBSIZE");
    expect_text(c, "value:7", "GET key:7");
    expect_int(c, 0, "EXISTS after");
    expect_int(c, 1, "EXISTS key:8");
    redisFree(c);
    server_stop(server);
}
END_TEST

// The server's child, 0 without one.
static pid_t child_of(const struct test_server *server)
{
    char path[64];
    char text[32];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server->pid, (int)server->pid);
    server_read_file(path, text, sizeof(text));
    return (pid_t)strtol(text, NULL, 10);
}

// Has a child that saves killed; one may be done before it is hit.
static void kill_a_child(const struct test_server *server, redisContext *c)
{
    for (struct deadline limit = deadline(); !last_save_failed(c); deadline_wait(&limit)) {
        expect_status(c, "Background saving started", "BGSAVE");
        pid_t child = child_of(server);
        if (child > 0)
            kill(child, SIGKILL);
        wait_saved(server);
    }
}

static const char misconf[] =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error "
    "option). Please check the Redis logs for details about the RDB error.";

START_TEST(a_killed_child)
{
    struct test_server *server = start("900 1000000000");
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    expect_ok(c, "SAVE");
    expect_ok(c, "DEBUG POPULATE 200000");
    kill_a_child(server, c);
    ck_assert_int_eq(count_files(".draft-"), 0);
    ck_assert(file_exists());
    ck_assert(server_logged(server, "Background saving terminated by signal 9"));
    expect_error(c, misconf, "SET a 2");
    expect_error(c, misconf, "PING");
    expect_text(c, "1", "GET a");
    expect_ok(c, "CONFIG SET stop-writes-on-bgsave-error no");
    expect_ok(c, "SET a 2");
    expect_ok(c, "CONFIG SET stop-writes-on-bgsave-error yes");
    expect_error(c, misconf, "SET a 3");
    expect_ok(c, "CONFIG SET save %s", "");
    expect_ok(c, "SET a 3");
    expect_ok(c, "CONFIG SET save %s", "900 1000000000");
    expect_error(c, misconf, "SET a 4");
    expect_status(c, "Background saving started", "BGSAVE");
    wait_saved(server);
    expect_ok(c, "SET a 4");
    expect_status(c, "PONG", "PING");
    redisFree(c);
    server_stop(server);
}
END_TEST

static int count_refusals(const struct test_server *server)
{
    static char log[1 << 16];
    static const char line[] = "Error trying to save the DB, can't exit";
    int count = 0;
    server_read_file(server->log_path, log, sizeof(log));
    for (const char *at = log; (at = strstr(at, line)) != NULL; at++)
        count++;
    return count;
}

static void signal_in_vain(const struct test_server *server)
{
    int before = count_refusals(server);
    kill(server->pid, SIGTERM);
    for (struct deadline limit = deadline(); count_refusals(server) == before;)
        deadline_wait(&limit);
}

START_TEST(a_full_disk)
{
    struct test_server *server = start("900 1");
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    expect_ok(c, "SAVE");
    expect_ok(c, "DEBUG POPULATE 200000");
    server_limit_files(server, 1 << 20);
    expect_error(c, "ERR", "SAVE");
    expect_status(c, "Background saving started", "BGSAVE");
    wait_saved(server);
    ck_assert(last_save_failed(c));
    ck_assert(server_logged(server, "File too large"));
    ck_assert_int_eq(count_files(".draft-"), 0);
    expect_error(c, misconf, "SET a 2");
    expect_error(c, "ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN");
    // A signal is refused as well, and the next one is not the end.
    ck_assert_int_eq(count_refusals(server), 1);
    signal_in_vain(server);
    signal_in_vain(server);
    expect_text(c, "1", "GET a");
    server_limit_files(server, RLIM_INFINITY);
    expect_ok(c, "SAVE");
    expect_ok(c, "SET a 3");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_folder_that_is_gone)
{
    struct test_server *server = start("");
    redisContext *c = client_connect(server);
    ck_assert_int_eq(rmdir(dir), 0);
    expect_error(c, "ERR", "SAVE");
    expect_status(c, "Background saving started", "BGSAVE");
    wait_saved(server);
    ck_assert(last_save_failed(c));
    // Without save points nobody relies on snapshots.
    expect_ok(c, "SET a 1");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_damaged_file)
{
    char output[4096];
    struct test_server *server = start("");
    redisContext *c = client_connect(server);
    expect_ok(c, "DEBUG POPULATE 1000");
    expect_ok(c, "SAVE");
    redisFree(c);
    server_stop(server);
    struct stat before;
    ck_assert_int_eq(stat(file_path, &before), 0);
    const char *const args[] = { "--dir", dir, "--port", "0", "--unixsocket", "s", NULL };

    int fd = open(file_path, O_RDWR | O_CLOEXEC);
    char byte;
    ck_assert_int_eq(pread(fd, &byte, 1, before.st_size / 2), 1);
    byte = (char)(byte ^ 1);
    ck_assert_int_eq(pwrite(fd, &byte, 1, before.st_size / 2), 1);
    ck_assert_int_eq(server_run(dir, args, output, sizeof(output)), 1);
    ck_assert_msg(strstr(output, "dump.rdb: at byte ") != NULL, "%s", output);

    ck_assert_int_eq(ftruncate(fd, before.st_size / 2), 0);
    close(fd);
    ck_assert_int_eq(server_run(dir, args, output, sizeof(output)), 1);
    ck_assert_msg(strstr(output, "dump.rdb: at byte ") != NULL, "%s", output);
    // It is as it was.
    struct stat after;
    ck_assert_int_eq(stat(file_path, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size / 2);
}
END_TEST

START_TEST(save_points)
{
    struct test_server *server = start("1 2");
    redisContext *c = client_connect(server);
    expect_ok(c, "SET a 1");
    expect_ok(c, "SET b 1");
    struct deadline limit = deadline();
    while (!file_exists())
        deadline_wait(&limit);
    wait_saved(server);
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 0);
    ck_assert(server_logged(server, "2 changes in 1 seconds. Saving..."));
    // FLUSHALL leaves no data that is gone in the file. That was not asked for, and isn't counted.
    long long saves = server_info(server, "rdb_saves");
    expect_ok(c, "FLUSHALL");
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 0);
    expect_ok(c, "DEBUG RELOAD");
    ck_assert_int_eq(server_info(server, "rdb_saves"), saves);
    expect_ok(c, "SAVE");
    ck_assert_int_eq(server_info(server, "rdb_saves"), saves + 1);
    redisFree(c);
    kill_server(server);
    server = start("");
    c = client_connect(server);
    expect_int(c, 0, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

static void touch(const char *name)
{
    char path[SERVER_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(drafts_of_the_dead)
{
    touch("dump.rdb.draft-abcdef");
    touch("dump.rdb.draft-abcdefg");
    touch("dump.rdb.backup");
    touch("other.rdb.draft-abcdef");
    server_stop(start(""));
    ck_assert_int_eq(count_files("dump.rdb.draft-abcdef"), 1);
    ck_assert_int_eq(count_files("dump.rdb.draft-abcdefg"), 1);
    ck_assert_int_eq(count_files("dump.rdb.backup"), 1);
    ck_assert_int_eq(count_files("other.rdb"), 1);
}
END_TEST

static void save_many(void)
{
    struct test_server *server = start("");
    redisContext *c = client_connect(server);
    expect_ok(c, "DEBUG POPULATE %d", MANY);
    expect_ok(c, "SAVE");
    redisFree(c);
    server_stop(server);
}

START_TEST(clients_while_loading)
{
    static const char loading[] = "LOADING Redis is loading the dataset in memory";
    save_many();
    struct test_server *server = start("900 1");
    redisContext *c = client_connect(server);
    expect_error(c, loading, "GET key:1");
    expect_error(c, loading, "PING");
    expect_error(c, loading, "SAVE");
    expect_error(c, loading, "DEBUG RELOAD");
    expect_ok(c, "MULTI");
    expect_error(c, loading, "GET key:1");
    expect_error(c, "EXECABORT Transaction discarded because of previous errors.", "EXEC");
    ck_assert_int_eq(server_info(server, "loading"), 1);
    ck_assert_int_gt(server_info(server, "loading_total_bytes"), MANY);
    for (struct deadline limit = deadline(); server_info(server, "loading") != 0;)
        deadline_wait(&limit);
    expect_status(c, "PONG", "PING");
    expect_int(c, MANY, "DBSIZE");
    expect_text(c, "value:1", "GET key:1");
    ck_assert_int_eq(server_info(server, "loading_total_bytes"), -1);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(the_end_while_loading)
{
    struct stat before;
    struct stat after;
    save_many();
    ck_assert_int_eq(stat(file_path, &before), 0);
    struct test_server *server = start("900 1");
    ck_assert_int_eq(server_info(server, "loading"), 1);
    server_stop(server);
    // A part of the data is not put in its place.
    ck_assert_int_eq(stat(file_path, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tcase = server_tcase(suite, "snapshot");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, all_types_come_back);
    tcase_add_test(tcase, a_signal_saves);
    tcase_add_test(tcase, a_child_saves_what_was_there);
    tcase_add_test(tcase, a_killed_child);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_test(tcase, a_folder_that_is_gone);
    tcase_add_test(tcase, a_damaged_file);
    tcase_add_test(tcase, save_points);
    tcase_add_test(tcase, drafts_of_the_dead);
    tcase_add_test(tcase, clients_while_loading);
    tcase_add_test(tcase, the_end_while_loading);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Rewriting the append-only file of a live server: kills in all its phases, failures, one child at a time, bases of
// commands, kept history; and WAITAOF.
#include "support/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM   256
#define TEXT_ROOM   4096
#define DIGEST_ROOM 48
#define WRITERS     3
#define KILLS       8

// A child is at work until it is killed.
#define FOR_EVER "30000000"

#define STARTED   "Background append only file rewriting started"
#define SCHEDULED "Background append only file rewriting scheduled"

static const char *const policies[] = { "always", "everysec", "no" };
#define POLICIES ((int)(sizeof(policies) / sizeof(*policies)))

static char data_dir[SERVER_PATH_MAX];

static void set_up(void)
{
    server_temp_dir(data_dir);
}

static struct test_server *start_with(const char *policy, const char *option, const char *value)
{
    return server_start(SERVER_ARGS("--appendonly", "yes", "--appendfsync", policy, "--dir",
                                    data_dir, "--enable-debug-command", "yes", "--save", "", option,
                                    value));
}

static struct test_server *start(const char *policy)
{
    return start_with(policy, "--hz", "10");
}

// None is under way or to come.
static void await_rewritten(const struct test_server *server)
{
    server_await_info(server, "aof_rewrite_scheduled", 0);
    server_await_info(server, "aof_rewrite_in_progress", 0);
}

static bool info_has(redisContext *c, const char *line)
{
    redisReply *reply = client_ask(c, "INFO persistence");
    bool has = strstr(reply->str, line) != NULL;
    freeReplyObject(reply);
    return has;
}

static void await_line(redisContext *c, const char *line)
{
    for (struct deadline limit = deadline(); !info_has(c, line);)
        deadline_wait(&limit);
}

static bool is_there(const char *name)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/appendonlydir/%s", data_dir, name);
    return access(path, F_OK) == 0;
}

static void touch(const char *name)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/appendonlydir/%s", data_dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void read_file(const char *name, char out[TEXT_ROOM])
{
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/appendonlydir/%s", data_dir, name);
    server_read_file(path, out, TEXT_ROOM);
}

static int count_drafts(void)
{
    char path[PATH_ROOM];
    int count = 0;
    snprintf(path, sizeof(path), "%s/appendonlydir", data_dir);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *file; (file = readdir(folder)) != NULL;)
        count += strstr(file->d_name, ".draft-") != NULL;
    closedir(folder);
    return count;
}

static pid_t child_of(const struct test_server *server)
{
    char path[64];
    char text[32];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server->pid, (int)server->pid);
    server_read_file(path, text, sizeof(text));
    return (pid_t)strtol(text, NULL, 10);
}

static void digest(redisContext *c, char out[DIGEST_ROOM])
{
    redisReply *reply = client_ask(c, "DEBUG DIGEST");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
    snprintf(out, DIGEST_ROOM, "%s", reply->str);
    freeReplyObject(reply);
}

// --- Kills --------------------------------------------------------------------------------------

// Writers count up while the file is rewritten and, at some time, the server is killed; what was answered is
// there afterwards. The rewrite takes some tenths of a second, so that kills meet its beginning, its child, its
// end, and the time between two.
static void count_up(redisContext *c[WRITERS], long long acked[WRITERS], long long for_ms)
{
    long long end_ms = monotonic_ms() + for_ms;
    for (int w = 0; monotonic_ms() < end_ms; w = (w + 1) % WRITERS) {
        redisAppendCommand(c[w], "INCR counter%d", w);
        redisReply *reply = client_next(c[w]);
        ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
        ck_assert_int_eq(reply->integer, acked[w] + 1);
        acked[w]++;
        freeReplyObject(reply);
    }
}

START_TEST(what_was_acknowledged_outlives_kills)
{
    long long acked[WRITERS] = { 0 };
    redisContext *c[WRITERS];
    bool is_always = strcmp(policies[_i], "always") == 0;
    for (int round = 0; round < KILLS; round++) {
        struct test_server *server = start_with(policies[_i], "--rdb-key-save-delay", "1000");
        for (int w = 0; w < WRITERS; w++) {
            c[w] = client_connect_unix(server);
            long long value = client_int(c[w], "INCRBY counter%d 0", w);
            ck_assert_msg(value == acked[w], "writer %d: %lld of %lld", w, value, acked[w]);
        }
        expect_int(c[0], round ? WRITERS + 100 : WRITERS, "DBSIZE");
        if (round == 0)
            expect_ok(c[0], "DEBUG POPULATE 100");
        // The base of commands as well.
        expect_ok(c[0], "CONFIG SET aof-use-rdb-preamble %s", round % 2 ? "no" : "yes");
        // DEBUG POPULATE is no effect: the first base has it.
        expect_status(c[0], STARTED, "BGREWRITEAOF");
        if (round == 0)
            await_rewritten(server);
        count_up(c, acked, (monotonic_ms() + 67 * round) % 250);
        // What a thread has to write while a sync is under way would be lost but for `always`.
        if (!is_always)
            server_await_info(server, "aof_buffer_length", 0);
        server_kill(server);
        for (int w = 0; w < WRITERS; w++)
            redisFree(c[w]);
    }
    ck_assert_int_gt(acked[0], 0);
    struct test_server *server = start(policies[_i]);
    redisContext *last = client_connect_unix(server);
    for (int w = 0; w < WRITERS; w++)
        expect_int(last, acked[w], "INCRBY counter%d 0", w);
    ck_assert_int_eq(count_drafts(), 0);
    redisFree(last);
    server_stop(server);
}
END_TEST

// --- Failures -----------------------------------------------------------------------------------

START_TEST(a_killed_child_leaves_nothing_behind)
{
    struct test_server *server = start_with("always", "--rdb-key-save-delay", FOR_EVER);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    for (int failures = 1; failures <= 2; failures++) {
        expect_status(c, STARTED, "BGREWRITEAOF");
        server_await_info(server, "aof_rewrite_in_progress", 1);
        for (struct deadline limit = deadline(); count_drafts() != 1;)
            deadline_wait(&limit);
        expect_ok(c, "SET during %d", failures);
        kill(child_of(server), SIGKILL);
        server_await_info(server, "aof_rewrites_consecutive_failures", failures);
        ck_assert(info_has(c, "aof_last_bgrewrite_status:err"));
        ck_assert_int_eq(server_info(server, "aof_rewrite_in_progress"), 0);
        ck_assert_int_eq(count_drafts(), 0);
        expect_ok(c, "SET after %d", failures);
    }
    ck_assert(server_logged(server, "Background AOF rewrite terminated by signal 9"));
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    expect_list(c, "1 2 2", "MGET a during after");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    ck_assert(info_has(c, "aof_last_bgrewrite_status:ok"));
    ck_assert_int_eq(server_info(server, "aof_rewrites_consecutive_failures"), 0);
    expect_list(c, "1 2 2", "MGET a during after");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_full_disk_fails_the_child_alone)
{
    struct rlimit limit;
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "DEBUG POPULATE 10000");
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = 20000;
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_line(c, "aof_last_bgrewrite_status:err");
    ck_assert(server_logged(
        server,
        "Background AOF rewrite error: 'appendonlydir/appendonly.aof.2.base.rdb': File too large"));
    ck_assert_int_eq(count_drafts(), 0);
    expect_ok(c, "SET a 1");
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_line(c, "aof_last_bgrewrite_status:ok");
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    expect_int(c, 10001, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

// The manifest's place is taken by a folder.
START_TEST(a_manifest_that_cannot_be_written)
{
    char path[PATH_ROOM];
    char aside[PATH_ROOM];
    struct test_server *server = start_with("always", "--rdb-key-save-delay", "200000");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_status(c, STARTED, "BGREWRITEAOF");
    snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.manifest", data_dir);
    snprintf(aside, sizeof(aside), "%s/aside", data_dir);
    for (struct deadline limit = deadline(); count_drafts() != 1;)
        deadline_wait(&limit);
    ck_assert_int_eq(rename(path, aside), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    await_line(c, "aof_last_bgrewrite_status:err");
    expect_ok(c, "SET b 2");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rename(aside, path), 0);
    expect_status(c, STARTED, "BGREWRITEAOF");
    expect_ok(c, "SET c 3");
    await_line(c, "aof_last_bgrewrite_status:ok");
    expect_ok(c, "SET d 4");
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    expect_list(c, "1 2 3 4", "MGET a b c d");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(drafts_of_the_dead_are_removed)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    redisFree(c);
    server_kill(server);
    touch("appendonly.aof.2.base.rdb.draft-abcdef");
    touch("appendonly.aof.2.base.aof.draft-123456");
    touch("appendonly.aof.manifest.draft-ABCDEF");
    touch("appendonly.aof.2.base.rdb.draft-mine");
    server = start("always");
    ck_assert_int_eq(count_drafts(), 1);
    ck_assert(is_there("appendonly.aof.2.base.rdb.draft-mine"));
    server_stop(server);
}
END_TEST

// --- One child at a time ------------------------------------------------------------------------

START_TEST(a_rewrite_waits_for_a_save)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--dir", data_dir, "--save", "", "--rdb-key-save-delay", "300000"));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_status(c, "Background saving started", "BGSAVE");
    expect_ok(c, "CONFIG SET appendonly yes appendfsync always");
    expect_status(c, SCHEDULED, "BGREWRITEAOF");
    expect_ok(c, "SET b 2");
    ck_assert_int_eq(server_info(server, "aof_enabled"), 1);
    ck_assert_int_eq(server_info(server, "aof_rewrite_scheduled"), 1);
    ck_assert_int_eq(server_info(server, "aof_rewrite_in_progress"), 0);
    server_await_info(server, "aof_rewrite_in_progress", 1);
    ck_assert_int_eq(server_info(server, "rdb_bgsave_in_progress"), 0);
    ck_assert_int_eq(server_info(server, "current_save_keys_total"), 2);
    // It has been turned on when its first base is there.
    expect_status(c, "Background saving scheduled", "BGSAVE SCHEDULE");
    expect_ok(c, "SET c 3");
    server_await_info(server, "rdb_bgsave_in_progress", 1);
    ck_assert_int_eq(server_info(server, "aof_rewrite_in_progress"), 0);
    ck_assert_int_gt(server_info(server, "aof_last_cow_size"), 0);
    ck_assert(is_there("appendonly.aof.1.incr.aof"));
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    expect_list(c, "1 2 3", "MGET a b c");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(what_waits_for_nothing_any_more)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--dir", data_dir, "--save", "", "--rdb-key-save-delay", FOR_EVER));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_status(c, "Background saving started", "BGSAVE");
    expect_ok(c, "CONFIG SET appendonly yes");
    expect_ok(c, "CONFIG SET appendonly no");
    ck_assert_int_eq(server_info(server, "aof_rewrite_scheduled"), 0);
    kill(child_of(server), SIGKILL);
    server_await_info(server, "rdb_bgsave_in_progress", 0);
    ck_assert_int_eq(server_info(server, "aof_rewrites"), 0);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- The base -----------------------------------------------------------------------------------

static void fill(redisContext *c)
{
    expect_ok(c, "SET text %b", "a\r\n\0b", (size_t)5);
    expect_ok(c, "SET number 12345 PX 100000000");
    for (int i = 0; i < 200; i++) {
        const char *size = i < 10 ? "small" : "large";
        freeReplyObject(client_ask(c, "RPUSH list:%s element:%d", size, i));
        freeReplyObject(client_ask(c, "SADD set:%s element:%d", size, i));
        freeReplyObject(client_ask(c, "SADD numbers:%s %d", size, i));
        freeReplyObject(client_ask(c, "HSET hash:%s field:%d %d", size, i, i));
        freeReplyObject(client_ask(c, "ZADD zset:%s %d.1 element:%d", size, i, i));
    }
    expect_int(c, 4, "ZADD zset -inf a inf b 1e300 c 0.1 d");
    expect_ok(c, "SELECT 3");
    expect_ok(c, "SET elsewhere 1");
    expect_ok(c, "SELECT 0");
}

START_TEST(a_base_of_commands)
{
    char text[TEXT_ROOM];
    char before[DIGEST_ROOM];
    char after[DIGEST_ROOM];
    struct test_server *server = start_with("always", "--aof-use-rdb-preamble", "no");
    redisContext *c = client_connect_unix(server);
    read_file("appendonly.aof.manifest", text);
    ck_assert_str_eq(text, "file appendonly.aof.1.base.aof seq 1 type b\n"
                           "file appendonly.aof.1.incr.aof seq 1 type i\n");
    fill(c);
    expect_ok(c, "CONFIG SET aof-timestamp-enabled yes");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    read_file("appendonly.aof.manifest", text);
    ck_assert_str_eq(text, "file appendonly.aof.2.base.aof seq 2 type b\n"
                           "file appendonly.aof.2.incr.aof seq 2 type i\n");
    read_file("appendonly.aof.2.base.aof", text);
    ck_assert_int_eq(strncmp(text, "#TS:", 4), 0);
    ck_assert_ptr_nonnull(strstr(text, "\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*"));
    digest(c, before);
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    digest(c, after);
    ck_assert_str_eq(before, after);
    expect_ttl(c, 100000, "TTL number");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    ck_assert(is_there("appendonly.aof.3.base.rdb"));
    ck_assert(!is_there("appendonly.aof.2.base.aof"));
    redisFree(c);
    server_stop(server);
}
END_TEST

static long long base_bytes(const char *name)
{
    char path[PATH_ROOM];
    struct stat info;
    snprintf(path, sizeof(path), "%s/appendonlydir/%s", data_dir, name);
    ck_assert_int_eq(stat(path, &info), 0);
    return (long long)info.st_size;
}

START_TEST(a_base_as_rdbcompression_says)
{
    struct test_server *server = start("no");
    redisContext *c = client_connect_unix(server);
    expect_int(c, 100000, "SETRANGE a 99999 x");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    ck_assert_int_lt(base_bytes("appendonly.aof.2.base.rdb"), 10000);
    expect_ok(c, "CONFIG SET rdbcompression no");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    ck_assert_int_gt(base_bytes("appendonly.aof.3.base.rdb"), 100000);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(history_may_be_kept)
{
    char text[TEXT_ROOM];
    static const char manifest[] = "file appendonly.aof.2.base.rdb seq 2 type b\n"
                                   "file appendonly.aof.1.base.rdb seq 1 type h\n"
                                   "file appendonly.aof.1.incr.aof seq 1 type h\n"
                                   "file appendonly.aof.2.incr.aof seq 2 type i\n";
    struct test_server *server = start_with("always", "--aof-disable-auto-gc", "yes");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_status(c, STARTED, "BGREWRITEAOF");
    await_rewritten(server);
    redisFree(c);
    server_kill(server);
    server = start_with("always", "--aof-disable-auto-gc", "yes");
    c = client_connect_unix(server);
    expect_text(c, "1", "GET a");
    read_file("appendonly.aof.manifest", text);
    ck_assert_str_eq(text, manifest);
    ck_assert(is_there("appendonly.aof.1.base.rdb"));
    ck_assert(is_there("appendonly.aof.1.incr.aof"));
    expect_ok(c, "CONFIG SET aof-disable-auto-gc no");
    read_file("appendonly.aof.manifest", text);
    ck_assert_str_eq(text, "file appendonly.aof.2.base.rdb seq 2 type b\n"
                           "file appendonly.aof.2.incr.aof seq 2 type i\n");
    ck_assert(!is_there("appendonly.aof.1.base.rdb"));
    ck_assert(!is_there("appendonly.aof.1.incr.aof"));
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- WAITAOF ------------------------------------------------------------------------------------

static void send_all(redisContext *c)
{
    for (int done = 0; !done;)
        ck_assert_int_eq(redisBufferWrite(c, &done), REDIS_OK);
}

static void expect_pair(redisContext *c, long long locals, long long replicas)
{
    redisReply *reply = client_next(c);
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(reply->elements, 2);
    ck_assert_int_eq(reply->element[0]->integer, locals);
    ck_assert_int_eq(reply->element[1]->integer, replicas);
    freeReplyObject(reply);
}

#define OFF_TEXT "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."

START_TEST(waitaof_waits_and_can_be_ended)
{
    struct test_server *server = start(policies[_i]);
    redisContext *c = client_connect_unix(server);
    redisContext *other = client_connect_unix(server);
    long long id = client_int(c, "CLIENT ID");
    // There are no replicas: this one waits for ever.
    for (int with_error = 0; with_error < 2; with_error++) {
        redisAppendCommand(c, "SET a 1");
        redisAppendCommand(c, "WAITAOF 1 1 0");
        redisAppendCommand(c, "PING");
        send_all(c);
        expect_ok(other, "SET b 1");
        server_await_info(server, "blocked_clients", 1);
        // Synced it is by now, or soon.
        redisAppendCommand(other, "WAITAOF 1 0 0");
        expect_pair(other, 1, 0);
        expect_int(other, 1, "CLIENT UNBLOCK %lld %s", id, with_error ? "ERROR" : "TIMEOUT");
        freeReplyObject(client_next(c));
        redisReply *reply = NULL;
        if (with_error) {
            reply = client_next(c);
            ck_assert_str_eq(reply->str, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
            freeReplyObject(reply);
        } else {
            expect_pair(c, 1, 0);
        }
        freeReplyObject(client_next(c));
        ck_assert_int_eq(server_info(server, "blocked_clients"), 0);
    }
    redisAppendCommand(c, "WAITAOF 0 1 50");
    expect_pair(c, 1, 0);
    // One who goes away while he waits.
    redisAppendCommand(c, "WAITAOF 0 1 0");
    send_all(c);
    server_await_info(server, "blocked_clients", 1);
    redisFree(c);
    server_await_info(server, "blocked_clients", 0);
    redisFree(other);
    server_stop(server);
}
END_TEST

// Nothing is on the disk before the first base is there; and then it never will be.
START_TEST(waitaof_waits_for_the_first_base)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--dir", data_dir, "--save", "", "--rdb-key-save-delay", "300000"));
    redisContext *c = client_connect_unix(server);
    redisContext *other = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_ok(c, "CONFIG SET appendonly yes");
    redisAppendCommand(c, "WAITAOF 1 0 0");
    redisAppendCommand(other, "WAITAOF 1 0 0");
    expect_pair(c, 1, 0);
    expect_pair(other, 1, 0);
    ck_assert_int_eq(server_info(server, "aof_rewrite_in_progress"), 0);
    // A second one, which is never done.
    expect_ok(c, "CONFIG SET appendonly no");
    expect_ok(c, "CONFIG SET appendonly yes");
    redisAppendCommand(other, "WAITAOF 1 0 0");
    send_all(other);
    server_await_info(server, "blocked_clients", 1);
    expect_ok(c, "CONFIG SET appendonly no");
    redisReply *reply = client_next(other);
    ck_assert_str_eq(reply->str, OFF_TEXT);
    freeReplyObject(reply);
    redisFree(other);
    // The end while one waits.
    redisAppendCommand(c, "WAITAOF 0 1 0");
    send_all(c);
    server_await_info(server, "blocked_clients", 1);
    server_stop(server);
    redisFree(c);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof_rewrite");
    TCase *tcase = server_tcase(suite, "aof_rewrite");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, what_was_acknowledged_outlives_kills, 0, POLICIES);
    tcase_add_test(tcase, a_killed_child_leaves_nothing_behind);
    tcase_add_test(tcase, a_full_disk_fails_the_child_alone);
    tcase_add_test(tcase, a_manifest_that_cannot_be_written);
    tcase_add_test(tcase, drafts_of_the_dead_are_removed);
    tcase_add_test(tcase, a_rewrite_waits_for_a_save);
    tcase_add_test(tcase, what_waits_for_nothing_any_more);
    tcase_add_test(tcase, a_base_of_commands);
    tcase_add_test(tcase, a_base_as_rdbcompression_says);
    tcase_add_test(tcase, history_may_be_kept);
    tcase_add_loop_test(tcase, waitaof_waits_and_can_be_ended, 0, POLICIES);
    tcase_add_test(tcase, waitaof_waits_for_the_first_base);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

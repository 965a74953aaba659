// SPDX-License-Identifier: BSD-3-Clause
// The append-only file of a live server: what survives a kill under each policy, full disks, torn and damaged
// files, turning it on and off.
#include "support/raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 256
#define TEXT_ROOM 8192
#define KILLS     6
#define WRITERS   4

#define DIGEST_ROOM 48

static const char *const policies[] = { "always", "everysec", "no" };
#define POLICIES ((int)(sizeof(policies) / sizeof(*policies)))

static char data_dir[SERVER_PATH_MAX];

static void set_up(void)
{
    server_temp_dir(data_dir);
}

static struct test_server *start(const char *policy)
{
    return server_start(SERVER_ARGS("--appendonly", "yes", "--appendfsync", policy, "--dir",
                                    data_dir, "--enable-debug-command", "yes"));
}

static void path_of(const char *name, char out[PATH_ROOM])
{
    snprintf(out, PATH_ROOM, "%s/appendonlydir/%s", data_dir, name);
}

static void write_file(const char *name, const char *text)
{
    char path[PATH_ROOM];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void expect_file(const char *name, const char *want)
{
    char path[PATH_ROOM];
    char got[TEXT_ROOM];
    path_of(name, path);
    server_read_file(path, got, sizeof(got));
    ck_assert_str_eq(got, want);
}

// The server must not start: it says this.
static void expect_refused(const char *want)
{
    char out[TEXT_ROOM];
    int status = server_run(data_dir,
                            SERVER_ARGS("--port", "0", "--unixsocket", "s", "--appendonly", "yes"),
                            out, sizeof(out));
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(out, want) != NULL, "'%s' is not in: %s", want, out);
}

static void digest(redisContext *c, char out[DIGEST_ROOM])
{
    redisReply *reply = client_ask(c, "DEBUG DIGEST");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
    snprintf(out, DIGEST_ROOM, "%s", reply->str);
    freeReplyObject(reply);
}

// --- Kills --------------------------------------------------------------------------------------

static void write_everything(redisContext *c)
{
    expect_ok(c, "SET text %b", "a\r\n\0b", (size_t)5);
    expect_int(c, 1, "INCR number");
    expect_int(c, 3, "RPUSH list a b c");
    expect_text(c, "a", "LPOP list");
    expect_int(c, 2, "SADD set x y");
    freeReplyObject(client_ask(c, "SPOP set"));
    expect_int(c, 2, "HSET hash f 1 g 2");
    expect_text(c, "3.5", "HINCRBYFLOAT hash f 2.5");
    expect_int(c, 2, "ZADD zset 1 one 2.5 two");
    expect_ok(c, "SELECT 3");
    expect_ok(c, "SET elsewhere 1 EX 1000");
    expect_ok(c, "SET gone 1 PX 1");
    expect_ok(c, "MULTI");
    expect_status(c, "QUEUED", "SET in multi");
    expect_status(c, "QUEUED", "EXPIRE in 1000");
    freeReplyObject(client_ask(c, "EXEC"));
    expect_ok(c, "SELECT 0");
}

START_TEST(everything_survives_a_kill)
{
    char before[DIGEST_ROOM];
    char after[DIGEST_ROOM];
    struct test_server *server = start(policies[_i]);
    redisContext *c = client_connect_unix(server);
    write_everything(c);
    struct deadline limit = deadline();
    while (client_int(c, "DBSIZE") != 6 || server_info(server, "expired_keys") != 1)
        deadline_wait(&limit);
    server_await_info(server, "aof_buffer_length", 0);
    digest(c, before);
    redisFree(c);
    server_kill(server);

    server = start(policies[_i]);
    c = client_connect_unix(server);
    expect_ok(c, "SELECT 3");
    expect_nil(c, "GET gone");
    expect_ttl(c, 1000, "TTL elsewhere");
    digest(c, after);
    ck_assert_str_eq(before, after);
    redisFree(c);
    server_stop(server);
}
END_TEST

// Counters that are counted up while the server is killed. Each writer has two requests on their way; what
// was answered must be there. Where replies don't wait for the disk, a thread writes while a sync is under
// way: what it has not written yet would be lost, so the kill waits for it.
START_TEST(what_was_acknowledged_is_there)
{
    long long acked[WRITERS] = { 0 };
    bool is_always = strcmp(policies[_i], "always") == 0;
    redisContext *c[WRITERS];
    for (int round = 0; round < KILLS; round++) {
        struct test_server *server = start(policies[_i]);
        for (int w = 0; w < WRITERS; w++) {
            c[w] = client_connect_unix(server);
            long long value = client_int(c[w], "INCRBY counter%d 0", w);
            ck_assert_msg(value >= acked[w], "writer %d: %lld of %lld", w, value, acked[w]);
            redisAppendCommand(c[w], "INCR counter%d", w);
        }
        for (int i = 0; i < 50 + 37 * round; i++) {
            int w = i % WRITERS;
            redisAppendCommand(c[w], "INCR counter%d", w);
            redisReply *reply = client_next(c[w]);
            acked[w] = reply->integer;
            freeReplyObject(reply);
        }
        if (round == KILLS / 2) {
            redisContext *other = client_connect_unix(server);
            freeReplyObject(client_ask(other, "BGREWRITEAOF"));
            redisFree(other);
        }
        if (!is_always)
            server_await_info(server, "aof_buffer_length", 0);
        server_kill(server);
        for (int w = 0; w < WRITERS; w++)
            redisFree(c[w]);
    }
}
END_TEST

START_TEST(expired_while_down)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_int(c, 1, "RPUSH k a");
    expect_int(c, 1, "PEXPIRE k 300");
    // It is alive when this runs, and must not begin anew when it is run again.
    expect_int(c, 2, "RPUSH k b");
    redisFree(c);
    server_kill(server);
    usleep(400000);
    server = start("always");
    c = client_connect_unix(server);
    expect_int(c, 0, "EXISTS k");
    expect_int(c, 0, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(a_clean_end_keeps_all)
{
    struct test_server *server = start("no");
    redisContext *c = client_connect_unix(server);
    client_fill(c, "key", 1000);
    redisFree(c);
    server_stop(server);
    server = start("no");
    c = client_connect_unix(server);
    expect_int(c, 1000, "DBSIZE");
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Disk full ----------------------------------------------------------------------------------

#define MISCONF "MISCONF Errors writing to the AOF file: File too large"

START_TEST(a_full_disk_refuses_writes_and_recovers)
{
    bool is_always = strcmp(policies[_i], "always") == 0;
    char large[2000];
    struct test_server *server = start(policies[_i]);
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    expect_ok(c, "SET before 1");
    server_limit_files(server, 200);
    raw_text(writer, "SET large ");
    raw_text(writer, large);
    raw_text(writer, "\r\n");
    struct deadline limit = deadline();
    for (bool shut = false; !shut; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "PING");
        shut = reply->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
    expect_error(c, MISCONF, "SET k v");
    expect_error(c, MISCONF, "PING");
    expect_text(c, "1", "GET before");
    expect_ok(c, "MULTI");
    expect_error(c, MISCONF, "SET k v");
    expect_error(c, "EXECABORT Transaction discarded because of previous errors.", "EXEC");
    // With always nobody has been told that it is safe.
    if (is_always)
        raw_expect_nothing(writer);
    server_limit_files(server, RLIM_INFINITY);
    raw_expect(writer, "+OK\r\n");
    limit = deadline();
    for (bool open = false; !open; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "SET after 1");
        open = reply->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
    }
    close(writer);
    redisFree(c);
    server_kill(server);
    server = start(policies[_i]);
    c = client_connect_unix(server);
    expect_int(c, (long long)sizeof(large) - 1, "STRLEN large");
    expect_int(c, 2, "EXISTS before after");
    expect_nil(c, "GET k");
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Files that are torn or damaged -------------------------------------------------------------

#define BASE_AND_INCR "file b.aof seq 1 type b\nfile i.aof seq 1 type i\n"
#define SET_A         "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define SET_B         "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n"
#define MULTI_TEXT    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC_TEXT     "*1\r\n$4\r\nEXEC\r\n"

static void make_files(const char *manifest, const char *base, const char *incr)
{
    char path[PATH_ROOM];
    path_of("", path);
    mkdir(path, 0700);
    write_file("appendonly.aof.manifest", manifest);
    write_file("b.aof", base);
    write_file("i.aof", incr);
}

static void expect_keys(const char *a, const char *b)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    char want[32];
    snprintf(want, sizeof(want), "%s %s", a, b);
    expect_list(c, want, "MGET a b");
    expect_ok(c, "SET a 1");
    redisFree(c);
    server_stop(server);
}

START_TEST(a_torn_command_is_cut_off_and_kept)
{
    make_files(BASE_AND_INCR, SET_A, SET_B "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1");
    expect_keys("1", "2");
    expect_file("i.aof.cut-27", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1");
    expect_file("i.aof", SET_B "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" SET_A);
}
END_TEST

START_TEST(a_torn_transaction_is_cut_off_whole)
{
    make_files(BASE_AND_INCR, SET_A, MULTI_TEXT SET_A EXEC_TEXT MULTI_TEXT SET_B);
    expect_keys("1", "(nil)");
    expect_file("i.aof.cut-56", MULTI_TEXT SET_B);
}
END_TEST

START_TEST(comments_are_passed_over)
{
    make_files(BASE_AND_INCR, "#TS:1700000000\r\n" SET_A, "#TS:1700000001\r\n" SET_B "#TS:17");
    expect_keys("1", "2");
    expect_file("i.aof.cut-43", "#TS:17");
}
END_TEST

static const struct {
    const char *base;
    const char *incr;
    const char *want;
} damaged[] = {
    { SET_A "*3\r\n$3\r\nSET", SET_B, "b.aof: at byte 27: the file ends within a command" },
    { MULTI_TEXT SET_A, SET_B, "b.aof: at byte 0: the file ends within a transaction" },
    { SET_A, "garbage" SET_B, "i.aof: bad file format at byte 0" },
    { SET_A, SET_B "+OK\r\n", "i.aof: bad file format at byte 27: a command begins with '*'" },
    { SET_A, SET_B "*2\r\n$7\r\nNOTHING\r\n$1\r\na\r\n", "unknown command 'NOTHING'" },
    { SET_A, "*2\r\n$3\r\nSET\r\n$1\r\na\r\n", "'SET' has 2 words" },
    { SET_A, "*1\r\n$8\r\nSHUTDOWN\r\n", "'SHUTDOWN' does not write" },
    { SET_A, "*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n", "a database is selected that does not exist" },
    { SET_A, EXEC_TEXT, "EXEC without MULTI" },
    { SET_A, MULTI_TEXT MULTI_TEXT, "MULTI within MULTI" },
    { SET_A, "*3\r\n$3\r\nSET\r\n$1\r\naXX$1\r\n1\r\n", "a line has no CRLF at its end" },
    { SET_A, "*3\r\n$3\r\nSET\r\n$-1\r\n", "invalid bulk length" },
    { "REDIS0010\xff", SET_B, "b.aof: at byte " },
    { "REDIS9999", SET_B, "b.aof: at byte " },
};

START_TEST(damage_is_refused_with_its_place)
{
    make_files(BASE_AND_INCR, damaged[_i].base, damaged[_i].incr);
    expect_refused(damaged[_i].want);
    // Nothing was changed.
    expect_file("b.aof", damaged[_i].base);
    expect_file("i.aof", damaged[_i].incr);
}
END_TEST

START_TEST(a_short_tail_of_garbage_may_be_cut_off)
{
    make_files(BASE_AND_INCR, SET_A, SET_B "garbage");
    char out[TEXT_ROOM];
    const char *const few[] = {
        "--port", "0", "--appendonly", "yes", "--aof-load-corrupt-tail-max-size", "6", NULL
    };
    ck_assert_int_eq(server_run(data_dir, few, out, sizeof(out)), 1);
    struct test_server *server = server_start(SERVER_ARGS("--appendonly", "yes", "--dir", data_dir,
                                                          "--aof-load-corrupt-tail-max-size", "7"));
    redisContext *c = client_connect_unix(server);
    expect_list(c, "1 2", "MGET a b");
    redisFree(c);
    server_stop(server);
    expect_file("i.aof.cut-27", "garbage");
    expect_file("i.aof", SET_B);
}
END_TEST

START_TEST(a_missing_file_or_manifest_is_refused)
{
    make_files("file b.aof seq 1 type b\nfile other.aof seq 1 type i\n", SET_A, SET_B);
    expect_refused("other.aof: No such file or directory");
    make_files("file ../b.aof seq 1 type b\n", SET_A, SET_B);
    expect_refused("line 1: the file name is a path");
    make_files("", SET_A, SET_B);
    expect_refused("it names no file");
}
END_TEST

START_TEST(an_old_single_file_becomes_the_base)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/appendonly.aof", data_dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, SET_A SET_B, 54), 54);
    close(fd);
    expect_keys("1", "2");
    ck_assert_int_ne(access(path, F_OK), 0);
    expect_file("appendonly.aof", SET_A SET_B);
    expect_keys("1", "2");
}
END_TEST

// --- At run time --------------------------------------------------------------------------------

START_TEST(on_and_off_while_it_runs)
{
    struct test_server *server = server_start(SERVER_ARGS("--dir", data_dir));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET early 1");
    expect_ok(c, "CONFIG SET appendfsync always appendonly yes");
    expect_ok(c, "SET while 1");
    server_await_rewrites(server, 1);
    expect_ok(c, "SET then 1");
    expect_ok(c, "CONFIG SET appendonly no");
    expect_ok(c, "SET off 1");
    ck_assert_int_eq(server_info(server, "aof_enabled"), 0);
    redisFree(c);
    server_kill(server);

    server = start("everysec");
    c = client_connect_unix(server);
    expect_int(c, 3, "EXISTS early while then");
    expect_int(c, 0, "EXISTS off");
    for (int i = 0; i < 3; i++) {
        expect_ok(c, "CONFIG SET appendonly no");
        expect_ok(c, "SET turn %d", i);
        expect_ok(c, "CONFIG SET appendonly yes");
    }
    server_await_info(server, "aof_rewrite_in_progress", 0);
    expect_ok(c, "CONFIG SET appendfsync always");
    expect_ok(c, "SET last 1");
    redisFree(c);
    server_kill(server);
    server = start("everysec");
    c = client_connect_unix(server);
    expect_text(c, "2", "GET turn");
    expect_int(c, 5, "EXISTS early while then last turn");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(rewriting_keeps_all_and_shrinks)
{
    char before[DIGEST_ROOM];
    char after[DIGEST_ROOM];
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    write_everything(c);
    for (int i = 0; i < 500; i++)
        redisAppendCommand(c, "INCR number");
    for (int i = 0; i < 500; i++)
        freeReplyObject(client_next(c));
    long long size = server_info(server, "aof_current_size");
    expect_status(c, "Background append only file rewriting started", "BGREWRITEAOF");
    expect_int(c, 502, "INCR number");
    server_await_rewrites(server, 1);
    ck_assert_int_lt(server_info(server, "aof_current_size"), size);
    // Within a transaction it begins when that is over.
    expect_ok(c, "MULTI");
    expect_status(c, "QUEUED", "INCR number");
    expect_status(c, "QUEUED", "BGREWRITEAOF");
    expect_status(c, "QUEUED", "INCR number");
    freeReplyObject(client_ask(c, "EXEC"));
    server_await_rewrites(server, 2);
    expect_int(c, 505, "INCR number");
    digest(c, before);
    expect_file("appendonly.aof.manifest", "file appendonly.aof.3.base.rdb seq 3 type b\n"
                                           "file appendonly.aof.3.incr.aof seq 3 type i\n");
    redisFree(c);
    server_kill(server);
    server = start("always");
    c = client_connect_unix(server);
    digest(c, after);
    ck_assert_str_eq(before, after);
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(it_is_rewritten_when_it_has_grown)
{
    struct test_server *server = server_start(SERVER_ARGS("--appendonly", "yes", "--dir", data_dir,
                                                          "--auto-aof-rewrite-min-size", "1000"));
    redisContext *c = client_connect_unix(server);
    for (int i = 0; i < 100; i++)
        expect_ok(c, "SET k %d", i);
    server_await_rewrites(server, 1);
    expect_ok(c, "CONFIG SET auto-aof-rewrite-percentage 0");
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof");
    TCase *tcase = server_tcase(suite, "aof");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, everything_survives_a_kill, 0, POLICIES);
    tcase_add_loop_test(tcase, what_was_acknowledged_is_there, 0, POLICIES);
    tcase_add_test(tcase, expired_while_down);
    tcase_add_test(tcase, a_clean_end_keeps_all);
    tcase_add_loop_test(tcase, a_full_disk_refuses_writes_and_recovers, 0, POLICIES);
    tcase_add_test(tcase, a_torn_command_is_cut_off_and_kept);
    tcase_add_test(tcase, a_torn_transaction_is_cut_off_whole);
    tcase_add_test(tcase, comments_are_passed_over);
    tcase_add_loop_test(tcase, damage_is_refused_with_its_place, 0,
                        sizeof(damaged) / sizeof(*damaged));
    tcase_add_test(tcase, a_short_tail_of_garbage_may_be_cut_off);
    tcase_add_test(tcase, a_missing_file_or_manifest_is_refused);
    tcase_add_test(tcase, an_old_single_file_becomes_the_base);
    tcase_add_test(tcase, on_and_off_while_it_runs);
    tcase_add_test(tcase, rewriting_keeps_all_and_shrinks);
    tcase_add_test(tcase, it_is_rewritten_when_it_has_grown);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

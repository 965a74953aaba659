// SPDX-License-Identifier: BSD-3-Clause
// The start with an append-only file that takes its time: who is served, what rests, and the end in the middle of it.
#include "support/raw.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 256

// A set that is copied again and again: what loads for a while from a small file.
#define MEMBERS 20000
#define LOAD_MS 1500
#define PROBES  20

#define INFO_ROOM 32768

// Of the snapshot that the file begins with.
#define KEYS 200000

// Less than they take. What is being freed and what answers INFO may be beyond it for a moment.
#define LIMIT       "6mb"
#define LIMIT_BYTES (6 << 20)
#define SLACK_BYTES (1 << 20)

#define BASE     "base.rdb"
#define INCR     "appendonly.aof.1.incr.aof"
#define MANIFEST "appendonly.aof.manifest"

static char dir[SERVER_PATH_MAX];
static int copies;
static const char loading_error[] = "-LOADING Redis is loading the dataset in memory\r\n";

static void set_up(void)
{
    server_temp_dir(dir);
}

static void path_of(const char *name, char out[PATH_ROOM])
{
    snprintf(out, PATH_ROOM, "%s/appendonlydir/%s", dir, name);
}

static void add_members(FILE *file)
{
    fprintf(file, "*%d\r\n$4\r\nSADD\r\n$3\r\nset\r\n", MEMBERS + 2);
    for (int i = 0; i < MEMBERS; i++)
        fprintf(file, "$12\r\nmember:%05d\r\n", i);
}

static const char copy[] = "*3\r\n$11\r\nSUNIONSTORE\r\n$4\r\ncopy\r\n$3\r\nset\r\n";

static void write_slow_commands(void)
{
    char path[PATH_ROOM];
    path_of(INCR, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    add_members(file);
    for (int i = 0; i < copies; i++)
        fputs(copy, file);
    ck_assert_int_eq(fclose(file), 0);
}

// How many copies take long enough, here and now.
static void count_copies(const struct test_server *server)
{
    char *text;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(file);
    add_members(file);
    ck_assert_int_eq(fclose(file), 0);
    int fd = raw_connect(server);
    raw_send(fd, text, len);
    raw_expect(fd, ":20000\r\n");
    free(text);
    long long began_ms = monotonic_ms();
    for (int i = 0; i < PROBES; i++)
        raw_text(fd, copy);
    for (int i = 0; i < PROBES; i++)
        raw_expect(fd, ":20000\r\n");
    copies = (int)(PROBES * LOAD_MS / (monotonic_ms() - began_ms + 1)) + 1;
    raw_ask(fd, "DEL set copy", ":2\r\n");
    close(fd);
}

static void write_text(const char *name, const char *text)
{
    char path[PATH_ROOM];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_folder(void)
{
    char path[PATH_ROOM];
    path_of("", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

// Files of many keys, and of commands that take long.
static void make_files(void)
{
    char path[PATH_ROOM];
    struct test_server *server = server_start(SERVER_ARGS(
        "--dir", dir, "--save", "", "--dbfilename", BASE, "--enable-debug-command", "yes"));
    count_copies(server);
    redisContext *c = client_connect(server);
    expect_ok(c, "DEBUG POPULATE %d", KEYS);
    expect_ok(c, "SAVE");
    redisFree(c);
    server_stop(server);
    make_folder();
    char saved[PATH_ROOM];
    snprintf(saved, sizeof(saved), "%s/" BASE, dir);
    path_of(BASE, path);
    ck_assert_int_eq(rename(saved, path), 0);
    write_slow_commands();
    write_text(MANIFEST, "file " BASE " seq 1 type b\nfile " INCR " seq 1 type i\n");
}

static long long file_bytes(const char *name)
{
    char path[PATH_ROOM];
    struct stat file;
    path_of(name, path);
    return stat(path, &file) == 0 ? (long long)file.st_size : -1;
}

#define START(...) server_start(SERVER_ARGS("--dir", dir, "--appendonly", "yes", __VA_ARGS__))

// One answer for all that is asked of one moment.
static const char *info(const struct test_server *server)
{
    static char text[INFO_ROOM];
    redisContext *c = client_connect_unix(server);
    client_text(c, text, sizeof(text), "INFO");
    redisFree(c);
    return text;
}

static long long field(const char *text, const char *name)
{
    char line[64];
    snprintf(line, sizeof(line), "\n%s:", name);
    const char *at = strstr(text, line);
    return at ? strtoll(at + strlen(line), NULL, 10) : -1;
}

static void await_loaded(const struct test_server *server)
{
    for (struct deadline limit = deadline(); server_info(server, "loading") != 0;)
        deadline_wait(&limit);
}

// As redis-server 7.0 answers them.
static const char *const refused[] = {
    "PING",          "GET a",          "SET a 1",
    "DBSIZE",        "SAVE",           "BGSAVE",
    "BGREWRITEAOF",  "FLUSHALL",       "KEYS *",
    "SWAPDB 0 1",    "UNLINK a",       "MEMORY STATS",
    "OBJECT FREQ a", "DEBUG RELOAD",   "CONFIG SET appendonly no",
    "RANDOMKEY",     "EXISTS a",       "TYPE a",
    "DUMP a",        "MEMORY USAGE a", "REPLICAOF NO ONE",
};

static const struct {
    const char *request;
    const char *reply;
} served[] = {
    { "ECHO hi", "$2\r\nhi\r\n" },
    { "SELECT 1", "+OK\r\n" },
    { "CONFIG SET appendfsync always", "+OK\r\n" },
    { "CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n" },
    { "WATCH a", "+OK\r\n" },
    { "MULTI", "+OK\r\n" },
    { "DISCARD", "+OK\r\n" },
    { "UNWATCH", "+OK\r\n" },
    { "PUBLISH a b", ":0\r\n" },
    { "CLIENT KILL ID 9999", ":0\r\n" },
    { "SLOWLOG LEN", ":0\r\n" },
    { "SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n" },
    { "SHUTDOWN SAVE NOSAVE", "-ERR syntax error\r\n" },
    { "COMMAND GETKEYS GET a", "*1\r\n$1\r\na\r\n" },
    { "SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" },
};

#define REFUSED (sizeof(refused) / sizeof(*refused))
#define SERVED  (sizeof(served) / sizeof(*served))

START_TEST(clients_while_it_loads)
{
    make_files();
    struct test_server *server = START("--enable-debug-command", "yes");
    int fd = raw_connect(server);
    for (size_t i = 0; i < REFUSED; i++)
        raw_words(fd, refused[i]);
    for (size_t i = 0; i < SERVED; i++)
        raw_words(fd, served[i].request);
    for (size_t i = 0; i < REFUSED; i++)
        raw_expect(fd, loading_error);
    for (size_t i = 0; i < SERVED; i++)
        raw_expect(fd, served[i].reply);
    close(fd);
    const char *text = info(server);
    for (struct deadline limit = deadline(); field(text, "loading_loaded_bytes") < file_bytes(BASE);
         text = info(server))
        deadline_wait(&limit);
    ck_assert_int_eq(field(text, "loading"), 1);
    // The snapshot is but a part of what is to be read.
    long long total = file_bytes(BASE) + file_bytes(INCR);
    ck_assert_int_eq(field(text, "loading_total_bytes"), total);
    ck_assert_int_lt(field(text, "loading_loaded_bytes"), total);
    ck_assert_int_ge(field(text, "loading_eta_seconds"), 0);
    ck_assert_int_eq(field(text, "rdb_last_load_keys_loaded"), KEYS);

    await_loaded(server);
    redisContext *c = client_connect(server);
    expect_int(c, KEYS + 2, "DBSIZE");
    expect_int(c, MEMBERS, "SCARD copy");
    expect_ok(c, "CONFIG SET appendonly no");
    ck_assert_int_eq(server_info(server, "loading_total_bytes"), -1);
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), MEMBERS + copies);
    redisFree(c);
    server_stop(server);
}
END_TEST

static void expect_no_snapshot(void)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/dump.rdb", dir);
    ck_assert_int_ne(access(path, F_OK), 0);
}

static void expect_files_untouched(long long base_bytes, long long incr_bytes)
{
    ck_assert_int_eq(file_bytes(BASE), base_bytes);
    ck_assert_int_eq(file_bytes(INCR), incr_bytes);
    ck_assert_int_eq(file_bytes("appendonly.aof.2.incr.aof"), -1);
    expect_no_snapshot();
}

// In the snapshot or in the commands, by a signal or by a client: a part of the data replaces nothing.
START_TEST(the_end_while_it_loads)
{
    make_files();
    long long base_bytes = file_bytes(BASE);
    long long incr_bytes = file_bytes(INCR);
    struct test_server *server = START("--save", "900 1");
    ck_assert_int_eq(server_info(server, "loading"), 1);
    server_stop(server);
    expect_files_untouched(base_bytes, incr_bytes);

    server = START("--save", "900 1", "--shutdown-on-sigint", "save");
    struct deadline limit = deadline();
    while (server_info(server, "loading_loaded_bytes") < base_bytes)
        deadline_wait(&limit);
    server_stop_with(server, SIGINT);
    expect_files_untouched(base_bytes, incr_bytes);

    server = START("--save", "900 1");
    redisContext *c = client_connect(server);
    ck_assert_int_eq(server_info(server, "loading"), 1);
    ck_assert_ptr_null(redisCommand(c, "SHUTDOWN SAVE"));
    redisFree(c);
    server_stop_with(server, 0);
    expect_files_untouched(base_bytes, incr_bytes);
}
END_TEST

// All of it is loaded; the limit is kept from then on.
START_TEST(more_than_there_may_be)
{
    make_files();
    struct test_server *server = START("--maxmemory", LIMIT, "--maxmemory-policy",
                                       "allkeys-random");
    struct deadline limit = deadline();
    const char *text = info(server);
    for (; field(text, "loading_loaded_bytes") < file_bytes(BASE); text = info(server))
        deadline_wait(&limit);
    ck_assert_int_eq(field(text, "loading"), 1);
    ck_assert_int_gt(field(text, "used_memory"), LIMIT_BYTES + SLACK_BYTES);
    ck_assert_int_eq(field(text, "evicted_keys"), 0);
    // What the commands delete does not pile up.
    ck_assert_int_eq(field(text, "lazyfree_pending_objects"), 0);
    while (server_info(server, "used_memory") > LIMIT_BYTES + SLACK_BYTES)
        deadline_wait(&limit);
    ck_assert_int_eq(server_info(server, "loading"), 0);
    ck_assert_int_gt(server_info(server, "evicted_keys"), 0);
    redisContext *c = client_connect(server);
    expect_ok(c, "SET new 1");
    redisFree(c);
    server_stop(server);
}
END_TEST

START_TEST(more_than_there_may_be_without_eviction)
{
    make_files();
    struct test_server *server = START("--maxmemory", LIMIT);
    await_loaded(server);
    redisContext *c = client_connect(server);
    expect_int(c, KEYS + 2, "DBSIZE");
    expect_text(c, "value:1", "GET key:1");
    expect_error(c, "OOM command not allowed when used memory > 'maxmemory'.", "SET new 1");
    expect_ok(c, "CONFIG SET maxmemory 0");
    expect_ok(c, "SET new 1");
    redisFree(c);
    server_stop(server);
}
END_TEST

// All was flushed before the server started: a snapshot is no worse for it.
START_TEST(a_flush_in_the_file)
{
    make_folder();
    write_text(MANIFEST, "file " INCR " seq 1 type i\n");
    write_text(INCR, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$8\r\nFLUSHALL\r\n"
                     "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n");
    struct test_server *server = START("--save", "900 1");
    await_loaded(server);
    redisContext *c = client_connect(server);
    expect_text(c, "1", "GET b");
    expect_int(c, 1, "DBSIZE");
    redisFree(c);
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 4);
    expect_no_snapshot();
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("loading");
    TCase *tcase = server_tcase(suite, "loading");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, clients_while_it_loads);
    tcase_add_test(tcase, the_end_while_it_loads);
    tcase_add_test(tcase, more_than_there_may_be);
    tcase_add_test(tcase, more_than_there_may_be_without_eviction);
    tcase_add_test(tcase, a_flush_in_the_file);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

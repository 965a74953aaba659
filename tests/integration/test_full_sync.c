// SPDX-License-Identifier: BSD-3-Clause
// Tests of full syncs: what replicas, played by the test, are sent, and what happens to those that fail.
#include "support/client.h"
#include "support/disk.h"
#include "support/raw.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_BYTES  40
#define DIGEST_ROOM 64
#define STEP_BYTES  (1u << 20)

// More than sockets hold.
#define LARGE_KEYS "80"
#define LARGE_SIZE "1000000"

// One that is slow enough to be met at work.
#define SLOW_KEYS  "700"
#define SLOW_DELAY "1000"

static char dir[SERVER_PATH_MAX];

// A data set as it came.
struct payload {
    char *bytes;
    size_t len;
    size_t room;
    bool marked;
};

static void set_up(void)
{
    server_temp_dir(dir);
}

// With these options beside the usual ones, which end with a NULL.
#define START(...)                                                                        \
    server_start(SERVER_ARGS("--dir", dir, "--save", "", "--enable-debug-command", "yes", \
                             "--repl-diskless-sync-delay", "0", __VA_ARGS__))

// --- A replica ----------------------------------------------------------------------------------

// Connects and says these lines before it asks for the data set; `words` ends with a NULL.
static int join(const struct test_server *server, const char *ask, const char *const *words)
{
    int fd = raw_connect(server);
    for (; *words; words++)
        raw_ask(fd, *words, "+OK\r\n");
    raw_words(fd, ask);
    return fd;
}

#define EOF_LINES ((const char *const[]){ "REPLCONF listening-port 7", "REPLCONF capa eof", NULL })
#define OLD_LINES ((const char *const[]){ NULL })

static int join_modern(const struct test_server *server)
{
    return join(server, "PSYNC ? -1", EOF_LINES);
}

// The next line that is not empty; false at the end of the connection.
static bool next_line(int fd, char *out, size_t room)
{
    char byte;
    size_t len = 0;
    while (raw_read(fd, &byte, 1) == 1) {
        if (byte == '\n' && len > 0)
            break;
        if (byte != '\r' && byte != '\n' && len < room - 1)
            out[len++] = byte;
    }
    out[len] = '\0';
    return len > 0;
}

static bool is_complete(const struct payload *payload, const char *mark, size_t wanted)
{
    if (!payload->marked)
        return payload->len == wanted;
    return payload->len >= MARK_BYTES &&
           memcmp(payload->bytes + payload->len - MARK_BYTES, mark, MARK_BYTES) == 0;
}

static bool receive_bytes(int fd, struct payload *out, const char *mark, size_t wanted)
{
    while (!is_complete(out, mark, wanted)) {
        if (out->room - out->len < STEP_BYTES) {
            out->room = out->room * 2 + STEP_BYTES;
            out->bytes = realloc(out->bytes, out->room);
            ck_assert_ptr_nonnull(out->bytes);
        }
        size_t step = out->marked ? STEP_BYTES : wanted - out->len;
        size_t got = raw_read(fd, out->bytes + out->len, step < STEP_BYTES ? step : STEP_BYTES);
        if (got == 0)
            return false;
        out->len += got;
    }
    out->len -= out->marked ? MARK_BYTES : 0;
    return true;
}

// A data set; false if the connection ends before it does.
static bool receive(int fd, struct payload *out)
{
    char line[128];
    *out = (struct payload){ 0 };
    do {
        if (!next_line(fd, line, sizeof(line)))
            return false;
    } while (line[0] == '+');
    ck_assert_msg(line[0] == '$', "%s", line);
    out->marked = strncmp(line, "$EOF:", 5) == 0;
    if (out->marked)
        ck_assert_uint_eq(strlen(line), 5 + MARK_BYTES);
    return receive_bytes(fd, out, line + 5, out->marked ? 0 : strtoull(line + 1, NULL, 10));
}

static void release(struct payload *payload)
{
    free(payload->bytes);
    *payload = (struct payload){ 0 };
}

static void expect_cut_off(int fd)
{
    struct payload payload;
    ck_assert_msg(!receive(fd, &payload), "the data set has come");
    release(&payload);
    close(fd);
}

// --- What came ----------------------------------------------------------------------------------

static void get_digest(const struct test_server *server, char out[DIGEST_ROOM])
{
    redisContext *c = client_connect_unix(server);
    redisReply *reply = client_ask(c, "DEBUG DIGEST");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
    snprintf(out, DIGEST_ROOM, "%s", reply->str);
    freeReplyObject(reply);
    redisFree(c);
}

// Another server loads it, and has the data that the first one has.
static void expect_same_data(const struct test_server *server, const struct payload *payload)
{
    char folder[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 16];
    char want[DIGEST_ROOM];
    char got[DIGEST_ROOM];
    server_temp_dir(folder);
    snprintf(path, sizeof(path), "%s/dump.rdb", folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(payload->bytes, 1, payload->len, file), payload->len);
    fclose(file);
    struct test_server *other = server_start(
        SERVER_ARGS("--dir", folder, "--save", "", "--enable-debug-command", "yes"));
    for (struct deadline limit = deadline(); server_info(other, "loading") != 0;)
        deadline_wait(&limit);
    get_digest(server, want);
    get_digest(other, got);
    server_stop(other);
    ck_assert_str_eq(got, want);
}

static void expect_received(const struct test_server *server, int fd, bool marked)
{
    struct payload payload;
    ck_assert(receive(fd, &payload));
    ck_assert_int_eq(payload.marked, marked);
    expect_same_data(server, &payload);
    release(&payload);
}

// All types, in two databases.
static void fill(const struct test_server *server)
{
    redisContext *c = client_connect_unix(server);
    client_fill(c, "key:", 500);
    for (int i = 0; i < 600; i++) {
        freeReplyObject(client_ask(c, "RPUSH list element:%d", i));
        freeReplyObject(client_ask(c, "SADD set element:%d", i));
        freeReplyObject(client_ask(c, "HSET hash field:%d %d", i, i));
        freeReplyObject(client_ask(c, "ZADD zset %d.5 element:%d", i, i));
    }
    expect_ok(c, "SELECT 3");
    expect_ok(c, "SET compressible %s EX 100000", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    redisFree(c);
}

static void populate(const struct test_server *server, const char *count, const char *bytes)
{
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "DEBUG POPULATE %s key %s", count, bytes);
    redisFree(c);
}

static void await_info(const struct test_server *server, const char *field, long long want)
{
    for (struct deadline limit = deadline(); server_info(server, field) != want;)
        deadline_wait(&limit);
}

static void await_log(const struct test_server *server, const char *text)
{
    for (struct deadline limit = deadline(); !server_logged(server, text);)
        deadline_wait(&limit);
}

// --- The two forms ------------------------------------------------------------------------------

START_TEST(one_that_can_tell_the_end_gets_a_stream)
{
    struct test_server *server = START("--rdbcompression", "yes");
    redisContext *c = client_connect_unix(server);
    fill(server);
    expect_ok(c, "SELECT 3");
    expect_ok(c, "SET before 1");
    int fd = join_modern(server);
    expect_received(server, fd, true);
    ck_assert_int_eq(server_info(server, "rdb_saves"), 0);
    char path[SERVER_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/dump.rdb", dir);
    ck_assert(access(path, F_OK) != 0);
    // What follows says its database, and nothing follows before it has acknowledged.
    expect_ok(c, "SET after 1");
    raw_expect_nothing(fd);
    raw_words(fd, "REPLCONF ACK 0");
    raw_expect(fd,
               "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$5\r\nafter\r\n$1\r\n1\r\n");
    close(fd);
    redisFree(c);
    server_stop(server);
}
END_TEST

static void expect_file_form(const struct test_server *server, const char *ask,
                             const char *const *lines)
{
    char path[SERVER_PATH_MAX + 16];
    struct stat info;
    struct payload payload;
    int fd = join(server, ask, lines);
    ck_assert(receive(fd, &payload));
    ck_assert(!payload.marked);
    expect_same_data(server, &payload);
    snprintf(path, sizeof(path), "%s/dump.rdb", dir);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(payload.len, (size_t)info.st_size);
    ck_assert_int_eq(unlink(path), 0);
    release(&payload);
    close(fd);
}

START_TEST(others_get_a_file)
{
    struct test_server *server = START("--repl-diskless-sync", "yes");
    fill(server);
    expect_file_form(server, "SYNC", OLD_LINES);
    expect_file_form(server, "PSYNC ? -1", OLD_LINES);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "CONFIG SET repl-diskless-sync no repl-diskless-sync-delay 3600");
    redisFree(c);
    expect_file_form(server, "PSYNC ? -1", EOF_LINES);
    ck_assert_int_eq(server_info(server, "rdb_saves"), 3);
    await_info(server, "rdb_changes_since_last_save", 0);
    server_stop(server);
}
END_TEST

START_TEST(large_values_are_sent)
{
    struct payload payload;
    struct test_server *server = START("--rdbcompression", "no");
    redisContext *c = client_connect_unix(server);
    expect_int(c, 104857600, "SETRANGE large 104857599 x");
    expect_int(c, 1, "RPUSH list small");
    redisFree(c);
    int fd = join_modern(server);
    expect_received(server, fd, true);
    close(fd);
    fd = join(server, "SYNC", OLD_LINES);
    ck_assert(receive(fd, &payload));
    close(fd);
    ck_assert_uint_gt(payload.len, 104857600);
    ck_assert_mem_eq(payload.bytes, "REDIS", 5);
    release(&payload);
    server_stop(server);
}
END_TEST

// --- Who only wants the data, or not even that --------------------------------------------------

#define ONLY_LINES ((const char *const[]){ "REPLCONF capa eof", "REPLCONF rdb-only 1", NULL })
#define EMPTY_LINES                                                     \
    ((const char *const[]){ "REPLCONF capa eof", "REPLCONF rdb-only 1", \
                            "REPLCONF rdb-filter-only functions", NULL })

START_TEST(one_that_wants_no_stream_is_disconnected)
{
    struct test_server *server = START("--appendonly", "no");
    fill(server);
    int fd = join(server, "SYNC", ONLY_LINES);
    expect_received(server, fd, true);
    raw_expect_closed(fd);
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(one_that_wants_no_data_gets_none)
{
    struct test_server *server = START("--appendonly", "no");
    struct payload payload;
    populate(server, "1000", "100");
    int fd = join(server, "SYNC", EMPTY_LINES);
    ck_assert(receive(fd, &payload));
    raw_expect_closed(fd);
    close(fd);
    ck_assert_uint_lt(payload.len, 400);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "FLUSHALL");
    redisFree(c);
    expect_same_data(server, &payload);
    release(&payload);
    server_stop(server);
}
END_TEST

// --- Several ------------------------------------------------------------------------------------

START_TEST(those_that_wait_share_a_child)
{
    struct test_server *server = START("--repl-diskless-sync-delay", "3600",
                                       "--repl-diskless-sync-max-replicas", "3");
    int fds[3];
    fill(server);
    for (int i = 0; i < 3; i++)
        fds[i] = join_modern(server);
    for (int i = 0; i < 3; i++) {
        expect_received(server, fds[i], true);
        close(fds[i]);
    }
    ck_assert_int_eq(server_info(server, "total_forks"), 1);
    server_stop(server);
}
END_TEST

START_TEST(those_that_come_later_wait_for_the_next)
{
    struct test_server *server = START("--rdb-key-save-delay", SLOW_DELAY);
    populate(server, SLOW_KEYS, "100");
    int first = join_modern(server);
    await_info(server, "rdb_bgsave_in_progress", 1);
    int second = join_modern(server);
    int third = join(server, "SYNC", OLD_LINES);
    expect_received(server, first, true);
    expect_received(server, second, true);
    expect_received(server, third, false);
    ck_assert_int_eq(server_info(server, "total_forks"), 3);
    close(first);
    close(second);
    close(third);
    server_stop(server);
}
END_TEST

START_TEST(a_save_and_a_sync_wait_for_each_other)
{
    struct test_server *server = START("--rdb-key-save-delay", SLOW_DELAY);
    populate(server, SLOW_KEYS, "100");
    redisContext *c = client_connect_unix(server);
    expect_status(c, "Background saving started", "BGSAVE");
    int fd = join_modern(server);
    await_log(server, "Background RDB transfer started by pid");
    ck_assert(server_logged(server, "Background saving terminated with success"));
    expect_error(c, "ERR Background save already in progress", "BGSAVE");
    expect_error(c, "ERR Background save already in progress", "BGSAVE SCHEDULE");
    expect_error(c, "ERR Background save already in progress", "SAVE");
    expect_status(c, "Background append only file rewriting scheduled", "BGREWRITEAOF");
    expect_received(server, fd, true);
    close(fd);
    server_await_rewrites(server, 1);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Failures -----------------------------------------------------------------------------------

START_TEST(one_that_does_not_read_is_given_up)
{
    struct test_server *server = START("--repl-timeout", "2", "--repl-diskless-sync-delay", "3600",
                                       "--repl-diskless-sync-max-replicas", "2");
    populate(server, LARGE_KEYS, LARGE_SIZE);
    int stalled = join_modern(server);
    int fd = join_modern(server);
    expect_received(server, fd, true);
    ck_assert(server_logged(server, "it has taken nothing for repl-timeout"));
    expect_cut_off(stalled);
    ck_assert_int_eq(server_info(server, "total_forks"), 1);
    close(fd);
    server_stop(server);
}
END_TEST

// The same with a file, where nobody waits for anybody.
START_TEST(one_that_does_not_read_the_file_is_given_up)
{
    struct test_server *server = START("--repl-timeout", "2", "--rdbcompression", "no");
    populate(server, LARGE_KEYS, LARGE_SIZE);
    int stalled = join(server, "SYNC", OLD_LINES);
    await_log(server, "it has taken nothing for repl-timeout");
    await_info(server, "rdb_bgsave_in_progress", 0);
    expect_cut_off(stalled);
    ck_assert_int_eq(server_info(server, "rdb_saves"), 1);
    ck_assert_int_eq(server_info(server, "rdb_changes_since_last_save"), 0);
    server_stop(server);
}
END_TEST

START_TEST(one_that_leaves_does_not_hurt_the_others)
{
    struct test_server *server = START("--rdb-key-save-delay", SLOW_DELAY,
                                       "--repl-diskless-sync-delay", "3600",
                                       "--repl-diskless-sync-max-replicas", "2");
    populate(server, SLOW_KEYS, "10000");
    int leaving = join_modern(server);
    int fd = join_modern(server);
    await_info(server, "rdb_bgsave_in_progress", 1);
    close(leaving);
    expect_received(server, fd, true);
    ck_assert_int_eq(server_info(server, "total_forks"), 1);
    close(fd);
    server_stop(server);
}
END_TEST

// There would be seconds of work left for the child.
START_TEST(the_child_ends_when_all_have_left)
{
    struct test_server *server = START("--rdb-key-save-delay", "1000000");
    populate(server, SLOW_KEYS, "100");
    int fd = join_modern(server);
    await_info(server, "rdb_bgsave_in_progress", 1);
    close(fd);
    await_info(server, "rdb_bgsave_in_progress", 0);
    fd = join(server, "SYNC", OLD_LINES);
    await_info(server, "rdb_bgsave_in_progress", 1);
    close(fd);
    await_info(server, "rdb_bgsave_in_progress", 0);
    server_stop(server);
}
END_TEST

START_TEST(a_file_is_wanted_anyway_where_there_are_save_points)
{
    struct test_server *server = START("--rdb-key-save-delay", SLOW_DELAY, "--save", "3600 100000");
    populate(server, SLOW_KEYS, "100");
    int fd = join(server, "SYNC", OLD_LINES);
    await_info(server, "rdb_bgsave_in_progress", 1);
    close(fd);
    await_log(server, "Background saving terminated with success");
    server_stop(server);
}
END_TEST

static pid_t child_of(const struct test_server *server)
{
    static char log[100000];
    static const char text[] = "RDB transfer started by pid ";
    await_log(server, text);
    server_read_file(server->log_path, log, sizeof(log));
    return (pid_t)strtol(strstr(log, text) + strlen(text), NULL, 10);
}

START_TEST(a_child_that_is_killed_is_survived)
{
    struct test_server *server = START("--rdb-key-save-delay", SLOW_DELAY);
    populate(server, SLOW_KEYS, "100");
    int fd = join_modern(server);
    ck_assert_int_eq(kill(child_of(server), SIGKILL), 0);
    expect_cut_off(fd);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET writes go-on");
    redisFree(c);
    fd = join_modern(server);
    expect_received(server, fd, true);
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(flushall_ends_it)
{
    struct test_server *server = START("--rdb-key-save-delay", "1000000");
    populate(server, "100", "100");
    int modern = join_modern(server);
    await_info(server, "rdb_bgsave_in_progress", 1);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "FLUSHALL");
    ck_assert_int_eq(server_info(server, "rdb_bgsave_in_progress"), 0);
    redisFree(c);
    expect_cut_off(modern);
    // So does the end of the server.
    populate(server, "100", "100");
    int fd = join_modern(server);
    await_info(server, "rdb_bgsave_in_progress", 1);
    server_stop(server);
    expect_cut_off(fd);
}
END_TEST

START_TEST(a_full_disk_ends_it)
{
    struct test_disk disk;
    disk_init(&disk, false);
    struct test_server *server = server_start(SERVER_ARGS("--dir", disk.dir, "--save", "",
                                                          "--enable-debug-command", "yes",
                                                          "--repl-diskless-sync", "no"));
    fill(server);
    disk_rules(&disk, "write:path=dump:error=ENOSPC");
    expect_cut_off(join_modern(server));
    ck_assert(server_logged(server, "'dump.rdb': No space left on device"));
    // Nothing is written for those that are sent a stream.
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "CONFIG SET repl-diskless-sync yes repl-diskless-sync-delay 0");
    int fd = join_modern(server);
    expect_received(server, fd, true);
    close(fd);
    disk_rules(&disk, "");
    fd = join(server, "SYNC", OLD_LINES);
    expect_received(server, fd, false);
    close(fd);
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("full_sync");
    TCase *tcase = server_tcase(suite, "full_sync");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, one_that_can_tell_the_end_gets_a_stream);
    tcase_add_test(tcase, others_get_a_file);
    tcase_add_test(tcase, large_values_are_sent);
    tcase_add_test(tcase, one_that_wants_no_stream_is_disconnected);
    tcase_add_test(tcase, one_that_wants_no_data_gets_none);
    tcase_add_test(tcase, those_that_wait_share_a_child);
    tcase_add_test(tcase, those_that_come_later_wait_for_the_next);
    tcase_add_test(tcase, a_save_and_a_sync_wait_for_each_other);
    tcase_add_test(tcase, one_that_does_not_read_is_given_up);
    tcase_add_test(tcase, one_that_does_not_read_the_file_is_given_up);
    tcase_add_test(tcase, one_that_leaves_does_not_hurt_the_others);
    tcase_add_test(tcase, the_child_ends_when_all_have_left);
    tcase_add_test(tcase, a_file_is_wanted_anyway_where_there_are_save_points);
    tcase_add_test(tcase, a_child_that_is_killed_is_survived);
    tcase_add_test(tcase, flushall_ends_it);
    tcase_add_test(tcase, a_full_disk_ends_it);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

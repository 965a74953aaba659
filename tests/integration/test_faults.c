// SPDX-License-Identifier: BSD-3-Clause
// Disks that fail: errors, short writes and slow syncs at each step of writing the append-only file and
// snapshots.
//
// Demanded: nothing that was acknowledged under `always` is lost, nothing is acknowledged falsely; the server stays up,
// answers reads, refuses writes, recovers by itself when the disk does; INFO and the log say so.
#include "support/client.h"
#include "support/disk.h"
#include "support/raw.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_ROOM 256
#define WAITERS   8
#define MISCONF   "MISCONF Errors writing to the AOF file: "

static const char *const policies[] = { "always", "everysec", "no" };
#define POLICIES ((int)(sizeof(policies) / sizeof(*policies)))
#define ALWAYS   0

static struct test_disk disk;

static void set_up(void)
{
    disk_init(&disk, true);
}

static struct test_server *start(const char *policy)
{
    return server_start(SERVER_ARGS("--appendonly", "yes", "--appendfsync", policy, "--dir",
                                    disk.dir, "--auto-aof-rewrite-percentage", "0"));
}

static bool info_has(const struct test_server *server, const char *line)
{
    redisContext *c = client_connect_unix(server);
    redisReply *reply = client_ask(c, "INFO persistence");
    bool found = strstr(reply->str, line) != NULL;
    freeReplyObject(reply);
    redisFree(c);
    return found;
}

static void await_line(const struct test_server *server, const char *line)
{
    struct deadline limit = deadline();
    while (!info_has(server, line))
        deadline_wait(&limit);
}

static void await_number(const struct test_server *server, const char *field, long long at_least)
{
    struct deadline limit = deadline();
    while (server_info(server, field) < at_least)
        deadline_wait(&limit);
}

static void await_logged(const struct test_server *server, const char *text)
{
    struct deadline limit = deadline();
    while (!server_logged(server, text))
        deadline_wait(&limit);
}

// PING is refused as writes are, and changes nothing.
static void await_refusal(redisContext *c)
{
    struct deadline limit = deadline();
    for (bool refused = false; !refused; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "PING");
        refused = reply->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
}

static void await_recovery(redisContext *c)
{
    struct deadline limit = deadline();
    for (bool open = false; !open; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "PING");
        open = reply->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
    }
}

// The server goes with the power, and another one finds the keys.
static void expect_after_cut(struct test_server *server, const char *policy, const char *keys,
                             const char *values)
{
    disk_lose_power(&disk, server, DISK_STRICT);
    disk_rules(&disk, "");
    server = start(policy);
    redisContext *c = client_connect_unix(server);
    expect_list(c, values, keys);
    redisFree(c);
    server_stop(server);
}

// --- write --------------------------------------------------------------------------------------

// With short writes, and where the torn tail can't be cut back.
static const struct {
    const char *rules;
    const char *why;
} write_faults[] = {
    { "write:path=incr:error=ENOSPC", "No space left on device" },
    { "write:path=incr:error=EIO", "Input/output error" },
    { "write:path=incr:count=1:short,write:path=incr:error=ENOSPC", "No space left on device" },
    { "write:path=incr:count=1:short,write:path=incr:error=EDQUOT,truncate:error=EIO",
      "Disk quota exceeded" },
};
#define WRITE_FAULTS ((int)(sizeof(write_faults) / sizeof(*write_faults)))

START_TEST(writing_fails_and_recovers)
{
    char want[TEXT_ROOM];
    const char *policy = policies[_i % POLICIES];
    const char *why = write_faults[_i / POLICIES].why;
    struct test_server *server = start(policy);
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, write_faults[_i / POLICIES].rules);
    raw_text(writer, "SET during 1\r\n");
    await_refusal(c);
    snprintf(want, sizeof(want), MISCONF "%s", why);
    expect_error(c, want, "SET refused 1");
    expect_text(c, "1", "GET before");
    ck_assert(info_has(server, "aof_last_write_status:err"));
    snprintf(want, sizeof(want), "Error writing to the AOF file: %s", why);
    ck_assert(server_logged(server, want));
    if (_i % POLICIES == ALWAYS)
        raw_expect_nothing(writer);
    disk_rules(&disk, "");
    raw_expect(writer, "+OK\r\n");
    await_recovery(c);
    ck_assert(info_has(server, "aof_last_write_status:ok"));
    expect_ok(c, "SET after 1");
    close(writer);
    redisFree(c);
    if (_i % POLICIES == ALWAYS) {
        expect_after_cut(server, policy, "MGET before during refused after", "1 1 (nil) 1");
        return;
    }
    disk_kill(server);
    server = start(policy);
    c = client_connect_unix(server);
    expect_list(c, "1 1 (nil) 1", "MGET before during refused after");
    redisFree(c);
    server_stop(server);
}
END_TEST

// It is killed while it cannot write: who was not answered may be missing, nobody else is.
START_TEST(killed_while_writing_fails)
{
    const char *rules[] = {
        "write:path=incr:from=3:error=ENOSPC",
        "write:path=incr:from=3:count=1:short,write:path=incr:from=3:error=EIO"
    };
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    disk_rules(&disk, rules[_i]);
    expect_ok(c, "SET one 1");
    expect_ok(c, "SET two 1");
    raw_text(writer, "SET three 1\r\n");
    await_refusal(c);
    raw_expect_nothing(writer);
    close(writer);
    redisFree(c);
    expect_after_cut(server, "always", "MGET one two three", "1 1 (nil)");
}
END_TEST

// --- fdatasync ----------------------------------------------------------------------------------

// What a failed sync should have covered is lost on this disk, whatever later syncs say: only a new file helps.
START_TEST(a_sync_that_failed_is_not_tried_again)
{
    const char *policy = policies[_i];
    struct test_server *server = start(policy);
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, "fdatasync:error=EIO,rename:path=manifest:error=EIO");
    raw_text(writer, "SET during 1\r\n");
    await_refusal(c);
    expect_error(c, MISCONF "Input/output error", "SET refused 1");
    expect_text(c, "1", "GET before");
    ck_assert(info_has(server, "aof_last_write_status:err"));
    ck_assert(server_logged(server, "Error syncing the AOF file: Input/output error"));
    if (_i == ALWAYS)
        raw_expect_nothing(writer);
    await_number(server, "aof_rewrites_consecutive_failures", 1);
    disk_rules(&disk, "");
    // With everysec the sync of what came before may have failed before this came.
    char line[TEXT_ROOM];
    raw_line(writer, line, sizeof(line));
    bool kept = strcmp(line, "+OK") == 0;
    ck_assert_msg(kept || _i != ALWAYS, "answered: %s", line);
    await_recovery(c);
    await_line(server, "aof_last_write_status:ok");
    ck_assert(info_has(server, "aof_last_bgrewrite_status:ok"));
    expect_ok(c, "CONFIG SET appendfsync always");
    expect_ok(c, "SET after 1");
    close(writer);
    redisFree(c);
    expect_after_cut(server, policy, "MGET before during refused after",
                     kept ? "1 1 (nil) 1" : "1 (nil) (nil) 1");
}
END_TEST

// Only one fails, once, and the power goes right when the writer has its answer.
START_TEST(acknowledged_after_a_failed_sync)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, "fdatasync:count=1:error=EIO");
    expect_ok(c, "SET during 1");
    redisFree(c);
    expect_after_cut(server, "always", "MGET before during", "1 1");
}
END_TEST

// The rewrite that has to follow fails, too, and the power goes.
START_TEST(killed_after_a_failed_sync)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, "fdatasync:error=EIO,open:path=base:error=ENOSPC");
    raw_text(writer, "SET during 1\r\n");
    await_refusal(c);
    await_number(server, "aof_rewrites_consecutive_failures", 1);
    raw_expect_nothing(writer);
    close(writer);
    redisFree(c);
    expect_after_cut(server, "always", "MGET before", "1");
}
END_TEST

// --- Slow syncs ---------------------------------------------------------------------------------

static void await_sync(void)
{
    struct deadline limit = deadline();
    while (!disk_is_syncing(&disk))
        deadline_wait(&limit);
}

static const char *const slow[] = { "fdatasync:delay=500000", "fdatasync:delay=3000000" };

// Many writes and reads are answered while one sync is under way.
START_TEST(everysec_does_not_wait_for_a_slow_sync)
{
    struct test_server *server = start("everysec");
    redisContext *c = client_connect_unix(server);
    disk_rules(&disk, slow[_i]);
    bool within_one = false;
    for (struct deadline limit = deadline(); !within_one; deadline_wait(&limit)) {
        expect_ok(c, "SET first 1");
        await_sync();
        unsigned long long began = atomic_load(&disk.state->began);
        for (int i = 0; i < 50; i++) {
            expect_ok(c, "SET k%d %d", i, i);
            expect_text(c, "1", "GET first");
        }
        within_one = disk_is_syncing(&disk) && atomic_load(&disk.state->began) == began;
    }
    ck_assert_int_eq(server_info(server, "aof_delayed_fsync"), 0);
    redisFree(c);
    disk_kill(server);
}
END_TEST

// Readers don't wait for the sync that writers wait for, and all who write meanwhile share the next one.
START_TEST(always_waits_for_a_slow_sync)
{
    int writers[WAITERS];
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    int first = raw_connect_unix(server);
    expect_ok(c, "SET k 1");
    disk_rules(&disk, slow[_i]);
    raw_text(first, "SET first 1\r\n");
    await_sync();
    unsigned long long began = atomic_load(&disk.state->began);
    for (int i = 0; i < WAITERS; i++) {
        writers[i] = raw_connect_unix(server);
        raw_text(writers[i], "INCR number\r\n");
    }
    char number[8];
    snprintf(number, sizeof(number), "%d", WAITERS);
    struct deadline limit = deadline();
    for (bool all = false; !all; deadline_wait(&limit)) {
        redisReply *reply = client_ask(c, "GET number");
        all = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, number) == 0;
        freeReplyObject(reply);
    }
    bool waiting = atomic_load(&disk.state->began) == began && disk_is_syncing(&disk);
    for (int i = 0; waiting && i < WAITERS; i++)
        raw_expect_nothing(writers[i]);
    disk_rules(&disk, "");
    raw_expect(first, "+OK\r\n");
    for (int i = 0; i < WAITERS; i++) {
        char line[TEXT_ROOM];
        raw_line(writers[i], line, sizeof(line));
        ck_assert_int_eq(line[0], ':');
        close(writers[i]);
    }
    if (waiting)
        ck_assert_uint_eq(atomic_load(&disk.state->began), began + 1);
    close(first);
    redisFree(c);
    expect_after_cut(server, "always", "MGET first number", "1 8");
}
END_TEST

// When the thread that writes hangs, too, writers wait behind what has not been written for a second; readers
// never do.
START_TEST(everysec_waits_in_the_end)
{
    struct test_server *server = start("everysec");
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    disk_rules(&disk, "fdatasync:delay=3000000");
    expect_ok(c, "SET first 1");
    await_sync();
    disk_rules(&disk, "fdatasync:delay=3000000,write:path=incr:delay=1500000");
    expect_ok(c, "SET second 1");
    raw_text(writer, "SET third 1\r\n");
    raw_expect(writer, "+OK\r\n");
    await_number(server, "aof_delayed_fsync", 1);
    raw_text(writer, "SET fourth 1\r\n");
    disk_rules(&disk, "");
    expect_list(c, "1 1 1", "MGET first second third");
    raw_expect(writer, "+OK\r\n");
    ck_assert(server_logged(server, "disk is busy"));
    close(writer);
    redisFree(c);
    disk_kill(server);
}
END_TEST

// The file that a rewrite leaves behind is synced before the manifest names the next one. Nobody should wait for that who
// only reads; today everybody does, so that this runs with TEST_UNSOLVED only.
START_TEST(readers_go_on_when_a_rewrite_begins)
{
    struct test_server *server = start("everysec");
    redisContext *c = client_connect_unix(server);
    int asker = raw_connect_unix(server);
    disk_rules(&disk, "fdatasync:path=incr:delay=3000000");
    expect_ok(c, "SET k 1");
    await_sync();
    unsigned long long began = atomic_load(&disk.state->began);
    expect_ok(c, "SET k 2");
    raw_text(asker, "BGREWRITEAOF\r\n");
    struct deadline limit = deadline();
    while (atomic_load(&disk.state->began) == began)
        deadline_wait(&limit);
    expect_text(c, "2", "GET k");
    ck_assert_uint_eq(atomic_load(&disk.state->began), began + 1);
    ck_assert_msg(disk_is_syncing(&disk), "a reader has waited until the sync was over");
    close(asker);
    redisFree(c);
    disk_kill(server);
}
END_TEST

// --- Snapshots ----------------------------------------------------------------------------------

static const struct {
    const char *rules;
    const char *why;
} save_faults[] = {
    { "open:path=dump:error=EACCES", "Permission denied" },
    { "write:path=dump:error=ENOSPC", "No space left on device" },
    { "write:path=dump:from=1:count=1:short,write:path=dump:from=2:error=ENOSPC",
      "No space left on device" },
    { "fsync:file:path=dump:error=EIO", "Input/output error" },
    { "rename:path=dump:error=ENOSPC", "No space left on device" },
    { "fsync:dir:error=EIO", "Input/output error" },
};
#define SAVE_FAULTS ((int)(sizeof(save_faults) / sizeof(*save_faults)))

static void expect_no_drafts(void)
{
    DIR *dir = opendir(disk.dir);
    const struct dirent *entry;
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        ck_assert_msg(!strstr(entry->d_name, "draft"), "%s was left behind", entry->d_name);
    closedir(dir);
}

// The old file stays; the next one succeeds.
START_TEST(saving_fails_and_recovers)
{
    char want[TEXT_ROOM];
    const char *why = save_faults[_i].why;
    struct test_server *server = server_start(SERVER_ARGS("--dir", disk.dir));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET k old");
    expect_ok(c, "SAVE");
    expect_ok(c, "SET k new");
    expect_ok(c, "CONFIG SET save %s", "3600 1");
    disk_rules(&disk, save_faults[_i].rules);
    expect_error(c, "ERR", "SAVE");
    expect_no_drafts();
    snprintf(want, sizeof(want), "Failed saving the DB to 'dump.rdb': %s", why);
    ck_assert(server_logged(server, want));
    expect_status(c, "Background saving started", "BGSAVE");
    await_line(server, "rdb_last_bgsave_status:err");
    expect_no_drafts();
    snprintf(want, sizeof(want), "Background saving error: 'dump.rdb': %s", why);
    ck_assert(server_logged(server, want));
    redisReply *reply = client_ask(c, "SET k refused");
    ck_assert(reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MISCONF ", 8) == 0);
    freeReplyObject(reply);
    expect_text(c, "new", "GET k");
    disk_rules(&disk, "");
    expect_status(c, "Background saving started", "BGSAVE");
    await_line(server, "rdb_last_bgsave_status:ok");
    expect_ok(c, "SET k newest");
    redisFree(c);
    disk_lose_power(&disk, server, DISK_STRICT);
    server = server_start(SERVER_ARGS("--dir", disk.dir));
    c = client_connect_unix(server);
    expect_text(c, "new", "GET k");
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Rewriting ----------------------------------------------------------------------------------

static const char *const rewrite_faults[] = {
    "open:path=base:error=ENOSPC",
    "write:path=base:error=ENOSPC",
    "fsync:file:path=base:error=EIO",
    "rename:path=base:error=EIO",
    "open:path=2.incr:error=ENOSPC",
    "open:path=manifest:error=ENOSPC",
    "write:path=manifest:error=ENOSPC",
    "fsync:path=manifest:error=EIO",
    "rename:path=manifest:error=EIO",
    "rename:path=manifest:from=2:error=EIO",  // the one that names the base
    "fsync:dir:error=EIO",
    "fsync:dir:child:error=EIO",
    "unlink:path=1.:error=EIO",
};
#define REWRITE_FAULTS ((int)(sizeof(rewrite_faults) / sizeof(*rewrite_faults)))
#define ONLY_UNLINK    (REWRITE_FAULTS - 1)

// Writes go on meanwhile, and are there after the power went, before it recovers and after that.
START_TEST(rewriting_fails_and_recovers)
{
    bool cut_within = _i % 2 == 0;
    int fault = _i / 2;
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, rewrite_faults[fault]);
    freeReplyObject(client_ask(c, "BGREWRITEAOF"));
    expect_ok(c, "SET during 1");
    if (fault == ONLY_UNLINK) {
        server_await_rewrites(server, 1);
        ck_assert(server_logged(server, "Can't remove"));
    } else {
        await_line(server, "aof_last_bgrewrite_status:err");
        await_number(server, "aof_rewrites_consecutive_failures", 1);
    }
    expect_ok(c, "SET then 1");
    if (cut_within) {
        redisFree(c);
        expect_after_cut(server, "always", "MGET before during then", "1 1 1");
        return;
    }
    disk_rules(&disk, "");
    freeReplyObject(client_ask(c, "BGREWRITEAOF"));
    await_line(server, "aof_last_bgrewrite_status:ok");
    expect_ok(c, "SET after 1");
    redisFree(c);
    expect_after_cut(server, "always", "MGET before during then after", "1 1 1 1");
}
END_TEST

// The manifest with the new base is there, but its folder's sync failed: perhaps it is on the disk. The next
// base must not get the same name: the incremental file beside it would be run on top of what it holds already.
START_TEST(a_base_is_not_replaced_under_a_manifest)
{
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    int writer = raw_connect_unix(server);
    expect_int(c, 1, "INCR n");
    disk_rules(&disk, "fsync:dir:path=appendonlydir:parent:from=2:count=1:error=EIO");
    freeReplyObject(client_ask(c, "BGREWRITEAOF"));
    expect_int(c, 2, "INCR n");
    await_number(server, "aof_rewrites_consecutive_failures", 1);
    // Now only a new base helps, which gets written; the manifest does not.
    disk_rules(&disk, "fdatasync:count=1:error=EIO,rename:path=manifest:error=EIO");
    raw_text(writer, "INCR n\r\n");
    await_number(server, "aof_rewrites_consecutive_failures", 2);
    raw_expect_nothing(writer);
    close(writer);
    redisFree(c);
    if (_i == 0)
        disk_kill(server);
    else
        disk_lose_power(&disk, server, DISK_NAMES);
    disk_rules(&disk, "");
    server = start("always");
    c = client_connect_unix(server);
    long long n = client_int(c, "INCRBY n 0");
    ck_assert_msg(n == 2 || n == 3, "2 were acknowledged, 3 were sent, there are %lld", n);
    redisFree(c);
    server_stop(server);
}
END_TEST

// A manifest that names a next file may be there although the rewrite could not begin: the file before it goes on,
// and may still have a torn tail.
START_TEST(a_torn_tail_before_an_unused_file)
{
    static const char torn[] = "*3\r\n$3\r\nSE";
    char path[SERVER_PATH_MAX + 64];
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    disk_rules(&disk, "fsync:dir:path=appendonlydir:parent:count=1:error=EIO");
    freeReplyObject(client_ask(c, "BGREWRITEAOF"));
    await_number(server, "aof_rewrites_consecutive_failures", 1);
    expect_ok(c, "SET k v");
    disk_rules(&disk, "");
    redisFree(c);
    disk_kill(server);
    snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.2.incr.aof", disk.dir);
    ck_assert_int_eq(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.1.incr.aof", disk.dir);
    FILE *file = fopen(path, "ae");
    ck_assert_ptr_nonnull(file);
    fputs(torn, file);
    ck_assert_int_eq(fclose(file), 0);
    for (int i = 0; i < 2; i++) {
        server = start("always");
        c = client_connect_unix(server);
        expect_text(c, "v", "GET k");
        expect_int(c, i + 1, "INCR number");
        redisFree(c);
        disk_kill(server);
    }
}
END_TEST

// --- On and off ---------------------------------------------------------------------------------

static const char *const turn_on_faults[] = {
    "mkdir:error=EACCES",
    "open:path=incr:error=ENOSPC",
};
#define TURN_ON_FAULTS ((int)(sizeof(turn_on_faults) / sizeof(*turn_on_faults)))

START_TEST(turning_on_fails_and_recovers)
{
    struct test_server *server = server_start(SERVER_ARGS("--dir", disk.dir));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET k 1");
    disk_rules(&disk, turn_on_faults[_i]);
    redisReply *reply = client_ask(c, "CONFIG SET appendonly yes");
    ck_assert(reply->type == REDIS_REPLY_ERROR);
    ck_assert_ptr_nonnull(strstr(reply->str, "Unable to turn on AOF"));
    freeReplyObject(reply);
    expect_list(c, "appendonly no", "CONFIG GET appendonly");
    expect_ok(c, "SET k 2");
    disk_rules(&disk, "");
    expect_ok(c, "CONFIG SET appendfsync always appendonly yes");
    server_await_rewrites(server, 1);
    expect_ok(c, "SET k 3");
    redisFree(c);
    expect_after_cut(server, "always", "MGET k", "3");
}
END_TEST

// The first base can't be written at first: it is tried until it can.
START_TEST(the_first_base_fails_and_recovers)
{
    struct test_server *server = server_start(SERVER_ARGS("--dir", disk.dir));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET k 1");
    disk_rules(&disk, _i == 0 ? "write:path=base:error=ENOSPC" : "rename:path=manifest:error=EIO");
    expect_ok(c, "CONFIG SET appendfsync always appendonly yes");
    await_line(server, "aof_last_bgrewrite_status:err");
    expect_ok(c, "SET k 2");
    disk_rules(&disk, "");
    server_await_rewrites(server, 1);
    expect_ok(c, "SET other 3");
    redisFree(c);
    expect_after_cut(server, "always", "MGET k other", "2 3");
}
END_TEST

// Turning it off writes what is left; if that fails it is off all the same, and on again with a new base.
START_TEST(off_and_on_when_the_disk_is_full)
{
    struct test_server *server = start("everysec");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET before 1");
    disk_rules(&disk, "write:path=incr:error=ENOSPC");
    expect_ok(c, "SET during 1");
    await_refusal(c);
    expect_ok(c, "CONFIG SET appendonly no");
    await_logged(server, "The last writes of the AOF did not reach the disk");
    expect_ok(c, "SET off 1");
    disk_rules(&disk, "");
    expect_ok(c, "CONFIG SET appendfsync always appendonly yes");
    server_await_rewrites(server, 1);
    expect_ok(c, "SET after 1");
    redisFree(c);
    expect_after_cut(server, "always", "MGET before during off after", "1 1 1 1");
}
END_TEST

// --- Starting -----------------------------------------------------------------------------------

static const char *const start_faults[] = {
    "mkdir:error=EACCES",
    "write:path=base:error=ENOSPC",
    "open:path=incr:error=EMFILE",
    "rename:path=manifest:error=ENOSPC",
    "fsync:error=EIO",
};
#define START_FAULTS ((int)(sizeof(start_faults) / sizeof(*start_faults)))

// It ends with an error, and starts when the disk is well, with nothing in its way.
START_TEST(starting_fails_and_recovers)
{
    char out[TEXT_ROOM * 16];
    disk_rules(&disk, start_faults[_i]);
    int status = server_run(disk.dir,
                            SERVER_ARGS("--port", "0", "--unixsocket", "s", "--appendonly", "yes"),
                            out, sizeof(out));
    ck_assert_int_eq(status, 1);
    disk_rules(&disk, "");
    struct test_server *server = start("always");
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET k v");
    redisFree(c);
    expect_after_cut(server, "always", "MGET k", "v");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *tcase = server_tcase(suite, "faults");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, writing_fails_and_recovers, 0, WRITE_FAULTS * POLICIES);
    tcase_add_loop_test(tcase, killed_while_writing_fails, 0, 2);
    tcase_add_loop_test(tcase, a_sync_that_failed_is_not_tried_again, 0, 2);
    tcase_add_test(tcase, acknowledged_after_a_failed_sync);
    tcase_add_test(tcase, killed_after_a_failed_sync);
    tcase_add_loop_test(tcase, everysec_does_not_wait_for_a_slow_sync, 0, 2);
    tcase_add_loop_test(tcase, always_waits_for_a_slow_sync, 0, 2);
    tcase_add_test(tcase, everysec_waits_in_the_end);
    if (getenv("TEST_UNSOLVED"))
        tcase_add_test(tcase, readers_go_on_when_a_rewrite_begins);
    tcase_add_loop_test(tcase, saving_fails_and_recovers, 0, SAVE_FAULTS);
    tcase_add_loop_test(tcase, rewriting_fails_and_recovers, 0, REWRITE_FAULTS * 2);
    tcase_add_loop_test(tcase, a_base_is_not_replaced_under_a_manifest, 0, 2);
    tcase_add_test(tcase, a_torn_tail_before_an_unused_file);
    tcase_add_loop_test(tcase, turning_on_fails_and_recovers, 0, TURN_ON_FAULTS);
    tcase_add_loop_test(tcase, the_first_base_fails_and_recovers, 0, 2);
    tcase_add_test(tcase, off_and_on_when_the_disk_is_full);
    tcase_add_loop_test(tcase, starting_fails_and_recovers, 0, START_FAULTS);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Power cuts: what was acknowledged under `appendfsync always` is there after the power went at a random moment,
// whatever else was going on; a snapshot is the old one or the new one.
//
// A disk that has lost its power has what completed syncs covered, and nothing else (support/disk.h). TEST_ROUNDS:
// how many of each kind; `make test-long` has more.
#include "support/client.h"
#include "support/disk.h"
#include "support/writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUTS        12
#define ROUND_MS    40  // how long a round lasts at most, from when writers have begun
#define NEEDLESS    20  // rounds after which a disk that doesn't sync must have been found out
#define SAVED_KEYS  2000
#define ROUND_LIMIT 8  // seconds a cut may take, on a machine that does much else

static int cuts(void)
{
    return server_rounds(CUTS);
}

static struct test_server *start(const struct test_disk *disk)
{
    return server_start(SERVER_ARGS("--appendonly", "yes", "--appendfsync", "always", "--dir",
                                    disk->dir, "--auto-aof-rewrite-percentage", "0"));
}

// --- Cuts ---------------------------------------------------------------------------------------

// A server that starts on what the last cut left is looked at, written to, and cut off.
static void one_round(const struct test_disk *disk, struct writers *writers, enum disturbance doing,
                      enum disk_cut cut, struct writers_loss *loss)
{
    struct test_server *server = start(disk);
    writers_check(writers, server, loss);
    writers_promise(writers, true);
    redisContext *c = client_connect_unix(server);
    writers_run(writers, server);
    disk_nap_us(random() % (ROUND_MS * 500));
    writers_disturb(writers, c, doing);
    disk_nap_us(random() % (ROUND_MS * 500));
    redisFree(c);
    disk_lose_power(disk, server, cut);
    writers_join(writers);
}

static void expect_no_loss(const struct writers_loss *loss, int round)
{
    ck_assert_msg(loss->problem[0] == '\0', "after cut %d: %s", round, loss->problem);
    ck_assert_msg(loss->missing == 0, "after cut %d: %lld acknowledged writes are missing", round,
                  loss->missing);
}

// Each kind of cut, with everything that goes on.
START_TEST(what_was_acknowledged_is_there)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    disk_init(&disk, true);
    writers_init(&writers);
    srandom((unsigned)getpid());
    for (int round = 0; round < cuts(); round++) {
        one_round(&disk, &writers, (enum disturbance)((round + _i) % DISTURBANCES),
                  (enum disk_cut)_i, &loss);
        expect_no_loss(&loss, round);
    }
    struct test_server *server = start(&disk);
    writers_check(&writers, server, &loss);
    expect_no_loss(&loss, cuts());
    server_stop(server);
    writers_free(&writers);
}
END_TEST

// The same with a disk that takes its time, so that syncs are always under way.
START_TEST(cuts_within_syncs)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    disk_init(&disk, true);
    writers_init(&writers);
    srandom((unsigned)getpid());
    disk_rules(&disk, "sync:delay=2000");
    for (int round = 0; round < cuts(); round++) {
        one_round(&disk, &writers, (enum disturbance)(round % DISTURBANCES),
                  (enum disk_cut)(round % DISK_CUTS), &loss);
        expect_no_loss(&loss, round);
    }
    writers_free(&writers);
}
END_TEST

// --- A disk that fails besides ------------------------------------------------------------------

static const char *const faults[] = {
    "write:path=incr:from=20:count=3:error=ENOSPC",
    "write:path=incr:from=20:count=1:short,write:path=incr:from=21:count=2:error=ENOSPC",
    "write:from=9:count=1:short,write:from=10:count=4:error=EIO,truncate:error=EIO",
    "fdatasync:path=incr:from=15:count=1:error=EIO",
    "fdatasync:path=incr:from=15:count=1:error=EIO,open:path=base:error=ENOSPC",
    "fdatasync:path=incr:from=10:count=2:error=EIO,rename:path=manifest:count=1:error=EIO",
    "fsync:dir:parent:from=2:count=1:error=EIO",
    "fsync:dir:parent:from=3:count=1:error=EIO,fdatasync:path=incr:from=9:count=1:error=EIO",
    "sync:delay=1000,fdatasync:path=incr:from=9:count=1:error=ENOSPC",
    "any:from=60:error=ENOSPC",
};
#define FAULTS ((long)(sizeof(faults) / sizeof(*faults)))

START_TEST(cuts_of_a_disk_that_fails)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    disk_init(&disk, true);
    writers_init(&writers);
    srandom((unsigned)getpid());
    for (int round = 0; round < cuts(); round++) {
        const char *rules = faults[random() % FAULTS];
        struct test_server *server = start(&disk);
        writers_check(&writers, server, &loss);
        expect_no_loss(&loss, round);
        redisContext *c = client_connect_unix(server);
        writers_run(&writers, server);
        disk_rules(&disk, rules);
        if (random() % 2)
            freeReplyObject(client_ask(c, "BGREWRITEAOF"));
        disk_nap_us(random() % (ROUND_MS * 1000));
        if (random() % 2) {
            disk_rules(&disk, "");
            disk_nap_us(random() % (ROUND_MS * 1000));
        }
        redisFree(c);
        disk_lose_power(&disk, server, (enum disk_cut)(round % DISK_CUTS));
        writers_join(&writers);
        disk_rules(&disk, "");
    }
    writers_free(&writers);
}
END_TEST

// --- The test of the test -----------------------------------------------------------------------

// What the rules make of the disk must be found out.
static const struct {
    const char *rules;
    enum disturbance doing;
} lies[] = {
    { "fdatasync:nothing", DO_NOTHING },
    { "fsync:dir:nothing", DO_REWRITE },
    { "fsync:file:nothing", DO_REWRITE },
};
#define LIES ((int)(sizeof(lies) / sizeof(*lies)))

// Files that are never empty, and would keep the server from starting.
static bool is_hollow(const struct test_disk *disk)
{
    static const char *const names[] = { "manifest", "2.base.rdb", "3.base.rdb" };
    char path[PATH_MAX];
    struct stat info;
    bool hollow = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.%s", disk->dir, names[i]);
        hollow = hollow || (stat(path, &info) == 0 && info.st_size == 0);
    }
    return hollow;
}

// Rewrites, if that is asked for, and waits until some more has been acknowledged.
static void work_on_a_liar(struct writers *writers, redisContext *c, enum disturbance doing)
{
    struct deadline limit = deadline();
    writers_disturb(writers, c, doing);
    if (doing == DO_REWRITE)
        server_await_rewrites(writers->server, 1);
    for (long long acked = writers_acked(writers); writers_acked(writers) < acked + 100;)
        deadline_wait(&limit);
}

START_TEST(a_disk_that_does_not_sync_is_found_out)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    disk_init(&disk, true);
    writers_init(&writers);
    srandom((unsigned)getpid());
    one_round(&disk, &writers, DO_NOTHING, DISK_STRICT, &loss);
    expect_no_loss(&loss, 0);
    bool found = false;
    for (int round = 0; !found && round < NEEDLESS; round++) {
        struct test_server *server = start(&disk);
        writers_check(&writers, server, &loss);
        found = loss.missing > 0 || loss.problem[0];
        disk_rules(&disk, lies[_i].rules);
        writers_promise(&writers, true);
        redisContext *c = client_connect_unix(server);
        writers_run(&writers, server);
        work_on_a_liar(&writers, c, lies[_i].doing);
        redisFree(c);
        disk_lose_power(&disk, server, DISK_STRICT);
        writers_join(&writers);
        disk_rules(&disk, "");
        found = found || is_hollow(&disk);
    }
    ck_assert_msg(found, "nothing was missing with %s", lies[_i].rules);
    writers_free(&writers);
}
END_TEST

// --- Snapshots ----------------------------------------------------------------------------------

// All keys have the same number, or the file is of two times.
static long long saved_number(redisContext *c)
{
    redisReply *reply = client_ask(c, "MGET key0 key%d key%d", SAVED_KEYS / 2, SAVED_KEYS - 1);
    long long number = reply->element[0]->str ? strtoll(reply->element[0]->str, NULL, 10) : 0;
    for (size_t i = 1; i < reply->elements; i++) {
        long long other = reply->element[i]->str ? strtoll(reply->element[i]->str, NULL, 10) : 0;
        ck_assert_int_eq(number, other);
    }
    freeReplyObject(reply);
    ck_assert_int_eq(client_int(c, "DBSIZE"), number ? SAVED_KEYS : 0);
    return number;
}

static void set_all(redisContext *c, long long number)
{
    for (int i = 0; i < SAVED_KEYS; i++)
        redisAppendCommand(c, "SET key%d %lld", i, number);
    for (int i = 0; i < SAVED_KEYS; i++)
        freeReplyObject(client_next(c));
}

// The reply of SAVE, if there is one within so many microseconds.
static bool is_answered(redisContext *c, long us)
{
    struct timeval limit = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 + 1 };
    redisReply *reply = NULL;
    redisSetTimeout(c, limit);
    bool answered = redisGetReply(c, (void **)&reply) == REDIS_OK;
    ck_assert(!answered || reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    return answered;
}

// Whether the child is done, at some moment or in the end.
static bool is_saved(const struct test_server *server, bool in_the_end)
{
    struct deadline limit = deadline();
    disk_nap_us(random() % 20000);
    while (in_the_end && server_info(server, "rdb_bgsave_in_progress") == 1)
        deadline_wait(&limit);
    return server_info(server, "rdb_bgsave_in_progress") == 0;
}

// SAVE has been answered, or BGSAVE has ended well: the new one. Else either.
START_TEST(a_snapshot_is_the_old_one_or_the_new_one)
{
    struct test_disk disk;
    long long sure = 0;
    bool background = _i == 1;
    int answers = 0;
    disk_init(&disk, true);
    srandom((unsigned)getpid());
    for (int round = 1; round <= cuts(); round++) {
        struct test_server *server = server_start(SERVER_ARGS("--dir", disk.dir));
        redisContext *c = client_connect_unix(server);
        long long found = saved_number(c);
        ck_assert_msg(found >= sure && found < round, "after cut %d: %lld of %lld", round, found,
                      sure);
        set_all(c, round);
        redisAppendCommand(c, background ? "BGSAVE" : "SAVE");
        bool answered = is_answered(c, round % 3 == 0 ? 30000000 : random() % 20000);
        if (background && answered)
            answered = is_saved(server, round % 3 == 0);
        redisFree(c);
        disk_lose_power(&disk, server, (enum disk_cut)(round % DISK_CUTS));
        sure = answered ? round : found;
        answers += answered;
    }
    ck_assert_int_gt(answers, 0);
}
END_TEST

// A folder is synced, or what was made in it is gone.
START_TEST(the_folder_is_there_after_the_first_start)
{
    struct test_disk disk;
    char path[PATH_MAX];
    struct stat info;
    disk_init(&disk, true);
    struct test_server *server = start(&disk);
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET k v");
    redisFree(c);
    disk_lose_power(&disk, server, DISK_STRICT);
    snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.manifest", disk.dir);
    ck_assert_int_eq(stat(path, &info), 0);
    server = start(&disk);
    c = client_connect_unix(server);
    expect_text(c, "v", "GET k");
    redisFree(c);
    server_stop(server);
}
END_TEST

// An incremental file that a rewrite left behind which did not end. The next one takes its name, and the power goes
// before the new file was synced: the old bytes must not be run on top of the new base.
START_TEST(a_file_left_behind_does_not_come_back)
{
    struct test_disk disk;
    char path[PATH_MAX];
    disk_init(&disk, true);
    struct test_server *server = start(&disk);
    redisContext *c = client_connect_unix(server);
    expect_int(c, 1, "INCR n");
    redisFree(c);
    disk_lose_power(&disk, server, DISK_STRICT);
    snprintf(path, sizeof(path), "%s/appendonlydir/appendonly.aof.2.incr.aof", disk.dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", file);
    ck_assert_int_eq(fclose(file), 0);
    server = start(&disk);
    disk_rules(&disk, "fdatasync:path=2.incr:delay=10000000");
    c = client_connect_unix(server);
    if (_i == 0) {
        freeReplyObject(client_ask(c, "BGREWRITEAOF"));
    } else {
        expect_ok(c, "CONFIG SET appendonly no");
        expect_ok(c, "CONFIG SET appendonly yes");
    }
    server_await_rewrites(server, 1);
    redisFree(c);
    disk_lose_power(&disk, server, DISK_STRICT);
    disk_rules(&disk, "");
    server = start(&disk);
    c = client_connect_unix(server);
    expect_text(c, "1", "GET n");
    redisFree(c);
    server_stop(server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("power cut");
    TCase *tcase = server_tcase(suite, "power cut");
    if (cuts() > CUTS)
        tcase_set_timeout(tcase, (double)cuts() * ROUND_LIMIT);
    tcase_add_test(tcase, the_folder_is_there_after_the_first_start);
    tcase_add_loop_test(tcase, a_file_left_behind_does_not_come_back, 0, 2);
    tcase_add_loop_test(tcase, what_was_acknowledged_is_there, 0, DISK_CUTS);
    tcase_add_test(tcase, cuts_within_syncs);
    tcase_add_test(tcase, cuts_of_a_disk_that_fails);
    tcase_add_loop_test(tcase, a_disk_that_does_not_sync_is_found_out, 0, LIES);
    tcase_add_loop_test(tcase, a_snapshot_is_the_old_one_or_the_new_one, 0, 2);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

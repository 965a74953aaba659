// SPDX-License-Identifier: BSD-3-Clause
// Tests of the open end of an append-only file, with calls that fail, are short or take long when a test wants
// them to: what is in the file, what counts as written and synced, and what the next attempt does.
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/loop.h"
#include "persist/aof_log.h"
#include "support/unit.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURNS_MAX 20000

// What the calls do; guarded by the lock.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int write_error;
static size_t write_room;  // bytes that succeed before the error
static size_t write_part;  // at most so many a call; 0: all
static int sync_error;
static int truncate_error;
static bool sync_waits;
static int syncs;
static size_t synced_bytes;  // of the file, when the last sync that succeeded began

static struct loop *loop;
static struct aof_log *log_;
static char folder[64];
static char path[96];
static char path2[96];
static uint64_t mark;

static ssize_t fake_write(int fd, const void *bytes, size_t len)
{
    pthread_mutex_lock(&lock);
    size_t part = write_part && len > write_part ? write_part : len;
    int error = 0;
    if (write_error && part > write_room)
        part = write_room;
    if (write_error && part == 0)
        error = write_error;
    write_room -= write_error ? part : 0;
    pthread_mutex_unlock(&lock);
    if (error) {
        errno = error;
        return -1;
    }
    return write(fd, bytes, part);
}

static int fake_sync(int fd)
{
    pthread_mutex_lock(&lock);
    size_t bytes = (size_t)lseek(fd, 0, SEEK_END);
    syncs++;
    pthread_cond_broadcast(&changed);
    while (sync_waits)
        pthread_cond_wait(&changed, &lock);
    int error = sync_error;
    if (!error)
        synced_bytes = bytes;
    pthread_mutex_unlock(&lock);
    errno = error;
    return error ? -1 : 0;
}

static int fake_truncate(int fd, off_t len)
{
    if (truncate_error) {
        errno = truncate_error;
        return -1;
    }
    return ftruncate(fd, len);
}

static const struct aof_calls fake_calls = {
    .write = fake_write,
    .sync = fake_sync,
    .truncate = fake_truncate,
};

static void set(int *what, int value)
{
    pthread_mutex_lock(&lock);
    *what = value;
    pthread_mutex_unlock(&lock);
}

static void let_syncs_wait(bool wait)
{
    pthread_mutex_lock(&lock);
    sync_waits = wait;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int syncs_begun(void)
{
    pthread_mutex_lock(&lock);
    int count = syncs;
    pthread_mutex_unlock(&lock);
    return count;
}

static void set_up(void)
{
    write_error = sync_error = truncate_error = syncs = 0;
    write_room = write_part = synced_bytes = 0;
    sync_waits = false;
    mark = 0;
    log_set_level(LOG_NOTHING);
    clock_update();
    snprintf(folder, sizeof(folder), "/tmp/respite-aof-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/1", folder);
    snprintf(path2, sizeof(path2), "%s/2", folder);
    loop = loop_new();
    log_ = aof_log_new(loop, &fake_calls);
    ck_assert_ptr_nonnull(log_);
    ck_assert_int_eq(aof_log_open(log_, path, true, 0), STATUS_OK);
}

static void tear_down(void)
{
    let_syncs_wait(false);
    aof_log_free(log_);
    loop_free(loop);
    unlink(path);
    unlink(path2);
    rmdir(folder);
}

// A turn in which this is appended.
static void turn(const char *text)
{
    clock_update();
    aof_log_append(log_, slice_of(text));
    mark += strlen(text);
    aof_log_turn(log_, mark, false);
}

// Turns until the condition holds.
#define AWAIT(condition)                                                     \
    for (int turns_ = 0; !(condition); turns_++) {                           \
        ck_assert_msg(turns_ < TURNS_MAX, "waited in vain: %s", #condition); \
        usleep(200);                                                         \
        clock_update();                                                      \
        ev_run(loop_ev(loop), EVRUN_NOWAIT);                                 \
        aof_log_turn(log_, mark, false);                                     \
    }

static void expect_file(const char *name, const char *want)
{
    char got[256];
    int fd = open(name, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t len = read(fd, got, sizeof(got) - 1);
    ck_assert_int_ge(len, 0);
    got[len] = '\0';
    close(fd);
    ck_assert_str_eq(got, want);
}

// --- always -------------------------------------------------------------------------------------

START_TEST(always_syncs_before_it_counts)
{
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    let_syncs_wait(true);
    turn("one ");
    AWAIT(syncs_begun() == 1);
    ck_assert_uint_eq(aof_log_synced_mark(log_), 0);
    // These two share the next sync.
    turn("two ");
    turn("three ");
    ck_assert_int_eq(syncs_begun(), 1);
    expect_file(path, "one ");
    let_syncs_wait(false);
    AWAIT(aof_log_synced_mark(log_) == mark);
    ck_assert_int_eq(syncs_begun(), 2);
    ck_assert_uint_eq(synced_bytes, mark);
    expect_file(path, "one two three ");
}
END_TEST

// The next sync waits for those who are expected, but not for ever.
START_TEST(a_sync_waits_for_writers)
{
    bool waited = false;
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    for (int round = 0; round < 100 && !waited; round++) {
        let_syncs_wait(true);
        int begun = syncs_begun();
        turn("one ");
        AWAIT(syncs_begun() == begun + 1);
        usleep(5000);
        let_syncs_wait(false);
        AWAIT(!aof_log_syncing(log_));
        aof_log_append(log_, SLICE("two "));
        mark += 4;
        aof_log_turn(log_, mark, true);
        // Unless this thread was away for longer than it waits.
        waited = !aof_log_syncing(log_);
        for (struct timespec end = { 0 }; aof_log_synced_mark(log_) != mark; nanosleep(&end, NULL))
            aof_log_turn(log_, mark, true);
    }
    ck_assert(waited);
}
END_TEST

// The policy has changed, and what it promised is open: that is synced even if nothing else is.
START_TEST(what_always_owes_is_synced)
{
    static const enum aof_fsync others[] = { AOF_FSYNC_EVERYSEC, AOF_FSYNC_NO };
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    let_syncs_wait(true);
    turn("one ");
    AWAIT(syncs_begun() == 1);
    turn("two ");
    uint64_t owed = mark;
    aof_log_set_fsync(log_, others[_i]);
    turn("free ");
    ck_assert_uint_eq(aof_log_reply_mark(log_), 0);
    let_syncs_wait(false);
    AWAIT(aof_log_reply_mark(log_) == UINT64_MAX);
    ck_assert_uint_ge(aof_log_synced_mark(log_), owed);
    ck_assert_uint_ge(synced_bytes, owed);
}
END_TEST

START_TEST(always_never_counts_what_failed)
{
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    turn("good ");
    AWAIT(aof_log_synced_mark(log_) == mark);
    uint64_t good = mark;
    write_room = 3;
    set(&write_error, ENOSPC);
    turn("bad1 ");
    AWAIT(aof_log_write_error(log_) == ENOSPC);
    turn("bad2 ");
    ck_assert_uint_eq(aof_log_synced_mark(log_), good);
    // Nothing torn stays behind.
    expect_file(path, "good ");
    ck_assert_uint_eq(aof_log_size(log_), 5);
    set(&write_error, 0);
    AWAIT(aof_log_synced_mark(log_) == mark);
    expect_file(path, "good bad1 bad2 ");
    ck_assert_int_eq(aof_log_write_error(log_), 0);
    ck_assert_int_eq(aof_log_lost(log_), 0);
}
END_TEST

START_TEST(a_failed_sync_is_final)
{
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    set(&sync_error, EIO);
    turn("lost ");
    AWAIT(aof_log_lost(log_) == EIO);
    set(&sync_error, 0);
    int begun = syncs_begun();
    turn("more ");
    turn("more ");
    ck_assert_uint_eq(aof_log_synced_mark(log_), 0);
    ck_assert_int_eq(syncs_begun(), begun);
    ck_assert_int_eq(aof_log_finish(log_, mark), STATUS_IO);
    expect_file(path, "lost ");
    // A new file begins with what comes now.
    ck_assert_int_eq(aof_log_restart(log_, path2, mark), STATUS_OK);
    ck_assert_int_eq(aof_log_lost(log_), 0);
    turn("new ");
    AWAIT(aof_log_synced_mark(log_) == mark);
    expect_file(path2, "new ");
}
END_TEST

START_TEST(always_takes_over_what_was_only_written)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    turn("unsynced ");
    ck_assert_uint_eq(aof_log_written_mark(log_), mark);
    ck_assert_int_eq(syncs_begun(), 0);
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    AWAIT(aof_log_synced_mark(log_) == mark);
    ck_assert_int_eq(syncs_begun(), 1);
}
END_TEST

// --- everysec, no -------------------------------------------------------------------------------

START_TEST(everysec_writes_in_the_turn)
{
    turn("now ");
    expect_file(path, "now ");
    ck_assert_uint_eq(aof_log_written_mark(log_), mark);
    AWAIT(aof_log_synced_mark(log_) == mark);
}
END_TEST

START_TEST(everysec_writes_beside_a_slow_sync)
{
    let_syncs_wait(true);
    turn("a ");
    AWAIT(syncs_begun() == 1);
    uint64_t before = mark;
    turn("b ");
    AWAIT(aof_log_written_mark(log_) == mark);
    turn("c ");
    AWAIT(aof_log_written_mark(log_) == mark);
    expect_file(path, "a b c ");
    ck_assert(aof_log_syncing(log_));
    ck_assert(!aof_log_is_behind(log_));
    let_syncs_wait(false);
    AWAIT(aof_log_synced_mark(log_) >= before);
    AWAIT(aof_log_synced_mark(log_) == mark);
}
END_TEST

START_TEST(no_does_not_sync)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    for (int i = 0; i < 100; i++)
        turn("x");
    ck_assert_int_eq(syncs_begun(), 0);
    ck_assert_uint_eq(aof_log_size(log_), 100);
    ck_assert_int_eq(aof_log_finish(log_, mark), STATUS_OK);
    ck_assert_int_eq(syncs_begun(), 1);
    ck_assert_uint_eq(synced_bytes, 100);
}
END_TEST

// Whoever waits for the disk must not wait for ever, and a sync that is left out does not count for him.
START_TEST(durable_is_what_was_synced_in_fact)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    turn("a ");
    ck_assert_uint_eq(aof_log_durable_mark(log_), 0);
    aof_log_want_sync(log_, true);
    AWAIT(aof_log_durable_mark(log_) == mark);
    ck_assert_int_eq(syncs_begun(), 1);
    aof_log_want_sync(log_, false);
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    aof_log_suspend_sync(log_, true);
    turn("b ");
    AWAIT(aof_log_synced_mark(log_) == mark);
    ck_assert_uint_lt(aof_log_durable_mark(log_), mark);
    ck_assert_int_eq(syncs_begun(), 1);
    aof_log_suspend_sync(log_, false);
    AWAIT(aof_log_durable_mark(log_) == mark);
    ck_assert_int_eq(syncs_begun(), 2);
}
END_TEST

START_TEST(short_writes_go_on)
{
    write_part = 3;
    turn("twelve bytes");
    expect_file(path, "twelve bytes");
    ck_assert_int_eq(aof_log_write_error(log_), 0);
}
END_TEST

START_TEST(a_torn_tail_that_stays_is_completed)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    turn("good ");
    write_room = 2;
    truncate_error = EIO;
    set(&write_error, ENOSPC);
    turn("torn ");
    ck_assert_int_eq(aof_log_write_error(log_), ENOSPC);
    expect_file(path, "good to");
    set(&write_error, 0);
    turn("more ");
    AWAIT(aof_log_written_mark(log_) == mark);
    expect_file(path, "good torn more ");
    ck_assert_uint_eq(aof_log_size(log_), 15);
}
END_TEST

START_TEST(effects_wait_for_a_disk_that_is_too_slow)
{
    char *large = mem_alloc((size_t)65 << 20);
    memset(large, 'x', (size_t)65 << 20);
    let_syncs_wait(true);
    turn("a ");
    AWAIT(syncs_begun() == 1);
    aof_log_append(log_, (struct slice){ .ptr = large, .len = (size_t)65 << 20 });
    mark += (size_t)65 << 20;
    ck_assert(aof_log_is_behind(log_));
    AWAIT(aof_log_written_mark(log_) == mark);
    ck_assert(!aof_log_is_behind(log_));
    mem_free(large, (size_t)65 << 20);
}
END_TEST

// --- Files --------------------------------------------------------------------------------------

START_TEST(a_new_file_follows_the_old_one)
{
    aof_log_set_fsync(log_, AOF_FSYNC_ALWAYS);
    let_syncs_wait(true);
    turn("one ");
    AWAIT(syncs_begun() == 1);
    turn("two ");
    ck_assert_int_eq(aof_log_rotate(log_, path2, mark), STATUS_AGAIN);
    let_syncs_wait(false);
    AWAIT(!aof_log_is_busy(log_) && aof_log_synced_mark(log_) == mark);
    aof_log_append(log_, SLICE("three "));
    mark += 6;
    set(&syncs, 0);
    let_syncs_wait(true);
    ck_assert_int_eq(aof_log_rotate(log_, path2, mark), STATUS_OK);
    expect_file(path, "one two three ");
    turn("four ");
    AWAIT(syncs_begun() == 1);
    // The end of the old file is not on the disk yet, so nothing behind it counts.
    ck_assert_uint_eq(aof_log_synced_mark(log_), mark - 11);
    let_syncs_wait(false);
    AWAIT(aof_log_synced_mark(log_) == mark);
    ck_assert_int_eq(syncs_begun(), 2);
    expect_file(path2, "four ");
    ck_assert_uint_eq(aof_log_size(log_), 5);
}
END_TEST

START_TEST(a_new_file_needs_the_old_one_whole)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    turn("one ");
    set(&write_error, ENOSPC);
    aof_log_append(log_, SLICE("two "));
    mark += 4;
    ck_assert_int_eq(aof_log_rotate(log_, path2, mark), STATUS_IO);
    ck_assert_int_eq(errno, ENOSPC);
    set(&write_error, 0);
    AWAIT(aof_log_written_mark(log_) == mark);
    expect_file(path, "one two ");
}
END_TEST

START_TEST(restarting_forgets)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    set(&write_error, ENOSPC);
    turn("one ");
    ck_assert_uint_eq(aof_log_buffered(log_), 4);
    ck_assert_int_eq(aof_log_restart(log_, path2, mark), STATUS_OK);
    ck_assert_uint_eq(aof_log_buffered(log_), 0);
    ck_assert_int_eq(aof_log_write_error(log_), 0);
    set(&write_error, 0);
    turn("two ");
    expect_file(path, "");
    expect_file(path2, "two ");
}
END_TEST

START_TEST(goes_on_at_the_end)
{
    aof_log_set_fsync(log_, AOF_FSYNC_NO);
    turn("one ");
    aof_log_close(log_);
    ck_assert_int_eq(aof_log_open(log_, path, false, mark), STATUS_OK);
    ck_assert_uint_eq(aof_log_size(log_), 4);
    turn("two ");
    expect_file(path, "one two ");
    aof_log_close(log_);
    ck_assert_int_eq(aof_log_open(log_, "/nowhere/x", false, mark), STATUS_IO);
    ck_assert_int_eq(aof_log_open(log_, path, true, mark), STATUS_OK);
    expect_file(path, "");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof_log");
    TCase *tcase = tcase_create("log");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, always_syncs_before_it_counts);
    tcase_add_test(tcase, a_sync_waits_for_writers);
    tcase_add_loop_test(tcase, what_always_owes_is_synced, 0, 2);
    tcase_add_test(tcase, always_never_counts_what_failed);
    tcase_add_test(tcase, a_failed_sync_is_final);
    tcase_add_test(tcase, always_takes_over_what_was_only_written);
    tcase_add_test(tcase, everysec_writes_in_the_turn);
    tcase_add_test(tcase, everysec_writes_beside_a_slow_sync);
    tcase_add_test(tcase, no_does_not_sync);
    tcase_add_test(tcase, durable_is_what_was_synced_in_fact);
    tcase_add_test(tcase, short_writes_go_on);
    tcase_add_test(tcase, a_torn_tail_that_stays_is_completed);
    tcase_add_test(tcase, effects_wait_for_a_disk_that_is_too_slow);
    tcase_add_test(tcase, a_new_file_follows_the_old_one);
    tcase_add_test(tcase, a_new_file_needs_the_old_one_whole);
    tcase_add_test(tcase, restarting_forgets);
    tcase_add_test(tcase, goes_on_at_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

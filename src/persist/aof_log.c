// SPDX-License-Identifier: BSD-3-Clause
// The open end of an append-only file: see aof_log.h.
#include "persist/aof_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY_US 1000000
#define RETRY_US      100000

// Unwritten, so much or so old, effects have to wait.
#define BEHIND_BYTES ((size_t)64 << 20)
#define BEHIND_US    1000000

// While writing fails, the log says so this often.
#define SAY_EVERY_US 30000000

// With `always` a sync waits for more writers for as long as the last one took, if that was at least the one, which is
// what a timer can do, and at most the other.
#define GATHER_MIN_US 1000
#define GATHER_MAX_US 2000

// A buffer is kept up to this size.
#define KEEP_BYTES ((size_t)1 << 20)

struct marks {
    uint64_t pending;  // all that was appended
    uint64_t writing;  // what the bytes in `writing` reach
    uint64_t written;
    uint64_t syncing;
    uint64_t synced;   // or taken to be
    uint64_t durable;  // synced in fact
    uint64_t owed;     // was appended under `always`
};

struct aof_log {
    const struct aof_calls *calls;
    struct loop_async *bell;
    bool is_gathering;
    struct aof_worker *writer;
    struct aof_worker *syncer;
    enum aof_fsync fsync;
    bool sync_suspended;
    bool sync_wanted;  // with `no`
    bool sync_now;
    bool draining;  // somebody waits for the threads to be idle
    int fd;
    int retired_fd;  // written whole, not synced yet
    uint64_t size;   // whole turns in the file
    struct bytes pending;
    struct bytes writing;
    struct aof_worker *at_work;  // who writes `writing`; NULL: nobody
    uint64_t pending_since_us;
    uint64_t writing_since_us;
    struct marks marks;
    bool sync_is_real;  // the one that is under way
    uint64_t sync_began_us;
    uint64_t sync_ended_us;
    uint64_t sync_took_us;
    int write_error;
    uint64_t retry_at_us;
    uint64_t said_us;
    int sync_error;
};

// --- What came of it ----------------------------------------------------------------------------

static void empty(struct bytes *bytes)
{
    if (bytes->cap > KEEP_BYTES)
        bytes_release(bytes);
    bytes_clear(bytes);
}

static void say_write_error(struct aof_log *log, size_t written)
{
    uint64_t now_us = clock_mono_us_now();
    if (log->said_us && now_us - log->said_us < SAY_EVERY_US)
        return;
    log->said_us = now_us;
    log_warning("Error writing to the AOF file: %s (%zu of %zu bytes written). Writes are refused "
                "until it succeeds; trying again",
                strerror(log->write_error), written, log->writing.len);
}

// The file must not end within a command.
static void cut_torn_tail(struct aof_log *log, size_t written)
{
    if (written == 0 || log->calls->truncate(log->fd, (off_t)log->size) == 0)
        return;
    log_warning("Could not cut the AOF file back after a partial write: %s. It is completed by the "
                "next write that succeeds",
                strerror(errno));
    log->size += written;
    bytes_consume(&log->writing, written);
}

static void note_all_written(struct aof_log *log)
{
    if (log->write_error)
        log_warning("AOF write error looks solved: writing again");
    log->write_error = 0;
    log->said_us = 0;
    log->at_work = NULL;
    log->size += log->writing.len;
    log->marks.written = log->marks.writing;
    empty(&log->writing);
}

static void note_written(struct aof_log *log, const struct aof_done *done)
{
    if (!done->write_error && done->written == log->writing.len) {
        note_all_written(log);
        return;
    }
    log->at_work = NULL;
    // A retired file's sync failed before anything was written.
    if (!done->write_error)
        return;
    log->write_error = done->write_error;
    log->retry_at_us = clock_mono_us_now() + RETRY_US;
    say_write_error(log, done->written);
    cut_torn_tail(log, done->written);
}

static void raise(uint64_t *mark, uint64_t to)
{
    if (to > *mark)
        *mark = to;
}

static void note_synced(struct aof_log *log, const struct aof_done *done)
{
    log->sync_ended_us = clock_mono_us_now();
    log->sync_took_us = done->us;
    if (!done->sync_error) {
        if (done->write_error)
            return;
        raise(&log->marks.synced, log->marks.syncing);
        if (log->sync_is_real)
            raise(&log->marks.durable, log->marks.syncing);
        return;
    }
    log->sync_error = done->sync_error;
    log_warning("Error syncing the AOF file: %s. What the disk has of it is unknown: writes are "
                "refused until it has been rewritten",
                strerror(done->sync_error));
}

static bool take(struct aof_log *log, struct aof_worker *worker, bool wait, struct aof_done *done)
{
    if (!aof_worker_take(worker, wait, done))
        return false;
    if (log->at_work == worker)
        note_written(log, done);
    return true;
}

static void collect(struct aof_log *log, bool wait)
{
    struct aof_done done;
    (void)take(log, log->writer, wait, &done);
    if (take(log, log->syncer, wait, &done))
        note_synced(log, &done);
}

void aof_log_collect(struct aof_log *log)
{
    collect(log, false);
}

// --- Writing and syncing ------------------------------------------------------------------------

static bool has_bytes(const struct aof_log *log)
{
    return log->pending.len > 0 || log->writing.len > 0;
}

static bool is_idle(const struct aof_log *log)
{
    return !aof_worker_busy(log->writer) && !aof_worker_busy(log->syncer);
}

bool aof_log_is_busy(struct aof_log *log)
{
    collect(log, false);
    log->draining = !is_idle(log) || log->retired_fd >= 0;
    return log->draining;
}

// Behind what an earlier write has left, comes what is pending.
static struct slice take_pending(struct aof_log *log)
{
    ASSERT(!log->at_work);
    if (log->writing.len == 0) {
        struct bytes spare = log->writing;
        log->writing = log->pending;
        log->pending = spare;
        log->writing_since_us = log->pending_since_us;
    } else {
        bytes_append_slice(&log->writing, bytes_slice(&log->pending));
    }
    empty(&log->pending);
    log->marks.writing = log->marks.pending;
    return bytes_slice(&log->writing);
}

static void write_here(struct aof_log *log)
{
    struct aof_done done = { 0 };
    aof_write_all(log->calls, log->fd, take_pending(log), &done);
    note_written(log, &done);
}

static void begin_sync(struct aof_log *log, struct slice bytes)
{
    bool asked = log->marks.owed > log->marks.synced || log->sync_wanted || log->sync_now;
    const struct aof_job job = {
        .retired = log->retired_fd,
        .fd = log->fd,
        .bytes = bytes,
        .sync = !log->sync_suspended && (asked || log->fsync != AOF_FSYNC_NO),
    };
    log->retired_fd = -1;
    if (bytes.len > 0)
        log->at_work = log->syncer;
    log->marks.syncing = bytes.len > 0 ? log->marks.writing : log->marks.written;
    if (!job.sync && !log->sync_suspended)
        log->marks.syncing = log->marks.synced;
    log->sync_is_real = job.sync;
    log->sync_now = false;
    log->sync_began_us = clock_mono_us_now();
    aof_worker_begin(log->syncer, &job);
}

// Whether a sync had better wait for who is expected. A disk that is fast is not worth it.
static bool had_better_wait(const struct aof_log *log, bool expects_more)
{
    uint64_t limit_us = log->sync_took_us < GATHER_MAX_US ? log->sync_took_us : GATHER_MAX_US;
    return expects_more && has_bytes(log) && limit_us >= GATHER_MIN_US &&
           clock_mono_us_now() - log->sync_ended_us < limit_us;
}

static void turn_always(struct aof_log *log, bool expects_more)
{
    bool waits = !is_idle(log) || log->draining;
    log->is_gathering = !waits && had_better_wait(log, expects_more);
    uint64_t reached = log->sync_suspended ? log->marks.synced : log->marks.durable;
    bool behind = log->marks.written > reached || log->retired_fd >= 0;
    if (waits || log->is_gathering)
        return;
    if (has_bytes(log))
        begin_sync(log, take_pending(log));
    else if (behind)
        begin_sync(log, (struct slice){ 0 });
}

static bool sync_is_due(const struct aof_log *log)
{
    if (log->retired_fd >= 0)
        return true;
    if (log->sync_suspended || log->marks.written <= log->marks.durable)
        return false;
    return log->sync_now || log->marks.owed > log->marks.synced ||
           ((log->fsync == AOF_FSYNC_EVERYSEC || log->sync_wanted) &&
            clock_mono_us_now() - log->sync_began_us >= SYNC_EVERY_US);
}

static void turn_later(struct aof_log *log)
{
    if (has_bytes(log) && !log->at_work && !aof_worker_busy(log->syncer)) {
        write_here(log);
    } else if (has_bytes(log) && !log->at_work && !aof_worker_busy(log->writer)) {
        const struct aof_job job = { .retired = -1, .fd = log->fd, .bytes = take_pending(log) };
        log->at_work = log->writer;
        aof_worker_begin(log->writer, &job);
    }
    if (is_idle(log) && sync_is_due(log))
        begin_sync(log, (struct slice){ 0 });
}

static void do_turn(struct aof_log *log, bool expects_more)
{
    if (log->sync_error || (log->write_error && clock_mono_us_now() < log->retry_at_us))
        return;
    if (log->fsync == AOF_FSYNC_ALWAYS)
        turn_always(log, expects_more);
    else
        turn_later(log);
}

void aof_log_turn(struct aof_log *log, uint64_t mark, bool expects_more)
{
    if (log->fd < 0)
        return;
    log->marks.pending = mark;
    if (log->fsync == AOF_FSYNC_ALWAYS)
        log->marks.owed = mark;
    collect(log, false);
    do_turn(log, expects_more);
    log->draining = false;
}

enum status aof_log_finish(struct aof_log *log, uint64_t mark)
{
    if (log->fd < 0)
        return STATUS_OK;
    log->marks.pending = mark;
    collect(log, true);
    if (log->sync_error)
        return STATUS_IO;
    write_here(log);
    if (log->write_error)
        return STATUS_IO;
    bool suspended = log->sync_suspended;
    enum aof_fsync fsync = log->fsync;
    log->sync_suspended = false;
    log->fsync = AOF_FSYNC_ALWAYS;
    begin_sync(log, (struct slice){ 0 });
    collect(log, true);
    log->sync_suspended = suspended;
    log->fsync = fsync;
    return log->sync_error ? STATUS_IO : STATUS_OK;
}

void aof_log_append(struct aof_log *log, struct slice bytes)
{
    if (log->pending.len == 0)
        log->pending_since_us = clock_mono_us();
    bytes_append_slice(&log->pending, bytes);
}

// --- Files --------------------------------------------------------------------------------------

static int open_file(const char *path, bool anew)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (anew ? O_TRUNC : 0);
    return open(path, flags, 0644);
}

static void begin_file(struct aof_log *log, int fd, uint64_t size, uint64_t mark)
{
    log->fd = fd;
    log->size = size;
    log->marks.pending = log->marks.writing = log->marks.written = mark;
}

static void forget_bytes(struct aof_log *log)
{
    ASSERT(!log->at_work);
    bytes_release(&log->pending);
    bytes_release(&log->writing);
    log->write_error = log->sync_error = 0;
    log->said_us = 0;
}

enum status aof_log_open(struct aof_log *log, const char *path, bool anew, uint64_t mark)
{
    ASSERT(log->fd < 0);
    struct stat stat;
    int fd = open_file(path, anew);
    if (fd < 0)
        return STATUS_IO;
    if (fstat(fd, &stat) != 0) {
        close(fd);
        return STATUS_IO;
    }
    begin_file(log, fd, (uint64_t)stat.st_size, mark);
    log->marks.synced = log->marks.syncing = log->marks.durable = mark;
    return STATUS_OK;
}

enum status aof_log_rotate(struct aof_log *log, const char *path, uint64_t mark)
{
    if (aof_log_is_busy(log))
        return STATUS_AGAIN;
    log->marks.pending = mark;
    if (has_bytes(log))
        write_here(log);
    if (log->write_error || log->sync_error) {
        errno = log->write_error ? log->write_error : log->sync_error;
        return STATUS_IO;
    }
    int fd = open_file(path, true);
    if (fd < 0)
        return STATUS_IO;
    log->retired_fd = log->fd;
    begin_file(log, fd, 0, mark);
    return STATUS_OK;
}

enum status aof_log_restart(struct aof_log *log, const char *path, uint64_t mark)
{
    collect(log, false);
    if (!is_idle(log)) {
        log->draining = true;
        return STATUS_AGAIN;
    }
    int fd = open_file(path, true);
    if (fd < 0)
        return STATUS_IO;
    aof_log_close(log);
    begin_file(log, fd, 0, mark);
    log->marks.synced = log->marks.syncing = log->marks.durable = mark;
    return STATUS_OK;
}

void aof_log_close(struct aof_log *log)
{
    collect(log, true);
    forget_bytes(log);
    if (log->fd >= 0)
        close(log->fd);
    if (log->retired_fd >= 0)
        close(log->retired_fd);
    log->fd = log->retired_fd = -1;
}

// --- Figures ------------------------------------------------------------------------------------

bool aof_log_is_behind(const struct aof_log *log)
{
    bool busy = log->at_work || aof_worker_busy(log->syncer);
    if (log->fsync == AOF_FSYNC_ALWAYS || !busy || !has_bytes(log))
        return false;
    uint64_t since_us = log->writing.len > 0 ? log->writing_since_us : log->pending_since_us;
    return aof_log_buffered(log) >= BEHIND_BYTES || clock_mono_us_now() - since_us >= BEHIND_US;
}

uint64_t aof_log_written_mark(const struct aof_log *log)
{
    return log->marks.written;
}

uint64_t aof_log_synced_mark(const struct aof_log *log)
{
    return log->marks.synced;
}

uint64_t aof_log_size(const struct aof_log *log)
{
    return log->size;
}

uint64_t aof_log_durable_mark(const struct aof_log *log)
{
    return log->marks.durable;
}

void aof_log_want_sync(struct aof_log *log, bool wanted)
{
    log->sync_wanted = wanted;
}

void aof_log_sync_now(struct aof_log *log)
{
    log->sync_now = true;
}

uint64_t aof_log_reply_mark(const struct aof_log *log)
{
    bool open = log->fsync == AOF_FSYNC_ALWAYS || log->marks.owed > log->marks.synced;
    return open ? log->marks.synced : UINT64_MAX;
}

int aof_log_write_error(const struct aof_log *log)
{
    return log->write_error;
}

int aof_log_lost(const struct aof_log *log)
{
    return log->sync_error;
}

size_t aof_log_buffered(const struct aof_log *log)
{
    return log->pending.len + log->writing.len;
}

bool aof_log_is_gathering(const struct aof_log *log)
{
    return log->is_gathering;
}

bool aof_log_syncing(const struct aof_log *log)
{
    return aof_worker_busy(log->syncer);
}

void aof_log_set_fsync(struct aof_log *log, enum aof_fsync fsync)
{
    log->fsync = fsync;
    log->is_gathering = false;
}

void aof_log_suspend_sync(struct aof_log *log, bool suspended)
{
    log->sync_suspended = suspended;
}

// The loop is awake: its turn does the rest.
static void on_bell(void *udata)
{
    (void)udata;
}

struct aof_log *aof_log_new(struct loop *loop, const struct aof_calls *calls)
{
    struct aof_log *log = mem_alloc_zeroed(sizeof(*log));
    log->calls = calls;
    log->fd = log->retired_fd = -1;
    log->bell = loop_async_new(loop, on_bell, log);
    log->writer = aof_worker_new(calls, log->bell);
    log->syncer = log->writer ? aof_worker_new(calls, log->bell) : NULL;
    if (log->syncer)
        return log;
    int why = errno;
    aof_log_free(log);
    errno = why;
    return NULL;
}

void aof_log_free(struct aof_log *log)
{
    if (log->syncer)
        aof_log_close(log);
    aof_worker_free(log->writer);
    aof_worker_free(log->syncer);
    loop_async_free(log->bell);
    mem_free(log, sizeof(*log));
}

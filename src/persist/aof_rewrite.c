// SPDX-License-Identifier: BSD-3-Clause
// Writing the append-only file anew: a forked child writes a base of the data as of now, while effects go on into
// a new incremental file; then the manifest is switched and the old files go.
//
// As a rule the new incremental file is in the manifest before the child begins: should it fail, the old base, the old
// incremental files and the new one are still all there is. Where there are no such files, or they lack
// something (a sync or a write has failed), the rewrite is detached: the new incremental file counts only
// together with the new base.
#include "persist/aof_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "persist/rdb_save.h"
#include "server/effects.h"
#include "server/latency.h"
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// After so many failures in a row the pauses grow, up to an hour.
#define FREE_FAILURES 3
#define PAUSE_FIRST_S 60
#define PAUSE_MAX_S   3600

// Without a base nothing is written: it is tried again soon.
#define URGENT_PAUSE_MAX_S 32

static int64_t now_s(void)
{
    return (int64_t)(clock_mono_us_now() / 1000000);
}

enum status aof_write_base(const struct aof *aof, const char *path)
{
    const struct rdb_about about = { .aof_base = true, .compress = true, .checksum = true };
    const struct rdb_progress progress = { 0 };
    return rdb_save_file(path, aof->server->keyspace, &about, &progress);
}

// --- The child ----------------------------------------------------------------------------------

// Sockets must not outlive the parent.
static void close_others(void)
{
    unsigned kept = (unsigned)log_fd();
    if (kept > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, kept - 1, 0);
    close_range(kept > STDERR_FILENO ? kept + 1 : STDERR_FILENO + 1, ~0u, 0);
}

static _Noreturn void run_child(const struct aof *aof, const char *path, pid_t parent)
{
    // One whose parent is gone would put its base in the place of a later one's.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    log_set_role('C');
    close_others();
    enum status status = aof_write_base(aof, path);
    if (status != STATUS_OK)
        log_warning("Can't write the AOF base file %s: %s", path, strerror(errno));
    _exit(status == STATUS_OK ? 0 : 1);
}

static enum status fork_child(struct aof *aof, const char *base)
{
    char path[PATH_MAX];
    if (!aof_path(aof, base, path))
        return STATUS_IO;
    uint64_t began_us = clock_mono_us_now();
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        run_child(aof, path, parent);
    latency_note(aof->server, "fork", (clock_mono_us_now() - began_us) / 1000);
    if (child < 0) {
        log_warning("Can't rewrite append only file in background: fork: %s", strerror(errno));
        return STATUS_IO;
    }
    aof->rewriting.child = child;
    aof->rewriting.began_s = now_s();
    log_notice("Background append only file rewriting started by pid %ld", (long)child);
    return STATUS_OK;
}

// --- Beginning ----------------------------------------------------------------------------------

// This manifest could not be written. The files of one that may be on the disk all the same keep their names.
static void give_up_manifest(struct aof *aof, struct aof_manifest *next)
{
    if (aof_manifest_is_there(aof, next)) {
        aof->manifest.base_seq = next->base_seq;
        aof->manifest.incr_seq = next->incr_seq;
    }
    aof_manifest_release(next);
}

// Into a new incremental file that the manifest names. STATUS_AGAIN: not now.
static enum status go_on_in_next_file(struct aof *aof)
{
    char path[PATH_MAX];
    struct aof_manifest next;
    if (aof_log_is_busy(aof->log))
        return STATUS_AGAIN;
    // Only the last file may have a torn tail after a power cut: it must be whole on the disk before it
    // is the last no more.
    if (aof_log_finish(aof->log, effects_offset(aof->server->effects)) != STATUS_OK)
        return STATUS_IO;
    aof_manifest_copy(&next, &aof->manifest);
    const char *name = aof_manifest_add_incr(&next, aof->config.stem);
    log_notice("Creating AOF incr file %s on background rewrite", name);
    // The file must be there when the manifest names it.
    if (!aof_make_empty(aof, name) || aof_write_manifest(aof, &next) != STATUS_OK) {
        log_warning("Can't create the AOF file %s: %s", name, strerror(errno));
        give_up_manifest(aof, &next);
        return STATUS_IO;
    }
    // If it stays empty, nothing is wrong with it.
    aof_manifest_release(&aof->manifest);
    aof->manifest = next;
    uint64_t written = aof_log_size(aof->log) + aof_log_buffered(aof->log);
    if (!aof_path(aof, name, path))
        return STATUS_IO;
    enum status status = aof_log_rotate(aof->log, path, effects_offset(aof->server->effects));
    if (status == STATUS_OK)
        aof->old_bytes += written;
    return status;
}

// The file that comes with the next base.
static enum status go_on_detached(struct aof *aof)
{
    char path[PATH_MAX];
    struct aof_manifest next;
    aof_manifest_copy(&next, &aof->manifest);
    const char *name = aof_manifest_add_incr(&next, aof->config.stem);
    enum status status = STATUS_IO;
    if (aof_make_empty(aof, name) && aof_path(aof, name, path))
        status = aof_log_restart(aof->log, path, effects_offset(aof->server->effects));
    if (status == STATUS_IO)
        log_warning("Can't create the AOF file %s: %s", name, strerror(errno));
    aof_manifest_release(&next);
    return status;
}

static void note_failure(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    rewriting->last_failed = true;
    rewriting->failures++;
    int64_t pause_s = 0;
    if (rewriting->failures >= FREE_FAILURES) {
        unsigned doublings = (unsigned)(rewriting->failures - FREE_FAILURES);
        pause_s = doublings < 6 ? PAUSE_FIRST_S << doublings : PAUSE_MAX_S;
    }
    if (aof->needs_base || aof->state == AOF_FIRST)
        pause_s = rewriting->failures < 6 ? INT64_C(1) << (rewriting->failures - 1)
                                          : URGENT_PAUSE_MAX_S;
    rewriting->retry_s = now_s() + pause_s;
}

static enum status begin(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    struct aof_manifest next;
    if (aof_make_folder(aof) != STATUS_OK)
        return STATUS_IO;
    bool detached = aof->state == AOF_FIRST || aof->needs_base || aof_log_write_error(aof->log);
    enum status status = detached ? go_on_detached(aof) : go_on_in_next_file(aof);
    if (status != STATUS_OK)
        return status;
    // What has not been written is in the next base, and nowhere else.
    if (detached && aof->state == AOF_ON)
        aof->needs_base = true;
    rewriting->detached = detached;
    effects_restate_db(aof->server->effects);
    aof_listen(aof, true);
    aof_manifest_copy(&next, &aof->manifest);
    status = fork_child(aof, aof_manifest_add_base(&next, aof->config.stem, 0));
    aof_manifest_release(&next);
    return status;
}

// Between two commands, not within a transaction.
static enum status try_now(struct aof *aof)
{
    enum status status = begin(aof);
    aof->rewriting.wanted = status == STATUS_AGAIN;
    if (status == STATUS_AGAIN)
        return STATUS_OK;
    if (status != STATUS_OK)
        note_failure(aof);
    else
        aof_apply_fsync(aof);
    return status;
}

// While it is off there is nothing but a base.
static enum status rewrite_off(struct aof *aof)
{
    struct aof_manifest next;
    if (aof_make_folder(aof) != STATUS_OK)
        return STATUS_IO;
    enum status status = aof_read_manifest(aof);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return STATUS_IO;
    aof_manifest_copy(&next, &aof->manifest);
    status = fork_child(aof, aof_manifest_add_base(&next, aof->config.stem, 0));
    aof_manifest_release(&next);
    return status;
}

enum status aof_rewrite(struct aof *aof)
{
    if (aof->rewriting.child)
        return STATUS_EXISTS;
    if (aof->state == AOF_OFF)
        return rewrite_off(aof);
    if (effects_in_group(aof->server->effects)) {
        aof->rewriting.wanted = true;
        return STATUS_OK;
    }
    return try_now(aof);
}

// --- The end ------------------------------------------------------------------------------------

static void finish(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    struct aof_manifest next;
    aof_manifest_copy(&next, &aof->manifest);
    if (rewriting->detached && aof->state != AOF_OFF)
        aof_manifest_add_incr(&next, aof->config.stem);
    aof_manifest_add_base(&next, aof->config.stem, aof->state == AOF_OFF ? 0 : 1);
    if (aof_write_manifest(aof, &next) != STATUS_OK) {
        give_up_manifest(aof, &next);
        note_failure(aof);
        return;
    }
    aof_manifest_release(&aof->manifest);
    aof->manifest = next;
    rewriting->last_failed = false;
    rewriting->failures = 0;
    rewriting->count++;
    aof->needs_base = false;
    aof->lost_error = 0;
    if (aof->state == AOF_FIRST)
        aof->state = AOF_ON;
    struct stat info;
    char path[PATH_MAX];
    bool known = aof_path(aof, aof_manifest_base(&aof->manifest)->name, path) &&
                 stat(path, &info) == 0;
    aof->old_bytes = known ? (uint64_t)info.st_size : 0;
    aof->base_bytes = aof->old_bytes + (aof->log ? aof_log_size(aof->log) : 0);
    aof_delete_history(aof);
    log_notice("Background AOF rewrite finished successfully");
}

static void note_end(struct aof *aof, int status)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    rewriting->child = 0;
    rewriting->last_s = now_s() - rewriting->began_s;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        log_notice("Background AOF rewrite terminated with success");
        finish(aof);
    } else {
        if (WIFSIGNALED(status))
            log_warning("Background AOF rewrite terminated by signal %d", WTERMSIG(status));
        else
            log_warning("Background AOF rewrite terminated with error");
        note_failure(aof);
    }
    aof_apply_fsync(aof);
    aof_settle(aof);
}

static bool has_grown(const struct aof *aof)
{
    if (aof->state != AOF_ON || aof->config.rewrite_percent == 0)
        return false;
    uint64_t bytes = aof->old_bytes + aof_log_size(aof->log);
    uint64_t base = aof->base_bytes ? aof->base_bytes : 1;
    return bytes >= (uint64_t)aof->config.rewrite_min_bytes && bytes > base &&
           (double)(bytes - base) * 100.0 / (double)base >= (double)aof->config.rewrite_percent;
}

void aof_rewrite_cron(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    int status;
    if (rewriting->child) {
        if (waitpid(rewriting->child, &status, WNOHANG) == rewriting->child)
            note_end(aof, status);
        return;
    }
    if (aof->state == AOF_OFF || rewriting->wanted || now_s() < rewriting->retry_s)
        return;
    bool has_no_base = aof->needs_base || aof->state == AOF_FIRST;
    if (has_no_base || has_grown(aof)) {
        if (!has_no_base)
            log_notice("Starting automatic rewriting of AOF: it has grown since the last base");
        rewriting->wanted = true;
    }
}

void aof_rewrite_turn(struct aof *aof)
{
    if (aof->rewriting.wanted && !aof->rewriting.child)
        (void)(try_now(aof) == STATUS_OK);
}

void aof_rewrite_abort(struct aof *aof)
{
    int status;
    aof->rewriting.wanted = false;
    if (!aof->rewriting.child)
        return;
    log_notice("Killing the child that rewrites the AOF: %ld", (long)aof->rewriting.child);
    kill(aof->rewriting.child, SIGKILL);
    waitpid(aof->rewriting.child, &status, 0);
    aof->rewriting.child = 0;
}

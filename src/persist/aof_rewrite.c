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
#include "base/file.h"
#include "base/log.h"
#include "persist/aof_codec.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "server/server.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// After so many failures in a row the pauses grow, up to an hour.
#define FREE_FAILURES 3
#define PAUSE_FIRST_S 60
#define PAUSE_MAX_S   3600

// When it begins, what is written is synced without anybody else waiting, so often at most.
#define SYNCS_MAX 10

// Without a base nothing is written: it is tried again soon.
#define URGENT_PAUSE_MAX_S 32

static int64_t now_s(void)
{
    return (int64_t)(clock_mono_us_now() / 1000000);
}

enum status aof_write_base(const struct aof *aof, const char *path, bool of_commands,
                           const struct rdb_progress *progress)
{
    struct rdb_about about;
    snapshot_style(aof->server->snapshot, &about);
    about.aof_base = true;
    about.hold_back = !aof->config.incremental_sync;
    if (of_commands) {
        about.encoder = &aof_encoder;
        about.time_stamp = aof->config.timestamps;
        about.checksum = false;
    }
    return rdb_save_file(path, aof->server->keyspace, &about, progress);
}

// --- The child ----------------------------------------------------------------------------------

static int write_in_child(void *udata, struct child_voice *voice)
{
    struct rdb_progress progress;
    const struct aof *aof = udata;
    const struct aof_rewriting *rewriting = &aof->rewriting;
    snapshot_progress(aof->server->snapshot, voice, &progress);
    if (aof_write_base(aof, rewriting->path, rewriting->of_commands, &progress) != STATUS_OK)
        return errno ? errno : EIO;
    return 0;
}

static void on_child_end(void *udata, int status);

// The base that comes next.
static enum status fork_child(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    struct aof_manifest next;
    rewriting->of_commands = !aof->config.rdb_preamble;
    aof_manifest_copy(&next, &aof->manifest);
    const char *base = aof_manifest_add_base(&next, aof->config.stem, 0, rewriting->of_commands);
    bool named = aof_path(aof, base, rewriting->path);
    aof_manifest_release(&next);
    const struct child_job job = {
        .name = "respite-rewrite", .run = write_in_child, .on_end = on_child_end, .udata = aof
    };
    if (!named || child_begin(&rewriting->child, aof->server, &job) != STATUS_OK) {
        log_warning("Can't rewrite append only file in background: fork: %s", strerror(errno));
        return STATUS_IO;
    }
    rewriting->began_s = now_s();
    rewriting->count++;
    log_notice("Background append only file rewriting started by pid %ld",
               (long)rewriting->child.pid);
    return STATUS_OK;
}

// --- Beginning ----------------------------------------------------------------------------------

// Takes over the next manifest, once it is in its file; else it is released. A failure may leave it there all
// the same (the folder could not be synced), so that the old one is put back: as long as that fails, too, the
// files of both are kept, and their numbers are not used again.
static enum status switch_manifest(struct aof *aof, struct aof_manifest *next, bool *undone)
{
    if (aof_write_manifest(aof, next) == STATUS_OK) {
        aof_manifest_release(&aof->manifest);
        aof->manifest = *next;
        return STATUS_OK;
    }
    *undone = aof->manifest.count > 0 && aof_write_manifest(aof, &aof->manifest) == STATUS_OK;
    if (!*undone) {
        aof->manifest.base_seq = next->base_seq;
        aof->manifest.incr_seq = next->incr_seq;
    }
    aof_manifest_release(next);
    return STATUS_IO;
}

// Only the last file may have a torn tail after a power cut: it must be whole on the disk before it is the last no
// more. Writes are held meanwhile (aof_settle()); what reads and the sweeper delete may still come. STATUS_AGAIN: not
// yet.
static enum status make_durable(struct aof *aof)
{
    uint64_t offset = effects_offset(aof->server->effects);
    if (aof_log_is_busy(aof->log))
        return STATUS_AGAIN;
    if (aof_log_durable_mark(aof->log) == offset)
        return STATUS_OK;
    if (aof->rewriting.syncs++ == SYNCS_MAX)
        return aof_log_finish(aof->log, offset);
    aof_log_sync_now(aof->log);
    return STATUS_AGAIN;
}

// Into a new incremental file that the manifest names. STATUS_AGAIN: not now.
static enum status go_on_in_next_file(struct aof *aof)
{
    char path[PATH_MAX];
    struct aof_manifest next;
    enum status durable = make_durable(aof);
    if (durable != STATUS_OK)
        return durable;
    aof_manifest_copy(&next, &aof->manifest);
    const char *name = aof_manifest_add_incr(&next, aof->config.stem);
    log_notice("Creating AOF incr file %s on background rewrite", name);
    // The file must be there when the manifest names it.
    if (!aof_make_empty(aof, name) || !aof_path(aof, name, path)) {
        log_warning("Can't create the AOF file %s: %s", name, strerror(errno));
        aof_manifest_release(&next);
        return STATUS_IO;
    }
    bool undone;
    if (switch_manifest(aof, &next, &undone) != STATUS_OK)
        return STATUS_IO;
    // If it stays empty, nothing is wrong with it.
    uint64_t written = aof_log_size(aof->log) + aof_log_buffered(aof->log);
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
    if (aof_make_folder(aof) != STATUS_OK)
        return STATUS_IO;
    bool detached = aof->state == AOF_FIRST || aof->needs_base || aof_log_write_error(aof->log);
    enum status status = detached ? go_on_detached(aof) : go_on_in_next_file(aof);
    if (status != STATUS_OK)
        return status;
    // What has not been written is in the next base, and nowhere else.
    if (detached && aof->state == AOF_ON)
        aof->needs_base = true;
    aof->rewriting.detached = detached;
    effects_restate_file_db(aof->server->effects);
    aof_listen(aof, true);
    return fork_child(aof);
}

// While it is off there is nothing but a base.
static enum status begin_off(struct aof *aof)
{
    if (aof_make_folder(aof) != STATUS_OK)
        return STATUS_IO;
    enum status status = aof_read_manifest(aof);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return STATUS_IO;
    aof->rewriting.detached = false;
    return fork_child(aof);
}

// Between two commands, not within a transaction; without a child. Where a thread is at work it is tried again
// when that is done.
static enum status try_now(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    enum status status = aof->state == AOF_OFF ? begin_off(aof) : begin(aof);
    rewriting->wanted = false;
    rewriting->starting = status == STATUS_AGAIN;
    if (status == STATUS_AGAIN)
        return STATUS_OK;
    rewriting->syncs = 0;
    if (status != STATUS_OK)
        note_failure(aof);
    else
        aof_apply_fsync(aof);
    return status;
}

bool aof_rewriting(const struct aof *aof)
{
    return child_running(&aof->rewriting.child) || aof->rewriting.starting;
}

enum status aof_rewrite(struct aof *aof)
{
    if (aof_rewriting(aof))
        return STATUS_EXISTS;
    if (aof->server->child || effects_in_group(aof->server->effects)) {
        aof->rewriting.wanted = true;
        return STATUS_AGAIN;
    }
    return try_now(aof);
}

// --- The end ------------------------------------------------------------------------------------

static void note_base(struct aof *aof)
{
    struct stat info;
    bool known = stat(aof->rewriting.path, &info) == 0;
    aof->old_bytes = known ? (uint64_t)info.st_size : 0;
    aof->base_bytes = aof->old_bytes + (aof->log ? aof_log_size(aof->log) : 0);
}

static void finish(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    struct aof_manifest next;
    bool undone;
    aof_manifest_copy(&next, &aof->manifest);
    if (rewriting->detached && aof->state != AOF_OFF)
        aof_manifest_add_incr(&next, aof->config.stem);
    aof_manifest_add_base(&next, aof->config.stem, aof->state == AOF_OFF ? 0 : 1,
                          rewriting->of_commands);
    if (switch_manifest(aof, &next, &undone) != STATUS_OK) {
        if (undone)
            unlink(rewriting->path);
        note_failure(aof);
        return;
    }
    rewriting->last_failed = false;
    rewriting->failures = 0;
    aof->needs_base = false;
    aof->lost_error = 0;
    if (aof->state == AOF_FIRST)
        aof->state = AOF_ON;
    note_base(aof);
    aof_delete_history(aof);
    log_notice("Background AOF rewrite finished successfully");
}

static void on_child_end(void *udata, int status)
{
    struct aof *aof = udata;
    struct aof_rewriting *rewriting = &aof->rewriting;
    rewriting->last_s = now_s() - rewriting->began_s;
    rewriting->copied_bytes = rewriting->child.report.copied_bytes;
    if (child_succeeded(&rewriting->child, status, "Background AOF rewrite", rewriting->path)) {
        log_notice("Background AOF rewrite terminated with success");
        finish(aof);
    } else {
        file_drafts_remove(rewriting->path);
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

// By itself.
static bool is_due(const struct aof *aof)
{
    if (aof->state == AOF_OFF || now_s() < aof->rewriting.retry_s)
        return false;
    if (aof->needs_base || aof->state == AOF_FIRST)
        return true;
    if (!has_grown(aof))
        return false;
    log_notice("Starting automatic rewriting of AOF: it has grown since the last base");
    return true;
}

void aof_rewrite_cron(struct aof *aof)
{
    if (aof->server->child || aof->rewriting.starting)
        return;
    if (aof->rewriting.wanted || is_due(aof))
        (void)(try_now(aof) == STATUS_OK);
}

void aof_rewrite_turn(struct aof *aof)
{
    if (aof->rewriting.starting && !aof->server->child)
        (void)(try_now(aof) == STATUS_OK);
}

void aof_rewrite_abort(struct aof *aof)
{
    struct aof_rewriting *rewriting = &aof->rewriting;
    rewriting->wanted = rewriting->starting = false;
    if (!child_running(&rewriting->child))
        return;
    log_notice("Killing the child that rewrites the AOF: %ld", (long)rewriting->child.pid);
    child_kill(&rewriting->child);
    file_drafts_remove(rewriting->path);
}

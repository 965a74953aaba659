// SPDX-License-Identifier: BSD-3-Clause
// Saving: see snapshot.h.
#include "persist/snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "persist/loading.h"
#include "persist/snapshot_internal.h"
#include "server/cron.h"
#include "server/ctx.h"
#include "server/eviction.h"
#include "server/process.h"
#include "server/registry.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

// After a failure the save points wait so long.
#define RETRY_S 5

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

// --- The file -----------------------------------------------------------------------------------

void snapshot_style(const struct snapshot *snapshot, struct rdb_about *out)
{
    *out = (struct rdb_about){
        .compress = snapshot->compress,
        .checksum = snapshot->checksum,
        .hold_back = !snapshot->incremental_sync,
        .access = eviction_by_use(snapshot->server->eviction),
    };
    if (snapshot->describe)
        snapshot->describe(snapshot->describe_udata, out);
}

void snapshot_describe_by(struct snapshot *snapshot,
                          void (*describe)(void *udata, struct rdb_about *about), void *udata)
{
    snapshot->describe = describe;
    snapshot->describe_udata = udata;
}

enum status snapshot_write(const struct snapshot *snapshot, const struct rdb_about *about,
                           const struct rdb_progress *progress)
{
    return rdb_save_file(snapshot->file_name, snapshot->server->keyspace, about, progress);
}

static enum status write_file(const struct snapshot *snapshot, const struct rdb_progress *progress)
{
    struct rdb_about about;
    snapshot_style(snapshot, &about);
    return snapshot_write(snapshot, &about, progress);
}

const char *snapshot_file_name(const struct snapshot *snapshot)
{
    return snapshot->file_name;
}

static void note_saved(struct snapshot *snapshot, uint64_t changes_saved)
{
    snapshot->server->changes -= changes_saved;
    snapshot->last_s = now_s();
    snapshot->failed = false;
    snapshot_update_gate(snapshot);
}

static enum status save_here(struct snapshot *snapshot)
{
    static const struct rdb_progress nobody;
    if (child_running(&snapshot->child))
        return STATUS_EXISTS;
    if (write_file(snapshot, &nobody) != STATUS_OK) {
        log_warning("Failed saving the DB to '%s': %s", snapshot->file_name, strerror(errno));
        return STATUS_IO;
    }
    log_notice("DB saved on disk");
    note_saved(snapshot, snapshot->server->changes);
    return STATUS_OK;
}

enum status snapshot_save(struct snapshot *snapshot)
{
    snapshot->saves += !child_running(&snapshot->child);
    return save_here(snapshot);
}

enum status snapshot_save_aside(struct snapshot *snapshot)
{
    snapshot_abort(snapshot);
    return save_here(snapshot);
}

// --- The child ----------------------------------------------------------------------------------

static void tell(void *udata, uint64_t keys)
{
    struct child_voice *voice = udata;
    if (voice->key_delay_us)
        usleep((useconds_t)voice->key_delay_us);
    child_tell(voice, keys);
}

void snapshot_progress(const struct snapshot *snapshot, struct child_voice *voice,
                       struct rdb_progress *out)
{
    voice->key_delay_us = snapshot->key_delay_us;
    *out = (struct rdb_progress){
        .every_keys = snapshot->key_delay_us ? 1 : 0,
        .fn = tell,
        .udata = voice,
    };
}

static int save_in_child(void *udata, struct child_voice *voice)
{
    struct rdb_progress progress;
    const struct snapshot *snapshot = udata;
    snapshot_progress(snapshot, voice, &progress);
    if (write_file(snapshot, &progress) != STATUS_OK)
        return errno ? errno : EIO;
    return 0;
}

static void note_end(struct snapshot *snapshot, int status)
{
    const struct child *child = &snapshot->child;
    bool saves = !snapshot->guest.job.run || snapshot->guest.saves;
    snapshot->last_took_s = now_s() - snapshot->began_s;
    snapshot->copied_bytes = child->report.copied_bytes;
    const char *what = saves ? "Background saving" : "Background RDB transfer";
    bool done = child_succeeded(child, status, what, saves ? snapshot->file_name : "replicas");
    if (done)
        log_notice("%s terminated with success: %llu keys, %llu MB copied on write", what,
                   (unsigned long long)child->total_keys,
                   (unsigned long long)child->report.copied_bytes >> 20);
    if (!saves)
        return;
    if (done) {
        note_saved(snapshot, snapshot->changes_at_fork);
        return;
    }
    file_drafts_remove(snapshot->file_name);
    snapshot->failed = true;
    snapshot_update_gate(snapshot);
}

static void tell_guest(struct snapshot *snapshot, int status)
{
    const struct child_job job = snapshot->guest.job;
    snapshot->guest = (struct snapshot_guest){ 0 };
    if (job.on_end)
        job.on_end(job.udata, status);
}

static void on_child_end(void *udata, int status)
{
    struct snapshot *snapshot = udata;
    note_end(snapshot, status);
    tell_guest(snapshot, status);
}

// `saves`: a failure to fork is one to save.
static enum status fork_child(struct snapshot *snapshot, const struct child_job *job, bool saves)
{
    struct server *server = snapshot->server;
    snapshot->began_s = now_s();
    snapshot->changes_at_fork = server->changes;
    if (child_begin(&snapshot->child, server, job) == STATUS_OK) {
        log_notice("Background %s started by pid %ld (fork took %llu us)",
                   saves ? "saving" : "RDB transfer", (long)snapshot->child.pid,
                   (unsigned long long)server->stats.fork_us);
        return STATUS_OK;
    }
    log_warning("Can't save in background: fork: %s", strerror(errno));
    snapshot->failed |= saves;
    snapshot_update_gate(snapshot);
    return STATUS_IO;
}

enum status snapshot_begin(struct snapshot *snapshot)
{
    const struct child_job job = {
        .name = "respite-save", .run = save_in_child, .on_end = on_child_end, .udata = snapshot
    };
    if (snapshot->server->child)
        return STATUS_EXISTS;
    snapshot->saves++;
    snapshot->scheduled = false;
    snapshot->last_try_s = now_s();
    return fork_child(snapshot, &job, true);
}

static int run_guest(void *udata, struct child_voice *voice)
{
    const struct snapshot *snapshot = udata;
    return snapshot->guest.job.run(snapshot->guest.job.udata, voice);
}

enum status snapshot_begin_guest(struct snapshot *snapshot, const struct snapshot_guest *guest)
{
    struct child_job job = guest->job;
    if (snapshot->server->child)
        return STATUS_EXISTS;
    job.run = run_guest;
    job.on_end = on_child_end;
    job.udata = snapshot;
    snapshot->guest = *guest;
    snapshot->saves += guest->saves;
    enum status status = fork_child(snapshot, &job, guest->saves);
    if (status != STATUS_OK)
        snapshot->guest = (struct snapshot_guest){ 0 };
    return status;
}

void snapshot_abort(struct snapshot *snapshot)
{
    if (!child_running(&snapshot->child))
        return;
    log_notice("Killing the child that saves, pid %ld", (long)snapshot->child.pid);
    child_kill(&snapshot->child);
    file_drafts_remove(snapshot->file_name);
    tell_guest(snapshot, SIGKILL);
}

void snapshot_drop_guest(struct snapshot *snapshot, bool force)
{
    const struct snapshot_guest *guest = &snapshot->guest;
    if (!guest->job.run || (guest->saves && snapshot->point_count && !force))
        return;
    snapshot->guest = (struct snapshot_guest){ 0 };
    snapshot_abort(snapshot);
}

bool snapshot_running(const struct snapshot *snapshot)
{
    return child_running(&snapshot->child);
}

int64_t snapshot_last_s(const struct snapshot *snapshot)
{
    return snapshot->last_s;
}

// --- When ---------------------------------------------------------------------------------------

static const struct save_point *due_point(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->point_count; i++) {
        const struct save_point *point = &snapshot->points[i];
        if (snapshot->server->changes >= (uint64_t)point->changes &&
            now_s() - snapshot->last_s > point->seconds)
            return point;
    }
    return NULL;
}

// Every tick.
static void save_when_due(void *udata)
{
    struct snapshot *snapshot = udata;
    bool waits = snapshot->failed && now_s() - snapshot->last_try_s <= RETRY_S;
    if (snapshot->server->child || loading_on(snapshot->server->loading) || waits)
        return;
    const struct save_point *point = due_point(snapshot);
    if (!point && !snapshot->scheduled)
        return;
    if (point)
        log_notice("%lld changes in %lld seconds. Saving...", (long long)point->changes,
                   (long long)point->seconds);
    // The log says what fails.
    (void)(snapshot_begin(snapshot) == STATUS_OK);
}

void snapshot_schedule(struct snapshot *snapshot)
{
    snapshot->scheduled = true;
}

void snapshot_flushed(struct snapshot *snapshot, uint64_t changes)
{
    snapshot_abort(snapshot);
    // What is being loaded was flushed long ago; the file may be newer.
    if (!snapshot->point_count || loading_on(snapshot->server->loading))
        return;
    // They wrap, and come to nothing when they are counted.
    if (save_here(snapshot) == STATUS_OK)
        snapshot->server->changes -= changes;
}

// False: the server goes on.
static bool save_at_end(void *udata, unsigned flags)
{
    struct snapshot *snapshot = udata;
    bool wanted = flags & STOP_SAVE || (snapshot->point_count && !(flags & STOP_NOSAVE));
    snapshot_abort(snapshot);
    // What has been loaded so far is no more than a part of the file.
    if (!wanted || loading_on(snapshot->server->loading))
        return true;
    log_notice("Saving the final RDB snapshot before exiting.");
    if (save_here(snapshot) == STATUS_OK)
        return true;
    if (flags & STOP_FORCE) {
        log_warning("Error trying to save the DB. Exit anyway.");
        return true;
    }
    log_warning("Error trying to save the DB, can't exit. SHUTDOWN NOSAVE ends without saving, "
                "SHUTDOWN FORCE even if it fails");
    return false;
}

// --- Gates --------------------------------------------------------------------------------------

static bool writes_or_pings(const struct command *row)
{
    return row->flags & CMD_WRITE || strcmp(row->name, "ping") == 0;
}

static bool refuse_misconf(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_MISCONF_RDB);
    return true;
}

void snapshot_update_gate(struct snapshot *snapshot)
{
    struct server *server = snapshot->server;
    bool shut = snapshot->failed && snapshot->stop_writes && snapshot->point_count;
    server->gates &= ~snapshot->misconf_gate;
    server->gates |= shut ? snapshot->misconf_gate : 0;
}

// --- Making -------------------------------------------------------------------------------------

static void snapshot_free(void *part)
{
    struct snapshot *snapshot = part;
    snapshot_abort(snapshot);
    snapshot_release_config(snapshot);
    snapshot->server->snapshot = NULL;
    mem_free(snapshot, sizeof(*snapshot));
}

void snapshot_register(struct server *server)
{
    struct snapshot *snapshot = mem_alloc_zeroed(sizeof(*snapshot));
    server->snapshot = snapshot;
    snapshot->server = server;
    snapshot->last_took_s = -1;
    snapshot->last_s = now_s();
    snapshot->misconf_gate = registry_add_gate(server->registry, writes_or_pings, refuse_misconf);
    loading_register(server);
    snapshot_register_config(snapshot);
    snapshot_register_info(snapshot);
    cron_add(server->cron, 0, save_when_due, snapshot);
    process_on_stop(server->process, save_at_end, snapshot);
    server_add_part(server, snapshot_free, snapshot);
}

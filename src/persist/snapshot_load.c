// SPDX-License-Identifier: BSD-3-Clause
// Loading the snapshot: at the start, where the loop is turned by hand now and then, and for DEBUG RELOAD.
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "persist/snapshot_internal.h"
#include "server/process.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

// Clients are served so often, and the log is told.
#define SERVE_PERIOD_US UINT64_C(20000)
#define SAY_PERIOD_US   UINT64_C(5000000)

static void say_progress(struct snapshot_load_state *load, uint64_t now_us)
{
    if (now_us - load->said_us < SAY_PERIOD_US)
        return;
    load->said_us = now_us;
    log_notice("Loading the DB: %.1f %% of %.1f MB, %llu keys",
               load->total_bytes ? (double)load->loaded_bytes * 100 / (double)load->total_bytes : 0,
               (double)load->total_bytes / (1 << 20), (unsigned long long)load->keys);
}

static bool on_progress(void *udata, const struct rdb_reader *r, uint64_t keys)
{
    struct snapshot *snapshot = udata;
    struct snapshot_load_state *load = &snapshot->load;
    uint64_t now_us = clock_mono_us_now();
    uint64_t at = rdb_reader_offset(r);
    load->keys = keys;
    load->loaded_bytes = at < load->total_bytes ? at : load->total_bytes;
    say_progress(load, now_us);
    if (!load->serving || now_us - load->served_us < SERVE_PERIOD_US)
        return true;
    clock_update();
    loop_poll(snapshot->server->loop);
    load->served_us = clock_mono_us_now();
    return !process_stopping(snapshot->server->process);
}

static void begin(struct snapshot *snapshot, bool serving)
{
    struct server *server = snapshot->server;
    struct stat file;
    bool there = stat(snapshot->file_name, &file) == 0;
    uint64_t now_us = clock_mono_us_now();
    snapshot->load = (struct snapshot_load_state){
        .on = true,
        .serving = serving,
        .sweep_paused_before = server->keyspace->sweep_paused,
        .began_s = clock_wall_ms() / 1000,
        .began_us = now_us,
        .served_us = now_us,
        .said_us = now_us,
        .total_bytes = there ? (uint64_t)file.st_size : 0,
    };
    server->keyspace->sweep_paused = true;
    server->gates |= snapshot->loading_gate;
}

static void end(struct snapshot *snapshot)
{
    struct server *server = snapshot->server;
    snapshot->load.on = false;
    server->keyspace->sweep_paused = snapshot->load.sweep_paused_before;
    server->gates &= ~snapshot->loading_gate;
}

static void note_loaded(struct snapshot *snapshot, const struct rdb_loaded *loaded)
{
    snapshot->keys_loaded = loaded->keys;
    snapshot->keys_expired = loaded->expired;
    snapshot->used_memory = loaded->used_memory;
    snapshot->server->changes = 0;
    log_notice("DB loaded from disk: %.3f seconds, keys loaded: %llu, keys expired: %llu",
               (double)(clock_mono_us_now() - snapshot->load.began_us) / 1e6,
               (unsigned long long)loaded->keys, (unsigned long long)loaded->expired);
}

static enum status load_file(struct snapshot *snapshot, bool serving, bool merge)
{
    struct server *server = snapshot->server;
    const struct rdb_load_options options = {
        .limits = server->limits,
        .replace = merge,
        .progress = on_progress,
        .udata = snapshot,
    };
    struct rdb_loaded loaded = { 0 };
    char error[RDB_ERROR_TEXT_MAX];
    begin(snapshot, serving);
    enum status status = rdb_load_file(snapshot->file_name, server->keyspace, &options, &loaded,
                                       error);
    if (status == STATUS_OK)
        note_loaded(snapshot, &loaded);
    else if (status == STATUS_INVALID && process_stopping(server->process))
        log_notice("The server was asked to stop while it was loading.");
    else if (status == STATUS_INVALID)
        log_warning("Fatal error loading the DB: %s", error);
    else if (status != STATUS_NOT_FOUND)
        log_warning("Fatal error loading the DB: %s: %s", snapshot->file_name, strerror(errno));
    end(snapshot);
    return status;
}

enum status snapshot_load(struct snapshot *snapshot)
{
    size_t drafts = file_drafts_remove(snapshot->file_name);
    if (drafts)
        log_notice("Removed %zu unfinished files beside '%s'", drafts, snapshot->file_name);
    enum status status = load_file(snapshot, true, false);
    bool stopped = process_stopping(snapshot->server->process);
    return status == STATUS_NOT_FOUND || stopped ? STATUS_OK : status;
}

enum status snapshot_reload(struct snapshot *snapshot, bool merge)
{
    return load_file(snapshot, false, merge);
}

bool snapshot_loading(const struct snapshot *snapshot)
{
    return snapshot->load.on;
}

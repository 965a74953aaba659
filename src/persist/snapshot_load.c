// SPDX-License-Identifier: BSD-3-Clause
// Loading the snapshot: at the start, and for DEBUG RELOAD.
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "persist/loading.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "persist/snapshot_internal.h"
#include "server/server.h"
#include "store/expire.h"
#include "store/keyspace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void note_loaded(struct snapshot *snapshot, const struct rdb_loaded *loaded,
                        uint64_t took_us)
{
    loading_note(snapshot->server->loading, loaded);
    snapshot->server->changes = 0;
    log_notice("DB loaded from disk: %.3f seconds, keys loaded: %llu, keys expired: %llu",
               (double)took_us / 1e6, (unsigned long long)loaded->keys,
               (unsigned long long)loaded->expired);
}

static enum status load_file(struct snapshot *snapshot, bool serving, bool merge)
{
    struct server *server = snapshot->server;
    struct rdb_load_options options = {
        .limits = server->limits,
        .replace = merge,
        .keep_expired = server->keyspace->expire_passively & EXPIRE_PASSIVELY_REPLICA,
    };
    struct rdb_loaded loaded = { 0 };
    struct stat file;
    char error[RDB_ERROR_TEXT_MAX];
    uint64_t began_us = clock_mono_us_now();
    bool there = stat(snapshot->file_name, &file) == 0;
    loading_follow(server->loading, &options);
    loading_begin(server->loading, there ? (uint64_t)file.st_size : 0, serving);
    enum status status = rdb_load_file(snapshot->file_name, server->keyspace, &options, &loaded,
                                       error);
    if (status == STATUS_OK)
        note_loaded(snapshot, &loaded, clock_mono_us_now() - began_us);
    else if (status == STATUS_INVALID && loading_stopped(server->loading))
        log_notice("The server was asked to stop while it was loading.");
    else if (status == STATUS_INVALID)
        log_warning("Fatal error loading the DB: %s", error);
    else if (status != STATUS_NOT_FOUND)
        log_warning("Fatal error loading the DB: %s: %s", snapshot->file_name, strerror(errno));
    loading_end(server->loading);
    return status;
}

enum status snapshot_load(struct snapshot *snapshot)
{
    size_t drafts = file_drafts_remove(snapshot->file_name);
    if (drafts)
        log_notice("Removed %zu unfinished files beside '%s'", drafts, snapshot->file_name);
    enum status status = load_file(snapshot, true, false);
    bool stopped = loading_stopped(snapshot->server->loading);
    return status == STATUS_NOT_FOUND || stopped ? STATUS_OK : status;
}

enum status snapshot_reload(struct snapshot *snapshot, bool merge)
{
    return load_file(snapshot, false, merge);
}

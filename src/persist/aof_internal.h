// SPDX-License-Identifier: BSD-3-Clause
// The append-only file, for the files that make it: the state and the turn (aof.c), the folder (aof_files.c),
// rewriting (aof_rewrite.c), INFO and directives (aof_settings.c).
#pragma once

#include "base/list.h"
#include "persist/aof.h"
#include "persist/aof_log.h"
#include "persist/aof_manifest.h"
#include "persist/child.h"
#include "persist/rdb_save.h"

#include <limits.h>

struct config_error;
struct loop_timer;

enum aof_state {
    AOF_OFF,
    AOF_FIRST,  // turned on at run time: promises nothing before its first base is there
    AOF_ON,
};

struct aof_config {
    bool enabled;
    int fsync;  // enum aof_fsync
    char *folder;
    char *stem;
    bool no_sync_on_rewrite;
    bool timestamps;
    bool rdb_preamble;
    bool incremental_sync;
    bool keep_history;
    bool load_truncated;
    int64_t corrupt_tail_bytes;
    int64_t rewrite_percent;
    int64_t rewrite_min_bytes;
};

struct aof_rewriting {
    struct child child;
    char path[PATH_MAX];  // of the base that it writes
    bool of_commands;     // which is no RDB file
    bool wanted;          // as soon as nothing stands in the way
    bool starting;        // now, once the file that is open is on the disk
    int syncs;            // begun for that
    bool detached;        // the manifest doesn't know the file that is being written
    int64_t began_s;      // monotonic
    int64_t last_s;       // how long the last one took; -1
    bool last_failed;
    uint64_t count;         // that were begun
    uint64_t copied_bytes;  // by the last child, or its parent while it was there
    uint64_t failures;      // in a row
    int64_t retry_s;        // not before, by itself
};

// With `always`: who shares a sync. A writer whose reply has gone out is about to write again. If all those whom one sync
// has freed come back in less time than a sync takes, it pays to wait for them; else they would be two groups
// that take turns. Whether they do shows when it is tried.
struct aof_group {
    size_t waiting;  // when the last sync was done, for the next one
    size_t freed;    // by the last one; 0: the next one has begun
    unsigned pause;  // after the last attempt in vain, in syncs
    unsigned skip;   // left of it
};

struct aof {
    struct server *server;
    const struct aof_calls *calls;
    struct aof_config config;
    enum aof_state state;
    struct aof_log *log;  // NULL while it is off
    struct aof_manifest manifest;
    bool is_sink;
    bool is_behind;   // the log is: writes wait
    bool needs_base;  // the files that there are lack something: only a new base helps
    int lost_error;   // why
    struct aof_rewriting rewriting;
    struct aof_group group;
    struct loop_timer *alarm;
    bool alarm_is_set;
    uint64_t base_bytes;    // of the base and the files behind it, when it was made
    uint64_t old_bytes;     // of all files but the open one
    uint64_t delayed;       // how often effects had to wait for the disk
    int64_t stamped_s;      // the last time stamp
    struct list waiters;    // for the disk: commands of server/block.h
    uint64_t waiters_told;  // how far it was then, plus one; 0: nowhere
    uint32_t misconf_gate;
    uint32_t busy_gate;
};

// --- aof.c
// All that follows from what the log has come to: gates, waiting replies, a rewrite that has to begin.
void aof_settle(struct aof *aof);
// Becomes a sink of the effects, or ceases to be one.
void aof_listen(struct aof *aof, bool on);
MUST_CHECK enum status aof_open_log(struct aof *aof);
MUST_CHECK bool aof_turn_on(struct aof *aof, struct config_error *error);
void aof_turn_off(struct aof *aof);
void aof_apply_fsync(struct aof *aof);

// --- aof_files.c
// "<folder>/<name>". False: too long (errno).
MUST_CHECK bool aof_path(const struct aof *aof, const char *name, char out[PATH_MAX]);
MUST_CHECK enum status aof_make_folder(const struct aof *aof);
// STATUS_NOT_FOUND: there is none; others: the log says why.
MUST_CHECK enum status aof_read_manifest(struct aof *aof);
MUST_CHECK enum status aof_write_manifest(const struct aof *aof,
                                          const struct aof_manifest *manifest);
// Deletes the history's files and forgets them, unless it is to be kept.
void aof_delete_history(struct aof *aof);
// Makes an empty file, in place of one that is there: emptying that one would not be on the disk before it is
// synced itself, and until then its old bytes may be back after a power cut. False: errno.
MUST_CHECK bool aof_make_empty(const struct aof *aof, const char *name);
// Reads the files that the manifest names, or makes the first ones; the log is open then.
MUST_CHECK enum status aof_load_files(struct aof *aof);
// Reads the files that the manifest names once more, while the log goes on: nothing is cut off.
MUST_CHECK enum status aof_load_again(struct aof *aof);

// --- aof_rewrite.c
// Once a turn, and every tick.
void aof_rewrite_turn(struct aof *aof);
void aof_rewrite_cron(struct aof *aof);
void aof_rewrite_abort(struct aof *aof);
// Writes the data set to the file, as a base. STATUS_IO: errno.
MUST_CHECK enum status aof_write_base(const struct aof *aof, const char *path, bool of_commands,
                                      const struct rdb_progress *progress);

// --- aof_settings.c
void aof_register_settings(struct aof *aof);

// SPDX-License-Identifier: BSD-3-Clause
// Snapshots: who saves the data set when, and loading it at the start.
//
// SAVE writes in the loop; BGSAVE forks, and the child walks its own copy of the data in hash order, tells
// through a pipe how far it is, and ends; `save` points ask for it from cron.
#pragma once

#include "persist/child.h"

struct rdb_about;
struct rdb_progress;
struct server;
struct snapshot;

// Before the commands: makes server->snapshot, which is freed with the server, and registers directives (save,
// dbfilename, rdbcompression, rdbchecksum, ...), INFO persistence, cron jobs, what is to be done at the end,
// and the gate MISCONF; and loading_register().
void snapshot_register(struct server *server);

// At start-up: who says of which history the data are a state (the fields of rdb_about, which stay valid while the
// server lives).
void snapshot_describe_by(struct snapshot *snapshot,
                          void (*describe)(void *udata, struct rdb_about *about), void *udata);

// How data sets are to be written (rdbcompression, rdbchecksum, ...), and what they say of the history: for others
// who write some.
void snapshot_style(const struct snapshot *snapshot, struct rdb_about *out);

// In a child that writes a data set: how it tells its parent (child_tell()).
void snapshot_progress(const struct snapshot *snapshot, struct child_voice *voice,
                       struct rdb_progress *out);

// STATUS_EXISTS: a child is saving already; for the second one, any child is at work. STATUS_IO: the log says why.
MUST_CHECK enum status snapshot_save(struct snapshot *snapshot);
MUST_CHECK enum status snapshot_begin(struct snapshot *snapshot);

// BGSAVE SCHEDULE: as soon as nothing stands in the way.
void snapshot_schedule(struct snapshot *snapshot);

// Ends a child that is saving; waits for it.
void snapshot_abort(struct snapshot *snapshot);

bool snapshot_running(const struct snapshot *snapshot);

// A child of somebody else's that writes a data set for others (replicas). It counts as one that saves: INFO shows it,
// there is no other meanwhile, and what ends such a child ends it, too.
struct snapshot_guest {
    // Its `on_end` is called even if it is ended by force, with the status of a process that was killed.
    struct child_job job;
    bool saves;  // it begins with snapshot_write(), and what it does is a save if it succeeds
};

// STATUS_EXISTS, STATUS_IO: as snapshot_begin().
MUST_CHECK enum status snapshot_begin_guest(struct snapshot *snapshot,
                                            const struct snapshot_guest *guest);

// Nobody wants to have it any more: it is ended by force, and its `on_end` is not called. One that saves goes on where there
// are save points, unless `force`.
void snapshot_drop_guest(struct snapshot *snapshot, bool force);

// In the child: writes the file. STATUS_IO: errno is set.
MUST_CHECK enum status snapshot_write(const struct snapshot *snapshot,
                                      const struct rdb_about *about,
                                      const struct rdb_progress *progress);

const char *snapshot_file_name(const struct snapshot *snapshot);

// Unix time of the last one that was complete, or of the start.
int64_t snapshot_last_s(const struct snapshot *snapshot);

// DEBUG RELOAD: the same as SAVE in the place of a child that is saving, not counted by INFO.
MUST_CHECK enum status snapshot_save_aside(struct snapshot *snapshot);

// All data has been deleted: what a child is saving is old, and with save points the file is as well. `changes` of the
// command that deleted it, which are still to be counted, are in the file.
void snapshot_flushed(struct snapshot *snapshot, uint64_t changes);

// At the start: loads the file if there is one, and serves clients that need no data meanwhile.
// STATUS_INVALID, STATUS_IO: the log says why; the server must not start. STATUS_OK as well if the server
// was asked to stop meanwhile.
MUST_CHECK enum status snapshot_load(struct snapshot *snapshot);

// DEBUG RELOAD: the same from inside of a command; nobody is served. `merge`: keys that are there
// already are replaced, else they are a failure.
MUST_CHECK enum status snapshot_reload(struct snapshot *snapshot, bool merge);

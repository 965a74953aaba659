// SPDX-License-Identifier: BSD-3-Clause
// Snapshots: who saves the data set when, and loading it at the start.
//
// SAVE writes in the loop; BGSAVE forks, and the child walks its own copy of the data in hash order, tells
// through a pipe how far it is, and ends; `save` points ask for it from cron.
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct snapshot;

// Registers directives (save, dbfilename, dir, rdbcompression, rdbchecksum, rdb-save-incremental-fsync,
// stop-writes-on-bgsave-error, ...), INFO persistence, cron jobs, the gates MISCONF and LOADING.
struct snapshot *snapshot_new(struct server *server);
void snapshot_free(struct snapshot *snapshot);

// STATUS_EXISTS: a child is saving already. STATUS_IO: the log says why.
MUST_CHECK enum status snapshot_save(struct snapshot *snapshot);
MUST_CHECK enum status snapshot_begin(struct snapshot *snapshot);

// BGSAVE SCHEDULE: as soon as nothing stands in the way.
void snapshot_schedule(struct snapshot *snapshot);

// Ends a child that is saving; waits for it.
void snapshot_abort(struct snapshot *snapshot);

bool snapshot_running(const struct snapshot *snapshot);

// Unix time of the last one that was complete.
int64_t snapshot_last_s(const struct snapshot *snapshot);

// Whether SHUTDOWN without an argument saves.
bool snapshot_has_points(const struct snapshot *snapshot);

// At the start: loads the file if there is one. STATUS_INVALID, STATUS_IO: the log says why; the server must
// not start.
MUST_CHECK enum status snapshot_load(struct snapshot *snapshot);

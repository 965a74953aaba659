// SPDX-License-Identifier: BSD-3-Clause
// The append-only file: a sink of the effect stream that keeps every write, and is read at the start.
//
//   <dir>/<appenddirname>/<appendfilename>.manifest        which files, in which order
//                         <appendfilename>.N.base.rdb      the data as of some moment
//                         <appendfilename>.N.incr.aof      the effects since, one file or more
//
// What `appendfsync` promises for a write whose reply has been sent: `always`: it survives a power cut.
// `everysec`, `no`: it survives the end of the process, unless the disk is so busy that a sync is under way, and
// then for a moment; everysec: at most about a second of writes, or two if the disk is slow, is lost with the power.
//
// While writing fails, or a sync has failed, writes are refused (MISCONF) and reads are answered. A failed write is
// tried again; after a failed sync the file is written anew.
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct aof;
struct aof_calls;
struct cmd_ctx;
struct server;

// Registers directives, INFO fields, gates and a cron job. `calls` are those to write with.
struct aof *aof_new(struct server *server, const struct aof_calls *calls);
// Ends a child that rewrites, and drops what has not been written: aof_stop() comes first.
void aof_free(struct aof *aof);

// At the start, with empty databases: with `appendonly yes` reads the files, and serves clients that need no data
// meanwhile, or makes them if there are none. STATUS_IO, STATUS_INVALID: the log says why; the server must not start.
// STATUS_OK as well if the server was asked to stop meanwhile.
MUST_CHECK enum status aof_start(struct aof *aof);

// At the end: writes and syncs everything, and sends the replies that waited for it. STATUS_IO: not all of it is
// on the disk; the log says why.
MUST_CHECK enum status aof_stop(struct aof *aof);

bool aof_is_on(const struct aof *aof);

// DEBUG LOADAOF: writes and syncs everything, deletes all data, and reads the files again. STATUS_NOT_FOUND: it is
// off; STATUS_AGAIN: the files are not whole now (within a transaction, or they wait for a base); STATUS_IO: writing
// failed; all three change nothing. STATUS_INVALID: the files can't be read, the log says why, and the databases
// have some of the data only: they must not be used.
MUST_CHECK enum status aof_reload(struct aof *aof);

// Begins to write the file anew, in a child. STATUS_AGAIN: it is to be done as soon as nothing stands in the
// way (another child, a transaction); STATUS_EXISTS: it is being done; STATUS_IO: the log says why not.
MUST_CHECK enum status aof_rewrite(struct aof *aof);
bool aof_rewriting(const struct aof *aof);

// All data has been replaced by other data, which the files know nothing of: what was acknowledged of the old data is put
// on the disk, and the files stay as they are, the old data set as of now, until a new base is there, as if
// the file had been turned on at run time. That begins in a later turn, and is tried until it succeeds; a process that dies before
// begins with the old data. Between turns. Nothing happens while it is off, but that a base which is being written is
// given up.
void aof_begin_anew(struct aof *aof);

// Whether the effects up to this offset of the stream are on the disk, whatever `appendfsync` says.
bool aof_is_synced(const struct aof *aof, uint64_t offset);

// For a command that waits for aof_is_synced(): it is run again whenever more of it is, or never will be because
// the file has been turned off. While somebody waits the file is synced once a second with `appendfsync no`, too.
void aof_wait(struct cmd_ctx *ctx, int64_t timeout_ms);

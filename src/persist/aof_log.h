// SPDX-License-Identifier: BSD-3-Clause
// The open end of an append-only file: what is buffered, written and synced of it.
//
//   append -> pending -> writing -> the file -> the disk
//             (memory)  (in a job)  (written)   (synced)
//
// A position in the stream of effects is a mark. The loop says once a turn which mark all that was appended
// reaches; written and synced marks follow. All calls are the loop's; two threads do what may block:
//
// always    the syncer writes and syncs, one job at a time: what comes meanwhile shares the next sync. That one may
//           wait a moment for those whose replies the last one has set free: they are about to write again
// everysec  the loop writes, once a turn; the syncer syncs once a second. While it does, a write by the loop
//           could wait for the disk, so that the writer thread writes
// no        as everysec, without syncs
//
// When `always` ends, what was appended under it is still synced, and counts as durable only then.
//
// An error of write() leaves the file as it was at the end of the last turn that was written whole (a torn tail is
// cut off), keeps the bytes, and tries again. After an error of fdatasync() nobody knows what the disk has of
// the file, and the kernel will not try those pages again: the file is lost (aof_log_lost()), nothing
// more is written to it.
#pragma once

#include "base/status.h"
#include "persist/aof_worker.h"

#include <stdbool.h>
#include <stdint.h>

// In Redis's order of names.
enum aof_fsync { AOF_FSYNC_EVERYSEC, AOF_FSYNC_ALWAYS, AOF_FSYNC_NO };

struct aof_log;
struct loop;

// A thread that has done something wakes the loop. NULL: no threads (errno).
struct aof_log *aof_log_new(struct loop *loop, const struct aof_calls *calls);
// Closes the file without writing what is pending.
void aof_log_free(struct aof_log *log);

void aof_log_set_fsync(struct aof_log *log, enum aof_fsync fsync);
// no-appendfsync-on-rewrite: nothing is synced while this holds, and counts as if it were.
void aof_log_suspend_sync(struct aof_log *log, bool suspended);

// Opens a file at its end; with `anew` it is made, or emptied. Marks begin at `mark`. Nothing may be open.
// STATUS_IO: errno is set.
MUST_CHECK enum status aof_log_open(struct aof_log *log, const char *path, bool anew,
                                    uint64_t mark);

// Whether a thread is at work, or has something to do first: aof_log_rotate() would have to wait.
bool aof_log_is_busy(struct aof_log *log);

// Goes on in a new file from here: all that was appended is written to the old one, which is synced and closed in
// its time. STATUS_AGAIN: a thread is at work, ask again in each turn until it is done: no sync begins meanwhile;
// STATUS_IO: the old file stays.
MUST_CHECK enum status aof_log_rotate(struct aof_log *log, const char *path, uint64_t mark);

// The same, but what has not been written yet is forgotten, and so are the errors: the next base has it.
MUST_CHECK enum status aof_log_restart(struct aof_log *log, const char *path, uint64_t mark);

// Adds bytes of a whole command, or of a part of a transaction.
void aof_log_append(struct aof_log *log, struct slice bytes);

// Takes what the threads have done.
void aof_log_collect(struct aof_log *log);

// Once a turn: all that was appended reaches `mark`. Writes and syncs as the policy says. `expects_more`: with
// `always`, the next sync had better wait for writers who are about to come; it does for as long as the last one
// took, and at most 2 ms.
void aof_log_turn(struct aof_log *log, uint64_t mark, bool expects_more);

// Whether a sync waits for writers: turns are wanted every ms or so, even if nobody comes.
bool aof_log_is_gathering(const struct aof_log *log);

// Writes and syncs everything, waiting for it. STATUS_IO: not all of it is on the disk.
MUST_CHECK enum status aof_log_finish(struct aof_log *log, uint64_t mark);

// Closes the file; what is pending is forgotten.
void aof_log_close(struct aof_log *log);

// Whether effects should wait: with `everysec`, what has not been written is a second old or takes 64 MiB,
// because the disk is busy.
bool aof_log_is_behind(const struct aof_log *log);

uint64_t aof_log_written_mark(const struct aof_log *log);
uint64_t aof_log_synced_mark(const struct aof_log *log);
// What may be acknowledged; UINT64_MAX: everything, as nothing that `always` has promised is open.
uint64_t aof_log_reply_mark(const struct aof_log *log);
// What is on the disk whatever the policy is; a sync that was left out does not count.
uint64_t aof_log_durable_mark(const struct aof_log *log);
// Somebody waits for that: syncs once a second with `no`, too.
void aof_log_want_sync(struct aof_log *log, bool wanted);
// The next sync is due now, under any policy.
void aof_log_sync_now(struct aof_log *log);

// Bytes in the file that is open.
uint64_t aof_log_size(const struct aof_log *log);

// The errno of the last write(), 0: it succeeded.
int aof_log_write_error(const struct aof_log *log);
// The errno of the sync that failed, 0: none did.
int aof_log_lost(const struct aof_log *log);

size_t aof_log_buffered(const struct aof_log *log);
bool aof_log_syncing(const struct aof_log *log);

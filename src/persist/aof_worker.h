// SPDX-License-Identifier: BSD-3-Clause
// A thread that does for the append-only file what may block: write, fdatasync, unlink.
//
// One job at a time. The loop gives one, goes on, and is rung when it is done; it then takes the result. The
// bytes of a job stay where they are until then. A worker touches nothing but its job.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct aof_worker;
struct loop_async;

// The calls that files are written with: the system's, or a test's.
struct aof_calls {
    ssize_t (*write)(int fd, const void *bytes, size_t len);
    int (*sync)(int fd);
    int (*truncate)(int fd, off_t len);
};
extern const struct aof_calls aof_system_calls;

// In this order; after an error the rest is left out, but for the closing and unlinking.
struct aof_job {
    int retired;  // a file that nobody writes to any more, to be synced and closed; or -1
    int fd;
    struct slice bytes;  // for fd; may be empty
    bool sync;           // fd
    char *unlinked;      // a path, owned by the worker once it has the job; or NULL
};

struct aof_done {
    size_t written;
    int write_error;  // errno, 0: none
    int sync_error;
    uint64_t us;  // that it took
};

// Writes all of it, as far as there is no error.
void aof_write_all(const struct aof_calls *calls, int fd, struct slice bytes,
                   struct aof_done *done);

// Starts the thread, which rings `bell` when a job is done. NULL: there is none (errno).
struct aof_worker *aof_worker_new(const struct aof_calls *calls, struct loop_async *bell);

// Waits for the job and ends the thread.
void aof_worker_free(struct aof_worker *worker);

// Gives a job to one that has none.
void aof_worker_begin(struct aof_worker *worker, const struct aof_job *job);

// Whether it has a job whose result has not been taken.
bool aof_worker_busy(const struct aof_worker *worker);

// True: the job is done, and this is its result. With `wait` it waits until then.
bool aof_worker_take(struct aof_worker *worker, bool wait, struct aof_done *done);

// SPDX-License-Identifier: BSD-3-Clause
// A forked child that works on its own copy of the data and tells through a pipe how far it is.
//
// The child has none of the server's descriptors but the log's and those that its job names, so that nobody's
// connection stays open because of it; it has the default signals, a low priority, and ends with its parent. It runs `job`, which only
// reads the data, and leaves with _exit(). The parent hears of its end by the pipe's.
//
// There is one child at a time, whoever wants it: server->child.
#pragma once

#include "base/status.h"
#include "net/readable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server;

// What a child tells. One that has not said `finished` was killed, or crashed.
struct child_report {
    uint64_t keys;          // that it has written
    uint64_t copied_bytes;  // of memory, because it or its parent has written to it
    int32_t error;          // errno of its failure, or 0
    int32_t finished;
};

// Inside the child: its end of the pipe, and when it has spoken.
struct child_voice {
    int fd;
    struct child_report report;
    uint64_t told_us;
    uint64_t measured_us;
    uint64_t measuring_us;  // that it took
    int64_t key_delay_us;   // for tests: that it takes for each key
};

// Runs in the child: 0, or the errno of its failure.
typedef int (*child_job_fn)(void *udata, struct child_voice *voice);

// Runs in the parent when the child is gone: status as of waitpid().
typedef void (*child_end_fn)(void *udata, int status);

// What it is there for.
struct child_job {
    const char *name;  // of the process
    child_job_fn run;
    child_end_fn on_end;
    void *udata;     // of both
    const int *fds;  // that it keeps; needed while it is begun
    size_t fd_count;
};

struct child {
    struct server *server;
    pid_t pid;  // 0: there is none
    int fd;
    struct readable readable;
    struct child_report report;  // the last one
    int64_t report_ms;           // when the memory in it was new
    uint64_t total_keys;         // that there are for it to write
    uint64_t copied_peak_bytes;  // the most that it has reported
    child_end_fn on_end;
    void *udata;
};

// Forks; the job's `on_end` is called by the loop. STATUS_EXISTS: the server has a child already; STATUS_IO: errno is
// set.
MUST_CHECK enum status child_begin(struct child *child, struct server *server,
                                   const struct child_job *job);

static inline bool child_running(const struct child *child)
{
    return child->pid != 0;
}

// For on_end: whether it has done its job. If not, the log says why not: "<what> ...", with the file it was to write.
bool child_succeeded(const struct child *child, int status, const char *what, const char *file);

// Ends it by force and waits for it; `on_end` is not called.
void child_kill(struct child *child);

// In the child, as often as it likes: tells the parent, ten times a second at most.
void child_tell(struct child_voice *voice, uint64_t keys);

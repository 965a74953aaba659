// SPDX-License-Identifier: BSD-3-Clause
// What the child does that sends a data set to replicas: encodes it once and writes it into all their sockets.
//
// It waits for the slowest of them; one that is broken, or takes nothing for repl-timeout, is given up, and the others
// get the rest. What became of each of them it notes in memory that it shares with its parent.
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct child_voice;
struct repl;

enum sync_form {
    SYNC_STREAM,  // straight into the sockets, with a mark behind it
    SYNC_EMPTY,   // the same without data
    SYNC_FILE,    // the snapshot's file is written first, and sent with its length ahead
};

// One replica. Written by the child alone.
struct sync_outcome {
    _Atomic uint64_t sent_bytes;
    _Atomic int served;  // all of it has been taken by its socket
};

struct sync_job {
    const struct repl *repl;
    enum sync_form form;
    size_t count;
    size_t cap;
    int *fds;
    struct sync_outcome *outcomes;
};

// For up to `cap` replicas; the caller puts their sockets into `fds`, and says how many there are. STATUS_IO: errno is
// set.
MUST_CHECK enum status sync_job_init(struct sync_job *job, const struct repl *repl,
                                     enum sync_form form, size_t cap);
// All zero is fine.
void sync_job_release(struct sync_job *job);

// In the child: 0 if all that are left have got everything, or at least the file is on the disk; else an errno.
int sync_job_run(const struct sync_job *job, struct child_voice *voice);

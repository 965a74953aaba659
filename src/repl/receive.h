// SPDX-License-Identifier: BSD-3-Clause
// The data set that a primary sends, behind its FULLRESYNC: read from the socket into databases aside, while the ones
// that there are answer.
#pragma once

#include "repl/repl_internal.h"

enum receive_result {
    RECEIVE_DONE,     // the databases have what the primary has, and nothing of what was there
    RECEIVE_BROKEN,   // everything is as before; the log says why
    RECEIVE_REFUSED,  // the same: the primary is empty, has another history, and we have data
    RECEIVE_STOPPED,  // the same: the server is to stop, or receive_stop() has been called
};

struct receive {
    struct repl *repl;
    int fd;  // non-blocking; nothing behind the FULLRESYNC line has been read yet. The caller's
    bool
        accepts_empty;  // an administrator has said REPLICAOF, or the history is one of ours: no refusal
    int selected_db;  // out: that the stream behind it is in
    // Figures for INFO (master_sync_*), 0 before they are known.
    uint64_t total_bytes;  // 0: EOF-marked
    uint64_t read_bytes;
    int64_t last_io_ms;  // monotonic
    bool stopped;
};

// From outside of any turn of the loop (loop_later()), which is turned by hand meanwhile: clients are served, with the old
// data. Whatever a client does then, `receive` stays valid until it returns.
enum receive_result receive_run(struct receive *receive);

// From inside a turn: receive_run() returns RECEIVE_STOPPED soon.
void receive_stop(struct receive *receive);

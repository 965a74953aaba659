// SPDX-License-Identifier: BSD-3-Clause
// Reading an append-only file: an RDB part, if it begins with one, and then commands, run one after the other.
//
// Commands are run by a client of the loader's own: no replies, no gates, no effects. No key's time comes
// meanwhile: what has expired since was alive when the commands ran. A transaction is run when its EXEC has been
// read, or not at all.
#pragma once

#include "base/status.h"
#include "persist/history.h"

#include <stdbool.h>
#include <stdint.h>

struct aof_reader;
struct command_entry;
struct registry;
struct server;

#define AOF_ERROR_TEXT_MAX 512

struct aof_load_options {
    bool is_last;  // nothing follows it: its tail may be torn
    bool
        cut_truncated;  // aof-load-truncated: what is left of the last command, or transaction, is cut off
    uint64_t
        cut_tail_max;  // aof-load-corrupt-tail-max-size: a tail of garbage, too, up to so many bytes
};

struct aof_loaded {
    uint64_t keys;  // of the RDB part
    uint64_t commands;
    uint64_t failed;  // commands that replied with an error
    uint64_t size;    // of the file, once it was cut
    uint64_t cut_bytes;
    int selected_db;         // at its end
    struct history history;  // that the data are a state of then; "" if the file doesn't tell
};

// Runs what the file holds. What is cut off is kept beside it (aof_cut.h). STATUS_NOT_FOUND, STATUS_IO,
// STATUS_INVALID: `error` says why, with the file and the offset; what was read up to there is in the keyspace.
MUST_CHECK enum status aof_load_file(struct server *server, const char *path,
                                     const struct aof_load_options *options, struct aof_loaded *out,
                                     char error[AOF_ERROR_TEXT_MAX]);

// The command that was read, or NULL if no server can have written it, which the reader's reason then says: it is
// unknown, has a wrong number of words, does not write, or selects a database that does not exist.
struct command_entry *aof_vet(struct aof_reader *r, const struct registry *registry, int db_count);

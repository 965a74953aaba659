// SPDX-License-Identifier: BSD-3-Clause
// Of which history of writes the data are a state, and where in it: what files say so that a restart can go on from
// there with a partial sync.
//
// An RDB file says it in its aux fields (repl-id, repl-offset, repl-stream-db). An append-only file grows, so it says it
// at a planned end only, in a comment behind the last command: "#REPL:<id>:<offset>:<db>". Readers of the format
// skip comments; here the line counts if nothing follows it.
#pragma once

#include "base/bytes.h"
#include "server/server.h"

#include <stdbool.h>
#include <stdint.h>

struct history {
    char id[RUN_ID_LEN + 1];  // "": not known
    int64_t offset;           // bytes of its stream so far
    int selected_db;          // that the stream is in
};

// The line, with its end.
void history_append_line(const struct history *history, struct bytes *out);

// False: the line (without its end) is another comment.
bool history_parse_line(struct slice line, struct history *out);

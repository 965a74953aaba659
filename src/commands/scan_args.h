// SPDX-License-Identifier: BSD-3-Clause
// What SCAN, HSCAN, SSCAN and ZSCAN have in common: their arguments, how far one call goes, and their
// reply.
#pragma once

#include "resp/writer.h"
#include "server/ctx.h"

struct scan {
    struct cmd_ctx *ctx;
    uint64_t cursor;
    int64_t count;
    struct slice pattern;
    bool all;         // no pattern, or "*"
    int64_t visited;  // elements that were looked at; counted by the caller
    size_t emitted;   // elements of the reply
};

// All but the arguments.
struct scan scan_of(struct cmd_ctx *ctx);

void scan_set_pattern(struct scan *scan, struct slice pattern);

// The cursor at argument `i`. False: it is none, the error has been replied.
bool scan_arg_cursor(struct scan *scan, uint32_t i);

// Reads COUNT or MATCH with its value at argument `i`: 2 arguments. 0: it is neither. -1: the value is
// wrong, the error has been replied.
int scan_arg_option(struct scan *scan, uint32_t i);

// Whether the element matches the pattern.
bool scan_matches(const struct scan *scan, struct slice text);

// Takes steps until the scan is over or has visited enough: `step` makes one from a cursor, emits into the
// reply and returns the next cursor. Then replies: the cursor, and what was emitted.
void scan_run(struct scan *scan, uint64_t (*step)(struct scan *scan, uint64_t cursor, void *udata),
              void *udata);

// The reply of a scan that finds nothing.
void scan_reply_nothing(struct cmd_ctx *ctx);

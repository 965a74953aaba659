// SPDX-License-Identifier: BSD-3-Clause
// The slow log: the last commands that took longer than slowlog-log-slower-than.
//
// A command that isn't slow costs a compare (dispatch), and nothing is allocated for it. Of a slow one
// the first 32 arguments are kept, of each the first 128 bytes, all in one block.
#pragma once

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define SLOWLOG_ARGS_MAX      32
#define SLOWLOG_ARG_BYTES_MAX 128

struct cmd_ctx;
struct server;
struct slowlog;

struct slowlog_entry {
    uint64_t id;
    int64_t time_s;  // Unix time
    uint64_t duration_us;
    struct slice client_address;
    struct slice client_name;
    uint32_t argc;
    struct slice argv[];
};

// Registers slowlog-log-slower-than and slowlog-max-len.
struct slowlog *slowlog_new(struct server *server);
void slowlog_free(struct slowlog *slowlog);

// From how many us on a command is slow; UINT64_MAX: none is.
uint64_t slowlog_threshold_us(const struct slowlog *slowlog);

// Takes the command in if it is slow, and drops the oldest beyond slowlog-max-len.
void slowlog_note(struct slowlog *slowlog, const struct cmd_ctx *ctx, uint64_t duration_us);

size_t slowlog_len(const struct slowlog *slowlog);
void slowlog_reset(struct slowlog *slowlog);

// Calls `emit` for the newest `count` entries, newest first.
typedef void (*slowlog_emit_fn)(const struct slowlog_entry *entry, void *udata);
void slowlog_each(const struct slowlog *slowlog, size_t count, slowlog_emit_fn emit, void *udata);

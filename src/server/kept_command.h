// SPDX-License-Identifier: BSD-3-Clause
// A command kept beyond its batch, to be run later: by a blocking command that waits, or by EXEC.
//
// Its words, its keys with their hashes and, where it came as one contiguous RESP array, its bytes are copied
// into room that the owner provides, as a part of its own allocation. Large arguments that arrived apart
// are taken over, not copied.
#pragma once

#include "server/ctx.h"

#include <stddef.h>
#include <stdint.h>

struct incoming;

struct kept_command {
    struct command_entry *command;
    struct slice *argv;
    struct key *keys;
    uint32_t argc;
    uint32_t key_count;
    struct slice raw;  // empty: it did not come as one array
    struct incoming *incoming;
};

// How much room the command needs.
size_t kept_command_bytes(const struct cmd_ctx *ctx);

// Keeps it. `room` is aligned as for any pointer.
void kept_command_init(struct kept_command *kept, struct cmd_ctx *ctx, void *room);

// Lets go of what was taken over.
void kept_command_release(struct kept_command *kept);

// Bytes that it holds besides its room.
size_t kept_command_memory(const struct kept_command *kept);

// To run it: in the client's database, with its reply in `out`. Large arguments are lent to the context.
struct cmd_ctx kept_command_context(const struct kept_command *kept, struct client *client,
                                    struct outq *out);

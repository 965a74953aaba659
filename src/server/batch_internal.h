// SPDX-License-Identifier: BSD-3-Clause
// The batch, for the two files that make it: reading (batch_input.c) and running (batch.c).
#pragma once

#include "base/list.h"
#include "net/arena.h"
#include "net/loop.h"
#include "resp/parser.h"
#include "server/batch.h"
#include "server/ctx.h"

// Commands and keys that are in flight between parsing and execution.
#define BATCH_COMMANDS 64
#define BATCH_KEYS     128

struct batch {
    struct loop_waker waker;
    struct server *server;
    struct arena arena;
    struct list ready;     // clients with input that has not been looked at
    struct list settling;  // clients whose input is used up or incomplete
    struct list deferred;  // clients that have had their turn and have more
    struct list behind;    // clients that have more behind a barrier
    struct list gated;     // clients whose next command waits at a gate
    struct resp_argv argv;
    struct key *keys;
    size_t key_count;
    size_t key_cap;
    unsigned count;
    unsigned elements;  // commands that name an element to be fetched
    const struct cmd_ctx *running;
    struct cmd_ctx commands[BATCH_COMMANDS];
};

// Keeps what is left of the client's input where it can stay, or lets the buffer go. Slices of
// commands that were taken from it must not be needed any more, unless something is left in a buffer
// of the client's own.
void batch_settle(struct client *client);

// Prefetches what the batch's commands will read first of large collections; the entries are there, and
// nothing has been run yet.
void batch_look_ahead(const struct batch *batch);

// The command is not complete: if it waits in a large argument, that one is received apart.
void batch_begin_incoming(struct client *client);

// SPDX-License-Identifier: BSD-3-Clause
// Blocking commands: clients that wait until something lies under one of their keys.
//
// A handler that finds nothing says block_on_keys(). The command is kept, and run again, by the same
// handler, once one of its keys has been written and then holds a value of the type it waits for. Clients
// are served per key in the order in which they came, right after the command that wrote the key and
// before any client's next one. What a client sends meanwhile waits (server/batch.h).
//
// Nothing here knows a type: which one a key must hold comes with the wait.
//
// What a command waits for may be something else than keys (the disk): then it stands in a queue of whoever
// will know, who has it run again.
#pragma once

#include "store/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocked;
struct blocks;
struct client;
struct cmd_ctx;
struct list;
struct resp_writer;
struct server;

// Registers itself as the keyspace's listener, and INFO fields.
struct blocks *blocks_new(struct server *server);
void blocks_free(struct blocks *blocks);

struct block_wait {
    uint32_t first;  // of the command's keys
    uint32_t count;  // of them
    enum value_type type;
    int64_t timeout_ms;  // 0: for ever
    void (*timed_out)(struct resp_writer *reply);
};

// For the handler of a command with CMD_BLOCKING that cannot be answered now; it returns behind it.
// Where a command must not wait (inside a transaction), it is answered at once as if its time were over.
void block_on_keys(struct cmd_ctx *ctx, const struct block_wait *wait);

// For a command that waits for something else than keys: in this queue, until blocks_retry() or, after `timeout_ms`
// (0: never), as one that must not wait. Its row has `barrier`. Not where it must not wait. When it is run again it may
// choose another queue. True: it was not in this one before.
bool block_in_queue(struct cmd_ctx *ctx, struct list *queue, int64_t timeout_ms);

// Runs the queue's commands once more; those that can't be answered yet stay in it.
void blocks_retry(struct list *queue);

// After a command: runs the commands that wait for the keys it has made ready. To be called while
// AFTER_COMMAND_KEYS is set.
void blocks_serve(struct blocks *blocks);

// Ends the client's wait as if its time were over, or with an error; false if it does not wait.
bool block_end(struct client *client, bool with_error);

// The server changes its role: what clients wait for may never come here. All who wait get an error, and their connections
// are closed: whoever comes again learns whom to ask. O(clients).
void blocks_disconnect(struct server *server);

// The client is going away.
void block_forget(struct client *client);

// Bytes that the command which the client waits with takes; 0 if it does not wait.
size_t block_memory(const struct client *client);

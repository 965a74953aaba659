// SPDX-License-Identifier: BSD-3-Clause
// Transactions: commands that a client queues with MULTI and that EXEC runs one after the other, unless a
// key that it watches has been touched.
//
// A client inside MULTI has a gate shut that queues its commands; dispatch knows nothing of it. EXEC asks the
// gates that its queued commands are subject to before it runs the first one; these run without being asked
// again. Where EXEC is not run, for whatever reason, the transaction is over.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct cmd_ctx;
struct command_entry;
struct server;
struct transactions;

// Registers the gate, and what watching needs (server/watch.h).
struct transactions *transactions_new(struct server *server);
void transactions_free(struct transactions *transactions);

// MULTI, for a client that is not inside one.
void transaction_begin(struct client *client);
bool transaction_open(const struct client *client);
// EXEC, inside MULTI: replies, and ends it and the watching. DISCARD: ends both.
void transaction_exec(struct cmd_ctx *ctx);
void transaction_discard(struct client *client);

// A command was not run: if it was refused while its client queues, EXEC will be refused as well. For dispatch.
void transaction_refused(const struct cmd_ctx *ctx);

// The gates that the command is subject to besides its own: for EXEC those of what is queued.
uint32_t transaction_gates(const struct client *client, const struct command_entry *command);

// WATCH keys[i]; UNWATCH all. False: no memory.
bool watch_key(struct cmd_ctx *ctx, uint32_t i);
void watch_end(struct client *client);

// Bytes that the queue takes, and those of the queue and the watched keys; commands queued, -1 outside MULTI.
size_t transaction_queue_memory(const struct client *client);
size_t transaction_memory(const struct client *client);
int transaction_length(const struct client *client);

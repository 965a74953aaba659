// SPDX-License-Identifier: BSD-3-Clause
// Transactions: commands that a client queues with MULTI and that EXEC runs one after the other, unless a
// key that it watches has been touched.
//
// A client inside MULTI has a gate shut that queues its commands; dispatch knows nothing of it. EXEC asks the
// gates that its queued commands are subject to before it runs the first one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct cmd_ctx;
struct server;
struct transactions;

// Registers the gate, INFO fields, and itself as the keyspace's listener (heard only while keys are watched).
struct transactions *transactions_new(struct server *server);
void transactions_free(struct transactions *transactions);

// MULTI; false: the client is inside one already.
bool transaction_begin(struct client *client);
bool transaction_open(const struct client *client);
// EXEC: replies, and ends it. DISCARD: ends it and the watching.
void transaction_exec(struct cmd_ctx *ctx);
void transaction_discard(struct client *client);

// A command was refused while the client queues: EXEC will refuse as well. For dispatch.
void transaction_failed(struct client *client);

// WATCH keys[i]; UNWATCH all.
void watch_key(struct cmd_ctx *ctx, uint32_t i);
void watch_end(struct client *client);

// Bytes that the queue and the watched keys take; commands queued; -1 outside MULTI.
size_t transaction_memory(const struct client *client);
int transaction_length(const struct client *client);
size_t watch_count(const struct client *client);

// The client is going away, or RESET.
void transaction_forget(struct client *client);

// SPDX-License-Identifier: BSD-3-Clause
// The way of a command: from bytes that have arrived to replies that wait to be sent.
//
//   readable -> batch_read(): recv into the arena, the client goes on the ready list
//   after all reads of a turn -> batch_run(), in batches of up to 64 commands across clients:
//      1 parse in place, look the command up     no copy, no allocation
//      2 hash its keys, prefetch their buckets   (as each command is parsed)
//      3 match tags, prefetch the entries        (when the batch is full)
//      4 execute, strictly in each client's order
//   what is left of a client's input is kept in a buffer of its own until more arrives
//
// Each client runs a bounded number of commands a turn; one with more stays ready, and the loop then
// does not sleep.
#pragma once

#include <stddef.h>

struct batch;
struct client;
struct server;

// Registers the loop hook.
struct batch *batch_new(struct server *server);
void batch_free(struct batch *batch);

// Receives what waits on the client's socket. Runs the batch first if the arena is full.
void batch_read(struct batch *batch, struct client *client);

// Runs everything that is ready, as far as fairness lets it.
void batch_run(struct batch *batch);

// What the client has sent and sends from now on waits. For a handler whose command is a barrier: of
// others, later commands may already be on their way.
void batch_hold(struct batch *batch, struct client *client);

// Closes the client if what it has sent and has not been run, `kept_bytes` elsewhere, is above
// client-query-buffer-limit.
void batch_limit_request(struct client *client, size_t kept_bytes);

// Runs it.
void batch_resume(struct batch *batch, struct client *client);

// The same two between turns, whoever else holds the client: not counted as blocked.
void batch_park(struct batch *batch, struct client *client);
void batch_unpark(struct batch *batch, struct client *client);

// Commands at the gates of server->holds wait, with all that their clients send behind them; to be
// called when a gate is taken off.
void batch_resume_held(struct batch *batch);

// The command that is running now and its client's id, for the crash report; NULL if there is none.
// Async-signal-safe.
const char *batch_running(const struct batch *batch, unsigned long long *client_id);

// The client whose command is running now, or NULL.
const struct client *batch_running_client(const struct batch *batch);

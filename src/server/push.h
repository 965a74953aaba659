// SPDX-License-Identifier: BSD-3-Clause
// Pushes: what a client is sent without having asked for it now (messages, invalidations).
//
// A push never stands inside a reply: what goes to the client whose command is being run is kept back and
// follows its reply (that of EXEC, for a transaction). CLIENT REPLY OFF and SKIP don't hold it back.
// Confirmations of SUBSCRIBE and its kin are replies, and don't come this way.
#pragma once

#include "resp/writer.h"

#include <stdbool.h>

struct client;
struct outq;
struct pushes;
struct server;

struct pushes *pushes_new(struct server *server);
void pushes_free(struct pushes *pushes);

// Begins a push to the client: what is written to `writer` from now on, in the client's protocol, goes
// there. Nothing else may be sent to anybody before push_end().
void push_begin(struct client *client, struct resp_writer *writer);
// The push is complete: sees to it that it is sent, and cuts the client if it passes its limits.
void push_end(struct client *client);

// The same in two steps for bytes that are ready: the queue that they go to, and that they are there.
struct outq *push_queue(struct client *client);
void push_added(struct client *client, const struct outq *queue);

// The client's reply is complete: sends what was kept back. For batch, when AFTER_COMMAND_PUSHES is set.
void pushes_settle(struct pushes *pushes, struct client *client);

// The command of a client that waited begins to be run again, or has been: the reply is complete.
void pushes_woken(struct pushes *pushes, struct client *client, bool done);

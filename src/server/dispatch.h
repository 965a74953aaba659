// SPDX-License-Identifier: BSD-3-Clause
// Running one command: its arity, its gates, its handler, its effect; and counting it.
//
// Each command's time is measured between two readings of the CPU's tick counter, and the end of one
// command is the beginning of the next: one reading a command. It therefore includes what is done
// for a client between two commands, and not parsing and prefetching, which is done for many at once.
//
// A reading costs 9 ns where GET costs 140. So brief commands (fast, read-only, of few arguments: GET,
// TTL, HGET..., and writes whose rows say so: INCR...) that follow one another in a batch, each the
// same, share a reading, four at a time, and each is counted with its share. A group ends early with a
// command that removed an expired key, which may have been large. So a brief command can take long only
// by outside interference; of a group that did, the last command gets what is more than usual, in the
// statistics and in the slow log. Who sets the slow log's threshold below a millisecond has every
// command timed by itself.
#pragma once

#include "server/ctx.h"

// Finds the command that argv names, down to the subcommand; ctx->command is NULL if there is none.
void dispatch_resolve(struct cmd_ctx *ctx);

// Whether a request of so many arguments, the name included, has the number that the command wants.
bool dispatch_right_arity(const struct command_entry *command, uint32_t argc);

// To be called before one or more calls of dispatch() that follow one another: time begins to count.
void dispatch_begin(struct server *server);

// Runs the resolved command and queues its reply. It may be called by a handler, with a context of
// its own. Otherwise the context and its arguments have to live until dispatch_end().
void dispatch(struct cmd_ctx *ctx);

// Runs a command that has passed its gates before: once more, if it has waited (server/block.h), or because
// EXEC is there (server/transaction.h).
void dispatch_admitted(struct cmd_ctx *ctx);

// Counts a command that has waited and been answered without being run again: its time was over.
void dispatch_gave_up(struct cmd_ctx *ctx);

// To be called after the last of them: time ends to count.
void dispatch_end(struct server *server);

// To be called when the threshold of the slow log or of the latency monitor has changed, and once the
// configuration is read.
void dispatch_thresholds_changed(struct server *server);

// SPDX-License-Identifier: BSD-3-Clause
// Running one command: its arity, its gates, its handler, its effect.
#pragma once

#include "server/ctx.h"

// Finds the command that argv names, down to the subcommand; ctx->command is NULL if there is none.
void dispatch_resolve(struct cmd_ctx *ctx);

// Whether a request of so many arguments, the name included, has the number that the command wants.
bool dispatch_right_arity(const struct command_entry *command, uint32_t argc);

// Runs the resolved command and queues its reply.
void dispatch(struct cmd_ctx *ctx);

// Runs a command once more that dispatch() has run and that has waited since (server/block.h).
void dispatch_again(struct cmd_ctx *ctx);

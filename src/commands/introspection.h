// SPDX-License-Identifier: BSD-3-Clause
// What the files about COMMAND share.
#pragma once

#include "server/ctx.h"
#include "server/registry.h"

// A command by its full name, such as "get" or "client|list"; NULL if there is none.
const struct command_entry *find_command_by_name(const struct registry *registry,
                                                 struct slice name);

// The names of key flags, as a set of status texts.
void reply_key_flags(struct resp_writer *w, uint32_t flags);

// Handlers of COMMAND's table that stand in files of their own.
void cmd_command_docs(struct cmd_ctx *ctx);
void cmd_command_getkeys(struct cmd_ctx *ctx);
void cmd_command_getkeysandflags(struct cmd_ctx *ctx);

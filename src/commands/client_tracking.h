// SPDX-License-Identifier: BSD-3-Clause
// Subcommands of CLIENT for client-side caching, for the table in client.c.
#pragma once

#include "server/command.h"

struct cmd_ctx;

extern const struct command_arg client_tracking_args[];

void cmd_client_caching(struct cmd_ctx *ctx);
void cmd_client_getredir(struct cmd_ctx *ctx);
void cmd_client_tracking(struct cmd_ctx *ctx);
void cmd_client_trackinginfo(struct cmd_ctx *ctx);

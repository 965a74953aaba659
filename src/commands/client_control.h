// SPDX-License-Identifier: BSD-3-Clause
// Subcommands of CLIENT that change how clients are served, for the table in client.c.
#pragma once

struct cmd_ctx;

void cmd_client_no_evict(struct cmd_ctx *ctx);
void cmd_client_no_touch(struct cmd_ctx *ctx);
void cmd_client_pause(struct cmd_ctx *ctx);
void cmd_client_reply(struct cmd_ctx *ctx);
void cmd_client_unblock(struct cmd_ctx *ctx);
void cmd_client_unpause(struct cmd_ctx *ctx);

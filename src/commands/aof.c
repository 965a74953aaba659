// SPDX-License-Identifier: BSD-3-Clause
// The append-only file, as clients see it: BGREWRITEAOF.
#include "persist/aof.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

// BGREWRITEAOF
static void cmd_bgrewriteaof(struct cmd_ctx *ctx)
{
    struct aof *aof = ctx->server->aof;
    switch (aof ? aof_rewrite(aof) : STATUS_IO) {
    case STATUS_OK:
        resp_simple(&ctx->reply, SLICE("Background append only file rewriting started"));
        break;
    case STATUS_AGAIN:
        resp_simple(&ctx->reply, SLICE("Background append only file rewriting scheduled"));
        break;
    case STATUS_EXISTS: reply_error(ctx, ERR_AOF_REWRITE_RUNNING); break;
    default: reply_error(ctx, ERR_AOF_REWRITE); break;
    }
}

const struct command aof_commands[] = {
    { .name = "bgrewriteaof",
      .summary = "Has the append-only file written anew, in the background.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
      .handler = cmd_bgrewriteaof },
    { 0 },
};

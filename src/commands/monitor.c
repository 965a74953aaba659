// SPDX-License-Identifier: BSD-3-Clause
// MONITOR.
#include "server/monitor.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"

// MONITOR
static void cmd_monitor(struct cmd_ctx *ctx)
{
    if (ctx->must_not_wait) {
        reply_errorf(ctx, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    // As in Redis, asking again is not answered.
    if (ctx->client->flags & CLIENT_MONITOR)
        return;
    monitor_add(ctx->client);
    reply_ok(ctx);
}

const struct command monitor_commands[] = {
    { .name = "monitor",
      .summary = "Shows every command that the server runs, as it runs it.",
      .since = "1.0.0",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
      .handler = cmd_monitor },
    { 0 },
};

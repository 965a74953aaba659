// SPDX-License-Identifier: BSD-3-Clause
// Commands of the person who runs the server: INFO TIME.
#include "base/clock.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/server.h"

// INFO [section [section ...]]
static void cmd_info(struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    info_write(ctx->server->info, ctx->argv + 1, ctx->argc - 1, &text);
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// TIME
static void cmd_time(struct cmd_ctx *ctx)
{
    int64_t now_us = clock_wall_us_now();
    resp_array(&ctx->reply, 2);
    resp_bulk_int(&ctx->reply, now_us / 1000000);
    resp_bulk_int(&ctx->reply, now_us % 1000000);
}

const struct command admin_commands[] = {
    { .name = "info",
      .summary = "Tells how the server is doing.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_DANGEROUS,
      .tips = { "nondeterministic_output", "request_policy:all_shards", "response_policy:special" },
      .args = ARGS({ .name = "section", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_info },
    { .name = "time",
      .summary = "Returns the server's time.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
      .tips = { "nondeterministic_output" },
      .handler = cmd_time },
    { 0 },
};

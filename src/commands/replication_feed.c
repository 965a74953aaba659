// SPDX-License-Identifier: BSD-3-Clause
// What replicas say to us, and waiting for them: REPLCONF PSYNC SYNC WAIT.
#include "commands/tables.h"
#include "commands/timeout_arg.h"
#include "repl/repl.h"
#include "server/ctx.h"
#include "server/server.h"

// REPLCONF [option value [option value ...]]
static void cmd_replconf(struct cmd_ctx *ctx)
{
    replicas_replconf(ctx);
}

// PSYNC replicationid offset [FAILOVER]
static void cmd_psync(struct cmd_ctx *ctx)
{
    replicas_psync(ctx);
}

// SYNC
static void cmd_sync(struct cmd_ctx *ctx)
{
    replicas_sync(ctx);
}

// WAIT numreplicas timeout
static void cmd_wait(struct cmd_ctx *ctx)
{
    const struct repl *repl = ctx->server->repl;
    int64_t wanted;
    int64_t timeout_ms;
    if (repl_is_replica(repl)) {
        reply_error(ctx, ERR_WAIT_ON_REPLICA);
        return;
    }
    if (!arg_int64(ctx, 1, &wanted) || !arg_timeout_ms(ctx, 2, &timeout_ms))
        return;
    int64_t reached = (int64_t)replicas_reached(repl, replicas_offset_of(repl, ctx->client), false);
    if (reached < wanted && !ctx->must_not_wait)
        replicas_wait(ctx, timeout_ms);
    else
        reply_int(ctx, reached);
}

const struct command replication_feed_commands[] = {
    { .name = "replconf",
      .summary = "A replica tells what it is and what it has got.",
      .since = "3.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_ALLOW_BUSY,
      .is_syscmd = true,
      .handler = cmd_replconf },
    { .name = "psync",
      .summary = "A replica asks for the writes from an offset on, or for all data.",
      .since = "2.8.0",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI,
      .args = ARGS({ .name = "replicationid", .type = ARG_STRING },
                   { .name = "offset", .type = ARG_INTEGER }),
      .handler = cmd_psync },
    { .name = "sync",
      .summary = "A replica of the old kind asks for all data.",
      .since = "1.0.0",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI,
      .handler = cmd_sync },
    { .name = "wait",
      .summary = "Waits until replicas have got the connection's writes.",
      .since = "3.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_NOSCRIPT,
      .acl = ACL_CONNECTION,
      .tips = { "request_policy:all_shards", "response_policy:agg_min" },
      .barrier = true,
      .args = ARGS({ .name = "numreplicas", .type = ARG_INTEGER },
                   { .name = "timeout", .type = ARG_INTEGER }),
      .handler = cmd_wait },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// FAILOVER: the role is handed over to a replica.
#include "commands/tables.h"
#include "repl/repl.h"
#include "server/ctx.h"
#include "server/server.h"

// One option; `i` is its position, and then that of its last word. False: an error has been replied.
static bool parse_option(struct cmd_ctx *ctx, uint32_t *i, struct failover_wish *wish)
{
    uint32_t left = ctx->argc - *i - 1;
    if (arg_is(ctx, *i, "timeout") && left >= 1 && !wish->timeout_ms) {
        if (!arg_int64(ctx, ++*i, &wish->timeout_ms))
            return false;
        if (wish->timeout_ms > 0)
            return true;
        reply_error(ctx, ERR_FAILOVER_TIMEOUT);
        return false;
    }
    if (arg_is(ctx, *i, "to") && left >= 2 && !wish->to) {
        wish->to = true;
        wish->host = ctx->argv[*i + 1];
        *i += 2;
        return arg_int64(ctx, *i, &wish->port);
    }
    if (arg_is(ctx, *i, "force") && !wish->force) {
        wish->force = true;
        return true;
    }
    reply_error(ctx, ERR_SYNTAX);
    return false;
}

// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]
static void cmd_failover(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    if (ctx->argc == 2 && arg_is(ctx, 1, "abort")) {
        if (failover_abort(repl))
            reply_ok(ctx);
        else
            reply_error(ctx, ERR_FAILOVER_NONE);
        return;
    }
    struct failover_wish wish = { 0 };
    for (uint32_t i = 1; i < ctx->argc; i++) {
        if (!parse_option(ctx, &i, &wish))
            return;
    }
    enum error_id refusal = failover_begin(repl, &wish);
    if (refusal == ERROR_COUNT)
        reply_ok(ctx);
    else
        reply_error(ctx, refusal);
}

const struct command failover_commands[] = {
    { .name = "failover",
      .summary = "Hands the role of the primary over to one of its replicas.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE,
      .args = ARGS(
          { .name = "target",
            .type = ARG_BLOCK,
            .token = "TO",
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "host", .type = ARG_STRING },
                         { .name = "port", .type = ARG_INTEGER },
                         { .name = "force",
                           .type = ARG_PURE_TOKEN,
                           .token = "FORCE",
                           .flags = ARG_OPTIONAL }) },
          { .name = "abort", .type = ARG_PURE_TOKEN, .token = "ABORT", .flags = ARG_OPTIONAL },
          { .name = "milliseconds",
            .type = ARG_INTEGER,
            .token = "TIMEOUT",
            .flags = ARG_OPTIONAL }),
      .handler = cmd_failover },
    { 0 },
};

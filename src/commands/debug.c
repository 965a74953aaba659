// SPDX-License-Identifier: BSD-3-Clause
// DEBUG: what helps to test the server.
#include "base/numbers.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"
#include "server/settings.h"

#include <time.h>

static bool debug_allowed(const struct cmd_ctx *ctx)
{
    switch ((enum debug_command)ctx->server->settings->debug_command) {
    case DEBUG_COMMAND_YES: return true;
    case DEBUG_COMMAND_LOCAL: return conn_is_local(&ctx->client->conn);
    case DEBUG_COMMAND_NO: break;
    }
    return false;
}

static void debug_sleep(struct cmd_ctx *ctx)
{
    double seconds;
    if (!parse_double(ctx->argv[2], &seconds) || seconds < 0 || seconds > INT32_MAX) {
        reply_error(ctx, ERR_NOT_FLOAT);
        return;
    }
    struct timespec left = { .tv_sec = (time_t)seconds };
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    nanosleep(&left, NULL);
    reply_ok(ctx);
}

// DEBUG SLEEP seconds
static void cmd_debug(struct cmd_ctx *ctx)
{
    if (!debug_allowed(ctx))
        reply_error(ctx, ERR_DEBUG_REFUSED);
    else if (ctx->argc == 3 && arg_is(ctx, 1, "sleep"))
        debug_sleep(ctx);
    else
        reply_errorf(ctx,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG "
                     "HELP.",
                     (int)ctx->argv[1].len, ctx->argv[1].ptr);
}

const struct command debug_commands[] = {
    { .name = "debug",
      .summary = "A container for commands that help to test the server.",
      .since = "1.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED,
      .is_syscmd = true,
      .handler = cmd_debug },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Commands of the person who runs the server: CONFIG INFO TIME DEBUG.
#include "base/clock.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/config.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/server.h"
#include "server/settings.h"

#include <string.h>
#include <time.h>

struct config_emit {
    struct cmd_ctx *ctx;
    size_t count;
};

static void emit_directive(struct slice name, struct slice value, void *udata)
{
    struct config_emit *emit = udata;
    resp_bulk_slice(&emit->ctx->reply, name);
    resp_bulk_slice(&emit->ctx->reply, value);
    emit->count++;
}

// CONFIG GET parameter [parameter ...]
static void cmd_config_get(struct cmd_ctx *ctx)
{
    struct config_emit emit = { .ctx = ctx };
    struct resp_deferred pairs;
    resp_deferred_begin(&ctx->reply, &pairs);
    config_get(ctx->server->config, ctx->argv + 2, ctx->argc - 2, emit_directive, &emit);
    resp_deferred_end(&ctx->reply, &pairs, resp_map, emit.count);
}

// CONFIG SET parameter value [parameter value ...]
static void cmd_config_set(struct cmd_ctx *ctx)
{
    if (ctx->argc % 2) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    struct config_error error;
    if (config_set(ctx->server->config, ctx->argv + 2, (ctx->argc - 2) / 2, &error) == STATUS_OK)
        reply_ok(ctx);
    else
        reply_errorf(ctx, "ERR %s", error.text);
}

// CONFIG RESETSTAT
static void cmd_config_resetstat(struct cmd_ctx *ctx)
{
    struct keyspace *keyspace = ctx->server->keyspace;
    memset(&ctx->server->stats, 0, sizeof(ctx->server->stats));
    memset(&ctx->server->rates, 0, sizeof(ctx->server->rates));
    keyspace->hits = keyspace->misses = 0;
    keyspace->expired_keys = keyspace->expired_by_sweep = 0;
    reply_ok(ctx);
}

// CONFIG HELP
static void cmd_config_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]",
        "    The directives whose names match, with their values.",
        "HELP",
        "    These lines.",
        "RESETSTAT",
        "    Set the counters of INFO stats to zero.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Set directives, all or none.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

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

#define CONFIG_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const struct command config_subcommands[] = {
    { .name = "get",
      .summary = "Returns directives and their values.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of directives",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CONFIG_FLAGS,
      .args = ARGS({ .name = "parameter",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "parameter", .type = ARG_STRING }) }),
      .handler = cmd_config_get },
    { .name = "set",
      .summary = "Sets directives of the running server.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of directives",
      .group = GROUP_SERVER,
      .arity = -4,
      .flags = CONFIG_FLAGS,
      .tips = { "request_policy:all_nodes", "response_policy:all_succeeded" },
      .args = ARGS({ .name = "parameter_value",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "parameter", .type = ARG_STRING },
                                  { .name = "value", .type = ARG_STRING }) }),
      .handler = cmd_config_set },
    { .name = "resetstat",
      .summary = "Sets the counters of INFO to zero.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CONFIG_FLAGS,
      .tips = { "request_policy:all_nodes", "response_policy:all_succeeded" },
      .handler = cmd_config_resetstat },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_config_help },
    { 0 },
};

const struct command admin_commands[] = {
    { .name = "config",
      .summary = "A container for commands about the configuration.",
      .since = "2.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = config_subcommands },
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

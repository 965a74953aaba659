// SPDX-License-Identifier: BSD-3-Clause
// CONFIG: directives of the running server.
#include "server/config.h"
#include "base/log.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/server.h"

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
    for (uint32_t i = 2; i < ctx->argc; i += 2) {
        if (config_is_secret(ctx->server->config, ctx->argv[i]))
            ctx_redact(ctx, i + 1);
    }
    struct config_error error;
    switch (config_set(ctx->server->config, ctx->argv + 2, (ctx->argc - 2) / 2, &error)) {
    case STATUS_OK: reply_ok(ctx); break;
    case STATUS_AGAIN: reply_error(ctx, ERR_LOADING); break;
    default: reply_errorf(ctx, "ERR %s", error.text);
    }
}

// CONFIG RESETSTAT
static void cmd_config_resetstat(struct cmd_ctx *ctx)
{
    info_reset(ctx->server->info);
    reply_ok(ctx);
}

// CONFIG REWRITE
static void cmd_config_rewrite(struct cmd_ctx *ctx)
{
    const struct server *server = ctx->server;
    struct config_error error;
    if (!server->config_file[0]) {
        reply_error(ctx, ERR_NO_CONFIG_FILE);
    } else if (config_rewrite(server->config, server->config_file, &error) == STATUS_OK) {
        log_notice("CONFIG REWRITE has written %s", server->config_file);
        reply_ok(ctx);
    } else {
        log_warning("CONFIG REWRITE can't write %s: %s", server->config_file, error.text);
        reply_errorf(ctx, "ERR Rewriting config file: %s", error.text);
    }
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
        "REWRITE",
        "    Write what holds now into the configuration file.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Set directives, all or none.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
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
    { .name = "rewrite",
      .summary = "Writes the directives that hold now into the configuration file.",
      .since = "2.8.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CONFIG_FLAGS,
      .handler = cmd_config_rewrite },
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

const struct command config_commands[] = {
    { .name = "config",
      .summary = "A container for commands about the configuration.",
      .since = "2.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = config_subcommands },
    { 0 },
};

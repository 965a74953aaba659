// SPDX-License-Identifier: BSD-3-Clause
// Running one command: see dispatch.h.
#include "server/dispatch.h"

#include "base/log.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/registry.h"
#include "server/server.h"

void dispatch_resolve(struct cmd_ctx *ctx)
{
    struct command_entry *command = registry_lookup(ctx->server->registry, ctx->argv[0]);
    if (unlikely(command && command->is_container && ctx->argc > 1)) {
        struct command_entry *sub = registry_subcommand(command, ctx->argv[1]);
        if (sub)
            command = sub;
    }
    ctx->command = command;
}

bool dispatch_right_arity(const struct command_entry *command, uint32_t argc)
{
    return command->arity >= 0 ? argc == (uint32_t)command->arity
                               : argc >= (uint32_t)-command->arity;
}

// A web page that makes a browser send us requests is somebody's attempt to reach us: the connection
// is cut before anything of the request is run.
static bool is_http(const struct cmd_ctx *ctx)
{
    return slice_is(ctx->argv[0], "post") || slice_is(ctx->argv[0], "host:");
}

static void refuse_unknown(struct cmd_ctx *ctx)
{
    if (!is_http(ctx)) {
        reply_unknown_command(ctx);
        return;
    }
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    log_warning("Possible SECURITY ATTACK detected: POST or Host: commands from %s, likely an "
                "attempt to use cross-protocol scripting. Connection aborted.",
                address);
    client_close(ctx->client);
}

// Answers what cannot be run; true if it has.
static bool refuse(struct cmd_ctx *ctx)
{
    const struct command_entry *command = ctx->command;
    if (unlikely(!command)) {
        refuse_unknown(ctx);
        return true;
    }
    if (unlikely(command->is_container && ctx->argc > 1)) {
        reply_unknown_subcommand(ctx);
        return true;
    }
    if (unlikely(!dispatch_right_arity(command, ctx->argc) || !command->handler)) {
        reply_wrong_arity(ctx);
        return true;
    }
    uint32_t shut = command->gates & (ctx->client->gates | ctx->server->gates);
    return unlikely(shut) && registry_ask_gates(ctx->server->registry, shut, ctx);
}

void dispatch(struct cmd_ctx *ctx)
{
    if (refuse(ctx))
        return;
    struct client *client = ctx->client;
    ctx->db = client->db;
    ctx->secret_args = 0;
    client->last_command = ctx->command;
    ctx->server->stats.commands++;
    ctx->command->calls++;
    ctx->command->handler(ctx);
    if (ctx->changes)
        effects_commit(ctx);
}

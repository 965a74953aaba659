// SPDX-License-Identifier: BSD-3-Clause
// CLIENT NO-EVICT NO-TOUCH PAUSE REPLY UNBLOCK UNPAUSE: how clients are served.
#include "commands/client_control.h"

#include "base/clock.h"
#include "base/numbers.h"
#include "server/block.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/pause.h"
#include "server/server.h"

// ON or OFF in argv[2] sets or clears a flag of the client.
static void switch_flag(struct cmd_ctx *ctx, uint32_t flag)
{
    bool on = arg_is(ctx, 2, "on");
    if (!on && !arg_is(ctx, 2, "off")) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    ctx->client->flags &= ~flag;
    ctx->client->flags |= on ? flag : 0;
    reply_ok(ctx);
}

// CLIENT NO-EVICT ON|OFF
void cmd_client_no_evict(struct cmd_ctx *ctx)
{
    switch_flag(ctx, CLIENT_NO_EVICT);
}

// CLIENT NO-TOUCH ON|OFF
void cmd_client_no_touch(struct cmd_ctx *ctx)
{
    switch_flag(ctx, CLIENT_NO_TOUCH);
}

// CLIENT PAUSE timeout [WRITE|ALL]
void cmd_client_pause(struct cmd_ctx *ctx)
{
    int64_t timeout_ms;
    bool all = ctx->argc == 3 || arg_is(ctx, 3, "all");
    if (ctx->argc > 4) {
        reply_subcommand_arity(ctx);
        return;
    }
    if (!all && !arg_is(ctx, 3, "write")) {
        reply_errorf(ctx, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!parse_int64(ctx->argv[2], &timeout_ms)) {
        reply_errorf(ctx, "ERR timeout is not an integer or out of range");
        return;
    }
    if (timeout_ms < 0) {
        reply_errorf(ctx, "ERR timeout is negative");
        return;
    }
    // One that ends beyond all time does not begin, as in Redis.
    int64_t end_ms;
    if (!__builtin_add_overflow(clock_wall_ms(), timeout_ms, &end_ms))
        pause_begin(ctx->server->pause, PAUSE_CLIENT_COMMAND, end_ms, all);
    reply_ok(ctx);
}

// CLIENT UNPAUSE
void cmd_client_unpause(struct cmd_ctx *ctx)
{
    pause_end(ctx->server->pause, PAUSE_CLIENT_COMMAND);
    reply_ok(ctx);
}

// CLIENT REPLY ON|OFF|SKIP
void cmd_client_reply(struct cmd_ctx *ctx)
{
    struct client *client = ctx->client;
    if (arg_is(ctx, 2, "on")) {
        client_replies_on(ctx);
        reply_ok(ctx);
    } else if (arg_is(ctx, 2, "off")) {
        client->flags |= CLIENT_REPLY_OFF;
    } else if (arg_is(ctx, 2, "skip")) {
        client->flags |= client->flags & CLIENT_REPLY_OFF ? 0 : CLIENT_REPLY_SKIP;
    } else {
        reply_error(ctx, ERR_SYNTAX);
    }
}

// CLIENT UNBLOCK client-id [TIMEOUT|ERROR]
void cmd_client_unblock(struct cmd_ctx *ctx)
{
    int64_t id;
    if (ctx->argc > 4) {
        reply_subcommand_arity(ctx);
        return;
    }
    if (ctx->argc == 4 && !arg_is(ctx, 3, "timeout") && !arg_is(ctx, 3, "error")) {
        reply_errorf(ctx, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!arg_int64(ctx, 2, &id))
        return;
    struct client *client = clients_find(ctx->server->clients, (uint64_t)id);
    bool with_error = ctx->argc == 4 && arg_is(ctx, 3, "error");
    reply_int(ctx, client && block_end(client, with_error));
}

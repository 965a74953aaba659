// SPDX-License-Identifier: BSD-3-Clause
// The append-only file, as clients see it: BGREWRITEAOF WAITAOF.
#include "persist/aof.h"
#include "commands/tables.h"
#include "commands/timeout_arg.h"
#include "repl/repl.h"
#include "server/client.h"
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

struct waitaof {
    int64_t locals;
    int64_t replicas;
    int64_t timeout_ms;
};

static bool parse_waitaof(struct cmd_ctx *ctx, struct waitaof *out)
{
    if (!arg_int64(ctx, 1, &out->locals))
        return false;
    if (out->locals < 0 || out->locals > 1) {
        reply_errorf(ctx, "ERR value is out of range, value must between 0 and 1");
        return false;
    }
    if (!arg_int64(ctx, 2, &out->replicas))
        return false;
    if (out->replicas < 0) {
        reply_error(ctx, ERR_NOT_POSITIVE);
        return false;
    }
    return arg_timeout_ms(ctx, 3, &out->timeout_ms);
}

// WAITAOF numlocal numreplicas timeout
static void cmd_waitaof(struct cmd_ctx *ctx)
{
    const struct aof *aof = ctx->server->aof;
    const struct repl *repl = ctx->server->repl;
    bool is_on = aof && aof_is_on(aof);
    struct waitaof wanted;
    if (!parse_waitaof(ctx, &wanted))
        return;
    if (repl_is_replica(repl)) {
        reply_error(ctx, ERR_WAITAOF_ON_REPLICA);
        return;
    }
    if (wanted.locals && !is_on) {
        reply_error(ctx, ERR_WAITAOF_OFF);
        return;
    }
    int64_t locals = is_on && aof_is_synced(aof, ctx->client->effect_offset);
    uint64_t offset = replicas_offset_of(repl, ctx->client);
    int64_t replicas = (int64_t)replicas_reached(repl, offset, true);
    if (!ctx->must_not_wait && locals < wanted.locals) {
        aof_wait(ctx, wanted.timeout_ms);
        return;
    }
    if (!ctx->must_not_wait && replicas < wanted.replicas) {
        replicas_wait(ctx, wanted.timeout_ms);
        return;
    }
    resp_array(&ctx->reply, 2);
    reply_int(ctx, locals);
    reply_int(ctx, replicas);
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
    { .name = "waitaof",
      .summary = "Waits until the connection's writes are on the disk: here, and at replicas.",
      .since = "7.2.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 4,
      .flags = CMD_NOSCRIPT,
      .acl = ACL_CONNECTION,
      .tips = { "request_policy:all_shards", "response_policy:agg_min" },
      .barrier = true,
      .args = ARGS({ .name = "numlocal", .type = ARG_INTEGER },
                   { .name = "numreplicas", .type = ARG_INTEGER },
                   { .name = "timeout", .type = ARG_INTEGER }),
      .handler = cmd_waitaof },
    { 0 },
};

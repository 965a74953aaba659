// SPDX-License-Identifier: BSD-3-Clause
// The append-only file, as clients see it: BGREWRITEAOF WAITAOF.
#include "persist/aof.h"
#include "base/clock.h"
#include "base/numbers.h"
#include "commands/tables.h"
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

// A time in milliseconds whose end is a time, too.
static bool arg_timeout_ms(struct cmd_ctx *ctx, uint32_t i, int64_t *out)
{
    if (!parse_int64(ctx->argv[i], out)) {
        reply_error(ctx, ERR_TIMEOUT_NOT_INTEGER);
        return false;
    }
    if (*out < 0) {
        reply_error(ctx, ERR_TIMEOUT_NEGATIVE);
        return false;
    }
    if (!ctx->woken && *out > INT64_MAX - clock_wall_ms()) {
        reply_error(ctx, ERR_TIMEOUT_RANGE);
        return false;
    }
    return true;
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
    bool is_on = aof && aof_is_on(aof);
    struct waitaof wanted;
    if (!parse_waitaof(ctx, &wanted))
        return;
    if (wanted.locals && !is_on) {
        reply_error(ctx, ERR_WAITAOF_OFF);
        return;
    }
    int64_t locals = is_on && aof_is_synced(aof, ctx->client->effect_offset);
    // There are none yet.
    int64_t replicas = 0;
    if (aof && !ctx->must_not_wait && (locals < wanted.locals || replicas < wanted.replicas)) {
        aof_wait(ctx, wanted.timeout_ms);
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

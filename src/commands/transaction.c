// SPDX-License-Identifier: BSD-3-Clause
// Transactions: MULTI EXEC DISCARD WATCH UNWATCH.
#include "server/transaction.h"

#include "commands/tables.h"
#include "server/ctx.h"

// MULTI
static void cmd_multi(struct cmd_ctx *ctx)
{
    if (transaction_open(ctx->client)) {
        reply_errorf(ctx, "ERR MULTI calls can not be nested");
        return;
    }
    transaction_begin(ctx->client);
    reply_ok(ctx);
}

// EXEC
static void cmd_exec(struct cmd_ctx *ctx)
{
    if (transaction_open(ctx->client))
        transaction_exec(ctx);
    else
        reply_errorf(ctx, "ERR EXEC without MULTI");
}

// DISCARD
static void cmd_discard(struct cmd_ctx *ctx)
{
    if (!transaction_open(ctx->client)) {
        reply_errorf(ctx, "ERR DISCARD without MULTI");
        return;
    }
    transaction_discard(ctx->client);
    reply_ok(ctx);
}

// WATCH key [key ...]
static void cmd_watch(struct cmd_ctx *ctx)
{
    if (transaction_open(ctx->client)) {
        reply_errorf(ctx, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        if (!watch_key(ctx, i)) {
            reply_error(ctx, ERR_OUT_OF_MEMORY);
            return;
        }
    }
    reply_ok(ctx);
}

// UNWATCH
static void cmd_unwatch(struct cmd_ctx *ctx)
{
    watch_end(ctx->client);
    reply_ok(ctx);
}

#define CONTROL_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY)

const struct command transaction_commands[] = {
    { .name = "multi",
      .summary = "Begins a transaction: what follows is queued.",
      .since = "1.2.0",
      .complexity = "O(1)",
      .group = GROUP_TRANSACTIONS,
      .arity = 1,
      .flags = CONTROL_FLAGS,
      .acl = ACL_TRANSACTION,
      .handler = cmd_multi },
    { .name = "exec",
      .summary = "Runs the queued commands, unless a watched key has been touched.",
      .since = "1.2.0",
      .complexity = "Depends on the queued commands",
      .group = GROUP_TRANSACTIONS,
      .arity = 1,
      .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG,
      .acl = ACL_TRANSACTION,
      .refusal = "EXECABORT Transaction discarded because of: ",
      .handler = cmd_exec },
    { .name = "discard",
      .summary = "Ends a transaction without running it, and the watching.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of queued commands and watched keys",
      .group = GROUP_TRANSACTIONS,
      .arity = 1,
      .flags = CONTROL_FLAGS,
      .acl = ACL_TRANSACTION,
      .handler = cmd_discard },
    { .name = "watch",
      .summary = "Lets the next EXEC run nothing if one of the keys is touched before.",
      .since = "2.2.0",
      .complexity = "O(1) for each key",
      .group = GROUP_TRANSACTIONS,
      .arity = -2,
      .flags = CONTROL_FLAGS,
      .acl = ACL_TRANSACTION,
      .keys = { KEYS_ALL(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
      .handler = cmd_watch },
    { .name = "unwatch",
      .summary = "Forgets about all watched keys.",
      .since = "2.2.0",
      .complexity = "O(1) for each watched key",
      .group = GROUP_TRANSACTIONS,
      .arity = 1,
      .flags = CONTROL_FLAGS,
      .acl = ACL_TRANSACTION,
      .handler = cmd_unwatch },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Snapshots: SAVE BGSAVE LASTSAVE.
#include "commands/tables.h"
#include "persist/aof.h"
#include "persist/snapshot.h"
#include "server/ctx.h"
#include "server/server.h"

// SAVE
static void cmd_save(struct cmd_ctx *ctx)
{
    switch (snapshot_save(ctx->server->snapshot)) {
    case STATUS_OK: reply_ok(ctx); break;
    case STATUS_EXISTS: reply_error(ctx, ERR_BGSAVE_RUNS); break;
    default: reply_error(ctx, ERR_BARE); break;
    }
}

// What stands in the way of a child that saves: inside EXEC, what follows in the transaction belongs to it.
static bool must_wait(const struct cmd_ctx *ctx)
{
    const struct server *server = ctx->server;
    return ctx->must_not_wait || server->child || (server->aof && aof_rewriting(server->aof));
}

// BGSAVE [SCHEDULE]
static void cmd_bgsave(struct cmd_ctx *ctx)
{
    struct snapshot *snapshot = ctx->server->snapshot;
    bool schedule = ctx->argc == 2 && arg_is(ctx, 1, "schedule");
    if (ctx->argc > 2 || (ctx->argc == 2 && !schedule)) {
        reply_error(ctx, ERR_SYNTAX);
    } else if (snapshot_running(snapshot)) {
        reply_error(ctx, ERR_BGSAVE_RUNS);
    } else if (must_wait(ctx) && !schedule && !ctx->must_not_wait) {
        reply_error(ctx, ERR_CHILD_RUNS);
    } else if (must_wait(ctx)) {
        snapshot_schedule(snapshot);
        resp_simple(&ctx->reply, SLICE("Background saving scheduled"));
    } else if (snapshot_begin(snapshot) == STATUS_OK) {
        resp_simple(&ctx->reply, SLICE("Background saving started"));
    } else {
        reply_error(ctx, ERR_BARE);
    }
}

// LASTSAVE
static void cmd_lastsave(struct cmd_ctx *ctx)
{
    reply_int(ctx, snapshot_last_s(ctx->server->snapshot));
}

const struct command persistence_commands[] = {
    { .name = "save",
      .summary = "Writes a snapshot of all data to the disk; nobody is served meanwhile.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys in all databases",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI,
      .handler = cmd_save },
    { .name = "bgsave",
      .summary = "Has a child process write a snapshot of all data to the disk.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
      .args = ARGS({ .name = "schedule",
                     .type = ARG_PURE_TOKEN,
                     .token = "SCHEDULE",
                     .since = "3.2.2",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_bgsave },
    { .name = "lastsave",
      .summary = "Returns when the last snapshot was complete, in Unix time.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
      .acl = ACL_ADMIN | ACL_DANGEROUS,
      .tips = { "nondeterministic_output" },
      .handler = cmd_lastsave },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// The role: ROLE REPLICAOF SLAVEOF.
#include "base/log.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "repl/repl.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"

// ROLE
static void cmd_role(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    if (repl_is_replica(repl)) {
        link_reply_role(ctx);
        return;
    }
    resp_array(&ctx->reply, 3);
    resp_bulk_text(&ctx->reply, "master");
    resp_int(&ctx->reply, (int64_t)repl_offset(repl));
    replicas_reply_role(ctx);
}

// For the log: who has changed the role.
static void log_role(const struct cmd_ctx *ctx, const char *what)
{
    struct bytes who = { 0 };
    client_describe(ctx->client, &who);
    log_notice("%s (user request from '%.*s')", what, (int)who.len, who.data);
    bytes_release(&who);
}

static void lead(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    if (repl_is_replica(repl)) {
        repl_lead(repl);
        log_role(ctx, "MASTER MODE enabled");
    }
    reply_ok(ctx);
}

// REPLICAOF host port | NO ONE
static void cmd_replicaof(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    int64_t port;
    if (repl_is_failing_over(repl)) {
        reply_error(ctx, ERR_REPLICAOF_IN_FAILOVER);
        return;
    }
    if (arg_is(ctx, 1, "no") && arg_is(ctx, 2, "one")) {
        lead(ctx);
        return;
    }
    if (ctx->client->flags & CLIENT_REPLICA) {
        reply_error(ctx, ERR_REPLICA_CLIENT);
        return;
    }
    if (!parse_int64(ctx->argv[2], &port) || port < 0 || port > UINT16_MAX) {
        reply_error(ctx, ERR_MASTER_PORT);
        return;
    }
    if (!repl_follow(repl, ctx->argv[1], (int)port)) {
        resp_simple(&ctx->reply, SLICE("OK Already connected to specified master"));
        return;
    }
    log_role(ctx, "REPLICAOF enabled");
    reply_ok(ctx);
}

const struct command replication_commands[] = {
    { .name = "role",
      .summary = "Returns the role of the server in replication.",
      .since = "2.8.12",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST,
      .acl = ACL_ADMIN | ACL_DANGEROUS,
      .handler = cmd_role },
    { .name = "replicaof",
      .summary = "Makes the server a replica of another one, or a primary.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING,
      .args = ARGS(
          { .name = "args",
            .type = ARG_ONEOF,
            .args = ARGS(
                { .name = "host-port",
                  .type = ARG_BLOCK,
                  .args = ARGS({ .name = "host", .type = ARG_STRING },
                               { .name = "port", .type = ARG_INTEGER }) },
                { .name = "no-one",
                  .type = ARG_BLOCK,
                  .args = ARGS({ .name = "no", .type = ARG_PURE_TOKEN, .token = "NO" },
                               { .name = "one", .type = ARG_PURE_TOKEN, .token = "ONE" }) }) }),
      .handler = cmd_replicaof },
    { .name = "slaveof",
      .summary = "Makes the server a replica of another one, or a primary.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING,
      .deprecated_since = "5.0.0",
      .replaced_by = "`REPLICAOF`",
      .args = ARGS(
          { .name = "args",
            .type = ARG_ONEOF,
            .args = ARGS(
                { .name = "host-port",
                  .type = ARG_BLOCK,
                  .args = ARGS({ .name = "host", .type = ARG_STRING },
                               { .name = "port", .type = ARG_INTEGER }) },
                { .name = "no-one",
                  .type = ARG_BLOCK,
                  .args = ARGS({ .name = "no", .type = ARG_PURE_TOKEN, .token = "NO" },
                               { .name = "one", .type = ARG_PURE_TOKEN, .token = "ONE" }) }) }),
      .handler = cmd_replicaof },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Whole databases: SELECT SWAPDB DBSIZE FLUSHDB FLUSHALL.
#include "base/numbers.h"
#include "commands/db_arg.h"
#include "commands/tables.h"
#include "persist/snapshot.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"

struct db *arg_db(struct cmd_ctx *ctx, uint32_t i)
{
    int64_t index;
    if (!arg_int32(ctx, i, &index))
        return NULL;
    if (index >= 0 && index < ctx->server->keyspace->db_count)
        return &ctx->server->keyspace->dbs[index];
    reply_error(ctx, ERR_DB_INDEX);
    return NULL;
}

// SELECT index
static void cmd_select(struct cmd_ctx *ctx)
{
    struct db *db = arg_db(ctx, 1);
    if (!db)
        return;
    ctx->client->db = db;
    reply_ok(ctx);
}

// SWAPDB index1 index2
static void cmd_swapdb(struct cmd_ctx *ctx)
{
    static const enum error_id not_a_number[] = { ERR_FIRST_DB_INDEX, ERR_SECOND_DB_INDEX };
    struct keyspace *keyspace = ctx->server->keyspace;
    int64_t index[2];
    for (uint32_t i = 0; i < 2; i++) {
        if (!parse_int64(ctx->argv[i + 1], &index[i]) || index[i] < INT32_MIN ||
            index[i] > INT32_MAX) {
            reply_error(ctx, not_a_number[i]);
            return;
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (index[i] < 0 || index[i] >= keyspace->db_count) {
            reply_error(ctx, ERR_DB_INDEX);
            return;
        }
    }
    db_swap(&keyspace->dbs[index[0]], &keyspace->dbs[index[1]]);
    ctx->changes++;
    reply_ok(ctx);
}

// DBSIZE
static void cmd_dbsize(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)db_size(ctx->db));
}

// False: an error has been replied.
static bool parse_flush_mode(struct cmd_ctx *ctx, enum removal *why)
{
    if (ctx->argc == 1)
        *why = REMOVED_BY_FLUSH;
    else if (ctx->argc == 2 && arg_is(ctx, 1, "async"))
        *why = REMOVED_LATER;
    else if (ctx->argc == 2 && arg_is(ctx, 1, "sync"))
        *why = REMOVED_NOW;
    else {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    return true;
}

// FLUSHDB [ASYNC | SYNC]
static void cmd_flushdb(struct cmd_ctx *ctx)
{
    enum removal why;
    if (!parse_flush_mode(ctx, &why))
        return;
    ctx->changes += db_size(ctx->db) + 1;
    db_flush(ctx->db, why);
    reply_ok(ctx);
}

// FLUSHALL [ASYNC | SYNC]
static void cmd_flushall(struct cmd_ctx *ctx)
{
    enum removal why;
    if (!parse_flush_mode(ctx, &why))
        return;
    struct keyspace *keyspace = ctx->server->keyspace;
    ctx->changes++;
    for (int i = 0; i < keyspace->db_count; i++) {
        ctx->changes += db_size(&keyspace->dbs[i]);
        db_flush(&keyspace->dbs[i], why);
    }
    snapshot_flushed(ctx->server->snapshot, ctx->changes);
    reply_ok(ctx);
}

static const struct command_arg flush_args[] = {
    { .name = "async",
      .type = ARG_ONEOF,
      .flags = ARG_OPTIONAL,
      .args = ARGS({ .name = "async", .type = ARG_PURE_TOKEN, .token = "ASYNC", .since = "4.0.0" },
                   { .name = "sync", .type = ARG_PURE_TOKEN, .token = "SYNC", .since = "6.2.0" }) },
    { 0 },
};

const struct command database_commands[] = {
    { .name = "select",
      .summary = "Chooses the connection's database.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "index", .type = ARG_INTEGER }),
      .handler = cmd_select },
    { .name = "swapdb",
      .summary = "Exchanges the contents of two databases.",
      .since = "4.0.0",
      .complexity = "O(N) where N is the number of clients that watch or wait for keys of either",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE | ACL_DANGEROUS,
      .args = ARGS({ .name = "index1", .type = ARG_INTEGER },
                   { .name = "index2", .type = ARG_INTEGER }),
      .handler = cmd_swapdb },
    { .name = "dbsize",
      .summary = "Counts the keys of the database.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 1,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .tips = { "request_policy:all_shards", "response_policy:agg_sum" },
      .handler = cmd_dbsize },
    { .name = "flushdb",
      .summary = "Deletes all keys of the database.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_WRITE,
      .acl = ACL_KEYSPACE | ACL_DANGEROUS,
      .tips = { "request_policy:all_shards", "response_policy:all_succeeded" },
      .args = flush_args,
      .handler = cmd_flushdb },
    { .name = "flushall",
      .summary = "Deletes all keys of all databases.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_WRITE,
      .acl = ACL_KEYSPACE | ACL_DANGEROUS,
      .tips = { "request_policy:all_shards", "response_policy:all_succeeded" },
      .args = flush_args,
      .handler = cmd_flushall },
    { 0 },
};

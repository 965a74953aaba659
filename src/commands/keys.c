// SPDX-License-Identifier: BSD-3-Clause
// Keys of any type: DEL UNLINK EXISTS TYPE RANDOMKEY DBSIZE FLUSHDB FLUSHALL.
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

static void delete_keys(struct cmd_ctx *ctx)
{
    int64_t deleted = 0;
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref = db_peek(ctx->db, &ctx->keys[i]);
        if (!ref.entry)
            continue;
        db_remove(ctx->db, &ctx->keys[i], ref);
        ctx_removed(ctx, i);
        deleted++;
    }
    reply_int(ctx, deleted);
}

// DEL key [key ...]
static void cmd_del(struct cmd_ctx *ctx)
{
    delete_keys(ctx);
}

// UNLINK key [key ...]
static void cmd_unlink(struct cmd_ctx *ctx)
{
    delete_keys(ctx);
}

// EXISTS key [key ...]
static void cmd_exists(struct cmd_ctx *ctx)
{
    int64_t found = 0;
    for (uint32_t i = 0; i < ctx->key_count; i++)
        found += db_peek_read(ctx->db, &ctx->keys[i]).entry != NULL;
    reply_int(ctx, found);
}

// TYPE key
static void cmd_type(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_peek_read(ctx->db, &ctx->keys[0]).entry;
    const char *name = entry ? ctx->server->keyspace->types[entry_type(entry)]->name : "none";
    resp_simple(&ctx->reply, slice_of(name));
}

// RANDOMKEY
static void cmd_randomkey(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_random(ctx->db);
    if (entry)
        resp_bulk_slice(&ctx->reply, entry_key(entry));
    else
        reply_null(ctx);
}

// DBSIZE
static void cmd_dbsize(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)db_size(ctx->db));
}

// Both words mean the same: nothing outlives the reply.
static bool check_flush_mode(struct cmd_ctx *ctx)
{
    if (ctx->argc == 1 || (ctx->argc == 2 && (arg_is(ctx, 1, "async") || arg_is(ctx, 1, "sync"))))
        return true;
    reply_error(ctx, ERR_SYNTAX);
    return false;
}

// FLUSHDB [ASYNC | SYNC]
static void cmd_flushdb(struct cmd_ctx *ctx)
{
    if (!check_flush_mode(ctx))
        return;
    ctx->changes += db_size(ctx->db) + 1;
    db_flush(ctx->db);
    reply_ok(ctx);
}

// FLUSHALL [ASYNC | SYNC]
static void cmd_flushall(struct cmd_ctx *ctx)
{
    if (!check_flush_mode(ctx))
        return;
    struct keyspace *keyspace = ctx->server->keyspace;
    ctx->changes++;
    for (int i = 0; i < keyspace->db_count; i++) {
        ctx->changes += db_size(&keyspace->dbs[i]);
        db_flush(&keyspace->dbs[i]);
    }
    reply_ok(ctx);
}

const struct command key_commands[] = {
    { .name = "del",
      .summary = "Deletes keys.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys, plus the number of elements they hold",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_WRITE,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_ALL(KEY_RM | KEY_DELETE) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_sum" },
      .handler = cmd_del },
    { .name = "unlink",
      .summary = "Deletes keys; large values are freed later.",
      .since = "4.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_ALL(KEY_RM | KEY_DELETE) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_sum" },
      .handler = cmd_unlink },
    { .name = "exists",
      .summary = "Counts how many of the keys exist.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_ALL(KEY_RO) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_sum" },
      .handler = cmd_exists },
    { .name = "type",
      .summary = "Returns the type of a key's value.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO) },
      .handler = cmd_type },
    { .name = "randomkey",
      .summary = "Returns a key picked at random.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 1,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .tips = { "request_policy:all_shards", "nondeterministic_output" },
      .handler = cmd_randomkey },
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
      .handler = cmd_flushall },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Keys of any type: DEL UNLINK EXISTS TOUCH TYPE RANDOMKEY RENAME RENAMENX MOVE COPY.
#include "commands/db_arg.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "server/server.h"

static void delete_keys(struct cmd_ctx *ctx, enum removal why)
{
    int64_t deleted = 0;
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref = db_peek(ctx->db, &ctx->keys[i]);
        if (!ref.entry)
            continue;
        db_remove_for(ctx->db, &ctx->keys[i], ref, why);
        ctx_removed(ctx, i);
        deleted++;
    }
    reply_int(ctx, deleted);
}

// DEL key [key ...]
static void cmd_del(struct cmd_ctx *ctx)
{
    delete_keys(ctx, REMOVED_BY_USER);
}

// UNLINK key [key ...]
static void cmd_unlink(struct cmd_ctx *ctx)
{
    delete_keys(ctx, REMOVED_LATER);
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

// TOUCH key [key ...]
static void cmd_touch(struct cmd_ctx *ctx)
{
    int64_t touched = 0;
    // Here it is asked for, whatever CLIENT NO-TOUCH says.
    ctx->server->keyspace->untouched = false;
    for (uint32_t i = 0; i < ctx->key_count; i++)
        touched += db_find_read(ctx->db, &ctx->keys[i]).entry != NULL;
    reply_int(ctx, touched);
}

// What RENAME and COPY put under a key is a new one, whatever was there.
static void remove_old(struct db *db, const struct key *key, struct entry_ref ref)
{
    if (ref.entry)
        db_remove(db, key, ref);
}

// Moves the value from the first key to the second.
static void rename_key(struct cmd_ctx *ctx, bool only_if_free)
{
    struct entry_ref from = db_find(ctx->db, &ctx->keys[0]);
    if (!from.entry) {
        reply_error(ctx, ERR_NO_SUCH_KEY);
        return;
    }
    bool same = slice_equal(ctx->argv[1], ctx->argv[2]);
    if (same || (only_if_free && db_find(ctx->db, &ctx->keys[1]).entry)) {
        if (only_if_free)
            reply_int(ctx, 0);
        else
            reply_ok(ctx);
        return;
    }
    from = db_peek(ctx->db, &ctx->keys[0]);
    struct entry *entry = db_detach(ctx->db, &ctx->keys[0], from);
    struct entry *renamed = entry_clone(entry, ctx->argv[2]);
    entry_free(entry);
    remove_old(ctx->db, &ctx->keys[1], db_peek(ctx->db, &ctx->keys[1]));
    db_insert(ctx->db, &ctx->keys[1], renamed);
    ctx_moved(ctx, 0, "rename_from");
    ctx_written(ctx, 1, NOTIFY_GENERIC, "rename_to");
    if (only_if_free)
        reply_int(ctx, 1);
    else
        reply_ok(ctx);
}

// RENAME key newkey
static void cmd_rename(struct cmd_ctx *ctx)
{
    rename_key(ctx, false);
}

// RENAMENX key newkey
static void cmd_renamenx(struct cmd_ctx *ctx)
{
    rename_key(ctx, true);
}

// MOVE key db
static void cmd_move(struct cmd_ctx *ctx)
{
    struct db *target = arg_db(ctx, 2);
    if (!target)
        return;
    if (target == ctx->db) {
        reply_error(ctx, ERR_SAME_OBJECT);
        return;
    }
    struct entry_ref from = db_find(ctx->db, &ctx->keys[0]);
    struct entry_ref to = from.entry ? db_find(target, &ctx->keys[0]) : from;
    if (!from.entry || to.entry) {
        reply_int(ctx, 0);
        return;
    }
    db_insert(target, &ctx->keys[0], db_detach(ctx->db, &ctx->keys[0], from));
    ctx_moved(ctx, 0, "move_from");
    ctx_written_in(ctx, target, 0, NOTIFY_GENERIC, "move_to");
    reply_int(ctx, 1);
}

struct copy_options {
    struct db *target;
    bool replace;
};

static bool parse_copy_options(struct cmd_ctx *ctx, struct copy_options *options)
{
    for (uint32_t i = 3; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "replace")) {
            options->replace = true;
        } else if (arg_is(ctx, i, "db") && i + 1 < ctx->argc) {
            options->target = arg_db(ctx, ++i);
            if (!options->target)
                return false;
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

// COPY source destination [DB destination-db] [REPLACE]
static void cmd_copy(struct cmd_ctx *ctx)
{
    struct copy_options options = { .target = ctx->db };
    if (!parse_copy_options(ctx, &options))
        return;
    if (options.target == ctx->db && slice_equal(ctx->argv[1], ctx->argv[2])) {
        reply_error(ctx, ERR_SAME_OBJECT);
        return;
    }
    struct entry_ref from = db_find_read(ctx->db, &ctx->keys[0]);
    if (!from.entry) {
        reply_int(ctx, 0);
        return;
    }
    struct entry_ref to = db_find(options.target, &ctx->keys[1]);
    if (to.entry && !options.replace) {
        reply_int(ctx, 0);
        return;
    }
    // Finding the target may have deleted it, which may move the source's slot, never its entry.
    struct entry *copy = db_copy_entry(ctx->db, from.entry, ctx->argv[2]);
    remove_old(options.target, &ctx->keys[1], to);
    db_insert(options.target, &ctx->keys[1], copy);
    ctx_written_in(ctx, options.target, 1, NOTIFY_GENERIC, "copy_to");
    reply_int(ctx, 1);
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
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
      .handler = cmd_del },
    { .name = "unlink",
      .summary = "Deletes keys; large values are freed later.",
      .since = "4.0.0",
      .complexity = "O(1) for each key; then O(N) where N is the number of allocations to free",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_ALL(KEY_RM | KEY_DELETE) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_sum" },
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
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
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
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
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
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
    { .name = "touch",
      .summary = "Counts how many of the keys exist, and touches them.",
      .since = "3.2.1",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_ALL(KEY_RO) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_sum" },
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
      .handler = cmd_touch },
    { .name = "rename",
      .summary = "Gives a key another name, in place of any key of that name.",
      .since = "1.0.0",
      .complexity = "O(1), plus the size of the value that is replaced",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_WRITE,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_SECOND(KEY_OW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "newkey", .type = ARG_KEY, .key_spec = 1 }),
      .handler = cmd_rename },
    { .name = "renamenx",
      .summary = "Gives a key another name that is free.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_SECOND(KEY_OW | KEY_INSERT) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "newkey", .type = ARG_KEY, .key_spec = 1 }),
      .handler = cmd_renamenx },
    { .name = "move",
      .summary = "Moves a key to another database where it does not exist.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "db", .type = ARG_INTEGER }),
      .handler = cmd_move },
    { .name = "copy",
      .summary = "Copies the value of a key to another key.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of elements; O(1) for strings",
      .group = GROUP_GENERIC,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS), KEYS_SECOND(KEY_OW | KEY_UPDATE) },
      .args = ARGS(
          { .name = "source", .type = ARG_KEY },
          { .name = "destination", .type = ARG_KEY, .key_spec = 1 },
          { .name = "destination-db", .type = ARG_INTEGER, .token = "DB", .flags = ARG_OPTIONAL },
          { .name = "replace", .type = ARG_PURE_TOKEN, .token = "REPLACE", .flags = ARG_OPTIONAL }),
      .handler = cmd_copy },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Writing hashes: HSET HMSET HSETNX HDEL HINCRBY HINCRBYFLOAT.
#include "types/hash.h"

#include "base/numbers.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "server/server.h"

#include <math.h>

// Sets fields of the hash at `ref`, which is made if it is empty; the number of new ones.
static size_t set_fields(struct cmd_ctx *ctx, struct entry_ref *ref, const struct slice *pairs,
                         size_t count, const char *event)
{
    const struct collection_limits *limits = ctx->server->limits;
    struct entry *entry = ref->entry;
    size_t added = 0;
    if (!entry) {
        uint32_t access = ctx->db->keyspace->access_clock;
        entry = hash_new(key_slice(&ctx->keys[0]), access, limits, pairs, count);
        added = hash_len(entry);
        *ref = db_insert(ctx->db, &ctx->keys[0], entry);
    } else {
        for (size_t i = 0; i < count; i++)
            added += hash_set(&entry, limits, pairs[2 * i], pairs[2 * i + 1]);
        db_entry_changed(ref, entry);
    }
    ctx_written(ctx, 0, NOTIFY_HASH, event);
    ctx->changes += count - 1;
    return added;
}

// The fields and values of HSET and HMSET. False: an error has been replied.
static bool set_arguments(struct cmd_ctx *ctx, size_t *added)
{
    struct entry_ref ref;
    if (ctx->argc % 2 == 1) {
        reply_wrong_arity(ctx);
        return false;
    }
    if (!ctx_find(ctx, 0, TYPE_HASH, &ref))
        return false;
    *added = set_fields(ctx, &ref, ctx->argv + 2, (ctx->argc - 2) / 2, "hset");
    return true;
}

// HSET key field value [field value ...]
static void cmd_hset(struct cmd_ctx *ctx)
{
    size_t added;
    if (set_arguments(ctx, &added))
        reply_int(ctx, (int64_t)added);
}

// HMSET key field value [field value ...]
static void cmd_hmset(struct cmd_ctx *ctx)
{
    size_t added;
    if (set_arguments(ctx, &added))
        reply_ok(ctx);
}

// HSETNX key field value
static void cmd_hsetnx(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    char scratch[HASH_SCRATCH];
    struct slice value;
    if (!ctx_find(ctx, 0, TYPE_HASH, &ref))
        return;
    if (ref.entry && hash_get(ref.entry, ctx->argv[2], scratch, &value)) {
        reply_int(ctx, 0);
        return;
    }
    set_fields(ctx, &ref, ctx->argv + 2, 1, "hset");
    reply_int(ctx, 1);
}

// HDEL key field [field ...]
static void cmd_hdel(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_HASH, &ref))
        return;
    struct entry *entry = ref.entry;
    size_t left = entry ? hash_len(entry) : 0;
    size_t deleted = 0;
    for (uint32_t i = 2; i < ctx->argc && left > 0; i++) {
        bool found = hash_delete(&entry, ctx->argv[i]);
        deleted += found;
        left -= found;
    }
    reply_int(ctx, (int64_t)deleted);
    if (deleted == 0)
        return;
    db_entry_changed(&ref, entry);
    ctx->changes += deleted - 1;
    if (left > 0) {
        ctx_written(ctx, 0, NOTIFY_HASH, "hdel");
        return;
    }
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx_emptied(ctx, 0, NOTIFY_HASH, "hdel");
}

// HINCRBY key field increment
static void cmd_hincrby(struct cmd_ctx *ctx)
{
    int64_t by;
    struct entry_ref ref;
    if (!arg_int64(ctx, 3, &by) || !ctx_find(ctx, 0, TYPE_HASH, &ref))
        return;
    int64_t number = 0;
    char text[HASH_SCRATCH];
    struct slice value;
    if (ref.entry && hash_get(ref.entry, ctx->argv[2], text, &value) &&
        !parse_int64(value, &number)) {
        reply_error(ctx, ERR_HASH_NOT_INTEGER);
        return;
    }
    if (__builtin_add_overflow(number, by, &number)) {
        reply_error(ctx, ERR_OVERFLOW);
        return;
    }
    value = (struct slice){ .ptr = text, .len = (size_t)format_int64(text, number) };
    set_fields(ctx, &ref, (struct slice[]){ ctx->argv[2], value }, 1, "hincrby");
    reply_int(ctx, number);
}

// HINCRBYFLOAT key field increment
static void cmd_hincrbyfloat(struct cmd_ctx *ctx)
{
    long double by;
    if (!parse_long_double(ctx->argv[3], &by)) {
        reply_error(ctx, ERR_NOT_FLOAT);
        return;
    }
    if (isinf(by)) {
        reply_error(ctx, ERR_NAN_OR_INFINITY);
        return;
    }
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_HASH, &ref))
        return;
    long double number = 0;
    char scratch[HASH_SCRATCH];
    struct slice value;
    if (ref.entry && hash_get(ref.entry, ctx->argv[2], scratch, &value) &&
        !parse_long_double(value, &number)) {
        reply_error(ctx, ERR_HASH_NOT_FLOAT);
        return;
    }
    number += by;
    if (isnan(number) || isinf(number)) {
        reply_error(ctx, ERR_NOT_FINITE);
        return;
    }
    char text[LONG_DOUBLE_TEXT_MAX];
    value = (struct slice){ .ptr = text, .len = (size_t)format_long_double(text, number) };
    set_fields(ctx, &ref, (struct slice[]){ ctx->argv[2], value }, 1, "hincrbyfloat");
    // Another machine might round otherwise.
    effect_replace(ctx, (struct slice[]){ SLICE("HSET"), ctx->argv[1], ctx->argv[2], value }, 4);
    resp_bulk_slice(&ctx->reply, value);
}

// What HSET and HMSET take.
static const struct command_arg set_args[] = {
    { .name = "key", .type = ARG_KEY },
    { .name = "field_value",
      .type = ARG_BLOCK,
      .flags = ARG_MULTIPLE,
      .args = ARGS({ .name = "field", .type = ARG_STRING },
                   { .name = "value", .type = ARG_STRING }) },
    { 0 },
};

const struct command hash_write_commands[] = {
    { .name = "hset",
      .summary = "Sets fields of a hash, which is made if there is none.",
      .since = "2.0.0",
      .complexity = "O(1) a field; O(N) where N is the number of fields that are set",
      .group = GROUP_HASH,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .element = 2,
      .args = set_args,
      .handler = cmd_hset },
    { .name = "hmset",
      .summary = "Sets fields of a hash, which is made if there is none.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields that are set",
      .group = GROUP_HASH,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .element = 2,
      .deprecated_since = "4.0.0",
      .replaced_by = "`HSET` with multiple field-value pairs",
      .args = set_args,
      .handler = cmd_hmset },
    { .name = "hsetnx",
      .summary = "Sets a field of a hash that does not have it yet.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING },
                   { .name = "value", .type = ARG_STRING }),
      .handler = cmd_hsetnx },
    { .name = "hdel",
      .summary = "Deletes fields of a hash, and the hash with its last one.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields that are named",
      .group = GROUP_HASH,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "field", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_hdel },
    { .name = "hincrby",
      .summary = "Adds to the integer of a field; a missing one counts as 0.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING },
                   { .name = "increment", .type = ARG_INTEGER }),
      .handler = cmd_hincrby },
    { .name = "hincrbyfloat",
      .summary = "Adds a floating point number to that of a field; a missing one counts as 0.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING },
                   { .name = "increment", .type = ARG_DOUBLE }),
      .handler = cmd_hincrbyfloat },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Reading hashes: HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN.
#include "types/hash.h"

#include "commands/tables.h"
#include "server/ctx.h"

// Reads the field that argument 2 names. False: an error has been replied. `found`: whether there is
// one; its text may lie in `scratch`.
static bool read_field(struct cmd_ctx *ctx, char scratch[HASH_SCRATCH], struct slice *value,
                       bool *found)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return false;
    *found = ref.entry && hash_get(ref.entry, ctx->argv[2], scratch, value);
    return true;
}

// HGET key field
static void cmd_hget(struct cmd_ctx *ctx)
{
    char scratch[HASH_SCRATCH];
    struct slice value;
    bool found;
    if (!read_field(ctx, scratch, &value, &found))
        return;
    if (found)
        resp_bulk_slice(&ctx->reply, value);
    else
        reply_null(ctx);
}

// HEXISTS key field
static void cmd_hexists(struct cmd_ctx *ctx)
{
    char scratch[HASH_SCRATCH];
    struct slice value;
    bool found;
    if (read_field(ctx, scratch, &value, &found))
        reply_int(ctx, found);
}

// HSTRLEN key field
static void cmd_hstrlen(struct cmd_ctx *ctx)
{
    char scratch[HASH_SCRATCH];
    struct slice value;
    bool found;
    if (read_field(ctx, scratch, &value, &found))
        reply_int(ctx, found ? (int64_t)value.len : 0);
}

// HLEN key
static void cmd_hlen(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        reply_int(ctx, ref.entry ? (int64_t)hash_len(ref.entry) : 0);
}

static void reply_fields(struct cmd_ctx *ctx, const struct entry *entry, const struct slice *fields,
                         size_t count)
{
    char scratches[HASH_GET_MANY_MAX][HASH_SCRATCH];
    struct slice values[HASH_GET_MANY_MAX];
    hash_get_many(entry, fields, count, scratches, values);
    for (size_t i = 0; i < count; i++) {
        if (values[i].ptr)
            resp_bulk_slice(&ctx->reply, values[i]);
        else
            reply_null(ctx);
    }
}

// HMGET key field [field ...]
static void cmd_hmget(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return;
    size_t count = ctx->argc - 2;
    const struct slice *fields = ctx->argv + 2;
    resp_array(&ctx->reply, count);
    for (size_t i = 0; !ref.entry && i < count; i++)
        reply_null(ctx);
    for (size_t i = 0; ref.entry && i < count; i += HASH_GET_MANY_MAX) {
        size_t left = count - i;
        reply_fields(ctx, ref.entry, fields + i,
                     left < HASH_GET_MANY_MAX ? left : HASH_GET_MANY_MAX);
    }
}

enum pair_part { PART_FIELD = 1, PART_VALUE = 2 };

// Replies these parts of all pairs, behind the header.
static void reply_all(struct cmd_ctx *ctx, unsigned parts,
                      void (*header)(struct resp_writer *w, size_t count))
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return;
    header(&ctx->reply, ref.entry ? hash_len(ref.entry) : 0);
    if (!ref.entry)
        return;
    struct hash_iter iter;
    struct hash_pair pair;
    hash_iter_init(&iter, ref.entry);
    while (hash_iter_next(&iter, &pair)) {
        if (parts & PART_FIELD)
            resp_bulk_slice(&ctx->reply, pair.field);
        if (parts & PART_VALUE)
            resp_bulk_slice(&ctx->reply, pair.value);
    }
}

// HGETALL key
static void cmd_hgetall(struct cmd_ctx *ctx)
{
    reply_all(ctx, PART_FIELD | PART_VALUE, resp_map);
}

// HKEYS key
static void cmd_hkeys(struct cmd_ctx *ctx)
{
    reply_all(ctx, PART_FIELD, resp_array);
}

// HVALS key
static void cmd_hvals(struct cmd_ctx *ctx)
{
    reply_all(ctx, PART_VALUE, resp_array);
}

const struct command hash_commands[] = {
    { .name = "hget",
      .summary = "Returns the value of a field of a hash.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING }),
      .handler = cmd_hget },
    { .name = "hmget",
      .summary = "Returns the values of several fields of a hash.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields that are asked for",
      .group = GROUP_HASH,
      .arity = -3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "field", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_hmget },
    { .name = "hgetall",
      .summary = "Returns all fields of a hash with their values.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields",
      .group = GROUP_HASH,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_hgetall },
    { .name = "hkeys",
      .summary = "Returns all fields of a hash.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields",
      .group = GROUP_HASH,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_hkeys },
    { .name = "hvals",
      .summary = "Returns all values of a hash.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of fields",
      .group = GROUP_HASH,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_hvals },
    { .name = "hlen",
      .summary = "Returns how many fields a hash has.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_hlen },
    { .name = "hexists",
      .summary = "Tells whether a hash has a field.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING }),
      .handler = cmd_hexists },
    { .name = "hstrlen",
      .summary = "Returns the length of the value of a field.",
      .since = "3.2.0",
      .complexity = "O(1)",
      .group = GROUP_HASH,
      .arity = 3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "field", .type = ARG_STRING }),
      .handler = cmd_hstrlen },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Numbers in strings: INCR DECR INCRBY DECRBY INCRBYFLOAT.
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "types/string.h"

#include <math.h>

static void increment(struct cmd_ctx *ctx, int64_t by)
{
    struct entry_ref ref;
    int64_t value = 0;
    if (!ctx_find(ctx, 0, TYPE_STRING, &ref))
        return;
    if (ref.entry && !string_int64(ref.entry, &value)) {
        reply_error(ctx, ERR_NOT_INTEGER);
        return;
    }
    if (__builtin_add_overflow(value, by, &value)) {
        reply_error(ctx, ERR_OVERFLOW);
        return;
    }
    string_set_int64(ctx->db, &ctx->keys[0], &ref, value);
    ctx_written(ctx, 0, NOTIFY_STRING, "incrby");
    reply_int(ctx, value);
}

// INCR key
static void cmd_incr(struct cmd_ctx *ctx)
{
    increment(ctx, 1);
}

// DECR key
static void cmd_decr(struct cmd_ctx *ctx)
{
    increment(ctx, -1);
}

// INCRBY key increment
static void cmd_incrby(struct cmd_ctx *ctx)
{
    int64_t by;
    if (arg_int64(ctx, 2, &by))
        increment(ctx, by);
}

// DECRBY key decrement
static void cmd_decrby(struct cmd_ctx *ctx)
{
    int64_t by;
    if (!arg_int64(ctx, 2, &by))
        return;
    if (by == INT64_MIN) {
        reply_error(ctx, ERR_DECR_OVERFLOW);
        return;
    }
    increment(ctx, -by);
}

// INCRBYFLOAT key increment
static void cmd_incrbyfloat(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_STRING, &ref))
        return;
    long double value = 0;
    char scratch[INT64_TEXT_MAX];
    long double by;
    if ((ref.entry && !parse_long_double(string_bytes(ref.entry, scratch), &value)) ||
        !parse_long_double(ctx->argv[2], &by)) {
        reply_error(ctx, ERR_NOT_FLOAT);
        return;
    }
    value += by;
    if (isnan(value) || isinf(value)) {
        reply_error(ctx, ERR_NOT_FINITE);
        return;
    }
    char text[LONG_DOUBLE_TEXT_MAX];
    struct slice result = { .ptr = text, .len = (size_t)format_long_double(text, value) };
    int64_t expiry = ref.entry ? entry_expiry(ref.entry) : EXPIRY_NONE;
    string_set_text(ctx->db, &ctx->keys[0], &ref, result, expiry);
    ctx_written(ctx, 0, NOTIFY_STRING, "incrbyfloat");
    // Another machine might round otherwise.
    effect_replace(ctx, (struct slice[]){ SLICE("SET"), ctx->argv[1], result, SLICE("KEEPTTL") },
                   4);
    resp_bulk_slice(&ctx->reply, result);
}

const struct command counter_commands[] = {
    { .name = "incr",
      .summary = "Adds one to an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .brief = true,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_incr },
    { .name = "decr",
      .summary = "Takes one from an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .brief = true,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_decr },
    { .name = "incrby",
      .summary = "Adds to an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .brief = true,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "increment", .type = ARG_INTEGER }),
      .handler = cmd_incrby },
    { .name = "decrby",
      .summary = "Takes from an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .brief = true,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "decrement", .type = ARG_INTEGER }),
      .handler = cmd_decrby },
    { .name = "incrbyfloat",
      .summary = "Adds a floating point number to a value; a missing key counts as 0.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "increment", .type = ARG_DOUBLE }),
      .handler = cmd_incrbyfloat },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Times to live: EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL PERSIST.
#include "base/clock.h"
#include "base/numbers.h"
#include "commands/expiry_arg.h"
#include "commands/tables.h"
#include "server/effects.h"
#include "server/registry.h"
#include "server/server.h"

static bool invalid_time(struct cmd_ctx *ctx)
{
    reply_errorf(ctx, "ERR invalid expire time in '%s' command", ctx->command->full_name);
    return false;
}

bool arg_expiry(struct cmd_ctx *ctx, uint32_t i, struct expiry_unit unit, int64_t *at_ms)
{
    int64_t time;
    if (!arg_int64(ctx, i, &time))
        return false;
    if (time <= 0 && !unit.past_ok)
        return invalid_time(ctx);
    if (unit.seconds && __builtin_mul_overflow(time, 1000, &time))
        return invalid_time(ctx);
    if (!unit.absolute && __builtin_add_overflow(time, clock_wall_ms(), &time))
        return invalid_time(ctx);
    *at_ms = time;
    return true;
}

struct slice expiry_text(int64_t at_ms, char out[EXPIRY_TEXT_MAX])
{
    return (struct slice){ .ptr = out, .len = (size_t)format_int64(out, at_ms) };
}

// What the effect has at most; a command may repeat its conditions.
#define EXPIRE_WORDS_MAX 8

enum expire_condition {
    EXPIRE_NX = 1u << 0,
    EXPIRE_XX = 1u << 1,
    EXPIRE_GT = 1u << 2,
    EXPIRE_LT = 1u << 3,
};

static bool parse_conditions(struct cmd_ctx *ctx, unsigned *conditions)
{
    static const char *const words[] = { "nx", "xx", "gt", "lt" };
    *conditions = 0;
    for (uint32_t i = 3; i < ctx->argc; i++) {
        unsigned k = 0;
        while (k < 4 && !arg_is(ctx, i, words[k]))
            k++;
        if (k == 4) {
            reply_errorf(ctx, "ERR Unsupported option %.*s", (int)ctx->argv[i].len,
                         ctx->argv[i].ptr);
            return false;
        }
        *conditions |= 1u << k;
    }
    if (*conditions & EXPIRE_NX && *conditions & (EXPIRE_XX | EXPIRE_GT | EXPIRE_LT)) {
        reply_error(ctx, ERR_EXPIRE_NX_CONFLICT);
        return false;
    }
    if (*conditions & EXPIRE_GT && *conditions & EXPIRE_LT) {
        reply_error(ctx, ERR_EXPIRE_GT_LT_CONFLICT);
        return false;
    }
    return true;
}

// A key without an expiry lives for ever: later than any time.
static bool conditions_hold(unsigned conditions, int64_t now, int64_t wanted)
{
    bool has = now != EXPIRY_NONE;
    if (conditions & EXPIRE_NX && has)
        return false;
    if (conditions & EXPIRE_XX && !has)
        return false;
    if (conditions & EXPIRE_GT && (!has || wanted <= now))
        return false;
    return !(conditions & EXPIRE_LT && has && wanted >= now);
}

// The same with an absolute time; conditions stay as they came.
static void expire_effect(struct cmd_ctx *ctx, int64_t at_ms)
{
    char text[EXPIRY_TEXT_MAX];
    struct slice words[EXPIRE_WORDS_MAX] = { SLICE("PEXPIREAT"), ctx->argv[1],
                                             expiry_text(at_ms, text) };
    size_t count = 3;
    for (; count < ctx->argc && count < EXPIRE_WORDS_MAX; count++)
        words[count] = ctx->argv[count];
    effect_replace(ctx, words, count);
}

static void expire(struct cmd_ctx *ctx, struct expiry_unit unit)
{
    int64_t at_ms;
    unsigned conditions;
    unit.past_ok = true;
    if (!parse_conditions(ctx, &conditions) || !arg_expiry(ctx, 2, unit, &at_ms))
        return;
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    if (!ref.entry || !conditions_hold(conditions, entry_expiry(ref.entry), at_ms)) {
        reply_int(ctx, 0);
        return;
    }
    if (db_is_past(ctx->db, at_ms)) {
        db_remove_for(ctx->db, &ctx->keys[0], ref, REMOVED_BY_EXPIRY);
        ctx_removed(ctx, 0);
        struct slice name = effect_removal(ctx->server->effects, REMOVED_BY_EXPIRY);
        effect_replace(ctx, (struct slice[]){ name, ctx->argv[1] }, 2);
    } else {
        db_set_expiry(ctx->db, &ctx->keys[0], &ref, at_ms);
        ctx_written(ctx, 0, NOTIFY_GENERIC, "expire");
        expire_effect(ctx, at_ms);
    }
    reply_int(ctx, 1);
}

// EXPIRE key seconds [NX | XX | GT | LT]
static void cmd_expire(struct cmd_ctx *ctx)
{
    expire(ctx, (struct expiry_unit){ .seconds = true });
}

// PEXPIRE key milliseconds [NX | XX | GT | LT]
static void cmd_pexpire(struct cmd_ctx *ctx)
{
    expire(ctx, (struct expiry_unit){ 0 });
}

// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
static void cmd_expireat(struct cmd_ctx *ctx)
{
    expire(ctx, (struct expiry_unit){ .seconds = true, .absolute = true });
}

// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
static void cmd_pexpireat(struct cmd_ctx *ctx)
{
    expire(ctx, (struct expiry_unit){ .absolute = true });
}

// -2: no such key; -1: no expiry.
static int64_t expires_at_ms(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_peek_read(ctx->db, &ctx->keys[0]).entry;
    return entry ? entry_expiry(entry) : -2;
}

// The same two answers, or how long it still has to live.
static int64_t ttl_ms(struct cmd_ctx *ctx)
{
    int64_t at_ms = expires_at_ms(ctx);
    return at_ms < 0 ? at_ms : at_ms - clock_wall_ms();
}

// TTL key
static void cmd_ttl(struct cmd_ctx *ctx)
{
    int64_t ms = ttl_ms(ctx);
    reply_int(ctx, ms < 0 ? ms : (int64_t)(((uint64_t)ms + 500) / 1000));
}

// PTTL key
static void cmd_pttl(struct cmd_ctx *ctx)
{
    reply_int(ctx, ttl_ms(ctx));
}

// EXPIRETIME key
static void cmd_expiretime(struct cmd_ctx *ctx)
{
    int64_t at_ms = expires_at_ms(ctx);
    reply_int(ctx, at_ms < 0 ? at_ms : (int64_t)(((uint64_t)at_ms + 500) / 1000));
}

// PEXPIRETIME key
static void cmd_pexpiretime(struct cmd_ctx *ctx)
{
    reply_int(ctx, expires_at_ms(ctx));
}

// PERSIST key
static void cmd_persist(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    if (!ref.entry || !entry_has_expiry(ref.entry)) {
        reply_int(ctx, 0);
        return;
    }
    db_set_expiry(ctx->db, &ctx->keys[0], &ref, EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_GENERIC, "persist");
    reply_int(ctx, 1);
}

// The last argument of all that set a time.
#define CONDITION                                                                        \
    {                                                                                    \
        .name = "condition", .type = ARG_ONEOF, .since = "7.0.0", .flags = ARG_OPTIONAL, \
        .args = ARGS({ .name = "nx", .type = ARG_PURE_TOKEN, .token = "NX" },            \
                     { .name = "xx", .type = ARG_PURE_TOKEN, .token = "XX" },            \
                     { .name = "gt", .type = ARG_PURE_TOKEN, .token = "GT" },            \
                     { .name = "lt", .type = ARG_PURE_TOKEN, .token = "LT" })            \
    }

const struct command expire_commands[] = {
    { .name = "expire",
      .summary = "Sets a key's time to live in seconds.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "seconds", .type = ARG_INTEGER },
                   CONDITION),
      .handler = cmd_expire },
    { .name = "pexpire",
      .summary = "Sets a key's time to live in milliseconds.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "milliseconds", .type = ARG_INTEGER }, CONDITION),
      .handler = cmd_pexpire },
    { .name = "expireat",
      .summary = "Sets the Unix time in seconds at which a key expires.",
      .since = "1.2.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "unix-time-seconds", .type = ARG_UNIX_TIME }, CONDITION),
      .handler = cmd_expireat },
    { .name = "pexpireat",
      .summary = "Sets the Unix time in milliseconds at which a key expires.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "unix-time-milliseconds", .type = ARG_UNIX_TIME }, CONDITION),
      .handler = cmd_pexpireat },
    { .name = "ttl",
      .summary = "Returns a key's remaining time to live in seconds.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_ttl },
    { .name = "pttl",
      .summary = "Returns a key's remaining time to live in milliseconds.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_pttl },
    { .name = "expiretime",
      .summary = "Returns the Unix time in seconds at which a key expires.",
      .since = "7.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_expiretime },
    { .name = "pexpiretime",
      .summary = "Returns the Unix time in milliseconds at which a key expires.",
      .since = "7.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_pexpiretime },
    { .name = "persist",
      .summary = "Takes a key's time to live off.",
      .since = "2.2.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_persist },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Strings: values, counters, many at once.
#include "types/string.h"

#include "base/clock.h"
#include "commands/expiry_arg.h"
#include "commands/string_reply.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/server.h"

// A value from this size on is sent from where it lies.
#define SEND_BY_REFERENCE 16384

void reply_string(struct cmd_ctx *ctx, const struct entry *entry)
{
    char scratch[INT64_TEXT_MAX];
    struct slice value = string_bytes(entry, scratch);
    if (likely(value.len < SEND_BY_REFERENCE)) {
        resp_bulk(&ctx->reply, value.ptr, value.len);
        return;
    }
    struct blob *blob = string_blob(entry);
    blob_retain(blob);
    resp_bulk_ref(&ctx->reply, value.ptr, value.len, blob_release, blob);
}

// SET reads its key only if it is asked for the old value.
static uint32_t set_key_flags(const struct slice *argv, uint32_t argc)
{
    for (uint32_t i = 3; i < argc; i++) {
        if (slice_is(argv[i], "get"))
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    return KEY_OW | KEY_UPDATE;
}

// GET key
static void cmd_get(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        return;
    if (ref.entry)
        reply_string(ctx, ref.entry);
    else
        reply_null(ctx);
}

// Stores argument `i` under the key at `key`. One that arrived in a blob of its own is not copied.
static void set_argument(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, uint32_t i,
                         int64_t expiry)
{
    struct blob *blob = ctx->incoming ? incoming_share(ctx->incoming, ctx->argv[i]) : NULL;
    if (unlikely(blob))
        string_set_blob(ctx->db, &ctx->keys[key], ref, blob, expiry);
    else
        string_set(ctx->db, &ctx->keys[key], ref, ctx->argv[i], expiry);
    ctx_written(ctx, key, NOTIFY_STRING, "set");
}

// The options that take a time.
enum time_option { TIME_NONE, TIME_EX, TIME_PX, TIME_EXAT, TIME_PXAT };

static const struct {
    const char *word;
    struct expiry_unit unit;
} time_options[] = {
    [TIME_EX] = { "ex", { .seconds = true } },
    [TIME_PX] = { "px", { .seconds = false } },
    [TIME_EXAT] = { "exat", { .seconds = true, .absolute = true } },
    [TIME_PXAT] = { "pxat", { .absolute = true } },
};

struct set_options {
    bool nx;
    bool xx;
    bool get;
    bool keep_ttl;
    enum time_option time;
    uint32_t time_at;  // position of the time
};

// An option that takes a time; the same one may come again, and the last holds. False: it is none, or
// another one than before.
static bool parse_time_option(struct cmd_ctx *ctx, uint32_t i, struct set_options *options)
{
    if (options->keep_ttl || i + 1 >= ctx->argc)
        return false;
    for (enum time_option k = TIME_EX; k <= TIME_PXAT; k++) {
        if (!arg_is(ctx, i, time_options[k].word))
            continue;
        if (options->time != TIME_NONE && options->time != k)
            return false;
        options->time = k;
        options->time_at = i + 1;
        return true;
    }
    return false;
}

// The time that the options give, if they do. False: it is no time; the error has been replied.
static bool options_expiry(struct cmd_ctx *ctx, const struct set_options *options, int64_t *expiry)
{
    return options->time == TIME_NONE ||
           arg_expiry(ctx, options->time_at, time_options[options->time].unit, expiry);
}

static bool parse_set_options(struct cmd_ctx *ctx, struct set_options *options)
{
    for (uint32_t i = 3; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "nx") && !options->xx) {
            options->nx = true;
        } else if (arg_is(ctx, i, "xx") && !options->nx) {
            options->xx = true;
        } else if (arg_is(ctx, i, "get")) {
            options->get = true;
        } else if (arg_is(ctx, i, "keepttl") && options->time == TIME_NONE) {
            options->keep_ttl = true;
        } else if (parse_time_option(ctx, i, options)) {
            i++;
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

// The effect of a SET with options: an absolute time, and no GET. With a time it sets, whatever was there: the
// condition has been met.
static void set_effect(struct cmd_ctx *ctx, const struct set_options *options, int64_t expiry)
{
    if (!effects_wanted(ctx->server->effects) || (!options->get && options->time == TIME_NONE))
        return;
    struct slice words[6] = { SLICE("SET"), ctx->argv[1], ctx->argv[2] };
    size_t count = 3;
    char text[EXPIRY_TEXT_MAX];  // cppcheck-suppress variableScope ; words[] refers to it
    if (options->time != TIME_NONE) {
        words[count++] = SLICE("PXAT");
        words[count++] = expiry_text(expiry, text);
        effect_replace(ctx, words, count);
        return;
    }
    if (options->nx)
        words[count++] = SLICE("NX");
    if (options->xx)
        words[count++] = SLICE("XX");
    if (options->keep_ttl)
        words[count++] = SLICE("KEEPTTL");
    effect_replace(ctx, words, count);
}

static void set_with_options(struct cmd_ctx *ctx)
{
    struct set_options options = { 0 };
    int64_t expiry = EXPIRY_NONE;
    if (!parse_set_options(ctx, &options))
        return;
    if (!options_expiry(ctx, &options, &expiry))
        return;
    struct entry_ref ref;
    if (options.get) {
        if (!ctx_find_read(ctx, 0, TYPE_STRING, &ref))
            return;
        if (ref.entry)
            reply_string(ctx, ref.entry);
        else
            reply_null(ctx);
    } else {
        ref = db_find(ctx->db, &ctx->keys[0]);
    }
    if ((options.nx && ref.entry) || (options.xx && !ref.entry)) {
        if (!options.get)
            reply_null(ctx);
        return;
    }
    if (options.keep_ttl && ref.entry)
        expiry = entry_expiry(ref.entry);
    set_argument(ctx, 0, &ref, 2, expiry);
    if (options.time != TIME_NONE)
        ctx_notify(ctx, 0, NOTIFY_GENERIC, "expire");
    set_effect(ctx, &options, expiry);
    if (!options.get)
        reply_ok(ctx);
}

// SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds |
//   PXAT unix-time-milliseconds | KEEPTTL]
static void cmd_set(struct cmd_ctx *ctx)
{
    if (unlikely(ctx->argc > 3)) {
        set_with_options(ctx);
        return;
    }
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    set_argument(ctx, 0, &ref, 2, EXPIRY_NONE);
    reply_ok(ctx);
}

static void set_expiring(struct cmd_ctx *ctx, struct expiry_unit unit)
{
    int64_t expiry;
    if (!arg_expiry(ctx, 2, unit, &expiry))
        return;
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    set_argument(ctx, 0, &ref, 3, expiry);
    ctx_notify(ctx, 0, NOTIFY_GENERIC, "expire");
    if (effects_wanted(ctx->server->effects)) {
        char text[EXPIRY_TEXT_MAX];
        effect_replace(ctx,
                       (struct slice[]){ SLICE("SET"), ctx->argv[1], ctx->argv[3], SLICE("PXAT"),
                                         expiry_text(expiry, text) },
                       5);
    }
    reply_ok(ctx);
}

// SETEX key seconds value
static void cmd_setex(struct cmd_ctx *ctx)
{
    set_expiring(ctx, (struct expiry_unit){ .seconds = true });
}

// PSETEX key milliseconds value
static void cmd_psetex(struct cmd_ctx *ctx)
{
    set_expiring(ctx, (struct expiry_unit){ 0 });
}

// SETNX key value
static void cmd_setnx(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    if (ref.entry) {
        reply_int(ctx, 0);
        return;
    }
    set_argument(ctx, 0, &ref, 2, EXPIRY_NONE);
    reply_int(ctx, 1);
}

// GETDEL key
static void cmd_getdel(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    reply_string(ctx, ref.entry);
    db_remove_for(ctx->db, &ctx->keys[0], ref, REMOVED_BY_USER);
    ctx_removed(ctx, 0);
    struct slice name = effect_removal(ctx->server->effects, REMOVED_BY_USER);
    effect_replace(ctx, (struct slice[]){ name, ctx->argv[1] }, 2);
}

// GETSET key value
static void cmd_getset(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        return;
    if (ref.entry)
        reply_string(ctx, ref.entry);
    else
        reply_null(ctx);
    set_argument(ctx, 0, &ref, 2, EXPIRY_NONE);
    effect_replace(ctx, (struct slice[]){ SLICE("SET"), ctx->argv[1], ctx->argv[2] }, 3);
}

// The new expiry of what GETEX found, with its effect.
static void getex_expiry(struct cmd_ctx *ctx, struct entry_ref *ref, int64_t expiry)
{
    if (expiry != EXPIRY_NONE && expiry <= clock_wall_ms()) {
        db_remove_for(ctx->db, &ctx->keys[0], *ref, REMOVED_BY_EXPIRY);
        ctx_removed(ctx, 0);
        struct slice name = effect_removal(ctx->server->effects, REMOVED_BY_EXPIRY);
        effect_replace(ctx, (struct slice[]){ name, ctx->argv[1] }, 2);
        return;
    }
    db_set_expiry(ctx->db, &ctx->keys[0], ref, expiry);
    ctx_written(ctx, 0, NOTIFY_GENERIC, expiry == EXPIRY_NONE ? "persist" : "expire");
    if (expiry == EXPIRY_NONE) {
        effect_replace(ctx, (struct slice[]){ SLICE("PERSIST"), ctx->argv[1] }, 2);
    } else {
        char text[EXPIRY_TEXT_MAX];
        struct slice at = expiry_text(expiry, text);
        effect_replace(ctx, (struct slice[]){ SLICE("PEXPIREAT"), ctx->argv[1], at }, 3);
    }
}

// GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds |
//   PXAT unix-time-milliseconds | PERSIST]
static void cmd_getex(struct cmd_ctx *ctx)
{
    struct set_options options = { 0 };
    int64_t expiry = EXPIRY_NONE;
    bool persist = false;
    for (uint32_t i = 2; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "persist") && options.time == TIME_NONE) {
            persist = true;
        } else if (!persist && parse_time_option(ctx, i, &options)) {
            i++;
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return;
        }
    }
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    if (!options_expiry(ctx, &options, &expiry))
        return;
    reply_string(ctx, ref.entry);
    if (options.time != TIME_NONE || (persist && entry_has_expiry(ref.entry)))
        getex_expiry(ctx, &ref, expiry);
}

// MGET key [key ...]
static void cmd_mget(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, ctx->key_count);
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref = db_find_read(ctx->db, &ctx->keys[i]);
        if (ref.entry && entry_type(ref.entry) == TYPE_STRING)
            reply_string(ctx, ref.entry);
        else
            reply_null(ctx);
    }
}

// MSET key value [key value ...]
static void cmd_mset(struct cmd_ctx *ctx)
{
    if (ctx->argc % 2 == 0) {
        reply_wrong_arity(ctx);
        return;
    }
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref = db_find(ctx->db, &ctx->keys[i]);
        set_argument(ctx, i, &ref, 2 * i + 2, EXPIRY_NONE);
    }
    reply_ok(ctx);
}

// MSETNX key value [key value ...]
static void cmd_msetnx(struct cmd_ctx *ctx)
{
    if (ctx->argc % 2 == 0) {
        reply_wrong_arity(ctx);
        return;
    }
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        if (db_find(ctx->db, &ctx->keys[i]).entry) {
            reply_int(ctx, 0);
            return;
        }
    }
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        // The same key may come twice.
        struct entry_ref ref = db_find(ctx->db, &ctx->keys[i]);
        set_argument(ctx, i, &ref, 2 * i + 2, EXPIRY_NONE);
    }
    reply_int(ctx, 1);
}

const struct command string_commands[] = {
    { .name = "get",
      .summary = "Returns the string value of a key.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_get },
    { .name = "set",
      .summary = "Sets the string value of a key, whatever it held before.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { { .flags = KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_RANGE,
                  .step = 1,
                  .notes = "RW and ACCESS due to the optional `GET` argument" } },
      .key_flags = set_key_flags,
      .args = ARGS(
          { .name = "key", .type = ARG_KEY }, { .name = "value", .type = ARG_STRING },
          { .name = "condition",
            .type = ARG_ONEOF,
            .since = "2.6.12",
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "nx", .type = ARG_PURE_TOKEN, .token = "NX" },
                         { .name = "xx", .type = ARG_PURE_TOKEN, .token = "XX" }) },
          { .name = "get",
            .type = ARG_PURE_TOKEN,
            .token = "GET",
            .since = "6.2.0",
            .flags = ARG_OPTIONAL },
          { .name = "expiration",
            .type = ARG_ONEOF,
            .flags = ARG_OPTIONAL,
            .args = ARGS(
                { .name = "seconds", .type = ARG_INTEGER, .token = "EX", .since = "2.6.12" },
                { .name = "milliseconds", .type = ARG_INTEGER, .token = "PX", .since = "2.6.12" },
                { .name = "unix-time-seconds",
                  .type = ARG_UNIX_TIME,
                  .token = "EXAT",
                  .since = "6.2.0" },
                { .name = "unix-time-milliseconds",
                  .type = ARG_UNIX_TIME,
                  .token = "PXAT",
                  .since = "6.2.0" },
                { .name = "keepttl",
                  .type = ARG_PURE_TOKEN,
                  .token = "KEEPTTL",
                  .since = "6.0.0" }) }),
      .handler = cmd_set },
    { .name = "setex",
      .summary = "Sets a value with a time to live in seconds.",
      .since = "2.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "seconds", .type = ARG_INTEGER },
                   { .name = "value", .type = ARG_STRING }),
      .handler = cmd_setex },
    { .name = "psetex",
      .summary = "Sets a value with a time to live in milliseconds.",
      .since = "2.6.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "milliseconds", .type = ARG_INTEGER },
                   { .name = "value", .type = ARG_STRING }),
      .handler = cmd_psetex },
    { .name = "setnx",
      .summary = "Sets a value if the key does not exist.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_OW | KEY_INSERT) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "value", .type = ARG_STRING }),
      .handler = cmd_setnx },
    { .name = "getdel",
      .summary = "Returns a value and deletes its key.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_getdel },
    { .name = "getset",
      .summary = "Sets a value and returns the one before.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`SET` with the `!GET` argument",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "value", .type = ARG_STRING }),
      .handler = cmd_getset },
    { .name = "getex",
      .summary = "Returns a value and sets its time to live.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { { .flags = KEY_RW | KEY_ACCESS | KEY_UPDATE,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_RANGE,
                  .step = 1,
                  .notes = "RW and UPDATE because it changes the TTL" } },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "expiration",
            .type = ARG_ONEOF,
            .flags = ARG_OPTIONAL,
            .args = ARGS(
                { .name = "seconds", .type = ARG_INTEGER, .token = "EX" },
                { .name = "milliseconds", .type = ARG_INTEGER, .token = "PX" },
                { .name = "unix-time-seconds", .type = ARG_UNIX_TIME, .token = "EXAT" },
                { .name = "unix-time-milliseconds", .type = ARG_UNIX_TIME, .token = "PXAT" },
                { .name = "persist", .type = ARG_PURE_TOKEN, .token = "PERSIST" }) }),
      .handler = cmd_getex },
    { .name = "mget",
      .summary = "Returns the values of many keys.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_STRING,
      .arity = -2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_ALL(KEY_RO | KEY_ACCESS) },
      .tips = { "request_policy:multi_shard" },
      .args = ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE }),
      .handler = cmd_mget },
    { .name = "mset",
      .summary = "Sets the values of many keys at once.",
      .since = "1.0.1",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_STRING,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { KEYS_EVERY_SECOND(KEY_OW | KEY_UPDATE) },
      .tips = { "request_policy:multi_shard", "response_policy:all_succeeded" },
      .args = ARGS({ .name = "key_value",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "key", .type = ARG_KEY },
                                  { .name = "value", .type = ARG_STRING }) }),
      .handler = cmd_mset },
    { .name = "msetnx",
      .summary = "Sets the values of many keys if none of them exists.",
      .since = "1.0.1",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_STRING,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { KEYS_EVERY_SECOND(KEY_OW | KEY_INSERT) },
      .tips = { "request_policy:multi_shard", "response_policy:agg_min" },
      .args = ARGS({ .name = "key_value",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "key", .type = ARG_KEY },
                                  { .name = "value", .type = ARG_STRING }) }),
      .handler = cmd_msetnx },
    { 0 },
};

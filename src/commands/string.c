// SPDX-License-Identifier: BSD-3-Clause
// Strings: values, counters, many at once.
#include "types/string.h"

#include "base/clock.h"
#include "commands/expiry_arg.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/server.h"

// A value from this size on is sent from where it lies.
#define SEND_BY_REFERENCE 16384

static void reply_string(struct cmd_ctx *ctx, const struct entry *entry)
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

// Stores an argument under the first key. One that arrived in a blob of its own is not copied.
static void set_argument(struct cmd_ctx *ctx, struct entry_ref *ref, uint32_t i, int64_t expiry)
{
    struct blob *blob = incoming_take(ctx->client->incoming, ctx->argv[i]);
    if (unlikely(blob))
        string_set_blob(ctx->db, &ctx->keys[0], ref, blob, expiry);
    else
        string_set(ctx->db, &ctx->keys[0], ref, ctx->argv[i], expiry);
    ctx_written(ctx, 0);
}

struct set_options {
    bool nx;
    bool xx;
    bool get;
    bool keep_ttl;
    uint32_t expiry_at;  // position of the time's option, 0: none
    struct expiry_unit unit;
};

// One option that takes a time. False: it is none, or one too many.
static bool parse_time_option(struct cmd_ctx *ctx, uint32_t i, struct set_options *options)
{
    static const struct {
        const char *word;
        struct expiry_unit unit;
    } units[] = {
        { "ex", { .seconds = true } },
        { "px", { .seconds = false } },
        { "exat", { .seconds = true, .absolute = true } },
        { "pxat", { .absolute = true } },
    };
    if (options->expiry_at || options->keep_ttl || i + 1 >= ctx->argc)
        return false;
    for (unsigned k = 0; k < sizeof(units) / sizeof(*units); k++) {
        if (arg_is(ctx, i, units[k].word)) {
            options->expiry_at = i;
            options->unit = units[k].unit;
            return true;
        }
    }
    return false;
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
        } else if (arg_is(ctx, i, "keepttl") && !options->expiry_at) {
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

// The effect of a SET with options: an absolute time, and no GET.
static void set_effect(struct cmd_ctx *ctx, const struct set_options *options, int64_t expiry)
{
    if (!effects_wanted(ctx->server->effects) || (!options->get && !options->expiry_at))
        return;
    struct slice words[8];
    size_t count = 0;
    char text[EXPIRY_TEXT_MAX];  // cppcheck-suppress variableScope ; words[] refers to it
    words[count++] = SLICE("SET");
    words[count++] = ctx->argv[1];
    words[count++] = ctx->argv[2];
    if (options->nx)
        words[count++] = SLICE("NX");
    if (options->xx)
        words[count++] = SLICE("XX");
    if (options->keep_ttl)
        words[count++] = SLICE("KEEPTTL");
    if (options->expiry_at) {
        words[count++] = SLICE("PXAT");
        words[count++] = expiry_text(expiry, text);
    }
    effect_replace(ctx, words, count);
}

static void set_with_options(struct cmd_ctx *ctx)
{
    struct set_options options = { 0 };
    int64_t expiry = EXPIRY_NONE;
    if (!parse_set_options(ctx, &options))
        return;
    if (options.expiry_at && !arg_expiry(ctx, options.expiry_at + 1, options.unit, &expiry))
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
    set_argument(ctx, &ref, 2, expiry);
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
    set_argument(ctx, &ref, 2, EXPIRY_NONE);
    reply_ok(ctx);
}

static void set_expiring(struct cmd_ctx *ctx, struct expiry_unit unit)
{
    int64_t expiry;
    if (!arg_expiry(ctx, 2, unit, &expiry))
        return;
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    set_argument(ctx, &ref, 3, expiry);
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
    set_argument(ctx, &ref, 2, EXPIRY_NONE);
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
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx_removed(ctx, 0);
    effect_replace(ctx, (struct slice[]){ SLICE("DEL"), ctx->argv[1] }, 2);
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
        string_set(ctx->db, &ctx->keys[i], &ref, ctx->argv[2 * i + 2], EXPIRY_NONE);
        ctx_written(ctx, i);
    }
    reply_ok(ctx);
}

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
    ctx_written(ctx, 0);
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

// APPEND key value
static void cmd_append(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_STRING, &ref))
        return;
    struct slice more = ctx->argv[2];
    if (!ref.entry) {
        string_set(ctx->db, &ctx->keys[0], &ref, more, EXPIRY_NONE);
    } else {
        int64_t limit = ctx->server->clients->config.max_bulk_bytes;
        if (string_length(ref.entry) + more.len > (uint64_t)limit) {
            reply_error(ctx, ERR_STRING_TOO_LONG);
            return;
        }
        if (string_append(ctx->db, &ref, more) != STATUS_OK) {
            reply_error(ctx, ERR_OUT_OF_MEMORY);
            return;
        }
    }
    ctx_written(ctx, 0);
    reply_int(ctx, (int64_t)string_length(ref.entry));
}

// STRLEN key
static void cmd_strlen(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        reply_int(ctx, ref.entry ? (int64_t)string_length(ref.entry) : 0);
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
      .handler = cmd_getdel },
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
      .handler = cmd_mset },
    { .name = "incr",
      .summary = "Adds one to an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .handler = cmd_incr },
    { .name = "decr",
      .summary = "Takes one from an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .handler = cmd_decr },
    { .name = "incrby",
      .summary = "Adds to an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .handler = cmd_incrby },
    { .name = "decrby",
      .summary = "Takes from an integer; a missing key counts as 0.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .handler = cmd_decrby },
    { .name = "append",
      .summary = "Appends to a string; a missing key counts as an empty one.",
      .since = "2.0.0",
      .complexity = "O(1) amortised",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .handler = cmd_append },
    { .name = "strlen",
      .summary = "Returns the length of a string.",
      .since = "2.2.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RO) },
      .handler = cmd_strlen },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Values that travel: DUMP RESTORE.
#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "commands/expiry_arg.h"
#include "commands/tables.h"
#include "persist/rdb_dump.h"
#include "server/effects.h"
#include "server/server.h"

// DUMP key
static void cmd_dump(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_find_read(ctx->db, &ctx->keys[0]).entry;
    if (!entry) {
        reply_null(ctx);
        return;
    }
    struct bytes payload = { 0 };
    rdb_dump(entry, &payload);
    resp_bulk_slice(&ctx->reply, bytes_slice(&payload));
    bytes_release(&payload);
}

struct restore {
    int64_t ttl_ms;
    int64_t idle_s;     // -1: not said
    int64_t frequency;  // -1: not said
    bool replace;
    bool absolute;
};

static bool parse_number(struct cmd_ctx *ctx, uint32_t i, int64_t max, const char *invalid,
                         int64_t *out)
{
    if (!arg_int64(ctx, i, out))
        return false;
    if (*out < 0 || *out > max) {
        reply_errorf(ctx, "ERR %s", invalid);
        return false;
    }
    return true;
}

static bool parse_options(struct cmd_ctx *ctx, struct restore *restore)
{
    for (uint32_t i = 4; i < ctx->argc; i++) {
        bool has_value = i + 1 < ctx->argc;
        if (arg_is(ctx, i, "replace")) {
            restore->replace = true;
        } else if (arg_is(ctx, i, "absttl")) {
            restore->absolute = true;
        } else if (arg_is(ctx, i, "idletime") && has_value && restore->frequency < 0) {
            if (!parse_number(ctx, ++i, INT64_MAX, "Invalid IDLETIME value, must be >= 0",
                              &restore->idle_s))
                return false;
        } else if (arg_is(ctx, i, "freq") && has_value && restore->idle_s < 0) {
            if (!parse_number(ctx, ++i, UINT8_MAX, "Invalid FREQ value, must be >= 0 and <= 255",
                              &restore->frequency))
                return false;
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

static uint32_t access_of(const struct cmd_ctx *ctx, const struct restore *restore)
{
    const struct keyspace *keyspace = ctx->server->keyspace;
    if (restore->frequency >= 0)
        return access_of_counter(&keyspace->access, (uint8_t)restore->frequency);
    if (restore->idle_s >= 0)
        return access_of_idle_s(&keyspace->access, (uint64_t)restore->idle_s);
    return keyspace->access_clock;
}

// The value that the payload holds; NULL: the error has been replied.
static struct entry *read_value(struct cmd_ctx *ctx, const struct restore *restore, int64_t at_ms)
{
    if (!rdb_dump_is_whole(ctx->argv[3])) {
        reply_error(ctx, ERR_DUMP_CHECKSUM);
        return NULL;
    }
    const struct rdb_item item = {
        .key = ctx->argv[1],
        .access = access_of(ctx, restore),
        .expiry = at_ms,
        .limits = ctx->server->limits,
    };
    char why[RDB_ERROR_TEXT_MAX];
    struct entry *entry = rdb_restore(ctx->argv[3], &item, why);
    if (!entry) {
        log_warning("RESTORE: Bad data format: %s", why);
        reply_error(ctx, ERR_DUMP_FORMAT);
    }
    return entry;
}

// The same with an absolute time, for those who get to hear of it later.
static void replace_effect(struct cmd_ctx *ctx, const struct restore *restore, int64_t at_ms)
{
    char time[EXPIRY_TEXT_MAX];
    char number[INT64_TEXT_MAX];
    struct slice words[8] = { SLICE("RESTORE"), ctx->argv[1], expiry_text(at_ms, time),
                              ctx->argv[3] };
    size_t count = 4;
    if (restore->replace)
        words[count++] = SLICE("REPLACE");
    if (restore->idle_s >= 0 || restore->frequency >= 0) {
        bool is_idle = restore->idle_s >= 0;
        int len = format_int64(number, is_idle ? restore->idle_s : restore->frequency);
        words[count++] = is_idle ? SLICE("IDLETIME") : SLICE("FREQ");
        words[count++] = (struct slice){ .ptr = number, .len = (size_t)len };
    }
    words[count++] = SLICE("ABSTTL");
    effect_replace(ctx, words, count);
}

// A value whose time is over is not put anywhere; the one that it would have replaced goes.
static void drop(struct cmd_ctx *ctx, struct entry_ref ref, struct entry *entry)
{
    keyspace_release_entry(ctx->server->keyspace, entry, REMOVED_BY_SERVER);
    if (!ref.entry)
        return;
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx_removed(ctx, 0);
    effect_replace(ctx, (struct slice[]){ SLICE("DEL"), ctx->argv[1] }, 2);
}

// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
static void cmd_restore(struct cmd_ctx *ctx)
{
    struct restore restore = { .idle_s = -1, .frequency = -1 };
    if (!parse_options(ctx, &restore))
        return;
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    if (ref.entry && !restore.replace) {
        reply_error(ctx, ERR_BUSY_KEY);
        return;
    }
    if (!parse_number(ctx, 2, INT64_MAX, "Invalid TTL value, must be >= 0", &restore.ttl_ms))
        return;
    int64_t at_ms = restore.ttl_ms;
    if (at_ms == 0)
        at_ms = EXPIRY_NONE;
    else if (!restore.absolute && __builtin_add_overflow(at_ms, clock_wall_ms(), &at_ms))
        at_ms = 0;
    struct entry *entry = read_value(ctx, &restore, at_ms);
    if (!entry)
        return;
    if (at_ms != EXPIRY_NONE && db_is_past(ctx->db, at_ms)) {
        drop(ctx, ref, entry);
    } else {
        db_put(ctx->db, &ctx->keys[0], &ref, entry);
        ctx_written(ctx, 0, NOTIFY_GENERIC, "restore");
        if (at_ms != EXPIRY_NONE && !restore.absolute)
            replace_effect(ctx, &restore, at_ms);
    }
    reply_ok(ctx);
}

const struct command dump_commands[] = {
    { .name = "dump",
      .summary = "Gives the value of a key in the form that RESTORE takes.",
      .since = "2.6.0",
      .complexity = "O(1) to find the key, and O(N) for a value of N bytes",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_dump },
    { .name = "restore",
      .summary = "Makes a key of a value that DUMP has given.",
      .since = "2.6.0",
      .complexity =
          "O(1) for the key, and O(N) for a value of N bytes; O(N*log(N)) for sorted sets",
      .group = GROUP_GENERIC,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_KEYSPACE | ACL_DANGEROUS,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "ttl", .type = ARG_INTEGER },
                   { .name = "serialized-value", .type = ARG_STRING },
                   { .name = "replace",
                     .type = ARG_PURE_TOKEN,
                     .token = "REPLACE",
                     .since = "3.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "absttl",
                     .type = ARG_PURE_TOKEN,
                     .token = "ABSTTL",
                     .since = "5.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "seconds",
                     .type = ARG_INTEGER,
                     .token = "IDLETIME",
                     .since = "5.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "frequency",
                     .type = ARG_INTEGER,
                     .token = "FREQ",
                     .since = "5.0.0",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_restore },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Walking the keyspace: SCAN and KEYS.
#include "base/glob.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

// Steps that one SCAN makes at most for each element it is asked for: a sparse table must not make
// one call long.
#define STEPS_PER_ELEMENT 10

#define SCAN_COUNT_DEFAULT 10

struct scan {
    struct cmd_ctx *ctx;
    int64_t count;
    int64_t visited;
    size_t emitted;
    bool all;  // no pattern, or "*"
    struct slice pattern;
    const struct slice *type;
};

static bool type_matches(const struct scan *scan, const struct entry *entry)
{
    return !scan->type ||
           slice_is(*scan->type, scan->ctx->server->keyspace->types[entry_type(entry)]->name);
}

static void emit_key(void *entry, uint8_t expiry_class, void *udata)
{
    (void)expiry_class;
    struct scan *scan = udata;
    struct slice key = entry_key(entry);
    scan->visited++;
    if ((!scan->all && !glob_match(scan->pattern, key, false)) || db_expired(entry) ||
        !type_matches(scan, entry))
        return;
    resp_bulk_slice(&scan->ctx->reply, key);
    scan->emitted++;
}

static void set_pattern(struct scan *scan, struct slice pattern)
{
    scan->pattern = pattern;
    scan->all = slice_equal(pattern, SLICE("*"));
}

static bool parse_scan_options(struct cmd_ctx *ctx, struct scan *scan)
{
    for (uint32_t i = 2; i < ctx->argc; i += 2) {
        bool has_value = i + 1 < ctx->argc;
        if (has_value && arg_is(ctx, i, "count")) {
            if (!arg_int64(ctx, i + 1, &scan->count))
                return false;
            if (scan->count < 1) {
                reply_error(ctx, ERR_SYNTAX);
                return false;
            }
        } else if (has_value && arg_is(ctx, i, "match")) {
            set_pattern(scan, ctx->argv[i + 1]);
        } else if (has_value && arg_is(ctx, i, "type")) {
            scan->type = &ctx->argv[i + 1];
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

// A cursor as strtoul() reads it, with nothing before or behind it: a minus sign wraps around.
static bool parse_cursor(struct slice text, uint64_t *cursor)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (negative || (text.len > 0 && text.ptr[0] == '+')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 1 && text.ptr[0] == '0') {
        text.ptr++;
        text.len--;
    }
    *cursor = 0;
    if (text.len > 0 && !parse_uint64(text, cursor))
        return false;
    *cursor = negative ? -*cursor : *cursor;
    return true;
}

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
static void cmd_scan(struct cmd_ctx *ctx)
{
    struct scan scan = { .ctx = ctx, .count = SCAN_COUNT_DEFAULT, .all = true };
    uint64_t cursor;
    if (!parse_cursor(ctx->argv[1], &cursor)) {
        reply_error(ctx, ERR_INVALID_CURSOR);
        return;
    }
    if (!parse_scan_options(ctx, &scan))
        return;

    // The cursor is known only at the end and stands first.
    struct resp_deferred keys;
    resp_deferred_begin(&ctx->reply, &keys);
    int64_t steps = scan.count < INT64_MAX / STEPS_PER_ELEMENT ? scan.count * STEPS_PER_ELEMENT
                                                               : INT64_MAX;
    do {
        cursor = table_scan(&ctx->db->table, cursor, emit_key, &scan);
    } while (cursor != 0 && scan.visited < scan.count && --steps > 0);
    resp_deferred_header(&ctx->reply, &keys);
    resp_array(&ctx->reply, 2);
    resp_bulk_int(&ctx->reply, (int64_t)cursor);
    resp_array(&ctx->reply, scan.emitted);
    resp_deferred_append(&ctx->reply, &keys);
}

// KEYS pattern
static void cmd_keys(struct cmd_ctx *ctx)
{
    struct scan scan = { .ctx = ctx };
    set_pattern(&scan, ctx->argv[1]);
    struct resp_deferred keys;
    resp_deferred_begin(&ctx->reply, &keys);
    struct table_iter iter;
    table_iter_init(&iter, &ctx->db->table);
    const struct table_slot *slot;
    while ((slot = table_iter_next(&iter)) != NULL)
        emit_key(table_slot_entry(slot), 0, &scan);
    resp_deferred_end(&ctx->reply, &keys, resp_array, scan.emitted);
}

const struct command scan_commands[] = {
    { .name = "scan",
      .summary = "Walks the keys of the database, some a call.",
      .since = "2.8.0",
      .complexity = "O(1) a call; O(N) for a whole walk where N is the number of keys",
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .tips = { "nondeterministic_output", "request_policy:special" },
      .args = ARGS(
          { .name = "cursor", .type = ARG_INTEGER },
          { .name = "pattern", .type = ARG_PATTERN, .token = "MATCH", .flags = ARG_OPTIONAL },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL },
          { .name = "type",
            .type = ARG_STRING,
            .token = "TYPE",
            .since = "6.0.0",
            .flags = ARG_OPTIONAL }),
      .handler = cmd_scan },
    { .name = "keys",
      .summary = "Returns all keys that match a pattern.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE | ACL_DANGEROUS,
      .tips = { "request_policy:all_shards", "nondeterministic_output_order" },
      .args = ARGS({ .name = "pattern", .type = ARG_PATTERN }),
      .handler = cmd_keys },
    { 0 },
};

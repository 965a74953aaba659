// SPDX-License-Identifier: BSD-3-Clause
// Walking the keyspace: SCAN and KEYS.
#include "commands/scan_args.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

struct key_scan {
    struct scan scan;
    const struct slice *type;
};

static bool type_matches(const struct key_scan *scan, const struct entry *entry)
{
    const struct keyspace *keyspace = scan->scan.ctx->server->keyspace;
    return !scan->type || slice_is(*scan->type, keyspace->types[entry_type(entry)]->name);
}

static void emit_key(void *entry, uint8_t expiry_class, void *udata)
{
    (void)expiry_class;
    struct key_scan *scan = udata;
    struct slice key = entry_key(entry);
    scan->scan.visited++;
    if (!scan_matches(&scan->scan, key) || db_expired(entry) || !type_matches(scan, entry))
        return;
    resp_bulk_slice(&scan->scan.ctx->reply, key);
    scan->scan.emitted++;
}

static bool parse_scan_options(struct cmd_ctx *ctx, struct key_scan *scan)
{
    for (uint32_t i = 2; i < ctx->argc; i += 2) {
        int taken = scan_arg_option(&scan->scan, i);
        if (taken < 0)
            return false;
        if (taken > 0)
            continue;
        if (i + 1 == ctx->argc || !arg_is(ctx, i, "type")) {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
        scan->type = &ctx->argv[i + 1];
    }
    return true;
}

static uint64_t scan_step(struct scan *scan, uint64_t cursor, void *udata)
{
    return table_scan(&scan->ctx->db->table, cursor, emit_key, udata);
}

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
static void cmd_scan(struct cmd_ctx *ctx)
{
    struct key_scan scan = { .scan = scan_of(ctx) };
    if (scan_arg_cursor(&scan.scan, 1) && parse_scan_options(ctx, &scan))
        scan_run(&scan.scan, scan_step, &scan);
}

// KEYS pattern
static void cmd_keys(struct cmd_ctx *ctx)
{
    struct key_scan scan = { .scan = scan_of(ctx) };
    scan_set_pattern(&scan.scan, ctx->argv[1]);
    struct resp_deferred keys;
    resp_deferred_begin(&ctx->reply, &keys);
    struct table_iter iter;
    table_iter_init(&iter, &ctx->db->table);
    const struct table_slot *slot;
    while ((slot = table_iter_next(&iter)) != NULL)
        emit_key(table_slot_entry(slot), 0, &scan);
    resp_deferred_end(&ctx->reply, &keys, resp_array, scan.scan.emitted);
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

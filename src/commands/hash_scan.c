// SPDX-License-Identifier: BSD-3-Clause
// Some fields of a hash: HRANDFIELD HSCAN.
#include "types/hash.h"

#include "commands/random_pick.h"
#include "commands/scan_args.h"
#include "commands/tables.h"
#include "server/ctx.h"

static void reply_pair(const struct hash_pair *pair, const struct random_pick *pick)
{
    struct resp_writer *reply = &pick->ctx->reply;
    // In RESP3 each pair is an array of its own.
    if (pick->pairs && reply->proto > 2)
        resp_array(reply, 2);
    resp_bulk_slice(reply, pair->field);
    if (pick->pairs)
        resp_bulk_slice(reply, pair->value);
}

static void reply_sampled(const struct hash_pair *pair, void *udata)
{
    reply_pair(pair, udata);
}

// Different fields, at most all.
static void reply_different(struct random_pick *pick, const struct entry *entry)
{
    size_t len = hash_len(entry);
    size_t count = (uint64_t)pick->count < len ? (size_t)pick->count : len;
    random_reply_count(pick, count);
    hash_sample(entry, &pick->ctx->db->keyspace->random, count, reply_sampled, pick);
}

static void choose(const struct random_pick *pick, const struct entry *entry)
{
    struct hash_pair pair;
    hash_random(entry, &pick->ctx->db->keyspace->random, &pair);
    reply_pair(&pair, pick);
}

static void reply_one(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    struct hash_pair pair;
    hash_random(ref.entry, &ctx->db->keyspace->random, &pair);
    resp_bulk_slice(&ctx->reply, pair.field);
}

// HRANDFIELD key [count [WITHVALUES]]
static void cmd_hrandfield(struct cmd_ctx *ctx)
{
    struct random_pick pick = { .ctx = ctx };
    struct entry_ref ref;
    if (ctx->argc == 2) {
        reply_one(ctx);
        return;
    }
    if (!random_args(&pick, "withvalues") || !ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return;
    if (!ref.entry || pick.count == 0)
        resp_array(&ctx->reply, 0);
    else if (pick.count > 0)
        reply_different(&pick, ref.entry);
    else
        random_reply_repeated(&pick, ref.entry, choose);
}

struct field_scan {
    struct scan scan;
    const struct entry *entry;
    bool no_values;
};

static void emit_scanned(const struct hash_pair *pair, void *udata)
{
    struct field_scan *scan = udata;
    scan->scan.visited++;
    if (!scan_matches(&scan->scan, pair->field))
        return;
    resp_bulk_slice(&scan->scan.ctx->reply, pair->field);
    scan->scan.emitted++;
    if (scan->no_values)
        return;
    resp_bulk_slice(&scan->scan.ctx->reply, pair->value);
    scan->scan.emitted++;
}

static uint64_t scan_step(struct scan *scan, uint64_t cursor, void *udata)
{
    (void)scan;
    const struct field_scan *fields = udata;
    return hash_scan(fields->entry, cursor, emit_scanned, udata);
}

static bool parse_scan_options(struct cmd_ctx *ctx, struct field_scan *scan)
{
    for (uint32_t i = 3; i < ctx->argc;) {
        int taken = scan_arg_option(&scan->scan, i);
        if (taken == 0 && arg_is(ctx, i, "novalues")) {
            scan->no_values = true;
            taken = 1;
        }
        if (taken == 0)
            reply_error(ctx, ERR_SYNTAX);
        if (taken <= 0)
            return false;
        i += (uint32_t)taken;
    }
    return true;
}

// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
static void cmd_hscan(struct cmd_ctx *ctx)
{
    struct field_scan scan = { .scan = scan_of(ctx) };
    struct entry_ref ref;
    if (!scan_arg_cursor(&scan.scan, 2) || !ctx_find_read(ctx, 0, TYPE_HASH, &ref))
        return;
    if (!ref.entry) {
        scan_reply_nothing(ctx);
        return;
    }
    scan.entry = ref.entry;
    if (parse_scan_options(ctx, &scan))
        scan_run(&scan.scan, scan_step, &scan);
}

const struct command hash_scan_commands[] = {
    { .name = "hrandfield",
      .summary = "Returns fields of a hash picked at random.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of fields that are returned",
      .group = GROUP_HASH,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "options",
            .type = ARG_BLOCK,
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "count", .type = ARG_INTEGER }, { .name = "withvalues",
                                                                     .type = ARG_PURE_TOKEN,
                                                                     .token = "WITHVALUES",
                                                                     .flags = ARG_OPTIONAL }) }),
      .handler = cmd_hrandfield },
    { .name = "hscan",
      .summary = "Walks the fields of a hash, some a call.",
      .since = "2.8.0",
      .complexity = "O(1) a call; O(N) for a whole walk where N is the number of fields",
      .group = GROUP_HASH,
      .arity = -3,
      .flags = CMD_READONLY,
      .acl = ACL_HASH,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY }, { .name = "cursor", .type = ARG_INTEGER },
          { .name = "pattern", .type = ARG_PATTERN, .token = "MATCH", .flags = ARG_OPTIONAL },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL }),
      .handler = cmd_hscan },
    { 0 },
};

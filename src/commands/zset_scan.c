// SPDX-License-Identifier: BSD-3-Clause
// Some members of a sorted set: ZSCAN ZRANDMEMBER.
#include "commands/random_pick.h"
#include "commands/scan_args.h"
#include "commands/tables.h"
#include "commands/zset_reply.h"
#include "server/server.h"

struct member_scan {
    struct scan scan;
    const struct entry *entry;
};

static void emit_scanned(const struct zset_item *item, void *udata)
{
    struct member_scan *scan = udata;
    scan->scan.visited++;
    if (!scan_matches(&scan->scan, item->member))
        return;
    char text[ZSET_SCANNED_TEXT_MAX];
    int len = zset_scanned_text(scan->entry, item->score, text);
    resp_bulk_slice(&scan->scan.ctx->reply, item->member);
    resp_bulk(&scan->scan.ctx->reply, text, (size_t)len);
    scan->scan.emitted += 2;
}

static uint64_t scan_step(struct scan *scan, uint64_t cursor, void *udata)
{
    (void)scan;
    const struct member_scan *members = udata;
    return zset_scan(members->entry, cursor, emit_scanned, udata);
}

static bool parse_scan_options(struct cmd_ctx *ctx, struct scan *scan)
{
    for (uint32_t i = 3; i < ctx->argc;) {
        int taken = scan_arg_option(scan, i);
        if (taken == 0)
            reply_error(ctx, ERR_SYNTAX);
        if (taken <= 0)
            return false;
        i += (uint32_t)taken;
    }
    return true;
}

// ZSCAN key cursor [MATCH pattern] [COUNT count]
static void cmd_zscan(struct cmd_ctx *ctx)
{
    struct member_scan scan = { .scan = scan_of(ctx) };
    struct entry_ref ref;
    if (!scan_arg_cursor(&scan.scan, 2) || !ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (!ref.entry) {
        scan_reply_nothing(ctx);
        return;
    }
    scan.entry = ref.entry;
    if (parse_scan_options(ctx, &scan.scan))
        scan_run(&scan.scan, scan_step, &scan);
}

static void reply_item(const struct zset_item *item, void *udata)
{
    const struct random_pick *pick = udata;
    zset_reply_member(&pick->ctx->reply, item->member, item->score, pick->pairs);
}

// Different members, at most all: then in their order.
static void reply_different(struct random_pick *pick, const struct entry *entry)
{
    struct cmd_ctx *ctx = pick->ctx;
    size_t len = zset_len(entry);
    size_t count = (uint64_t)pick->count < len ? (size_t)pick->count : len;
    random_reply_count(pick, count);
    if (count < len)
        zset_sample(entry, &ctx->server->keyspace->random, count, reply_item, pick);
    else
        zset_reply_walk(&ctx->reply, entry, 0, len, false, pick->pairs);
}

static void choose(const struct random_pick *pick, const struct entry *entry)
{
    struct zset_item item;
    zset_random(entry, &pick->ctx->server->keyspace->random, &item);
    zset_reply_member(&pick->ctx->reply, item.member, item.score, pick->pairs);
}

static void reply_one(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    struct zset_item item;
    zset_random(ref.entry, &ctx->server->keyspace->random, &item);
    resp_bulk_slice(&ctx->reply, item.member);
}

// ZRANDMEMBER key [count [WITHSCORES]]
static void cmd_zrandmember(struct cmd_ctx *ctx)
{
    struct random_pick pick = { .ctx = ctx };
    struct entry_ref ref;
    if (ctx->argc == 2) {
        reply_one(ctx);
        return;
    }
    if (!random_args(&pick, "withscores") || !ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (!ref.entry || pick.count == 0)
        resp_array(&ctx->reply, 0);
    else if (pick.count > 0)
        reply_different(&pick, ref.entry);
    else
        random_reply_repeated(&pick, ref.entry, choose);
}

const struct command zset_scan_commands[] = {
    { .name = "zscan",
      .summary = "Walks the members and their scores, some a call.",
      .since = "2.8.0",
      .complexity = "O(1) a call. O(N) for a whole walk, where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY }, { .name = "cursor", .type = ARG_INTEGER },
          { .name = "pattern", .type = ARG_PATTERN, .token = "MATCH", .flags = ARG_OPTIONAL },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL }),
      .handler = cmd_zscan },
    { .name = "zrandmember",
      .summary = "Returns members chosen at random.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of members returned",
      .group = GROUP_SORTED_SET,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "options",
            .type = ARG_BLOCK,
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "count", .type = ARG_INTEGER }, { .name = "withscores",
                                                                     .type = ARG_PURE_TOKEN,
                                                                     .token = "WITHSCORES",
                                                                     .flags = ARG_OPTIONAL }) }),
      .handler = cmd_zrandmember },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Ranges of sorted sets: ZRANGE and its elder kin, ZRANGESTORE, ZREMRANGEBYRANK ZREMRANGEBYSCORE
// ZREMRANGEBYLEX.
#include "commands/tables.h"
#include "commands/zset_bounds.h"
#include "commands/zset_reply.h"
#include "commands/zset_store.h"
#include "server/ctx.h"
#include "server/registry.h"
#include "server/server.h"
#include "types/zset_draft.h"

enum range_by { BY_RANK, BY_SCORE, BY_LEX };

struct range {
    enum range_by by;
    bool reverse;
    bool by_is_fixed;       // the command's name says it
    bool reverse_is_fixed;  // the same
    bool store;
    bool with_scores;
    uint32_t first;  // argument: the bounds
    int64_t offset;
    int64_t limit;  // negative: all
    int64_t start;
    int64_t end;
    struct zset_score_range scores;
    struct zset_lex_range lex;
};

// How many arguments the option at `i` takes; 0: it is none. -1: the error has been replied.
static int read_range_option(struct cmd_ctx *ctx, uint32_t i, struct range *range)
{
    if (!range->store && arg_is(ctx, i, "withscores")) {
        range->with_scores = true;
    } else if (arg_is(ctx, i, "limit") && i + 2 < ctx->argc) {
        bool read = arg_int64(ctx, i + 1, &range->offset) && arg_int64(ctx, i + 2, &range->limit);
        return read ? 3 : -1;
    } else if (!range->reverse_is_fixed && arg_is(ctx, i, "rev")) {
        range->reverse = true;
    } else if (!range->by_is_fixed && range->by == BY_RANK && arg_is(ctx, i, "bylex")) {
        range->by = BY_LEX;
    } else if (!range->by_is_fixed && range->by == BY_RANK && arg_is(ctx, i, "byscore")) {
        range->by = BY_SCORE;
    } else {
        return 0;
    }
    return 1;
}

static bool parse_bounds(struct cmd_ctx *ctx, struct range *range)
{
    uint32_t first = range->first;
    uint32_t min = range->reverse ? first + 1 : first;
    uint32_t max = range->reverse ? first : first + 1;
    switch (range->by) {
    case BY_SCORE: return arg_score_range(ctx, min, max, &range->scores);
    case BY_LEX: return arg_lex_range(ctx, min, max, &range->lex);
    case BY_RANK: break;
    }
    return arg_int64(ctx, first, &range->start) && arg_int64(ctx, first + 1, &range->end);
}

// False: an error has been replied.
static bool parse_range(struct cmd_ctx *ctx, struct range *range)
{
    range->limit = -1;
    for (uint32_t i = range->first + 2; i < ctx->argc;) {
        int taken = read_range_option(ctx, i, range);
        if (taken == 0)
            reply_error(ctx, ERR_SYNTAX);
        if (taken <= 0)
            return false;
        i += (uint32_t)taken;
    }
    if (range->limit != -1 && range->by == BY_RANK) {
        reply_error(ctx, ERR_ZRANGE_LIMIT);
        return false;
    }
    if (range->with_scores && range->by == BY_LEX) {
        reply_error(ctx, ERR_ZRANGE_WITHSCORES);
        return false;
    }
    return parse_bounds(ctx, range);
}

// The first `limit` ranks of the span, seen in the direction of the walk, behind the first `offset`.
static struct zset_span limited(struct zset_span span, const struct range *range)
{
    if (range->offset < 0 || (uint64_t)range->offset >= span.count)
        return (struct zset_span){ 0 };
    size_t skipped = (size_t)range->offset;
    size_t count = span.count - skipped;
    if (range->limit >= 0 && (uint64_t)range->limit < count)
        count = (size_t)range->limit;
    size_t first = range->reverse ? span.first + span.count - skipped - count
                                  : span.first + skipped;
    return (struct zset_span){ .first = first, .count = count };
}

static struct zset_span span_of(const struct range *range, const struct entry *entry)
{
    size_t len = zset_len(entry);
    switch (range->by) {
    case BY_SCORE: return limited(zset_span_of_scores(entry, &range->scores), range);
    case BY_LEX: return limited(zset_span_of_lex(entry, &range->lex, range->reverse), range);
    case BY_RANK: break;
    }
    struct zset_span span = zset_span_of_ranks(range->start, range->end, len);
    if (range->reverse && span.count > 0)
        span.first = len - span.first - span.count;
    return span;
}

static void reply_range(struct cmd_ctx *ctx, const struct range *spec)
{
    struct range range = *spec;
    struct entry_ref ref;
    range.first = 2;
    if (!parse_range(ctx, &range) || !ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (!ref.entry) {
        resp_array(&ctx->reply, 0);
        return;
    }
    struct zset_span span = span_of(&range, ref.entry);
    zset_reply_count(&ctx->reply, span.count, range.with_scores);
    if (span.count > 0)
        zset_reply_walk(&ctx->reply, ref.entry,
                        range.reverse ? span.first + span.count - 1 : span.first, span.count,
                        range.reverse, range.with_scores);
}

// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
static void cmd_zrange(struct cmd_ctx *ctx)
{
    reply_range(ctx, &(struct range){ 0 });
}

// ZREVRANGE key start stop [WITHSCORES]
static void cmd_zrevrange(struct cmd_ctx *ctx)
{
    reply_range(ctx,
                &(struct range){ .by_is_fixed = true, .reverse = true, .reverse_is_fixed = true });
}

// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
static void cmd_zrangebyscore(struct cmd_ctx *ctx)
{
    reply_range(ctx,
                &(struct range){ .by = BY_SCORE, .by_is_fixed = true, .reverse_is_fixed = true });
}

// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
static void cmd_zrevrangebyscore(struct cmd_ctx *ctx)
{
    reply_range(
        ctx, &(struct range){
                 .by = BY_SCORE, .by_is_fixed = true, .reverse = true, .reverse_is_fixed = true });
}

// ZRANGEBYLEX key min max [LIMIT offset count]
static void cmd_zrangebylex(struct cmd_ctx *ctx)
{
    reply_range(ctx,
                &(struct range){ .by = BY_LEX, .by_is_fixed = true, .reverse_is_fixed = true });
}

// ZREVRANGEBYLEX key max min [LIMIT offset count]
static void cmd_zrevrangebylex(struct cmd_ctx *ctx)
{
    reply_range(ctx,
                &(struct range){
                    .by = BY_LEX, .by_is_fixed = true, .reverse = true, .reverse_is_fixed = true });
}

// Redis adds the members one by one, to a small sorted set unless it knows that they are too many, and
// small sorted sets have no -0: what was added before it grew large has lost its sign.
static void draft_span(const struct cmd_ctx *ctx, const struct range *range,
                       const struct entry *entry, struct zset_span span, struct zset_draft *draft)
{
    const struct collection_limits *limits = ctx->server->limits;
    int64_t room = limits->zset_max_listpack_entries;
    if (range->by == BY_RANK && (int64_t)span.count > room)
        room = 0;
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, range->reverse ? span.first + span.count - 1 : span.first,
                   range->reverse);
    while (span.count-- > 0 && zset_iter_next(&iter, &item)) {
        if ((int64_t)item.member.len > limits->zset_max_listpack_value)
            room = 0;
        bool small = room-- > 0;
        zset_draft_add(draft, item.member, small ? item.score + 0.0 : item.score);
    }
}

// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
static void cmd_zrangestore(struct cmd_ctx *ctx)
{
    struct range range = { .store = true, .first = 3 };
    struct entry_ref ref;
    if (!parse_range(ctx, &range) || !ctx_find_read(ctx, 1, TYPE_ZSET, &ref))
        return;
    struct zset_draft draft;
    zset_draft_init(&draft);
    struct zset_span span = ref.entry ? span_of(&range, ref.entry) : (struct zset_span){ 0 };
    if (span.count > 0)
        draft_span(ctx, &range, ref.entry, span, &draft);
    zset_store_reply(ctx, &draft);
}

static void remove_range(struct cmd_ctx *ctx, const struct range *range, struct entry_ref *ref)
{
    struct zset_span span = ref->entry ? span_of(range, ref->entry) : (struct zset_span){ 0 };
    if (span.count > 0)
        zset_take_span(ctx, 0, ref, span, ctx->command->row->name);
    reply_int(ctx, (int64_t)span.count);
}

static void cmd_remove(struct cmd_ctx *ctx, enum range_by by)
{
    struct range range = { .by = by, .first = 2, .limit = -1 };
    struct entry_ref ref;
    if (parse_bounds(ctx, &range) && ctx_find(ctx, 0, TYPE_ZSET, &ref))
        remove_range(ctx, &range, &ref);
}

// ZREMRANGEBYRANK key start stop
static void cmd_zremrangebyrank(struct cmd_ctx *ctx)
{
    cmd_remove(ctx, BY_RANK);
}

// ZREMRANGEBYSCORE key min max
static void cmd_zremrangebyscore(struct cmd_ctx *ctx)
{
    cmd_remove(ctx, BY_SCORE);
}

// ZREMRANGEBYLEX key min max
static void cmd_zremrangebylex(struct cmd_ctx *ctx)
{
    cmd_remove(ctx, BY_LEX);
}

const struct command zset_range_commands[] = {
    { .name = "zrange",
      .summary = "Returns the members in a range of ranks, scores or the alphabet.",
      .since = "1.2.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "start", .type = ARG_STRING },
                   { .name = "stop", .type = ARG_STRING },
                   { .name = "sortby",
                     .type = ARG_ONEOF,
                     .since = "6.2.0",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "byscore", .type = ARG_PURE_TOKEN, .token = "BYSCORE" },
                                  { .name = "bylex", .type = ARG_PURE_TOKEN, .token = "BYLEX" }) },
                   { .name = "rev",
                     .type = ARG_PURE_TOKEN,
                     .token = "REV",
                     .since = "6.2.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .since = "6.2.0",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zrange },
    { .name = "zrevrange",
      .summary = "Returns the members in a range of ranks, highest first.",
      .since = "1.2.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`ZRANGE` with the `REV` argument",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "start", .type = ARG_INTEGER },
                   { .name = "stop", .type = ARG_INTEGER },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zrevrange },
    { .name = "zrangebyscore",
      .summary = "Returns the members with scores in a range.",
      .since = "1.0.5",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`ZRANGE` with the `BYSCORE` argument",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_DOUBLE },
                   { .name = "max", .type = ARG_DOUBLE },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .since = "2.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) }),
      .handler = cmd_zrangebyscore },
    { .name = "zrevrangebyscore",
      .summary = "Returns the members with scores in a range, highest first.",
      .since = "2.2.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "max", .type = ARG_DOUBLE },
                   { .name = "min", .type = ARG_DOUBLE },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) }),
      .handler = cmd_zrevrangebyscore },
    { .name = "zrangebylex",
      .summary = "Returns the members in a range of the alphabet, all scores being equal.",
      .since = "2.8.9",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`ZRANGE` with the `BYLEX` argument",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_STRING },
                   { .name = "max", .type = ARG_STRING },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) }),
      .handler = cmd_zrangebylex },
    { .name = "zrevrangebylex",
      .summary =
          "Returns the members in a range of the alphabet, last first, all scores being equal.",
      .since = "2.8.9",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those returned",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_READONLY,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "6.2.0",
      .replaced_by = "`ZRANGE` with the `REV` and `BYLEX` arguments",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "max", .type = ARG_STRING },
                   { .name = "min", .type = ARG_STRING },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) }),
      .handler = cmd_zrevrangebylex },
    { .name = "zrangestore",
      .summary = "Stores the members in a range of ranks, scores or the alphabet.",
      .since = "6.2.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those stored",
      .group = GROUP_SORTED_SET,
      .arity = -5,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE), KEYS_SECOND(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "dst", .type = ARG_KEY },
                   { .name = "src", .type = ARG_KEY, .key_spec = 1 },
                   { .name = "min", .type = ARG_STRING }, { .name = "max", .type = ARG_STRING },
                   { .name = "sortby",
                     .type = ARG_ONEOF,
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "byscore", .type = ARG_PURE_TOKEN, .token = "BYSCORE" },
                                  { .name = "bylex", .type = ARG_PURE_TOKEN, .token = "BYLEX" }) },
                   { .name = "rev", .type = ARG_PURE_TOKEN, .token = "REV", .flags = ARG_OPTIONAL },
                   { .name = "offset_count",
                     .type = ARG_BLOCK,
                     .token = "LIMIT",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "offset", .type = ARG_INTEGER },
                                  { .name = "count", .type = ARG_INTEGER }) }),
      .handler = cmd_zrangestore },
    { .name = "zremrangebyrank",
      .summary = "Removes the members in a range of ranks.",
      .since = "2.0.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those removed",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_WRITE,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "start", .type = ARG_INTEGER },
                   { .name = "stop", .type = ARG_INTEGER }),
      .handler = cmd_zremrangebyrank },
    { .name = "zremrangebyscore",
      .summary = "Removes the members with scores in a range.",
      .since = "1.2.0",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those removed",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_WRITE,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_DOUBLE },
                   { .name = "max", .type = ARG_DOUBLE }),
      .handler = cmd_zremrangebyscore },
    { .name = "zremrangebylex",
      .summary = "Removes the members in a range of the alphabet, all scores being equal.",
      .since = "2.8.9",
      .complexity = "O(log(N)+M) where N is the number of members and M that of those removed",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_WRITE,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_STRING },
                   { .name = "max", .type = ARG_STRING }),
      .handler = cmd_zremrangebylex },
    { 0 },
};

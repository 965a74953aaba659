// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets, member by member: ZADD ZINCRBY ZCARD ZSCORE ZMSCORE ZREM ZRANK ZREVRANK ZCOUNT ZLEXCOUNT.
#include "types/zset.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "commands/zset_bounds.h"
#include "server/ctx.h"
#include "server/server.h"

// Scores of one ZADD that need no allocation.
#define SCORES_ON_STACK 32

struct addition {
    unsigned flags;
    bool counts_updates;
    uint32_t first;  // argument
    uint32_t pairs;
    uint64_t added;
    uint64_t updated;
    enum zset_outcome last;
};

static bool read_add_option(const struct cmd_ctx *ctx, uint32_t i, struct addition *add)
{
    if (arg_is(ctx, i, "nx"))
        add->flags |= ZSET_ADD_NX;
    else if (arg_is(ctx, i, "xx"))
        add->flags |= ZSET_ADD_XX;
    else if (arg_is(ctx, i, "gt"))
        add->flags |= ZSET_ADD_GT;
    else if (arg_is(ctx, i, "lt"))
        add->flags |= ZSET_ADD_LT;
    else if (arg_is(ctx, i, "incr"))
        add->flags |= ZSET_ADD_INCR;
    else if (arg_is(ctx, i, "ch"))
        add->counts_updates = true;
    else
        return false;
    return true;
}

// False: an error has been replied.
static bool parse_add(struct cmd_ctx *ctx, struct addition *add)
{
    uint32_t i = 2;
    while (i < ctx->argc && read_add_option(ctx, i, add))
        i++;
    add->first = i;
    add->pairs = (ctx->argc - i) / 2;
    unsigned flags = add->flags;
    if (add->pairs == 0 || (ctx->argc - i) % 2 != 0)
        reply_error(ctx, ERR_SYNTAX);
    else if (flags & ZSET_ADD_NX && flags & ZSET_ADD_XX)
        reply_error(ctx, ERR_ZADD_NX_XX);
    else if ((flags & ZSET_ADD_NX && flags & (ZSET_ADD_GT | ZSET_ADD_LT)) ||
             (flags & ZSET_ADD_GT && flags & ZSET_ADD_LT))
        reply_error(ctx, ERR_ZADD_GT_LT_NX);
    else if (flags & ZSET_ADD_INCR && add->pairs > 1)
        reply_error(ctx, ERR_ZADD_INCR);
    else
        return true;
    return false;
}

static bool parse_scores(struct cmd_ctx *ctx, const struct addition *add, double *scores)
{
    for (uint32_t i = 0; i < add->pairs; i++) {
        if (!parse_double(ctx->argv[add->first + 2 * i], &scores[i])) {
            reply_error(ctx, ERR_NOT_FLOAT);
            return false;
        }
    }
    return true;
}

static void add_all(struct cmd_ctx *ctx, struct addition *add, double *scores, struct entry **entry)
{
    for (uint32_t i = 0; i < add->pairs; i++) {
        add->last = zset_add(entry, ctx->server->limits, ctx->argv[add->first + 2 * i + 1],
                             add->flags, &scores[i]);
        add->added += add->last == ZSET_ADDED;
        add->updated += add->last == ZSET_UPDATED;
    }
}

static void reply_addition(struct cmd_ctx *ctx, const struct addition *add, double score)
{
    if (!(add->flags & ZSET_ADD_INCR))
        reply_int(ctx, (int64_t)(add->added + (add->counts_updates ? add->updated : 0)));
    else if (add->last == ZSET_NAN)
        reply_error(ctx, ERR_SCORE_NAN);
    else if (add->last == ZSET_REFUSED)
        reply_null(ctx);
    else
        resp_double(&ctx->reply, score);
}

// Room for the scores comes from the caller.
static void add_to_key(struct cmd_ctx *ctx, struct addition *add, double *scores)
{
    struct entry_ref ref;
    if (!parse_scores(ctx, add, scores) || !ctx_find(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (ref.entry) {
        struct entry *entry = ref.entry;
        add_all(ctx, add, scores, &entry);
        db_entry_changed(&ref, entry);
    } else if (add->flags & ZSET_ADD_XX) {
        add->last = ZSET_REFUSED;
    } else {
        struct entry *entry = zset_new(key_slice(&ctx->keys[0]),
                                       ctx->server->keyspace->access_clock);
        add_all(ctx, add, scores, &entry);
        db_insert(ctx->db, &ctx->keys[0], entry);
    }
    if (add->added + add->updated > 0)
        ctx_written(ctx, 0, NOTIFY_ZSET, add->flags & ZSET_ADD_INCR ? "zincr" : "zadd");
    reply_addition(ctx, add, scores[0]);
}

static void add_pairs(struct cmd_ctx *ctx, struct addition *add)
{
    if (add->pairs <= SCORES_ON_STACK) {
        double few[SCORES_ON_STACK];
        add_to_key(ctx, add, few);
        return;
    }
    size_t size = add->pairs * sizeof(double);
    double *many = mem_alloc(size);
    add_to_key(ctx, add, many);
    mem_free(many, size);
}

// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
static void cmd_zadd(struct cmd_ctx *ctx)
{
    struct addition add = { 0 };
    if (parse_add(ctx, &add))
        add_pairs(ctx, &add);
}

// ZINCRBY key increment member
static void cmd_zincrby(struct cmd_ctx *ctx)
{
    struct addition add = { .flags = ZSET_ADD_INCR, .first = 2, .pairs = 1 };
    add_pairs(ctx, &add);
}

// ZCARD key
static void cmd_zcard(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        reply_int(ctx, ref.entry ? (int64_t)zset_len(ref.entry) : 0);
}

static void reply_score(struct cmd_ctx *ctx, const struct entry *entry, struct slice member)
{
    double score;
    if (entry && zset_score(entry, member, &score))
        resp_double(&ctx->reply, score);
    else
        reply_null(ctx);
}

// ZSCORE key member
static void cmd_zscore(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        reply_score(ctx, ref.entry, ctx->argv[2]);
}

// ZMSCORE key member [member ...]
static void cmd_zmscore(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    resp_array(&ctx->reply, ctx->argc - 2);
    for (uint32_t i = 2; i < ctx->argc; i++)
        reply_score(ctx, ref.entry, ctx->argv[i]);
}

// ZREM key member [member ...]
static void cmd_zrem(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_ZSET, &ref))
        return;
    struct entry *entry = ref.entry;
    int64_t removed = 0;
    for (uint32_t i = 2; entry && i < ctx->argc && zset_len(entry) > 0; i++)
        removed += zset_remove(&entry, ctx->argv[i]);
    if (removed > 0) {
        db_entry_changed(&ref, entry);
        if (zset_len(entry) == 0) {
            db_remove(ctx->db, &ctx->keys[0], ref);
            ctx_emptied(ctx, 0, NOTIFY_ZSET, "zrem");
        } else {
            ctx_written(ctx, 0, NOTIFY_ZSET, "zrem");
        }
    }
    reply_int(ctx, removed);
}

static void reply_rank(struct cmd_ctx *ctx, bool reverse)
{
    struct entry_ref ref;
    bool with_score = ctx->argc > 3;
    if (ctx->argc > 4) {
        reply_wrong_arity(ctx);
        return;
    }
    if (with_score && !arg_is(ctx, 3, "withscore")) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    if (!ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        return;
    size_t rank;
    double score;
    if (!ref.entry || !zset_rank(ref.entry, ctx->argv[2], &rank, &score)) {
        if (with_score)
            resp_null_array(&ctx->reply);
        else
            reply_null(ctx);
        return;
    }
    if (with_score)
        resp_array(&ctx->reply, 2);
    reply_int(ctx, (int64_t)(reverse ? zset_len(ref.entry) - 1 - rank : rank));
    if (with_score)
        resp_double(&ctx->reply, score);
}

// ZRANK key member [WITHSCORE]
static void cmd_zrank(struct cmd_ctx *ctx)
{
    reply_rank(ctx, false);
}

// ZREVRANK key member [WITHSCORE]
static void cmd_zrevrank(struct cmd_ctx *ctx)
{
    reply_rank(ctx, true);
}

// ZCOUNT key min max
static void cmd_zcount(struct cmd_ctx *ctx)
{
    struct zset_score_range range;
    struct entry_ref ref;
    if (arg_score_range(ctx, 2, 3, &range) && ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        reply_int(ctx, ref.entry ? (int64_t)zset_span_of_scores(ref.entry, &range).count : 0);
}

// ZLEXCOUNT key min max
static void cmd_zlexcount(struct cmd_ctx *ctx)
{
    struct zset_lex_range range;
    struct entry_ref ref;
    if (arg_lex_range(ctx, 2, 3, &range) && ctx_find_read(ctx, 0, TYPE_ZSET, &ref))
        reply_int(ctx, ref.entry ? (int64_t)zset_span_of_lex(ref.entry, &range, false).count : 0);
}

const struct command zset_commands[] = {
    { .name = "zadd",
      .summary = "Adds members with their scores, or changes scores.",
      .since = "1.2.0",
      .complexity = "O(log(N)) a member, where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .element = -1,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "condition",
                     .type = ARG_ONEOF,
                     .since = "3.0.2",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "nx", .type = ARG_PURE_TOKEN, .token = "NX" },
                                  { .name = "xx", .type = ARG_PURE_TOKEN, .token = "XX" }) },
                   { .name = "comparison",
                     .type = ARG_ONEOF,
                     .since = "6.2.0",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "gt", .type = ARG_PURE_TOKEN, .token = "GT" },
                                  { .name = "lt", .type = ARG_PURE_TOKEN, .token = "LT" }) },
                   { .name = "change",
                     .type = ARG_PURE_TOKEN,
                     .token = "CH",
                     .since = "3.0.2",
                     .flags = ARG_OPTIONAL },
                   { .name = "increment",
                     .type = ARG_PURE_TOKEN,
                     .token = "INCR",
                     .since = "3.0.2",
                     .flags = ARG_OPTIONAL },
                   { .name = "score_member",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "score", .type = ARG_DOUBLE },
                                  { .name = "member", .type = ARG_STRING }) }),
      .handler = cmd_zadd },
    { .name = "zincrby",
      .summary = "Adds to the score of a member; a missing one counts as 0.",
      .since = "1.2.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_UPDATE) },
      .element = 3,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "increment", .type = ARG_INTEGER },
                   { .name = "member", .type = ARG_STRING }),
      .handler = cmd_zincrby },
    { .name = "zcard",
      .summary = "Returns how many members there are.",
      .since = "1.2.0",
      .complexity = "O(1)",
      .group = GROUP_SORTED_SET,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_zcard },
    { .name = "zscore",
      .summary = "Returns the score of a member.",
      .since = "1.2.0",
      .complexity = "O(1)",
      .group = GROUP_SORTED_SET,
      .arity = 3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "member", .type = ARG_STRING }),
      .handler = cmd_zscore },
    { .name = "zmscore",
      .summary = "Returns the scores of several members.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of members asked for",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_zmscore },
    { .name = "zrem",
      .summary = "Removes members.",
      .since = "1.2.0",
      .complexity = "O(M*log(N)) where N is the number of members and M that of those removed",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_zrem },
    { .name = "zrank",
      .summary = "Returns how many members have a lower place than this one.",
      .since = "2.0.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "member", .type = ARG_STRING },
                   { .name = "withscore",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORE",
                     .since = "7.2.0",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zrank },
    { .name = "zrevrank",
      .summary = "Returns how many members have a higher place than this one.",
      .since = "2.0.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "member", .type = ARG_STRING },
                   { .name = "withscore",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORE",
                     .since = "7.2.0",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zrevrank },
    { .name = "zcount",
      .summary = "Counts the members with scores in a range.",
      .since = "2.0.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_DOUBLE },
                   { .name = "max", .type = ARG_DOUBLE }),
      .handler = cmd_zcount },
    { .name = "zlexcount",
      .summary = "Counts the members in a range of the alphabet, all scores being equal.",
      .since = "2.8.9",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = 4,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "min", .type = ARG_STRING },
                   { .name = "max", .type = ARG_STRING }),
      .handler = cmd_zlexcount },
    { 0 },
};

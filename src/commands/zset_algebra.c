// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets among themselves: ZUNION ZINTER ZDIFF, with STORE, and ZINTERCARD.
#include "base/memory.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "commands/zset_reply.h"
#include "commands/zset_source.h"
#include "commands/zset_store.h"
#include "server/registry.h"

#include <math.h>
#include <stdlib.h>

enum operation { OP_UNION, OP_INTER, OP_DIFF };

struct algebra {
    enum operation operation;
    bool store;
    bool count_only;
    bool with_scores;
    uint64_t limit;      // of what is counted; 0: none
    uint32_t first_arg;  // the number of keys
    uint32_t first_key;  // among ctx->keys
    uint32_t count;
    struct zset_source *sources;
    double (*combine)(double old, double score);
};

static double sum(double old, double score)
{
    double result = old + score;
    return isnan(result) ? 0 : result;
}

static double lower(double old, double score)
{
    return score < old ? score : old;
}

static double higher(double old, double score)
{
    return score > old ? score : old;
}

static double weighted(const struct zset_source *source, double score)
{
    double result = source->weight * score;
    return isnan(result) ? 0 : result;
}

// False: an error has been replied.
static bool parse_numkeys(struct cmd_ctx *ctx, struct algebra *algebra)
{
    int64_t count;
    if (!arg_int64(ctx, algebra->first_arg, &count))
        return false;
    if (count < 1) {
        reply_errorf(ctx, "ERR at least 1 input key is needed for '%s' command",
                     ctx->command->full_name);
        return false;
    }
    if (count > (int64_t)ctx->argc - algebra->first_arg - 1) {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    algebra->count = (uint32_t)count;
    return true;
}

static bool find_sources(struct cmd_ctx *ctx, struct algebra *algebra)
{
    for (uint32_t i = 0; i < algebra->count; i++) {
        if (!zset_source_find(ctx, algebra->first_key + i, &algebra->sources[i]))
            return false;
        algebra->sources[i].index = i;
    }
    return true;
}

static bool parse_weights(struct cmd_ctx *ctx, uint32_t i, struct algebra *algebra)
{
    for (uint32_t n = 0; n < algebra->count; n++) {
        if (!parse_double(ctx->argv[i + n], &algebra->sources[n].weight)) {
            reply_error(ctx, ERR_WEIGHT);
            return false;
        }
    }
    return true;
}

// False: it is none.
static bool parse_aggregate(const struct cmd_ctx *ctx, uint32_t i, struct algebra *algebra)
{
    if (arg_is(ctx, i, "sum"))
        algebra->combine = sum;
    else if (arg_is(ctx, i, "min"))
        algebra->combine = lower;
    else if (arg_is(ctx, i, "max"))
        algebra->combine = higher;
    else
        return false;
    return true;
}

static bool parse_limit(struct cmd_ctx *ctx, uint32_t i, struct algebra *algebra)
{
    int64_t limit;
    if (!parse_int64(ctx->argv[i], &limit) || limit < 0) {
        reply_error(ctx, ERR_NEGATIVE_LIMIT);
        return false;
    }
    algebra->limit = (uint64_t)limit;
    return true;
}

// How many arguments the option at `i` takes; 0: it is none. -1: the error has been replied.
static int64_t read_option(struct cmd_ctx *ctx, uint32_t i, struct algebra *algebra)
{
    uint32_t left = ctx->argc - i;
    bool combines = algebra->operation != OP_DIFF && !algebra->count_only;
    if (combines && left > algebra->count && arg_is(ctx, i, "weights"))
        return parse_weights(ctx, i + 1, algebra) ? (int64_t)algebra->count + 1 : -1;
    if (combines && left > 1 && arg_is(ctx, i, "aggregate"))
        return parse_aggregate(ctx, i + 1, algebra) ? 2 : 0;
    if (algebra->count_only && left > 1 && arg_is(ctx, i, "limit"))
        return parse_limit(ctx, i + 1, algebra) ? 2 : -1;
    if (algebra->store || algebra->count_only || !arg_is(ctx, i, "withscores"))
        return 0;
    algebra->with_scores = true;
    return 1;
}

static bool parse_options(struct cmd_ctx *ctx, struct algebra *algebra)
{
    for (uint32_t i = algebra->first_arg + 1 + algebra->count; i < ctx->argc;) {
        int64_t taken = read_option(ctx, i, algebra);
        if (taken == 0)
            reply_error(ctx, ERR_SYNTAX);
        if (taken <= 0)
            return false;
        i += (uint32_t)taken;
    }
    return true;
}

// The smallest first; in order where they are equal, since sums depend on it.
static int compare_sources(const void *a, const void *b)
{
    const struct zset_source *left = a;
    const struct zset_source *right = b;
    if (left->len != right->len)
        return left->len < right->len ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static void unite(const struct algebra *algebra, struct zset_draft *draft)
{
    for (uint32_t i = 0; i < algebra->count; i++) {
        const struct zset_source *source = &algebra->sources[i];
        struct zset_source_iter iter;
        struct zset_item item;
        zset_source_iter_init(&iter, source);
        while (zset_source_iter_next(&iter, &item))
            zset_draft_merge(draft, item.member, weighted(source, item.score), algebra->combine);
    }
}

// Whether all other sources have the member, and what becomes of its score.
static bool in_all(const struct algebra *algebra, const struct zset_item *item, double *score)
{
    *score = weighted(&algebra->sources[0], item->score);
    for (uint32_t i = 1; i < algebra->count; i++) {
        double other;
        if (!zset_source_score(&algebra->sources[i], item->member, &other))
            return false;
        *score = algebra->combine(*score, algebra->sources[i].weight * other);
    }
    return true;
}

static bool in_none(const struct algebra *algebra, const struct zset_item *item)
{
    double score;
    for (uint32_t i = 1; i < algebra->count; i++) {
        if (zset_source_score(&algebra->sources[i], item->member, &score))
            return false;
    }
    return true;
}

static void intersect(const struct algebra *algebra, struct zset_draft *draft)
{
    struct zset_source_iter iter;
    struct zset_item item;
    double score;
    zset_source_iter_init(&iter, &algebra->sources[0]);
    while (zset_source_iter_next(&iter, &item)) {
        if (in_all(algebra, &item, &score))
            zset_draft_add(draft, item.member, score);
    }
}

static void subtract(const struct algebra *algebra, struct zset_draft *draft)
{
    struct zset_source_iter iter;
    struct zset_item item;
    zset_source_iter_init(&iter, &algebra->sources[0]);
    while (zset_source_iter_next(&iter, &item)) {
        if (in_none(algebra, &item))
            zset_draft_add(draft, item.member, item.score);
    }
}

static void reply_count(struct cmd_ctx *ctx, const struct algebra *algebra)
{
    struct zset_source_iter iter;
    struct zset_item item;
    double score;
    uint64_t count = 0;
    zset_source_iter_init(&iter, &algebra->sources[0]);
    while ((algebra->limit == 0 || count < algebra->limit) && zset_source_iter_next(&iter, &item))
        count += in_all(algebra, &item, &score);
    reply_int(ctx, (int64_t)count);
}

static void reply_draft(struct cmd_ctx *ctx, struct zset_draft *draft, bool with_scores)
{
    zset_draft_sort(draft);
    zset_reply_count(&ctx->reply, draft->count, with_scores);
    for (size_t i = 0; i < draft->count; i++) {
        const struct zset_element *element = draft->elements[i];
        zset_reply_member(&ctx->reply, zset_element_member(element), zset_element_score(element),
                          with_scores);
    }
    zset_draft_release(draft);
}

static void run(struct cmd_ctx *ctx, struct algebra *algebra)
{
    if (!find_sources(ctx, algebra) || !parse_options(ctx, algebra))
        return;
    if (algebra->operation != OP_DIFF)
        qsort(algebra->sources, algebra->count, sizeof(*algebra->sources), compare_sources);
    if (algebra->count_only) {
        reply_count(ctx, algebra);
        return;
    }
    struct zset_draft draft;
    zset_draft_init(&draft);
    switch (algebra->operation) {
    case OP_UNION: unite(algebra, &draft); break;
    case OP_INTER: intersect(algebra, &draft); break;
    case OP_DIFF: subtract(algebra, &draft); break;
    }
    if (algebra->store)
        zset_store_reply(ctx, &draft);
    else
        reply_draft(ctx, &draft, algebra->with_scores);
}

static void run_algebra(struct cmd_ctx *ctx, struct algebra algebra)
{
    algebra.first_key = algebra.store;
    algebra.first_arg = algebra.store ? 2 : 1;
    algebra.combine = sum;
    if (!parse_numkeys(ctx, &algebra))
        return;
    size_t size = algebra.count * sizeof(*algebra.sources);
    algebra.sources = mem_alloc(size);
    run(ctx, &algebra);
    mem_free(algebra.sources, size);
}

// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
static void cmd_zunion(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_UNION });
}

// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
static void cmd_zinter(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_INTER });
}

// ZDIFF numkeys key [key ...] [WITHSCORES]
static void cmd_zdiff(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_DIFF });
}

// ZINTERCARD numkeys key [key ...] [LIMIT limit]
static void cmd_zintercard(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_INTER, .count_only = true });
}

// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
// [AGGREGATE SUM | MIN | MAX]
static void cmd_zunionstore(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_UNION, .store = true });
}

// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
// [AGGREGATE SUM | MIN | MAX]
static void cmd_zinterstore(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_INTER, .store = true });
}

// ZDIFFSTORE destination numkeys key [key ...]
static void cmd_zdiffstore(struct cmd_ctx *ctx)
{
    run_algebra(ctx, (struct algebra){ .operation = OP_DIFF, .store = true });
}

const struct command zset_algebra_commands[] = {
    { .name = "zunion",
      .summary = "Returns the members that any of the sorted sets has.",
      .since = "6.2.0",
      .complexity = "O(N)+O(M*log(M)) where N is the number of members of all together and M that "
                    "of the result",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
                   { .name = "weight",
                     .type = ARG_INTEGER,
                     .token = "WEIGHTS",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE },
                   { .name = "aggregate",
                     .type = ARG_ONEOF,
                     .token = "AGGREGATE",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "sum", .type = ARG_PURE_TOKEN, .token = "SUM" },
                                  { .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                                  { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zunion },
    { .name = "zinter",
      .summary = "Returns the members that all sorted sets have.",
      .since = "6.2.0",
      .complexity =
          "O(N*K)+O(M*log(M)) at worst, where N is the number of members of the smallest, K the "
          "number of sorted sets and M the number of members of the result",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
                   { .name = "weight",
                     .type = ARG_INTEGER,
                     .token = "WEIGHTS",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE },
                   { .name = "aggregate",
                     .type = ARG_ONEOF,
                     .token = "AGGREGATE",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "sum", .type = ARG_PURE_TOKEN, .token = "SUM" },
                                  { .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                                  { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zinter },
    { .name = "zdiff",
      .summary = "Returns the members of the first sorted set that are in none of the others.",
      .since = "6.2.0",
      .complexity = "O(L + (N-K)log(N)) at worst, where L is the number of members of all "
                    "together, N that of the first and K that of the result",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
                   { .name = "withscores",
                     .type = ARG_PURE_TOKEN,
                     .token = "WITHSCORES",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_zdiff },
    { .name = "zintercard",
      .summary = "Counts the members that all sorted sets have.",
      .since = "7.0.0",
      .complexity = "O(N*K) at worst, where N is the number of members of the smallest and K the "
                    "number of sorted sets",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS(
          { .name = "numkeys", .type = ARG_INTEGER },
          { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
          { .name = "limit", .type = ARG_INTEGER, .token = "LIMIT", .flags = ARG_OPTIONAL }),
      .handler = cmd_zintercard },
    { .name = "zunionstore",
      .summary = "Stores the members that any of the sorted sets has.",
      .since = "2.0.0",
      .complexity = "O(N)+O(M log(M)) where N is the number of members of all together and M that "
                    "of the result",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE),
                { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 2,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "destination", .type = ARG_KEY },
                   { .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .key_spec = 1, .flags = ARG_MULTIPLE },
                   { .name = "weight",
                     .type = ARG_INTEGER,
                     .token = "WEIGHTS",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE },
                   { .name = "aggregate",
                     .type = ARG_ONEOF,
                     .token = "AGGREGATE",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "sum", .type = ARG_PURE_TOKEN, .token = "SUM" },
                                  { .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                                  { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) }),
      .handler = cmd_zunionstore },
    { .name = "zinterstore",
      .summary = "Stores the members that all sorted sets have.",
      .since = "2.0.0",
      .complexity =
          "O(N*K)+O(M*log(M)) at worst, where N is the number of members of the smallest, K the "
          "number of sorted sets and M the number of members of the result",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE),
                { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 2,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "destination", .type = ARG_KEY },
                   { .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .key_spec = 1, .flags = ARG_MULTIPLE },
                   { .name = "weight",
                     .type = ARG_INTEGER,
                     .token = "WEIGHTS",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE },
                   { .name = "aggregate",
                     .type = ARG_ONEOF,
                     .token = "AGGREGATE",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "sum", .type = ARG_PURE_TOKEN, .token = "SUM" },
                                  { .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                                  { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) }),
      .handler = cmd_zinterstore },
    { .name = "zdiffstore",
      .summary = "Stores the members of the first sorted set that are in none of the others.",
      .since = "6.2.0",
      .complexity = "O(L + (N-K)log(N)) at worst, where L is the number of members of all "
                    "together, N that of the first and K that of the result",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE),
                { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 2,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS({ .name = "destination", .type = ARG_KEY },
                   { .name = "numkeys", .type = ARG_INTEGER },
                   { .name = "key", .type = ARG_KEY, .key_spec = 1, .flags = ARG_MULTIPLE }),
      .handler = cmd_zdiffstore },
    { 0 },
};

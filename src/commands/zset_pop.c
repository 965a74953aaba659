// SPDX-License-Identifier: BSD-3-Clause
// The lowest and highest members of sorted sets: ZPOPMIN ZPOPMAX ZMPOP.
#include "commands/zset_pop.h"

#include "base/numbers.h"
#include "commands/tables.h"
#include "commands/zset_reply.h"
#include "commands/zset_store.h"
#include "server/effects.h"

// The reply up to the first member.
static void reply_header(struct cmd_ctx *ctx, uint32_t i, const struct zset_pop *pop, size_t count)
{
    struct resp_writer *reply = &ctx->reply;
    switch (pop->shape) {
    case ZSET_POP_ONE: resp_array(reply, 2); return;
    case ZSET_POP_MANY: zset_reply_count(reply, count, true); return;
    case ZSET_POP_KEY_ONE:
        resp_array(reply, 3);
        resp_bulk_slice(reply, key_slice(&ctx->keys[i]));
        return;
    case ZSET_POP_KEY_MANY: break;
    }
    resp_array(reply, 2);
    resp_bulk_slice(reply, key_slice(&ctx->keys[i]));
    resp_array(reply, count);
}

static void reply_popped(struct cmd_ctx *ctx, const struct entry *entry, size_t rank,
                         const struct zset_pop *pop, size_t count)
{
    struct resp_writer *reply = &ctx->reply;
    bool nested = pop->shape == ZSET_POP_KEY_MANY ||
                  (pop->shape == ZSET_POP_MANY && reply->proto > 2);
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, rank, pop->max);
    while (count-- > 0 && zset_iter_next(&iter, &item)) {
        if (nested)
            resp_array(reply, 2);
        resp_bulk_slice(reply, item.member);
        resp_double(reply, item.score);
    }
}

static void replace_effect(struct cmd_ctx *ctx, uint32_t i, const struct zset_pop *pop,
                           size_t count)
{
    char text[INT64_TEXT_MAX];
    struct slice number = { .ptr = text, .len = (size_t)format_int64(text, (int64_t)count) };
    struct slice words[] = { pop->max ? SLICE("ZPOPMAX") : SLICE("ZPOPMIN"),
                             key_slice(&ctx->keys[i]), number };
    effect_replace(ctx, words, pop->shape == ZSET_POP_KEY_MANY ? 3 : 2);
}

void zset_pop_reply(struct cmd_ctx *ctx, uint32_t i, struct entry_ref *ref,
                    const struct zset_pop *pop)
{
    size_t len = zset_len(ref->entry);
    size_t count = pop->count < len ? pop->count : len;
    struct zset_span span = { .first = pop->max ? len - count : 0, .count = count };
    reply_header(ctx, i, pop, count);
    if (count == 0)
        return;
    reply_popped(ctx, ref->entry, pop->max ? len - 1 : 0, pop, count);
    zset_take_span(ctx, i, ref, span, pop->max ? "zpopmax" : "zpopmin");
    if (pop->shape == ZSET_POP_KEY_ONE || pop->shape == ZSET_POP_KEY_MANY)
        replace_effect(ctx, i, pop, count);
}

bool zset_pop_parse_numkeys(struct cmd_ctx *ctx, uint32_t i, uint32_t *numkeys)
{
    int64_t count;
    if (!parse_int64(ctx->argv[i], &count) || count < 1) {
        reply_error(ctx, ERR_NUMKEYS);
        return false;
    }
    if (count >= (int64_t)ctx->argc - i - 1) {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    *numkeys = (uint32_t)count;
    return true;
}

bool zset_pop_parse(struct cmd_ctx *ctx, uint32_t i, struct zset_pop *pop)
{
    pop->count = 1;
    pop->max = arg_is(ctx, i, "max");
    if (!pop->max && !arg_is(ctx, i, "min")) {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    if (ctx->argc > i + 2 && arg_is(ctx, i + 1, "count")) {
        int64_t count;
        if (!parse_int64(ctx->argv[i + 2], &count) || count < 1) {
            reply_error(ctx, ERR_COUNT_NOT_POSITIVE);
            return false;
        }
        pop->count = (size_t)count;
        i += 2;
    }
    if (ctx->argc > i + 1)
        reply_error(ctx, ERR_SYNTAX);
    return ctx->argc == i + 1;
}

static void pop_key(struct cmd_ctx *ctx, bool max)
{
    struct zset_pop pop = { .max = max, .count = 1, .shape = ZSET_POP_ONE };
    struct entry_ref ref;
    if (ctx->argc > 3) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    if (ctx->argc == 3) {
        int64_t count;
        if (!parse_int64(ctx->argv[2], &count) || count < 0) {
            reply_error(ctx, ERR_NOT_POSITIVE);
            return;
        }
        pop.count = (size_t)count;
        pop.shape = ZSET_POP_MANY;
    }
    if (!ctx_find(ctx, 0, TYPE_ZSET, &ref))
        return;
    if (ref.entry)
        zset_pop_reply(ctx, 0, &ref, &pop);
    else
        resp_array(&ctx->reply, 0);
}

// ZPOPMIN key [count]
static void cmd_zpopmin(struct cmd_ctx *ctx)
{
    pop_key(ctx, false);
}

// ZPOPMAX key [count]
static void cmd_zpopmax(struct cmd_ctx *ctx)
{
    pop_key(ctx, true);
}

// ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]
static void cmd_zmpop(struct cmd_ctx *ctx)
{
    struct zset_pop pop = { .shape = ZSET_POP_KEY_MANY };
    uint32_t numkeys;
    if (!zset_pop_parse_numkeys(ctx, 1, &numkeys) || !zset_pop_parse(ctx, 2 + numkeys, &pop))
        return;
    for (uint32_t i = 0; i < numkeys; i++) {
        struct entry_ref ref;
        if (!ctx_find(ctx, i, TYPE_ZSET, &ref))
            return;
        if (ref.entry) {
            zset_pop_reply(ctx, i, &ref, &pop);
            return;
        }
    }
    resp_null_array(&ctx->reply);
}

const struct command zset_pop_commands[] = {
    { .name = "zpopmin",
      .summary = "Takes the members with the lowest scores out.",
      .since = "5.0.0",
      .complexity = "O(log(N)*M) where N is the number of members and M that of those taken",
      .group = GROUP_SORTED_SET,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL }),
      .handler = cmd_zpopmin },
    { .name = "zpopmax",
      .summary = "Takes the members with the highest scores out.",
      .since = "5.0.0",
      .complexity = "O(log(N)*M) where N is the number of members and M that of those taken",
      .group = GROUP_SORTED_SET,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL }),
      .handler = cmd_zpopmax },
    { .name = "zmpop",
      .summary = "Takes the lowest or highest members out of the first sorted set that has any.",
      .since = "7.0.0",
      .complexity = "O(K) + O(M*log(N)) where K is the number of keys, N that of members, and M "
                    "that of members taken",
      .group = GROUP_SORTED_SET,
      .arity = -4,
      .flags = CMD_WRITE | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = KEY_RW | KEY_ACCESS | KEY_DELETE,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS(
          { .name = "numkeys", .type = ARG_INTEGER },
          { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
          { .name = "where",
            .type = ARG_ONEOF,
            .args = ARGS({ .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                         { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL }),
      .handler = cmd_zmpop },
    { 0 },
};

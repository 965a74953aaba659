// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets' commands that wait: BZPOPMIN BZPOPMAX BZMPOP.
#include "commands/tables.h"
#include "commands/timeout_arg.h"
#include "commands/zset_pop.h"
#include "server/block.h"

// Pops from the first key that has a sorted set, or waits for one.
static void pop_or_wait(struct cmd_ctx *ctx, const struct zset_pop *pop, int64_t timeout_ms)
{
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref;
        if (!ctx_find(ctx, i, TYPE_ZSET, &ref))
            return;
        if (ref.entry) {
            zset_pop_reply(ctx, i, &ref, pop);
            return;
        }
    }
    block_on_keys(ctx, &(struct block_wait){
                           .count = ctx->key_count,
                           .type = TYPE_ZSET,
                           .timeout_ms = timeout_ms,
                           .timed_out = resp_null_array,
                       });
}

static void pop_one_or_wait(struct cmd_ctx *ctx, bool max)
{
    const struct zset_pop pop = { .max = max, .count = 1, .shape = ZSET_POP_KEY_ONE };
    int64_t timeout_ms;
    if (arg_timeout(ctx, ctx->argc - 1, &timeout_ms))
        pop_or_wait(ctx, &pop, timeout_ms);
}

// BZPOPMIN key [key ...] timeout
static void cmd_bzpopmin(struct cmd_ctx *ctx)
{
    pop_one_or_wait(ctx, false);
}

// BZPOPMAX key [key ...] timeout
static void cmd_bzpopmax(struct cmd_ctx *ctx)
{
    pop_one_or_wait(ctx, true);
}

// BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]
static void cmd_bzmpop(struct cmd_ctx *ctx)
{
    struct zset_pop pop = { .shape = ZSET_POP_KEY_MANY };
    uint32_t numkeys;
    int64_t timeout_ms;
    if (zset_pop_parse_numkeys(ctx, 2, &numkeys) && zset_pop_parse(ctx, 3 + numkeys, &pop) &&
        arg_timeout(ctx, 1, &timeout_ms))
        pop_or_wait(ctx, &pop, timeout_ms);
}

#define POP_KEYS (KEY_RW | KEY_ACCESS | KEY_DELETE)

#define KEYS_BUT_LAST                                                                          \
    {                                                                                          \
        .flags = POP_KEYS, .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, \
        .last = -2, .step = 1                                                                  \
    }

static const struct command_arg blocking_args[] = {
    { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
    { .name = "timeout", .type = ARG_DOUBLE },
    { 0 },
};

const struct command zset_blocking_commands[] = {
    { .name = "bzpopmin",
      .summary = "Takes the member with the lowest score out of the first sorted set that has any; "
                 "waits if none has.",
      .since = "5.0.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_BUT_LAST },
      .args = blocking_args,
      .handler = cmd_bzpopmin },
    { .name = "bzpopmax",
      .summary =
          "Takes the member with the highest score out of the first sorted set that has any; "
          "waits if none has.",
      .since = "5.0.0",
      .complexity = "O(log(N)) where N is the number of members",
      .group = GROUP_SORTED_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING | CMD_FAST,
      .acl = ACL_SORTEDSET,
      .keys = { KEYS_BUT_LAST },
      .args = blocking_args,
      .handler = cmd_bzpopmax },
    { .name = "bzmpop",
      .summary = "Takes the lowest or highest members out of the first sorted set that has any; "
                 "waits if none has.",
      .since = "7.0.0",
      .complexity = "O(K) + O(M*log(N)) where K is the number of keys, N that of members, and M "
                    "that of members taken",
      .group = GROUP_SORTED_SET,
      .arity = -5,
      .flags = CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
      .acl = ACL_SORTEDSET,
      .keys = { { .flags = POP_KEYS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 2,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_index = 0,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS(
          { .name = "timeout", .type = ARG_DOUBLE }, { .name = "numkeys", .type = ARG_INTEGER },
          { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
          { .name = "where",
            .type = ARG_ONEOF,
            .args = ARGS({ .name = "min", .type = ARG_PURE_TOKEN, .token = "MIN" },
                         { .name = "max", .type = ARG_PURE_TOKEN, .token = "MAX" }) },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL }),
      .handler = cmd_bzmpop },
    { 0 },
};

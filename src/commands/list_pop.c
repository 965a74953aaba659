// SPDX-License-Identifier: BSD-3-Clause
// Lists, taking from their ends, and waiting for something to take: LPOP RPOP LMPOP BLPOP BRPOP BLMPOP.
#include "base/numbers.h"
#include "commands/list_shared.h"
#include "commands/tables.h"
#include "commands/timeout_arg.h"
#include "server/block.h"
#include "server/effects.h"
#include "server/server.h"

// Replies up to `count` elements from this end as an array and removes them; returns how many.
static size_t pop_many(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, enum list_end end,
                       int64_t count)
{
    size_t size = list_entry_count(ref->entry);
    size_t taken = (uint64_t)count < size ? (size_t)count : size;
    struct entry *entry = ref->entry;
    resp_array(&ctx->reply, taken);
    if (end == LIST_LEFT) {
        list_reply_range(&ctx->reply, entry, 0, taken);
    } else {
        struct list_place place = list_entry_seek(entry, -1);
        for (size_t i = 0; i < taken; i++, list_place_prev(&place))
            list_reply_element(&ctx->reply, &place);
    }
    if (taken == size) {
        db_remove(ctx->db, &ctx->keys[key], *ref);
        ctx->changes += taken - 1;
        ctx_emptied(ctx, key, NOTIFY_LIST, list_pop_event(end));
    } else if (taken > 0) {
        list_entry_remove_range(&entry, ctx->server->limits, end == LIST_LEFT ? 0 : size - taken,
                                taken);
        list_removed(ctx, key, ref, entry, taken, list_pop_event(end));
    }
    return taken;
}

static void pop(struct cmd_ctx *ctx, enum list_end end)
{
    struct entry_ref ref;
    int64_t count = 0;
    bool many = ctx->argc > 2;
    if (unlikely(ctx->argc > 3)) {
        reply_wrong_arity(ctx);
        return;
    }
    if (many && (!parse_int64(ctx->argv[2], &count) || count < 0)) {
        reply_error(ctx, ERR_NOT_POSITIVE);
        return;
    }
    if (!ctx_find(ctx, 0, TYPE_LIST, &ref))
        return;
    if (!ref.entry) {
        if (many)
            resp_null_array(&ctx->reply);
        else
            reply_null(ctx);
        return;
    }
    if (many)
        pop_many(ctx, 0, &ref, end, count);
    else
        list_pop_one(ctx, 0, &ref, end);
}

// LPOP key [count]
static void cmd_lpop(struct cmd_ctx *ctx)
{
    pop(ctx, LIST_LEFT);
}

// RPOP key [count]
static void cmd_rpop(struct cmd_ctx *ctx)
{
    pop(ctx, LIST_RIGHT);
}

// --- From the first of several keys -------------------------------------------------------------

struct multi_pop {
    enum list_end end;
    int64_t count;
};

// numkeys key [key ...] LEFT|RIGHT [COUNT count], `first` being where numkeys stands.
static bool parse_multi_pop(struct cmd_ctx *ctx, uint32_t first, struct multi_pop *options)
{
    int64_t keys;
    if (!parse_int64(ctx->argv[first], &keys) || keys <= 0) {
        reply_error(ctx, ERR_NUMKEYS);
        return false;
    }
    if (keys >= ctx->argc - first - 1) {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    uint32_t where = first + 1 + (uint32_t)keys;
    if (!arg_list_end(ctx, where, &options->end))
        return false;
    options->count = 0;
    for (uint32_t i = where + 1; i < ctx->argc; i += 2) {
        if (options->count || i + 1 == ctx->argc || !arg_is(ctx, i, "count")) {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
        if (!parse_int64(ctx->argv[i + 1], &options->count) || options->count <= 0) {
            reply_error(ctx, ERR_COUNT_NOT_POSITIVE);
            return false;
        }
    }
    if (!options->count)
        options->count = 1;
    return true;
}

enum search { NOTHING_THERE, FOUND, WRONG_TYPE };

// The first key that has a list; another type before it is an error, which has been replied.
static enum search find_first(struct cmd_ctx *ctx, uint32_t *key, struct entry_ref *ref)
{
    for (*key = 0; *key < ctx->key_count; ++*key) {
        if (!ctx_find(ctx, *key, TYPE_LIST, ref))
            return WRONG_TYPE;
        if (ref->entry)
            return FOUND;
    }
    return NOTHING_THERE;
}

static void multi_pop(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref,
                      const struct multi_pop *options)
{
    struct slice name = key_slice(&ctx->keys[key]);
    resp_array(&ctx->reply, 2);
    resp_bulk_slice(&ctx->reply, name);
    size_t taken = pop_many(ctx, key, ref, options->end, options->count);
    char text[INT64_TEXT_MAX];
    struct slice count = { .ptr = text, .len = (size_t)format_int64(text, (int64_t)taken) };
    struct slice command = options->end == LIST_LEFT ? SLICE("LPOP") : SLICE("RPOP");
    effect_replace(ctx, (struct slice[]){ command, name, count }, 3);
}

// LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]
static void cmd_lmpop(struct cmd_ctx *ctx)
{
    struct multi_pop options;
    struct entry_ref ref;
    uint32_t key;
    if (!parse_multi_pop(ctx, 1, &options))
        return;
    enum search result = find_first(ctx, &key, &ref);
    if (result == FOUND)
        multi_pop(ctx, key, &ref, &options);
    else if (result == NOTHING_THERE)
        resp_null_array(&ctx->reply);
}

// --- Waiting ------------------------------------------------------------------------------------

static void wait_for_list(struct cmd_ctx *ctx, int64_t timeout_ms)
{
    block_on_keys(ctx, &(struct block_wait){
                           .count = ctx->key_count,
                           .type = TYPE_LIST,
                           .timeout_ms = timeout_ms,
                           .timed_out = resp_null_array,
                       });
}

// BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]
static void cmd_blmpop(struct cmd_ctx *ctx)
{
    struct multi_pop options;
    struct entry_ref ref;
    uint32_t key;
    int64_t timeout_ms;
    if (!parse_multi_pop(ctx, 2, &options) || !arg_timeout(ctx, 1, &timeout_ms))
        return;
    enum search result = find_first(ctx, &key, &ref);
    if (result == FOUND)
        multi_pop(ctx, key, &ref, &options);
    else if (result == NOTHING_THERE)
        wait_for_list(ctx, timeout_ms);
}

static void blocking_pop(struct cmd_ctx *ctx, enum list_end end)
{
    struct entry_ref ref;
    uint32_t key;
    int64_t timeout_ms;
    if (!arg_timeout(ctx, ctx->argc - 1, &timeout_ms))
        return;
    enum search result = find_first(ctx, &key, &ref);
    if (result == NOTHING_THERE)
        wait_for_list(ctx, timeout_ms);
    if (result != FOUND)
        return;
    struct slice name = key_slice(&ctx->keys[key]);
    resp_array(&ctx->reply, 2);
    resp_bulk_slice(&ctx->reply, name);
    list_pop_one(ctx, key, &ref, end);
    struct slice command = end == LIST_LEFT ? SLICE("LPOP") : SLICE("RPOP");
    effect_replace(ctx, (struct slice[]){ command, name }, 2);
}

// BLPOP key [key ...] timeout
static void cmd_blpop(struct cmd_ctx *ctx)
{
    blocking_pop(ctx, LIST_LEFT);
}

// BRPOP key [key ...] timeout
static void cmd_brpop(struct cmd_ctx *ctx)
{
    blocking_pop(ctx, LIST_RIGHT);
}

// --- Rows ---------------------------------------------------------------------------------------

#define POP_KEYS (KEY_RW | KEY_ACCESS | KEY_DELETE)

#define NUMKEYS_AT(position)                                                     \
    {                                                                            \
        .flags = POP_KEYS, .begin = KEY_BEGIN_INDEX, .begin_index = (position),  \
        .find = KEY_FIND_KEYNUM, .keynum_index = 0, .keynum_first = 1, .step = 1 \
    }

#define KEYS_BUT_LAST                                                                          \
    {                                                                                          \
        .flags = POP_KEYS, .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, \
        .last = -2, .step = 1                                                                  \
    }

static const struct command_arg pop_args[] = {
    { .name = "key", .type = ARG_KEY },
    { .name = "count", .type = ARG_INTEGER, .since = "6.2.0", .flags = ARG_OPTIONAL },
    { 0 },
};

static const struct command_arg blocking_args[] = {
    { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
    { .name = "timeout", .type = ARG_DOUBLE },
    { 0 },
};

#define MULTI_POP_ARGS                                                                   \
    { .name = "numkeys", .type = ARG_INTEGER },                                          \
        { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },                       \
        { .name = "where",                                                               \
          .type = ARG_ONEOF,                                                             \
          .args = ARGS({ .name = "left", .type = ARG_PURE_TOKEN, .token = "LEFT" },      \
                       { .name = "right", .type = ARG_PURE_TOKEN, .token = "RIGHT" }) }, \
    {                                                                                    \
        .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL    \
    }

const struct command list_pop_commands[] = {
    { .name = "lpop",
      .summary = "Removes the first element, or the first ones, and returns them.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of elements returned",
      .group = GROUP_LIST,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(POP_KEYS) },
      .args = pop_args,
      .handler = cmd_lpop },
    { .name = "rpop",
      .summary = "Removes the last element, or the last ones, and returns them.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of elements returned",
      .group = GROUP_LIST,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(POP_KEYS) },
      .args = pop_args,
      .handler = cmd_rpop },
    { .name = "lmpop",
      .summary = "Removes elements from the first of several lists that exists.",
      .since = "7.0.0",
      .complexity = "O(N+M) where N is the number of keys, M of elements returned",
      .group = GROUP_LIST,
      .arity = -4,
      .flags = CMD_WRITE | CMD_MOVABLE_KEYS,
      .acl = ACL_LIST,
      .keys = { NUMKEYS_AT(1) },
      .args = ARGS(MULTI_POP_ARGS),
      .handler = cmd_lmpop },
    { .name = "blmpop",
      .summary = "As LMPOP, but waits if none of the lists exists.",
      .since = "7.0.0",
      .complexity = "O(N+M) where N is the number of keys, M of elements returned",
      .group = GROUP_LIST,
      .arity = -5,
      .flags = CMD_WRITE | CMD_BLOCKING | CMD_MOVABLE_KEYS,
      .acl = ACL_LIST,
      .keys = { NUMKEYS_AT(2) },
      .args = ARGS({ .name = "timeout", .type = ARG_DOUBLE }, MULTI_POP_ARGS),
      .handler = cmd_blmpop },
    { .name = "blpop",
      .summary = "Removes the first element of the first list that exists; waits if none does.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING,
      .acl = ACL_LIST,
      .keys = { KEYS_BUT_LAST },
      .args = blocking_args,
      .handler = cmd_blpop },
    { .name = "brpop",
      .summary = "Removes the last element of the first list that exists; waits if none does.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of keys",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_NOSCRIPT | CMD_BLOCKING,
      .acl = ACL_LIST,
      .keys = { KEYS_BUT_LAST },
      .args = blocking_args,
      .handler = cmd_brpop },
    { 0 },
};

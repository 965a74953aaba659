// SPDX-License-Identifier: BSD-3-Clause
// Lists, from one to another: LMOVE RPOPLPUSH and, waiting for something to move, BLMOVE BRPOPLPUSH.
#include "base/memory.h"
#include "commands/list_shared.h"
#include "commands/tables.h"
#include "commands/timeout_arg.h"
#include "server/block.h"
#include "server/effects.h"
#include "server/server.h"

// Elements up to this size are copied to the stack.
#define SHORT_BYTES 256

struct ends {
    enum list_end from;
    enum list_end to;
};

static struct list_place end_of(const struct entry *entry, enum list_end end)
{
    return list_entry_seek(entry, end == LIST_LEFT ? 0 : -1);
}

// Source and destination are the same list: its element is copied before it goes.
static void rotate(struct cmd_ctx *ctx, struct entry_ref *ref, struct slice value, struct ends ends)
{
    const struct collection_limits *limits = ctx->server->limits;
    char shorter[SHORT_BYTES];
    bool on_stack = value.len <= sizeof(shorter);
    if (!on_stack && !list_has_room(ctx, value.len))
        return;
    char *copy = on_stack ? shorter : mem_alloc(value.len);
    if (value.len)
        memcpy(copy, value.ptr, value.len);
    value.ptr = copy;
    resp_bulk_slice(&ctx->reply, value);
    struct entry *entry = ref->entry;
    list_entry_pop(&entry, limits, ends.from);
    list_entry_push(&entry, limits, ends.to, &value, 1);
    db_entry_changed(ref, entry);
    ctx_written(ctx, 0, NOTIFY_LIST, list_push_event(ends.to));
    ctx_notify(ctx, 0, NOTIFY_LIST, list_pop_event(ends.from));
    if (!on_stack)
        mem_free(copy, value.len);
}

// False: there is nothing to move. Else it has been moved and replied, or an error has been.
static bool move(struct cmd_ctx *ctx, struct ends ends)
{
    // The destination is looked up first: that may delete it, and so move the source's slot.
    struct entry_ref to = db_find(ctx->db, &ctx->keys[1]);
    struct entry_ref from;
    if (!ctx_find(ctx, 0, TYPE_LIST, &from))
        return true;
    if (!from.entry)
        return false;
    if (to.entry && entry_type(to.entry) != TYPE_LIST) {
        reply_error(ctx, ERR_WRONG_TYPE);
        return true;
    }
    char scratch[24];
    struct list_place place = end_of(from.entry, ends.from);
    struct slice value = lp_text(place.lp, place.offset, scratch);
    if (to.entry == from.entry) {
        rotate(ctx, &from, value, ends);
        return true;
    }
    if (!list_has_room(ctx, value.len))
        return true;
    bool inserts = !to.entry;
    list_push_values(ctx, 1, &to, ends.to, &value, 1);
    if (inserts)
        from = db_peek(ctx->db, &ctx->keys[0]);
    list_pop_one(ctx, 0, &from, ends.from);
    return true;
}

static bool arg_ends(struct cmd_ctx *ctx, struct ends *ends)
{
    return arg_list_end(ctx, 3, &ends->from) && arg_list_end(ctx, 4, &ends->to);
}

// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
static void cmd_lmove(struct cmd_ctx *ctx)
{
    struct ends ends;
    if (arg_ends(ctx, &ends) && !move(ctx, ends))
        reply_null(ctx);
}

// RPOPLPUSH source destination
static void cmd_rpoplpush(struct cmd_ctx *ctx)
{
    if (!move(ctx, (struct ends){ .from = LIST_RIGHT, .to = LIST_LEFT }))
        reply_null(ctx);
}

// Moves, or waits; the effect is that of `command` with the arguments but the timeout.
static void blocking_move(struct cmd_ctx *ctx, struct ends ends, struct slice command)
{
    int64_t timeout_ms;
    if (!arg_timeout(ctx, ctx->argc - 1, &timeout_ms))
        return;
    if (move(ctx, ends)) {
        struct slice words[5] = { command };
        memcpy(words + 1, ctx->argv + 1, (ctx->argc - 2) * sizeof(*words));
        effect_replace(ctx, words, ctx->argc - 1);
        return;
    }
    if (ctx->must_not_wait) {
        reply_null(ctx);
        return;
    }
    block_on_keys(ctx, &(struct block_wait){
                           .count = 1,
                           .type = TYPE_LIST,
                           .timeout_ms = timeout_ms,
                           .timed_out = resp_null_array,
                       });
}

// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
static void cmd_blmove(struct cmd_ctx *ctx)
{
    struct ends ends;
    if (arg_ends(ctx, &ends))
        blocking_move(ctx, ends, SLICE("LMOVE"));
}

// BRPOPLPUSH source destination timeout
static void cmd_brpoplpush(struct cmd_ctx *ctx)
{
    const struct ends ends = { .from = LIST_RIGHT, .to = LIST_LEFT };
    blocking_move(ctx, ends, SLICE("RPOPLPUSH"));
}

#define MOVE_KEYS                                                                      \
    {                                                                                  \
        KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_SECOND(KEY_RW | KEY_INSERT) \
    }

#define MOVE_ARGS                                             \
    { .name = "source", .type = ARG_KEY },                    \
    {                                                         \
        .name = "destination", .type = ARG_KEY, .key_spec = 1 \
    }

#define END_ARG(arg_name)                                                           \
    {                                                                               \
        .name = (arg_name), .type = ARG_ONEOF,                                      \
        .args = ARGS({ .name = "left", .type = ARG_PURE_TOKEN, .token = "LEFT" },   \
                     { .name = "right", .type = ARG_PURE_TOKEN, .token = "RIGHT" }) \
    }

const struct command list_move_commands[] = {
    { .name = "lmove",
      .summary = "Moves an element from an end of a list to an end of another, and returns it.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_LIST,
      .arity = 5,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_LIST,
      .keys = MOVE_KEYS,
      .args = ARGS(MOVE_ARGS, END_ARG("wherefrom"), END_ARG("whereto")),
      .handler = cmd_lmove },
    { .name = "rpoplpush",
      .summary = "Moves the last element of a list to the head of another, and returns it.",
      .since = "1.2.0",
      .complexity = "O(1)",
      .group = GROUP_LIST,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_LIST,
      .keys = MOVE_KEYS,
      .deprecated_since = "6.2.0",
      .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments",
      .args = ARGS(MOVE_ARGS),
      .handler = cmd_rpoplpush },
    { .name = "blmove",
      .summary = "As LMOVE, but waits if the source does not exist.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_LIST,
      .arity = 6,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING,
      .acl = ACL_LIST,
      .keys = MOVE_KEYS,
      .args = ARGS(MOVE_ARGS, END_ARG("wherefrom"), END_ARG("whereto"),
                   { .name = "timeout", .type = ARG_DOUBLE }),
      .handler = cmd_blmove },
    { .name = "brpoplpush",
      .summary = "As RPOPLPUSH, but waits if the source does not exist.",
      .since = "2.2.0",
      .complexity = "O(1)",
      .group = GROUP_LIST,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_NOSCRIPT | CMD_BLOCKING,
      .acl = ACL_LIST,
      .keys = MOVE_KEYS,
      .deprecated_since = "6.2.0",
      .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
      .args = ARGS(MOVE_ARGS, { .name = "timeout", .type = ARG_DOUBLE }),
      .handler = cmd_brpoplpush },
    { 0 },
};

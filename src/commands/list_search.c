// SPDX-License-Identifier: BSD-3-Clause
// Lists, looking for elements: LINSERT LREM LPOS.
#include "base/numbers.h"
#include "commands/list_shared.h"
#include "commands/tables.h"
#include "server/server.h"

// LINSERT key BEFORE|AFTER pivot element
static void cmd_linsert(struct cmd_ctx *ctx)
{
    bool behind = arg_is(ctx, 2, "after");
    if (!behind && !arg_is(ctx, 2, "before")) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_LIST, &ref) || !list_has_room(ctx, ctx->argv[4].len))
        return;
    if (!ref.entry) {
        reply_int(ctx, 0);
        return;
    }
    struct entry *entry = ref.entry;
    if (!list_entry_insert(&entry, ctx->server->limits, ctx->argv[3], behind, ctx->argv[4])) {
        reply_int(ctx, -1);
        return;
    }
    db_entry_changed(&ref, entry);
    ctx_written(ctx, 0, NOTIFY_LIST, "linsert");
    reply_int(ctx, (int64_t)list_entry_count(entry));
}

// LREM key count element
static void cmd_lrem(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    int64_t count;
    if (!arg_int64(ctx, 2, &count) || !ctx_find(ctx, 0, TYPE_LIST, &ref))
        return;
    if (!ref.entry) {
        reply_int(ctx, 0);
        return;
    }
    struct entry *entry = ref.entry;
    size_t removed = list_entry_remove_equal(&entry, ctx->server->limits, ctx->argv[3], count);
    if (removed > 0)
        list_removed(ctx, 0, &ref, entry, removed, "lrem");
    reply_int(ctx, (int64_t)removed);
}

struct lpos {
    int64_t rank;    // of the first match to return; negative: from the tail
    int64_t count;   // of matches to return, 0: all; -1: one, without an array
    int64_t maxlen;  // elements to look at, 0: all
};

// A number that must not be negative.
static bool arg_not_negative(struct cmd_ctx *ctx, uint32_t i, enum error_id error, int64_t *out)
{
    if (parse_int64(ctx->argv[i], out) && *out >= 0)
        return true;
    reply_error(ctx, error);
    return false;
}

static bool arg_rank(struct cmd_ctx *ctx, uint32_t i, int64_t *rank)
{
    if (!arg_int64(ctx, i, rank))
        return false;
    if (*rank == INT64_MIN) {
        reply_error(ctx, ERR_LPOS_RANK_RANGE);
        return false;
    }
    if (*rank == 0) {
        reply_error(ctx, ERR_LPOS_RANK);
        return false;
    }
    return true;
}

static bool parse_lpos(struct cmd_ctx *ctx, struct lpos *options)
{
    for (uint32_t i = 3; i < ctx->argc; i += 2) {
        bool ok;
        if (i + 1 < ctx->argc && arg_is(ctx, i, "rank")) {
            ok = arg_rank(ctx, i + 1, &options->rank);
        } else if (i + 1 < ctx->argc && arg_is(ctx, i, "count")) {
            ok = arg_not_negative(ctx, i + 1, ERR_LPOS_COUNT, &options->count);
        } else if (i + 1 < ctx->argc && arg_is(ctx, i, "maxlen")) {
            ok = arg_not_negative(ctx, i + 1, ERR_LPOS_MAXLEN, &options->maxlen);
        } else {
            reply_error(ctx, ERR_SYNTAX);
            ok = false;
        }
        if (!ok)
            return false;
    }
    return true;
}

// Replies the positions of the matches; returns how many.
static size_t reply_positions(struct cmd_ctx *ctx, const struct entry *entry,
                              const struct lpos *options)
{
    const struct lp_key key = lp_key_of(ctx->argv[2]);
    bool from_right = options->rank < 0;
    int64_t skip = (from_right ? -options->rank : options->rank) - 1;
    size_t wanted = options->count < 0 ? 1 : options->count ? (size_t)options->count : SIZE_MAX;
    size_t size = list_entry_count(entry);
    size_t end = options->maxlen && (size_t)options->maxlen < size ? (size_t)options->maxlen : size;
    size_t found = 0;
    struct list_place place = list_entry_seek(entry, from_right ? -1 : 0);
    for (size_t i = 0; i < end && found < wanted; i++) {
        if (lp_equal(place.lp, place.offset, &key) && skip-- <= 0) {
            reply_int(ctx, (int64_t)(from_right ? size - 1 - i : i));
            found++;
        }
        if (from_right)
            list_place_prev(&place);
        else
            list_place_next(&place);
    }
    return found;
}

// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
static void cmd_lpos(struct cmd_ctx *ctx)
{
    struct lpos options = { .rank = 1, .count = -1 };
    struct entry_ref ref;
    if (!parse_lpos(ctx, &options) || !ctx_find_read(ctx, 0, TYPE_LIST, &ref))
        return;
    if (options.count < 0) {
        if (!ref.entry || reply_positions(ctx, ref.entry, &options) == 0)
            reply_null(ctx);
        return;
    }
    if (!ref.entry) {
        resp_array(&ctx->reply, 0);
        return;
    }
    struct resp_deferred positions;
    resp_deferred_begin(&ctx->reply, &positions);
    size_t found = reply_positions(ctx, ref.entry, &options);
    resp_deferred_end(&ctx->reply, &positions, resp_array, found);
}

const struct command list_search_commands[] = {
    { .name = "linsert",
      .summary = "Inserts an element in front of another one, or behind it.",
      .since = "2.2.0",
      .complexity = "O(N) where N is the number of elements up to the other one",
      .group = GROUP_LIST,
      .arity = 5,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "where",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "before", .type = ARG_PURE_TOKEN, .token = "BEFORE" },
                                  { .name = "after", .type = ARG_PURE_TOKEN, .token = "AFTER" }) },
                   { .name = "pivot", .type = ARG_STRING },
                   { .name = "element", .type = ARG_STRING }),
      .handler = cmd_linsert },
    { .name = "lrem",
      .summary = "Removes elements that equal a value, from the head, the tail, or all of them.",
      .since = "1.0.0",
      .complexity = "O(N+M) where N is the number of elements of the list, M of those removed",
      .group = GROUP_LIST,
      .arity = 4,
      .flags = CMD_WRITE,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "count", .type = ARG_INTEGER },
                   { .name = "element", .type = ARG_STRING }),
      .handler = cmd_lrem },
    { .name = "lpos",
      .summary = "Returns where elements stand that equal a value.",
      .since = "6.0.6",
      .complexity = "O(N) where N is the number of elements looked at",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_READONLY,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY }, { .name = "element", .type = ARG_STRING },
          { .name = "rank", .type = ARG_INTEGER, .token = "RANK", .flags = ARG_OPTIONAL },
          { .name = "num-matches", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL },
          { .name = "len", .type = ARG_INTEGER, .token = "MAXLEN", .flags = ARG_OPTIONAL }),
      .handler = cmd_lpos },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Lists, their ends and ranges: LPUSH RPUSH LPUSHX RPUSHX LLEN LRANGE LTRIM LINDEX LSET.
#include "commands/list_shared.h"
#include "commands/tables.h"
#include "server/server.h"

static void push(struct cmd_ctx *ctx, enum list_end end, bool only_if_there)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_LIST, &ref))
        return;
    if (only_if_there && !ref.entry) {
        reply_int(ctx, 0);
        return;
    }
    const struct slice *values = ctx->argv + 2;
    size_t count = ctx->argc - 2;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += values[i].len;
    if (!list_has_room(ctx, bytes))
        return;
    list_push_values(ctx, 0, &ref, end, values, count);
    reply_int(ctx, (int64_t)list_entry_count(ref.entry));
}

// LPUSH key element [element ...]
static void cmd_lpush(struct cmd_ctx *ctx)
{
    push(ctx, LIST_LEFT, false);
}

// RPUSH key element [element ...]
static void cmd_rpush(struct cmd_ctx *ctx)
{
    push(ctx, LIST_RIGHT, false);
}

// LPUSHX key element [element ...]
static void cmd_lpushx(struct cmd_ctx *ctx)
{
    push(ctx, LIST_LEFT, true);
}

// RPUSHX key element [element ...]
static void cmd_rpushx(struct cmd_ctx *ctx)
{
    push(ctx, LIST_RIGHT, true);
}

// LLEN key
static void cmd_llen(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_LIST, &ref))
        reply_int(ctx, ref.entry ? (int64_t)list_entry_count(ref.entry) : 0);
}

struct range {
    size_t start;
    size_t count;
};

// The elements from one index to another, both included and counted from the end if negative.
static struct range range_of(size_t count, int64_t first, int64_t last)
{
    int64_t size = (int64_t)count;
    if (first < 0)
        first = first + size < 0 ? 0 : first + size;
    if (last < 0)
        last += size;
    if (last >= size)
        last = size - 1;
    if (first > last)
        return (struct range){ .start = 0, .count = 0 };
    return (struct range){ .start = (size_t)first, .count = (size_t)(last - first + 1) };
}

// LRANGE key start stop
static void cmd_lrange(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    int64_t first;
    int64_t last;
    if (!arg_int64(ctx, 2, &first) || !arg_int64(ctx, 3, &last) ||
        !ctx_find_read(ctx, 0, TYPE_LIST, &ref))
        return;
    size_t count = ref.entry ? list_entry_count(ref.entry) : 0;
    struct range range = range_of(count, first, last);
    resp_array(&ctx->reply, range.count);
    if (range.count > 0)
        list_reply_range(&ctx->reply, ref.entry, range.start, range.count);
}

// LTRIM key start stop
static void cmd_ltrim(struct cmd_ctx *ctx)
{
    const struct collection_limits *limits = ctx->server->limits;
    struct entry_ref ref;
    int64_t first;
    int64_t last;
    if (!arg_int64(ctx, 2, &first) || !arg_int64(ctx, 3, &last) ||
        !ctx_find(ctx, 0, TYPE_LIST, &ref))
        return;
    reply_ok(ctx);
    if (!ref.entry)
        return;
    size_t count = list_entry_count(ref.entry);
    struct range keep = range_of(count, first, last);
    struct entry *entry = ref.entry;
    size_t end = keep.start + keep.count;
    // What is to go as a whole goes with its key, in slices if it is large.
    if (keep.count > 0) {
        list_entry_remove_range(&entry, limits, end, count - end);
        list_entry_remove_range(&entry, limits, 0, keep.start);
        list_removed(ctx, 0, &ref, entry, count - keep.count, "ltrim");
        return;
    }
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx->changes += count - 1;
    ctx_emptied(ctx, 0, NOTIFY_LIST, "ltrim");
}

// LINDEX key index
static void cmd_lindex(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    int64_t index;
    if (!ctx_find_read(ctx, 0, TYPE_LIST, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    if (!arg_int64(ctx, 2, &index))
        return;
    struct list_place place = list_entry_seek(ref.entry, index);
    if (place.lp)
        list_reply_element(&ctx->reply, &place);
    else
        reply_null(ctx);
}

// LSET key index element
static void cmd_lset(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    int64_t index;
    if (!ctx_find(ctx, 0, TYPE_LIST, &ref))
        return;
    if (!ref.entry) {
        reply_error(ctx, ERR_NO_SUCH_KEY);
        return;
    }
    if (!arg_int64(ctx, 2, &index) || !list_has_room(ctx, ctx->argv[3].len))
        return;
    struct entry *entry = ref.entry;
    if (!list_entry_set(&entry, ctx->server->limits, index, ctx->argv[3])) {
        reply_error(ctx, ERR_INDEX);
        return;
    }
    db_entry_changed(&ref, entry);
    ctx_written(ctx, 0, NOTIFY_LIST, "lset");
    reply_ok(ctx);
}

static const struct command_arg push_args[] = {
    { .name = "key", .type = ARG_KEY },
    { .name = "element", .type = ARG_STRING, .flags = ARG_MULTIPLE },
    { 0 },
};

static const struct command_arg range_args[] = {
    { .name = "key", .type = ARG_KEY },
    { .name = "start", .type = ARG_INTEGER },
    { .name = "stop", .type = ARG_INTEGER },
    { 0 },
};

const struct command list_commands[] = {
    { .name = "lpush",
      .summary = "Puts elements in front of a list, one after another; makes it if need be.",
      .since = "1.0.0",
      .complexity = "O(1) for each element",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = push_args,
      .handler = cmd_lpush },
    { .name = "rpush",
      .summary = "Puts elements behind a list; makes it if need be.",
      .since = "1.0.0",
      .complexity = "O(1) for each element",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = push_args,
      .handler = cmd_rpush },
    { .name = "lpushx",
      .summary = "Puts elements in front of a list that exists.",
      .since = "2.2.0",
      .complexity = "O(1) for each element",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = push_args,
      .handler = cmd_lpushx },
    { .name = "rpushx",
      .summary = "Puts elements behind a list that exists.",
      .since = "2.2.0",
      .complexity = "O(1) for each element",
      .group = GROUP_LIST,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = push_args,
      .handler = cmd_rpushx },
    { .name = "llen",
      .summary = "Counts the elements of a list.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_LIST,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_llen },
    { .name = "lrange",
      .summary = "Returns the elements from one index to another.",
      .since = "1.0.0",
      .complexity = "O(S+N) where S is the way to the first element, O(log) of a long list, and N "
                    "the number of elements returned",
      .group = GROUP_LIST,
      .arity = 4,
      .flags = CMD_READONLY,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = range_args,
      .handler = cmd_lrange },
    { .name = "ltrim",
      .summary = "Removes all elements but those from one index to another.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of elements removed",
      .group = GROUP_LIST,
      .arity = 4,
      .flags = CMD_WRITE,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .args = range_args,
      .handler = cmd_ltrim },
    { .name = "lindex",
      .summary = "Returns the element at an index.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of elements passed over in a small list; O(log N) "
                    "in a long one, O(1) at its ends",
      .group = GROUP_LIST,
      .arity = 3,
      .flags = CMD_READONLY,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "index", .type = ARG_INTEGER }),
      .handler = cmd_lindex },
    { .name = "lset",
      .summary = "Puts another value in the place of the element at an index.",
      .since = "1.0.0",
      .complexity =
          "O(N) where N is the number of elements of a small list; O(log N) in a long one",
      .group = GROUP_LIST,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_LIST,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "index", .type = ARG_INTEGER },
                   { .name = "element", .type = ARG_STRING }),
      .handler = cmd_lset },
    { 0 },
};

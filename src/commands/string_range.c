// SPDX-License-Identifier: BSD-3-Clause
// Strings as sequences of bytes: APPEND STRLEN GETRANGE SUBSTR SETRANGE.
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"
#include "types/string.h"

// Whether a string may have this length; if not, replies.
static bool check_length(struct cmd_ctx *ctx, uint64_t len)
{
    if (len <= (uint64_t)ctx->server->clients->limits.max_bulk)
        return true;
    reply_error(ctx, ERR_STRING_TOO_LONG);
    return false;
}

// APPEND key value
static void cmd_append(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_STRING, &ref))
        return;
    struct slice more = ctx->argv[2];
    if (!ref.entry) {
        string_set(ctx->db, &ctx->keys[0], &ref, more, EXPIRY_NONE);
    } else {
        if (!check_length(ctx, (uint64_t)string_length(ref.entry) + more.len))
            return;
        if (string_append(ctx->db, &ref, more) != STATUS_OK) {
            reply_error(ctx, ERR_OUT_OF_MEMORY);
            return;
        }
    }
    ctx_written(ctx, 0, NOTIFY_STRING, "append");
    reply_int(ctx, (int64_t)string_length(ref.entry));
}

// STRLEN key
static void cmd_strlen(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        reply_int(ctx, ref.entry ? (int64_t)string_length(ref.entry) : 0);
}

// GETRANGE key start end
static void cmd_getrange(struct cmd_ctx *ctx)
{
    int64_t start;
    int64_t end;
    struct entry_ref ref;
    if (!arg_int64(ctx, 2, &start) || !arg_int64(ctx, 3, &end) ||
        !ctx_find_read(ctx, 0, TYPE_STRING, &ref))
        return;
    char scratch[INT64_TEXT_MAX];
    struct slice value = ref.entry ? string_bytes(ref.entry, scratch) : SLICE("");
    int64_t len = (int64_t)value.len;
    bool reversed = start < 0 && end < 0 && start > end;
    start = start < 0 ? start + len : start;
    end = end < 0 ? end + len : end;
    start = start < 0 ? 0 : start;
    end = end < 0 ? 0 : end;
    end = end >= len ? len - 1 : end;
    if (reversed || start > end || len == 0)
        resp_bulk(&ctx->reply, "", 0);
    else
        resp_bulk(&ctx->reply, value.ptr + start, (size_t)(end - start + 1));
}

// SUBSTR key start end
static void cmd_substr(struct cmd_ctx *ctx)
{
    cmd_getrange(ctx);
}

// SETRANGE key offset value
static void cmd_setrange(struct cmd_ctx *ctx)
{
    int64_t offset;
    struct entry_ref ref;
    if (!arg_int64(ctx, 2, &offset))
        return;
    if (offset < 0) {
        reply_error(ctx, ERR_OFFSET);
        return;
    }
    if (!ctx_find(ctx, 0, TYPE_STRING, &ref))
        return;
    struct slice bytes = ctx->argv[3];
    if (bytes.len == 0) {
        reply_int(ctx, ref.entry ? (int64_t)string_length(ref.entry) : 0);
        return;
    }
    if (!check_length(ctx, (uint64_t)offset + bytes.len))
        return;
    bool created = !ref.entry;
    if (created)
        string_set(ctx->db, &ctx->keys[0], &ref, SLICE(""), EXPIRY_NONE);
    if (string_set_range(ctx->db, &ref, (size_t)offset, bytes) != STATUS_OK) {
        if (created)
            db_remove(ctx->db, &ctx->keys[0], ref);
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    ctx_written(ctx, 0, NOTIFY_STRING, "setrange");
    reply_int(ctx, (int64_t)string_length(ref.entry));
}

const struct command string_range_commands[] = {
    { .name = "append",
      .summary = "Appends to a string; a missing key counts as an empty one.",
      .since = "2.0.0",
      .complexity = "O(1) amortised",
      .group = GROUP_STRING,
      .arity = 3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "value", .type = ARG_STRING }),
      .handler = cmd_append },
    { .name = "strlen",
      .summary = "Returns the length of a string.",
      .since = "2.2.0",
      .complexity = "O(1)",
      .group = GROUP_STRING,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_strlen },
    { .name = "getrange",
      .summary = "Returns part of a string.",
      .since = "2.4.0",
      .complexity = "O(N) where N is the length of the part",
      .group = GROUP_STRING,
      .arity = 4,
      .flags = CMD_READONLY,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "start", .type = ARG_INTEGER },
                   { .name = "end", .type = ARG_INTEGER }),
      .handler = cmd_getrange },
    { .name = "substr",
      .summary = "Returns part of a string.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the length of the part",
      .group = GROUP_STRING,
      .arity = 4,
      .flags = CMD_READONLY,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .deprecated_since = "2.0.0",
      .replaced_by = "`GETRANGE`",
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "start", .type = ARG_INTEGER },
                   { .name = "end", .type = ARG_INTEGER }),
      .handler = cmd_substr },
    { .name = "setrange",
      .summary = "Overwrites part of a string, growing it as needed.",
      .since = "2.2.0",
      .complexity =
          "O(1) for short parts, else O(M) where M is the length of the part; a string that has to "
          "move is copied",
      .group = GROUP_STRING,
      .arity = 4,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_STRING,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "offset", .type = ARG_INTEGER },
                   { .name = "value", .type = ARG_STRING }),
      .handler = cmd_setrange },
    { 0 },
};

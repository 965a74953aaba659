// SPDX-License-Identifier: BSD-3-Clause
// Helpers of handlers: see ctx.h.
#include "server/ctx.h"

#include "base/numbers.h"
#include "server/error_stats.h"
#include "server/registry.h"
#include "server/server.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// How much of the arguments an unknown command's error shows.
#define SHOWN_ARGS_BYTES 128

#define X(name, text) [name] = { .ptr = (text), .len = sizeof(text) - 1 },
static const struct slice error_texts[ERROR_COUNT] = {
#include "server/errors.def"
};
#undef X

static void send_error(struct cmd_ctx *ctx, struct slice text)
{
    ctx->failed = true;
    ctx->server->stats.error_replies++;
    error_stats_count(ctx->server->error_stats, text);
    resp_error(&ctx->reply, text);
}

// The reason, behind the words of the command's row.
static void send_refusal(struct cmd_ctx *ctx, struct slice reason)
{
    const struct slice plain = SLICE("ERR ");
    if (reason.len >= plain.len && memcmp(reason.ptr, plain.ptr, plain.len) == 0) {
        reason.ptr += plain.len;
        reason.len -= plain.len;
    }
    struct bytes text = { 0 };
    bytes_append_text(&text, ctx->command->row->refusal);
    bytes_append_slice(&text, reason);
    send_error(ctx, bytes_slice(&text));
    bytes_release(&text);
}

static void answer_error(struct cmd_ctx *ctx, struct slice text)
{
    if (unlikely(ctx->refused) && ctx->command->row->refusal)
        send_refusal(ctx, text);
    else
        send_error(ctx, text);
}

void reply_error(struct cmd_ctx *ctx, enum error_id error)
{
    answer_error(ctx, error_texts[error]);
}

void reply_errorf(struct cmd_ctx *ctx, const char *format, ...)
{
    struct bytes text = { 0 };
    va_list args;
    va_start(args, format);
    bytes_vprintf(&text, format, args);
    va_end(args);
    // Line ends at the end go; those within become blanks.
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    answer_error(ctx, bytes_slice(&text));
    bytes_release(&text);
}

void reply_wrong_arity(struct cmd_ctx *ctx)
{
    reply_errorf(ctx, "ERR wrong number of arguments for '%s' command", ctx->command->full_name);
}

// The name in capital letters, which a client has to use: the command may have been renamed.
static void append_upper(struct bytes *out, const char *name)
{
    for (const char *p = name; *p; p++)
        bytes_append_char(out,
                          (char)(iscntrl((unsigned char)*p) ? ' ' : toupper((unsigned char)*p)));
}

void reply_unknown_subcommand(struct cmd_ctx *ctx)
{
    struct slice name = ctx->argv[1];
    struct bytes container = { 0 };
    append_upper(&container, ctx->command->called);
    reply_errorf(ctx, "ERR unknown subcommand '%.*s'. Try %.*s HELP.",
                 (int)(name.len < SHOWN_ARGS_BYTES ? name.len : SHOWN_ARGS_BYTES), name.ptr,
                 (int)container.len, container.data);
    bytes_release(&container);
}

void reply_subcommand_arity(struct cmd_ctx *ctx)
{
    struct slice name = ctx->argv[1];
    struct bytes container = { 0 };
    append_upper(&container, ctx->command->parent->called);
    reply_errorf(ctx,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %.*s HELP.",
                 (int)(name.len < SHOWN_ARGS_BYTES ? name.len : SHOWN_ARGS_BYTES), name.ptr,
                 (int)container.len, container.data);
    bytes_release(&container);
}

void reply_unknown_command(struct cmd_ctx *ctx)
{
    struct bytes shown = { 0 };
    for (uint32_t i = 1; i < ctx->argc && shown.len < SHOWN_ARGS_BYTES; i++) {
        // A NUL in an argument ends what is shown of it, as it does in Redis.
        size_t room = SHOWN_ARGS_BYTES - shown.len;
        size_t len = ctx->argv[i].len < room ? ctx->argv[i].len : room;
        bytes_printf(&shown, "'%.*s' ", (int)len, ctx->argv[i].ptr);
    }
    bytes_append_char(&shown, '\0');
    struct slice name = ctx->argv[0];
    reply_errorf(ctx, "ERR unknown command '%.*s', with args beginning with: %s",
                 (int)(name.len < SHOWN_ARGS_BYTES ? name.len : SHOWN_ARGS_BYTES), name.ptr,
                 shown.data);
    bytes_release(&shown);
}

void reply_help(struct cmd_ctx *ctx, const char *const *lines, size_t count)
{
    const struct command_entry *container = ctx->command->parent ? ctx->command->parent
                                                                 : ctx->command;
    resp_array(&ctx->reply, count);
    struct bytes title = { 0 };
    append_upper(&title, container->called);
    bytes_append_text(&title, lines[0] + strlen(container->row->name));
    resp_simple(&ctx->reply, bytes_slice(&title));
    bytes_release(&title);
    for (size_t i = 1; i < count; i++)
        resp_simple(&ctx->reply, slice_of(lines[i]));
}

bool arg_int64(struct cmd_ctx *ctx, uint32_t i, int64_t *out)
{
    if (parse_int64(ctx->argv[i], out))
        return true;
    reply_error(ctx, ERR_NOT_INTEGER);
    return false;
}

bool arg_int32(struct cmd_ctx *ctx, uint32_t i, int64_t *out)
{
    if (!arg_int64(ctx, i, out))
        return false;
    if (*out >= INT32_MIN && *out <= INT32_MAX)
        return true;
    reply_errorf(ctx, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                 INT32_MAX);
    return false;
}

static bool check_type(struct cmd_ctx *ctx, const struct entry_ref *ref, enum value_type type)
{
    if (likely(!ref->entry || entry_type(ref->entry) == type))
        return true;
    reply_error(ctx, ERR_WRONG_TYPE);
    return false;
}

bool ctx_find_read(struct cmd_ctx *ctx, uint32_t i, enum value_type type, struct entry_ref *out)
{
    *out = db_find_read(ctx->db, &ctx->keys[i]);
    return check_type(ctx, out, type);
}

bool ctx_find(struct cmd_ctx *ctx, uint32_t i, enum value_type type, struct entry_ref *out)
{
    *out = db_find(ctx->db, &ctx->keys[i]);
    return check_type(ctx, out, type);
}

static inline void notify(const struct cmd_ctx *ctx, const struct db *db, uint32_t i,
                          enum notify_class class, const char *event)
{
    if (unlikely(ctx->server->notified & class))
        notifications_send(ctx->server->notifications, event, key_slice(&ctx->keys[i]), db->id);
}

void ctx_notify(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event)
{
    notify(ctx, ctx->db, i, class, event);
}

// Out of the way of writes that nobody wants to hear of.
static __attribute__((noinline, cold)) void tell_written(const struct cmd_ctx *ctx, struct db *db,
                                                         uint32_t i, enum notify_class class,
                                                         const char *event)
{
    keyspace_announce(ctx->server->keyspace, KEY_WRITTEN, db, &ctx->keys[i]);
    notify(ctx, db, i, class, event);
}

void ctx_written_in(struct cmd_ctx *ctx, struct db *db, uint32_t i, enum notify_class class,
                    const char *event)
{
    const struct server *server = ctx->server;
    ctx->changes++;
    if (unlikely((server->keyspace->heard & KEY_EVENT(KEY_WRITTEN)) | (server->notified & class)))
        tell_written(ctx, db, i, class, event);
}

void ctx_written(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event)
{
    ctx_written_in(ctx, ctx->db, i, class, event);
}

void ctx_moved(struct cmd_ctx *ctx, uint32_t i, const char *event)
{
    keyspace_announce(ctx->server->keyspace, KEY_REMOVED, ctx->db, &ctx->keys[i]);
    notify(ctx, ctx->db, i, NOTIFY_GENERIC, event);
}

void ctx_removed(struct cmd_ctx *ctx, uint32_t i)
{
    ctx->changes++;
    ctx_moved(ctx, i, "del");
}

void ctx_emptied(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event)
{
    notify(ctx, ctx->db, i, class, event);
    ctx_removed(ctx, i);
}

// SPDX-License-Identifier: BSD-3-Clause
// COMMAND GETKEYS and GETKEYSANDFLAGS: the keys among a command's arguments.
#include "base/memory.h"
#include "commands/introspection.h"
#include "server/dispatch.h"
#include "server/server.h"

// The command that the arguments behind the subcommand make; NULL if it could not be run or has no
// keys: the error has been replied.
static const struct command_entry *resolve(struct cmd_ctx *ctx)
{
    struct cmd_ctx inner = { .server = ctx->server, .argv = ctx->argv + 2, .argc = ctx->argc - 2 };
    dispatch_resolve(&inner);
    const struct command_entry *command = inner.command;
    if (!command || (command->is_container && inner.argc > 1)) {
        reply_error(ctx, ERR_INVALID_COMMAND);
        return NULL;
    }
    const struct key_spec *keys = command->row->keys;
    if (keys[0].begin == KEY_BEGIN_NONE || keys[0].flags & KEY_NOT_KEY) {
        reply_error(ctx, ERR_NO_KEY_ARGUMENTS);
        return NULL;
    }
    if (!dispatch_right_arity(command, inner.argc)) {
        reply_error(ctx, ERR_INVALID_COMMAND_ARGS);
        return NULL;
    }
    return command;
}

static void reply_places(struct cmd_ctx *ctx, const struct key_place *places, size_t count,
                         bool with_flags)
{
    resp_array(&ctx->reply, count);
    for (size_t i = 0; i < count; i++) {
        if (with_flags)
            resp_array(&ctx->reply, 2);
        resp_bulk_slice(&ctx->reply, ctx->argv[places[i].position + 2]);
        if (with_flags)
            reply_key_flags(&ctx->reply, places[i].flags);
    }
}

static void getkeys(struct cmd_ctx *ctx, bool with_flags)
{
    const struct command_entry *command = resolve(ctx);
    if (!command)
        return;
    // There are no more keys than arguments.
    size_t bytes = ctx->argc * sizeof(struct key_place);
    struct key_place *places = mem_alloc(bytes);
    int count = registry_find_keys(command, ctx->argv + 2, ctx->argc - 2, places, (int)ctx->argc);
    if (count < 0)
        reply_error(ctx, ERR_COMMAND_KEYS);
    else
        reply_places(ctx, places, (size_t)count, with_flags);
    mem_free(places, bytes);
}

// COMMAND GETKEYS command [arg [arg ...]]
void cmd_command_getkeys(struct cmd_ctx *ctx)
{
    getkeys(ctx, false);
}

// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
void cmd_command_getkeysandflags(struct cmd_ctx *ctx)
{
    getkeys(ctx, true);
}

// SPDX-License-Identifier: BSD-3-Clause
// A command kept beyond its batch: see kept_command.h.
#include "server/kept_command.h"

#include "server/client.h"
#include "server/incoming.h"

#include <string.h>

size_t kept_command_bytes(const struct cmd_ctx *ctx)
{
    size_t bytes = ctx->argc * sizeof(struct slice) + ctx->key_count * sizeof(struct key);
    if (ctx->raw_is_resp)
        return bytes + ctx->raw.len;
    for (uint32_t i = 0; i < ctx->argc; i++)
        bytes += incoming_has(ctx->incoming, ctx->argv[i]) ? 0 : ctx->argv[i].len;
    return bytes;
}

// All words lie in the request: they keep their places in it.
static void keep_request(struct kept_command *kept, const struct cmd_ctx *ctx, char *text)
{
    memcpy(text, ctx->raw.ptr, ctx->raw.len);
    kept->raw = (struct slice){ .ptr = text, .len = ctx->raw.len };
    for (uint32_t i = 0; i < ctx->argc; i++) {
        kept->argv[i] = ctx->argv[i];
        kept->argv[i].ptr = text + (ctx->argv[i].ptr - ctx->raw.ptr);
    }
}

static void keep_words(struct kept_command *kept, const struct cmd_ctx *ctx, char *text)
{
    for (uint32_t i = 0; i < ctx->argc; i++) {
        struct slice arg = ctx->argv[i];
        kept->argv[i] = arg;
        if (incoming_has(ctx->incoming, arg))
            continue;
        if (arg.len)
            memcpy(text, arg.ptr, arg.len);
        kept->argv[i].ptr = text;
        text += arg.len;
    }
}

void kept_command_init(struct kept_command *kept, struct cmd_ctx *ctx, void *room)
{
    *kept = (struct kept_command){
        .command = ctx->command,
        .argv = room,
        .argc = ctx->argc,
        .key_count = ctx->key_count,
    };
    kept->keys = (struct key *)(kept->argv + ctx->argc);
    char *text = (char *)(kept->keys + ctx->key_count);
    if (ctx->raw_is_resp)
        keep_request(kept, ctx, text);
    else
        keep_words(kept, ctx, text);
    // Keys are words, and stand in the order of their positions.
    uint32_t word = 0;
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        while (ctx->argv[word].ptr != ctx->keys[i].ptr)
            word = (word + 1) % ctx->argc;
        kept->keys[i] = ctx->keys[i];
        kept->keys[i].ptr = kept->argv[word].ptr;
    }
    kept->incoming = ctx->incoming;
    ctx->incoming = NULL;
}

void kept_command_release(struct kept_command *kept)
{
    incoming_release(&kept->incoming);
}

size_t kept_command_memory(const struct kept_command *kept)
{
    return incoming_memory(kept->incoming);
}

struct cmd_ctx kept_command_context(const struct kept_command *kept, struct client *client,
                                    struct outq *out)
{
    return (struct cmd_ctx){
        .server = client->server,
        .client = client,
        .db = client->db,
        .command = kept->command,
        .argv = kept->argv,
        .argc = kept->argc,
        .keys = kept->keys,
        .key_count = kept->key_count,
        .reply = { .out = out, .proto = client->proto },
        .raw = kept->raw,
        .raw_is_resp = kept->raw.len > 0,
        .incoming = kept->incoming,
    };
}

// SPDX-License-Identifier: BSD-3-Clause
// DEBUG PROTOCOL: a reply of each type, for those who write clients.
#include "commands/debug.h"

static void reply_string(struct cmd_ctx *ctx)
{
    resp_bulk_text(&ctx->reply, "Hello World");
}

static void reply_integer(struct cmd_ctx *ctx)
{
    resp_int(&ctx->reply, 12345);
}

static void reply_double(struct cmd_ctx *ctx)
{
    resp_double(&ctx->reply, 3.141);
}

static void reply_big_number(struct cmd_ctx *ctx)
{
    resp_big_number(&ctx->reply, SLICE("1234567999999999999999999999999999999"));
}

static void reply_three(struct cmd_ctx *ctx)
{
    for (int i = 0; i < 3; i++)
        resp_int(&ctx->reply, i);
}

static void reply_array(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 3);
    reply_three(ctx);
}

static void reply_set(struct cmd_ctx *ctx)
{
    resp_set(&ctx->reply, 3);
    reply_three(ctx);
}

static void reply_map(struct cmd_ctx *ctx)
{
    resp_map(&ctx->reply, 3);
    for (int i = 0; i < 3; i++) {
        resp_int(&ctx->reply, i);
        resp_bool(&ctx->reply, i == 1);
    }
}

static void reply_attribute(struct cmd_ctx *ctx)
{
    if (ctx->reply.proto > 2) {
        resp_attribute(&ctx->reply, 1);
        resp_bulk_text(&ctx->reply, "key-popularity");
        resp_array(&ctx->reply, 2);
        resp_bulk_text(&ctx->reply, "key:123");
        resp_int(&ctx->reply, 90);
    }
    resp_bulk_text(&ctx->reply, "Some real reply following the attribute");
}

static void reply_push(struct cmd_ctx *ctx)
{
    if (ctx->reply.proto == 2) {
        reply_error(ctx, ERR_NOT_IN_RESP2);
        return;
    }
    resp_push(&ctx->reply, 2);
    resp_bulk_text(&ctx->reply, "server-cpu-usage");
    resp_int(&ctx->reply, 42);
    resp_bulk_text(&ctx->reply, "Some real reply following the push reply");
}

static void reply_verbatim(struct cmd_ctx *ctx)
{
    resp_verbatim(&ctx->reply, "txt", SLICE("This is a verbatim\nstring"));
}

static void reply_true(struct cmd_ctx *ctx)
{
    resp_bool(&ctx->reply, true);
}

static void reply_false(struct cmd_ctx *ctx)
{
    resp_bool(&ctx->reply, false);
}

static const struct {
    const char *name;
    void (*reply)(struct cmd_ctx *ctx);
} types[] = {
    { "string", reply_string }, { "integer", reply_integer },   { "double", reply_double },
    { "null", reply_null },     { "bignum", reply_big_number }, { "array", reply_array },
    { "set", reply_set },       { "map", reply_map },           { "attrib", reply_attribute },
    { "push", reply_push },     { "verbatim", reply_verbatim }, { "true", reply_true },
    { "false", reply_false },
};

void debug_protocol(struct cmd_ctx *ctx)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (arg_is(ctx, 2, types[i].name)) {
            types[i].reply(ctx);
            return;
        }
    }
    reply_error(ctx, ERR_PROTOCOL_TYPE);
}

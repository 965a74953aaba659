// SPDX-License-Identifier: BSD-3-Clause
// Commands about the connection itself: PING ECHO AUTH HELLO QUIT RESET.
#include "base/numbers.h"
#include "commands/client_name.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"

#include <string.h>

// PING [message]
static void cmd_ping(struct cmd_ctx *ctx)
{
    if (ctx->argc > 2) {
        reply_wrong_arity(ctx);
    } else if (ctx->client->flags & CLIENT_SUBSCRIBED && ctx->reply.proto == 2) {
        // Clients take it for one more message.
        resp_array(&ctx->reply, 2);
        resp_bulk_text(&ctx->reply, "pong");
        resp_bulk_slice(&ctx->reply, ctx->argc == 2 ? ctx->argv[1] : SLICE(""));
    } else if (ctx->argc == 2) {
        resp_bulk_slice(&ctx->reply, ctx->argv[1]);
    } else {
        resp_simple(&ctx->reply, SLICE("PONG"));
    }
}

// ECHO message
static void cmd_echo(struct cmd_ctx *ctx)
{
    resp_bulk_slice(&ctx->reply, ctx->argv[1]);
}

// QUIT
static void cmd_quit(struct cmd_ctx *ctx)
{
    reply_ok(ctx);
    client_close_after_reply(ctx->client);
}

// RESET
static void cmd_reset(struct cmd_ctx *ctx)
{
    client_reset(ctx->client);
    client_replies_on(ctx);
    ctx->reply.proto = ctx->client->proto;
    resp_simple(&ctx->reply, SLICE("RESET"));
}

// Compares without telling by its time how much was right.
static bool same_secret(struct slice given, const char *secret)
{
    size_t len = strlen(secret);
    unsigned char differs = given.len != len;
    for (size_t i = 0; i < given.len; i++)
        differs |= (unsigned char)(given.ptr[i] ^ secret[len ? i % len : 0]);
    return differs == 0;
}

// Checks a name and a password; if they are wrong, replies.
static bool authenticate(struct cmd_ctx *ctx, struct slice user, struct slice password)
{
    const struct clients *clients = ctx->server->clients;
    bool known = slice_equal(user, SLICE("default"));
    if (known &&
        (!clients_need_password(clients) || same_secret(password, clients->config.password))) {
        client_set_authenticated(ctx->client, true);
        return true;
    }
    ctx->server->stats.auth_failures++;
    reply_error(ctx, ERR_WRONG_PASS);
    return false;
}

// AUTH [username] password
static void cmd_auth(struct cmd_ctx *ctx)
{
    if (ctx->argc > 3) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    for (uint32_t i = 1; i < ctx->argc; i++)
        ctx_redact(ctx, i);
    if (ctx->argc == 2 && !clients_need_password(ctx->server->clients)) {
        reply_error(ctx, ERR_AUTH_WITHOUT_PASSWORD);
        return;
    }
    struct slice user = ctx->argc == 3 ? ctx->argv[1] : SLICE("default");
    if (authenticate(ctx, user, ctx->argv[ctx->argc - 1]))
        reply_ok(ctx);
}

struct hello_options {
    int64_t proto;
    bool has_auth;
    struct slice user;
    struct slice password;
    bool has_name;
    struct slice name;
};

static bool parse_hello(struct cmd_ctx *ctx, struct hello_options *options)
{
    if (ctx->argc > 1) {
        if (!parse_int64(ctx->argv[1], &options->proto)) {
            reply_error(ctx, ERR_PROTO_NOT_INTEGER);
            return false;
        }
        if (options->proto != 2 && options->proto != 3) {
            reply_error(ctx, ERR_NO_PROTO);
            return false;
        }
    }
    for (uint32_t i = 2; i < ctx->argc; i++) {
        uint32_t more = ctx->argc - 1 - i;
        if (arg_is(ctx, i, "auth") && more >= 2) {
            options->has_auth = true;
            options->user = ctx->argv[++i];
            ctx_redact(ctx, i);
            options->password = ctx->argv[++i];
            ctx_redact(ctx, i);
        } else if (arg_is(ctx, i, "setname") && more >= 1) {
            options->has_name = true;
            options->name = ctx->argv[++i];
            if (!client_name_check(ctx, options->name))
                return false;
        } else {
            reply_errorf(ctx, "ERR Syntax error in HELLO option '%.*s'", (int)ctx->argv[i].len,
                         ctx->argv[i].ptr);
            return false;
        }
    }
    return true;
}

// HELLO [protover [AUTH username password] [SETNAME clientname]]
static void cmd_hello(struct cmd_ctx *ctx)
{
    struct hello_options options = { .proto = ctx->client->proto };
    if (!parse_hello(ctx, &options))
        return;
    if (options.has_auth && !authenticate(ctx, options.user, options.password))
        return;
    if (!(ctx->client->flags & CLIENT_AUTHENTICATED)) {
        reply_error(ctx, ERR_HELLO_NO_AUTH);
        return;
    }
    if (options.has_name)
        client_set_text(&ctx->client->name, options.name);
    client_set_proto(ctx->client, (uint8_t)options.proto);
    ctx->reply.proto = ctx->client->proto;

    struct resp_writer *w = &ctx->reply;
    resp_map(w, 7);
    resp_bulk_text(w, "server");
    resp_bulk_text(w, "redis");
    resp_bulk_text(w, "version");
    resp_bulk_text(w, REDIS_VERSION);
    resp_bulk_text(w, "proto");
    resp_int(w, options.proto);
    resp_bulk_text(w, "id");
    resp_int(w, (int64_t)ctx->client->id);
    resp_bulk_text(w, "mode");
    resp_bulk_text(w, "standalone");
    resp_bulk_text(w, "role");
    resp_bulk_text(w, "master");
    resp_bulk_text(w, "modules");
    resp_array(w, 0);
}

#define CONNECTION_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST)

const struct command connection_commands[] = {
    { .name = "ping",
      .summary = "Answers PONG, or the message it was given.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = -1,
      .flags = CMD_FAST,
      .acl = ACL_CONNECTION,
      .tips = { "request_policy:all_shards", "response_policy:all_succeeded" },
      .args = ARGS({ .name = "message", .type = ARG_STRING, .flags = ARG_OPTIONAL }),
      .while_subscribed = true,
      .handler = cmd_ping },
    { .name = "echo",
      .summary = "Answers its argument.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "message", .type = ARG_STRING }),
      .handler = cmd_echo },
    { .name = "quit",
      .summary = "Closes the connection.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = -1,
      .flags = CONNECTION_FLAGS | CMD_NO_AUTH | CMD_ALLOW_BUSY,
      .acl = ACL_CONNECTION,
      .while_subscribed = true,
      .handler = cmd_quit },
    { .name = "reset",
      .summary = "Puts the connection back into the state of a new one.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 1,
      .flags = CONNECTION_FLAGS | CMD_NO_AUTH | CMD_ALLOW_BUSY,
      .acl = ACL_CONNECTION,
      .while_subscribed = true,
      .handler = cmd_reset },
    { .name = "auth",
      .summary = "Authenticates the connection.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of passwords of the user",
      .group = GROUP_CONNECTION,
      .arity = -2,
      .flags = CONNECTION_FLAGS | CMD_NO_AUTH | CMD_ALLOW_BUSY,
      .acl = ACL_CONNECTION,
      .args = ARGS(
          { .name = "username", .type = ARG_STRING, .since = "6.0.0", .flags = ARG_OPTIONAL },
          { .name = "password", .type = ARG_STRING }),
      .handler = cmd_auth },
    { .name = "hello",
      .summary = "Introduces the client and chooses the protocol version.",
      .since = "6.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = -1,
      .flags = CONNECTION_FLAGS | CMD_NO_AUTH | CMD_ALLOW_BUSY,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "arguments",
                     .type = ARG_BLOCK,
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "protover", .type = ARG_INTEGER },
                                  { .name = "username_password",
                                    .type = ARG_BLOCK,
                                    .token = "AUTH",
                                    .flags = ARG_OPTIONAL,
                                    .args = ARGS({ .name = "username", .type = ARG_STRING },
                                                 { .name = "password", .type = ARG_STRING }) },
                                  { .name = "clientname",
                                    .type = ARG_STRING,
                                    .token = "SETNAME",
                                    .flags = ARG_OPTIONAL }) }),
      .handler = cmd_hello },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Publish/subscribe: SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE PUBLISH SPUBLISH
// PUBSUB.
#include "server/pubsub.h"
#include "base/glob.h"
#include "base/memory.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "server/server.h"

static const struct words {
    const char *subscribed;
    const char *unsubscribed;
} words[PUBSUB_KINDS] = {
    [PUBSUB_CHANNEL] = { "subscribe", "unsubscribe" },
    [PUBSUB_PATTERN] = { "psubscribe", "punsubscribe" },
    [PUBSUB_SHARD] = { "ssubscribe", "sunsubscribe" },
};

// Confirmations are replies in their place, but clients count on them: CLIENT REPLY OFF and SKIP hold
// none back.
static struct resp_writer confirmations(const struct cmd_ctx *ctx)
{
    return (struct resp_writer){ .out = &ctx->client->conn.out, .proto = ctx->reply.proto };
}

// What a confirmation counts: shard channels, or channels and patterns together.
static void write_count(struct resp_writer *w, const struct client *client, enum pubsub_kind kind)
{
    size_t count = kind == PUBSUB_SHARD ? pubsub_count(client, PUBSUB_SHARD)
                                        : pubsub_count(client, PUBSUB_CHANNEL) +
                                              pubsub_count(client, PUBSUB_PATTERN);
    resp_int(w, (int64_t)count);
}

static void subscribe(struct cmd_ctx *ctx, enum pubsub_kind kind)
{
    struct resp_writer w = confirmations(ctx);
    for (uint32_t i = 1; i < ctx->argc; i++) {
        if (pubsub_subscribe(ctx->client, kind, ctx->argv[i]) != STATUS_OK) {
            reply_error(ctx, ERR_OUT_OF_MEMORY);
            continue;
        }
        resp_push(&w, 3);
        resp_bulk_text(&w, words[kind].subscribed);
        resp_bulk_slice(&w, ctx->argv[i]);
        write_count(&w, ctx->client, kind);
    }
}

static void unsubscribe_one(struct cmd_ctx *ctx, struct resp_writer *w, enum pubsub_kind kind,
                            struct slice name)
{
    resp_push(w, 3);
    resp_bulk_text(w, words[kind].unsubscribed);
    resp_bulk_slice(w, name);
    pubsub_unsubscribe(ctx->client, kind, name);
    write_count(w, ctx->client, kind);
}

static void unsubscribe(struct cmd_ctx *ctx, enum pubsub_kind kind)
{
    struct resp_writer w = confirmations(ctx);
    struct slice name;
    for (uint32_t i = 1; i < ctx->argc; i++)
        unsubscribe_one(ctx, &w, kind, ctx->argv[i]);
    if (ctx->argc > 1)
        return;
    if (pubsub_count(ctx->client, kind) == 0) {
        resp_push(&w, 3);
        resp_bulk_text(&w, words[kind].unsubscribed);
        resp_null(&w);
        write_count(&w, ctx->client, kind);
    }
    while (pubsub_first(ctx->client, kind, &name))
        unsubscribe_one(ctx, &w, kind, name);
}

// SUBSCRIBE channel [channel ...]
static void cmd_subscribe(struct cmd_ctx *ctx)
{
    subscribe(ctx, PUBSUB_CHANNEL);
}

// UNSUBSCRIBE [channel ...]
static void cmd_unsubscribe(struct cmd_ctx *ctx)
{
    unsubscribe(ctx, PUBSUB_CHANNEL);
}

// PSUBSCRIBE pattern [pattern ...]
static void cmd_psubscribe(struct cmd_ctx *ctx)
{
    subscribe(ctx, PUBSUB_PATTERN);
}

// PUNSUBSCRIBE [pattern ...]
static void cmd_punsubscribe(struct cmd_ctx *ctx)
{
    unsubscribe(ctx, PUBSUB_PATTERN);
}

// SSUBSCRIBE shardchannel [shardchannel ...]
static void cmd_ssubscribe(struct cmd_ctx *ctx)
{
    subscribe(ctx, PUBSUB_SHARD);
}

// SUNSUBSCRIBE [shardchannel ...]
static void cmd_sunsubscribe(struct cmd_ctx *ctx)
{
    unsubscribe(ctx, PUBSUB_SHARD);
}

static void publish(struct cmd_ctx *ctx, enum pubsub_kind kind)
{
    int64_t sent = pubsub_publish(ctx->server->pubsub, kind, ctx->argv[1], ctx->argv[2]);
    effect_tell_replicas(ctx);
    if (sent < 0)
        reply_error(ctx, ERR_OUT_OF_MEMORY);
    else
        reply_int(ctx, sent);
}

// PUBLISH channel message
static void cmd_publish(struct cmd_ctx *ctx)
{
    publish(ctx, PUBSUB_CHANNEL);
}

// SPUBLISH shardchannel message
static void cmd_spublish(struct cmd_ctx *ctx)
{
    publish(ctx, PUBSUB_SHARD);
}

// Names that are asked for, and their replies.
struct listing {
    struct resp_writer *w;
    const struct slice *pattern;  // NULL: all
    size_t count;
};

static void list_name(struct slice name, void *udata)
{
    struct listing *listing = udata;
    if (listing->pattern && !glob_match(*listing->pattern, name, false))
        return;
    resp_bulk_slice(listing->w, name);
    listing->count++;
}

static void reply_names(struct cmd_ctx *ctx, enum pubsub_kind kind)
{
    if (ctx->argc > 3) {
        reply_subcommand_arity(ctx);
        return;
    }
    struct listing listing = { .w = &ctx->reply, .pattern = ctx->argc == 3 ? &ctx->argv[2] : NULL };
    struct resp_deferred deferred;
    resp_deferred_begin(&ctx->reply, &deferred);
    pubsub_each_name(ctx->server->pubsub, kind, list_name, &listing);
    resp_deferred_end(&ctx->reply, &deferred, resp_array, listing.count);
}

static void reply_subscribers(struct cmd_ctx *ctx, enum pubsub_kind kind)
{
    resp_array(&ctx->reply, (size_t)(ctx->argc - 2) * 2);
    for (uint32_t i = 2; i < ctx->argc; i++) {
        resp_bulk_slice(&ctx->reply, ctx->argv[i]);
        reply_int(ctx, (int64_t)pubsub_subscribers(ctx->server->pubsub, kind, ctx->argv[i]));
    }
}

// PUBSUB CHANNELS [pattern]
static void cmd_pubsub_channels(struct cmd_ctx *ctx)
{
    reply_names(ctx, PUBSUB_CHANNEL);
}

// PUBSUB SHARDCHANNELS [pattern]
static void cmd_pubsub_shardchannels(struct cmd_ctx *ctx)
{
    reply_names(ctx, PUBSUB_SHARD);
}

// PUBSUB NUMSUB [channel ...]
static void cmd_pubsub_numsub(struct cmd_ctx *ctx)
{
    reply_subscribers(ctx, PUBSUB_CHANNEL);
}

// PUBSUB SHARDNUMSUB [shardchannel ...]
static void cmd_pubsub_shardnumsub(struct cmd_ctx *ctx)
{
    reply_subscribers(ctx, PUBSUB_SHARD);
}

// PUBSUB NUMPAT
static void cmd_pubsub_numpat(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)pubsub_names(ctx->server->pubsub, PUBSUB_PATTERN));
}

// PUBSUB HELP
static void cmd_pubsub_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    The channels that have subscribers, or those of them that match.",
        "HELP",
        "    These lines.",
        "NUMPAT",
        "    How many patterns have subscribers.",
        "NUMSUB [<channel> ...]",
        "    How many subscribers each channel has; those of patterns don't count.",
        "SHARDCHANNELS [<pattern>]",
        "    The shard channels that have subscribers, or those of them that match.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    How many subscribers each shard channel has.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

#define SUBSCRIBE_FLAGS (CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define PUBLISH_FLAGS   (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_MAY_REPLICATE)
#define LOOK_FLAGS      (CMD_PUBSUB | CMD_LOADING | CMD_STALE)

#define OPTIONAL_MULTIPLE (ARG_OPTIONAL | ARG_MULTIPLE)

static const struct command pubsub_subcommands[] = {
    { .name = "channels",
      .summary = "Lists the channels that have subscribers.",
      .since = "2.8.0",
      .complexity = "O(N) where N is the number of such channels",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = LOOK_FLAGS,
      .args = ARGS({ .name = "pattern", .type = ARG_PATTERN, .flags = ARG_OPTIONAL }),
      .handler = cmd_pubsub_channels },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_PUBSUB,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_pubsub_help },
    { .name = "numpat",
      .summary = "Counts the patterns that have subscribers.",
      .since = "2.8.0",
      .complexity = "O(1)",
      .group = GROUP_PUBSUB,
      .arity = 2,
      .flags = LOOK_FLAGS,
      .handler = cmd_pubsub_numpat },
    { .name = "numsub",
      .summary = "Counts the subscribers of channels.",
      .since = "2.8.0",
      .complexity = "O(N) where N is the number of channels asked for",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = LOOK_FLAGS,
      .args = ARGS({ .name = "channel", .type = ARG_STRING, .flags = OPTIONAL_MULTIPLE }),
      .handler = cmd_pubsub_numsub },
    { .name = "shardchannels",
      .summary = "Lists the shard channels that have subscribers.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of such channels",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = LOOK_FLAGS,
      .args = ARGS({ .name = "pattern", .type = ARG_PATTERN, .flags = ARG_OPTIONAL }),
      .handler = cmd_pubsub_shardchannels },
    { .name = "shardnumsub",
      .summary = "Counts the subscribers of shard channels.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of shard channels asked for",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = LOOK_FLAGS,
      .args = ARGS({ .name = "shardchannel", .type = ARG_STRING, .flags = OPTIONAL_MULTIPLE }),
      .handler = cmd_pubsub_shardnumsub },
    { 0 },
};

const struct command pubsub_commands[] = {
    { .name = "subscribe",
      .summary = "Subscribes to channels.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of channels",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = SUBSCRIBE_FLAGS,
      .while_subscribed = true,
      .args = ARGS({ .name = "channel", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_subscribe },
    { .name = "unsubscribe",
      .summary = "Ends subscriptions to channels, or to all.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of channels",
      .group = GROUP_PUBSUB,
      .arity = -1,
      .flags = SUBSCRIBE_FLAGS,
      .while_subscribed = true,
      .args = ARGS({ .name = "channel", .type = ARG_STRING, .flags = OPTIONAL_MULTIPLE }),
      .handler = cmd_unsubscribe },
    { .name = "psubscribe",
      .summary = "Subscribes to all channels that match patterns.",
      .since = "2.0.0",
      .complexity = "O(N) where N is the number of patterns",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = SUBSCRIBE_FLAGS,
      .while_subscribed = true,
      .args = ARGS({ .name = "pattern",
                     .type = ARG_BLOCK,
                     .flags = ARG_MULTIPLE,
                     .args = ARGS({ .name = "pattern", .type = ARG_PATTERN }) }),
      .handler = cmd_psubscribe },
    { .name = "punsubscribe",
      .summary = "Ends subscriptions to patterns, or to all.",
      .since = "2.0.0",
      .complexity = "O(N+M) at most, where N is the number of patterns and M that of all patterns",
      .group = GROUP_PUBSUB,
      .arity = -1,
      .flags = SUBSCRIBE_FLAGS,
      .while_subscribed = true,
      .args = ARGS({ .name = "pattern", .type = ARG_PATTERN, .flags = OPTIONAL_MULTIPLE }),
      .handler = cmd_punsubscribe },
    { .name = "ssubscribe",
      .summary = "Subscribes to shard channels.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of shard channels",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .flags = SUBSCRIBE_FLAGS,
      .keys = { KEYS_ALL(KEY_NOT_KEY) },
      .while_subscribed = true,
      .args = ARGS({ .name = "shardchannel", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_ssubscribe },
    { .name = "sunsubscribe",
      .summary = "Ends subscriptions to shard channels, or to all.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of shard channels",
      .group = GROUP_PUBSUB,
      .arity = -1,
      .flags = SUBSCRIBE_FLAGS,
      .keys = { KEYS_ALL(KEY_NOT_KEY) },
      .while_subscribed = true,
      .args = ARGS({ .name = "shardchannel", .type = ARG_STRING, .flags = OPTIONAL_MULTIPLE }),
      .handler = cmd_sunsubscribe },
    { .name = "publish",
      .summary = "Sends a message to a channel's subscribers.",
      .since = "2.0.0",
      .complexity =
          "O(N+M) where N is the number of subscribers and M that of patterns that may match",
      .group = GROUP_PUBSUB,
      .arity = 3,
      .flags = PUBLISH_FLAGS,
      .args = ARGS({ .name = "channel", .type = ARG_STRING },
                   { .name = "message", .type = ARG_STRING }),
      .handler = cmd_publish },
    { .name = "spublish",
      .summary = "Sends a message to a shard channel's subscribers.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of subscribers",
      .group = GROUP_PUBSUB,
      .arity = 3,
      .flags = PUBLISH_FLAGS,
      .keys = { KEYS_FIRST(KEY_NOT_KEY) },
      .args = ARGS({ .name = "shardchannel", .type = ARG_STRING },
                   { .name = "message", .type = ARG_STRING }),
      .handler = cmd_spublish },
    { .name = "pubsub",
      .summary = "Looks at channels, patterns and their subscribers.",
      .since = "2.8.0",
      .complexity = "Depends on the subcommand",
      .group = GROUP_PUBSUB,
      .arity = -2,
      .subcommands = pubsub_subcommands },
    { 0 },
};

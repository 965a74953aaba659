// SPDX-License-Identifier: BSD-3-Clause
// CLIENT CACHING GETREDIR TRACKING TRACKINGINFO: caches that clients keep themselves.
#include "commands/client_tracking.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "server/client.h"
#include "server/command.h"
#include "server/ctx.h"
#include "server/server.h"
#include "server/tracking.h"

// Both modes that CLIENT CACHING belongs to.
#define TRACKING_OPTIONAL (TRACKING_OPTIN | TRACKING_OPTOUT)

// --- CLIENT TRACKING ----------------------------------------------------------------------------

// REDIRECT, at argv[i]. False: the error has been replied.
static bool parse_redirect(struct cmd_ctx *ctx, uint32_t i, struct tracking_request *request)
{
    int64_t id;
    if (request->redirect) {
        reply_error(ctx, ERR_TRACKING_REDIRECTS);
        return false;
    }
    if (!arg_int64(ctx, i + 1, &id))
        return false;
    struct client *client = clients_find(ctx->server->clients, (uint64_t)id);
    if (!client || client->flags & CLIENT_CLOSING) {
        reply_error(ctx, ERR_TRACKING_REDIRECT);
        return false;
    }
    request->redirect = client;
    return true;
}

// The modes' words; 0: none of them.
static uint32_t parse_mode(struct slice word)
{
    static const struct {
        const char *word;
        uint32_t mode;
    } words[] = {
        { "bcast", TRACKING_BCAST },
        { "optin", TRACKING_OPTIN },
        { "optout", TRACKING_OPTOUT },
        { "noloop", TRACKING_NOLOOP },
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (slice_is(word, words[i].word))
            return words[i].mode;
    }
    return 0;
}

// The options; `prefixes` has room for all. False: the error has been replied.
static bool parse_options(struct cmd_ctx *ctx, struct slice *prefixes,
                          struct tracking_request *request)
{
    request->prefixes = prefixes;
    for (uint32_t i = 3; i < ctx->argc; i++) {
        bool more = i + 1 < ctx->argc;
        uint32_t mode = parse_mode(ctx->argv[i]);
        request->modes |= mode;
        if (mode)
            continue;
        if (more && arg_is(ctx, i, "redirect")) {
            if (!parse_redirect(ctx, i++, request))
                return false;
        } else if (more && arg_is(ctx, i, "prefix")) {
            prefixes[request->prefix_count++] = ctx->argv[++i];
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

// The error that the modes are, with each other and after those that the client has; ERROR_COUNT: none.
static enum error_id judge_modes(const struct client *client,
                                 const struct tracking_request *request)
{
    uint32_t modes = request->modes;
    uint32_t had = tracking_modes(client);
    bool tracks = client->flags & CLIENT_TRACKING;
    if (request->prefix_count && !(modes & TRACKING_BCAST))
        return ERR_TRACKING_PREFIX;
    if (tracks && (modes ^ had) & TRACKING_BCAST)
        return ERR_TRACKING_SWITCH_BCAST;
    if (modes & TRACKING_BCAST && modes & TRACKING_OPTIONAL)
        return ERR_TRACKING_BCAST_OPTIONAL;
    if ((modes & TRACKING_OPTIONAL) == TRACKING_OPTIONAL)
        return ERR_TRACKING_OPTIN_OPTOUT;
    if ((modes & TRACKING_OPTIN && had & TRACKING_OPTOUT) ||
        (modes & TRACKING_OPTOUT && had & TRACKING_OPTIN))
        return ERR_TRACKING_SWITCH_OPTIN;
    return ERROR_COUNT;
}

// False: there is one, or no memory; the error has been replied.
static bool check_overlap(struct cmd_ctx *ctx, const struct tracking_request *request)
{
    struct tracking_overlap overlap;
    enum status status = tracking_find_overlap(ctx->client, request->prefixes,
                                               request->prefix_count, &overlap);
    if (status == STATUS_NOMEM)
        reply_error(ctx, ERR_OUT_OF_MEMORY);
    if (status == STATUS_EXISTS)
        reply_errorf(ctx,
                     "ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single "
                     "client must not overlap.",
                     (int)overlap.prefix.len, overlap.prefix.ptr,
                     overlap.is_old ? "an existing" : "another provided", (int)overlap.other.len,
                     overlap.other.ptr);
    return status == STATUS_OK;
}

static void turn_on(struct cmd_ctx *ctx, const struct tracking_request *request)
{
    enum error_id error = judge_modes(ctx->client, request);
    if (error != ERROR_COUNT) {
        reply_error(ctx, error);
        return;
    }
    if (request->prefix_count && !check_overlap(ctx, request))
        return;
    if (tracking_on(ctx->client, request) == STATUS_OK)
        reply_ok(ctx);
    else
        reply_error(ctx, ERR_OUT_OF_MEMORY);
}

// CLIENT TRACKING ON|OFF [REDIRECT client-id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
void cmd_client_tracking(struct cmd_ctx *ctx)
{
    struct tracking_request request = { 0 };
    size_t bytes = ctx->argc * sizeof(struct slice);
    struct slice *prefixes = mem_try_alloc(bytes);
    if (!prefixes) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    if (parse_options(ctx, prefixes, &request)) {
        if (arg_is(ctx, 2, "on")) {
            turn_on(ctx, &request);
        } else if (arg_is(ctx, 2, "off")) {
            tracking_off(ctx->client);
            reply_ok(ctx);
        } else {
            reply_error(ctx, ERR_SYNTAX);
        }
    }
    mem_free(prefixes, bytes);
}

// --- The others ---------------------------------------------------------------------------------

// CLIENT CACHING YES|NO
void cmd_client_caching(struct cmd_ctx *ctx)
{
    uint32_t modes = tracking_modes(ctx->client);
    bool yes = arg_is(ctx, 2, "yes");
    if (!(ctx->client->flags & CLIENT_TRACKING)) {
        reply_error(ctx, ERR_CACHING_WITHOUT_TRACKING);
        return;
    }
    if (!yes && !arg_is(ctx, 2, "no")) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    if (!(modes & (yes ? TRACKING_OPTIN : TRACKING_OPTOUT))) {
        reply_error(ctx, yes ? ERR_CACHING_YES : ERR_CACHING_NO);
        return;
    }
    tracking_caching(ctx->client);
    reply_ok(ctx);
}

// CLIENT GETREDIR
void cmd_client_getredir(struct cmd_ctx *ctx)
{
    reply_int(ctx, tracking_redirect(ctx->client));
}

static void reply_flags(struct cmd_ctx *ctx)
{
    uint32_t modes = tracking_modes(ctx->client);
    bool tracks = ctx->client->flags & CLIENT_TRACKING;
    bool caching = modes & TRACKING_CACHING;
    const struct {
        const char *name;
        bool holds;
    } flags[] = {
        { "off", !tracks },
        { "on", tracks },
        { "bcast", modes & TRACKING_BCAST },
        { "optin", modes & TRACKING_OPTIN },
        { "caching-yes", caching && modes & TRACKING_OPTIN },
        { "optout", modes & TRACKING_OPTOUT },
        { "caching-no", caching && modes & TRACKING_OPTOUT },
        { "noloop", modes & TRACKING_NOLOOP },
        { "broken_redirect", modes & TRACKING_BROKEN },
    };
    const size_t all = sizeof(flags) / sizeof(*flags);
    size_t count = 0;
    for (size_t i = 0; i < all; i++)
        count += flags[i].holds;
    resp_set(&ctx->reply, count);
    for (size_t i = 0; i < all; i++) {
        if (flags[i].holds)
            resp_bulk_text(&ctx->reply, flags[i].name);
    }
}

static void reply_prefix(struct slice prefix, void *udata)
{
    resp_bulk_slice(udata, prefix);
}

// CLIENT TRACKINGINFO
void cmd_client_trackinginfo(struct cmd_ctx *ctx)
{
    resp_map(&ctx->reply, 3);
    resp_bulk_text(&ctx->reply, "flags");
    reply_flags(ctx);
    resp_bulk_text(&ctx->reply, "redirect");
    reply_int(ctx, tracking_redirect(ctx->client));
    resp_bulk_text(&ctx->reply, "prefixes");
    resp_array(&ctx->reply, tracking_prefix_count(ctx->client));
    tracking_each_prefix(ctx->client, reply_prefix, &ctx->reply);
}

const struct command_arg client_tracking_args[] = {
    { .name = "status",
      .type = ARG_ONEOF,
      .args = ARGS({ .name = "on", .type = ARG_PURE_TOKEN, .token = "ON" },
                   { .name = "off", .type = ARG_PURE_TOKEN, .token = "OFF" }) },
    { .name = "client-id", .type = ARG_INTEGER, .token = "REDIRECT", .flags = ARG_OPTIONAL },
    { .name = "prefix",
      .type = ARG_STRING,
      .token = "PREFIX",
      .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN },
    { .name = "bcast", .type = ARG_PURE_TOKEN, .token = "BCAST", .flags = ARG_OPTIONAL },
    { .name = "optin", .type = ARG_PURE_TOKEN, .token = "OPTIN", .flags = ARG_OPTIONAL },
    { .name = "optout", .type = ARG_PURE_TOKEN, .token = "OPTOUT", .flags = ARG_OPTIONAL },
    { .name = "noloop", .type = ARG_PURE_TOKEN, .token = "NOLOOP", .flags = ARG_OPTIONAL },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Tracking as a whole: what it hears of, when it tells, its limits and figures. See tracking.h.
//
//   key event --> tracking_keys: the key is taken out of the table --+--> told when the command is over, which
//             |                                                      |    names the client that changed them
//             +-> tracking_prefix: the key is noted -----------------+--> noted below its prefixes, and told
//                                                                         when the turn's commands are
//
// Events that no command causes (the expiry sweep, eviction by the loop) are nobody's and settled at once.
#include "server/tracking_internal.h"

#include "base/memory.h"
#include "base/panic.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/config.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/registry.h"
#include "server/server.h"

#include <string.h>

// Keys beyond the limit that are forgotten behind one command, and in one turn.
#define COMMAND_EVICTIONS 100
#define TURN_EVICTIONS    1000

// --- What happens to keys -----------------------------------------------------------------------

static void tell_flushed(struct tracking *tracking)
{
    tracking->flushed = false;
    tracking_keys_drop(tracking);
    for (struct list_link *link = list_first(&tracking->trackers); link;
         link = list_next(&tracking->trackers, link))
        tracker_tell(LIST_ITEM(link, struct tracker, link), (struct slice){ 0 });
}

// What was heard of is the writer's doing; NULL: nobody's.
static void settle(struct tracking *tracking, const struct client *writer)
{
    if (tracking->stale_count)
        tracking_keys_tell(tracking, writer);
    if (tracking->written.len)
        tracking_prefixes_settle(tracking, writer);
    if (tracking->flushed)
        tell_flushed(tracking);
}

static bool something_to_tell(const struct tracking *tracking)
{
    return tracking->flushed || tracking->stale_count || tracking->written.len ||
           tracking->stale_prefix_count;
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)db;
    struct tracking *tracking = udata;
    if (event == DB_FLUSHED) {
        tracking->flushed = true;
    } else {
        tracking_keys_changed(tracking, key);
        // Keys that go by themselves are nobody's here, but their readers' own doing there, as in Redis.
        if (event == KEY_EXPIRED || event == KEY_EVICTED)
            tracking_prefixes_changed(tracking, key);
        else
            tracking_prefixes_written(tracking, key);
    }
    if (likely(!something_to_tell(tracking)))
        return;
    if (!batch_running_client(tracking->server->batch))
        settle(tracking, NULL);
    loop_keep_awake(tracking->server->loop, &tracking->waker, true);
}

// --- Commands -----------------------------------------------------------------------------------

// Whether what CLIENT CACHING has said is over with this command: inside a transaction and for further
// subcommands of CLIENT it goes on to hold.
static bool ends_caching(const struct cmd_ctx *ctx)
{
    const struct command_entry *container = ctx->command ? ctx->command->parent : NULL;
    if (ctx->client->flags & CLIENT_MULTI || ctx->server->timing.depth > 1)
        return false;
    return !container || strcmp(container->row->name, "client") != 0;
}

static void end_caching(const struct cmd_ctx *ctx)
{
    struct tracker *tracker = ctx->client->tracker;
    if (tracker->modes & TRACKING_CACHING && ends_caching(ctx))
        tracker->modes &= ~(uint32_t)TRACKING_CACHING;
}

static bool caches(const struct tracker *tracker)
{
    bool caching = tracker->modes & TRACKING_CACHING;
    if (tracker->modes & TRACKING_OPTIN)
        return caching;
    if (tracker->modes & TRACKING_OPTOUT)
        return !caching;
    return !(tracker->modes & TRACKING_BCAST);
}

void tracking_ran(const struct cmd_ctx *ctx)
{
    struct tracking *tracking = ctx->server->tracking;
    settle(tracking, ctx->client);
    if (likely(!(ctx->client->flags & CLIENT_TRACKING)) || ctx->waits)
        return;
    struct tracker *tracker = ctx->client->tracker;
    if (ctx->command->flags & CMD_READONLY && caches(tracker)) {
        for (uint32_t i = 0; i < ctx->key_count; i++)
            tracking_keys_remember(tracking, &ctx->keys[i], tracker);
        if (!tracking_keys_limit(tracking, ctx->key_count + COMMAND_EVICTIONS))
            loop_keep_awake(ctx->server->loop, &tracking->waker, true);
    }
    end_caching(ctx);
}

void tracking_refused(const struct cmd_ctx *ctx)
{
    if (ctx->client->flags & CLIENT_TRACKING)
        end_caching(ctx);
}

// When the turn's commands have been run.
static void end_turn(void *udata)
{
    struct tracking *tracking = udata;
    if (likely(!tracking->waker.on))
        return;
    settle(tracking, NULL);
    tracking_prefixes_tell(tracking);
    bool done = tracking_keys_limit(tracking, TURN_EVICTIONS);
    done = tracking_keys_reclaim(tracking) && done;
    loop_keep_awake(tracking->server->loop, &tracking->waker, !done);
}

// --- The whole ----------------------------------------------------------------------------------

static bool apply_max_keys(void *owner, struct config_error *error)
{
    (void)error;
    struct tracking *tracking = owner;
    loop_keep_awake(tracking->server->loop, &tracking->waker, true);
    return true;
}

static const struct config_directive tracking_directives[] = {
    { .name = "tracking-table-max-keys",
      .type = CONFIG_INT,
      .offset = offsetof(struct tracking, max_keys),
      .default_text = "1000000",
      .min = 0,
      .max = CONFIG_UNBOUNDED,
      .apply = apply_max_keys },
    { 0 },
};

static void info_clients(void *udata, struct bytes *out)
{
    const struct tracking *tracking = udata;
    bytes_printf(out, "tracking_clients:%zu\r\n", tracking->by_id.count);
}

static void info_totals(void *udata, struct bytes *out)
{
    const struct tracking *tracking = udata;
    bytes_printf(out,
                 "tracking_total_keys:%zu\r\n"
                 "tracking_total_items:%zu\r\n"
                 "tracking_total_prefixes:%zu\r\n",
                 tracking->keys.count, tracking->items, tracking->prefixes.count);
}

struct tracking *tracking_new(struct server *server)
{
    struct tracking *tracking = mem_alloc_zeroed(sizeof(*tracking));
    tracking->server = server;
    tracking->turn = 1;
    trackers_init(tracking);
    tracking_keys_init(tracking);
    list_init(&tracking->stale_prefixes);
    tracking->listener = keyspace_listen(server->keyspace, on_key_event, tracking);
    config_register(server->config, tracking_directives, tracking);
    info_add_fields(server->info, "Clients", "tracking", info_clients, tracking);
    info_add_fields(server->info, "Stats", "tracking", info_totals, tracking);
    loop_on_ready(server->loop, end_turn, tracking);
    return tracking;
}

void tracking_free(struct tracking *tracking)
{
    ASSERT(list_empty(&tracking->trackers));
    tracking_prefixes_release(tracking);
    tracking_keys_release(tracking);
    bytes_release(&tracking->text);
    mem_free(tracking, sizeof(*tracking));
}

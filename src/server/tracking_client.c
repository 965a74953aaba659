// SPDX-License-Identifier: BSD-3-Clause
// Clients that track and those that others redirect to: modes, redirections, telling. See tracking.h.
#include "server/tracking_internal.h"

#include "base/memory.h"
#include "base/panic.h"
#include "server/client.h"
#include "server/push.h"
#include "server/server.h"

// Where a client of RESP2 that is told in another's place hears of it.
#define CHANNEL "__redis__:invalidate"

// --- Finding ------------------------------------------------------------------------------------

// Ids are numbers in a row: they are spread as splitmix64 does it.
static uint64_t id_hash(uint64_t id)
{
    id = (id ^ id >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    id = (id ^ id >> 27) * UINT64_C(0x94D049BB133111EB);
    return id ^ id >> 31;
}

static uint64_t tracker_hash(const void *entry)
{
    return id_hash(((const struct tracker *)entry)->client->id);
}

static bool tracker_match(const void *entry, const void *id)
{
    return ((const struct tracker *)entry)->client->id == *(const uint64_t *)id;
}

static const struct table_ops tracker_ops = { .hash = tracker_hash, .match = tracker_match };

void trackers_init(struct tracking *tracking)
{
    list_init(&tracking->trackers);
    table_init(&tracking->by_id, &tracker_ops);
}

struct tracker *tracking_find(const struct tracking *tracking, uint64_t id)
{
    const struct table_slot *slot = table_find(&tracking->by_id, id_hash(id), &id);
    return slot ? table_slot_entry(slot) : NULL;
}

// --- Telling ------------------------------------------------------------------------------------

static void tell_broken(struct tracker *tracker)
{
    struct resp_writer writer;
    tracker->modes |= TRACKING_BROKEN;
    if (tracker->client->proto < 3)
        return;
    push_begin(tracker->client, &writer);
    resp_push(&writer, 2);
    resp_bulk_slice(&writer, SLICE("tracking-redir-broken"));
    resp_int(&writer, (int64_t)tracker->redirect_id);
    push_end(tracker->client);
}

void tracker_tell(struct tracker *tracker, struct slice keys)
{
    struct client *client = tracker->client;
    struct resp_writer writer;
    if (client->flags & CLIENT_CLOSING)
        return;
    if (tracker->redirect_id) {
        if (!tracker->target || tracker->target->client->flags & CLIENT_CLOSING) {
            tell_broken(tracker);
            return;
        }
        client = tracker->target->client;
    }
    // RESP2 knows no pushes: only somebody's messages can be told, to one who expects messages.
    if (client->proto < 3 && !(tracker->redirect_id && client->flags & CLIENT_SUBSCRIBED))
        return;
    push_begin(client, &writer);
    if (client->proto < 3) {
        resp_array(&writer, 3);
        resp_bulk_slice(&writer, SLICE("message"));
        resp_bulk_slice(&writer, SLICE(CHANNEL));
    } else {
        resp_push(&writer, 2);
        resp_bulk_slice(&writer, SLICE("invalidate"));
    }
    if (keys.len)
        resp_raw(&writer, keys.ptr, keys.len);
    else
        resp_null(&writer);
    push_end(client);
}

// --- Coming and going ---------------------------------------------------------------------------

static struct tracker *tracker_of(struct client *client)
{
    if (client->tracker)
        return client->tracker;
    struct tracker *tracker = mem_alloc_zeroed(sizeof(*tracker));
    tracker->client = client;
    list_init(&tracker->redirectors);
    client->tracker = tracker;
    return tracker;
}

static void free_if_unused(struct tracker *tracker)
{
    if (tracker->on || !list_empty(&tracker->redirectors))
        return;
    tracker->client->tracker = NULL;
    mem_free(tracker, sizeof(*tracker));
}

static void set_target(struct tracker *tracker, struct client *client)
{
    struct tracker *old = tracker->target;
    list_remove(&tracker->redirector_link);
    tracker->target = client ? tracker_of(client) : NULL;
    tracker->redirect_id = client ? client->id : 0;
    if (tracker->target)
        list_append(&tracker->target->redirectors, &tracker->redirector_link);
    if (old && old != tracker)
        free_if_unused(old);
}

// The first one comes, or the last one goes.
static void listen(struct tracking *tracking, bool on)
{
    struct server *server = tracking->server;
    uint32_t events = KEY_EVENT(KEY_WRITTEN) | KEY_EVENT(KEY_REMOVED) | KEY_EVENT(KEY_EXPIRED) |
                      KEY_EVENT(KEY_EVICTED) | KEY_EVENT(DB_FLUSHED);
    keyspace_hear(server->keyspace, tracking->listener, on ? events : 0);
    server->observers &= ~(uint32_t)OBSERVER_TRACKING;
    server->observers |= on ? OBSERVER_TRACKING : 0;
    if (on)
        return;
    tracking_keys_drop(tracking);
    loop_keep_awake(server->loop, &tracking->waker, true);
}

MUST_CHECK static enum status begin(struct tracking *tracking, struct tracker *tracker)
{
    if (table_insert(&tracking->by_id, tracker_hash(tracker), tracker, NULL) != STATUS_OK)
        return STATUS_NOMEM;
    tracker->on = true;
    tracker->client->flags |= CLIENT_TRACKING;
    list_append(&tracking->trackers, &tracker->link);
    if (tracking->by_id.count == 1)
        listen(tracking, true);
    return STATUS_OK;
}

MUST_CHECK static enum status add_prefixes(struct tracker *tracker,
                                           const struct tracking_request *request)
{
    if (request->prefix_count == 0)
        return tracker_add_prefix(tracker, SLICE(""));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < request->prefix_count && status == STATUS_OK; i++)
        status = tracker_add_prefix(tracker, request->prefixes[i]);
    return status;
}

enum status tracking_on(struct client *client, const struct tracking_request *request)
{
    struct tracker *tracker = tracker_of(client);
    if (!tracker->on && begin(client->server->tracking, tracker) != STATUS_OK) {
        free_if_unused(tracker);
        return STATUS_NOMEM;
    }
    tracker->modes = request->modes | (tracker->modes & TRACKING_CACHING);
    set_target(tracker, request->redirect);
    if (!(request->modes & TRACKING_BCAST) || add_prefixes(tracker, request) == STATUS_OK)
        return STATUS_OK;
    tracking_off(client);
    return STATUS_NOMEM;
}

void tracking_off(struct client *client)
{
    struct tracking *tracking = client->server->tracking;
    struct tracker *tracker = client->tracker;
    if (!tracker || !tracker->on)
        return;
    tracker_drop_prefixes(tracker);
    set_target(tracker, NULL);
    uint64_t hash = tracker_hash(tracker);
    table_remove(&tracking->by_id, hash, table_find(&tracking->by_id, hash, &client->id));
    list_remove(&tracker->link);
    client->flags &= ~(uint32_t)CLIENT_TRACKING;
    tracker->on = false;
    tracker->modes = 0;
    free_if_unused(tracker);
    if (tracking->by_id.count == 0)
        listen(tracking, false);
}

void tracking_forget(struct client *client)
{
    struct list_link *link;
    while (client->tracker && (link = list_first(&client->tracker->redirectors)) != NULL) {
        LIST_ITEM(link, struct tracker, redirector_link)->target = NULL;
        list_remove(link);
    }
    tracking_off(client);
    if (client->tracker)
        free_if_unused(client->tracker);
}

// --- Who is what --------------------------------------------------------------------------------

uint32_t tracking_modes(const struct client *client)
{
    return client->flags & CLIENT_TRACKING ? client->tracker->modes : 0;
}

void tracking_caching(struct client *client)
{
    client->tracker->modes |= TRACKING_CACHING;
}

int64_t tracking_redirect(const struct client *client)
{
    return client->flags & CLIENT_TRACKING ? (int64_t)client->tracker->redirect_id : -1;
}

size_t tracking_prefix_count(const struct client *client)
{
    return client->tracker ? client->tracker->prefixes.count : 0;
}

size_t tracking_memory(const struct client *client)
{
    const struct tracker *tracker = client->tracker;
    return tracker ? sizeof(*tracker) + tracker->prefixes.bytes + tracker->interest_bytes : 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Watched keys: see watch.h.
#include "server/watch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "server/client.h"
#include "server/info.h"
#include "server/interest.h"
#include "server/server.h"
#include "store/expire.h"
#include "store/keyspace.h"

struct watcher {
    struct list_link interest_link;  // interest->members
    struct list_link own_link;       // watching->watchers
    struct interest *interest;
    struct watching *watching;
    int64_t expiry_ms;  // of the key, as long as it is not touched
    bool existed;
};

struct watches {
    struct server *server;
    int listener;
    struct table interests;
    struct list watching;
    size_t clients;
};

static const uint32_t touching_events = KEY_EVENT(KEY_WRITTEN) | KEY_EVENT(KEY_REMOVED) |
                                        KEY_EVENT(KEY_EXPIRED) | KEY_EVENT(KEY_EVICTED) |
                                        KEY_EVENT(DB_SWAPPED) | KEY_EVENT(DB_FLUSHED);

void watching_init(struct watching *watching, struct client *client)
{
    *watching = (struct watching){ .client = client };
    list_init(&watching->watchers);
}

void watching_end(struct watches *watches, struct watching *watching)
{
    struct list_link *link;
    if (list_empty(&watching->watchers))
        return;
    while ((link = list_first(&watching->watchers)) != NULL) {
        struct watcher *watcher = LIST_ITEM(link, struct watcher, own_link);
        list_remove(link);
        interest_leave(watcher->interest, &watcher->interest_link);
        interest_trim(&watches->interests, watcher->interest);
        mem_free(watcher, sizeof(*watcher));
    }
    watching->count = watching->bytes = 0;
    list_remove(&watching->link);
    if (--watches->clients == 0)
        keyspace_hear(watches->server->keyspace, watches->listener, 0);
}

static void touch(struct watches *watches, struct watching *watching)
{
    watching->client->flags |= CLIENT_TOUCHED;
    watching_end(watches, watching);
}

// Whether the client watches the key already: the shorter list tells.
static bool watched_by(const struct interest *interest, const struct watching *watching)
{
    bool by_key = interest->count <= watching->count;
    const struct list *list = by_key ? &interest->members : &watching->watchers;
    for (struct list_link *link = list_first(list); link; link = list_next(list, link)) {
        const struct watcher *watcher = by_key ? LIST_ITEM(link, struct watcher, interest_link)
                                               : LIST_ITEM(link, struct watcher, own_link);
        if (watcher->interest == interest && watcher->watching == watching)
            return true;
    }
    return false;
}

// Looks without deleting what has expired: watching is no access, and deleting would be another event.
static const struct entry *look(struct db *db, const struct key *key)
{
    struct keyspace *keyspace = db->keyspace;
    uint8_t passively = keyspace->expire_passively;
    bool on_write = keyspace->expire_on_write;
    keyspace->expire_passively |= EXPIRE_PASSIVELY_PAUSED;
    keyspace->expire_on_write = false;
    const struct entry *entry = db_peek(db, key).entry;
    keyspace->expire_passively = passively;
    keyspace->expire_on_write = on_write;
    return entry;
}

// The key's watcher, as the key is now. One that has expired is gone for it; whoever has watched it before knows its
// time.
static struct watcher watcher_of(struct watching *watching, struct db *db, const struct key *key)
{
    const struct entry *entry = look(db, key);
    bool expires = entry && entry_has_expiry(entry);
    return (struct watcher){
        .watching = watching,
        .existed = entry != NULL,
        .expiry_ms = expires ? entry_expiry(entry) : INT64_MAX,
    };
}

bool watching_add(struct watches *watches, struct watching *watching, struct db *db,
                  const struct key *key)
{
    const struct watcher as_it_is = watcher_of(watching, db, key);
    struct interest *interest = interest_provide(&watches->interests, db, key,
                                                 sizeof(struct interest));
    if (!interest)
        return false;
    if (watched_by(interest, watching))
        return true;
    struct watcher *watcher = mem_try_alloc(sizeof(*watcher));
    if (!watcher) {
        interest_trim(&watches->interests, interest);
        return false;
    }
    *watcher = as_it_is;
    watcher->interest = interest;
    interest_join(interest, &watcher->interest_link);
    list_append(&watching->watchers, &watcher->own_link);
    watching->bytes += sizeof(*watcher) + interest->bytes;
    if (watching->count++ > 0)
        return true;
    list_append(&watches->watching, &watching->link);
    if (watches->clients++ == 0)
        keyspace_hear(watches->server->keyspace, watches->listener, touching_events);
    return true;
}

bool watching_expired(const struct watching *watching)
{
    for (struct list_link *link = list_first(&watching->watchers); link;
         link = list_next(&watching->watchers, link)) {
        if (LIST_ITEM(link, struct watcher, own_link)->expiry_ms <= clock_wall_ms())
            return true;
    }
    return false;
}

// --- What touches -------------------------------------------------------------------------------

// For whom the key had expired before, that it is deleted now is no change.
static void touch_key(struct watches *watches, const struct db *db, const struct key *key,
                      bool expired)
{
    struct interest *interest = interest_find(&watches->interests, db, key);
    struct list_link *link = interest ? list_first(&interest->members) : NULL;
    struct list_link *next;
    // The last one's leaving ends the interest.
    for (size_t left = interest ? interest->count : 0; left > 0; left--, link = next) {
        const struct watcher *watcher = LIST_ITEM(link, struct watcher, interest_link);
        next = list_next(&interest->members, link);
        if (watcher->existed || !expired)
            touch(watches, watcher->watching);
    }
}

// A key that was not there and is not there now has not been touched by what happened to its database.
static bool any_touched(const struct watching *watching, struct db *db, bool swapped)
{
    for (struct list_link *link = list_first(&watching->watchers); link;
         link = list_next(&watching->watchers, link)) {
        const struct watcher *watcher = LIST_ITEM(link, struct watcher, own_link);
        if (watcher->interest->db != db)
            continue;
        if (watcher->existed || (swapped && look(db, &watcher->interest->key)))
            return true;
    }
    return false;
}

static void touch_db(struct watches *watches, struct db *db, bool swapped)
{
    struct list_link *next;
    for (struct list_link *link = list_first(&watches->watching); link; link = next) {
        next = list_next(&watches->watching, link);
        struct watching *watching = LIST_ITEM(link, struct watching, link);
        if (any_touched(watching, db, swapped))
            touch(watches, watching);
    }
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    if (event == DB_SWAPPED || event == DB_FLUSHED)
        touch_db(udata, db, event == DB_SWAPPED);
    else
        touch_key(udata, db, key, event == KEY_EXPIRED);
}

// --- INFO ---------------------------------------------------------------------------------------

static void info_clients(void *udata, struct bytes *out)
{
    const struct watches *watches = udata;
    bytes_printf(out, "watching_clients:%zu\r\n", watches->clients);
}

static void info_keys(void *udata, struct bytes *out)
{
    const struct watches *watches = udata;
    bytes_printf(out, "total_watched_keys:%zu\r\n", watches->interests.count);
}

struct watches *watches_new(struct server *server)
{
    struct watches *watches = mem_alloc_zeroed(sizeof(*watches));
    watches->server = server;
    interests_init(&watches->interests);
    list_init(&watches->watching);
    watches->listener = keyspace_listen(server->keyspace, on_key_event, watches);
    info_add_fields(server->info, "Clients", "watching", info_clients, watches);
    info_add_fields(server->info, "Clients", "watched keys", info_keys, watches);
    return watches;
}

void watches_free(struct watches *watches)
{
    table_release(&watches->interests, NULL, NULL);
    mem_free(watches, sizeof(*watches));
}

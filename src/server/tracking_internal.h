// SPDX-License-Identifier: BSD-3-Clause
// What the parts of tracking share: the clients that track, the table of keys, the prefixes.
#pragma once

#include "base/list.h"
#include "ds/radix.h"
#include "ds/table.h"
#include "net/loop.h"
#include "server/tracking.h"
#include "store/key.h"

struct remembered;

struct tracking {
    struct server *server;
    int listener;
    int64_t max_keys;  // 0: no limit
    struct loop_waker waker;
    struct list trackers;  // that are on
    struct table by_id;    // the same
    bool flushed;          // a database was, and nobody has been told yet

    struct table keys;          // struct remembered
    size_t items;               // clients of all keys together
    struct table_drain drain;   // keys that are being freed in slices
    bool draining;              // there are some
    struct remembered **stale;  // taken out of the table, and nobody has been told yet
    size_t stale_count;
    size_t stale_cap;

    struct radix prefixes;       // struct prefix
    struct list stale_prefixes;  // with keys that nobody has been told of yet
    size_t stale_prefix_count;
    struct bytes written;  // keys that the running command has changed: length, bytes, ...
    uint64_t turn;         // of telling all of them

    struct bytes text;  // what is being told, as RESP
};

// A client that tracks, or that others redirect to.
struct tracker {
    struct client *client;
    bool on;
    uint32_t modes;
    uint64_t redirect_id;              // 0: none
    struct tracker *target;            // NULL: none, or it is gone
    struct list redirectors;           // those whose target this is
    struct list_link redirector_link;  // target->redirectors
    struct list_link link;             // tracking->trackers
    struct radix prefixes;             // struct interest
    size_t interest_bytes;
    uint64_t wrote_turn;  // the turn in which the client has changed keys with prefixes
};

// --- Clients (tracking_client.c)

void trackers_init(struct tracking *tracking);
// The one that is on with this id, or NULL.
struct tracker *tracking_find(const struct tracking *tracking, uint64_t id);
// Sends an invalidation to the client or to whom it redirects: RESP, an array of keys; empty: of everything.
void tracker_tell(struct tracker *tracker, struct slice keys);

// --- Keys that were read (tracking_keys.c)

void tracking_keys_init(struct tracking *tracking);
void tracking_keys_release(struct tracking *tracking);
// Without memory for it the client is told at once that the key is stale.
void tracking_keys_remember(struct tracking *tracking, const struct key *key,
                            struct tracker *reader);
// The key has changed: its readers are to be told.
void tracking_keys_changed(struct tracking *tracking, const struct key *key);
// Tells them; `writer` changed the keys, NULL: nobody.
void tracking_keys_tell(struct tracking *tracking, const struct client *writer);
// Forgets some keys beyond the limit, at most `budget`, and tells their readers. False: more are left.
bool tracking_keys_limit(struct tracking *tracking, size_t budget);
// Forgets all keys and tells nobody. O(1): their memory is given back by tracking_keys_reclaim(), which
// returns false while there is more to do.
void tracking_keys_drop(struct tracking *tracking);
bool tracking_keys_reclaim(struct tracking *tracking);

// --- Prefixes (tracking_prefix.c)

void tracking_prefixes_release(struct tracking *tracking);
// Adds the prefix to those that the tracker has; nothing happens if it is among them.
MUST_CHECK enum status tracker_add_prefix(struct tracker *tracker, struct slice prefix);
void tracker_drop_prefixes(struct tracker *tracker);
// The key has changed, by somebody yet to be named, or by nobody.
void tracking_prefixes_written(struct tracking *tracking, const struct key *key);
void tracking_prefixes_changed(struct tracking *tracking, const struct key *key);
// Names who changed the keys of tracking_prefixes_written(); NULL: nobody.
void tracking_prefixes_settle(struct tracking *tracking, const struct client *writer);
// Tells all that has changed since the last time.
void tracking_prefixes_tell(struct tracking *tracking);

// SPDX-License-Identifier: BSD-3-Clause
// Tracking: which client may hold which key in a cache of its own, and telling it when that has become stale
// (CLIENT TRACKING).
//
// Keys that tracking clients read are remembered in one table for all, whatever their database; a write makes it
// forget the key and tells who had read it. In broadcasting mode clients name prefixes instead (ds/radix) and are
// told of all keys below them, once a turn of the loop. What a command changes is told behind its reply.
//
// Nothing is listened to while nobody tracks; what is remembered is forgotten when the last client stops.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct cmd_ctx;
struct server;
struct tracking;

enum tracking_mode {
    TRACKING_BCAST = 1u << 0,    // prefixes, not keys that were read
    TRACKING_OPTIN = 1u << 1,    // only what is read right after CLIENT CACHING YES
    TRACKING_OPTOUT = 1u << 2,   // all but what is read right after CLIENT CACHING NO
    TRACKING_NOLOOP = 1u << 3,   // not what the client changes itself
    TRACKING_CACHING = 1u << 4,  // CLIENT CACHING has spoken for the next command
    TRACKING_BROKEN = 1u << 5,   // somebody else was to be told, and is gone
};

// Registers its directive, INFO fields and loop hook, and itself as the keyspace's listener.
struct tracking *tracking_new(struct server *server);
void tracking_free(struct tracking *tracking);

// What a client asks for.
struct tracking_request {
    uint32_t modes;
    struct client *redirect;  // who is told in its place, or NULL
    const struct slice *prefixes;
    size_t prefix_count;  // without any, TRACKING_BCAST means all keys
};

// Lets the client track. One that does already gets the new modes and keeps its prefixes, to which the new ones are
// added; it cannot go from or to TRACKING_BCAST. STATUS_NOMEM: it tracks no more.
MUST_CHECK enum status tracking_on(struct client *client, const struct tracking_request *request);

// Ends it; nothing happens if the client does not track. RESET does it, too.
void tracking_off(struct client *client);

// Two prefixes of which one begins with the other.
struct tracking_overlap {
    struct slice prefix;  // one of the new ones
    struct slice other;
    bool is_old;  // the client has `other` already
};

// Looks for overlaps of new prefixes with the client's and among themselves. STATUS_EXISTS: `out` is the first one.
// O(bytes).
MUST_CHECK enum status tracking_find_overlap(const struct client *client,
                                             const struct slice *prefixes, size_t count,
                                             struct tracking_overlap *out);

// The client's modes; 0 if it does not track. CLIENT CACHING adds TRACKING_CACHING.
uint32_t tracking_modes(const struct client *client);
void tracking_caching(struct client *client);

// Who is told in the client's place: an id, 0: nobody, -1: the client does not track.
int64_t tracking_redirect(const struct client *client);

// The client's prefixes, in byte order.
size_t tracking_prefix_count(const struct client *client);
void tracking_each_prefix(const struct client *client,
                          void (*visit)(struct slice prefix, void *udata), void *udata);

// Bytes that the client's tracking takes, without the keys that it has read.
size_t tracking_memory(const struct client *client);

// For dispatch, while somebody tracks: a command has been run, by whatever client, or was refused.
void tracking_ran(const struct cmd_ctx *ctx);
void tracking_refused(const struct cmd_ctx *ctx);

// The client is going away.
void tracking_forget(struct client *client);

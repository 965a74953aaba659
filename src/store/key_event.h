// SPDX-License-Identifier: BSD-3-Clause
// What happens to keys, as the keyspace announces it to whoever listens.
#pragma once

#include "store/key.h"

struct db;

enum key_event {
    KEY_WRITTEN,  // a value was set or changed
    KEY_REMOVED,  // by a command
    KEY_EXPIRED,  // by its time; announced before it is gone
    KEY_EVICTED,  // by the memory limit
    KEY_CREATED,  // was not there before; announced ahead of what is written
    KEY_MISSED,   // asked for by a reader, and not there
    DB_SWAPPED,   // two databases have exchanged their contents; announced for both, without a key
    DB_FLUSHED,   // everything is about to be removed; without a key
};

// Sets of events.
#define KEY_EVENT(event) (1u << (event))

typedef void (*key_event_fn)(void *udata, enum key_event event, struct db *db,
                             const struct key *key);

// Who hears of which events.
struct key_listener {
    uint32_t events;
    key_event_fn fn;
    void *udata;
};

// SPDX-License-Identifier: BSD-3-Clause
// Watched keys: which clients want to know whether a key has been touched (WATCH).
//
//   table of watched keys             what one client watches: a watcher a key
//   +-----------+                     +----------+   +----------+
//   | db, "k1"  |-- watchers -------> | watcher  |-->| watcher  |   client A
//   | db, "k2"  |-- watchers --+      +----------+   +----------+
//   +-----------+              +----> ...                          client B
//
// The keyspace is listened to only while somebody watches. A client that has been told watches nothing any
// more: what it has to know is a flag (CLIENT_TOUCHED) until its transaction is over.
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct db;
struct key;
struct server;
struct watches;

// What one client watches.
struct watching {
    struct client *client;
    struct list watchers;
    size_t count;
    size_t bytes;           // of the watchers and of the interest in their keys
    struct list_link link;  // watches->watching, while there are watchers
};

// Registers INFO fields, and itself as the keyspace's listener.
struct watches *watches_new(struct server *server);
void watches_free(struct watches *watches);

void watching_init(struct watching *watching, struct client *client);

// Watches one key more; once is enough. False: no memory. O(1) as a rule: the smaller of how many watch the
// key and how many keys the client watches.
bool watching_add(struct watches *watches, struct watching *watching, struct db *db,
                  const struct key *key);

// Watches nothing any more.
void watching_end(struct watches *watches, struct watching *watching);

// Whether a key has expired that is still watched: nobody need have met it. O(keys).
bool watching_expired(const struct watching *watching);

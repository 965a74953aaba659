// SPDX-License-Identifier: BSD-3-Clause
// Choosing what to evict: the policies, and one key at a time of all databases.
//
// Knows no limit and no server: who wants room asks until there is enough.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct entry;
struct keyspace;

enum evict_policy {
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
    EVICT_ALLKEYS_LRU,
    EVICT_ALLKEYS_LFU,
    EVICT_ALLKEYS_RANDOM,
    EVICT_NOTHING,
};

// A key that might go. `entry` may be gone by now: it is only compared until it has been found again.
struct evict_candidate {
    uint64_t score;  // the higher, the sooner
    uint64_t hash;
    struct db *db;
    const struct entry *entry;
};

#define EVICT_POOL_SIZE 32

struct evict {
    enum evict_policy policy;
    unsigned samples;    // maxmemory-samples
    unsigned runs_left;  // evictions before another database is chosen
    struct db *db;       // that candidates are taken from
    unsigned count;      // of the pool
    uint64_t evicted_keys;
    uint64_t generation_keys;                      // evicted in this generation
    size_t ghost_max_bytes;                        // that remembering evicted keys may take
    struct evict_candidate pool[EVICT_POOL_SIZE];  // best last
};

enum evict_result {
    EVICT_DONE,     // a key is gone; if its value is large, its memory follows (store/reclaim.h)
    EVICT_GO_ON,    // none was found yet: ask again
    EVICT_NO_KEYS,  // the policy allows none
};

// Nothing to be freed. `policy` and `samples` may be set at any time, with evict_forget() behind it.
void evict_init(struct evict *evict);

// Drops the candidates and what was learned from this keyspace.
void evict_forget(struct evict *evict, struct keyspace *keyspace);

// Whether only keys with an expiry may go; whether the policy counts uses.
bool evict_is_volatile(enum evict_policy policy);
bool evict_is_lfu(enum evict_policy policy);

// Removes one key, announced as evicted (or as expired, if its time has come). Takes a microsecond or less
// as a rule, and some ten where few keys have an expiry.
enum evict_result evict_one(struct evict *evict, struct keyspace *keyspace);

// SPDX-License-Identifier: BSD-3-Clause
// What eviction learns about reuse: which kind of key is used again soonest, and so is worth its
// place.
//
// Eviction looks at all keys in turn, and every use of a key is seen. Uses of a kind of key divided
// by the looks at that kind say how soon such a key is used again, whatever the traffic is: no
// constant decides, and it follows when traffic changes. The essay is in reuse.c.
#pragma once

#include "store/access.h"
#include "store/ghost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Kinds of keys by frequency: levels of the counter, generations without use, and what else is
// known.
#define REUSE_LEVELS 32
#define REUSE_AGES   (ACCESS_AGE_MAX + 1)

enum reuse_state {
    REUSE_PLAIN,
    REUSE_RETURNED,   // not used yet, but it was here before
    REUSE_FORGOTTEN,  // its counter has decayed below that of a new key
    REUSE_STATES,
};

#define REUSE_KINDS (REUSE_LEVELS * REUSE_AGES * REUSE_STATES)

struct reuse_count {
    uint64_t uses;
    uint64_t looks;
};

// All zero: nothing is being learned.
struct reuse {
    bool on;
    bool only_volatile;      // keys without an expiry don't count
    uint64_t evicted;        // since what was counted has been taken into account
    uint32_t unused_weight;  // of the idle time of a key that was never used, in 1/256
    uint64_t
        boundary_sum;  // idle times at which the last 1024 or so went, weighted, in 1/256 ticks
    struct reuse_count idle[2];  // keys near the boundary: never used, used
    struct reuse_count kinds[REUSE_KINDS];
    uint64_t worth[REUSE_KINDS];  // uses for each look, in 1/2^20
    struct ghost ghost;
};

// Begins to learn, from nothing.
void reuse_start(struct reuse *reuse, bool only_volatile);

// Stops, and forgets. A second time does nothing.
void reuse_stop(struct reuse *reuse);

// A key with these access bits is used; eviction looks at one. A few ns.
void reuse_note_use(struct reuse *reuse, const struct access_rules *rules, uint32_t access);
void reuse_note_look(struct reuse *reuse, const struct access_rules *rules, uint32_t access);

struct reuse_victim {
    uint32_t access;
    uint64_t hash;
    size_t keys;             // of its database
    size_t ghost_max_bytes;  // that remembering evicted keys may take
};

// A key is evicted. True: something was learned, scores of before don't compare with those from now
// on.
bool reuse_note_evicted(struct reuse *reuse, const struct access_rules *rules,
                        const struct reuse_victim *victim);

// The access bits of a key that is added, which are `access` unless it was here before.
uint32_t reuse_arrival(const struct reuse *reuse, const struct access_rules *rules, uint64_t hash,
                       uint32_t access);

// What a key is to be evicted for: the higher, the sooner. Below UINT64_MAX. Scores of different
// times compare.
uint64_t reuse_score(const struct reuse *reuse, const struct access_rules *rules, uint32_t access);

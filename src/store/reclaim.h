// SPDX-License-Identifier: BSD-3-Clause
// What is deleted and large on its way out: freed in slices, so that deleting it holds up nobody.
//
// Values of many pieces and flushed databases are taken over in O(1) and freed bit by bit, from the
// loop. Their keys are gone at once; their memory follows.
#pragma once

#include "ds/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry;
struct keyspace;

// A value of more pieces than this is freed in slices, and a database of more keys.
#define RECLAIM_PIECES 64

// Why something is removed: decides whether what is large of it is freed at once or in slices.
enum removal {
    REMOVED_LATER,        // whoever asks wants slices (UNLINK, FLUSHALL ASYNC)
    REMOVED_NOW,          // or wants to wait (FLUSHALL SYNC)
    REMOVED_BY_SERVER,    // overwritten, or emptied by taking its last element
    REMOVED_BY_USER,      // DEL
    REMOVED_BY_FLUSH,     // FLUSHALL without a word
    REMOVED_BY_EXPIRY,    // its time has come
    REMOVED_BY_EVICTION,  // to make room
};

#define REMOVAL(why) (UINT32_C(1) << (why))

// All zero is an empty one.
struct reclaim {
    struct entry **entries;  // detached, with large values
    size_t entry_count;
    size_t entry_cap;
    struct table_drain *drains;  // of flushed databases
    size_t drain_count;
    size_t drain_cap;
    uint64_t freed;  // entries that were freed so
};

// Take ownership.
void reclaim_entry(struct reclaim *reclaim, struct entry *entry);
void reclaim_table(struct reclaim *reclaim, struct table *table);

// Whether something is waiting to be freed.
static inline bool reclaim_pending(const struct reclaim *reclaim)
{
    return reclaim->entry_count + reclaim->drain_count > 0;
}

// How many entries are, as far as it is known.
size_t reclaim_count(const struct reclaim *reclaim);

// Frees for at most about `budget_us` microseconds.
void reclaim_some(struct keyspace *keyspace, uint64_t budget_us);

// Frees everything.
void reclaim_all(struct keyspace *keyspace);

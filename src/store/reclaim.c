// SPDX-License-Identifier: BSD-3-Clause
// Freeing in slices: see reclaim.h.
#include "store/reclaim.h"

#include "base/clock.h"
#include "base/memory.h"
#include "store/keyspace.h"

// Pieces between two looks at the clock.
#define PIECES_A_STEP 64

#define FIRST_CAP 8

// Room for one more item in an array.
static void *grow(void *items, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return items;
    size_t old_bytes = *cap * item_bytes;
    *cap = *cap ? *cap * 2 : FIRST_CAP;
    return mem_realloc(items, old_bytes, *cap * item_bytes);
}

void reclaim_entry(struct reclaim *reclaim, struct entry *entry)
{
    reclaim->entries = grow(reclaim->entries, reclaim->entry_count, &reclaim->entry_cap,
                            sizeof(*reclaim->entries));
    reclaim->entries[reclaim->entry_count++] = entry;
}

void reclaim_table(struct reclaim *reclaim, struct table *table)
{
    reclaim->drains = grow(reclaim->drains, reclaim->drain_count, &reclaim->drain_cap,
                           sizeof(*reclaim->drains));
    table_drain_begin(&reclaim->drains[reclaim->drain_count++], table);
}

size_t reclaim_count(const struct reclaim *reclaim)
{
    size_t count = reclaim->entry_count;
    for (size_t i = 0; i < reclaim->drain_count; i++)
        count += reclaim->drains[i].table.count;
    return count;
}

static void release_drained(void *entry, void *udata)
{
    struct keyspace *keyspace = udata;
    keyspace->reclaim.freed++;
    keyspace_release_entry(keyspace, entry, REMOVED_LATER);
}

static void free_arrays(struct reclaim *reclaim)
{
    mem_free(reclaim->entries, reclaim->entry_cap * sizeof(*reclaim->entries));
    mem_free(reclaim->drains, reclaim->drain_cap * sizeof(*reclaim->drains));
    *reclaim = (struct reclaim){ .freed = reclaim->freed };
}

// One step: of the value that came last, or, without one, of a database.
static void step(struct keyspace *keyspace)
{
    struct reclaim *reclaim = &keyspace->reclaim;
    if (reclaim->entry_count > 0) {
        struct entry *entry = reclaim->entries[reclaim->entry_count - 1];
        if (!keyspace->types[entry_type(entry)]->release_some(entry, PIECES_A_STEP))
            return;
        reclaim->entry_count--;
        reclaim->freed++;
        entry_free(entry);
    } else {
        // Releasing may add entries, but no databases.
        struct table_drain *drain = &reclaim->drains[reclaim->drain_count - 1];
        if (table_drain_step(drain, PIECES_A_STEP, release_drained, keyspace))
            reclaim->drain_count--;
    }
    if (!reclaim_pending(reclaim))
        free_arrays(reclaim);
}

void reclaim_some(struct keyspace *keyspace, uint64_t budget_us)
{
    uint64_t end_us = clock_mono_us_now() + budget_us;
    while (reclaim_pending(&keyspace->reclaim)) {
        step(keyspace);
        if (clock_mono_us_now() >= end_us)
            return;
    }
}

void reclaim_all(struct keyspace *keyspace)
{
    while (reclaim_pending(&keyspace->reclaim))
        step(keyspace);
}

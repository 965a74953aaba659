// SPDX-License-Identifier: BSD-3-Clause
// Databases aside: see aside.h.
#include "store/aside.h"

#include "base/memory.h"
#include "store/keyspace.h"

void aside_open(struct keyspace *keyspace)
{
    ASSERT(!keyspace->aside);
    struct keyspace *aside = mem_alloc(sizeof(*aside));
    keyspace_init(aside);
    memcpy(aside->types, keyspace->types, sizeof(aside->types));
    aside->access = keyspace->access;
    aside->access_clock = keyspace->access_clock;
    aside->access_touch = keyspace->access_touch;
    aside->keep_expired = true;
    // Nobody would free its slices.
    aside->freed_at_once = UINT32_MAX;
    keyspace_open(aside, keyspace->db_count);
    keyspace->aside = aside;
}

// Each stays where it is, and what it is called.
static void trade_contents(struct db *a, struct db *b)
{
    struct db old_a = *a;
    struct db old_b = *b;
    *a = old_b;
    *b = old_a;
    a->id = old_a.id;
    a->keyspace = old_a.keyspace;
    b->id = old_b.id;
    b->keyspace = old_b.keyspace;
}

static void tell_swapped(struct keyspace *keyspace)
{
    for (int i = 0; i < keyspace->db_count; i++)
        keyspace_announce(keyspace, DB_SWAPPED, &keyspace->dbs[i], NULL);
}

void aside_exchange(struct keyspace *keyspace, enum removal why)
{
    struct keyspace *aside = keyspace->aside;
    ASSERT(aside && aside->db_count == keyspace->db_count && !reclaim_pending(&aside->reclaim));
    keyspace_announce(keyspace, DB_FLUSHED, &keyspace->dbs[0], NULL);
    keyspace->due_ms = TABLE_DUE_NEVER;
    for (int i = 0; i < keyspace->db_count; i++) {
        struct db *db = &keyspace->dbs[i];
        trade_contents(db, &aside->dbs[i]);
        if (db->due_ms < keyspace->due_ms)
            keyspace->due_ms = db->due_ms;
        DEBUG_ASSERT(db->keyspace == keyspace && db->id == i);
    }
    tell_swapped(keyspace);
    aside_drop(keyspace, why);
}

void aside_drop(struct keyspace *keyspace, enum removal why)
{
    struct keyspace *aside = keyspace->aside;
    if (!aside)
        return;
    keyspace->aside = NULL;
    bool at_once = keyspace->freed_at_once & REMOVAL(why);
    for (int i = 0; i < aside->db_count && !at_once; i++) {
        if (db_size(&aside->dbs[i]) > 0)
            reclaim_table(&keyspace->reclaim, &aside->dbs[i].table);
    }
    keyspace_release(aside);
    mem_free(aside, sizeof(*aside));
}

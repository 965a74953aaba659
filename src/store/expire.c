// SPDX-License-Identifier: BSD-3-Clause
// The expiry sweep: see expire.h.
#include "store/expire.h"

#include "base/clock.h"
#include "ds/table_inl.h"
#include "store/expire_wheel.h"

// Entries that one look into a segment finds: more than one has, as a rule. Where a chain has more, it
// stays due.
#define DUE_MAX 1024

// Deletions, and segments that are passed over, between two looks at the clock.
#define DELETIONS_A_STEP 64
#define SEGMENTS_A_STEP  512

// What is found in a segment and its chain.
struct harvest {
    int64_t now_ms;
    int64_t base_ms;      // nothing in the segment is due before
    int64_t earliest_ms;  // of what stays
    unsigned count;
    struct entry *due[DUE_MAX];
};

static void defer(struct harvest *harvest, int64_t at_ms)
{
    if (at_ms < harvest->earliest_ms)
        harvest->earliest_ms = at_ms;
}

// Leaves of `slots` those whose class says that they may be due, with their entries on the way.
static size_t keep_candidates(struct harvest *harvest, struct table_slot **slots, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t at_ms = wheel_due(table_slot_class_inl(slots[i]), harvest->base_ms);
        if (at_ms > harvest->now_ms) {
            defer(harvest, at_ms);
            continue;
        }
        table_prefetch_line(table_slot_entry(slots[i]));
        slots[kept++] = slots[i];
    }
    return kept;
}

static void look_at(struct harvest *harvest, struct table_slot *slot)
{
    struct entry *entry = table_slot_entry(slot);
    int64_t at_ms = entry_expiry(entry);
    if (at_ms <= harvest->now_ms && harvest->count < DUE_MAX) {
        harvest->due[harvest->count++] = entry;
        return;
    }
    defer(harvest, wheel_look(at_ms, harvest->now_ms));
    if (at_ms > harvest->now_ms)
        table_slot_set_class_inl(slot, wheel_class(at_ms, harvest->now_ms));
}

// Finds what is due in the segment; what stays has its class brought up to date, and the segment its due.
static void look_into(struct harvest *harvest, struct table_segment *head)
{
    struct table_slot *slots[TABLE_TAGGED_MAX];
    struct table_segment *part = head;
    while (part) {
        size_t count;
        part = table_segment_tagged(part, slots, &count);
        count = keep_candidates(harvest, slots, count);
        for (size_t i = 0; i < count; i++)
            look_at(harvest, slots[i]);
    }
    table_segment_set_due(head, harvest->earliest_ms);
}

static void delete_one(struct db *db, const struct harvest *harvest, const struct entry *entry)
{
    struct keyspace *keyspace = db->keyspace;
    int64_t lag_ms = harvest->now_ms - entry_expiry(entry);
    struct key key = key_of(entry_key(entry));
    if (db_peek(db, &key).entry)
        return;
    keyspace->expired_by_sweep++;
    if (keyspace->on_swept)
        keyspace->on_swept(keyspace->on_swept_udata, lag_ms);
}

// There was no time to delete those from number `first` on: their segment is due as before.
static void postpone(struct db *db, const struct harvest *harvest, unsigned first)
{
    for (unsigned i = first; i < harvest->count; i++) {
        struct key key = key_of(entry_key(harvest->due[i]));
        table_lower_due(&db->table, key.hash, harvest->base_ms);
    }
    if (first < harvest->count && harvest->base_ms < db->due.earliest)
        db->due.earliest = harvest->base_ms;
}

static void delete_due(struct db *db, const struct harvest *harvest, uint64_t deadline_us)
{
    for (unsigned i = 0; i < harvest->count; i++) {
        if (i > 0 && i % DELETIONS_A_STEP == 0 && clock_mono_us_now() >= deadline_us) {
            postpone(db, harvest, i);
            return;
        }
        delete_one(db, harvest, harvest->due[i]);
    }
}

// Goes on with the pass over the database; false if it has come to its end, which is when the database
// gets to know when it is due next.
static bool sweep_step(struct db *db, uint64_t deadline_us)
{
    struct harvest harvest = { .now_ms = clock_wall_ms(), .earliest_ms = TABLE_DUE_NEVER };
    // What was set before the pass began it will see.
    if (db->due.position == 0)
        db->due.earliest = TABLE_DUE_NEVER;
    db->due.budget = SEGMENTS_A_STEP;
    struct table_segment *head = table_due_next(&db->table, &db->due, harvest.now_ms);
    if (head) {
        harvest.base_ms = table_segment_due(head);
        look_into(&harvest, head);
        if (harvest.earliest_ms < db->due.earliest)
            db->due.earliest = harvest.earliest_ms;
        delete_due(db, &harvest, deadline_us);
    }
    if (!db->due.done)
        return true;
    db->due_ms = db->due.earliest;
    db->due = (struct table_due_walk){ 0 };
    return false;
}

// False if the time was up before the pass was done.
static bool sweep_db(struct db *db, uint64_t deadline_us)
{
    while (sweep_step(db, deadline_us)) {
        if (clock_mono_us_now() >= deadline_us)
            return false;
    }
    return true;
}

// When the databases are due next, now that the sweep has been there.
static void note_due(struct keyspace *keyspace)
{
    keyspace->due_ms = TABLE_DUE_NEVER;
    for (int i = 0; i < keyspace->db_count; i++) {
        if (keyspace->dbs[i].due_ms < keyspace->due_ms)
            keyspace->due_ms = keyspace->dbs[i].due_ms;
    }
}

static size_t count_expires(const struct keyspace *keyspace)
{
    size_t count = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        count += keyspace->dbs[i].expires;
    return count;
}

int64_t expire_due(const struct keyspace *keyspace)
{
    bool idle = keyspace->expire_passively || keyspace->sweep_paused;
    return idle ? TABLE_DUE_NEVER : keyspace->due_ms;
}

bool expire_sweep(struct keyspace *keyspace, uint64_t budget_us)
{
    if (expire_due(keyspace) > clock_wall_ms()) {
        keyspace->stale_percent = 0;
        return false;
    }
    uint64_t began_us = clock_mono_us_now();
    uint64_t deleted_before = keyspace->expired_by_sweep;
    size_t expires = count_expires(keyspace);
    bool finished = true;
    for (int i = 0; i < keyspace->db_count && finished; i++) {
        struct db *db = &keyspace->dbs[keyspace->sweep_db];
        if (db->due_ms <= clock_wall_ms())
            finished = sweep_db(db, began_us + budget_us);
        // A pass that is cut short goes on next time; a large database does not starve the others.
        if (finished)
            keyspace->sweep_db = (keyspace->sweep_db + 1) % keyspace->db_count;
    }
    note_due(keyspace);
    keyspace->sweeps_cut_short += !finished;
    uint64_t deleted = keyspace->expired_by_sweep - deleted_before;
    keyspace->stale_percent = expires ? 100.0 * (double)deleted / (double)expires : 0;
    keyspace->sweep_us += clock_mono_us_now() - began_us;
    return !finished;
}

// SPDX-License-Identifier: BSD-3-Clause
// The expiry sweep: see expire.h.
#include "store/expire.h"

#include "base/clock.h"

// Entries that one step of the scan may yield; a bucket's worth and its displaced ones. What does
// not fit waits for the next round.
#define DUE_MAX 256

// The clock is read once in so many steps.
#define STEPS_A_READ 16

struct sweep {
    struct entry *due[DUE_MAX];
    unsigned due_count;
    uint64_t overdue;
    uint64_t seen;
    __int128 ttl_sum_ms;  // the sum of 64-bit times may not fit 64 bits
    int64_t now_ms;
};

static void collect_due(void *entry, uint8_t expiry_class, void *udata)
{
    struct sweep *sweep = udata;
    if (expiry_class == 0)
        return;
    int64_t left_ms = entry_expiry(entry) - sweep->now_ms;
    if (left_ms > 0) {
        sweep->seen++;
        sweep->ttl_sum_ms += left_ms;
    } else if (sweep->due_count < DUE_MAX) {
        sweep->due[sweep->due_count++] = entry;
    }
}

static void delete_due(struct db *db, struct sweep *sweep)
{
    sweep->overdue += sweep->due_count;
    for (unsigned i = 0; i < sweep->due_count; i++) {
        struct key key = key_of(entry_key(sweep->due[i]));
        if (db_peek(db, &key).entry)
            continue;
        db->keyspace->expired_by_sweep++;
    }
    sweep->due_count = 0;
}

// What a sweep of all databases saw of entries with an expiry.
struct seen {
    uint64_t alive;
    uint64_t overdue;
};

static void sweep_db(struct db *db, uint64_t deadline_us, struct seen *seen)
{
    struct sweep sweep = { .now_ms = clock_wall_ms() };
    unsigned steps = 0;
    do {
        db->sweep_cursor = table_scan(&db->table, db->sweep_cursor, collect_due, &sweep);
        delete_due(db, &sweep);
        if (++steps % STEPS_A_READ == 0 && clock_mono_us_now() >= deadline_us)
            break;
    } while (db->sweep_cursor != 0);

    if (sweep.seen)
        db->avg_ttl_ms = (int64_t)(sweep.ttl_sum_ms / (__int128)sweep.seen);
    seen->alive += sweep.seen;
    seen->overdue += sweep.overdue;
}

void expire_sweep(struct keyspace *keyspace, uint64_t budget_us)
{
    if (keyspace->expire_passively || keyspace->sweep_paused)
        return;
    uint64_t began_us = clock_mono_us_now();
    uint64_t now_us = began_us;
    struct seen seen = { 0 };
    for (int i = 0; i < keyspace->db_count; i++) {
        // The one behind the last: a large database must not starve the others.
        keyspace->sweep_db = (keyspace->sweep_db + 1) % keyspace->db_count;
        struct db *db = &keyspace->dbs[keyspace->sweep_db];
        if (db->expires == 0) {
            db->avg_ttl_ms = 0;
            continue;
        }
        sweep_db(db, began_us + budget_us, &seen);
        now_us = clock_mono_us_now();
        if (now_us - began_us < budget_us)
            continue;
        keyspace->sweeps_cut_short++;
        break;
    }
    uint64_t all = seen.alive + seen.overdue;
    keyspace->stale_percent = all ? 100.0 * (double)seen.overdue / (double)all : 0;
    keyspace->sweep_us += now_us - began_us;
}

// SPDX-License-Identifier: BSD-3-Clause
// Releasing a table in slices: entry by entry, segment by segment, in hash order.
#include "ds/table.h"
#include "ds/table_internal.h"

void table_drain_begin(struct table_drain *drain, struct table *table)
{
    *drain = (struct table_drain){ .table = *table };
    if (table->segments > 0)
        drain->segment = table_segment_of(&drain->table, 0);
    table_init(table, table->ops);
}

// Releases entries of the segment at hand; returns how much of the budget is left, 0 if it has more.
static size_t drain_segment(struct table_drain *drain, size_t budget,
                            void (*release)(void *entry, void *udata), void *udata)
{
    const struct table_segment *segment = drain->segment;
    uint32_t slots = table_segment_total(segment) * TABLE_BUCKET_SLOTS;
    while (drain->slot < slots && budget > 0) {
        uint32_t i = drain->slot++;
        const struct table_slot *slot =
            &segment->buckets[i / TABLE_BUCKET_SLOTS].slots[i % TABLE_BUCKET_SLOTS];
        if (slot->word == 0)
            continue;
        budget--;
        if (release)
            release(table_slot_entry(slot), udata);
    }
    return drain->slot < slots ? 0 : budget;
}

// Frees the segment at hand and goes to the next one.
static void leave_segment(struct table_drain *drain)
{
    struct table_segment *done = drain->segment;
    drain->slot = 0;
    drain->segment = done->chain;
    if (!drain->segment) {
        drain->hash = table_segment_end(done, drain->hash);
        if (drain->hash != 0)
            drain->segment = table_segment_of(&drain->table, drain->hash);
    }
    table_segment_free(&drain->table, done);
}

bool table_drain_step(struct table_drain *drain, size_t budget,
                      void (*release)(void *entry, void *udata), void *udata)
{
    if (!drain->segment)
        return true;
    while (drain->segment) {
        budget = drain_segment(drain, budget, release, udata);
        if (budget == 0)
            return false;
        leave_segment(drain);
    }
    table_free_directory(&drain->table);
    table_init(&drain->table, drain->table.ops);
    return true;
}

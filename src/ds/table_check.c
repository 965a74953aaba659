// SPDX-License-Identifier: BSD-3-Clause
// The table's deep verifier and its statistics.
#include "ds/table_internal.h"

#include "base/memory.h"

// What the verifier has met so far.
struct census {
    const struct table *table;
    size_t entries;
    size_t memory;
    uint32_t segments;
    uint32_t chained;
    uint32_t at_depth;
    int64_t due;  // of the chain at hand
};

// Of one segment: how many entries of each home are displaced.
struct displaced {
    uint32_t neighbour[TABLE_MAX_TOTAL];
    uint32_t stash[TABLE_MAX_TOTAL];
};

static void check_slot(const struct census *census, const struct table_segment *segment,
                       const struct table_slot *slot, uint64_t prefix)
{
    ASSERT(table_slot_entry(slot) != NULL);
    uint64_t hash = census->table->ops->hash(table_slot_entry(slot));
    ASSERT(segment->depth == 0 || (hash ^ prefix) >> (64 - segment->depth) == 0);
    ASSERT(slot->word >> 48 == table_segment_tag(segment, hash));
    if (census->table->ops->due_holds != NULL) {
        ASSERT(census->table->ops->due_holds(table_slot_entry(slot), table_slot_class_inl(slot),
                                             census->due));
    }
}

static uint32_t check_bucket(const struct census *census, const struct table_segment *segment,
                             unsigned index, uint64_t prefix, struct displaced *displaced)
{
    const struct table_bucket *bucket = &segment->buckets[index];
    uint32_t count = 0;
    for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        const struct table_slot *slot = &bucket->slots[i];
        if (slot->word == 0) {
            ASSERT(bucket->classes[i] == 0);
            continue;
        }
        count++;
        check_slot(census, segment, slot, prefix);
        unsigned home = table_segment_home(segment, (uint16_t)(slot->word >> 48));
        ASSERT(home < segment->nhome);
        if (index >= segment->nhome) {
            displaced->stash[home]++;
        } else if (index != home) {
            ASSERT(index == table_neighbour(segment, home));
            displaced->neighbour[home]++;
        }
    }
    return count;
}

static void check_segment(struct census *census, const struct table_segment *segment,
                          uint64_t prefix)
{
    unsigned total = table_segment_total(segment);
    ASSERT(segment->nhome > 0 && total <= TABLE_MAX_TOTAL);
    ASSERT(segment->nstash == (total < 8 ? 0 : (total + 8) / 16));
    ASSERT(table_total_for(total * TABLE_BUCKET_SLOTS, 100) == total);
    ASSERT(((uintptr_t)segment->buckets & 63) == 0);
    ASSERT(segment->tag_depth <= segment->depth && segment->shrink_at > 0);
    ASSERT(segment->depth - segment->tag_depth <= TABLE_MAX_USED_BITS);
    struct displaced displaced = { { 0 }, { 0 } };
    uint32_t count = 0;
    for (unsigned i = 0; i < total; i++) {
        count += check_bucket(census, segment, i, prefix, &displaced);
    }
    ASSERT(count == segment->count);
    for (unsigned i = 0; i < total; i++) {
        const struct table_bucket *bucket = &segment->buckets[i];
        ASSERT(table_in_neighbour(bucket) == displaced.neighbour[i]);
        ASSERT(table_in_stash(bucket) == displaced.stash[i] ||
               table_in_stash(bucket) == TABLE_STASH_MAX);
    }
    census->entries += count;
    census->memory += mem_good_size(sizeof(*segment));
    census->memory += mem_good_size(total * sizeof(struct table_bucket));
}

static void check_chain(struct census *census, const struct table_segment *head, uint64_t prefix)
{
    const struct table *table = census->table;
    ASSERT(head->depth <= table->depth && head->depth <= TABLE_MAX_DEPTH);
    census->segments++;
    census->due = head->due;
    census->at_depth += head->depth == table->depth;
    for (const struct table_segment *part = head; part != NULL; part = part->chain) {
        ASSERT(part->depth == head->depth && part->tag_depth == head->tag_depth);
        ASSERT(part->count > 0 || head->chain == NULL);
        census->chained += part != head;
        check_segment(census, part, prefix);
    }
    size_t span = (size_t)1 << (table->depth - head->depth);
    for (size_t i = 0; i < span; i++) {
        const struct table_ref *ref = table_ref_of(table, prefix) + i;
        ASSERT(ref->segment == head && ref->layout == table_segment_layout(head));
    }
}

void table_check(const struct table *table)
{
    struct census census = { .table = table };
    if (table->segments > 0) {
        uint64_t prefix = 0;
        do {
            const struct table_segment *head = table_segment_of(table, prefix);
            ASSERT(head != NULL);
            check_chain(&census, head, prefix);
            prefix = table_segment_end(head, prefix);
        } while (prefix != 0);
        if (table->depth > 0) {
            census.memory += mem_good_size(sizeof(struct table_ref) << table->depth);
            census.memory += table->next == NULL
                                 ? 0
                                 : mem_good_size(sizeof(struct table_ref) << table->depth << 1);
        }
    } else {
        ASSERT(table->only.segment == NULL && table->depth == 0);
    }
    ASSERT(census.entries == table->count);
    ASSERT(census.memory == table->memory);
    ASSERT(census.segments == table->segments);
    ASSERT(census.chained == table->chained);
    ASSERT(census.at_depth == table->at_depth);
}

static void add_segment(const struct table_segment *segment, struct table_stats *out)
{
    out->slots += (size_t)table_segment_total(segment) * TABLE_BUCKET_SLOTS;
    for (unsigned i = 0; i < table_segment_total(segment); i++) {
        const struct table_bucket *bucket = &segment->buckets[i];
        out->in_neighbour += table_in_neighbour(bucket);
        for (unsigned k = 0; i >= segment->nhome && k < TABLE_BUCKET_SLOTS; k++) {
            out->in_stash += bucket->slots[k].word != 0;
        }
    }
}

void table_stats(const struct table *table, struct table_stats *out)
{
    *out = (struct table_stats){
        .segments = table->segments,
        .chained_segments = table->chained,
        .depth = table->depth,
    };
    if (table->segments == 0) {
        return;
    }
    uint64_t position = 0;
    do {
        const struct table_segment *head = table_segment_of(table, position);
        position = table_segment_end(head, position);
        for (const struct table_segment *part = head; part != NULL; part = part->chain) {
            add_segment(part, out);
        }
    } while (position != 0);
}

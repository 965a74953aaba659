// SPDX-License-Identifier: BSD-3-Clause
// Ways over the table's entries: SCAN's cursor, the iterator and the fair random choice.
#include "ds/table_internal.h"

#define RANDOM_TRIES 256

// Useful tags first <= x < end.
struct range {
    unsigned first;
    unsigned end;
};

struct emitter {
    table_emit_fn emit;
    void *udata;
};

static unsigned useful_tag(const struct table_segment *segment, uint16_t tag)
{
    return tag & ((1U << table_useful_bits(segment)) - 1);
}

static unsigned home_of_useful(const struct table_segment *segment, unsigned useful)
{
    return useful * segment->nhome >> table_useful_bits(segment);
}

// The first useful tag whose home is `home`; for nhome: one past the last tag.
static unsigned first_useful(const struct table_segment *segment, unsigned home)
{
    return ((home << table_useful_bits(segment)) + segment->nhome - 1) / segment->nhome;
}

static void emit_bucket(const struct table_segment *segment, unsigned index, struct range range,
                        struct emitter emitter)
{
    const struct table_bucket *bucket = &segment->buckets[index];
    for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        const struct table_slot *slot = &bucket->slots[i];
        unsigned useful = useful_tag(segment, (uint16_t)(slot->word >> 48));
        if (slot->word != 0 && useful >= range.first && useful < range.end) {
            emitter.emit(table_slot_entry(slot), bucket->classes[i], emitter.udata);
        }
    }
}

// Emits the segment's entries with this home and a tag in the range.
static void emit_home(const struct table_segment *segment, unsigned home, struct range range,
                      struct emitter emitter)
{
    unsigned next = first_useful(segment, home + 1);
    unsigned first = first_useful(segment, home);
    range.first = range.first > first ? range.first : first;
    range.end = range.end < next ? range.end : next;
    const struct table_bucket *bucket = &segment->buckets[home];
    emit_bucket(segment, home, range, emitter);
    if (table_in_neighbour(bucket) > 0) {
        emit_bucket(segment, table_neighbour(segment, home), range, emitter);
    }
    if (table_in_stash(bucket) > 0) {
        for (unsigned i = segment->nhome; i < table_segment_total(segment); i++) {
            emit_bucket(segment, i, range, emitter);
        }
    }
}

uint64_t table_scan(const struct table *table, uint64_t cursor, table_emit_fn emit, void *udata)
{
    if (table->count == 0) {
        return 0;
    }
    uint64_t hash = cursor << 16;
    const struct table_segment *head = table_segment_of(table, hash);
    struct emitter emitter = { emit, udata };
    struct range range;
    range.first = useful_tag(head, table_segment_tag(head, hash));
    range.end = first_useful(head, home_of_useful(head, range.first) + 1);
    for (const struct table_segment *part = head; part != NULL; part = part->chain) {
        unsigned last = home_of_useful(part, range.end - 1);
        for (unsigned home = home_of_useful(part, range.first); home <= last; home++) {
            emit_home(part, home, range, emitter);
        }
    }
    if (range.end == 1U << table_useful_bits(head)) {
        return table_segment_end(head, hash) >> 16;
    }
    // depth + useful bits = tag_depth + 16, which is at most 48.
    uint64_t next = head->depth == 0 ? 0 : hash & ~(UINT64_MAX >> head->depth);
    next |= (uint64_t)range.end << (48 - head->tag_depth);
    return next >> 16;
}

void table_iter_init(struct table_iter *iter, const struct table *table)
{
    iter->table = table;
    iter->dir_index = 0;
    iter->segment = table->segments == 0 ? NULL : table_segment_of(table, 0);
    iter->slot = 0;
}

// The next segment: in the chain, or where the directory goes on.
static void iter_advance(struct table_iter *iter)
{
    const struct table *table = iter->table;
    unsigned depth = iter->segment->depth;
    iter->slot = 0;
    iter->segment = iter->segment->chain;
    if (iter->segment == NULL) {
        iter->dir_index += (size_t)1 << (table->depth - depth);
        if (iter->dir_index < (size_t)1 << table->depth) {
            iter->segment = table->dir[iter->dir_index].segment;
        }
    }
}

struct table_slot *table_iter_next(struct table_iter *iter)
{
    while (iter->segment != NULL) {
        uint32_t slots = table_segment_total(iter->segment) * TABLE_BUCKET_SLOTS;
        while (iter->slot < slots) {
            uint32_t i = iter->slot++;
            struct table_bucket *bucket = &iter->segment->buckets[i / TABLE_BUCKET_SLOTS];
            struct table_slot *slot = &bucket->slots[i % TABLE_BUCKET_SLOTS];
            if (slot->word != 0) {
                return slot;
            }
        }
        iter_advance(iter);
    }
    return NULL;
}

static uint64_t chain_slots(const struct table_segment *segment)
{
    uint64_t slots = 0;
    for (; segment != NULL; segment = segment->chain) {
        slots += table_segment_total(segment) * TABLE_BUCKET_SLOTS;
    }
    return slots;
}

// The entry in the chain's slot number `index`, or NULL: there may be none, or no such slot.
static struct table_slot *chain_slot(const struct table_segment *segment, uint64_t index)
{
    for (; segment != NULL; segment = segment->chain) {
        unsigned slots = table_segment_total(segment) * TABLE_BUCKET_SLOTS;
        if (index < slots) {
            struct table_bucket *bucket = &segment->buckets[index / TABLE_BUCKET_SLOTS];
            struct table_slot *slot = &bucket->slots[index % TABLE_BUCKET_SLOTS];
            return slot->word != 0 ? slot : NULL;
        }
        index -= slots;
    }
    return NULL;
}

// The entry with this rank in the iterator's order.
static struct table_slot *slot_by_rank(const struct table *table, uint64_t rank)
{
    struct table_iter iter;
    table_iter_init(&iter, table);
    while (iter.segment != NULL && rank >= iter.segment->count) {
        rank -= iter.segment->count;
        iter_advance(&iter);
    }
    struct table_slot *slot;
    do {
        slot = table_iter_next(&iter);
    } while (rank-- > 0);
    return slot;
}

struct table_slot *table_random(const struct table *table, struct random *random)
{
    if (table->count == 0) {
        return NULL;
    }
    // No chain has more slots than this.
    uint64_t slots = table->depth == 0 ? chain_slots(table->only.segment)
                                       : (uint64_t)TABLE_SEGMENT_SLOTS * (table->chained + 1);
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        uint64_t hash = random_next(random);
        const struct table_segment *head = table_segment_of(table, hash);
        uint64_t index = table->depth == 0 ? 0 : hash >> (64 - table->depth);
        if ((index & ((UINT64_C(1) << (table->depth - head->depth)) - 1)) != 0) {
            continue;
        }
        struct table_slot *slot = chain_slot(head, random_below(random, slots));
        if (slot != NULL) {
            return slot;
        }
    }
    return slot_by_rank(table, random_below(random, table->count));
}

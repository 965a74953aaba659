// SPDX-License-Identifier: BSD-3-Clause
// The table's public operations on single entries; table_internal.h explains the whole.
#include "ds/table.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "ds/table_internal.h"

#include <string.h>

void table_init(struct table *table, const struct table_ops *ops)
{
    memset(table, 0, sizeof(*table));
    table->ops = ops;
}

void table_release(struct table *table, void (*release)(void *entry, void *udata), void *udata)
{
    if (release != NULL && table->count > 0) {
        struct table_iter iter;
        table_iter_init(&iter, table);
        for (struct table_slot *slot; (slot = table_iter_next(&iter)) != NULL;) {
            release(table_slot_entry(slot), udata);
        }
    }
    table_free_segments(table);
    table_init(table, table->ops);
}

// Finds an entry in the stash that has this home, of which there are `expected`.
static struct table_slot *find_in_stash(const struct table_segment *segment, unsigned home,
                                        uint16_t tag, const void *key, table_match_fn match)
{
    unsigned expected = table_in_stash(&segment->buckets[home]);
    unsigned index = table_stash_first(segment, home);
    for (unsigned i = 0; i < segment->nstash; i++, index = table_stash_next(segment, index)) {
        struct table_bucket *bucket = &segment->buckets[index];
        struct table_slot *slot = table_bucket_find(bucket, tag, key, match);
        if (slot != NULL) {
            return slot;
        }
        unsigned met = table_segment_count_home(segment, bucket, home);
        if (met >= expected) {
            return NULL;
        }
        expected -= expected == TABLE_STASH_MAX ? 0 : met;
    }
    return NULL;
}

struct table_slot *table_find_displaced(const struct table_segment *segment, uint16_t tag,
                                        const void *key, table_match_fn match)
{
    for (bool head = true; segment != NULL; segment = segment->chain, head = false) {
        unsigned home = table_segment_home(segment, tag);
        struct table_bucket *bucket = &segment->buckets[home];
        struct table_slot *slot = head ? NULL : table_bucket_find(bucket, tag, key, match);
        if (slot == NULL && table_in_neighbour(bucket) > 0) {
            unsigned neighbour = table_neighbour(segment, home);
            slot = table_bucket_find(&segment->buckets[neighbour], tag, key, match);
        }
        if (slot == NULL && table_in_stash(bucket) > 0) {
            slot = find_in_stash(segment, home, tag, key, match);
        }
        if (slot != NULL) {
            return slot;
        }
    }
    return NULL;
}

struct table_slot *table_find(const struct table *table, uint64_t hash, const void *key)
{
    return table_find_inl(table, hash, key, table->ops->match);
}

// Makes a place for one more entry with this hash, in the chain of `head`.
static enum status make_room(struct table *table, uint64_t hash, struct table_segment *head)
{
    bool can_split = table_can_split(table, head);
    if (head->chain != NULL && can_split) {
        return table_split(table, hash);
    }
    struct table_segment *last = NULL;
    for (struct table_segment *segment = head; segment != NULL; segment = segment->chain) {
        enum status status = table_segment_grow(table, segment, head->chain == NULL);
        if (status != STATUS_FULL) {
            table_publish(table, hash, head);
            return status;
        }
        last = segment;
    }
    if (can_split) {
        return table_split(table, hash);
    }
    enum status status = table_chain_append(table, last);
    table_publish(table, hash, head);
    return status;
}

// Puts the entry where there is a place for it. A chain that may be split by now is not filled
// further.
static struct table_slot *place(const struct table *table, uint64_t hash, const void *entry)
{
    struct table_segment *segment = table->segments > 0 ? table_segment_of(table, hash) : NULL;
    for (; segment != NULL; segment = segment->chain) {
        uint64_t tag = table_segment_tag(segment, hash);
        struct table_slot *slot = table_segment_place(segment, tag << 48 | (uintptr_t)entry);
        if (slot != NULL || (segment->chain != NULL && table_can_split(table, segment))) {
            return slot;
        }
    }
    return NULL;
}

enum status table_insert(struct table *table, uint64_t hash, void *entry, struct table_slot **out)
{
    ASSERT(entry != NULL && (uintptr_t)entry >> 48 == 0);
    struct table_slot *slot;
    while (unlikely((slot = place(table, hash, entry)) == NULL)) {
        enum status status = table->segments == 0
                                 ? table_first_segment(table)
                                 : make_room(table, hash, table_segment_of(table, hash));
        if (status != STATUS_OK) {
            return status;
        }
    }
    table->count++;
    if (out != NULL) {
        *out = slot;
    }
    return STATUS_OK;
}

static bool holds(const struct table_segment *segment, const struct table_slot *slot)
{
    const struct table_bucket *bucket = table_slot_bucket(slot);
    return bucket >= segment->buckets && bucket < segment->buckets + table_segment_total(segment);
}

void table_remove(struct table *table, uint64_t hash, struct table_slot *slot)
{
    struct table_segment *head = table_segment_of(table, hash);
    struct table_segment *segment = head;
    while (!holds(segment, slot)) {
        segment = segment->chain;
        ASSERT(segment != NULL);
    }
    table_segment_clear(segment, slot);
    table->count--;
    if (unlikely(segment->count < segment->shrink_at || head->chain != NULL)) {
        table_shrink(table, hash, segment);
    }
}

uint8_t table_slot_class(const struct table_slot *slot)
{
    return table_slot_class_inl(slot);
}

void table_slot_set_class(struct table_slot *slot, uint8_t expiry_class)
{
    table_slot_set_class_inl(slot, expiry_class);
}

void table_prefetch_bucket(const struct table *table, uint64_t hash)
{
    table_prefetch_bucket_inl(table, hash);
}

bool table_prefetch_entry(const struct table *table, uint64_t hash)
{
    return table_prefetch_entry_inl(table, hash);
}

static bool match_any(const void *entry, const void *key)
{
    (void)entry;
    (void)key;
    return true;
}

void table_prefetch_displaced(const struct table *table, uint64_t hash)
{
    if (table->count == 0) {
        return;
    }
    const struct table_ref *ref = table_ref_of(table, hash);
    uint16_t tag = table_layout_tag(ref->layout, hash);
    const struct table_slot *slot = table_find_displaced(ref->segment, tag, NULL, match_any);
    if (slot != NULL) {
        table_prefetch_line(table_slot_entry(slot));
    }
}

size_t table_memory(const struct table *table)
{
    return table->memory;
}

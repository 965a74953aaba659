// SPDX-License-Identifier: BSD-3-Clause
// The table: how it is built, and its operations on single entries.
//
// Workload. Millions of small entries, looked up by a keyed 64-bit hash in a few nanoseconds when
// their lines are in the cache; growth, shrinking, a cursor and a fair random choice, without a
// pause that a client could notice.
//
//   hash   |<---- depth d, the segment's prefix ---->|
//          |                     t|<-- 16-bit tag ---+--- useful bits -->|        d - 2 <= t <= d
//
//   table.dir: 1 << depth of {layout, segment}, indexed by the top bits (depth 0: inside the table)
//     [000] --.
//     [001] --+--> segment d=2 {buckets, chain, due, count, shrink_at, nhome, nstash, d, t}
//     [010] -----> segment d=3     |
//     ...                          v   64 bytes each, a cache line
//                home 0 | home 1 | ... | home nhome-1 | stash 0 | ... | stash nstash-1
//
//   bucket: | displaced | class x 7 | slot 0 | ... | slot 6 |     slot: tag << 48 | pointer, 0 none
//
// Layout word. Buckets' address, nhome, t and d-t, packed into the directory: a look-up goes from
// there to its bucket and reads no segment. table_publish() keeps it true.
//
// Home. The tag holds 16 hash bits from bit t on; the first d-t are the segment's prefix, the other
// r = 16-(d-t) >= 14 are useful: home = useful * nhome >> r. This keeps the order of the hashes, so
// looking up, growing and SCAN agree, and needs no power of two. Equal tags have equal homes. A home
// is 140 to 550 tags wide: one miss in 20 to 80 reads an entry for nothing.
//
// Placing. Home bucket; the neighbour (home + 1, wrapping within the home buckets); the stash, each
// 16 homes having another bucket of it as first choice. The home's `displaced` byte counts which of
// its entries lie in the neighbour (3 bits, exact) and in the stash (5 bits; 31 stays until the
// next rebuild), so that look-ups read further lines only where they can matter, and a miss no more
// stash buckets than hold entries of its home. A removal pulls a displaced entry back: with entries
// that come and go, 20 % were displaced without this and 7 % are with it.
//
// Growing. A segment that has no place for an entry takes the next size of the ladder of totals: 1
// to 8, then four steps a doubling up to 128 buckets, which are jemalloc's size classes. It is laid
// out anew from the tags: no key is read. But where d-t is 2, so that the next split would use up
// the tags, the keys are hashed again (prefetched some ahead) and t becomes d: about 500 entries.
//
// Splitting. A segment of 128 splits by its next hash bit into two, each of a size that fits (80 as
// a rule), with the same tags. If it is as deep as the directory, that doubles: a copy of words,
// into memory whose pages were touched one by one while segments grew (page faults would be most of
// the doubling).
//
// Chaining. Splitting ends at depth log2(segments) + 4 (uniform hashes stay far below) and at 32:
// clustered or equal hashes must not blow up the directory. Beyond it a segment gets further ones
// of the same d and t chained to it, each with a size of its own. When splitting is allowed again
// the whole chain is distributed. An empty member leaves the chain; a chain that has become small
// is laid into one segment.
//
// Shrinking. A removal that leaves a segment below its `shrink_at` (45 % of its slots) merges it
// with its buddy if together they fill at most 60 % of 80 buckets, else lays it out in fewer
// buckets. No keys are read: the bits by which a tag must begin earlier are the segment's prefix.
// The directory halves when no segment is as deep as it is.
//
// SCAN. The cursor is a position in hash order, 48 bits of it: depth + r <= 48. A step emits the
// entries of one home, wherever they lie, from that position on, and returns where the next home
// begins. An entry's place in hash order never changes, so what is behind the cursor has been seen,
// whatever the segments do. After a merge tags are coarser: an entry of which they can't tell is
// emitted, maybe twice. Chain members, of other sizes, are read by the same range of tags.
//
// Random choice. A random directory index, refused unless it is its segment's first (which makes
// all segments equally likely), then a random slot of the most that a segment can have, refused if
// missing or empty: every entry has the same chance. After 256 refusals: a random rank, and a walk
// over the segments' counts.
//
// Costs. Look-up: directory (256 KB at 10 M keys: L2), one bucket line (1.1 to 1.2 with the
// displaced ones) and one entry. 9.2 bytes a slot, 10.5 to 13 a key in the long run of growth. The
// longest insert is a growth that reads keys. An entry alone: 96 bytes.
//
// Rejected. One flat array (growth is table-wide, or needs a reserved address range). Linear
// probing (runs of 40 lines at this load). Child buckets hung on full ones (12.3 bytes a key where
// this has 11.5). 8-bit tags (the home would use up all of their bits). Segment pointers alone in
// the directory (a miss of L2 more for each look-up: 25 ns of 125 at 10 M keys). Reading keys when
// splitting (820 entries: twice the longest insert). Laying a full segment out anew in the same
// size (13.3 bytes a key after churn where pulling back has 12.7).
//
// Invariants: table_check() is the list.
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
            if (head->depth == table->depth && table_segment_total(head) >= 112) {
                table_prepare_directory(table);
            }
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

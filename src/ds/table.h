// SPDX-License-Identifier: BSD-3-Clause
// The hash table of the keyspace and of every large collection: segmented, ordered by hash, never
// rehashed as a whole.
//
// A table holds pointers to entries that its owner allocates; how to hash and match them comes with
// `struct table_ops`. The layout, the growth and the reasons stand in table.c.
//
// Hashes are 64 bits, well mixed, keyed (base/hash.h). The caller computes a key's hash once and
// passes it along.
//
// A slot pointer (`struct table_slot *`) is valid until the next insert into or removal from the
// table; reading, scanning and replacing an entry in its slot do not disturb it.
#pragma once

#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_segment;

struct table_ops {
    // The hash under which `entry` was inserted. Called when a split has used up an entry's tag.
    uint64_t (*hash)(const void *entry);
    // Whether `entry` has the key that table_find() was given.
    bool (*match)(const void *entry, const void *key);
    // For table_check(), of an owner that uses dues (table_due.h), else NULL: whether an entry with this class
    // may lie in a segment with this due.
    bool (*due_holds)(const void *entry, uint8_t expiry_class, int64_t due);
};

// {16 hash bits | 48-bit pointer}; 0 is empty.
struct table_slot {
    uint64_t word;
};

// What the directory holds for a segment.
struct table_ref {
    uint64_t layout;  // all that a look-up needs to know of it, packed (table_inl.h)
    struct table_segment *segment;
};

// Read-only for others, and only `count` is meant for them.
struct table {
    const struct table_ops *ops;
    size_t count;   // entries
    size_t memory;  // bytes, as table_memory() reports them
    union {
        struct table_ref only;  // depth 0: the one segment, or NULL
        struct {
            struct table_ref *dir;   // depth > 0: 1 << depth of them
            struct table_ref *next;  // memory for twice as many, or NULL
        };
    };
    uint32_t segments;    // that the directory points at
    uint32_t chained;     // further ones, in chains
    uint32_t at_depth;    // of `segments`, those as deep as the directory: 0 lets it be halved
    uint16_t next_pages;  // how many pages of `next` have been touched
    uint8_t depth;        // the directory's
};

// An empty table that owns no memory.
void table_init(struct table *table, const struct table_ops *ops);

// Calls `release` (may be NULL) for every entry and frees the table's memory; it is empty and
// usable afterwards. O(n).
void table_release(struct table *table, void (*release)(void *entry, void *udata), void *udata);

// A table that is being released in slices: nothing is looked up in it any more.
struct table_drain {
    struct table table;
    uint64_t hash;                  // where the segment at hand begins
    struct table_segment *segment;  // NULL: the directory alone is left, or nothing
    uint32_t slot;
};

// Takes everything out of `table`, which is empty and usable afterwards. O(1).
void table_drain_begin(struct table_drain *drain, struct table *table);

// Releases up to `budget` entries, and the memory that they leave; true when there is nothing left.
// `release` may be NULL.
bool table_drain_step(struct table_drain *drain, size_t budget,
                      void (*release)(void *entry, void *udata), void *udata);

// Sizes the table for `count` entries in all: with well-mixed hashes inserting them does not double
// the directory, split a segment or (but for rare outliers) grow one. STATUS_NOMEM may leave a part
// of the room made; the entries are as they were. A `count` from outside has to be bounded first.
// O(count).
MUST_CHECK enum status table_reserve(struct table *table, size_t count);

// The slot of the entry with this key, or NULL. One bucket line and almost always one entry.
struct table_slot *table_find(const struct table *table, uint64_t hash, const void *key);

// Adds an entry whose key is not in the table (the caller has looked). Growth is local: at most one
// segment is rebuilt or split, and now and then the directory is doubled. STATUS_NOMEM leaves the
// table as it was. `out` (may be NULL) receives the slot.
MUST_CHECK enum status table_insert(struct table *table, uint64_t hash, void *entry,
                                    struct table_slot **out);

// Takes the entry in `slot` out of the table; the caller frees it. May shrink or merge segments,
// which is left undone when there is no memory for it. The last entry's removal frees everything.
void table_remove(struct table *table, uint64_t hash, struct table_slot *slot);

static inline void *table_slot_entry(const struct table_slot *slot)
{
    return (void *)(uintptr_t)(slot->word & ((UINT64_C(1) << 48) - 1));
}

// Puts another entry with the same key (moved or replaced) into the slot.
static inline void table_slot_set(struct table_slot *slot, const void *entry)
{
    slot->word = (slot->word & ~((UINT64_C(1) << 48) - 1)) | (uintptr_t)entry;
}

// The expiry class, 0 to 255, that its owner attached to the entry; 0 after insertion. It lies in
// the bucket's line and moves with the entry.
uint8_t table_slot_class(const struct table_slot *slot);
void table_slot_set_class(struct table_slot *slot, uint8_t expiry_class);

// Batch look-ups: first prefetch the buckets of many keys, then match tags and prefetch the entries
// they point at, then find. Hints only. table_prefetch_entry() returns false for the one key in ten
// whose entry does not lie in its home bucket: it has the next bucket fetched then, and for these
// keys, a little later, table_prefetch_displaced() goes on from there to the entry. Optional.
void table_prefetch_bucket(const struct table *table, uint64_t hash);
bool table_prefetch_entry(const struct table *table, uint64_t hash);
void table_prefetch_displaced(const struct table *table, uint64_t hash);

typedef void (*table_emit_fn)(void *entry, uint8_t expiry_class, void *udata);

// One step of a scan: emits the entries of the bucket at `cursor` (0 to start) and returns the next
// cursor, 0 at the end. The cursor is a position in hash order and below 2^48. Every entry that is
// in the table from the first step to the last is emitted at least once, whatever is inserted or
// removed between the steps. `emit` must not change the table.
uint64_t table_scan(const struct table *table, uint64_t cursor, table_emit_fn emit, void *udata);

// Walks all entries, in segment order; the table must not change meanwhile (replacing the entry in
// the slot last returned is allowed).
struct table_iter {
    const struct table *table;
    size_t dir_index;
    struct table_segment *segment;
    uint32_t slot;
};
void table_iter_init(struct table_iter *iter, const struct table *table);
struct table_slot *table_iter_next(struct table_iter *iter);

// A fair choice among all entries (rejection corrects for unequal segments), NULL if empty. A few
// random lines as a rule, O(segments) at worst.
struct table_slot *table_random(const struct table *table, struct random *random);

// Memory held by the table itself (segments, directory; not the entries), allocator-rounded.
size_t table_memory(const struct table *table);

// What DEBUG and benchmarks show.
struct table_stats {
    size_t segments;
    size_t chained_segments;
    size_t slots;
    size_t in_neighbour;
    size_t in_stash;
    uint8_t depth;
};
void table_stats(const struct table *table, struct table_stats *out);

// Verifies every invariant and ends the process with a message if one is broken; for tests. O(n).
void table_check(const struct table *table);

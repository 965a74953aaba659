// SPDX-License-Identifier: BSD-3-Clause
// How the table is built, and what its own files share.
//
// Workload. Millions of small entries, looked up by a keyed 64-bit hash; one command in a few
// hundred nanoseconds; growth, shrinking, a cursor and a fair random choice without a pause that a
// client could notice.
//
//   hash  |<-- depth d -->|<---------- 16-bit tag --------->|  rest  |      t = d here;
//         | same for all of the segment | useful bits: home bucket  |      t = d-1, d-2 or d-3 after
//                                                                          splits without key reads
//
//   table.dir (1 << depth pointers, indexed by the hash's top bits; depth 0: no directory)
//     [000] ---.
//     [001] ---+--> segment d=2 {buckets, count, nhome, nstash, d, t, chain}
//     [010] ------> segment d=3         |
//     ...                               v   64 bytes each, a cache line
//                     home 0 | home 1 | ... | home nhome-1 | stash 0 | ... | stash nstash-1
//
//   bucket:  | displaced | class x 7 | slot 0 | ... | slot 6 |    slot: tag << 48 | pointer, 0 empty
//
// Home. The tag holds the 16 hash bits from bit t on; its first d-t bits are the segment's prefix,
// the other r = 16-(d-t) are useful: home = useful * nhome >> r. This keeps the order of the
// hashes, so looking up, growing and SCAN agree, and it needs no power of two. r is 13 at least.
//
// Placing. Home bucket; the neighbour (home + 1, wrapping within the home buckets); the stash. The
// home's `displaced` byte counts those of its entries that are in the neighbour (3 bits, exact) and
// in the stash (5 bits; 31 stays until the next rebuild), so that a look-up or miss reads further
// lines only where they can matter. Equal tags have equal homes.
//
// Growing. A segment that has no place for an entry takes the next size of the ladder of totals:
// 1 to 8, then four steps a doubling up to 128 buckets, which are jemalloc's size classes, so
// nothing is lost in rounding. It is laid out anew from tags and pointers: no key is read.
//
// Splitting. A segment of 128 splits by its next hash bit into two, each of a size that fits its
// part (80 as a rule). Depth grows by one and the tags stay, until r would fall below 13: then the
// keys are hashed again, prefetched some entries ahead, and the tags begin at the new depth. That is
// every fourth split. If the segment is as deep as the directory, the directory doubles: a copy of
// pointers.
//
// Chaining. Splitting ends at depth log2(segments) + 4 (uniform hashes stay within + 2) and at 32:
// clustered or equal hashes must not blow up the directory. Beyond it a segment gets further ones of
// the same d and t chained to it, each with a size of its own. When splitting is allowed again the
// whole chain is distributed. An empty member leaves the chain; a chain that has become small is
// laid into one segment.
//
// Shrinking. A removal that leaves a segment below its `shrink_at` (45 % of its slots) merges it with
// its buddy if together they fill at most 60 % of 80 buckets, else lays it out in fewer buckets. Merging
// reads no keys either: the bits by which a tag must begin earlier are the segment's own prefix. The
// directory halves when no segment is as deep as it is.
//
// SCAN. The cursor is a position in hash order, 48 bits of it: depth + r <= 48. A step emits the
// entries of one home bucket, wherever they lie, from that position on, and returns where the next
// home begins. An entry's place in hash order never changes, so what is behind the cursor has been
// seen, whatever the segments do. After a merge tags are coarser: an entry of which they can't tell
// is emitted, maybe twice. Chain members, of other sizes, are read by the same range of tags.
//
// Random choice. A random directory index, refused unless it is its segment's first (so each
// segment is as likely as any other), then a random slot among those that the largest segment could have, refused if
// missing or empty: every entry has the same chance. After 256 refusals the choice is a rank and a
// walk over the segments' counts, which is as fair.
//
// Costs. Look-up: directory and segment (a few hundred KB at 10 M keys: L2), one bucket line and one
// entry; 1.1 to 1.2 bucket lines for a hit at 90 % load. 9.2 bytes a slot; 10 to 13 a key. Insert:
// the longest is a split with key reads, about 820 entries. One entry: 96 bytes.
//
// Rejected. One flat array with a boundary that moves (needs a reserved address range; its growth is
// table-wide). Linear probing (runs of 40 lines at this load). Child buckets hung on full ones (12.3
// bytes a key where this has 11). 8-bit tags (one miss in 40 reads an entry for nothing). Dash's
// "bucket version" counters (one thread writes here). A flat hash table's rehash, in steps or not.
//
// Invariants: table_check() is the list.
#pragma once

#include "ds/table_inl.h"

#define TABLE_MAX_TOTAL     128
#define TABLE_SEGMENT_SLOTS (TABLE_MAX_TOTAL * TABLE_BUCKET_SLOTS)
#define TABLE_MAX_DEPTH     32
#define TABLE_MAX_SLACK     4  // depth beyond log2(segments)
#define TABLE_MAX_USED_BITS 3  // 16 tag bits less at least 13 useful ones
#define TABLE_MERGE_COUNT   (80 * TABLE_BUCKET_SLOTS * 6 / 10)
#define TABLE_STASH_MAX     31  // the stash counter's sticky value
#define TABLE_BUILD_LOAD    80  // percent, of a segment after a split
#define TABLE_SHRINK_LOAD   70  // percent, of a segment after shrinking

// Slots taken out of a segment, on their way into another.
struct table_batch {
    uint32_t count;
    uint64_t words[TABLE_SEGMENT_SLOTS + 1];  // one more: gathering writes before it knows
    uint8_t classes[TABLE_SEGMENT_SLOTS + 1];
};

// A part of a batch.
struct table_items {
    const uint64_t *words;
    const uint8_t *classes;
    uint32_t count;
};

static inline unsigned table_in_neighbour(const struct table_bucket *bucket)
{
    return bucket->displaced & 7;
}

static inline unsigned table_in_stash(const struct table_bucket *bucket)
{
    return bucket->displaced >> 3;
}

static inline unsigned table_segment_total(const struct table_segment *segment)
{
    return (unsigned)segment->nhome + segment->nstash;
}

static inline unsigned table_neighbour(const struct table_segment *segment, unsigned home)
{
    return home + 1 == segment->nhome ? 0 : home + 1;
}

// The order in which a home's entries look for room in the stash.
static inline unsigned table_stash_first(const struct table_segment *segment, unsigned home)
{
    unsigned first = home / TABLE_HOMES_PER_STASH;
    return segment->nhome + (first < segment->nstash ? first : 0U);
}

static inline unsigned table_stash_next(const struct table_segment *segment, unsigned index)
{
    return index + 1 == table_segment_total(segment) ? segment->nhome : index + 1;
}

static inline unsigned table_useful_bits(const struct table_segment *segment)
{
    return 16U - (segment->depth - segment->tag_depth);
}

// The segment, or head of a chain, that holds this hash; NULL in a table without memory.
static inline struct table_segment *table_segment_of(const struct table *table, uint64_t hash)
{
    return table_ref_of(table, hash)->segment;
}

// What the directory says of the segment.
static inline uint64_t table_segment_layout(const struct table_segment *segment)
{
    return (uint64_t)segment->nhome << 56 | (segment->chain != NULL ? TABLE_LAYOUT_CHAINED : 0) |
           (uint64_t)(segment->depth - segment->tag_depth) << 48 | (uintptr_t)segment->buckets |
           segment->tag_depth;
}

static inline uint16_t table_segment_tag(const struct table_segment *segment, uint64_t hash)
{
    return (uint16_t)((hash << segment->tag_depth) >> 48);
}

static inline unsigned table_segment_home(const struct table_segment *segment, uint16_t tag)
{
    uint16_t useful = (uint16_t)(tag << (segment->depth - segment->tag_depth));
    return (uint32_t)useful * segment->nhome >> 16;
}

// Where in hash order the next segment begins, 0 after the last one; `hash` is in this segment.
static inline uint64_t table_segment_end(const struct table_segment *segment, uint64_t hash)
{
    unsigned shift = 63U - segment->depth;  // one less: depth 0 would shift by 64
    return ((hash >> shift >> 1) + 1) << shift << 1;
}

// table_segment.c: one segment.

// The smallest total of buckets that `count` entries load to at most `percent`; 128 if none does.
unsigned table_total_for(uint32_t count, unsigned percent);

// An empty segment without buckets, or NULL.
struct table_segment *table_segment_new(struct table *table, uint8_t depth, uint8_t tag_depth);
void table_segment_free(struct table *table, struct table_segment *segment);

// Gives `segment` a new array of at least `total` buckets that holds `items`, in place of the one
// it has. STATUS_FULL if they fit no size; on failure the segment is as it was.
MUST_CHECK enum status table_segment_lay(struct table *table, struct table_segment *segment,
                                         struct table_items items, unsigned total);

// Appends the segment's entries to the batch, which has room.
void table_segment_gather(const struct table_segment *segment, struct table_batch *batch);

// Lays the segment out anew in an array of at least `total` buckets; fails as table_segment_lay().
MUST_CHECK enum status table_segment_resize(struct table *table, struct table_segment *segment,
                                            unsigned total);

// Gives the entries of a batch the tags that begin at this depth. Reads their keys.
void table_batch_retag(const struct table *table, struct table_batch *batch, unsigned tag_depth);

// Lays the segment out in a larger array, with fresh tags if they are nearly used up and the caller
// allows it (not in a chain). STATUS_FULL if it is the largest or no larger one fits.
MUST_CHECK enum status table_segment_grow(struct table *table, struct table_segment *segment,
                                          bool may_retag);

// Lays a sparse segment out in a smaller array, if that can be done.
void table_segment_shrink(struct table *table, struct table_segment *segment);

// Puts {tag, pointer} into the segment; NULL if there is no place.
struct table_slot *table_segment_place(struct table_segment *segment, uint64_t word);

// How many entries of this bucket have this home.
unsigned table_segment_count_home(const struct table_segment *segment,
                                  const struct table_bucket *bucket, unsigned home);

// Empties the slot, which is in this segment.
void table_segment_clear(struct table_segment *segment, struct table_slot *slot);

// table_directory.c: segments among themselves.

// Whether the segment may become two.
bool table_can_split(const struct table *table, const struct table_segment *segment);

// Makes the directory say of the segment at this hash what it is now.
void table_publish(struct table *table, uint64_t hash, struct table_segment *segment);

// Splits the segment, with its chain, at this hash. On STATUS_NOMEM nothing has changed.
MUST_CHECK enum status table_split(struct table *table, uint64_t hash);

// Chains an empty segment to this one.
MUST_CHECK enum status table_chain_append(struct table *table, struct table_segment *segment);

// Gives a table without memory its first segment.
MUST_CHECK enum status table_first_segment(struct table *table);

// Frees all segments and the directory; the caller resets the fields.
void table_free_segments(struct table *table);

// Makes the table smaller where an entry with this hash was removed from `segment`.
void table_shrink(struct table *table, uint64_t hash, struct table_segment *segment);

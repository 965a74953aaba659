// SPDX-License-Identifier: BSD-3-Clause
// What the table's own files share; table.c explains how the table is built.
#pragma once

#include "ds/table_due.h"
#include "ds/table_inl.h"

#define TABLE_MAX_TOTAL     128
#define TABLE_SEGMENT_SLOTS (TABLE_MAX_TOTAL * TABLE_BUCKET_SLOTS)
#define TABLE_MAX_DEPTH     32
#define TABLE_MAX_SLACK     4  // depth beyond log2(segments)
#define TABLE_MAX_USED_BITS 2  // 16 tag bits less at least 13 useful ones
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

// The lesser due of two segments.
static inline int64_t table_earlier_due(const struct table_segment *a,
                                        const struct table_segment *b)
{
    return a->due < b->due ? a->due : b->due;
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

// Takes a small part of the work off the next doubling of the directory.
void table_prepare_directory(struct table *table);

// Frees all segments and the directory; the caller resets the fields.
void table_free_segments(struct table *table);

// Frees the directory alone.
void table_free_directory(struct table *table);

// Makes the table smaller where an entry with this hash was removed from `segment`.
void table_shrink(struct table *table, uint64_t hash, struct table_segment *segment);

// SPDX-License-Identifier: BSD-3-Clause
// The table's hot path, inlined into its callers: the bucket, finding, prefetching, slot classes.
//
// Include it where a look-up's match function is known at compile time; others use table.h. The
// layout is explained in table.c.
#pragma once

#include "base/panic.h"
#include "ds/table.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define TABLE_BUCKET_SLOTS    7
#define TABLE_HOMES_PER_STASH 16  // stash bucket i is the first choice of homes 16 i to 16 i + 15

// One cache line.
struct table_bucket {
    uint8_t displaced;  // entries with this home that lie elsewhere: stash << 3 | neighbour
    uint8_t classes[TABLE_BUCKET_SLOTS];
    struct table_slot slots[TABLE_BUCKET_SLOTS];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct table_bucket) == 64, "a bucket is one cache line");

struct table_segment {
    struct table_bucket *buckets;  // nhome home buckets, then nstash stash buckets
    struct table_segment *chain;   // the next segment with the same hash prefix, or NULL
    int64_t due;                   // of the head of a chain: no entry of the chain is due before
    uint16_t count;                // entries in this segment alone
    uint16_t shrink_at;            // a removal that leaves fewer entries tries to shrink
    uint8_t nhome;
    uint8_t nstash;
    uint8_t depth;      // leading hash bits that all its entries share
    uint8_t tag_depth;  // hash bit at which the tags begin: depth - 2 .. depth
};

_Static_assert(sizeof(struct table_segment) <= 32, "two segments a cache line");

typedef bool (*table_match_fn)(const void *entry, const void *key);

// The slots (bit 0 to 6) whose tag is `tag`; for tag 0 empty slots too.
static inline unsigned table_bucket_match(const struct table_bucket *bucket, uint16_t tag)
{
#ifdef __SSE2__
    // The upper halves of all eight words (the first is no slot), then their upper 16 bits.
    const __m128i *words = (const __m128i *)bucket;
    __m128 w01 = _mm_castsi128_ps(_mm_load_si128(words));
    __m128 w23 = _mm_castsi128_ps(_mm_load_si128(words + 1));
    __m128 w45 = _mm_castsi128_ps(_mm_load_si128(words + 2));
    __m128 w67 = _mm_castsi128_ps(_mm_load_si128(words + 3));
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(w01, w23, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i high = _mm_castps_si128(_mm_shuffle_ps(w45, w67, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i tags = _mm_packs_epi32(_mm_srai_epi32(low, 16), _mm_srai_epi32(high, 16));
    __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) >> 1;
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        mask |= (unsigned)(bucket->slots[i].word >> 48 == tag) << i;
    }
    return mask;
#endif
}

// A layout, from the top: 8 bits nhome, 5 unused, 1 whether there is a chain, 2 depth - tag_depth,
// 42 the buckets' address (its lower 6 bits are 0), 6 tag_depth.
#define TABLE_LAYOUT_CHAINED (UINT64_C(1) << 50)
#define TABLE_LAYOUT_BUCKETS UINT64_C(0x0000ffffffffffc0)

static inline struct table_bucket *table_layout_buckets(uint64_t layout)
{
    return (struct table_bucket *)(uintptr_t)(layout & TABLE_LAYOUT_BUCKETS);
}

static inline uint16_t table_layout_tag(uint64_t layout, uint64_t hash)
{
    return (uint16_t)((hash << (layout & 63)) >> 48);
}

// The home bucket of a tag: its bits behind the segment's prefix, scaled to the number of buckets.
static inline unsigned table_layout_home(uint64_t layout, uint16_t tag)
{
    uint16_t useful = (uint16_t)(tag << (layout >> 48 & 3));
    return useful * (unsigned)(layout >> 56) >> 16;
}

// The directory's entry for this hash; its segment is NULL in a table without memory.
static inline const struct table_ref *table_ref_of(const struct table *table, uint64_t hash)
{
    return table->depth == 0 ? &table->only : &table->dir[hash >> (64 - table->depth)];
}

// Looks into what lies behind the home bucket of `tag`: its neighbour, the stash, the chain.
struct table_slot *table_find_displaced(const struct table_segment *segment, uint16_t tag,
                                        const void *key, table_match_fn match);

static inline __attribute__((always_inline)) struct table_slot *table_bucket_find(
    struct table_bucket *bucket, uint16_t tag, const void *key,
    bool (*match)(const void *entry, const void *key))
{
    for (unsigned mask = table_bucket_match(bucket, tag); mask != 0; mask &= mask - 1) {
        struct table_slot *slot = &bucket->slots[__builtin_ctz(mask)];
        const void *entry = table_slot_entry(slot);
        if (likely(entry != NULL) && likely(match(entry, key))) {
            return slot;
        }
    }
    return NULL;
}

// As table_find(), with the match function inlined.
static inline __attribute__((always_inline)) struct table_slot *table_find_inl(
    const struct table *table, uint64_t hash, const void *key,
    bool (*match)(const void *entry, const void *key))
{
    if (unlikely(table->count == 0)) {
        return NULL;
    }
    const struct table_ref *ref = table_ref_of(table, hash);
    uint64_t layout = ref->layout;
    uint16_t tag = table_layout_tag(layout, hash);
    struct table_bucket *bucket = table_layout_buckets(layout) + table_layout_home(layout, tag);
    struct table_slot *slot = table_bucket_find(bucket, tag, key, match);
    if (slot != NULL) {
        return slot;
    }
    if (likely((bucket->displaced | (layout & TABLE_LAYOUT_CHAINED)) == 0)) {
        return NULL;
    }
    return table_find_displaced(ref->segment, tag, key, match);
}

// gcc takes a function that only prefetches for one without effects, and drops calls of it: the
// empty asm statement is the effect.
static inline void table_prefetch_line(const void *line)
{
    __builtin_prefetch(line);
    __asm__ volatile("");
}

// As table_prefetch_bucket().
static inline void table_prefetch_bucket_inl(const struct table *table, uint64_t hash)
{
    if (likely(table->count != 0)) {
        uint64_t layout = table_ref_of(table, hash)->layout;
        uint16_t tag = table_layout_tag(layout, hash);
        table_prefetch_line(table_layout_buckets(layout) + table_layout_home(layout, tag));
    }
}

// As table_prefetch_entry().
static inline bool table_prefetch_entry_inl(const struct table *table, uint64_t hash)
{
    if (unlikely(table->count == 0)) {
        return true;
    }
    uint64_t layout = table_ref_of(table, hash)->layout;
    uint16_t tag = table_layout_tag(layout, hash);
    unsigned home = table_layout_home(layout, tag);
    const struct table_bucket *buckets = table_layout_buckets(layout);
    unsigned mask = table_bucket_match(&buckets[home], tag);
    unsigned displaced = buckets[home].displaced;
    if (likely(mask != 0)) {
        // Two lines: an entry with a value of some length begins in one and ends in the next.
        const char *entry = table_slot_entry(&buckets[home].slots[__builtin_ctz(mask)]);
        table_prefetch_line(entry);
        table_prefetch_line(entry + 64);
        return true;
    }
    if (likely(displaced == 0)) {
        return (layout & TABLE_LAYOUT_CHAINED) == 0;
    }
    // Not always where it is (the neighbour may wrap, the stash bucket be full), but as a rule.
    unsigned stash = (unsigned)(layout >> 56) + home / TABLE_HOMES_PER_STASH;
    table_prefetch_line(&buckets[displaced > 7 ? stash : home + 1]);
    if ((displaced & 7) != 0) {
        table_prefetch_line(&buckets[home + 1]);
    }
    return false;
}

static inline struct table_bucket *table_slot_bucket(const struct table_slot *slot)
{
    return (struct table_bucket *)((char *)slot - ((uintptr_t)slot & 63));
}

// As table_slot_class() and table_slot_set_class().
static inline uint8_t table_slot_class_inl(const struct table_slot *slot)
{
    const struct table_bucket *bucket = table_slot_bucket(slot);
    return bucket->classes[slot - bucket->slots];
}

static inline void table_slot_set_class_inl(struct table_slot *slot, uint8_t expiry_class)
{
    struct table_bucket *bucket = table_slot_bucket(slot);
    bucket->classes[slot - bucket->slots] = expiry_class;
}

// SPDX-License-Identifier: BSD-3-Clause
// One segment of the table: its array of buckets, where entries go in it, and how it changes size.
#include "ds/table_internal.h"

#include "base/memory.h"

#include <string.h>

#define BUCKET_ALIGN   64
#define HASH_LOOKAHEAD 32  // entries: about what hashes in the time of a read from memory

// Totals of buckets: jemalloc's size classes.
static const uint8_t ladder[] = { 1,  2,  3,  4,  5,  6,  7,  8,  10, 12, 14,  16,
                                  20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128 };

#define LADDER_STEPS (sizeof(ladder) / sizeof(ladder[0]))

// Where entries go while a new array is filled: buckets fill from slot 0 on, without holes.
struct layout {
    struct table_segment *segment;
    struct table_items items;
    uint8_t fill[TABLE_MAX_TOTAL];
    uint16_t rest[TABLE_SEGMENT_SLOTS];  // items that found their home full
    uint32_t nrest;
};

unsigned table_total_for(uint32_t count, unsigned percent)
{
    for (size_t i = 0; i < LADDER_STEPS; i++) {
        if (count * 100 <= ladder[i] * TABLE_BUCKET_SLOTS * percent) {
            return ladder[i];
        }
    }
    return TABLE_MAX_TOTAL;
}

static unsigned ladder_next(unsigned total)
{
    size_t i = 0;
    while (ladder[i] <= total) {
        i++;
    }
    return ladder[i];
}

struct table_segment *table_segment_new(struct table *table, uint8_t depth, uint8_t tag_depth)
{
    struct table_segment *segment = mem_try_alloc(sizeof(*segment));
    if (segment != NULL) {
        *segment = (struct table_segment){ .due = TABLE_DUE_NEVER,
                                           .depth = depth,
                                           .tag_depth = tag_depth };
        table->memory += mem_good_size(sizeof(*segment));
    }
    return segment;
}

static void buckets_free(struct table *table, const struct table_segment *segment)
{
    size_t size = table_segment_total(segment) * sizeof(struct table_bucket);
    if (segment->buckets != NULL) {
        mem_free_aligned(segment->buckets, size, BUCKET_ALIGN);
        table->memory -= mem_good_size(size);
    }
}

void table_segment_free(struct table *table, struct table_segment *segment)
{
    buckets_free(table, segment);
    mem_free(segment, sizeof(*segment));
    table->memory -= mem_good_size(sizeof(*segment));
}

static bool buckets_alloc(struct table *table, struct table_segment *segment, unsigned total)
{
    size_t size = total * sizeof(struct table_bucket);
    segment->buckets = mem_try_alloc_aligned(size, BUCKET_ALIGN);
    if (segment->buckets == NULL) {
        return false;
    }
    memset(segment->buckets, 0, size);
    table->memory += mem_good_size(size);
    segment->nstash = (uint8_t)(total < 8 ? 0 : (total + 8) / 16);
    segment->nhome = (uint8_t)(total - segment->nstash);
    segment->count = 0;
    segment->shrink_at = (uint16_t)(total == 1 ? 1 : total * TABLE_BUCKET_SLOTS * 45 / 100);
    return true;
}

static void layout_put(struct layout *layout, unsigned index, uint32_t item)
{
    struct table_bucket *bucket = &layout->segment->buckets[index];
    unsigned slot = layout->fill[index]++;
    bucket->slots[slot].word = layout->items.words[item];
    bucket->classes[slot] = layout->items.classes[item];
}

// All entries whose home has room. Doing these first keeps displaced ones from displacing others.
static void layout_homes(struct layout *layout)
{
    const struct table_items *items = &layout->items;
    for (uint32_t i = 0; i < items->count; i++) {
        unsigned home = table_segment_home(layout->segment, (uint16_t)(items->words[i] >> 48));
        if (layout->fill[home] < TABLE_BUCKET_SLOTS) {
            layout_put(layout, home, i);
        } else {
            layout->rest[layout->nrest++] = (uint16_t)i;
        }
    }
}

static void stash_count_up(struct table_bucket *home)
{
    if (table_in_stash(home) < TABLE_STASH_MAX) {
        home->displaced = (uint8_t)(home->displaced + (1 << 3));
    }
}

// A full counter may stand for more, so it stays.
static void stash_count_down(struct table_bucket *home)
{
    if (table_in_stash(home) < TABLE_STASH_MAX) {
        home->displaced = (uint8_t)(home->displaced - (1 << 3));
    }
}

// A stash bucket with room for an entry of this home; 0, which is none, if there is none.
static unsigned layout_stash(const struct layout *layout, unsigned home)
{
    const struct table_segment *segment = layout->segment;
    unsigned index = table_stash_first(segment, home);
    for (unsigned i = 0; i < segment->nstash; i++, index = table_stash_next(segment, index)) {
        if (layout->fill[index] < TABLE_BUCKET_SLOTS) {
            return index;
        }
    }
    return 0;
}

// The others: neighbour or stash. False if one fits nowhere.
static bool layout_rest(struct layout *layout)
{
    struct table_segment *segment = layout->segment;
    for (uint32_t i = 0; i < layout->nrest; i++) {
        uint32_t item = layout->rest[i];
        uint16_t tag = (uint16_t)(layout->items.words[item] >> 48);
        unsigned home = table_segment_home(segment, tag);
        unsigned neighbour = table_neighbour(segment, home);
        if (layout->fill[neighbour] < TABLE_BUCKET_SLOTS) {
            layout_put(layout, neighbour, item);
            segment->buckets[home].displaced++;
            continue;
        }
        unsigned stash = layout_stash(layout, home);
        if (stash == 0) {
            return false;
        }
        layout_put(layout, stash, item);
        stash_count_up(&segment->buckets[home]);
    }
    return true;
}

// Fills a new array of exactly `total` buckets.
static enum status lay_exactly(struct table *table, struct table_segment *segment,
                               struct table_items items, unsigned total)
{
    struct table_segment laid = *segment;
    if (!buckets_alloc(table, &laid, total)) {
        return STATUS_NOMEM;
    }
    struct layout layout;
    layout.segment = &laid;
    layout.items = items;
    layout.nrest = 0;
    memset(layout.fill, 0, sizeof(layout.fill));
    layout_homes(&layout);
    if (!layout_rest(&layout)) {
        buckets_free(table, &laid);
        return STATUS_FULL;
    }
    laid.count = (uint16_t)items.count;
    buckets_free(table, segment);
    *segment = laid;
    return STATUS_OK;
}

enum status table_segment_lay(struct table *table, struct table_segment *segment,
                              struct table_items items, unsigned total)
{
    enum status status = STATUS_FULL;
    while (items.count <= TABLE_SEGMENT_SLOTS) {
        status = lay_exactly(table, segment, items, total);
        if (status != STATUS_FULL || total == TABLE_MAX_TOTAL) {
            break;
        }
        total = ladder_next(total);
    }
    return status;
}

void table_segment_gather(const struct table_segment *segment, struct table_batch *batch)
{
    uint32_t count = batch->count;
    const struct table_bucket *end = segment->buckets + table_segment_total(segment);
    for (const struct table_bucket *bucket = segment->buckets; bucket < end; bucket++) {
        for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
            batch->words[count] = bucket->slots[i].word;
            batch->classes[count] = bucket->classes[i];
            count += bucket->slots[i].word != 0;
        }
    }
    batch->count = count;
}

enum status table_segment_resize(struct table *table, struct table_segment *segment, unsigned total)
{
    struct table_batch batch;
    batch.count = 0;
    table_segment_gather(segment, &batch);
    struct table_items items = { batch.words, batch.classes, batch.count };
    return table_segment_lay(table, segment, items, total);
}

void table_batch_retag(const struct table *table, struct table_batch *batch, unsigned tag_depth)
{
    for (uint32_t ahead = 0; ahead < batch->count + HASH_LOOKAHEAD; ahead++) {
        if (ahead < batch->count) {
            struct table_slot slot = { batch->words[ahead] };
            table_prefetch_line(table_slot_entry(&slot));
        }
        if (ahead >= HASH_LOOKAHEAD) {
            uint64_t *word = &batch->words[ahead - HASH_LOOKAHEAD];
            struct table_slot slot = { *word };
            void *entry = table_slot_entry(&slot);
            uint64_t hash = table->ops->hash(entry);
            *word = (hash << tag_depth) >> 48 << 48 | (uintptr_t)entry;
        }
    }
}

enum status table_segment_grow(struct table *table, struct table_segment *segment, bool may_retag)
{
    unsigned total = table_segment_total(segment);
    if (total == TABLE_MAX_TOTAL) {
        return STATUS_FULL;
    }
    struct table_segment grown = *segment;
    struct table_batch batch;
    batch.count = 0;
    table_segment_gather(segment, &batch);
    if (may_retag && segment->depth - segment->tag_depth == TABLE_MAX_USED_BITS) {
        // The next split would have to read the keys, of twice as many entries.
        grown.tag_depth = segment->depth;
        table_batch_retag(table, &batch, grown.tag_depth);
    }
    struct table_items items = { batch.words, batch.classes, batch.count };
    enum status status = table_segment_lay(table, &grown, items, ladder_next(total));
    if (status == STATUS_OK) {
        *segment = grown;
    }
    return status;
}

void table_segment_shrink(struct table *table, struct table_segment *segment)
{
    unsigned before = table_segment_total(segment);
    unsigned total = table_total_for(segment->count, TABLE_SHRINK_LOAD);
    if (total >= before) {
        return;
    }
    // Clustered tags may need as many buckets as there were. Then, or without memory, it is tried
    // again only when a good part has gone.
    if (table_segment_resize(table, segment, total) != STATUS_OK ||
        table_segment_total(segment) >= before) {
        segment->shrink_at = (uint16_t)(segment->count * 3 / 4 + 1);
    }
}

// The number of the bucket's first free slot, TABLE_BUCKET_SLOTS if there is none.
static unsigned first_free(const struct table_bucket *bucket)
{
#ifdef __SSE2__
    // Two bits a word, one for each half that is zero; a slot is free if both are. Word 0 is none.
    const __m128i *words = (const __m128i *)bucket;
    __m128i zero = _mm_setzero_si128();
    __m128i w01 = _mm_cmpeq_epi32(_mm_load_si128(words), zero);
    __m128i w23 = _mm_cmpeq_epi32(_mm_load_si128(words + 1), zero);
    __m128i w45 = _mm_cmpeq_epi32(_mm_load_si128(words + 2), zero);
    __m128i w67 = _mm_cmpeq_epi32(_mm_load_si128(words + 3), zero);
    __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(w01, w23), _mm_packs_epi32(w45, w67));
    unsigned halves = (unsigned)_mm_movemask_epi8(bytes);
    unsigned end = 1U << (2 * (TABLE_BUCKET_SLOTS + 1));
    unsigned free_words = (halves & halves >> 1 & 0x5554) | end;
    return (unsigned)__builtin_ctz(free_words) / 2 - 1;
#else
    unsigned i = 0;
    while (i < TABLE_BUCKET_SLOTS && bucket->slots[i].word != 0) {
        i++;
    }
    return i;
#endif
}

// Finds room outside of the home bucket, and counts the entry as displaced. Returns the number of
// the slot, as first_free() does.
static unsigned displace(struct table_segment *segment, unsigned home, struct table_bucket **bucket)
{
    *bucket = &segment->buckets[table_neighbour(segment, home)];
    unsigned slot = first_free(*bucket);
    if (slot < TABLE_BUCKET_SLOTS) {
        segment->buckets[home].displaced++;
        return slot;
    }
    unsigned index = table_stash_first(segment, home);
    for (unsigned i = 0; i < segment->nstash; i++, index = table_stash_next(segment, index)) {
        *bucket = &segment->buckets[index];
        slot = first_free(*bucket);
        if (slot < TABLE_BUCKET_SLOTS) {
            stash_count_up(&segment->buckets[home]);
            return slot;
        }
    }
    return TABLE_BUCKET_SLOTS;
}

struct table_slot *table_segment_place(struct table_segment *segment, uint64_t word)
{
    unsigned home = table_segment_home(segment, (uint16_t)(word >> 48));
    struct table_bucket *bucket = &segment->buckets[home];
    unsigned slot = first_free(bucket);
    if (slot == TABLE_BUCKET_SLOTS) {
        slot = displace(segment, home, &bucket);
    }
    if (slot == TABLE_BUCKET_SLOTS) {
        return NULL;
    }
    bucket->slots[slot].word = word;
    segment->count++;
    return &bucket->slots[slot];
}

unsigned table_segment_count_home(const struct table_segment *segment,
                                  const struct table_bucket *bucket, unsigned home)
{
    unsigned count = 0;
    for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        uint64_t word = bucket->slots[i].word;
        count += word != 0 && table_segment_home(segment, (uint16_t)(word >> 48)) == home;
    }
    return count;
}

// Moves an entry with this home from `bucket` into the free slot `to`, and returns the slot that it
// leaves; NULL if there is no such entry.
static struct table_slot *pull(const struct table_segment *segment, struct table_bucket *bucket,
                               unsigned home, struct table_slot *to)
{
    for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
        struct table_slot *from = &bucket->slots[i];
        if (from->word != 0 && table_segment_home(segment, (uint16_t)(from->word >> 48)) == home) {
            *to = *from;
            table_slot_set_class_inl(to, bucket->classes[i]);
            bucket->classes[i] = 0;
            from->word = 0;
            return from;
        }
    }
    return NULL;
}

static bool pull_from_stash(struct table_segment *segment, unsigned home, struct table_slot *to)
{
    unsigned index = table_stash_first(segment, home);
    for (unsigned i = 0; i < segment->nstash; i++, index = table_stash_next(segment, index)) {
        if (pull(segment, &segment->buckets[index], home, to) != NULL) {
            stash_count_down(&segment->buckets[home]);
            return true;
        }
    }
    return false;
}

// Brings an entry of this home back into the slot that has become free there, and one of the
// neighbour's into the slot that this leaves, and so on. Without it, entries that come and go leave
// ever more displaced ones behind, and the segment grows to make room for them.
static void refill(struct table_segment *segment, unsigned home, struct table_slot *slot)
{
    struct table_bucket *bucket = &segment->buckets[home];
    while (bucket->displaced != 0) {
        if (table_in_stash(bucket) > 0 && pull_from_stash(segment, home, slot)) {
            return;
        }
        if (table_in_neighbour(bucket) == 0) {
            return;
        }
        unsigned neighbour = table_neighbour(segment, home);
        slot = pull(segment, &segment->buckets[neighbour], home, slot);
        ASSERT(slot != NULL);
        bucket->displaced--;
        home = neighbour;
        bucket = &segment->buckets[home];
    }
}

void table_segment_clear(struct table_segment *segment, struct table_slot *slot)
{
    unsigned index = (unsigned)(table_slot_bucket(slot) - segment->buckets);
    unsigned home = table_segment_home(segment, (uint16_t)(slot->word >> 48));
    struct table_bucket *bucket = &segment->buckets[home];
    if (index >= segment->nhome) {
        stash_count_down(bucket);
    } else if (index != home) {
        bucket->displaced--;
    }
    table_slot_set_class_inl(slot, 0);
    slot->word = 0;
    segment->count--;
    if (index < segment->nhome) {
        refill(segment, index, slot);
    }
}

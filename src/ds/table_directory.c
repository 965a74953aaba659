// SPDX-License-Identifier: BSD-3-Clause
// The table's segments among themselves: splitting, chaining, merging, and the directory over them.
#include "ds/table_internal.h"

#include "base/memory.h"

#include <string.h>

#define PAGE_SIZE      4096
#define PREPARED_PAGES 8  // smaller directories are not worth preparing

// A segment, or chain, on its way into two.
struct split {
    struct table *table;
    uint8_t depth;  // of the halves
    uint8_t tag_depth;
    bool retag;
    struct table_segment *chains[2];
    struct table_batch batches[2];
};

static uint32_t chain_length(const struct table_segment *segment)
{
    uint32_t length = 0;
    for (; segment != NULL; segment = segment->chain) {
        length++;
    }
    return length;
}

static void chain_free(struct table *table, struct table_segment *segment)
{
    while (segment != NULL) {
        struct table_segment *next = segment->chain;
        table_segment_free(table, segment);
        segment = next;
    }
}

// Lays items into one more segment of the chain, or into several if one can't take them.
static enum status chain_lay(struct table *table, struct table_segment **chain, uint8_t depth,
                             uint8_t tag_depth, struct table_items items)
{
    do {
        struct table_segment *segment = table_segment_new(table, depth, tag_depth);
        if (segment == NULL) {
            return STATUS_NOMEM;
        }
        struct table_items part = items;
        enum status status;
        do {
            unsigned total = table_total_for(part.count, TABLE_BUILD_LOAD);
            status = table_segment_lay(table, segment, part, total);
        } while (status == STATUS_FULL && (part.count /= 2) > 0);
        if (status != STATUS_OK) {
            table_segment_free(table, segment);
            return status;
        }
        segment->chain = *chain;
        *chain = segment;
        items.count -= part.count;
        // Where there are none, the arrays may be missing too.
        if (items.count == 0)
            return STATUS_OK;
        items.words += part.count;
        items.classes += part.count;
    } while (true);
}

void table_publish(struct table *table, uint64_t hash, struct table_segment *segment)
{
    struct table_ref ref = { table_segment_layout(segment), segment };
    if (table->depth == 0) {
        table->only = ref;
        return;
    }
    size_t span = (size_t)1 << (table->depth - segment->depth);
    size_t first = (size_t)(hash >> (64 - table->depth)) & ~(span - 1);
    for (size_t i = 0; i < span; i++) {
        table->dir[first + i] = ref;
    }
}

static struct table_ref *directory_alloc(struct table *table, unsigned depth)
{
    size_t size = sizeof(struct table_ref) << depth;
    struct table_ref *dir = mem_try_alloc(size);
    if (dir != NULL) {
        table->memory += mem_good_size(size);
    }
    return dir;
}

static void directory_free(struct table *table, struct table_ref *dir, unsigned depth)
{
    size_t size = sizeof(struct table_ref) << depth;
    mem_free(dir, size);
    table->memory -= mem_good_size(size);
}

static void next_directory_free(struct table *table)
{
    if (table->next != NULL) {
        directory_free(table, table->next, table->depth + 1U);
    }
    table->next = NULL;
    table->next_pages = 0;
}

void table_prepare_directory(struct table *table)
{
    size_t pages = (sizeof(struct table_ref) << table->depth) * 2 / PAGE_SIZE;
    if (pages < PREPARED_PAGES || table->next_pages == pages || table->next_pages == UINT16_MAX) {
        return;
    }
    if (table->next == NULL) {
        table->next = directory_alloc(table, table->depth + 1U);
    }
    if (table->next != NULL) {
        memset((char *)table->next + (size_t)table->next_pages * PAGE_SIZE, 0, PAGE_SIZE);
        table->next_pages++;
    }
}

static enum status directory_double(struct table *table)
{
    struct table_ref only = table->only;
    bool prepared = table->depth > 0 && table->next != NULL;
    struct table_ref *dir = prepared ? table->next : directory_alloc(table, table->depth + 1U);
    if (dir == NULL) {
        return STATUS_NOMEM;
    }
    if (table->depth == 0) {
        dir[0] = dir[1] = only;
    } else {
        for (size_t i = 0; i < (size_t)1 << table->depth; i++) {
            dir[2 * i] = dir[2 * i + 1] = table->dir[i];
        }
        directory_free(table, table->dir, table->depth);
    }
    table->dir = dir;
    table->next = NULL;
    table->next_pages = 0;
    table->depth++;
    table->at_depth = 0;
    return STATUS_OK;
}

static bool directory_halve(struct table *table)
{
    struct table_ref *old = table->dir;
    unsigned depth = table->depth - 1U;
    next_directory_free(table);
    if (depth == 0) {
        table->only = old[0];
        table->at_depth = 1;
    } else {
        struct table_ref *dir = directory_alloc(table, depth);
        if (dir == NULL) {
            return false;
        }
        // A segment is as deep as the directory if its buddy is another one.
        for (size_t i = 0; i < (size_t)1 << depth; i += 2) {
            dir[i] = old[2 * i];
            dir[i + 1] = old[2 * i + 2];
            table->at_depth += dir[i].segment != dir[i + 1].segment ? 2 : 0;
        }
        table->dir = dir;
    }
    directory_free(table, old, table->depth);
    table->depth = (uint8_t)depth;
    return true;
}

enum status table_first_segment(struct table *table)
{
    struct table_items none = { NULL, NULL, 0 };
    struct table_segment *segment = NULL;
    enum status status = chain_lay(table, &segment, 0, 0, none);
    if (status == STATUS_OK) {
        table_publish(table, 0, segment);
        table->segments = 1;
        table->at_depth = 1;
    }
    return status;
}

void table_free_directory(struct table *table)
{
    if (table->depth > 0) {
        next_directory_free(table);
        directory_free(table, table->dir, table->depth);
    }
}

void table_free_segments(struct table *table)
{
    if (table->segments == 0) {
        return;
    }
    uint64_t hash = 0;
    do {
        struct table_segment *head = table_segment_of(table, hash);
        hash = table_segment_end(head, hash);
        chain_free(table, head);
    } while (hash != 0);
    table_free_directory(table);
}

bool table_can_split(const struct table *table, const struct table_segment *segment)
{
    unsigned log2_segments = 31U - (unsigned)__builtin_clz(table->segments);
    return segment->depth < log2_segments + TABLE_MAX_SLACK && segment->depth < TABLE_MAX_DEPTH;
}

static enum status split_flush(struct split *split, unsigned half)
{
    struct table_batch *batch = &split->batches[half];
    struct table_items items = { batch->words, batch->classes, batch->count };
    batch->count = 0;
    return chain_lay(split->table, &split->chains[half], split->depth, split->tag_depth, items);
}

static enum status split_put(struct split *split, unsigned half, uint64_t word, uint8_t class)
{
    struct table_batch *batch = &split->batches[half];
    batch->words[batch->count] = word;
    batch->classes[batch->count] = class;
    batch->count++;
    return batch->count == TABLE_SEGMENT_SLOTS ? split_flush(split, half) : STATUS_OK;
}

static enum status split_member(struct split *split, const struct table_segment *segment)
{
    struct table_batch batch;
    uint8_t halves[TABLE_SEGMENT_SLOTS];
    unsigned bit = 63U - (segment->depth - segment->tag_depth);
    batch.count = 0;
    table_segment_gather(segment, &batch);
    for (uint32_t i = 0; i < batch.count; i++) {
        halves[i] = (batch.words[i] >> bit) & 1;
    }
    if (split->retag) {
        table_batch_retag(split->table, &batch, split->tag_depth);
    }
    for (uint32_t i = 0; i < batch.count; i++) {
        enum status status = split_put(split, halves[i], batch.words[i], batch.classes[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

// Makes both halves, as yet outside of the table.
static enum status split_halves(struct split *split, const struct table_segment *segment)
{
    for (; segment != NULL; segment = segment->chain) {
        enum status status = split_member(split, segment);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (unsigned half = 0; half < 2; half++) {
        if (split->batches[half].count > 0 || split->chains[half] == NULL) {
            enum status status = split_flush(split, half);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

// Puts the halves in the place of `old`, whose depth is below the directory's.
static void split_commit(struct split *split, struct table_segment *old, uint64_t hash)
{
    struct table *table = split->table;
    uint64_t bit = UINT64_C(1) << (64 - split->depth);
    split->chains[0]->due = split->chains[1]->due = old->due;
    table_publish(table, hash & ~bit, split->chains[0]);
    table_publish(table, hash | bit, split->chains[1]);
    table->segments++;
    table->chained += chain_length(split->chains[0]) + chain_length(split->chains[1]) - 1;
    table->chained -= chain_length(old);
    table->at_depth += split->depth == table->depth ? 2 : 0;
    chain_free(table, old);
}

enum status table_split(struct table *table, uint64_t hash)
{
    struct table_segment *old = table_segment_of(table, hash);
    struct split split;
    split.table = table;
    split.depth = (uint8_t)(old->depth + 1);
    split.retag = split.depth - old->tag_depth > TABLE_MAX_USED_BITS;
    split.tag_depth = split.retag ? split.depth : old->tag_depth;
    for (unsigned half = 0; half < 2; half++) {
        split.chains[half] = NULL;
        split.batches[half].count = 0;
    }
    enum status status = split_halves(&split, old);
    if (status == STATUS_OK && old->depth == table->depth) {
        status = directory_double(table);
    }
    if (status == STATUS_OK) {
        split_commit(&split, old, hash);
    } else {
        chain_free(table, split.chains[0]);
        chain_free(table, split.chains[1]);
    }
    return status;
}

enum status table_chain_append(struct table *table, struct table_segment *segment)
{
    struct table_items none = { NULL, NULL, 0 };
    enum status status = chain_lay(table, &segment->chain, segment->depth, segment->tag_depth,
                                   none);
    table->chained += status == STATUS_OK;
    return status;
}

// Appends the segment's entries with the tags they have at a smaller tag depth: the bits that come
// in front are the segment's own prefix, of which `hash` is an example.
static void gather_retagged(const struct table_segment *segment, uint64_t hash, uint8_t tag_depth,
                            struct table_batch *batch)
{
    uint32_t first = batch->count;
    unsigned shift = segment->tag_depth - tag_depth;
    uint64_t prefix = (hash << tag_depth) & ~(UINT64_MAX >> shift);
    uint64_t pointer_bits = (UINT64_C(1) << 48) - 1;
    table_segment_gather(segment, batch);
    for (uint32_t i = first; i < batch->count; i++) {
        uint64_t word = batch->words[i];
        uint64_t tag = (word >> shift | prefix) & ~pointer_bits;
        batch->words[i] = tag | (word & pointer_bits);
    }
}

// Lays the segment at this hash and its buddy into one, if that is small enough.
static bool merge(struct table *table, uint64_t hash)
{
    struct table_segment *segment = table_segment_of(table, hash);
    if (segment->depth == 0) {
        return false;
    }
    uint64_t buddy_hash = hash ^ UINT64_C(1) << (64 - segment->depth);
    struct table_segment *buddy = table_segment_of(table, buddy_hash);
    if (buddy->depth != segment->depth || segment->chain != NULL || buddy->chain != NULL ||
        segment->count + buddy->count > TABLE_MERGE_COUNT) {
        return false;
    }
    uint8_t depth = (uint8_t)(segment->depth - 1);
    uint8_t tag_depth = segment->tag_depth < buddy->tag_depth ? segment->tag_depth
                                                              : buddy->tag_depth;
    tag_depth = tag_depth < depth ? tag_depth : depth;
    struct table_batch batch;
    batch.count = 0;
    gather_retagged(segment, hash, tag_depth, &batch);
    gather_retagged(buddy, buddy_hash, tag_depth, &batch);
    struct table_segment *merged = table_segment_new(table, depth, tag_depth);
    if (merged == NULL) {
        return false;
    }
    struct table_items items = { batch.words, batch.classes, batch.count };
    unsigned total = table_total_for(items.count, TABLE_SHRINK_LOAD);
    if (table_segment_lay(table, merged, items, total) != STATUS_OK) {
        table_segment_free(table, merged);
        return false;
    }
    merged->due = table_earlier_due(segment, buddy);
    table_publish(table, hash, merged);
    table->segments--;
    table->at_depth -= segment->depth == table->depth ? 2 : 0;
    table_segment_free(table, segment);
    table_segment_free(table, buddy);
    return true;
}

// Lays a chain that has become small into one segment.
static void chain_collapse(struct table *table, struct table_segment *head)
{
    struct table_batch batch;
    batch.count = 0;
    for (const struct table_segment *part = head; part != NULL; part = part->chain) {
        table_segment_gather(part, &batch);
    }
    struct table_items items = { batch.words, batch.classes, batch.count };
    unsigned total = table_total_for(items.count, TABLE_SHRINK_LOAD);
    if (table_segment_lay(table, head, items, total) == STATUS_OK) {
        table->chained -= chain_length(head->chain);
        chain_free(table, head->chain);
        head->chain = NULL;
    }
}

// After a removal from `segment`, a member of the chain at this hash.
static void chain_shrink(struct table *table, uint64_t hash, struct table_segment *segment)
{
    struct table_segment *head = table_segment_of(table, hash);
    if (segment->count == 0) {
        struct table_segment *next = segment->chain;
        if (segment == head) {
            ASSERT(next != NULL);
            next->due = table_earlier_due(segment, next);
            head = next;
        } else {
            struct table_segment *before = head;
            while (before->chain != segment) {
                before = before->chain;
            }
            before->chain = next;
        }
        table_segment_free(table, segment);
        table->chained--;
    } else if (segment->count < segment->shrink_at) {
        table_segment_shrink(table, segment);
    }
    uint32_t count = 0;
    for (segment = head; segment != NULL; segment = segment->chain) {
        count += segment->count;
    }
    // Trying costs a layout and may fail, so it is done at some counts only.
    if (head->chain != NULL && count <= TABLE_SEGMENT_SLOTS / 2 && (count & (count - 1)) == 0) {
        chain_collapse(table, head);
    }
    table_publish(table, hash, head);
}

void table_shrink(struct table *table, uint64_t hash, struct table_segment *segment)
{
    if (table->count == 0) {
        table_release(table, NULL, NULL);
        return;
    }
    if (table_segment_of(table, hash)->chain != NULL) {
        chain_shrink(table, hash, segment);
    }
    segment = table_segment_of(table, hash);
    if (segment->chain != NULL || segment->count >= segment->shrink_at) {
        return;
    }
    while (merge(table, hash)) {
    }
    while (table->depth > 0 && table->at_depth == 0 && directory_halve(table)) {
    }
    segment = table_segment_of(table, hash);
    if (segment->count < segment->shrink_at) {
        table_segment_shrink(table, segment);
        table_publish(table, hash, segment);
    }
}

// Splits every segment that is less deep than `depth`, which is 1 at least.
static enum status split_all(struct table *table, unsigned depth)
{
    uint64_t hash = 0;
    do {
        enum status status = STATUS_OK;
        if (table_segment_of(table, hash)->depth < depth) {
            status = table_split(table, hash);
        }
        if (status != STATUS_OK) {
            return status;
        }
        hash = table_segment_end(table_segment_of(table, hash), hash);
    } while (hash != 0);
    return STATUS_OK;
}

static enum status grow_all(struct table *table, size_t count)
{
    uint64_t hash = 0;
    do {
        struct table_segment *segment = table_segment_of(table, hash);
        unsigned total = table_total_for((uint32_t)(count >> segment->depth), TABLE_SHRINK_LOAD);
        enum status status = STATUS_OK;
        if (table_segment_total(segment) < total) {
            status = table_segment_resize(table, segment, total);
            table_publish(table, hash, segment);
        }
        if (status != STATUS_OK) {
            return status;
        }
        hash = table_segment_end(segment, hash);
    } while (hash != 0);
    return STATUS_OK;
}

enum status table_reserve(struct table *table, size_t count)
{
    if (count <= table->count) {
        return STATUS_OK;
    }
    if (table->segments == 0) {
        enum status status = table_first_segment(table);
        if (status != STATUS_OK) {
            return status;
        }
    }
    size_t per_segment = (size_t)TABLE_SEGMENT_SLOTS * TABLE_SHRINK_LOAD / 100;
    // Level by level, as table_can_split() bounds the depth by the number of segments.
    for (unsigned depth = 1; depth <= TABLE_MAX_DEPTH && count >> (depth - 1) > per_segment;
         depth++) {
        enum status status = split_all(table, depth);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return grow_all(table, count);
}

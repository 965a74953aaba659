// SPDX-License-Identifier: BSD-3-Clause
// One chunk of a quicklist: its memory, its neighbours, cutting, splitting and merging.
#include "ds/quicklist_internal.h"

#include "base/little_endian.h"
#include "base/memory.h"
#include "base/panic.h"

#include <string.h>

// An end chunk may be allocated ahead of its use by this share of the list, and a drained one may
// keep its memory while that is no more than this one.
#define AHEAD_SHARE   16
#define DRAINED_SHARE 8

// --- memory --------------------------------------------------------------------------------------

static struct quicklist_chunk *chunk_alloc(struct quicklist *list, size_t size)
{
    struct quicklist_chunk *chunk = mem_alloc(size);
    chunk->size = size;
    list->memory += size;
    return chunk;
}

static void chunk_free(struct quicklist *list, struct quicklist_chunk *chunk)
{
    list->memory -= chunk->size;
    mem_free(chunk, chunk->size);
}

// How much to allocate where `needed` bytes are needed. End chunks of long lists get at once what
// chunks of this list have on average.
static size_t generous_size(const struct quicklist *list, size_t needed)
{
    size_t ahead = list->memory / AHEAD_SHARE;
    if (ahead > list->limit_bytes)
        ahead = list->limit_bytes;
    if (ahead > needed && list->chunks > 0) {
        size_t mean = list->memory / list->chunks;
        ahead = ahead < mean ? ahead : mean;
    }
    return mem_good_size(needed > ahead ? needed : ahead);
}

void ql_chunk_set(struct quicklist_chunk *chunk, size_t bytes, uint32_t count)
{
    store_le32(ql_lp(chunk), (uint32_t)bytes);
    store_le16(ql_lp(chunk) + 4, (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX));
    chunk->count = count;
}

static struct quicklist_chunk *chunk_new(struct quicklist *list, size_t size, size_t front)
{
    struct quicklist_chunk *chunk = chunk_alloc(list, size);
    chunk->prev = chunk->next = NULL;
    chunk->parent = NULL;
    chunk->count = 0;
    chunk->front = (uint32_t)front;
    lp_init(ql_lp(chunk));
    return chunk;
}

struct quicklist_chunk *ql_chunk_new(struct quicklist *list, size_t room)
{
    return chunk_new(list, mem_good_size(QL_CHUNK_HEADER + LP_EMPTY_BYTES + room), 0);
}

// Whoever points at the chunk learns its new place.
static void moved(struct quicklist *list, const struct quicklist_chunk *from,
                  struct quicklist_chunk *to)
{
    if (to->prev)
        to->prev->next = to;
    if (to->next)
        to->next->prev = to;
    if (list->head == from)
        list->head = to;
    if (list->tail == from)
        list->tail = to;
    if (to->parent)
        ql_tree_moved(from, to);
}

// Gives the chunk another size; the listpack then begins at `front`.
static struct quicklist_chunk *resize(struct quicklist *list, struct quicklist_chunk *chunk,
                                      size_t size, size_t front)
{
    struct quicklist_chunk *copy = chunk_alloc(list, size);
    copy->prev = chunk->prev;
    copy->next = chunk->next;
    copy->parent = chunk->parent;
    copy->count = chunk->count;
    copy->front = (uint32_t)front;
    memcpy(ql_lp(copy), ql_lp(chunk), lp_bytes(ql_lp(chunk)));
    moved(list, chunk, copy);
    chunk_free(list, chunk);
    return copy;
}

static void slide(struct quicklist_chunk *chunk, size_t front)
{
    unsigned char *lp = ql_lp(chunk);
    chunk->front = (uint32_t)front;
    memmove(ql_lp(chunk), lp, lp_bytes(lp));
}

struct quicklist_chunk *ql_chunk_room(struct quicklist *list, struct quicklist_chunk *chunk,
                                      size_t extra, enum quicklist_end end)
{
    size_t bytes = lp_bytes(ql_lp(chunk));
    size_t slack = chunk->size - QL_CHUNK_HEADER - bytes;
    if ((end == QUICKLIST_HEAD ? chunk->front : slack - chunk->front) >= extra)
        return chunk;
    bool sole = list->head == list->tail;
    if (slack < (sole ? extra + bytes / QL_SLIDE_SHARE : extra)) {
        size_t needed = QL_CHUNK_HEADER + bytes + extra;
        size_t size = chunk->parent ? mem_good_size(needed) : generous_size(list, needed);
        size_t front = end == QUICKLIST_HEAD ? size - QL_CHUNK_HEADER - bytes : 0;
        if (size > chunk->size)
            return resize(list, chunk, size, front);
    }
    // A sole chunk grows at both ends: what is left is shared, lest it be moved to and fro.
    size_t other = sole ? (slack - extra) / 2 : 0;
    slide(chunk, end == QUICKLIST_HEAD ? slack - other : other);
    return chunk;
}

// Makes the allocation as small as it can be.
static struct quicklist_chunk *fit(struct quicklist *list, struct quicklist_chunk *chunk)
{
    size_t size = mem_good_size(QL_CHUNK_HEADER + lp_bytes(ql_lp(chunk)));
    return size < chunk->size ? resize(list, chunk, size, 0) : chunk;
}

struct quicklist_chunk *ql_chunk_trim(struct quicklist *list, struct quicklist_chunk *chunk)
{
    size_t used = QL_CHUNK_HEADER + lp_bytes(ql_lp(chunk));
    if (used >= chunk->size / 2)
        return chunk;
    bool ahead = !chunk->parent && chunk->size <= list->limit_bytes;
    if (ahead && chunk->size <= list->memory / DRAINED_SHARE)
        return chunk;
    return fit(list, chunk);
}

// --- neighbours ----------------------------------------------------------------------------------

// An end chunk that has got another one beyond it.
static void close_end(struct quicklist *list, struct quicklist_chunk *chunk)
{
    ql_tree_insert(list, fit(list, chunk));
}

void ql_chunk_link(struct quicklist *list, struct quicklist_chunk *prev,
                   struct quicklist_chunk *added, struct quicklist_chunk *next)
{
    bool alone = list->head == list->tail;
    added->prev = prev;
    added->next = next;
    if (prev)
        prev->next = added;
    else
        list->head = added;
    if (next)
        next->prev = added;
    else
        list->tail = added;
    list->chunks++;
    if (prev && next)
        ql_tree_insert(list, added);
    else if (!alone)
        close_end(list, prev ? prev : next);
}

struct quicklist_chunk *ql_chunk_open(struct quicklist *list, size_t room, enum quicklist_end end)
{
    size_t size = generous_size(list, QL_CHUNK_HEADER + LP_EMPTY_BYTES + room);
    if (end == QUICKLIST_TAIL) {
        struct quicklist_chunk *chunk = chunk_new(list, size, 0);
        ql_chunk_link(list, list->tail, chunk, NULL);
        return chunk;
    }
    // One that is full with its first element needs nothing for more, which might exceed 32 bits.
    size_t front = size <= list->limit_bytes ? size - QL_CHUNK_HEADER - LP_EMPTY_BYTES : room;
    struct quicklist_chunk *chunk = chunk_new(list, size, front);
    ql_chunk_link(list, NULL, chunk, list->head);
    return chunk;
}

void ql_chunk_drop(struct quicklist *list, struct quicklist_chunk *chunk)
{
    if (chunk->parent)
        ql_tree_remove(list, chunk);
    if (chunk->prev)
        chunk->prev->next = chunk->next;
    else
        list->head = chunk->next;
    if (chunk->next)
        chunk->next->prev = chunk->prev;
    else
        list->tail = chunk->prev;
    if (list->head && list->head->parent)
        ql_tree_remove(list, list->head);
    if (list->tail && list->tail->parent)
        ql_tree_remove(list, list->tail);
    list->chunks--;
    chunk_free(list, chunk);
}

// --- elements ------------------------------------------------------------------------------------

struct quicklist_chunk *ql_chunk_append(struct quicklist *list, struct quicklist_chunk *chunk,
                                        const unsigned char *bytes, size_t size, size_t count)
{
    chunk = ql_chunk_room(list, chunk, size, QUICKLIST_TAIL);
    unsigned char *lp = ql_lp(chunk);
    size_t end = lp_end(lp);
    memcpy(lp + end, bytes, size);
    lp[end + size] = 0xFF;
    ql_chunk_set(chunk, end + size + 1, chunk->count + (uint32_t)count);
    if (chunk->parent)
        ql_tree_add(chunk, (int64_t)count);
    return chunk;
}

void ql_chunk_cut(struct quicklist_chunk *chunk, size_t offset, size_t size, size_t count)
{
    size_t bytes = lp_bytes(ql_lp(chunk)) - size;
    if (offset == LP_HEADER_BYTES) {
        chunk->front += (uint32_t)size;
    } else {
        struct lp_edit edit = { .at = offset, .removed = size, .removed_count = count };
        lp_splice(ql_lp(chunk), &edit);
    }
    ql_chunk_set(chunk, bytes, chunk->count - (uint32_t)count);
    if (chunk->parent)
        ql_tree_add(chunk, -(int64_t)count);
}

struct quicklist_chunk *ql_chunk_split(struct quicklist *list, struct quicklist_chunk *chunk,
                                       size_t offset, size_t left)
{
    size_t size = lp_end(ql_lp(chunk)) - offset;
    size_t count = chunk->count - left;
    struct quicklist_chunk *right = ql_chunk_new(list, size);
    right = ql_chunk_append(list, right, ql_lp(chunk) + offset, size, count);
    ql_chunk_cut(chunk, offset, size, count);
    chunk = ql_chunk_trim(list, chunk);
    ql_chunk_link(list, chunk, right, chunk->next);
    return right->prev;
}

// Whether two chunks make one that isn't about to be split again.
static bool mergeable(const struct quicklist *list, const struct quicklist_chunk *a,
                      const struct quicklist_chunk *b)
{
    if (!a || !b)
        return false;
    size_t bytes = QL_CHUNK_HEADER + lp_bytes(ql_lp(a)) + lp_bytes(ql_lp(b)) - LP_EMPTY_BYTES;
    size_t count = (size_t)a->count + b->count;
    return bytes <= list->limit_bytes / 4 * 3 && count <= (size_t)list->limit_count * 3 / 4;
}

// Moves b's elements behind a's.
static struct quicklist_chunk *merge(struct quicklist *list, struct quicklist_chunk *a,
                                     struct quicklist_chunk *b)
{
    const unsigned char *lp = ql_lp(b);
    size_t size = lp_bytes(lp) - LP_EMPTY_BYTES;
    a = ql_chunk_append(list, a, lp + LP_HEADER_BYTES, size, b->count);
    ql_chunk_drop(list, b);
    return a;
}

struct quicklist_at ql_chunk_merge(struct quicklist *list, struct quicklist_at at)
{
    struct quicklist_chunk *chunk = at.chunk;
    if (mergeable(list, chunk, chunk->next)) {
        at.chunk = merge(list, chunk, chunk->next);
    } else if (mergeable(list, chunk->prev, chunk)) {
        at.offset += lp_end(ql_lp(chunk->prev)) - LP_HEADER_BYTES;
        at.chunk = merge(list, chunk->prev, chunk);
    }
    return at;
}

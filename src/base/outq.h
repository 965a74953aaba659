// SPDX-License-Identifier: BSD-3-Clause
// Bytes on their way out: a queue of chunks that a writer fills and a connection empties.
//
// A chunk either holds its bytes (taken from a pool, so that an idle connection owns none) or refers
// to bytes that somebody else keeps until the chunk is released: large values are sent from where
// they lie. What many are sent lies in shared blocks, which all their queues refer to: a queue that
// is behind costs a few dozen bytes for each block that it waits for a part of.
#pragma once

#include "base/panic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// Room in a pooled chunk. Together with its header it fills one allocator class of 16 KiB.
#define OUTQ_CHUNK_BYTES (16384 - 48)

struct outq_chunk {
    struct outq_chunk *next;
    const char *bytes;             // own room, or the referred bytes
    uint32_t start;                // first byte not sent yet
    uint32_t end;                  // behind the last byte
    uint32_t cap;                  // own room in bytes, 0 for a reference
    void (*release)(void *owner);  // references only
    void *owner;
    char room[];
};

// Free chunks kept for the next writer, last in, first out. All zero is a valid empty pool.
struct outq_pool {
    struct outq_chunk *free;
    struct outq_chunk *free_references;
    uint32_t free_count;
    uint32_t free_reference_count;
    uint32_t idle_count;  // that many of them were free all the time since the last trim
    uint32_t idle_reference_count;
};

// Frees the kept chunks.
void outq_pool_release(struct outq_pool *pool);

// Frees half of the kept chunks that nobody has needed since the last trim: called from time to time
// it gives back what a burst took. O(those freed).
void outq_pool_trim(struct outq_pool *pool);

struct outq {
    struct outq_chunk *head;
    struct outq_chunk *tail;
    struct outq_pool *pool;
    size_t bytes;         // not sent yet, references included
    size_t shared_bytes;  // of these, in shared blocks
    size_t memory;        // held by the queue's own chunks
};

// Bytes that many queues refer to. Who makes a block is its first holder, and fills it: `len` bytes of
// `room` are in use, and what has been appended to a queue stays as it is. While nobody else holds
// it, it may be filled again from its beginning.
struct outq_block {
    uint32_t holders;  // its maker, and each chunk that refers to it
    uint32_t len;
    uint32_t cap;
    char room[];
};

void outq_init(struct outq *q, struct outq_pool *pool);

// Drops everything, back to the pool. The queue is empty and usable.
void outq_clear(struct outq *q);

// Room for `len` contiguous bytes at the end (len may be larger than a chunk). Nothing is added
// until outq_commit(). O(1), no allocation while the tail has room.
char *outq_reserve_slow(struct outq *q, size_t len);

static inline char *outq_reserve(struct outq *q, size_t len)
{
    struct outq_chunk *tail = q->tail;
    if (likely(tail && tail->cap - tail->end >= len && tail->cap))
        return tail->room + tail->end;
    return outq_reserve_slow(q, len);
}

// Adds the first `len` bytes of the last reserve.
static inline void outq_commit(struct outq *q, size_t len)
{
    q->tail->end += (uint32_t)len;
    q->bytes += len;
}

// Copies bytes to the end; any length (split over chunks as needed).
void outq_append(struct outq *q, const void *data, size_t len);

// Adds bytes by reference; `release(owner)` is called once when they are sent or dropped. Longer
// than 4 GiB - 1 is split by the caller.
void outq_append_ref(struct outq *q, const char *bytes, size_t len, void (*release)(void *),
                     void *owner);

// A block with room for `cap` bytes (<= OUTQ_BLOCK_MAX); NULL: no memory.
#define OUTQ_BLOCK_MAX (UINT32_MAX - 65536)
struct outq_block *outq_block_new(size_t cap);

// Its maker lets go of it; it is freed when the last queue has sent what it refers to. NULL is fine.
void outq_block_release(struct outq_block *block);

// Adds block->room[at .. at + len) by reference: a reference at the end that ends there grows, otherwise
// there is one more. Only if the end has own room for the bytes they are copied: short replies between
// references would leave a chunk each behind. O(1), and no allocation as a rule.
void outq_append_shared(struct outq *q, struct outq_block *block, size_t at, size_t len);

// Moves all of `from` to the end of `to` (same pool); `from` is empty afterwards. O(1).
void outq_splice(struct outq *to, struct outq *from);

// Fills up to `max` vectors with what waits and returns how many.
int outq_vectors(const struct outq *q, struct iovec *out, int max);

// Forgets the first `len` bytes (<= q->bytes), releasing emptied chunks.
void outq_consume(struct outq *q, size_t len);

// Memory held by the queue's own chunks, in bytes (what references point to is not counted). O(1).
size_t outq_memory(const struct outq *q);

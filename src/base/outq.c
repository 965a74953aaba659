// SPDX-License-Identifier: BSD-3-Clause
// The queue of output chunks and the pool they come from.
//
// Three kinds of chunk, told apart by `cap`: pooled (OUTQ_CHUNK_BYTES), dedicated (larger, for data
// that would need several), reference (0). An empty chunk may stand at the end of the queue between
// a reserve and its commit; readers skip it.
#include "base/outq.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define POOL_MAX           1024
#define POOL_REFERENCE_MAX 16384
#define CHUNK_MAX          (UINT32_MAX - sizeof(struct outq_chunk))

static_assert(sizeof(struct outq_chunk) + OUTQ_CHUNK_BYTES == 16384,
              "a pooled chunk fills its allocator class");

static inline size_t chunk_memory(const struct outq_chunk *chunk)
{
    return sizeof *chunk + chunk->cap;
}

static struct outq_chunk *chunk_make(struct outq_pool *pool, size_t cap)
{
    struct outq_chunk *chunk = NULL;
    if (cap <= OUTQ_CHUNK_BYTES) {
        cap = OUTQ_CHUNK_BYTES;
        chunk = pool->free;
    }
    if (chunk) {
        pool->free = chunk->next;
        if (--pool->free_count < pool->idle_count)
            pool->idle_count = pool->free_count;
    } else {
        chunk = mem_alloc(sizeof *chunk + cap);
    }
    *chunk = (struct outq_chunk){ .bytes = chunk->room, .cap = (uint32_t)cap };
    return chunk;
}

static struct outq_chunk *reference_make(struct outq_pool *pool)
{
    struct outq_chunk *chunk = pool->free_references;
    if (unlikely(!chunk))
        return mem_alloc(sizeof *chunk);
    pool->free_references = chunk->next;
    if (--pool->free_reference_count < pool->idle_reference_count)
        pool->idle_reference_count = pool->free_reference_count;
    return chunk;
}

static void reference_release(struct outq_pool *pool, struct outq_chunk *chunk)
{
    chunk->release(chunk->owner);
    if (unlikely(pool->free_reference_count >= POOL_REFERENCE_MAX)) {
        mem_free(chunk, sizeof *chunk);
        return;
    }
    chunk->next = pool->free_references;
    pool->free_references = chunk;
    pool->free_reference_count++;
}

static void chunk_release(struct outq_pool *pool, struct outq_chunk *chunk)
{
    if (chunk->cap == 0) {
        reference_release(pool, chunk);
        return;
    }
    if (chunk->cap == OUTQ_CHUNK_BYTES && pool->free_count < POOL_MAX) {
        chunk->next = pool->free;
        pool->free = chunk;
        pool->free_count++;
        return;
    }
    mem_free(chunk, chunk_memory(chunk));
}

// Frees so many chunks of a list of the pool.
static void free_chunks(struct outq_chunk **list, uint32_t count)
{
    for (; count > 0; count--) {
        struct outq_chunk *chunk = *list;
        *list = chunk->next;
        mem_free(chunk, chunk_memory(chunk));
    }
}

void outq_pool_release(struct outq_pool *pool)
{
    free_chunks(&pool->free, pool->free_count);
    free_chunks(&pool->free_references, pool->free_reference_count);
    *pool = (struct outq_pool){ 0 };
}

void outq_pool_trim(struct outq_pool *pool)
{
    uint32_t chunks = (pool->idle_count + 1) / 2;
    uint32_t references = (pool->idle_reference_count + 1) / 2;
    free_chunks(&pool->free, chunks);
    free_chunks(&pool->free_references, references);
    pool->idle_count = pool->free_count -= chunks;
    pool->idle_reference_count = pool->free_reference_count -= references;
}

void outq_init(struct outq *q, struct outq_pool *pool)
{
    *q = (struct outq){ .pool = pool };
}

static void release_block(void *owner)
{
    struct outq_block *block = owner;
    if (--block->holders == 0)
        mem_free(block, sizeof *block + block->cap);
}

static inline bool is_shared(const struct outq_chunk *chunk)
{
    return chunk->release == release_block;
}

static void push_tail(struct outq *q, struct outq_chunk *chunk)
{
    if (q->tail)
        q->tail->next = chunk;
    else
        q->head = chunk;
    q->tail = chunk;
    q->memory += chunk_memory(chunk);
}

static void pop_head(struct outq *q)
{
    struct outq_chunk *chunk = q->head;
    q->head = chunk->next;
    if (!q->head)
        q->tail = NULL;
    if (is_shared(chunk))
        q->shared_bytes -= chunk->end - chunk->start;
    q->memory -= chunk_memory(chunk);
    chunk_release(q->pool, chunk);
}

void outq_clear(struct outq *q)
{
    while (q->head)
        pop_head(q);
    q->bytes = q->shared_bytes = 0;
}

char *outq_reserve_slow(struct outq *q, size_t len)
{
    ASSERT(len <= CHUNK_MAX);
    push_tail(q, chunk_make(q->pool, len));
    return q->tail->room;
}

// Own room left in the last chunk.
static inline size_t tail_room(const struct outq *q)
{
    return q->tail && q->tail->cap ? q->tail->cap - q->tail->end : 0;
}

void outq_append(struct outq *q, const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        if (tail_room(q) == 0)
            outq_reserve_slow(q, len < CHUNK_MAX ? len : CHUNK_MAX);
        size_t room = tail_room(q);
        size_t part = len < room ? len : room;
        memcpy(q->tail->room + q->tail->end, from, part);
        outq_commit(q, part);
        from += part;
        len -= part;
    }
}

void outq_append_ref(struct outq *q, const char *bytes, size_t len, void (*release)(void *),
                     void *owner)
{
    ASSERT(len <= UINT32_MAX);
    if (len == 0) {
        release(owner);
        return;
    }
    struct outq_chunk *chunk = reference_make(q->pool);
    *chunk = (struct outq_chunk){
        .bytes = bytes, .end = (uint32_t)len, .release = release, .owner = owner
    };
    push_tail(q, chunk);
    q->bytes += len;
}

struct outq_block *outq_block_new(size_t cap)
{
    ASSERT(cap <= OUTQ_BLOCK_MAX);
    struct outq_block *block = mem_try_alloc(sizeof *block + cap);
    if (block)
        *block = (struct outq_block){ .holders = 1, .cap = (uint32_t)cap };
    return block;
}

void outq_block_release(struct outq_block *block)
{
    if (block)
        release_block(block);
}

void outq_append_shared(struct outq *q, struct outq_block *block, size_t at, size_t len)
{
    DEBUG_ASSERT(at + len <= block->len);
    struct outq_chunk *tail = q->tail;
    const char *bytes = block->room + at;
    if (len == 0)
        return;
    if (unlikely(tail && tail->cap && tail_room(q) >= len)) {
        outq_append(q, bytes, len);
        return;
    }
    q->bytes += len;
    q->shared_bytes += len;
    if (tail && tail->owner == block && tail->bytes + tail->end == bytes) {
        tail->end += (uint32_t)len;
        return;
    }
    struct outq_chunk *chunk = reference_make(q->pool);
    *chunk = (struct outq_chunk){
        .bytes = bytes, .end = (uint32_t)len, .release = release_block, .owner = block
    };
    block->holders++;
    push_tail(q, chunk);
}

void outq_splice(struct outq *to, struct outq *from)
{
    DEBUG_ASSERT(to->pool == from->pool);
    if (!from->head)
        return;
    if (to->tail)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->bytes += from->bytes;
    to->shared_bytes += from->shared_bytes;
    to->memory += from->memory;
    outq_init(from, from->pool);
}

int outq_vectors(const struct outq *q, struct iovec *out, int max)
{
    int count = 0;
    for (const struct outq_chunk *chunk = q->head; chunk && count < max; chunk = chunk->next) {
        if (chunk->start == chunk->end)
            continue;
        // writev() reads only; the type can't say so.
        out[count].iov_base = (char *)(uintptr_t)(chunk->bytes + chunk->start);
        out[count].iov_len = chunk->end - chunk->start;
        count++;
    }
    return count;
}

void outq_consume(struct outq *q, size_t len)
{
    ASSERT(len <= q->bytes);
    q->bytes -= len;
    while (q->head) {
        struct outq_chunk *head = q->head;
        size_t waiting = head->end - head->start;
        if (len < waiting) {
            head->start += (uint32_t)len;
            q->shared_bytes -= is_shared(head) ? len : 0;
            return;
        }
        len -= waiting;
        pop_head(q);
    }
}

size_t outq_memory(const struct outq *q)
{
    return q->memory;
}

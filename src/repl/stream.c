// SPDX-License-Identifier: BSD-3-Clause
// The replication stream: see stream.h.
#include "repl/stream.h"

#include "base/memory.h"
#include "base/outq.h"
#include "base/panic.h"

#include <string.h>

// With its header a block fills one of the allocator's classes.
#define BLOCK_BYTES (65536 - sizeof(struct outq_block))

#define RING_MIN 16

static struct stream_block *nth(const struct stream *stream, size_t i)
{
    return &stream->blocks[(stream->first + i) % stream->cap];
}

static void drop_oldest(struct stream *stream)
{
    outq_block_release(nth(stream, 0)->block);
    stream->first = (stream->first + 1) % stream->cap;
    stream->count--;
    stream->begin = stream->count ? nth(stream, 0)->begin : stream->end;
}

// Lets blocks go that are not needed to keep as much as is to be kept. The newest one stays: it has room.
static void trim(struct stream *stream)
{
    while (stream->count > 1 && stream->end - nth(stream, 1)->begin >= stream->keep_bytes &&
           nth(stream, 1)->begin <= stream->held)
        drop_oldest(stream);
}

static void grow_ring(struct stream *stream)
{
    size_t cap = stream->cap ? stream->cap * 2 : RING_MIN;
    struct stream_block *blocks = mem_alloc(cap * sizeof(*blocks));
    for (size_t i = 0; i < stream->count; i++)
        blocks[i] = *nth(stream, i);
    mem_free(stream->blocks, stream->cap * sizeof(*blocks));
    stream->blocks = blocks;
    stream->cap = cap;
    stream->first = 0;
}

static struct outq_block *add_block(struct stream *stream)
{
    if (stream->count == stream->cap)
        grow_ring(stream);
    struct outq_block *block = outq_block_new(BLOCK_BYTES);
    if (!block)
        PANIC("no memory for the replication backlog");
    *nth(stream, stream->count++) = (struct stream_block){ .begin = stream->end, .block = block };
    return block;
}

void stream_init(struct stream *stream, uint64_t at, size_t keep_bytes)
{
    *stream = (struct stream){
        .begin = at, .end = at, .keep_bytes = keep_bytes, .held = UINT64_MAX
    };
}

void stream_restart(struct stream *stream, uint64_t at)
{
    while (stream->count)
        drop_oldest(stream);
    stream->begin = stream->end = at;
    stream->held = UINT64_MAX;
}

void stream_release(struct stream *stream)
{
    stream_restart(stream, 0);
    mem_free(stream->blocks, stream->cap * sizeof(*stream->blocks));
    *stream = (struct stream){ 0 };
}

void stream_set_keep(struct stream *stream, size_t keep_bytes)
{
    stream->keep_bytes = keep_bytes;
    trim(stream);
}

void stream_hold(struct stream *stream, uint64_t from)
{
    stream->held = from;
    trim(stream);
}

void stream_append(struct stream *stream, struct slice bytes)
{
    while (bytes.len) {
        struct outq_block *block = stream->count ? nth(stream, stream->count - 1)->block : NULL;
        if (!block || block->len == block->cap)
            block = add_block(stream);
        size_t room = block->cap - block->len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(block->room + block->len, bytes.ptr, len);
        block->len += (uint32_t)len;
        stream->end += len;
        bytes.ptr += len;
        bytes.len -= len;
    }
    trim(stream);
}

// The number of the block that holds the byte at this offset.
static size_t find(const struct stream *stream, uint64_t offset)
{
    size_t low = 0;
    size_t high = stream->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (nth(stream, middle)->begin <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void stream_queue(const struct stream *stream, uint64_t from, struct outq *q)
{
    ASSERT(stream_has(stream, from));
    if (from == stream->end)
        return;
    for (size_t i = find(stream, from); i < stream->count; i++) {
        const struct stream_block *at = nth(stream, i);
        size_t skip = from > at->begin ? (size_t)(from - at->begin) : 0;
        if (skip < at->block->len)
            outq_append_shared(q, at->block, skip, at->block->len - skip);
    }
}

size_t stream_memory(const struct stream *stream)
{
    return stream->cap * sizeof(*stream->blocks) +
           stream->count * (sizeof(struct outq_block) + BLOCK_BYTES);
}

// SPDX-License-Identifier: BSD-3-Clause
// The replication stream: the last bytes of a history, each at its offset. This is the backlog.
//
// Bytes are copied in once, into blocks that count their references; replicas' queues refer to them
// (base/outq.h). A block that the backlog has let go of lives until the slowest of these queues has sent it.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outq;
struct outq_block;

struct stream_block {
    uint64_t begin;  // offset of its first byte
    struct outq_block *block;
};

struct stream {
    uint64_t begin;  // offset of the oldest byte that is kept
    uint64_t end;    // and behind the newest one: bytes of the history so far
    size_t keep_bytes;
    uint64_t held;  // bytes from here on are kept whatever `keep_bytes` says; UINT64_MAX: none
    // A ring: blocks[(first + i) % cap], the oldest first, only the last of which has room.
    struct stream_block *blocks;
    size_t first;
    size_t count;
    size_t cap;
};

// Empty, at this offset; at least the last `keep_bytes` bytes will be kept, and at most a block more.
void stream_init(struct stream *stream, uint64_t at, size_t keep_bytes);
void stream_release(struct stream *stream);

// Forgets all bytes and goes on at this offset.
void stream_restart(struct stream *stream, uint64_t at);

// From now on so many bytes are kept (repl-backlog-size).
void stream_set_keep(struct stream *stream, size_t keep_bytes);

// Bytes from this offset on are not let go of: some queue is still to get them. UINT64_MAX: all queues have what
// there is. Forgotten by stream_restart().
void stream_hold(struct stream *stream, uint64_t from);

// O(bytes).
void stream_append(struct stream *stream, struct slice bytes);

// Whether all bytes from `from` on are here.
static inline bool stream_has(const struct stream *stream, uint64_t from)
{
    return from >= stream->begin && from <= stream->end;
}

// Adds the bytes from `from` (which the stream has) to its end to the queue, by reference. O(log blocks + blocks
// added).
void stream_queue(const struct stream *stream, uint64_t from, struct outq *q);

// Memory of the backlog's own blocks, without what only queues still hold. O(1).
size_t stream_memory(const struct stream *stream);

// SPDX-License-Identifier: BSD-3-Clause
// What the quicklist's files share; the drawing and the reasons stand in quicklist.c.
#pragma once

#include "ds/quicklist.h"

// Children of an inner node, so that a node takes exactly 512 bytes.
#define QL_FANOUT 31

// Nodes with fewer children look for a sibling with which they fill at most this many.
#define QL_NODE_SMALL  8
#define QL_NODE_MERGED 23

// A sole chunk's bytes are moved to make room at one end only for at least this share of them.
#define QL_SLIDE_SHARE 8

// An inner node of the index. At level 0 the children are chunks, above they are nodes.
struct quicklist_node {
    struct quicklist_node *parent;  // NULL: the root
    uint32_t used;
    uint32_t level;
    void *child[QL_FANOUT];
    uint64_t count[QL_FANOUT];  // elements below each child
};
_Static_assert(sizeof(struct quicklist_node) == 512, "a size class");

// A chunk and its listpack in one allocation; the listpack may have room in front and behind.
struct quicklist_chunk {
    struct quicklist_chunk *prev;
    struct quicklist_chunk *next;
    struct quicklist_node *parent;  // NULL: the head or the tail chunk
    size_t size;                    // allocated, this header included
    uint32_t count;
    uint32_t front;  // where in bytes[] the listpack begins
    unsigned char bytes[];
};
#define QL_CHUNK_HEADER sizeof(struct quicklist_chunk)
_Static_assert(QL_CHUNK_HEADER == 40, "no padding");

struct quicklist {
    struct quicklist_chunk *head;  // NULL: empty
    struct quicklist_chunk *tail;
    struct quicklist_node *root;  // NULL: no chunks in between
    size_t count;
    size_t chunks;
    size_t memory;
    uint32_t limit_bytes;  // a chunk's allocation, unless it holds a single element
    uint32_t limit_count;
};

static inline unsigned char *ql_lp(const struct quicklist_chunk *chunk)
{
    return (unsigned char *)(uintptr_t)chunk->bytes + chunk->front;
}

static inline size_t ql_room_behind(const struct quicklist_chunk *chunk)
{
    return chunk->size - QL_CHUNK_HEADER - chunk->front - lp_bytes(ql_lp(chunk));
}

// Whether `extra` bytes more, another element, keep the chunk within its limits.
static inline bool ql_fits(const struct quicklist *list, const struct quicklist_chunk *chunk,
                           size_t extra)
{
    return chunk->count < list->limit_count &&
           QL_CHUNK_HEADER + lp_bytes(ql_lp(chunk)) + extra <= list->limit_bytes;
}

// --- chunks: quicklist_chunk.c -------------------------------------------------------------------

// An empty chunk, not yet linked, with room for `room` bytes of elements behind.
struct quicklist_chunk *ql_chunk_new(struct quicklist *list, size_t room);

// A new, empty head or tail chunk with at least `room` bytes at the end where it is going to grow.
struct quicklist_chunk *ql_chunk_open(struct quicklist *list, size_t room, enum quicklist_end end);

// Links a chunk between two others; NULL: it becomes the head, or the tail. The end chunk that it
// takes the place of goes into the index.
void ql_chunk_link(struct quicklist *list, struct quicklist_chunk *prev,
                   struct quicklist_chunk *added, struct quicklist_chunk *next);

// Unlinks the chunk and frees it; list->count is the caller's.
void ql_chunk_drop(struct quicklist *list, struct quicklist_chunk *chunk);

// Sees to `extra` bytes of room before or behind the listpack. Returns the chunk's new place.
struct quicklist_chunk *ql_chunk_room(struct quicklist *list, struct quicklist_chunk *chunk,
                                      size_t extra, enum quicklist_end end);

// Gives memory back when more than half of the chunk's is unused. Returns the chunk's new place.
struct quicklist_chunk *ql_chunk_trim(struct quicklist *list, struct quicklist_chunk *chunk);

// Writes the listpack's header.
void ql_chunk_set(struct quicklist_chunk *chunk, size_t bytes, uint32_t count);

// Appends elements that are encoded already. The chunk's limits are the caller's. Returns the
// chunk's new place.
struct quicklist_chunk *ql_chunk_append(struct quicklist *list, struct quicklist_chunk *chunk,
                                        const unsigned char *bytes, size_t size, size_t count);

// Takes `count` elements of `size` bytes out, from `offset` on.
void ql_chunk_cut(struct quicklist_chunk *chunk, size_t offset, size_t size, size_t count);

// Moves the elements from `offset` on, of which `left` stand before it, to a new chunk behind this
// one. Both have elements. Returns this chunk's new place.
struct quicklist_chunk *ql_chunk_split(struct quicklist *list, struct quicklist_chunk *chunk,
                                       size_t offset, size_t left);

// Joins the chunk with a neighbour if the two are small. Returns the same place in the list.
struct quicklist_at ql_chunk_merge(struct quicklist *list, struct quicklist_at at);

// --- the index: quicklist_tree.c -----------------------------------------------------------------

// Puts a linked chunk into the index, next to a neighbour that is there.
void ql_tree_insert(struct quicklist *list, struct quicklist_chunk *chunk);
void ql_tree_remove(struct quicklist *list, struct quicklist_chunk *chunk);

// A chunk in the index has `delta` elements more.
void ql_tree_add(struct quicklist_chunk *chunk, int64_t delta);

// The chunk has moved.
void ql_tree_moved(const struct quicklist_chunk *from, struct quicklist_chunk *chunk);

// The chunk with element `*index`, counted from the first chunk in the index; *index becomes the
// one within the chunk.
struct quicklist_chunk *ql_tree_seek(const struct quicklist *list, size_t *index);

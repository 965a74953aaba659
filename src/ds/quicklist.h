// SPDX-License-Identifier: BSD-3-Clause
// Long lists: a deque of listpack chunks under an index of counts.
//
//   head chunk | chunks in between, leaves of a tree whose inner nodes count elements | tail chunk
//
// Pushing and popping touches the chunk at that end alone; a full one goes into the tree. An element
// in the middle is found by descending along the counts: O(log chunks) and a walk within one chunk.
//
// A chunk's size follows Redis's list-max-listpack-size: -1 to -5 are 4 KiB to 64 KiB a chunk, a
// positive number is elements a chunk (and at most 8 KiB; 0 is taken for 1). An element larger than a
// chunk has one of its own. Chunks of exactly a size class waste nothing; neighbours that have become
// small are merged.
//
// Elements are what lp_value says; positions are counted from 0. A value to be stored must not lie in
// the list itself: its bytes may move before it is copied.
#pragma once

#include "ds/listpack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quicklist;
struct quicklist_chunk;

// The longest value that can be stored: a listpack counts its bytes in 32 bits. A longer one is a bug
// of the caller and ends the process.
#define QUICKLIST_VALUE_MAX ((size_t)UINT32_MAX - 64)

// `fill` as list-max-listpack-size has it.
struct quicklist *quicklist_new(int fill);

// O(chunks). The list may be empty, and freed in slices before.
void quicklist_free(struct quicklist *list);

// Frees up to `budget` chunks from the head on; true when the list itself is gone, too. In between the
// list is whole, only shorter.
bool quicklist_free_step(struct quicklist *list, size_t budget);

struct quicklist *quicklist_copy(const struct quicklist *list);

size_t quicklist_count(const struct quicklist *list);
size_t quicklist_chunks(const struct quicklist *list);

// Allocated bytes, everything included. O(1).
size_t quicklist_memory(const struct quicklist *list);

enum quicklist_end { QUICKLIST_HEAD, QUICKLIST_TAIL };

// Amortised O(1) and the value's bytes, at either end.
void quicklist_push(struct quicklist *list, enum quicklist_end end, struct slice value);

// Copies a listpack's elements, in order, behind the tail. Most bytes are copied as they are.
void quicklist_append_listpack(struct quicklist *list, const unsigned char *lp);

// Where an element lies; dies with the next change of the list, unless told otherwise.
struct quicklist_at {
    struct quicklist_chunk *chunk;  // NULL: nowhere
    size_t offset;                  // in its listpack
};

// O(log n). Negative indexes count from the tail.
struct quicklist_at quicklist_seek(const struct quicklist *list, int64_t index);
struct quicklist_at quicklist_next(const struct quicklist *list, struct quicklist_at at);
struct quicklist_at quicklist_prev(const struct quicklist *list, struct quicklist_at at);

// The listpack that the element lies in: lp_get(quicklist_listpack(at), at.offset).
const unsigned char *quicklist_listpack(struct quicklist_at at);

// O(log n) and the chunk's bytes.
void quicklist_insert(struct quicklist *list, struct quicklist_at at, bool behind,
                      struct slice value);
void quicklist_replace(struct quicklist *list, struct quicklist_at at, struct slice value);

// Removes the element; returns the one that followed it (or nowhere). O(1) at the ends of the list,
// else O(log n) and the chunk's bytes.
struct quicklist_at quicklist_remove(struct quicklist *list, struct quicklist_at at);

// Removes `count` elements from `index` on, or as many as there are. Whole chunks are dropped unread.
// O(log n) for each chunk that goes, and the bytes of two.
void quicklist_remove_range(struct quicklist *list, size_t index, size_t count);

// The one chunk's listpack if the list has just one, else NULL: for turning it into a small list.
const unsigned char *quicklist_only_listpack(const struct quicklist *list);

// For saving: calls `emit` for each chunk's listpack in order.
typedef void (*quicklist_emit_fn)(const unsigned char *lp, void *udata);
void quicklist_each_chunk(const struct quicklist *list, quicklist_emit_fn emit, void *udata);

// Verifies every invariant, and ends the process with a message if one is broken; for tests.
void quicklist_check(const struct quicklist *list);

// SPDX-License-Identifier: BSD-3-Clause
// A B+tree that counts: elements in order, found by order, by rank, and walked both ways.
//
// It holds pointers to elements that its owner allocates, ordered by a 64-bit sort key that the
// owner derives from each (a score made comparable as an unsigned integer), and, where keys are
// equal, by the owner's comparison. Inner nodes hold sort keys and the number of elements below
// each child; leaves hold pointers and are linked. Insert, delete, rank, select: O(log n).
//
// Nodes are a few cache lines; a full one gives to its neighbour before it splits (three become
// four), so that nodes are more than four fifths full on average: 11 bytes an element.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btree_node;

struct btree_ops {
    uint64_t (*key)(const void *element);
    // <0, 0, >0: elements with equal keys, `a` an element of the tree, `b` what is looked for.
    int (*compare)(const void *a, const void *b);
};

// Read-only for others. All zero but for ops is an empty tree.
struct btree {
    const struct btree_ops *ops;
    struct btree_node *root;
    struct btree_node *first;
    struct btree_node *last;
    size_t count;
    size_t memory;  // bytes of the nodes, allocator-rounded
    uint32_t height;
};

void btree_init(struct btree *tree, const struct btree_ops *ops);

// Frees the nodes; the elements are the owner's. O(n).
void btree_release(struct btree *tree);

// Frees about `budget` nodes, elements being left alone; true when there is none left.
bool btree_release_step(struct btree *tree, size_t budget);

// Adds an element; one that compares equal must not be there.
void btree_insert(struct btree *tree, void *element);

// Takes the element out; it is there.
void btree_remove(struct btree *tree, const void *element);

// Has `write` give the element, which is there, another key, and moves it to its new place: in its
// leaf where it stays in that, for half of what removing and inserting costs.
void btree_update(struct btree *tree, void *element,
                  void (*write)(void *element, const void *value), const void *value);

// The element at `element` now lies at `moved` (same key, compares the same). `element` is not
// read: its memory may be gone.
void btree_moved(struct btree *tree, const void *element, void *moved);

// How many elements are below it (its rank, if it is there). O(log n).
size_t btree_rank(const struct btree *tree, const void *element);

// How many elements satisfy `below` (true for a beginning of the order, false for all behind it):
// the rank at which a range begins. O(log n).
typedef bool (*btree_below_fn)(const void *element, const void *bound);
size_t btree_count_below(const struct btree *tree, btree_below_fn below, const void *bound);

// The same for a bound on the sort key alone: elements with a key below `key`, or (`inclusive`) not
// above it. Reads inner nodes and one leaf.
size_t btree_count_below_key(const struct btree *tree, uint64_t key, bool inclusive);

// A place in the order.
struct btree_at {
    struct btree_node *leaf;  // NULL: beyond an end
    uint32_t index;
};
struct btree_at btree_select(const struct btree *tree, size_t rank);
struct btree_at btree_next(struct btree_at at);
struct btree_at btree_prev(struct btree_at at);
void *btree_element(struct btree_at at);

// Removes `count` elements from `rank` on, calling `release` for each. O(log n + count).
void btree_remove_range(struct btree *tree, size_t rank, size_t count,
                        void (*release)(void *element, void *udata), void *udata);

// Verifies every invariant, and ends the process with a message if one is broken; for tests.
void btree_check(const struct btree *tree);

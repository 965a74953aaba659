// SPDX-License-Identifier: BSD-3-Clause
// What the B+tree's own files share; btree.c explains how the tree is built.
#pragma once

#include "ds/btree.h"

#define BTREE_NODE_BYTES   512
#define BTREE_LEAF_SLOTS   60
#define BTREE_FIRST_SLOTS  4  // of a tree's only leaf, which then doubles its bytes
#define BTREE_INNER_SLOTS  15
#define BTREE_MAX_HEIGHT   16
#define BTREE_PREFIX_MAX   0xffff
#define BTREE_POINTER_BITS 48
#define BTREE_MAX_SHIFT    48

// What leaves and inner nodes begin with; which of them a node is follows from its level.
struct btree_node {
    uint16_t count;
    uint16_t capacity;
    uint8_t shift;  // leaves: see below
};

// A slot is {16 bits: (key >> shift) - (base >> shift) | 48 bits: pointer}; base is a multiple of
// 1 << shift.
struct btree_leaf {
    struct btree_node node;
    struct btree_leaf *prev;
    struct btree_leaf *next;
    uint64_t base;
    uint64_t slots[];
};

// Of each child: its first element, that element's key, and how many elements are below.
struct btree_inner {
    struct btree_node node;
    uint64_t keys[BTREE_INNER_SLOTS];
    size_t counts[BTREE_INNER_SLOTS];
    struct btree_node *children[BTREE_INNER_SLOTS];
    void *firsts[BTREE_INNER_SLOTS];
};

// The way from the root to a place in a leaf. Level 0 is the leaf.
struct btree_path {
    struct btree_node *nodes[BTREE_MAX_HEIGHT];
    unsigned index[BTREE_MAX_HEIGHT];
};

_Static_assert(sizeof(struct btree_leaf) + BTREE_LEAF_SLOTS * sizeof(uint64_t) == BTREE_NODE_BYTES,
               "a leaf fills a size class");
_Static_assert(sizeof(struct btree_inner) <= BTREE_NODE_BYTES, "an inner node fits a size class");

// How many of the words, which ascend, are below `word`. Without branches: where the search goes
// cannot be foreseen.
static inline unsigned btree_words_below(const uint64_t *words, unsigned count, uint64_t word)
{
    const uint64_t *begin = words;
    unsigned left = count;
    while (left > 1) {
        unsigned half = left / 2;
        begin += half & -(unsigned)(begin[half - 1] < word);
        left -= half;
    }
    return (unsigned)(begin - words) + (left == 1 && *begin < word);
}

static inline struct btree_leaf *btree_as_leaf(const struct btree_node *node)
{
    return (struct btree_leaf *)node;
}

static inline struct btree_inner *btree_as_inner(const struct btree_node *node)
{
    return (struct btree_inner *)node;
}

static inline size_t btree_leaf_bytes(unsigned capacity)
{
    return sizeof(struct btree_leaf) + capacity * sizeof(uint64_t);
}

static inline void *btree_slot_element(uint64_t slot)
{
    return (void *)(uintptr_t)(slot & ((UINT64_C(1) << BTREE_POINTER_BITS) - 1));
}

static inline uint64_t btree_slot_prefix(uint64_t slot)
{
    return slot >> BTREE_POINTER_BITS;
}

static inline uint64_t btree_leaf_prefix(const struct btree_leaf *leaf, uint64_t key)
{
    return (key >> leaf->node.shift) - (leaf->base >> leaf->node.shift);
}

// The key of a slot without its low `shift` bits.
static inline uint64_t btree_leaf_floor(const struct btree_leaf *leaf, uint64_t slot)
{
    return leaf->base + (btree_slot_prefix(slot) << leaf->node.shift);
}

// A statement that the compiler must keep: gcc drops calls of functions that only prefetch.
static inline void btree_prefetch(const void *address)
{
    __asm__ volatile("" : : "r"(address));
    __builtin_prefetch(address);
}

// btree_leaf.c: the slots of one leaf.

// Where the element is, or where it belongs: how many elements are below it. The pointer `known`,
// if not NULL, compares equal to it; it is looked for first, and is not read.
unsigned btree_leaf_find(const struct btree_ops *ops, const struct btree_leaf *leaf, uint64_t key,
                         const void *element, const void *known);

// How many elements have a key below `key`, or (`inclusive`) not above it.
unsigned btree_leaf_below_key(const struct btree_ops *ops, const struct btree_leaf *leaf,
                              uint64_t key, bool inclusive);

// How many elements satisfy `below`.
unsigned btree_leaf_below(const struct btree_leaf *leaf, btree_below_fn below, const void *bound);

// Puts the element at `index` of a leaf that has room.
void btree_leaf_put(struct btree_leaf *leaf, unsigned index, uint64_t key, void *element);

// The element at `index` has got this key: moves it within the leaf. False, and nothing done, where
// the slots alone do not say that it stays in this leaf, behind the first and before the last.
bool btree_leaf_move(struct btree_leaf *leaf, unsigned index, uint64_t key);

// Moves the last `count` slots of `left` before those of `right`, or the first of `right` behind
// those of `left`.
void btree_leaf_shift_right(struct btree_leaf *left, struct btree_leaf *right, unsigned count);
void btree_leaf_shift_left(struct btree_leaf *left, struct btree_leaf *right, unsigned count);

// Rereads the keys if the prefixes have come to tell elements badly apart.
void btree_leaf_refine(const struct btree_ops *ops, struct btree_leaf *leaf);

// btree_node.c: nodes among their siblings.

struct btree_leaf *btree_leaf_new(struct btree *tree, unsigned capacity);
struct btree_inner *btree_inner_new(struct btree *tree);
void btree_node_free(struct btree *tree, struct btree_node *node, unsigned level);

// Makes what the parent says of its child's first element true. The child, at `level`, is not
// empty.
void btree_set_first(const struct btree *tree, struct btree_inner *parent, unsigned index,
                     unsigned level);

void btree_insert_child(struct btree_inner *parent, unsigned index, struct btree_node *child);
void btree_remove_child(struct btree_inner *parent, unsigned index);

// Spreads the contents of `span` children, at `level`, from `index` on evenly over them, or
// (`pack`) so that all but the last are nearly full.
void btree_spread(const struct btree *tree, struct btree_inner *parent, unsigned index,
                  unsigned span, unsigned level, bool pack);

// Adds an empty child, at `level`, behind the one at `index`.
void btree_add_sibling(struct btree *tree, struct btree_inner *parent, unsigned index,
                       unsigned level);

// Moves `count` (> 0) of what is in the child at `index` to the front of the next one, or to its
// end from there.
void btree_shift_right(const struct btree *tree, struct btree_inner *parent, unsigned index,
                       unsigned count, unsigned level);
void btree_shift_left(const struct btree *tree, struct btree_inner *parent, unsigned index,
                      unsigned count, unsigned level);

// btree_balance.c: nodes neither too full nor too empty.

// Takes one step towards room in the full leaf of this way; it may be another way afterwards.
void btree_make_room(struct btree *tree, const struct btree_path *path);

// Brings the nodes of the way in order, from the leaf up, after elements were taken out of that.
void btree_rebalance(struct btree *tree, const struct btree_path *path);

// Tells the nodes above that the leaf has another first element.
void btree_first_changed(const struct btree *tree, const struct btree_path *path);

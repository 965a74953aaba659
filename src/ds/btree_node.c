// SPDX-License-Identifier: BSD-3-Clause
// Nodes of the B+tree among their siblings: made, freed, and their contents moved between them.
#include "base/memory.h"
#include "base/panic.h"
#include "ds/btree_internal.h"

#define MAX_SPAN 4  // siblings among which contents are spread

struct btree_leaf *btree_leaf_new(struct btree *tree, unsigned capacity)
{
    struct btree_leaf *leaf = mem_alloc(btree_leaf_bytes(capacity));
    *leaf = (struct btree_leaf){ .node = { .capacity = (uint16_t)capacity } };
    tree->memory += mem_good_size(btree_leaf_bytes(capacity));
    return leaf;
}

struct btree_inner *btree_inner_new(struct btree *tree)
{
    struct btree_inner *inner = mem_alloc(sizeof(*inner));
    inner->node = (struct btree_node){ .capacity = BTREE_INNER_SLOTS };
    tree->memory += mem_good_size(sizeof(*inner));
    return inner;
}

void btree_node_free(struct btree *tree, struct btree_node *node, unsigned level)
{
    size_t bytes = level == 0 ? btree_leaf_bytes(node->capacity) : sizeof(struct btree_inner);
    tree->memory -= mem_good_size(bytes);
    mem_free(node, bytes);
}

void btree_set_first(const struct btree *tree, struct btree_inner *parent, unsigned index,
                     unsigned level)
{
    const struct btree_node *child = parent->children[index];
    if (level > 0) {
        parent->firsts[index] = btree_as_inner(child)->firsts[0];
        parent->keys[index] = btree_as_inner(child)->keys[0];
        return;
    }
    parent->firsts[index] = btree_slot_element(btree_as_leaf(child)->slots[0]);
    parent->keys[index] = tree->ops->key(parent->firsts[index]);
}

// Moves `moved` children within a node or to another one; to->count and from->count are the
// caller's.
static void move_children(struct btree_inner *to, unsigned at, struct btree_inner *from,
                          unsigned index, unsigned moved)
{
    memmove(&to->keys[at], &from->keys[index], moved * sizeof(to->keys[0]));
    memmove(&to->counts[at], &from->counts[index], moved * sizeof(to->counts[0]));
    memmove(&to->children[at], &from->children[index], moved * sizeof(to->children[0]));
    memmove(&to->firsts[at], &from->firsts[index], moved * sizeof(to->firsts[0]));
}

void btree_insert_child(struct btree_inner *parent, unsigned index, struct btree_node *child)
{
    ASSERT(parent->node.count < BTREE_INNER_SLOTS);
    move_children(parent, index + 1, parent, index, parent->node.count - index);
    parent->children[index] = child;
    parent->counts[index] = 0;
    parent->node.count++;
}

void btree_remove_child(struct btree_inner *parent, unsigned index)
{
    move_children(parent, index, parent, index + 1, parent->node.count - index - 1U);
    parent->node.count--;
}

static size_t sum(const size_t *counts, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        total += counts[i];
    }
    return total;
}

// `moved` elements, `count` entries of the one node, went from the child at `from` to the one at
// `to`.
static void account(struct btree_inner *parent, unsigned from, unsigned to, unsigned count,
                    size_t moved)
{
    parent->children[from]->count -= (uint16_t)count;
    parent->children[to]->count += (uint16_t)count;
    parent->counts[from] -= moved;
    parent->counts[to] += moved;
}

void btree_shift_right(const struct btree *tree, struct btree_inner *parent, unsigned index,
                       unsigned count, unsigned level)
{
    struct btree_node *left = parent->children[index];
    struct btree_node *right = parent->children[index + 1];
    ASSERT(count <= left->count && right->count + count <= right->capacity);
    size_t moved = count;
    if (level == 0) {
        btree_leaf_shift_right(btree_as_leaf(left), btree_as_leaf(right), count);
    } else {
        unsigned from = left->count - count;
        moved = sum(&btree_as_inner(left)->counts[from], count);
        move_children(btree_as_inner(right), count, btree_as_inner(right), 0, right->count);
        move_children(btree_as_inner(right), 0, btree_as_inner(left), from, count);
    }
    account(parent, index, index + 1, count, moved);
    btree_set_first(tree, parent, index + 1, level);
}

void btree_shift_left(const struct btree *tree, struct btree_inner *parent, unsigned index,
                      unsigned count, unsigned level)
{
    struct btree_node *left = parent->children[index];
    struct btree_node *right = parent->children[index + 1];
    ASSERT(count <= right->count && left->count + count <= left->capacity);
    size_t moved = count;
    if (level == 0) {
        btree_leaf_shift_left(btree_as_leaf(left), btree_as_leaf(right), count);
    } else {
        unsigned rest = right->count - count;
        moved = sum(btree_as_inner(right)->counts, count);
        move_children(btree_as_inner(left), left->count, btree_as_inner(right), 0, count);
        move_children(btree_as_inner(right), 0, btree_as_inner(right), count, rest);
    }
    account(parent, index + 1, index, count, moved);
    if (right->count > 0) {
        btree_set_first(tree, parent, index + 1, level);
    }
}

// How many entries the first `children` ones should have when `total` are spread over `span`.
static unsigned share(unsigned total, unsigned children, unsigned span, unsigned packed)
{
    unsigned even = total * children / span;
    unsigned full = packed * children;
    return packed == 0 ? even : full < total ? full : total - (span - children);
}

void btree_spread(const struct btree *tree, struct btree_inner *parent, unsigned index,
                  unsigned span, unsigned level, bool pack)
{
    struct btree_node **children = &parent->children[index];
    unsigned wanted[MAX_SPAN] = { 0 };  // how many entries up to the end of each child there
    unsigned before[MAX_SPAN] = { 0 };  // should be, and how many there are
    unsigned total = 0;
    ASSERT(span >= 2 && span <= MAX_SPAN);
    for (unsigned i = 0; i < span; i++) {
        total += children[i]->count;
        before[i] = total;
    }
    unsigned capacity = children[0]->capacity;
    for (unsigned i = 0; i < span; i++) {
        wanted[i] = share(total, i + 1, span, pack ? capacity - capacity / 16 - 1 : 0);
    }
    for (unsigned i = span - 1; i-- > 0;) {
        if (before[i] > wanted[i]) {
            btree_shift_right(tree, parent, index + i, before[i] - wanted[i], level);
        }
    }
    for (unsigned i = 0; i + 1 < span; i++) {
        if (before[i] < wanted[i]) {
            btree_shift_left(tree, parent, index + i, wanted[i] - before[i], level);
        }
    }
    for (unsigned i = 0; i < span && level == 0; i++) {
        btree_leaf_refine(tree->ops, btree_as_leaf(children[i]));
    }
}

void btree_add_sibling(struct btree *tree, struct btree_inner *parent, unsigned index,
                       unsigned level)
{
    if (level > 0) {
        btree_insert_child(parent, index + 1, &btree_inner_new(tree)->node);
        return;
    }
    struct btree_leaf *leaf = btree_leaf_new(tree, BTREE_LEAF_SLOTS);
    struct btree_leaf *left = btree_as_leaf(parent->children[index]);
    leaf->prev = left;
    leaf->next = left->next;
    left->next = leaf;
    if (leaf->next != NULL) {
        leaf->next->prev = leaf;
    } else {
        tree->last = &leaf->node;
    }
    btree_insert_child(parent, index + 1, &leaf->node);
}

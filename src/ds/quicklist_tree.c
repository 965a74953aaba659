// SPDX-License-Identifier: BSD-3-Clause
// The quicklist's index: a tree over the chunks in between that counts the elements below each child.
//
// A full node splits in the middle; at its very edge only the new child goes to a node of its own,
// so that a list that grows at one end leaves full nodes behind. A node that has become small is
// joined with a sibling if the two leave room for growth, an empty one vanishes.
#include "ds/quicklist_internal.h"

#include "base/memory.h"
#include "base/panic.h"

#include <string.h>

static struct quicklist_node *node_new(struct quicklist *list, uint32_t level)
{
    struct quicklist_node *node = mem_alloc(sizeof *node);
    node->parent = NULL;
    node->used = 0;
    node->level = level;
    list->memory += mem_good_size(sizeof *node);
    return node;
}

static void node_free(struct quicklist *list, struct quicklist_node *node)
{
    list->memory -= mem_good_size(sizeof *node);
    mem_free(node, sizeof *node);
}

static unsigned slot_of(const struct quicklist_node *node, const void *child)
{
    unsigned slot = 0;
    while (node->child[slot] != child)
        slot++;
    DEBUG_ASSERT(slot < node->used);
    return slot;
}

static void adopt(struct quicklist_node *node, unsigned slot)
{
    if (node->level == 0)
        ((struct quicklist_chunk *)node->child[slot])->parent = node;
    else
        ((struct quicklist_node *)node->child[slot])->parent = node;
}

// The elements below `child`, and so below all nodes over it, are `delta` more.
static void add_upwards(struct quicklist_node *node, const void *child, int64_t delta)
{
    for (; node; child = node, node = node->parent)
        node->count[slot_of(node, child)] += (uint64_t)delta;
}

// Opens or closes a gap of slots, without counting.
static void shift(struct quicklist_node *node, unsigned from, unsigned to)
{
    unsigned moved = node->used - from;
    memmove(&node->child[to], &node->child[from], moved * sizeof node->child[0]);
    memmove(&node->count[to], &node->count[from], moved * sizeof node->count[0]);
    node->used = to + moved;
}

// Moves the children from `cut` on behind those of `into`. Returns the elements below them.
static uint64_t move_children(struct quicklist_node *node, unsigned cut,
                              struct quicklist_node *into)
{
    uint64_t elements = 0;
    for (unsigned i = cut; i < node->used; i++) {
        into->child[into->used] = node->child[i];
        into->count[into->used] = node->count[i];
        adopt(into, into->used++);
        elements += node->count[i];
    }
    node->used = cut;
    return elements;
}

static void insert_child(struct quicklist *list, struct quicklist_node *node, unsigned slot,
                         void *child, uint64_t count);

// Where to split a full node for a child that goes to `slot`.
static unsigned split_point(unsigned slot)
{
    if (slot == 0 || slot == QL_FANOUT)
        return slot;
    return QL_FANOUT / 2;
}

// Splits a full node; returns the new one, behind it.
static struct quicklist_node *split(struct quicklist *list, struct quicklist_node *node,
                                    unsigned cut)
{
    struct quicklist_node *right = node_new(list, node->level);
    if (!node->parent) {
        uint64_t total = 0;
        for (unsigned i = 0; i < node->used; i++)
            total += node->count[i];
        list->root = node_new(list, node->level + 1);
        insert_child(list, list->root, 0, node, total);
    }
    uint64_t moved = move_children(node, cut, right);
    add_upwards(node->parent, node, -(int64_t)moved);
    insert_child(list, node->parent, slot_of(node->parent, node) + 1, right, moved);
    return right;
}

static void insert_child(struct quicklist *list, struct quicklist_node *node, unsigned slot,
                         void *child, uint64_t count)
{
    if (node->used == QL_FANOUT) {
        unsigned cut = split_point(slot);
        struct quicklist_node *right = split(list, node, cut);
        if (slot > cut || cut == QL_FANOUT) {
            node = right;
            slot -= cut;
        }
    }
    shift(node, slot, slot + 1);
    node->child[slot] = child;
    node->count[slot] = count;
    adopt(node, slot);
    add_upwards(node->parent, node, (int64_t)count);
}

void ql_tree_insert(struct quicklist *list, struct quicklist_chunk *chunk)
{
    struct quicklist_node *before = chunk->prev ? chunk->prev->parent : NULL;
    struct quicklist_node *behind = chunk->next ? chunk->next->parent : NULL;
    if (before) {
        insert_child(list, before, slot_of(before, chunk->prev) + 1, chunk, chunk->count);
    } else if (behind) {
        insert_child(list, behind, slot_of(behind, chunk->next), chunk, chunk->count);
    } else {
        list->root = node_new(list, 0);
        insert_child(list, list->root, 0, chunk, chunk->count);
    }
}

// Joins the sibling at `slot` + 1 into the one at `slot` if they are small together.
static bool join(struct quicklist *list, struct quicklist_node *parent, unsigned slot)
{
    if (slot + 1 >= parent->used)
        return false;
    struct quicklist_node *left = parent->child[slot];
    struct quicklist_node *right = parent->child[slot + 1];
    if (left->used + right->used > QL_NODE_MERGED)
        return false;
    parent->count[slot] += move_children(right, 0, left);
    shift(parent, slot + 2, slot + 1);
    node_free(list, right);
    return true;
}

// Sees to a node that has lost a child, and to those over it.
static void rebalance(struct quicklist *list, struct quicklist_node *node)
{
    while (node->parent && node->used < QL_NODE_SMALL) {
        struct quicklist_node *parent = node->parent;
        unsigned slot = slot_of(parent, node);
        if (node->used == 0) {
            shift(parent, slot + 1, slot);
            node_free(list, node);
        } else if (!join(list, parent, slot) && (slot == 0 || !join(list, parent, slot - 1))) {
            return;
        }
        node = parent;
    }
    while (list->root->level > 0 && list->root->used == 1) {
        struct quicklist_node *root = list->root;
        list->root = root->child[0];
        list->root->parent = NULL;
        node_free(list, root);
    }
    if (list->root->used == 0) {
        node_free(list, list->root);
        list->root = NULL;
    }
}

void ql_tree_remove(struct quicklist *list, struct quicklist_chunk *chunk)
{
    struct quicklist_node *node = chunk->parent;
    unsigned slot = slot_of(node, chunk);
    add_upwards(node->parent, node, -(int64_t)node->count[slot]);
    shift(node, slot + 1, slot);
    chunk->parent = NULL;
    rebalance(list, node);
}

void ql_tree_add(struct quicklist_chunk *chunk, int64_t delta)
{
    add_upwards(chunk->parent, chunk, delta);
}

void ql_tree_moved(const struct quicklist_chunk *from, struct quicklist_chunk *chunk)
{
    chunk->parent->child[slot_of(chunk->parent, from)] = chunk;
}

struct quicklist_chunk *ql_tree_seek(const struct quicklist *list, size_t *index)
{
    const struct quicklist_node *node = list->root;
    for (;;) {
        unsigned slot = 0;
        while (*index >= node->count[slot])
            *index -= node->count[slot++];
        if (node->level == 0)
            return node->child[slot];
        node = node->child[slot];
    }
}

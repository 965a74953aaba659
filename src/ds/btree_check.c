// SPDX-License-Identifier: BSD-3-Clause
// The B+tree's deep verifier.
#include "base/memory.h"
#include "base/panic.h"
#include "ds/btree_internal.h"

// What the verifier has met so far.
struct census {
    const struct btree *tree;
    const void *element;  // the last one
    const struct btree_leaf *leaf;
    size_t memory;
};

static void check_leaf(struct census *census, const struct btree_leaf *leaf)
{
    const struct btree_ops *ops = census->tree->ops;
    ASSERT(leaf->node.capacity == BTREE_LEAF_SLOTS || census->tree->height == 1);
    ASSERT(leaf->prev == census->leaf);
    ASSERT(census->leaf == NULL ? census->tree->first == &leaf->node : census->leaf->next == leaf);
    ASSERT(leaf->node.shift <= BTREE_MAX_SHIFT && leaf->base << 8 << (56 - leaf->node.shift) == 0);
    for (unsigned i = 0; i < leaf->node.count; i++) {
        const void *element = btree_slot_element(leaf->slots[i]);
        uint64_t key = ops->key(element);
        ASSERT(key >= leaf->base);
        ASSERT(btree_slot_prefix(leaf->slots[i]) == btree_leaf_prefix(leaf, key));
        if (census->element != NULL) {
            uint64_t before = ops->key(census->element);
            ASSERT(before < key || (before == key && ops->compare(census->element, element) < 0));
        }
        census->element = element;
    }
    census->leaf = leaf;
    census->memory += mem_good_size(btree_leaf_bytes(leaf->node.capacity));
}

static const void *first_of(const struct btree_node *node, unsigned level)
{
    return level == 0 ? btree_slot_element(btree_as_leaf(node)->slots[0])
                      : btree_as_inner(node)->firsts[0];
}

// How many elements are in the leaf, or below the inner node.
static size_t count_of(const struct btree_node *node, unsigned level)
{
    size_t total = level == 0 ? node->count : 0;
    for (unsigned i = 0; level > 0 && i < node->count; i++) {
        total += btree_as_inner(node)->counts[i];
    }
    return total;
}

// Height is bounded by BTREE_MAX_HEIGHT. `at_begin`, `at_end`: no node of its
// level is before it, or behind it.
static void check_node(struct census *census, const struct btree_node *node, unsigned level,
                       bool at_begin, bool at_end)
{
    ASSERT(node->count > 0 && node->count <= node->capacity);
    ASSERT(at_begin || at_end || node->count >= node->capacity / 2);
    if (level == 0) {
        check_leaf(census, btree_as_leaf(node));
        return;
    }
    const struct btree_inner *inner = btree_as_inner(node);
    ASSERT(node->capacity == BTREE_INNER_SLOTS);
    for (unsigned i = 0; i < node->count; i++) {
        const struct btree_node *child = inner->children[i];
        ASSERT(inner->firsts[i] == first_of(child, level - 1));
        ASSERT(inner->keys[i] == census->tree->ops->key(inner->firsts[i]));
        ASSERT(inner->counts[i] == count_of(child, level - 1));
        check_node(census, child, level - 1, at_begin && i == 0, at_end && i + 1U == node->count);
    }
    census->memory += mem_good_size(sizeof(*inner));
}

void btree_check(const struct btree *tree)
{
    if (tree->count == 0) {
        ASSERT(tree->root == NULL && tree->first == NULL && tree->last == NULL);
        ASSERT(tree->memory == 0 && tree->height == 0);
        return;
    }
    struct census census = { .tree = tree };
    ASSERT(tree->height > 0 && tree->height <= BTREE_MAX_HEIGHT);
    ASSERT(tree->height == 1 || tree->root->count > 1);
    check_node(&census, tree->root, tree->height - 1, true, true);
    ASSERT(count_of(tree->root, tree->height - 1) == tree->count);
    ASSERT(&census.leaf->node == tree->last && census.leaf->next == NULL);
    ASSERT(census.memory == tree->memory);
}

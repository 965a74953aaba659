// SPDX-License-Identifier: BSD-3-Clause
// Keeping the B+tree's nodes neither too full nor too empty; btree.c says by which rules.
#include "base/panic.h"
#include "ds/btree_internal.h"

#define WORTH_EVENING 6  // free slots of a sibling, in 60, that make moving worth it

static struct btree_inner *parent_of(const struct btree_path *path, unsigned level)
{
    return btree_as_inner(path->nodes[level + 1]);
}

void btree_first_changed(const struct btree *tree, const struct btree_path *path)
{
    for (unsigned level = 0; level + 1 < tree->height; level++) {
        unsigned index = path->index[level + 1];
        btree_set_first(tree, parent_of(path, level), index, level);
        if (index > 0) {
            return;
        }
    }
}

static void raise_root(struct btree *tree)
{
    struct btree_inner *root = btree_inner_new(tree);
    ASSERT(tree->height < BTREE_MAX_HEIGHT);
    btree_insert_child(root, 0, tree->root);
    root->counts[0] = tree->count;
    btree_set_first(tree, root, 0, tree->height - 1);
    tree->root = &root->node;
    tree->height++;
}

// Whether the new element goes before all others, or behind all.
static bool at_begin(const struct btree *tree, const struct btree_path *path)
{
    for (unsigned level = 0; level < tree->height; level++) {
        if (path->index[level] > 0) {
            return false;
        }
    }
    return true;
}

static bool at_end(const struct btree *tree, const struct btree_path *path)
{
    for (unsigned level = 1; level < tree->height; level++) {
        if (path->index[level] + 1U < path->nodes[level]->count) {
            return false;
        }
    }
    return path->index[0] == path->nodes[0]->count;
}

// Whether this child is the last node of its level.
static bool reaches_end(const struct btree *tree, const struct btree_path *path, unsigned level,
                        unsigned index)
{
    while (index + 1U == path->nodes[level + 1]->count) {
        if (++level + 1 == tree->height) {
            return true;
        }
        index = path->index[level + 1];
    }
    return false;
}

// Moves from a full node to a sibling that has room, if one has.
static bool even_out(struct btree *tree, const struct btree_path *path, unsigned level)
{
    struct btree_inner *parent = parent_of(path, level);
    unsigned index = path->index[level + 1];
    unsigned capacity = path->nodes[level]->capacity;
    unsigned left = index > 0 ? parent->children[index - 1]->count : capacity;
    unsigned right = index + 1U < parent->node.count ? parent->children[index + 1]->count
                                                     : capacity;
    unsigned least = left < right ? left : right;
    if ((capacity - least) * BTREE_LEAF_SLOTS < WORTH_EVENING * capacity) {
        return false;
    }
    unsigned begin = left < right ? index - 1 : index;
    bool pack = reaches_end(tree, path, level, begin + 1);
    btree_spread(tree, parent, begin, 2, level, pack);
    return true;
}

// Splits a full node whose parent has room; with its neighbours, one becoming two, two three, or
// three four.
static void split(struct btree *tree, const struct btree_path *path, unsigned level)
{
    struct btree_inner *parent = parent_of(path, level);
    unsigned index = path->index[level + 1];
    if (at_end(tree, path)) {
        btree_add_sibling(tree, parent, index, level);
        btree_shift_right(tree, parent, index, 1, level);
        return;
    }
    if (at_begin(tree, path)) {
        btree_add_sibling(tree, parent, index, level);
        btree_shift_right(tree, parent, index, path->nodes[level]->count - 1U, level);
        return;
    }
    unsigned begin = index > 0 ? index - 1 : 0;
    unsigned end = index + 1U < parent->node.count ? index + 1 : index;
    bool pack = reaches_end(tree, path, level, end);
    btree_add_sibling(tree, parent, end, level);
    btree_spread(tree, parent, begin, end - begin + 2, level, pack);
}

void btree_make_room(struct btree *tree, const struct btree_path *path)
{
    for (unsigned level = 0;; level++) {
        if (level + 1 == tree->height) {
            raise_root(tree);
            return;
        }
        bool at_edge = at_begin(tree, path) || at_end(tree, path);
        if (!at_edge && even_out(tree, path, level)) {
            return;
        }
        if (parent_of(path, level)->node.count < BTREE_INNER_SLOTS) {
            split(tree, path, level);
            return;
        }
    }
}

static void unlink_leaf(struct btree *tree, struct btree_leaf *leaf)
{
    if (leaf->prev != NULL) {
        leaf->prev->next = leaf->next;
    } else {
        tree->first = leaf->next == NULL ? NULL : &leaf->next->node;
    }
    if (leaf->next != NULL) {
        leaf->next->prev = leaf->prev;
    } else {
        tree->last = leaf->prev == NULL ? NULL : &leaf->prev->node;
    }
}

// Frees an empty child.
static void drop_child(struct btree *tree, struct btree_inner *parent, unsigned index,
                       unsigned level)
{
    struct btree_node *child = parent->children[index];
    if (level == 0) {
        unlink_leaf(tree, btree_as_leaf(child));
    }
    btree_remove_child(parent, index);
    btree_node_free(tree, child, level);
}

// Merges a node that is less than half full with a sibling, or takes from one. Whether a child of
// the parent is gone.
static bool fill_up(struct btree *tree, struct btree_inner *parent, unsigned index, unsigned level)
{
    struct btree_node **children = parent->children;
    unsigned count = children[index]->count;
    unsigned capacity = children[index]->capacity;
    bool has_left = index > 0;
    bool has_right = index + 1U < parent->node.count;
    unsigned left = has_left ? index - 1 : index;
    if (has_left && children[left]->count + count <= capacity) {
        btree_shift_left(tree, parent, left, count, level);
        drop_child(tree, parent, index, level);
    } else if (has_right && children[index + 1]->count + count <= capacity) {
        left = index;
        btree_shift_left(tree, parent, index, children[index + 1]->count, level);
        drop_child(tree, parent, index + 1, level);
    } else {
        if (has_left || has_right) {
            btree_spread(tree, parent, left, 2, level, false);
        }
        return false;
    }
    if (level == 0) {
        btree_leaf_refine(tree->ops, btree_as_leaf(children[left]));
    }
    return true;
}

static void lower_root(struct btree *tree)
{
    while (tree->height > 1 && tree->root->count == 1) {
        struct btree_node *root = tree->root;
        tree->root = btree_as_inner(root)->children[0];
        tree->height--;
        btree_node_free(tree, root, tree->height);
    }
    if (tree->root->count == 0) {
        btree_node_free(tree, tree->root, tree->height - 1);
        btree_init(tree, tree->ops);
    }
}

void btree_rebalance(struct btree *tree, const struct btree_path *path)
{
    bool first = path->index[0] == 0;
    for (unsigned level = 0; level + 1 < tree->height; level++) {
        struct btree_inner *parent = parent_of(path, level);
        struct btree_node *node = path->nodes[level];
        unsigned index = path->index[level + 1];
        bool gone = node->count == 0;
        if (gone) {
            drop_child(tree, parent, index, level);
        } else {
            if (first) {
                btree_set_first(tree, parent, index, level);
            }
            gone = node->count < node->capacity / 2 && fill_up(tree, parent, index, level);
        }
        first = first && index == 0;
        if (!gone && !first) {
            return;
        }
    }
    lower_root(tree);
}

// SPDX-License-Identifier: BSD-3-Clause
// The B+tree: how it is built, and its operations.
#include "ds/btree.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/btree_internal.h"

#define WORTH_EVENING 6  // free slots of a sibling, in 60, that make moving worth it

// The way from the root to a place in a leaf. Level 0 is the leaf.
struct path {
    size_t rank;
    struct btree_node *nodes[BTREE_MAX_HEIGHT];
    unsigned index[BTREE_MAX_HEIGHT];
};

void btree_init(struct btree *tree, const struct btree_ops *ops)
{
    *tree = (struct btree){ .ops = ops };
}

void btree_release(struct btree *tree)
{
    while (!btree_release_step(tree, SIZE_MAX)) {
    }
}

// Frees the last leaf, and the inner nodes that have nothing else.
static void free_last(struct btree *tree)
{
    struct path path;
    struct btree_node *node = tree->root;
    unsigned level = tree->height - 1;
    for (; level > 0; level--) {
        path.nodes[level] = node;
        node = btree_as_inner(node)->children[node->count - 1];
    }
    btree_node_free(tree, node, 0);
    while (++level < tree->height && --path.nodes[level]->count == 0) {
        btree_node_free(tree, path.nodes[level], level);
    }
    if (level == tree->height) {
        btree_init(tree, tree->ops);
    }
}

bool btree_release_step(struct btree *tree, size_t budget)
{
    for (; tree->height > 0 && budget > 0; budget--) {
        free_last(tree);
    }
    return tree->height == 0;
}

// How many of the node's keys are below `key`.
static unsigned keys_below(const struct btree_inner *inner, uint64_t key)
{
    unsigned below = 0;
    for (unsigned i = 0; i < inner->node.count; i++) {
        below += inner->keys[i] < key;
    }
    return below;
}

static unsigned keys_not_above(const struct btree_inner *inner, uint64_t key)
{
    unsigned count = 0;
    for (unsigned i = 0; i < inner->node.count; i++) {
        count += inner->keys[i] <= key;
    }
    return count;
}

// The child in which the element is, or belongs: the last that doesn't begin above it.
static unsigned child_for(const struct btree_ops *ops, const struct btree_inner *inner,
                          uint64_t key, const void *element, const void *known)
{
    unsigned begin = keys_below(inner, key);
    unsigned end = begin;
    while (end < inner->node.count && inner->keys[end] == key) {
        btree_prefetch(inner->firsts[end++]);
    }
    while (begin < end) {
        unsigned middle = begin + (end - begin) / 2;
        const void *first = inner->firsts[middle];
        if (first == known || ops->compare(first, element) <= 0) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin == 0 ? 0 : begin - 1;
}

static void prefetch_node(const struct btree_node *node)
{
    for (unsigned i = 0; i < BTREE_NODE_BYTES; i += 64) {
        btree_prefetch((const char *)node + i);
    }
}

static size_t count_before(const struct btree_inner *inner, unsigned index)
{
    size_t total = 0;
    for (unsigned i = 0; i < index; i++) {
        total += inner->counts[i];
    }
    return total;
}

// Goes one level down, to this child.
static const struct btree_node *step_down(const struct btree_inner *inner, unsigned index,
                                          size_t *rank)
{
    const struct btree_node *child = inner->children[index];
    prefetch_node(child);
    *rank += count_before(inner, index);
    return child;
}

// The way to where the element is or belongs; the pointer `known` compares equal to it and is not
// read. The tree isn't empty.
static void find(const struct btree *tree, const void *element, const void *known,
                 struct path *path)
{
    uint64_t key = tree->ops->key(element);
    const struct btree_node *node = tree->root;
    path->rank = 0;
    for (unsigned level = tree->height - 1; level > 0; level--) {
        const struct btree_inner *inner = btree_as_inner(node);
        path->nodes[level] = (struct btree_node *)node;
        path->index[level] = child_for(tree->ops, inner, key, element, known);
        node = step_down(inner, path->index[level], &path->rank);
    }
    path->nodes[0] = (struct btree_node *)node;
    path->index[0] = btree_leaf_find(tree->ops, btree_as_leaf(node), key, element, known);
    path->rank += path->index[0];
}

// The way to an element by rank, which is below the tree's count.
static void find_rank(const struct btree *tree, size_t rank, struct path *path)
{
    struct btree_node *node = tree->root;
    path->rank = rank;
    for (unsigned level = tree->height - 1; level > 0; level--) {
        const struct btree_inner *inner = btree_as_inner(node);
        unsigned index = 0;
        while (rank >= inner->counts[index]) {
            rank -= inner->counts[index++];
        }
        path->nodes[level] = node;
        path->index[level] = index;
        node = inner->children[index];
    }
    path->nodes[0] = node;
    path->index[0] = (unsigned)rank;
}

static struct btree_inner *parent_of(const struct path *path, unsigned level)
{
    return btree_as_inner(path->nodes[level + 1]);
}

// Tells the nodes above that the one at `level` has another first element.
static void first_changed(struct btree *tree, const struct path *path, unsigned level)
{
    for (; level + 1 < tree->height; level++) {
        unsigned index = path->index[level + 1];
        btree_set_first(tree, parent_of(path, level), index, level);
        if (index > 0) {
            return;
        }
    }
}

// ---- inserting ----------------------------------------------------------------------------------

static void grow_root_leaf(struct btree *tree)
{
    unsigned old = tree->root->capacity;
    unsigned capacity = (2 * (unsigned)btree_leaf_bytes(old) - (unsigned)btree_leaf_bytes(0)) / 8;
    tree->root = mem_realloc(tree->root, btree_leaf_bytes(old), btree_leaf_bytes(capacity));
    tree->root->capacity = (uint16_t)capacity;
    tree->first = tree->last = tree->root;
    tree->memory += mem_good_size(btree_leaf_bytes(capacity));
    tree->memory -= mem_good_size(btree_leaf_bytes(old));
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
static bool at_begin(const struct path *path)
{
    return path->rank == 0;
}

static bool at_end(const struct btree *tree, const struct path *path)
{
    return path->rank == tree->count;
}

// Whether this child is the last node of its level.
static bool reaches_end(const struct btree *tree, const struct path *path, unsigned level,
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
static bool even_out(struct btree *tree, const struct path *path, unsigned level)
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
static void split(struct btree *tree, const struct path *path, unsigned level)
{
    struct btree_inner *parent = parent_of(path, level);
    unsigned index = path->index[level + 1];
    if (at_end(tree, path)) {
        btree_add_sibling(tree, parent, index, level);
        btree_shift_right(tree, parent, index, 1, level);
        return;
    }
    if (at_begin(path)) {
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

// Takes one step towards room in the full node at `level`; the way to it may be another afterwards.
static void make_room(struct btree *tree, const struct path *path, unsigned level)
{
    for (;; level++) {
        if (level + 1 == tree->height) {
            raise_root(tree);
            return;
        }
        bool at_edge = at_begin(path) || at_end(tree, path);
        if (!at_edge && even_out(tree, path, level)) {
            return;
        }
        if (parent_of(path, level)->node.count < BTREE_INNER_SLOTS) {
            split(tree, path, level);
            return;
        }
    }
}

size_t btree_insert(struct btree *tree, void *element)
{
    struct path path;
    if (tree->root == NULL) {
        tree->root = &btree_leaf_new(tree, BTREE_FIRST_SLOTS)->node;
        tree->first = tree->last = tree->root;
        tree->height = 1;
    }
    find(tree, element, NULL, &path);
    while (unlikely(path.nodes[0]->count == path.nodes[0]->capacity)) {
        if (path.nodes[0]->capacity < BTREE_LEAF_SLOTS) {
            grow_root_leaf(tree);
        } else {
            make_room(tree, &path, 0);
        }
        find(tree, element, NULL, &path);
    }
    btree_leaf_put(btree_as_leaf(path.nodes[0]), path.index[0], tree->ops->key(element), element);
    for (unsigned level = 1; level < tree->height; level++) {
        btree_as_inner(path.nodes[level])->counts[path.index[level]]++;
    }
    tree->count++;
    if (path.index[0] == 0) {
        first_changed(tree, &path, 0);
    }
    return path.rank;
}

// ---- removing -----------------------------------------------------------------------------------

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

// Brings the nodes of the way in order, from the leaf up, after elements were taken out of it.
static void rebalance(struct btree *tree, const struct path *path)
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

// Takes `count` elements out of the leaf at the end of the way.
static void take_out(struct btree *tree, const struct path *path, unsigned count)
{
    struct btree_leaf *leaf = btree_as_leaf(path->nodes[0]);
    unsigned index = path->index[0];
    unsigned rest = leaf->node.count - index - count;
    memmove(&leaf->slots[index], &leaf->slots[index + count], rest * sizeof(uint64_t));
    leaf->node.count -= (uint16_t)count;
    for (unsigned level = 1; level < tree->height; level++) {
        btree_as_inner(path->nodes[level])->counts[path->index[level]] -= count;
    }
    tree->count -= count;
    rebalance(tree, path);
}

// Finds an element that is there, by itself or one that compares equal.
static void find_present(const struct btree *tree, const void *element, const void *known,
                         struct path *path)
{
    ASSERT(tree->root != NULL);
    find(tree, element, known, path);
    const struct btree_leaf *leaf = btree_as_leaf(path->nodes[0]);
    ASSERT(path->index[0] < leaf->node.count);
    const void *found = btree_slot_element(leaf->slots[path->index[0]]);
    ASSERT(found == known || tree->ops->compare(found, element) == 0);
}

size_t btree_remove(struct btree *tree, const void *element)
{
    struct path path;
    find_present(tree, element, element, &path);
    take_out(tree, &path, 1);
    return path.rank;
}

void btree_remove_range(struct btree *tree, size_t rank, size_t count,
                        void (*release)(void *element, void *udata), void *udata)
{
    while (count > 0 && rank < tree->count) {
        struct path path;
        uint64_t slots[BTREE_LEAF_SLOTS];
        find_rank(tree, rank, &path);
        const struct btree_leaf *leaf = btree_as_leaf(path.nodes[0]);
        unsigned taken = leaf->node.count - path.index[0];
        taken = taken < count ? taken : (unsigned)count;
        memcpy(slots, &leaf->slots[path.index[0]], taken * sizeof(uint64_t));
        take_out(tree, &path, taken);
        for (unsigned i = 0; i < taken && release != NULL; i++) {
            release(btree_slot_element(slots[i]), udata);
        }
        count -= taken;
    }
}

// ---- reading ------------------------------------------------------------------------------------

void btree_moved(struct btree *tree, const void *element, void *moved)
{
    struct path path;
    find_present(tree, moved, element, &path);
    uint64_t *slot = &btree_as_leaf(path.nodes[0])->slots[path.index[0]];
    *slot = *slot - (uintptr_t)btree_slot_element(*slot) + (uintptr_t)moved;
    if (path.index[0] == 0) {
        first_changed(tree, &path, 0);
    }
}

size_t btree_rank(const struct btree *tree, const void *element)
{
    struct path path = { .rank = 0 };
    if (tree->root != NULL) {
        find(tree, element, element, &path);
    }
    return path.rank;
}

static unsigned children_below(const struct btree_inner *inner, btree_below_fn below,
                               const void *bound)
{
    unsigned begin = 0;
    unsigned end = inner->node.count;
    while (begin < end) {
        unsigned middle = begin + (end - begin) / 2;
        if (below(inner->firsts[middle], bound)) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

size_t btree_count_below(const struct btree *tree, btree_below_fn below, const void *bound)
{
    const struct btree_node *node = tree->root;
    size_t rank = 0;
    for (unsigned level = tree->height; level > 1; level--) {
        unsigned children = children_below(btree_as_inner(node), below, bound);
        if (children == 0) {
            return rank;
        }
        node = step_down(btree_as_inner(node), children - 1, &rank);
    }
    return node == NULL ? 0 : rank + btree_leaf_below(btree_as_leaf(node), below, bound);
}

size_t btree_count_below_key(const struct btree *tree, uint64_t key, bool inclusive)
{
    const struct btree_node *node = tree->root;
    size_t rank = 0;
    for (unsigned level = tree->height; level > 1; level--) {
        const struct btree_inner *inner = btree_as_inner(node);
        unsigned children = inclusive ? keys_not_above(inner, key) : keys_below(inner, key);
        if (children == 0) {
            return rank;
        }
        node = step_down(inner, children - 1, &rank);
    }
    return node == NULL
               ? 0
               : rank + btree_leaf_below_key(tree->ops, btree_as_leaf(node), key, inclusive);
}

// ---- walking ------------------------------------------------------------------------------------

struct btree_at btree_select(const struct btree *tree, size_t rank)
{
    struct path path;
    if (rank >= tree->count) {
        return (struct btree_at){ .leaf = NULL };
    }
    find_rank(tree, rank, &path);
    return (struct btree_at){ .leaf = path.nodes[0], .index = path.index[0] };
}

struct btree_at btree_next(struct btree_at at)
{
    const struct btree_leaf *leaf = btree_as_leaf(at.leaf);
    if (at.index + 1 < leaf->node.count) {
        return (struct btree_at){ .leaf = at.leaf, .index = at.index + 1 };
    }
    return (struct btree_at){ .leaf = leaf->next == NULL ? NULL : &leaf->next->node };
}

struct btree_at btree_prev(struct btree_at at)
{
    const struct btree_leaf *leaf = btree_as_leaf(at.leaf);
    if (at.index > 0) {
        return (struct btree_at){ .leaf = at.leaf, .index = at.index - 1 };
    }
    if (leaf->prev == NULL) {
        return (struct btree_at){ .leaf = NULL };
    }
    return (struct btree_at){ .leaf = &leaf->prev->node, .index = leaf->prev->node.count - 1U };
}

void *btree_element(struct btree_at at)
{
    return btree_slot_element(btree_as_leaf(at.leaf)->slots[at.index]);
}

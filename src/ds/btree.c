// SPDX-License-Identifier: BSD-3-Clause
// The B+tree: how it is built, and its operations.
//
// Workload. Sorted sets of a few hundred to many millions of elements: an element comes, goes or
// gets another score, and is asked for its rank; ranges are read both ways. Mostly the key is
// random, or ascends (timestamps), exactly or with some jitter. Elements lie anywhere in memory:
// what such a tree costs is the lines that it has to wait for, one after the other, and bytes per
// element.
//
//   inner node, 512 bytes    | count | keys[15] | counts[15] | children[15] | firsts[15] |
//                                         |           |             |            |
//           of child i: its first element's key,  how many below,  it,  that first element
//                          .--------------------------------'
//                          v
//   leaf, 512 bytes    <-prev | count shift base | slot 0 | slot 1 | ... | slot 59 | next->
//                                                     |
//                      slot: 16 bits of the key << 48 | pointer to the element
//
// Height 1 is a leaf alone, of 64, 128, 256 or 512 bytes. All leaves are equally deep.
//
// Prefixes. A slot's 16 bits are (key >> shift) - (base >> shift), with a shift and a base (a
// multiple of 1 << shift) of the leaf. They order elements as the keys do, as far as they go: only
// elements with the prefix of what is looked for are read, as a rule none or the one itself. A key
// outside of what they can say makes the leaf's shift larger: coarser prefixes follow from the
// finer ones, as they do when slots move to a leaf with another shift, so no key is read. When a
// leaf is split, evened out or merged and its prefixes span less than 1024 values, its keys are
// read again (all prefetched) and the shift gets as small as it may be: at every fourth split or
// so. With shift 0 equal prefixes are equal keys, and key() isn't called.
//
// Ties. Where keys are equal the owner's comparison decides, by `firsts` in inner nodes. The search
// fetches both elements that its next step may read while it reads one. An element that is in the
// tree is found in its leaf by its address, unread.
//
// Inserting into a full node (Bayer and McCreight's B-tree, "Organization and Maintenance of Large
// Ordered Indices", 1972; Knuth's B*-tree, TAOCP volume 3, 6.2.4): if a sibling of the same parent
// has a tenth of its room left, the two are evened out; if not, it and its siblings on both sides
// become one more, three becoming four. Leaves are 84 % full after random insertions. Then the way
// is looked for again from the root, which is simpler than following it through the changes, and
// rare.
//
// Another key. An element whose new prefix is in the middle of its leaf, and no other element's, is
// moved there: nothing else changes. Otherwise it is taken out and inserted.
//
// At the ends. Before all others or behind all, a full node isn't split in half: the new node gets
// one element, so that ascending and descending insertion leave full nodes behind. Where nodes are
// evened out or split at the end of the order, all but the last are packed: insertions with some
// jitter would leave them three quarters full otherwise (13.4 bytes an element, now 9.8).
//
// Removing. A node less than half full is merged with a sibling if both fit into one, else evened
// out with it. A range goes leaf by leaf: what is in a leaf is cut out at once, and the leaf leaves
// its parent if nothing is left. Elements are released when the tree is in order again.
//
// Invariants (btree_check() is the list). Nodes are at least half full but for those at either edge
// of the tree, which have one entry or more: such a node gets a neighbour on its outer side only
// when it is full. Keys, counts and firsts of inner nodes are exact. The root has two children or
// is a leaf.
//
// Costs. Bytes an element at 600,000: 10.9 after random insertion, 9.4 ascending or descending,
// 11.7 after long replacing; at worst 20. A full leaf has 8.5. Five levels at 600,000, of which the
// upper four stay in the cache: an insert or a rank waits for one leaf, whose lines are fetched
// together. A skiplist waits for some twenty elements.
//
// Walking fetches eight elements ahead, and the leaf after the next: 70 to 120 ns an element, with
// the work of a small reply, where 170 to 350 were without. Selecting fetches four on each side,
// since what follows is a walk as a rule (a tenth to a third less for ten elements); it makes a
// select that nothing is read from dearer by the 160 ns that these lines take.
//
// Rejected. A skiplist (37 bytes an element and pointers to follow at every step). Keys in the
// leaves (8 bytes more). Packing pointers into 6 bytes (2.1 bytes less, but every step of the
// search in a leaf would read an element). Splitting two into three (11.1 bytes an element). Larger
// inner nodes (a set of 130 would pay 1 KB for its root). Separators that need not be elements
// (removal would be cheaper by a step, and ties could not be decided). Recursion with a path that
// is kept true.
#include "ds/btree.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/btree_internal.h"

#define FETCH_AHEAD  8  // elements that a walk fetches before it reads them
#define FETCH_AROUND 4  // elements on both sides of one that was selected

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
    struct btree_path path;
    struct btree_node *node = tree->root;
    unsigned height = tree->height;
    for (unsigned level = height - 1; level > 0; level--) {
        path.nodes[level] = node;
        node = btree_as_inner(node)->children[node->count - 1];
    }
    btree_node_free(tree, node, 0);
    unsigned level = 1;
    for (; level < height && --path.nodes[level]->count == 0; level++) {
        btree_node_free(tree, path.nodes[level], level);
    }
    if (level == height) {
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
static inline unsigned keys_below(const struct btree_inner *inner, uint64_t key)
{
    return btree_words_below(inner->keys, inner->node.count, key);
}

static unsigned keys_not_above(const struct btree_inner *inner, uint64_t key)
{
    return key == UINT64_MAX ? inner->node.count : keys_below(inner, key + 1);
}

// How many children begin at the element or below it; `begin` of them have a smaller key, and the
// next one's is the same.
static __attribute__((noinline)) unsigned among_equal(const struct btree_ops *ops,
                                                      const struct btree_inner *inner,
                                                      unsigned begin, const void *element,
                                                      const void *known)
{
    uint64_t key = inner->keys[begin];
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
    return begin;
}

static inline void prefetch_node(const void *node)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < BTREE_NODE_BYTES; i += 64) {
        btree_prefetch((const char *)node + i);
    }
}

// What a search reads of an inner node: its keys and its children.
static inline void prefetch_inner(const struct btree_node *node)
{
    const struct btree_inner *inner = btree_as_inner(node);
    btree_prefetch(inner);
    btree_prefetch(&inner->keys[BTREE_INNER_SLOTS - 1]);
    btree_prefetch(&inner->children[0]);
    btree_prefetch(&inner->children[BTREE_INNER_SLOTS - 1]);
}

static inline void prefetch_child(const struct btree_node *child, unsigned level)
{
    if (level > 0) {
        prefetch_inner(child);
    } else {
        prefetch_node(child);
    }
}

// Goes one level down, to this child.
static const struct btree_node *step_down(const struct btree_inner *inner, unsigned index,
                                          size_t *rank)
{
    const struct btree_node *child = inner->children[index];
    prefetch_node(child);
    for (unsigned i = 0; i < index; i++) {
        *rank += inner->counts[i];
    }
    return child;
}

// The way to where the element, which has this key, is or belongs; the pointer `known` compares
// equal to it and is not read. The tree isn't empty.
static void find(const struct btree *tree, uint64_t key, const void *element, const void *known,
                 struct btree_path *path)
{
    struct btree_node *node = tree->root;
    for (unsigned level = tree->height - 1; level > 0; level--) {
        const struct btree_inner *inner = btree_as_inner(node);
        // The last child that doesn't begin above it.
        unsigned begin = keys_below(inner, key);
        if (unlikely(begin < node->count && inner->keys[begin] == key)) {
            begin = among_equal(tree->ops, inner, begin, element, known);
        }
        begin -= begin > 0;
        path->nodes[level] = node;
        path->index[level] = begin;
        node = inner->children[begin];
        prefetch_child(node, level - 1);
    }
    path->nodes[0] = node;
    path->index[0] = btree_leaf_find(tree->ops, btree_as_leaf(node), key, element, known);
}

static size_t rank_of(const struct btree *tree, const struct btree_path *path)
{
    size_t rank = path->index[0];
    for (unsigned level = tree->height - 1; level > 0; level--) {
        const struct btree_inner *inner = btree_as_inner(path->nodes[level]);
        for (unsigned i = 0; i < path->index[level]; i++) {
            rank += inner->counts[i];
        }
    }
    return rank;
}

// The way to an element by rank, which is below the tree's count.
static void find_rank(const struct btree *tree, size_t rank, struct btree_path *path)
{
    struct btree_node *node = tree->root;
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

void btree_insert(struct btree *tree, void *element)
{
    struct btree_path path;
    uint64_t key = tree->ops->key(element);
    if (tree->root == NULL) {
        tree->root = &btree_leaf_new(tree, BTREE_FIRST_SLOTS)->node;
        tree->first = tree->last = tree->root;
        tree->height = 1;
    }
    find(tree, key, element, NULL, &path);
    while (unlikely(path.nodes[0]->count == path.nodes[0]->capacity)) {
        if (path.nodes[0]->capacity < BTREE_LEAF_SLOTS) {
            grow_root_leaf(tree);
        } else {
            btree_make_room(tree, &path);
        }
        find(tree, key, element, NULL, &path);
    }
    btree_leaf_put(btree_as_leaf(path.nodes[0]), path.index[0], key, element);
    for (unsigned level = 1; level < tree->height; level++) {
        btree_as_inner(path.nodes[level])->counts[path.index[level]]++;
    }
    tree->count++;
    if (path.index[0] == 0) {
        btree_first_changed(tree, &path);
    }
}

// ---- removing -----------------------------------------------------------------------------------

// Takes `count` elements out of the leaf at the end of the way.
static void take_out(struct btree *tree, const struct btree_path *path, unsigned count)
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
    btree_rebalance(tree, path);
}

// Finds an element that is there, by itself or one that compares equal.
static void find_present(const struct btree *tree, const void *wanted, const void *known,
                         struct btree_path *path)
{
    ASSERT(tree->root != NULL);
    find(tree, tree->ops->key(wanted), wanted, known, path);
    const struct btree_leaf *leaf = btree_as_leaf(path->nodes[0]);
    ASSERT(path->index[0] < leaf->node.count);
    const void *found = btree_slot_element(leaf->slots[path->index[0]]);
    ASSERT(found == known || tree->ops->compare(found, wanted) == 0);
}

void btree_remove(struct btree *tree, const void *element)
{
    struct btree_path path;
    find_present(tree, element, element, &path);
    take_out(tree, &path, 1);
}

void btree_update(struct btree *tree, void *element,
                  void (*write)(void *element, const void *value), const void *value)
{
    struct btree_path path;
    find_present(tree, element, element, &path);
    write(element, value);
    uint64_t key = tree->ops->key(element);
    if (btree_leaf_move(btree_as_leaf(path.nodes[0]), path.index[0], key)) {
        return;
    }
    take_out(tree, &path, 1);
    btree_insert(tree, element);
}

void btree_remove_range(struct btree *tree, size_t rank, size_t count,
                        void (*release)(void *element, void *udata), void *udata)
{
    while (count > 0 && rank < tree->count) {
        struct btree_path path;
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
    struct btree_path path;
    find_present(tree, moved, element, &path);
    uint64_t *slot = &btree_as_leaf(path.nodes[0])->slots[path.index[0]];
    *slot = *slot - (uintptr_t)btree_slot_element(*slot) + (uintptr_t)moved;
    if (path.index[0] == 0) {
        btree_first_changed(tree, &path);
    }
}

size_t btree_rank(const struct btree *tree, const void *element)
{
    struct btree_path path;
    if (tree->root == NULL) {
        return 0;
    }
    find(tree, tree->ops->key(element), element, element, &path);
    return rank_of(tree, &path);
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

// Fetches what a walk in either direction will read first.
static void fetch_around(const struct btree_leaf *leaf, unsigned index)
{
    unsigned begin = index > FETCH_AROUND ? index - FETCH_AROUND : 0;
    unsigned end = index + FETCH_AROUND + 1;
    end = end < leaf->node.count ? end : leaf->node.count;
    for (unsigned i = begin; i < end; i++) {
        btree_prefetch(btree_slot_element(leaf->slots[i]));
    }
}

struct btree_at btree_select(const struct btree *tree, size_t rank)
{
    struct btree_path path;
    if (rank >= tree->count) {
        return (struct btree_at){ .leaf = NULL };
    }
    find_rank(tree, rank, &path);
    fetch_around(btree_as_leaf(path.nodes[0]), path.index[0]);
    return (struct btree_at){ .leaf = path.nodes[0], .index = path.index[0] };
}

struct btree_at btree_next(struct btree_at at)
{
    const struct btree_leaf *leaf = btree_as_leaf(at.leaf);
    const struct btree_leaf *next = leaf->next;
    unsigned ahead = at.index + FETCH_AHEAD;
    if (ahead < leaf->node.count) {
        btree_prefetch(btree_slot_element(leaf->slots[ahead]));
    } else if (next != NULL && ahead - leaf->node.count < next->node.count) {
        btree_prefetch(btree_slot_element(next->slots[ahead - leaf->node.count]));
    }
    if (at.index + 1 < leaf->node.count) {
        return (struct btree_at){ .leaf = at.leaf, .index = at.index + 1 };
    }
    if (next == NULL) {
        return (struct btree_at){ .leaf = NULL };
    }
    if (next->next != NULL) {
        prefetch_node(next->next);
    }
    return (struct btree_at){ .leaf = (struct btree_node *)&next->node };
}

struct btree_at btree_prev(struct btree_at at)
{
    const struct btree_leaf *leaf = btree_as_leaf(at.leaf);
    const struct btree_leaf *prev = leaf->prev;
    if (at.index >= FETCH_AHEAD) {
        btree_prefetch(btree_slot_element(leaf->slots[at.index - FETCH_AHEAD]));
    } else if (prev != NULL && prev->node.count + at.index >= FETCH_AHEAD) {
        unsigned ahead = prev->node.count + at.index - FETCH_AHEAD;
        btree_prefetch(btree_slot_element(prev->slots[ahead]));
    }
    if (at.index > 0) {
        return (struct btree_at){ .leaf = at.leaf, .index = at.index - 1 };
    }
    if (prev == NULL) {
        return (struct btree_at){ .leaf = NULL };
    }
    if (prev->prev != NULL) {
        prefetch_node(prev->prev);
    }
    return (struct btree_at){ .leaf = (struct btree_node *)&prev->node,
                              .index = prev->node.count - 1U };
}

void *btree_element(struct btree_at at)
{
    return btree_slot_element(btree_as_leaf(at.leaf)->slots[at.index]);
}

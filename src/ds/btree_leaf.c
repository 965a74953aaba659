// SPDX-License-Identifier: BSD-3-Clause
// One leaf of the B+tree: searching it, and the prefixes of its slots.
#include "base/panic.h"
#include "ds/btree_internal.h"

#define POOR_RANGE   1024  // of a leaf's prefixes: fewer tell its elements badly apart
#define REFINE_COUNT 8     // elements, below which a leaf isn't worth it

// A range of indices.
struct span {
    unsigned begin;
    unsigned end;
};

// The slots whose prefix is the key's: those before are below it, those behind above it.
static struct span same_prefix(const struct btree_leaf *leaf, uint64_t key)
{
    unsigned count = leaf->node.count;
    if (key < leaf->base) {
        return (struct span){ 0, 0 };
    }
    uint64_t prefix = btree_leaf_prefix(leaf, key);
    if (prefix > BTREE_PREFIX_MAX) {
        return (struct span){ count, count };
    }
    unsigned begin = btree_words_below(leaf->slots, count, prefix << BTREE_POINTER_BITS);
    if (begin == count || btree_slot_prefix(leaf->slots[begin]) != prefix) {
        return (struct span){ begin, begin };
    }
    if (begin + 1 == count || btree_slot_prefix(leaf->slots[begin + 1]) != prefix) {
        return (struct span){ begin, begin + 1 };
    }
    uint64_t last = prefix << BTREE_POINTER_BITS | ((UINT64_C(1) << BTREE_POINTER_BITS) - 1);
    return (struct span){ begin, btree_words_below(leaf->slots, count, last) };
}

// The middle of the span; what the step after this one will read is fetched meanwhile.
static unsigned middle_of(const struct btree_leaf *leaf, struct span span)
{
    unsigned quarter = (span.end - span.begin) / 4;
    unsigned middle = span.begin + (span.end - span.begin) / 2;
    if (quarter > 0) {
        btree_prefetch(btree_slot_element(leaf->slots[middle]));
        btree_prefetch(btree_slot_element(leaf->slots[middle - quarter]));
        btree_prefetch(btree_slot_element(leaf->slots[middle + quarter]));
    }
    return middle;
}

static bool is_below(const struct btree_ops *ops, const struct btree_leaf *leaf, unsigned index,
                     uint64_t key, const void *element)
{
    const void *other = btree_slot_element(leaf->slots[index]);
    uint64_t other_key = leaf->node.shift == 0 ? key : ops->key(other);
    return other_key != key ? other_key < key : ops->compare(other, element) < 0;
}

unsigned btree_leaf_find(const struct btree_ops *ops, const struct btree_leaf *leaf, uint64_t key,
                         const void *element, const void *known)
{
    struct span span = same_prefix(leaf, key);
    for (unsigned i = span.begin; known != NULL && i < span.end; i++) {
        if (btree_slot_element(leaf->slots[i]) == known) {
            return i;
        }
    }
    while (span.begin < span.end) {
        unsigned middle = middle_of(leaf, span);
        if (is_below(ops, leaf, middle, key, element)) {
            span.begin = middle + 1;
        } else {
            span.end = middle;
        }
    }
    return span.begin;
}

unsigned btree_leaf_below_key(const struct btree_ops *ops, const struct btree_leaf *leaf,
                              uint64_t key, bool inclusive)
{
    struct span span = same_prefix(leaf, key);
    if (leaf->node.shift == 0) {
        return inclusive ? span.end : span.begin;
    }
    while (span.begin < span.end) {
        unsigned middle = middle_of(leaf, span);
        uint64_t other = ops->key(btree_slot_element(leaf->slots[middle]));
        if (other < key || (inclusive && other == key)) {
            span.begin = middle + 1;
        } else {
            span.end = middle;
        }
    }
    return span.begin;
}

unsigned btree_leaf_below(const struct btree_leaf *leaf, btree_below_fn below, const void *bound)
{
    struct span span = { 0, leaf->node.count };
    while (span.begin < span.end) {
        unsigned middle = middle_of(leaf, span);
        if (below(btree_slot_element(leaf->slots[middle]), bound)) {
            span.begin = middle + 1;
        } else {
            span.end = middle;
        }
    }
    return span.begin;
}

static uint64_t slot_in_frame(const struct btree_leaf *leaf, uint64_t key, uint64_t slot)
{
    uint64_t pointer = (uintptr_t)btree_slot_element(slot);
    return btree_leaf_prefix(leaf, key) << BTREE_POINTER_BITS | pointer;
}

static uint8_t shift_for(uint64_t low, uint64_t high, uint8_t shift)
{
    while ((high >> shift) - (low >> shift) > BTREE_PREFIX_MAX) {
        shift++;
    }
    return shift;
}

// Makes prefixes for keys from `low` to `high`, known without their low `shift` bits, possible
// too. Coarser prefixes follow from the finer ones: no key is read.
static void cover(struct btree_leaf *leaf, uint64_t low, uint64_t high, uint8_t shift)
{
    unsigned count = leaf->node.count;
    if (shift <= leaf->node.shift && low >= leaf->base &&
        btree_leaf_prefix(leaf, high) <= BTREE_PREFIX_MAX) {
        return;
    }
    struct btree_leaf old = *leaf;
    shift = shift > old.node.shift ? shift : old.node.shift;
    if (count > 0) {
        uint64_t first = btree_leaf_floor(&old, leaf->slots[0]);
        uint64_t last = btree_leaf_floor(&old, leaf->slots[count - 1]);
        low = low < first ? low : first;
        high = high > last ? high : last;
    }
    shift = shift_for(low, high, shift);
    leaf->node.shift = shift;
    leaf->base = low >> shift << shift;
    for (unsigned i = 0; i < count; i++) {
        uint64_t slot = leaf->slots[i];
        leaf->slots[i] = slot_in_frame(leaf, btree_leaf_floor(&old, slot), slot);
    }
}

void btree_leaf_put(struct btree_leaf *leaf, unsigned index, uint64_t key, void *element)
{
    ASSERT(element != NULL && (uintptr_t)element >> BTREE_POINTER_BITS == 0);
    unsigned count = leaf->node.count;
    if (count == 0) {
        leaf->base = key;
        leaf->node.shift = 0;
    } else {
        cover(leaf, key, key, 0);
    }
    memmove(&leaf->slots[index + 1], &leaf->slots[index], (count - index) * sizeof(uint64_t));
    leaf->slots[index] = slot_in_frame(leaf, key, (uintptr_t)element);
    leaf->node.count++;
}

bool btree_leaf_move(struct btree_leaf *leaf, unsigned index, uint64_t key)
{
    unsigned count = leaf->node.count;
    struct span same = same_prefix(leaf, key);
    unsigned to = same.begin;
    bool alone = same.begin == same.end || (same.begin == index && same.end == index + 1);
    // With an unchanged prefix the last one's key may still have passed the next leaf's first.
    if (!alone || index == 0 || to == 0 || same.end >= count) {
        return false;
    }
    uint64_t slot = slot_in_frame(leaf, key, leaf->slots[index]);
    if (to > index) {
        to--;
        memmove(&leaf->slots[index], &leaf->slots[index + 1], (to - index) * sizeof(uint64_t));
    } else {
        memmove(&leaf->slots[to + 1], &leaf->slots[to], (index - to) * sizeof(uint64_t));
    }
    leaf->slots[to] = slot;
    return true;
}

// Copies slots of one leaf to another one, whose frame is made to cover them.
static void copy_slots(struct btree_leaf *to, unsigned at, const struct btree_leaf *from,
                       const uint64_t *slots, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        to->slots[at + i] = slot_in_frame(to, btree_leaf_floor(from, slots[i]), slots[i]);
    }
}

static void cover_slots(struct btree_leaf *to, const struct btree_leaf *from, const uint64_t *slots,
                        unsigned count)
{
    if (to->node.count == 0) {
        to->node.shift = from->node.shift;
        to->base = from->base;
        return;
    }
    uint64_t low = btree_leaf_floor(from, slots[0]);
    uint64_t high = btree_leaf_floor(from, slots[count - 1]);
    cover(to, low, high, from->node.shift);
}

void btree_leaf_shift_right(struct btree_leaf *left, struct btree_leaf *right, unsigned count)
{
    const uint64_t *slots = &left->slots[left->node.count - count];
    cover_slots(right, left, slots, count);
    memmove(&right->slots[count], right->slots, right->node.count * sizeof(uint64_t));
    copy_slots(right, 0, left, slots, count);
}

void btree_leaf_shift_left(struct btree_leaf *left, struct btree_leaf *right, unsigned count)
{
    cover_slots(left, right, right->slots, count);
    copy_slots(left, left->node.count, right, right->slots, count);
    memmove(right->slots, &right->slots[count], (right->node.count - count) * sizeof(uint64_t));
}

void btree_leaf_refine(const struct btree_ops *ops, struct btree_leaf *leaf)
{
    unsigned count = leaf->node.count;
    if (leaf->node.shift == 0 || count < REFINE_COUNT ||
        btree_slot_prefix(leaf->slots[count - 1]) - btree_slot_prefix(leaf->slots[0]) >=
            POOR_RANGE) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        btree_prefetch(btree_slot_element(leaf->slots[i]));
    }
    uint64_t low = ops->key(btree_slot_element(leaf->slots[0]));
    uint64_t high = ops->key(btree_slot_element(leaf->slots[count - 1]));
    uint8_t shift = shift_for(low, high, 0);
    leaf->node.shift = shift;
    leaf->base = low >> shift << shift;
    for (unsigned i = 0; i < count; i++) {
        uint64_t slot = leaf->slots[i];
        leaf->slots[i] = slot_in_frame(leaf, ops->key(btree_slot_element(slot)), slot);
    }
}

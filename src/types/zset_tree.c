// SPDX-License-Identifier: BSD-3-Clause
// Large sorted sets: a table of elements by member, and a tree of the same elements in order.
#include "base/hash.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "types/zset_internal.h"

#include <math.h>

uint64_t zset_member_hash(struct slice member)
{
    return hash_bytes(member.ptr, member.len);
}

bool zset_member_matches(const void *element, const void *member)
{
    return slice_equal(zset_element_member(element), *(const struct slice *)member);
}

static bool is_element(const void *element, const void *wanted)
{
    return element == wanted;
}

static uint64_t element_hash(const void *element)
{
    return zset_member_hash(zset_element_member(element));
}

const struct table_ops zset_table_ops = { .hash = element_hash, .match = zset_member_matches };

static uint64_t element_key(const void *element)
{
    return zset_sort_key(zset_element_score(element));
}

static int compare_elements(const void *a, const void *b)
{
    return zset_compare_members(zset_element_member(a), zset_element_member(b));
}

static const struct btree_ops order_ops = { .key = element_key, .compare = compare_elements };

struct zset_tree *zset_tree_new(size_t count)
{
    struct zset_tree *zset = mem_alloc_zeroed(sizeof(*zset));
    btree_init(&zset->order, &order_ops);
    table_init(&zset->members, &zset_table_ops);
    if (count > 0 && table_reserve(&zset->members, count) != STATUS_OK)
        PANIC("out of memory: a sorted set of %zu members", count);
    return zset;
}

static void free_element(void *element, void *udata)
{
    (void)udata;
    zset_element_free(element);
}

void zset_tree_free(struct zset_tree *zset)
{
    while (!zset_tree_free_some(zset, SIZE_MAX)) {
    }
}

bool zset_tree_free_some(struct zset_tree *zset, size_t budget)
{
    if (!zset->drain) {
        if (!btree_release_step(&zset->order, budget))
            return false;
        zset->drain = mem_alloc(sizeof(*zset->drain));
        table_drain_begin(zset->drain, &zset->members);
    }
    if (!table_drain_step(zset->drain, budget, free_element, NULL))
        return false;
    mem_free(zset->drain, sizeof(*zset->drain));
    mem_free(zset, sizeof(*zset));
    return true;
}

void zset_tree_insert_in_order(struct zset_tree *zset, struct zset_element *element)
{
    btree_insert(&zset->order, element);
    zset->element_bytes += zset_element_memory(element);
}

void zset_tree_insert(struct zset_tree *zset, uint64_t hash, struct zset_element *element)
{
    if (table_insert(&zset->members, hash, element, NULL) != STATUS_OK)
        PANIC("out of memory: a sorted set of %zu members", zset->members.count);
    zset_tree_insert_in_order(zset, element);
}

struct zset_tree *zset_tree_copy(const struct zset_tree *zset)
{
    struct zset_tree *copy = zset_tree_new(zset->members.count);
    for (struct btree_at at = btree_select(&zset->order, 0); at.leaf; at = btree_next(at)) {
        const struct zset_element *element = btree_element(at);
        struct slice member = zset_element_member(element);
        zset_tree_insert(copy, zset_member_hash(member),
                         zset_element_new(member, zset_element_score(element)));
    }
    return copy;
}

size_t zset_tree_memory(const struct zset_tree *zset)
{
    return mem_good_size(sizeof(*zset)) + zset->order.memory + table_memory(&zset->members) +
           zset->element_bytes;
}

static struct table_slot *find_slot(const struct zset_tree *zset, uint64_t hash,
                                    struct slice member)
{
    return table_find_inl(&zset->members, hash, &member, zset_member_matches);
}

const struct zset_element *zset_tree_find(const struct zset_tree *zset, struct slice member)
{
    const struct table_slot *slot = find_slot(zset, zset_member_hash(member), member);
    return slot ? table_slot_entry(slot) : NULL;
}

static void write_score(void *element, const void *score)
{
    zset_element_set_score(element, *(const double *)score);
}

enum zset_outcome zset_tree_add(struct zset_tree *zset, struct slice member, unsigned flags,
                                double *score)
{
    uint64_t hash = zset_member_hash(member);
    const struct table_slot *slot = find_slot(zset, hash, member);
    if (!slot) {
        if (flags & ZSET_ADD_XX)
            return ZSET_REFUSED;
        zset_tree_insert(zset, hash, zset_element_new(member, *score));
        return ZSET_ADDED;
    }
    struct zset_element *element = table_slot_entry(slot);
    enum zset_outcome outcome = zset_settle(flags, zset_element_score(element), score);
    if (outcome == ZSET_UPDATED)
        btree_update(&zset->order, element, write_score, score);
    return outcome;
}

static void forget(struct zset_tree *zset, struct zset_element *element)
{
    zset->element_bytes -= zset_element_memory(element);
    zset_element_free(element);
}

bool zset_tree_remove(struct zset_tree *zset, struct slice member)
{
    uint64_t hash = zset_member_hash(member);
    struct table_slot *slot = find_slot(zset, hash, member);
    if (!slot)
        return false;
    struct zset_element *element = table_slot_entry(slot);
    btree_remove(&zset->order, element);
    table_remove(&zset->members, hash, slot);
    forget(zset, element);
    return true;
}

// The ranks from `first` up to `end`, which may lie before it.
static struct zset_span span_between(size_t first, size_t end)
{
    return (struct zset_span){ .first = first, .count = end > first ? end - first : 0 };
}

struct zset_span zset_tree_span_of_scores(const struct zset_tree *zset,
                                          const struct zset_score_range *range)
{
    return span_between(
        btree_count_below_key(&zset->order, zset_sort_key(range->min), range->min_open),
        btree_count_below_key(&zset->order, zset_sort_key(range->max), !range->max_open));
}

static bool element_below(const void *element, const void *bound)
{
    return zset_lex_below(zset_element_member(element), bound);
}

static bool element_within(const void *element, const void *bound)
{
    return zset_lex_within(zset_element_member(element), bound);
}

struct zset_span zset_tree_span_of_lex(const struct zset_tree *zset,
                                       const struct zset_lex_range *range)
{
    return span_between(btree_count_below(&zset->order, element_below, &range->min),
                        btree_count_below(&zset->order, element_within, &range->max));
}

static void release_removed(void *removed, void *udata)
{
    struct zset_tree *zset = udata;
    struct zset_element *element = removed;
    uint64_t hash = element_hash(element);
    struct table_slot *slot = table_find_inl(&zset->members, hash, element, is_element);
    ASSERT(slot);
    table_remove(&zset->members, hash, slot);
    forget(zset, element);
}

void zset_tree_remove_span(struct zset_tree *zset, struct zset_span span)
{
    if (span.count > 0)
        btree_remove_range(&zset->order, span.first, span.count, release_removed, zset);
}

void zset_tree_check(const struct zset_tree *zset)
{
    btree_check(&zset->order);
    table_check(&zset->members);
    ASSERT(zset->order.count == zset->members.count);
    size_t bytes = 0;
    for (struct btree_at at = btree_select(&zset->order, 0); at.leaf; at = btree_next(at)) {
        const struct zset_element *element = btree_element(at);
        ASSERT(!isnan(zset_element_score(element)));
        ASSERT(zset_tree_find(zset, zset_element_member(element)) == element);
        bytes += zset_element_memory(element);
    }
    ASSERT(bytes == zset->element_bytes);
}

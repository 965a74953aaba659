// SPDX-License-Identifier: BSD-3-Clause
// The quicklist's deep verifier.
#include "ds/quicklist_internal.h"

#include "base/memory.h"
#include "base/panic.h"

// What the verifier has met so far.
struct census {
    const struct quicklist *list;
    const struct quicklist_chunk *next;  // the chunk that the index must name next
    size_t memory;
};

static void check_limits(const struct quicklist *list, const struct quicklist_chunk *chunk)
{
    if (chunk->count == 1)
        return;
    ASSERT(chunk->count <= list->limit_count);
    ASSERT(QL_CHUNK_HEADER + lp_bytes(ql_lp(chunk)) <= list->limit_bytes);
}

static void check_chunk(struct census *census, const struct quicklist_chunk *chunk)
{
    const unsigned char *lp = ql_lp(chunk);
    ASSERT(chunk->size == mem_good_size(chunk->size));
    ASSERT(QL_CHUNK_HEADER + chunk->front + LP_EMPTY_BYTES <= chunk->size);
    ASSERT(QL_CHUNK_HEADER + chunk->front + lp_bytes(lp) <= chunk->size);
    ASSERT(lp_validate(lp, lp_bytes(lp)));
    ASSERT(chunk->count > 0);
    size_t elements = 0;
    for (size_t at = lp_first(lp); at != 0; at = lp_next(lp, at))
        elements++;
    ASSERT(elements == chunk->count && lp_count(lp) == elements);
    check_limits(census->list, chunk);
    census->memory += chunk->size;
}

// Returns the elements below the node.
static uint64_t check_node(struct census *census, const struct quicklist_node *node)
{
    uint64_t elements = 0;
    ASSERT(node->used > 0 && node->used <= QL_FANOUT);
    for (unsigned i = 0; i < node->used; i++) {
        uint64_t below;
        if (node->level == 0) {
            ASSERT(node->child[i] == census->next && census->next->parent == node);
            below = census->next->count;
            census->next = census->next->next;
        } else {
            const struct quicklist_node *child = node->child[i];
            ASSERT(child->parent == node && child->level == node->level - 1);
            below = check_node(census, child);
        }
        ASSERT(below == node->count[i]);
        elements += below;
    }
    census->memory += mem_good_size(sizeof *node);
    return elements;
}

static void check_index(struct census *census)
{
    const struct quicklist *list = census->list;
    if (list->chunks <= 2) {
        ASSERT(!list->root);
        return;
    }
    ASSERT(list->root && !list->root->parent);
    ASSERT(list->root->level == 0 || list->root->used > 1);
    census->next = list->head->next;
    uint64_t elements = check_node(census, list->root);
    ASSERT(census->next == list->tail);
    ASSERT(elements + list->head->count + list->tail->count == list->count);
}

void quicklist_check(const struct quicklist *list)
{
    struct census census = { .list = list, .memory = mem_good_size(sizeof *list) };
    const struct quicklist_chunk *prev = NULL;
    size_t chunks = 0;
    size_t elements = 0;
    for (const struct quicklist_chunk *chunk = list->head; chunk; chunk = chunk->next) {
        ASSERT(chunk->prev == prev);
        check_chunk(&census, chunk);
        elements += chunk->count;
        chunks++;
        prev = chunk;
    }
    ASSERT(list->tail == prev);
    ASSERT(list->chunks == chunks && list->count == elements);
    ASSERT(!list->head || (!list->head->parent && !list->tail->parent));
    check_index(&census);
    ASSERT(census.memory == list->memory);
}

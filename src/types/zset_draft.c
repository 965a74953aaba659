// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets in the making: see zset_draft.h.
#include "types/zset_draft.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "types/packed.h"
#include "types/zset_internal.h"

#include <stdlib.h>

#define FIRST_CAP 16

// A listpack of a draft is not made larger than this.
#define PACKED_BYTES_MAX ((size_t)1 << 30)

void zset_draft_init(struct zset_draft *draft)
{
    *draft = (struct zset_draft){ 0 };
    table_init(&draft->index, &zset_table_ops);
}

// Frees the room, not the elements.
static void free_room(struct zset_draft *draft)
{
    table_release(&draft->index, NULL, NULL);
    mem_free(draft->elements, draft->cap * sizeof(*draft->elements));
    zset_draft_init(draft);
}

void zset_draft_release(struct zset_draft *draft)
{
    for (size_t i = 0; i < draft->count; i++)
        zset_element_free(draft->elements[i]);
    free_room(draft);
}

static struct zset_element *append(struct zset_draft *draft, struct slice member, double score)
{
    if (draft->count == draft->cap) {
        size_t cap = draft->cap ? draft->cap * 2 : FIRST_CAP;
        draft->elements = mem_realloc(draft->elements, draft->cap * sizeof(*draft->elements),
                                      cap * sizeof(*draft->elements));
        draft->cap = cap;
    }
    if (member.len > draft->longest)
        draft->longest = member.len;
    struct zset_element *element = zset_element_new(member, score);
    draft->elements[draft->count++] = element;
    return element;
}

void zset_draft_add(struct zset_draft *draft, struct slice member, double score)
{
    append(draft, member, score);
}

static void index_element(struct table *index, uint64_t hash, struct zset_element *element)
{
    if (table_insert(index, hash, element, NULL) != STATUS_OK)
        PANIC("out of memory: a sorted set of %zu members", index->count);
}

void zset_draft_merge(struct zset_draft *draft, struct slice member, double score,
                      double (*combine)(double old, double score))
{
    uint64_t hash = zset_member_hash(member);
    const struct table_slot *slot = table_find_inl(&draft->index, hash, &member,
                                                   zset_member_matches);
    if (slot) {
        struct zset_element *element = table_slot_entry(slot);
        zset_element_set_score(element, combine(zset_element_score(element), score));
        return;
    }
    index_element(&draft->index, hash, append(draft, member, score));
}

static int compare(const void *a, const void *b)
{
    const struct zset_element *left = *(struct zset_element *const *)a;
    const struct zset_element *right = *(struct zset_element *const *)b;
    double left_score = zset_element_score(left);
    double right_score = zset_element_score(right);
    if (left_score != right_score)
        return left_score < right_score ? -1 : 1;
    return zset_compare_members(zset_element_member(left), zset_element_member(right));
}

void zset_draft_sort(struct zset_draft *draft)
{
    if (draft->count > 1)
        qsort(draft->elements, draft->count, sizeof(*draft->elements), compare);
}

static size_t packed_size(const struct zset_draft *draft)
{
    size_t size = LP_EMPTY_BYTES;
    for (size_t i = 0; i < draft->count; i++) {
        struct zset_packed_score score;
        struct lp_key member = lp_key_of(zset_element_member(draft->elements[i]));
        zset_packed_score_of(zset_element_score(draft->elements[i]), &score);
        size += lp_encoded_bytes(&member) + lp_encoded_bytes(&score.key);
    }
    return size;
}

static void fill(unsigned char *lp, const struct zset_draft *draft, size_t size)
{
    lp_init(lp);
    size_t at = lp_end(lp);
    lp_splice(lp, &(struct lp_edit){
                      .at = at, .added = size - LP_EMPTY_BYTES, .added_count = draft->count * 2 });
    for (size_t i = 0; i < draft->count; i++) {
        struct zset_packed_score score;
        struct lp_key member = lp_key_of(zset_element_member(draft->elements[i]));
        zset_packed_score_of(zset_element_score(draft->elements[i]), &score);
        at += lp_encode(lp + at, &member);
        at += lp_encode(lp + at, &score.key);
    }
}

static struct entry *finish_packed(struct zset_draft *draft, struct slice key,
                                   struct entry_spec *spec)
{
    size_t size = packed_size(draft);
    unsigned char *lp = mem_alloc(size);
    fill(lp, draft, size);
    spec->encoding = ZSET_ENC_LISTPACK;
    struct entry *entry = packed_new(key, spec, lp, size);
    mem_free(lp, size);
    zset_draft_release(draft);
    return entry;
}

static struct entry *finish_tree(struct zset_draft *draft, struct slice key,
                                 struct entry_spec *spec)
{
    bool indexed = draft->index.count > 0;
    struct zset_tree *tree = zset_tree_new(indexed ? 0 : draft->count);
    if (indexed) {
        tree->members = draft->index;
        table_init(&draft->index, &zset_table_ops);
    }
    for (size_t i = 0; i < draft->count; i++) {
        struct zset_element *element = draft->elements[i];
        if (!indexed)
            index_element(&tree->members, zset_member_hash(zset_element_member(element)), element);
        zset_tree_insert_in_order(tree, element);
    }
    spec->encoding = ZSET_ENC_TREE;
    spec->word = (uintptr_t)tree;
    free_room(draft);
    return entry_new(key, spec);
}

struct entry *zset_draft_finish(struct zset_draft *draft, struct slice key, uint32_t access,
                                const struct collection_limits *limits)
{
    ASSERT(draft->count > 0);
    struct entry_spec spec = { .type = TYPE_ZSET, .access = access, .expiry = EXPIRY_NONE };
    zset_draft_sort(draft);
    bool packed = (int64_t)draft->count <= limits->zset_max_listpack_entries &&
                  (int64_t)draft->longest <= limits->zset_max_listpack_value &&
                  draft->count <=
                      PACKED_BYTES_MAX / (draft->longest + 2 * LP_INTEGER_MAX + DOUBLE_TEXT_MAX);
    return packed ? finish_packed(draft, key, &spec) : finish_tree(draft, key, &spec);
}

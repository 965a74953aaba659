// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets: see zset.h. What is common to both encodings, and the choice between them.
#include "types/zset.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "store/digest.h"
#include "store/elements.h"
#include "types/packed.h"
#include "types/sample.h"
#include "types/zset_internal.h"

#include <math.h>
#include <stdio.h>

// A score's text as the digest takes it, "%.17g".
#define DIGEST_TEXT_MAX 32

static void release(struct entry *entry)
{
    if (zset_is_packed(entry))
        packed_release(entry, lp_bytes(packed_bytes(entry)));
    else
        zset_tree_free(zset_tree_of(entry));
}

static size_t pieces(const struct entry *entry)
{
    return zset_is_packed(entry) ? 1 : zset_tree_of(entry)->members.count;
}

static bool release_some(struct entry *entry, size_t budget)
{
    if (!zset_is_packed(entry))
        return zset_tree_free_some(zset_tree_of(entry), budget);
    release(entry);
    return true;
}

static size_t memory(const struct entry *entry)
{
    return zset_is_packed(entry) ? packed_memory(entry, lp_bytes(packed_bytes(entry)))
                                 : zset_tree_memory(zset_tree_of(entry));
}

static const char *encoding_name(const struct entry *entry)
{
    return zset_is_packed(entry) ? "listpack" : "skiplist";
}

static void unshare(struct entry *clone)
{
    if (zset_is_packed(clone))
        packed_unshare(clone, lp_bytes(packed_bytes(clone)));
    else
        entry_set_word(clone, (uintptr_t)zset_tree_copy(zset_tree_of(clone)));
}

static void digest(const struct entry *entry, struct digest *digest)
{
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, 0, false);
    while (zset_iter_next(&iter, &item)) {
        char text[DIGEST_TEXT_MAX];
        int len = snprintf(text, sizeof(text), "%.17g", item.score);
        struct digest one = { { 0 } };
        digest_mix(&one, item.member);
        digest_mix(&one, (struct slice){ .ptr = text, .len = (size_t)len });
        digest_xor(digest,
                   (struct slice){ .ptr = (const char *)one.bytes, .len = sizeof(one.bytes) });
    }
}

static void each(const struct entry *entry, const struct element_range *range, element_emit_fn emit,
                 void *udata)
{
    size_t rank = range->reverse ? zset_len(entry) - 1 - range->first : range->first;
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, rank, range->reverse);
    size_t at = iter.at;
    for (size_t left = range->count; left > 0 && zset_iter_next(&iter, &item); left--) {
        emit(iter.lp ? lp_get(iter.lp, at) : (struct lp_value){ .text = item.member }, udata);
        at = iter.at;
    }
}

static const struct table *member_index(const struct entry *entry)
{
    return zset_is_packed(entry) ? NULL : &zset_tree_of(entry)->members;
}

static const struct element_ops elements = {
    .ordered = true,
    .count = zset_len,
    .each = each,
};

const struct type_ops zset_type_ops = {
    .name = "zset",
    .release = release,
    .pieces = pieces,
    .release_some = release_some,
    .memory = memory,
    .encoding_name = encoding_name,
    .unshare = unshare,
    .digest = digest,
    .index = member_index,
    .elements = &elements,
};

struct entry *zset_new(struct slice key, uint32_t access)
{
    unsigned char empty[LP_EMPTY_BYTES];
    lp_init(empty);
    struct entry_spec spec = {
        .type = TYPE_ZSET, .encoding = ZSET_ENC_LISTPACK, .access = access, .expiry = EXPIRY_NONE
    };
    return packed_new(key, &spec, empty, sizeof(empty));
}

size_t zset_len(const struct entry *entry)
{
    return zset_is_packed(entry) ? zset_packed_len(entry) : zset_tree_of(entry)->members.count;
}

bool zset_score(const struct entry *entry, struct slice member, double *score)
{
    if (zset_is_packed(entry)) {
        const unsigned char *lp = packed_bytes(entry);
        size_t at = zset_packed_find(lp, member);
        if (at != 0)
            *score = zset_packed_score_at(lp, lp_next(lp, at));
        return at != 0;
    }
    const struct zset_element *element = zset_tree_find(zset_tree_of(entry), member);
    if (element)
        *score = zset_element_score(element);
    return element;
}

bool zset_rank(const struct entry *entry, struct slice member, size_t *rank, double *score)
{
    if (zset_is_packed(entry)) {
        const unsigned char *lp = packed_bytes(entry);
        size_t at = zset_packed_find(lp, member);
        if (at == 0)
            return false;
        *score = zset_packed_score_at(lp, lp_next(lp, at));
        *rank = zset_packed_rank(lp, at);
        return true;
    }
    const struct zset_tree *zset = zset_tree_of(entry);
    const struct zset_element *element = zset_tree_find(zset, member);
    if (!element)
        return false;
    *score = zset_element_score(element);
    *rank = btree_rank(&zset->order, element);
    return true;
}

enum zset_outcome zset_settle(unsigned flags, double old, double *score)
{
    if (flags & ZSET_ADD_NX)
        return ZSET_REFUSED;
    if (flags & ZSET_ADD_INCR) {
        double sum = old + *score;
        if (isnan(sum))
            return ZSET_NAN;
        *score = sum;
    }
    if ((flags & ZSET_ADD_GT && *score <= old) || (flags & ZSET_ADD_LT && *score >= old))
        return ZSET_REFUSED;
    return *score == old ? ZSET_SAME : ZSET_UPDATED;
}

enum zset_outcome zset_add(struct entry **entry, const struct collection_limits *limits,
                           struct slice member, unsigned flags, double *score)
{
    ASSERT(!isnan(*score));
    if (zset_is_packed(*entry))
        return zset_packed_add(entry, limits, member, flags, score);
    return zset_tree_add(zset_tree_of(*entry), member, flags, score);
}

bool zset_remove(struct entry **entry, struct slice member)
{
    if (!zset_is_packed(*entry))
        return zset_tree_remove(zset_tree_of(*entry), member);
    const unsigned char *lp = packed_bytes(*entry);
    size_t at = zset_packed_find(lp, member);
    if (at == 0)
        return false;
    packed_splice(entry,
                  &(struct lp_edit){ .at = at, .removed = lp_span(lp, at, 2), .removed_count = 2 });
    return true;
}

struct zset_span zset_span_of_scores(const struct entry *entry,
                                     const struct zset_score_range *range)
{
    if (zset_is_packed(entry))
        return zset_packed_span_of_scores(packed_bytes(entry), range);
    return zset_tree_span_of_scores(zset_tree_of(entry), range);
}

bool zset_lex_below(struct slice member, const struct zset_lex_bound *min)
{
    switch (min->kind) {
    case ZSET_LEX_FIRST: return false;
    case ZSET_LEX_LAST: return true;
    case ZSET_LEX_CLOSED: return zset_compare_members(member, min->text) < 0;
    case ZSET_LEX_OPEN: break;
    }
    return zset_compare_members(member, min->text) <= 0;
}

bool zset_lex_within(struct slice member, const struct zset_lex_bound *max)
{
    switch (max->kind) {
    case ZSET_LEX_FIRST: return false;
    case ZSET_LEX_LAST: return true;
    case ZSET_LEX_CLOSED: return zset_compare_members(member, max->text) <= 0;
    case ZSET_LEX_OPEN: break;
    }
    return zset_compare_members(member, max->text) < 0;
}

// Whether nothing can lie in the range.
static bool lex_range_is_empty(const struct zset_lex_range *range)
{
    const struct zset_lex_bound *min = &range->min;
    const struct zset_lex_bound *max = &range->max;
    if (min->kind == ZSET_LEX_FIRST || max->kind == ZSET_LEX_LAST)
        return min->kind == ZSET_LEX_LAST && max->kind == ZSET_LEX_LAST;
    if (min->kind == ZSET_LEX_LAST || max->kind == ZSET_LEX_FIRST)
        return true;
    int order = zset_compare_members(min->text, max->text);
    return order > 0 || (order == 0 && (min->kind == ZSET_LEX_OPEN || max->kind == ZSET_LEX_OPEN));
}

struct zset_span zset_span_of_lex(const struct entry *entry, const struct zset_lex_range *range,
                                  bool reverse)
{
    if (lex_range_is_empty(range))
        return (struct zset_span){ 0 };
    if (zset_is_packed(entry))
        return zset_packed_span_of_lex(packed_bytes(entry), range, reverse);
    return zset_tree_span_of_lex(zset_tree_of(entry), range);
}

void zset_remove_span(struct entry **entry, struct zset_span span)
{
    if (zset_is_packed(*entry))
        zset_packed_remove_span(entry, span);
    else
        zset_tree_remove_span(zset_tree_of(*entry), span);
}

void zset_iter_init(struct zset_iter *iter, const struct entry *entry, size_t rank, bool reverse)
{
    *iter = (struct zset_iter){ .reverse = reverse };
    if (zset_is_packed(entry)) {
        iter->lp = packed_bytes(entry);
        iter->at = lp_seek(iter->lp, (int64_t)rank * 2);
        return;
    }
    iter->place = btree_select(&zset_tree_of(entry)->order, rank);
}

static bool next_packed(struct zset_iter *iter, struct zset_item *out)
{
    if (iter->at == 0)
        return false;
    size_t next = zset_packed_read(iter->lp, iter->at, out);
    if (iter->reverse) {
        size_t score = lp_prev(iter->lp, iter->at);
        next = score ? lp_prev(iter->lp, score) : 0;
    }
    iter->at = next;
    return true;
}

static void read_element(const struct zset_element *element, struct zset_item *out)
{
    out->member = zset_element_member(element);
    out->score = zset_element_score(element);
}

bool zset_iter_next(struct zset_iter *iter, struct zset_item *out)
{
    if (iter->lp)
        return next_packed(iter, out);
    if (!iter->place.leaf)
        return false;
    read_element(btree_element(iter->place), out);
    iter->place = iter->reverse ? btree_prev(iter->place) : btree_next(iter->place);
    return true;
}

struct emission {
    zset_emit_fn emit;
    void *udata;
};

static void emit_element(void *element, void *udata)
{
    const struct emission *emission = udata;
    struct zset_item item;
    read_element(element, &item);
    emission->emit(&item, emission->udata);
}

static void emit_scanned(void *element, uint8_t expiry_class, void *udata)
{
    (void)expiry_class;
    emit_element(element, udata);
}

uint64_t zset_scan(const struct entry *entry, uint64_t cursor, zset_emit_fn emit, void *udata)
{
    struct emission emission = { .emit = emit, .udata = udata };
    if (!zset_is_packed(entry))
        return table_scan(&zset_tree_of(entry)->members, cursor, emit_scanned, &emission);
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, 0, false);
    while (zset_iter_next(&iter, &item))
        emit(&item, udata);
    return 0;
}

int zset_scanned_text(const struct entry *entry, double score, char out[ZSET_SCANNED_TEXT_MAX])
{
    return zset_is_packed(entry) ? format_double(out, score)
                                 : snprintf(out, ZSET_SCANNED_TEXT_MAX, "%.17g", score);
}

void zset_random(const struct entry *entry, struct random *random, struct zset_item *out)
{
    if (!zset_is_packed(entry)) {
        const struct zset_tree *zset = zset_tree_of(entry);
        read_element(table_slot_entry(table_random(&zset->members, random)), out);
        return;
    }
    const unsigned char *lp = packed_bytes(entry);
    uint64_t index = random_below(random, zset_packed_len(entry));
    zset_packed_read(lp, lp_seek(lp, (int64_t)index * 2), out);
}

void zset_sample(const struct entry *entry, struct random *random, size_t count, zset_emit_fn emit,
                 void *udata)
{
    if (!zset_is_packed(entry)) {
        struct emission emission = { .emit = emit, .udata = udata };
        sample_table(&zset_tree_of(entry)->members, random, count, emit_element, &emission);
        return;
    }
    size_t len = zset_packed_len(entry);
    struct sample_walk walk = { .random = random,
                                .left = len,
                                .wanted = count < len ? count : len };
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, 0, false);
    while (walk.wanted > 0 && zset_iter_next(&iter, &item)) {
        if (sample_take(&walk))
            emit(&item, udata);
    }
}

void zset_check(const struct entry *entry)
{
    if (!zset_is_packed(entry)) {
        zset_tree_check(zset_tree_of(entry));
        return;
    }
    const unsigned char *lp = packed_bytes(entry);
    ASSERT(lp_count(lp) % 2 == 0);
    struct zset_item items[2];
    size_t at = lp_first(lp);
    for (unsigned i = 0; at != 0; i++) {
        struct zset_item *item = &items[i % 2];
        const struct zset_item *before = &items[(i + 1) % 2];
        at = zset_packed_read(lp, at, item);
        ASSERT(i == 0 || before->score < item->score ||
               (before->score == item->score &&
                zset_compare_members(before->member, item->member) < 0));
    }
}

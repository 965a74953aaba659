// SPDX-License-Identifier: BSD-3-Clause
// What the files of sorted sets share: the two encodings.
#pragma once

#include "base/numbers.h"
#include "ds/listpack.h"
#include "types/zset.h"
#include "types/zset_element.h"

struct zset_tree {
    struct btree order;
    struct table members;
    size_t element_bytes;       // allocated by the elements
    struct table_drain *drain;  // while it is being released in slices
};

static inline bool zset_is_packed(const struct entry *entry)
{
    return entry_encoding(entry) == ZSET_ENC_LISTPACK;
}

static inline struct zset_tree *zset_tree_of(const struct entry *entry)
{
    return entry_pointer(entry);
}

// What becomes of a member with the score `old` by zset_add(): `*score` is what it gets then.
enum zset_outcome zset_settle(unsigned flags, double old, double *score);

// The sort key of a score: unsigned integers in the order of the doubles; 0 and -0 are equal.
static inline uint64_t zset_sort_key(double score)
{
    uint64_t bits;
    score = score == 0 ? 0 : score;
    memcpy(&bits, &score, sizeof(bits));
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

// Whether a member is below the range's beginning, or within its end.
bool zset_lex_below(struct slice member, const struct zset_lex_bound *min);
bool zset_lex_within(struct slice member, const struct zset_lex_bound *max);

// ---- zset_tree.c ----

// With room for this many members.
struct zset_tree *zset_tree_new(size_t count);
void zset_tree_free(struct zset_tree *zset);
bool zset_tree_free_some(struct zset_tree *zset, size_t budget);
struct zset_tree *zset_tree_copy(const struct zset_tree *zset);
size_t zset_tree_memory(const struct zset_tree *zset);
void zset_tree_check(const struct zset_tree *zset);

// Takes ownership of the element, whose member is a new one.
void zset_tree_insert(struct zset_tree *zset, uint64_t hash, struct zset_element *element);

// The same for an element that is in the table already.
void zset_tree_insert_in_order(struct zset_tree *zset, struct zset_element *element);

const struct zset_element *zset_tree_find(const struct zset_tree *zset, struct slice member);
enum zset_outcome zset_tree_add(struct zset_tree *zset, struct slice member, unsigned flags,
                                double *score);
bool zset_tree_remove(struct zset_tree *zset, struct slice member);
struct zset_span zset_tree_span_of_scores(const struct zset_tree *zset,
                                          const struct zset_score_range *range);
struct zset_span zset_tree_span_of_lex(const struct zset_tree *zset,
                                       const struct zset_lex_range *range);
void zset_tree_remove_span(struct zset_tree *zset, struct zset_span span);

// How the table finds elements: keys are slices.
uint64_t zset_member_hash(struct slice member);
bool zset_member_matches(const void *element, const void *member);
extern const struct table_ops zset_table_ops;

// ---- zset_packed.c: the listpack of an entry ----

// A score as an element of a listpack: an integer if it is one. It points into itself: it is not copied.
struct zset_packed_score {
    struct lp_key key;
    char text[DOUBLE_TEXT_MAX];
};
void zset_packed_score_of(double score, struct zset_packed_score *out);

// The score at this element.
double zset_packed_score_at(const unsigned char *lp, size_t at);

// Fills `out` with the pair at `at`; returns where the next one stands, or 0.
size_t zset_packed_read(const unsigned char *lp, size_t at, struct zset_item *out);

size_t zset_packed_len(const struct entry *entry);

// Where the member stands, or 0; and how many are before it.
size_t zset_packed_find(const unsigned char *lp, struct slice member);
size_t zset_packed_rank(const unsigned char *lp, size_t at);

enum zset_outcome zset_packed_add(struct entry **entry, const struct collection_limits *limits,
                                  struct slice member, unsigned flags, double *score);
struct zset_span zset_packed_span_of_scores(const unsigned char *lp,
                                            const struct zset_score_range *range);
struct zset_span zset_packed_span_of_lex(const unsigned char *lp,
                                         const struct zset_lex_range *range, bool reverse);
void zset_packed_remove_span(struct entry **entry, struct zset_span span);

// Makes a tree of it.
struct zset_tree *zset_packed_to_tree(struct entry **entry);

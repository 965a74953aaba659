// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets: members in the order of their scores, and of their bytes where scores are equal.
//
// Small ones are a listpack (member, score, member, score, ..., in order); large ones a table of
// elements by member and a counted B+tree of the same elements in order.
//
// Ranges of scores, of the alphabet and of ranks all come down to a span: from this rank on, so many.
// A sorted set never is empty where others see it: who removes the last member removes the key.
#pragma once

#include "base/random.h"
#include "ds/btree.h"
#include "ds/table.h"
#include "store/keyspace.h"
#include "types/limits.h"

enum zset_encoding {
    ZSET_ENC_LISTPACK,  // the payload is packed (types/packed.h)
    ZSET_ENC_TREE,      // the word points to a struct zset_tree
};

extern const struct type_ops zset_type_ops;

// Room for a number as text: small sorted sets keep members that are numbers as such.
#define ZSET_SCRATCH 24

// A member and its score. The member may lie in the scratch: an item is not copied.
struct zset_item {
    struct slice member;
    double score;
    char scratch[ZSET_SCRATCH];
};

// A sorted set without members, to be filled before anybody sees it. The caller owns it.
struct entry *zset_new(struct slice key, uint32_t access);

// How many members. O(1).
size_t zset_len(const struct entry *entry);

// The score of a member; false if there is none. O(1); O(n) in a listpack.
bool zset_score(const struct entry *entry, struct slice member, double *score);

// How many members are before it, and its score; false if there is none. O(log n); O(n) in a listpack.
bool zset_rank(const struct entry *entry, struct slice member, size_t *rank, double *score);

// What zset_add() may do, as ZADD's options say.
enum zset_add_flag {
    ZSET_ADD_INCR = 1u << 0,  // the score is added to the one there is
    ZSET_ADD_NX = 1u << 1,    // members that are there stay as they are
    ZSET_ADD_XX = 1u << 2,    // no new members
    ZSET_ADD_GT = 1u << 3,    // members that are there get only higher scores
    ZSET_ADD_LT = 1u << 4,    // ... lower scores
};

enum zset_outcome {
    ZSET_ADDED,
    ZSET_UPDATED,  // the member has another score now
    ZSET_SAME,     // it had this score
    ZSET_REFUSED,  // the flags did not allow it
    ZSET_NAN,      // the sum is not a number; nothing was changed
};

// Adds a member or changes its score, which is not NaN. `score` receives the member's score then. The
// entry may move; the member must not lie in it. O(log n); O(n) in a listpack.
enum zset_outcome zset_add(struct entry **entry, const struct collection_limits *limits,
                           struct slice member, unsigned flags, double *score);

// Removes a member; false if there is none. The entry may move. O(log n); O(n) in a listpack.
bool zset_remove(struct entry **entry, struct slice member);

struct zset_span {
    size_t first;  // rank
    size_t count;
};

struct zset_score_range {
    double min;
    double max;
    bool min_open;  // the bound itself is outside
    bool max_open;
};

enum zset_lex_kind { ZSET_LEX_FIRST, ZSET_LEX_CLOSED, ZSET_LEX_OPEN, ZSET_LEX_LAST };

// Before everything, up to a text, up to but without it, or behind everything.
struct zset_lex_bound {
    enum zset_lex_kind kind;
    struct slice text;
};

struct zset_lex_range {
    struct zset_lex_bound min;
    struct zset_lex_bound max;
};

// O(log n); O(n) in a listpack.
struct zset_span zset_span_of_scores(const struct entry *entry,
                                     const struct zset_score_range *range);

// Where scores differ, the order is not that of the alphabet, and what a range holds is what a walk
// meets: from the first member that is not below the range to the last that is not above it, or
// (`reverse`) the other way round.
struct zset_span zset_span_of_lex(const struct entry *entry, const struct zset_lex_range *range,
                                  bool reverse);

// Removes them. The entry may move. O(log n + count); O(n) in a listpack.
void zset_remove_span(struct entry **entry, struct zset_span span);

// Walks from a rank on, up or (`reverse`) down; the sorted set must not change meanwhile.
struct zset_iter {
    const unsigned char *lp;  // or NULL
    size_t at;
    struct btree_at place;
    bool reverse;
};
void zset_iter_init(struct zset_iter *iter, const struct entry *entry, size_t rank, bool reverse);
bool zset_iter_next(struct zset_iter *iter, struct zset_item *out);

typedef void (*zset_emit_fn)(const struct zset_item *item, void *udata);

// One step of a scan with the guarantee of table_scan(); a listpack is emitted in one step, whatever
// the cursor.
uint64_t zset_scan(const struct entry *entry, uint64_t cursor, zset_emit_fn emit, void *udata);

// A score as ZSCAN prints it, which depends on the encoding: the text that a listpack holds, else all 17
// digits. Returns the length; no NUL.
#define ZSET_SCANNED_TEXT_MAX 32
int zset_scanned_text(const struct entry *entry, double score, char out[ZSET_SCANNED_TEXT_MAX]);

// A fair choice. O(1) on average; O(n) in a listpack.
void zset_random(const struct entry *entry, struct random *random, struct zset_item *out);

// Emits `count` (at most all) different members, each choice of so many as likely as any other. At
// most O(n); O(count) if that is much less.
void zset_sample(const struct entry *entry, struct random *random, size_t count, zset_emit_fn emit,
                 void *udata);

// Verifies every invariant, and ends the process with a message if one is broken; for tests. O(n).
void zset_check(const struct entry *entry);

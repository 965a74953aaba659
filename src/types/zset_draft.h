// SPDX-License-Identifier: BSD-3-Clause
// A sorted set in the making: members and scores in any order, for results that are put together whole
// and then replied or stored.
#pragma once

#include "types/limits.h"
#include "types/zset.h"
#include "types/zset_element.h"

// All zero but for what zset_draft_init() sets.
struct zset_draft {
    struct zset_element **elements;
    size_t count;
    size_t cap;
    size_t longest;      // member, in bytes
    struct table index;  // by member, as far as zset_draft_merge() was used
};

void zset_draft_init(struct zset_draft *draft);
void zset_draft_release(struct zset_draft *draft);

// Adds a member that is not there yet.
void zset_draft_add(struct zset_draft *draft, struct slice member, double score);

// Adds a member, or, if it is there, gives it the score that `combine` makes of the old and the new one.
// Not together with zset_draft_add().
void zset_draft_merge(struct zset_draft *draft, struct slice member, double score,
                      double (*combine)(double old, double score));

// Puts the elements in order. O(n log n).
void zset_draft_sort(struct zset_draft *draft);

// Makes a sorted set of a draft that is not empty, in the smallest encoding that the limits allow. The
// draft is empty afterwards. The caller owns the result. O(n log n).
struct entry *zset_draft_finish(struct zset_draft *draft, struct slice key, uint32_t access,
                                const struct collection_limits *limits);

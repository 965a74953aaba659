// SPDX-License-Identifier: BSD-3-Clause
// What ZUNION, ZINTER and their kin read: sorted sets, and sets, whose members all have the score 1.
#pragma once

#include "server/ctx.h"
#include "types/set.h"
#include "types/zset.h"

struct zset_source {
    const struct entry *entry;  // or NULL: there is no such key
    size_t len;
    uint32_t index;  // among the sources
    double weight;
};

// The source under keys[i], with the weight 1. False: it is something else, the error has been replied.
bool zset_source_find(struct cmd_ctx *ctx, uint32_t i, struct zset_source *out);

// The score of a member; false if there is none.
bool zset_source_score(const struct zset_source *source, struct slice member, double *score);

// Walks the members, in any order. Not to be copied: what it yields may lie in it.
struct zset_source_iter {
    const struct entry *entry;
    struct zset_iter zset;
    struct set_walk set;
    size_t count;  // of the batch of a set's walk
    size_t at;
    struct set_member members[SET_BATCH];
};
void zset_source_iter_init(struct zset_source_iter *iter, const struct zset_source *source);

// The member is valid until the next call.
bool zset_source_iter_next(struct zset_source_iter *iter, struct zset_item *out);

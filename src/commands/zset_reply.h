// SPDX-License-Identifier: BSD-3-Clause
// How the members of a sorted set are replied: alone, or each with its score, which in RESP3 is an
// array of its own.
#pragma once

#include "resp/writer.h"
#include "types/zset.h"

// The header of `count` items.
static inline void zset_reply_count(struct resp_writer *reply, size_t count, bool with_scores)
{
    resp_array(reply, with_scores && reply->proto == 2 ? count * 2 : count);
}

static inline void zset_reply_member(struct resp_writer *reply, struct slice member, double score,
                                     bool with_scores)
{
    if (with_scores && reply->proto > 2)
        resp_array(reply, 2);
    resp_bulk_slice(reply, member);
    if (with_scores)
        resp_double(reply, score);
}

// Replies `count` items, from a rank on, up or (`reverse`) down: so many there are.
static inline void zset_reply_walk(struct resp_writer *reply, const struct entry *entry,
                                   size_t rank, size_t count, bool reverse, bool with_scores)
{
    struct zset_iter iter;
    struct zset_item item;
    zset_iter_init(&iter, entry, rank, reverse);
    while (count-- > 0 && zset_iter_next(&iter, &item))
        zset_reply_member(reply, item.member, item.score, with_scores);
}

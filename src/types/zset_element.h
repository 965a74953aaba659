// SPDX-License-Identifier: BSD-3-Clause
// What large sorted sets are made of: a member with its score in one allocation, that a table and a
// tree point at.
//
//   | score: 8 bytes, a double | length: 1 or 5 bytes | member |
//
// The length is written as those of entries are (store/entry.h). A score that changes is overwritten
// in place.
#pragma once

#include "base/bytes.h"
#include "store/entry.h"

struct zset_element {
    unsigned char bytes[sizeof(double) + 1];
};

static inline double zset_element_score(const struct zset_element *element)
{
    double score;
    memcpy(&score, element->bytes, sizeof(score));
    return score;
}

static inline void zset_element_set_score(struct zset_element *element, double score)
{
    memcpy(element->bytes, &score, sizeof(score));
}

static inline struct slice zset_element_member(const struct zset_element *element)
{
    return entry_read_counted(element->bytes + sizeof(double));
}

struct zset_element *zset_element_new(struct slice member, double score);

void zset_element_free(struct zset_element *element);

// Bytes as allocated.
size_t zset_element_memory(const struct zset_element *element);

// The order of sorted sets: <0, 0, >0.
static inline int zset_compare_members(struct slice a, struct slice b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

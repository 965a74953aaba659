// SPDX-License-Identifier: BSD-3-Clause
// What a look-up reads, line by line: for who fetches the lines of many look-ups in his own way.
#pragma once

#include "ds/table_inl.h"

// The first line that looking up this hash reads, in a table that isn't empty.
static inline const void *table_bucket_line(const struct table *table, uint64_t hash)
{
    uint64_t layout = table_ref_of(table, hash)->layout;
    return table_layout_buckets(layout) + table_layout_home(layout, table_layout_tag(layout, hash));
}

// Once that line is there, what is read next: an entry of the home bucket that may be the one, or NULL.
static inline const void *table_candidate(const struct table *table, uint64_t hash)
{
    const struct table_bucket *bucket = table_bucket_line(table, hash);
    uint16_t tag = table_layout_tag(table_ref_of(table, hash)->layout, hash);
    unsigned mask = table_bucket_match(bucket, tag);
    return mask == 0 ? NULL : table_slot_entry(&bucket->slots[__builtin_ctz(mask)]);
}

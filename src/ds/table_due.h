// SPDX-License-Identifier: BSD-3-Clause
// What is due in a table: times that its owner attaches to segments, and a walk over those whose time
// has come.
//
// Each segment carries the earliest time, in the owner's unit, at which one of its entries wants to
// be looked at, so that a walk passes over all others without reading their buckets. The table knows no
// time: it keeps the least due that it was told, through every growth, split and merge, until the owner
// sets another one. A new segment's is TABLE_DUE_NEVER.
#pragma once

#include "ds/table.h"

#define TABLE_DUE_NEVER INT64_MAX

// The segment with this hash, which is in the table, is due at `due` or before.
void table_lower_due(const struct table *table, uint64_t hash, int64_t due);

// A walk in hash order over what is due. It may be left and gone on with later, whatever was inserted
// or removed in between: what was due all the while is met.
struct table_due_walk {
    uint64_t position;  // 0 at the start
    int64_t earliest;   // the least due of the segments that were passed over
    unsigned budget;    // how many segments to look at from here on
    bool done;          // the last segment has been looked at
};

// The next segment that is due at `now`, or NULL when the walk or its budget is at its end.
struct table_segment *table_due_next(const struct table *table, struct table_due_walk *walk,
                                     int64_t now);

// Of what table_due_next() returned, until the next insertion or removal. Raising a due is up to the
// owner, who has looked at every member of the segment's chain.
int64_t table_segment_due(const struct table_segment *segment);
void table_segment_set_due(struct table_segment *segment, int64_t due);

// Gathers the slots of the segment whose class is not 0; returns the next member of its chain, or NULL.
#define TABLE_TAGGED_MAX 897  // one more than there are: gathering writes before it knows
struct table_segment *table_segment_tagged(struct table_segment *segment,
                                           struct table_slot *slots[TABLE_TAGGED_MAX],
                                           size_t *count);

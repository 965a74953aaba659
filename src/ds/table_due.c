// SPDX-License-Identifier: BSD-3-Clause
// What is due: see table_due.h.
//
// A segment's due bounds what its owner wants to look at in it from below. It lies in the segment's own
// memory, so passing over one costs a line that the second-level cache holds as a rule, and reads no
// bucket. In a chain the head's due speaks for all: an entry's insertion need not know in which member
// it landed. Who takes a segment apart gives its due to every part, who joins two keeps the lesser one.
#include "ds/table_due.h"

#include "ds/table_internal.h"

_Static_assert(TABLE_TAGGED_MAX == TABLE_SEGMENT_SLOTS + 1, "room for a segment and one more");

// Segments ahead of the walk whose lines are fetched.
#define WALK_LOOKAHEAD 8

void table_lower_due(const struct table *table, uint64_t hash, int64_t due)
{
    struct table_segment *head = table_segment_of(table, hash);
    if (due < head->due) {
        head->due = due;
    }
}

static void prefetch_ahead(const struct table *table, uint64_t position)
{
    if (table->depth == 0) {
        return;
    }
    size_t ahead = (position >> (64 - table->depth)) + WALK_LOOKAHEAD;
    if (ahead >> table->depth == 0) {
        table_prefetch_line(table->dir[ahead].segment);
    }
}

struct table_segment *table_due_next(const struct table *table, struct table_due_walk *walk,
                                     int64_t now)
{
    walk->done |= table->count == 0;
    while (!walk->done && walk->budget > 0) {
        struct table_segment *head = table_segment_of(table, walk->position);
        prefetch_ahead(table, walk->position);
        walk->budget--;
        walk->position = table_segment_end(head, walk->position);
        walk->done = walk->position == 0;
        if (head->due <= now) {
            return head;
        }
        if (head->due < walk->earliest) {
            walk->earliest = head->due;
        }
    }
    return NULL;
}

int64_t table_segment_due(const struct table_segment *segment)
{
    return segment->due;
}

void table_segment_set_due(struct table_segment *segment, int64_t due)
{
    segment->due = due;
}

struct table_segment *table_segment_tagged(struct table_segment *segment,
                                           struct table_slot *slots[TABLE_TAGGED_MAX],
                                           size_t *count)
{
    size_t found = 0;
    struct table_bucket *end = segment->buckets + table_segment_total(segment);
    for (struct table_bucket *bucket = segment->buckets; bucket < end; bucket++) {
        for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
            slots[found] = &bucket->slots[i];
            found += bucket->classes[i] != 0;
        }
    }
    *count = found;
    return segment->chain;
}

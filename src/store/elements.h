// SPDX-License-Identifier: BSD-3-Clause
// The elements of any collection, whatever its type: walking them is what SORT stands on, fetching them what
// batches of commands do.
#pragma once

#include "ds/listpack.h"

#include <stdbool.h>
#include <stddef.h>

struct db;
struct entry;
struct key;
struct table;

// Elements by their places in the collection's natural order; with `reverse`, places are counted from
// the end, and the walk goes towards the beginning.
struct element_range {
    size_t first;
    size_t count;
    bool reverse;
};

// An element's text lies in the collection, and stays there until that changes.
typedef void (*element_emit_fn)(struct lp_value element, void *udata);

// What types whose values consist of elements offer (struct type_ops).
struct element_ops {
    bool ordered;  // the natural order means something; else it is any order, and never reversed
    size_t (*count)(const struct entry *entry);  // O(1)
    // Calls `emit` for each element of the range, all of which exist. O(log n + count); O(n) for small
    // collections, and for those without an order.
    void (*each)(const struct entry *entry, const struct element_range *range, element_emit_fn emit,
                 void *udata);
};

// The table of the elements of this key's value (type_ops.index); NULL if there is no such key, or no table.
// Touches, counts, announces and deletes nothing: for prefetching. O(1).
const struct table *db_index(const struct db *db, const struct key *key);

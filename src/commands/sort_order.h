// SPDX-License-Identifier: BSD-3-Clause
// The order of SORT's elements.
#pragma once

#include "ds/listpack.h"

#include <stdbool.h>
#include <stddef.h>

// An element and what it is sorted by: a number, or a text, which is nothing if text.ptr is NULL.
struct sort_item {
    struct lp_value element;
    union {
        double number;
        struct slice text;
    } by;
    size_t place;  // in the collection
};

// Equal numbers are sorted by the bytes of their elements, and that backwards too if all is. Equal texts
// stay in the order of the collection or, if it has none that would be the same elsewhere, go in an
// order of their elements (`settled`), backwards or not.
struct sort_order {
    bool alpha;  // by text
    bool backwards;
    bool settled;
};

// A text as a number, the way strtod() reads it: blanks and NULs have their say. False: it is none.
bool sort_number(struct slice text, double *out);

// Brings the first `wanted` of all `count` items to the front, in order; of the others nothing is
// known then. O(count log wanted).
void sort_items(struct sort_item *items, size_t count, size_t wanted,
                const struct sort_order *order);

// SPDX-License-Identifier: BSD-3-Clause
// Listpacks and intsets that come from outside, before they become part of a value as they are.
#pragma once

#include "persist/rdb_reader.h"

// Reads a string that must be a listpack, or an intset, of at least one element; it lives until anything
// else is read.
MUST_CHECK bool rdb_read_listpack(struct rdb_reader *r, const unsigned char **lp);
MUST_CHECK bool rdb_read_intset(struct rdb_reader *r, const unsigned char **set);

// Whether all elements are encoded as we would: look-ups rely on it. Other writers might store a number as a
// text. O(bytes).
bool rdb_listpack_is_canonical(const unsigned char *lp);

// Whether two of the 1st, (2 + skip)th, ... elements are equal, of one that is canonical. O(n log n).
bool rdb_listpack_has_doubles(const unsigned char *lp, unsigned skip);

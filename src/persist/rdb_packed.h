// SPDX-License-Identifier: BSD-3-Clause
// Small collections that come from outside as one string: listpacks and intsets, which may become part of a
// value as they are, and ziplists and zipmaps, which are made listpacks.
#pragma once

#include "persist/rdb_reader.h"

// Reads a string that must be a listpack, or a ziplist or zipmap, of which it makes one; it lives until
// anything else is read, and may be empty. O(bytes).
typedef bool (*rdb_read_packed_fn)(struct rdb_reader *r, const unsigned char **lp);
MUST_CHECK bool rdb_read_listpack(struct rdb_reader *r, const unsigned char **lp);
MUST_CHECK bool rdb_read_ziplist(struct rdb_reader *r, const unsigned char **lp);
MUST_CHECK bool rdb_read_zipmap(struct rdb_reader *r, const unsigned char **lp);

// Reads a string that must be an intset of at least one element; it lives until anything else is read.
MUST_CHECK bool rdb_read_intset(struct rdb_reader *r, const unsigned char **set);

// Whether all elements are encoded as we would: look-ups rely on it. Other writers might store a number as a
// text. O(bytes).
bool rdb_listpack_is_canonical(const unsigned char *lp);

// Whether two of the 1st, (2 + skip)th, ... elements are equal, of one that is canonical. O(n log n).
bool rdb_listpack_has_doubles(const unsigned char *lp, unsigned skip);

// SPDX-License-Identifier: BSD-3-Clause
// Ziplists: what small lists, hashes and sorted sets were until Redis 7. They are only read.
//
//   | total bytes | last entry | count   | entry | entry | ... | 0xFF |
//   | 32 bits LE  | 32 bits LE | 16 bits |       |       |     |      |
//
//   entry: bytes of the entry before (one byte up to 253, or 0xFE and 32 bits LE) | encoding | data
//
//   00llllll                   string up to 63 bytes      11000000   16-bit integer, LE
//   01llllll l8 (BE)           up to 16,383               11010000   32-bit
//   10000000 l32 (BE)          any                        11100000   64-bit
//   1111xxxx                   xxxx - 1, from 0 to 12     11110000   24-bit
//                                                         11111110   8-bit
//
// A count of 65535 means: count them. Sizes of entries before may take the longer form needlessly: writers
// did not shrink them.
//
// Bytes are believed no further than they were looked at: nothing beyond them is read, whatever they say.
//
// Source: the published descriptions of the RDB format (see rdb.h).
#pragma once

#include "base/bytes.h"
#include "ds/listpack.h"
#include "persist/old_packed.h"

#include <stddef.h>
#include <stdint.h>

struct ziplist_iter {
    struct slice bytes;
    size_t at;      // of the next entry
    size_t before;  // bytes of the one before it
    size_t count;   // entries so far
};

// Begins with the first entry. False: these bytes are no ziplist. The bytes outlive the iterator.
MUST_CHECK bool ziplist_iter_init(struct ziplist_iter *iter, struct slice bytes);

// The next entry; a text lies in the bytes. All that the header says has been checked at the end. O(1).
enum old_packed_step ziplist_next(struct ziplist_iter *iter, struct lp_value *out);

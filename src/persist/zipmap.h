// SPDX-License-Identifier: BSD-3-Clause
// Zipmaps: what small hashes were until Redis 2.6. They are only read.
//
//   | count, a byte | length | field | length | free, a byte | value | free bytes | length | ... | 0xFF |
//
//   length: one byte up to 253, or 0xFE and 32 bits LE
//
// A count of 254 means: count them.
//
// Bytes are believed no further than they were looked at: nothing beyond them is read, whatever they say.
//
// Source: the published descriptions of the RDB format (see rdb.h).
#pragma once

#include "base/bytes.h"
#include "persist/old_packed.h"

#include <stddef.h>

struct zipmap_iter {
    struct slice bytes;
    size_t at;     // of the next pair
    size_t count;  // pairs so far
};

// Begins with the first pair. False: these bytes are no zipmap. The bytes outlive the iterator.
MUST_CHECK bool zipmap_iter_init(struct zipmap_iter *iter, struct slice bytes);

// The next field and its value, which lie in the bytes. The count has been checked at the end. O(1).
enum old_packed_step zipmap_next(struct zipmap_iter *iter, struct slice pair[2]);

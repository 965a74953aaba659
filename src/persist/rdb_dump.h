// SPDX-License-Identifier: BSD-3-Clause
// One value as DUMP answers it and RESTORE takes it:
//
//   type byte | value as in an RDB file | version, 16 bits LE | CRC-64 of all before it
#pragma once

#include "base/bytes.h"
#include "persist/rdb_codec.h"

// Appends the value's payload.
void rdb_dump(const struct entry *entry, struct bytes *out);

// Whether these bytes end with a version that we read and the right checksum. O(bytes).
bool rdb_dump_is_whole(struct slice payload);

// The value of a payload that is whole; NULL: it is damaged all the same, or of a type that we don't have, and
// `error` (RDB_ERROR_TEXT_MAX) says why. The caller owns it.
struct entry *rdb_restore(struct slice payload, const struct rdb_item *item, char *error);

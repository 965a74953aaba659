// SPDX-License-Identifier: BSD-3-Clause
// Small collections: a listpack or an intset that lies in its entry, or, from a certain size on, apart.
//
// The types work on these bytes and do not ask where they are. A change of size may move both the
// bytes and the entry, hence `struct entry **`: the caller tells the database afterwards
// (db_entry_changed()).
#pragma once

#include "ds/listpack.h"
#include "store/entry.h"

// Where the bytes are.
unsigned char *packed_bytes(const struct entry *entry);

// An entry whose payload is a copy of these bytes. `spec` gives the rest: type, encoding, access,
// expiry.
struct entry *packed_new(struct slice key, const struct entry_spec *spec,
                         const unsigned char *bytes, size_t size);

// Makes room for `size` bytes, where there are `old_size`; the beginning is kept. Returns where they
// are now. No allocation while the size class stays the same.
unsigned char *packed_resize(struct entry **entry, size_t old_size, size_t size);

// The same bytes under another encoding: `size` new bytes, not filled in, in place of the `old_size`.
unsigned char *packed_convert(struct entry **entry, unsigned encoding, size_t old_size,
                              size_t size);

// lp_splice() with the room that it needs, for a payload that is a listpack. `edit->bytes` must not lie
// in it.
void packed_splice(struct entry **entry, const struct lp_edit *edit);

// Gives the payload up for a pointer to something larger; the bytes, `old_size` of them, are freed.
void packed_leave(struct entry **entry, unsigned encoding, size_t old_size, void *pointer);

// The reverse: a copy of these bytes instead of the pointer, which is the caller's.
void packed_enter(struct entry **entry, unsigned encoding, const unsigned char *bytes, size_t size);

// Frees the bytes if they lie apart; for type_ops.release.
void packed_release(const struct entry *entry, size_t size);

// Bytes allocated apart from the entry.
size_t packed_memory(const struct entry *entry, size_t size);

// Gives a clone its own bytes; for type_ops.unshare.
void packed_unshare(struct entry *clone, size_t size);

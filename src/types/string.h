// SPDX-License-Identifier: BSD-3-Clause
// Strings: an integer, bytes in the entry, or a blob apart.
//
// OBJECT ENCODING answers int for integers, embstr for embedded strings of up to 44 bytes, raw for
// all others, as Redis does; what is embedded here goes further than that.
#pragma once

#include "base/numbers.h"
#include "store/keyspace.h"
#include "types/blob.h"

enum string_encoding {
    STRING_ENC_INT,       // the word is an int64
    STRING_ENC_EMBEDDED,  // the payload is embedded
    STRING_ENC_BLOB,      // the word points to a struct blob
};

extern const struct type_ops string_type_ops;

// The value's bytes: in the entry, in its blob, or written into `scratch` for an integer.
struct slice string_bytes(const struct entry *entry, char scratch[INT64_TEXT_MAX]);

// Length in bytes. O(1).
size_t string_length(const struct entry *entry);

// True, with the number, if the value is an integer as parse_int64() reads it.
bool string_int64(const struct entry *entry, int64_t *out);

// The blob of a value that has one, else NULL.
struct blob *string_blob(const struct entry *entry);

// A free-standing string under this key, an integer if the text is one; the caller owns it. NULL: no memory.
struct entry *string_entry_new(struct slice key, uint32_t access, int64_t expiry,
                               struct slice value);

// Makes `value` the value of `key`, with `expiry` (or EXPIRY_NONE). `ref` is what was found under the
// key, of any type, or empty; it follows. In place, without allocating, where the size class stays
// the same. `value` must not lie in the entry.
void string_set(struct db *db, const struct key *key, struct entry_ref *ref, struct slice value,
                int64_t expiry);

// As string_set(), but never as an integer, even if the text is one.
void string_set_text(struct db *db, const struct key *key, struct entry_ref *ref,
                     struct slice value, int64_t expiry);

// As string_set() with a blob of the caller's, whose reference is taken; for values that would not
// be embedded.
void string_set_blob(struct db *db, const struct key *key, struct entry_ref *ref, struct blob *blob,
                     int64_t expiry);

// Makes an integer the value, keeping the expiry of what is there.
void string_set_int64(struct db *db, const struct key *key, struct entry_ref *ref, int64_t value);

// Appends to the string at `ref` (not empty), keeping its expiry. STATUS_NOMEM leaves it untouched.
MUST_CHECK enum status string_append(struct db *db, struct entry_ref *ref, struct slice more);

// Overwrites part of the string at `ref` (not empty), keeping its expiry; zero bytes fill a gap between
// its end and `offset`. STATUS_NOMEM leaves it untouched.
MUST_CHECK enum status string_set_range(struct db *db, struct entry_ref *ref, size_t offset,
                                        struct slice bytes);

// SPDX-License-Identifier: BSD-3-Clause
// Hashes: fields and their values, in a listpack (field, value, field, value, ...) while there are few
// and short ones, else in a table of elements.
//
// A hash never is empty where others see it: who deletes the last field removes the key.
#pragma once

#include "base/random.h"
#include "ds/table.h"
#include "store/keyspace.h"
#include "types/limits.h"

enum hash_encoding {
    HASH_ENC_LISTPACK,  // the payload is packed (types/packed.h)
    HASH_ENC_TABLE,     // the word points to a table of elements
};

extern const struct type_ops hash_type_ops;

// Room for a number as text: small hashes keep numbers as such.
#define HASH_SCRATCH 24

// A field and its value. The slices may lie in the scratches.
struct hash_pair {
    struct slice field;
    struct slice value;
    char field_scratch[HASH_SCRATCH];
    char value_scratch[HASH_SCRATCH];
};

// A hash of these fields and values, `pairs` times two slices; later ones win over earlier ones of the
// same field. The caller owns it.
struct entry *hash_new(struct slice key, uint32_t access, const struct collection_limits *limits,
                       const struct slice *fields_and_values, size_t pairs);

// How many fields. O(1).
size_t hash_len(const struct entry *entry);

// Whether there is such a field, and its value: in the hash, or written into `scratch`. O(1); O(n) in
// a listpack.
bool hash_get(const struct entry *entry, struct slice field, char scratch[HASH_SCRATCH],
              struct slice *value);

// The values of `count` fields at once: `values[i].ptr` is NULL where there is none. For the cost of
// few misses of the cache in a large hash; `scratches` as hash_get()'s, one each.
#define HASH_GET_MANY_MAX 16
void hash_get_many(const struct entry *entry, const struct slice *fields, size_t count,
                   char (*scratches)[HASH_SCRATCH], struct slice *values);

// Sets a field; true if it is a new one. The entry may move. Neither slice may lie in it.
bool hash_set(struct entry **entry, const struct collection_limits *limits, struct slice field,
              struct slice value);

// Deletes a field; false if there is none. The entry may move.
bool hash_delete(struct entry **entry, struct slice field);

// Walks all fields; the hash must not change meanwhile.
struct hash_iter {
    const unsigned char *at;  // in a listpack
    struct table_iter table;
};
void hash_iter_init(struct hash_iter *iter, const struct entry *entry);
bool hash_iter_next(struct hash_iter *iter, struct hash_pair *out);

typedef void (*hash_emit_fn)(const struct hash_pair *pair, void *udata);

// One step of a scan with the guarantee of table_scan(); a listpack is emitted in one step, whatever the
// cursor.
uint64_t hash_scan(const struct entry *entry, uint64_t cursor, hash_emit_fn emit, void *udata);

// A fair choice. O(1) on average; O(n) in a listpack.
void hash_random(const struct entry *entry, struct random *random, struct hash_pair *out);

// Emits `count` (at most all) different fields, each choice of so many as likely as any other. At most
// O(n); O(count) if that is much less.
void hash_sample(const struct entry *entry, struct random *random, size_t count, hash_emit_fn emit,
                 void *udata);

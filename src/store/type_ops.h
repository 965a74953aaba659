// SPDX-License-Identifier: BSD-3-Clause
// The types of values, and what each offers to the keyspace.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct element_ops;
struct entry;
struct table;

// Values of the header's type bits; the order is that of Redis's RDB types.
enum value_type {
    TYPE_STRING,
    TYPE_LIST,
    TYPE_SET,
    TYPE_ZSET,
    TYPE_HASH,
    TYPE_STREAM,
    TYPE_COUNT,
};

struct type_ops {
    const char *name;                      // as TYPE answers
    void (*release)(struct entry *entry);  // frees what the payload points to
    // For types whose values may be large, else NULL: how many pieces releasing frees; and freeing about
    // `budget` of them, with true once all are gone.
    size_t (*pieces)(const struct entry *entry);
    bool (*release_some)(struct entry *entry, size_t budget);
    size_t (*memory)(const struct entry *entry);          // bytes of what it points to
    const char *(*encoding_name)(const struct entry *e);  // as OBJECT ENCODING answers
    void (*unshare)(struct entry *clone);  // gives a clone its own share of what it points to
    int64_t (*refcount)(const struct entry *entry);  // as OBJECT REFCOUNT answers; NULL: always 1
    void (*digest)(const struct entry *entry, struct digest *digest);  // mixes the value in
    // For types whose values may be tables of elements, by hash_bytes() of their text: the table; or NULL where
    // the value isn't one. For prefetching: an element is a hint there.
    const struct table *(*index)(const struct entry *entry);
    const struct element_ops
        *elements;  // of a collection of single elements (elements.h), else NULL
};

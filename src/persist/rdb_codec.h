// SPDX-License-Identifier: BSD-3-Clause
// Values in the RDB format: how each type writes its own and reads every form that Redis has written.
//
// One file a type (rdb_string.c, rdb_list.c, ...), and one row each in the two tables of rdb_codec.c: by
// type for writing, by the format's type byte for reading. What is written are the encodings of Redis 7.0.
#pragma once

#include "persist/rdb.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_writer.h"
#include "store/entry.h"
#include "types/limits.h"

struct rdb_codec {
    // The type byte of this value.
    enum rdb_type (*type)(const struct entry *entry);
    // Writes the value, without the type byte and the key.
    void (*save)(struct rdb_writer *w, const struct entry *entry);
    // Writes the commands that make the value (aof_codec.h).
    void (*restate)(struct rdb_writer *w, const struct entry *entry);
};

extern const struct rdb_codec rdb_string_codec;
extern const struct rdb_codec rdb_list_codec;
extern const struct rdb_codec rdb_set_codec;
extern const struct rdb_codec rdb_hash_codec;
extern const struct rdb_codec rdb_zset_codec;

// The type byte of a value, and the value.
enum rdb_type rdb_value_type(const struct entry *entry);
void rdb_save_value(struct rdb_writer *w, const struct entry *entry);
void rdb_restate_value(struct rdb_writer *w, const struct entry *entry);

// What a value that is read becomes part of.
struct rdb_item {
    struct slice key;  // not in the reader's buffers
    uint32_t access;
    int64_t expiry;  // or EXPIRY_NONE
    const struct collection_limits *limits;
};

// Reads a value of this type: NULL, and the reader has failed, if it is damaged, empty, of a type that we
// don't have, or too large for the memory. Bytes are trusted no further than they were validated.
struct entry *rdb_load_value(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);

// Those of the types, for rdb_load_value().
struct entry *rdb_load_string(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);
struct entry *rdb_load_list(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);
struct entry *rdb_load_set(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);
struct entry *rdb_load_hash(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);
struct entry *rdb_load_zset(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);

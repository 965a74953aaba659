// SPDX-License-Identifier: BSD-3-Clause
// Reading whole data sets in the RDB format: files, and streams from a primary.
#pragma once

#include "persist/rdb_reader.h"
#include "types/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct keyspace;
struct slice;

struct rdb_load_options {
    const struct collection_limits *limits;
    bool keep_expired;  // a replica: expiring is its primary's affair
    bool replace;       // keys that are there already: those of the file win
    // The source's size is unknown, and tables are made ready for as many keys as it announces all the same.
    bool believes_counts;
    // Called every few thousand entries, and at least every mebibyte (may be NULL); no entry is being looked
    // at meanwhile. False: loading stops, as an error.
    bool (*progress)(void *udata, const struct rdb_reader *r, uint64_t keys);
    // For those who only look: gets each entry and the bytes it takes in the file, and owns it, instead of the
    // database (may be NULL). Keys that are there twice go unnoticed.
    void (*visit)(void *udata, int db_id, struct entry *entry, uint64_t bytes);
    // Hears of each aux field (may be NULL).
    void (*aux)(void *udata, struct slice name, struct slice value);
    void *udata;
};

struct rdb_loaded {
    uint64_t keys;
    uint64_t expired;    // that were left out
    uint64_t empty;      // without elements: bugs of servers have left such, and they are left out
    uint64_t functions;  // libraries, which are left out, too
    int version;
    bool has_checksum;           // and it was compared
    bool aof_base;               // aux fields of the file
    char replication_id[41];     // "" without one
    int64_t replication_offset;  // -1
    int selected_db;             // -1
    int64_t created_s;
    uint64_t used_memory;
};

// Reads a data set into the databases, which are empty (or see `replace`). False: r->error says what is wrong where; what was
// read up to there is in the databases.
MUST_CHECK bool rdb_load_keyspace(struct rdb_reader *r, struct keyspace *keyspace,
                                  const struct rdb_load_options *options, struct rdb_loaded *out);

// The same for a file. STATUS_NOT_FOUND: there is none; STATUS_IO: it cannot be opened (errno);
// STATUS_INVALID: `error` (RDB_ERROR_TEXT_MAX) says what is wrong, with the offset.
MUST_CHECK enum status rdb_load_file(const char *path, struct keyspace *keyspace,
                                     const struct rdb_load_options *options, struct rdb_loaded *out,
                                     char *error);

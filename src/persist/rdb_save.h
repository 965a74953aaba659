// SPDX-License-Identifier: BSD-3-Clause
// Whole data sets in the RDB format: the frame of a file, and the entries in hash order.
//
// The walker (who visits which entry when) is apart from the encoder: it calls rdb_save_entry().
#pragma once

#include "persist/rdb_writer.h"

#include <stdbool.h>
#include <stdint.h>

struct access_rules;
struct db;
struct entry;
struct keyspace;

// What a file says of itself, beside what everybody writes (version, bits, time, memory).
struct rdb_about {
    const char *replication_id;  // NULL: none
    int64_t replication_offset;
    int selected_db;  // that the replication stream is in
    bool aof_base;    // it is the base of an AOF
    bool compress;    // rdbcompression
    bool checksum;    // rdbchecksum
    bool hold_back;   // nothing goes on its way to the disk before the sync at the end
    bool access;      // with each entry, when it was used last or how often: for eviction
    bool time_stamp;  // commands: say when
    const struct encoder *encoder;  // NULL: this one
};

// How a data set becomes bytes, entry by entry, whoever walks it: in this format, or as commands (aof_codec.h).
struct encoder {
    void (*begin)(struct rdb_writer *w, const struct rdb_about *about);
    void (*begin_db)(struct rdb_writer *w, const struct db *db);
    void (*entry)(struct rdb_writer *w, const struct rdb_about *about,
                  const struct access_rules *rules, const struct entry *entry);
    void (*end)(struct rdb_writer *w);
};
extern const struct encoder rdb_encoder;

void rdb_save_header(struct rdb_writer *w, const struct rdb_about *about);
void rdb_save_db_begin(struct rdb_writer *w, const struct db *db);
void rdb_save_entry(struct rdb_writer *w, const struct rdb_about *about,
                    const struct access_rules *rules, const struct entry *entry);
void rdb_save_end(struct rdb_writer *w);

// Is told how many entries have been written.
struct rdb_progress {
    uint64_t every_keys;                     // so often; 0: every few thousand
    void (*fn)(void *udata, uint64_t keys);  // or NULL
    void *udata;
};

// All of it, from all databases; entries that have expired are written too, as Redis does.
void rdb_save_keyspace(struct rdb_writer *w, const struct keyspace *keyspace,
                       const struct rdb_about *about, const struct rdb_progress *progress);

// Writes the data set to `path`: into a file of its own beside it, synced, renamed, the folder synced; with
// a failure the old file stays as it was, and nothing else is left behind. STATUS_IO: errno is set.
MUST_CHECK enum status rdb_save_file(const char *path, const struct keyspace *keyspace,
                                     const struct rdb_about *about,
                                     const struct rdb_progress *progress);

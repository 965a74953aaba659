// SPDX-License-Identifier: BSD-3-Clause
// Two keyspaces with all types, files in memory, and loading them: what the tests of the RDB format share.
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "persist/rdb_load.h"
#include "persist/rdb_save.h"
#include "store/digest.h"
#include "store/keyspace.h"
#include "support/unit.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/string.h"
#include "types/types.h"
#include "types/zset.h"

#include <stdlib.h>
#include <string.h>

#define FIXTURE_DBS 3

static const struct collection_limits limits = {
    .list_max_listpack_size = -2,
    .set_max_intset_entries = 512,
    .set_max_listpack_entries = 128,
    .set_max_listpack_value = 64,
    .hash_max_listpack_entries = 128,
    .hash_max_listpack_value = 64,
    .zset_max_listpack_entries = 128,
    .zset_max_listpack_value = 64,
};

static struct keyspace from;
static struct keyspace to;

// A file in memory that is read in parts.
struct tape {
    struct bytes bytes;
    size_t at;
    size_t part;  // bytes a read; 0: as many as are asked for
};

static inline enum status tape_write(void *udata, struct slice bytes)
{
    struct tape *tape = udata;
    bytes_append_slice(&tape->bytes, bytes);
    return STATUS_OK;
}

static inline enum status tape_read(void *udata, char *into, size_t room, size_t *got)
{
    struct tape *tape = udata;
    size_t len = tape->bytes.len - tape->at;
    len = len < room ? len : room;
    len = tape->part && len > tape->part ? tape->part : len;
    memcpy(into, tape->bytes.data + tape->at, len);
    tape->at += len;
    *got = len;
    return STATUS_OK;
}

static inline void open_keyspace(struct keyspace *keyspace)
{
    keyspace_init(keyspace);
    types_register(keyspace);
    keyspace_open(keyspace, FIXTURE_DBS);
    keyspace_set_clock(keyspace, clock_wall_ms());
}

static inline void open_both(void)
{
    clock_update();
    open_keyspace(&from);
    open_keyspace(&to);
}

static inline void release_both(void)
{
    keyspace_release(&from);
    keyspace_release(&to);
}

static inline void clear_keyspace(struct keyspace *keyspace)
{
    keyspace_release(keyspace);
    open_keyspace(keyspace);
}

// What came of loading a file.
struct outcome {
    bool good;
    bool out_of_memory;
    uint64_t offset;
    char error[RDB_ERROR_TEXT_MAX];
    struct rdb_loaded loaded;
};

static inline struct outcome load_with(struct slice file, size_t part,
                                       const struct rdb_load_options *options, bool checksum)
{
    struct outcome outcome;
    struct rdb_reader r;
    struct tape tape = { .bytes = { .data = (char *)(uintptr_t)file.ptr, .len = file.len },
                         .part = part };
    rdb_reader_init(&r, tape_read, &tape, file.len, checksum);
    outcome.good = rdb_load_keyspace(&r, &to, options, &outcome.loaded);
    ck_assert_int_eq(outcome.good, !r.failed);
    outcome.out_of_memory = r.out_of_memory;
    outcome.offset = r.error_offset;
    memcpy(outcome.error, r.error, sizeof(outcome.error));
    rdb_reader_release(&r);
    return outcome;
}

static inline struct outcome load(struct slice file)
{
    const struct rdb_load_options options = { .limits = &limits };
    return load_with(file, 0, &options, true);
}

static inline void expect_loaded(struct slice file, uint64_t keys)
{
    struct outcome outcome = load(file);
    if (!outcome.good)
        ck_abort_msg("%s", outcome.error);
    ck_assert_uint_eq(outcome.loaded.keys, keys);
}

static inline void expect_refused(struct slice file, uint64_t offset, const char *error)
{
    struct outcome outcome = load(file);
    ck_assert(!outcome.good);
    ck_assert_str_eq(outcome.error, error);
    ck_assert_uint_eq(outcome.offset, offset);
}

static inline const struct entry *find(struct keyspace *keyspace, int db, const char *name)
{
    const struct key key = key_of(slice_of(name));
    return db_peek(&keyspace->dbs[db], &key).entry;
}

static inline const char *encoding_of(const struct keyspace *keyspace, const struct entry *entry)
{
    return keyspace->types[entry_type(entry)]->encoding_name(entry);
}

// Puts an entry where there is none.
static inline void insert(struct keyspace *keyspace, int db, struct entry *entry)
{
    const struct key key = key_of(entry_key(entry));
    ck_assert_ptr_null(db_peek(&keyspace->dbs[db], &key).entry);
    db_insert(&keyspace->dbs[db], &key, entry);
}

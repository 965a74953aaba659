// SPDX-License-Identifier: BSD-3-Clause
// What the fuzz targets of the RDB format share: a keyspace with all types, and a deep look at values.
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/quicklist.h"
#include "store/digest.h"
#include "store/keyspace.h"
#include "types/hash.h"
#include "types/limits.h"
#include "types/list.h"
#include "types/set.h"
#include "types/types.h"
#include "types/zset.h"

// What a byte of input may become in memory: LZF makes 88 bytes of one, and each byte of these may be an
// element, with its place in a table.
#define FUZZ_MEMORY_PER_BYTE 8192

// Whatever the input is: the reader's buffers, and in each database a table made ready for 65,536 keys where
// nobody knows how many can come.
#define FUZZ_MEMORY_BASE ((size_t)24 << 20)

static const struct collection_limits fuzz_limits[] = {
    { .list_max_listpack_size = -2,
      .set_max_intset_entries = 512,
      .set_max_listpack_entries = 128,
      .set_max_listpack_value = 64,
      .hash_max_listpack_entries = 512,
      .hash_max_listpack_value = 64,
      .zset_max_listpack_entries = 128,
      .zset_max_listpack_value = 64 },
    // So that little becomes large.
    { .list_max_listpack_size = 2,
      .set_max_intset_entries = 1,
      .set_max_listpack_entries = 1,
      .set_max_listpack_value = 2,
      .hash_max_listpack_entries = 1,
      .hash_max_listpack_value = 2,
      .zset_max_listpack_entries = 1,
      .zset_max_listpack_value = 2 },
};

static inline void fuzz_set_up(void)
{
    static const uint8_t key[HASH_KEY_BYTES] = { 1 };
    mem_init();
    clock_init();
    clock_update();
    log_set_level(LOG_NOTHING);
    hash_set_key(key);
}

static inline void fuzz_open(struct keyspace *keyspace)
{
    keyspace_init(keyspace);
    types_register(keyspace);
    keyspace_open(keyspace, 16);
}

// Every invariant that a value has a check for; nothing is empty.
static inline void fuzz_check_entry(const struct entry *entry)
{
    switch (entry_type(entry)) {
    case TYPE_LIST:
        if (entry_encoding(entry) == LIST_ENC_QUICKLIST)
            quicklist_check(entry_pointer(entry));
        ASSERT(list_entry_count(entry) > 0);
        break;
    case TYPE_ZSET:
        zset_check(entry);
        ASSERT(zset_len(entry) > 0);
        break;
    case TYPE_SET: ASSERT(set_count(entry) > 0); break;
    case TYPE_HASH: ASSERT(hash_len(entry) > 0); break;
    default: break;
    }
}

static inline void fuzz_drop(const struct keyspace *keyspace, struct entry *entry)
{
    keyspace->types[entry_type(entry)]->release(entry);
    entry_free(entry);
}

static inline bool fuzz_same(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Hashes in the RDB format: listpacks as they are, others field by field.
#include "ds/listpack.h"
#include "persist/rdb_codec.h"
#include "types/hash.h"
#include "types/packed.h"

static enum rdb_type type_of(const struct entry *entry)
{
    return entry_encoding(entry) == HASH_ENC_LISTPACK ? RDB_HASH_LISTPACK : RDB_HASH;
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    if (entry_encoding(entry) == HASH_ENC_LISTPACK) {
        const unsigned char *lp = packed_bytes(entry);
        rdb_write_string(w, (struct slice){ .ptr = (const char *)lp, .len = lp_bytes(lp) });
        return;
    }
    struct hash_iter iter;
    struct hash_pair pair;
    rdb_write_length(w, hash_len(entry));
    hash_iter_init(&iter, entry);
    while (hash_iter_next(&iter, &pair)) {
        rdb_write_string(w, pair.field);
        rdb_write_string(w, pair.value);
    }
}

const struct rdb_codec rdb_hash_codec = { .type = type_of, .save = save };

// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets in the RDB format: listpacks as they are, others from the highest score down, as Redis does: its
// skiplist is fastest filled at the front.
#include "ds/listpack.h"
#include "persist/rdb_codec.h"
#include "types/packed.h"
#include "types/zset.h"

static enum rdb_type type_of(const struct entry *entry)
{
    return entry_encoding(entry) == ZSET_ENC_LISTPACK ? RDB_ZSET_LISTPACK : RDB_ZSET_2;
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    if (entry_encoding(entry) == ZSET_ENC_LISTPACK) {
        const unsigned char *lp = packed_bytes(entry);
        rdb_write_string(w, (struct slice){ .ptr = (const char *)lp, .len = lp_bytes(lp) });
        return;
    }
    struct zset_iter iter;
    struct zset_item item;
    rdb_write_length(w, zset_len(entry));
    zset_iter_init(&iter, entry, 0, true);
    while (zset_iter_next(&iter, &item)) {
        rdb_write_string(w, item.member);
        rdb_write_double(w, item.score);
    }
}

const struct rdb_codec rdb_zset_codec = { .type = type_of, .save = save };

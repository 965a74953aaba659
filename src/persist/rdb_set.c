// SPDX-License-Identifier: BSD-3-Clause
// Sets in the RDB format: intsets as they are, others member by member; Redis 7.0 knows no listpacks of them.
#include "ds/intset.h"
#include "persist/rdb_codec.h"
#include "types/packed.h"
#include "types/set.h"

static enum rdb_type type_of(const struct entry *entry)
{
    return entry_encoding(entry) == SET_ENC_INTSET ? RDB_SET_INTSET : RDB_SET;
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    if (entry_encoding(entry) == SET_ENC_INTSET) {
        const unsigned char *set = packed_bytes(entry);
        rdb_write_string(w, (struct slice){ .ptr = (const char *)set, .len = intset_bytes(set) });
        return;
    }
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    rdb_write_length(w, set_count(entry));
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++)
            rdb_write_string(w, set_member_text(&members[i]));
    }
}

const struct rdb_codec rdb_set_codec = { .type = type_of, .save = save };

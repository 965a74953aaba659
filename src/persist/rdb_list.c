// SPDX-License-Identifier: BSD-3-Clause
// Lists in the RDB format: nodes of listpacks, which are ours byte for byte.
#include "ds/listpack.h"
#include "ds/quicklist.h"
#include "persist/rdb_codec.h"
#include "types/list.h"
#include "types/packed.h"

static enum rdb_type type_of(const struct entry *entry)
{
    (void)entry;
    return RDB_LIST_QUICKLIST_2;
}

static void save_node(const unsigned char *lp, void *udata)
{
    struct rdb_writer *w = udata;
    rdb_write_length(w, RDB_NODE_PACKED);
    rdb_write_string(w, (struct slice){ .ptr = (const char *)lp, .len = lp_bytes(lp) });
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    if (entry_encoding(entry) == LIST_ENC_LISTPACK) {
        rdb_write_length(w, 1);
        save_node(packed_bytes(entry), w);
        return;
    }
    const struct quicklist *list = entry_pointer(entry);
    rdb_write_length(w, quicklist_chunks(list));
    quicklist_each_chunk(list, save_node, w);
}

const struct rdb_codec rdb_list_codec = { .type = type_of, .save = save };

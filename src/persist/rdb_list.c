// SPDX-License-Identifier: BSD-3-Clause
// Lists in the RDB format: nodes of listpacks, which are ours byte for byte.
#include "ds/listpack.h"
#include "ds/quicklist.h"
#include "persist/aof_codec.h"
#include "persist/rdb_codec.h"
#include "persist/rdb_packed.h"
#include "server/client.h"
#include "types/list.h"
#include "types/packed.h"

// The longest value that a list can hold.
#define VALUE_MAX ((size_t)STRING_BYTES_MAX)

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

static void restate_node(const unsigned char *lp, void *udata)
{
    struct aof_series *series = udata;
    char scratch[LP_SCRATCH];
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        aof_series_next(series);
        aof_write_word(series->w, lp_text(lp, at, scratch));
    }
}

static void restate(struct rdb_writer *w, const struct entry *entry)
{
    struct aof_series series = {
        .w = w,
        .name = "RPUSH",
        .key = entry_key(entry),
        .left = list_entry_count(entry),
        .words_each = 1,
    };
    if (entry_encoding(entry) == LIST_ENC_LISTPACK)
        restate_node(packed_bytes(entry), &series);
    else
        quicklist_each_chunk(entry_pointer(entry), restate_node, &series);
}

const struct rdb_codec rdb_list_codec = { .type = type_of, .save = save, .restate = restate };

static void push(struct quicklist *list, struct slice value)
{
    quicklist_push(list, QUICKLIST_TAIL, value);
}

static bool load_values(struct rdb_reader *r, struct quicklist *list)
{
    uint64_t count;
    struct slice value;
    if (!rdb_read_count(r, 1, &count))
        return false;
    for (; count > 0; count--) {
        if (!rdb_read_string(r, VALUE_MAX, &value))
            return false;
        push(list, value);
    }
    return true;
}

static void append_listpack(struct quicklist *list, const unsigned char *lp)
{
    char scratch[LP_SCRATCH];
    // Redis has written nodes of nothing, too.
    if (lp_count(lp) == 0)
        return;
    if (rdb_listpack_is_canonical(lp)) {
        quicklist_append_listpack(list, lp);
        return;
    }
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at))
        push(list, lp_text(lp, at, scratch));
}

static bool load_ziplist(struct rdb_reader *r, struct quicklist *list)
{
    const unsigned char *lp;
    if (!rdb_read_ziplist(r, &lp))
        return false;
    append_listpack(list, lp);
    return true;
}

static bool load_node(struct rdb_reader *r, struct quicklist *list)
{
    uint64_t container;
    struct slice value;
    const unsigned char *lp;
    if (!rdb_read_length(r, &container))
        return false;
    if (container == RDB_NODE_PACKED) {
        if (!rdb_read_listpack(r, &lp))
            return false;
        append_listpack(list, lp);
        return true;
    }
    if (container != RDB_NODE_PLAIN)
        return rdb_fail(r, "a list has a node of an unknown kind: %llu",
                        (unsigned long long)container);
    if (!rdb_read_string(r, VALUE_MAX, &value))
        return false;
    push(list, value);
    return true;
}

static bool load_nodes(struct rdb_reader *r, struct quicklist *list, uint8_t type)
{
    uint64_t count;
    if (!rdb_read_count(r, 2, &count))
        return false;
    for (; count > 0; count--) {
        if (!(type == RDB_LIST_QUICKLIST ? load_ziplist(r, list) : load_node(r, list)))
            return false;
    }
    return true;
}

static bool load(struct rdb_reader *r, uint8_t type, struct quicklist *list)
{
    switch (type) {
    case RDB_LIST: return load_values(r, list);
    case RDB_LIST_ZIPLIST: return load_ziplist(r, list);
    default: return load_nodes(r, list, type);
    }
}

struct entry *rdb_load_list(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    struct quicklist *list = quicklist_new((int)item->limits->list_max_listpack_size);
    bool loaded = load(r, type, list);
    if (loaded && quicklist_count(list) == 0)
        loaded = rdb_fail_empty(r, "a list");
    if (loaded)
        return list_entry_of(item->key, item->access, item->limits, list);
    quicklist_free(list);
    return NULL;
}

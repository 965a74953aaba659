// SPDX-License-Identifier: BSD-3-Clause
// The values' codecs, by type: see rdb_codec.h.
#include "persist/rdb_codec.h"

static const struct rdb_codec *const codecs[TYPE_COUNT] = {
    [TYPE_STRING] = &rdb_string_codec, [TYPE_LIST] = &rdb_list_codec, [TYPE_SET] = &rdb_set_codec,
    [TYPE_ZSET] = &rdb_zset_codec,     [TYPE_HASH] = &rdb_hash_codec,
};

enum rdb_type rdb_value_type(const struct entry *entry)
{
    return codecs[entry_type(entry)]->type(entry);
}

void rdb_save_value(struct rdb_writer *w, const struct entry *entry)
{
    codecs[entry_type(entry)]->save(w, entry);
}

void rdb_restate_value(struct rdb_writer *w, const struct entry *entry)
{
    codecs[entry_type(entry)]->restate(w, entry);
}

typedef struct entry *(*load_fn)(struct rdb_reader *r, uint8_t type, const struct rdb_item *item);

static const load_fn loaders[RDB_TYPE_COUNT] = {
    [RDB_STRING] = rdb_load_string,
    [RDB_LIST] = rdb_load_list,
    [RDB_SET] = rdb_load_set,
    [RDB_ZSET] = rdb_load_zset,
    [RDB_HASH] = rdb_load_hash,
    [RDB_ZSET_2] = rdb_load_zset,
    [RDB_HASH_ZIPMAP] = rdb_load_hash,
    [RDB_LIST_ZIPLIST] = rdb_load_list,
    [RDB_SET_INTSET] = rdb_load_set,
    [RDB_ZSET_ZIPLIST] = rdb_load_zset,
    [RDB_HASH_ZIPLIST] = rdb_load_hash,
    [RDB_LIST_QUICKLIST] = rdb_load_list,
    [RDB_HASH_LISTPACK] = rdb_load_hash,
    [RDB_ZSET_LISTPACK] = rdb_load_zset,
    [RDB_LIST_QUICKLIST_2] = rdb_load_list,
    [RDB_SET_LISTPACK] = rdb_load_set,
};

// What we know by name, and have nothing for.
static const char *const foreign[RDB_TYPE_COUNT] = {
    [RDB_MODULE_OLD] = "a module's value",
    [RDB_MODULE] = "a module's value",
    [RDB_STREAM] = "a stream",
    [RDB_STREAM_2] = "a stream",
    [RDB_STREAM_3] = "a stream",
    [RDB_HASH_METADATA_OLD] = "a hash with fields that expire",
    [RDB_HASH_LISTPACK_EX_OLD] = "a hash with fields that expire",
    [RDB_HASH_METADATA] = "a hash with fields that expire",
    [RDB_HASH_LISTPACK_EX] = "a hash with fields that expire",
};

struct entry *rdb_load_value(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    if (type >= RDB_TYPE_COUNT || !loaders[type]) {
        if (type < RDB_TYPE_COUNT && foreign[type])
            rdb_fail(r, "value of type %u: %s, which is not supported", type, foreign[type]);
        else
            rdb_fail(r, "there is no value type %u", type);
        return NULL;
    }
    struct entry *entry = loaders[type](r, type, item);
    if (entry && entry_expiry(entry) != item->expiry)
        entry = entry_with_expiry(entry, item->expiry);
    return entry;
}

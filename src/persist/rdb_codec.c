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

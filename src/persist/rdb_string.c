// SPDX-License-Identifier: BSD-3-Clause
// Strings in the RDB format.
#include "persist/aof_codec.h"
#include "persist/rdb_codec.h"
#include "server/client.h"
#include "types/string.h"

static enum rdb_type type_of(const struct entry *entry)
{
    (void)entry;
    return RDB_STRING;
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    char scratch[INT64_TEXT_MAX];
    rdb_write_string(w, string_bytes(entry, scratch));
}

static void restate(struct rdb_writer *w, const struct entry *entry)
{
    char scratch[INT64_TEXT_MAX];
    aof_write_count(w, 3);
    aof_write_word(w, SLICE("SET"));
    aof_write_word(w, entry_key(entry));
    aof_write_word(w, string_bytes(entry, scratch));
}

const struct rdb_codec rdb_string_codec = { .type = type_of, .save = save, .restate = restate };

struct entry *rdb_load_string(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    (void)type;
    struct slice value;
    if (!rdb_read_string(r, STRING_BYTES_MAX, &value))
        return NULL;
    struct entry *entry = string_entry_new(item->key, item->access, item->expiry, value);
    if (!entry)
        rdb_fail_nomem(r, value.len);
    return entry;
}

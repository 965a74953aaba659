// SPDX-License-Identifier: BSD-3-Clause
// Hashes in the RDB format: listpacks as they are, others field by field.
#include "ds/listpack.h"
#include "persist/aof_codec.h"
#include "persist/rdb_codec.h"
#include "persist/rdb_packed.h"
#include "server/client.h"
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

static void restate(struct rdb_writer *w, const struct entry *entry)
{
    struct aof_series series = {
        .w = w,
        .name = "HMSET",
        .key = entry_key(entry),
        .left = hash_len(entry),
        .words_each = 2,
    };
    struct hash_iter iter;
    struct hash_pair pair;
    hash_iter_init(&iter, entry);
    while (hash_iter_next(&iter, &pair)) {
        aof_series_next(&series);
        aof_write_word(w, pair.field);
        aof_write_word(w, pair.value);
    }
}

const struct rdb_codec rdb_hash_codec = { .type = type_of, .save = save, .restate = restate };

// A hash in the making.
struct draft {
    const struct rdb_item *item;
    struct entry *entry;
};

static bool add(struct rdb_reader *r, struct draft *draft, const struct slice pair[2])
{
    const struct rdb_item *item = draft->item;
    if (!draft->entry)
        draft->entry = hash_new(item->key, item->access, item->limits, pair, 1);
    else if (!hash_set(&draft->entry, item->limits, pair[0], pair[1]))
        return rdb_fail(r, "a hash has a field twice");
    return true;
}

// The field has to outlive the reading of the value.
static bool load_pair(struct rdb_reader *r, struct draft *draft, struct bytes *field)
{
    struct slice pair[2];
    if (!rdb_read_string(r, STRING_BYTES_MAX, &pair[0]))
        return false;
    bytes_clear(field);
    if (bytes_try_reserve(field, pair[0].len) != STATUS_OK)
        return rdb_fail_nomem(r, pair[0].len);
    bytes_append_slice(field, pair[0]);
    pair[0] = bytes_slice(field);
    return rdb_read_string(r, STRING_BYTES_MAX, &pair[1]) && add(r, draft, pair);
}

static bool load_pairs(struct rdb_reader *r, struct draft *draft)
{
    uint64_t count;
    struct bytes field = { 0 };
    bool loaded = rdb_read_count(r, 2, &count);
    for (; loaded && count > 0; count--)
        loaded = load_pair(r, draft, &field);
    bytes_release(&field);
    return loaded;
}

static bool fits(const struct collection_limits *limits, const unsigned char *lp)
{
    if ((int64_t)(lp_count(lp) / 2) > limits->hash_max_listpack_entries)
        return false;
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        struct lp_value value = lp_get(lp, at);
        if (value.text.ptr && (int64_t)value.text.len > limits->hash_max_listpack_value)
            return false;
    }
    return true;
}

static bool load_packed(struct rdb_reader *r, struct draft *draft, rdb_read_packed_fn read)
{
    const unsigned char *lp;
    if (!read(r, &lp))
        return false;
    if (lp_count(lp) == 0)
        return true;
    if (lp_count(lp) % 2 != 0)
        return rdb_fail(r, "a hash has a field without a value");
    const struct rdb_item *item = draft->item;
    if (rdb_listpack_is_canonical(lp) && fits(item->limits, lp)) {
        if (rdb_listpack_has_doubles(lp, 1))
            return rdb_fail(r, "a hash has a field twice");
        const struct entry_spec spec = {
            .type = TYPE_HASH,
            .encoding = HASH_ENC_LISTPACK,
            .access = item->access,
            .expiry = item->expiry,
        };
        draft->entry = packed_new(item->key, &spec, lp, lp_bytes(lp));
        return true;
    }
    char scratch[2][LP_SCRATCH];
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        size_t value_at = lp_next(lp, at);
        const struct slice pair[2] = { lp_text(lp, at, scratch[0]),
                                       lp_text(lp, value_at, scratch[1]) };
        if (!add(r, draft, pair))
            return false;
        at = value_at;
    }
    return true;
}

static bool load(struct rdb_reader *r, uint8_t type, struct draft *draft)
{
    switch (type) {
    case RDB_HASH_LISTPACK: return load_packed(r, draft, rdb_read_listpack);
    case RDB_HASH_ZIPLIST: return load_packed(r, draft, rdb_read_ziplist);
    case RDB_HASH_ZIPMAP: return load_packed(r, draft, rdb_read_zipmap);
    default: return load_pairs(r, draft);
    }
}

struct entry *rdb_load_hash(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    struct draft draft = { .item = item };
    bool loaded = load(r, type, &draft);
    if (loaded && !draft.entry)
        loaded = rdb_fail_empty(r, "a hash");
    if (loaded)
        return draft.entry;
    if (draft.entry) {
        hash_type_ops.release(draft.entry);
        entry_free(draft.entry);
    }
    return NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Sets in the RDB format: intsets as they are, others member by member; Redis 7.0 knows no listpacks of them.
#include "ds/intset.h"
#include "persist/aof_codec.h"
#include "persist/rdb_codec.h"
#include "persist/rdb_packed.h"
#include "server/client.h"
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

static void restate(struct rdb_writer *w, const struct entry *entry)
{
    struct aof_series series = {
        .w = w,
        .name = "SADD",
        .key = entry_key(entry),
        .left = set_count(entry),
        .words_each = 1,
    };
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++) {
            aof_series_next(&series);
            aof_write_word(w, set_member_text(&members[i]));
        }
    }
}

const struct rdb_codec rdb_set_codec = { .type = type_of, .save = save, .restate = restate };

// A table is made ready for no more members than this, whatever the count says.
#define EXPECTED_MAX ((uint64_t)1 << 20)

// A set in the making.
struct draft {
    const struct rdb_item *item;
    struct entry *entry;
    size_t expected;
};

static bool add(struct rdb_reader *r, struct draft *draft, struct slice text)
{
    const struct rdb_item *item = draft->item;
    struct set_member member;
    set_member_init(&member, text);
    if (!draft->entry)
        draft->entry = set_new(item->key, item->access, item->limits, &member, draft->expected);
    else if (!set_add(&draft->entry, item->limits, &member))
        return rdb_fail(r, "a set has a member twice");
    return true;
}

static bool load_members(struct rdb_reader *r, struct draft *draft)
{
    uint64_t count;
    struct slice text;
    if (!rdb_read_count(r, 1, &count))
        return false;
    draft->expected = count < EXPECTED_MAX ? count : EXPECTED_MAX;
    for (; count > 0; count--) {
        if (!rdb_read_string(r, STRING_BYTES_MAX, &text) || !add(r, draft, text))
            return false;
    }
    return true;
}

static bool load_intset(struct rdb_reader *r, struct draft *draft)
{
    const unsigned char *set;
    if (!rdb_read_intset(r, &set))
        return false;
    const struct rdb_item *item = draft->item;
    size_t count = intset_count(set);
    if ((int64_t)count <= item->limits->set_max_intset_entries) {
        const struct entry_spec spec = {
            .type = TYPE_SET,
            .encoding = SET_ENC_INTSET,
            .access = item->access,
            .expiry = item->expiry,
        };
        draft->entry = packed_new(item->key, &spec, set, intset_bytes(set));
        return true;
    }
    draft->expected = count;
    for (size_t i = 0; i < count; i++) {
        char text[INT64_TEXT_MAX];
        int len = format_int64(text, intset_at(set, i));
        if (!add(r, draft, (struct slice){ .ptr = text, .len = (size_t)len }))
            return false;
    }
    return true;
}

static bool load_listpack(struct rdb_reader *r, struct draft *draft)
{
    const unsigned char *lp;
    char scratch[LP_SCRATCH];
    if (!rdb_read_listpack(r, &lp))
        return false;
    draft->expected = lp_count(lp);
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        if (!add(r, draft, lp_text(lp, at, scratch)))
            return false;
    }
    return true;
}

struct entry *rdb_load_set(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    struct draft draft = { .item = item };
    bool loaded = type == RDB_SET_INTSET     ? load_intset(r, &draft)
                  : type == RDB_SET_LISTPACK ? load_listpack(r, &draft)
                                             : load_members(r, &draft);
    if (loaded && !draft.entry)
        loaded = rdb_fail_empty(r, "a set");
    if (loaded)
        return draft.entry;
    if (draft.entry) {
        set_type_ops.release(draft.entry);
        entry_free(draft.entry);
    }
    return NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Sorted sets in the RDB format: listpacks as they are, others from the highest score down, as Redis does: its
// skiplist is fastest filled at the front.
#include "base/numbers.h"
#include "ds/listpack.h"
#include "persist/aof_codec.h"
#include "persist/rdb_codec.h"
#include "persist/rdb_packed.h"
#include "server/client.h"
#include "types/packed.h"
#include "types/zset.h"
#include "types/zset_draft.h"

#include <math.h>

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
    zset_iter_init(&iter, entry, zset_len(entry) - 1, true);
    while (zset_iter_next(&iter, &item)) {
        rdb_write_string(w, item.member);
        rdb_write_double(w, item.score);
    }
}

static void restate(struct rdb_writer *w, const struct entry *entry)
{
    struct aof_series series = {
        .w = w,
        .name = "ZADD",
        .key = entry_key(entry),
        .left = zset_len(entry),
        .words_each = 2,
    };
    struct zset_iter iter;
    struct zset_item item;
    char score[DOUBLE_TEXT_MAX] = "";
    zset_iter_init(&iter, entry, 0, false);
    while (zset_iter_next(&iter, &item)) {
        aof_series_next(&series);
        size_t len = (size_t)format_double(score, item.score);
        aof_write_word(w, (struct slice){ .ptr = score, .len = len });
        aof_write_word(w, item.member);
    }
}

const struct rdb_codec rdb_zset_codec = { .type = type_of, .save = save, .restate = restate };

static double second(double old, double score)
{
    (void)old;
    return score;
}

static bool check_score(struct rdb_reader *r, double score)
{
    return !isnan(score) || rdb_fail(r, "a score is not a number");
}

// Adds a member that is not there yet.
static bool add(struct rdb_reader *r, struct zset_draft *draft, struct slice member, double score)
{
    size_t count = draft->count;
    zset_draft_merge(draft, member, score, second);
    return draft->count > count || rdb_fail(r, "a sorted set has a member twice");
}

// A score as text: its length in a byte, or what stands for an infinity.
static bool read_text_score(struct rdb_reader *r, double *out)
{
    char text[UINT8_MAX + 1];
    uint8_t len = 0;
    if (!rdb_read_byte(r, &len))
        return false;
    if (len == RDB_SCORE_PLUS_INF || len == RDB_SCORE_MINUS_INF) {
        *out = len == RDB_SCORE_PLUS_INF ? INFINITY : -INFINITY;
        return true;
    }
    if (len == RDB_SCORE_NAN)
        return rdb_fail(r, "a score is not a number");
    if (!rdb_read_raw(r, text, len))
        return false;
    return parse_double((struct slice){ .ptr = text, .len = len }, out) ||
           rdb_fail(r, "a score is not a number");
}

// The score stands behind the member, which by then is gone: it gets it afterwards.
static bool load_member(struct rdb_reader *r, struct zset_draft *draft, bool as_text)
{
    struct slice member;
    double score = 0;
    if (!rdb_read_string(r, STRING_BYTES_MAX, &member) || !add(r, draft, member, 0) ||
        !(as_text ? read_text_score(r, &score) : rdb_read_double(r, &score)) ||
        !check_score(r, score))
        return false;
    zset_element_set_score(draft->elements[draft->count - 1], score);
    return true;
}

static bool load_members(struct rdb_reader *r, struct zset_draft *draft, bool as_text)
{
    uint64_t count;
    if (!rdb_read_count(r, as_text ? 2 : 9, &count))
        return false;
    for (; count > 0; count--) {
        if (!load_member(r, draft, as_text))
            return false;
    }
    return true;
}

// The pair at `at`, which moves on to the next one.
static bool read_pair(struct rdb_reader *r, const unsigned char *lp, size_t *at,
                      struct zset_item *out)
{
    out->member = lp_text(lp, *at, out->scratch);
    size_t score_at = lp_next(lp, *at);
    struct lp_value score = lp_get(lp, score_at);
    out->score = (double)score.integer;
    *at = lp_next(lp, score_at);
    if (score.text.ptr && !parse_double(score.text, &out->score))
        return rdb_fail(r, "a score is not a number");
    return check_score(r, out->score);
}

static bool in_order(const struct zset_item *a, const struct zset_item *b)
{
    return a->score != b->score ? a->score < b->score
                                : zset_compare_members(a->member, b->member) < 0;
}

// Whether it may become part of a sorted set as it is: in order, and within the limits.
static bool fits(struct rdb_reader *r, const unsigned char *lp,
                 const struct collection_limits *limits)
{
    if ((int64_t)(lp_count(lp) / 2) > limits->zset_max_listpack_entries ||
        !rdb_listpack_is_canonical(lp))
        return false;
    struct zset_item items[2];
    unsigned count = 0;
    for (size_t at = lp_first(lp); at; count++) {
        const struct zset_item *last = &items[(count + 1) % 2];
        struct zset_item *item = &items[count % 2];
        if (!read_pair(r, lp, &at, item) ||
            (int64_t)item->member.len > limits->zset_max_listpack_value ||
            (count > 0 && !in_order(last, item)))
            return false;
    }
    return true;
}

static bool draft_listpack(struct rdb_reader *r, const unsigned char *lp, struct zset_draft *draft)
{
    struct zset_item item;
    for (size_t at = lp_first(lp); at;) {
        if (!read_pair(r, lp, &at, &item) || !add(r, draft, item.member, item.score))
            return false;
    }
    return true;
}

// The entry itself, where the listpack can be taken as it is; else what it holds goes into the draft.
static bool load_packed(struct rdb_reader *r, const struct rdb_item *item, const unsigned char *lp,
                        struct zset_draft *draft, struct entry **entry)
{
    if (lp_count(lp) == 0)
        return true;
    if (lp_count(lp) % 2 != 0)
        return rdb_fail(r, "a sorted set has a member without a score");
    if (!fits(r, lp, item->limits))
        return !r->failed && draft_listpack(r, lp, draft);
    if (rdb_listpack_has_doubles(lp, 1))
        return rdb_fail(r, "a sorted set has a member twice");
    const struct entry_spec spec = {
        .type = TYPE_ZSET,
        .encoding = ZSET_ENC_LISTPACK,
        .access = item->access,
        .expiry = item->expiry,
    };
    *entry = packed_new(item->key, &spec, lp, lp_bytes(lp));
    return true;
}

static bool load(struct rdb_reader *r, uint8_t type, const struct rdb_item *item,
                 struct zset_draft *draft, struct entry **entry)
{
    const unsigned char *lp;
    switch (type) {
    case RDB_ZSET_LISTPACK:
        return rdb_read_listpack(r, &lp) && load_packed(r, item, lp, draft, entry);
    case RDB_ZSET_ZIPLIST:
        return rdb_read_ziplist(r, &lp) && load_packed(r, item, lp, draft, entry);
    default: return load_members(r, draft, type == RDB_ZSET);
    }
}

struct entry *rdb_load_zset(struct rdb_reader *r, uint8_t type, const struct rdb_item *item)
{
    struct entry *entry = NULL;
    struct zset_draft draft;
    zset_draft_init(&draft);
    bool loaded = load(r, type, item, &draft, &entry);
    if (loaded && !entry && draft.count == 0)
        loaded = rdb_fail_empty(r, "a sorted set");
    if (loaded && !entry)
        return zset_draft_finish(&draft, item->key, item->access, item->limits);
    zset_draft_release(&draft);
    return entry;
}

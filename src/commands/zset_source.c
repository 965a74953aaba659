// SPDX-License-Identifier: BSD-3-Clause
// What ZUNION, ZINTER and their kin read: see zset_source.h.
#include "commands/zset_source.h"

// Every member of a set has it.
#define SET_SCORE 1.0

static bool is_set(const struct entry *entry)
{
    return entry_type(entry) == TYPE_SET;
}

bool zset_source_find(struct cmd_ctx *ctx, uint32_t i, struct zset_source *out)
{
    const struct entry *entry = db_find_read(ctx->db, &ctx->keys[i]).entry;
    *out = (struct zset_source){ .entry = entry, .weight = 1 };
    if (!entry)
        return true;
    if (!is_set(entry) && entry_type(entry) != TYPE_ZSET) {
        reply_error(ctx, ERR_WRONG_TYPE);
        return false;
    }
    out->len = is_set(entry) ? set_count(entry) : zset_len(entry);
    return true;
}

bool zset_source_score(const struct zset_source *source, struct slice member, double *score)
{
    if (!source->entry)
        return false;
    if (!is_set(source->entry))
        return zset_score(source->entry, member, score);
    struct set_member wanted;
    set_member_init(&wanted, member);
    *score = SET_SCORE;
    return set_has(source->entry, &wanted);
}

void zset_source_iter_init(struct zset_source_iter *iter, const struct zset_source *source)
{
    iter->entry = source->entry;
    iter->count = 0;
    iter->at = 0;
    if (!source->entry)
        return;
    if (is_set(source->entry))
        set_walk_begin(&iter->set, source->entry);
    else
        zset_iter_init(&iter->zset, source->entry, 0, false);
}

bool zset_source_iter_next(struct zset_source_iter *iter, struct zset_item *out)
{
    if (!iter->entry)
        return false;
    if (!is_set(iter->entry))
        return zset_iter_next(&iter->zset, out);
    if (iter->at == iter->count) {
        iter->at = 0;
        iter->count = set_walk_next(&iter->set, iter->members);
        if (iter->count == 0)
            return false;
    }
    out->member = set_member_text(&iter->members[iter->at++]);
    out->score = SET_SCORE;
    return true;
}

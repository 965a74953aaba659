// SPDX-License-Identifier: BSD-3-Clause
// What the list commands share: see list_shared.h.
#include "commands/list_shared.h"

#include "base/memory.h"
#include "server/server.h"

// Values up to this size are taken without asking whether there is memory.
#define SMALL_BYTES ((size_t)1 << 20)

bool arg_list_end(struct cmd_ctx *ctx, uint32_t i, enum list_end *end)
{
    if (arg_is(ctx, i, "left")) {
        *end = LIST_LEFT;
        return true;
    }
    if (arg_is(ctx, i, "right")) {
        *end = LIST_RIGHT;
        return true;
    }
    reply_error(ctx, ERR_SYNTAX);
    return false;
}

bool list_has_room(struct cmd_ctx *ctx, size_t bytes)
{
    if (likely(bytes <= SMALL_BYTES))
        return true;
    void *probe = mem_try_alloc(bytes);
    if (!probe) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return false;
    }
    mem_free(probe, bytes);
    return true;
}

static inline void reply_at(struct resp_writer *w, const unsigned char *p)
{
    if (likely(lp_is_text(p)))
        resp_bulk_slice(w, lp_read_text(p));
    else
        resp_bulk_int(w, lp_read_integer(p));
}

void list_reply_element(struct resp_writer *w, const struct list_place *place)
{
    reply_at(w, place->lp + place->offset);
}

// Replies up to `count` elements of the place's listpack; the place becomes the last of them. Returns
// how many.
static size_t reply_run(struct resp_writer *w, struct list_place *place, size_t count)
{
    const unsigned char *p = place->lp + place->offset;
    size_t done = 1;
    reply_at(w, p);
    for (const unsigned char *next; done < count && !lp_at_end(next = lp_step(p)); done++) {
        p = next;
        reply_at(w, p);
    }
    place->offset = (size_t)(p - place->lp);
    return done;
}

void list_reply_range(struct resp_writer *w, const struct entry *entry, size_t start, size_t count)
{
    struct list_place place = list_entry_seek(entry, (int64_t)start);
    while (count > 0) {
        count -= reply_run(w, &place, count);
        list_place_next(&place);
    }
}

void list_push_values(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, enum list_end end,
                      const struct slice *values, size_t count)
{
    const struct collection_limits *limits = ctx->server->limits;
    struct entry *entry = ref->entry;
    if (entry) {
        list_entry_push(&entry, limits, end, values, count);
        db_entry_changed(ref, entry);
    } else {
        entry = list_entry_new(key_slice(&ctx->keys[key]), ctx->server->keyspace->access_clock,
                               limits, end, values, count);
        *ref = db_insert(ctx->db, &ctx->keys[key], entry);
    }
    ctx->changes += count - 1;
    ctx_written(ctx, key, NOTIFY_LIST, list_push_event(end));
}

void list_removed(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, struct entry *entry,
                  size_t count, const char *event)
{
    db_entry_changed(ref, entry);
    ctx->changes += count - 1;
    if (list_entry_count(entry) > 0) {
        ctx_written(ctx, key, NOTIFY_LIST, event);
        return;
    }
    db_remove(ctx->db, &ctx->keys[key], *ref);
    ctx_emptied(ctx, key, NOTIFY_LIST, event);
}

void list_pop_one(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, enum list_end end)
{
    struct entry *entry = ref->entry;
    struct list_place place = list_entry_seek(entry, end == LIST_LEFT ? 0 : -1);
    list_reply_element(&ctx->reply, &place);
    list_entry_pop(&entry, ctx->server->limits, end);
    list_removed(ctx, key, ref, entry, 1, list_pop_event(end));
}

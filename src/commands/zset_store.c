// SPDX-License-Identifier: BSD-3-Clause
// What the commands of sorted sets do to keys: see zset_store.h.
#include "commands/zset_store.h"

#include "server/registry.h"
#include "server/server.h"

void zset_store_reply(struct cmd_ctx *ctx, struct zset_draft *draft)
{
    struct key *key = &ctx->keys[0];
    struct entry_ref ref = db_find(ctx->db, key);
    int64_t count = (int64_t)draft->count;
    if (count > 0) {
        struct entry *entry = zset_draft_finish(
            draft, key_slice(key), ctx->server->keyspace->access_clock, ctx->server->limits);
        db_overwrite(ctx->db, key, &ref, entry);
        ctx_written(ctx, 0, NOTIFY_ZSET, ctx->command->row->name);
    } else {
        zset_draft_release(draft);
        if (ref.entry) {
            db_remove(ctx->db, key, ref);
            ctx_removed(ctx, 0);
        }
    }
    reply_int(ctx, count);
}

void zset_take_span(struct cmd_ctx *ctx, uint32_t i, struct entry_ref *ref, struct zset_span span,
                    const char *event)
{
    if (span.count == zset_len(ref->entry)) {
        db_remove(ctx->db, &ctx->keys[i], *ref);
        ctx_emptied(ctx, i, NOTIFY_ZSET, event);
        return;
    }
    struct entry *entry = ref->entry;
    zset_remove_span(&entry, span);
    db_entry_changed(ref, entry);
    ctx_written(ctx, i, NOTIFY_ZSET, event);
}

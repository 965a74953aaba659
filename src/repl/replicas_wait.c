// SPDX-License-Identifier: BSD-3-Clause
// Waiting for acknowledgements: how many replicas have got what a client has written.
#include "repl/replicas_internal.h"
#include "server/block.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/effects.h"

uint64_t replicas_offset_of(const struct repl *repl, const struct client *client)
{
    uint64_t behind = effects_offset(repl->server->effects) - client->effect_offset;
    // What it wrote before the stream began is in every data set that a replica of this history began with.
    if (!client->effect_offset || behind > repl->stream.end)
        return 0;
    return repl->stream.end - behind;
}

size_t replicas_reached(const struct repl *repl, uint64_t offset, bool on_disk)
{
    const struct list *all = &repl->replicas->all;
    size_t reached = 0;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        const struct replica *replica = LIST_ITEM(link, struct replica, link);
        uint64_t acked = on_disk ? replica->acked_on_disk : replica->acked;
        if (replica->state == REPLICA_ONLINE && acked >= offset)
            reached++;
    }
    return reached;
}

void replicas_wait(struct cmd_ctx *ctx, int64_t timeout_ms)
{
    struct replicas *replicas = ctx->server->repl->replicas;
    // Once for each who waits: what they acknowledge then is all that had been written before.
    if (block_in_queue(ctx, &replicas->waiters, timeout_ms))
        replicas->asks = true;
}

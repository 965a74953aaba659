// SPDX-License-Identifier: BSD-3-Clause
// Commands of our primary: what each one that has been run means for offsets and for replicas of our own.
#include "repl/repl_internal.h"
#include "server/client.h"
#include "server/ctx.h"

void apply_ran(void *udata, struct cmd_ctx *ctx)
{
    struct repl *repl = udata;
    stream_append(&repl->stream, ctx->raw);
}

void apply_skipped(void *udata, struct client *client, size_t bytes)
{
    (void)udata;
    (void)client;
    (void)bytes;
}

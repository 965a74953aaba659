// SPDX-License-Identifier: BSD-3-Clause
// Commands of our primary: what each one that has been run means for offsets and for replicas of our own.
//
// Its bytes go into the stream, and so are counted, when it has been run. Those of a transaction are kept aside until it
// is over: wherever the link breaks, the stream ends between two things that are run whole, and the next connection
// goes on there.
#include "base/log.h"
#include "base/numbers.h"
#include "repl/link_internal.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/registry.h"
#include "server/transaction.h"

#include <stdio.h>

// The buffer for transactions is kept up to this size.
#define KEEP_BYTES (1u << 20)

static void keep(struct link *link, bool aside, struct slice bytes)
{
    if (aside)
        bytes_append(&link->transaction, bytes.ptr, bytes.len);
    else
        stream_append(&link->repl->stream, bytes);
}

// Whether the request lies in one piece where it begins. (A plain line, which does not begin so, always does.)
static bool is_whole(const struct cmd_ctx *ctx)
{
    return ctx->raw_is_resp || *ctx->raw.ptr != '*';
}

// Large arguments have arrived apart: the request is put together again, as a primary encodes it.
static void keep_words(struct link *link, bool aside, const struct cmd_ctx *ctx)
{
    char head[INT64_TEXT_MAX + 4];
    int len = snprintf(head, sizeof(head), "*%u\r\n", ctx->argc);
    keep(link, aside, (struct slice){ .ptr = head, .len = (size_t)len });
    for (uint32_t i = 0; i < ctx->argc; i++) {
        len = snprintf(head, sizeof(head), "$%zu\r\n", ctx->argv[i].len);
        keep(link, aside, (struct slice){ .ptr = head, .len = (size_t)len });
        keep(link, aside, ctx->argv[i]);
        keep(link, aside, SLICE("\r\n"));
    }
}

// What was kept aside is whole.
static void end_transaction(struct link *link)
{
    stream_append(&link->repl->stream, bytes_slice(&link->transaction));
    bytes_clear(&link->transaction);
    if (link->transaction.cap > KEEP_BYTES)
        bytes_release(&link->transaction);
}

static bool is_getack(const struct cmd_ctx *ctx)
{
    return ctx->argc >= 2 && ctx->argv[0].len == 8 && arg_is(ctx, 0, "replconf") &&
           arg_is(ctx, 1, "getack");
}

// What works there has failed here.
static void note_error(struct link *link, const struct cmd_ctx *ctx)
{
    struct iovec reply = { 0 };
    link->repl->unexpected_errors++;
    uint64_t count = log_limit(&link->errors, 1);
    if (!count)
        return;
    int name_len = ctx->argv[0].len < 64 ? (int)ctx->argv[0].len : 64;
    outq_vectors(ctx->reply.out, &reply, 1);
    int reply_len = reply.iov_len < 200 ? (int)reply.iov_len : 200;
    struct bytes shown = { 0 };
    bytes_append_quoted(&shown, (struct slice){ .ptr = ctx->argv[0].ptr, .len = (size_t)name_len });
    bytes_append_text(&shown, " got ");
    bytes_append_quoted(&shown, (struct slice){ .ptr = reply.iov_base, .len = (size_t)reply_len });
    log_warning("A command of the primary's has failed here, the data sets may differ: %.*s (%llu "
                "of them since the last such line)",
                (int)shown.len, shown.data, (unsigned long long)count);
    bytes_release(&shown);
}

void apply_ran(void *udata, struct cmd_ctx *ctx)
{
    struct repl *repl = udata;
    struct link *link = repl->link;
    struct client *client = ctx->client;
    // What it sent may have been that we are to follow it no longer.
    if (unlikely(!link || link->client != client))
        return;
    if (unlikely(ctx->protocol_error || ctx->out_of_memory)) {
        link_distrust(link);
        return;
    }
    // It hears how far we are, whether or not that is durable.
    client->effect_offset = 0;
    if (unlikely(is_getack(ctx)))
        link_acknowledge(link);
    else if (unlikely(ctx->failed))
        note_error(link, ctx);
    bool is_open = transaction_open(client);
    bool aside = is_open || link->transaction.len;
    if (likely(is_whole(ctx)))
        keep(link, aside, ctx->raw);
    else
        keep_words(link, aside, ctx);
    if (is_open)
        return;
    if (aside)
        end_transaction(link);
    repl->stream_db = client->db->id;
}

void apply_skipped(void *udata, struct client *client, size_t bytes)
{
    const struct repl *repl = udata;
    struct link *link = repl->link;
    const struct client_input *input = &client->input;
    if (link && link->client == client)
        keep(link, link->transaction.len,
             (struct slice){ .ptr = input->buf + input->pos - bytes, .len = bytes });
}

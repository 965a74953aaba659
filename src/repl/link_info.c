// SPDX-License-Identifier: BSD-3-Clause
// The link to our primary as INFO and ROLE show it.
#include "base/clock.h"
#include "repl/link_internal.h"
#include "server/client.h"
#include "server/ctx.h"

static long long seconds_since(uint64_t then_us)
{
    uint64_t now_us = clock_mono_us_now();
    return now_us > then_us ? (long long)((now_us - then_us) / 1000000) : 0;
}

// Progress of a data set. How long it will be is known once it begins, unless only a mark will end it.
static void info_sync(const struct link *link, struct bytes *out)
{
    const struct receive *receive = &link->receive;
    bool begun = receive->total_bytes || receive->read_bytes;
    long long total = begun ? (long long)receive->total_bytes : -1;
    long long read = (long long)receive->read_bytes;
    double percent = total ? (double)read / (double)total * 100 : 0;
    bytes_printf(out,
                 "master_sync_total_bytes:%lld\r\n"
                 "master_sync_read_bytes:%lld\r\n"
                 "master_sync_left_bytes:%lld\r\n"
                 "master_sync_perc:%.2f\r\n"
                 "master_sync_last_io_seconds_ago:%lld\r\n",
                 total, read, total - read, percent, seconds_since(link_heard_us(link)));
}

// Read, and perhaps not run yet.
static uint64_t read_offset(const struct link *link)
{
    uint64_t offset = link->repl->stream.end + link->transaction.len;
    if (link->client)
        offset += link->client->input.len - link->client->input.pos;
    return offset;
}

void link_info(const struct link *link, struct bytes *out)
{
    const struct repl *repl = link->repl;
    bool is_up = link->state == LINK_UP;
    bytes_printf(out,
                 "master_host:%s\r\n"
                 "master_port:%d\r\n"
                 "master_link_status:%s\r\n"
                 "master_last_io_seconds_ago:%lld\r\n"
                 "master_sync_in_progress:%d\r\n"
                 "slave_read_repl_offset:%llu\r\n"
                 "slave_repl_offset:%llu\r\n",
                 repl->primary_host, repl->primary_port, is_up ? "up" : "down",
                 is_up ? seconds_since(link_heard_us(link)) : -1, link->state == LINK_RECEIVING,
                 (unsigned long long)read_offset(link), (unsigned long long)repl->stream.end);
    if (link->state == LINK_RECEIVING)
        info_sync(link, out);
    if (!is_up)
        bytes_printf(out, "master_link_down_since_seconds:%lld\r\n",
                     repl->link_lost_us ? seconds_since(repl->link_lost_us) : -1);
    if (link->refused)
        bytes_append_text(out, "master_sync_refused:empty-primary\r\n");
    bytes_printf(out,
                 "slave_priority:%lld\r\n"
                 "slave_read_only:%d\r\n"
                 "replica_announced:%d\r\n",
                 (long long)repl->config.priority, repl->config.read_only, repl->config.announced);
}

void link_reply_role(struct cmd_ctx *ctx)
{
    static const char *const states[] = { [LINK_WAITING] = "connect",
                                          [LINK_CONNECTING] = "connecting",
                                          [LINK_TALKING] = "handshake",
                                          [LINK_RECEIVING] = "sync",
                                          [LINK_UP] = "connected" };
    const struct repl *repl = ctx->server->repl;
    const struct link *link = repl->link;
    bool is_up = link && link->state == LINK_UP;
    resp_array(&ctx->reply, 5);
    resp_bulk_text(&ctx->reply, "slave");
    resp_bulk_text(&ctx->reply, repl->primary_host);
    resp_int(&ctx->reply, repl->primary_port);
    resp_bulk_text(&ctx->reply, link ? states[link->state] : "none");
    resp_int(&ctx->reply, is_up ? (int64_t)repl->stream.end : -1);
}

// SPDX-License-Identifier: BSD-3-Clause
// MONITOR: see monitor.h.
#include "server/monitor.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/registry.h"
#include "server/server.h"

#include <string.h>

// The line's buffer is kept up to this size.
#define LINE_KEEP_BYTES 65536

struct monitors {
    struct list clients;
    uint32_t gate;
    struct bytes line;
};

static bool touches_data(const struct command *row)
{
    return row->flags & (CMD_WRITE | CMD_READONLY | CMD_MAY_REPLICATE);
}

static bool refuse(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_MONITOR_DATA);
    return true;
}

struct monitors *monitors_new(struct server *server)
{
    struct monitors *monitors = mem_alloc_zeroed(sizeof(*monitors));
    list_init(&monitors->clients);
    monitors->gate = registry_add_gate(server->registry, touches_data, refuse);
    return monitors;
}

void monitors_free(struct monitors *monitors)
{
    bytes_release(&monitors->line);
    mem_free(monitors, sizeof(*monitors));
}

void monitor_add(struct client *client)
{
    struct monitors *monitors = client->server->monitors;
    client->flags |= CLIENT_MONITOR;
    client->gates |= monitors->gate;
    list_append(&monitors->clients, &client->monitor_link);
    client->server->observers |= OBSERVER_MONITOR;
}

void monitor_remove(struct client *client)
{
    struct monitors *monitors = client->server->monitors;
    if (!(client->flags & CLIENT_MONITOR))
        return;
    client->flags &= ~(uint32_t)CLIENT_MONITOR;
    client->gates &= ~monitors->gate;
    list_remove(&client->monitor_link);
    if (list_empty(&monitors->clients))
        client->server->observers &= ~(uint32_t)OBSERVER_MONITOR;
}

// +seconds.microseconds [db address] "word" "word" ...
static void write_line(const struct cmd_ctx *ctx, struct bytes *line)
{
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    bool is_unix = ctx->client->flags & CLIENT_UNIX;
    int address_len = (int)(is_unix ? (size_t)(strrchr(address, ':') - address) : strlen(address));
    int64_t now_us = clock_wall_us_now();
    bytes_clear(line);
    bytes_printf(line, "+%lld.%06lld [%d %s%.*s]", (long long)(now_us / 1000000),
                 (long long)(now_us % 1000000), ctx->client->db->id, is_unix ? "unix:" : "",
                 address_len, address);
    for (uint32_t i = 0; i < ctx->argc; i++) {
        bytes_append_char(line, ' ');
        bytes_append_quoted(line, ctx_shown_arg(ctx, i));
    }
    bytes_append_text(line, "\r\n");
}

void monitor_feed(const struct cmd_ctx *ctx)
{
    struct monitors *monitors = ctx->server->monitors;
    if (ctx->command->flags & (CMD_ADMIN | CMD_SKIP_MONITOR))
        return;
    write_line(ctx, &monitors->line);
    for (struct list_link *link = list_first(&monitors->clients); link;
         link = list_next(&monitors->clients, link)) {
        struct client *client = LIST_ITEM(link, struct client, monitor_link);
        if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY))
            continue;
        outq_append(&client->conn.out, monitors->line.data, monitors->line.len);
        client_output_added(client);
    }
    if (monitors->line.cap > LINE_KEEP_BYTES)
        bytes_release(&monitors->line);
}

// SPDX-License-Identifier: BSD-3-Clause
// The slow log: see slowlog.h.
#include "server/slowlog.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "server/client.h"
#include "server/config.h"
#include "server/ctx.h"
#include "server/dispatch.h"
#include "server/registry.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

// Room for "... (N more bytes)" and its kin.
#define CUT_TEXT_MAX 64

struct slowlog {
    struct server *server;
    int64_t threshold_us;  // slowlog-log-slower-than; negative: none
    int64_t max_len;
    struct list entries;  // oldest first
    size_t len;
    uint64_t next_id;
};

// An entry in its block: the texts lie behind it.
struct kept {
    struct list_link link;
    size_t bytes;
    struct slowlog_entry entry;
};

static bool apply_threshold(void *owner, struct config_error *error)
{
    (void)error;
    const struct slowlog *slowlog = owner;
    dispatch_thresholds_changed(slowlog->server);
    return true;
}

static const struct config_directive slowlog_directives[] = {
    { .name = "slowlog-log-slower-than",
      .type = CONFIG_INT,
      .offset = offsetof(struct slowlog, threshold_us),
      .default_text = "10000",
      .min = -1,
      .max = CONFIG_UNBOUNDED,
      .apply = apply_threshold },
    { .name = "slowlog-max-len",
      .type = CONFIG_INT,
      .offset = offsetof(struct slowlog, max_len),
      .default_text = "128",
      .max = CONFIG_UNBOUNDED },
    { 0 },
};

struct slowlog *slowlog_new(struct server *server)
{
    struct slowlog *slowlog = mem_alloc_zeroed(sizeof(*slowlog));
    slowlog->server = server;
    list_init(&slowlog->entries);
    config_register(server->config, slowlog_directives, slowlog);
    return slowlog;
}

static void drop_oldest(struct slowlog *slowlog)
{
    struct kept *kept = LIST_ITEM(list_first(&slowlog->entries), struct kept, link);
    list_remove(&kept->link);
    mem_free(kept, kept->bytes);
    slowlog->len--;
}

void slowlog_reset(struct slowlog *slowlog)
{
    while (slowlog->len)
        drop_oldest(slowlog);
}

void slowlog_free(struct slowlog *slowlog)
{
    slowlog_reset(slowlog);
    mem_free(slowlog, sizeof(*slowlog));
}

uint64_t slowlog_threshold_us(const struct slowlog *slowlog)
{
    return slowlog->threshold_us < 0 ? UINT64_MAX : (uint64_t)slowlog->threshold_us;
}

// What is kept of argument i, the last one if there are too many.
static size_t write_arg(const struct cmd_ctx *ctx, uint32_t i,
                        char out[SLOWLOG_ARG_BYTES_MAX + CUT_TEXT_MAX])
{
    if (i == SLOWLOG_ARGS_MAX - 1 && ctx->argc > SLOWLOG_ARGS_MAX)
        return (size_t)snprintf(out, CUT_TEXT_MAX, "... (%u more arguments)", ctx->argc - i);
    struct slice arg = ctx_shown_arg(ctx, i);
    if (arg.len <= SLOWLOG_ARG_BYTES_MAX) {
        if (arg.len)
            memcpy(out, arg.ptr, arg.len);
        return arg.len;
    }
    memcpy(out, arg.ptr, SLOWLOG_ARG_BYTES_MAX);
    int cut = snprintf(out + SLOWLOG_ARG_BYTES_MAX, CUT_TEXT_MAX, "... (%zu more bytes)",
                       arg.len - SLOWLOG_ARG_BYTES_MAX);
    return SLOWLOG_ARG_BYTES_MAX + (size_t)cut;
}

static struct slice place(char **at, const char *text, size_t len)
{
    struct slice placed = { .ptr = *at, .len = len };
    if (len)
        memcpy(*at, text, len);
    *at += len;
    return placed;
}

static struct kept *keep(const struct cmd_ctx *ctx)
{
    char args[SLOWLOG_ARGS_MAX][SLOWLOG_ARG_BYTES_MAX + CUT_TEXT_MAX];
    size_t lens[SLOWLOG_ARGS_MAX];
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    struct slice name = slice_of(ctx->client->name ? ctx->client->name : "");

    uint32_t argc = ctx->argc;
    if (argc > SLOWLOG_ARGS_MAX)
        argc = SLOWLOG_ARGS_MAX;
    size_t text_bytes = strlen(address) + name.len;
    for (uint32_t i = 0; i < argc; i++)
        text_bytes += lens[i] = write_arg(ctx, i, args[i]);

    size_t bytes = sizeof(struct kept) + argc * sizeof(struct slice) + text_bytes;
    struct kept *kept = mem_alloc(bytes);
    *kept = (struct kept){ .bytes = bytes };
    char *at = (char *)&kept->entry.argv[argc];
    kept->entry.argc = argc;
    for (uint32_t i = 0; i < argc; i++)
        kept->entry.argv[i] = place(&at, args[i], lens[i]);
    kept->entry.client_address = place(&at, address, strlen(address));
    kept->entry.client_name = place(&at, name.ptr, name.len);
    return kept;
}

void slowlog_note(struct slowlog *slowlog, const struct cmd_ctx *ctx, uint64_t duration_us)
{
    if (duration_us < slowlog_threshold_us(slowlog) || slowlog->threshold_us < 0 ||
        ctx->command->flags & CMD_SKIP_SLOWLOG)
        return;
    struct kept *kept = keep(ctx);
    kept->entry.id = slowlog->next_id++;
    kept->entry.time_s = clock_wall_us_now() / 1000000;
    kept->entry.duration_us = duration_us;
    list_append(&slowlog->entries, &kept->link);
    slowlog->len++;
    while (slowlog->len > (size_t)slowlog->max_len)
        drop_oldest(slowlog);
}

size_t slowlog_len(const struct slowlog *slowlog)
{
    return slowlog->len;
}

void slowlog_each(const struct slowlog *slowlog, size_t count, slowlog_emit_fn emit, void *udata)
{
    const struct list_link *link = slowlog->entries.head.prev;
    for (; count > 0 && link != &slowlog->entries.head; count--, link = link->prev)
        emit(&LIST_ITEM(link, struct kept, link)->entry, udata);
}

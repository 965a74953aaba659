// SPDX-License-Identifier: BSD-3-Clause
// What all clients may hold together: see client_limit.h.
//
// What a client holds is in no sum that is kept up to date: that would cost each command something. The
// clients are walked when the limit may have been passed: when the memory of the process has grown by a part of
// it since the last walk, and ten times a second.
#include "server/client_limit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "net/loop.h"
#include "server/client.h"
#include "server/config.h"
#include "server/eviction.h"
#include "server/info.h"
#include "server/server.h"

#define WALK_PERIOD_US 100000

// A lower limit counts as this, as in Redis: nobody could reach the server to raise it again.
#define LOWEST_LIMIT_BYTES (UINT64_C(128) << 10)

// The part of the limit by which memory may grow between two walks.
#define GROWTH_PART 8

// Clients by the magnitude of what they hold.
#define MAGNITUDES 64

struct client_limit {
    struct server *server;
    int64_t limit;  // bytes; below zero: percent of maxmemory
    uint64_t evicted;
    uint64_t walk_bytes;  // mem_used() from which on the next walk is due
    uint64_t walk_us;     // when it is due anyway
};

// 0: none.
static uint64_t limit_bytes(const struct client_limit *limit)
{
    uint64_t bytes = (uint64_t)limit->limit;
    if (limit->limit < 0)
        bytes = eviction_limit(limit->server->eviction) / 100 * (uint64_t)-limit->limit;
    return bytes == 0 || bytes > LOWEST_LIMIT_BYTES ? bytes : LOWEST_LIMIT_BYTES;
}

static bool may_go(const struct client *client)
{
    return !(client->flags & (CLIENT_NO_EVICT | CLIENT_CLOSING | CLIENT_REPLICA | CLIENT_PRIMARY));
}

static unsigned magnitude(size_t bytes)
{
    return 63U - (unsigned)__builtin_clzll(bytes | 1);
}

static void evict_client(struct client_limit *limit, struct client *client)
{
    struct bytes text = { 0 };
    client_describe(client, &text);
    log_notice(
        "Client closed because all together hold more than maxmemory-clients (%llu bytes): %.*s",
        (unsigned long long)limit_bytes(limit), (int)text.len, text.data);
    bytes_release(&text);
    limit->evicted++;
    client_kill(client);
}

// Closes clients of this magnitude until `total` is within the limit; returns what is left.
static uint64_t evict_magnitude(struct client_limit *limit, unsigned wanted, uint64_t total)
{
    const struct list *all = &limit->server->clients->all;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        struct client *client = LIST_ITEM(link, struct client, all_link);
        size_t bytes = client_memory(client);
        if (!may_go(client) || magnitude(bytes) != wanted)
            continue;
        evict_client(limit, client);
        total -= bytes;
        if (total <= limit_bytes(limit))
            break;
    }
    return total;
}

static void walk(struct client_limit *limit)
{
    const struct list *all = &limit->server->clients->all;
    bool found[MAGNITUDES] = { 0 };
    uint64_t total = 0;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        const struct client *client = LIST_ITEM(link, struct client, all_link);
        if (client->flags & (CLIENT_CLOSING | CLIENT_REPLICA | CLIENT_PRIMARY))
            continue;
        total += client_memory(client);
        found[magnitude(client_memory(client))] |= may_go(client);
    }
    for (unsigned i = MAGNITUDES; i-- > 0 && total > limit_bytes(limit);) {
        if (found[i])
            total = evict_magnitude(limit, i, total);
    }
}

// After each turn's commands, before their replies are sent.
static void check(void *udata)
{
    struct client_limit *limit = udata;
    uint64_t bytes = limit_bytes(limit);
    if (likely(bytes == 0))
        return;
    uint64_t used = mem_used();
    uint64_t now_us = clock_mono_us();
    if (used < limit->walk_bytes && now_us < limit->walk_us)
        return;
    walk(limit);
    limit->walk_bytes = used + bytes / GROWTH_PART;
    limit->walk_us = now_us + WALK_PERIOD_US;
}

static bool set_limit(void *owner, const struct slice *words, size_t count,
                      struct config_error *error)
{
    (void)count;
    struct client_limit *limit = owner;
    struct slice word = words[0];
    bool percent = word.len && word.ptr[word.len - 1] == '%';
    uint64_t value = 0;
    bool valid = percent ? parse_uint64((struct slice){ word.ptr, word.len - 1 }, &value)
                         : parse_memory(word, &value);
    if (!valid || value > INT64_MAX)
        return config_refuse(error, "argument must be a memory or percent value");
    if (percent && value > 100)
        return config_refuse(error, "percentage argument must be less or equal to 100");
    limit->limit = percent ? -(int64_t)value : (int64_t)value;
    limit->walk_bytes = limit->walk_us = 0;
    return true;
}

static void get_limit(const void *owner, struct bytes *out)
{
    long long value = ((const struct client_limit *)owner)->limit;
    if (value < 0)
        bytes_printf(out, "%lld%%", -value);
    else
        bytes_printf(out, "%lld", value);
}

static const struct config_directive client_limit_directives[] = {
    { .name = "maxmemory-clients",
      .type = CONFIG_CUSTOM,
      .default_text = "0",
      .set = set_limit,
      .get = get_limit },
    { 0 },
};

static void evicted_fields(void *udata, struct bytes *out)
{
    const struct client_limit *limit = udata;
    bytes_printf(out, "evicted_clients:%llu\r\n", (unsigned long long)limit->evicted);
}

static void reset_stats(void *udata)
{
    ((struct client_limit *)udata)->evicted = 0;
}

struct client_limit *client_limit_new(struct server *server)
{
    struct client_limit *limit = mem_alloc_zeroed(sizeof(*limit));
    limit->server = server;
    config_register(server->config, client_limit_directives, limit);
    info_add_fields(server->info, "Stats", "evicted clients", evicted_fields, limit);
    info_on_reset(server->info, reset_stats, limit);
    loop_on_ready(server->loop, check, limit);
    return limit;
}

void client_limit_free(struct client_limit *limit)
{
    mem_free(limit, sizeof(*limit));
}

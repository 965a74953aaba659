// SPDX-License-Identifier: BSD-3-Clause
// How long commands take: see latency_stats.h.
#include "server/latency_stats.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "server/config.h"
#include "server/info.h"
#include "server/registry.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

// The most percentiles that can be asked for.
#define PERCENTILES_MAX 64

struct percentile_list {
    size_t count;
    double items[PERCENTILES_MAX];
};

struct latency_stats {
    struct server *server;
    struct percentile_list percentiles;
};

static bool add_percentile(struct percentile_list *list, struct slice text,
                           struct config_error *error)
{
    double *item = &list->items[list->count];
    if (list->count == PERCENTILES_MAX)
        return config_refuse(error, "too many latency-tracking-info-percentiles");
    if (!parse_double(text, item))
        return config_refuse(error, "Invalid latency-tracking-info-percentiles parameters");
    if (*item < 0 || *item > 100)
        return config_refuse(error, "latency-tracking-info-percentiles parameters should sit "
                                    "between [0.0,100.0]");
    list->count++;
    return true;
}

// The percentiles of a text, a blank apart.
static bool add_percentiles(struct percentile_list *list, struct slice text,
                            struct config_error *error)
{
    const char *blank;
    while (text.len && (blank = memchr(text.ptr, ' ', text.len)) != NULL) {
        size_t len = (size_t)(blank - text.ptr);
        if (!add_percentile(list, (struct slice){ .ptr = text.ptr, .len = len }, error))
            return false;
        text = (struct slice){ .ptr = blank + 1, .len = text.len - len - 1 };
    }
    return add_percentile(list, text, error);
}

static bool set_percentiles(void *owner, const struct slice *words, size_t count,
                            struct config_error *error)
{
    struct latency_stats *stats = owner;
    struct percentile_list list = { 0 };
    bool none = count == 1 && words[0].len == 0;
    for (size_t i = 0; !none && i < count; i++) {
        if (!add_percentiles(&list, words[i], error))
            return false;
    }
    stats->percentiles = list;
    return true;
}

// Up to six digits behind the point, without zeros at the end.
static void append_percentile(struct bytes *out, double percentile)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%.6f", percentile);
    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    bytes_append(out, text, (size_t)len);
}

static void get_percentiles(const void *owner, struct bytes *out)
{
    const struct latency_stats *stats = owner;
    for (size_t i = 0; i < stats->percentiles.count; i++) {
        if (i)
            bytes_append_char(out, ' ');
        append_percentile(out, stats->percentiles.items[i]);
    }
}

static const struct config_directive tracking_directives[] = {
    { .name = "latency-tracking",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct server, timing.tracking),
      .default_text = "yes" },
    { 0 },
};

static const struct config_directive percentile_directives[] = {
    { .name = "latency-tracking-info-percentiles",
      .type = CONFIG_CUSTOM,
      .default_text = "50 99 99.9",
      .set = set_percentiles,
      .get = get_percentiles },
    { 0 },
};

static void write_command(const struct latency_stats *stats, const struct command_entry *command,
                          struct bytes *out)
{
    for (int i = 0; i < command->subcommand_count; i++)
        write_command(stats, &command->subcommands[i], out);
    if (!command->histogram)
        return;
    bytes_printf(out, "latency_percentiles_usec_%s:", command->full_name);
    for (size_t i = 0; i < stats->percentiles.count; i++) {
        uint64_t ticks = histogram_percentile(command->histogram, stats->percentiles.items[i]);
        bytes_append_text(out, i ? ",p" : "p");
        append_percentile(out, stats->percentiles.items[i]);
        bytes_printf(out, "=%.3f", (double)clock_ticks_to_ns(ticks) / 1000);
    }
    bytes_append_text(out, "\r\n");
}

static void info_latencystats(void *udata, struct bytes *out)
{
    const struct latency_stats *stats = udata;
    const struct registry *registry = stats->server->registry;
    for (size_t i = 0; stats->server->timing.tracking && i < registry_count(registry); i++)
        write_command(stats, registry_at(registry, i), out);
}

struct latency_stats *latency_stats_new(struct server *server)
{
    struct latency_stats *stats = mem_alloc_zeroed(sizeof(*stats));
    stats->server = server;
    config_register(server->config, tracking_directives, server);
    config_register(server->config, percentile_directives, stats);
    info_add_section(server->info, "Latencystats", false, info_latencystats, stats);
    return stats;
}

void latency_stats_free(struct latency_stats *stats)
{
    mem_free(stats, sizeof(*stats));
}

void latency_stats_begin(struct command_entry *command)
{
    command->histogram = mem_alloc_zeroed(sizeof(*command->histogram));
}

// The bounds of Redis's: a power of two of 1,024 ns, and the bucket of 1/128 that begins there.
static uint64_t bucket_bound_ns(unsigned bucket)
{
    uint64_t power = UINT64_C(1024) << bucket;
    return bucket == LATENCY_BUCKETS - 1 ? power - 1 : power + power / 128 - 1;
}

uint64_t latency_bucket_us(unsigned bucket)
{
    return bucket_bound_ns(bucket) / 1000;
}

void latency_stats_buckets(const struct command_entry *command, struct latency_buckets *out)
{
    memset(out, 0, sizeof(*out));
    unsigned bucket = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t ns = clock_ticks_to_ns(histogram_lowest(i));
        while (bucket < LATENCY_BUCKETS - 1 && ns > bucket_bound_ns(bucket))
            bucket++;
        out->counts[bucket] += command->histogram->counts[i];
        out->calls += command->histogram->counts[i];
    }
}

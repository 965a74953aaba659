// SPDX-License-Identifier: BSD-3-Clause
// The latency monitor: see latency.h.
#include "server/latency.h"

#include "base/clock.h"
#include "base/memory.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/server.h"

#include <string.h>

struct latency {
    struct server *server;
    int64_t threshold_ms;  // latency-monitor-threshold; 0: nothing is noted
    size_t count;
    struct latency_series *series[LATENCY_EVENTS_MAX];
};

static bool apply_threshold(void *owner, struct config_error *error)
{
    (void)error;
    const struct latency *latency = owner;
    dispatch_thresholds_changed(latency->server);
    return true;
}

static const struct config_directive latency_directives[] = {
    { .name = "latency-monitor-threshold",
      .type = CONFIG_INT,
      .offset = offsetof(struct latency, threshold_ms),
      .default_text = "0",
      .max = CONFIG_UNBOUNDED,
      .apply = apply_threshold },
    { 0 },
};

struct latency *latency_new(struct server *server)
{
    struct latency *latency = mem_alloc_zeroed(sizeof(*latency));
    latency->server = server;
    config_register(server->config, latency_directives, latency);
    return latency;
}

void latency_free(struct latency *latency)
{
    latency_reset_all(latency);
    mem_free(latency, sizeof(*latency));
}

uint64_t latency_threshold_ms(const struct latency *latency)
{
    return latency->threshold_ms ? (uint64_t)latency->threshold_ms : UINT64_MAX;
}

static size_t index_of(const struct latency *latency, struct slice event)
{
    size_t i = 0;
    while (i < latency->count && !slice_equal(slice_of(latency->series[i]->event), event))
        i++;
    return i;
}

// NULL: there are too many.
static struct latency_series *begin_series(struct latency *latency, const char *event)
{
    if (latency->count == LATENCY_EVENTS_MAX)
        return NULL;
    struct latency_series *series = mem_alloc_zeroed(sizeof(*series));
    strncpy(series->event, event, LATENCY_NAME_MAX);
    latency->series[latency->count++] = series;
    return series;
}

static void add_sample(struct latency_series *series, int64_t time_s, uint64_t ms)
{
    if (ms > series->max_ms)
        series->max_ms = ms;
    size_t last = (series->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES;
    if (series->count && series->samples[last].time_s == time_s) {
        if (ms > series->samples[last].ms)
            series->samples[last].ms = ms;
        return;
    }
    series->samples[series->next] = (struct latency_sample){ .time_s = time_s, .ms = ms };
    series->next = (series->next + 1) % LATENCY_SAMPLES;
    if (series->count < LATENCY_SAMPLES)
        series->count++;
}

void latency_note(const struct server *server, const char *event, uint64_t ms)
{
    struct latency *latency = server->latency;
    if (ms < latency_threshold_ms(latency) || latency->threshold_ms == 0)
        return;
    size_t len = strnlen(event, LATENCY_NAME_MAX);
    size_t i = index_of(latency, (struct slice){ .ptr = event, .len = len });
    struct latency_series *series = i < latency->count ? latency->series[i]
                                                       : begin_series(latency, event);
    if (series)
        add_sample(series, clock_wall_us_now() / 1000000, ms);
}

size_t latency_count(const struct latency *latency)
{
    return latency->count;
}

const struct latency_series *latency_at(const struct latency *latency, size_t index)
{
    return latency->series[index];
}

const struct latency_series *latency_find(const struct latency *latency, struct slice event)
{
    size_t i = index_of(latency, event);
    return i < latency->count ? latency->series[i] : NULL;
}

struct latency_sample latency_sample_at(const struct latency_series *series, size_t index)
{
    size_t first = series->next + LATENCY_SAMPLES - series->count;
    return series->samples[(first + index) % LATENCY_SAMPLES];
}

bool latency_reset(struct latency *latency, struct slice event)
{
    size_t i = 0;
    while (i < latency->count && !slice_is(event, latency->series[i]->event))
        i++;
    if (i == latency->count)
        return false;
    mem_free(latency->series[i], sizeof(**latency->series));
    latency->count--;
    memmove(&latency->series[i], &latency->series[i + 1],
            (latency->count - i) * sizeof(struct latency_series *));
    return true;
}

void latency_reset_all(struct latency *latency)
{
    while (latency->count)
        mem_free(latency->series[--latency->count], sizeof(**latency->series));
}

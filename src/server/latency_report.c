// SPDX-License-Identifier: BSD-3-Clause
// The latency monitor for people: see latency_report.h.
#include "server/latency_report.h"

#include "base/clock.h"
#include "base/numbers.h"
#include "server/latency.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS     80
#define LINES       4
#define LINE_LEVELS 3
#define LEVELS      (LINES * LINE_LEVELS)
#define LABEL_MAX   24

struct range {
    uint64_t low_ms;
    uint64_t high_ms;
};

static struct range range_of(const struct latency_series *series)
{
    uint64_t first_ms = latency_sample_at(series, 0).ms;
    struct range range = { .low_ms = first_ms, .high_ms = first_ms };
    for (size_t i = 1; i < series->count; i++) {
        uint64_t ms = latency_sample_at(series, i).ms;
        range.low_ms = ms < range.low_ms ? ms : range.low_ms;
        range.high_ms = ms > range.high_ms ? ms : range.high_ms;
    }
    return range;
}

static unsigned level_of(const struct range *range, uint64_t ms)
{
    if (range->high_ms == range->low_ms)
        return 0;
    unsigned level = (unsigned)((double)(ms - range->low_ms) * LEVELS /
                                (double)(range->high_ms - range->low_ms));
    return level < LEVELS ? level : LEVELS - 1;
}

static char mark(unsigned level, unsigned line)
{
    if (level / LINE_LEVELS < line)
        return ' ';
    return level / LINE_LEVELS > line ? '|' : "_o#"[level % LINE_LEVELS];
}

// "7s", "3m", "2h", "1d": how long ago the sample was. Returns the length.
static size_t write_age(char out[LABEL_MAX], int64_t age_s)
{
    uint64_t s = age_s > 0 ? (uint64_t)age_s : 0;
    uint64_t number = s < 60 ? s : s < 3600 ? s / 60 : s < 86400 ? s / 3600 : s / 86400;
    char unit = s < 60 ? 's' : s < 3600 ? 'm' : s < 86400 ? 'h' : 'd';
    size_t len = (size_t)format_uint64(out, number);
    out[len++] = unit;
    return len;
}

// The samples from `from` on that fit side by side; their ages stand upright below them.
static void draw_columns(const struct latency_series *series, const struct range *range,
                         size_t from, struct bytes *out)
{
    size_t count = series->count - from;
    if (count > COLUMNS)
        count = COLUMNS;
    int64_t now_s = clock_wall_us_now() / 1000000;
    char ages[COLUMNS][LABEL_MAX];
    size_t lens[COLUMNS];
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        lens[i] = write_age(ages[i], now_s - latency_sample_at(series, from + i).time_s);
        longest = lens[i] > longest ? lens[i] : longest;
    }
    for (unsigned line = LINES; line-- > 0;) {
        for (size_t i = 0; i < count; i++) {
            unsigned level = level_of(range, latency_sample_at(series, from + i).ms);
            bytes_append_char(out, mark(level, line));
        }
        bytes_append_char(out, '\n');
    }
    bytes_printf(out, "%*s\n", (int)count, "");
    for (size_t row = 0; row < longest; row++) {
        for (size_t i = 0; i < count; i++)
            bytes_append_char(out, row < lens[i] ? ages[i][row] : ' ');
        bytes_append_char(out, '\n');
    }
}

void latency_draw(const struct latency_series *series, struct bytes *out)
{
    struct range range = range_of(series);
    bytes_printf(out, "%s - high %llu ms, low %llu ms (all time high %llu ms)\n", series->event,
                 (unsigned long long)range.high_ms, (unsigned long long)range.low_ms,
                 (unsigned long long)series->max_ms);
    for (int i = 0; i < COLUMNS; i++)
        bytes_append_char(out, '-');
    bytes_append_char(out, '\n');
    for (size_t from = 0; from < series->count; from += COLUMNS) {
        if (from)
            bytes_append_char(out, '\n');
        draw_columns(series, &range, from, out);
    }
}

static void explain_series(const struct latency_series *series, size_t number, struct bytes *out)
{
    double sum_ms = 0;
    for (size_t i = 0; i < series->count; i++)
        sum_ms += (double)latency_sample_at(series, i).ms;
    double mean_ms = sum_ms / (double)series->count;
    double deviation_ms = 0;
    for (size_t i = 0; i < series->count; i++) {
        double ms = (double)latency_sample_at(series, i).ms;
        deviation_ms += ms > mean_ms ? ms - mean_ms : mean_ms - ms;
    }
    deviation_ms /= (double)series->count;
    int64_t span_s = latency_sample_at(series, series->count - 1).time_s -
                     latency_sample_at(series, 0).time_s;
    double period_s = series->count > 1 ? (double)span_s / (double)(series->count - 1) : 0;
    bytes_printf(out,
                 "%zu. %s: seconds with a pause: %zu, mean %.0f ms, mean deviation %.0f ms, one "
                 "every %.2f s, worst ever %llu ms.\n",
                 number, series->event, series->count, mean_ms, deviation_ms, period_s,
                 (unsigned long long)series->max_ms);
}

// What may help against events whose names begin so.
static const struct {
    const char *prefix;
    const char *advice;
} advices[] = {
    { "command", "- command: SLOWLOG GET names the commands. Ask for less at once: SCAN instead of "
                 "KEYS, UNLINK instead of DEL for large values, smaller ranges.\n" },
    { "fast-command",
      "- fast-command: commands that cannot take long by themselves did. Look for "
      "other programs on this machine's cores, for swapping, and for a busy host of "
      "a virtual machine.\n" },
    { "expire-cycle", "- expire-cycle: many keys, or large ones, expire at the same time. Spread "
                      "their times to live.\n" },
    { "eviction",
      "- eviction: memory is full and large values are dropped. Raise maxmemory or keep "
      "values smaller.\n" },
    { "fork", "- fork: copying the page table takes long with much memory. Save less often, and "
              "switch transparent huge pages off.\n" },
    { "aof-", "- aof: the disk is slow or busy. A disk of its own, or a weaker fsync policy, "
              "helps.\n" },
    { "rdb-", "- rdb: the disk is slow or busy while a snapshot is written.\n" },
};

static bool any_begins_with(const struct latency *latency, const char *prefix)
{
    for (size_t i = 0; i < latency_count(latency); i++) {
        if (strncmp(latency_at(latency, i)->event, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

void latency_explain(const struct latency *latency, struct bytes *out)
{
    if (latency_count(latency) == 0) {
        if (latency_threshold_ms(latency) == UINT64_MAX)
            bytes_append_text(out,
                              "The latency monitor is off. CONFIG SET latency-monitor-threshold "
                              "<milliseconds> switches it on.\n");
        else
            bytes_printf(out, "Nothing has held the server up for %llu ms or longer.\n",
                         (unsigned long long)latency_threshold_ms(latency));
        return;
    }
    bytes_append_text(out, "These events have held the server up:\n\n");
    for (size_t i = 0; i < latency_count(latency); i++)
        explain_series(latency_at(latency, i), i + 1, out);
    bytes_append_text(out, "\nWhat may help:\n\n");
    for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
        if (any_begins_with(latency, advices[i].prefix))
            bytes_append_text(out, advices[i].advice);
    }
    bytes_append_text(out,
                      "- LATENCY GRAPH <event> shows when it happened, LATENCY RESET forgets.\n");
}

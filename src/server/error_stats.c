// SPDX-License-Identifier: BSD-3-Clause
// Counting error replies: see error_stats.h.
#include "server/error_stats.h"

#include "base/memory.h"
#include "server/info.h"
#include "server/server.h"

#include <string.h>

// Longer words are cut.
#define WORD_MAX 64

struct error_word {
    struct slice text;  // owned
    uint64_t count;
};

// Sorted by their texts, which is the order of INFO.
struct error_stats {
    size_t count;
    struct error_word words[ERROR_STATS_MAX + 1];
};

// Its last place is kept for this one.
static const struct slice disabled = { .ptr = "ERRORSTATS_DISABLED", .len = 19 };

// What would change the meaning of INFO's lines is shown as '_'.
static void append_safe(struct bytes *out, struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bytes_append_char(out, c && strchr("#:\r\n", c) ? '_' : c);
    }
}

static void info_errorstats(void *udata, struct bytes *out)
{
    const struct error_stats *stats = udata;
    for (size_t i = 0; i < stats->count; i++) {
        bytes_append_text(out, "errorstat_");
        append_safe(out, stats->words[i].text);
        bytes_printf(out, ":count=%llu\r\n", (unsigned long long)stats->words[i].count);
    }
}

struct error_stats *error_stats_new(struct server *server)
{
    struct error_stats *stats = mem_alloc_zeroed(sizeof(*stats));
    info_add_section(server->info, "Errorstats", true, info_errorstats, stats);
    return stats;
}

void error_stats_reset(struct error_stats *stats)
{
    for (size_t i = 0; i < stats->count; i++)
        mem_free((char *)stats->words[i].text.ptr, stats->words[i].text.len + 1);
    stats->count = 0;
}

void error_stats_free(struct error_stats *stats)
{
    error_stats_reset(stats);
    mem_free(stats, sizeof(*stats));
}

static struct slice first_word(struct slice text)
{
    const char *blank = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
    if (!blank)
        return SLICE("ERR");
    size_t len = (size_t)(blank - text.ptr);
    return (struct slice){ .ptr = text.ptr, .len = len < WORD_MAX ? len : WORD_MAX };
}

static int compare(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

// The first place whose word does not come before this one.
static size_t place_of(const struct error_stats *stats, struct slice word)
{
    size_t low = 0;
    size_t high = stats->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(stats->words[middle].text, word) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct error_stats *stats, size_t at, struct slice word)
{
    return at < stats->count && compare(stats->words[at].text, word) == 0;
}

static void insert(struct error_stats *stats, size_t at, struct slice word)
{
    memmove(&stats->words[at + 1], &stats->words[at], (stats->count - at) * sizeof(*stats->words));
    struct slice copy = { .ptr = mem_strndup(word.ptr, word.len), .len = word.len };
    stats->words[at] = (struct error_word){ .text = copy, .count = 1 };
    stats->count++;
}

void error_stats_count(struct error_stats *stats, struct slice text)
{
    struct slice word = first_word(text);
    size_t at = place_of(stats, word);
    if (is_at(stats, at, word)) {
        stats->words[at].count++;
        return;
    }
    if (stats->count < ERROR_STATS_MAX) {
        insert(stats, at, word);
        return;
    }
    at = place_of(stats, disabled);
    if (!is_at(stats, at, disabled))
        insert(stats, at, disabled);
}

// SPDX-License-Identifier: BSD-3-Clause
// Compares streams of effects: see stream_compare.h.
#include "stream_compare.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

// Times since 1970 in milliseconds are above this; they are those of two servers that take their turns.
#define TIMES_FROM   1000000000000
#define TOLERANCE_MS 10000

#define SHOWN_BEFORE 3
#define SHOWN_BEHIND 6
#define SHOWN_BYTES  100

static bool same_word(struct span a, struct span b)
{
    long long at[SIDES];
    if (span_equal(a, b))
        return true;
    if (!span_int(a, &at[0]) || !span_int(b, &at[1]) || at[0] < TIMES_FROM || at[1] < TIMES_FROM)
        return false;
    long long apart = at[0] - at[1];
    return apart <= TOLERANCE_MS && apart >= -TOLERANCE_MS;
}

// Members that SPOP took.
static bool is_picked(const struct reply *command, size_t word)
{
    return word >= 2 && span_is(command->items[0].text, "SREM");
}

// What the other server dumped, where the case says so: its elements have no order.
static bool is_payload(const struct reply *command, size_t word)
{
    return word == 3 && span_is_word(command->items[0].text, "restore");
}

// LEFT or RIGHT of an LMOVE that was a BLMOVE: once it has waited redis-server 7.0 says them in lower case, and 7.2, as
// Respite, as they came.
static bool is_end(const struct reply *command, size_t word)
{
    return word >= 3 && span_is(command->items[0].text, "LMOVE");
}

static bool same_command(const struct reply *a, const struct reply *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        bool picked = is_picked(a, i) && is_picked(b, i);
        bool payload = is_payload(a, i) && a->items[i].text.len == b->items[i].text.len;
        bool end = is_end(a, i) && span_equal_word(a->items[i].text, b->items[i].text);
        if (!picked && !payload && !end && !same_word(a->items[i].text, b->items[i].text))
            return false;
    }
    return true;
}

static void show(struct buffer *why, enum side side, const struct stream_part *part, size_t at)
{
    size_t from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
    size_t to = at + SHOWN_BEHIND < part->count ? at + SHOWN_BEHIND : part->count;
    for (size_t i = from; i < to; i++) {
        buffer_printf(why, "      %s %s", side_name(side), i == at ? ">" : " ");
        for (size_t k = 0; k < part->commands[i].count; k++) {
            buffer_char(why, ' ');
            words_escape(why, part->commands[i].items[k].text, SHOWN_BYTES);
        }
        buffer_char(why, '\n');
    }
    if (to == at)
        buffer_printf(why, "      %s > (the end)\n", side_name(side));
}

static bool is_removal(const struct reply *command)
{
    return command->count == 2 &&
           (span_is(command->items[0].text, "DEL") || span_is(command->items[0].text, "UNLINK"));
}

static int by_bytes(const void *a, const void *b)
{
    struct span x = ((const struct reply *)a)->raw;
    struct span y = ((const struct reply *)b)->raw;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

// Keys that end together have no order among themselves.
static void sort_removals(const struct stream_part *part)
{
    size_t end;
    for (size_t i = 0; i < part->count; i = end + 1) {
        for (end = i; end < part->count && is_removal(&part->commands[end]);)
            end++;
        if (end > i)
            qsort(part->commands + i, end - i, sizeof(*part->commands), by_bytes);
    }
}

bool stream_compare(const struct stream_part parts[SIDES], struct buffer *why)
{
    sort_removals(&parts[ORACLE]);
    sort_removals(&parts[OURS]);
    const struct stream_part *a = &parts[ORACLE];
    const struct stream_part *b = &parts[OURS];
    size_t i = 0;
    while (i < a->count && i < b->count && same_command(&a->commands[i], &b->commands[i]))
        i++;
    if (i == a->count && i == b->count)
        return true;
    buffer_text(why, "    the streams differ\n");
    show(why, ORACLE, a, i);
    show(why, OURS, b, i);
    return false;
}

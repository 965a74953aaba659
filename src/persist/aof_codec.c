// SPDX-License-Identifier: BSD-3-Clause
// Data sets as commands: see aof_codec.h.
#include "persist/aof_codec.h"

#include "base/clock.h"
#include "base/numbers.h"
#include "persist/rdb_codec.h"
#include "store/keyspace.h"

#include <stdio.h>

// As Redis has it.
#define ELEMENTS_MAX 64

// --- Commands -----------------------------------------------------------------------------------

static void write_header(struct rdb_writer *w, char mark, size_t number)
{
    char text[INT64_TEXT_MAX + 3];
    text[0] = mark;
    size_t len = 1 + (size_t)format_int64(text + 1, (int64_t)number);
    text[len++] = '\r';
    text[len++] = '\n';
    rdb_write_raw(w, text, len);
}

void aof_write_count(struct rdb_writer *w, size_t words)
{
    write_header(w, '*', words);
}

void aof_write_word(struct rdb_writer *w, struct slice text)
{
    write_header(w, '$', text.len);
    rdb_write_raw(w, text.ptr, text.len);
    rdb_write_raw(w, "\r\n", 2);
}

static void write_number(struct rdb_writer *w, int64_t number)
{
    char text[INT64_TEXT_MAX];
    aof_write_word(w, (struct slice){ .ptr = text, .len = (size_t)format_int64(text, number) });
}

void aof_series_next(struct aof_series *series)
{
    if (series->room == 0) {
        series->room = series->left < ELEMENTS_MAX ? series->left : ELEMENTS_MAX;
        aof_write_count(series->w, 2 + series->room * series->words_each);
        aof_write_word(series->w, slice_of(series->name));
        aof_write_word(series->w, series->key);
    }
    series->room--;
    series->left--;
}

// --- The data set -------------------------------------------------------------------------------

static void begin(struct rdb_writer *w, const struct rdb_about *about)
{
    char text[32];
    if (!about->time_stamp)
        return;
    int len = snprintf(text, sizeof(text), "#TS:%lld\r\n", (long long)(clock_wall_ms() / 1000));
    rdb_write_raw(w, text, (size_t)len);
}

static void begin_db(struct rdb_writer *w, const struct db *db)
{
    aof_write_count(w, 2);
    aof_write_word(w, SLICE("SELECT"));
    write_number(w, db->id);
}

static void write_entry(struct rdb_writer *w, const struct rdb_about *about,
                        const struct access_rules *rules, const struct entry *entry)
{
    (void)about;
    (void)rules;
    rdb_restate_value(w, entry);
    if (!entry_has_expiry(entry))
        return;
    aof_write_count(w, 3);
    aof_write_word(w, SLICE("PEXPIREAT"));
    aof_write_word(w, entry_key(entry));
    write_number(w, entry_expiry(entry));
}

static void end(struct rdb_writer *w)
{
    (void)w;
}

const struct encoder aof_encoder = {
    .begin = begin,
    .begin_db = begin_db,
    .entry = write_entry,
    .end = end,
};

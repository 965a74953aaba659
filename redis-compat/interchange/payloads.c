// SPDX-License-Identifier: BSD-3-Clause
// Payloads of DUMP that move, of each key of the data set: both ways, and back into the server they came from.
#include "../runner/words.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

// A database that the data set leaves empty.
#define SPARE "7"

#define SHOWN_WRONG 5
#define SHOWN_BYTES 60

struct crossing {
    struct host hosts[SIDES];
    struct buffer payload;
    size_t moved;
    size_t wrong;
    struct buffer why;
};

static void read_payload(struct crossing *crossing, enum side from, int db, struct span key)
{
    struct host *host = &crossing->hosts[from];
    host_feed(host, "SELECT %d", db);
    host_flush(host);
    host_begin(host, 2);
    host_word(host, SPAN("DUMP"));
    host_word(host, key);
    const struct reply *reply = host_ask_queued(host);
    buffer_clear(&crossing->payload);
    buffer_append(&crossing->payload, reply->text);
}

// Far enough away: whether a key expires is a part of its digest.
#define EXPIRES_MS "100000000"

static bool restore(struct host *host, struct span payload, bool expires, struct buffer *why)
{
    host_feed(host, "SELECT " SPARE);
    host_flush(host);
    host_begin(host, 5);
    host_word(host, SPAN("RESTORE"));
    host_word(host, SPAN("k"));
    host_word(host, expires ? SPAN(EXPIRES_MS) : SPAN("0"));
    host_word(host, payload);
    host_word(host, SPAN("REPLACE"));
    const struct reply *reply = host_ask_queued(host);
    if (reply_is_error(reply))
        buffer_printf(why, "    RESTORE: %.*s\n", SHOW(reply->text));
    return !reply_is_error(reply);
}

static bool is_same(struct host *host, const struct item *item, struct buffer *why)
{
    const struct reply *reply = host_ask(host, "DEBUG DIGEST-VALUE k");
    bool digest = reply->count == 1 && span_equal(reply->items[0].text, item->digest);
    struct item restored = *item;
    restored.encoding = host_ask(host, "OBJECT ENCODING k")->text;
    bool encoding = contents_same_encoding(host->server.side, item, host->server.side, &restored);
    if (!digest || !encoding)
        buffer_printf(why, "    another %s\n", digest ? "encoding" : "value");
    return digest && encoding;
}

// One payload into one server, which has the same key by other means.
static void cross(struct crossing *crossing, enum side from, enum side to, int db,
                  const struct item *item)
{
    struct buffer why = { 0 };
    struct host *host = &crossing->hosts[to];
    crossing->moved++;
    bool ok = restore(host, buffer_span(&crossing->payload), item->expires_ms >= 0, &why) &&
              is_same(host, item, &why);
    crossing->wrong += !ok;
    if (!ok && crossing->wrong <= SHOWN_WRONG) {
        buffer_printf(&crossing->why, "  from %s to %s, database %d, ", program_name(from),
                      program_name(to), db);
        words_escape(&crossing->why, item->key, SHOWN_BYTES);
        buffer_printf(&crossing->why, ":\n%.*s", SHOW(buffer_span(&why)));
    }
    buffer_release(&why);
}

static void cross_all(struct run *run, struct crossing *crossing)
{
    for (int db = 0; db < CONTENTS_DATABASES; db++)
        for (size_t i = 0; i < run->golden[ORACLE].counts[db]; i++)
            for (int way = 0; way < SIDES * SIDES; way++) {
                enum side from = (enum side)(way / SIDES);
                enum side to = (enum side)(way % SIDES);
                if (way % SIDES == 0)
                    read_payload(crossing, from, db, run->golden[from].items[db][i].key);
                cross(crossing, from, to, db, &run->golden[to].items[db][i]);
            }
}

void run_payloads(struct run *run)
{
    struct crossing crossing = { .moved = 0 };
    struct buffer why = { 0 };
    for (enum side side = ORACLE; side <= OURS; side++) {
        char dir[SERVER_DIR_MAX];
        files_copy(run->saved[side][0], dir);
        if (!host_start(&crossing.hosts[side], side, dir, USUAL, &why))
            die("%.*s", SHOW(buffer_span(&why)));
    }
    if (contents_keys(&run->golden[ORACLE]) == contents_keys(&run->golden[OURS]))
        cross_all(run, &crossing);
    run_check(run, crossing.moved > 0 && crossing.wrong == 0, &crossing.why,
              "%zu payloads of DUMP: %zu wrong", crossing.moved, crossing.wrong);
    for (enum side side = ORACLE; side <= OURS; side++)
        run_stop(run, &crossing.hosts[side], "payloads");
    buffer_release(&crossing.payload);
    buffer_release(&crossing.why);
    buffer_release(&why);
}

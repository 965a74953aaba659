// SPDX-License-Identifier: BSD-3-Clause
// All that a server holds: see contents.h.
#include "contents.h"

#include "../runner/words.h"
#include "data_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Keys that are asked for at once.
#define BATCH ((size_t)64)

// What worn keys' times may differ by.
#define WORN_MS 600000

#define SHOWN_DIFFERENCES 5
#define SHOWN_BYTES       60

static int compare_spans(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_keys(const void *a, const void *b)
{
    return compare_spans(((const struct item *)a)->key, ((const struct item *)b)->key);
}

// Single replies, and pairs by their first.
static int compare_replies(const void *a, const void *b)
{
    return compare_spans(((const struct reply *)a)->text, ((const struct reply *)b)->text);
}

static struct span expect_text(struct contents *contents, struct host *host)
{
    struct reply reply;
    host_next(host, &contents->arena, &reply);
    if (reply_is_error(&reply) || reply.null)
        die("%s answers %.*s", side_name(contents->side), SHOW(reply.raw));
    return reply.text;
}

static struct span expect_digest(struct contents *contents, struct host *host)
{
    struct reply digests;
    host_next(host, &contents->arena, &digests);
    if (digests.count != 1)
        die("DEBUG DIGEST-VALUE: %.*s", SHOW(digests.raw));
    return digests.items[0].text;
}

static void ask_about(struct host *host, struct span key, enum contents_depth depth)
{
    static const char *const questions[][2] = { { "TYPE", NULL },
                                                { "PEXPIRETIME", NULL },
                                                { "OBJECT", "ENCODING" },
                                                { "DEBUG", "DIGEST-VALUE" } };
    size_t count = depth == CONTENTS_DIGESTS ? 4 : 3;
    for (size_t i = 0; i < count; i++) {
        host_begin(host, questions[i][1] ? 3 : 2);
        host_word(host, span_of(questions[i][0]));
        if (questions[i][1])
            host_word(host, span_of(questions[i][1]));
        host_word(host, key);
    }
}

static void ask_value(struct host *host, const struct item *item)
{
    static const char *const commands[][4] = {
        { "string", "GET" },   { "list", "LRANGE", "0", "-1" }, { "set", "SMEMBERS" },
        { "hash", "HGETALL" }, { "zset", "ZRANGE", "0", "-1" },
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (!span_is(item->type, commands[i][0]))
            continue;
        bool scores = span_is(item->type, "zset");
        host_begin(host, 2 + (commands[i][2] ? 2 : 0) + scores);
        host_word(host, span_of(commands[i][1]));
        host_word(host, item->key);
        for (size_t j = 2; j < 4 && commands[i][j]; j++)
            host_word(host, span_of(commands[i][j]));
        if (scores)
            host_word(host, SPAN("WITHSCORES"));
        return;
    }
    die("a type that nobody knows: %.*s", SHOW(item->type));
}

static void read_value(struct contents *contents, struct host *host, struct item *item)
{
    host_next(host, &contents->arena, &item->value);
    if (reply_is_error(&item->value))
        die("%.*s: %.*s", SHOW(item->key), SHOW(item->value.text));
    struct reply *items = item->value.items;
    if (span_is(item->type, "set"))
        qsort(items, item->value.count, sizeof(*items), compare_replies);
    if (span_is(item->type, "hash"))
        qsort(items, item->value.count / 2, 2 * sizeof(*items), compare_replies);
}

static void read_batch(struct contents *contents, struct host *host, struct item *items,
                       size_t count, enum contents_depth depth)
{
    for (size_t i = 0; i < count; i++)
        ask_about(host, items[i].key, depth);
    for (size_t i = 0; i < count; i++) {
        items[i].type = expect_text(contents, host);
        if (!span_int(expect_text(contents, host), &items[i].expires_ms))
            die("PEXPIRETIME is no number");
        items[i].encoding = expect_text(contents, host);
        if (depth == CONTENTS_DIGESTS)
            items[i].digest = expect_digest(contents, host);
    }
    for (size_t i = 0; i < count; i++)
        ask_value(host, &items[i]);
    for (size_t i = 0; i < count; i++)
        read_value(contents, host, &items[i]);
}

static void read_database(struct contents *contents, struct host *host, int db,
                          enum contents_depth depth)
{
    long long size;
    struct reply keys;
    host_feed(host, "SELECT %d", db);
    if (!span_int(host_ask(host, "DBSIZE")->text, &size) || size == 0)
        return;
    host_feed(host, "KEYS *");
    host_next(host, &contents->arena, &keys);
    struct item *items = arena_alloc(&contents->arena, (keys.count + 1) * sizeof(*items));
    for (size_t i = 0; i < keys.count; i++)
        items[i].key = keys.items[i].text;
    if (keys.count != (size_t)size)
        die("DBSIZE says %lld, and KEYS has %zu", size, keys.count);
    qsort(items, keys.count, sizeof(*items), compare_keys);
    for (size_t i = 0; i < keys.count; i += BATCH)
        read_batch(contents, host, items + i, keys.count - i < BATCH ? keys.count - i : BATCH,
                   depth);
    contents->items[db] = items;
    contents->counts[db] = keys.count;
}

void contents_read(struct contents *contents, struct host *host, enum contents_depth depth)
{
    *contents = (struct contents){ .side = host->server.side };
    for (int db = 0; db < CONTENTS_DATABASES; db++)
        read_database(contents, host, db, depth);
    if (depth >= CONTENTS_DIGEST)
        contents->digest = arena_copy(&contents->arena, host_ask(host, "DEBUG DIGEST")->text);
    host_feed(host, "SELECT 0");
    host_flush(host);
}

void contents_release(struct contents *contents)
{
    arena_release(&contents->arena);
}

size_t contents_keys(const struct contents *contents)
{
    size_t keys = 0;
    for (int db = 0; db < CONTENTS_DATABASES; db++)
        keys += contents->counts[db];
    return keys;
}

// ---- comparing ----------------------------------------------------------------------------------

static bool same_score(struct span a, struct span b)
{
    double left = 0;
    double right = 1;
    // -0 is another score than 0.
    return span_number(a, &left) && span_number(b, &right) && left == right &&
           signbit(left) == signbit(right);
}

static bool same_value(const struct item *a, const struct item *b)
{
    bool scores = span_is(a->type, "zset");
    if (a->value.count != b->value.count || !span_equal(a->value.text, b->value.text))
        return false;
    for (size_t i = 0; i < a->value.count; i++) {
        struct span left = a->value.items[i].text;
        struct span right = b->value.items[i].text;
        if (!(scores && i % 2 ? same_score(left, right) : span_equal(left, right)))
            return false;
    }
    return true;
}

// A list that is a quicklist because it grew by long arguments may be small enough when it is loaded.
static bool is_list_of_either(const struct item *a, const struct item *b)
{
    return span_is(a->type, "list") && span_is(a->encoding, "quicklist") &&
           span_is(b->encoding, "listpack");
}

// list-encoding and set-listpack of KNOWN_DIFFERENCES.md.
static bool encodings_agree(const struct item *oracle, const struct item *ours)
{
    if (span_is(ours->type, "list"))
        return span_is(oracle->encoding, "quicklist");
    return span_is(ours->type, "set") && span_is(oracle->encoding, "hashtable") &&
           span_is(ours->encoding, "listpack");
}

bool contents_same_encoding(enum side a, const struct item *left, enum side b,
                            const struct item *right)
{
    if (span_equal(left->encoding, right->encoding) || span_starts(left->key, DATA_WORN))
        return true;
    if (a == b)
        return a == OURS && is_list_of_either(left, right);
    return a == ORACLE ? encodings_agree(left, right) : encodings_agree(right, left);
}

static bool same_expiry(const struct item *a, const struct item *b)
{
    long long difference_ms = a->expires_ms - b->expires_ms;
    if ((a->expires_ms < 0) != (b->expires_ms < 0) || !span_starts(a->key, DATA_WORN))
        return difference_ms == 0;
    return difference_ms > -WORN_MS && difference_ms < WORN_MS;
}

// If both have been asked for it.
static bool same_digest(struct span a, struct span b)
{
    return a.len == 0 || b.len == 0 || span_equal(a, b);
}

static const char *difference(const struct contents *a, const struct item *left,
                              const struct contents *b, const struct item *right)
{
    if (!span_equal(left->type, right->type))
        return "the type";
    if (!same_value(left, right))
        return "the value";
    if (!same_digest(left->digest, right->digest))
        return "DEBUG DIGEST-VALUE";
    if (!same_expiry(left, right))
        return "the expiry";
    return contents_same_encoding(a->side, left, b->side, right) ? NULL : "the encoding";
}

static void describe(struct buffer *why, const struct item *item)
{
    buffer_printf(why, "    %.*s, %.*s, expires %lld, digest %.*s, ", SHOW(item->type),
                  SHOW(item->encoding), item->expires_ms, SHOW(item->digest));
    reply_print(why, &item->value, SHOWN_BYTES);
    buffer_char(why, '\n');
}

static void tell(struct buffer *why, int db, const struct item *item, const char *what)
{
    buffer_printf(why, "  database %d, key ", db);
    words_escape(why, item->key, SHOWN_BYTES);
    buffer_printf(why, ": %s\n", what);
}

// One key that is not the same, up to so many.
static void note(struct buffer *why, size_t *wrong, int db, const struct item *item,
                 const char *what)
{
    *wrong += 1;
    if (*wrong > SHOWN_DIFFERENCES)
        return;
    tell(why, db, item, what);
    describe(why, item);
}

// How many keys of this database are not the same.
static size_t compare_database(const struct contents *a, const struct contents *b, int db,
                               struct buffer *why)
{
    const struct item *left = a->items[db];
    const struct item *right = b->items[db];
    const struct item *left_end = left + a->counts[db];
    const struct item *right_end = right + b->counts[db];
    size_t wrong = 0;
    while (left < left_end && right < right_end) {
        int order = compare_spans(left->key, right->key);
        const char *what = order == 0 ? difference(a, left, b, right) : NULL;
        if (order < 0)
            note(why, &wrong, db, left, "is missing");
        if (order > 0)
            note(why, &wrong, db, right, "should not be there");
        if (what)
            note(why, &wrong, db, left, what);
        if (what && wrong <= SHOWN_DIFFERENCES)
            describe(why, right);
        left += order <= 0;
        right += order >= 0;
    }
    for (; left < left_end; left++)
        note(why, &wrong, db, left, "is missing");
    for (; right < right_end; right++)
        note(why, &wrong, db, right, "should not be there");
    return wrong;
}

bool contents_equal(const struct contents *expected, const struct contents *got, struct buffer *why)
{
    size_t wrong = 0;
    for (int db = 0; db < CONTENTS_DATABASES; db++)
        wrong += compare_database(expected, got, db, why);
    if (wrong)
        buffer_printf(why, "  %zu keys of %zu differ\n", wrong, contents_keys(expected));
    else if (!same_digest(expected->digest, got->digest))
        buffer_printf(why, "  DEBUG DIGEST: %.*s and %.*s\n", SHOW(expected->digest),
                      SHOW(got->digest));
    return wrong == 0 && same_digest(expected->digest, got->digest);
}

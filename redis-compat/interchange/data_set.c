// SPDX-License-Identifier: BSD-3-Clause
// The data that moves: see data_set.h.
#include "data_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HUGE_BYTES  ((size_t)1 << 20)
#define HALF_BYTES  ((size_t)512 << 10)
#define KEY_BYTES   ((size_t)64 << 10)
#define MANY_FIELDS 100000
#define MANY_VALUES 50000
#define MANY_OTHERS 10000

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// Elements of one command.
#define TOGETHER ((size_t)1000)

// What elements look like.
enum look { INT16, INT32, INT64, TEXTS, BYTES, ODD, LOOKS };

static const char *const look_names[LOOKS] = { "int16", "int32", "int64", "text", "bytes", "odd" };

enum kind { LIST, SET, HASH, ZSET, KINDS };

static const char *const kind_names[KINDS] = { "list", "set", "hash", "zset" };
static const char *const kind_commands[KINDS] = { "RPUSH", "SADD", "HSET", "ZADD" };

struct maker {
    struct host *host;
    uint64_t random;
    int64_t now_ms;
    char scratch[2][160];
    struct buffer bytes;
};

// Source: S. Vigna, splitmix64.
static uint64_t next_random(struct maker *maker)
{
    uint64_t x = maker->random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static struct span random_bytes(struct maker *maker, size_t len)
{
    buffer_clear(&maker->bytes);
    buffer_reserve(&maker->bytes, len + 8);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t bits = next_random(maker);
        memcpy(maker->bytes.data + i, &bits, 8);
    }
    return (struct span){ maker->bytes.data, len };
}

// Bytes that can be compressed.
static struct span dull_bytes(struct maker *maker, size_t len)
{
    buffer_clear(&maker->bytes);
    while (maker->bytes.len < len)
        buffer_printf(&maker->bytes, "%zu,", maker->bytes.len / 1000);
    return (struct span){ maker->bytes.data, len };
}

// ---- elements -----------------------------------------------------------------------------------

// What looks like a number, and isn't one that is stored as such.
static int odd_text(char *to, size_t room, size_t i)
{
    static const char *const formats[] = {
        "00%zu", "+%zu",  " %zu",
        "%zu ",  "%zue5", "%zu.0",
        "-0%zu", "0x%zx", "1000000000000000000%zu",
    };
    if (i < LENGTH(formats))
        return snprintf(to, room, "%s",
                        (const char *[]){ "", "-0", "9223372036854775808", "-9223372036854775809",
                                          "inf", "nan", "-", "1e400", "18446744073709551616" }[i]);
    return snprintf(to, room, formats[i % LENGTH(formats)], i);
}

// The i-th element, different for each i.
static struct span element(struct maker *maker, enum look look, size_t i, int room)
{
    char *to = maker->scratch[room];
    const size_t max = sizeof(maker->scratch[room]);
    int len = 0;
    switch (look) {
    case INT16: len = snprintf(to, max, "%d", (int)i - 300); break;
    case INT32:
        len = snprintf(to, max, "%" PRId64, INT64_C(2147483647) - (int64_t)i * 12000000);
        break;
    case INT64:
        len = snprintf(to, max, "%" PRId64,
                       i == 0 ? INT64_MIN : INT64_MAX - (int64_t)(i - 1) * INT64_C(900000000000));
        break;
    case TEXTS:
        len = snprintf(to, max, "element:%zu:%.*s", i, (int)(i % 40),
                       "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
        break;
    case BYTES:
        len = 4 + (int)(i % 30);
        memcpy(to, random_bytes(maker, (size_t)len).ptr, (size_t)len);
        memcpy(to, &i, 4);
        break;
    default: len = odd_text(to, max, i); break;
    }
    return (struct span){ to, (size_t)len };
}

static struct span score(struct maker *maker, size_t i)
{
    static const char *const scores[] = {
        "inf",  "-inf", "-0",     "0",    "0.1",  "5e-324", "1.7976931348623157e308", "3",  "-3",
        "1e17", "7",    "7",      "7",    "1.5",  "-1e-7",  "9007199254740993",       "12", "127",
        "128",  "4095", "-32769", "8e18", "1e21",
    };
    if (i < LENGTH(scores))
        return span_of(scores[i]);
    // Ties, whole numbers, and fractions of all digits.
    int len = i % 3 == 0   ? snprintf(maker->scratch[1], sizeof(maker->scratch[1]), "7")
              : i % 3 == 1 ? snprintf(maker->scratch[1], sizeof(maker->scratch[1]), "%zu", i)
                           : snprintf(maker->scratch[1], sizeof(maker->scratch[1]), "%.17g",
                                      (double)(int64_t)next_random(maker) / 1e12);
    return (struct span){ maker->scratch[1], (size_t)len };
}

static void add_element(struct maker *maker, enum kind kind, enum look look, size_t i)
{
    if (kind == ZSET)
        host_word(maker->host, score(maker, i));
    host_word(maker->host, element(maker, look, i, 0));
    if (kind == HASH)
        host_word(maker->host, element(maker, i % 5 == 0 ? TEXTS : look, i / 2, 1));
}

static size_t words_each(enum kind kind)
{
    return kind == HASH || kind == ZSET ? 2 : 1;
}

// A collection of so many elements.
static void collection(struct maker *maker, const char *key, enum kind kind, enum look look,
                       size_t count)
{
    for (size_t done = 0; done < count;) {
        size_t part = count - done < TOGETHER ? count - done : TOGETHER;
        host_begin(maker->host, 2 + part * words_each(kind));
        host_word(maker->host, span_of(kind_commands[kind]));
        host_word(maker->host, span_of(key));
        for (size_t end = done + part; done < end; done++)
            add_element(maker, kind, look, done);
    }
}

static void collections(struct maker *maker, const size_t *counts, size_t len)
{
    char key[64];
    for (enum kind kind = LIST; kind < KINDS; kind++)
        for (enum look look = INT16; look < LOOKS; look++)
            for (size_t i = 0; i < len; i++) {
                snprintf(key, sizeof(key), "%s:%s:%zu", kind_names[kind], look_names[look],
                         counts[i]);
                collection(maker, key, kind, look, counts[i]);
            }
}

// ---- strings, sizes, times ----------------------------------------------------------------------

static void set(struct maker *maker, const char *key, struct span value)
{
    host_begin(maker->host, 3);
    host_word(maker->host, SPAN("SET"));
    host_word(maker->host, span_of(key));
    host_word(maker->host, value);
}

static void strings(struct maker *maker)
{
    static const char *const values[] = {
        "0",
        "-1",
        "12",
        "13",
        "127",
        "128",
        "-128",
        "-129",
        "32767",
        "32768",
        "-32768",
        "-32769",
        "2147483647",
        "2147483648",
        "-2147483648",
        "-2147483649",
        "9999",
        "10000",
        "007",
        "+1",
        " 1",
        "1e5",
        "-0",
        "9223372036854775807",
        "",
        "3.14",
        "9223372036854775808",
        "-9223372036854775808",
        "12345678901234567890",
        "-9223372036854775809",
    };
    static const size_t lengths[] = {
        1, 19, 20, 21, 43, 44, 45, 63, 64, 1000, 16383, 16384, 70000
    };
    char key[64];
    for (size_t i = 0; i < LENGTH(values); i++) {
        snprintf(key, sizeof(key), "string:number:%zu", i);
        set(maker, key, span_of(values[i]));
    }
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        snprintf(key, sizeof(key), "string:dull:%zu", lengths[i]);
        set(maker, key, dull_bytes(maker, lengths[i]));
        snprintf(key, sizeof(key), "string:random:%zu", lengths[i]);
        set(maker, key, random_bytes(maker, lengths[i]));
    }
    set(maker, "string:half:dull", dull_bytes(maker, HALF_BYTES));
    set(maker, "string:half:random", random_bytes(maker, HALF_BYTES));
}

static void odd_keys(struct maker *maker)
{
    set(maker, "", SPAN("an empty key"));
    set(maker, "-12345", SPAN("a number as key"));
    host_feed(maker->host, "SET \"\\x00\\r\\n\\xff binary\" \"\\x00\\r\\n\"");
    for (int i = 0; i < 2; i++) {
        host_begin(maker->host, 3);
        host_word(maker->host, SPAN("SET"));
        host_word(maker->host, i ? random_bytes(maker, KEY_BYTES) : dull_bytes(maker, KEY_BYTES));
        host_word(maker->host, SPAN("a long key"));
    }
}

// One element of this size beside a small one: alone, as a field, as a value.
static void sized(struct maker *maker, size_t len, bool random)
{
    char key[64];
    for (enum kind kind = LIST; kind < KINDS; kind++) {
        snprintf(key, sizeof(key), "%s:%s:of-%zu", kind_names[kind], random ? "random" : "dull",
                 len);
        collection(maker, key, kind, TEXTS, 2);
        struct span large = random ? random_bytes(maker, len) : dull_bytes(maker, len);
        host_begin(maker->host, 2 + words_each(kind));
        host_word(maker->host, span_of(kind_commands[kind]));
        host_word(maker->host, span_of(key));
        if (kind == ZSET)
            host_word(maker->host, SPAN("2.5"));
        host_word(maker->host, large);
        if (kind == HASH)
            host_word(maker->host, SPAN("value"));
        if (kind == LIST)
            host_feed(maker->host, "RPUSH %s behind", key);
    }
    snprintf(key, sizeof(key), "hash:%s:value-of-%zu", random ? "random" : "dull", len);
    host_begin(maker->host, 4);
    host_word(maker->host, SPAN("HSET"));
    host_word(maker->host, span_of(key));
    host_word(maker->host, SPAN("field"));
    host_word(maker->host, random ? random_bytes(maker, len) : dull_bytes(maker, len));
}

static void sizes(struct maker *maker)
{
    static const size_t lengths[] = { 0,  1,   11,   12,   13,   62,   63,   64,
                                      65, 127, 2047, 4095, 4096, 8191, 8192, 16383 };
    for (size_t i = 0; i < LENGTH(lengths); i++)
        sized(maker, lengths[i], false);
    sized(maker, 9000, true);
    sized(maker, HUGE_BYTES, false);
    // Nodes of different kinds beside one another.
    for (int i = 0; i < 12; i++)
        host_feed(maker->host, "RPUSH list:plain small:%d $(x*%d) 17", i, 1000 * i);
}

static void times(struct maker *maker)
{
    const int64_t at_ms[] = {
        maker->now_ms + 3600000, maker->now_ms + 5000123,  maker->now_ms + 86400000 * INT64_C(40),
        INT64_C(4102444800000),  INT64_C(253402300799999), INT64_C(9000000000000000000),
    };
    char key[64];
    for (size_t i = 0; i < LENGTH(at_ms) * (KINDS + 1); i++) {
        snprintf(key, sizeof(key), "time:%zu", i);
        switch (i % (KINDS + 1)) {
        case 0: host_feed(maker->host, "SET %s 5", key); break;
        case 1: host_feed(maker->host, "RPUSH %s a 2", key); break;
        case 2: host_feed(maker->host, "SADD %s 1 2", key); break;
        case 3: host_feed(maker->host, "HSET %s f v", key); break;
        default: host_feed(maker->host, "ZADD %s 1 a", key); break;
        }
        host_feed(maker->host, "PEXPIREAT %s %" PRId64, key, at_ms[i / (KINDS + 1)]);
    }
}

// ---- the parts ----------------------------------------------------------------------------------

static void fill_first(struct maker *maker)
{
    static const size_t counts[] = { 1, 2, 127, 128, 129, 511, 512, 513 };
    static const size_t few[] = { 3, 700 };
    collections(maker, counts, LENGTH(counts));
    strings(maker);
    odd_keys(maker);
    sizes(maker);
    times(maker);
    collection(maker, "hash:many", HASH, TEXTS, MANY_FIELDS);
    collection(maker, "list:many", LIST, TEXTS, MANY_VALUES);
    collection(maker, "set:many", SET, BYTES, MANY_OTHERS);
    collection(maker, "zset:many", ZSET, TEXTS, MANY_OTHERS);
    host_feed(maker->host, "SELECT 15");
    collections(maker, few, LENGTH(few));
    times(maker);
    host_feed(maker->host, "SELECT 0");
}

// Commands whose effects are not their own bytes, among others.
static void wear(struct host *host)
{
    static const char *const lines[] = {
        "SET worn:append abc",
        "APPEND worn:append \"\\x00def\"",
        "SETRANGE worn:range 5 x",
        "INCRBY worn:int -42",
        "INCRBYFLOAT worn:float 0.1",
        "SET worn:ttl 1 EX 100000",
        "SETEX worn:setex 50000 v",
        "GETEX worn:setex PX 70000000",
        "SET worn:persist 1 EX 100",
        "PERSIST worn:persist",
        "SET worn:gone 1",
        "GETDEL worn:gone",
        "SET worn:past 1",
        "PEXPIREAT worn:past 1000",
        "RPUSH worn:list 1 2 3 4 5 6 7",
        "LPOP worn:list",
        "LTRIM worn:list 1 -2",
        "LINSERT worn:list BEFORE 4 three",
        "LMOVE worn:list worn:moved LEFT RIGHT",
        "BLPOP worn:list 1",
        "SADD worn:set 1 2 3",
        "SADD worn:set x",
        "SPOP worn:set 4",
        "SADD worn:single m",
        "SPOP worn:single",
        "SADD worn:srem 1 2 x",
        "SREM worn:srem x",
        "HSET worn:hash a 1 b 2",
        "HINCRBYFLOAT worn:hash a 0.5",
        "HDEL worn:hash b",
        "ZADD worn:zset 1 a 2 b 3 c",
        "ZINCRBY worn:zset 0.1 a",
        "ZPOPMIN worn:zset",
        "ZUNIONSTORE worn:union 2 worn:zset zset:int16:2 WEIGHTS 2 -1",
        "SDIFFSTORE worn:diff set:int16:2 set:int16:1",
        "SORT list:int16:2 DESC STORE worn:sorted",
        "COPY hash:text:129 worn:copy",
        "RENAME worn:copy worn:renamed",
        "COPY list:text:512 worn:list2 DB 1",
        "MULTI",
        "SET worn:multi 1",
        "EXPIRE worn:multi 100000",
        "SELECT 1",
        "SET worn:elsewhere \"in a transaction\"",
        "EXEC",
        "SELECT 0",
        "DEL list:int32:2",
        "UNLINK hash:many:none string:number:1",
    };
    for (size_t i = 0; i < LENGTH(lines); i++)
        host_feed(host, "%s", lines[i]);
}

static void fill_second(struct maker *maker)
{
    static const size_t few[] = { 1, 130 };
    wear(maker->host);
    host_feed(maker->host, "SELECT 1");
    collections(maker, few, LENGTH(few));
    sized(maker, HUGE_BYTES, true);
    times(maker);
    host_feed(maker->host, "SELECT 0");
}

void data_set_fill(struct host *host, enum data_part part, uint64_t seed, int64_t now_ms)
{
    struct maker maker = { .host = host, .random = seed + part, .now_ms = now_ms };
    if (part == DATA_FIRST)
        fill_first(&maker);
    else
        fill_second(&maker);
    host_flush(host);
    buffer_release(&maker.bytes);
}

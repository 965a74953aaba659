// SPDX-License-Identifier: BSD-3-Clause
// Files of earlier versions, which both servers load and have the same of; of later ones, and of what is not
// supported: which Respite loads, or refuses with a reason.
#include "rdb_bytes.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

enum { OLDEST = 1, NEWEST_OF_ORACLE = 10, NEWEST = 12 };

// Types and opcodes of the format.
enum {
    STRING = 0,
    LIST = 1,
    SET = 2,
    ZSET = 3,
    HASH = 4,
    ZSET_2 = 5,
    HASH_ZIPMAP = 9,
    LIST_ZIPLIST = 10,
    SET_INTSET = 11,
    ZSET_ZIPLIST = 12,
    HASH_ZIPLIST = 13,
    LIST_QUICKLIST = 14,
    HASH_LISTPACK = 16,
    ZSET_LISTPACK = 17,
    LIST_QUICKLIST_2 = 18,
    SET_LISTPACK = 20,
};
enum {
    OP_IDLE = 0xF8,
    OP_FREQ = 0xF9,
    OP_AUX = 0xFA,
    OP_RESIZE = 0xFB,
    OP_EXPIRE_MS = 0xFC,
    OP_EXPIRE_S = 0xFD,
    OP_SELECT = 0xFE,
    OP_EOF = 0xFF,
};

// 2100-01-01 does not fit in 31 bits.
#define EXPIRES_S  INT64_C(2147000000)
#define EXPIRES_MS INT64_C(4102444800000)

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

// Pairs too: different fields, and values that are numbers, are none, are long.
static const char *const small[] = {
    "a",   "1",  "bc",  "-70000",  "12", "x y",   "",     "0",
    "9e9", "13", "127", "8388608", "-1", "long:", "4096", "-4097"
};
#define SMALL LENGTH(small)
// Those of them that are short: whether a packed hash with long ones stays packed is each server's own affair.
#define SHORT 12
#define MANY  ((size_t)300)

static const int64_t int16s[] = { -32768, -1, 0, 1, 32767 };
static const int64_t int32s[] = { -2147483647 - 1, -1, 70000, 2147483647 };
static const int64_t int64s[] = { INT64_MIN, -5000000000, 0, 5000000000, INT64_MAX };

struct maker {
    struct buffer out;
    int version;
    struct span small[SMALL];
    struct span many[2 * MANY];  // different ones
    struct arena arena;
};

static void init(struct maker *maker, int version)
{
    *maker = (struct maker){ .version = version };
    for (size_t i = 0; i < SMALL; i++)
        maker->small[i] = span_of(small[i]);
    for (size_t i = 0; i < 2 * MANY; i++)
        maker->many[i] = arena_printf(&maker->arena, i % 3 ? "element:%zu:%0*d" : "%zu", i,
                                      (int)(1 + i % 40), 7);
    // Beyond what one byte of a ziplist's way back, and of a zipmap's length, can say.
    char *longer = arena_alloc(&maker->arena, 20001);
    maker->small[13] = (struct span){ memset(longer, 'l', 260), 260 };
    buffer_printf(&maker->out, "REDIS%04d", version);
}

static void op(struct maker *maker, int code)
{
    buffer_char(&maker->out, (char)code);
}

static void key(struct maker *maker, int type, const char *name)
{
    op(maker, type);
    put_string(&maker->out, span_of(name));
}

static void put_strings(struct maker *maker, const struct span *elements, size_t count,
                        size_t counted)
{
    put_length(&maker->out, counted);
    for (size_t i = 0; i < count; i++)
        put_string(&maker->out, elements[i]);
}

static void put_scores(struct maker *maker)
{
    static const char *const scores[] = { "1", "inf", "-inf", "-0.5", "17", "1e+300", "0.1", "-0" };
    put_length(&maker->out, LENGTH(scores));
    for (size_t i = 0; i < LENGTH(scores); i++) {
        put_string(&maker->out, maker->many[i]);
        put_score(&maker->out, scores[i]);
    }
}

// What there was from the beginning.
static void put_first_forms(struct maker *maker)
{
    key(maker, STRING, "plain");
    put_string(&maker->out, SPAN("text"));
    key(maker, STRING, "empty");
    put_string(&maker->out, SPAN(""));
    static const int32_t integers[] = { 0, -128, 127, 128, -32768, 32767, 32768, -2147483647 - 1 };
    for (size_t i = 0; i < LENGTH(integers); i++) {
        char name[32];
        snprintf(name, sizeof(name), "integer:%zu", i);
        key(maker, STRING, name);
        put_integer(&maker->out, integers[i]);
    }
    key(maker, STRING, "compressed");
    put_repeated(&maker->out, SPAN("ab"), 50);
    key(maker, STRING, "compressed more");
    put_repeated(&maker->out, SPAN("0123456789abcdef"), 5000);
    // A length of 32 bits that needs no more than six, of the key and of the value.
    op(maker, STRING);
    put_length_32(&maker->out, 4);
    buffer_text(&maker->out, "wide");
    put_length_32(&maker->out, 5);
    buffer_text(&maker->out, "value");
    op(maker, STRING);
    put_integer(&maker->out, 12345);
    put_string(&maker->out, SPAN("a number as key"));
    key(maker, LIST, "list");
    put_strings(maker, maker->small, SMALL, SMALL);
    key(maker, LIST, "list:many");
    put_strings(maker, maker->many, MANY, MANY);
    key(maker, SET, "set");
    put_strings(maker, maker->small, SMALL, SMALL);
    key(maker, SET, "set:many");
    put_strings(maker, maker->many, MANY, MANY);
    key(maker, HASH, "hash");
    put_strings(maker, maker->small, SMALL, SMALL / 2);
    key(maker, HASH, "hash:many");
    put_strings(maker, maker->many, 2 * MANY, MANY);
    key(maker, ZSET, "zset");
    put_scores(maker);
}

static void put_packed_forms(struct maker *maker)
{
    key(maker, HASH_ZIPMAP, "zipmap");
    put_zipmap(&maker->out, maker->small, SMALL);
    key(maker, HASH_ZIPMAP, "zipmap:many");
    put_zipmap(&maker->out, maker->many, 2 * MANY);
    key(maker, LIST_ZIPLIST, "ziplist");
    put_ziplist(&maker->out, maker->small, SMALL);
    key(maker, LIST_ZIPLIST, "ziplist:many");
    put_ziplist(&maker->out, maker->many, MANY);
    key(maker, SET_INTSET, "int16");
    put_intset(&maker->out, int16s, LENGTH(int16s), 2);
    key(maker, SET_INTSET, "int32");
    put_intset(&maker->out, int32s, LENGTH(int32s), 4);
    key(maker, SET_INTSET, "int64");
    put_intset(&maker->out, int64s, LENGTH(int64s), 8);
}

// Members and scores in turn, in the order of the scores.
static void put_pairs(struct maker *maker,
                      void (*put)(struct buffer *, const struct span *, size_t))
{
    static const char *const pairs[] = { "low",  "-inf",   "minus", "-2.5", "5",     "0",
                                         "half", "0.5",    "tie a", "7",    "tie b", "7",
                                         "big",  "1e+100", "high",  "inf" };
    struct span spans[LENGTH(pairs)];
    for (size_t i = 0; i < LENGTH(pairs); i++)
        spans[i] = span_of(pairs[i]);
    put(&maker->out, spans, LENGTH(pairs));
}

static void put_quicklist(struct maker *maker)
{
    key(maker, LIST_QUICKLIST, "quicklist");
    put_length(&maker->out, 3);
    put_ziplist(&maker->out, maker->small, SMALL);
    put_ziplist(&maker->out, maker->many, MANY);
    put_ziplist(&maker->out, maker->many + MANY, MANY);
}

static void put_binary_scores(struct maker *maker)
{
    static const double scores[] = { 0.1, -0.0, 1e300, -1e-300, 12, __builtin_inf() };
    key(maker, ZSET_2, "zset2");
    put_length(&maker->out, LENGTH(scores));
    for (size_t i = 0; i < LENGTH(scores); i++) {
        uint64_t bits;
        memcpy(&bits, &scores[i], sizeof(bits));
        put_string(&maker->out, maker->many[i]);
        put_le(&maker->out, bits, 8);
    }
}

static void put_listpacks(struct maker *maker)
{
    key(maker, HASH_LISTPACK, "listpack hash");
    put_listpack(&maker->out, maker->small, SHORT);
    key(maker, ZSET_LISTPACK, "listpack zset");
    put_pairs(maker, put_listpack);
    key(maker, LIST_QUICKLIST_2, "quicklist2");
    put_length(&maker->out, 3);
    put_length(&maker->out, 2);
    put_listpack(&maker->out, maker->small, SMALL);
    put_length(&maker->out, 1);
    put_string(&maker->out, SPAN("a node of its own"));
    put_length(&maker->out, 2);
    put_listpack(&maker->out, maker->many, MANY);
}

// Sets as 7.2 writes them, or for those who cannot read that, member by member.
static void put_newest_sets(struct maker *maker)
{
    bool newest = maker->version > NEWEST_OF_ORACLE;
    key(maker, newest ? SET_LISTPACK : SET, "listpack set");
    if (newest)
        put_listpack(&maker->out, maker->small, SMALL);
    else
        put_strings(maker, maker->small, SMALL, SMALL);
    key(maker, newest ? SET_LISTPACK : SET, "listpack set:many");
    if (newest)
        put_listpack(&maker->out, maker->many, MANY);
    else
        put_strings(maker, maker->many, MANY, MANY);
}

static void put_head(struct maker *maker)
{
    if (maker->version < 7)
        return;
    op(maker, OP_AUX);
    put_string(&maker->out, SPAN("redis-ver"));
    put_string(&maker->out, SPAN("3.2.0"));
    op(maker, OP_AUX);
    put_string(&maker->out, SPAN("ctime"));
    put_integer(&maker->out, 1500000000);
    op(maker, OP_AUX);
    put_string(&maker->out, SPAN("nobody-knows"));
    put_string(&maker->out, SPAN("what this is"));
}

static void select_database(struct maker *maker, uint64_t db)
{
    op(maker, OP_SELECT);
    put_length(&maker->out, db);
    if (maker->version < 7)
        return;
    op(maker, OP_RESIZE);
    put_length(&maker->out, 30);
    put_length(&maker->out, 3);
}

static void put_expiries(struct maker *maker)
{
    op(maker, OP_EXPIRE_S);
    put_le(&maker->out, (uint64_t)EXPIRES_S, 4);
    key(maker, STRING, "in seconds");
    put_string(&maker->out, SPAN("v"));
    op(maker, OP_EXPIRE_S);
    put_le(&maker->out, 1000000000, 4);
    key(maker, STRING, "over");
    put_string(&maker->out, SPAN("v"));
    if (maker->version < 3)
        return;
    op(maker, OP_EXPIRE_MS);
    put_le(&maker->out, (uint64_t)EXPIRES_MS, 8);
    if (maker->version >= 9) {
        op(maker, OP_IDLE);
        put_length(&maker->out, 100);
    }
    key(maker, LIST, "in milliseconds");
    put_strings(maker, maker->small, 2, 2);
    if (maker->version < 9)
        return;
    op(maker, OP_FREQ);
    op(maker, 77);
    key(maker, STRING, "frequent");
    put_string(&maker->out, SPAN("v"));
}

// Each form in the files of the versions that had it.
static void put_all(struct maker *maker)
{
    put_head(maker);
    select_database(maker, 0);
    put_first_forms(maker);
    if (maker->version >= 2)
        put_packed_forms(maker);
    if (maker->version >= 3) {
        key(maker, ZSET_ZIPLIST, "ziplist zset");
        put_pairs(maker, put_ziplist);
    }
    if (maker->version >= 4) {
        key(maker, HASH_ZIPLIST, "ziplist hash");
        put_ziplist(&maker->out, maker->small, SHORT);
        key(maker, HASH_ZIPLIST, "ziplist hash:many");
        put_ziplist(&maker->out, maker->many, 2 * MANY);
    }
    if (maker->version >= 7)
        put_quicklist(maker);
    if (maker->version >= 8)
        put_binary_scores(maker);
    if (maker->version >= 10) {
        put_listpacks(maker);
        put_newest_sets(maker);
    }
    select_database(maker, 15);
    put_expiries(maker);
    op(maker, OP_EOF);
    if (maker->version >= 5)
        put_le(&maker->out, rdb_crc(buffer_span(&maker->out)), 8);
}

static void write_file(int version, const char *dir)
{
    struct maker maker;
    init(&maker, version);
    put_all(&maker);
    files_write(dir, "dump.rdb", buffer_span(&maker.out));
    buffer_release(&maker.out);
    arena_release(&maker.arena);
}

// What the oracle has of a file of that version.
static bool load_with_oracle(struct run *run, int version, struct contents *out)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    struct buffer why = { 0 };
    servers_folder(dir);
    write_file(version, dir);
    bool ok = host_start(&host, ORACLE, dir, USUAL, &why);
    run_check(run, ok, &why, "version %d: redis-server starts", version);
    if (ok) {
        contents_read(out, &host, CONTENTS_DIGESTS);
        run_stop(run, &host, "old");
    }
    buffer_release(&why);
    return ok;
}

static void move_version(struct run *run, int version)
{
    char name[PATH_BYTES];
    char dir[SERVER_DIR_MAX];
    struct contents expected;
    struct host host;
    struct buffer why = { 0 };
    snprintf(name, sizeof(name), "version %d", version);
    if (!load_with_oracle(run, version > NEWEST_OF_ORACLE ? NEWEST_OF_ORACLE : version, &expected))
        return;
    servers_folder(dir);
    write_file(version, dir);
    run_check(run, checker_agrees(run->check_rdb, dir, "dump.rdb", &why), &why,
              "%s: respite-check-rdb", name);
    if (run_load(run, &host, OURS, dir, USUAL, &expected, name)) {
        host_feed(&host, "SAVE");
        host_flush(&host);
        run_stop(run, &host, name);
        // Who comes back finds what was never there in a file of its own.
        if (run_load(run, &host, ORACLE, dir, USUAL, &expected, "back from an old file"))
            run_stop(run, &host, name);
    }
    contents_release(&expected);
    buffer_release(&why);
}

// ---- what is not supported ----------------------------------------------------------------------

static void save_with_oracle(struct run *run, const char *dir, const char *options,
                             const char *command)
{
    struct host host;
    struct buffer why = { 0 };
    if (!host_start(&host, ORACLE, dir, options, &why))
        die("%.*s", SHOW(buffer_span(&why)));
    host_feed(&host, "SET k v");
    host_feed(&host, "%s", command);
    if (!strstr(options, "appendonly"))
        host_feed(&host, "SAVE");
    host_flush(&host);
    run_stop(run, &host, "not supported");
    buffer_release(&why);
}

#define LIBRARY \
    "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function('f', function() return 1 end)\""

// Libraries of functions are left out, and the log says so.
static void skip_functions(struct run *run)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    struct buffer why = { 0 };
    servers_folder(dir);
    save_with_oracle(run, dir, USUAL, LIBRARY);
    bool ok = host_start(&host, OURS, dir, USUAL, &why);
    run_check(run, ok, &why, "a file with functions is loaded");
    if (!ok)
        return;
    run_check(run, span_is(host_ask(&host, "GET k")->text, "v"), &why, "the keys beside functions");
    run_stop(run, &host, "functions");
    files_read(&why, dir, "log");
    bool said = memmem(why.data, why.len, "functions: they are not supported", 33) != NULL;
    run_check(run, said, &why, "the log says that functions are left out");
    buffer_release(&why);
}

// Without it the start would lose data: it is refused, and the log says why and where.
static void refuse(struct run *run, const char *options, const char *command, const char *reason)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    struct buffer why = { 0 };
    servers_folder(dir);
    save_with_oracle(run, dir, options, command);
    bool refused = !host_start(&host, OURS, dir, options, &why);
    bool said = memmem(why.data, why.len, reason, strlen(reason)) != NULL;
    run_check(run, refused && said, &why, "refused: %s", reason);
    if (!refused)
        run_stop(run, &host, "not refused");
    buffer_release(&why);
}

void run_old(struct run *run)
{
    for (int version = OLDEST; version <= NEWEST; version++)
        move_version(run, version);
    skip_functions(run);
    refuse(run, USUAL, "XADD stream * f v",
           "a stream, which is not supported (value of type 19 of key \"stream\" in database 0)");
    refuse(run, USUAL " --appendonly yes --appendfsync no", "XADD stream * f v", "XADD");
}

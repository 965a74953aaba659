// SPDX-License-Identifier: BSD-3-Clause
// MEMORY USAGE against what the allocator says when the key is freed, for every type and encoding.
#include "commands/families.h"
#include "persist/snapshot.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static int fd;

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    fd = rig_connect();
    // What is allocated once is.
    rig_ask(fd, "SET warm 1\r\n", "+OK\r\n");
    rig_ask(fd, "DEL warm\r\n", ":1\r\n");
}

static void add(const char *command, const char *key, int count, const char *format)
{
    struct bytes request = { 0 };
    for (int i = 0; i < count; i++) {
        bytes_clear(&request);
        bytes_printf(&request, "%s %s ", command, key);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        bytes_printf(&request, format, i, i);
#pragma GCC diagnostic pop
        bytes_append_text(&request, "\r\n");
        rig_send(fd, request.data, request.len);
        rig_expect(fd, ":1\r\n");
    }
    bytes_release(&request);
}

// The elements one after the other; RPUSH answers with the length.
static void push(const char *key, int count, const char *format)
{
    for (int i = 0; i < count; i++) {
        struct bytes request = { 0 };
        char reply[32];
        bytes_printf(&request, "RPUSH %s ", key);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        bytes_printf(&request, format, i);
#pragma GCC diagnostic pop
        bytes_append_text(&request, "\r\n");
        snprintf(reply, sizeof(reply), ":%d\r\n", i + 1);
        rig_send(fd, request.data, request.len);
        rig_expect(fd, reply);
        bytes_release(&request);
    }
}

static void expect_encoding(const char *key, const char *encoding)
{
    struct key name = key_of(slice_of(key));
    const struct entry *entry = db_peek(&server->keyspace->dbs[0], &name).entry;
    ck_assert_ptr_nonnull(entry);
    ck_assert_str_eq(server->keyspace->types[entry_type(entry)]->encoding_name(entry), encoding);
}

static void expect_within_5_percent(const char *key)
{
    struct key name = key_of(slice_of(key));
    struct db *db = &server->keyspace->dbs[0];
    struct entry_ref ref = db_peek(db, &name);
    ck_assert_ptr_nonnull(ref.entry);
    double said = (double)(db_entry_memory(db, ref.entry) + table_memory(&db->table));
    size_t before = mem_used();
    db_remove(db, &name, ref);
    reclaim_all(server->keyspace);
    double freed = (double)(before - mem_used());
    ck_assert_msg(said > freed * 0.95 && said < freed * 1.05, "%s: %.0f said, %.0f freed", key,
                  said, freed);
}

START_TEST(strings)
{
    static const size_t lengths[] = { 1, 44, 45, 100, 250, 300, 5000, 100000 };
    rig_ask(fd, "SET int 12345\r\n", "+OK\r\n");
    expect_within_5_percent("int");
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        struct bytes request = { 0 };
        bytes_printf(&request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", lengths[i]);
        for (size_t n = 0; n < lengths[i]; n++)
            bytes_append_char(&request, 'v');
        bytes_append_text(&request, "\r\n");
        rig_send(fd, request.data, request.len);
        rig_expect(fd, "+OK\r\n");
        bytes_release(&request);
        rig_turns(3);
        expect_within_5_percent("k");
    }
}
END_TEST

START_TEST(sets)
{
    add("SADD", "intset", 10, "%d");
    expect_encoding("intset", "intset");
    expect_within_5_percent("intset");
    add("SADD", "intset", 400, "%d");
    expect_encoding("intset", "intset");
    expect_within_5_percent("intset");
    add("SADD", "intset", 500, "12345678901%d");
    expect_encoding("intset", "intset");
    expect_within_5_percent("intset");
    add("SADD", "listpack", 20, "member:%d");
    expect_encoding("listpack", "listpack");
    expect_within_5_percent("listpack");
    add("SADD", "table", 3000, "member:%d");
    expect_encoding("table", "hashtable");
    expect_within_5_percent("table");
}
END_TEST

START_TEST(hashes)
{
    add("HSET", "listpack", 20, "field:%d value:%d");
    expect_encoding("listpack", "listpack");
    expect_within_5_percent("listpack");
    add("HSET", "table", 3000, "field:%d value:%d");
    expect_encoding("table", "hashtable");
    expect_within_5_percent("table");
}
END_TEST

START_TEST(lists)
{
    static const int packed[] = { 1, 10, 100, 500 };
    for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++) {
        push("packed", packed[i], "%d");
        expect_encoding("packed", "listpack");
        expect_within_5_percent("packed");
    }
    static const int chunks[] = { 2000, 20000 };
    for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
        push("chunks", chunks[i], "element:%d");
        expect_encoding("chunks", "quicklist");
        expect_within_5_percent("chunks");
    }
    // Elements that have a chunk of their own.
    push("large", 20, "%020000d");
    expect_encoding("large", "quicklist");
    expect_within_5_percent("large");
}
END_TEST

START_TEST(sorted_sets)
{
    static const int packed[] = { 1, 5, 100 };
    for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++) {
        add("ZADD", "packed", packed[i], "%d member:%d");
        expect_encoding("packed", "listpack");
        expect_within_5_percent("packed");
    }
    static const int trees[] = { 129, 1000, 10000 };
    for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
        add("ZADD", "tree", trees[i], "%d.5 member:%d");
        expect_encoding("tree", "skiplist");
        expect_within_5_percent("tree");
    }
    add("ZADD", "long", 20, "%d %0100d");
    expect_encoding("long", "skiplist");
    expect_within_5_percent("long");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("memory_usage");
    TCase *tcase = tcase_create("memory_usage");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, strings);
    tcase_add_test(tcase, sets);
    tcase_add_test(tcase, hashes);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, sorted_sets);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

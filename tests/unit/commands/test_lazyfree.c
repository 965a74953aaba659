// SPDX-License-Identifier: BSD-3-Clause
// What lazyfree-* decides: a large value that goes is freed in slices, or at once.
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/info.h"
#include "support/unit.h"
#include "unit/server/rig.h"

enum { MEMBERS = RECLAIM_PIECES * 10 };

static int fd;

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    fd = rig_connect();
}

// A set of many pieces.
static void make_big(const char *key)
{
    struct bytes request = { 0 };
    bytes_printf(&request, "SADD %s", key);
    for (int i = 0; i < MEMBERS; i++)
        bytes_printf(&request, " member:%d", i);
    bytes_append_text(&request, "\r\n");
    rig_send(fd, request.data, request.len);
    rig_expect(fd, ":640\r\n");
    bytes_release(&request);
}

static void make_many(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        char request[64];
        snprintf(request, sizeof(request), "SET key:%d v\r\n", i);
        rig_ask(fd, request, "+OK\r\n");
    }
}

// How many values and keys of databases have been freed in slices.
static uint64_t freed_in_slices(void)
{
    for (int turns = 0; reclaim_pending(&server->keyspace->reclaim); turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        rig_turn();
    }
    return server->keyspace->reclaim.freed;
}

static void set_all_but(const char *name, bool others)
{
    static const char *const names[] = { "lazyfree-lazy-eviction", "lazyfree-lazy-expire",
                                         "lazyfree-lazy-server-del", "lazyfree-lazy-user-del",
                                         "lazyfree-lazy-user-flush" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        bool yes = strcmp(names[i], name) == 0 ? !others : others;
        ck_assert_int_eq(rig_config_set(names[i], yes ? "yes" : "no"), STATUS_OK);
    }
}

static const struct {
    const char *directive;
    const char *request;
    const char *reply;
} removals[] = {
    { "lazyfree-lazy-user-del", "DEL big\r\n", ":1\r\n" },
    { "lazyfree-lazy-server-del", "SET big x\r\n", "+OK\r\n" },
    { "lazyfree-lazy-server-del", "RENAME small big\r\n", "+OK\r\n" },
    { "lazyfree-lazy-server-del", "COPY small big REPLACE\r\n", ":1\r\n" },
    { "lazyfree-lazy-server-del", "SUNIONSTORE big none\r\n", ":0\r\n" },
    { "lazyfree-lazy-server-del", "SUNIONSTORE big few\r\n", ":1\r\n" },
    { "lazyfree-lazy-expire", "PEXPIREAT big 1\r\n", ":1\r\n" },
    { "lazyfree-lazy-user-flush", "FLUSHDB\r\n", "+OK\r\n" },
    { "lazyfree-lazy-user-flush", "FLUSHALL\r\n", "+OK\r\n" },
};

// Each directive decides about its removals and about no others.
START_TEST(each_decides_about_its_own)
{
    for (int yes = 0; yes < 2; yes++) {
        set_all_but(removals[_i].directive, !yes);
        make_big("big");
        rig_ask(fd, "SET small x\r\nSADD few a\r\n", "+OK\r\n:1\r\n");
        uint64_t before = freed_in_slices();
        rig_ask(fd, removals[_i].request, removals[_i].reply);
        ck_assert_uint_eq(freed_in_slices() - before, yes ? 1 : 0);
        rig_ask(fd, "FLUSHALL SYNC\r\n", "+OK\r\n");
    }
}
END_TEST

START_TEST(unlink_and_async_mean_slices)
{
    set_all_but("", false);
    make_big("big");
    rig_ask(fd, "UNLINK big\r\n", ":1\r\n");
    ck_assert_uint_eq(freed_in_slices(), 1);
    make_many();
    rig_ask(fd, "FLUSHALL ASYNC\r\n", "+OK\r\n");
    ck_assert_uint_eq(freed_in_slices(), 1 + MEMBERS);
    make_many();
    rig_ask(fd, "FLUSHDB ASYNC\r\n", "+OK\r\n");
    ck_assert_uint_eq(freed_in_slices(), 1 + 2 * MEMBERS);
}
END_TEST

START_TEST(sync_means_at_once)
{
    make_many();
    make_big("big");
    rig_ask(fd, "FLUSHALL SYNC\r\n", "+OK\r\n");
    ck_assert_uint_eq(freed_in_slices(), 0);
    make_many();
    make_big("big");
    rig_ask(fd, "FLUSHDB SYNC\r\n", "+OK\r\n");
    ck_assert_uint_eq(freed_in_slices(), 0);
    make_many();
    rig_ask(fd, "FLUSHALL\r\n", "+OK\r\n");
    ck_assert_uint_eq(freed_in_slices(), MEMBERS);
}
END_TEST

START_TEST(keys_that_expire)
{
    for (int yes = 0; yes < 2; yes++) {
        set_all_but("lazyfree-lazy-expire", !yes);
        uint64_t before = freed_in_slices();
        make_big("asked");
        make_big("swept");
        server->keyspace->sweep_paused = true;
        rig_ask(fd, "PEXPIRE asked 1000\r\nPEXPIRE swept 1000\r\n", ":1\r\n:1\r\n");
        clock_shift_ms(1001);
        rig_ask(fd, "EXISTS asked\r\n", ":0\r\n");
        server->keyspace->sweep_paused = false;
        for (int turns = 0; db_size(&server->keyspace->dbs[0]) > 0; turns++) {
            ck_assert_int_lt(turns, RIG_PATIENCE);
            usleep(100);
            rig_turn();
        }
        ck_assert_uint_eq(freed_in_slices() - before, yes ? 2 : 0);
    }
}
END_TEST

START_TEST(keys_that_are_evicted)
{
    ck_assert_int_eq(rig_config_set("maxmemory-policy", "allkeys-random"), STATUS_OK);
    for (int yes = 0; yes < 2; yes++) {
        set_all_but("lazyfree-lazy-eviction", !yes);
        uint64_t before = freed_in_slices();
        make_big("big");
        ck_assert_int_eq(rig_config_set("maxmemory", "1"), STATUS_OK);
        for (int turns = 0; db_size(&server->keyspace->dbs[0]) > 0; turns++) {
            ck_assert_int_lt(turns, RIG_PATIENCE);
            rig_turn();
        }
        ck_assert_int_eq(rig_config_set("maxmemory", "0"), STATUS_OK);
        ck_assert_uint_eq(freed_in_slices() - before, yes ? 1 : 0);
    }
}
END_TEST

// INFO counts, and CONFIG RESETSTAT forgets.
START_TEST(what_is_told)
{
    make_big("big");
    rig_ask(fd, "UNLINK big\r\n", ":1\r\n");
    ck_assert_uint_eq(freed_in_slices(), 1);
    struct bytes text = { 0 };
    const struct slice section = SLICE("memory");
    info_write(server->info, &section, 1, &text);
    bytes_append_char(&text, '\0');
    ck_assert_ptr_nonnull(strstr(text.data, "\r\nlazyfree_pending_objects:0\r\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "\r\nlazyfreed_objects:1\r\n"));
    bytes_release(&text);
    rig_ask(fd, "CONFIG RESETSTAT\r\n", "+OK\r\n");
    ck_assert_uint_eq(server->keyspace->reclaim.freed, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("lazyfree");
    TCase *tcase = tcase_create("lazyfree");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_loop_test(tcase, each_decides_about_its_own, 0,
                        (int)(sizeof(removals) / sizeof(*removals)));
    tcase_add_test(tcase, unlink_and_async_mean_slices);
    tcase_add_test(tcase, sync_means_at_once);
    tcase_add_test(tcase, keys_that_expire);
    tcase_add_test(tcase, keys_that_are_evicted);
    tcase_add_test(tcase, what_is_told);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

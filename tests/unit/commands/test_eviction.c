// SPDX-License-Identifier: BSD-3-Clause
// Tests of the memory limit inside a server: what a turn of the loop may bring, writes that wait, and what the
// effect stream and the latency monitor hear of evictions and of expiry.
#include "server/eviction.h"

#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "server/latency.h"
#include "store/evict.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define MIB ((size_t)1 << 20)

static int fd;
static struct bytes fed;

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    fd = rig_connect();
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

static void configure(const char *name, const char *value)
{
    ck_assert_int_eq(rig_config_set(name, value), STATUS_OK);
}

static void configure_limit(size_t bytes)
{
    char text[32];
    snprintf(text, sizeof(text), "%zu", bytes);
    configure("maxmemory", text);
}

static void add_small_values(int count)
{
    struct bytes request = { 0 };
    for (int i = 0; i < count; i += 100) {
        bytes_clear(&request);
        for (int k = i; k < i + 100; k++)
            bytes_printf(&request, "SET small:%d %0100d\r\n", k, k);
        rig_send(fd, request.data, request.len);
        for (int k = 0; k < 100; k++)
            rig_expect(fd, "+OK\r\n");
    }
    bytes_release(&request);
}

static size_t db_keys(void)
{
    return db_size(&server->keyspace->dbs[0]);
}

// Counts the lines that have arrived.
static void count_replies(int from, int *lines, int *errors)
{
    char got[4096];
    ssize_t len;
    while ((len = recv(from, got, sizeof(got), 0)) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            *lines += got[i] == '\n';
            *errors += got[i] == '-';
        }
    }
}

// Commands of a few bytes that bring a megabyte each, more of them than there is time to make room for.
START_TEST(what_a_pipeline_brings_is_bounded)
{
    enum { COMMANDS = 300 };
    add_small_values(100000);
    configure("maxmemory-policy", "allkeys-lru");
    configure("maxmemory-eviction-tenacity", "0");
    const size_t limit = mem_used() + MIB;
    configure_limit(limit);
    struct bytes request = { 0 };
    for (int i = 0; i < COMMANDS; i++)
        bytes_printf(&request, "SETRANGE big:%d 1000000 x\r\n", i);
    rig_send(fd, request.data, request.len);
    bytes_release(&request);
    int lines = 0;
    int errors = 0;
    size_t most = 0;
    for (int turns = 0; lines < COMMANDS; turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        rig_turn();
        most = mem_used() > most ? mem_used() : most;
        count_replies(fd, &lines, &errors);
    }
    ck_assert_msg(most < limit + 5 * MIB, "%zu above the limit", most - limit);
    ck_assert_int_lt(errors, COMMANDS);
    ck_assert_uint_gt(db_keys(), 0);
}
END_TEST

// Uses memory that no write has asked for.
static void *use(size_t bytes)
{
    return mem_alloc(bytes);
}

START_TEST(writes_wait_and_others_go_on)
{
    add_small_values(100000);
    configure("maxmemory-policy", "allkeys-lru");
    configure("maxmemory-eviction-tenacity", "0");
    const size_t limit = mem_used() + MIB / 2;
    configure_limit(limit);
    void *used = use(8 * MIB);
    rig_turn();
    ck_assert_uint_ne(server->holds, 0);
    int other = rig_connect();
    rig_say(fd, "SET k v\r\nGET k\r\n");
    rig_ask(other, "SET k\r\nPING\r\nDEL k\r\n",
            "-ERR wrong number of arguments for 'set' command\r\n+PONG\r\n:0\r\n");
    ck_assert_uint_ne(server->holds, 0);
    ck_assert_uint_gt(mem_used(), limit);
    rig_expect(fd, "+OK\r\n$1\r\nv\r\n");
    ck_assert_uint_eq(server->holds, 0);
    ck_assert_uint_le(mem_used(), limit + MIB);
    mem_free(used, 8 * MIB);
}
END_TEST

START_TEST(writes_wait_no_longer_without_a_limit)
{
    add_small_values(100000);
    configure("maxmemory-policy", "allkeys-lru");
    configure("maxmemory-eviction-tenacity", "0");
    configure_limit(mem_used() + MIB / 2);
    void *used = use(8 * MIB);
    rig_turn();
    ck_assert_uint_ne(server->holds, 0);
    rig_say(fd, "SET k v\r\n");
    rig_turn();
    configure("maxmemory", "0");
    ck_assert_uint_eq(server->holds, 0);
    const size_t keys = db_keys();
    rig_expect(fd, "+OK\r\n");
    ck_assert_uint_eq(db_keys(), keys + 1);
    mem_free(used, 8 * MIB);
}
END_TEST

// Where nothing may go, what waits is refused.
START_TEST(who_waits_in_vain_is_refused)
{
    add_small_values(100000);
    configure("maxmemory-policy", "allkeys-lru");
    configure("maxmemory-eviction-tenacity", "0");
    const size_t limit = mem_used() + MIB / 2;
    configure_limit(limit);
    void *used = use(8 * MIB);
    rig_turn();
    ck_assert_uint_ne(server->holds, 0);
    configure("maxmemory-policy", "volatile-lru");
    rig_ask(fd, "SET k v\r\n", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    ck_assert_uint_eq(server->holds, 0);
    mem_free(used, 8 * MIB);
}
END_TEST

// A limit far below what is used is reached in many turns; nobody has to wait for that.
START_TEST(a_lowered_limit_lets_writes_pass)
{
    add_small_values(100000);
    configure("maxmemory-policy", "allkeys-lru");
    configure("maxmemory-eviction-tenacity", "0");
    const size_t limit = mem_used() - 8 * MIB;
    configure_limit(limit);
    int writes = 0;
    size_t before = mem_used();
    for (; mem_used() > limit; writes++) {
        rig_ask(fd, "SET k v\r\n", "+OK\r\n");
        ck_assert_uint_eq(server->holds, 0);
        ck_assert_uint_le(mem_used(), before + 65536);
        before = mem_used();
    }
    ck_assert_int_gt(writes, 10);
}
END_TEST

// --- Who hears of it ----------------------------------------------------------------------------

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static size_t count_in_fed(const char *text)
{
    size_t count = 0;
    bytes_append_char(&fed, '\0');
    for (const char *at = fed.data; (at = strstr(at, text)) != NULL; at++)
        count++;
    fed.len--;
    return count;
}

// Each key that is evicted is an UNLINK (lazyfree-lazy-eviction), ahead of the write that made it go.
START_TEST(evicted_keys_are_deleted_in_the_stream)
{
    add_small_values(1000);
    configure("maxmemory-policy", "allkeys-random");
    configure("maxmemory-eviction-tenacity", "100");
    effects_add_sink(server->effects, feed, &fed);
    // The limit passes unnoticed until the write comes, in the same turn.
    rig_say(fd, "CONFIG SET maxmemory 1\r\nSET last v\r\n");
    rig_expect(fd, "+OK\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    ck_assert_uint_eq(db_keys(), 0);
    ck_assert_uint_eq(count_in_fed("$6\r\nUNLINK\r\n"), 1000);
    ck_assert_uint_eq(count_in_fed("small:999\r\n"), 1);
    ck_assert_uint_eq(count_in_fed("last"), 0);
    bytes_clear(&fed);
    configure("maxmemory", "0");
    add_small_values(1000);
    configure_limit(mem_used());
    bytes_clear(&fed);
    rig_ask(fd, "SETRANGE last 100000 v\r\nSET k v\r\n", ":100001\r\n+OK\r\n");
    size_t deleted = count_in_fed("$6\r\nUNLINK\r\n");
    ck_assert_uint_gt(deleted, 0);
    // Select, what made the memory used, what went for it, and the write that had to wait for that.
    const char *first = strstr(fed.data, "SETRANGE");
    const char *del = strstr(fed.data, "UNLINK");
    const char *second = strstr(fed.data, "\r\nSET\r\n");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert(first < del && del < second);
}
END_TEST

static void add_large_set(void)
{
    struct bytes request = { 0 };
    for (int i = 0; i < 100; i++) {
        bytes_clear(&request);
        bytes_append_text(&request, "SADD large");
        for (int m = 0; m < 1000; m++)
            bytes_printf(&request, " member:%d", i * 1000 + m);
        bytes_append_text(&request, "\r\n");
        rig_send(fd, request.data, request.len);
        rig_expect(fd, ":1000\r\n");
    }
    bytes_release(&request);
}

static void expect_noted(const char *event)
{
    const struct latency_series *series = latency_find(server->latency, slice_of(event));
    ck_assert_msg(series, "no %s", event);
    ck_assert_uint_ge(series->max_ms, 1);
}

// A large set that is freed at once takes some milliseconds at least.
START_TEST(latency_of_evictions)
{
    add_large_set();
    configure("latency-monitor-threshold", "1");
    configure("lazyfree-lazy-eviction", "no");
    configure("maxmemory-policy", "allkeys-random");
    configure("maxmemory", "1");
    for (int turns = 0; db_keys() > 0; turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        rig_turn();
    }
    expect_noted("eviction-cycle");
    expect_noted("eviction-del");
}
END_TEST

START_TEST(latency_of_the_sweep)
{
    add_large_set();
    configure("latency-monitor-threshold", "1");
    configure("lazyfree-lazy-expire", "no");
    rig_ask(fd, "PEXPIRE large 1\r\n", ":1\r\n");
    for (int turns = 0; db_keys() > 0; turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        usleep(1000);
        rig_turn();
    }
    expect_noted("expire-cycle");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("eviction");
    TCase *room = tcase_create("room");
    tcase_set_timeout(room, 60);
    tcase_add_checked_fixture(room, set_up, tear_down);
    tcase_add_test(room, what_a_pipeline_brings_is_bounded);
    tcase_add_test(room, writes_wait_and_others_go_on);
    tcase_add_test(room, writes_wait_no_longer_without_a_limit);
    tcase_add_test(room, who_waits_in_vain_is_refused);
    tcase_add_test(room, a_lowered_limit_lets_writes_pass);
    suite_add_tcase(suite, room);
    TCase *heard = tcase_create("heard");
    tcase_set_timeout(heard, 60);
    tcase_add_checked_fixture(heard, set_up, tear_down);
    tcase_add_test(heard, evicted_keys_are_deleted_in_the_stream);
    tcase_add_test(heard, latency_of_evictions);
    tcase_add_test(heard, latency_of_the_sweep);
    suite_add_tcase(suite, heard);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

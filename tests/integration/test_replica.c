// SPDX-License-Identifier: BSD-3-Clause
// A replica of a live redis-server: everything, what follows, broken links, and taking over.
#include "support/client.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFO_MAX   16384
#define DIGEST_MAX 64

static struct test_server *primary;
static struct test_server *replica;
static redisContext *to_primary;
static redisContext *to_replica;

static void set_up(void)
{
    const char *redis = getenv("REDIS_SERVER");
    primary = server_start_with(
        &(struct server_options){ .program = redis ? redis : "/usr/bin/redis-server",
                                  .args = SERVER_ARGS("--save", "", "--enable-debug-command", "yes",
                                                      "--repl-diskless-sync-delay", "0") });
    replica = server_start(SERVER_ARGS("--save", "", "--enable-debug-command", "yes"));
    to_primary = client_connect(primary);
    to_replica = client_connect(replica);
}

static void tear_down(void)
{
    redisFree(to_primary);
    redisFree(to_replica);
    server_stop(replica);
    server_stop(primary);
}

static bool info_has(redisContext *c, const char *line)
{
    char info[INFO_MAX];
    client_text(c, info, sizeof(info), "INFO");
    return strstr(info, line) != NULL;
}

static void await_info(redisContext *c, const char *line)
{
    for (struct deadline limit = deadline(); !info_has(c, line);)
        deadline_wait(&limit);
}

static void follow(void)
{
    expect_ok(to_replica, "REPLICAOF 127.0.0.1 %d", primary->port);
    await_info(to_replica, "master_link_status:up\r\n");
}

static void take_digest(redisContext *c, char out[DIGEST_MAX])
{
    redisReply *reply = client_ask(c, "DEBUG DIGEST");
    ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
    snprintf(out, DIGEST_MAX, "%s", reply->str);
    freeReplyObject(reply);
}

// The replica is where the primary is, and has what it has.
static void expect_equal(void)
{
    char here[DIGEST_MAX];
    char there[DIGEST_MAX];
    char offset[64];
    expect_int(to_primary, 1, "WAIT 1 30000");
    snprintf(offset, sizeof(offset), "slave_repl_offset:%lld\r\n",
             server_info(primary, "master_repl_offset"));
    await_info(to_replica, offset);
    take_digest(to_primary, there);
    take_digest(to_replica, here);
    ck_assert_str_eq(here, there);
}

static void write_something(const char *prefix)
{
    client_fill(to_primary, prefix, 1000);
    client_int(to_primary, "RPUSH %s:list a b c", prefix);
    client_int(to_primary, "SADD %s:set a 1 b", prefix);
    client_int(to_primary, "ZADD %s:zset 1 a 2.5 b", prefix);
    client_int(to_primary, "HSET %s:hash f 1 g 2", prefix);
    expect_ok(to_primary, "SET %s:expiring 1 EX 1000", prefix);
}

START_TEST(everything_and_what_follows)
{
    write_something("before");
    follow();
    expect_equal();
    write_something("after");
    expect_ok(to_primary, "MULTI");
    expect_status(to_primary, "QUEUED", "INCR n");
    expect_status(to_primary, "QUEUED", "INCR n");
    freeReplyObject(client_ask(to_primary, "EXEC"));
    expect_equal();
    expect_error(to_replica, "READONLY You can't write against a read only replica.", "SET a 1");
}
END_TEST

START_TEST(broken_links_cost_a_partial_sync)
{
    follow();
    for (int i = 0; i < 5; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "round%d", i);
        client_int(to_primary, "CLIENT KILL TYPE replica");
        write_something(prefix);
        await_info(to_primary, "connected_slaves:1\r\n");
        expect_equal();
    }
    ck_assert_int_eq(server_info(primary, "sync_full"), 1);
    ck_assert_int_ge(server_info(primary, "sync_partial_ok"), 5);
    ck_assert_int_eq(server_info(replica, "unexpected_error_replies"), 0);
}
END_TEST

START_TEST(taking_over)
{
    char line[64];
    follow();
    write_something("before");
    expect_equal();
    snprintf(line, sizeof(line), "second_repl_offset:%lld\r\n",
             server_info(primary, "master_repl_offset") + 1);
    expect_ok(to_replica, "REPLICAOF NO ONE");
    ck_assert(info_has(to_replica, "role:master\r\n"));
    ck_assert(info_has(to_replica, line));
    expect_ok(to_replica, "SET a 1");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("replica");
    TCase *tcase = tcase_create("replica");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, everything_and_what_follows);
    tcase_add_test(tcase, broken_links_cost_a_partial_sync);
    tcase_add_test(tcase, taking_over);
    suite_add_tcase(suite, tcase);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

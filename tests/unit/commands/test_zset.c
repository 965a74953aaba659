// SPDX-License-Identifier: BSD-3-Clause
// Tests of the sorted sets' commands' inner side: what they say to the effect stream, replies whose
// length a client chooses, large sorted sets that are emptied at once.
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static struct bytes fed;
static int fd;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    effects_add_sink(server->effects, feed, &fed);
    fd = rig_connect();
    rig_ask(fd, "SET first 1\r\n", "+OK\r\n");
    rig_ask(fd, "ZADD z 1 a 2 b 3 c 4 d\r\n", ":4\r\n");
    bytes_clear(&fed);
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

static void expect_fed(const char *want)
{
    bytes_append_char(&fed, '\0');
    ck_assert_str_eq(fed.data, want);
    bytes_clear(&fed);
}

START_TEST(zmpop_is_a_pop_of_the_key_it_met)
{
    rig_ask(fd, "ZMPOP 2 none z MIN COUNT 2\r\n",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
    expect_fed("*3\r\n$7\r\nZPOPMIN\r\n$1\r\nz\r\n$1\r\n2\r\n");
    rig_ask(fd, "ZMPOP 1 z MAX COUNT 10\r\n",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nd\r\n$1\r\n4\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
    expect_fed("*3\r\n$7\r\nZPOPMAX\r\n$1\r\nz\r\n$1\r\n2\r\n");
    rig_ask(fd, "ZMPOP 1 z MAX\r\n", "*-1\r\n");
    expect_fed("");
}
END_TEST

START_TEST(what_changes_nothing_has_no_effect)
{
    rig_ask(fd, "ZADD z 1 a\r\n", ":0\r\n");
    rig_ask(fd, "ZADD z NX 7 a\r\n", ":0\r\n");
    rig_ask(fd, "ZADD z XX 7 none\r\n", ":0\r\n");
    rig_ask(fd, "ZADD none XX 7 a\r\n", ":0\r\n");
    rig_ask(fd, "ZINCRBY z 0 a\r\n", "$1\r\n1\r\n");
    rig_ask(fd, "ZREM z none\r\n", ":0\r\n");
    rig_ask(fd, "ZREMRANGEBYRANK z 9 10\r\n", ":0\r\n");
    rig_ask(fd, "ZPOPMIN z 0\r\n", "*0\r\n");
    rig_ask(fd, "ZUNIONSTORE none 1 none\r\n", ":0\r\n");
    rig_ask(fd, "ZRANGESTORE none none 0 1\r\n", ":0\r\n");
    expect_fed("");
}
END_TEST

START_TEST(a_reply_that_is_too_long_is_refused)
{
    rig_ask(fd, "ZRANDMEMBER z -9223372036854775807\r\n",
            "-OOM command not allowed: the server has no memory for a value of this size\r\n");
    rig_ask(fd, "ZCARD z\r\n", ":4\r\n");
}
END_TEST

static void add_many(int count)
{
    struct bytes request = { 0 };
    char reply[24];
    bytes_printf(&request, "*%d\r\n$4\r\nZADD\r\n$5\r\nlarge\r\n", 2 + 2 * count);
    for (int i = 0; i < count; i++)
        bytes_printf(&request, "$5\r\n%05d\r\n$8\r\nm:%06d\r\n", i, i);
    rig_send(fd, request.data, request.len);
    snprintf(reply, sizeof(reply), ":%d\r\n", count);
    rig_expect(fd, reply);
    bytes_release(&request);
}

// The key is gone at once; its memory, which the rig counts at the end, follows.
START_TEST(large_ones_vanish)
{
    add_many(20000);
    rig_ask(fd, "ZRANK large m:012345\r\n", ":12345\r\n");
    rig_ask(fd, "ZREMRANGEBYRANK large 0 9999\r\n", ":10000\r\n");
    rig_ask(fd, "ZRANK large m:012345\r\n", ":2345\r\n");
    rig_ask(fd, "ZUNIONSTORE copy 2 large z\r\n", ":10004\r\n");
    rig_ask(fd, "ZINTERCARD 2 copy large\r\n", ":10000\r\n");
    rig_ask(fd, "ZDIFFSTORE large 2 large copy\r\n", ":0\r\n");
    rig_ask(fd, "EXISTS large\r\n", ":0\r\n");
    rig_ask(fd, "ZREMRANGEBYSCORE copy -inf inf\r\n", ":10004\r\n");
    rig_ask(fd, "EXISTS copy\r\n", ":0\r\n");
    rig_turns(5);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("zset_commands");
    TCase *tc = tcase_create("zset_commands");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, zmpop_is_a_pop_of_the_key_it_met);
    tcase_add_test(tc, what_changes_nothing_has_no_effect);
    tcase_add_test(tc, a_reply_that_is_too_long_is_refused);
    tcase_add_test(tc, large_ones_vanish);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

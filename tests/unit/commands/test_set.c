// SPDX-License-Identifier: BSD-3-Clause
// Tests of the set commands' inner side: what SPOP says to the effect stream, replies whose length a
// client chooses, large sets in set algebra, sources that expire.
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
    bytes_clear(&fed);
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

// Adds format(from) to format(from + count - 1).
static void add_many(const char *key, const char *format, int from, int count)
{
    struct bytes request = { 0 };
    char text[128];
    char reply[24];
    bytes_printf(&request, "*%d\r\n$4\r\nSADD\r\n$%zu\r\n%s\r\n", 2 + count, strlen(key), key);
    for (int i = from; i < from + count; i++) {
        // The format is the test's own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int len = snprintf(text, sizeof(text), format, i);
#pragma GCC diagnostic pop
        bytes_printf(&request, "$%d\r\n%s\r\n", len, text);
    }
    rig_send(fd, request.data, request.len);
    snprintf(reply, sizeof(reply), ":%d\r\n", count);
    rig_expect(fd, reply);
    bytes_release(&request);
}

// Drops whatever arrives.
static void drain(void)
{
    char rest[4096];
    for (int quiet = 0; quiet < 5;) {
        ssize_t got = recv(fd, rest, sizeof(rest), 0);
        quiet = got > 0 ? 0 : quiet + 1;
        rig_turn();
    }
}

static void expect_fed(const char *want)
{
    bytes_append_char(&fed, '\0');
    ck_assert_str_eq(fed.data, want);
    bytes_clear(&fed);
}

START_TEST(one_popped_is_a_removal)
{
    rig_ask(fd, "SADD s only\r\n", ":1\r\n");
    bytes_clear(&fed);
    rig_ask(fd, "SPOP s\r\n", "$4\r\nonly\r\n");
    expect_fed("*3\r\n$4\r\nSREM\r\n$1\r\ns\r\n$4\r\nonly\r\n");
    rig_ask(fd, "SADD s \"\"\r\n", ":1\r\n");
    bytes_clear(&fed);
    rig_ask(fd, "SPOP s\r\n", "$0\r\n\r\n");
    expect_fed("*3\r\n$4\r\nSREM\r\n$1\r\ns\r\n$0\r\n\r\n");
    rig_ask(fd, "SADD i 12\r\n", ":1\r\n");
    bytes_clear(&fed);
    rig_ask(fd, "SPOP i\r\n", "$2\r\n12\r\n");
    expect_fed("*3\r\n$4\r\nSREM\r\n$1\r\ni\r\n$2\r\n12\r\n");
}
END_TEST

START_TEST(all_popped_is_a_deletion)
{
    rig_ask(fd, "SADD s only\r\n", ":1\r\n");
    bytes_clear(&fed);
    rig_ask(fd, "SPOP s 5\r\n", "*1\r\n$4\r\nonly\r\n");
    expect_fed("*2\r\n$3\r\nDEL\r\n$1\r\ns\r\n");
}
END_TEST

START_TEST(nothing_popped_is_no_effect)
{
    rig_ask(fd, "SPOP nobody\r\n", "$-1\r\n");
    rig_ask(fd, "SPOP nobody 5\r\n", "*0\r\n");
    rig_ask(fd, "SADD s a\r\n", ":1\r\n");
    bytes_clear(&fed);
    uint64_t changes = server->changes;
    rig_ask(fd, "SPOP s 0\r\n", "*0\r\n");
    rig_ask(fd, "SADD s a\r\n", ":0\r\n");
    rig_ask(fd, "SREM s b\r\n", ":0\r\n");
    rig_ask(fd, "SMOVE s s a\r\n", ":1\r\n");
    rig_ask(fd, "SMOVE s t b\r\n", ":0\r\n");
    rig_ask(fd, "SMOVE nobody t b\r\n", ":0\r\n");
    rig_ask(fd, "SRANDMEMBER s\r\n", "$1\r\na\r\n");
    rig_ask(fd, "SINTERSTORE nobody s nothing\r\n", ":0\r\n");
    rig_ask(fd, "SDIFFSTORE nobody s s\r\n", ":0\r\n");
    ck_assert_uint_eq(fed.len, 0);
    ck_assert_uint_eq(server->changes, changes);
}
END_TEST

// The greatest number of words in a command that was fed.
static int most_words(void)
{
    int most = 0;
    // A number that stands at the end must not be read beyond it.
    bytes_append_char(&fed, '\0');
    fed.len--;
    for (size_t i = 0; i + 1 < fed.len; i++) {
        int words = fed.data[i] == '*' ? (int)strtol(fed.data + i + 1, NULL, 10) : 0;
        most = words > most ? words : most;
    }
    return most;
}

START_TEST(effects_of_many_popped)
{
    // What the effect does to a copy is what SPOP did.
    static const char *const formats[] = { "%d", "m%d", "member-with-a-rather-long-name:%050d" };
    add_many("s", formats[_i], 0, 300);
    rig_ask(fd, "SUNIONSTORE copy s\r\n", ":300\r\n");
    bytes_clear(&fed);
    rig_say(fd, "SPOP s 170\r\n");
    drain();
    ck_assert_int_gt(most_words(), 10);
    ck_assert_int_le(most_words(), 66);
    rig_ask(fd, "SCARD s\r\n", ":130\r\n");
    struct bytes effects = fed;
    fed = (struct bytes){ 0 };
    rig_ask(fd, "SUNIONSTORE left s\r\n", ":130\r\n");
    rig_ask(fd, "SUNIONSTORE s copy\r\n", ":300\r\n");
    rig_send(fd, effects.data, effects.len);
    bytes_release(&effects);
    drain();
    rig_ask(fd, "SCARD s\r\n", ":130\r\n");
    rig_ask(fd, "SDIFF s left\r\n", "*0\r\n");
}
END_TEST

START_TEST(changes_are_members)
{
    uint64_t changes = server->changes;
    rig_ask(fd, "SADD s a b c d e\r\n", ":5\r\n");
    ck_assert_uint_eq(server->changes, changes + 5);
    rig_ask(fd, "SREM s a b x\r\n", ":2\r\n");
    ck_assert_uint_eq(server->changes, changes + 7);
    rig_ask(fd, "SMOVE s t c\r\n", ":1\r\n");
    ck_assert_uint_eq(server->changes, changes + 9);
    rig_say(fd, "SPOP s 10\r\n");
    drain();
    ck_assert_uint_eq(server->changes, changes + 11);
    rig_ask(fd, "SUNIONSTORE s t t\r\n", ":1\r\n");
    ck_assert_uint_eq(server->changes, changes + 12);
}
END_TEST

START_TEST(too_many_random_members)
{
    static const char refused[] =
        "-OOM command not allowed: the server has no memory for a value of this size\r\n";
    rig_ask(fd, "SADD s a-member-of-some-length\r\n", ":1\r\n");
    rig_turns(3);
    rig_ask(fd, "SRANDMEMBER s -9223372036854775807\r\n", refused);
    rig_ask(fd, "SRANDMEMBER s -20000000\r\n", refused);
    rig_ask(fd, "SRANDMEMBER s -2\r\n",
            "*2\r\n$23\r\na-member-of-some-length\r\n$23\r\na-member-of-some-length\r\n");
}
END_TEST

START_TEST(large_algebra)
{
    add_many("a", "%d", 0, 3000);
    add_many("b", "%d", 1500, 3000);
    add_many("c", "text:%d", 0, 2000);
    add_many("few", "%d", 1499, 3);
    rig_ask(fd, "SINTERCARD 2 a b\r\n", ":1500\r\n");
    rig_ask(fd, "SINTERCARD 2 a b LIMIT 17\r\n", ":17\r\n");
    rig_ask(fd, "SINTERCARD 3 a b c\r\n", ":0\r\n");
    rig_ask(fd, "SINTERSTORE d a b\r\n", ":1500\r\n");
    rig_ask(fd, "SUNIONSTORE d a b c few\r\n", ":6500\r\n");
    rig_ask(fd, "SDIFFSTORE d a b c\r\n", ":1500\r\n");
    rig_ask(fd, "SISMEMBER d 1499\r\n", ":1\r\n");
    rig_ask(fd, "SISMEMBER d 1500\r\n", ":0\r\n");
    // Many others: by taking out of a copy, also where the result is small again.
    rig_ask(fd, "SDIFFSTORE d a few few few few few few few few\r\n", ":2997\r\n");
    rig_ask(fd, "SDIFFSTORE d a d d d d d d d d\r\n", ":3\r\n");
    rig_ask(fd, "SDIFF a d d d d d d d few a few\r\n", "*0\r\n");
    // Many to be united: by adding all to one.
    rig_say(fd, "SUNION few few few few few few few few few few few few few few\r\n");
    rig_expect(fd, "*3\r\n");
    drain();
    rig_say(fd, "SUNION a b c a b c a b c a b c a b c a b c\r\n");
    rig_expect(fd, "*6500\r\n");
    drain();
    rig_ask(fd, "SINTER c c a few\r\n", "*0\r\n");
}
END_TEST

START_TEST(stored_results_are_small_again)
{
    add_many("a", "%d", 0, 3000);
    add_many("b", "%d", 5, 3000);
    rig_ask(fd, "SDIFFSTORE d a b\r\n", ":5\r\n");
    rig_ask(fd, "OBJECT ENCODING d\r\n", "$6\r\nintset\r\n");
    rig_ask(fd, "SADD d text\r\n", ":1\r\n");
    rig_ask(fd, "SDIFFSTORE b d\r\n", ":6\r\n");
    rig_ask(fd, "OBJECT ENCODING b\r\n", "$8\r\nlistpack\r\n");
    rig_ask(fd, "SREM d text\r\n", ":1\r\n");
    rig_ask(fd, "SUNIONSTORE b d\r\n", ":5\r\n");
    rig_ask(fd, "OBJECT ENCODING b\r\n", "$6\r\nintset\r\n");
    rig_ask(fd, "SINTERSTORE a a b\r\n", ":5\r\n");
    rig_ask(fd, "OBJECT ENCODING a\r\n", "$6\r\nintset\r\n");
}
END_TEST

// By way of a copy of the first set, which all of the others together empty.
START_TEST(a_difference_that_leaves_nothing_is_no_key)
{
    rig_ask(fd, "SADD a 0 1 2 3 4 5 6 7 8 9\r\n", ":10\r\n");
    for (int i = 0; i < 5; i++) {
        char request[64];
        snprintf(request, sizeof(request), "SADD b%d %d %d\r\n", i, 2 * i, 2 * i + 1);
        rig_ask(fd, request, ":2\r\n");
    }
    rig_ask(fd, "SADD b5 0\r\nSADD d x\r\n", ":1\r\n:1\r\n");
    rig_ask(fd, "SDIFFSTORE d a b0 b1 b2 b3 b4 b5\r\n", ":0\r\n");
    rig_ask(fd, "EXISTS d\r\nSPOP d\r\n", ":0\r\n$-1\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("set commands");
    TCase *tcase = tcase_create("set commands");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, one_popped_is_a_removal);
    tcase_add_test(tcase, all_popped_is_a_deletion);
    tcase_add_test(tcase, nothing_popped_is_no_effect);
    tcase_add_loop_test(tcase, effects_of_many_popped, 0, 3);
    tcase_add_test(tcase, changes_are_members);
    tcase_add_test(tcase, too_many_random_members);
    tcase_add_test(tcase, large_algebra);
    tcase_add_test(tcase, stored_results_are_small_again);
    tcase_add_test(tcase, a_difference_that_leaves_nothing_is_no_key);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

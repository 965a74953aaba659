// SPDX-License-Identifier: BSD-3-Clause
// Tests of the handshake against a primary that is this test: what is said, what each answer leads to, and that no byte
// behind the last line is taken.
#include "repl/handshake.h"

#include "persist/snapshot.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define PING   "*1\r\n$4\r\nPING\r\n"
#define PORT_0 "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$1\r\n0\r\n"
#define CAPABILITIES \
    "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
#define ID "0123456789abcdef0123456789ABCDEF01234567"

static struct handshake handshake;
static struct handshake_answer last;
static int answers;
static int ours;
static int primary;

static void on_answer(void *udata, const struct handshake_answer *answer)
{
    ck_assert_ptr_eq(udata, &handshake);
    last = *answer;
    answers++;
}

static void set_up(void)
{
    int ends[2];
    rig_make(NULL);
    snapshot_register(server);
    repl_register(server);
    rig_start();
    memset(server->replication_id, 'a', RUN_ID_LEN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours = ends[0];
    primary = ends[1];
    answers = 0;
}

static void tear_down(void)
{
    handshake_stop(&handshake);
    close(ours);
    close(primary);
    rig_stop();
}

static void begin(bool offers)
{
    handshake_begin(&handshake, server->repl, ours, offers ? HANDSHAKE_OFFERS : HANDSHAKE_ASKS_ALL,
                    on_answer, &handshake);
    rig_expect(primary, PING);
}

// Up to the question for the stream, which is heard.
static void begin_and_introduce(bool offers)
{
    begin(offers);
    rig_say(primary, "+PONG\r\n");
    rig_expect(primary, PORT_0 CAPABILITIES);
    rig_say(primary, "+OK\r\n+OK\r\n");
    if (offers)
        rig_expect(primary,
                   "*3\r\n$5\r\nPSYNC\r\n$40\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
                   "$1\r\n1\r\n");
    else
        rig_expect(primary, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
}

static void expect_answer(enum handshake_result result)
{
    for (int turns = 0; !answers && turns < RIG_PATIENCE; turns++)
        rig_turn();
    ck_assert_int_eq(answers, 1);
    ck_assert_int_eq(last.result, result);
}

static void expect_failure(const char *part)
{
    expect_answer(HANDSHAKE_FAILED);
    ck_assert_msg(strstr(last.reason, part) != NULL, "'%s' does not say '%s'", last.reason, part);
}

START_TEST(all_data_and_nothing_behind_the_line_is_taken)
{
    begin_and_introduce(false);
    rig_say(primary, "\n\n");
    rig_turns(10);
    ck_assert_int_eq(answers, 0);
    rig_say(primary, "+FULLRESYNC " ID " 1234567890123\r\n$5\r\nhello");
    expect_answer(HANDSHAKE_FULL);
    ck_assert_str_eq(last.id, ID);
    ck_assert_uint_eq(last.offset, 1234567890123);
    char rest[16] = "";
    ck_assert_int_eq(recv(ours, rest, sizeof(rest), 0), 9);
    ck_assert_str_eq(rest, "$5\r\nhello");
}
END_TEST

START_TEST(answers_in_pieces)
{
    static const char line[] = "+FULLRESYNC " ID " 7\r\n";
    begin_and_introduce(true);
    for (size_t i = 0; i < sizeof(line) - 1; i++) {
        ck_assert_int_eq(answers, 0);
        rig_send(primary, line + i, 1);
        rig_turns(2);
    }
    expect_answer(HANDSHAKE_FULL);
    ck_assert_uint_eq(last.offset, 7);
}
END_TEST

START_TEST(the_rest_of_a_history)
{
    begin_and_introduce(true);
    rig_say(primary, "+CONTINUE\r\n*1\r\n$4\r\nPING\r\n");
    expect_answer(HANDSHAKE_CONTINUE);
    ck_assert_str_eq(last.id, "");
}
END_TEST

START_TEST(the_rest_of_a_history_with_a_new_name)
{
    begin_and_introduce(true);
    rig_say(primary, "+CONTINUE " ID "\r\n");
    expect_answer(HANDSHAKE_CONTINUE);
    ck_assert_str_eq(last.id, ID);
}
END_TEST

START_TEST(who_we_say_that_we_are)
{
    ck_assert_int_eq(rig_config_set("masteruser", "me"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("masterauth", "secret"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("replica-announce-port", "7777"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("replica-announce-ip", "10.1.2.3"), STATUS_OK);
    begin(false);
    rig_say(primary, "-NOAUTH Authentication required.\r\n");
    rig_expect(primary,
               "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
               "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n7777\r\n"
               "*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$8\r\n10.1.2.3\r\n" CAPABILITIES);
    rig_say(primary, "+OK\r\n-ERR what?\r\n-ERR what?\r\n-ERR what?\r\n");
    rig_expect(primary, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
}
END_TEST

START_TEST(a_wrong_password)
{
    ck_assert_int_eq(rig_config_set("masterauth", "secret"), STATUS_OK);
    begin(false);
    rig_say(primary, "+PONG\r\n");
    rig_expect(primary, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n" PORT_0 CAPABILITIES);
    rig_say(primary, "-WRONGPASS invalid\r\n-NOAUTH\r\n-NOAUTH\r\n");
    expect_failure("answers AUTH with '-WRONGPASS invalid'");
}
END_TEST

START_TEST(one_that_can_not_serve_us_now)
{
    begin_and_introduce(true);
    rig_say(primary, "\n-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    expect_failure("-NOMASTERLINK");
}
END_TEST

START_TEST(one_that_knows_sync_only)
{
    begin_and_introduce(true);
    rig_say(primary, "-ERR unknown command 'PSYNC'\r\n");
    rig_expect(primary, "*1\r\n$4\r\nSYNC\r\n");
    expect_answer(HANDSHAKE_OLD);
}
END_TEST

START_TEST(a_pong_that_is_none)
{
    static const char *const pongs[] = { "-LOADING\r\n",         "\r\n",
                                         "HTTP/1.1 400 Bad\r\n", "$4\r\n",
                                         "-MASTERDOWN\r\n",      "-ERR\x01\x7f\xff\r\n" };
    begin(false);
    rig_say(primary, pongs[_i]);
    expect_failure("answers PING with");
    for (const char *at = last.reason; *at; at++)
        ck_assert(*at >= ' ' && *at <= '~');
}
END_TEST

START_TEST(histories_that_are_none)
{
    static const char *const lines[] = {
        "+FULLRESYNC\r\n",
        "+FULLRESYNC " ID "\r\n",
        "+FULLRESYNC " ID " -1\r\n",
        "+FULLRESYNC " ID " 9223372036854775808\r\n",
        "+FULLRESYNC " ID "0 1\r\n",
        "+FULLRESYNC 0123 1\r\n",
        "+FULLRESYNC 0123456789abcdef\t\x7f-3456789ABCDEF01234567 1\r\n",
        "+CONTINUE 0123\r\n",
        "+OK\r\n",
        "$5\r\n",
        "-NOPERM no\r\n",
    };
    begin_and_introduce(true);
    rig_say(primary, lines[_i]);
    expect_failure("'");
}
END_TEST

START_TEST(a_continuation_of_nothing)
{
    begin_and_introduce(false);
    rig_say(primary, "+CONTINUE " ID "\r\n");
    expect_failure("no answer to what it was asked");
}
END_TEST

START_TEST(a_line_without_end)
{
    char part[100];
    memset(part, 'x', sizeof(part));
    begin_and_introduce(true);
    for (int i = 0; i < 20 && !answers; i++) {
        rig_send(primary, part, sizeof(part));
        rig_turns(3);
    }
    expect_failure("has no end");
}
END_TEST

START_TEST(the_connection_breaks)
{
    begin_and_introduce(true);
    rig_say(primary, "+CONTIN");
    shutdown(primary, SHUT_RDWR);
    expect_failure("closed the connection");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("handshake");
    TCase *good = tcase_create("good");
    tcase_add_checked_fixture(good, set_up, tear_down);
    tcase_add_test(good, all_data_and_nothing_behind_the_line_is_taken);
    tcase_add_test(good, answers_in_pieces);
    tcase_add_test(good, the_rest_of_a_history);
    tcase_add_test(good, the_rest_of_a_history_with_a_new_name);
    tcase_add_test(good, who_we_say_that_we_are);
    tcase_add_test(good, one_that_knows_sync_only);
    suite_add_tcase(suite, good);
    TCase *bad = tcase_create("bad");
    tcase_add_checked_fixture(bad, set_up, tear_down);
    tcase_add_test(bad, a_wrong_password);
    tcase_add_test(bad, one_that_can_not_serve_us_now);
    tcase_add_loop_test(bad, a_pong_that_is_none, 0, 6);
    tcase_add_loop_test(bad, histories_that_are_none, 0, 11);
    tcase_add_test(bad, a_continuation_of_nothing);
    tcase_add_test(bad, a_line_without_end);
    tcase_add_test(bad, the_connection_breaks);
    suite_add_tcase(suite, bad);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

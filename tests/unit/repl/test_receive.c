// SPDX-License-Identifier: BSD-3-Clause
// Tests of receiving a data set: frames in pieces of any size, what breaks off, what is hostile, what is refused.
#include "repl/receive.h"

#include "unit/repl/receive_fixture.h"

#define ROUNDS 100
#define FLIPS  2000

static struct keyspace theirs;
static struct bytes data_set;
static struct digest their_digest;
static struct digest our_digest;

static void set_up(void)
{
    rig_make(NULL);
    receive_register();
    rig_start();
    open_theirs(&theirs);
    add_string(&theirs, 0, "a", "1", EXPIRY_NONE);
    add_string(&theirs, 0, "text", "some text that is longer than the others", EXPIRY_NONE);
    add_string(&theirs, 0, "old", "theirs", EXPIRY_NONE);
    add_string(&theirs, 3, "over", "2", 1000);
    add_string(&theirs, 3, "later", "3", clock_wall_ms() + 3600000);
    write_data_set(&data_set, &theirs, 3);
    their_digest = digest_keyspace(&theirs);
    add_string(server->keyspace, 0, "old", "ours", EXPIRY_NONE);
    add_string(server->keyspace, 1, "older", "ours", EXPIRY_NONE);
    our_digest = digest_keyspace(server->keyspace);
}

static void tear_down(void)
{
    keyspace_release(&theirs);
    bytes_release(&data_set);
    receive_release();
    rig_stop();
}

static bool is_digest(const struct digest *digest)
{
    struct digest now = digest_keyspace(server->keyspace);
    return memcmp(now.bytes, digest->bytes, sizeof(now.bytes)) == 0;
}

static void become_ours_again(void)
{
    for (int i = 0; i < server->keyspace->db_count; i++)
        db_flush(&server->keyspace->dbs[i], REMOVED_NOW);
    add_string(server->keyspace, 0, "old", "ours", EXPIRY_NONE);
    add_string(server->keyspace, 1, "older", "ours", EXPIRY_NONE);
    ck_assert(is_digest(&our_digest));
}

static size_t unread_bytes(void)
{
    int bytes = 0;
    ck_assert_int_eq(ioctl(receive.fd, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

// The rest is lost, and nothing has changed.
static void expect_broken(void)
{
    primary.closes = true;
    ck_assert_int_eq(run_receive(true), RECEIVE_BROKEN);
    ck_assert(is_digest(&our_digest));
    hang_up();
}

START_TEST(frames_come_in_pieces)
{
    static const char stream[] = "*1\r\n$4\r\nPING\r\n";
    for (int i = 0; i < ROUNDS; i++) {
        bool marked = random_below(&receive_dice, 2);
        for (size_t n = random_below(&receive_dice, 4); n > 0; n--)
            say("\n");
        say_data_set(bytes_slice(&data_set), marked);
        // Behind a mark comes nothing before we have acknowledged.
        if (!marked)
            say(stream);
        primary.part = i % 5 == 0 ? 100000 : 0;
        ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
        ck_assert(is_digest(&their_digest));
        ck_assert_int_eq(receive.selected_db, 3);
        ck_assert_uint_eq(receive.total_bytes, marked ? 0 : data_set.len);
        size_t said = marked ? 0 : strlen(stream) - (primary.script.len - primary.at);
        ck_assert_uint_eq(unread_bytes(), said);
        hang_up();
        become_ours_again();
    }
}
END_TEST

START_TEST(a_byte_at_a_time)
{
    for (int marked = 0; marked < 2; marked++) {
        say_data_set(bytes_slice(&data_set), marked);
        primary.part = 1;
        ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
        ck_assert(is_digest(&their_digest));
        ck_assert_uint_eq(unread_bytes(), 0);
        hang_up();
    }
}
END_TEST

// A replica leaves it to its primary to say that a key's time has come.
START_TEST(what_has_expired_is_kept)
{
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    ck_assert_uint_eq(db_size(&server->keyspace->dbs[3]), 2);
    ck_assert_uint_eq(server->changes, 1);
    hang_up();
}
END_TEST

START_TEST(every_prefix_is_broken_off)
{
    for (int marked = 0; marked < 2; marked++) {
        say_data_set(bytes_slice(&data_set), marked);
        size_t whole = primary.script.len;
        bytes_clear(&primary.script);
        size_t used = mem_used();
        for (size_t len = 0; len < whole; len++) {
            say_data_set(bytes_slice(&data_set), marked);
            primary.script.len = len;
            primary.part = 100000;
            expect_broken();
        }
        reclaim_all(server->keyspace);
        ck_assert_uint_eq(mem_used(), used);
    }
}
END_TEST

START_TEST(any_byte_may_be_another)
{
    for (int i = 0; i < FLIPS; i++) {
        say_data_set(bytes_slice(&data_set), i % 2);
        size_t at = random_below(&receive_dice, primary.script.len);
        primary.script.data[at] ^= (char)(1 + random_below(&receive_dice, 255));
        primary.part = 100000;
        primary.closes = true;
        enum receive_result result = run_receive(true);
        ck_assert(result == RECEIVE_DONE || result == RECEIVE_BROKEN);
        ck_assert_msg(is_digest(result == RECEIVE_DONE ? &their_digest : &our_digest),
                      "byte %zu of %zu: result %d", at, primary.script.len, result);
        hang_up();
        if (result == RECEIVE_DONE)
            become_ours_again();
    }
}
END_TEST

START_TEST(headers_may_be_anything)
{
    static const char *const headers[] = {
        "\r\n",
        "-ERR no\r\n",
        "+CONTINUE\r\n",
        "*3\r\n",
        "$\r\n",
        "$-1\r\n",
        "$0\r\n",
        "$ 5\r\n",
        "$5x\r\n",
        "$99999999999999999999\r\n",
        "$9223372036854775807\r\n",
        "$EOF:\r\n",
        "$EOF:0123456789abcdefghijklmnopqrstuvwxyzABC\r\n",
        "$EOF:0123456789abcdefghijklmnopqrstuvwxyzABCDE\r\n",
        "\x00\xff\x80\r\n",
        "$5\r\nREDIS",
        "$9\r\nREDIS0099",
        "$9\r\nREDIS0011",
    };
    primary.part = 100000;
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
        say(headers[i]);
        bytes_append_slice(&primary.script, bytes_slice(&data_set));
        expect_broken();
    }
    // Without an end.
    for (int i = 0; i < 10000; i++)
        say("xxxxxxxxxx");
    expect_broken();
}
END_TEST

static void say_length(size_t len)
{
    bytes_printf(&primary.script, "$%zu\r\n", len);
    bytes_append_slice(&primary.script, bytes_slice(&data_set));
}

START_TEST(an_end_that_is_early_or_late)
{
    primary.part = 100000;
    say_length(data_set.len - 1);
    expect_broken();
    say_length(data_set.len + 3);
    say("abc");
    expect_broken();
    say_length(data_set.len + 200000);
    for (int i = 0; i < 20000; i++)
        say("abcdefghij");
    expect_broken();
    // Another mark, and something behind the right one.
    say("$EOF:" FIXTURE_MARK "\r\n");
    bytes_append_slice(&primary.script, bytes_slice(&data_set));
    say("0123456789abcdefghijklmnopqrstuvwxyzABCX");
    expect_broken();
    say_data_set(bytes_slice(&data_set), true);
    say("*");
    expect_broken();
}
END_TEST

// A stream in a database that we don't have could not be followed.
START_TEST(the_streams_database_must_exist)
{
    primary.part = 100000;
    static const int dbs[] = { 15, 0, -1, 16, 2147483647 };
    for (size_t i = 0; i < sizeof(dbs) / sizeof(*dbs); i++) {
        bytes_clear(&data_set);
        write_data_set(&data_set, &theirs, dbs[i]);
        say_data_set(bytes_slice(&data_set), true);
        if (dbs[i] > 15) {
            expect_broken();
            continue;
        }
        ck_assert_int_eq(run_receive(true), RECEIVE_DONE);
        ck_assert_int_eq(receive.selected_db, dbs[i] < 0 ? 0 : dbs[i]);
        hang_up();
        become_ours_again();
    }
}
END_TEST

// ---- an empty primary ---------------------------------------------------------------------------

static void say_empty(void)
{
    struct keyspace nothing;
    struct bytes empty = { 0 };
    open_theirs(&nothing);
    write_data_set(&empty, &nothing, 0);
    say_data_set(bytes_slice(&empty), true);
    bytes_release(&empty);
    keyspace_release(&nothing);
    primary.part = 100000;
}

START_TEST(an_empty_primary_is_refused)
{
    say_empty();
    ck_assert_int_eq(run_receive(false), RECEIVE_REFUSED);
    ck_assert(is_digest(&our_digest));
    hang_up();
}
END_TEST

START_TEST(unless_somebody_wants_it)
{
    say_empty();
    ck_assert_int_eq(run_receive(true), RECEIVE_DONE);
    ck_assert(!has_key(0, "old"));
    hang_up();
    become_ours_again();
    ck_assert_int_eq(rig_config_set("replica-refuse-empty-primary", "no"), STATUS_OK);
    say_empty();
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    ck_assert(!has_key(0, "old"));
    hang_up();
}
END_TEST

START_TEST(or_there_is_nothing_to_lose)
{
    for (int i = 0; i < server->keyspace->db_count; i++)
        db_flush(&server->keyspace->dbs[i], REMOVED_NOW);
    say_empty();
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    hang_up();
}
END_TEST

// ---- breaking it off ----------------------------------------------------------------------------

static bool stop_receiving(void)
{
    receive_stop(&receive);
    return false;
}

START_TEST(it_can_be_stopped_anywhere)
{
    say_data_set(bytes_slice(&data_set), true);
    size_t whole = primary.script.len;
    bytes_clear(&primary.script);
    primary.part = 7;
    for (size_t at = 0; at < whole; at += 5) {
        say_data_set(bytes_slice(&data_set), true);
        primary.hold_at = at;
        primary.held = stop_receiving;
        ck_assert_int_eq(run_receive(true), RECEIVE_STOPPED);
        ck_assert(is_digest(&our_digest));
        hang_up();
    }
}
END_TEST

static bool for_ever(void)
{
    return false;
}

START_TEST(a_silent_primary_is_left)
{
    ck_assert_int_eq(rig_config_set("repl-timeout", "1"), STATUS_OK);
    say_data_set(bytes_slice(&data_set), true);
    primary.hold_at = 100;
    primary.held = for_ever;
    ck_assert_int_eq(run_receive(true), RECEIVE_BROKEN);
    ck_assert(is_digest(&our_digest));
    hang_up();
}
END_TEST

static uint64_t held_since_us;

// For longer than repl-timeout; while nothing is announced yet, newlines are enough.
static bool say_newlines_for_long(void)
{
    uint64_t now_us = clock_mono_us_now();
    held_since_us = held_since_us ? held_since_us : now_us;
    ck_assert_int_eq(send(primary.fd, "\n", 1, MSG_NOSIGNAL), 1);
    return now_us - held_since_us > 1300000;
}

START_TEST(newlines_keep_it_waiting)
{
    ck_assert_int_eq(rig_config_set("repl-timeout", "1"), STATUS_OK);
    held_since_us = 0;
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    primary.hold_at = 0;
    primary.held = say_newlines_for_long;
    ck_assert_int_eq(run_receive(true), RECEIVE_DONE);
    ck_assert(is_digest(&their_digest));
    // It has not been announced for long.
    char byte;
    ck_assert_int_eq(recv(primary.fd, &byte, 1, 0), -1);
    hang_up();
}
END_TEST

static bool until_it_has_heard_from_us(void)
{
    char byte;
    if (recv(primary.fd, &byte, 1, 0) != 1)
        return false;
    ck_assert_int_eq(byte, '\n');
    return true;
}

START_TEST(the_primary_hears_from_us)
{
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    primary.hold_at = 100;
    primary.held = until_it_has_heard_from_us;
    ck_assert_int_eq(run_receive(true), RECEIVE_DONE);
    ck_assert(is_digest(&their_digest));
    hang_up();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("receive");
    TCase *frames = tcase_create("frames");
    tcase_add_checked_fixture(frames, set_up, tear_down);
    tcase_set_timeout(frames, 60);
    tcase_add_test(frames, frames_come_in_pieces);
    tcase_add_test(frames, a_byte_at_a_time);
    tcase_add_test(frames, what_has_expired_is_kept);
    tcase_add_test(frames, every_prefix_is_broken_off);
    tcase_add_test(frames, any_byte_may_be_another);
    tcase_add_test(frames, headers_may_be_anything);
    tcase_add_test(frames, an_end_that_is_early_or_late);
    tcase_add_test(frames, the_streams_database_must_exist);
    suite_add_tcase(suite, frames);

    TCase *empty = tcase_create("an empty primary");
    tcase_add_checked_fixture(empty, set_up, tear_down);
    tcase_add_test(empty, an_empty_primary_is_refused);
    tcase_add_test(empty, unless_somebody_wants_it);
    tcase_add_test(empty, or_there_is_nothing_to_lose);
    suite_add_tcase(suite, empty);

    TCase *ends = tcase_create("breaking it off");
    tcase_add_checked_fixture(ends, set_up, tear_down);
    tcase_set_timeout(ends, 30);
    tcase_add_test(ends, it_can_be_stopped_anywhere);
    tcase_add_test(ends, a_silent_primary_is_left);
    tcase_add_test(ends, newlines_keep_it_waiting);
    tcase_add_test(ends, the_primary_hears_from_us);
    suite_add_tcase(suite, ends);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

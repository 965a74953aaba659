// SPDX-License-Identifier: BSD-3-Clause
// Tests of clients whose commands wait: at a gate that holds, behind a barrier, and held by a handler.
#include "rig.h"
#include "server/batch.h"
#include "server/ctx.h"
#include "server/pause.h"
#include "support/unit.h"

// The client that HOLD has held last.
static struct client *held;

// SAY text
static void cmd_say(struct cmd_ctx *ctx)
{
    resp_bulk_slice(&ctx->reply, ctx->argv[1]);
}

// STORE text
static void cmd_store(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)ctx->argv[1].len);
}

// HOLD
static void cmd_hold(struct cmd_ctx *ctx)
{
    held = ctx->client;
    batch_hold(ctx->server->batch, ctx->client);
}

static const struct command commands[] = {
    { .name = "say", .arity = 2, .handler = cmd_say },
    { .name = "store", .arity = 2, .flags = CMD_WRITE, .handler = cmd_store },
    { .name = "hold", .arity = 1, .flags = CMD_BLOCKING, .handler = cmd_hold },
    { 0 },
};

static void set_up(void)
{
    held = NULL;
    rig_make(commands);
    rig_start();
}

static void pause_writes(void)
{
    pause_begin(server->pause, PAUSE_CLIENT_COMMAND, clock_wall_ms() + 3600000, false);
}

static void wake(void)
{
    pause_end(server->pause, PAUSE_CLIENT_COMMAND);
}

START_TEST(writes_wait_and_reads_do_not)
{
    int writer = rig_connect();
    int reader = rig_connect();
    pause_writes();
    rig_say(writer, "say 1\r\nstore abc\r\nsay 2\r\n");
    rig_expect(writer, "$1\r\n1\r\n");
    rig_expect_silence(writer);
    ck_assert_uint_eq(server->clients->held, 1);
    rig_ask(reader, "say 3\r\n", "$1\r\n3\r\n");
    wake();
    rig_expect(writer, ":3\r\n$1\r\n2\r\n");
    ck_assert_uint_eq(server->clients->held, 0);
    ck_assert(rig_loop_sleeps());
}
END_TEST

START_TEST(a_pause_ends_by_itself)
{
    int writer = rig_connect();
    pause_writes();
    rig_say(writer, "store abc\r\n");
    rig_expect_silence(writer);
    clock_shift_ms(3600000);
    // It is cron that looks at the clock.
    for (int i = 0; i < 1000 && server->clients->held; i++) {
        usleep(5000);
        rig_turn();
    }
    rig_expect(writer, ":3\r\n");
    clock_shift_ms(-3600000);
}
END_TEST

START_TEST(quotes_of_an_inline_command_are_read_once)
{
    int writer = rig_connect();
    pause_writes();
    // The backslashes would mean something else in a second reading.
    rig_say(writer, "store \"a\\\\x41 \\\"\"\r\nsay \"\\x41\"\r\nsay \"b");
    rig_expect_silence(writer);
    rig_say(writer, "\"\r\n");
    rig_expect_silence(writer);
    wake();
    rig_expect(writer, ":7\r\n$1\r\nA\r\n$1\r\nb\r\n");
}
END_TEST

START_TEST(large_arguments_wait_where_they_are)
{
    enum { LARGE = 100000 };
    char *large = mem_alloc(LARGE);
    memset(large, 'x', LARGE);
    int writer = rig_connect();
    rig_say(writer, "*2\r\n$5\r\nSTORE\r\n$100000\r\n");
    rig_turns(3);
    pause_writes();
    rig_send(writer, large, LARGE);
    rig_say(writer, "\r\nsay 1\r\n");
    rig_expect_silence(writer);
    ck_assert_uint_eq(server->clients->held, 1);
    wake();
    rig_expect(writer, ":100000\r\n$1\r\n1\r\n");
    mem_free(large, LARGE);
}
END_TEST

START_TEST(one_that_waits_may_go_away)
{
    int writer = rig_connect();
    pause_writes();
    rig_say(writer, "store abc\r\n");
    rig_expect_silence(writer);
    rig_disconnect(writer);
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(server->clients->held, 0);
    wake();
    rig_turns(3);
}
END_TEST

START_TEST(what_a_held_client_sends_is_bounded)
{
    enum { PIECE = 65536 };
    char *piece = mem_alloc(PIECE);
    memset(piece, '\n', PIECE);
    int writer = rig_connect();
    pause_writes();
    rig_say(writer, "store abc\r\n");
    rig_turns(3);
    ssize_t sent;
    size_t total = 0;
    do {
        sent = send(writer, piece, PIECE, MSG_NOSIGNAL);
        total += sent > 0 ? (size_t)sent : 0;
        rig_turns(20);
        ck_assert_uint_lt(total, 64u << 20);
    } while (sent > 0);
    ck_assert_uint_le(rig_last_client()->input.own.len, 3u << 20);
    ck_assert(rig_loop_sleeps());
    wake();
    rig_expect(writer, ":3\r\n");
    rig_ask(writer, "say 1\r\n", "$1\r\n1\r\n");
    mem_free(piece, PIECE);
}
END_TEST

START_TEST(a_handler_holds_its_client)
{
    int fd = rig_connect();
    int other = rig_connect();
    rig_say(fd, "say 1\r\nhold\r\nsay 2\r\nhold\r\nsay 3\r\n");
    rig_say(other, "say 4\r\nsay 5\r\n");
    rig_expect(fd, "$1\r\n1\r\n");
    rig_expect(other, "$1\r\n4\r\n$1\r\n5\r\n");
    rig_expect_silence(fd);
    rig_say(fd, "say 6\r\n");
    rig_expect_silence(fd);
    batch_resume(server->batch, held);
    rig_expect(fd, "$1\r\n2\r\n");
    rig_expect_silence(fd);
    batch_resume(server->batch, held);
    rig_expect(fd, "$1\r\n3\r\n$1\r\n6\r\n");
}
END_TEST

START_TEST(a_held_client_that_has_sent_nothing_more)
{
    int fd = rig_connect();
    rig_say(fd, "hold\r\n");
    rig_turns(3);
    ck_assert(rig_loop_sleeps());
    rig_say(fd, "say 1\r\n");
    rig_expect_silence(fd);
    batch_resume(server->batch, held);
    rig_expect(fd, "$1\r\n1\r\n");
    rig_ask(fd, "hold\r\n", "");
    rig_turns(3);
    rig_disconnect(fd);
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(server->clients->held, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("batch_hold");
    TCase *cases = tcase_create("hold");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, rig_stop);
    tcase_add_test(cases, writes_wait_and_reads_do_not);
    tcase_add_test(cases, a_pause_ends_by_itself);
    tcase_add_test(cases, quotes_of_an_inline_command_are_read_once);
    tcase_add_test(cases, large_arguments_wait_where_they_are);
    tcase_add_test(cases, one_that_waits_may_go_away);
    tcase_add_test(cases, what_a_held_client_sends_is_bounded);
    tcase_add_test(cases, a_handler_holds_its_client);
    tcase_add_test(cases, a_held_client_that_has_sent_nothing_more);
    suite_add_tcase(suite, cases);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

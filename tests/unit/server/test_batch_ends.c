// SPDX-License-Identifier: BSD-3-Clause
// Tests of the batch where clients get in each other's way: fairness, closing, protocol errors,
// authentication, a full arena, limits.
#include "rig.h"
#include "server/batch.h"
#include "server/ctx.h"
#include "support/unit.h"

// An inline command and how many of it fill one read: more than one turn runs of one client.
#define SHORT_REQUEST "say x\r\n"
#define SHORT_REPLY   "$1\r\nx\r\n"
#define SHORT_COUNT   2300

// Commands that were run, of all clients.
static unsigned ran;

// SAY text
static void cmd_say(struct cmd_ctx *ctx)
{
    ran++;
    resp_bulk_slice(&ctx->reply, ctx->argv[1]);
}

// KILL client-id
static void cmd_kill(struct cmd_ctx *ctx)
{
    int64_t id;
    ran++;
    if (!arg_int64(ctx, 1, &id))
        return;
    struct client *client = clients_find(server->clients, (uint64_t)id);
    if (client)
        client_close(client);
    reply_int(ctx, client != NULL);
}

// BYE
static void cmd_bye(struct cmd_ctx *ctx)
{
    ran++;
    reply_ok(ctx);
    client_close_after_reply(ctx->client);
}

// LOGIN
static void cmd_login(struct cmd_ctx *ctx)
{
    ran++;
    client_set_authenticated(ctx->client, true);
    reply_ok(ctx);
}

// COUNT argument...
static void cmd_count(struct cmd_ctx *ctx)
{
    ran++;
    reply_int(ctx, ctx->argc - 1);
}

// TURN: which one it is.
static void cmd_turn(struct cmd_ctx *ctx)
{
    reply_int(ctx, ++ran);
}

static const struct command commands[] = {
    { .name = "turn", .arity = 1, .handler = cmd_turn },
    { .name = "say", .arity = 2, .handler = cmd_say },
    { .name = "kill", .arity = 2, .handler = cmd_kill },
    { .name = "bye", .arity = 1, .handler = cmd_bye },
    { .name = "login", .arity = 1, .flags = CMD_NO_AUTH, .handler = cmd_login },
    { .name = "count", .arity = -1, .handler = cmd_count },
    { 0 },
};

static void set_up(void)
{
    ran = 0;
    rig_make(commands);
    rig_start();
}

static void say_often(int fd, int count)
{
    struct bytes requests = { 0 };
    for (int i = 0; i < count; i++)
        bytes_append_text(&requests, SHORT_REQUEST);
    rig_send(fd, requests.data, requests.len);
    bytes_release(&requests);
}

static void expect_often(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        char got[sizeof(SHORT_REPLY)] = "";
        rig_receive(fd, got, sizeof(got) - 1);
        EXPECT(strcmp(got, SHORT_REPLY) == 0);
    }
}

static void kill_text(char out[32], uint64_t id)
{
    snprintf(out, 32, "kill %llu\r\n", (unsigned long long)id);
}

// ---- fairness -----------------------------------------------------------------------------------

START_TEST(a_long_pipeline_does_not_hold_up_others)
{
    int greedy = rig_connect();
    int modest = rig_connect();
    say_often(greedy, SHORT_COUNT);
    rig_say(modest, "say me\r\n");
    rig_turn();
    ck_assert_uint_lt(ran, SHORT_COUNT);
    rig_turn();
    char got[16] = "";
    ck_assert_int_eq(recv(modest, got, sizeof(got), 0), 8);
    ck_assert_str_eq(got, "$2\r\nme\r\n");
    expect_often(greedy, SHORT_COUNT);
    rig_expect_silence(greedy);
}
END_TEST

// What is left over is run although nothing more arrives.
START_TEST(a_client_that_had_its_turn_goes_on_by_itself)
{
    int fd = rig_connect();
    say_often(fd, SHORT_COUNT);
    ck_assert(rig_loop_sleeps());
    ck_assert_uint_eq(ran, SHORT_COUNT);
    expect_often(fd, SHORT_COUNT);
}
END_TEST

// With input left over, and then gone: there is nothing to stay awake for.
START_TEST(the_loop_sleeps_when_a_client_with_more_to_run_is_gone)
{
    int fd = rig_connect();
    say_often(fd, SHORT_COUNT);
    rig_turn();
    ck_assert_uint_lt(ran, SHORT_COUNT);
    // Its replies can't be sent: the server finds it gone.
    rig_disconnect(fd);
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert(rig_loop_sleeps());
}
END_TEST

START_TEST(the_loop_sleeps_when_a_client_with_more_to_run_is_killed)
{
    char text[32];
    int killer = rig_connect();
    int fd = rig_connect();
    kill_text(text, rig_last_client()->id);
    say_often(fd, SHORT_COUNT);
    rig_say(killer, text);
    rig_turn();
    ck_assert_uint_lt(ran, SHORT_COUNT);
    rig_expect(killer, ":1\r\n");
    rig_expect_closed(fd);
    ck_assert(rig_loop_sleeps());
}
END_TEST

// ---- closing ------------------------------------------------------------------------------------

START_TEST(a_killed_client_runs_no_more)
{
    char text[32];
    int victim = rig_connect();
    kill_text(text, rig_last_client()->id);
    int killer = rig_connect();
    say_often(victim, 1000);
    rig_say(killer, text);
    rig_expect(killer, ":1\r\n");
    ck_assert_uint_lt(ran, 1001);
    unsigned before = ran;
    rig_turns(5);
    ck_assert_uint_eq(ran, before);
    rig_expect_closed(victim);
    ck_assert_uint_eq(server->clients->count, 1);
    rig_ask(killer, text, ":0\r\n");
}
END_TEST

START_TEST(a_client_may_kill_itself)
{
    char text[64];
    int fd = rig_connect();
    snprintf(text, sizeof(text), "say 1\r\nkill %llu\r\nsay 2\r\n",
             (unsigned long long)rig_last_client()->id);
    rig_say(fd, text);
    rig_expect_closed(fd);
    ck_assert_uint_eq(ran, 2);
}
END_TEST

START_TEST(a_client_with_half_a_command_may_be_killed)
{
    char text[32];
    int victim = rig_connect();
    kill_text(text, rig_last_client()->id);
    int killer = rig_connect();
    rig_say(victim, "*5\r\n$5\r\ncount\r\n$3\r\none\r\n$9\r\nha");
    rig_turns(3);
    rig_ask(killer, text, ":1\r\n");
    rig_expect_closed(victim);
}
END_TEST

START_TEST(commands_behind_a_farewell_are_not_run)
{
    int fd = rig_connect();
    rig_ask(fd, "say 1\r\nbye\r\nsay 2\r\n", "$1\r\n1\r\n+OK\r\n");
    rig_expect_closed(fd);
    ck_assert_uint_eq(ran, 2);
}
END_TEST

START_TEST(a_client_that_hangs_up)
{
    int fd = rig_connect();
    rig_ask(fd, "say 1\r\n", "$1\r\n1\r\n");
    ck_assert_uint_eq(server->clients->count, 1);
    rig_say(fd, "say 2\r\nsay hal");
    rig_disconnect(fd);
    rig_turns(5);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(ran, 2);
    ck_assert(rig_loop_sleeps());
}
END_TEST

// One that sends its last command and the end at once still gets its replies.
START_TEST(a_client_that_only_listens_any_more)
{
    int fd = rig_connect();
    rig_say(fd, "say 1\r\nsay 2\r\n");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    rig_expect(fd, "$1\r\n1\r\n$1\r\n2\r\n");
    rig_expect_closed(fd);
}
END_TEST

// ---- protocol errors ----------------------------------------------------------------------------

START_TEST(a_protocol_error_ends_the_connection)
{
    int fd = rig_connect();
    rig_say(fd, "say 1\r\n*x\r\nsay 2\r\n");
    rig_expect(fd, "$1\r\n1\r\n-ERR Protocol error: invalid multibulk length\r\n");
    rig_expect_closed(fd);
    ck_assert_uint_eq(ran, 1);
}
END_TEST

START_TEST(each_client_is_told_its_own_error)
{
    int one = rig_connect();
    int two = rig_connect();
    rig_say(one, "*1\r\nX1\r\n");
    rig_say(two, "*1\r\nY1\r\n");
    rig_expect(one, "-ERR Protocol error: expected '$', got 'X'\r\n");
    rig_expect(two, "-ERR Protocol error: expected '$', got 'Y'\r\n");
    rig_expect_closed(one);
    rig_expect_closed(two);
}
END_TEST

// ---- authentication -----------------------------------------------------------------------------

START_TEST(an_unauthenticated_client_is_refused)
{
    ck_assert_int_eq(rig_config_set("requirepass", "secret"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "say 1\r\nlogin\r\nsay 2\r\n",
            "-NOAUTH Authentication required.\r\n+OK\r\n$1\r\n2\r\n");
    ck_assert_uint_eq(ran, 2);
}
END_TEST

START_TEST(limits_before_authentication)
{
    ck_assert_int_eq(rig_config_set("requirepass", "secret"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
    rig_expect_closed(fd);
    fd = rig_connect();
    rig_ask(fd, "*2\r\n$3\r\nsay\r\n$16385\r\n",
            "-ERR Protocol error: unauthenticated bulk length\r\n");
    rig_expect_closed(fd);
    // Who has just logged in has other limits, from the next command of the same pipeline on.
    fd = rig_connect();
    rig_say(fd, "*1\r\n$5\r\nlogin\r\n*12\r\n$5\r\ncount\r\n");
    for (int i = 0; i < 11; i++)
        rig_say(fd, "$1\r\na\r\n");
    rig_expect(fd, "+OK\r\n:11\r\n");
}
END_TEST

START_TEST(many_unauthenticated_clients_at_once)
{
    enum { CLIENTS = 100 };
    int fds[CLIENTS];
    ck_assert_int_eq(rig_config_set("requirepass", "secret"), STATUS_OK);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect();
        rig_say(fds[i], "say 1\r\nsay 2\r\nlogin\r\nsay 3\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        rig_expect(fds[i], "-NOAUTH Authentication required.\r\n-NOAUTH Authentication "
                           "required.\r\n+OK\r\n$1\r\n3\r\n");
        rig_expect_silence(fds[i]);
    }
}
END_TEST

// Nobody needs what is not there: who came while there was a password must not be locked out.
START_TEST(a_password_that_is_taken_away)
{
    ck_assert_int_eq(rig_config_set("requirepass", "secret"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "say 1\r\n", "-NOAUTH Authentication required.\r\n");
    ck_assert_int_eq(rig_config_set("requirepass", ""), STATUS_OK);
    rig_ask(fd, "say 1\r\n", "$1\r\n1\r\n");
}
END_TEST

// ---- much input ---------------------------------------------------------------------------------

// More than the arena holds arrives in one turn, and each read ends within a command.
START_TEST(more_input_than_the_arena_holds)
{
    enum { CLIENTS = 90, REQUESTS = 400 };
    static struct bytes requests[CLIENTS];
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect();
        for (int k = 0; k < REQUESTS; k++)
            bytes_printf(&requests[i],
                         "*2\r\n$3\r\nsay\r\n$35\r\n%05d-%05d-abcdefghijklmnopqrstuvw\r\n", i, k);
        // The test's socket takes this much without the server's reading.
        ck_assert_int_eq(send(fds[i], requests[i].data, requests[i].len, 0),
                         (ssize_t)requests[i].len);
    }
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < REQUESTS; k++) {
            char want[64];
            char got[64] = "";
            int len = snprintf(want, sizeof(want), "$35\r\n%05d-%05d-abcdefghijklmnopqrstuvw\r\n",
                               i, k);
            rig_receive(fds[i], got, (size_t)len);
            EXPECT(strcmp(got, want) == 0);
        }
        bytes_release(&requests[i]);
    }
    ck_assert_uint_eq(ran, CLIENTS * REQUESTS);
}
END_TEST

START_TEST(a_request_beyond_the_query_buffer_limit)
{
    char piece[1000];
    ck_assert_int_eq(rig_config_set("client-query-buffer-limit", "1mb"), STATUS_OK);
    int other = rig_connect();
    int fd = rig_connect();
    memset(piece, 'a', sizeof(piece));
    rig_say(fd, "*100000\r\n$5\r\ncount\r\n");
    size_t sent = 0;
    while (server->clients->count == 2 && sent < 3u << 20) {
        char head[16];
        snprintf(head, sizeof(head), "$%zu\r\n", sizeof(piece));
        if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0)
            break;
        if (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) < 0 ||
            send(fd, "\r\n", 2, MSG_NOSIGNAL) < 0)
            break;
        sent += sizeof(piece);
        rig_turn();
    }
    ck_assert_uint_lt(sent, 1200000);
    ck_assert_uint_gt(sent, 1000000);
    ck_assert_uint_eq(server->stats.query_limit_disconnections, 1);
    rig_expect_closed(fd);
    rig_ask(other, "say fine\r\n", "$4\r\nfine\r\n");
}
END_TEST

START_TEST(an_idle_client_costs_little)
{
    enum { CLIENTS = 200 };
    int first = rig_connect();
    rig_ask(first, "say 1\r\n", "$1\r\n1\r\n");
    size_t before = mem_used();
    for (int i = 0; i < CLIENTS; i++) {
        int fd = rig_connect();
        say_often(fd, 3);
        expect_often(fd, 3);
    }
    rig_turns(2);
    ck_assert_uint_lt((mem_used() - before) / CLIENTS, 1000);
}
END_TEST

START_TEST(clients_are_served_in_the_order_of_arrival)
{
    enum { CLIENTS = 8 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = rig_connect();
    rig_turns(3);
    for (int round = 0; round < 3; round++) {
        // All of it waits for one turn of the loop.
        for (int i = 0; i < CLIENTS; i++)
            rig_say(fds[(i * 3 + round) % CLIENTS], "turn\r\n");
        for (int i = 0; i < CLIENTS; i++) {
            char want[16];
            snprintf(want, sizeof(want), ":%d\r\n", round * CLIENTS + i + 1);
            rig_expect(fds[(i * 3 + round) % CLIENTS], want);
        }
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("batch: clients in each other's way");
    TCase *fairness = tcase_create("fairness");
    tcase_add_checked_fixture(fairness, set_up, rig_stop);
    tcase_set_timeout(fairness, 60);
    tcase_add_test(fairness, clients_are_served_in_the_order_of_arrival);
    tcase_add_test(fairness, a_long_pipeline_does_not_hold_up_others);
    tcase_add_test(fairness, a_client_that_had_its_turn_goes_on_by_itself);
    tcase_add_test(fairness, the_loop_sleeps_when_a_client_with_more_to_run_is_gone);
    tcase_add_test(fairness, the_loop_sleeps_when_a_client_with_more_to_run_is_killed);
    suite_add_tcase(suite, fairness);

    TCase *closing = tcase_create("closing");
    tcase_add_checked_fixture(closing, set_up, rig_stop);
    tcase_set_timeout(closing, 60);
    tcase_add_test(closing, a_killed_client_runs_no_more);
    tcase_add_test(closing, a_client_may_kill_itself);
    tcase_add_test(closing, a_client_with_half_a_command_may_be_killed);
    tcase_add_test(closing, commands_behind_a_farewell_are_not_run);
    tcase_add_test(closing, a_client_that_hangs_up);
    tcase_add_test(closing, a_client_that_only_listens_any_more);
    tcase_add_test(closing, a_protocol_error_ends_the_connection);
    tcase_add_test(closing, each_client_is_told_its_own_error);
    suite_add_tcase(suite, closing);

    TCase *limits = tcase_create("authentication and limits");
    tcase_add_checked_fixture(limits, set_up, rig_stop);
    tcase_set_timeout(limits, 60);
    tcase_add_test(limits, an_unauthenticated_client_is_refused);
    tcase_add_test(limits, limits_before_authentication);
    tcase_add_test(limits, many_unauthenticated_clients_at_once);
    tcase_add_test(limits, a_password_that_is_taken_away);
    tcase_add_test(limits, more_input_than_the_arena_holds);
    tcase_add_test(limits, a_request_beyond_the_query_buffer_limit);
    tcase_add_test(limits, an_idle_client_costs_little);
    suite_add_tcase(suite, limits);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of clients: who is let in, what they may leave unread, how they are described.
#include "server/client.h"

#include "rig.h"
#include "server/ctx.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <regex.h>

// BIG length: a reply of so many bytes.
static void cmd_big(struct cmd_ctx *ctx)
{
    int64_t len;
    if (!arg_int64(ctx, 1, &len))
        return;
    char *value = mem_alloc_zeroed((size_t)len + 1);
    resp_bulk(&ctx->reply, value, (size_t)len);
    mem_free(value, (size_t)len + 1);
}

static const struct command commands[] = {
    { .name = "big", .arity = 2, .handler = cmd_big },
    { 0 },
};

static void set_up(void)
{
    rig_make(commands);
    rig_start();
}

// ---- letting in ---------------------------------------------------------------------------------

START_TEST(too_many_clients)
{
    ck_assert_int_eq(rig_config_set("maxclients", "3"), STATUS_OK);
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = rig_connect();
    for (int i = 0; i < 2; i++) {
        int fd = rig_connect();
        rig_expect(fd, "-ERR max number of clients reached\r\n");
        rig_expect_closed(fd);
    }
    ck_assert_uint_eq(server->clients->count, 3);
    ck_assert_uint_eq(server->stats.rejected_connections, 2);
    ck_assert_uint_eq(server->stats.connections, 3);
    for (int i = 0; i < 3; i++)
        rig_ask(fds[i], "big 0\r\n", "$0\r\n\r\n");
    rig_disconnect(fds[1]);
    rig_turns(2);
    int fd = rig_connect();
    rig_ask(fd, "big 1\r\n", "$1\r\n");
    // Fewer than there are: nobody is thrown out.
    ck_assert_int_eq(rig_config_set("maxclients", "1"), STATUS_OK);
    rig_turns(2);
    ck_assert_uint_eq(server->clients->count, 3);
}
END_TEST

// A TCP connection whose peer's address can't be had any more, and so is not one of this machine.
static int stranger(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, len), 0);
    int fd = accept(listening, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    const struct linger reset = { .l_onoff = 1 };
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(peer);
    close(listening);
    return fd;
}

START_TEST(protected_mode_refuses_strangers)
{
    signal(SIGPIPE, SIG_IGN);
    clients_accept(server->clients, stranger(), false);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(server->stats.rejected_connections, 1);
    // A password is protection enough; without either, everybody is let in.
    ck_assert_int_eq(rig_config_set("requirepass", "secret"), STATUS_OK);
    clients_accept(server->clients, stranger(), false);
    ck_assert_uint_eq(server->clients->count, 1);
    ck_assert_int_eq(rig_config_set("requirepass", ""), STATUS_OK);
    clients_accept(server->clients, stranger(), false);
    ck_assert_uint_eq(server->clients->count, 1);
    ck_assert_int_eq(rig_config_set("protected-mode", "no"), STATUS_OK);
    clients_accept(server->clients, stranger(), false);
    ck_assert_uint_eq(server->clients->count, 2);
    rig_connect();
    ck_assert_uint_eq(server->clients->count, 3);
}
END_TEST

START_TEST(clients_are_found_by_id)
{
    rig_connect();
    uint64_t first = rig_last_client()->id;
    rig_connect();
    const struct client *second = rig_last_client();
    ck_assert_uint_gt(second->id, first);
    ck_assert_ptr_eq(clients_find(server->clients, second->id), second);
    ck_assert_uint_eq(clients_find(server->clients, first)->id, first);
    ck_assert_ptr_null(clients_find(server->clients, second->id + 1));
    ck_assert_ptr_null(clients_find(server->clients, 0));
}
END_TEST

// ---- output -------------------------------------------------------------------------------------

START_TEST(a_slow_reader_gets_everything)
{
    enum { BYTES = 3000000 };
    static char got[BYTES];
    int fd = rig_connect();
    rig_ask(fd, "big 3000000\r\n", "$3000000\r\n");
    rig_receive(fd, got, sizeof(got));
    rig_ask(fd, "big 1\r\n", "\r\n$1\r\n");
    ck_assert_uint_ge(server->stats.net_output_bytes, BYTES);
}
END_TEST

START_TEST(output_beyond_the_hard_limit)
{
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "normal 100000 0 0"), STATUS_OK);
    int other = rig_connect();
    int fd = rig_connect();
    rig_ask(fd, "big 50000\r\n", "$50000\r\n");
    rig_say(fd, "big 200000\r\n");
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 1);
    ck_assert_uint_eq(server->stats.output_limit_disconnections, 1);
    rig_ask(other, "big 0\r\n", "$0\r\n\r\n");
}
END_TEST

START_TEST(output_beyond_the_soft_limit)
{
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "normal 0 100000 1000"),
                     STATUS_OK);
    int fd = rig_connect();
    rig_say(fd, "big 1000000\r\n");
    rig_turns(3);
    // Its time is not over.
    ck_assert_uint_eq(server->clients->count, 1);
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "normal 0 100000 0"), STATUS_OK);
    rig_say(fd, "big 1\r\n");
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(server->stats.output_limit_disconnections, 1);
}
END_TEST

START_TEST(a_reader_that_is_cut_off_while_others_wait)
{
    enum { CLIENTS = 20 };
    int fds[CLIENTS];
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "normal 1000 0 0"), STATUS_OK);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect();
        rig_say(fds[i], i % 2 ? "big 5\r\nbig 6000\r\nbig 7\r\n" : "big 1\r\nbig 2\r\n");
    }
    rig_turns(5);
    ck_assert_uint_eq(server->clients->count, CLIENTS / 2);
    for (int i = 1; i < CLIENTS; i += 2)
        rig_expect_closed(fds[i]);
    for (int i = 0; i < CLIENTS; i += 2) {
        char got[16];
        rig_receive(fds[i], got, 15);
        ck_assert_mem_eq(got, "$1\r\n\0\r\n$2\r\n\0\0\r\n", 15);
    }
}
END_TEST

START_TEST(limits_that_make_no_sense)
{
    static const char *const bad[] = { "normal",        "normal 0 0",    "normal 0 0 0 slave",
                                       "nobody 0 0 0",  "normal x 0 0",  "normal 0 -1 0",
                                       "normal 0 0 -1", "normal 0 0 1.5" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(rig_config_set("client-output-buffer-limit", bad[i]) == STATUS_INVALID,
                      "accepted: '%s'", bad[i]);
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "replica 1kb 2kb 3"), STATUS_OK);
    const struct output_limit *limit = &server->clients->config.output_limits[CLIENT_REPLICA_CLASS];
    ck_assert_uint_eq(limit->hard_bytes, 1024);
    ck_assert_uint_eq(limit->soft_bytes, 2048);
    ck_assert_uint_eq(limit->soft_s, 3);
}
END_TEST

// ---- description --------------------------------------------------------------------------------

static void expect_like(const struct bytes *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, text->data, 0, NULL, 0) == 0, "\"%s\" is not like %s", text->data,
                  pattern);
    regfree(&regex);
}

START_TEST(the_line_of_a_client)
{
    int fd = rig_connect();
    rig_ask(fd, "big 0\r\n", "$0\r\n\r\n");
    struct client *client = rig_last_client();
    client_set_text(&client->name, SLICE("worker"));
    client_set_text(&client->lib_name, SLICE("hiredis"));
    client_set_text(&client->lib_ver, SLICE("1.1.0"));
    struct bytes text = { 0 };
    client_describe(client, &text);
    bytes_append_char(&text, '\0');
    expect_like(&text, "^id=[0-9]+ addr=[^ ]*:0 laddr=[^ ]*:0 fd=[0-9]+ name=worker age=[0-9]+ "
                       "idle=[0-9]+ flags=U db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 "
                       "argv-mem=[0-9]+ multi-mem=0 rbs=[0-9]+ rbp=[0-9]+ obl=0 oll=0 omem=0 "
                       "tot-mem=[0-9]+ events=r cmd=big user=default redir=-1 resp=2 "
                       "lib-name=hiredis lib-ver=1.1.0$");
    // What it sent and has not been run yet.
    rig_say(fd, "*2\r\n$3\r\nbig\r\n$5\r\n1");
    rig_turns(2);
    bytes_clear(&text);
    client_describe(client, &text);
    bytes_append_char(&text, '\0');
    expect_like(&text, " qbuf=18 qbuf-free=[0-9]+ ");
    bytes_release(&text);
}
END_TEST

START_TEST(texts_are_replaced_and_cleared)
{
    char *text = NULL;
    client_set_text(&text, SLICE("one"));
    ck_assert_str_eq(text, "one");
    client_set_text(&text, SLICE("another"));
    ck_assert_str_eq(text, "another");
    client_set_text(&text, SLICE(""));
    ck_assert_ptr_null(text);
    client_set_text(&text, SLICE(""));
    ck_assert_ptr_null(text);
}
END_TEST

// Clocks are set now and then, forwards and backwards: age and idleness are counted by one that is not.
START_TEST(age_does_not_follow_the_wall_clock)
{
    static const int64_t shifts_ms[] = { -3600000, 7200000, 0 };
    rig_connect();
    const struct client *client = rig_last_client();
    for (unsigned i = 0; i < sizeof(shifts_ms) / sizeof(*shifts_ms); i++) {
        clock_shift_ms(shifts_ms[i]);
        ck_assert_uint_lt(client_age_s(client), 60);
        ck_assert_uint_lt(client_idle_s(client), 60);
    }
}
END_TEST

// ---- figures ------------------------------------------------------------------------------------

// INFO's largest buffers are those of two periods.
START_TEST(peaks_are_forgotten)
{
    struct clients *clients = server->clients;
    rig_ask(rig_connect(), "big 5000\r\n", "$5000\r\n");
    ck_assert_uint_ge(clients->recent_max_output, 5000);
    clients_new_peaks(clients);
    ck_assert_uint_eq(clients->recent_max_output, 0);
    ck_assert_uint_ge(clients->earlier_max_output, 5000);
    rig_ask(rig_connect(), "big 10\r\n", "$10\r\n");
    clients_new_peaks(clients);
    ck_assert_uint_ge(clients->earlier_max_output, 10);
    ck_assert_uint_lt(clients->earlier_max_output, 5000);
}
END_TEST

// Clients count at once, their buffers when the second is over; nobody is walked for it.
START_TEST(memory_of_all_clients)
{
    ck_assert_uint_eq(clients_memory(server->clients), 0);
    int fd = rig_connect();
    ck_assert_uint_eq(clients_memory(server->clients), sizeof(struct client));
    rig_connect();
    ck_assert_uint_eq(clients_memory(server->clients), 2 * sizeof(struct client));
    rig_say(fd, "*2\r\n$3\r\nbig\r\n$5000\r\nabc");
    uint64_t from_us = clock_mono_us_now();
    while (clients_memory(server->clients) == 2 * sizeof(struct client)) {
        EXPECT(clock_mono_us_now() - from_us < 20000000);
        rig_turn();
    }
    size_t all = 0;
    for (struct list_link *link = list_first(&server->clients->all); link;
         link = list_next(&server->clients->all, link))
        all += client_memory(LIST_ITEM(link, struct client, all_link));
    ck_assert_uint_eq(clients_memory(server->clients), all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("clients");
    TCase *accepting = tcase_create("letting in");
    tcase_add_checked_fixture(accepting, set_up, rig_stop);
    tcase_add_test(accepting, too_many_clients);
    tcase_add_test(accepting, protected_mode_refuses_strangers);
    tcase_add_test(accepting, clients_are_found_by_id);
    suite_add_tcase(suite, accepting);

    TCase *output = tcase_create("output");
    tcase_add_checked_fixture(output, set_up, rig_stop);
    tcase_set_timeout(output, 30);
    tcase_add_test(output, a_slow_reader_gets_everything);
    tcase_add_test(output, output_beyond_the_hard_limit);
    tcase_add_test(output, output_beyond_the_soft_limit);
    tcase_add_test(output, a_reader_that_is_cut_off_while_others_wait);
    tcase_add_test(output, limits_that_make_no_sense);
    suite_add_tcase(suite, output);

    TCase *description = tcase_create("description");
    tcase_add_checked_fixture(description, set_up, rig_stop);
    tcase_add_test(description, the_line_of_a_client);
    tcase_add_test(description, texts_are_replaced_and_cleared);
    tcase_add_test(description, age_does_not_follow_the_wall_clock);
    suite_add_tcase(suite, description);

    TCase *figures = tcase_create("figures");
    tcase_add_checked_fixture(figures, set_up, rig_stop);
    tcase_set_timeout(figures, 60);
    tcase_add_test(figures, peaks_are_forgotten);
    tcase_add_test(figures, memory_of_all_clients);
    suite_add_tcase(suite, figures);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Many clients that do anything at any time: pipelines in pieces, large values, replies left unread,
// garbage, killing each other, hanging up. The server must outlive them all, keep no memory of them
// and sleep when they are gone. Sanitizers look on.
#include "base/random.h"
#include "commands/families.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define CLIENTS 24
#define STEPS   30000

// One client, and what it still has to send.
struct peer {
    int fd;  // -1: not connected
    struct bytes out;
    size_t sent;
};

static struct peer peers[CLIENTS];
static struct random dice;
static char noise[200000];

static void set_up(void)
{
    random_seed(&dice, 21);
    memset(noise, 'n', sizeof(noise));
    for (int i = 0; i < CLIENTS; i++)
        peers[i] = (struct peer){ .fd = -1 };
    rig_make(NULL);
    commands_register(server->registry);
    rig_start();
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "normal 300000 0 0"), STATUS_OK);
}

static bool one_in(uint64_t count)
{
    return random_below(&dice, count) == 0;
}

static void add_value(struct bytes *out)
{
    size_t len = one_in(10) ? random_below(&dice, sizeof(noise)) : random_below(&dice, 300);
    bytes_printf(out, "$%zu\r\n", len);
    bytes_append(out, noise, len);
    bytes_append_text(out, "\r\n");
}

static void add_key(struct bytes *out)
{
    bytes_printf(out, "$2\r\nk%u\r\n", (unsigned)random_below(&dice, 10));
}

// One request or something like one.
static void add_request(struct bytes *out)
{
    static const char *const lines[] = {
        "PING\r\n",         "INFO everything\r\n", "CLIENT LIST\r\n", "COMMAND\r\n", "KEYS *\r\n",
        "SCAN 0\r\n",       "CONFIG GET *\r\n",    "HELLO 3\r\n",     "RESET\r\n",   "\r\n",
        "GET k1 k2 k3\r\n", "nosuch command\r\n",  "FLUSHALL\r\n",
    };
    switch (random_below(&dice, 12)) {
    case 0:
    case 1:
        bytes_append_text(out, "*3\r\n$3\r\nSET\r\n");
        add_key(out);
        add_value(out);
        break;
    case 2:
        bytes_append_text(out, "*3\r\n$6\r\nAPPEND\r\n");
        add_key(out);
        add_value(out);
        break;
    case 3:
        bytes_append_text(out, "*5\r\n$4\r\nMSET\r\n");
        for (int i = 0; i < 2; i++) {
            add_key(out);
            add_value(out);
        }
        break;
    case 4: bytes_append_text(out, "MGET k0 k1 k2 k3 k4 k5 k6 k7 k8 k9\r\n"); break;
    case 5:
    case 6:
        for (uint64_t i = random_below(&dice, 3000); i > 0; i--)
            bytes_append_text(out, "PING\r\n");
        break;
    case 7:
        if (one_in(20))
            bytes_printf(out, "CLIENT KILL ID %u SKIPME no\r\n",
                         (unsigned)random_below(&dice, server->clients->next_id));
        break;
    case 8:
        if (one_in(20))
            bytes_append_text(out, one_in(2) ? "QUIT\r\n" : "*1\r\n!garbage\r\n");
        break;
    default:
        bytes_append_text(out, lines[random_below(&dice, sizeof(lines) / sizeof(*lines))]);
        break;
    }
}

static void hang_up(struct peer *peer)
{
    rig_disconnect(peer->fd);
    peer->fd = -1;
    bytes_release(&peer->out);
    peer->sent = 0;
}

// Sends some of what is left; what is sent or refused is forgotten.
static void send_some(struct peer *peer)
{
    size_t left = peer->out.len - peer->sent;
    size_t piece = 1 + random_below(&dice, one_in(4) ? 200000 : 20000);
    ssize_t len = send(peer->fd, peer->out.data + peer->sent, piece < left ? piece : left,
                       MSG_NOSIGNAL);
    if (len > 0)
        peer->sent += (size_t)len;
    else if (errno != EAGAIN)
        hang_up(peer);
    if (peer->sent == peer->out.len) {
        bytes_clear(&peer->out);
        peer->sent = 0;
    }
}

// Some read all, some little, and those who sent the largest requests nothing for a while.
static void receive_some(struct peer *peer)
{
    static char room[300000];
    ssize_t len = recv(peer->fd, room, 1 + random_below(&dice, sizeof(room)), 0);
    if (len == 0 || (len < 0 && errno != EAGAIN))
        hang_up(peer);
}

static void act(struct peer *peer)
{
    if (peer->fd < 0) {
        peer->fd = rig_connect();
        return;
    }
    switch (random_below(&dice, 8)) {
    case 0:
    case 1:
        if (peer->out.len < 1000000)
            add_request(&peer->out);
        break;
    case 2:
    case 3:
    case 4:
        if (peer->out.len)
            send_some(peer);
        break;
    case 5:
    case 6: receive_some(peer); break;
    default:
        if (one_in(60))
            hang_up(peer);
        else if (one_in(60))
            shutdown(peer->fd, SHUT_WR);
        break;
    }
}

START_TEST(the_server_outlives_its_clients)
{
    for (int i = 0; i < STEPS; i++) {
        act(&peers[random_below(&dice, CLIENTS)]);
        if (one_in(3))
            rig_turn();
        if (one_in(50))
            clock_shift_ms(100);
    }
    ck_assert_uint_gt(server->stats.commands, STEPS);
    ck_assert_uint_gt(server->stats.output_limit_disconnections, 0);
    ck_assert_uint_gt(server->clients->next_id, CLIENTS * 2);
    for (int i = 0; i < CLIENTS; i++) {
        if (peers[i].fd >= 0)
            hang_up(&peers[i]);
    }
    for (int turns = 0; server->clients->count && turns < RIG_PATIENCE; turns++)
        rig_turn();
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert(rig_loop_sleeps());
    // And is there for others.
    rig_ask(rig_connect(), "PING\r\n", "+PONG\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("chaos");
    TCase *tcase = tcase_create("chaos");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_server_outlives_its_clients);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Many clients that do anything at any time: pipelines in pieces, large values, replies left unread,
// garbage, killing each other, hanging up; and, with collections, waiting for each other's keys while
// somebody pauses, unblocks or kills them. The server must outlive them all, keep no memory of them
// and sleep when they are gone. Sanitizers look on.
#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "server/pause.h"
#include "store/digest.h"
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
static void (*make_request)(struct bytes *out);
static struct bytes stream;  // what has been done, as effects

static void set_up(void)
{
    random_seed(&dice, 21);
    memset(noise, 'n', sizeof(noise));
    for (int i = 0; i < CLIENTS; i++)
        peers[i] = (struct peer){ .fd = -1 };
    rig_make(NULL);
    snapshot_register(server);
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

// --- Collections ----------------------------------------------------------------------------------

// K: a key, V: a short value, N: a number, T: a time to wait, I: a client's id.
static const char *const collection_requests[] = {
    "LPUSH K V V V",
    "RPUSH K V",
    "RPUSH K V V V V V V V V",
    "LPUSHX K V",
    "RPUSHX K V V",
    "LPOP K",
    "LPOP K N",
    "RPOP K N",
    "LLEN K",
    "LRANGE K N N",
    "LTRIM K N N",
    "LINDEX K N",
    "LSET K N V",
    "LINSERT K BEFORE V V",
    "LINSERT K AFTER V V",
    "LREM K N V",
    "LPOS K V RANK N COUNT N MAXLEN N",
    "LMOVE K K LEFT RIGHT",
    "LMOVE K K RIGHT RIGHT",
    "RPOPLPUSH K K",
    "LMPOP 2 K K LEFT COUNT N",
    "BLPOP K K K T",
    "BRPOP K T",
    "BLMPOP T 3 K K K RIGHT COUNT N",
    "BLMOVE K K LEFT LEFT T",
    "BRPOPLPUSH K K T",
    "SADD K V V V",
    "SADD K N N N N",
    "SREM K V V N",
    "SMOVE K K V",
    "SPOP K",
    "SPOP K N",
    "SRANDMEMBER K N",
    "SMEMBERS K",
    "SMISMEMBER K V N",
    "SINTER K K K",
    "SUNION K K",
    "SDIFF K K K K",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SDIFFSTORE K K K K K K K K",
    "SINTERCARD 2 K K LIMIT N",
    "SSCAN K 0 COUNT N",
    "HSET K V V V V",
    "HSETNX K V V",
    "HDEL K V V",
    "HGETALL K",
    "HMGET K V V V",
    "HRANDFIELD K N WITHVALUES",
    "HINCRBY K V N",
    "HINCRBYFLOAT K V 1.5",
    "HSCAN K 0 COUNT N",
    "SET K V",
    "DEL K K",
    "UNLINK K",
    "RENAME K K",
    "COPY K K REPLACE",
    "COPY K K DB 1",
    "MOVE K 1",
    "OBJECT ENCODING K",
    "MEMORY USAGE K",
};

static const char *const control_requests[] = {
    "SELECT 0",
    "SELECT 1",
    "SWAPDB 0 1",
    "FLUSHDB",
    "FLUSHALL",
    "CLIENT UNBLOCK I",
    "CLIENT UNBLOCK I ERROR",
    "CLIENT KILL ID I SKIPME no",
    "CLIENT KILL ID I",
    "CLIENT PAUSE 3 WRITE",
    "CLIENT PAUSE 3 ALL",
    "CLIENT UNPAUSE",
    "CLIENT REPLY OFF",
    "CLIENT REPLY ON",
    "CLIENT REPLY SKIP",
    "CLIENT NO-TOUCH ON",
    "CLIENT LIST",
    "MONITOR",
    "RESET",
    "HELLO 3",
    "QUIT",
    "INFO everything",
    "CONFIG SET list-max-listpack-size 2",
    "CONFIG SET list-max-listpack-size -2",
    "CONFIG SET set-max-listpack-entries 3 hash-max-listpack-entries 3",
    "CONFIG SET set-max-listpack-entries 128 hash-max-listpack-entries 128",
    "CONFIG SET set-max-intset-entries 2",
    "CONFIG SET set-max-intset-entries 512",
};

#define PICK(words) ((words)[random_below(&dice, sizeof(words) / sizeof(*(words)))])

static void add_placeholder(struct bytes *out, char kind)
{
    static const char *const numbers[] = {
        "0", "1", "2", "-1", "-3", "7", "9223372036854775807", "-9223372036854775808",
    };
    static const char *const times[] = { "0", "0.001", "0.001", "0.002", "0.01", "-1" };
    switch (kind) {
    case 'K': bytes_printf(out, "k%u", (unsigned)random_below(&dice, 12)); break;
    case 'V': bytes_append(out, noise, 1 + random_below(&dice, one_in(20) ? 3000 : 12)); break;
    case 'N': bytes_append_text(out, PICK(numbers)); break;
    case 'T': bytes_append_text(out, PICK(times)); break;
    default:
        bytes_printf(out, "%u", (unsigned)random_below(&dice, server->clients->next_id + 1));
        break;
    }
}

// As a line, or as an array of strings.
static void add_words(struct bytes *out, const char *words)
{
    struct bytes word = { 0 };
    struct bytes strings = { 0 };
    size_t count = 0;
    bool as_line = one_in(4);
    while (*words) {
        size_t len = strcspn(words, " ");
        bytes_clear(&word);
        if (len == 1 && strchr("KVNTI", *words))
            add_placeholder(&word, *words);
        else
            bytes_append(&word, words, len);
        if (as_line)
            bytes_printf(&strings, "%s%.*s", count ? " " : "", (int)word.len, word.data);
        else
            bytes_printf(&strings, "$%zu\r\n%.*s\r\n", word.len, (int)word.len, word.data);
        count++;
        words += len;
        words += strspn(words, " ");
    }
    if (!as_line)
        bytes_printf(out, "*%zu\r\n", count);
    bytes_append_slice(out, bytes_slice(&strings));
    if (as_line)
        bytes_append_text(out, "\r\n");
    bytes_release(&word);
    bytes_release(&strings);
}

static void add_collection_request(struct bytes *out)
{
    for (uint64_t i = 1 + random_below(&dice, 4); i > 0; i--)
        add_words(out, one_in(25) ? PICK(control_requests) : PICK(collection_requests));
}

// Also what only the clock undoes, and whatever else there is.
static void add_any_request(struct bytes *out)
{
    add_collection_request(out);
    if (one_in(20))
        add_words(out, one_in(2) ? "PEXPIRE K 1" : "EXPIRE K N");
    if (one_in(100))
        add_request(out);
}

// --- Peers ----------------------------------------------------------------------------------------

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
            make_request(&peer->out);
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

// Lets all of them act, and then leave.
static void play(void)
{
    for (int i = 0; i < STEPS; i++) {
        act(&peers[random_below(&dice, CLIENTS)]);
        if (one_in(3))
            rig_turn();
        if (one_in(50))
            clock_shift_ms(100);
        // Most of a pause is idle time.
        if (one_in(100))
            pause_end(server->pause, PAUSE_CLIENT_COMMAND);
        ck_assert_uint_le(server->clients->held, server->clients->count);
    }
    ck_assert_uint_gt(server->clients->next_id, CLIENTS * 2);
    for (int i = 0; i < CLIENTS; i++) {
        if (peers[i].fd >= 0)
            hang_up(&peers[i]);
    }
    for (int turns = 0; server->clients->count && turns < RIG_PATIENCE; turns++)
        rig_turn();
    ck_assert_uint_eq(server->clients->count, 0);
    ck_assert_uint_eq(server->clients->held, 0);
    pause_end(server->pause, PAUSE_CLIENT_COMMAND);
    ck_assert(rig_loop_sleeps());
    // And is there for others.
    rig_ask(rig_connect(), "PING\r\n", "+PONG\r\n");
}

START_TEST(the_server_outlives_its_clients)
{
    make_request = add_request;
    play();
    ck_assert_uint_gt(server->stats.commands, STEPS);
    ck_assert_uint_gt(server->stats.output_limit_disconnections, 0);
}
END_TEST

START_TEST(the_server_outlives_those_who_share_collections)
{
    random_seed(&dice, (uint64_t)_i);
    make_request = add_any_request;
    play();
    ck_assert_uint_gt(server->stats.commands, STEPS / 10);
    // Nobody waits any more, so nobody is told of what is written.
    ck_assert_uint_eq(server->keyspace->heard & KEY_EVENT(KEY_WRITTEN), 0);
}
END_TEST

static void note_effect(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

// Whoever was woken, killed or paused when: the effects come in the order in which things were done.
START_TEST(effects_tell_what_was_done)
{
    random_seed(&dice, (uint64_t)_i);
    make_request = add_collection_request;
    effects_add_sink(server->effects, note_effect, &stream);
    play();
    struct bytes effects = stream;
    ck_assert_uint_gt(effects.len, STEPS);
    stream = (struct bytes){ 0 };
    const struct digest done = digest_keyspace(server->keyspace);
    int fd = rig_connect();
    rig_ask(fd, "FLUSHALL\r\n", "+OK\r\n");
    rig_say(fd, "CLIENT REPLY OFF\r\n");
    rig_send(fd, effects.data, effects.len);
    rig_ask(fd, "CLIENT REPLY ON\r\n", "+OK\r\n");
    const struct digest told = digest_keyspace(server->keyspace);
    ck_assert_mem_eq(done.bytes, told.bytes, sizeof(done.bytes));
    bytes_release(&effects);
    bytes_release(&stream);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("chaos");
    TCase *tcase = tcase_create("chaos");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_server_outlives_its_clients);
    tcase_add_loop_test(tcase, the_server_outlives_those_who_share_collections, 1, 4);
    tcase_add_loop_test(tcase, effects_tell_what_was_done, 1, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

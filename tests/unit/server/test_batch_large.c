// SPDX-License-Identifier: BSD-3-Clause
// Tests of large arguments, which are received apart: in any place, in any pieces, in pipelines.
#include "base/crc64.h"
#include "base/random.h"
#include "rig.h"
#include "server/batch.h"
#include "server/ctx.h"
#include "server/incoming.h"
#include "support/unit.h"

#define NOISE_BYTES (4u << 20)
#define ARGS_MAX    6

static char noise[NOISE_BYTES];
static struct random dice;
static unsigned taken;

// One line that tells the arguments: length and checksum of each.
static void reply_sums(struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    for (uint32_t i = 1; i < ctx->argc; i++)
        bytes_printf(&text, "%zu:%016llx ", ctx->argv[i].len,
                     (unsigned long long)crc64(0, ctx->argv[i].ptr, ctx->argv[i].len));
    resp_simple(&ctx->reply, bytes_slice(&text));
    bytes_release(&text);
}

// SUM argument...
static void cmd_sum(struct cmd_ctx *ctx)
{
    reply_sums(ctx);
}

// TAKE argument...: as SUM, sharing what came apart for a while.
static void cmd_take(struct cmd_ctx *ctx)
{
    reply_sums(ctx);
    for (uint32_t i = 1; i < ctx->argc; i++) {
        struct blob *blob = incoming_share(ctx->incoming, ctx->argv[i]);
        if (!blob)
            continue;
        taken++;
        EXPECT(blob->refs == 2);
        EXPECT(blob->len == ctx->argv[i].len);
        EXPECT(blob->data == ctx->argv[i].ptr);
        blob_release(blob);
    }
}

static const struct command commands[] = {
    { .name = "sum", .arity = -1, .handler = cmd_sum },
    { .name = "take", .arity = -1, .handler = cmd_take },
    { 0 },
};

static void set_up(void)
{
    random_seed(&dice, 8);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)random_next(&dice);
    taken = 0;
    rig_make(commands);
    rig_start();
}

// Requests to be sent and the replies to expect.
struct talk {
    struct bytes requests;
    struct bytes replies;
};

static void talk_release(struct talk *talk)
{
    bytes_release(&talk->requests);
    bytes_release(&talk->replies);
}

static void talk_add(struct talk *talk, const char *name, const size_t *lens, size_t count)
{
    bytes_printf(&talk->requests, "*%zu\r\n$%zu\r\n%s\r\n", count + 1, strlen(name), name);
    bytes_append_char(&talk->replies, '+');
    for (size_t i = 0; i < count; i++) {
        const char *value = noise + random_below(&dice, NOISE_BYTES - lens[i]);
        bytes_printf(&talk->requests, "$%zu\r\n", lens[i]);
        bytes_append(&talk->requests, value, lens[i]);
        bytes_append_text(&talk->requests, "\r\n");
        bytes_printf(&talk->replies, "%zu:%016llx ", lens[i],
                     (unsigned long long)crc64(0, value, lens[i]));
    }
    bytes_append_text(&talk->replies, "\r\n");
}

// Takes what has arrived and compares it with what should.
static void take_replies(struct talk *talk, int fd, size_t *at)
{
    char got[4096];
    ssize_t len = recv(fd, got, sizeof(got), 0);
    if (len <= 0) {
        ck_assert_msg(len < 0 && errno == EAGAIN, "closed after %zu bytes of replies", *at);
        return;
    }
    ck_assert_msg(*at + (size_t)len <= talk->replies.len &&
                      memcmp(got, talk->replies.data + *at, (size_t)len) == 0,
                  "wrong replies behind the first %zu bytes of %zu", *at, talk->replies.len);
    *at += (size_t)len;
}

// Sends in pieces of up to `most` bytes, a turn after each, and waits for the replies.
static void talk_through(struct talk *talk, int fd, size_t most)
{
    size_t sent = 0;
    size_t at = 0;
    for (int turns = 0; at < talk->replies.len; turns++) {
        size_t left = talk->requests.len - sent;
        size_t piece = 1 + random_below(&dice, most);
        piece = piece < left ? piece : left;
        if (left) {
            ssize_t len = send(fd, talk->requests.data + sent, piece, MSG_NOSIGNAL);
            EXPECT(len > 0 || errno == EAGAIN);
            sent += len > 0 ? (size_t)len : 0;
        }
        rig_turn();
        take_replies(talk, fd, &at);
        EXPECT(turns < 1000000);
    }
    rig_expect_silence(fd);
}

START_TEST(every_length_where_something_changes)
{
    static const size_t lens[] = { 0,     1,     16383,   16384,   32766,   32767,  32768,
                                   32769, 65536, 1048575, 1048576, 1048577, 3000000 };
    static const size_t pieces[] = { 1000, 20000, 1u << 20 };
    int fd = rig_connect();
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        for (size_t p = 0; p < 3; p++) {
            struct talk talk = { 0 };
            talk_add(&talk, "sum", &lens[i], 1);
            talk_add(&talk, "take", &lens[i], 1);
            talk_through(&talk, fd, pieces[p]);
            talk_release(&talk);
        }
    }
    ck_assert_uint_gt(taken, 0);
}
END_TEST

START_TEST(a_large_argument_in_any_place)
{
    int fd = rig_connect();
    for (unsigned which = 0; which < 1u << 4; which++) {
        struct talk talk = { 0 };
        size_t lens[4];
        for (unsigned i = 0; i < 4; i++)
            lens[i] = (which >> i & 1) ? 40000 + i : i;
        talk_add(&talk, which % 2 ? "sum" : "take", lens, 4);
        talk_through(&talk, fd, 7000);
        talk_release(&talk);
    }
}
END_TEST

// The rest of one command and the large argument of the next arrive in one read.
START_TEST(the_next_large_argument_arrives_with_the_end_of_this_command)
{
    static const size_t first[] = { 40000, 2 };
    static const size_t second[] = { 50000 };
    struct talk talk = { 0 };
    int fd = rig_connect();
    talk_add(&talk, "take", first, 2);
    size_t boundary = talk.requests.len;
    talk_add(&talk, "take", second, 1);
    // The first argument comes apart and whole; the last one of the command is still missing.
    size_t apart = boundary - 10;
    for (size_t sent = 0; sent < apart;) {
        size_t piece = apart - sent < 5000 ? apart - sent : 5000;
        rig_send(fd, talk.requests.data + sent, piece);
        sent += piece;
        rig_turn();
    }
    // Then the end of it, with the beginning of the next.
    rig_send(fd, talk.requests.data + apart, boundary + 1000 - apart);
    rig_turns(2);
    rig_send(fd, talk.requests.data + boundary + 1000, talk.requests.len - boundary - 1000);
    size_t at = 0;
    for (int turns = 0; at < talk.replies.len && turns < 100; turns++) {
        rig_turn();
        take_replies(&talk, fd, &at);
    }
    ck_assert_uint_eq(at, talk.replies.len);
    talk_release(&talk);
}
END_TEST

static size_t some_length(void)
{
    switch (random_below(&dice, 4)) {
    case 0: return 32768 + random_below(&dice, 60000);
    case 1: return random_below(&dice, 40000);
    default: return random_below(&dice, 100);
    }
}

static void random_talk(struct talk *talk, int requests)
{
    for (int i = 0; i < requests; i++) {
        size_t lens[ARGS_MAX];
        size_t count = random_below(&dice, ARGS_MAX + 1);
        for (size_t k = 0; k < count; k++)
            lens[k] = some_length();
        talk_add(talk, random_below(&dice, 2) ? "sum" : "take", lens, count);
    }
}

START_TEST(random_pipelines)
{
    static const size_t pieces[] = { 3000, 30000, 200000, 1u << 20 };
    int fd = rig_connect();
    for (int round = 0; round < 40; round++) {
        struct talk talk = { 0 };
        random_talk(&talk, 20);
        talk_through(&talk, fd, pieces[round % 4]);
        talk_release(&talk);
    }
    ck_assert_uint_gt(taken, 0);
}
END_TEST

START_TEST(clients_that_go_in_the_middle)
{
    static const size_t lens[] = { 100, 1000000, 100000 };
    for (int i = 0; i < 30; i++) {
        struct talk talk = { 0 };
        int fd = rig_connect();
        talk_add(&talk, "take", lens, 3);
        rig_send(fd, talk.requests.data, random_below(&dice, talk.requests.len - 1));
        rig_turns((int)random_below(&dice, 4));
        if (i % 2)
            client_close(rig_last_client());
        else
            rig_disconnect(fd);
        rig_turns(3);
        talk_release(&talk);
    }
    for (int turns = 0; server->clients->count && turns < 100; turns++)
        rig_turn();
    ck_assert_uint_eq(server->clients->count, 0);
}
END_TEST

START_TEST(no_memory_for_a_large_argument)
{
    int other = rig_connect();
    int fd = rig_connect();
    rig_say(fd, "*2\r\n$3\r\nsum\r\n$400000\r\nabc");
    mem_fail_after(0);
    rig_turns(3);
    mem_fail_never();
    // With an error or without one.
    char reply[256];
    while (recv(fd, reply, sizeof(reply), 0) > 0)
        rig_turn();
    rig_expect_closed(fd);
    rig_ask(other, "sum\r\n", "+\r\n");
}
END_TEST

// A promise is no reason to hold more than the limit allows.
START_TEST(large_arguments_count_for_the_query_buffer_limit)
{
    ck_assert_int_eq(rig_config_set("client-query-buffer-limit", "1mb"), STATUS_OK);
    int fd = rig_connect();
    rig_say(fd, "*2\r\n$3\r\nsum\r\n$2000000\r\nabc");
    rig_expect_closed(fd);
    ck_assert_uint_eq(server->stats.query_limit_disconnections, 1);
    // Several that are too much together.
    static const size_t lens[] = { 500000, 500000, 500000 };
    struct talk talk = { 0 };
    fd = rig_connect();
    talk_add(&talk, "sum", lens, 3);
    for (size_t sent = 0; sent < talk.requests.len; sent += 10000) {
        size_t left = talk.requests.len - sent;
        if (send(fd, talk.requests.data + sent, left < 10000 ? left : 10000, MSG_NOSIGNAL) < 0)
            break;
        rig_turn();
    }
    rig_expect_closed(fd);
    ck_assert_uint_eq(server->stats.query_limit_disconnections, 2);
    talk_release(&talk);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("batch: large arguments");
    TCase *tcase = tcase_create("large arguments");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, every_length_where_something_changes);
    tcase_add_test(tcase, a_large_argument_in_any_place);
    tcase_add_test(tcase, the_next_large_argument_arrives_with_the_end_of_this_command);
    tcase_add_test(tcase, random_pipelines);
    tcase_add_test(tcase, clients_that_go_in_the_middle);
    tcase_add_test(tcase, no_memory_for_a_large_argument);
    tcase_add_test(tcase, large_arguments_count_for_the_query_buffer_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

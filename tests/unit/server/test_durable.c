// SPDX-License-Identifier: BSD-3-Clause
// Tests of replies that wait until writes are durable: whose do, in which order they come, what is run meanwhile.
#include "rig.h"
#include "server/batch.h"
#include "server/block.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "support/unit.h"

// WRITE key value
static void cmd_write(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set(ctx->db, &ctx->keys[0], &ref, ctx->argv[2], EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_STRING, "write");
    reply_int(ctx, (int64_t)ctx->argv[2].len);
}

// READ key
static void cmd_read(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_find_read(ctx->db, &ctx->keys[0]).entry;
    reply_int(ctx, entry ? (int64_t)string_length(entry) : -1);
}

// QUIT
static void cmd_quit(struct cmd_ctx *ctx)
{
    reply_ok(ctx);
    client_close_after_reply(ctx->client);
}

static void never(struct resp_writer *reply)
{
    resp_int(reply, -2);
}

// AWAIT key: removes a string, when there is one.
static void cmd_await(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    const struct block_wait wait = {
        .first = 0, .count = 1, .type = TYPE_STRING, .timed_out = never
    };
    if (!ref.entry) {
        block_on_keys(ctx, &wait);
        return;
    }
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx_removed(ctx, 0);
    reply_ok(ctx);
}

static const struct command commands[] = {
    { .name = "write",
      .arity = 3,
      .flags = CMD_WRITE,
      .handler = cmd_write,
      .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "read", .arity = 2, .handler = cmd_read, .keys = { KEYS_FIRST(KEY_RO) } },
    { .name = "quit", .arity = 1, .handler = cmd_quit },
    { .name = "await",
      .arity = 2,
      .flags = CMD_WRITE | CMD_BLOCKING,
      .handler = cmd_await,
      .keys = { KEYS_FIRST(KEY_RW) } },
    { 0 },
};

static void drop_effect(void *udata, struct slice resp)
{
    (void)udata;
    (void)resp;
}

static void set_up(void)
{
    rig_make(commands);
    rig_start();
    effects_add_sink(server->effects, drop_effect, NULL);
    server->durable_offset = 0;
}

static void make_durable(uint64_t offset)
{
    server->durable_offset = offset;
    clients_made_durable(server->clients);
}

static void make_all_durable(void)
{
    make_durable(effects_offset(server->effects));
}

START_TEST(writers_wait_and_readers_do_not)
{
    int writer = rig_connect();
    int reader = rig_connect();
    rig_say(writer, "write k abc\r\n");
    rig_expect_silence(writer);
    rig_ask(reader, "read k\r\n", ":3\r\n");
    make_all_durable();
    rig_expect(writer, ":3\r\n");
    rig_ask(writer, "read k\r\n", ":3\r\n");
}
END_TEST

START_TEST(replies_keep_their_order)
{
    int fd = rig_connect();
    rig_say(fd, "read k\r\nwrite k abc\r\nread k\r\n");
    rig_expect_silence(fd);
    // What comes meanwhile is not run.
    rig_say(fd, "write k abcd\r\nread k\r\n");
    rig_expect_silence(fd);
    make_all_durable();
    rig_expect(fd, ":-1\r\n:3\r\n:3\r\n");
    rig_expect_silence(fd);
    make_all_durable();
    rig_expect(fd, ":4\r\n:4\r\n");
}
END_TEST

START_TEST(each_waits_for_its_own)
{
    int a = rig_connect();
    int b = rig_connect();
    rig_say(a, "write k a\r\n");
    rig_turns(3);
    uint64_t first = effects_offset(server->effects);
    rig_say(b, "write k b\r\n");
    rig_turns(3);
    make_durable(first - 1);
    rig_expect_silence(a);
    make_durable(first);
    rig_expect(a, ":1\r\n");
    rig_expect_silence(b);
    make_durable(UINT64_MAX);
    rig_expect(b, ":1\r\n");
    rig_ask(b, "write k bb\r\n", ":2\r\n");
}
END_TEST

START_TEST(a_stream_of_writes_is_answered)
{
    int fd = rig_connect();
    for (int i = 0; i < 100; i++) {
        rig_say(fd, "write k abc\r\n");
        rig_turns(3);
        make_all_durable();
        rig_expect(fd, ":3\r\n");
        rig_say(fd, "write k ab\r\nwrite k abcd\r\n");
        rig_turns(3);
        rig_say(fd, "write k a\r\n");
        rig_turns(3);
        make_all_durable();
        rig_expect(fd, ":2\r\n:4\r\n");
        rig_turns(3);
        make_all_durable();
        rig_expect(fd, ":1\r\n");
    }
}
END_TEST

START_TEST(woken_by_a_write)
{
    int waiter = rig_connect();
    int writer = rig_connect();
    rig_say(waiter, "await k\r\nread k\r\n");
    rig_turns(3);
    rig_say(writer, "write k abc\r\n");
    rig_expect_silence(writer);
    rig_expect_silence(waiter);
    ck_assert_uint_eq(server->clients->held, 0);
    make_all_durable();
    rig_expect(writer, ":3\r\n");
    rig_expect(waiter, "+OK\r\n:-1\r\n");
}
END_TEST

START_TEST(parked_while_it_blocks)
{
    int waiter = rig_connect();
    int writer = rig_connect();
    rig_say(waiter, "write other ab\r\nawait k\r\n");
    rig_expect_silence(waiter);
    make_all_durable();
    rig_expect(waiter, ":2\r\n");
    rig_say(writer, "write k abc\r\n");
    rig_turns(3);
    make_all_durable();
    rig_expect(writer, ":3\r\n");
    rig_expect(waiter, "+OK\r\n");
    rig_say(waiter, "write other a\r\nawait k\r\n");
    rig_turns(3);
    rig_say(writer, "write k abc\r\n");
    rig_turns(3);
    // It is served while its first reply still waits.
    rig_say(waiter, "read k\r\n");
    rig_expect_silence(waiter);
    make_all_durable();
    rig_expect(waiter, ":1\r\n+OK\r\n:-1\r\n");
}
END_TEST

START_TEST(goodbyes_wait_too)
{
    int fd = rig_connect();
    rig_say(fd, "write k abc\r\nquit\r\n");
    rig_expect_silence(fd);
    make_all_durable();
    rig_expect(fd, ":3\r\n+OK\r\n");
    rig_expect_closed(fd);
}
END_TEST

START_TEST(one_that_leaves_is_forgotten)
{
    int fd = rig_connect();
    int other = rig_connect();
    rig_say(fd, "write k abc\r\n");
    rig_turns(3);
    rig_disconnect(fd);
    rig_turns(3);
    ck_assert_uint_eq(server->clients->count, 1);
    make_all_durable();
    rig_ask(other, "read k\r\n", ":3\r\n");
}
END_TEST

START_TEST(large_arguments_arrive_meanwhile)
{
    enum { LARGE = 200000 };
    static char large[LARGE];
    char head[64];
    int fd = rig_connect();
    memset(large, 'x', sizeof(large));
    int len = snprintf(head, sizeof(head), "*3\r\n$5\r\nwrite\r\n$1\r\nk\r\n$%d\r\n", LARGE);
    rig_say(fd, "write k abc\r\n");
    rig_send(fd, head, (size_t)len);
    rig_send(fd, large, 1000);
    rig_expect_silence(fd);
    rig_send(fd, large, LARGE / 2);
    rig_turns(3);
    make_all_durable();
    rig_expect(fd, ":3\r\n");
    rig_turns(3);
    rig_send(fd, large, LARGE - LARGE / 2 - 1000);
    rig_say(fd, "\r\nread k\r\n");
    rig_expect_silence(fd);
    make_all_durable();
    rig_expect(fd, ":200000\r\n:200000\r\n");
}
END_TEST

START_TEST(a_large_argument_completes_meanwhile)
{
    enum { LARGE = 100000 };
    static char large[LARGE];
    char head[64];
    int fd = rig_connect();
    memset(large, 'x', sizeof(large));
    int len = snprintf(head, sizeof(head), "*3\r\n$5\r\nwrite\r\n$1\r\nk\r\n$%d\r\n", LARGE);
    rig_say(fd, "write k abc\r\n");
    rig_send(fd, head, (size_t)len);
    rig_send(fd, large, 1000);
    rig_turns(3);
    rig_send(fd, large, LARGE - 1000);
    rig_say(fd, "\r\nread k\r\n");
    rig_expect_silence(fd);
    make_all_durable();
    rig_expect(fd, ":3\r\n");
    rig_turns(3);
    make_all_durable();
    rig_expect(fd, ":100000\r\n:100000\r\n");
}
END_TEST

START_TEST(the_loop_sleeps_while_they_wait)
{
    int fd = rig_connect();
    rig_say(fd, "write k abc\r\nread k\r\n");
    rig_turns(3);
    rig_say(fd, "read k\r\n");
    rig_turns(3);
    ck_assert(rig_loop_sleeps());
    make_all_durable();
    rig_expect(fd, ":3\r\n:3\r\n:3\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("durable");
    TCase *tcase = tcase_create("durable");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, writers_wait_and_readers_do_not);
    tcase_add_test(tcase, replies_keep_their_order);
    tcase_add_test(tcase, each_waits_for_its_own);
    tcase_add_test(tcase, a_stream_of_writes_is_answered);
    tcase_add_test(tcase, woken_by_a_write);
    tcase_add_test(tcase, parked_while_it_blocks);
    tcase_add_test(tcase, goodbyes_wait_too);
    tcase_add_test(tcase, one_that_leaves_is_forgotten);
    tcase_add_test(tcase, large_arguments_arrive_meanwhile);
    tcase_add_test(tcase, a_large_argument_completes_meanwhile);
    tcase_add_test(tcase, the_loop_sleeps_while_they_wait);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

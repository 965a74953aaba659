// SPDX-License-Identifier: BSD-3-Clause
// Tests of the way of a command: order, pieces, fairness, closing in the middle of a batch.
#include "server/batch.h"

#include "rig.h"
#include "server/ctx.h"
#include "support/unit.h"

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

// RUNNING
static void cmd_running(struct cmd_ctx *ctx)
{
    unsigned long long id = 0;
    const char *name = batch_running(server->batch, &id);
    ck_assert_ptr_nonnull(name);
    ck_assert_uint_eq(id, ctx->client->id);
    resp_bulk_text(&ctx->reply, name);
}

// What the batch found: each key's name, and whether its hash is right.
static void cmd_keys(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, ctx->key_count);
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct slice name = key_slice(&ctx->keys[i]);
        EXPECT(ctx->keys[i].hash == key_of(name).hash);
        resp_bulk_slice(&ctx->reply, name);
    }
}

// TALLY key...: how many keys the batch found.
static void cmd_tally(struct cmd_ctx *ctx)
{
    reply_int(ctx, ctx->key_count);
}

static const struct command subcommands[] = {
    { .name = "sub", .arity = -2, .handler = cmd_running },
    { 0 },
};

static const struct command commands[] = {
    { .name = "say", .arity = 2, .handler = cmd_say },
    { .name = "kill", .arity = 2, .handler = cmd_kill },
    { .name = "bye", .arity = 1, .handler = cmd_bye },
    { .name = "running", .arity = 1, .handler = cmd_running },
    { .name = "container", .arity = -2, .subcommands = subcommands },
    { .name = "nokeys", .arity = -1, .handler = cmd_keys },
    { .name = "first", .arity = -1, .handler = cmd_keys, .keys = { KEYS_FIRST(KEY_RO) } },
    { .name = "all", .arity = -1, .handler = cmd_keys, .keys = { KEYS_ALL(KEY_RO) } },
    { .name = "pairs", .arity = -1, .handler = cmd_keys, .keys = { KEYS_EVERY_SECOND(KEY_RO) } },
    { .name = "tally", .arity = -1, .handler = cmd_tally, .keys = { KEYS_ALL(KEY_RO) } },
    { .name = "counted",
      .arity = -1,
      .handler = cmd_keys,
      .keys = { { .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_first = 1,
                  .step = 1 } } },
    { 0 },
};

static void set_up(void)
{
    ran = 0;
    rig_make(commands);
    rig_start();
}

// A pipeline of `count` numbered commands, and the replies to them.
struct pipeline {
    struct bytes requests;
    struct bytes replies;
};

static void pipeline_add(struct pipeline *pipeline, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", i);
        bytes_printf(&pipeline->requests, "*2\r\n$3\r\nsay\r\n$%d\r\n%s\r\n", len, text);
        bytes_printf(&pipeline->replies, "$%d\r\n%s\r\n", len, text);
    }
}

// Waits for all the replies.
static void pipeline_expect(const struct pipeline *pipeline, int fd)
{
    char *got = malloc(pipeline->replies.len);
    rig_receive(fd, got, pipeline->replies.len);
    ck_assert_mem_eq(got, pipeline->replies.data, pipeline->replies.len);
    free(got);
}

static void pipeline_release(struct pipeline *pipeline)
{
    bytes_release(&pipeline->requests);
    bytes_release(&pipeline->replies);
}

START_TEST(a_command_is_answered)
{
    int fd = rig_connect();
    rig_ask(fd, "*2\r\n$3\r\nsay\r\n$5\r\nhello\r\n", "$5\r\nhello\r\n");
    rig_ask(fd, "say hello\r\n", "$5\r\nhello\r\n");
    rig_ask(fd, "SAY \"a b\"\n", "$3\r\na b\r\n");
    rig_expect_silence(fd);
    ck_assert_uint_eq(ran, 3);
}
END_TEST

START_TEST(a_pipeline_is_answered_in_order)
{
    struct pipeline pipeline = { 0 };
    int fd = rig_connect();
    pipeline_add(&pipeline, 0, 500);
    rig_send(fd, pipeline.requests.data, pipeline.requests.len);
    pipeline_expect(&pipeline, fd);
    rig_expect_silence(fd);
    pipeline_release(&pipeline);
}
END_TEST

// More than a turn takes, more than one read takes.
START_TEST(a_long_pipeline_of_several_clients)
{
    enum { CLIENTS = 5 };
    struct pipeline pipelines[CLIENTS] = { 0 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect();
        pipeline_add(&pipelines[i], i * 100000, 10000);
    }
    for (int i = 0; i < CLIENTS; i++)
        rig_send(fds[i], pipelines[i].requests.data, pipelines[i].requests.len);
    for (int i = 0; i < CLIENTS; i++) {
        pipeline_expect(&pipelines[i], fds[i]);
        rig_expect_silence(fds[i]);
        pipeline_release(&pipelines[i]);
    }
}
END_TEST

START_TEST(commands_in_pieces)
{
    static const char request[] = "*2\r\n$3\r\nsay\r\n$5\r\nhello\r\nsay x\r\n*2\r\n$3\r\nSAY\r\n"
                                  "$0\r\n\r\n";
    static const char replies[] = "$5\r\nhello\r\n$1\r\nx\r\n$0\r\n\r\n";
    int fd = rig_connect();
    for (size_t first = 0; first < sizeof(request) - 1; first++) {
        for (size_t second = first; second < sizeof(request) - 1; second += 3) {
            rig_send(fd, request, first);
            rig_turn();
            rig_send(fd, request + first, second - first);
            rig_turn();
            rig_send(fd, request + second, sizeof(request) - 1 - second);
            rig_expect(fd, replies);
        }
    }
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        rig_send(fd, request + i, 1);
        rig_turn();
    }
    rig_expect(fd, replies);
    rig_expect_silence(fd);
}
END_TEST

START_TEST(empty_commands_are_skipped)
{
    int fd = rig_connect();
    rig_ask(fd, "\r\n\n*0\r\n*-1\r\n  \r\nsay x\r\n\r\n*0\r\n", "$1\r\nx\r\n");
    rig_expect_silence(fd);
    ck_assert_uint_eq(ran, 1);
}
END_TEST

START_TEST(the_running_command_is_known)
{
    unsigned long long id = 77;
    int fd = rig_connect();
    rig_ask(fd, "running\r\n", "$7\r\nrunning\r\n");
    rig_ask(fd, "Container SUB x\r\n", "$13\r\ncontainer|sub\r\n");
    ck_assert_ptr_null(batch_running(server->batch, &id));
}
END_TEST

START_TEST(keys_are_found_and_hashed)
{
    int fd = rig_connect();
    rig_ask(fd, "nokeys a b\r\n", "*0\r\n");
    rig_ask(fd, "first a b\r\n", "*1\r\n$1\r\na\r\n");
    rig_ask(fd, "first\r\n", "*0\r\n");
    rig_ask(fd, "all a b c\r\n", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    rig_ask(fd, "all\r\n", "*0\r\n");
    rig_ask(fd, "pairs a 1 b 2\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    rig_ask(fd, "pairs a 1 b\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    rig_ask(fd, "counted 2 a b c\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    rig_ask(fd, "counted 9 a b c\r\n", "*0\r\n");
    rig_ask(fd, "all \"\" a\r\n", "*2\r\n$0\r\n\r\n$1\r\na\r\n");
}
END_TEST

// More keys than a batch holds as a rule, of a plain range and of a counted one.
static void many_keys(const char *head, int count)
{
    struct bytes request = { 0 };
    struct bytes reply = { 0 };
    int fd = rig_connect();
    bytes_append_text(&request, head);
    bytes_printf(&reply, "*%d\r\n", count);
    for (int i = 0; i < count; i++) {
        bytes_printf(&request, " %05d", i);
        bytes_printf(&reply, "$5\r\n%05d\r\n", i);
    }
    bytes_append_text(&request, "\r\nfirst z\r\n");
    bytes_append_text(&reply, "*1\r\n$1\r\nz\r\n");
    rig_send(fd, request.data, request.len);
    char *got = malloc(reply.len);
    rig_receive(fd, got, reply.len);
    ck_assert_msg(memcmp(got, reply.data, reply.len) == 0, "got: %.200s", got);
    free(got);
    bytes_release(&request);
    bytes_release(&reply);
}

START_TEST(many_keys_in_a_range)
{
    many_keys("all", 5000);
}
END_TEST

START_TEST(many_keys_that_are_counted)
{
    many_keys("counted 2000", 2000);
}
END_TEST

// What one client made the server take is given back.
START_TEST(a_huge_request_leaves_little_behind)
{
    enum { COUNT = 300000 };
    struct bytes request = { 0 };
    int fd = rig_connect();
    rig_ask(fd, "tally a\r\n", ":1\r\n");
    size_t before = mem_used();
    bytes_printf(&request, "*%d\r\n$5\r\ntally\r\n", COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        bytes_append_text(&request, "$1\r\nk\r\n");
    rig_send(fd, request.data, request.len);
    rig_expect(fd, ":300000\r\n");
    bytes_release(&request);
    rig_ask(fd, "tally a\r\n", ":1\r\n");
    rig_turns(2);
    ck_assert_uint_lt(mem_used(), before + 1000000);
}
END_TEST

START_TEST(unknown_commands_and_wrong_arity)
{
    int fd = rig_connect();
    rig_ask(fd, "nosuch a b\r\n",
            "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n");
    rig_ask(fd, "say\r\n", "-ERR wrong number of arguments for 'say' command\r\n");
    rig_ask(fd, "say a b\r\n", "-ERR wrong number of arguments for 'say' command\r\n");
    rig_ask(fd, "container\r\n", "-ERR wrong number of arguments for 'container' command\r\n");
    rig_ask(fd, "container x\r\n", "-ERR unknown subcommand 'x'. Try CONTAINER HELP.\r\n");
    rig_ask(fd, "*1\r\n$0\r\n\r\n", "-ERR unknown command '', with args beginning with: \r\n");
    rig_ask(fd, "say fine\r\n", "$4\r\nfine\r\n");
    ck_assert_uint_eq(server->stats.error_replies, 6);
    ck_assert_uint_eq(server->stats.commands, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("commands");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_command_is_answered);
    tcase_add_test(tcase, a_pipeline_is_answered_in_order);
    tcase_add_test(tcase, a_long_pipeline_of_several_clients);
    tcase_add_test(tcase, commands_in_pieces);
    tcase_add_test(tcase, empty_commands_are_skipped);
    tcase_add_test(tcase, the_running_command_is_known);
    tcase_add_test(tcase, keys_are_found_and_hashed);
    tcase_add_test(tcase, many_keys_in_a_range);
    tcase_add_test(tcase, many_keys_that_are_counted);
    tcase_add_test(tcase, a_huge_request_leaves_little_behind);
    tcase_add_test(tcase, unknown_commands_and_wrong_arity);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

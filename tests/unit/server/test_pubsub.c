// SPDX-License-Identifier: BSD-3-Clause
// Tests of channels, patterns and subscribers against a naive model; of slow readers; of pushes.
#include "base/glob.h"
#include "base/random.h"
#include "rig.h"
#include "server/block.h"
#include "server/ctx.h"
#include "server/dispatch.h"
#include "server/pubsub.h"
#include "server/push.h"
#include "support/unit.h"

#define ALLOCATIONS_MAX 20

static const char message[] =
    "0123456789012345678901234567890123456789012345678901234567890123456789"
    "012345678901234567890123456789";

// SUB name: to a channel.
static void cmd_sub(struct cmd_ctx *ctx)
{
    ck_assert_int_eq(pubsub_subscribe(ctx->client, PUBSUB_CHANNEL, ctx->argv[1]), STATUS_OK);
    reply_ok(ctx);
}

// UNSUB name
static void cmd_unsub(struct cmd_ctx *ctx)
{
    reply_int(ctx, pubsub_unsubscribe(ctx->client, PUBSUB_CHANNEL, ctx->argv[1]));
}

// PUB name message
static void cmd_pub(struct cmd_ctx *ctx)
{
    reply_int(ctx, pubsub_publish(ctx->server->pubsub, PUBSUB_CHANNEL, ctx->argv[1], ctx->argv[2]));
}

static void cmd_ping(struct cmd_ctx *ctx)
{
    resp_simple(&ctx->reply, SLICE("PONG"));
}

static void cmd_proto3(struct cmd_ctx *ctx)
{
    client_set_proto(ctx->client, 3);
    reply_ok(ctx);
}

// BOTH command...: an array of two replies of the same command.
static void cmd_both(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 2);
    for (int i = 0; i < 2; i++) {
        struct cmd_ctx inner = {
            .server = ctx->server,
            .client = ctx->client,
            .argv = ctx->argv + 1,
            .argc = ctx->argc - 1,
            .reply = ctx->reply,
        };
        dispatch_resolve(&inner);
        dispatch(&inner);
    }
}

static void reply_nothing(struct resp_writer *reply)
{
    resp_null(reply);
}

// AWAIT key: waits until it is there; then publishes to "awaited", and answers.
static void cmd_await(struct cmd_ctx *ctx)
{
    if (!db_find(ctx->db, &ctx->keys[0]).entry) {
        const struct block_wait wait = {
            .count = 1,
            .type = TYPE_STRING,
            .timed_out = reply_nothing,
        };
        block_on_keys(ctx, &wait);
        return;
    }
    pubsub_publish(ctx->server->pubsub, PUBSUB_CHANNEL, SLICE("awaited"), SLICE("1"));
    reply_ok(ctx);
}

// PUT key: publishes to "put" as well.
static void cmd_put(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set_text(ctx->db, &ctx->keys[0], &ref, SLICE("v"), EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_STRING, "write");
    pubsub_publish(ctx->server->pubsub, PUBSUB_CHANNEL, SLICE("put"), SLICE("1"));
    reply_ok(ctx);
}

// BYE: closes the connection behind the reply, and publishes to "bye".
static void cmd_bye(struct cmd_ctx *ctx)
{
    client_close_after_reply(ctx->client);
    pubsub_publish(ctx->server->pubsub, PUBSUB_CHANNEL, SLICE("bye"), SLICE("1"));
    reply_ok(ctx);
}

static const struct command commands[] = {
    { .name = "sub", .arity = 2, .while_subscribed = true, .handler = cmd_sub },
    { .name = "unsub", .arity = 2, .while_subscribed = true, .handler = cmd_unsub },
    { .name = "pub", .arity = 3, .handler = cmd_pub },
    { .name = "ping", .arity = 1, .handler = cmd_ping },
    { .name = "proto3", .arity = 1, .handler = cmd_proto3 },
    { .name = "both", .arity = -2, .handler = cmd_both },
    { .name = "bye", .arity = 1, .handler = cmd_bye },
    { .name = "await",
      .arity = 2,
      .flags = CMD_BLOCKING,
      .keys = { KEYS_FIRST(KEY_RW) },
      .handler = cmd_await },
    { .name = "put",
      .arity = 2,
      .flags = CMD_WRITE,
      .keys = { KEYS_FIRST(KEY_OW) },
      .handler = cmd_put },
    { 0 },
};

static void set_up(void)
{
    rig_make(commands);
    rig_start();
}

// --- The model ----------------------------------------------------------------------------------

#define MODEL_CLIENTS 12
#define MODEL_NAMES   10

static const char *const names[PUBSUB_KINDS][MODEL_NAMES] = {
    { "", "a", "ab", "abc", "b", "room:1", "room:12", "room:2", "x\n", "y" },
    { "*", "a*", "ab*", "a?c", "", "room:*", "room:[12]*", "room:1*", "\\a", "[" },
    { "", "a", "ab", "abc", "b", "room:1", "room:12", "room:2", "x\n", "y" },
};

static bool model[MODEL_CLIENTS][PUBSUB_KINDS][MODEL_NAMES];

static size_t model_subscribers(enum pubsub_kind kind, int name)
{
    size_t count = 0;
    for (int i = 0; i < MODEL_CLIENTS; i++)
        count += model[i][kind][name];
    return count;
}

static size_t model_listeners(enum pubsub_kind kind, int name)
{
    size_t count = model_subscribers(kind, name);
    for (int i = 0; kind == PUBSUB_CHANNEL && i < MODEL_NAMES; i++) {
        if (glob_match(slice_of(names[PUBSUB_PATTERN][i]), slice_of(names[kind][name]), false))
            count += model_subscribers(PUBSUB_PATTERN, i);
    }
    return count;
}

static void assert_like_model(struct client *const *clients)
{
    size_t subscribed = 0;
    for (int i = 0; i < MODEL_CLIENTS; i++) {
        size_t total = 0;
        for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++) {
            size_t count = 0;
            for (int n = 0; n < MODEL_NAMES; n++)
                count += model[i][kind][n];
            ck_assert_uint_eq(pubsub_count(clients[i], kind), count);
            total += count;
        }
        subscribed += total > 0;
        ck_assert_int_eq(!!(clients[i]->flags & CLIENT_SUBSCRIBED), total > 0);
        ck_assert_int_eq(clients[i]->gates != 0, total > 0);
        ck_assert_int_eq(pubsub_memory(clients[i]) > 0, total > 0);
    }
    ck_assert_int_eq(pubsub_heard(server->pubsub), subscribed > 0);
    for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++) {
        size_t used = 0;
        for (int n = 0; n < MODEL_NAMES; n++) {
            size_t count = model_subscribers(kind, n);
            used += count > 0;
            ck_assert_uint_eq(pubsub_subscribers(server->pubsub, kind, slice_of(names[kind][n])),
                              count);
        }
        ck_assert_uint_eq(pubsub_names(server->pubsub, kind), used);
    }
}

static void model_step(struct client *const *clients, struct random *random)
{
    int i = (int)random_below(random, MODEL_CLIENTS);
    enum pubsub_kind kind = random_below(random, PUBSUB_KINDS);
    int n = (int)random_below(random, MODEL_NAMES);
    struct slice name = slice_of(names[kind][n]);
    uint64_t choice = random_below(random, 20);
    if (choice == 0) {
        pubsub_forget(clients[i]);
        memset(model[i], 0, sizeof(model[i]));
    } else if (choice < 11) {
        ck_assert_int_eq(pubsub_subscribe(clients[i], kind, name), STATUS_OK);
        model[i][kind][n] = true;
    } else if (choice < 16) {
        ck_assert_int_eq(pubsub_unsubscribe(clients[i], kind, name), model[i][kind][n]);
        model[i][kind][n] = false;
    } else if (kind != PUBSUB_PATTERN) {
        ck_assert_int_eq(pubsub_publish(server->pubsub, kind, name, SLICE("hello")),
                         model_listeners(kind, n));
    }
}

START_TEST(random_operations_follow_a_model)
{
    struct client *clients[MODEL_CLIENTS];
    int fds[MODEL_CLIENTS];
    struct random random;
    random_seed(&random, (uint64_t)_i);
    memset(model, 0, sizeof(model));
    for (int i = 0; i < MODEL_CLIENTS; i++) {
        fds[i] = rig_connect();
        clients[i] = rig_last_client();
    }
    for (int i = 0; i < 3000; i++) {
        model_step(clients, &random);
        assert_like_model(clients);
    }
    // Nobody reads: what waits goes with the clients.
    for (int i = 0; i < MODEL_CLIENTS; i++)
        rig_disconnect(fds[i]);
    rig_turns(3);
    ck_assert(!pubsub_heard(server->pubsub));
}
END_TEST

START_TEST(names_come_in_the_order_of_subscribing)
{
    rig_connect();
    struct client *client = rig_last_client();
    struct slice name;
    static const char *const order[] = { "c", "a", "b" };
    ck_assert(!pubsub_first(client, PUBSUB_CHANNEL, &name));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pubsub_subscribe(client, PUBSUB_CHANNEL, slice_of(order[i])), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert(pubsub_first(client, PUBSUB_CHANNEL, &name));
        ck_assert(slice_equal(name, slice_of(order[i])));
        ck_assert(!pubsub_unsubscribe(client, PUBSUB_SHARD, name));
        ck_assert(pubsub_unsubscribe(client, PUBSUB_CHANNEL, name));
    }
    ck_assert_ptr_null(client->subscriptions);
    ck_assert_uint_eq(client->gates, 0);
}
END_TEST

START_TEST(no_memory_to_subscribe)
{
    rig_connect();
    struct client *client = rig_last_client();
    for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++) {
        int failures = 0;
        for (enum status status = STATUS_NOMEM; status != STATUS_OK; failures++) {
            ck_assert_int_lt(failures, ALLOCATIONS_MAX);
            mem_fail_after((uint64_t)failures);
            status = pubsub_subscribe(client, kind, SLICE("name*"));
            mem_fail_never();
            ck_assert_uint_eq(pubsub_count(client, kind), status == STATUS_OK);
            ck_assert_uint_eq(pubsub_names(server->pubsub, kind), status == STATUS_OK);
        }
        ck_assert_int_gt(failures, 3);
    }
}
END_TEST

START_TEST(no_memory_for_a_message)
{
    static char large[100000];
    int fd = rig_connect();
    rig_ask(fd, "SUB a\r\n", "+OK\r\n");
    mem_fail_after(0);
    int64_t sent = pubsub_publish(server->pubsub, PUBSUB_CHANNEL, SLICE("a"),
                                  (struct slice){ large, sizeof(large) });
    mem_fail_never();
    ck_assert_int_eq(sent, -1);
    rig_expect_silence(fd);
    ck_assert_int_eq(pubsub_publish(server->pubsub, PUBSUB_CHANNEL, SLICE("a"), SLICE("b")), 1);
    rig_expect(fd, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
}
END_TEST

// --- Slow readers -------------------------------------------------------------------------------

#define SLOW_CLIENTS  200
#define SLOW_MESSAGES 40000

static int64_t publish_numbered(int number)
{
    char text[sizeof(message) + 10];
    snprintf(text, sizeof(text), "%08d%s", number, message);
    return pubsub_publish(server->pubsub, PUBSUB_CHANNEL, SLICE("a"), slice_of(text));
}

static void expect_numbered(int fd, int number)
{
    char text[256];
    snprintf(text, sizeof(text), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$108\r\n%08d%s\r\n", number,
             message);
    rig_expect(fd, text);
}

START_TEST(slow_readers_share_what_waits_for_them)
{
    int fds[SLOW_CLIENTS];
    const size_t encoded = (size_t)SLOW_MESSAGES * 145;
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "pubsub 0 0 0"), STATUS_OK);
    for (int i = 0; i < SLOW_CLIENTS; i++)
        rig_ask(fds[i] = rig_connect(), "SUB a\r\n", "+OK\r\n");
    size_t used = mem_used();
    for (int i = 0; i < SLOW_MESSAGES; i++) {
        ck_assert_int_eq(publish_numbered(i), SLOW_CLIENTS);
        if (i % 16 == 0)
            rig_turn();
    }
    // What they share, and not 200 times as much.
    ck_assert_uint_lt(mem_used() - used, encoded + encoded / 2);
    const struct client *client = rig_last_client();
    ck_assert_uint_gt(client->conn.out.bytes, encoded / 2);
    ck_assert_uint_eq(client->conn.out.bytes, client->conn.out.shared_bytes);
    ck_assert_uint_gt(client_memory(client), encoded / 2);
    // One reads on, in order; the others go, and take nothing along that it needs.
    for (int i = 1; i < SLOW_CLIENTS; i++)
        rig_disconnect(fds[i]);
    for (int i = 0; i < SLOW_MESSAGES; i++)
        expect_numbered(fds[0], i);
    rig_expect_silence(fds[0]);
    ck_assert_uint_lt(mem_used(), used + (1u << 20));
}
END_TEST

START_TEST(who_keeps_up_takes_no_memory)
{
    int fds[10];
    for (int i = 0; i < 10; i++)
        rig_ask(fds[i] = rig_connect(), "SUB a\r\n", "+OK\r\n");
    size_t used = 0;
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(publish_numbered(i), 10);
        for (int j = 0; j < 10; j++)
            expect_numbered(fds[j], i);
        if (i == 10)
            used = mem_used();
    }
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

START_TEST(a_pubsub_client_is_cut_at_its_own_limit)
{
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "pubsub 1mb 0 0"), STATUS_OK);
    int slow = rig_connect();
    int fast = rig_connect();
    rig_ask(slow, "SUB a\r\n", "+OK\r\n");
    rig_ask(fast, "SUB a\r\n", "+OK\r\n");
    for (int i = 0; i < 20000; i++) {
        publish_numbered(i);
        expect_numbered(fast, i);
    }
    ck_assert_uint_eq(server->stats.output_limit_disconnections, 1);
    ck_assert_uint_eq(pubsub_subscribers(server->pubsub, PUBSUB_CHANNEL, SLICE("a")), 1);
    rig_ask(fast, "UNSUB a\r\n", ":1\r\n");
    rig_ask(fast, "PING\r\n", "+PONG\r\n");
}
END_TEST

START_TEST(the_soft_limit_counts_from_when_it_was_passed)
{
    ck_assert_int_eq(rig_config_set("client-output-buffer-limit", "pubsub 0 1mb 3600"), STATUS_OK);
    int slow = rig_connect();
    struct client *client = rig_last_client();
    rig_ask(slow, "SUB a\r\n", "+OK\r\n");
    int published = 0;
    for (; !client->soft_limit_since_us; published++) {
        ck_assert_int_lt(published, 30000);
        publish_numbered(published);
        rig_turn();
    }
    ck_assert_uint_eq(server->stats.output_limit_disconnections, 0);
    for (int i = 0; i < published; i++)
        expect_numbered(slow, i);
    publish_numbered(published);
    expect_numbered(slow, published);
    ck_assert_uint_eq(client->soft_limit_since_us, 0);
}
END_TEST

// --- Pushes -------------------------------------------------------------------------------------

#define PUSH(channel, text) ">3\r\n$7\r\nmessage\r\n" channel text

START_TEST(a_push_to_oneself_follows_the_reply)
{
    int fd = rig_connect();
    rig_ask(fd, "PROTO3\r\nSUB a\r\n", "+OK\r\n+OK\r\n");
    rig_ask(fd, "PUB a 1\r\nPUB a 2\r\nPING\r\n",
            ":1\r\n" PUSH("$1\r\na\r\n", "$1\r\n1\r\n") ":1\r\n" PUSH("$1\r\na\r\n",
                                                                      "$1\r\n2\r\n") "+PONG\r\n");
    // Not into the middle of the reply of a command that runs others.
    rig_ask(fd, "BOTH PUB a 3\r\n",
            "*2\r\n:1\r\n:1\r\n" PUSH("$1\r\na\r\n", "$1\r\n3\r\n")
                PUSH("$1\r\na\r\n", "$1\r\n3\r\n"));
    rig_expect_silence(fd);
}
END_TEST

START_TEST(a_push_follows_the_reply_of_a_command_that_waited)
{
    int waits = rig_connect();
    rig_ask(waits, "PROTO3\r\nSUB awaited\r\nSUB put\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    int other = rig_connect();
    rig_ask(other, "PROTO3\r\nSUB awaited\r\nSUB put\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    rig_say(waits, "AWAIT k\r\n");
    rig_expect_silence(waits);
    rig_ask(other, "PUT k\r\n",
            "+OK\r\n" PUSH("$3\r\nput\r\n", "$1\r\n1\r\n")
                PUSH("$7\r\nawaited\r\n", "$1\r\n1\r\n"));
    rig_expect(waits, PUSH("$3\r\nput\r\n", "$1\r\n1\r\n") "+OK\r\n" PUSH("$7\r\nawaited\r\n",
                                                                          "$1\r\n1\r\n"));
    rig_expect_silence(waits);
    rig_expect_silence(other);
}
END_TEST

START_TEST(nothing_is_pushed_behind_the_last_reply)
{
    int fd = rig_connect();
    rig_ask(fd, "PROTO3\r\nSUB bye\r\n", "+OK\r\n+OK\r\n");
    rig_ask(fd, "BYE\r\n", "+OK\r\n");
    rig_expect_closed(fd);
}
END_TEST

START_TEST(each_gets_its_protocol)
{
    int two = rig_connect();
    rig_ask(two, "SUB a\r\n", "+OK\r\n");
    int fds[8];
    for (int i = 0; i < 8; i++)
        rig_ask(fds[i] = rig_connect(), "PROTO3\r\nSUB a\r\n", "+OK\r\n+OK\r\n");
    int publisher = rig_connect();
    rig_ask(publisher, "PUB a 1\r\nPUB a 2\r\n", ":9\r\n:9\r\n");
    rig_expect(two, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n"
                    "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n2\r\n");
    for (int i = 0; i < 8; i++)
        rig_expect(fds[i], PUSH("$1\r\na\r\n", "$1\r\n1\r\n") PUSH("$1\r\na\r\n", "$1\r\n2\r\n"));
    // In RESP2 alone a subscriber may do little.
    rig_ask(
        two, "PING\r\n",
        "-ERR Can't execute 'ping': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context\r\n");
    rig_ask(fds[0], "PING\r\n", "+PONG\r\n");
    rig_ask(two, "UNSUB a\r\nPING\r\n", ":1\r\n+PONG\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pubsub");
    TCase *names_case = tcase_create("names");
    tcase_set_timeout(names_case, 60);
    tcase_add_checked_fixture(names_case, set_up, rig_stop);
    tcase_add_loop_test(names_case, random_operations_follow_a_model, 0, 3);
    tcase_add_test(names_case, names_come_in_the_order_of_subscribing);
    tcase_add_test(names_case, no_memory_to_subscribe);
    tcase_add_test(names_case, no_memory_for_a_message);
    suite_add_tcase(suite, names_case);

    TCase *slow = tcase_create("slow readers");
    tcase_set_timeout(slow, 120);
    tcase_add_checked_fixture(slow, set_up, rig_stop);
    tcase_add_test(slow, slow_readers_share_what_waits_for_them);
    tcase_add_test(slow, who_keeps_up_takes_no_memory);
    tcase_add_test(slow, a_pubsub_client_is_cut_at_its_own_limit);
    tcase_add_test(slow, the_soft_limit_counts_from_when_it_was_passed);
    suite_add_tcase(suite, slow);

    TCase *pushes = tcase_create("pushes");
    tcase_add_checked_fixture(pushes, set_up, rig_stop);
    tcase_add_test(pushes, a_push_to_oneself_follows_the_reply);
    tcase_add_test(pushes, a_push_follows_the_reply_of_a_command_that_waited);
    tcase_add_test(pushes, nothing_is_pushed_behind_the_last_reply);
    tcase_add_test(pushes, each_gets_its_protocol);
    suite_add_tcase(suite, pushes);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

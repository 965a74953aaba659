// SPDX-License-Identifier: BSD-3-Clause
// Tests of blocking commands, with strings in the place of lists: TAKE waits for keys that hold one.
#include "rig.h"
#include "server/block.h"
#include "server/ctx.h"
#include "support/unit.h"

static void reply_null_array(struct resp_writer *reply)
{
    resp_null_array(reply);
}

// TAKE timeout-ms key [key...]: removes the first key there is and answers its value.
static void cmd_take(struct cmd_ctx *ctx)
{
    int64_t timeout_ms;
    if (!arg_int64(ctx, 1, &timeout_ms))
        return;
    for (uint32_t i = 0; i < ctx->key_count; i++) {
        struct entry_ref ref = db_find(ctx->db, &ctx->keys[i]);
        if (!ref.entry || entry_type(ref.entry) != TYPE_STRING)
            continue;
        char scratch[INT64_TEXT_MAX];
        resp_bulk_slice(&ctx->reply, string_bytes(ref.entry, scratch));
        db_remove(ctx->db, &ctx->keys[i], ref);
        ctx_removed(ctx, i);
        return;
    }
    const struct block_wait wait = {
        .count = ctx->key_count,
        .type = TYPE_STRING,
        .timeout_ms = timeout_ms,
        .timed_out = reply_null_array,
    };
    block_on_keys(ctx, &wait);
}

// PUT key value
static void cmd_put(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set_text(ctx->db, &ctx->keys[0], &ref, ctx->argv[2], EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_STRING, "put");
    reply_ok(ctx);
}

// FORWARD from to: takes one key's value and puts it under the other, or waits.
static void cmd_forward(struct cmd_ctx *ctx)
{
    struct entry_ref from = db_find(ctx->db, &ctx->keys[0]);
    if (!from.entry) {
        const struct block_wait wait = {
            .count = 1,
            .type = TYPE_STRING,
            .timed_out = reply_null_array,
        };
        block_on_keys(ctx, &wait);
        return;
    }
    char text[64];
    char scratch[INT64_TEXT_MAX];
    struct slice value = string_bytes(from.entry, scratch);
    size_t len = value.len < sizeof(text) ? value.len : sizeof(text);
    memcpy(text, value.ptr, len);
    db_remove(ctx->db, &ctx->keys[0], from);
    ctx_removed(ctx, 0);
    struct entry_ref to = db_find(ctx->db, &ctx->keys[1]);
    string_set_text(ctx->db, &ctx->keys[1], &to, (struct slice){ .ptr = text, .len = len },
                    EXPIRY_NONE);
    ctx_written(ctx, 1, NOTIFY_STRING, "forward");
    reply_ok(ctx);
}

// SWAP: databases 0 and 1.
static void cmd_swap(struct cmd_ctx *ctx)
{
    db_swap(&ctx->server->keyspace->dbs[0], &ctx->server->keyspace->dbs[1]);
    reply_ok(ctx);
}

// USE db
static void cmd_use(struct cmd_ctx *ctx)
{
    int64_t number;
    if (!arg_int64(ctx, 1, &number))
        return;
    ctx->client->db = &ctx->server->keyspace->dbs[number];
    reply_ok(ctx);
}

// SAY text
static void cmd_say(struct cmd_ctx *ctx)
{
    resp_bulk_slice(&ctx->reply, ctx->argv[1]);
}

static const struct command commands[] = {
    { .name = "take",
      .arity = -3,
      .flags = CMD_WRITE | CMD_BLOCKING,
      .keys = { { .flags = KEY_RW,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 2,
                  .find = KEY_FIND_RANGE,
                  .last = -1,
                  .step = 1 } },
      .handler = cmd_take },
    { .name = "put",
      .arity = 3,
      .flags = CMD_WRITE,
      .keys = { KEYS_FIRST(KEY_OW) },
      .handler = cmd_put },
    { .name = "forward",
      .arity = 3,
      .flags = CMD_WRITE | CMD_BLOCKING,
      .keys = { KEYS_FIRST(KEY_RW), KEYS_SECOND(KEY_OW) },
      .handler = cmd_forward },
    { .name = "swap", .arity = 1, .flags = CMD_WRITE, .handler = cmd_swap },
    { .name = "use", .arity = 2, .handler = cmd_use },
    { .name = "say", .arity = 2, .handler = cmd_say },
    { 0 },
};

static int first_fd;
static int second_fd;
static int writer;

static void set_up(void)
{
    rig_make(commands);
    rig_start();
    first_fd = rig_connect();
    second_fd = rig_connect();
    writer = rig_connect();
}

static void wait_for(int fd, const char *request)
{
    rig_say(fd, request);
    rig_turns(3);
}

START_TEST(what_is_there_is_taken_at_once)
{
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_ask(first_fd, "take 0 j k\r\n", "$1\r\nv\r\n");
    ck_assert_uint_eq(server->keyspace->heard & KEY_EVENT(KEY_WRITTEN), 0);
}
END_TEST

START_TEST(waiters_are_served_in_their_order)
{
    wait_for(first_fd, "take 0 k\r\n");
    wait_for(second_fd, "take 0 k\r\n");
    ck_assert_uint_eq(server->clients->held, 2);
    rig_ask(writer, "put k 1\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\n1\r\n");
    rig_expect_silence(second_fd);
    rig_ask(writer, "put k 2\r\n", "+OK\r\n");
    rig_expect(second_fd, "$1\r\n2\r\n");
    ck_assert_uint_eq(server->clients->held, 0);
    ck_assert_uint_eq(server->keyspace->heard & KEY_EVENT(KEY_WRITTEN), 0);
}
END_TEST

START_TEST(served_before_any_next_command)
{
    wait_for(first_fd, "take 0 k\r\n");
    // Both in one batch: the second command finds the key taken already.
    rig_ask(writer, "put k 1\r\ntake 1 k\r\nsay x\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\n1\r\n");
    usleep(20000);
    rig_expect(writer, "*-1\r\n$1\r\nx\r\n");
}
END_TEST

START_TEST(keys_in_the_order_of_arguments)
{
    wait_for(first_fd, "take 0 a b b a\r\n");
    rig_ask(writer, "put c 1\r\nput b 2\r\n", "+OK\r\n+OK\r\n");
    rig_expect(first_fd, "$1\r\n2\r\n");
    rig_ask(writer, "put a 3\r\n", "+OK\r\n");
    rig_expect_silence(first_fd);
}
END_TEST

START_TEST(commands_behind_it_wait)
{
    rig_say(first_fd, "take 0 k\r\nsay 1\r\n");
    rig_turns(3);
    rig_say(first_fd, "say 2\r\n");
    rig_expect_silence(first_fd);
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\nv\r\n$1\r\n1\r\n$1\r\n2\r\n");
}
END_TEST

START_TEST(time_runs_out)
{
    wait_for(first_fd, "take 30 k\r\nsay 1\r\n");
    usleep(40000);
    rig_expect(first_fd, "*-1\r\n$1\r\n1\r\n");
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_expect_silence(first_fd);
}
END_TEST

START_TEST(waits_are_ended_by_others)
{
    wait_for(first_fd, "take 0 k\r\n");
    struct client *client = clients_find(server->clients, server->clients->next_id - 3);
    ck_assert(block_end(client, false));
    ck_assert(!block_end(client, false));
    rig_expect(first_fd, "*-1\r\n");
    wait_for(first_fd, "take 0 k\r\n");
    ck_assert(block_end(client, true));
    rig_expect(first_fd, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    rig_ask(first_fd, "say 1\r\n", "$1\r\n1\r\n");
}
END_TEST

START_TEST(one_that_waits_goes_away)
{
    wait_for(first_fd, "take 1000 k j\r\n");
    wait_for(second_fd, "take 0 k\r\n");
    rig_disconnect(first_fd);
    rig_turns(3);
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_expect(second_fd, "$1\r\nv\r\n");
    ck_assert_uint_eq(server->clients->count, 2);
}
END_TEST

START_TEST(a_served_command_serves_others)
{
    wait_for(first_fd, "forward a b\r\n");
    wait_for(second_fd, "take 0 b\r\n");
    rig_ask(writer, "put a v\r\nsay x\r\n", "+OK\r\n$1\r\nx\r\n");
    rig_expect(first_fd, "+OK\r\n");
    rig_expect(second_fd, "$1\r\nv\r\n");
}
END_TEST

START_TEST(databases_are_apart_and_may_be_swapped)
{
    rig_ask(first_fd, "use 1\r\n", "+OK\r\n");
    wait_for(first_fd, "take 0 k\r\n");
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_expect_silence(first_fd);
    rig_ask(writer, "swap\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\nv\r\n");
}
END_TEST

START_TEST(the_end_of_the_server)
{
    wait_for(first_fd, "take 0 k j i\r\nsay 1\r\n");
    wait_for(second_fd, "take 5000 k\r\nsay 2\r\n");
    wait_for(writer, "take 0 k\r\n");
}
END_TEST

static const struct command_entry *take_entry(void)
{
    return registry_lookup(server->registry, SLICE("take"));
}

START_TEST(a_wait_counts_as_one_call_however_it_ends)
{
    wait_for(first_fd, "take 10 k\r\n");
    ck_assert_uint_eq(take_entry()->calls, 0);
    usleep(15000);
    rig_expect(first_fd, "*-1\r\n");
    ck_assert_uint_eq(take_entry()->calls, 1);
    wait_for(first_fd, "take 0 k\r\n");
    rig_ask(writer, "put k v\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\nv\r\n");
    ck_assert_uint_eq(take_entry()->calls, 2);
    wait_for(first_fd, "take 0 k\r\n");
    ck_assert(block_end(clients_find(server->clients, server->clients->next_id - 3), true));
    ck_assert_uint_eq(take_entry()->calls, 3);
    ck_assert_uint_eq(take_entry()->failed_calls, 1);
    ck_assert_uint_eq(server->stats.error_replies, 1);
}
END_TEST

START_TEST(what_is_kept_belongs_to_the_clients_memory)
{
    struct client *client = clients_find(server->clients, server->clients->next_id - 3);
    size_t before = client_memory(client);
    struct bytes request = { 0 };
    bytes_append_text(&request, "*3\r\n$4\r\ntake\r\n$1\r\n0\r\n$10000\r\n");
    for (int i = 0; i < 10000; i++)
        bytes_append_char(&request, 'k');
    bytes_append_text(&request, "\r\n");
    rig_send(first_fd, request.data, request.len);
    bytes_release(&request);
    rig_turns(3);
    ck_assert_uint_ge(client_memory(client), before + 10000);
    ck_assert(block_end(client, false));
    rig_expect(first_fd, "*-1\r\n");
    ck_assert_uint_eq(client_memory(client), before);
}
END_TEST

START_TEST(no_memory_to_wait_with)
{
    char got[5];
    int refused = 0;
    // The parser has what it needs already.
    wait_for(second_fd, "take 1 k j i\r\n");
    usleep(2000);
    rig_expect(second_fd, "*-1\r\n");
    for (;; refused++) {
        mem_fail_after((uint64_t)refused);
        rig_say(first_fd, "take 1 k j i\r\n");
        rig_turns(3);
        usleep(2000);
        mem_fail_never();
        rig_receive(first_fd, got, sizeof(got));
        if (memcmp(got, "-OOM ", sizeof(got)) != 0)
            break;
        rig_expect(first_fd, "command not allowed: the server has no memory for a value of this "
                             "size\r\n");
        ck_assert_uint_eq(server->clients->held, 0);
        ck_assert_uint_eq(server->keyspace->heard & KEY_EVENT(KEY_WRITTEN), 0);
    }
    ck_assert_mem_eq(got, "*-1\r\n", sizeof(got));
    // The command, and at least each of the keys.
    ck_assert_int_ge(refused, 4);
}
END_TEST

// Each is looked for among those before it; the test would not end if that were a walk.
START_TEST(one_that_waits_for_very_many_keys)
{
    enum { MANY = 400000 };
    struct bytes request = { 0 };
    bytes_printf(&request, "*%d\r\n$4\r\ntake\r\n$1\r\n0\r\n", MANY + 2);
    for (int i = 0; i < MANY; i++)
        bytes_printf(&request, "$6\r\n%06d\r\n", i);
    rig_send(first_fd, request.data, request.len);
    bytes_release(&request);
    rig_ask(writer, "say 1\r\n", "$1\r\n1\r\n");
    rig_turns(3);
    ck_assert_uint_eq(server->clients->held, 1);
    rig_ask(writer, "put 399999 v\r\n", "+OK\r\n");
    rig_expect(first_fd, "$1\r\nv\r\n");
}
END_TEST

START_TEST(a_thousand_waiters)
{
    enum { MANY = 1000 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = rig_connect();
        rig_say(fds[i], "take 0 k\r\n");
        rig_turn();
    }
    rig_turns(3);
    ck_assert_uint_eq(server->clients->held, MANY);
    for (int i = 0; i < MANY; i++) {
        rig_ask(writer, "put k v\r\n", "+OK\r\n");
        rig_expect(fds[i], "$1\r\nv\r\n");
    }
    ck_assert_uint_eq(server->clients->held, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("block");
    TCase *cases = tcase_create("block");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, rig_stop);
    tcase_add_test(cases, what_is_there_is_taken_at_once);
    tcase_add_test(cases, waiters_are_served_in_their_order);
    tcase_add_test(cases, served_before_any_next_command);
    tcase_add_test(cases, keys_in_the_order_of_arguments);
    tcase_add_test(cases, commands_behind_it_wait);
    tcase_add_test(cases, time_runs_out);
    tcase_add_test(cases, waits_are_ended_by_others);
    tcase_add_test(cases, one_that_waits_goes_away);
    tcase_add_test(cases, a_served_command_serves_others);
    tcase_add_test(cases, databases_are_apart_and_may_be_swapped);
    tcase_add_test(cases, the_end_of_the_server);
    tcase_add_test(cases, a_wait_counts_as_one_call_however_it_ends);
    tcase_add_test(cases, what_is_kept_belongs_to_the_clients_memory);
    tcase_add_test(cases, no_memory_to_wait_with);
    tcase_add_test(cases, one_that_waits_for_very_many_keys);
    tcase_add_test(cases, a_thousand_waiters);
    suite_add_tcase(suite, cases);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

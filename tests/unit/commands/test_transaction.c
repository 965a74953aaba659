// SPDX-License-Identifier: BSD-3-Clause
// Tests of transactions inside a whole server: what the queue keeps, what it costs, what it says to the effect
// stream, and watching against a naive model.
#include "server/transaction.h"

#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "server/info.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SELECT_1 "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"
#define MULTI    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC     "*1\r\n$4\r\nEXEC\r\n"

static struct bytes fed;
static int fd;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    fd = rig_connect();
}

static void set_up_with_sink(void)
{
    set_up();
    effects_add_sink(server->effects, feed, &fed);
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

static void expect_fed(const char *want)
{
    bytes_append_char(&fed, '\0');
    ck_assert_str_eq(fed.data, want);
    bytes_clear(&fed);
}

static bool info_says(const char *line)
{
    struct bytes text = { 0 };
    info_write(server->info, &SLICE("clients"), 1, &text);
    bytes_append_char(&text, '\0');
    bool says = strstr(text.data, line) != NULL;
    bytes_release(&text);
    return says;
}

// --- The queue ----------------------------------------------------------------------------------

// What was received is overwritten when a turn is over; the queue must not refer to it.
START_TEST(arguments_of_every_form)
{
    rig_ask(fd, "multi\r\nset k 'a b'\r\n", "+OK\r\n+QUEUED\r\n");
    rig_turns(3);
    rig_ask(fd, "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n", "+QUEUED\r\n");
    rig_turns(3);
    rig_ask(fd, "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n", "+QUEUED\r\n");
    rig_turns(3);
    rig_ask(fd, "mget k '' a b\r\n", "+QUEUED\r\n");
    ck_assert_int_eq(transaction_length(rig_last_client()), 4);
    rig_ask(fd, "exec\r\n",
            "*4\r\n+OK\r\n+OK\r\n+OK\r\n*4\r\n$3\r\na b\r\n$0\r\n\r\n$1\r\n1\r\n$1\r\n2\r\n");
    ck_assert_int_eq(transaction_length(rig_last_client()), -1);
    ck_assert_uint_eq(transaction_memory(rig_last_client()), 0);
}
END_TEST

// It is taken over from the connection and becomes the value: it is there once.
START_TEST(a_large_argument_is_not_copied)
{
    static char value[1000000];
    struct bytes head = { 0 };
    memset(value, 'v', sizeof(value));
    rig_ask(fd, "MULTI\r\n", "+OK\r\n");
    bytes_printf(&head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", sizeof(value));
    size_t before = mem_used();
    rig_send(fd, head.data, head.len);
    rig_turns(3);
    rig_send(fd, value, sizeof(value));
    rig_ask(fd, "\r\n", "+QUEUED\r\n");
    rig_turns(3);
    size_t queued = mem_used() - before;
    ck_assert_uint_lt(queued, sizeof(value) * 3 / 2);
    ck_assert_uint_gt(transaction_memory(rig_last_client()), sizeof(value));
    ck_assert_uint_lt(transaction_memory(rig_last_client()), sizeof(value) * 3 / 2);
    rig_ask(fd, "STRLEN k\r\nEXEC\r\n", "+QUEUED\r\n*2\r\n+OK\r\n:1000000\r\n");
    rig_turns(3);
    ck_assert_uint_lt(mem_used() - before, sizeof(value) * 3 / 2);
    bytes_release(&head);
}
END_TEST

START_TEST(what_is_queued_is_bounded)
{
    ck_assert_int_eq(rig_config_set("client-query-buffer-limit", "1048576"), STATUS_OK);
    struct bytes request = { 0 };
    bytes_append_text(&request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000\r\n");
    for (int i = 0; i < 10000; i++)
        bytes_append_char(&request, 'v');
    bytes_append_text(&request, "\r\n");
    rig_ask(fd, "MULTI\r\n", "+OK\r\n");
    for (int i = 0; i < 100; i++) {
        rig_send(fd, request.data, request.len);
        rig_expect(fd, "+QUEUED\r\n");
    }
    size_t before = server->stats.query_limit_disconnections;
    for (int i = 0; i < 5; i++)
        rig_send(fd, request.data, request.len);
    rig_turns(5);
    ck_assert_uint_eq(server->stats.query_limit_disconnections, before + 1);
    ck_assert_uint_eq(server->clients->count, 0);
    bytes_release(&request);
}
END_TEST

START_TEST(clients_that_leave_give_everything_back)
{
    static const char requests[] = "watch a b c\r\nmulti\r\nset k v\r\nget k\r\n";
    static const char replies[] = "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n";
    // The first calls make the commands' histograms.
    rig_ask(fd, requests, replies);
    rig_ask(fd, "reset\r\n", "+RESET\r\n");
    size_t before = mem_used();
    int other = rig_connect();
    rig_ask(other, requests, replies);
    ck_assert(info_says("watching_clients:1\r\n"));
    rig_disconnect(other);
    rig_turns(5);
    ck_assert(info_says("watching_clients:0\r\n"));
    ck_assert(info_says("total_watched_keys:0\r\n"));
    ck_assert_uint_eq(server->clients->count, 1);
    ck_assert_uint_le(mem_used(), before + 4096);
}
END_TEST

// Without memory for it a command is refused, and the transaction with it.
START_TEST(no_memory_to_queue)
{
    rig_ask(fd, "MULTI\r\nSET k v\r\n", "+OK\r\n+QUEUED\r\n");
    mem_fail_after(0);
    rig_say(fd, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nw\r\n");
    rig_expect(fd, "-OOM ");
    mem_fail_never();
    rig_turns(3);
    char rest[256];
    ck_assert_int_gt(recv(fd, rest, sizeof(rest), 0), 0);
    rig_ask(fd, "EXEC\r\nGET k\r\n",
            "-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n");
}
END_TEST

START_TEST(no_memory_to_watch)
{
    for (uint64_t successes = 0; successes < 4; successes++) {
        char rest[256];
        // The client has something to watch, so that no more than the key is needed.
        rig_ask(fd, "UNWATCH\r\nWATCH first\r\n", "+OK\r\n+OK\r\n");
        mem_fail_after(successes);
        rig_say(fd, "WATCH k\r\n");
        rig_turns(3);
        mem_fail_never();
        ck_assert_int_gt(recv(fd, rest, sizeof(rest), 0), 0);
        ck_assert(rest[0] == '+' || memcmp(rest, "-OOM ", 5) == 0);
        ck_assert(info_says(rest[0] == '+' ? "total_watched_keys:2" : "total_watched_keys:1"));
    }
}
END_TEST

START_TEST(a_long_transaction)
{
    enum { COMMANDS = 20000 };
    struct bytes request = { 0 };
    char number[32];
    for (int i = 0; i < COMMANDS; i++)
        bytes_append_text(&request, "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n");
    rig_ask(fd, "MULTI\r\n", "+OK\r\n");
    rig_send(fd, request.data, request.len);
    for (int i = 0; i < COMMANDS; i++)
        rig_expect(fd, "+QUEUED\r\n");
    rig_say(fd, "EXEC\r\n");
    rig_expect(fd, "*20000\r\n");
    for (int i = 0; i < COMMANDS; i++) {
        snprintf(number, sizeof(number), ":%d\r\n", i + 1);
        rig_expect(fd, number);
    }
    bytes_release(&request);
}
END_TEST

// What follows a refused request in the same piece is queued all the same, and nothing of it is run.
START_TEST(nothing_of_an_aborted_transaction_is_run)
{
    rig_ask(fd, "multi\r\nset a 1\r\nnosuch\r\nset b 1\r\nexec\r\nexists a b\r\n",
            "+OK\r\n+QUEUED\r\n-ERR unknown command 'nosuch', with args beginning with: \r\n"
            "+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n:0\r\n");
}
END_TEST

// --- Effects ------------------------------------------------------------------------------------

START_TEST(effects_are_wrapped_once)
{
    rig_ask(fd, "multi\r\nset k 1\r\nget k\r\nincr k\r\nselect 1\r\nset k 2\r\nexec\r\n",
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
            "*5\r\n+OK\r\n$1\r\n1\r\n:2\r\n+OK\r\n+OK\r\n");
    expect_fed(SELECT_0 MULTI "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\n1\r\n"
                              "*2\r\n$4\r\nincr\r\n$1\r\nk\r\n" SELECT_1
                              "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\n2\r\n" EXEC);
    rig_ask(fd, "set l 3\r\n", "+OK\r\n");
    expect_fed("*3\r\n$3\r\nset\r\n$1\r\nl\r\n$1\r\n3\r\n");
}
END_TEST

// Verbatim, though the request is long gone.
START_TEST(effects_are_the_bytes_that_came)
{
    rig_ask(fd, "MULTI\r\n*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$0\r\n\r\n", "+OK\r\n+QUEUED\r\n");
    rig_turns(3);
    rig_ask(fd, "EXEC\r\n", "*1\r\n+OK\r\n");
    expect_fed(SELECT_0 "*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$0\r\n\r\n");
}
END_TEST

START_TEST(what_changes_nothing_is_not_wrapped)
{
    rig_ask(fd, "multi\r\nget k\r\ndel k\r\nexec\r\n",
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$-1\r\n:0\r\n");
    rig_ask(fd, "multi\r\nexec\r\n", "+OK\r\n*0\r\n");
    rig_ask(fd, "multi\r\nset k v\r\ndiscard\r\n", "+OK\r\n+QUEUED\r\n+OK\r\n");
    rig_ask(fd, "watch k\r\n", "+OK\r\n");
    expect_fed("");
    rig_ask(fd, "set k v\r\nmulti\r\nset k w\r\nexec\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
    expect_fed(SELECT_0 "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n");
}
END_TEST

START_TEST(expired_keys_are_inside)
{
    rig_ask(fd, "set k v px 1000\r\n", "+OK\r\n");
    bytes_clear(&fed);
    rig_ask(fd, "multi\r\nget k\r\nset l v\r\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    clock_shift_ms(2000);
    rig_ask(fd, "exec\r\n", "*2\r\n$-1\r\n+OK\r\n");
    expect_fed(MULTI
               "*2\r\n$6\r\nUNLINK\r\n$1\r\nk\r\n*3\r\n$3\r\nset\r\n$1\r\nl\r\n$1\r\nv\r\n" EXEC);
}
END_TEST

START_TEST(woken_clients_come_behind)
{
    int other = rig_connect();
    rig_say(other, "blpop k 0\r\n");
    rig_turns(3);
    rig_ask(fd, "multi\r\nrpush k a b\r\nllen k\r\nexec\r\n",
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n:2\r\n");
    rig_expect(other, "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
    // One effect alone is not wrapped.
    expect_fed(SELECT_0 "*4\r\n$5\r\nrpush\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\nb\r\n"
                        "*2\r\n$4\r\nLPOP\r\n$1\r\nk\r\n");
}
END_TEST

// --- Watching -----------------------------------------------------------------------------------

START_TEST(the_keyspace_is_heard_only_while_somebody_watches)
{
    const uint32_t written = KEY_EVENT(KEY_WRITTEN);
    int other = rig_connect();
    ck_assert_uint_eq(server->keyspace->heard & written, 0);
    rig_ask(fd, "watch a a b\r\n", "+OK\r\n");
    rig_ask(other, "watch a\r\n", "+OK\r\n");
    ck_assert_uint_ne(server->keyspace->heard & written, 0);
    ck_assert(info_says("watching_clients:2\r\n"));
    ck_assert(info_says("total_watched_keys:2\r\n"));
    rig_ask(fd, "unwatch\r\n", "+OK\r\n");
    ck_assert_uint_ne(server->keyspace->heard & written, 0);
    // One that has been told has nothing to watch any more.
    rig_ask(fd, "set a v\r\n", "+OK\r\n");
    ck_assert_uint_eq(server->keyspace->heard, 0);
    ck_assert(info_says("total_watched_keys:0\r\n"));
    rig_ask(other, "multi\r\nexec\r\nmulti\r\nexec\r\n", "+OK\r\n*-1\r\n+OK\r\n*0\r\n");
}
END_TEST

START_TEST(a_key_is_watched_once)
{
    for (int i = 0; i < 100; i++)
        rig_ask(fd, "watch a b\r\nwatch b a\r\n", "+OK\r\n+OK\r\n");
    ck_assert(info_says("total_watched_keys:2\r\n"));
    size_t bytes = transaction_memory(rig_last_client());
    rig_ask(fd, "watch a b\r\n", "+OK\r\n");
    ck_assert_uint_eq(transaction_memory(rig_last_client()), bytes);
}
END_TEST

// For the second one it is gone already, and stays so when it is deleted; the first one's EXEC knows its time.
START_TEST(a_key_expires_between_two_who_watch_it)
{
    int other = rig_connect();
    rig_ask(fd, "set k v px 1000\r\nset l v px 1000\r\nwatch k l\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    clock_shift_ms(2000);
    rig_ask(other, "watch k l\r\n", "+OK\r\n");
    ck_assert(info_says("watching_clients:2\r\n"));
    ck_assert(info_says("total_watched_keys:2\r\n"));
    ck_assert_uint_eq(server->keyspace->expired_keys, 0);
    rig_ask(rig_connect(), "get k\r\n", "$-1\r\n");
    ck_assert_uint_eq(server->keyspace->expired_keys, 1);
    ck_assert(info_says("watching_clients:1\r\n"));
    rig_ask(fd, "multi\r\nexec\r\n", "+OK\r\n*-1\r\n");
    rig_ask(other, "multi\r\nexec\r\n", "+OK\r\n*0\r\n");
    // And one's own, watched again.
    rig_ask(fd, "set k v px 1000\r\nwatch k\r\n", "+OK\r\n+OK\r\n");
    clock_shift_ms(2000);
    rig_ask(fd, "watch k\r\nmulti\r\nexec\r\n", "+OK\r\n+OK\r\n*-1\r\n");
    ck_assert(info_says("total_watched_keys:0\r\n"));
}
END_TEST

#define MODEL_CLIENTS 4
#define MODEL_KEYS    6
#define MODEL_DBS     2

// What the model knows of a client: what it watches, and whether that existed when it began to.
struct model_client {
    int fd;
    bool watches[MODEL_DBS][MODEL_KEYS];
    bool touched;
};

struct model {
    struct random random;
    bool exists[MODEL_DBS][MODEL_KEYS];
    struct model_client clients[MODEL_CLIENTS];
};

static void model_touch(struct model *model, int db, int key)
{
    for (int i = 0; i < MODEL_CLIENTS; i++)
        model->clients[i].touched |= model->clients[i].watches[db][key];
}

static void model_unwatch(struct model_client *client)
{
    memset(client->watches, 0, sizeof(client->watches));
    client->touched = false;
}

static void model_flush(struct model *model, int db)
{
    for (int key = 0; key < MODEL_KEYS; key++) {
        if (model->exists[db][key])
            model_touch(model, db, key);
        model->exists[db][key] = false;
    }
}

static void model_swap(struct model *model)
{
    for (int key = 0; key < MODEL_KEYS; key++) {
        bool first = model->exists[0][key];
        bool second = model->exists[1][key];
        if (first || second) {
            model_touch(model, 0, key);
            model_touch(model, 1, key);
        }
        model->exists[0][key] = second;
        model->exists[1][key] = first;
    }
}

static void model_write(struct model *model, int writer)
{
    char text[64];
    int db = (int)random_below(&model->random, MODEL_DBS);
    int key = (int)random_below(&model->random, MODEL_KEYS);
    bool removes = random_below(&model->random, 2);
    snprintf(text, sizeof(text), "select %d\r\n%s k%d%s\r\n", db, removes ? "del" : "set", key,
             removes ? "" : " v");
    rig_say(writer, text);
    rig_expect(writer, "+OK\r\n");
    if (removes)
        rig_expect(writer, model->exists[db][key] ? ":1\r\n" : ":0\r\n");
    else
        rig_expect(writer, "+OK\r\n");
    if (!removes || model->exists[db][key])
        model_touch(model, db, key);
    model->exists[db][key] = !removes;
}

static void model_watch(struct model *model, struct model_client *client)
{
    char text[64];
    int db = (int)random_below(&model->random, MODEL_DBS);
    int key = (int)random_below(&model->random, MODEL_KEYS);
    snprintf(text, sizeof(text), "select %d\r\nwatch k%d\r\n", db, key);
    rig_ask(client->fd, text, "+OK\r\n+OK\r\n");
    client->watches[db][key] = true;
}

static void model_step(struct model *model, int writer)
{
    struct model_client *client = &model->clients[random_below(&model->random, MODEL_CLIENTS)];
    switch (random_below(&model->random, 16)) {
    case 0:
        rig_ask(client->fd, "unwatch\r\n", "+OK\r\n");
        model_unwatch(client);
        break;
    case 1:
        rig_ask(writer, "select 1\r\nflushdb\r\n", "+OK\r\n+OK\r\n");
        model_flush(model, 1);
        break;
    case 2:
        rig_ask(writer, "swapdb 0 1\r\n", "+OK\r\n");
        model_swap(model);
        break;
    case 3:
    case 4:
    case 5:
        rig_ask(client->fd, "multi\r\nexec\r\n",
                client->touched ? "+OK\r\n*-1\r\n" : "+OK\r\n*0\r\n");
        model_unwatch(client);
        break;
    case 6:
    case 7:
    case 8: model_write(model, writer); break;
    default: model_watch(model, client); break;
    }
}

START_TEST(watching_agrees_with_a_model)
{
    struct model model = { 0 };
    random_seed(&model.random, 11);
    int writer = rig_connect();
    for (int i = 0; i < MODEL_CLIENTS; i++)
        model.clients[i].fd = rig_connect();
    for (int i = 0; i < 5000; i++)
        model_step(&model, writer);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("transaction");
    TCase *queue = tcase_create("queue");
    tcase_add_checked_fixture(queue, set_up, tear_down);
    tcase_set_timeout(queue, 60);
    tcase_add_test(queue, arguments_of_every_form);
    tcase_add_test(queue, a_large_argument_is_not_copied);
    tcase_add_test(queue, what_is_queued_is_bounded);
    tcase_add_test(queue, clients_that_leave_give_everything_back);
    tcase_add_test(queue, no_memory_to_queue);
    tcase_add_test(queue, no_memory_to_watch);
    tcase_add_test(queue, a_long_transaction);
    tcase_add_test(queue, nothing_of_an_aborted_transaction_is_run);
    suite_add_tcase(suite, queue);

    TCase *effects = tcase_create("effects");
    tcase_add_checked_fixture(effects, set_up_with_sink, tear_down);
    tcase_set_timeout(effects, 30);
    tcase_add_test(effects, effects_are_wrapped_once);
    tcase_add_test(effects, effects_are_the_bytes_that_came);
    tcase_add_test(effects, what_changes_nothing_is_not_wrapped);
    tcase_add_test(effects, expired_keys_are_inside);
    tcase_add_test(effects, woken_clients_come_behind);
    suite_add_tcase(suite, effects);

    TCase *watching = tcase_create("watching");
    tcase_add_checked_fixture(watching, set_up, tear_down);
    tcase_set_timeout(watching, 60);
    tcase_add_test(watching, the_keyspace_is_heard_only_while_somebody_watches);
    tcase_add_test(watching, a_key_is_watched_once);
    tcase_add_test(watching, a_key_expires_between_two_who_watch_it);
    tcase_add_test(watching, watching_agrees_with_a_model);
    suite_add_tcase(suite, watching);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of keyspace notifications: the directive's words, what is listened to, what is sent. Which events
// commands have is compared with redis-server in redis-compat/cases/notifications.
#include "server/notifications.h"

#include "rig.h"
#include "server/ctx.h"
#include "server/pubsub.h"
#include "support/unit.h"

// TELL key: one event of each kind that a handler can tell of.
static void cmd_tell(struct cmd_ctx *ctx)
{
    ctx_written(ctx, 0, NOTIFY_STRING, "written");
    ctx_notify(ctx, 0, NOTIFY_GENERIC, "more");
    ctx_written_in(ctx, &ctx->server->keyspace->dbs[7], 0, NOTIFY_LIST, "elsewhere");
    ctx_removed(ctx, 0);
    ctx_emptied(ctx, 0, NOTIFY_SET, "emptied");
    ctx_moved(ctx, 0, "moved");
    reply_int(ctx, (int64_t)ctx->changes);
}

// READ key
static void cmd_read(struct cmd_ctx *ctx)
{
    reply_int(ctx, db_find_read(ctx->db, &ctx->keys[0]).entry != NULL);
}

// WRITE key: it expires in a second.
static void cmd_write(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set(ctx->db, &ctx->keys[0], &ref, SLICE("v"), clock_wall_ms() + 1000);
    reply_ok(ctx);
}

static const struct command commands[] = {
    { .name = "tell", .arity = 2, .keys = { KEYS_FIRST(KEY_RW) }, .handler = cmd_tell },
    { .name = "read", .arity = 2, .keys = { KEYS_FIRST(KEY_RO) }, .handler = cmd_read },
    { .name = "write", .arity = 2, .keys = { KEYS_FIRST(KEY_RW) }, .handler = cmd_write },
    { 0 },
};

static int writer;
static int reader;
static struct client *subscriber;

static void set_up(void)
{
    rig_make(commands);
    rig_start();
    writer = rig_connect();
    reader = rig_connect();
    subscriber = rig_last_client();
}

static void subscribe(const char *pattern)
{
    ck_assert_int_eq(pubsub_subscribe(subscriber, PUBSUB_PATTERN, slice_of(pattern)), STATUS_OK);
}

static void want(const char *words)
{
    ck_assert_int_eq(rig_config_set("notify-keyspace-events", words), STATUS_OK);
}

static void keep(struct slice name, struct slice value, void *udata)
{
    (void)name;
    snprintf(udata, 32, "%.*s", (int)value.len, value.ptr);
}

static void expect_words(const char *words)
{
    char got[32] = "nothing";
    struct slice name = SLICE("notify-keyspace-events");
    config_get(server->config, &name, 1, keep, got);
    ck_assert_str_eq(got, words);
}

// The next message to the subscriber.
static void expect_message(const char *channel, const char *message)
{
    char text[256];
    snprintf(text, sizeof(text), "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
             strlen(channel), channel, strlen(message), message);
    rig_expect(reader, text);
}

START_TEST(words_are_shown_in_their_order)
{
    static const struct {
        const char *set;
        const char *get;
    } cases[] = {
        { "", "" },
        { "E", "E" },
        { "EK", "KE" },
        { "KEA", "AKE" },
        { "dtexzhsl$g", "A" },
        { "texzhsl$g", "g$lshzxet" },
        { "mnEKdtexzhsl$", "$lshzxetdnKEm" },
        { "AmnKE", "AKEm" },
        { "nK", "nK" },
        { "ggxx", "gx" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        want(cases[i].set);
        expect_words(cases[i].get);
    }
}
END_TEST

START_TEST(hostile_words)
{
    static const char *const bad[] = { "Q", "KEA?", "K E", "a", "k", "\xff", "\x01", "KEAA0", "," };
    want("Kx");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const struct slice pairs[] = { SLICE("notify-keyspace-events"), slice_of(bad[i]) };
        struct config_error error;
        ck_assert_int_ne(config_set(server->config, pairs, 1, &error), STATUS_OK);
        ck_assert_ptr_nonnull(strstr(error.text, "Invalid event class character"));
        expect_words("xK");
    }
}
END_TEST

// A value that CONFIG GET doesn't show in full comes back in full.
START_TEST(a_refused_change_leaves_everything)
{
    want("AnE");
    subscribe("*");
    const struct slice pairs[] = { SLICE("notify-keyspace-events"), SLICE("Kx"),
                                   SLICE("maxclients"), SLICE("many") };
    struct config_error error;
    ck_assert_int_ne(config_set(server->config, pairs, 2, &error), STATUS_OK);
    expect_words("AE");
    ck_assert_uint_eq(server->notified & (NOTIFY_NEW | NOTIFY_EXPIRED | NOTIFY_KEY_MISS),
                      NOTIFY_NEW | NOTIFY_EXPIRED);
}
END_TEST

START_TEST(nothing_is_listened_to_while_nobody_is_there)
{
    ck_assert_uint_eq(server->keyspace->heard, 0);
    want("KEAmn");
    ck_assert_uint_eq(server->notified, 0);
    ck_assert_uint_eq(server->keyspace->heard, 0);
    subscribe("elsewhere");
    ck_assert_uint_ne(server->notified, 0);
    ck_assert_uint_eq(server->keyspace->heard, KEY_EVENT(KEY_EXPIRED) | KEY_EVENT(KEY_EVICTED) |
                                                   KEY_EVENT(KEY_CREATED) | KEY_EVENT(KEY_MISSED));
    want("Kgx");
    ck_assert_uint_eq(server->notified, NOTIFY_GENERIC | NOTIFY_EXPIRED);
    ck_assert_uint_eq(server->keyspace->heard, KEY_EVENT(KEY_EXPIRED));
    // No kind of channel, or no class.
    want("gx");
    ck_assert_uint_eq(server->notified | server->keyspace->heard, 0);
    want("KE");
    ck_assert_uint_eq(server->notified | server->keyspace->heard, 0);
    want("Em");
    ck_assert_uint_eq(server->notified, NOTIFY_KEY_MISS);
    pubsub_forget(subscriber);
    ck_assert_uint_eq(server->notified | server->keyspace->heard, 0);
    // So it is once a subscriber's connection has ended.
    subscribe("*");
    ck_assert_uint_eq(server->notified, NOTIFY_KEY_MISS);
    rig_disconnect(reader);
    rig_turns(3);
    ck_assert_uint_eq(server->notified | server->keyspace->heard, 0);
}
END_TEST

START_TEST(handlers_tell_what_they_did)
{
    want("KEA");
    subscribe("*");
    rig_ask(writer, "TELL k\r\n", ":4\r\n");
    expect_message("__keyspace@0__:k", "written");
    expect_message("__keyevent@0__:written", "k");
    expect_message("__keyspace@0__:k", "more");
    expect_message("__keyevent@0__:more", "k");
    expect_message("__keyspace@7__:k", "elsewhere");
    expect_message("__keyevent@7__:elsewhere", "k");
    expect_message("__keyspace@0__:k", "del");
    expect_message("__keyevent@0__:del", "k");
    expect_message("__keyspace@0__:k", "emptied");
    expect_message("__keyevent@0__:emptied", "k");
    expect_message("__keyspace@0__:k", "del");
    expect_message("__keyevent@0__:del", "k");
    expect_message("__keyspace@0__:k", "moved");
    expect_message("__keyevent@0__:moved", "k");
    want("Es");
    rig_ask(writer, "TELL k\r\n", ":4\r\n");
    expect_message("__keyevent@0__:emptied", "k");
    want("Kl");
    rig_ask(writer, "TELL k\r\n", ":4\r\n");
    expect_message("__keyspace@7__:k", "elsewhere");
    want("A");
    rig_ask(writer, "TELL k\r\n", ":4\r\n");
    rig_expect_silence(reader);
}
END_TEST

START_TEST(the_keyspace_tells_of_what_happens_by_itself)
{
    want("Emnx");
    subscribe("*");
    rig_ask(writer, "READ k\r\n", ":0\r\n");
    expect_message("__keyevent@0__:keymiss", "k");
    rig_ask(writer, "WRITE k\r\n", "+OK\r\n");
    expect_message("__keyevent@0__:new", "k");
    rig_ask(writer, "WRITE k\r\nREAD k\r\n", "+OK\r\n:1\r\n");
    clock_shift_ms(1000);
    rig_ask(writer, "READ k\r\n", ":0\r\n");
    expect_message("__keyevent@0__:expired", "k");
    expect_message("__keyevent@0__:keymiss", "k");
    struct key key = key_of(SLICE("k"));
    keyspace_announce(server->keyspace, KEY_EVICTED, &server->keyspace->dbs[3], &key);
    want("Ee");
    keyspace_announce(server->keyspace, KEY_EVICTED, &server->keyspace->dbs[3], &key);
    expect_message("__keyevent@3__:evicted", "k");
    rig_expect_silence(reader);
}
END_TEST

// What the name of a channel takes is given back.
START_TEST(a_long_key)
{
    static char name[70000];
    static char request[70100];
    static char expected[70200];
    memset(name, 'k', sizeof(name) - 1);
    want("Kg");
    subscribe("*");
    snprintf(request, sizeof(request), "*2\r\n$4\r\nTELL\r\n$%zu\r\n%s\r\n", strlen(name), name);
    size_t used = mem_used();
    rig_ask(writer, request, ":4\r\n");
    snprintf(expected, sizeof(expected),
             "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$%zu\r\n__keyspace@0__:", strlen(name) + 15);
    rig_expect(reader, expected);
    want("");
    while (recv(reader, expected, sizeof(expected), 0) > 0)
        rig_turns(2);
    pubsub_forget(subscriber);
    ck_assert_uint_lt(mem_used(), used + sizeof(name));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("notifications");
    TCase *tcase = tcase_create("notifications");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, words_are_shown_in_their_order);
    tcase_add_test(tcase, hostile_words);
    tcase_add_test(tcase, a_refused_change_leaves_everything);
    tcase_add_test(tcase, nothing_is_listened_to_while_nobody_is_there);
    tcase_add_test(tcase, handlers_tell_what_they_did);
    tcase_add_test(tcase, the_keyspace_tells_of_what_happens_by_itself);
    tcase_add_test(tcase, a_long_key);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

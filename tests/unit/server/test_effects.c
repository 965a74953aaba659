// SPDX-License-Identifier: BSD-3-Clause
// Tests of the effect stream with commands made for it: what is sent, in which order, to whom.
#include "server/effects.h"

#include "rig.h"
#include "server/ctx.h"
#include "support/unit.h"

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SELECT_1 "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"
#define MULTI    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC     "*1\r\n$4\r\nEXEC\r\n"
#define SELECT_3 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"

// WRITE key [value]
static void cmd_write(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    struct slice value = ctx->argc > 2 ? ctx->argv[2] : SLICE("v");
    string_set(ctx->db, &ctx->keys[0], &ref, value, EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_STRING, "write");
    reply_ok(ctx);
}

// READ key
static void cmd_read(struct cmd_ctx *ctx)
{
    reply_int(ctx, db_find_read(ctx->db, &ctx->keys[0]).entry != NULL);
}

// SHORT-LIVED key: it expires in a second.
static void cmd_short_lived(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set(ctx->db, &ctx->keys[0], &ref, SLICE("v"), clock_wall_ms() + 1000);
    ctx_written(ctx, 0, NOTIFY_STRING, "write");
    effect_drop(ctx);
    reply_ok(ctx);
}

// DB index
static void cmd_db(struct cmd_ctx *ctx)
{
    int64_t index;
    if (!arg_int64(ctx, 1, &index))
        return;
    ctx->client->db = &server->keyspace->dbs[index];
    reply_ok(ctx);
}

// REPLACE key changes: says something else, and changes so much.
static void cmd_replace(struct cmd_ctx *ctx)
{
    int64_t changes;
    if (!arg_int64(ctx, 2, &changes))
        return;
    ctx->changes += (uint64_t)changes;
    effect_replace(ctx, (struct slice[]){ SLICE("FIRST"), ctx->argv[1] }, 2);
    effect_replace(ctx, (struct slice[]){ SLICE("SECOND") }, 1);
    reply_ok(ctx);
}

static uint64_t writer_offset;

// GROUP key count: a group of the command itself, so many times.
static void cmd_group(struct cmd_ctx *ctx)
{
    int64_t count;
    if (!arg_int64(ctx, 2, &count))
        return;
    effects_begin_group(server->effects);
    for (int64_t i = 0; i < count; i++)
        effects_commit(ctx);
    effects_end_group(server->effects);
    writer_offset = ctx->client->effect_offset;
    reply_ok(ctx);
}

// HOP key: a group of a write here, one in the next database, and a message.
static void cmd_hop(struct cmd_ctx *ctx)
{
    effects_begin_group(server->effects);
    effects_commit(ctx);
    ctx->db++;
    effects_commit(ctx);
    effect_tell_replicas(ctx);
    effects_end_group(server->effects);
    reply_ok(ctx);
}

// TELL key: for replicas only.
static void cmd_tell(struct cmd_ctx *ctx)
{
    effect_tell_replicas(ctx);
    reply_ok(ctx);
}

// UNSAY key: says something else and then nothing.
static void cmd_unsay(struct cmd_ctx *ctx)
{
    ctx->changes++;
    effect_replace(ctx, (struct slice[]){ SLICE("FIRST"), ctx->argv[1] }, 2);
    effect_drop(ctx);
    reply_ok(ctx);
}

// ANNOUNCE key: events of every kind, without a change.
static void cmd_announce(struct cmd_ctx *ctx)
{
    keyspace_announce(server->keyspace, KEY_WRITTEN, ctx->db, &ctx->keys[0]);
    keyspace_announce(server->keyspace, KEY_REMOVED, ctx->db, &ctx->keys[0]);
    keyspace_announce(server->keyspace, KEY_EXPIRED, ctx->db, &ctx->keys[0]);
    keyspace_announce(server->keyspace, KEY_EVICTED, ctx->db, &ctx->keys[0]);
    reply_ok(ctx);
}

static const struct command commands[] = {
    { .name = "write", .arity = -2, .handler = cmd_write, .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "read", .arity = 2, .handler = cmd_read, .keys = { KEYS_FIRST(KEY_RO) } },
    { .name = "short-lived",
      .arity = 2,
      .handler = cmd_short_lived,
      .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "db", .arity = 2, .handler = cmd_db },
    { .name = "replace", .arity = 3, .handler = cmd_replace, .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "unsay", .arity = 2, .handler = cmd_unsay, .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "group", .arity = 3, .handler = cmd_group, .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "hop", .arity = 2, .handler = cmd_hop, .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "tell", .arity = 2, .handler = cmd_tell },
    { .name = "announce", .arity = 2, .handler = cmd_announce, .keys = { KEYS_FIRST(KEY_OW) } },
    { 0 },
};

// What a sink was fed.
struct fed {
    struct bytes bytes;
    unsigned calls;
};

static struct fed sinks[3];
static int fd;

static void feed(void *udata, struct slice resp)
{
    struct fed *fed = udata;
    bytes_append_slice(&fed->bytes, resp);
    fed->calls++;
}

static void set_up(void)
{
    memset(sinks, 0, sizeof(sinks));
    rig_make(commands);
    rig_start();
    fd = rig_connect();
}

static void tear_down(void)
{
    for (int i = 0; i < 3; i++)
        bytes_release(&sinks[i].bytes);
    rig_stop();
}

static void add_sink(int number)
{
    effects_add_sink(server->effects, feed, &sinks[number]);
}

// The sink was fed this since the last look. Compared as people read it, on one line.
static void expect_fed(int number, const char *want)
{
    struct bytes *fed = &sinks[number].bytes;
    struct bytes have = { 0 };
    struct bytes wanted = { 0 };
    bytes_append_quoted(&have, bytes_slice(fed));
    bytes_append_quoted(&wanted, slice_of(want));
    bytes_append_char(&have, '\0');
    bytes_append_char(&wanted, '\0');
    ck_assert_str_eq(have.data, wanted.data);
    bytes_release(&have);
    bytes_release(&wanted);
    bytes_clear(fed);
}

START_TEST(a_command_goes_out_as_it_came)
{
    add_sink(0);
    ck_assert(effects_wanted(server->effects));
    rig_ask(fd, "*2\r\n$5\r\nwRiTe\r\n$1\r\nk\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 "*2\r\n$5\r\nwRiTe\r\n$1\r\nk\r\n");
    // In a pipeline each goes for itself.
    rig_ask(fd, "*2\r\n$5\r\nwrite\r\n$1\r\na\r\n*2\r\n$5\r\nwrite\r\n$1\r\nb\r\n",
            "+OK\r\n+OK\r\n");
    ck_assert_uint_eq(sinks[0].calls, 4);
    expect_fed(0, "*2\r\n$5\r\nwrite\r\n$1\r\na\r\n*2\r\n$5\r\nwrite\r\n$1\r\nb\r\n");
}
END_TEST

START_TEST(other_forms_are_encoded_anew)
{
    static const char *const forms[] = {
        "write k\r\n",
        "write \"k\"\n",
        "  write   'k'  \r\n",
        // What the parser lets pass, others need not.
        "*2\r\n$5\r\nwritexx$1\r\nk\r\n",
        "*2\rx$5\r\nwrite\r\n$1\ryk\r\n",
    };
    add_sink(0);
    rig_ask(fd, "write k\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 "*2\r\n$5\r\nwrite\r\n$1\r\nk\r\n");
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        rig_ask(fd, forms[i], "+OK\r\n");
        expect_fed(0, "*2\r\n$5\r\nwrite\r\n$1\r\nk\r\n");
    }
    // An escape is taken off.
    rig_ask(fd, "write \"a\\x20b\\r\"\r\n", "+OK\r\n");
    expect_fed(0, "*2\r\n$5\r\nwrite\r\n$4\r\na b\r\r\n");
}
END_TEST

START_TEST(a_large_argument_is_encoded_anew)
{
    static char value[100000];
    add_sink(0);
    memset(value, 'v', sizeof(value));
    struct bytes request = { 0 };
    bytes_printf(&request, "*3\r\n$5\r\nwrite\r\n$1\r\nk\r\n$%zu\r\n", sizeof(value));
    bytes_append(&request, value, sizeof(value));
    bytes_append_text(&request, "\r\n");
    rig_send(fd, request.data, 1000);
    rig_turns(2);
    rig_send(fd, request.data + 1000, request.len - 1000);
    rig_expect(fd, "+OK\r\n");
    size_t head = sizeof(SELECT_0) - 1;
    ck_assert_uint_eq(sinks[0].bytes.len, head + request.len);
    ck_assert_mem_eq(sinks[0].bytes.data + head, request.data, request.len);
    bytes_release(&request);
}
END_TEST

START_TEST(the_database_is_selected_when_it_changes)
{
    int other = rig_connect();
    add_sink(0);
    rig_ask(fd, "db 3\r\nwrite a\r\nwrite b\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    expect_fed(0, SELECT_3 "*2\r\n$5\r\nwrite\r\n$1\r\na\r\n*2\r\n$5\r\nwrite\r\n$1\r\nb\r\n");
    rig_ask(other, "write c\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 "*2\r\n$5\r\nwrite\r\n$1\r\nc\r\n");
    // Being elsewhere is nothing; writing there is.
    rig_ask(other, "db 3\r\nread a\r\ndb 0\r\nwrite d\r\n", "+OK\r\n:1\r\n+OK\r\n+OK\r\n");
    expect_fed(0, "*2\r\n$5\r\nwrite\r\n$1\r\nd\r\n");
    rig_ask(fd, "write e\r\n", "+OK\r\n");
    expect_fed(0, SELECT_3 "*2\r\n$5\r\nwrite\r\n$1\r\ne\r\n");
}
END_TEST

START_TEST(handlers_may_say_it_otherwise)
{
    add_sink(0);
    rig_ask(fd, "replace k 1\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 MULTI "*2\r\n$5\r\nFIRST\r\n$1\r\nk\r\n*1\r\n$6\r\nSECOND\r\n" EXEC);
    rig_ask(fd, "unsay k\r\n", "+OK\r\n");
    expect_fed(0, "");
    rig_ask(fd, "write k\r\n", "+OK\r\n");
    expect_fed(0, "*2\r\n$5\r\nwrite\r\n$1\r\nk\r\n");
}
END_TEST

START_TEST(no_change_no_effect)
{
    add_sink(0);
    rig_ask(fd, "read k\r\nread\r\nnosuch\r\nwrite\r\n",
            ":0\r\n-ERR wrong number of arguments for 'read' command\r\n-ERR unknown command "
            "'nosuch', with args beginning with: \r\n-ERR wrong number of arguments for 'write' "
            "command\r\n");
    expect_fed(0, "");
    ck_assert_uint_eq(sinks[0].calls, 0);
}
END_TEST

// What a command that changed nothing would have said is not the next one's.
START_TEST(what_was_not_sent_is_forgotten)
{
    add_sink(0);
    rig_ask(fd, "replace k 0\r\n", "+OK\r\n");
    expect_fed(0, "");
    rig_ask(fd, "replace l 1\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 MULTI "*2\r\n$5\r\nFIRST\r\n$1\r\nl\r\n*1\r\n$6\r\nSECOND\r\n" EXEC);
}
END_TEST

START_TEST(expired_keys_are_deletions_ahead)
{
    add_sink(0);
    rig_ask(fd, "short-lived k\r\n", "+OK\r\n");
    expect_fed(0, "");
    clock_shift_ms(2000);
    rig_ask(fd, "write k\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 MULTI
               "*2\r\n$6\r\nUNLINK\r\n$1\r\nk\r\n*2\r\n$5\r\nwrite\r\n$1\r\nk\r\n" EXEC);
    // Ahead of what the handler says instead, and of nothing.
    rig_ask(fd, "short-lived l\r\nshort-lived m\r\n", "+OK\r\n+OK\r\n");
    clock_shift_ms(2000);
    rig_ask(fd, "read l\r\nread m\r\nread m\r\n", ":0\r\n:0\r\n:0\r\n");
    expect_fed(0, "*2\r\n$6\r\nUNLINK\r\n$1\r\nl\r\n*2\r\n$6\r\nUNLINK\r\n$1\r\nm\r\n");
}
END_TEST

START_TEST(only_expiry_and_eviction_are_deletions)
{
    add_sink(0);
    rig_ask(fd, "announce k\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 MULTI
               "*2\r\n$6\r\nUNLINK\r\n$1\r\nk\r\n*2\r\n$6\r\nUNLINK\r\n$1\r\nk\r\n" EXEC);
    rig_ask(fd, "*2\r\n$8\r\nannounce\r\n$0\r\n\r\n", "+OK\r\n");
    expect_fed(0, MULTI "*2\r\n$6\r\nUNLINK\r\n$0\r\n\r\n*2\r\n$6\r\nUNLINK\r\n$0\r\n\r\n" EXEC);
}
END_TEST

START_TEST(all_sinks_get_the_same)
{
    add_sink(0);
    add_sink(1);
    rig_ask(fd, "write a\r\nreplace k 2\r\n", "+OK\r\n+OK\r\n");
    ck_assert_uint_eq(sinks[0].bytes.len, sinks[1].bytes.len);
    ck_assert_mem_eq(sinks[0].bytes.data, sinks[1].bytes.data, sinks[0].bytes.len);
    ck_assert_uint_eq(sinks[0].calls, sinks[1].calls);
}
END_TEST

START_TEST(a_group_is_wrapped_if_it_has_two)
{
    add_sink(0);
    rig_ask(fd, "group k 0\r\n", "+OK\r\n");
    expect_fed(0, "");
    ck_assert(!effects_in_group(server->effects));
    rig_ask(fd, "group k 1\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 "*3\r\n$5\r\ngroup\r\n$1\r\nk\r\n$1\r\n1\r\n");
    rig_ask(fd, "db 1\r\ngroup k 2\r\n", "+OK\r\n+OK\r\n");
    expect_fed(0, SELECT_1 MULTI "*3\r\n$5\r\ngroup\r\n$1\r\nk\r\n$1\r\n2\r\n"
                                 "*3\r\n$5\r\ngroup\r\n$1\r\nk\r\n$1\r\n2\r\n" EXEC);
    rig_ask(fd, "write c\r\n", "+OK\r\n");
    expect_fed(0, "*2\r\n$5\r\nwrite\r\n$1\r\nc\r\n");
}
END_TEST

// Who has written waits for all of its group.
START_TEST(the_offset_of_a_client_is_behind_its_group)
{
    add_sink(0);
    rig_ask(fd, "group k 1\r\n", "+OK\r\n");
    ck_assert_uint_eq(writer_offset, sinks[0].bytes.len);
    rig_ask(fd, "group k 2\r\n", "+OK\r\n");
    ck_assert_uint_eq(writer_offset, sinks[0].bytes.len);
    ck_assert_uint_eq(effects_offset(server->effects), sinks[0].bytes.len);
}
END_TEST

START_TEST(some_is_for_replicas_only)
{
    static const char tell[] = "*2\r\n$4\r\ntell\r\n$1\r\nk\r\n";
    static const char hop[] = "*2\r\n$3\r\nhop\r\n$1\r\nk\r\n";
    struct bytes want = { 0 };
    add_sink(0);
    rig_ask(fd, tell, "+OK\r\n");
    expect_fed(0, "");
    effects_add_replica_sink(server->effects, feed, &sinks[1]);
    rig_ask(fd, tell, "+OK\r\n");
    expect_fed(0, SELECT_0);
    bytes_printf(&want, SELECT_0 "%s%c", tell, 0);
    expect_fed(1, want.data);
    bytes_clear(&want);
    rig_ask(fd, hop, "+OK\r\n");
    bytes_printf(&want, MULTI "%s" SELECT_1 "%s" EXEC "%c", hop, hop, 0);
    expect_fed(0, want.data);
    bytes_clear(&want);
    bytes_printf(&want, MULTI "%s" SELECT_1 "%s%s" EXEC "%c", hop, hop, hop, 0);
    expect_fed(1, want.data);
    effects_remove_sink(server->effects, feed, &sinks[1]);
    bytes_clear(&want);
    rig_ask(fd, tell, "+OK\r\n");
    expect_fed(1, "");
    bytes_release(&want);
}
END_TEST

// A sink that comes later can't know which database the others were told of.
START_TEST(a_later_sink_is_told_the_database)
{
    add_sink(0);
    rig_ask(fd, "db 3\r\nwrite a\r\n", "+OK\r\n+OK\r\n");
    add_sink(1);
    rig_ask(fd, "write b\r\n", "+OK\r\n");
    expect_fed(1, SELECT_3 "*2\r\n$5\r\nwrite\r\n$1\r\nb\r\n");
}
END_TEST

START_TEST(without_a_sink_nothing_is_built)
{
    ck_assert(!effects_wanted(server->effects));
    static const char requests[] = "replace k 1\r\nannounce k\r\nunsay k\r\n";
    // The first calls make the commands' histograms.
    rig_ask(fd, requests, "+OK\r\n+OK\r\n+OK\r\n");
    size_t before = mem_used();
    rig_ask(fd, requests, "+OK\r\n+OK\r\n+OK\r\n");
    ck_assert_uint_eq(mem_used(), before);
    // What happened before it came is not for a sink.
    add_sink(0);
    rig_ask(fd, "write b\r\n", "+OK\r\n");
    expect_fed(0, SELECT_0 "*2\r\n$5\r\nwrite\r\n$1\r\nb\r\n");
}
END_TEST

START_TEST(changes_are_counted)
{
    uint64_t before = server->changes;
    rig_ask(fd, "write a\r\nreplace k 5\r\nreplace k 0\r\nunsay k\r\nread a\r\n",
            "+OK\r\n+OK\r\n+OK\r\n+OK\r\n:1\r\n");
    ck_assert_uint_eq(server->changes - before, 7);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("effects");
    TCase *content = tcase_create("content");
    tcase_add_checked_fixture(content, set_up, tear_down);
    tcase_set_timeout(content, 30);
    tcase_add_test(content, a_command_goes_out_as_it_came);
    tcase_add_test(content, other_forms_are_encoded_anew);
    tcase_add_test(content, a_large_argument_is_encoded_anew);
    tcase_add_test(content, the_database_is_selected_when_it_changes);
    tcase_add_test(content, handlers_may_say_it_otherwise);
    tcase_add_test(content, no_change_no_effect);
    tcase_add_test(content, what_was_not_sent_is_forgotten);
    tcase_add_test(content, expired_keys_are_deletions_ahead);
    tcase_add_test(content, only_expiry_and_eviction_are_deletions);
    suite_add_tcase(suite, content);

    TCase *feeding = tcase_create("sinks");
    tcase_add_checked_fixture(feeding, set_up, tear_down);
    tcase_set_timeout(feeding, 30);
    tcase_add_test(feeding, all_sinks_get_the_same);
    tcase_add_test(feeding, a_group_is_wrapped_if_it_has_two);
    tcase_add_test(feeding, the_offset_of_a_client_is_behind_its_group);
    tcase_add_test(feeding, some_is_for_replicas_only);
    tcase_add_test(feeding, a_later_sink_is_told_the_database);
    tcase_add_test(feeding, without_a_sink_nothing_is_built);
    tcase_add_test(feeding, changes_are_counted);
    suite_add_tcase(suite, feeding);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

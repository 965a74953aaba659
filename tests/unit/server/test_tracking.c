// SPDX-License-Identifier: BSD-3-Clause
// Tests of tracking, with commands that touch no data: READ and PUT only name their keys.
#include "rig.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/pubsub.h"
#include "server/tracking.h"
#include "support/unit.h"

// Every client that is connected, in the order of connecting, as the server sees it.
static struct client *known[RIG_CLIENTS_MAX];

static struct client *client_of(int fd)
{
    return known[fd];
}

// READ key...
static void cmd_read(struct cmd_ctx *ctx)
{
    reply_ok(ctx);
}

// PUT key...
static void cmd_put(struct cmd_ctx *ctx)
{
    for (uint32_t i = 0; i < ctx->key_count; i++)
        ctx_written(ctx, i, NOTIFY_STRING, "write");
    reply_ok(ctx);
}

// FLUSH
static void cmd_flush(struct cmd_ctx *ctx)
{
    for (int i = 0; i < ctx->server->keyspace->db_count; i++)
        db_flush(&ctx->server->keyspace->dbs[i], REMOVED_BY_FLUSH);
    reply_ok(ctx);
}

static const struct command commands[] = {
    { .name = "read",
      .arity = -2,
      .flags = CMD_READONLY,
      .keys = { KEYS_ALL(KEY_RO) },
      .handler = cmd_read },
    { .name = "put",
      .arity = -2,
      .flags = CMD_WRITE,
      .keys = { KEYS_ALL(KEY_OW) },
      .handler = cmd_put },
    { .name = "flush", .arity = 1, .flags = CMD_WRITE, .handler = cmd_flush },
    { 0 },
};

static void set_up(void)
{
    rig_make(commands);
    rig_start();
}

// A client of RESP3.
static int connect_client(void)
{
    int fd = rig_connect();
    ck_assert_int_lt(fd, RIG_CLIENTS_MAX);
    known[fd] = rig_last_client();
    client_set_proto(known[fd], 3);
    return fd;
}

static void track(int fd, uint32_t modes)
{
    const struct tracking_request request = { .modes = modes };
    ck_assert_int_eq(tracking_on(client_of(fd), &request), STATUS_OK);
}

static void track_prefix(int fd, uint32_t modes, const char *text)
{
    const struct slice prefix = slice_of(text);
    const struct tracking_request request = {
        .modes = modes | TRACKING_BCAST,
        .prefixes = &prefix,
        .prefix_count = 1,
    };
    ck_assert_int_eq(tracking_on(client_of(fd), &request), STATUS_OK);
}

static void redirect(int fd, int target, uint32_t modes)
{
    const struct tracking_request request = { .modes = modes, .redirect = client_of(target) };
    ck_assert_int_eq(tracking_on(client_of(fd), &request), STATUS_OK);
}

static void expect_stale(int fd, const char *key)
{
    char text[256];
    snprintf(text, sizeof(text), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$%zu\r\n%s\r\n", strlen(key),
             key);
    rig_expect(fd, text);
}

// A field of INFO stats or clients.
static long figure(const char *field)
{
    const struct slice sections[] = { SLICE("stats"), SLICE("clients") };
    struct bytes text = { 0 };
    info_write(server->info, sections, 2, &text);
    bytes_append_char(&text, '\0');
    char line[64];
    snprintf(line, sizeof(line), "\n%s:", field);
    const char *found = strstr(text.data, line);
    ck_assert_ptr_nonnull(found);
    long value = strtol(found + strlen(line), NULL, 10);
    bytes_release(&text);
    return value;
}

// "READ k0 k1 ... k<count - 1>"
static void say_keys(int fd, const char *command, int count)
{
    struct bytes text = { 0 };
    bytes_printf(&text, "*%d\r\n$%zu\r\n%s\r\n", count + 1, strlen(command), command);
    for (int i = 0; i < count; i++)
        bytes_printf(&text, "$%d\r\nk%d\r\n", snprintf(NULL, 0, "k%d", i), i);
    rig_send(fd, text.data, text.len);
    bytes_release(&text);
}

// Receives so many invalidations of one key each, and counts them by key.
static void receive_stale(int fd, int count, int *times, int keys)
{
    const char head[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$";
    char text[64];
    for (int i = 0; i < count; i++) {
        rig_expect(fd, head);
        rig_receive(fd, text, 3);
        ck_assert_msg(text[0] >= '2' && text[0] <= '6' && text[1] == '\r', "%.3s", text);
        size_t len = (size_t)(text[0] - '0') + 2;
        rig_receive(fd, text, len);
        text[len] = '\0';
        char *end;
        long number = strtol(text + 1, &end, 10);
        ck_assert(text[0] == 'k' && end[0] == '\r' && number < keys);
        times[number]++;
    }
}

// --- Keys that were read ------------------------------------------------------------------------

START_TEST(a_key_has_many_readers)
{
    enum { MANY = 70 };
    int fds[MANY];
    int writer = connect_client();
    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_client();
        track(fds[i], 0);
    }
    // In an order in which ids come at the end, at the beginning and in between.
    for (int i = 0; i < MANY; i++)
        rig_ask(fds[i * 37 % MANY], "read k\r\nread k\r\nread other\r\n", "+OK\r\n+OK\r\n+OK\r\n");
    ck_assert_int_eq(figure("tracking_clients"), MANY);
    ck_assert_int_eq(figure("tracking_total_keys"), 2);
    ck_assert_int_eq(figure("tracking_total_items"), 2 * MANY);
    rig_ask(writer, "put k\r\n", "+OK\r\n");
    for (int i = 0; i < MANY; i++)
        expect_stale(fds[i], "k");
    ck_assert_int_eq(figure("tracking_total_keys"), 1);
    ck_assert_int_eq(figure("tracking_total_items"), MANY);
    rig_ask(writer, "put k\r\n", "+OK\r\n");
    for (int i = 0; i < MANY; i++)
        rig_expect_silence(fds[i]);
}
END_TEST

// Random reads and writes against a table of who has read what.
START_TEST(as_a_naive_table)
{
    enum { CLIENTS = 6, KEYS = 12, STEPS = 4000 };
    bool has_read[KEYS][CLIENTS] = { 0 };
    int fds[CLIENTS];
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = connect_client();
        track(fds[i], i % 3 == 0 ? TRACKING_NOLOOP : 0);
    }
    for (int step = 0; step < STEPS; step++) {
        int who = (int)random_below(&random, CLIENTS);
        int key = (int)random_below(&random, KEYS);
        bool writes = random_below(&random, 4) == 0;
        char request[32];
        char name[16];
        snprintf(name, sizeof(name), "k%d", key);
        snprintf(request, sizeof(request), "%s %s\r\n", writes ? "put" : "read", name);
        rig_ask(fds[who], request, "+OK\r\n");
        has_read[key][who] |= !writes;
        for (int i = 0; i < CLIENTS && writes; i++) {
            if (has_read[key][i] && !(i == who && i % 3 == 0))
                expect_stale(fds[i], name);
            has_read[key][i] = false;
        }
    }
    long items = 0;
    for (int i = 0; i < KEYS * CLIENTS; i++)
        items += has_read[i / CLIENTS][i % CLIENTS];
    ck_assert_int_eq(figure("tracking_total_items"), items);
    for (int i = 0; i < CLIENTS; i++)
        rig_expect_silence(fds[i]);
}
END_TEST

START_TEST(the_table_keeps_its_limit)
{
    enum { KEYS = 3000, MAX = 10 };
    static int times[KEYS];
    int fd = connect_client();
    int writer = connect_client();
    memset(times, 0, sizeof(times));
    ck_assert_int_eq(rig_config_set("tracking-table-max-keys", "10"), STATUS_OK);
    track(fd, TRACKING_NOLOOP);
    say_keys(fd, "read", KEYS);
    rig_expect(fd, "+OK\r\n");
    receive_stale(fd, KEYS - MAX, times, KEYS);
    ck_assert_int_eq(figure("tracking_total_keys"), MAX);
    ck_assert_int_eq(figure("tracking_total_items"), MAX);
    // What is left is told when it is written: each key once in all.
    say_keys(writer, "put", KEYS);
    rig_expect(writer, "+OK\r\n");
    receive_stale(fd, MAX, times, KEYS);
    for (int i = 0; i < KEYS; i++)
        ck_assert_int_eq(times[i], 1);
    rig_expect_silence(fd);
}
END_TEST

START_TEST(a_lower_limit_is_reached_in_slices)
{
    enum { KEYS = 5000 };
    static int times[KEYS];
    int fd = connect_client();
    memset(times, 0, sizeof(times));
    track(fd, 0);
    say_keys(fd, "read", KEYS);
    rig_expect(fd, "+OK\r\n");
    ck_assert_int_eq(figure("tracking_total_keys"), KEYS);
    ck_assert_int_eq(rig_config_set("tracking-table-max-keys", "1"), STATUS_OK);
    rig_turn();
    ck_assert_int_gt(figure("tracking_total_keys"), 1);
    receive_stale(fd, KEYS - 1, times, KEYS);
    ck_assert_int_eq(figure("tracking_total_keys"), 1);
    ck_assert(rig_loop_sleeps());
}
END_TEST

START_TEST(what_cannot_be_remembered_is_stale_at_once)
{
    int fd = connect_client();
    int second = connect_client();
    track(fd, 0);
    track(second, 0);
    struct command_entry read = { .flags = CMD_READONLY };
    struct key key = key_of(SLICE("k"));
    struct cmd_ctx ctx = { .server = server, .command = &read, .keys = &key, .key_count = 1 };
    ctx.client = client_of(fd);
    mem_fail_after(0);
    tracking_ran(&ctx);
    mem_fail_never();
    expect_stale(fd, "k");
    // The second reader's id finds no room beside the first one's.
    rig_ask(fd, "read k\r\n", "+OK\r\n");
    ctx.client = client_of(second);
    mem_fail_after(0);
    tracking_ran(&ctx);
    mem_fail_never();
    expect_stale(second, "k");
    ck_assert_int_eq(figure("tracking_total_items"), 1);
    rig_ask(fd, "put k\r\n", "+OK\r\n");
    expect_stale(fd, "k");
    rig_expect_silence(second);
}
END_TEST

START_TEST(a_flush_tells_once_and_frees_in_slices)
{
    enum { KEYS = 20000 };
    int fd = connect_client();
    int writer = connect_client();
    track(fd, TRACKING_NOLOOP);
    track(writer, TRACKING_BCAST);
    size_t before = mem_used();
    say_keys(fd, "read", KEYS);
    rig_expect(fd, "+OK\r\n");
    rig_ask(writer, "flush\r\n", "+OK\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_expect(fd, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    ck_assert_int_eq(figure("tracking_total_keys"), 0);
    ck_assert_int_eq(figure("tracking_total_items"), 0);
    ck_assert_uint_gt(mem_used(), before + KEYS * (size_t)16);
    // Again while it is being freed.
    say_keys(fd, "read", KEYS);
    rig_expect(fd, "+OK\r\n");
    rig_ask(fd, "flush\r\n", "+OK\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_turns(KEYS / 1000 + 2);
    ck_assert(rig_loop_sleeps());
    ck_assert_uint_lt(mem_used(), before + 100000);
}
END_TEST

// Events that no command causes.
START_TEST(what_happens_by_itself_is_nobodys)
{
    int fd = connect_client();
    int all = connect_client();
    track(fd, TRACKING_NOLOOP);
    track(all, TRACKING_BCAST | TRACKING_NOLOOP);
    rig_ask(fd, "read k\r\n", "+OK\r\n");
    const struct key key = key_of(SLICE("k"));
    keyspace_announce(server->keyspace, KEY_EXPIRED, &server->keyspace->dbs[0], &key);
    expect_stale(fd, "k");
    expect_stale(all, "k");
    rig_ask(fd, "read k\r\n", "+OK\r\n");
    keyspace_announce(server->keyspace, KEY_WRITTEN, &server->keyspace->dbs[0], &key);
    expect_stale(fd, "k");
    expect_stale(all, "k");
    ck_assert(rig_loop_sleeps());
}
END_TEST

START_TEST(nothing_is_heard_while_nobody_tracks)
{
    int fd = connect_client();
    int second = connect_client();
    ck_assert_uint_eq(server->keyspace->heard, 0);
    track(fd, 0);
    track(second, TRACKING_BCAST);
    rig_ask(fd, "read k\r\n", "+OK\r\n");
    ck_assert_uint_ne(server->keyspace->heard, 0);
    ck_assert_uint_ne(server->observers, 0);
    tracking_off(client_of(fd));
    ck_assert_uint_ne(server->keyspace->heard, 0);
    rig_disconnect(second);
    rig_turns(3);
    ck_assert_uint_eq(server->keyspace->heard, 0);
    ck_assert_uint_eq(server->observers, 0);
    ck_assert_int_eq(figure("tracking_clients"), 0);
    ck_assert_int_eq(figure("tracking_total_keys"), 0);
    ck_assert_int_eq(figure("tracking_total_prefixes"), 0);
}
END_TEST

// --- Redirection --------------------------------------------------------------------------------

// A flush is a null in the protocol of who is told.
START_TEST(a_flush_is_told_in_the_targets_protocol)
{
    int fd = connect_client();
    int target = connect_client();
    redirect(fd, target, 0);
    client_set_proto(client_of(target), 2);
    enum status status = pubsub_subscribe(client_of(target), PUBSUB_CHANNEL, SLICE("x"));
    ck_assert_int_eq(status, STATUS_OK);
    rig_ask(fd, "flush\r\n", "+OK\r\n");
    rig_expect(target, "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
    client_set_proto(client_of(target), 3);
    client_set_proto(client_of(fd), 2);
    rig_ask(fd, "flush\r\n", "+OK\r\n");
    rig_expect(target, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_expect_silence(fd);
}
END_TEST

START_TEST(a_target_goes_away)
{
    int first = connect_client();
    int second = connect_client();
    int target = connect_client();
    char broken[64];
    snprintf(broken, sizeof(broken), ">2\r\n$21\r\ntracking-redir-broken\r\n:%llu\r\n",
             (unsigned long long)client_of(target)->id);
    redirect(first, target, 0);
    redirect(second, target, TRACKING_BCAST);
    redirect(target, target, 0);
    rig_ask(first, "read k\r\n", "+OK\r\n");
    rig_disconnect(target);
    rig_turns(3);
    ck_assert_uint_eq(tracking_modes(client_of(first)), 0);
    rig_ask(first, "put k\r\n", "+OK\r\n");
    rig_expect(first, broken);
    rig_expect(second, broken);
    ck_assert_uint_eq(tracking_modes(client_of(first)), TRACKING_BROKEN);
    // A new target mends it.
    redirect(first, second, 0);
    ck_assert_uint_eq(tracking_modes(client_of(first)), 0);
    rig_ask(first, "read k\r\nput k\r\n", "+OK\r\n+OK\r\n");
    rig_expect(second, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
}
END_TEST

START_TEST(those_who_redirect_go_away)
{
    int target = connect_client();
    int writer = connect_client();
    for (int i = 0; i < 3; i++) {
        int fd = connect_client();
        redirect(fd, target, i == 1 ? TRACKING_BCAST : 0);
        rig_ask(fd, "read k\r\n", "+OK\r\n");
        rig_disconnect(fd);
    }
    rig_turns(3);
    ck_assert_ptr_null(client_of(target)->tracker);
    rig_ask(writer, "put k\r\n", "+OK\r\n");
    rig_expect_silence(target);
}
END_TEST

// --- Prefixes -----------------------------------------------------------------------------------

// Somebody else has changed what a client has changed itself: its own copy is stale.
START_TEST(two_writers_in_a_turn)
{
    int fd = connect_client();
    int other = connect_client();
    int all = connect_client();
    track(fd, TRACKING_BCAST | TRACKING_NOLOOP);
    track(other, TRACKING_BCAST | TRACKING_NOLOOP);
    track_prefix(all, 0, "a");
    rig_say(fd, "put a b\r\n");
    rig_say(other, "put b c\r\n");
    rig_expect(fd, "+OK\r\n>2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    rig_expect(other, "+OK\r\n>2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    expect_stale(all, "a");
    rig_ask(fd, "put a\r\n", "+OK\r\n");
    expect_stale(all, "a");
    expect_stale(other, "a");
    rig_expect_silence(fd);
}
END_TEST

START_TEST(prefixes_count_as_the_clients_memory)
{
    enum { MANY = 1000, LEN = 100 };
    int fd = connect_client();
    struct client *client = client_of(fd);
    size_t before = client_memory(client);
    for (int i = 0; i < MANY; i++) {
        char prefix[LEN + 1];
        snprintf(prefix, sizeof(prefix), "%0*d", LEN, i);
        track_prefix(fd, 0, prefix);
    }
    ck_assert_int_eq(figure("tracking_total_prefixes"), MANY);
    ck_assert_uint_eq(tracking_prefix_count(client), MANY);
    ck_assert_uint_gt(client_memory(client), before + (size_t)MANY * LEN);
    tracking_off(client);
    ck_assert_uint_eq(client_memory(client), before);
}
END_TEST

START_TEST(no_memory_for_prefixes)
{
    const struct slice prefixes[] = { SLICE("abc"), SLICE("abd"), SLICE("x") };
    const struct tracking_request request = {
        .modes = TRACKING_BCAST,
        .prefixes = prefixes,
        .prefix_count = 3,
    };
    struct client *client = client_of(connect_client());
    uint64_t failures = 0;
    for (;; failures++) {
        mem_fail_after(failures);
        enum status status = tracking_on(client, &request);
        mem_fail_never();
        if (status == STATUS_OK)
            break;
        ck_assert_int_eq(status, STATUS_NOMEM);
        ck_assert(!(client->flags & CLIENT_TRACKING));
        ck_assert_ptr_null(client->tracker);
        ck_assert_int_eq(figure("tracking_total_prefixes"), 0);
    }
    ck_assert_uint_ge(failures, 6);
    struct tracking_overlap overlap;
    mem_fail_after(0);
    ck_assert_int_eq(tracking_find_overlap(client, prefixes, 3, &overlap), STATUS_NOMEM);
    mem_fail_never();
}
END_TEST

// Without memory to say which keys have changed, all have.
START_TEST(no_memory_for_changes)
{
    int fd = connect_client();
    track(fd, TRACKING_BCAST);
    const struct key key = key_of(SLICE("k"));
    mem_fail_after(0);
    keyspace_announce(server->keyspace, KEY_WRITTEN, &server->keyspace->dbs[0], &key);
    mem_fail_never();
    rig_expect(fd, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_expect_silence(fd);
}
END_TEST

static bool begins_alike(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    return memcmp(a.ptr, b.ptr, len) == 0;
}

// Whether the pair is the first one that overlaps, as two loops find it.
static bool naive_overlap(const struct slice *prefixes, size_t count, size_t *first, size_t *second)
{
    for (*first = 0; *first < count; (*first)++) {
        for (*second = *first + 1; *second < count; (*second)++) {
            if (begins_alike(prefixes[*first], prefixes[*second]))
                return true;
        }
    }
    return false;
}

START_TEST(overlaps_as_two_loops_find_them)
{
    enum { ROUNDS = 20000, MAX = 6 };
    const struct client *client = client_of(connect_client());
    struct random random;
    random_seed(&random, 3);
    int found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char texts[MAX][8];
        struct slice prefixes[MAX];
        size_t count = 1 + random_below(&random, MAX);
        for (size_t i = 0; i < count; i++) {
            size_t len = random_below(&random, 6);
            for (size_t k = 0; k < len; k++)
                texts[i][k] = (char)('a' + random_below(&random, 3));
            prefixes[i] = (struct slice){ .ptr = texts[i], .len = len };
        }
        size_t first;
        size_t second;
        struct tracking_overlap overlap;
        bool overlaps = naive_overlap(prefixes, count, &first, &second);
        enum status status = tracking_find_overlap(client, prefixes, count, &overlap);
        ck_assert_int_eq(status, overlaps ? STATUS_EXISTS : STATUS_OK);
        found += overlaps;
        if (!overlaps)
            continue;
        ck_assert_ptr_eq(overlap.prefix.ptr, prefixes[first].ptr);
        ck_assert_ptr_eq(overlap.other.ptr, prefixes[second].ptr);
        ck_assert(!overlap.is_old);
    }
    ck_assert_int_gt(found, ROUNDS / 10);
    ck_assert_int_lt(found, ROUNDS * 9 / 10);
}
END_TEST

// Each pair of loops would take hours.
START_TEST(very_many_prefixes)
{
    enum { MANY = 200000, LEN = 8 };
    struct client *client = client_of(connect_client());
    char *texts = mem_alloc((size_t)MANY * LEN + 1);
    struct slice *prefixes = mem_alloc(MANY * sizeof(*prefixes));
    for (int i = 0; i < MANY; i++) {
        snprintf(texts + (size_t)i * LEN, LEN + 1, "%08d", i);
        prefixes[i] = (struct slice){ .ptr = texts + (size_t)i * LEN, .len = LEN };
    }
    struct tracking_overlap overlap;
    ck_assert_int_eq(tracking_find_overlap(client, prefixes, MANY, &overlap), STATUS_OK);
    prefixes[MANY - 1].len = LEN - 1;
    ck_assert_int_eq(tracking_find_overlap(client, prefixes, MANY, &overlap), STATUS_EXISTS);
    ck_assert_ptr_eq(overlap.prefix.ptr, prefixes[MANY - 10].ptr);
    prefixes[MANY - 1].len = LEN;
    const struct tracking_request request = {
        .modes = TRACKING_BCAST,
        .prefixes = prefixes,
        .prefix_count = MANY,
    };
    ck_assert_int_eq(tracking_on(client, &request), STATUS_OK);
    mem_free(texts, (size_t)MANY * LEN + 1);
    mem_free(prefixes, MANY * sizeof(*prefixes));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("tracking");
    TCase *cases = tcase_create("tracking");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, rig_stop);
    tcase_add_test(cases, a_key_has_many_readers);
    tcase_add_test(cases, as_a_naive_table);
    tcase_add_test(cases, the_table_keeps_its_limit);
    tcase_add_test(cases, a_lower_limit_is_reached_in_slices);
    tcase_add_test(cases, what_cannot_be_remembered_is_stale_at_once);
    tcase_add_test(cases, a_flush_tells_once_and_frees_in_slices);
    tcase_add_test(cases, what_happens_by_itself_is_nobodys);
    tcase_add_test(cases, nothing_is_heard_while_nobody_tracks);
    tcase_add_test(cases, a_flush_is_told_in_the_targets_protocol);
    tcase_add_test(cases, a_target_goes_away);
    tcase_add_test(cases, those_who_redirect_go_away);
    tcase_add_test(cases, two_writers_in_a_turn);
    tcase_add_test(cases, prefixes_count_as_the_clients_memory);
    tcase_add_test(cases, no_memory_for_prefixes);
    tcase_add_test(cases, no_memory_for_changes);
    tcase_add_test(cases, overlaps_as_two_loops_find_them);
    tcase_add_test(cases, very_many_prefixes);
    suite_add_tcase(suite, cases);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

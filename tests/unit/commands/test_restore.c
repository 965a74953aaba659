// SPDX-License-Identifier: BSD-3-Clause
// Tests of what RESTORE says to the effect stream: times as they are for those who hear of them later.
#include "base/numbers.h"
#include "commands/families.h"
#include "server/effects.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define WORDS_MAX 10

// A string of one letter, as DUMP answers it.
#define PAYLOAD      \
    SLICE("\x00\x01" \
          "a\x0A\x00\xBF\xFE\xEF\x9B\x8F\x36\x7D\xB4")

static struct bytes fed;
static int fd;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void append_words(struct bytes *out, const struct slice *words, size_t count)
{
    bytes_printf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        bytes_printf(out, "$%zu\r\n", words[i].len);
        bytes_append_slice(out, words[i]);
        bytes_append_text(out, "\r\n");
    }
}

// Sends words and waits for the reply.
static void run(const struct slice *words, size_t count, const char *reply)
{
    struct bytes request = { 0 };
    append_words(&request, words, count);
    rig_send(fd, request.data, request.len);
    rig_expect(fd, reply);
    bytes_release(&request);
}

#define RUN(reply, ...)                        \
    run((const struct slice[]){ __VA_ARGS__ }, \
        sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), reply)

// What was fed since the last look is this command, or nothing.
static void expect_fed(const struct slice *words, size_t count)
{
    struct bytes want = { 0 };
    if (count > 0)
        append_words(&want, words, count);
    ck_assert_msg(slice_equal(bytes_slice(&fed), bytes_slice(&want)), "fed: %.*s", (int)fed.len,
                  fed.data);
    bytes_release(&want);
    bytes_clear(&fed);
}

#define EXPECT_FED(...)                               \
    expect_fed((const struct slice[]){ __VA_ARGS__ }, \
               sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    commands_register(server->registry);
    rig_start();
    effects_add_sink(server->effects, feed, &fed);
    fd = rig_connect();
    // The SELECT that begins the stream.
    rig_ask(fd, "SET first 1\r\n", "+OK\r\n");
    bytes_clear(&fed);
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

// The expiry of a key, as text.
static struct slice expiry_of(const char *name, char *text)
{
    const struct key key = key_of(slice_of(name));
    const struct entry *entry = db_peek(&server->keyspace->dbs[0], &key).entry;
    ck_assert_ptr_nonnull(entry);
    int len = format_int64(text, entry_expiry(entry));
    return (struct slice){ .ptr = text, .len = (size_t)len };
}

START_TEST(without_a_time_it_goes_as_it_came)
{
    RUN("+OK\r\n", SLICE("restore"), SLICE("k"), SLICE("0"), PAYLOAD);
    EXPECT_FED(SLICE("restore"), SLICE("k"), SLICE("0"), PAYLOAD);
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("k"), SLICE("0"), PAYLOAD, SLICE("FREQ"), SLICE("7"),
        SLICE("REPLACE"));
    EXPECT_FED(SLICE("RESTORE"), SLICE("k"), SLICE("0"), PAYLOAD, SLICE("FREQ"), SLICE("7"),
               SLICE("REPLACE"));
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("l"), SLICE("4102444800000"), PAYLOAD, SLICE("ABSTTL"));
    EXPECT_FED(SLICE("RESTORE"), SLICE("l"), SLICE("4102444800000"), PAYLOAD, SLICE("ABSTTL"));
}
END_TEST

START_TEST(a_time_to_live_becomes_a_time)
{
    char text[INT64_TEXT_MAX];
    clock_update();
    int64_t since_ms = clock_wall_ms();
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("k"), SLICE("100000"), PAYLOAD);
    struct slice time = expiry_of("k", text);
    int64_t at_ms;
    ck_assert(parse_int64(time, &at_ms));
    ck_assert_int_ge(at_ms, since_ms + 100000);
    ck_assert_int_le(at_ms, clock_wall_ms() + 100000);
    EXPECT_FED(SLICE("RESTORE"), SLICE("k"), time, PAYLOAD, SLICE("ABSTTL"));
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("k"), SLICE("200000"), PAYLOAD, SLICE("IDLETIME"),
        SLICE("5"), SLICE("REPLACE"));
    time = expiry_of("k", text);
    EXPECT_FED(SLICE("RESTORE"), SLICE("k"), time, PAYLOAD, SLICE("REPLACE"), SLICE("IDLETIME"),
               SLICE("5"), SLICE("ABSTTL"));
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("l"), SLICE("200000"), PAYLOAD, SLICE("FREQ"),
        SLICE("0"));
    time = expiry_of("l", text);
    EXPECT_FED(SLICE("RESTORE"), SLICE("l"), time, PAYLOAD, SLICE("FREQ"), SLICE("0"),
               SLICE("ABSTTL"));
}
END_TEST

START_TEST(what_is_over_deletes)
{
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("none"), SLICE("1"), PAYLOAD, SLICE("ABSTTL"));
    expect_fed(NULL, 0);
    RUN("+OK\r\n", SLICE("RESTORE"), SLICE("first"), SLICE("1"), PAYLOAD, SLICE("ABSTTL"),
        SLICE("REPLACE"));
    EXPECT_FED(SLICE("DEL"), SLICE("first"));
    ck_assert_uint_eq(db_size(&server->keyspace->dbs[0]), 0);
}
END_TEST

START_TEST(errors_change_nothing)
{
    RUN("-BUSYKEY Target key name already exists.\r\n", SLICE("RESTORE"), SLICE("first"),
        SLICE("100"), PAYLOAD);
    RUN("-ERR DUMP payload version or checksum are wrong\r\n", SLICE("RESTORE"), SLICE("k"),
        SLICE("100"), SLICE("a damaged payload"));
    RUN("-ERR Invalid TTL value, must be >= 0\r\n", SLICE("RESTORE"), SLICE("k"), SLICE("-1"),
        PAYLOAD);
    expect_fed(NULL, 0);
    ck_assert_uint_eq(db_size(&server->keyspace->dbs[0]), 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("restore");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, without_a_time_it_goes_as_it_came);
    tcase_add_test(tcase, a_time_to_live_becomes_a_time);
    tcase_add_test(tcase, what_is_over_deletes);
    tcase_add_test(tcase, errors_change_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

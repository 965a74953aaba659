// SPDX-License-Identifier: BSD-3-Clause
// Tests of the slow log's bounds and of what dispatch counts, with commands of their own.
#include "server/slowlog.h"

#include "server/dispatch.h"
#include "server/histogram.h"
#include "server/info.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static void cmd_say(struct cmd_ctx *ctx)
{
    reply_ok(ctx);
}

static void cmd_fail(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_SYNTAX);
}

static void cmd_secret(struct cmd_ctx *ctx)
{
    ctx_redact(ctx, 1);
    reply_ok(ctx);
}

// Takes long because it had to remove something large that had expired.
static void cmd_heavy(struct cmd_ctx *ctx)
{
    usleep(300000);
    ctx->server->keyspace->expired_keys++;
    reply_ok(ctx);
}

// Runs two commands, the second of which fails.
// cppcheck-suppress constParameter ; a handler's type
static void cmd_twice(struct cmd_ctx *ctx)
{
    static const struct slice names[] = { SLICE("peek"), SLICE("fail") };
    for (int i = 0; i < 2; i++) {
        struct cmd_ctx inner = *ctx;
        inner.argv = &names[i];
        inner.argc = 1;
        dispatch_resolve(&inner);
        dispatch(&inner);
    }
}

static const struct command commands[] = {
    { .name = "peek", .arity = 1, .flags = CMD_FAST | CMD_READONLY, .handler = cmd_say },
    { .name = "heavy", .arity = 1, .flags = CMD_FAST | CMD_READONLY, .handler = cmd_heavy },
    { .name = "twice", .arity = 1, .handler = cmd_twice },
    { .name = "say", .arity = -1, .flags = CMD_FAST, .handler = cmd_say },
    { .name = "fail", .arity = 1, .handler = cmd_fail },
    { .name = "quiet", .arity = -1, .flags = CMD_SKIP_SLOWLOG, .handler = cmd_say },
    { .name = "secret", .arity = -2, .handler = cmd_secret },
    { 0 },
};

static void set_up(void)
{
    rig_make(commands);
    rig_start();
}

static struct command_entry *entry(const char *name)
{
    return registry_lookup(server->registry, slice_of(name));
}

static void log_all(void)
{
    ck_assert_int_eq(rig_config_set("slowlog-log-slower-than", "0"), STATUS_OK);
}

static void keep_newest(const struct slowlog_entry *found, void *udata)
{
    *(const struct slowlog_entry **)udata = found;
}

static const struct slowlog_entry *newest(void)
{
    const struct slowlog_entry *found = NULL;
    slowlog_each(server->slowlog, 1, keep_newest, &found);
    ck_assert_ptr_nonnull(found);
    return found;
}

static void expect_arg(const struct slowlog_entry *found, uint32_t i, const char *want)
{
    struct slice arg = found->argv[i];
    ck_assert_msg(slice_equal(arg, slice_of(want)), "'%.*s', wanted '%s'", (int)arg.len, arg.ptr,
                  want);
}

START_TEST(nothing_is_slow_by_default)
{
    int fd = rig_connect();
    rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 0);
}
END_TEST

START_TEST(an_entry_says_what_and_who)
{
    log_all();
    int fd = rig_connect();
    client_set_text(&rig_last_client()->name, SLICE("somebody"));
    rig_ask(fd, "say a \"\" \"\\x00b\"\r\n", "+OK\r\n");
    const struct slowlog_entry *found = newest();
    ck_assert_uint_eq(found->argc, 4);
    expect_arg(found, 0, "say");
    expect_arg(found, 1, "a");
    expect_arg(found, 2, "");
    ck_assert(slice_equal(found->argv[3], SLICE("\0b")));
    ck_assert(slice_equal(found->client_name, SLICE("somebody")));
    ck_assert_uint_gt(found->client_address.len, 0);
    rig_ask(fd, "fail\r\n", "-ERR syntax error\r\n");
    ck_assert_uint_eq(newest()->id, 1);
    rig_ask(fd, "fail x\r\n", "-ERR wrong number of arguments for 'fail' command\r\n");
    rig_ask(fd, "quiet\r\n", "+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 2);
}
END_TEST

START_TEST(secrets_are_not_kept)
{
    log_all();
    int fd = rig_connect();
    rig_ask(fd, "secret swordfish shown\r\n", "+OK\r\n");
    const struct slowlog_entry *found = newest();
    expect_arg(found, 0, "secret");
    expect_arg(found, 1, "(redacted)");
    expect_arg(found, 2, "shown");
    // The mark is the command's, not the place's in the batch.
    rig_ask(fd, "say shown\r\n", "+OK\r\n");
    expect_arg(newest(), 1, "shown");
}
END_TEST

START_TEST(long_arguments_are_cut)
{
    log_all();
    int fd = rig_connect();
    char text[SLOWLOG_ARG_BYTES_MAX * 3 + 64];
    char letters[SLOWLOG_ARG_BYTES_MAX + 1];
    memset(letters, 'a', SLOWLOG_ARG_BYTES_MAX);
    letters[SLOWLOG_ARG_BYTES_MAX] = '\0';
    snprintf(text, sizeof(text), "say %s %sbc\r\n", letters, letters);
    rig_ask(fd, text, "+OK\r\n");
    expect_arg(newest(), 1, letters);
    snprintf(text, sizeof(text), "%s... (2 more bytes)", letters);
    expect_arg(newest(), 2, text);
}
END_TEST

START_TEST(many_arguments_are_cut)
{
    log_all();
    int fd = rig_connect();
    rig_say(fd, "say");
    for (int i = 1; i < SLOWLOG_ARGS_MAX; i++)
        rig_say(fd, " x");
    rig_ask(fd, "\r\n", "+OK\r\n");
    ck_assert_uint_eq(newest()->argc, SLOWLOG_ARGS_MAX);
    expect_arg(newest(), SLOWLOG_ARGS_MAX - 1, "x");
    rig_say(fd, "say");
    for (int i = 1; i < SLOWLOG_ARGS_MAX; i++)
        rig_say(fd, " x");
    rig_ask(fd, " y z\r\n", "+OK\r\n");
    ck_assert_uint_eq(newest()->argc, SLOWLOG_ARGS_MAX);
    expect_arg(newest(), SLOWLOG_ARGS_MAX - 1, "... (3 more arguments)");
}
END_TEST

START_TEST(its_length_is_bounded)
{
    log_all();
    int fd = rig_connect();
    ck_assert_int_eq(rig_config_set("slowlog-max-len", "5"), STATUS_OK);
    for (int i = 0; i < 20; i++)
        rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 5);
    ck_assert_uint_eq(newest()->id, 19);
    ck_assert_int_eq(rig_config_set("slowlog-max-len", "0"), STATUS_OK);
    rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 0);
    ck_assert_int_eq(rig_config_set("slowlog-log-slower-than", "-1"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("slowlog-max-len", "5"), STATUS_OK);
    rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 0);
}
END_TEST

// --- What dispatch counts -----------------------------------------------------------------------

START_TEST(calls_are_counted_by_how_they_end)
{
    int fd = rig_connect();
    for (int i = 0; i < 3; i++)
        rig_ask(fd, "say a\r\n", "+OK\r\n");
    rig_ask(fd, "fail\r\nfail x\r\nfail\r\nsay\r\n",
            "-ERR syntax error\r\n-ERR wrong number of arguments for 'fail' command\r\n"
            "-ERR syntax error\r\n+OK\r\n");
    ck_assert_uint_eq(entry("say")->calls, 4);
    ck_assert_uint_eq(entry("say")->failed_calls, 0);
    ck_assert_uint_eq(entry("say")->rejected_calls, 0);
    ck_assert_uint_gt(entry("say")->ticks, 0);
    ck_assert_uint_eq(histogram_total(entry("say")->histogram), 4);
    ck_assert_uint_eq(entry("fail")->calls, 2);
    ck_assert_uint_eq(entry("fail")->failed_calls, 2);
    ck_assert_uint_eq(entry("fail")->rejected_calls, 1);
    ck_assert_uint_eq(histogram_total(entry("fail")->histogram), 2);
    ck_assert_uint_eq(server->stats.commands, 6);
    ck_assert_ptr_null(entry("quiet")->histogram);

    info_reset(server->info);
    ck_assert_uint_eq(entry("say")->calls, 0);
    ck_assert_uint_eq(entry("fail")->failed_calls, 0);
    ck_assert_ptr_null(entry("say")->histogram);
    rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(histogram_total(entry("say")->histogram), 1);
}
END_TEST

// Brief commands share readings of the clock; their numbers are whole all the same.
START_TEST(brief_commands_share_the_clock)
{
    int fd = rig_connect();
    for (unsigned count = 1; count <= 20; count++) {
        info_reset(server->info);
        for (unsigned i = 0; i < count; i++)
            rig_say(fd, "peek\r\n");
        rig_say(fd, "peek x\r\nfail\r\npeek\r\n");
        for (unsigned i = 0; i < count; i++)
            rig_expect(fd, "+OK\r\n");
        rig_expect(fd, "-ERR wrong number of arguments for 'peek' command\r\n"
                       "-ERR syntax error\r\n+OK\r\n");
        ck_assert_uint_eq(entry("peek")->calls, count + 1);
        ck_assert_uint_eq(entry("peek")->rejected_calls, 1);
        ck_assert_uint_eq(histogram_total(entry("peek")->histogram), count + 1);
        ck_assert_uint_eq(histogram_total(entry("fail")->histogram), 1);
    }
}
END_TEST

START_TEST(a_low_threshold_times_each)
{
    log_all();
    int fd = rig_connect();
    rig_ask(fd, "peek\r\npeek\r\nsay a\r\npeek\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 4);
    expect_arg(newest(), 0, "peek");
    ck_assert(!server->timing.grouping);
    ck_assert_int_eq(rig_config_set("slowlog-log-slower-than", "10000"), STATUS_OK);
    ck_assert(server->timing.grouping);
}
END_TEST

START_TEST(a_heavy_one_among_brief_ones_is_blamed)
{
    ck_assert_int_eq(rig_config_set("slowlog-log-slower-than", "250000"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "peek\r\npeek\r\nheavy\r\npeek\r\npeek\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 1);
    expect_arg(newest(), 0, "heavy");
    ck_assert_uint_ge(newest()->duration_us, 300000 - 1000);
    ck_assert_uint_gt(entry("heavy")->ticks, entry("peek")->ticks);
}
END_TEST

START_TEST(commands_that_run_commands)
{
    ck_assert_int_eq(rig_config_set("slowlog-log-slower-than", "1000000"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "peek\r\ntwice\r\npeek\r\n", "+OK\r\n+OK\r\n-ERR syntax error\r\n+OK\r\n");
    ck_assert_uint_eq(entry("peek")->calls, 3);
    ck_assert_uint_eq(histogram_total(entry("peek")->histogram), 3);
    ck_assert_uint_eq(entry("fail")->failed_calls, 1);
    ck_assert_uint_eq(entry("twice")->calls, 1);
    ck_assert_uint_eq(entry("twice")->failed_calls, 0);
    ck_assert_uint_ge(entry("twice")->ticks, entry("fail")->ticks);
    log_all();
    rig_ask(fd, "twice\r\n", "+OK\r\n-ERR syntax error\r\n");
    ck_assert_uint_eq(slowlog_len(server->slowlog), 3);
    expect_arg(newest(), 0, "twice");
}
END_TEST

START_TEST(without_tracking_there_are_no_histograms)
{
    ck_assert_int_eq(rig_config_set("latency-tracking", "no"), STATUS_OK);
    int fd = rig_connect();
    rig_ask(fd, "say a\r\n", "+OK\r\n");
    ck_assert_uint_eq(entry("say")->calls, 1);
    ck_assert_ptr_null(entry("say")->histogram);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("slowlog");
    TCase *tcase = tcase_create("slowlog");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, nothing_is_slow_by_default);
    tcase_add_test(tcase, an_entry_says_what_and_who);
    tcase_add_test(tcase, secrets_are_not_kept);
    tcase_add_test(tcase, long_arguments_are_cut);
    tcase_add_test(tcase, many_arguments_are_cut);
    tcase_add_test(tcase, its_length_is_bounded);
    tcase_add_test(tcase, calls_are_counted_by_how_they_end);
    tcase_add_test(tcase, without_tracking_there_are_no_histograms);
    tcase_add_test(tcase, brief_commands_share_the_clock);
    tcase_add_test(tcase, a_low_threshold_times_each);
    tcase_add_test(tcase, a_heavy_one_among_brief_ones_is_blamed);
    tcase_add_test(tcase, commands_that_run_commands);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

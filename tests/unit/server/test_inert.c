// SPDX-License-Identifier: BSD-3-Clause
// Tests of the directives without effect: which values stop the start, what is kept, what is refused.
#include "server/inert.h"

#include "rig.h"
#include "support/unit.h"

static void set_up(void)
{
    rig_make(NULL);
}

// The status of reading these arguments and of the check for what is not supported.
static enum status load(char *const *args, bool ignore)
{
    struct config_error error;
    int count = 0;
    while (args[count])
        count++;
    enum status status = config_load_args(server->config, count, (char **)args, &error);
    if (status == STATUS_OK)
        status = config_check_unsupported(server->config, ignore, &error);
    // What is refused is named.
    if (status != STATUS_OK)
        ck_assert_msg(strstr(error.text, args[0] + 2) != NULL, "%s", error.text);
    return status;
}

#define LOAD(...) load((char *const[]){ __VA_ARGS__, NULL }, false)

static void keep(struct slice name, struct slice value, void *udata)
{
    (void)name;
    bytes_append_slice(udata, value);
}

static void expect_value(const char *name, const char *want)
{
    struct bytes value = { 0 };
    struct slice pattern = slice_of(name);
    config_get(server->config, &pattern, 1, keep, &value);
    ck_assert_msg(slice_is(bytes_slice(&value), want), "%s is '%.*s'", name, (int)value.len,
                  value.data);
    bytes_release(&value);
}

START_TEST(nothing_stops_the_start_by_itself)
{
    ck_assert_int_eq(LOAD("--tls-cluster", "no"), STATUS_OK);
    ck_assert_int_eq(LOAD("--tls-port", "0", "--tls-cert-file", "", "--cluster-enabled", "no"),
                     STATUS_OK);
    ck_assert_int_eq(LOAD("--tls-protocols", "TLSv1.3", "--maxmemory", "1gb"), STATUS_OK);
    expect_value("maxmemory", "1073741824");
}
END_TEST

START_TEST(users_and_modules_stop_the_start)
{
    const int which = _i;
    char *args[] = { which ? "--loadmodule" : "--user", "name", "on", NULL };
    ck_assert_int_eq(load(args, false), STATUS_INVALID);
    ck_assert_int_eq(load(args, true), STATUS_OK);
    expect_value(args[0] + 2, "");
}
END_TEST

START_TEST(config_set_does_not_bring_it_either)
{
    struct config_error error;
    const struct slice pairs[] = { SLICE("tls-port"), SLICE("6380") };
    ck_assert_int_ne(config_set(server->config, pairs, 1, &error), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(error.text, "not supported"));
    expect_value("tls-port", "0");
}
END_TEST

START_TEST(hostile_words)
{
    ck_assert_int_eq(LOAD("--oom-score-adj-values", "1", "2"), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--shutdown-on-sigterm", ""), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--maxmemory-clients", "%"), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--maxmemory-clients", ""), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--proc-title-template", "{"), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--proc-title-template", ""), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--notify-keyspace-events", "\xff"), STATUS_INVALID);
    ck_assert_int_eq(LOAD("--maxmemory-clients", "7%", "--notify-keyspace-events", ""), STATUS_OK);
    expect_value("maxmemory-clients", "7%");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("inert");
    TCase *tcase = tcase_create("inert");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, nothing_stops_the_start_by_itself);
    tcase_add_loop_test(tcase, users_and_modules_stop_the_start, 0, 2);
    tcase_add_test(tcase, config_set_does_not_bring_it_either);
    tcase_add_test(tcase, hostile_words);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

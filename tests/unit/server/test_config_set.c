// SPDX-License-Identifier: BSD-3-Clause
// Tests of CONFIG SET, which sets all or nothing, and of CONFIG GET's patterns.
#include "config_fixture.h"
#include "server/config.h"
#include "support/unit.h"

#include <stdio.h>

#define PAIRS_MAX 16

// Name, value, name, value..., ended by NULL.
static enum status set_all(const char *const *words)
{
    struct slice pairs[2 * PAIRS_MAX];
    size_t count = 0;
    while (words[count]) {
        ck_assert_uint_lt(count, 2 * PAIRS_MAX);
        pairs[count] = slice_of(words[count]);
        count++;
    }
    ck_assert_uint_eq(count % 2, 0);
    return config_set(config, pairs, count / 2, &error);
}

#define SET(...) set_all((const char *const[]){ __VA_ARGS__, NULL })

static void expect_error(const char *want)
{
    ck_assert_str_eq(error.text, want);
}

START_TEST(one_directive)
{
    ck_assert_int_eq(SET("number", "20"), STATUS_OK);
    expect_value("number", "20");
    ck_assert_uint_eq(owner.applied, 1);
    ck_assert_int_eq(owner.applied_number, 20);
    ck_assert_int_eq(SET("OLD-Number", "21"), STATUS_OK);
    expect_value("number", "21");
    // Words stand between single blanks; quotes are nothing special.
    ck_assert_int_eq(SET("list", "x \"y\" z"), STATUS_OK);
    expect_value("list", "x \"y\" z");
    ck_assert_int_eq(SET("list", "x  y"), STATUS_OK);
    ck_assert_int_eq(owner.list_len, 3);
    ck_assert_int_eq(SET("list", "x "), STATUS_OK);
    ck_assert_int_eq(owner.list_len, 2);
    ck_assert_int_eq(SET("list", ""), STATUS_OK);
    ck_assert_int_eq(owner.list_len, 0);
    ck_assert_int_eq(SET("text", "with blanks 'and' \"quotes\""), STATUS_OK);
    expect_value("text", "with blanks 'and' \"quotes\"");
    ck_assert_int_eq(SET("empty", ""), STATUS_OK);
    expect_value("empty", "");
}
END_TEST

START_TEST(every_type_at_once)
{
    ck_assert_int_eq(SET("flag", "no", "number", "1", "large", "2", "bytes", "3kb", "mode", "777",
                         "word", "three", "text", "t", "empty", "e", "list", "l"),
                     STATUS_OK);
    expect_value("flag", "no");
    expect_value("number", "1");
    expect_value("large", "2");
    expect_value("bytes", "3072");
    expect_value("mode", "777");
    expect_value("word", "three");
    expect_value("text", "t");
    expect_value("empty", "e");
    expect_value("list", "l");
}
END_TEST

static void expect_defaults(void)
{
    expect_value("flag", "yes");
    expect_value("number", "10");
    expect_value("bytes", "1048576");
    expect_value("mode", "640");
    expect_value("word", "two");
    expect_value("text", "some text");
    expect_value("empty", "");
    expect_value("secret", "hush");
    expect_value("list", "a b");
    ck_assert_int_eq(owner.list_len, 2);
}

START_TEST(one_bad_value_spoils_all)
{
    static const char *const bad[][2] = {
        { "large", "x" },    { "large", "-1" }, { "large", "" },      { "bytes", "99" },
        { "bytes", "many" }, { "mode", "9" },   { "word", "ten" },    { "list", "1 2 3 4 5 6" },
        { "pairs", "1" },    { "flag", "on" },  { "number", "1000" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert_int_eq(SET("text", "new", "secret", "new", "empty", "new", bad[i][0], bad[i][1]),
                         STATUS_INVALID);
        char want[96];
        snprintf(want, sizeof(want), "CONFIG SET failed (possibly related to argument '%s') - ",
                 bad[i][0]);
        ck_assert_msg(strncmp(error.text, want, strlen(want)) == 0, "%s", error.text);
        ck_assert_uint_gt(strlen(error.text), strlen(want));
        expect_defaults();
    }
    // The bad one may stand in front, too.
    ck_assert_int_eq(SET("word", "ten", "text", "new"), STATUS_INVALID);
    expect_defaults();
}
END_TEST

START_TEST(what_can_not_be_applied_is_undone)
{
    ck_assert_int_eq(SET("number", "13"), STATUS_INVALID);
    expect_error("CONFIG SET failed (possibly related to argument 'number') - an unlucky number");
    expect_defaults();
    // Whoever applied the new value has been told of the old one.
    ck_assert_uint_eq(owner.applied, 2);
    ck_assert_int_eq(owner.applied_number, 10);
}
END_TEST

START_TEST(what_was_set_and_applied_before_is_undone)
{
    ck_assert_int_eq(SET("flag", "no", "bytes", "1kb", "mode", "1", "word", "one", "text", "x",
                         "empty", "y", "secret", "", "list", "z", "old-number", "13"),
                     STATUS_INVALID);
    expect_defaults();
    ck_assert_int_eq(SET("number", "12", "word", "nine"), STATUS_INVALID);
    expect_defaults();
    ck_assert_int_eq(owner.applied_number, 10);
    ck_assert_int_eq(SET("number", "12", "text", "x"), STATUS_OK);
    expect_value("number", "12");
}
END_TEST

START_TEST(names_that_can_not_be_set)
{
    ck_assert_int_ne(SET("text", "new", "numbre", "1"), STATUS_OK);
    expect_error("Unknown option or number of arguments for CONFIG SET - 'numbre'");
    ck_assert_int_ne(SET("text", "new", "fixed", "1"), STATUS_OK);
    expect_error(
        "CONFIG SET failed (possibly related to argument 'fixed') - can't set immutable config");
    ck_assert_int_ne(SET("text", "new", "guarded", "1"), STATUS_OK);
    expect_error(
        "CONFIG SET failed (possibly related to argument 'guarded') - can't set protected config");
    ck_assert_int_ne(SET("text", "new", "text", "newer"), STATUS_OK);
    expect_error("CONFIG SET failed (possibly related to argument 'text') - duplicate parameter");
    ck_assert_int_ne(SET("text", "new", "act", "now"), STATUS_OK);
    expect_error("Unknown option or number of arguments for CONFIG SET - 'act'");
    ck_assert_uint_eq(owner.acted, 0);
    ck_assert_int_ne(SET("", "1"), STATUS_OK);
    expect_defaults();
    ck_assert_uint_eq(owner.applied, 0);
}
END_TEST

// Each by its own name: the last one counts, and both are undone.
START_TEST(both_names_of_one)
{
    ck_assert_int_eq(SET("number", "1", "old-number", "2"), STATUS_OK);
    expect_value("number", "2");
    ck_assert_uint_eq(owner.applied, 1);
    ck_assert_int_eq(SET("old-number", "3", "number", "13"), STATUS_INVALID);
    expect_value("number", "2");
    ck_assert_int_eq(SET("old-number", "3", "OLD-number", "4"), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "duplicate parameter"));
}
END_TEST

START_TEST(the_same_value_is_not_applied)
{
    ck_assert_int_eq(SET("number", "10"), STATUS_OK);
    ck_assert_uint_eq(owner.applied, 0);
}
END_TEST

// Words with blanks, quotes and nothing in them can't come by CONFIG SET, but have to survive it.
START_TEST(words_are_undone_exactly)
{
    static const char text[] = "list \"a b\" 'it\\'s' \"\" \"\\\"\"\n";
    static const char *const want[] = { "a b", "it's", "", "\"" };
    ck_assert_int_eq(config_load_text(config, "text", slice_of(text), &error), STATUS_OK);
    ck_assert_int_eq(SET("list", "x", "number", "13"), STATUS_INVALID);
    ck_assert_int_eq(owner.list_len, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(owner.list[i], want[i]);
}
END_TEST

// Only its default can be set.
START_TEST(what_is_not_supported)
{
    ck_assert_int_eq(SET("lost", "no", "number", "1"), STATUS_OK);
    ck_assert_int_eq(SET("number", "2", "lost", "yes"), STATUS_INVALID);
    expect_error(
        "CONFIG SET failed (possibly related to argument 'lost') - not supported by this server");
    expect_value("lost", "no");
    expect_value("number", "1");
    ck_assert_int_eq(SET("inert", "yes"), STATUS_OK);
    expect_value("inert", "yes");
}
END_TEST

START_TEST(hostile_pairs)
{
    static char name[100000];
    static struct slice pairs[2000];
    memset(name, 'x', sizeof(name));
    pairs[0] = (struct slice){ .ptr = name, .len = sizeof(name) };
    pairs[1] = SLICE("1");
    ck_assert_int_ne(config_set(config, pairs, 1, &error), STATUS_OK);
    ck_assert_ptr_nonnull(memchr(error.text, '\0', sizeof(error.text)));
    pairs[0] = SLICE("number");
    pairs[1] = (struct slice){ .ptr = name, .len = sizeof(name) };
    ck_assert_int_ne(config_set(config, pairs, 1, &error), STATUS_OK);
    for (size_t i = 0; i < 2000; i++)
        pairs[i] = SLICE("text");
    ck_assert_int_ne(config_set(config, pairs, 1000, &error), STATUS_OK);
    expect_defaults();
    ck_assert_int_eq(config_set(config, pairs, 0, &error), STATUS_OK);
}
END_TEST

// A text ends at a NUL: one with a NUL in it can't be kept.
START_TEST(a_text_with_a_nul_is_refused)
{
    static const char value[] = "ab\0cdefghijklmnopqrstuvwxyz0123456789";
    const struct slice pairs[] = { SLICE("secret"), { .ptr = value, .len = sizeof(value) - 1 } };
    ck_assert_int_eq(config_set(config, pairs, 1, &error), STATUS_INVALID);
    expect_defaults();
}
END_TEST

// ---- CONFIG GET ---------------------------------------------------------------------------------

static char emitted[512];

static void emit(struct slice name, struct slice value, void *udata)
{
    ck_assert_ptr_eq(udata, emitted);
    size_t len = strlen(emitted);
    snprintf(emitted + len, sizeof(emitted) - len, "%.*s=%.*s;", (int)name.len, name.ptr,
             (int)value.len, value.ptr);
}

static void expect_matches(const char *const *patterns, const char *want)
{
    struct slice slices[PAIRS_MAX];
    size_t count = 0;
    for (; patterns[count]; count++)
        slices[count] = slice_of(patterns[count]);
    emitted[0] = '\0';
    config_get(config, slices, count, emit, emitted);
    ck_assert_str_eq(emitted, want);
}

#define GET(want, ...) expect_matches((const char *const[]){ __VA_ARGS__, NULL }, want)

START_TEST(patterns)
{
    GET("number=10;", "number");
    GET("NUMBER=10;", "NUMBER");
    GET("number=10;", "NUMB*");
    GET("old-number=10;", "old-*");
    GET("number=10;old-number=10;", "*number");
    GET("", "nothing");
    GET("", "numbe");
    GET("", "");
    GET("text=some text;empty=;", "[te][em]*t*");
    // Each once, however many patterns it matches, in the order of registration.
    GET("flag=yes;mode=640;", "mode", "fl*", "mode", "flag", "?lag");
    emitted[0] = '\0';
    config_get(config, NULL, 0, emit, emitted);
    ck_assert_str_eq(emitted, "");
}
END_TEST

START_TEST(all_of_them)
{
    GET("flag=yes;number=10;old-number=10;large=0;bytes=1048576;mode=640;fixed=1;guarded=1;"
        "word=two;text=some text;empty=;secret=hush;list=a b;pairs=x 1;inert=no;lost=no;",
        "*");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config set and get");
    TCase *setting = tcase_create("set");
    tcase_add_checked_fixture(setting, fixture_open, fixture_close);
    tcase_add_test(setting, one_directive);
    tcase_add_test(setting, every_type_at_once);
    tcase_add_test(setting, one_bad_value_spoils_all);
    tcase_add_test(setting, what_can_not_be_applied_is_undone);
    tcase_add_test(setting, what_was_set_and_applied_before_is_undone);
    tcase_add_test(setting, names_that_can_not_be_set);
    tcase_add_test(setting, both_names_of_one);
    tcase_add_test(setting, the_same_value_is_not_applied);
    tcase_add_test(setting, words_are_undone_exactly);
    tcase_add_test(setting, what_is_not_supported);
    tcase_add_test(setting, hostile_pairs);
    tcase_add_test(setting, a_text_with_a_nul_is_refused);
    suite_add_tcase(suite, setting);

    TCase *getting = tcase_create("get");
    tcase_add_checked_fixture(getting, fixture_open, fixture_close);
    tcase_add_test(getting, patterns);
    tcase_add_test(getting, all_of_them);
    suite_add_tcase(suite, getting);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

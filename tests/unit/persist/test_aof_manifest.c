// SPDX-License-Identifier: BSD-3-Clause
// Tests of the manifest of an append-only file: what is read and written again, what is refused and where, and
// what becomes of the files when one is added.
#include "base/memory.h"
#include "persist/aof_manifest.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static struct aof_manifest manifest;

static void set_up(void)
{
    manifest = (struct aof_manifest){ 0 };
}

static void tear_down(void)
{
    aof_manifest_release(&manifest);
}

static void parse(const char *text)
{
    struct aof_manifest_error error;
    aof_manifest_release(&manifest);
    ck_assert_msg(aof_manifest_parse(&manifest, slice_of(text), &error), "line %u: %s", error.line,
                  error.reason);
}

static void expect_text(const char *want)
{
    struct bytes text = { 0 };
    aof_manifest_format(&manifest, &text);
    bytes_append_char(&text, '\0');
    ck_assert_str_eq(text.data, want);
    bytes_release(&text);
}

static void expect_refused(struct slice text, unsigned line)
{
    struct aof_manifest_error error;
    ck_assert_msg(!aof_manifest_parse(&manifest, text, &error), "taken: %.*s", (int)text.len,
                  text.ptr);
    ck_assert_ptr_nonnull(error.reason);
    ck_assert_msg(error.line == line, "line %u instead of %u: %s", error.line, line, error.reason);
    ck_assert_uint_eq(manifest.count, 0);
}

START_TEST(comes_back_as_it_was)
{
    static const char text[] = "file a.aof.2.base.rdb seq 2 type b\n"
                               "file a.aof.1.incr.aof seq 1 type h\n"
                               "file a.aof.4.incr.aof seq 4 type i\n"
                               "file a.aof.5.incr.aof seq 5 type i\n";
    parse(text);
    expect_text(text);
    ck_assert_str_eq(aof_manifest_base(&manifest)->name, "a.aof.2.base.rdb");
    ck_assert_str_eq(aof_manifest_last(&manifest)->name, "a.aof.5.incr.aof");
}
END_TEST

START_TEST(takes_what_others_write)
{
    parse("# a comment\n"
          "seq 1 file \"with blank \\x41\\\".rdb\" type b\r\n"
          "file x seq 3 type i later 7\n");
    expect_text("file \"with blank A\\\".rdb\" seq 1 type b\nfile x seq 3 type i\n");
}
END_TEST

static const struct {
    const char *text;
    unsigned line;
} refused[] = {
    { "", 1 },
    { "# nothing\n", 2 },
    { "\n", 1 },
    { "file a seq 1 type b", 1 },
    { "file a seq 1 type b\nfile b seq 2 type b\n", 2 },
    { "file a seq 1 type b\nfile a seq 1 type i\n", 2 },
    { "file a seq 2 type i\nfile b seq 2 type i\n", 2 },
    { "file a seq 2 type i\nfile b seq 1 type i\n", 2 },
    { "file ../a seq 1 type b\n", 1 },
    { "file /a seq 1 type b\n", 1 },
    { "file .. seq 1 type b\n", 1 },
    { "file . seq 1 type b\n", 1 },
    { "file \"a\\x00b\" seq 1 type b\n", 1 },
    { "file \"\" seq 1 type b\n", 1 },
    { "file a seq 0 type b\n", 1 },
    { "file a seq -1 type b\n", 1 },
    { "file a seq x type b\n", 1 },
    { "file a seq 99999999999999999999 type b\n", 1 },
    { "file a seq 9223372036854775808 type b\n", 1 },
    { "file a seq 1 type z\n", 1 },
    { "file a seq 1 type bb\n", 1 },
    { "file a seq 1 type\n", 1 },
    { "file a seq 1\n", 1 },
    { "seq 1 type b\n", 1 },
    { "file a type b\n", 1 },
    { "file \"a seq 1 type b\n", 1 },
    { "\x80\xff\n", 1 },
};

START_TEST(refuses_the_rest)
{
    expect_refused(slice_of(refused[_i].text), refused[_i].line);
}
END_TEST

START_TEST(refuses_long_lines_and_zeros)
{
    char line[2048];
    memset(line, 'a', sizeof(line));
    memcpy(line, "file ", 5);
    line[sizeof(line) - 1] = '\n';
    expect_refused((struct slice){ .ptr = line, .len = sizeof(line) }, 1);
    memset(line, 0, sizeof(line));
    expect_refused((struct slice){ .ptr = line, .len = sizeof(line) }, 1);
    line[100] = '\n';
    expect_refused((struct slice){ .ptr = line, .len = sizeof(line) }, 1);
}
END_TEST

START_TEST(the_first_files)
{
    ck_assert_str_eq(aof_manifest_add_base(&manifest, "x y", SIZE_MAX, false), "x y.1.base.rdb");
    ck_assert_str_eq(aof_manifest_add_incr(&manifest, "x y"), "x y.1.incr.aof");
    expect_text("file \"x y.1.base.rdb\" seq 1 type b\nfile \"x y.1.incr.aof\" seq 1 type i\n");
}
END_TEST

START_TEST(a_new_base_makes_history)
{
    parse("file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"
          "file a.2.incr.aof seq 2 type i\n");
    aof_manifest_add_incr(&manifest, "a");
    ck_assert_str_eq(aof_manifest_add_base(&manifest, "a", 1, false), "a.2.base.rdb");
    expect_text("file a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\n"
                "file a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type h\n"
                "file a.3.incr.aof seq 3 type i\n");
    struct aof_manifest copy;
    aof_manifest_copy(&copy, &manifest);
    aof_manifest_drop_history(&manifest);
    expect_text("file a.2.base.rdb seq 2 type b\nfile a.3.incr.aof seq 3 type i\n");
    aof_manifest_release(&manifest);
    manifest = copy;
    ck_assert_uint_eq(manifest.count, 5);
    // Numbers are not used twice.
    aof_manifest_add_base(&manifest, "a", 0, true);
    ck_assert(aof_manifest_has_history(&manifest));
    aof_manifest_drop_history(&manifest);
    ck_assert(!aof_manifest_has_history(&manifest));
    expect_text("file a.3.base.aof seq 3 type b\n");
    ck_assert_str_eq(aof_manifest_add_incr(&manifest, "a"), "a.4.incr.aof");
}
END_TEST

START_TEST(only_history_may_vanish)
{
    parse("file a seq 1 type h\n");
    aof_manifest_drop_history(&manifest);
    ck_assert_uint_eq(manifest.count, 0);
    aof_manifest_adopt_base(&manifest, "appendonly.aof");
    expect_text("file appendonly.aof seq 1 type b\n");
    ck_assert_str_eq(aof_manifest_add_base(&manifest, "appendonly.aof", 1, false),
                     "appendonly.aof.2.base.rdb");
}
END_TEST

START_TEST(a_taken_name_is_not_given_again)
{
    parse("file a.2.base.rdb seq 1 type b\nfile a.4.base.aof seq 3 type h\n"
          "file a.9.incr.aof seq 8 type i\n");
    ck_assert_str_eq(aof_manifest_add_incr(&manifest, "a"), "a.10.incr.aof");
    ck_assert_str_eq(aof_manifest_add_base(&manifest, "a", 1, false), "a.5.base.rdb");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof_manifest");
    TCase *tcase = tcase_create("manifest");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, comes_back_as_it_was);
    tcase_add_test(tcase, takes_what_others_write);
    tcase_add_loop_test(tcase, refuses_the_rest, 0, sizeof(refused) / sizeof(*refused));
    tcase_add_test(tcase, refuses_long_lines_and_zeros);
    tcase_add_test(tcase, the_first_files);
    tcase_add_test(tcase, a_new_base_makes_history);
    tcase_add_test(tcase, only_history_may_vanish);
    tcase_add_test(tcase, a_taken_name_is_not_given_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

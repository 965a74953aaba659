// SPDX-License-Identifier: BSD-3-Clause
// Tests of what a configuration is read from: included files, lines that add up, and the directives
// that have no effect or that this server can't do.
#include "base/log.h"
#include "config_fixture.h"
#include "server/config.h"
#include "support/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char before[4096];

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/respite-include-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
    ck_assert_int_eq(chdir(folder), 0);
    fixture_open();
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void tear_down(void)
{
    fixture_close();
    ck_assert_int_eq(chdir(before), 0);
    ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static enum status load(const char *text)
{
    write_file("main.conf", text);
    return config_load_file(config, "main.conf", &error);
}

static void expect_loaded(const char *text)
{
    ck_assert_msg(load(text) == STATUS_OK, "%s", error.text);
}

static void expect_refused(const char *text, const char *want)
{
    ck_assert_int_eq(load(text), STATUS_INVALID);
    ck_assert_msg(strstr(error.text, want) != NULL, "no '%s' in: %s", want, error.text);
}

START_TEST(included_in_their_place)
{
    write_file("a", "number 1\nflag no\n");
    write_file("b", "number 2\ninclude a\nmode 1\n");
    expect_loaded("include a\n");
    expect_value("number", "1");
    expect_loaded("number 5\ninclude b\nmode 2\n");
    expect_value("number", "1");
    expect_value("mode", "2");
    expect_loaded("include a\nnumber 5\n");
    expect_value("number", "5");
    // The same one twice is no cycle.
    expect_loaded("include a\nnumber 6\nINCLUDE 'a'\n");
    expect_value("number", "1");
}
END_TEST

START_TEST(patterns_of_files)
{
    ck_assert_int_eq(mkdir("d", 0700), 0);
    write_file("d/2.conf", "number 2\nflag no\n");
    write_file("d/1.conf", "number 1\nmode 1\n");
    write_file("d/other", "number 3\n");
    // In the order of their names.
    expect_loaded("include d/*.conf\n");
    expect_value("number", "2");
    expect_value("mode", "1");
    expect_loaded("include d/[1-9].conf\n");
    expect_loaded("include d/none*\n");
    expect_value("number", "2");
    expect_refused("include d/none\n", "can't open configuration file 'd/none': No such file");
    // A folder matches, too, but can't be read.
    expect_refused("include ?\n", "Is a directory");
}
END_TEST

START_TEST(errors_name_the_included_file)
{
    write_file("bad", "\n# one\nnumber x\n");
    expect_refused("\ninclude bad\n", "bad, line 3: 'number x': argument couldn't be parsed");
    ck_assert_ptr_null(strstr(error.text, "main.conf"));
    expect_refused("include\n", "main.conf, line 1: 'include': Bad directive");
    expect_refused("include a b\n", "Bad directive or wrong number of arguments");
    expect_refused("number 1\ninclude none\n",
                   "main.conf, line 2: 'include none': can't open configuration file 'none'");
    expect_refused("include \"\"\n", "No such file");
}
END_TEST

START_TEST(cycles_are_refused)
{
    expect_refused("number 7\ninclude main.conf\n",
                   "main.conf, line 2: 'include main.conf': the file "
                   "includes itself");
    write_file("a", "include b\n");
    write_file("b", "include main.conf\n");
    expect_refused("include a\n", "b, line 1: 'include main.conf': the file includes itself");
    // By another name.
    ck_assert_int_eq(symlink("main.conf", "link"), 0);
    expect_refused("include link\n", "includes itself");
    expect_refused("include *\n", "includes itself");
}
END_TEST

START_TEST(nesting_is_bounded)
{
    char name[16];
    char text[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        snprintf(text, sizeof(text), "include f%d\n", i + 1);
        write_file(name, text);
    }
    write_file("f40", "number 40\n");
    expect_loaded("include f30\n");
    expect_value("number", "40");
    expect_refused("include f0\n", "deep");
    // And it can be used again.
    expect_loaded("include f40\n");
}
END_TEST

START_TEST(endless_files_are_refused)
{
    ck_assert_int_eq(load("include /dev/zero\n"), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "too large"));
}
END_TEST

START_TEST(lines_add_up)
{
    write_file("a", "pairs c 3\n");
    expect_value("pairs", "x 1");
    // The first one replaces the default.
    expect_loaded("pairs a 1\npairs b 2\n");
    expect_value("pairs", "a 1 b 2");
    expect_loaded("pairs \"\"\ninclude a\npairs d 4\n");
    expect_value("pairs", "c 3 d 4");
    expect_loaded("pairs\npairs e 5\n");
    expect_value("pairs", "e 5");
    expect_refused("pairs f\n", "half a pair");
    expect_refused("pairs f 6 \"\"\n", "half a pair");
    expect_value("pairs", "e 5");
    char *args[] = { "--pairs", "g", "7" };
    ck_assert_int_eq(config_load_args(config, 3, args, &error), STATUS_OK);
    expect_value("pairs", "e 5 g 7");
}
END_TEST

START_TEST(secrets_are_not_shown)
{
    static const char *const lines[] = {
        "secret abc1 def2\n",   "secret \"abc1 def2\n", "SECRET 'abc1' def2\n",
        "\"secret\" abc1 de\n", "'secret' \"abc1\n",    "  secret\tabc1\tx\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        expect_refused(lines[i], "line 1: '");
        ck_assert_msg(strstr(error.text, "abc1") == NULL, "%s", error.text);
    }
}
END_TEST

START_TEST(hidden_ones_do_their_work)
{
    const struct slice pattern = SLICE("[ai][cn][tc]*");
    struct fixture_value found = { .name = "act" };
    expect_loaded("act now\nact now\n");
    ck_assert_uint_eq(owner.acted, 2);
    expect_refused("act later\n", "not now");
    config_get(config, &pattern, 1, fixture_note, &found);
    ck_assert_int_eq(found.count, 0);
}
END_TEST

// What the log says while `check` runs.
static const char *log_of(void (*check)(void))
{
    static char text[4096];
    ck_assert_int_eq(log_set_file("log"), STATUS_OK);
    check();
    ck_assert_int_eq(log_set_file(""), STATUS_OK);
    FILE *file = fopen("log", "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink("log");
    return text;
}

static void report_inert(void)
{
    config_report_inert(config);
}

START_TEST(inert_ones_are_named_if_given)
{
    ck_assert_str_eq(log_of(report_inert), "");
    expect_loaded("inert yes\nnumber 1\n");
    expect_value("inert", "yes");
    const char *line = log_of(report_inert);
    ck_assert_msg(strstr(line, "no effect here: inert\n") != NULL, "%s", line);
}
END_TEST

static void ignore_unsupported(void)
{
    ck_assert_int_eq(config_check_unsupported(config, true, &error), STATUS_OK);
}

START_TEST(unsupported_ones_stop_the_start)
{
    expect_loaded("lost no\n");
    ck_assert_int_eq(config_check_unsupported(config, false, &error), STATUS_OK);
    ck_assert_str_eq(log_of(ignore_unsupported), "");
    expect_loaded("lost yes\n");
    ck_assert_int_eq(config_check_unsupported(config, false, &error), STATUS_INVALID);
    ck_assert_msg(strstr(error.text, "'lost'") != NULL, "%s", error.text);
    ck_assert_ptr_nonnull(strstr(error.text, "ignore-unsupported yes"));
    const char *line = log_of(ignore_unsupported);
    ck_assert_msg(strstr(line, "'lost'") != NULL, "%s", line);
    expect_value("lost", "yes");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config files");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, included_in_their_place);
    tcase_add_test(tcase, patterns_of_files);
    tcase_add_test(tcase, errors_name_the_included_file);
    tcase_add_test(tcase, cycles_are_refused);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, endless_files_are_refused);
    tcase_add_test(tcase, lines_add_up);
    tcase_add_test(tcase, secrets_are_not_shown);
    tcase_add_test(tcase, hidden_ones_do_their_work);
    tcase_add_test(tcase, inert_ones_are_named_if_given);
    tcase_add_test(tcase, unsupported_ones_stop_the_start);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

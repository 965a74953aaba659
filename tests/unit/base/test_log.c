// SPDX-License-Identifier: BSD-3-Clause
// Tests of the log's lines, levels and destinations.
#include "base/log.h"

#include "base/clock.h"
#include "support/unit.h"
#include "unit/base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONTENTS_MAX 8192

static char folder[64];
static char path[96];
static char moved[96];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/respite-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
}

static void tear_down(void)
{
    unlink(path);
    unlink(moved);
    rmdir(folder);
}

static const char *contents_of(const char *file)
{
    static char contents[CONTENTS_MAX];
    int fd = open(file, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t len = read(fd, contents, sizeof contents - 1);
    close(fd);
    ck_assert_int_ge(len, 0);
    contents[len] = '\0';
    return contents;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "\"%s\" is not like %s", text, pattern);
    regfree(&regex);
}

START_TEST(a_line_has_redis_form)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_notice("Ready to accept %d connections", 3);
    const char *line = contents_of(path);
    assert_matches(line, "^[0-9]+:M [0-3][0-9] (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                         "[0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3} \\* "
                         "Ready to accept 3 connections\n$");
    ck_assert_int_eq(strtol(line, NULL, 10), getpid());
}
END_TEST

START_TEST(the_time_is_the_clocks)
{
    setenv("TZ", "UTC", 1);
    tzset();
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    // 2026-11-21 19:02:11.123, give or take what the test takes.
    clock_shift_ms(INT64_C(1795287731123) - clock_wall_us_now() / 1000);
    log_notice("x");
    ck_assert_ptr_nonnull(strstr(contents_of(path), ":M 21 Nov 2026 19:02:1"));
}
END_TEST

START_TEST(levels_have_marks)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_level(LOG_DEBUG);
    log_debug("one");
    log_verbose("two");
    log_notice("three");
    log_warning("four");
    assert_matches(contents_of(path), "^.* \\. one\n.* - two\n.* \\* three\n.* # four\n$");
}
END_TEST

START_TEST(lower_levels_are_dropped)
{
    ck_assert_int_eq(log_level(), LOG_NOTICE);
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_verbose("dropped");
    log_set_level(LOG_WARNING);
    ck_assert_int_eq(log_level(), LOG_WARNING);
    log_notice("dropped");
    log_warning("kept");
    log_set_level(LOG_NOTHING);
    log_warning("dropped");
    ck_assert_ptr_null(strstr(contents_of(path), "dropped"));
    ck_assert_ptr_nonnull(strstr(contents_of(path), "# kept\n"));
}
END_TEST

START_TEST(the_role_is_shown)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_role('S');
    log_notice("x");
    assert_matches(contents_of(path), "^[0-9]+:S ");
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    char message[3000];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_notice("%s", message);
    log_notice("next");
    const char *text = contents_of(path);
    const char *first = strchr(text, 'm');
    ck_assert_uint_eq(strspn(first, "m"), 1024);
    ck_assert_int_eq(first[1024], '\n');
    ck_assert_ptr_nonnull(strstr(text, "* next\n"));
}
END_TEST

START_TEST(a_file_is_appended_to)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(log_set_file(path), STATUS_OK);
        log_notice("line %d", i);
        ck_assert_int_eq(log_set_file(""), STATUS_OK);
        ck_assert_int_eq(log_fd(), STDOUT_FILENO);
    }
    assert_matches(contents_of(path), "line 0\n.*line 1\n.*line 2\n$");
}
END_TEST

START_TEST(a_path_that_fails_changes_nothing)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    int fd = log_fd();
    errno = 0;
    ck_assert_int_eq(log_set_file("/nonexistent/folder/log"), STATUS_IO);
    ck_assert_int_eq(errno, ENOENT);
    char endless[5000];
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    ck_assert_int_eq(log_set_file(endless), STATUS_IO);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_int_eq(log_fd(), fd);
    log_notice("still here");
    ck_assert_ptr_nonnull(strstr(contents_of(path), "still here"));
    ck_assert_int_eq(log_reopen(), STATUS_OK);
}
END_TEST

START_TEST(reopening_follows_a_rotation)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    int fd = log_fd();
    log_notice("old");
    ck_assert_int_eq(rename(path, moved), 0);
    log_notice("old too");
    ck_assert_int_eq(log_reopen(), STATUS_OK);
    log_notice("new");
    // A thread that is in the middle of a line must find the same descriptor.
    ck_assert_int_eq(log_fd(), fd);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_matches(contents_of(moved), "old\n.*old too\n$");
    assert_matches(contents_of(path), "^[^\n]* new\n$");
}
END_TEST

static void log_to_stdout(void)
{
    log_notice("to standard output");
}

START_TEST(the_default_is_standard_output)
{
    struct child child;
    child_run(&child, log_to_stdout);
    assert_matches(child.output, "\\* to standard output\n$");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, set_up, tear_down);
    tcase_add_test(lines, a_line_has_redis_form);
    tcase_add_test(lines, the_time_is_the_clocks);
    tcase_add_test(lines, levels_have_marks);
    tcase_add_test(lines, lower_levels_are_dropped);
    tcase_add_test(lines, the_role_is_shown);
    tcase_add_test(lines, a_long_message_is_cut);
    suite_add_tcase(suite, lines);

    TCase *destinations = tcase_create("destinations");
    tcase_add_checked_fixture(destinations, set_up, tear_down);
    tcase_add_test(destinations, a_file_is_appended_to);
    tcase_add_test(destinations, a_path_that_fails_changes_nothing);
    tcase_add_test(destinations, reopening_follows_a_rotation);
    tcase_add_test(destinations, the_default_is_standard_output);
    suite_add_tcase(suite, destinations);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

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
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    // 2026-11-21 19:02:11.123, give or take what the test takes.
    clock_shift_ms(INT64_C(1795287731123) - clock_wall_us_now() / 1000);
    log_notice("x");
    ck_assert_ptr_nonnull(strstr(contents_of(path), ":M 21 Nov 2026 19:02:1"));
}
END_TEST

static void set_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
    log_update_zone();
}

// The form that the C library gives to the same time is the one that is expected.
START_TEST(dates_are_those_of_the_c_library)
{
    static const int64_t times_s[] = {
        0,          -1,         951782399,  951782400,  951868800,
        1077926400, 1709164799, 1709251200, 1735689599, 1735689600,
        1795287731, 4102444799, 4107542400, 4133980799, -2208988800
    };
    static const char *const zones[] = { "UTC", "XYZ-5:30", "ABC8", "LINT-14" };
    int64_t shift_ms = 0;
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        for (size_t i = 0; i < sizeof times_s / sizeof *times_s; i++) {
            // Half a second later, so that what the test takes does not matter.
            int64_t by_ms = times_s[i] * 1000 + 500 - clock_wall_us_now() / 1000;
            clock_shift_ms(by_ms);
            shift_ms += by_ms;
            set_zone(zones[z]);
            ck_assert_int_eq(log_set_file(path), STATUS_OK);
            log_notice("x");
            time_t seconds = (time_t)times_s[i];
            struct tm local;
            char want[64];
            strftime(want, sizeof want, ":M %d %b %Y %H:%M:%S.", localtime_r(&seconds, &local));
            ck_assert_msg(strstr(contents_of(path), want) != NULL, "%s: %s is not in %s", zones[z],
                          want, contents_of(path));
            ck_assert_int_eq(unlink(path), 0);
        }
    }
    clock_shift_ms(-shift_ms);
}
END_TEST

START_TEST(the_zone_is_kept)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_format(LOG_LOGFMT);
    log_notice("one");
    set_zone("ABC3:30");
    log_notice("two");
    setenv("TZ", "XYZ-14", 1);
    tzset();
    log_notice("three");
    log_update_zone();
    log_notice("four");
    assert_matches(contents_of(path), "^time=[^ ]*\\+00:00 .*=one\n"
                                      "time=[^ ]*-03:30 .*=two\n"
                                      "time=[^ ]*-03:30 .*=three\n"
                                      "time=[^ ]*\\+14:00 .*=four\n$");
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

// --- JSON and logfmt ----------------------------------------------------------------------------

#define ISO_TIME \
    "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-6][0-9]){2}\\.[0-9]{3}[-+][0-9]{2}:[0-9]{2}"

START_TEST(a_line_as_json)
{
    char want[300];
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_format(LOG_JSON);
    log_set_role('S');
    log_warning("Ready to accept %d connections", 3);
    snprintf(want, sizeof want,
             "^\\{\"time\":\"" ISO_TIME "\",\"level\":\"warning\",\"pid\":%d,\"role\":\"replica\","
             "\"message\":\"Ready to accept 3 connections\"\\}\n$",
             (int)getpid());
    assert_matches(contents_of(path), want);
}
END_TEST

START_TEST(a_line_as_logfmt)
{
    char want[300];
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_format(LOG_LOGFMT);
    log_notice("Ready to accept %d connections", 3);
    snprintf(want, sizeof want,
             "^time=" ISO_TIME
             " level=notice pid=%d role=primary message=\"Ready to accept 3 connections\"\n$",
             (int)getpid());
    assert_matches(contents_of(path), want);
}
END_TEST

// The text behind "message" and what joins it, without the end of the line.
static void expect_message(enum log_format format, const char *message, const char *want)
{
    const char *mark = format == LOG_JSON ? "\"message\":" : " message=";
    unlink(path);
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    log_set_format(format);
    log_notice("%s", message);
    char expected[CONTENTS_MAX];
    snprintf(expected, sizeof expected, "%s%s\n", want, format == LOG_JSON ? "}" : "");
    const char *line = contents_of(path);
    const char *found = strstr(line, mark);
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found + strlen(mark), expected);
    // One event, one line.
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}

#define BAD "\\ufffd"

static const struct {
    const char *message;
    const char *quoted;
} messages[] = {
    { "", "\"\"" },
    { "a b", "\"a b\"" },
    { "say \"x\" \\ /", "\"say \\\"x\\\" \\\\ /\"" },
    { "\n\r\t\b\f", "\"\\n\\r\\t\\b\\f\"" },
    { "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
    // Characters of two, three and four bytes, and the last ones of each.
    { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
    { "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
      "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
    // Alone, cut off, longer than needed, a surrogate, too large, never a first byte.
    { "\x80 \xff", "\"" BAD " " BAD "\"" },
    { "x\xe2\x82", "\"x" BAD BAD "\"" },
    { "\xe2\x82x", "\"" BAD BAD "x\"" },
    { "\xc0\xaf", "\"" BAD BAD "\"" },
    { "\xe0\x9f\xbf", "\"" BAD BAD BAD "\"" },
    { "\xf0\x8f\xbf\xbf", "\"" BAD BAD BAD BAD "\"" },
    { "\xed\xa0\x80", "\"" BAD BAD BAD "\"" },
    { "\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"" },
    { "\xf5\x80", "\"" BAD BAD "\"" },
};

START_TEST(any_bytes_are_quoted)
{
    expect_message(LOG_JSON, messages[_i].message, messages[_i].quoted);
    expect_message(LOG_LOGFMT, messages[_i].message, messages[_i].quoted);
}
END_TEST

START_TEST(logfmt_quotes_what_needs_it)
{
    expect_message(LOG_LOGFMT, "word/1.2:[x]", "word/1.2:[x]");
    expect_message(LOG_JSON, "word/1.2:[x]", "\"word/1.2:[x]\"");
    expect_message(LOG_LOGFMT, "a=b", "\"a=b\"");
    expect_message(LOG_LOGFMT, "a\\b", "\"a\\\\b\"");
    expect_message(LOG_LOGFMT, "\"", "\"\\\"\"");
}
END_TEST

START_TEST(the_longest_line_fits)
{
    char message[3000];
    char want[CONTENTS_MAX] = "\"";
    memset(message, 1, sizeof message - 1);
    message[sizeof message - 1] = '\0';
    for (int i = 0; i < 1024; i++)
        memcpy(want + 1 + 6 * i, "\\u0001", 6);
    memcpy(want + 1 + 6 * 1024, "\"", 2);
    expect_message(LOG_JSON, message, want);
    expect_message(LOG_LOGFMT, message, want);
}
END_TEST

// --- Limits -------------------------------------------------------------------------------------

START_TEST(limited_events)
{
    struct log_limit limit = { 0 };
    ck_assert_uint_eq(log_limit(&limit, 0), 0);
    clock_update();
    uint64_t first_us = clock_mono_us();
    ck_assert_uint_eq(log_limit(&limit, 1), 1);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(log_limit(&limit, 2), 0);
    ck_assert_uint_eq(log_limit(&limit, 0), 0);
    uint64_t count = 0;
    while (count == 0) {
        clock_update();
        count = log_limit(&limit, 0);
    }
    ck_assert_uint_eq(count, 10);
    ck_assert_uint_ge(clock_mono_us() - first_us, 1000000);
    ck_assert_uint_eq(log_limit(&limit, 0), 0);
}
END_TEST

// --- Destinations -------------------------------------------------------------------------------

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

START_TEST(a_file_stays_where_it_is)
{
    char here[512];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(log_set_file("log"), STATUS_OK);
    ck_assert_int_eq(chdir(here), 0);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(log_reopen(), STATUS_OK);
    log_notice("new");
    assert_matches(contents_of(path), "^[^\n]* new\n$");
}
END_TEST

START_TEST(warnings_are_echoed)
{
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    int fd = open(moved, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    log_echo_warnings(fd);
    log_notice("one");
    log_warning("two");
    log_echo_warnings(-1);
    log_warning("three");
    close(fd);
    assert_matches(contents_of(path), "one\n.*two\n.*three\n$");
    assert_matches(contents_of(moved), "^[^\n]*# two\n$");
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
    tcase_add_test(lines, dates_are_those_of_the_c_library);
    tcase_add_test(lines, the_zone_is_kept);
    tcase_add_test(lines, levels_have_marks);
    tcase_add_test(lines, lower_levels_are_dropped);
    tcase_add_test(lines, the_role_is_shown);
    tcase_add_test(lines, a_long_message_is_cut);
    suite_add_tcase(suite, lines);

    TCase *formats = tcase_create("formats");
    tcase_add_checked_fixture(formats, set_up, tear_down);
    tcase_add_test(formats, a_line_as_json);
    tcase_add_test(formats, a_line_as_logfmt);
    tcase_add_loop_test(formats, any_bytes_are_quoted, 0, sizeof messages / sizeof *messages);
    tcase_add_test(formats, logfmt_quotes_what_needs_it);
    tcase_add_test(formats, the_longest_line_fits);
    tcase_add_test(formats, limited_events);
    suite_add_tcase(suite, formats);

    TCase *destinations = tcase_create("destinations");
    tcase_add_checked_fixture(destinations, set_up, tear_down);
    tcase_add_test(destinations, a_file_is_appended_to);
    tcase_add_test(destinations, a_path_that_fails_changes_nothing);
    tcase_add_test(destinations, reopening_follows_a_rotation);
    tcase_add_test(destinations, a_file_stays_where_it_is);
    tcase_add_test(destinations, warnings_are_echoed);
    tcase_add_test(destinations, the_default_is_standard_output);
    suite_add_tcase(suite, destinations);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

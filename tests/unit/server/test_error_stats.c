// SPDX-License-Identifier: BSD-3-Clause
// Tests of INFO errorstats: words, order, and that nobody can make it grow without end.
#include "server/error_stats.h"

#include "base/memory.h"
#include "server/info.h"
#include "server/server.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static struct server server;
static struct error_stats *stats;
static size_t used_before;

static void set_up(void)
{
    used_before = mem_used();
    server = (struct server){ .info = info_new() };
    stats = error_stats_new(&server);
}

static void tear_down(void)
{
    error_stats_free(stats);
    info_free(server.info);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void count(const char *text)
{
    error_stats_count(stats, slice_of(text));
}

static void expect_info(const char *want)
{
    struct bytes text = { 0 };
    const struct slice section = SLICE("errorstats");
    info_write(server.info, &section, 1, &text);
    bytes_append_char(&text, '\0');
    ck_assert_str_eq(text.data, want);
    bytes_release(&text);
}

START_TEST(words_are_counted_and_sorted)
{
    expect_info("# Errorstats\r\n");
    count("WRONGTYPE Operation against a key");
    count("ERR syntax error");
    count("EXECABORT x");
    count("ERR other");
    count("err x");
    count("ERRX x");
    expect_info("# Errorstats\r\n"
                "errorstat_ERR:count=2\r\n"
                "errorstat_ERRX:count=1\r\n"
                "errorstat_EXECABORT:count=1\r\n"
                "errorstat_WRONGTYPE:count=1\r\n"
                "errorstat_err:count=1\r\n");
    error_stats_reset(stats);
    expect_info("# Errorstats\r\n");
}
END_TEST

START_TEST(a_text_of_one_word_counts_as_err)
{
    count("NOSPACE");
    count("");
    expect_info("# Errorstats\r\nerrorstat_ERR:count=2\r\n");
}
END_TEST

START_TEST(words_cannot_break_the_lines)
{
    count("a:b=1\r\n#x y");
    expect_info("# Errorstats\r\nerrorstat_a_b=1___x:count=1\r\n");
}
END_TEST

START_TEST(long_words_are_cut)
{
    char text[1024];
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 3, " y", 3);
    count(text);
    text[500] = 'z';
    count(text);
    char want[256];
    snprintf(want, sizeof(want), "# Errorstats\r\nerrorstat_%.64s:count=2\r\n", text);
    expect_info(want);
}
END_TEST

static size_t info_lines(void)
{
    struct bytes text = { 0 };
    info_write(server.info, NULL, 0, &text);
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    bytes_release(&text);
    return lines;
}

static bool info_has(const char *line)
{
    struct bytes text = { 0 };
    info_write(server.info, NULL, 0, &text);
    bytes_append_char(&text, '\0');
    bool has = strstr(text.data, line) != NULL;
    bytes_release(&text);
    return has;
}

START_TEST(there_is_an_end_to_it)
{
    char text[32];
    count("ZZZ first");
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "code%d x", i);
        count(text);
        if (i + 2 == ERROR_STATS_MAX)
            ck_assert(!info_has("ERRORSTATS_DISABLED"));
    }
    ck_assert_uint_eq(info_lines(), 1 + ERROR_STATS_MAX + 1);
    ck_assert(info_has("errorstat_ERRORSTATS_DISABLED:count=1\r\n"));
    ck_assert(!info_has("errorstat_code999:"));
    // Those that are known go on being counted.
    count("ZZZ second");
    ck_assert(info_has("errorstat_ZZZ:count=2\r\n"));
    error_stats_reset(stats);
    count("code999 x");
    ck_assert_uint_eq(info_lines(), 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("error_stats");
    TCase *tcase = tcase_create("error_stats");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, words_are_counted_and_sorted);
    tcase_add_test(tcase, a_text_of_one_word_counts_as_err);
    tcase_add_test(tcase, words_cannot_break_the_lines);
    tcase_add_test(tcase, long_words_are_cut);
    tcase_add_test(tcase, there_is_an_end_to_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

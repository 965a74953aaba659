// SPDX-License-Identifier: BSD-3-Clause
// Splitting a line into words, as configuration files need it.
#include "resp/words.h"
#include "support/unit.h"

#include <string.h>

// Splits a copy of `line` and compares with the expected words, joined by '|'.
static void expect_words(const char *line, const char *expected)
{
    char copy[256];
    char joined[256] = "";
    struct resp_argv words = { 0 };
    size_t len = strlen(line);
    ck_assert_uint_lt(len, sizeof(copy));
    memcpy(copy, line, len);
    ck_assert_int_eq(resp_split_words(copy, len, &words), STATUS_OK);
    size_t used = 0;
    for (size_t i = 0; i < words.len; i++) {
        if (i)
            joined[used++] = '|';
        memcpy(joined + used, words.items[i].ptr, words.items[i].len);
        used += words.items[i].len;
    }
    joined[used] = '\0';
    ck_assert_str_eq(joined, expected);
    resp_argv_release(&words);
}

START_TEST(words_are_split)
{
    expect_words("", "");
    expect_words("port 6379", "port|6379");
    expect_words("  bind  127.0.0.1\t-::1 ", "bind|127.0.0.1|-::1");
    expect_words("logfile \"\"", "logfile|");
    expect_words("requirepass \"two words\"", "requirepass|two words");
    expect_words("a 'single \\'quoted\\'' \"\\x41\\n\"", "a|single 'quoted'|A\n");
}
END_TEST

START_TEST(unbalanced_quotes_are_refused)
{
    static const char *const lines[] = { "a \"b", "a 'b", "a \"b\"c", "a 'b'c" };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char copy[32];
        struct resp_argv words = { 0 };
        size_t len = strlen(lines[i]);
        memcpy(copy, lines[i], len);
        ck_assert_int_eq(resp_split_words(copy, len, &words), STATUS_INVALID);
        resp_argv_release(&words);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("split");
    tcase_add_test(tcase, words_are_split);
    tcase_add_test(tcase, unbalanced_quotes_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of glob matching: what redis-server 7.0.15 answered, and a naive matcher.
#include "base/glob.h"

#include "base/random.h"
#include "support/unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A slice in a table's initialiser.
#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

#define PATTERN_MAX 12
#define TEXT_MAX    16

struct glob_case {
    struct slice pattern;
    struct slice text;
    bool matches;
};

static void check_cases(const struct glob_case *cases, size_t count, bool ignore_case)
{
    for (size_t i = 0; i < count; i++) {
        bool matches = glob_match(cases[i].pattern, cases[i].text, ignore_case);
        ck_assert_msg(matches == cases[i].matches, "case %zu: \"%s\" and \"%s\"", i,
                      cases[i].pattern.ptr, cases[i].text.ptr);
    }
}

// Each answer is that of KEYS <pattern> with a key <text>.
static const struct glob_case oracle_cases[] = {
    { TEXT(""), TEXT(""), true },
    { TEXT(""), TEXT("a"), false },
    { TEXT("a"), TEXT(""), false },
    { TEXT("?"), TEXT(""), false },
    { TEXT("**"), TEXT(""), false },
    { TEXT("a"), TEXT("a"), true },
    { TEXT("a"), TEXT("A"), false },
    { TEXT("a"), TEXT("b"), false },
    { TEXT("abc"), TEXT("ab"), false },
    { TEXT("ab"), TEXT("abc"), false },
    { TEXT("h?llo"), TEXT("hello"), true },
    { TEXT("h?llo"), TEXT("hllo"), false },
    { TEXT("h*llo"), TEXT("hllo"), true },
    { TEXT("h*llo"), TEXT("heeeello"), true },
    { TEXT("h[ae]llo"), TEXT("hallo"), true },
    { TEXT("h[ae]llo"), TEXT("hillo"), false },
    { TEXT("h[^e]llo"), TEXT("hallo"), true },
    { TEXT("h[^e]llo"), TEXT("hello"), false },
    { TEXT("h[a-b]llo"), TEXT("hbllo"), true },
    { TEXT("h[a-b]llo"), TEXT("hcllo"), false },
    { TEXT("*"), TEXT("x"), true },
    { TEXT("a*"), TEXT("a"), true },
    { TEXT("a***"), TEXT("a"), true },
    { TEXT("***a"), TEXT("a"), true },
    { TEXT("*a*b*"), TEXT("xxaxxbxx"), true },
    { TEXT("*a*b*"), TEXT("xxbxxaxx"), false },
    { TEXT("*ab"), TEXT("aab"), true },
    { TEXT("*aab"), TEXT("aaaaab"), true },
    { TEXT("a*c?e"), TEXT("abcdcde"), true },
    { TEXT("a*c?e"), TEXT("abcdcd"), false },
    { TEXT("?*?"), TEXT("a"), false },
    { TEXT("?*?"), TEXT("ab"), true },
    { TEXT("[z-a]"), TEXT("m"), true },
    { TEXT("[a-a]"), TEXT("a"), true },
    { TEXT("[a"), TEXT("a"), true },
    { TEXT("[a"), TEXT("b"), false },
    { TEXT("[a"), TEXT("aa"), false },
    { TEXT("["), TEXT("a"), false },
    { TEXT("["), TEXT("["), false },
    { TEXT("[]"), TEXT("]"), false },
    { TEXT("[]"), TEXT("a"), false },
    { TEXT("[]a]"), TEXT("]a"), false },
    { TEXT("[]a]"), TEXT("a]"), false },
    { TEXT("[^]"), TEXT("a"), true },
    { TEXT("[^]"), TEXT("^"), true },
    { TEXT("[^"), TEXT("a"), true },
    { TEXT("[^^]"), TEXT("^"), false },
    { TEXT("[^^]"), TEXT("a"), true },
    { TEXT("[a^]"), TEXT("^"), true },
    { TEXT("[a-]"), TEXT("-"), false },
    { TEXT("[a-]"), TEXT("a"), true },
    { TEXT("[a-]"), TEXT("_"), true },
    { TEXT("[-a]"), TEXT("-"), true },
    { TEXT("[-a]"), TEXT("a"), true },
    { TEXT("[a-c-e]"), TEXT("d"), false },
    { TEXT("[a-c-e]"), TEXT("-"), true },
    { TEXT("[a-c-e]"), TEXT("e"), true },
    { TEXT("[a-"), TEXT("a"), true },
    { TEXT("[a-"), TEXT("-"), true },
    { TEXT("[*]"), TEXT("*"), true },
    { TEXT("[*]"), TEXT("a"), false },
    { TEXT("[?]"), TEXT("?"), true },
    { TEXT("[?]"), TEXT("a"), false },
    { TEXT("[\\]]"), TEXT("]"), true },
    { TEXT("[\\]]"), TEXT("\\"), false },
    { TEXT("[\\"), TEXT("\\"), true },
    { TEXT("[\\a-c]"), TEXT("a"), true },
    { TEXT("[\\a-c]"), TEXT("b"), false },
    { TEXT("[\\a-c]"), TEXT("-"), true },
    { TEXT("[a-\\c]"), TEXT("\\"), true },
    { TEXT("[a-\\c]"), TEXT("c"), true },
    { TEXT("[a-\\c]"), TEXT("^"), true },
    { TEXT("[\\^a]"), TEXT("^"), true },
    { TEXT("[\\-]"), TEXT("-"), true },
    { TEXT("[a\\-c]"), TEXT("b"), false },
    { TEXT("[a\\-c]"), TEXT("-"), true },
    { TEXT("\\*"), TEXT("*"), true },
    { TEXT("\\*"), TEXT("a"), false },
    { TEXT("\\a"), TEXT("a"), true },
    { TEXT("\\\\"), TEXT("\\"), true },
    { TEXT("\\"), TEXT("\\"), true },
    { TEXT("a\\"), TEXT("a\\"), true },
    { TEXT("a\\"), TEXT("a"), false },
    { TEXT("\\[a]"), TEXT("[a]"), true },
    { TEXT("\\?"), TEXT("?"), true },
    { TEXT("*\\*"), TEXT("a*"), true },
    { TEXT("*\\"), TEXT("x\\"), true },
    { TEXT("a\0b"), TEXT("a\0b"), true },
    { TEXT("a?b"), TEXT("a\0b"), true },
    { TEXT("[\0]"), TEXT("\0"), true },
    { TEXT("\xff*"), TEXT("\xffz"), true },
    { TEXT("[\x80-\xff]"), TEXT("\xc3"), true },
    { TEXT("[a-\xff]"), TEXT("\x80"), false },
    { TEXT("?"), TEXT("\xc3\xa4"), false },
};

START_TEST(as_the_oracle)
{
    check_cases(oracle_cases, sizeof oracle_cases / sizeof oracle_cases[0], false);
}
END_TEST

// KEYS takes a pattern that is just a star as "all"; everywhere else, PSUBSCRIBE * and a message on
// the channel "" for one, the empty text is not matched.
START_TEST(a_star_does_not_match_the_empty_text)
{
    ck_assert(!glob_match(SLICE("*"), SLICE(""), false));
    ck_assert(!glob_match(SLICE("***"), SLICE(""), false));
    ck_assert(glob_match(SLICE(""), SLICE(""), false));
}
END_TEST

// Each answer is that of FUNCTION LIST LIBRARYNAME <pattern> with a library <text>.
static const struct glob_case oracle_cases_without_case[] = {
    { TEXT("ABC"), TEXT("abc"), true },  { TEXT("abc"), TEXT("ABC"), true },
    { TEXT("a_B"), TEXT("A_b"), true },  { TEXT("[a]"), TEXT("A"), true },
    { TEXT("[A]"), TEXT("a"), true },    { TEXT("[^a]"), TEXT("A"), false },
    { TEXT("[\\a]"), TEXT("A"), false }, { TEXT("[\\A]"), TEXT("A"), true },
    { TEXT("[a-c]"), TEXT("B"), true },  { TEXT("[A-C]"), TEXT("b"), true },
    { TEXT("[Z-a]"), TEXT("b"), false }, { TEXT("[A-z]"), TEXT("m"), true },
    { TEXT("[A-z]"), TEXT("_"), false }, { TEXT("[Z-a]"), TEXT("_"), false },
    { TEXT("[Z-a]"), TEXT("Z"), false }, { TEXT("[c-A]"), TEXT("B"), true },
    { TEXT("[c-A]"), TEXT("_"), false }, { TEXT("\\a"), TEXT("A"), true },
    { TEXT("*X*"), TEXT("axb"), true },  { TEXT("a?C"), TEXT("ABC"), true },
    { TEXT("[@-[]"), TEXT("a"), false }, { TEXT("[_-z]"), TEXT("A"), true },
};

START_TEST(as_the_oracle_without_case)
{
    check_cases(oracle_cases_without_case,
                sizeof oracle_cases_without_case / sizeof oracle_cases_without_case[0], true);
}
END_TEST

// As ranges compare bytes.
static int signed_byte(char c)
{
    int byte = (uint8_t)c;
    return byte < 128 ? byte : byte - 256;
}

// The class at the beginning of `p` as the set of bytes it takes; returns its length.
static size_t class_set(struct slice p, bool set[256])
{
    bool negated = p.len > 1 && p.ptr[1] == '^';
    size_t at = negated ? 2 : 1;
    while (at < p.len && p.ptr[at] != ']') {
        int first = signed_byte(p.ptr[at]);
        int last = first;
        if (p.ptr[at] == '\\' && at + 1 < p.len) {
            first = last = signed_byte(p.ptr[++at]);
        } else if (at + 2 < p.len && p.ptr[at + 1] == '-') {
            last = signed_byte(p.ptr[at + 2]);
            at += 2;
        }
        for (int c = first < last ? first : last; c <= (first < last ? last : first); c++)
            set[(uint8_t)c] = true;
        at++;
    }
    for (int c = 0; c < 256 && negated; c++)
        set[c] = !set[c];
    return at < p.len ? at + 1 : at;
}

// Likewise any item but a star.
static size_t item_set(struct slice p, bool set[256])
{
    memset(set, p.ptr[0] == '?', 256);
    if (p.ptr[0] == '[')
        return class_set(p, set);
    size_t last = p.ptr[0] == '\\' && p.len > 1;
    set[(uint8_t)p.ptr[last]] = true;
    return last + 1;
}

// Keeps all places of the text that the pattern may have reached so far, item by item.
static bool naive_match(struct slice p, struct slice text)
{
    bool reached[TEXT_MAX + 1] = { true };
    while (p.len > 0) {
        size_t len = 1;
        if (p.ptr[0] == '*') {
            for (size_t i = 1; i <= text.len; i++)
                reached[i] |= reached[i - 1];
        } else {
            bool set[256];
            len = item_set(p, set);
            for (size_t i = text.len; i > 0; i--)
                reached[i] = reached[i - 1] && set[(uint8_t)text.ptr[i - 1]];
            reached[0] = false;
        }
        p = (struct slice){ .ptr = p.ptr + len, .len = p.len - len };
    }
    return reached[text.len];
}

static struct slice random_text(struct random *random, const char *alphabet, char *room, size_t max)
{
    size_t len = random_below(random, max + 1);
    for (size_t i = 0; i < len; i++)
        room[i] = alphabet[random_below(random, strlen(alphabet))];
    return (struct slice){ .ptr = room, .len = len };
}

START_TEST(as_a_naive_matcher)
{
    struct random random;
    random_seed(&random, 17);
    int matched = 0;
    for (int i = 0; i < 200000; i++) {
        char room[2][TEXT_MAX];
        struct slice pattern = random_text(&random, "aaabbcc***??[]^-\\\x80\xff", room[0],
                                           PATTERN_MAX);
        struct slice text = random_text(&random, "aaaabbbccc[]-^\\*\x80\xff\xc3", room[1],
                                        TEXT_MAX);
        bool expected = text.len == 0 ? pattern.len == 0 : naive_match(pattern, text);
        if (glob_match(pattern, text, false) != expected)
            ck_abort_msg("\"%.*s\" and \"%.*s\"", (int)pattern.len, pattern.ptr, (int)text.len,
                         text.ptr);
        matched += expected;
    }
    ck_assert_int_gt(matched, 1000);
}
END_TEST

// Without the rule that only the last star is retried these would not end in a lifetime.
START_TEST(hostile_patterns_end)
{
    static char pattern[4000];
    static char text[10000];
    memset(text, 'a', sizeof text);
    struct slice all = { .ptr = text, .len = sizeof text };
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        pattern[len++] = 'a';
        pattern[len++] = '*';
    }
    pattern[len] = 'b';
    ck_assert(!glob_match((struct slice){ pattern, len + 1 }, all, false));
    ck_assert(glob_match((struct slice){ pattern, len }, all, true));
    len = 0;
    for (int i = 0; i < 1000; i++) {
        memcpy(pattern + len, "*[^b", 4);
        len += 4;
        if (i < 999)
            pattern[len - 1] = ']';
    }
    ck_assert(glob_match((struct slice){ pattern, len }, all, false));
    memset(pattern, '*', sizeof pattern);
    pattern[sizeof pattern - 1] = 'b';
    ck_assert(!glob_match((struct slice){ pattern, sizeof pattern }, all, false));
    memset(pattern, '[', sizeof pattern);
    ck_assert(!glob_match((struct slice){ pattern, sizeof pattern }, all, false));
}
END_TEST

START_TEST(only_the_slices_are_read)
{
    static const char *const patterns[] = { "[",  "[^", "[a",   "[a-", "[\\",
                                            "\\", "*[", "a*\\", "[a-b" };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        size_t len = strlen(patterns[i]);
        char *exact = malloc(len);
        char *text = malloc(2);
        ck_assert(exact && text);
        memcpy(exact, patterns[i], len);
        memcpy(text, "ab", 2);
        ck_assert(!glob_match((struct slice){ exact, len }, (struct slice){ text, 2 }, false) ||
                  patterns[i][0] == '*');
        ck_assert_uint_lt(glob_literal_prefix((struct slice){ exact, len }), len);
        free(exact);
        free(text);
    }
}
END_TEST

START_TEST(literal_prefixes)
{
    ck_assert_uint_eq(glob_literal_prefix(SLICE("")), 0);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("user:1")), 6);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("user:*")), 5);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("us?r")), 2);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("[u]ser")), 0);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("user\\*")), 4);
    ck_assert_uint_eq(glob_literal_prefix(SLICE("a\0]^-b")), 6);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("glob");
    TCase *tcase = tcase_create("glob");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, as_the_oracle);
    tcase_add_test(tcase, as_the_oracle_without_case);
    tcase_add_test(tcase, a_star_does_not_match_the_empty_text);
    tcase_add_test(tcase, as_a_naive_matcher);
    tcase_add_test(tcase, hostile_patterns_end);
    tcase_add_test(tcase, only_the_slices_are_read);
    tcase_add_test(tcase, literal_prefixes);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

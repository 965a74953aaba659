// SPDX-License-Identifier: BSD-3-Clause
// Tests of the request parser: limits, sizes around the fast path's, and memory.
#include "support/unit.h"
#include "unit/resp/parse_once.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

// `count` times `filler` between two texts.
static struct bytes filled(const char *before, size_t count, char filler, const char *after)
{
    struct bytes out = { 0 };
    bytes_append_text(&out, before);
    memset(bytes_reserve(&out, count), filler, count);
    out.len += count;
    bytes_append_text(&out, after);
    return out;
}

// The first length at which the request is not incomplete, when it grows byte by byte from `from`.
static size_t decided_at(const struct bytes *request, size_t from, struct bytes *text)
{
    struct resp_parser parser = { 0 };
    size_t len = from;
    while (len <= request->len &&
           parse_once(&parser, &normal_limits, request->data, len, text) == RESP_INCOMPLETE)
        len++;
    resp_parser_reset(&parser);
    return len;
}

// ---- limits -------------------------------------------------------------------------------------

static void check_one(const char *input, size_t len, const struct resp_limits *limits,
                      enum resp_result want_result, const char *want)
{
    struct resp_parser parser = { 0 };
    struct bytes text = { 0 };
    ck_assert_int_eq(parse_once(&parser, limits, input, len, &text), want_result);
    assert_text(&text, want);
    resp_parser_reset(&parser);
}

START_TEST(test_limits_before_authentication)
{
    const struct resp_limits *limits = &unauth_limits;
    check_one(IN("*10\r\n"), limits, RESP_INCOMPLETE, "");
    check_one(IN("*11\r\n"), limits, RESP_ERROR,
              "Protocol error: unauthenticated multibulk length");
    check_one(IN("*11\r\n$4\r\nPING\r\n"), limits, RESP_ERROR,
              "Protocol error: unauthenticated multibulk length");
    check_one(IN("*2147483647\r\n"), limits, RESP_ERROR,
              "Protocol error: unauthenticated multibulk length");
    check_one(IN("*2147483648\r\n"), limits, RESP_ERROR, BAD_COUNT);
    check_one(IN("*1\r\n$16384\r\n"), limits, RESP_INCOMPLETE, "");
    check_one(IN("*1\r\n$16385\r\n"), limits, RESP_ERROR,
              "Protocol error: unauthenticated bulk length");
    check_one(IN("*1\r\n$536870912\r\n"), limits, RESP_ERROR,
              "Protocol error: unauthenticated bulk length");
    check_one(IN("*1\r\n$536870913\r\n"), limits, RESP_ERROR, BAD_LENGTH);
    check_one(IN("a b c d e f g h i j k l m\n"), limits, RESP_COMMAND,
              "inline \"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\" \"l\" "
              "\"m\"");
}
END_TEST

START_TEST(test_limits_of_normal_clients)
{
    const struct resp_limits boundless = { .max_bulk = INT64_MAX,
                                           .max_multibulk = INT64_MAX,
                                           .authenticated = true };
    check_one(IN("*2147483648\r\n"), &boundless, RESP_ERROR, BAD_COUNT);
    check_one(IN("*2147483647\r\n"), &normal_limits, RESP_INCOMPLETE, "");
    check_one(IN("*1\r\n$536870912\r\n"), &normal_limits, RESP_INCOMPLETE, "");
    check_one(IN("*1\r\n$536870913\r\n"), &normal_limits, RESP_ERROR, BAD_LENGTH);
}
END_TEST

// The fast path and the state machine both look at them.
START_TEST(test_limits_are_the_callers)
{
    struct resp_limits limits = { .max_bulk = 3, .max_multibulk = 2, .authenticated = _i == 0 };
    check_one(IN("*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n"), &limits, RESP_COMMAND, "\"abc\" \"abc\"");
    check_one(IN("*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"), &limits, RESP_ERROR, BAD_COUNT);
    check_one(IN("*2\r\n$3\r\nabc\r\n$4\r\nabcd\r\n"), &limits, RESP_ERROR, BAD_LENGTH);
    check_one(IN("*1\r\n$4\r\nabcd\r\n"), &limits, RESP_ERROR, BAD_LENGTH);
    limits.max_bulk = 0;
    check_one(IN("*1\r\n$0\r\n\r\n"), &limits, RESP_COMMAND, "\"\"");
    limits.max_bulk = INT64_MAX;
    check_one(IN("*1\r\n$9223372036854775807\r\nabc"), &limits,
              _i == 0 ? RESP_INCOMPLETE : RESP_ERROR,
              _i == 0 ? "" : "Protocol error: unauthenticated bulk length");
}
END_TEST

static const struct {
    const char *before;
    char filler;
    const char *after;
    const char *want;
} long_lines[] = {
    { "", 'x', "\n", "Protocol error: too big inline request" },
    { "", ' ', "\n", "Protocol error: too big inline request" },
    { "*", '1', "\r\n", "Protocol error: too big mbulk count string" },
    { "*1\r\n$", '1', "\r\n", "Protocol error: too big bulk count string" },
    { "*1\r\nX", '1', "\r\n", "Protocol error: too big bulk count string" },
};

// RESP_INLINE_MAX bytes may stand before the line's end; one more is too much, as soon as it is
// there and no matter whether more is.
START_TEST(test_long_lines)
{
    const char *before = long_lines[_i].before;
    const char *newline = strchr(before, '\n');
    size_t line_start = newline ? (size_t)(newline + 1 - before) : 0;
    size_t fill = RESP_INLINE_MAX - (strlen(before) - line_start);
    size_t limit = line_start + RESP_INLINE_MAX;
    struct bytes text = { 0 };

    struct bytes longest = filled(before, fill, long_lines[_i].filler, long_lines[_i].after);
    ck_assert_uint_eq(decided_at(&longest, limit - 5, &text), longest.len);
    bytes_append_char(&text, '\0');
    ck_assert_ptr_null(strstr(text.data, "too big"));
    bytes_release(&text);
    bytes_release(&longest);

    struct bytes too_long = filled(before, fill + 1, long_lines[_i].filler, long_lines[_i].after);
    ck_assert_uint_eq(decided_at(&too_long, limit - 5, &text), limit + 1);
    assert_text(&text, long_lines[_i].want);
    ck_assert_uint_eq(decided_at(&too_long, too_long.len, &text), too_long.len);
    assert_text(&text, long_lines[_i].want);
    bytes_release(&too_long);
}
END_TEST

// ---- the lengths of numbers, argv, memory -------------------------------------------------------

static const size_t bulk_lengths[] = { 0,    1,    9,    10,    11,    99,    100,    101,
                                       999,  1000, 1001, 9999,  10000, 16384, 32767,  32768,
                                       2047, 8192, 500,  65535, 65536, 99999, 100000, 123456 };

// Lengths of one to six digits: some the fast path's, some not.
START_TEST(test_bulk_lengths)
{
    size_t len = bulk_lengths[_i];
    struct bytes input = { 0 };
    bytes_printf(&input, "*2\r\n$4\r\nECHO\r\n$%zu\r\n", len);
    size_t header = input.len;
    memset(bytes_reserve(&input, len), 'v', len);
    input.len += len;
    bytes_append_text(&input, "\r\n*1\r\n");

    for (size_t there = header - 3; there < input.len - 3; there += there < header + 3 ? 1 : 1021) {
        struct resp_parser parser = { 0 };
        struct resp_argv argv = { 0 };
        struct resp_command command;
        enum resp_result early = resp_parse(&parser, input.data, there, &normal_limits, &argv,
                                            &command);
        bool whole = there >= header + len + 2;
        ck_assert_int_eq(early, whole ? RESP_COMMAND : RESP_INCOMPLETE);
        if (!whole)
            ck_assert_int_eq(
                resp_parse(&parser, input.data, input.len, &normal_limits, &argv, &command),
                RESP_COMMAND);
        ck_assert_uint_eq(command.consumed, header + len + 2);
        ck_assert_uint_eq(command.argc, 2);
        ck_assert_uint_eq(argv.items[1].len, len);
        ck_assert_ptr_eq(argv.items[1].ptr, input.data + header);
        resp_argv_release(&argv);
    }
    bytes_release(&input);
}
END_TEST

static const char *const bad_numbers[] = {
    "",     ":",    "/",    "1:",   "1/",   "10:", "10/", "1:0",  "1/0", "100:",  "100/",
    "1 00", "1:00", "1/00", "10:0", "10/0", "01",  "001", "0001", "00",  "1000:", "10000:",
};

// What is no number is none, although there are enough bytes for whatever it might be taken for.
START_TEST(test_bad_numbers)
{
    enum { BULKS = 20000 };
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { .items = mem_alloc(BULKS * sizeof *argv.items), .cap = BULKS };
    struct resp_command command;
    struct bytes input = { 0 };
    char out[RESP_ERROR_TEXT_MAX];

    bytes_printf(&input, "*%s\r\n", bad_numbers[_i]);
    for (int i = 0; i < BULKS; i++)
        bytes_append_text(&input, "$0\r\n\r\n");
    ck_assert_int_eq(resp_parse(&parser, input.data, input.len, &normal_limits, &argv, &command),
                     RESP_ERROR);
    ck_assert_str_eq(resp_parser_error(&parser, out), BAD_COUNT);
    resp_parser_reset(&parser);

    input.len = 0;
    bytes_printf(&input, "*1\r\n$%s\r\n", bad_numbers[_i]);
    for (int i = 0; i < BULKS; i++)
        bytes_append_text(&input, "x");
    ck_assert_int_eq(resp_parse(&parser, input.data, input.len, &normal_limits, &argv, &command),
                     RESP_ERROR);
    ck_assert_str_eq(resp_parser_error(&parser, out), BAD_LENGTH);
    resp_parser_reset(&parser);
    resp_argv_release(&argv);
    bytes_release(&input);
}
END_TEST

static const size_t counts[] = { 1, 9, 10, 11, 63, 64, 65, 99, 100, 999, 1000, 9999, 10000 };

// Counts around the powers of ten, and more than argv has room for at first.
START_TEST(test_counts)
{
    size_t count = counts[_i];
    struct bytes input = { 0 };
    bytes_printf(&input, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        bytes_printf(&input, "$%d\r\n%zu\r\n", snprintf(NULL, 0, "%zu", i), i);

    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    // Twice: the second time argv has room for all.
    for (int round = 0; round < 2; round++) {
        struct resp_command command;
        ck_assert_int_eq(
            resp_parse(&parser, input.data, input.len, &normal_limits, &argv, &command),
            RESP_COMMAND);
        ck_assert_uint_eq(command.argc, count);
        ck_assert_uint_eq(command.consumed, input.len);
        ck_assert_uint_eq(command.argv_first, 0);
        ck_assert_uint_eq(argv.len, count);
        for (size_t i = 0; i < count; i++) {
            char want[24];
            snprintf(want, sizeof want, "%zu", i);
            ck_assert(slice_equal(argv.items[i], slice_of(want)));
        }
        argv.len = 0;
    }
    resp_argv_release(&argv);
    bytes_release(&input);
}
END_TEST

START_TEST(test_argv_of_many_commands)
{
    static const char input[] = "*1\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\nd e f\r\n*0\r\ng\n";
    static const uint32_t want_argc[] = { 1, 2, 3, 0, 1 };
    char buf[sizeof input];
    memcpy(buf, input, sizeof input);
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    size_t at = 0;
    size_t first = 0;
    for (size_t i = 0; i < sizeof want_argc / sizeof *want_argc; i++) {
        struct resp_command command;
        ck_assert_int_eq(
            resp_parse(&parser, buf + at, sizeof input - 1 - at, &normal_limits, &argv, &command),
            RESP_COMMAND);
        ck_assert_uint_eq(command.argv_first, first);
        ck_assert_uint_eq(command.argc, want_argc[i]);
        first += command.argc;
        at += command.consumed;
    }
    ck_assert_uint_eq(at, sizeof input - 1);
    ck_assert_uint_eq(argv.len, 7);
    for (size_t i = 0; i < argv.len; i++)
        ck_assert(slice_equal(argv.items[i], (struct slice){ .ptr = &"abcdefg"[i], .len = 1 }));
    resp_argv_release(&argv);
}
END_TEST

START_TEST(test_argv_clear)
{
    struct bytes input = { 0 };
    bytes_printf(&input, "*%d\r\n", RESP_ARGV_KEEP + 1);
    for (int i = 0; i <= RESP_ARGV_KEEP; i++)
        bytes_append_text(&input, "$0\r\n\r\n");
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    char ping[] = "PING\n";

    ck_assert_int_eq(resp_parse(&parser, ping, 5, &normal_limits, &argv, &command), RESP_COMMAND);
    size_t cap = argv.cap;
    resp_argv_clear(&argv);
    ck_assert_uint_eq(argv.len, 0);
    ck_assert_uint_eq(argv.cap, cap);

    ck_assert_int_eq(resp_parse(&parser, input.data, input.len, &normal_limits, &argv, &command),
                     RESP_COMMAND);
    ck_assert_uint_gt(argv.cap, RESP_ARGV_KEEP);
    resp_argv_clear(&argv);
    ck_assert_uint_eq(argv.len, 0);
    ck_assert_uint_eq(argv.cap, 0);
    bytes_release(&input);
}
END_TEST

// A count promises nothing: memory follows the arguments that are there.
START_TEST(test_memory_of_incomplete)
{
    struct resp_parser parser = { 0 };
    struct bytes text = { 0 };
    size_t used = mem_used();
    ck_assert_int_eq(parse_once(&parser, &normal_limits, IN("*2147483647\r\n$"), &text),
                     RESP_INCOMPLETE);
    ck_assert_uint_eq(resp_parser_memory(&parser), 0);
    ck_assert_uint_eq(mem_used(), used);

    ck_assert_int_eq(
        parse_once(&parser, &normal_limits, IN("*2147483647\r\n$0\r\n\r\n$1\r\na\r\n$"), &text),
        RESP_INCOMPLETE);
    ck_assert_uint_ge(resp_parser_memory(&parser), 2 * 16);
    ck_assert_uint_le(resp_parser_memory(&parser), 256);
    ck_assert_uint_eq(mem_used(), used + resp_parser_memory(&parser));

    resp_parser_reset(&parser);
    ck_assert_uint_eq(resp_parser_memory(&parser), 0);
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

// Fails the first, second... allocation while a request comes in two pieces.
static void check_failing_memory(const char *input, size_t len, size_t first)
{
    enum resp_result result = RESP_ERROR;
    for (uint64_t successes = 0; result == RESP_ERROR; successes++) {
        struct resp_parser parser = { 0 };
        struct resp_argv argv = { 0 };
        struct resp_command command;
        size_t used = mem_used();
        char *buf = mem_strndup(input, len);
        ck_assert_uint_lt(successes, 100);
        mem_fail_after(successes);
        result = resp_parse(&parser, buf, first, &normal_limits, &argv, &command);
        if (result == RESP_INCOMPLETE)
            result = resp_parse(&parser, buf, len, &normal_limits, &argv, &command);
        mem_fail_never();
        if (result == RESP_ERROR) {
            char out[RESP_ERROR_TEXT_MAX];
            ck_assert_str_eq(resp_parser_error(&parser, out),
                             "Protocol error: not enough memory for the request");
            ck_assert_uint_eq(argv.len, 0);
            ck_assert_uint_eq(resp_parser_memory(&parser), 0);
        }
        resp_argv_release(&argv);
        mem_free(buf, len + 1);
        ck_assert_uint_eq(mem_used(), used);
    }
    ck_assert_int_eq(result, RESP_COMMAND);
}

START_TEST(test_failing_memory)
{
    struct bytes input = { 0 };
    struct bytes line = { 0 };
    bytes_append_text(&input, "*200\r\n");
    for (int i = 0; i < 200; i++) {
        bytes_append_text(&input, "$1\r\na\r\n");
        bytes_append_text(&line, "a ");
    }
    bytes_append_text(&line, "\r\n");
    for (size_t first = 0; first < input.len; first += 97)
        check_failing_memory(input.data, input.len, first);
    check_failing_memory(line.data, line.len, 10);
    bytes_release(&input);
    bytes_release(&line);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("resp/parser limits");

    TCase *tcase = tcase_create("limits");
    tcase_add_test(tcase, test_limits_before_authentication);
    tcase_add_test(tcase, test_limits_of_normal_clients);
    tcase_add_loop_test(tcase, test_limits_are_the_callers, 0, 2);
    tcase_add_loop_test(tcase, test_long_lines, 0, COUNT(long_lines));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("sizes");
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, test_bulk_lengths, 0, COUNT(bulk_lengths));
    tcase_add_loop_test(tcase, test_bad_numbers, 0, COUNT(bad_numbers));
    tcase_add_loop_test(tcase, test_counts, 0, COUNT(counts));
    tcase_add_test(tcase, test_argv_of_many_commands);
    tcase_add_test(tcase, test_argv_clear);
    tcase_add_test(tcase, test_memory_of_incomplete);
    tcase_add_test(tcase, test_failing_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

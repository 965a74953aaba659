// SPDX-License-Identifier: BSD-3-Clause
// Tests of the request parser: what it accepts and refuses, cut in every way.
//
// What it does with single requests was learnt from redis-server 7.0.15, byte by byte.
#include "support/unit.h"
#include "unit/resp/parse_once.h"

#include "base/memory.h"

#define ECHO_WITH(rest) "*2\r\n$4\r\nECHO\r\n" rest

struct request {
    const char *bytes;
    size_t len;
    const char *want;  // the arguments in quotes, "inline" before them, or the error's text
};

static const struct request accepted[] = {
    // arrays of bulks
    { IN("*1\r\n$4\r\nPING\r\n"), "\"PING\"" },
    { IN("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), "\"GET\" \"key\"" },
    { IN("*1\r\n$0\r\n\r\n"), "\"\"" },
    { IN("*3\r\n$0\r\n\r\n$1\r\na\r\n$0\r\n\r\n"), "\"\" \"a\" \"\"" },
    { IN(ECHO_WITH("$11\r\n01234567890\r\n")), "\"ECHO\" \"01234567890\"" },
    { IN(ECHO_WITH("$4\r\n\r\n\r\n\r\n")), "\"ECHO\" \"\\r\\n\\r\\n\"" },
    { IN(ECHO_WITH("$3\r\n\0*$\r\n")), "\"ECHO\" \"\\x00*$\"" },
    { IN("*10\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"
         "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n"),
      "\"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\"" },
    // nothing to do
    { IN("*0\r\n"), "" },
    { IN("*-1\r\n"), "" },
    { IN("*-5\r\n"), "" },
    { IN("*-2147483649\r\n"), "" },
    { IN("*-9223372036854775808\r\n"), "" },
    { IN("\r\n"), "inline" },
    { IN("\n"), "inline" },
    { IN(" \t\v\f\r \r\n"), "inline" },
    // the byte behind a CR, and the two behind a payload, are skipped unseen
    { IN("*1\rX$4\rYPINGab"), "\"PING\"" },
    { IN("*1\r\r$4\r\rPING\r\r"), "\"PING\"" },
    { IN("*1\rX$4\r\nPING\r\n"), "\"PING\"" },
    { IN("*1\r\n$4\rXPING\r\n"), "\"PING\"" },
    { IN("*1\r\n$4\r\nPING\rX"), "\"PING\"" },
    { IN("*1\r\n$4\r\nPING\n\n"), "\"PING\"" },
    { IN("*0\rX"), "" },
    { IN("*1\r\n$4\r\r\nPIN\r\n"), "\"\\nPIN\"" },
    // words of a line
    { IN("PING\r\n"), "inline \"PING\"" },
    { IN("PING\n"), "inline \"PING\"" },
    { IN("PING\r\r\r\n"), "inline \"PING\"" },
    { IN("  GET\t key  \r\n"), "inline \"GET\" \"key\"" },
    { IN("GET a\rb\n"), "inline \"GET\" \"a\" \"b\"" },
    { IN("\v\fGET \va\vb\f\n"), "inline \"GET\" \"a\\x0bb\\x0c\"" },
    { IN("$4\r\n"), "inline \"$4\"" },
    { IN("ECHO a\\x41\\\n"), "inline \"ECHO\" \"a\\\\x41\\\\\"" },
    { IN("ECHO a\0b \xff\n"), "inline \"ECHO\" \"a\\x00b\" \"\\xff\"" },
    { IN("ECHO *3\r\n"), "inline \"ECHO\" \"*3\"" },
    // double quotes
    { IN("ECHO \"a b\"\r\n"), "inline \"ECHO\" \"a b\"" },
    { IN("ECHO \"\" \"\"\n"), "inline \"ECHO\" \"\" \"\"" },
    { IN("\"\"\n"), "inline \"\"" },
    { IN("\" PING\"\n"), "inline \" PING\"" },
    { IN("ECHO \"\\n\\r\\t\\b\\a\\\"\\\\\\q\\'\"\n"),
      "inline \"ECHO\" \"\\n\\r\\t\\b\\a\\\"\\\\q'\"" },
    { IN("ECHO \"\\x41\\xAb\\xfF\\x414\"\n"), "inline \"ECHO\" \"A\\xab\\xffA4\"" },
    { IN("ECHO \"\\x\" \"\\x4\" \"\\x4G\" \"\\xG4\" \"\\X41\" \"\\x@1\"\n"),
      "inline \"ECHO\" \"x\" \"x4\" \"x4G\" \"xG4\" \"X41\" \"x@1\"" },
    { IN("ECHO a\"b c\" d\"\"\n"), "inline \"ECHO\" \"ab c\" \"d\"" },
    { IN("ECHO \"a'b\" \"a\rb\"\n"), "inline \"ECHO\" \"a'b\" \"a\\rb\"" },
    { IN("ECHO \"a\"\rb \"c\"\vd \"e\"\r\r\n"), "inline \"ECHO\" \"a\" \"b\" \"c\" \"d\" \"e\"" },
    // single quotes
    { IN("ECHO 'a b' ''\n"), "inline \"ECHO\" \"a b\" \"\"" },
    { IN("ECHO 'a\\'b' 'a\\n\\x41\\q' 'a\"b'\n"),
      "inline \"ECHO\" \"a'b\" \"a\\\\n\\\\x41\\\\q\" \"a\\\"b\"" },
    { IN("ECHO x'a b'\n"), "inline \"ECHO\" \"xa b\"" },
};

static const struct request refused[] = {
    { IN("*\r\n"), BAD_COUNT },
    { IN("*x\r\n"), BAD_COUNT },
    { IN("*1x\r\n"), BAD_COUNT },
    { IN("*+1\r\n"), BAD_COUNT },
    { IN("* 1\r\n"), BAD_COUNT },
    { IN("*1 \r\n"), BAD_COUNT },
    { IN("*01\r\n"), BAD_COUNT },
    { IN("*00\r\n"), BAD_COUNT },
    { IN("*-\r\n"), BAD_COUNT },
    { IN("*-0\r\n"), BAD_COUNT },
    { IN("*-01\r\n"), BAD_COUNT },
    { IN("*1\n\r\n"), BAD_COUNT },
    { IN("*1\n$4\nPING\n\r\n"), BAD_COUNT },
    { IN("*1\0\r\n"), BAD_COUNT },
    { IN("*12345x\r\n"), BAD_COUNT },
    { IN("*12:4\r\n"), BAD_COUNT },
    { IN("*1/\r\n"), BAD_COUNT },
    { IN("*2147483648\r\n"), BAD_COUNT },
    { IN("*9223372036854775808\r\n"), BAD_COUNT },
    { IN("*-9223372036854775809\r\n"), BAD_COUNT },
    { IN("*99999999999999999999999999\r\n"), BAD_COUNT },
    { IN(ECHO_WITH("$\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$-1\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$-\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$-0\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$00\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$04\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$+4\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$ 4\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$4 \r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$4a\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$1a4\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$100a\r\nabcd\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$536870913\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$9223372036854775807\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("$9223372036854775808\r\n")), BAD_LENGTH },
    { IN(ECHO_WITH("X\r\n")), BAD_DOLLAR "'X'" },
    { IN(ECHO_WITH("+4\r\nabcd\r\n")), BAD_DOLLAR "'+'" },
    { IN(ECHO_WITH("*4\r\nabcd\r\n")), BAD_DOLLAR "'*'" },
    { IN(ECHO_WITH("'4\r\nabcd\r\n")), BAD_DOLLAR "'''" },
    { IN(ECHO_WITH("\x01\r\n")), BAD_DOLLAR "'\x01'" },
    { IN(ECHO_WITH("\xff\r\n")), BAD_DOLLAR "'\xff'" },
    { IN(ECHO_WITH("\n4\r\n")), BAD_DOLLAR "' '" },
    { IN(ECHO_WITH("\r\n")), BAD_DOLLAR "' '" },
    { IN(ECHO_WITH("\0\r\n")), BAD_DOLLAR "' '" },
    { IN("*1\r$4\r\nPING\r\n"), BAD_DOLLAR "'4'" },
    { IN("ECHO \"abc\r\n"), BAD_QUOTES },
    { IN("ECHO 'abc\r\n"), BAD_QUOTES },
    { IN("ECHO \"a\"b\r\n"), BAD_QUOTES },
    { IN("ECHO \"a\"\"b\"\r\n"), BAD_QUOTES },
    { IN("ECHO 'a'b\r\n"), BAD_QUOTES },
    { IN("ECHO 'a''b'\r\n"), BAD_QUOTES },
    { IN("ECHO a\"\r\n"), BAD_QUOTES },
    { IN("ECHO a'b c'd\r\n"), BAD_QUOTES },
    { IN("ECHO \\\"a\r\n"), BAD_QUOTES },
    { IN("ECHO \"abc\\\n"), BAD_QUOTES },
    { IN("ECHO \"abc\\\"\n"), BAD_QUOTES },
    { IN("ECHO 'abc\\'\n"), BAD_QUOTES },
    { IN("ECHO 'a\\\\'\n"), BAD_QUOTES },
    { IN("ECHO \"\\x4\n"), BAD_QUOTES },
    { IN("\"\n"), BAD_QUOTES },
};

// ---- helpers ------------------------------------------------------------------------------------

// The request arrives in pieces: first `first` bytes, then `step` at a time.
static void check_in_pieces(const struct request *request, const struct resp_limits *limits,
                            size_t first, size_t step, enum resp_result want)
{
    struct resp_parser parser = { 0 };
    struct bytes text = { 0 };
    enum resp_result result = RESP_INCOMPLETE;
    for (size_t len = first; result == RESP_INCOMPLETE; len += step) {
        ck_assert_uint_lt(len - first, request->len + step);
        size_t there = len < request->len ? len : request->len;
        result = parse_once(&parser, limits, request->bytes, there, &text);
        if (result == RESP_COMMAND)
            ck_assert_uint_eq(there, request->len);
    }
    ck_assert_int_eq(result, want);
    assert_text(&text, request->want);
    resp_parser_reset(&parser);
    ck_assert_uint_eq(resp_parser_memory(&parser), 0);
}

static void check_request(const struct request *request, const struct resp_limits *limits,
                          enum resp_result want)
{
    size_t used = mem_used();
    for (size_t first = 0; first <= request->len; first++) {
        check_in_pieces(request, limits, first, request->len, want);
        check_in_pieces(request, limits, first, 1, want);
    }
    check_in_pieces(request, limits, 0, 3, want);
    ck_assert_uint_eq(mem_used(), used);
}

// ---- what is accepted and refused ---------------------------------------------------------------

START_TEST(test_accepted)
{
    check_request(&accepted[_i], &normal_limits, RESP_COMMAND);
}
END_TEST

// Before authentication the fast path is not taken: it must make no difference.
START_TEST(test_accepted_slowly)
{
    check_request(&accepted[_i], &unauth_limits, RESP_COMMAND);
}
END_TEST

START_TEST(test_refused)
{
    check_request(&refused[_i], &normal_limits, RESP_ERROR);
}
END_TEST

START_TEST(test_error_stays_until_reset)
{
    struct resp_parser parser = { 0 };
    struct bytes text = { 0 };
    ck_assert_int_eq(parse_once(&parser, &normal_limits, IN("*x\r\n"), &text), RESP_ERROR);
    ck_assert_int_eq(parse_once(&parser, &normal_limits, IN("*1\r\n$0\r\n\r\n"), &text),
                     RESP_ERROR);
    assert_text(&text, BAD_COUNT BAD_COUNT);
    resp_parser_reset(&parser);
    ck_assert_int_eq(parse_once(&parser, &normal_limits, IN("PING\r\n"), &text), RESP_COMMAND);
    assert_text(&text, "inline \"PING\"");
}
END_TEST

START_TEST(test_empty_buffer)
{
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    ck_assert_int_eq(resp_parse(&parser, NULL, 0, &normal_limits, &argv, &command),
                     RESP_INCOMPLETE);
    ck_assert_uint_eq(resp_parser_memory(&parser), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("resp/parser");

    TCase *tcase = tcase_create("requests");
    tcase_add_loop_test(tcase, test_accepted, 0, COUNT(accepted));
    tcase_add_loop_test(tcase, test_accepted_slowly, 0, COUNT(accepted));
    tcase_add_loop_test(tcase, test_refused, 0, COUNT(refused));
    tcase_add_test(tcase, test_error_stays_until_reset);
    tcase_add_test(tcase, test_empty_buffer);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

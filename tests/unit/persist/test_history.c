// SPDX-License-Identifier: BSD-3-Clause
// The line of an append-only file that tells of its history: there and back, and lines that are others.
#include "persist/history.h"

#include "support/unit.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

START_TEST(a_line_comes_back)
{
    const struct history cases[] = {
        { .id = ID, .offset = 0, .selected_db = 0 },
        { .id = ID, .offset = INT64_MAX, .selected_db = INT32_MAX },
        { .id = ID, .offset = 115, .selected_db = 9 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bytes line = { 0 };
        struct history back;
        history_append_line(&cases[i], &line);
        ck_assert_mem_eq(line.data + line.len - 2, "\r\n", 2);
        struct slice text = { .ptr = line.data, .len = line.len - 2 };
        ck_assert(history_parse_line(text, &back));
        ck_assert_str_eq(back.id, cases[i].id);
        ck_assert_int_eq(back.offset, cases[i].offset);
        ck_assert_int_eq(back.selected_db, cases[i].selected_db);
        // No beginning of it is one.
        for (; text.len > 0; text.len--) {
            bool is_line = history_parse_line(
                (struct slice){ .ptr = text.ptr, .len = text.len - 1 }, &back);
            ck_assert(!is_line || text.ptr[text.len - 2] != ':');
        }
        bytes_release(&line);
    }
}
END_TEST

static const char *const others[] = {
    "",
    "#TS:1700000000",
    "#REPL:" ID,
    "#REPL:" ID ":",
    "#REPL:" ID ":12",
    "#REPL:" ID ":12:",
    "#REPL:" ID ":-1:0",
    "#REPL:" ID ":12:-1",
    "#REPL:" ID ":12:3000000000",
    "#REPL:" ID ":12:0 ",
    "#REPL:" ID ":9223372036854775808:0",
    "#REPL:" ID ";12:0",
    "#REPL:0123456789abcdef0123456789abcdef0123456:12:0",
    "#REPL:0123456789abcdef0123456789abcdef012345678:12:0",
    "#REPL:0123456789ABCDEF0123456789abcdef01234567:12:0",
    " #REPL:" ID ":12:0",
};

START_TEST(other_comments_are_left_alone)
{
    struct history out;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        ck_assert_msg(!history_parse_line(slice_of(others[i]), &out), "%s", others[i]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_line_comes_back);
    tcase_add_test(all, other_comments_are_left_alone);
    suite_add_tcase(suite, all);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of INFO's text: which sections, in which order, and what stands between them.
#include "server/info.h"

#include "base/memory.h"
#include "support/unit.h"

static struct info *info;
static size_t used_before;

static void write_line(void *udata, struct bytes *out)
{
    bytes_printf(out, "%s:1\r\n", (const char *)udata);
}

static void set_up(void)
{
    used_before = mem_used();
    info = info_new();
}

static void tear_down(void)
{
    info_free(info);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void add_sections(void)
{
    info_add_section(info, "Server", true, write_line, "version");
    info_add_section(info, "Modules", false, write_line, "none");
    info_add_section(info, "Clients", true, write_line, "connected");
}

#define SERVER  "# Server\r\nversion:1\r\n"
#define MODULES "# Modules\r\nnone:1\r\n"
#define CLIENTS "# Clients\r\nconnected:1\r\n"

// INFO with the names, of which the first empty one ends the list.
static void expect_info(const char *const names[4], const char *want)
{
    struct slice slices[4];
    size_t count = 0;
    for (; count < 4 && names[count]; count++)
        slices[count] = slice_of(names[count]);
    struct bytes text = { 0 };
    info_write(info, slices, count, &text);
    bytes_append_char(&text, '\0');
    ck_assert_str_eq(text.data, want);
    bytes_release(&text);
}

#define EXPECT_INFO(want, ...) expect_info((const char *const[4]){ __VA_ARGS__ }, want)

START_TEST(default_sections_in_the_order_of_registration)
{
    add_sections();
    EXPECT_INFO(SERVER "\r\n" CLIENTS, NULL);
    EXPECT_INFO(SERVER "\r\n" CLIENTS, "default");
}
END_TEST

START_TEST(sections_by_name)
{
    add_sections();
    EXPECT_INFO(CLIENTS, "clients");
    EXPECT_INFO(CLIENTS, "CLIENTS");
    EXPECT_INFO(MODULES, "modules");
    EXPECT_INFO(SERVER "\r\n" CLIENTS, "Clients", "sErVer");
    EXPECT_INFO(SERVER "\r\n" MODULES, "modules", "server", "modules");
    EXPECT_INFO(CLIENTS, "nothing", "clients");
}
END_TEST

START_TEST(all_sections)
{
    add_sections();
    EXPECT_INFO(SERVER "\r\n" MODULES "\r\n" CLIENTS, "all");
    EXPECT_INFO(SERVER "\r\n" MODULES "\r\n" CLIENTS, "Everything");
    EXPECT_INFO(SERVER "\r\n" MODULES "\r\n" CLIENTS, "default", "modules");
}
END_TEST

START_TEST(no_section)
{
    EXPECT_INFO("", NULL);
    add_sections();
    EXPECT_INFO("", "nothing");
    EXPECT_INFO("", "");
    EXPECT_INFO("", "serve");
    EXPECT_INFO("", "servers");
}
END_TEST

static void set_to_zero(void *udata)
{
    *(int *)udata = 0;
}

START_TEST(resets_are_all_called)
{
    int figures[3] = { 1, 2, 3 };
    info_reset(info);
    for (int i = 0; i < 3; i += 2)
        info_on_reset(info, set_to_zero, &figures[i]);
    info_reset(info);
    ck_assert_int_eq(figures[0], 0);
    ck_assert_int_eq(figures[1], 2);
    ck_assert_int_eq(figures[2], 0);
}
END_TEST

// ---- subjects -----------------------------------------------------------------------------------

START_TEST(a_section_without_a_function_is_a_header)
{
    info_add_section(info, "Modules", true, NULL, NULL);
    EXPECT_INFO("# Modules\r\n", NULL);
    info_add_section(info, "Cluster", true, NULL, NULL);
    EXPECT_INFO("# Modules\r\n\r\n# Cluster\r\n", "cluster", "modules");
}
END_TEST

START_TEST(subjects_in_the_order_of_registration)
{
    add_sections();
    info_add_lines(info, "Server", "second", "b:2\r\nc:3\r\n");
    info_add_fields(info, "Server", "third", write_line, "d");
    info_add_lines(info, "Clients", "second", "e:5\r\n");
    EXPECT_INFO(SERVER "b:2\r\nc:3\r\nd:1\r\n\r\n" CLIENTS "e:5\r\n", NULL);
    EXPECT_INFO(MODULES, "modules");
}
END_TEST

START_TEST(a_subject_is_taken_over_in_its_place)
{
    add_sections();
    info_add_lines(info, "Server", "second", "b:0\r\n");
    info_add_lines(info, "Server", "third", "c:0\r\n");
    info_add_lines(info, "Clients", "second", "d:0\r\n");
    info_add_fields(info, "Server", "second", write_line, "b");
    EXPECT_INFO(SERVER "b:1\r\nc:0\r\n\r\n" CLIENTS "d:0\r\n", NULL);
    info_add_lines(info, "Server", "second", "b:2\r\n");
    EXPECT_INFO(SERVER "b:2\r\nc:0\r\n", "server");
}
END_TEST

START_TEST(a_section_is_taken_over_in_its_place)
{
    add_sections();
    info_add_lines(info, "Modules", "second", "b:0\r\n");
    info_add_section(info, "Modules", true, write_line, "many");
    EXPECT_INFO(SERVER "\r\n# Modules\r\nmany:1\r\n\r\n" CLIENTS, NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("info");
    TCase *tcase = tcase_create("info");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, default_sections_in_the_order_of_registration);
    tcase_add_test(tcase, sections_by_name);
    tcase_add_test(tcase, all_sections);
    tcase_add_test(tcase, no_section);
    tcase_add_test(tcase, resets_are_all_called);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("subjects");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_section_without_a_function_is_a_header);
    tcase_add_test(tcase, subjects_in_the_order_of_registration);
    tcase_add_test(tcase, a_subject_is_taken_over_in_its_place);
    tcase_add_test(tcase, a_section_is_taken_over_in_its_place);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of MEMORY DOCTOR: each finding where it belongs, and none on a healthy server.
#include "commands/memory_doctor.h"

#include "support/unit.h"

#include <string.h>

#define MIB ((size_t)1 << 20)

// A server with 100 MiB of data in good health.
static const struct memory_figures healthy = {
    .used = 100 * MIB,
    .peak = 110 * MIB,
    .startup = MIB,
    .rss = 112 * MIB,
    .clients = MIB,
    .overhead = 10 * MIB,
    .client_count = 100,
    .keys = 1234,
    .allocator = { .allocated = 100 * MIB, .active = 104 * MIB, .resident = 108 * MIB },
};

// The report has this many findings, one of them beginning with `finding` (NULL: the text alone).
static void expect_report(const struct memory_figures *figures, int findings, const char *finding)
{
    struct bytes report = { 0 };
    memory_doctor(figures, &report);
    ck_assert_uint_gt(report.len, 0);
    ck_assert_int_eq(report.data[report.len - 1], '\n');
    bytes_append_char(&report, '\0');
    int found = 0;
    for (const char *at = report.data; (at = strstr(at, "* ")); at++)
        found++;
    ck_assert_msg(found == findings, "%s", report.data);
    if (finding)
        ck_assert_msg(strstr(report.data, finding) != NULL, "%s", report.data);
    bytes_release(&report);
}

START_TEST(a_healthy_server)
{
    expect_report(&healthy, 0, "Nothing is wrong: 100.00M in use for 1234 keys.");
}
END_TEST

START_TEST(an_empty_server_is_not_judged)
{
    struct memory_figures figures = { .used = MIB, .peak = 100 * MIB, .rss = 200 * MIB };
    expect_report(&figures, 0, "hardly any data here (1.00M in use)");
}
END_TEST

START_TEST(a_peak)
{
    struct memory_figures figures = healthy;
    figures.peak = 151 * MIB;
    expect_report(&figures, 1, "* Peak: 100.00M are in use, and it has been 151.00M.");
    figures.peak = 149 * MIB;
    expect_report(&figures, 0, NULL);
}
END_TEST

START_TEST(fragmentation)
{
    struct memory_figures figures = healthy;
    figures.allocator.active = figures.allocator.resident = figures.rss = 150 * MIB;
    expect_report(&figures, 1, "* Fragmentation: ");
}
END_TEST

START_TEST(unused_pages)
{
    struct memory_figures figures = healthy;
    figures.allocator.resident = figures.rss = 150 * MIB;
    expect_report(&figures, 1, "* Unused pages: ");
}
END_TEST

START_TEST(what_the_allocator_does_not_know)
{
    struct memory_figures figures = healthy;
    figures.rss = 150 * MIB;
    expect_report(&figures, 1, "* Process: it takes 150.00M, of which the allocator knows 108.00M");
}
END_TEST

START_TEST(clients)
{
    struct memory_figures figures = healthy;
    figures.clients = 100 * (201 << 10);
    expect_report(&figures, 1, "* Clients: 100 of them hold ");
    figures.client_count = 0;
    expect_report(&figures, 0, NULL);
}
END_TEST

START_TEST(several_at_once)
{
    struct memory_figures figures = healthy;
    figures.peak = 500 * MIB;
    figures.rss = 300 * MIB;
    figures.clients = 50 * MIB;
    expect_report(&figures, 3, "* Clients: ");
}
END_TEST

// Much more in proportion, but nothing that matters; and the other way round.
START_TEST(small_losses_are_none)
{
    struct memory_figures figures = healthy;
    figures.used = figures.peak = 6 * MIB;
    figures.allocator.allocated = 6 * MIB;
    figures.allocator.active = 9 * MIB;
    figures.allocator.resident = 15 * MIB;
    figures.rss = 24 * MIB;
    expect_report(&figures, 0, NULL);
    figures = healthy;
    figures.used = figures.peak = figures.allocator.allocated = 10000 * MIB;
    figures.allocator.active = figures.allocator.resident = figures.rss = 10100 * MIB;
    expect_report(&figures, 0, NULL);
}
END_TEST

// Under a sanitizer the allocator says nothing of itself.
START_TEST(an_allocator_that_says_nothing)
{
    struct memory_figures figures = healthy;
    figures.allocator = (struct mem_allocator_stats){ 0 };
    expect_report(&figures, 0, "Nothing is wrong");
}
END_TEST

START_TEST(ratios)
{
    ck_assert_double_eq(memory_ratio(3, 2), 1.5);
    ck_assert_double_eq(memory_ratio(3, 0), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("memory_doctor");
    TCase *tcase = tcase_create("memory_doctor");
    tcase_add_test(tcase, a_healthy_server);
    tcase_add_test(tcase, an_empty_server_is_not_judged);
    tcase_add_test(tcase, a_peak);
    tcase_add_test(tcase, fragmentation);
    tcase_add_test(tcase, unused_pages);
    tcase_add_test(tcase, what_the_allocator_does_not_know);
    tcase_add_test(tcase, clients);
    tcase_add_test(tcase, several_at_once);
    tcase_add_test(tcase, small_losses_are_none);
    tcase_add_test(tcase, an_allocator_that_says_nothing);
    tcase_add_test(tcase, ratios);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

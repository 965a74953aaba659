// SPDX-License-Identifier: BSD-3-Clause
// Tests of the latency monitor: series, their bounds, and how they are drawn.
#include "server/latency.h"

#include "base/clock.h"
#include "server/latency_report.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static void set_up(void)
{
    rig_make(NULL);
    rig_start();
}

static void note_at(int64_t shift_s, const char *event, uint64_t ms)
{
    clock_shift_ms(shift_s * 1000);
    latency_note(server, event, ms);
}

static const struct latency_series *series_of(const char *event)
{
    return latency_find(server->latency, slice_of(event));
}

START_TEST(below_the_threshold_nothing_is_noted)
{
    latency_note(server, "fork", 1000);
    ck_assert_uint_eq(latency_count(server->latency), 0);
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "10"), STATUS_OK);
    latency_note(server, "fork", 9);
    ck_assert_uint_eq(latency_count(server->latency), 0);
    latency_note(server, "fork", 10);
    ck_assert_uint_eq(latency_count(server->latency), 1);
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "0"), STATUS_OK);
    latency_note(server, "fork", 100);
    ck_assert_uint_eq(series_of("fork")->max_ms, 10);
}
END_TEST

START_TEST(one_sample_a_second_and_160_of_them)
{
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "1"), STATUS_OK);
    int64_t first_s = clock_wall_us_now() / 1000000;
    note_at(0, "fork", 500);
    for (uint64_t i = 1; i < 400; i++) {
        note_at(1, "fork", i);
        // Within one second the worst counts. (If it has just ended, it is one sample more.)
        latency_note(server, "fork", 1);
    }
    const struct latency_series *series = series_of("fork");
    ck_assert_uint_eq(series->count, LATENCY_SAMPLES);
    ck_assert_uint_eq(series->max_ms, 500);
    int64_t time_s = 0;
    for (size_t i = 0; i < series->count; i++) {
        struct latency_sample sample = latency_sample_at(series, i);
        ck_assert_int_gt(sample.time_s, time_s);
        time_s = sample.time_s;
    }
    ck_assert_int_ge(time_s, first_s + 399);
    ck_assert_uint_ge(latency_sample_at(series, series->count - 2).ms, 398);
}
END_TEST

START_TEST(there_is_an_end_to_the_events)
{
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "1"), STATUS_OK);
    char name[LATENCY_NAME_MAX + 40];
    for (int i = 0; i < LATENCY_EVENTS_MAX + 50; i++) {
        snprintf(name, sizeof(name), "event-%d", i);
        latency_note(server, name, 5);
    }
    ck_assert_uint_eq(latency_count(server->latency), LATENCY_EVENTS_MAX);
    ck_assert(latency_reset(server->latency, SLICE("EVENT-1")));
    ck_assert(!latency_reset(server->latency, SLICE("event-1")));
    ck_assert_uint_eq(latency_count(server->latency), LATENCY_EVENTS_MAX - 1);
    ck_assert_str_eq(latency_at(server->latency, 0)->event, "event-0");
    ck_assert_str_eq(latency_at(server->latency, 1)->event, "event-2");
    // A long name is cut, and stays one event.
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    latency_note(server, name, 5);
    latency_note(server, name, 6);
    ck_assert_uint_eq(latency_count(server->latency), LATENCY_EVENTS_MAX);
    ck_assert_uint_eq(latency_at(server->latency, LATENCY_EVENTS_MAX - 1)->max_ms, 6);
    latency_reset_all(server->latency);
    ck_assert_uint_eq(latency_count(server->latency), 0);
}
END_TEST

static void expect_drawing(const char *event, const char *want)
{
    struct bytes text = { 0 };
    latency_draw(series_of(event), &text);
    bytes_append_char(&text, '\0');
    // The first line and the ages depend on the clock alone; the columns are what counts.
    const char *columns = strstr(text.data, "-\n");
    ck_assert_ptr_nonnull(columns);
    ck_assert_msg(strncmp(columns + 2, want, strlen(want)) == 0, "%s", columns);
    bytes_release(&text);
}

// What redis-server draws for these values.
START_TEST(drawings)
{
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "1"), STATUS_OK);
    note_at(0, "one", 6);
    expect_drawing("one", " \n \n \n_\n \n");
    note_at(0, "three", 6);
    note_at(2, "three", 10);
    note_at(2, "three", 20);
    expect_drawing("three", "  #\n  |\n _|\n_||\n   \n");
    for (uint64_t ms = 10; ms <= 70; ms += 5)
        note_at(2, "stairs", ms);
    expect_drawing("stairs", "         _o##\n"
                             "      _o#||||\n"
                             "   _o#|||||||\n"
                             "_o#||||||||||\n"
                             "             \n");
}
END_TEST

START_TEST(wide_drawings_are_broken)
{
    ck_assert_int_eq(rig_config_set("latency-monitor-threshold", "1"), STATUS_OK);
    for (int i = 0; i < 90; i++)
        note_at(2, "fork", 5);
    struct bytes text = { 0 };
    latency_draw(series_of("fork"), &text);
    bytes_append_char(&text, '\0');
    size_t longest = 0;
    size_t empty_lines = 0;
    for (const char *line = strchr(text.data, '\n') + 1; *line;) {
        size_t len = strcspn(line, "\n");
        longest = len > longest ? len : longest;
        empty_lines += len == 0;
        line += len + 1;
    }
    ck_assert_uint_eq(longest, 80);
    ck_assert_uint_eq(empty_lines, 1);
    bytes_release(&text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("latency");
    TCase *tcase = tcase_create("latency");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, below_the_threshold_nothing_is_noted);
    tcase_add_test(tcase, one_sample_a_second_and_160_of_them);
    tcase_add_test(tcase, there_is_an_end_to_the_events);
    tcase_add_test(tcase, drawings);
    tcase_add_test(tcase, wide_drawings_are_broken);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of the remembered time and the tick counter.
#include "base/clock.h"
#include "base/clock_inl.h"

#include "support/unit.h"

#include <stdlib.h>
#include <time.h>

static void wait_us(uint64_t us)
{
    uint64_t until = clock_mono_us_now() + us;
    while (clock_mono_us_now() < until) {
    }
}

START_TEST(time_stands_still_between_updates)
{
    clock_update();
    int64_t wall = clock_wall_ms();
    uint64_t mono = clock_mono_us();
    wait_us(3000);
    ck_assert_int_eq(clock_wall_ms(), wall);
    ck_assert_uint_eq(clock_mono_us(), mono);
    clock_update();
    ck_assert_int_ge(clock_wall_ms(), wall + 2);
    ck_assert_uint_ge(clock_mono_us(), mono + 3000);
}
END_TEST

START_TEST(the_wall_clock_is_the_systems)
{
    clock_update();
    int64_t before = (int64_t)time(NULL);
    ck_assert_int_le(llabs(clock_wall_ms() / 1000 - before), 2);
    ck_assert_int_le(llabs(clock_wall_us_now() / 1000000 - before), 2);
}
END_TEST

START_TEST(tests_can_shift_the_wall_clock)
{
    clock_update();
    int64_t wall = clock_wall_ms();
    uint64_t mono = clock_mono_us_now();
    clock_shift_ms(86400000);
    ck_assert_int_eq(clock_wall_ms(), wall + 86400000);
    clock_update();
    ck_assert_int_ge(clock_wall_ms(), wall + 86400000);
    ck_assert_int_ge(clock_wall_us_now() / 1000, wall + 86400000);
    // The monotonic clock is not moved: a day has not passed.
    ck_assert_uint_lt(clock_mono_us_now() - mono, 60000000);
    clock_shift_ms(-86400000);
    clock_update();
    ck_assert_int_lt(clock_wall_ms(), wall + 60000);
}
END_TEST

START_TEST(ticks_advance)
{
    uint64_t before = clock_ticks();
    wait_us(100);
    ck_assert_uint_gt(clock_ticks(), before);
    ck_assert_uint_eq(clock_ticks_to_ns(0), 0);
}
END_TEST

START_TEST(ticks_keep_time)
{
    // Being interrupted between the two readings spoils an attempt, so the best of some counts.
    double best = 1;
    for (int i = 0; i < 20 && best > 0.001; i++) {
        uint64_t mono = clock_mono_us_now();
        uint64_t ticks = clock_ticks();
        wait_us(10000);
        double by_clock = (double)(clock_mono_us_now() - mono) * 1000;
        double by_ticks = (double)clock_ticks_to_ns(clock_ticks() - ticks);
        double error = by_ticks > by_clock ? by_ticks / by_clock - 1 : 1 - by_ticks / by_clock;
        if (error < best)
            best = error;
    }
    ck_assert_double_lt(best, 0.01);
}
END_TEST

START_TEST(long_spans_do_not_overflow)
{
    // A month: far more ticks than a 32-bit product could hold.
    uint64_t ns_per_giga = clock_ticks_to_ns(1000000000);
    uint64_t month = clock_ticks_to_ns(UINT64_C(10000000000000000));
    ck_assert_uint_gt(ns_per_giga, 0);
    ck_assert_uint_ge(month, ns_per_giga * 10000000);
    ck_assert_uint_le(month, (ns_per_giga + 1) * 10000000);
}
END_TEST

START_TEST(ticks_and_back)
{
    for (uint64_t ns = 1000; ns < UINT64_C(1000000000000000000); ns *= 7) {
        uint64_t back = clock_ticks_to_ns(clock_ns_to_ticks(ns));
        ck_assert_uint_le(back, ns);
        ck_assert_uint_le(ns - back, 2);
    }
}
END_TEST

START_TEST(both_ways_to_read_ticks_agree)
{
    uint64_t before = clock_ticks();
    uint64_t inlined = clock_ticks_inl(clock_ticks_are_cpus());
    uint64_t after = clock_ticks();
    // On another core they may differ by a little.
    ck_assert_uint_lt(clock_ticks_to_ns(inlined - before + 1000000), UINT64_C(10000000000));
    ck_assert_uint_lt(clock_ticks_to_ns(after - inlined + 1000000), UINT64_C(10000000000));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *time_of_day = tcase_create("time");
    tcase_add_test(time_of_day, time_stands_still_between_updates);
    tcase_add_test(time_of_day, the_wall_clock_is_the_systems);
    tcase_add_test(time_of_day, tests_can_shift_the_wall_clock);
    suite_add_tcase(suite, time_of_day);

    TCase *ticks = tcase_create("ticks");
    tcase_add_test(ticks, ticks_advance);
    tcase_add_test(ticks, ticks_keep_time);
    tcase_add_test(ticks, long_spans_do_not_overflow);
    tcase_add_test(ticks, ticks_and_back);
    tcase_add_test(ticks, both_ways_to_read_ticks_agree);
    suite_add_tcase(suite, ticks);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

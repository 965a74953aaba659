// SPDX-License-Identifier: BSD-3-Clause
// Tests of recency and frequency: the counter's curve against redis.conf's table, decay, clocks that wrap.
#include "store/access.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#define MINUTE_MS INT64_C(60000)

static struct access_rules rules;
static struct random dice;

static void set_up(void)
{
    rules = (struct access_rules){ .frequency = true, .factor = 10, .decay_min = 1 };
    access_set_time(&rules, 1000 * MINUTE_MS);
    random_seed(&dice, 4711);
}

static double counter_after(unsigned hits, uint32_t factor)
{
    enum { TRIALS = 40 };
    uint64_t sum = 0;
    rules.factor = factor;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint32_t access = access_new(&rules);
        for (unsigned i = 0; i < hits; i++)
            access = access_used(&rules, access, &dice);
        sum += access_counter(&rules, access);
    }
    return (double)sum / TRIALS;
}

// The table in redis.conf, which was made with one run: within a tenth and two of it.
START_TEST(the_curve_is_the_documented_one)
{
    static const struct {
        uint32_t factor;
        double after_100;
        double after_1000;
        double after_100000;
    } table[] = {
        { 0, 104, 255, 255 },
        { 1, 18, 49, 255 },
        { 10, 10, 18, 142 },
        { 100, 8, 11, 49 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const double want[] = { table[i].after_100, table[i].after_1000, table[i].after_100000 };
        const unsigned hits[] = { 100, 1000, 100000 };
        for (int column = 0; column < 3; column++) {
            double got = counter_after(hits[column], table[i].factor);
            ck_assert_msg(got > want[column] * 0.9 - 2 && got < want[column] * 1.1 + 2,
                          "factor %u, %u hits: %.1f, not %.0f", table[i].factor, hits[column], got,
                          want[column]);
        }
    }
}
END_TEST

START_TEST(new_keys_begin_at_five)
{
    uint32_t access = access_new(&rules);
    ck_assert_uint_eq(access_counter(&rules, access), 5);
    // The first use always counts.
    ck_assert_uint_eq(access_counter(&rules, access_used(&rules, access, &dice)), 6);
    ck_assert_uint_le(access, ACCESS_MASK);
}
END_TEST

START_TEST(the_counter_decays_by_the_minute)
{
    uint32_t access = (1000 << 11) | 9;
    access_set_time(&rules, 1000 * MINUTE_MS + MINUTE_MS - 1);
    ck_assert_uint_eq(access_counter(&rules, access), 9);
    access_set_time(&rules, 1001 * MINUTE_MS);
    ck_assert_uint_eq(access_counter(&rules, access), 8);
    access_set_time(&rules, 1004 * MINUTE_MS);
    ck_assert_uint_eq(access_counter(&rules, access), 5);
    ck_assert_uint_eq(access_minutes(&rules, access), 4);
    rules.decay_min = 2;
    ck_assert_uint_eq(access_counter(&rules, access), 7);
    rules.decay_min = 0;
    ck_assert_uint_eq(access_counter(&rules, access), 9);
    rules.decay_min = 1;
    access_set_time(&rules, 1500 * MINUTE_MS);
    ck_assert_uint_eq(access_counter(&rules, access), 0);
    // A use settles what was lost, and counts from there.
    access = access_used(&rules, access, &dice);
    ck_assert_uint_eq(access_counter(&rules, access), 1);
    ck_assert_uint_eq(access_minutes(&rules, access), 0);
}
END_TEST

START_TEST(minutes_wrap_around)
{
    access_set_time(&rules, 8191 * MINUTE_MS);
    uint32_t access = access_new(&rules);
    access_set_time(&rules, 8194 * MINUTE_MS);
    ck_assert_uint_eq(access_minutes(&rules, access), 3);
    ck_assert_uint_eq(access_counter(&rules, access), 2);
}
END_TEST

START_TEST(the_counter_stops_at_its_end)
{
    uint32_t access = (1000 << 11) | 255;
    rules.factor = 0;
    ck_assert_uint_eq(access_counter(&rules, access_used(&rules, access, &dice)), 255);
    rules.factor = INT32_MAX;
    access = (1000 << 11) | 254;
    for (int i = 0; i < 1000; i++)
        EXPECT(access_counter(&rules, access_used(&rules, access, &dice)) == 254);
}
END_TEST

START_TEST(recency_is_in_seconds)
{
    rules.frequency = false;
    access_set_time(&rules, 5000 * 1000);
    uint32_t access = access_new(&rules);
    ck_assert_uint_eq(access_idle_s(&rules, access), 0);
    access_set_time(&rules, 5042 * 1000 + 900);
    ck_assert_uint_eq(access_idle_s(&rules, access), 42);
    // 23 bits of half seconds: more than 40 days.
    access_set_time(&rules, (5000 + 40 * 86400LL) * 1000);
    ck_assert_uint_eq(access_idle_s(&rules, access), 40 * 86400);
    access_set_time(&rules, (INT64_C(1) << 23) * ACCESS_TICK_MS + 5 * ACCESS_TICK_MS);
    ck_assert_uint_eq(access_new(&rules), 5);
    ck_assert_uint_eq(access_idle_ticks(&rules, (1 << 23) - 1), 6);
}
END_TEST

START_TEST(a_use_shows)
{
    rules.frequency = false;
    uint32_t access = access_new(&rules);
    ck_assert(!access_is_used(access));
    uint32_t used = access_used(&rules, access, &dice);
    ck_assert(access_is_used(used));
    ck_assert_uint_eq(access_idle_ticks(&rules, used), 0);
    ck_assert_uint_le(used, ACCESS_MASK);
}
END_TEST

START_TEST(a_return_shows_until_it_is_used)
{
    uint32_t access = access_returned(access_new(&rules));
    ck_assert(!access_is_returned(access_new(&rules)));
    ck_assert(access_is_returned(access));
    ck_assert_uint_le(access, ACCESS_MASK);
    ck_assert_uint_eq(access_counter(&rules, access), 5);
    ck_assert_uint_eq(access_minutes(&rules, access), 0);
    access = access_used(&rules, access, &dice);
    ck_assert(!access_is_returned(access));
    ck_assert_uint_eq(access_stored_counter(access), 6);
}
END_TEST

START_TEST(generations_pass)
{
    uint32_t access = access_new(&rules);
    ck_assert_uint_eq(access_age(&rules, access), 0);
    rules.generation++;
    ck_assert_uint_eq(access_age(&rules, access), 1);
    ck_assert_uint_eq(access_counter(&rules, access), 5);
    for (int i = 0; i < 20; i++) {
        rules.generation++;
        ck_assert_uint_eq(access_age(&rules, access), ACCESS_AGE_MAX);
        access = access_of_age_max(&rules, access);
        ck_assert_uint_eq(access_counter(&rules, access), 5);
        ck_assert_uint_eq(access_minutes(&rules, access), 0);
    }
    ck_assert_uint_eq(access_age(&rules, access_used(&rules, access, &dice)), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *tcase = tcase_create("access");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, the_curve_is_the_documented_one);
    tcase_add_test(tcase, new_keys_begin_at_five);
    tcase_add_test(tcase, the_counter_decays_by_the_minute);
    tcase_add_test(tcase, minutes_wrap_around);
    tcase_add_test(tcase, the_counter_stops_at_its_end);
    tcase_add_test(tcase, recency_is_in_seconds);
    tcase_add_test(tcase, a_use_shows);
    tcase_add_test(tcase, a_return_shows_until_it_is_used);
    tcase_add_test(tcase, generations_pass);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Histograms against a naive model: bounds of buckets, totals and percentiles.
#include "server/histogram.h"

#include "base/random.h"
#include "support/unit.h"

#include <stdlib.h>

#define TOP (UINT64_C(1) << HISTOGRAM_TOP_BITS)

START_TEST(buckets_follow_one_another)
{
    ck_assert_uint_eq(histogram_lowest(0), 0);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t low = histogram_lowest(i);
        uint64_t high = histogram_highest(i);
        ck_assert_uint_le(low, high);
        ck_assert_uint_eq(histogram_bucket(low), i);
        ck_assert_uint_eq(histogram_bucket(high), i);
        if (i > 0)
            ck_assert_uint_eq(histogram_highest(i - 1) + 1, low);
        // A bucket is at most 1/32 of its values wide.
        ck_assert_uint_le((high - low + 1) << HISTOGRAM_SUB_BITS, low > 32 ? low : 32);
    }
    ck_assert_uint_eq(histogram_highest(HISTOGRAM_BUCKETS - 1), TOP - 1);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (uint64_t value = 0; value < 64; value++) {
        unsigned bucket = histogram_bucket(value);
        ck_assert_uint_eq(bucket, value);
        ck_assert_uint_eq(histogram_lowest(bucket), value);
        ck_assert_uint_eq(histogram_highest(bucket), value);
    }
}
END_TEST

START_TEST(large_values_share_the_last_bucket)
{
    ck_assert_uint_eq(histogram_bucket(TOP - 1), HISTOGRAM_BUCKETS - 1);
    ck_assert_uint_eq(histogram_bucket(TOP), HISTOGRAM_BUCKETS - 1);
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(nothing_has_no_percentiles)
{
    struct histogram *histogram = calloc(1, sizeof(*histogram));
    ck_assert_uint_eq(histogram_total(histogram), 0);
    ck_assert_uint_eq(histogram_percentile(histogram, 0), 0);
    ck_assert_uint_eq(histogram_percentile(histogram, 50), 0);
    ck_assert_uint_eq(histogram_percentile(histogram, 100), 0);
    free(histogram);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void compare_with_sorted(const struct histogram *histogram, uint64_t *values, size_t count)
{
    static const double percents[] = { 0.001, 1, 10, 25, 50, 50.5, 90, 99, 99.9, 100 };
    qsort(values, count, sizeof(*values), by_value);
    ck_assert_uint_eq(histogram_total(histogram), count);
    ck_assert_uint_eq(histogram_percentile(histogram, 0),
                      histogram_lowest(histogram_bucket(values[0])));
    for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
        size_t rank = (size_t)(percents[i] / 100 * (double)count + 0.5);
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t told = histogram_percentile(histogram, percents[i]);
        ck_assert_uint_eq(told, histogram_highest(histogram_bucket(exact)));
        ck_assert_uint_ge(told, exact);
        ck_assert_uint_le(told - exact, exact / 32);
    }
}

START_TEST(percentiles_agree_with_sorted_values)
{
    enum { COUNT = 20000 };
    struct random random;
    random_seed(&random, 4);
    uint64_t *values = malloc(COUNT * sizeof(*values));
    for (int run = 0; run < 20; run++) {
        struct histogram *histogram = calloc(1, sizeof(*histogram));
        size_t count = 1 + random_next(&random) % COUNT;
        for (size_t i = 0; i < count; i++) {
            // As many of each size.
            values[i] = random_next(&random) % TOP >> random_next(&random) % HISTOGRAM_TOP_BITS;
            histogram_record(histogram, values[i]);
        }
        compare_with_sorted(histogram, values, count);
        free(histogram);
    }
    free(values);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tc = tcase_create("histogram");
    tcase_add_test(tc, buckets_follow_one_another);
    tcase_add_test(tc, small_values_are_exact);
    tcase_add_test(tc, large_values_share_the_last_bucket);
    tcase_add_test(tc, nothing_has_no_percentiles);
    tcase_add_test(tc, percentiles_agree_with_sorted_values);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

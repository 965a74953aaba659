// SPDX-License-Identifier: BSD-3-Clause
// Tests of the random generators: published outputs, uniformity, bounds.
#include "base/random.h"

#include "support/unit.h"

#include <math.h>
#include <string.h>

#define CELLS_MAX 1000

// Chi-square of counts that should be equal, as a distance from its mean in standard deviations.
static double deviation(const uint64_t *counts, int cells)
{
    double total = 0;
    for (int i = 0; i < cells; i++)
        total += (double)counts[i];
    double expected = total / cells;
    double chi_square = 0;
    for (int i = 0; i < cells; i++) {
        double off = (double)counts[i] - expected;
        chi_square += off * off / expected;
    }
    int freedom = cells - 1;
    return (chi_square - freedom) / sqrt(2.0 * freedom);
}

START_TEST(xoshiro_outputs)
{
    // What the authors' generator gives from the state 1, 2, 3, 4.
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct random random = { .state = { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_uint_eq(random_next(&random), expected[i]);
}
END_TEST

START_TEST(seeding_is_splitmix)
{
    // The first outputs of splitmix64 from 0.
    struct random random;
    random_seed(&random, 0);
    ck_assert_uint_eq(random.state[0], UINT64_C(0xe220a8397b1dcdaf));
    ck_assert_uint_eq(random.state[1], UINT64_C(0x6e789e6aa1b965f4));
    ck_assert_uint_eq(random.state[2], UINT64_C(0x06c45d188009454f));
    ck_assert_uint_eq(random.state[3], UINT64_C(0xf88bb8a8724c81ec));
}
END_TEST

START_TEST(a_seed_gives_one_sequence)
{
    struct random one;
    struct random same;
    struct random other;
    random_seed(&one, 7);
    random_seed(&same, 7);
    random_seed(&other, 8);
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t number = random_next(&one);
        ck_assert_uint_eq(random_next(&same), number);
        equal += random_next(&other) == number;
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(below_is_uniform)
{
    static const int bounds[] = { 2, 3, 7, 10, 64, 100, 1000 };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        uint64_t counts[CELLS_MAX] = { 0 };
        int bound = bounds[i];
        struct random random;
        random_seed(&random, i);
        for (int j = 0; j < 200000; j++) {
            uint64_t number = random_below(&random, (uint64_t)bound);
            counts[number < (uint64_t)bound ? number : 0]++;
            if (number >= (uint64_t)bound)
                ck_abort_msg("%d is not below %d", (int)number, bound);
        }
        ck_assert_double_lt(deviation(counts, bound), 5);
    }
}
END_TEST

START_TEST(below_has_no_bias_at_large_bounds)
{
    // Three quarters of all numbers: without the rejection every third value comes twice as often,
    // and by a plain remainder the first third does.
    uint64_t bound = UINT64_C(3) << 62;
    uint64_t thirds[3] = { 0 };
    uint64_t remainders[3] = { 0 };
    struct random random;
    random_seed(&random, 1);
    for (int i = 0; i < 200000; i++) {
        uint64_t number = random_below(&random, bound);
        thirds[number >> 62]++;
        remainders[number % 3]++;
    }
    ck_assert_double_lt(deviation(thirds, 3), 8);
    ck_assert_double_lt(deviation(remainders, 3), 8);
}
END_TEST

START_TEST(below_at_the_edges)
{
    struct random random;
    random_seed(&random, 1);
    uint64_t highest = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(random_below(&random, 1), 0);
        uint64_t number = random_below(&random, UINT64_MAX);
        highest = number > highest ? number : highest;
    }
    ck_assert_uint_gt(highest, UINT64_MAX - UINT64_MAX / 100);
}
END_TEST

START_TEST(doubles_are_uniform)
{
    uint64_t counts[100] = { 0 };
    struct random random;
    random_seed(&random, 3);
    double sum = 0;
    for (int i = 0; i < 200000; i++) {
        double number = random_double(&random);
        if (number < 0 || number >= 1)
            ck_abort_msg("%.17g is out of bounds", number);
        counts[(int)(number * 100)]++;
        sum += number;
    }
    ck_assert_double_lt(deviation(counts, 100), 5);
    ck_assert_double_eq_tol(sum / 200000, 0.5, 0.005);
}
END_TEST

START_TEST(secrets_differ)
{
    uint8_t one[64] = { 0 };
    uint8_t other[64] = { 0 };
    random_secret(one, sizeof one);
    random_secret(other, sizeof other);
    ck_assert_mem_ne(one, other, sizeof one);
    // Nothing is written behind the end.
    memset(one, 0x55, sizeof one);
    random_secret(one, 3);
    for (int i = 3; i < 64; i++)
        ck_assert_uint_eq(one[i], 0x55);
    random_secret(one, 0);
    // More than the kernel gives at once without being asked again.
    static uint8_t large[1 << 20];
    random_secret(large, sizeof large);
    uint64_t counts[256] = { 0 };
    for (size_t i = 0; i < sizeof large; i++)
        counts[large[i]]++;
    ck_assert_double_lt(deviation(counts, 256), 6);
}
END_TEST

START_TEST(hex_digits)
{
    char one[41];
    char other[41];
    random_hex(one, 40);
    random_hex(other, 40);
    ck_assert_uint_eq(strlen(one), 40);
    ck_assert_uint_eq(strspn(one, "0123456789abcdef"), 40);
    ck_assert_str_ne(one, other);
    random_hex(one, 0);
    ck_assert_str_eq(one, "");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *generator = tcase_create("generator");
    tcase_set_timeout(generator, 30);
    tcase_add_test(generator, xoshiro_outputs);
    tcase_add_test(generator, seeding_is_splitmix);
    tcase_add_test(generator, a_seed_gives_one_sequence);
    tcase_add_test(generator, below_is_uniform);
    tcase_add_test(generator, below_has_no_bias_at_large_bounds);
    tcase_add_test(generator, below_at_the_edges);
    tcase_add_test(generator, doubles_are_uniform);
    suite_add_tcase(suite, generator);

    TCase *secrets = tcase_create("secrets");
    tcase_add_test(secrets, secrets_differ);
    tcase_add_test(secrets, hex_digits);
    suite_add_tcase(suite, secrets);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

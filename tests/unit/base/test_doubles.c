// SPDX-License-Identifier: BSD-3-Clause
// Tests of doubles as text: layout, round trip, shortness, and what is refused.
#include "base/numbers.h"
#include "base/powers_of_ten.h"
#include "base/random.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED 123.25

static const char *text_of(double value)
{
    static char text[DOUBLE_TEXT_MAX + 1];
    int len = format_double(text, value);
    ck_assert_int_le(len, DOUBLE_TEXT_MAX);
    text[len] = '\0';
    return text;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(layout)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 3, "3" },
        { -3, "-3" },
        { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { NAN, "nan" },
        { -NAN, "nan" },
        // Integers up to 2^62 in full.
        { 1e17, "100000000000000000" },
        { 9007199254740994.0, "9007199254740994" },
        { 0x1p62, "4611686018427387904" },
        { -0x1p62, "-4611686018427387904" },
        { 4.62e18, "4.62e+18" },
        { 1e19, "1e+19" },
        { 1e21, "1e+21" },
        { 1e22, "1e+22" },
        { -1e300, "-1e+300" },
        { 1.5e300, "1.5e+300" },
        // Larger ones in full with up to seven zeros behind the digits, negative ones six.
        { 12345678901234568e6, "12345678901234568000000" },
        { 12345678901234568e7, "123456789012345690000000" },
        { 12345678901234568e8, "1.2345678901234568e+24" },
        { -12345678901234568e6, "-12345678901234568000000" },
        { -12345678901234568e7, "-1.2345678901234569e+23" },
        // Up to six digits behind the point, or the first digit near the point.
        { 0.1, "0.1" },
        { 3.14, "3.14" },
        { -1.5, "-1.5" },
        { 1700000000.5, "1700000000.5" },
        { 1700000000.123456, "1700000000.123456" },
        { 1700000000.1234567, "1.7000000001234567e+9" },
        { 1234.1234567, "1234.1234567" },
        { 12345.1234567, "1.23451234567e+4" },
        { 2.0 / 3, "0.6666666666666666" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 0.00012345678, "1.2345678e-4" },
        { 0.0012345678, "0.0012345678" },
        { 1e-5, "0.00001" },
        { 1e-6, "0.000001" },
        { 1.5e-6, "1.5e-6" },
        { 1e-7, "1e-7" },
        { 1.5e-7, "1.5e-7" },
        { -1.5e-7, "-1.5e-7" },
        // The ends of the range.
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 2.225073858507201e-308, "2.225073858507201e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { -1.7976931348623157e308, "-1.7976931348623157e+308" },
        // A power of two, where the nearest 16 digits don't read back but the next do.
        { 0x1p-44, "5.684341886080802e-14" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(text_of(cases[i].value), cases[i].text);
}
END_TEST

// The digits of a text, without point, exponent, and zeros at either end.
static int digits_of(const char *text, char *digits)
{
    int count = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0'))
            digits[count++] = *text;
    }
    while (count > 0 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    return count;
}

// The nearest decimal of `count` digits; true if it reads back as `value`.
static bool reads_back(double value, int count, char *digits)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, fabs(value));
    digits_of(text, digits);
    return strtod(text, NULL) == fabs(value);
}

// Checks that the text reads back; that none of up to `fewer` digits less does; and, if `fewer` is
// above 0, that it is the nearest of its length. (If the nearest decimal of n digits does not read
// back, none of n - 1 digits does, so that ALL_FEWER only makes sure.)
#define ALL_FEWER 16
static void check_double(double value, int fewer)
{
    char digits[64];
    char expected[64];
    const char *text = text_of(value);
    int count = digits_of(text, digits);
    if (strtod(text, NULL) != value)
        ck_abort_msg("%a reads back wrongly from %s", value, text);
    for (int shorter = count - 1; shorter >= 1 && shorter >= count - fewer; shorter--) {
        if (reads_back(value, shorter, expected))
            ck_abort_msg("%a has %d digits: %s, not %s", value, shorter, expected, text);
    }
    if (fewer > 0 && reads_back(value, count, expected) && strcmp(digits, expected) != 0)
        ck_abort_msg("%a is nearer to %s than to %s", value, expected, text);
}

static bool printed_as_integer(double value)
{
    return fabs(value) <= 0x1p62 && value == floor(value);
}

START_TEST(random_bits_are_shortest)
{
    struct random random;
    random_seed(&random, (uint64_t)_i);
    for (int i = 0; i < 250000; i++) {
        double value = double_of(random_next(&random));
        if (isfinite(value) && !printed_as_integer(value))
            check_double(value, i % 200 == 0 ? ALL_FEWER : i % 8 == 0);
    }
}
END_TEST

START_TEST(decimals_are_shortest)
{
    // As people write them: few digits, any exponent.
    struct random random;
    random_seed(&random, 5);
    for (int i = 0; i < 100000; i++) {
        char text[64];
        uint64_t digits = random_next(&random) >> (11 + random_below(&random, 53));
        int exponent = (int)random_below(&random, 40) - 30;
        if (i % 10 == 0)
            exponent = (int)random_below(&random, 600) - 300;
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, exponent);
        double value = strtod(text, NULL);
        if (isfinite(value) && !printed_as_integer(value))
            check_double(value, i % 100 == 0 ? ALL_FEWER : 1);
    }
}
END_TEST

START_TEST(subnormals_are_shortest)
{
    struct random random;
    random_seed(&random, 6);
    for (uint64_t bits = 1; bits < 500; bits++)
        check_double(double_of(bits), ALL_FEWER);
    for (int i = 0; i < 5000; i++)
        check_double(double_of((random_next(&random) >> (12 + random_below(&random, 50))) | 1),
                     i % 100 == 0 ? ALL_FEWER : 1);
}
END_TEST

START_TEST(powers_of_two_and_neighbours)
{
    // All exponents, where the interval that rounds to the double is lopsided.
    for (uint64_t exponent = 1; exponent < 2047; exponent++) {
        double power = double_of(exponent << 52);
        double values[] = { nextafter(power, 0), power, nextafter(power, INFINITY) };
        for (int i = 0; i < 3; i++) {
            if (!printed_as_integer(values[i]))
                check_double(values[i], exponent % 8 == 0 ? ALL_FEWER : 1);
        }
    }
}
END_TEST

START_TEST(integers_in_full)
{
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        int64_t integer = (int64_t)(random_next(&random) >> (2 + random_below(&random, 60)));
        double value = (double)(i % 2 ? integer : -integer);
        char expected[64];
        snprintf(expected, sizeof expected, "%.0f", value);
        if (strcmp(text_of(value), expected) != 0 && value != 0)
            ck_abort_msg("%s instead of %s", text_of(value), expected);
    }
}
END_TEST

START_TEST(the_table_is_consistent)
{
    // 10^0 to 10^38 fit into 128 bits as they are.
    unsigned __int128 power = 1;
    for (int k = 0; k <= 38; k++, power *= 10) {
        unsigned __int128 scaled = power;
        while (!(scaled >> 127))
            scaled <<= 1;
        const uint64_t *entry = powers_of_ten[k - POWER_OF_TEN_MIN];
        ck_assert_uint_eq(entry[0], (uint64_t)(scaled >> 64));
        ck_assert_uint_eq(entry[1], (uint64_t)scaled);
    }
    // Each is ten times the one before, that is 5/4 or 5/8 after scaling: to one in 2^60.
    for (int k = POWER_OF_TEN_MIN; k < POWER_OF_TEN_MAX; k++) {
        double ratio = (double)powers_of_ten[k + 1 - POWER_OF_TEN_MIN][0] /
                       (double)powers_of_ten[k - POWER_OF_TEN_MIN][0];
        ck_assert(fabs(ratio - 1.25) < 1e-15 || fabs(ratio - 0.625) < 1e-15);
    }
}
END_TEST

START_TEST(accepted_texts)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "0", 0 },
        { "-0", -0.0 },
        { "+5", 5 },
        { "007", 7 },
        { "1.", 1 },
        { ".5", 0.5 },
        { "-.5", -0.5 },
        { "3.14", 3.14 },
        { "-1700000000.123456", -1700000000.123456 },
        { "123456789012345", 123456789012345 },
        { "1234567890123456", 1234567890123456 },
        { "0.000000000000001", 1e-15 },
        { "9007199254740993", 9007199254740992 },
        { "1e5", 1e5 },
        { "1E-5", 1e-5 },
        { "0x10", 16 },
        { "0x1.8p1", 3 },
        { "inf", INFINITY },
        { "+inf", INFINITY },
        { "-INF", -INFINITY },
        { "Infinity", INFINITY },
        { "1e-320", 1e-320 },
        { "5e-324", 5e-324 },
        { "1.7976931348623157e308", 1.7976931348623157e308 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = UNTOUCHED;
        ck_assert_msg(parse_double(slice_of(cases[i].text), &value), "%s", cases[i].text);
        ck_assert_msg(value == cases[i].value && signbit(value) == signbit(cases[i].value),
                      "%s is %.17g", cases[i].text, value);
    }
}
END_TEST

static bool refuses(struct slice text)
{
    double value = UNTOUCHED;
    return !parse_double(text, &value) && value == UNTOUCHED;
}

START_TEST(refused_texts)
{
    static const char *const texts[] = {
        "",     " 1",    "1 ",  "\t1",   "\n1",    "\v1",    "\f1",     "\r1",
        "abc",  "nan",   "NaN", "-nan",  "nan(1)", "--1",    "+-1",     "1d5",
        "1e",   "1_0",   "0x",  "INFI",  ".",      "-",      "+",       "-.",
        "1..2", "1.2.3", "1,5", "1e400", "-1e400", "1e-400", "-1e-400", "1e999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(refuses(slice_of(texts[i])), "\"%s\"", texts[i]);
    ck_assert(refuses(SLICE("1\0")));
    ck_assert(refuses(SLICE("1e5\0")));
    ck_assert(refuses(SLICE("\0")));
}
END_TEST

START_TEST(long_texts)
{
    char text[1200];
    double value = 0;
    memset(text, '0', sizeof text);
    text[1022] = '7';
    ck_assert(parse_double((struct slice){ text, 1023 }, &value));
    ck_assert_double_eq(value, 7);
    ck_assert(refuses((struct slice){ text, 1024 }));
    // What %f makes of the largest double.
    int len = snprintf(text, sizeof text, "%f", 1.7976931348623157e308);
    ck_assert(parse_double((struct slice){ text, (size_t)len }, &value));
    ck_assert_double_eq(value, 1.7976931348623157e308);
    // Only the slice is read.
    ck_assert(parse_double((struct slice){ "123", 2 }, &value));
    ck_assert_double_eq(value, 12);
    ck_assert(parse_double((struct slice){ "1e55", 3 }, &value));
    ck_assert_double_eq(value, 1e5);
}
END_TEST

START_TEST(reads_as_strtod_does)
{
    struct random random;
    random_seed(&random, 9);
    for (int i = 0; i < 200000; i++) {
        // Up to 18 digits with a point anywhere: both sides of the fast path.
        char text[64];
        int len = snprintf(
            text, sizeof text, "%s%llu", i % 3 ? "" : "-",
            (unsigned long long)(random_next(&random) >> (4 + random_below(&random, 60))));
        int point = (int)random_below(&random, (uint64_t)len + 1);
        if (i % 2 && point > 0) {
            memmove(text + point + 1, text + point, (size_t)len - (size_t)point + 1);
            text[point] = '.';
        }
        double value = UNTOUCHED;
        double expected = strtod(text, NULL);
        if (strcmp(text, "-.") != 0 && (!parse_double(slice_of(text), &value) || value != expected))
            ck_abort_msg("%s is %.17g, not %.17g", text, expected, value);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("doubles");
    TCase *printing = tcase_create("printing");
    tcase_set_timeout(printing, 60);
    tcase_add_test(printing, layout);
    tcase_add_loop_test(printing, random_bits_are_shortest, 0, 4);
    tcase_add_test(printing, decimals_are_shortest);
    tcase_add_test(printing, subnormals_are_shortest);
    tcase_add_test(printing, powers_of_two_and_neighbours);
    tcase_add_test(printing, integers_in_full);
    tcase_add_test(printing, the_table_is_consistent);
    suite_add_tcase(suite, printing);

    TCase *reading = tcase_create("reading");
    tcase_set_timeout(reading, 30);
    tcase_add_test(reading, accepted_texts);
    tcase_add_test(reading, refused_texts);
    tcase_add_test(reading, long_texts);
    tcase_add_test(reading, reads_as_strtod_does);
    suite_add_tcase(suite, reading);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

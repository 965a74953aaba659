// SPDX-License-Identifier: BSD-3-Clause
// Tests of integers and sizes as text.
#include "base/numbers.h"

#include "base/random.h"
#include "support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#define UNTOUCHED 987654321

static bool accepts_int64(const char *text, int64_t expected)
{
    int64_t value = UNTOUCHED;
    return parse_int64(slice_of(text), &value) && value == expected;
}

static bool accepts_uint64(const char *text, uint64_t expected)
{
    uint64_t value = UNTOUCHED;
    return parse_uint64(slice_of(text), &value) && value == expected;
}

static bool refuses_int64(struct slice text)
{
    int64_t value = UNTOUCHED;
    return !parse_int64(text, &value) && value == UNTOUCHED;
}

static bool refuses_uint64(struct slice text)
{
    uint64_t value = UNTOUCHED;
    return !parse_uint64(text, &value) && value == UNTOUCHED;
}

START_TEST(int64_texts)
{
    ck_assert(accepts_int64("0", 0));
    ck_assert(accepts_int64("7", 7));
    ck_assert(accepts_int64("-1", -1));
    ck_assert(accepts_int64("1234567890123456789", 1234567890123456789));
    ck_assert(accepts_int64("9223372036854775807", INT64_MAX));
    ck_assert(accepts_int64("-9223372036854775808", INT64_MIN));
    ck_assert(accepts_int64("-9223372036854775807", INT64_MIN + 1));
}
END_TEST

START_TEST(uint64_texts)
{
    ck_assert(accepts_uint64("0", 0));
    ck_assert(accepts_uint64("10", 10));
    ck_assert(accepts_uint64("9999999999999999999", UINT64_C(9999999999999999999)));
    ck_assert(accepts_uint64("18446744073709551615", UINT64_MAX));
}
END_TEST

START_TEST(refused_texts)
{
    static const char *const texts[] = {
        "",
        "-",
        "+1",
        "01",
        "-01",
        "-0",
        "00",
        " 1",
        "1 ",
        "1.0",
        "1a",
        "a",
        "--1",
        "- 1",
        "0x1",
        "1e3",
        "\t1",
        "1\n",
        "18446744073709551616",
        "18446744073709551620",
        "28446744073709551615",
        "99999999999999999999",
        "1844674407370955161a",
        "100000000000000000000",
        "1000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(refuses_int64(slice_of(texts[i])), "int64 \"%s\"", texts[i]);
        ck_assert_msg(refuses_uint64(slice_of(texts[i])), "uint64 \"%s\"", texts[i]);
    }
    ck_assert(refuses_int64(SLICE("9223372036854775808")));
    ck_assert(refuses_int64(SLICE("-9223372036854775809")));
    ck_assert(refuses_int64(SLICE("-18446744073709551615")));
    ck_assert(refuses_uint64(SLICE("-1")));
    ck_assert(refuses_int64(SLICE("1\0")));
    ck_assert(refuses_int64(SLICE("\0")));
    ck_assert(refuses_int64(SLICE("\xb1")));
}
END_TEST

START_TEST(only_the_slice_is_read)
{
    int64_t value = 0;
    ck_assert(parse_int64((struct slice){ .ptr = "12345", .len = 3 }, &value));
    ck_assert_int_eq(value, 123);
    ck_assert(refuses_int64((struct slice){ .ptr = "-5", .len = 1 }));
    ck_assert(refuses_int64((struct slice){ .ptr = "5", .len = 0 }));
}
END_TEST

// Formats, compares with the C library, and reads it back.
static void check_round_trip(uint64_t bits)
{
    char text[INT64_TEXT_MAX];
    char expected[32];
    uint64_t unsigned_value = 0;
    int64_t signed_value = 0;

    int len = format_uint64(text, bits);
    snprintf(expected, sizeof expected, "%" PRIu64, bits);
    struct slice slice = { .ptr = text, .len = (size_t)len };
    if (!slice_equal(slice, slice_of(expected)) || uint64_digits(bits) != len ||
        !parse_uint64(slice, &unsigned_value) || unsigned_value != bits)
        ck_abort_msg("%s", expected);

    len = format_int64(text, (int64_t)bits);
    snprintf(expected, sizeof expected, "%" PRId64, (int64_t)bits);
    slice.len = (size_t)len;
    if (!slice_equal(slice, slice_of(expected)) || !parse_int64(slice, &signed_value) ||
        signed_value != (int64_t)bits)
        ck_abort_msg("%s", expected);
}

START_TEST(round_trips)
{
    struct random random;
    random_seed(&random, 1);
    uint64_t power = 1;
    for (int digits = 0; digits < 20; digits++, power *= 10) {
        for (int off = -2; off <= 2; off++)
            check_round_trip(power + (uint64_t)off);
    }
    for (int bits = 0; bits < 64; bits++) {
        for (int off = -2; off <= 2; off++)
            check_round_trip((UINT64_C(1) << bits) + (uint64_t)off);
        for (int i = 0; i < 1000; i++)
            check_round_trip(random_next(&random) >> bits);
    }
    ck_assert_int_eq(uint64_digits(0), 1);
    ck_assert_int_eq(uint64_digits(UINT64_MAX), 20);
}
END_TEST

START_TEST(sizes_with_units)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        { "0", 0 },
        { "100", 100 },
        { "007", 7 },
        { "5b", 5 },
        { "1k", 1000 },
        { "1kb", 1024 },
        { "3M", 3000000 },
        { "3mB", 3 << 20 },
        { "2g", 2000000000 },
        { "2GB", UINT64_C(2) << 30 },
        { "18446744073709551615", UINT64_MAX },
        { "17179869183gb", UINT64_C(17179869183) << 30 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = UNTOUCHED;
        ck_assert_msg(parse_memory(slice_of(cases[i].text), &bytes), "%s", cases[i].text);
        ck_assert_uint_eq(bytes, cases[i].bytes);
    }
}
END_TEST

START_TEST(refused_sizes)
{
    static const char *const texts[] = {
        "",
        "b",
        "kb",
        "-1",
        "+1",
        "1.5gb",
        "1 kb",
        " 1",
        "1kbb",
        "1t",
        "1tb",
        "1 ",
        "gb1",
        "18446744073709551616",
        "17179869184gb",
        "18446744073709551615k",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t bytes = UNTOUCHED;
        ck_assert_msg(!parse_memory(slice_of(texts[i]), &bytes), "%s", texts[i]);
    }
    uint64_t bytes = UNTOUCHED;
    ck_assert(!parse_memory(SLICE("1k\0"), &bytes));
}
END_TEST

START_TEST(sizes_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0B" },
        { 512, "512B" },
        { 1023, "1023B" },
        { 1024, "1.00K" },
        { 1536, "1.50K" },
        { 2 << 20, "2.00M" },
        { UINT64_C(3328599654), "3.10G" },
        { UINT64_C(5) << 40, "5.00T" },
        { UINT64_C(5) << 50, "5.00P" },
        { UINT64_MAX, "16.00E" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        format_memory_human(text, cases[i].bytes);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("numbers");
    TCase *integers = tcase_create("integers");
    tcase_add_test(integers, int64_texts);
    tcase_add_test(integers, uint64_texts);
    tcase_add_test(integers, refused_texts);
    tcase_add_test(integers, only_the_slice_is_read);
    tcase_add_test(integers, round_trips);
    suite_add_tcase(suite, integers);

    TCase *sizes = tcase_create("sizes");
    tcase_add_test(sizes, sizes_with_units);
    tcase_add_test(sizes, refused_sizes);
    tcase_add_test(sizes, sizes_for_people);
    suite_add_tcase(suite, sizes);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

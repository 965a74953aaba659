// SPDX-License-Identifier: BSD-3-Clause
// Tests of CRC-64 against its check value and a bit-by-bit computation.
#include "base/crc64.h"

#include "base/random.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1200

// The definition: bits come in and go out in reverse, so the polynomial is reversed too.
static uint64_t reference(uint64_t crc, const uint8_t *data, size_t len)
{
    uint64_t polynomial = 0;
    for (int i = 0; i < 64; i++)
        polynomial |= (UINT64_C(0xad93d23594c935a9) >> i & 1) << (63 - i);
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
    }
    return crc;
}

static void fill(uint8_t *data, size_t len)
{
    struct random random;
    random_seed(&random, 11);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)random_next(&random);
}

START_TEST(check_value)
{
    ck_assert_uint_eq(crc64(0, "123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
    ck_assert_uint_eq(reference(0, (const uint8_t *)"123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
}
END_TEST

START_TEST(nothing_changes_nothing)
{
    ck_assert_uint_eq(crc64(0, NULL, 0), 0);
    ck_assert_uint_eq(crc64(42, "", 0), 42);
}
END_TEST

START_TEST(equals_the_definition)
{
    uint8_t data[TEXT_MAX];
    fill(data, sizeof data);
    for (size_t len = 0; len < TEXT_MAX; len++) {
        for (size_t offset = 0; offset < 8 && offset <= len; offset++)
            ck_assert_uint_eq(crc64(len, data + offset, len - offset),
                              reference(len, data + offset, len - offset));
    }
}
END_TEST

START_TEST(every_table_entry)
{
    // Each byte value at each place of an eight-byte step.
    for (int place = 0; place < 8; place++) {
        for (int value = 0; value < 256; value++) {
            uint8_t data[8] = { 0 };
            data[place] = (uint8_t)value;
            ck_assert_uint_eq(crc64(0, data, 8), reference(0, data, 8));
        }
    }
}
END_TEST

START_TEST(parts_continue)
{
    uint8_t data[TEXT_MAX];
    fill(data, sizeof data);
    uint64_t whole = crc64(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++)
        ck_assert_uint_eq(crc64(crc64(0, data, cut), data + cut, sizeof data - cut), whole);
}
END_TEST

START_TEST(only_len_bytes_are_read)
{
    for (size_t len = 1; len < 30; len++) {
        uint8_t *block = malloc(len);
        ck_assert_ptr_nonnull(block);
        fill(block, len);
        ck_assert_uint_eq(crc64(0, block, len), reference(0, block, len));
        free(block);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("crc64");
    TCase *tcase = tcase_create("crc64");
    tcase_add_test(tcase, check_value);
    tcase_add_test(tcase, nothing_changes_nothing);
    tcase_add_test(tcase, equals_the_definition);
    tcase_add_test(tcase, every_table_entry);
    tcase_add_test(tcase, parts_continue);
    tcase_add_test(tcase, only_len_bytes_are_read);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

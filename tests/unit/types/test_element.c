// SPDX-License-Identifier: BSD-3-Clause
// Tests of the members and fields of large sets and hashes.
#include "types/element.h"

#include "base/memory.h"
#include "support/unit.h"

#include <stdint.h>

#define LENGTH_MAX 70000

// Lengths around which something changes.
static const size_t lengths[] = { 0, 1, 2, 253, 254, 255, 256, 65535, LENGTH_MAX };
#define LENGTHS (int)(sizeof(lengths) / sizeof(*lengths))

static char text_bytes[LENGTH_MAX];
static char value_bytes[LENGTH_MAX];

static void fill(void)
{
    for (size_t i = 0; i < LENGTH_MAX; i++) {
        text_bytes[i] = (char)(i * 7);
        value_bytes[i] = (char)(i * 13 + 1);
    }
}

static struct slice text_of(size_t len)
{
    return (struct slice){ .ptr = text_bytes, .len = len };
}

static struct slice value_of(size_t len)
{
    return (struct slice){ .ptr = value_bytes, .len = len };
}

START_TEST(members_are_what_they_were_made_of)
{
    fill();
    size_t before = mem_used();
    struct element *member = element_new(text_of(lengths[_i]));
    ck_assert(slice_equal(element_text(member), text_of(lengths[_i])));
    ck_assert_uint_eq(element_memory(member), mem_used() - before);
    element_free(member);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(fields_have_values)
{
    fill();
    for (int v = 0; v < LENGTHS; v++) {
        size_t before = mem_used();
        struct element *field = element_new_field(text_of(lengths[_i]), value_of(lengths[v]));
        ck_assert(slice_equal(element_text(field), text_of(lengths[_i])));
        ck_assert(slice_equal(element_value(field), value_of(lengths[v])));
        ck_assert_uint_eq(element_field_memory(field), mem_used() - before);
        element_free_field(field);
        ck_assert_uint_eq(mem_used(), before);
    }
}
END_TEST

START_TEST(values_are_replaced)
{
    fill();
    size_t before = mem_used();
    struct element *field = element_new_field(SLICE("field"), value_of(lengths[_i]));
    for (int v = 0; v < LENGTHS; v++) {
        field = element_with_value(field, value_of(lengths[v]));
        ck_assert(slice_equal(element_text(field), SLICE("field")));
        ck_assert(slice_equal(element_value(field), value_of(lengths[v])));
        ck_assert_uint_eq(element_field_memory(field), mem_used() - before);
        field = element_with_value(field, value_of(lengths[_i]));
        ck_assert(slice_equal(element_value(field), value_of(lengths[_i])));
    }
    element_free_field(field);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(a_value_of_the_same_length_is_written_in_place)
{
    struct element *field = element_new_field(SLICE("name"), SLICE("bob"));
    const struct element *after = element_with_value(field, SLICE("sue"));
    ck_assert_ptr_eq(after, field);
    ck_assert(slice_equal(element_value(after), SLICE("sue")));
    element_free_field(field);
}
END_TEST

START_TEST(a_short_field_takes_two_bytes_more_than_its_texts)
{
    struct element *field = element_new_field(SLICE("field:12345678"), SLICE("value:12345678"));
    ck_assert_uint_eq(element_field_memory(field), mem_good_size(30));
    element_free_field(field);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("element");
    TCase *tcase = tcase_create("element");
    tcase_add_loop_test(tcase, members_are_what_they_were_made_of, 0, LENGTHS);
    tcase_add_loop_test(tcase, fields_have_values, 0, LENGTHS);
    tcase_add_loop_test(tcase, values_are_replaced, 0, LENGTHS);
    tcase_add_test(tcase, a_value_of_the_same_length_is_written_in_place);
    tcase_add_test(tcase, a_short_field_takes_two_bytes_more_than_its_texts);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

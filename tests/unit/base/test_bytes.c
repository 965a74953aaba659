// SPDX-License-Identifier: BSD-3-Clause
// Tests of slices and the growable buffer.
#include "base/bytes.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"

#include <stdint.h>
#include <stdio.h>

#define MODEL_MAX 200000

static void assert_holds(const struct bytes *bytes, const void *data, size_t len)
{
    ck_assert_uint_eq(bytes->len, len);
    if (len > 0)
        ck_assert_mem_eq(bytes->data, data, len);
}

START_TEST(slices_compare)
{
    struct slice empty = SLICE("");
    struct slice nul = SLICE("a\0b");
    ck_assert_uint_eq(nul.len, 3);
    ck_assert(slice_equal(nul, SLICE("a\0b")));
    ck_assert(!slice_equal(nul, SLICE("a\0c")));
    ck_assert(!slice_equal(nul, SLICE("a")));
    ck_assert(slice_equal(empty, slice_of("")));
    ck_assert(!slice_equal(SLICE("GET"), SLICE("get")));
    ck_assert(slice_equal_nocase(SLICE("GeT"), SLICE("gEt")));
    ck_assert(!slice_equal_nocase(SLICE("get"), SLICE("gets")));
    ck_assert(slice_equal_nocase(empty, empty));
    ck_assert(slice_is(SLICE("Set"), "SET"));
    ck_assert(!slice_is(SLICE("Set\0"), "SET"));
    ck_assert(slice_is(empty, ""));
}
END_TEST

START_TEST(only_ascii_letters_fold)
{
    int wrong = 0;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char left = (char)a;
            char right = (char)b;
            bool letter = (a | 32) >= 'a' && (a | 32) <= 'z';
            bool equal = a == b || (letter && (a ^ 32) == b);
            wrong += equal !=
                     slice_equal_nocase((struct slice){ &left, 1 }, (struct slice){ &right, 1 });
        }
    }
    ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(a_zeroed_buffer_is_empty)
{
    size_t before = mem_used();
    struct bytes bytes = { 0 };
    bytes_append(&bytes, NULL, 0);
    ck_assert_ptr_null(bytes.data);
    bytes_clear(&bytes);
    bytes_consume(&bytes, 0);
    ck_assert_uint_eq(bytes_slice(&bytes).len, 0);
    bytes_release(&bytes);
    ck_assert_uint_eq(mem_used(), before);
    // Released is as good as new.
    bytes_append_text(&bytes, "again");
    assert_holds(&bytes, "again", 5);
    bytes_release(&bytes);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(appending)
{
    struct bytes bytes = { 0 };
    bytes_append_text(&bytes, "ab");
    bytes_append(&bytes, "\0\xff", 2);
    bytes_append_slice(&bytes, SLICE("cd"));
    bytes_append_char(&bytes, 'e');
    bytes_append_text(&bytes, "");
    assert_holds(&bytes,
                 "ab\0\xff"
                 "cde",
                 7);
    bytes_clear(&bytes);
    ck_assert_uint_gt(bytes.cap, 0);
    assert_holds(&bytes, "", 0);
    bytes_release(&bytes);
}
END_TEST

START_TEST(reserving_gives_room)
{
    struct bytes bytes = { 0 };
    char *room = bytes_reserve(&bytes, 0);
    ck_assert_ptr_nonnull(room);
    bytes_append_text(&bytes, "head");
    room = bytes_reserve(&bytes, 100000);
    ck_assert_ptr_eq(room, bytes.data + 4);
    ck_assert_uint_ge(bytes.cap, 100004);
    memset(room, 'r', 100000);
    ck_assert_uint_eq(bytes.len, 4);
    ck_assert_mem_eq(bytes.data, "head", 4);
    bytes_release(&bytes);
}
END_TEST

START_TEST(growth_is_amortised)
{
    struct bytes bytes = { 0 };
    int moves = 0;
    size_t cap = 0;
    for (int i = 0; i < 1000000; i++) {
        bytes_append_char(&bytes, (char)i);
        moves += bytes.cap != cap;
        cap = bytes.cap;
    }
    // log(1,000,000) to the base 1.5 is 34.
    ck_assert_int_le(moves, 40);
    ck_assert_uint_eq(bytes.len, 1000000);
    int wrong = 0;
    for (int i = 0; i < 1000000; i++)
        wrong += bytes.data[i] != (char)i;
    ck_assert_int_eq(wrong, 0);
    bytes_release(&bytes);
}
END_TEST

START_TEST(failing_to_grow_changes_nothing)
{
    size_t before = mem_used();
    struct bytes bytes = { 0 };
    mem_fail_after(0);
    ck_assert_int_eq(bytes_try_reserve(&bytes, 10), STATUS_NOMEM);
    ck_assert_ptr_null(bytes.data);
    mem_fail_never();
    ck_assert_int_eq(bytes_try_reserve(&bytes, 10), STATUS_OK);
    bytes_append_text(&bytes, "0123456789");
    char *data = bytes.data;
    size_t cap = bytes.cap;
    mem_fail_after(0);
    ck_assert_int_eq(bytes_try_reserve(&bytes, 1000), STATUS_NOMEM);
    ck_assert_int_eq(bytes_try_reserve(&bytes, 0), STATUS_OK);
    mem_fail_never();
    ck_assert_ptr_eq(bytes.data, data);
    ck_assert_uint_eq(bytes.cap, cap);
    assert_holds(&bytes, "0123456789", 10);
    // Sizes that no memory can have.
    ck_assert_int_eq(bytes_try_reserve(&bytes, SIZE_MAX), STATUS_NOMEM);
    ck_assert_int_eq(bytes_try_reserve(&bytes, SIZE_MAX / 2), STATUS_NOMEM);
    assert_holds(&bytes, "0123456789", 10);
    bytes_release(&bytes);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(printing)
{
    struct bytes bytes = { 0 };
    bytes_printf(&bytes, "%d-%s", 42, "x");
    bytes_printf(&bytes, "%s", "");
    assert_holds(&bytes, "42-x", 4);
    bytes_release(&bytes);
    // All lengths around what the first attempt has room for.
    for (int len = 0; len < 300; len++) {
        bytes_printf(&bytes, "<%*d>", len, 7);
        ck_assert_uint_eq(bytes.len, (size_t)(len > 1 ? len : 1) + 2);
        ck_assert_int_eq(bytes.data[bytes.len - 2], '7');
        ck_assert_int_eq(bytes.data[bytes.len - 1], '>');
        bytes_release(&bytes);
    }
}
END_TEST

START_TEST(quoting)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        { { "", 0 }, "\"\"" },
        { { "plain text", 10 }, "\"plain text\"" },
        { { "a\nb\rc\td\ae\bf", 11 }, "\"a\\nb\\rc\\td\\ae\\bf\"" },
        { { "\"\\'", 3 }, "\"\\\"\\\\'\"" },
        { { "\0\x01\x1f\x7f\x80\xff~ ", 8 }, "\"\\x00\\x01\\x1f\\x7f\\x80\\xff~ \"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes bytes = { 0 };
        bytes_append_quoted(&bytes, cases[i].in);
        assert_holds(&bytes, cases[i].out, strlen(cases[i].out));
        bytes_release(&bytes);
    }
}
END_TEST

START_TEST(consuming)
{
    struct bytes bytes = { 0 };
    bytes_append_text(&bytes, "0123456789");
    bytes_consume(&bytes, 0);
    bytes_consume(&bytes, 3);
    assert_holds(&bytes, "3456789", 7);
    bytes_consume(&bytes, 7);
    assert_holds(&bytes, "", 0);
    bytes_release(&bytes);
}
END_TEST

START_TEST(random_operations_follow_a_model)
{
    static char model[MODEL_MAX];
    static char data[5000];
    struct random random;
    random_seed(&random, 3);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)random_next(&random);
    struct bytes bytes = { 0 };
    size_t len = 0;
    for (int step = 0; step < 20000; step++) {
        size_t count = random_below(&random, sizeof data);
        if (len + count < MODEL_MAX && random_below(&random, 3) > 0) {
            bytes_append(&bytes, data, count);
            memcpy(model + len, data, count);
            len += count;
        } else {
            size_t gone = random_below(&random, len + 1);
            bytes_consume(&bytes, gone);
            memmove(model, model + gone, len - gone);
            len -= gone;
        }
        if (step % 100 == 0)
            assert_holds(&bytes, model, len);
    }
    bytes_release(&bytes);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("bytes");
    TCase *slices = tcase_create("slices");
    tcase_add_test(slices, slices_compare);
    tcase_add_test(slices, only_ascii_letters_fold);
    suite_add_tcase(suite, slices);

    TCase *buffer = tcase_create("buffer");
    tcase_set_timeout(buffer, 30);
    tcase_add_test(buffer, a_zeroed_buffer_is_empty);
    tcase_add_test(buffer, appending);
    tcase_add_test(buffer, reserving_gives_room);
    tcase_add_test(buffer, growth_is_amortised);
    tcase_add_test(buffer, failing_to_grow_changes_nothing);
    tcase_add_test(buffer, printing);
    tcase_add_test(buffer, quoting);
    tcase_add_test(buffer, consuming);
    tcase_add_test(buffer, random_operations_follow_a_model);
    suite_add_tcase(suite, buffer);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of strings: encodings and the ways between them, rewriting in place, appending.
#include "types/string.h"

#include "strings_fixture.h"
#include "support/unit.h"

#include <stdlib.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

#define LATER (clock_wall_ms() + 100000)

static const char *encoding_name(struct entry_ref ref)
{
    return string_type_ops.encoding_name(ref.entry);
}

START_TEST(integers_are_told_by_their_text)
{
    static const char *const integers[] = { "0",          "-1",
                                            "1",          "9223372036854775807",
                                            "1234567890", "-9223372036854775808" };
    static const char *const texts[] = { "",   " 1", "1 ", "+1",  "01",
                                         "-0", "1a", "-",  "1.0", "9223372036854775808",
                                         "--1" };
    int64_t number;
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        struct entry_ref ref = set(SLICE("k"), slice_of(integers[i]), EXPIRY_NONE);
        expect_string(SLICE("k"), ref, slice_of(integers[i]), EXPIRY_NONE);
        ck_assert_str_eq(encoding_name(ref), "int");
        ck_assert(string_int64(ref.entry, &number));
        ck_assert_int_eq(number, strtoll(integers[i], NULL, 10));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct entry_ref ref = set(SLICE("k"), slice_of(texts[i]), EXPIRY_NONE);
        expect_string(SLICE("k"), ref, slice_of(texts[i]), EXPIRY_NONE);
        ck_assert_str_eq(encoding_name(ref), "embstr");
        ck_assert(!string_int64(ref.entry, &number));
    }
}
END_TEST

// A number's text is a number in every encoding.
START_TEST(integers_in_other_encodings_are_integers_too)
{
    int64_t number = 0;
    struct entry_ref ref = set_blob(SLICE("k"), SLICE("-4711"), EXPIRY_NONE);
    ck_assert_str_eq(encoding_name(ref), "raw");
    ck_assert(string_int64(ref.entry, &number));
    ck_assert_int_eq(number, -4711);
    ref = set(SLICE("k"), SLICE("12"), EXPIRY_NONE);
    ck_assert_int_eq(string_append(db, &ref, SLICE("34")), STATUS_OK);
    ck_assert(string_int64(ref.entry, &number));
    ck_assert_int_eq(number, 1234);
    ck_assert_int_eq(string_append(db, &ref, SLICE(" ")), STATUS_OK);
    ck_assert(!string_int64(ref.entry, &number));
    ck_assert_int_eq(number, 1234);
}
END_TEST

static void expect_names(size_t key_len)
{
    for (size_t len = 0; len <= 400; len++) {
        struct entry_ref ref = set(noise_at(0, key_len), noise_at(len, len), EXPIRY_NONE);
        const char *want = len <= 44 ? "embstr" : "raw";
        ck_assert_msg(strcmp(encoding_name(ref), want) == 0, "%zu bytes under a key of %zu: %s",
                      len, key_len, encoding_name(ref));
    }
}

START_TEST(object_encoding_names)
{
    expect_names(0);
    expect_names(16);
    expect_names(150);
    ck_assert_str_eq(string_type_ops.name, "string");
    // What was appended to is raw, however short.
    struct entry_ref ref = set(SLICE("k"), SLICE("a"), EXPIRY_NONE);
    ck_assert_int_eq(string_append(db, &ref, SLICE("b")), STATUS_OK);
    ck_assert_str_eq(encoding_name(ref), "raw");
}
END_TEST

// As Redis does: the key's length does not matter.
START_TEST(object_encoding_names_under_long_keys)
{
    expect_names(250);
    expect_names(300);
}
END_TEST

// Values of all encodings, at the lengths where something changes.
static const size_t value_lens[] = { 0,   1,   2,   23,  24,  25,  44,   45,   100,
                                     200, 238, 246, 254, 255, 256, 1000, 20000 };
#define VALUES (COUNT_OF(value_lens) + 3)

static struct slice value_number(size_t i)
{
    static const struct slice integers[] = { SLICE("7"), SLICE("-1234567890123"),
                                             SLICE("9223372036854775807") };
    return i < 3 ? integers[i] : noise_at(i * 100, value_lens[i - 3]);
}

// From every value to every other, with and without an expiry before and after.
static void every_transition(size_t key_len)
{
    struct slice name = noise_at(1, key_len);
    const int64_t expiries[] = { EXPIRY_NONE, LATER, LATER + 1 };
    for (size_t i = 0; i < VALUES * VALUES * 9; i++) {
        struct slice from = value_number(i / 9 / VALUES);
        struct slice to = value_number(i / 9 % VALUES);
        int64_t before = expiries[i % 3];
        int64_t after = expiries[i / 3 % 3];
        expect_string(name, set(name, from, before), from, before);
        EXPECT(db->expires == (before != EXPIRY_NONE));
        expect_string(name, set(name, to, after), to, after);
        EXPECT(db->expires == (after != EXPIRY_NONE));
        EXPECT(db_size(db) == 1);
        const struct entry *entry = find(name).entry;
        EXPECT(mem_used() - used_before == mem_good_size(2 * sizeof(*db)) +
                                               table_memory(&db->table) +
                                               db_entry_memory(db, entry));
    }
}

START_TEST(from_every_value_to_every_other)
{
    static const size_t key_lens[] = { 0, 1, 16, 100, 250, 254, 255, 300 };
    for (size_t i = 0; i < COUNT_OF(key_lens); i++) {
        every_transition(key_lens[i]);
        db_flush(db, REMOVED_LATER);
    }
}
END_TEST

START_TEST(other_types_are_overwritten)
{
    struct entry_spec spec = { .type = TYPE_LIST, .encoding = STRING_ENC_BLOB, .word = 1 };
    for (size_t i = 0; i < VALUES; i++) {
        struct slice value = value_number(i);
        struct key key = key_of(SLICE("k"));
        spec.expiry = i % 2 ? LATER : EXPIRY_NONE;
        db_insert(db, &key, entry_new(SLICE("k"), &spec));
        expect_string(SLICE("k"), set(SLICE("k"), value, EXPIRY_NONE), value, EXPIRY_NONE);
        ck_assert_uint_eq(other_released, 2 * i + 1);
        db_flush(db, REMOVED_LATER);

        db_insert(db, &key, entry_new(SLICE("k"), &spec));
        expect_string(SLICE("k"), set_blob(SLICE("k"), value, LATER), value, LATER);
        ck_assert_uint_eq(other_released, 2 * i + 2);
        db_flush(db, REMOVED_LATER);
    }
}
END_TEST

// Where the entry's size class stays, nothing is allocated and the entry stays where it is.
START_TEST(rewriting_in_place)
{
    for (size_t len = 0; len < 200; len++) {
        for (size_t other = len > 20 ? len - 20 : 0; other < len + 20; other++) {
            int64_t expiry = (len + other) % 3 ? EXPIRY_NONE : LATER;
            bool has_expiry = expiry != EXPIRY_NONE;
            struct entry_ref ref = set(SLICE("key"), noise_at(0, len), expiry);
            const struct entry *before = ref.entry;
            size_t size = entry_size_for(3, has_expiry, true, len);
            ref = set(SLICE("key"), noise_at(300, other), expiry);
            expect_string(SLICE("key"), ref, noise_at(300, other), expiry);
            if (mem_good_size(size) == mem_good_size(entry_size_for(3, has_expiry, true, other)))
                EXPECT(ref.entry == before);
        }
    }
}
END_TEST

START_TEST(counting_in_place)
{
    struct entry_ref ref = set(SLICE("n"), SLICE("10"), LATER);
    const struct entry *before = ref.entry;
    for (int64_t i = 0; i < 1000; i++) {
        ref = set_int(SLICE("n"), i * INT64_C(1000000007));
        EXPECT(ref.entry == before);
        int64_t number;
        EXPECT(string_int64(ref.entry, &number) && number == i * INT64_C(1000000007));
    }
    ck_assert_int_eq(entry_expiry(ref.entry), LATER);
}
END_TEST

START_TEST(an_integer_over_every_value_keeps_the_expiry)
{
    for (size_t i = 0; i < VALUES * 2; i++) {
        int64_t expiry = i % 2 ? LATER : EXPIRY_NONE;
        set(SLICE("n"), value_number(i / 2), expiry);
        struct entry_ref ref = set_int(SLICE("n"), -77);
        expect_string(SLICE("n"), ref, SLICE("-77"), expiry);
        ck_assert_str_eq(encoding_name(ref), "int");
        ck_assert_uint_eq(db->expires, expiry != EXPIRY_NONE);
        set_blob(SLICE("n"), value_number(i / 2), expiry);
        expect_string(SLICE("n"), set_int(SLICE("n"), INT64_MIN), SLICE("-9223372036854775808"),
                      expiry);
    }
    expect_string(SLICE("new"), set_int(SLICE("new"), 5), SLICE("5"), EXPIRY_NONE);
}
END_TEST

// A reply that is still being sent holds its bytes, whatever becomes of the key.
START_TEST(a_shared_blob_outlives_its_entry)
{
    struct slice value = noise_at(0, 5000);
    for (int way = 0; way < 5; way++) {
        struct entry_ref ref = set(SLICE("k"), value, EXPIRY_NONE);
        struct blob *blob = string_blob(ref.entry);
        struct key key = key_of(SLICE("k"));
        blob_retain(blob);
        switch (way) {
        case 0: db_remove(db, &key, ref); break;
        case 1: set(SLICE("k"), noise_at(9, 5000), EXPIRY_NONE); break;
        case 2: set_int(SLICE("k"), 1); break;
        case 3: db_flush(db, REMOVED_LATER); break;
        default: ck_assert_int_eq(string_append(db, &ref, SLICE("more")), STATUS_OK); break;
        }
        ck_assert_uint_eq(blob->refs, 1);
        ck_assert(slice_equal((struct slice){ .ptr = blob->data, .len = blob->len }, value));
        blob_release(blob);
    }
}
END_TEST

START_TEST(a_text_is_a_text_even_if_it_is_a_number)
{
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = find(SLICE("k"));
    int64_t number;
    string_set_text(db, &key, &ref, SLICE("12345"), LATER);
    expect_string(SLICE("k"), ref, SLICE("12345"), LATER);
    ck_assert_str_eq(encoding_name(ref), "embstr");
    ck_assert(string_int64(ref.entry, &number));
    ck_assert_int_eq(number, 12345);
    // Over an integer, and the other way round.
    ref = set(SLICE("k"), SLICE("1"), EXPIRY_NONE);
    string_set_text(db, &key, &ref, SLICE("2"), EXPIRY_NONE);
    ck_assert_str_eq(encoding_name(ref), "embstr");
    ref = set(SLICE("k"), SLICE("3"), EXPIRY_NONE);
    ck_assert_str_eq(encoding_name(ref), "int");
}
END_TEST

START_TEST(a_copy_is_shared_until_one_writes)
{
    static const struct slice values[] = { SLICE("12"),
                                           SLICE("text"),
                                           { .ptr = noise, .len = 5000 } };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct key copied = key_of(SLICE("copy"));
        struct entry_ref from = set(SLICE("k"), values[i], LATER);
        struct entry *copy = db_copy_entry(db, from.entry, SLICE("copy"));
        struct entry_ref to = db_insert(db, &copied, copy);
        expect_string(SLICE("copy"), to, values[i], LATER);
        ck_assert_int_eq(string_append(db, &to, SLICE("!")), STATUS_OK);
        ck_assert_uint_eq(string_length(to.entry), values[i].len + 1);
        from = find(SLICE("k"));
        expect_string(SLICE("k"), from, values[i], LATER);
        ck_assert_int_eq(string_append(db, &from, SLICE("?")), STATUS_OK);
        to = find(SLICE("copy"));
        char scratch[INT64_TEXT_MAX];
        ck_assert_int_eq(string_bytes(to.entry, scratch).ptr[values[i].len], '!');
        db_flush(db, REMOVED_LATER);
    }
}
END_TEST

START_TEST(object_refcount)
{
    // Small integers are shared objects in Redis.
    ck_assert_int_eq(string_type_ops.refcount(set(SLICE("k"), SLICE("0"), LATER).entry), INT32_MAX);
    ck_assert_int_eq(string_type_ops.refcount(set_int(SLICE("k"), 9999).entry), INT32_MAX);
    ck_assert_int_eq(string_type_ops.refcount(set_int(SLICE("k"), 10000).entry), 1);
    ck_assert_int_eq(string_type_ops.refcount(set_int(SLICE("k"), -1).entry), 1);
    ck_assert_int_eq(string_type_ops.refcount(set(SLICE("k"), SLICE("text"), LATER).entry), 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("string");
    TCase *encodings = tcase_create("encodings");
    tcase_add_checked_fixture(encodings, strings_open, strings_close);
    tcase_add_test(encodings, integers_are_told_by_their_text);
    tcase_add_test(encodings, integers_in_other_encodings_are_integers_too);
    tcase_add_test(encodings, object_encoding_names);
    tcase_add_test(encodings, object_encoding_names_under_long_keys);
    tcase_add_test(encodings, object_refcount);
    tcase_add_test(encodings, a_text_is_a_text_even_if_it_is_a_number);
    suite_add_tcase(suite, encodings);

    TCase *writing = tcase_create("writing");
    tcase_add_checked_fixture(writing, strings_open, strings_close);
    tcase_set_timeout(writing, 60);
    tcase_add_test(writing, from_every_value_to_every_other);
    tcase_add_test(writing, other_types_are_overwritten);
    tcase_add_test(writing, rewriting_in_place);
    tcase_add_test(writing, counting_in_place);
    tcase_add_test(writing, an_integer_over_every_value_keeps_the_expiry);
    tcase_add_test(writing, a_shared_blob_outlives_its_entry);
    tcase_add_test(writing, a_copy_is_shared_until_one_writes);
    suite_add_tcase(suite, writing);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

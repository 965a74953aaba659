// SPDX-License-Identifier: BSD-3-Clause
// Tests of listpacks against the bytes of the specification: encodings, back lengths, the count,
// and what must not pass for a listpack.
#include "ds/listpack.h"

#include "listpack_model.h"
#include "support/unit.h"

#include <stdlib.h>

#define COUNT_UNKNOWN 65535

static void check_value(const unsigned char *lp, size_t at, struct slice text)
{
    char scratch[24];
    struct lp_key key = lp_key_of(text);
    struct lp_value value = lp_get(lp, at);
    EXPECT(slice_equal(lp_text(lp, at, scratch), text));
    EXPECT((value.text.ptr == NULL) == key.is_integer);
    EXPECT(key.is_integer ? value.integer == key.integer : slice_equal(value.text, text));
    EXPECT(lp_equal(lp, at, &key));
    EXPECT(lp_element_bytes(lp, at) == lp_encoded_bytes(&key));
}

// ---- encodings ----------------------------------------------------------------------------------

START_TEST(an_empty_listpack_is_seven_bytes)
{
    static const unsigned char want[] = { 7, 0, 0, 0, 0, 0, 0xFF };
    unsigned char *lp = pack_new();
    ck_assert_mem_eq(lp, want, sizeof want);
    ck_assert_uint_eq(lp_bytes(lp), 7);
    ck_assert_uint_eq(lp_count(lp), 0);
    ck_assert_uint_eq(lp_first(lp), 0);
    ck_assert_uint_eq(lp_last(lp), 0);
    ck_assert_uint_eq(lp_seek(lp, 0), 0);
    ck_assert_uint_eq(lp_seek(lp, -1), 0);
    ck_assert_uint_eq(lp_end(lp), 6);
    struct lp_key key = lp_key_of(SLICE("a"));
    ck_assert_uint_eq(lp_find(lp, lp_first(lp), &key, 0), 0);
    ck_assert(lp_validate(lp, 7));
    pack_free(lp);
}
END_TEST

START_TEST(a_whole_listpack_is_as_specified)
{
    static const unsigned char want[] = {
        22,  0, 0,    0,    4,    0,    0x85, 'h',  'e', 'l', 'l',
        'o', 6, 0x05, 0x01, 0xDF, 0xFF, 2,    0x81, 'z', 2,   0xFF
    };
    unsigned char *lp = pack_new();
    lp = pack_append(lp, SLICE("hello"));
    lp = pack_append(lp, SLICE("5"));
    lp = pack_append(lp, SLICE("-1"));
    lp = pack_append(lp, SLICE("z"));
    ck_assert_uint_eq(lp_bytes(lp), sizeof want);
    ck_assert_mem_eq(lp, want, sizeof want);
    pack_free(lp);
}
END_TEST

static const struct {
    const char *text;
    unsigned char bytes[10];
    size_t len;
} integers[] = {
    { "0", { 0x00, 1 }, 2 },
    { "1", { 0x01, 1 }, 2 },
    { "127", { 0x7F, 1 }, 2 },
    { "128", { 0xC0, 0x80, 2 }, 3 },
    { "-1", { 0xDF, 0xFF, 2 }, 3 },
    { "4095", { 0xCF, 0xFF, 2 }, 3 },
    { "-4096", { 0xD0, 0x00, 2 }, 3 },
    { "4096", { 0xF1, 0x00, 0x10, 3 }, 4 },
    { "-4097", { 0xF1, 0xFF, 0xEF, 3 }, 4 },
    { "32767", { 0xF1, 0xFF, 0x7F, 3 }, 4 },
    { "-32768", { 0xF1, 0x00, 0x80, 3 }, 4 },
    { "32768", { 0xF2, 0x00, 0x80, 0x00, 4 }, 5 },
    { "-32769", { 0xF2, 0xFF, 0x7F, 0xFF, 4 }, 5 },
    { "8388607", { 0xF2, 0xFF, 0xFF, 0x7F, 4 }, 5 },
    { "-8388608", { 0xF2, 0x00, 0x00, 0x80, 4 }, 5 },
    { "8388608", { 0xF3, 0x00, 0x00, 0x80, 0x00, 5 }, 6 },
    { "-8388609", { 0xF3, 0xFF, 0xFF, 0x7F, 0xFF, 5 }, 6 },
    { "2147483647", { 0xF3, 0xFF, 0xFF, 0xFF, 0x7F, 5 }, 6 },
    { "-2147483648", { 0xF3, 0x00, 0x00, 0x00, 0x80, 5 }, 6 },
    { "2147483648", { 0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9 }, 10 },
    { "-2147483649", { 0xF4, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 9 }, 10 },
    { "9223372036854775807", { 0xF4, 255, 255, 255, 255, 255, 255, 255, 0x7F, 9 }, 10 },
    { "-9223372036854775808", { 0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9 }, 10 },
};

#define INTEGERS (sizeof integers / sizeof *integers)

START_TEST(integers_have_the_specified_bytes)
{
    unsigned char *all = pack_new();
    for (size_t i = 0; i < INTEGERS; i++) {
        struct slice text = slice_of(integers[i].text);
        unsigned char *lp = pack_append(pack_new(), text);
        ck_assert_uint_eq(lp_bytes(lp), LP_EMPTY_BYTES + integers[i].len);
        ck_assert_mem_eq(lp + LP_HEADER_BYTES, integers[i].bytes, integers[i].len);
        check_value(lp, lp_first(lp), text);
        int64_t integer = lp_get(lp, lp_first(lp)).integer;
        unsigned char element[LP_INTEGER_MAX];
        ck_assert_uint_eq(lp_encoded_int_bytes(integer), integers[i].len);
        ck_assert_uint_eq(lp_encode_int(element, integer), integers[i].len);
        ck_assert_mem_eq(element, integers[i].bytes, integers[i].len);
        ck_assert(lp_validate(lp, lp_bytes(lp)));
        pack_free(lp);
        all = pack_append(all, text);
    }
    for (size_t i = 0; i < INTEGERS; i++) {
        struct lp_key key = lp_key_of(slice_of(integers[i].text));
        ck_assert_uint_eq(lp_find(all, lp_first(all), &key, 0), lp_seek(all, (int64_t)i));
    }
    pack_free(all);
}
END_TEST

START_TEST(texts_that_only_look_like_integers_are_strings)
{
    static const char *const texts[] = {
        "-0", "01", "+1", " 1", "1 ", "1.0", "", "-", "9223372036854775808", "-9223372036854775809",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice text = slice_of(texts[i]);
        unsigned char *lp = pack_append(pack_new(), text);
        ck_assert_uint_eq(lp[LP_HEADER_BYTES], 0x80 | text.len);
        check_value(lp, lp_first(lp), text);
        pack_free(lp);
    }
}
END_TEST

// Lengths around every change of the encoding and of the back length, whose bytes are given.
static const struct {
    size_t len;
    unsigned char header[5];
    size_t header_len;
    unsigned char back[5];
    size_t back_len;
} strings[] = {
    { 0, { 0x80 }, 1, { 1 }, 1 },
    { 1, { 0x81 }, 1, { 2 }, 1 },
    { 63, { 0xBF }, 1, { 0x40 }, 1 },
    { 64, { 0xE0, 0x40 }, 2, { 0x42 }, 1 },
    { 125, { 0xE0, 0x7D }, 2, { 0x7F }, 1 },
    { 126, { 0xE0, 0x7E }, 2, { 0x01, 0x80 }, 2 },
    { 255, { 0xE0, 0xFF }, 2, { 0x02, 0x81 }, 2 },
    { 256, { 0xE1, 0x00 }, 2, { 0x02, 0x82 }, 2 },
    { 4095, { 0xEF, 0xFF }, 2, { 0x20, 0x81 }, 2 },
    { 4096, { 0xF0, 0x00, 0x10, 0x00, 0x00 }, 5, { 0x20, 0x85 }, 2 },
    { 16377, { 0xF0, 0xF9, 0x3F, 0x00, 0x00 }, 5, { 0x7F, 0xFE }, 2 },
    { 16378, { 0xF0, 0xFA, 0x3F, 0x00, 0x00 }, 5, { 0x00, 0xFF, 0xFF }, 3 },
    { 16379, { 0xF0, 0xFB, 0x3F, 0x00, 0x00 }, 5, { 0x01, 0x80, 0x80 }, 3 },
    { 70000, { 0xF0, 0x70, 0x11, 0x01, 0x00 }, 5, { 0x04, 0xA2, 0xF5 }, 3 },
    { 2097145, { 0xF0, 0xF9, 0xFF, 0x1F, 0x00 }, 5, { 0x7F, 0xFF, 0xFE }, 3 },
    { 2097146, { 0xF0, 0xFA, 0xFF, 0x1F, 0x00 }, 5, { 0x00, 0xFF, 0xFF, 0xFF }, 4 },
    { 2097147, { 0xF0, 0xFB, 0xFF, 0x1F, 0x00 }, 5, { 0x01, 0x80, 0x80, 0x80 }, 4 },
};

#define STRINGS (sizeof strings / sizeof *strings)

static struct slice letters(size_t len)
{
    char *text = mem_alloc(len + 1);
    memset(text, 'x', len);
    return (struct slice){ .ptr = text, .len = len };
}

static void letters_free(struct slice text)
{
    mem_free((char *)(uintptr_t)text.ptr, text.len + 1);
}

START_TEST(strings_have_the_specified_bytes)
{
    for (size_t i = 0; i < STRINGS; i++) {
        struct slice text = letters(strings[i].len);
        unsigned char *lp = pack_append(pack_new(), text);
        const unsigned char *p = lp + LP_HEADER_BYTES;
        ck_assert_uint_eq(lp_bytes(lp),
                          LP_EMPTY_BYTES + strings[i].header_len + text.len + strings[i].back_len);
        ck_assert_mem_eq(p, strings[i].header, strings[i].header_len);
        p += strings[i].header_len;
        ck_assert(memcmp(p, text.ptr, text.len) == 0);
        ck_assert_mem_eq(p + text.len, strings[i].back, strings[i].back_len);
        check_value(lp, lp_first(lp), text);
        ck_assert(lp_validate(lp, lp_bytes(lp)));
        lp = pack_append(lp, SLICE("behind"));
        ck_assert_uint_eq(lp_prev(lp, lp_last(lp)), lp_first(lp));
        ck_assert_uint_eq(lp_next(lp, lp_first(lp)), lp_last(lp));
        pack_free(lp);
        letters_free(text);
    }
}
END_TEST

// Too large for a test to fill: only what is computed from the length.
START_TEST(a_back_length_takes_up_to_five_bytes)
{
    ck_assert_uint_eq(lp_back_bytes(268435454), 4);
    ck_assert_uint_eq(lp_back_bytes(268435455), 5);
    ck_assert_uint_eq(lp_back_bytes(UINT32_MAX), 5);
    struct lp_key key = { .text = { .ptr = "", .len = 268435449 } };
    ck_assert_uint_eq(lp_encoded_bytes(&key), 5 + key.text.len + 4);
    key.text.len++;
    ck_assert_uint_eq(lp_encoded_bytes(&key), 5 + key.text.len + 5);
}
END_TEST

// Only the ends of its pages are touched: the text itself is nobody's business here.
START_TEST(a_back_length_of_five_bytes_is_read)
{
    const size_t len = 268435450;
    const size_t size = LP_EMPTY_BYTES + 5 + len + 5;
    unsigned char *lp = calloc(1, size);
    ck_assert_ptr_nonnull(lp);
    const unsigned char head[] = { 0x0B, 0x00, 0x00, 0x10, 1, 0, 0xF0, 0xFA, 0xFF, 0xFF, 0x0F };
    const unsigned char tail[] = { 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
    memcpy(lp, head, sizeof head);
    memcpy(lp + size - sizeof tail, tail, sizeof tail);
    ck_assert_uint_eq(lp_bytes(lp), size);
    ck_assert(lp_validate(lp, size));
    ck_assert_uint_eq(lp_last(lp), lp_first(lp));
    ck_assert_uint_eq(lp_get(lp, lp_first(lp)).text.len, len);
    ck_assert_uint_eq(lp_next(lp, lp_first(lp)), 0);
    ck_assert_uint_eq(lp_element_bytes(lp, lp_first(lp)), size - LP_EMPTY_BYTES);
    free(lp);
}
END_TEST

// ---- finding ------------------------------------------------------------------------------------

START_TEST(finding_passes_over_values)
{
    unsigned char *lp = pack_new();
    static const char *const texts[] = { "b", "a", "a", "b", "7", "8", "8", "7" };
    for (size_t i = 0; i < 8; i++)
        lp = pack_append(lp, slice_of(texts[i]));
    const struct lp_key a = lp_key_of(SLICE("a"));
    const struct lp_key b = lp_key_of(SLICE("b"));
    const struct lp_key eight = lp_key_of(SLICE("8"));
    const struct lp_key nine = lp_key_of(SLICE("9"));
    size_t first = lp_first(lp);
    ck_assert_uint_eq(lp_find(lp, first, &a, 0), lp_seek(lp, 1));
    ck_assert_uint_eq(lp_find(lp, first, &a, 1), lp_seek(lp, 2));
    ck_assert_uint_eq(lp_find(lp, first, &b, 1), first);
    ck_assert_uint_eq(lp_find(lp, lp_next(lp, first), &b, 1), lp_seek(lp, 3));
    ck_assert_uint_eq(lp_find(lp, first, &eight, 0), lp_seek(lp, 5));
    ck_assert_uint_eq(lp_find(lp, first, &eight, 1), lp_seek(lp, 6));
    ck_assert_uint_eq(lp_find(lp, first, &nine, 0), 0);
    // More passed over than there is: the end, not what lies behind it.
    ck_assert_uint_eq(lp_find(lp, first, &a, 100), 0);
    ck_assert_uint_eq(lp_find(lp, first, &nine, 2), 0);
    ck_assert_uint_eq(lp_find(lp, 0, &b, 0), 0);
    pack_free(lp);
}
END_TEST

START_TEST(a_key_made_of_an_integer_alone)
{
    unsigned char *lp = pack_append(pack_new(), SLICE(""));
    lp = pack_append(lp, SLICE("-70000"));
    const struct lp_key key = { .integer = -70000, .is_integer = true };
    ck_assert_uint_eq(lp_find(lp, lp_first(lp), &key, 0), lp_last(lp));
    ck_assert(!lp_equal(lp, lp_first(lp), &key));
    ck_assert_uint_eq(lp_encoded_bytes(&key), 5);
    pack_free(lp);
}
END_TEST

// Texts of every length up to 20 that differ in one byte only, in each place.
START_TEST(texts_that_differ_in_one_byte_are_told_apart)
{
    char text[] = "abcdefghijklmnopqrst";
    for (size_t len = 0; len < sizeof text; len++) {
        unsigned char *lp = pack_append(pack_new(), (struct slice){ .ptr = text, .len = len });
        for (size_t i = 0; i <= len; i++) {
            text[i] ^= 0x40;
            const struct lp_key key = lp_key_of((struct slice){ .ptr = text, .len = len });
            bool same = i == len;
            EXPECT(lp_equal(lp, lp_first(lp), &key) == same);
            EXPECT(lp_find(lp, lp_first(lp), &key, 0) == (same ? lp_first(lp) : 0));
            text[i] ^= 0x40;
        }
        pack_free(lp);
    }
}
END_TEST

// Others need not choose the shortest encoding: what holds the same value is the same.
START_TEST(longer_encodings_than_necessary_are_read)
{
    unsigned char lp[] = { 34,   0,    0,    0,   5, 0,    0xF1, 5, 0, 3, 0x81, '5',
                           2,    0xE0, 0x01, 'a', 3, 0xF0, 1,    0, 0, 0, 'b',  6,
                           0xF4, 7,    0,    0,   0, 0,    0,    0, 0, 9, 0xFF };
    lp[0] = sizeof lp;
    const char *const texts[] = { "5", "5", "a", "b", "7" };
    const struct lp_key five = lp_key_of(SLICE("5"));
    ck_assert(lp_validate(lp, sizeof lp));
    for (int i = 0; i < 5; i++) {
        char scratch[24];
        const struct lp_key key = lp_key_of(slice_of(texts[i]));
        size_t at = lp_seek(lp, i);
        ck_assert(slice_equal(lp_text(lp, at, scratch), key.text));
        ck_assert_uint_eq(lp_find(lp, at, &key, 0), at);
    }
    ck_assert_uint_eq(lp_find(lp, lp_next(lp, lp_first(lp)), &five, 0), 10);
}
END_TEST

// ---- the count ----------------------------------------------------------------------------------

// A listpack of `count` elements "0".
static unsigned char *zeros(size_t count)
{
    unsigned char *bytes = mem_alloc(2 * count);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + 2 * i, "\0\1", 2);
    unsigned char *lp = pack_splice(pack_new(), &(struct lp_edit){ .at = LP_HEADER_BYTES,
                                                                   .bytes = bytes,
                                                                   .added = 2 * count,
                                                                   .added_count = count });
    mem_free(bytes, 2 * count);
    return lp;
}

static unsigned told_count(const unsigned char *lp)
{
    return lp[4] | (unsigned)lp[5] << 8;
}

START_TEST(counts_up_to_65534_are_told)
{
    unsigned char *lp = zeros(COUNT_UNKNOWN - 1);
    ck_assert_uint_eq(told_count(lp), COUNT_UNKNOWN - 1);
    ck_assert_uint_eq(lp_count(lp), COUNT_UNKNOWN - 1);
    lp = pack_append(lp, SLICE("x"));
    ck_assert_uint_eq(told_count(lp), COUNT_UNKNOWN);
    ck_assert_uint_eq(lp_count(lp), COUNT_UNKNOWN);
    lp = pack_append(lp, SLICE("y"));
    ck_assert_uint_eq(told_count(lp), COUNT_UNKNOWN);
    ck_assert_uint_eq(lp_count(lp), COUNT_UNKNOWN + 1);
    ck_assert(lp_validate(lp, lp_bytes(lp)));
    pack_free(lp);
}
END_TEST

START_TEST(positions_are_found_without_a_count)
{
    unsigned char *lp = zeros(70000);
    ck_assert_uint_eq(lp_seek(lp, 0), LP_HEADER_BYTES);
    ck_assert_uint_eq(lp_seek(lp, 69999), LP_HEADER_BYTES + 2 * 69999);
    ck_assert_uint_eq(lp_seek(lp, 70000), 0);
    ck_assert_uint_eq(lp_seek(lp, -1), lp_last(lp));
    ck_assert_uint_eq(lp_seek(lp, -70000), LP_HEADER_BYTES);
    ck_assert_uint_eq(lp_seek(lp, -70001), 0);
    ck_assert_uint_eq(lp_seek(lp, INT64_MAX), 0);
    ck_assert_uint_eq(lp_seek(lp, INT64_MIN), 0);
    pack_free(lp);
}
END_TEST

START_TEST(a_count_comes_back_when_it_fits_again)
{
    unsigned char *lp = zeros(70000);
    lp = pack_remove(lp, lp_first(lp), 70000 - COUNT_UNKNOWN);
    ck_assert_uint_eq(told_count(lp), COUNT_UNKNOWN);
    ck_assert_uint_eq(lp_count(lp), COUNT_UNKNOWN);
    ck_assert(lp_validate(lp, lp_bytes(lp)));
    lp = pack_remove(lp, lp_last(lp), 1);
    ck_assert_uint_eq(told_count(lp), COUNT_UNKNOWN - 1);
    ck_assert_uint_eq(lp_count(lp), COUNT_UNKNOWN - 1);
    ck_assert(lp_validate(lp, lp_bytes(lp)));
    lp = pack_remove(lp, lp_first(lp), COUNT_UNKNOWN - 1);
    ck_assert_uint_eq(told_count(lp), 0);
    ck_assert_uint_eq(lp_bytes(lp), LP_EMPTY_BYTES);
    pack_free(lp);
}
END_TEST

START_TEST(bytes_may_be_filled_in_afterwards)
{
    unsigned char *lp = pack_append(pack_new(), SLICE("one"));
    lp = pack_append(lp, SLICE("three"));
    const struct lp_key key = lp_key_of(SLICE("two"));
    size_t at = lp_last(lp);
    lp = pack_splice(
        lp, &(struct lp_edit){ .at = at, .added = lp_encoded_bytes(&key), .added_count = 1 });
    lp_encode(lp + at, &key);
    ck_assert(lp_validate(lp, lp_bytes(lp)));
    ck_assert_uint_eq(lp_count(lp), 3);
    check_value(lp, lp_seek(lp, 1), key.text);
    check_value(lp, lp_seek(lp, 2), SLICE("three"));
    pack_free(lp);
}
END_TEST

// ---- validation ---------------------------------------------------------------------------------

// In a block of its own, for a sanitizer to see what is read beyond it.
static bool validates(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    bool valid = lp_validate(copy, size);
    free(copy);
    return valid;
}

START_TEST(bytes_that_are_no_listpack_are_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
        BAD(""),
        BAD("\7\0\0\0\0\0"),
        BAD("\6\0\0\0\0\377"),
        BAD("\7\0\0\0\0\0\0"),                           // no terminator
        BAD("\10\0\0\0\0\0\377"),                        // larger than it is
        BAD("\6\0\0\0\0\0\377"),                         // smaller
        BAD("\7\0\0\0\1\0\377"),                         // a count of nothing
        BAD("\11\0\0\0\0\0\5\1\377"),                    // no count of something
        BAD("\11\0\0\0\2\0\5\1\377"),                    // another count
        BAD("\11\0\0\0\1\0\5\2\377"),                    // wrong back length
        BAD("\11\0\0\0\1\0\5\0\377"),                    // none
        BAD("\10\0\0\0\1\0\5\377"),                      // the terminator in its place
        BAD("\12\0\0\0\1\0\5\201\1\377"),                // back length of two bytes for one
        BAD("\12\0\0\0\1\0\5\1\377\377"),                // bytes behind the terminator
        BAD("\11\0\0\0\1\0\202a\377"),                   // string too long
        BAD("\11\0\0\0\1\0\277\1\377"),                  // much too long
        BAD("\10\0\0\0\1\0\340\377"),                    // half a length
        BAD("\11\0\0\0\1\0\340\1\377"),                  // no string
        BAD("\12\0\0\0\1\0\360\1\0\377"),                // half a length of 32 bits
        BAD("\15\0\0\0\1\0\360\377\377\377\377\5\377"),  // 4 GiB
        BAD("\15\0\0\0\1\0\360\373\377\377\377\5\377"),  // length wraps around 32 bits
        BAD("\11\0\0\0\1\0\361\3\377"),                  // integers without their bytes
        BAD("\12\0\0\0\1\0\362\0\4\377"),
        BAD("\12\0\0\0\1\0\363\0\5\377"),
        BAD("\12\0\0\0\1\0\364\0\11\377"),
        BAD("\10\0\0\0\1\0\300\377"),
        BAD("\11\0\0\0\1\0\365\1\377"),  // encodings that there aren't
        BAD("\11\0\0\0\1\0\376\1\377"),
        BAD("\11\0\0\0\1\0\377\1\377"),  // a terminator within
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!validates(bad[i].bytes, bad[i].len), "bytes %zu pass", i);
    ck_assert(validates("\11\0\0\0\1\0\5\1\377", 9));
    ck_assert(validates("\11\0\0\0\377\377\5\1\377", 9));
    ck_assert(validates("\7\0\0\0\377\377\377", 7));
}
END_TEST

START_TEST(every_shortened_or_damaged_listpack_is_seen_or_harmless)
{
    unsigned char *lp = pack_new();
    for (size_t i = 0; i < INTEGERS; i++)
        lp = pack_append(lp, slice_of(integers[i].text));
    for (size_t i = 0; i < 9; i++) {
        struct slice text = letters(strings[i].len);
        lp = pack_append(lp, text);
        letters_free(text);
    }
    size_t size = lp_bytes(lp);
    for (size_t len = 0; len < size; len++)
        EXPECT(!validates(lp, len));
    for (size_t i = 0; i < 8 * size; i++) {
        lp[i / 8] ^= (unsigned char)(1 << i % 8);
        bool valid = validates(lp, size);
        // A bit of the size, of the count or of a back length is never free to change.
        if (i < 8 * LP_HEADER_BYTES)
            EXPECT(!valid);
        size_t count = 0;
        size_t back = 0;
        for (size_t at = valid ? lp_first(lp) : 0; at != 0; at = lp_next(lp, at))
            count++;
        for (size_t at = valid ? lp_last(lp) : 0; at != 0; at = lp_prev(lp, at))
            back++;
        EXPECT(count == back && (!valid || count == lp_count(lp)));
        lp[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    pack_free(lp);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("listpack");
    TCase *encoding = tcase_create("encoding");
    tcase_set_timeout(encoding, 60);
    tcase_add_test(encoding, an_empty_listpack_is_seven_bytes);
    tcase_add_test(encoding, a_whole_listpack_is_as_specified);
    tcase_add_test(encoding, integers_have_the_specified_bytes);
    tcase_add_test(encoding, texts_that_only_look_like_integers_are_strings);
    tcase_add_test(encoding, strings_have_the_specified_bytes);
    tcase_add_test(encoding, a_back_length_takes_up_to_five_bytes);
    tcase_add_test(encoding, a_back_length_of_five_bytes_is_read);
    suite_add_tcase(suite, encoding);

    TCase *finding = tcase_create("finding");
    tcase_add_test(finding, finding_passes_over_values);
    tcase_add_test(finding, texts_that_differ_in_one_byte_are_told_apart);
    tcase_add_test(finding, a_key_made_of_an_integer_alone);
    tcase_add_test(finding, longer_encodings_than_necessary_are_read);
    suite_add_tcase(suite, finding);

    TCase *counting = tcase_create("counting");
    tcase_add_test(counting, counts_up_to_65534_are_told);
    tcase_add_test(counting, positions_are_found_without_a_count);
    tcase_add_test(counting, a_count_comes_back_when_it_fits_again);
    tcase_add_test(counting, bytes_may_be_filled_in_afterwards);
    suite_add_tcase(suite, counting);

    TCase *validation = tcase_create("validation");
    tcase_set_timeout(validation, 60);
    tcase_add_test(validation, bytes_that_are_no_listpack_are_refused);
    tcase_add_test(validation, every_shortened_or_damaged_listpack_is_seen_or_harmless);
    suite_add_tcase(suite, validation);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of ziplists and zipmaps: what an encoder after the description writes is read, what is cut or damaged is
// not, and nothing beyond the bytes is looked at.
#include "base/little_endian.h"
#include "base/random.h"
#include "persist/ziplist.h"
#include "persist/zipmap.h"
#include "support/unit.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

// ---- an encoder ---------------------------------------------------------------------------------

struct ziplist {
    struct bytes bytes;
    size_t before;  // bytes of the last entry
    size_t last;    // where it is
    size_t count;
    bool wide;  // sizes of entries before always take five bytes
};

static void put_le(struct bytes *out, uint64_t value, size_t len)
{
    char bytes[8];
    store_le64(bytes, value);
    bytes_append(out, bytes, len);
}

static void ziplist_begin(struct ziplist *zl)
{
    *zl = (struct ziplist){ .last = 10 };
    put_le(&zl->bytes, 0, 8);
    put_le(&zl->bytes, 0, 2);
}

static size_t begin_entry(struct ziplist *zl)
{
    size_t at = zl->bytes.len;
    zl->last = at;
    zl->count++;
    if (zl->before < 254 && !zl->wide) {
        bytes_append_char(&zl->bytes, (char)zl->before);
        return at;
    }
    bytes_append_char(&zl->bytes, '\xFE');
    put_le(&zl->bytes, zl->before, 4);
    return at;
}

static void add_text(struct ziplist *zl, struct slice text)
{
    size_t at = begin_entry(zl);
    if (text.len < 64) {
        bytes_append_char(&zl->bytes, (char)text.len);
    } else if (text.len < 16384) {
        bytes_append_char(&zl->bytes, (char)(0x40 | text.len >> 8));
        bytes_append_char(&zl->bytes, (char)text.len);
    } else {
        uint32_t big = htobe32((uint32_t)text.len);
        bytes_append_char(&zl->bytes, '\x80');
        bytes_append(&zl->bytes, &big, sizeof(big));
    }
    bytes_append_slice(&zl->bytes, text);
    zl->before = zl->bytes.len - at;
}

// `len`: 0, 1, 2, 3, 4 or 8 bytes.
static void add_integer(struct ziplist *zl, int64_t value, size_t len)
{
    static const uint8_t encodings[] = {
        [1] = 0xFE, [2] = 0xC0, [3] = 0xF0, [4] = 0xD0, [8] = 0xE0
    };
    size_t at = begin_entry(zl);
    bytes_append_char(&zl->bytes, (char)(len == 0 ? 0xF1 + value : encodings[len]));
    put_le(&zl->bytes, (uint64_t)value, len);
    zl->before = zl->bytes.len - at;
}

static struct slice ziplist_end(struct ziplist *zl, size_t count)
{
    bytes_append_char(&zl->bytes, '\xFF');
    store_le32(zl->bytes.data, (uint32_t)zl->bytes.len);
    store_le32(zl->bytes.data + 4, (uint32_t)zl->last);
    store_le16(zl->bytes.data + 8, (uint16_t)count);
    return bytes_slice(&zl->bytes);
}

static void zipmap_length(struct bytes *out, size_t len)
{
    if (len < 254) {
        bytes_append_char(out, (char)len);
        return;
    }
    bytes_append_char(out, '\xFE');
    put_le(out, len, 4);
}

static void zipmap_add(struct bytes *out, struct slice field, struct slice value, uint8_t unused)
{
    zipmap_length(out, field.len);
    bytes_append_slice(out, field);
    zipmap_length(out, value.len);
    bytes_append_char(out, (char)unused);
    bytes_append_slice(out, value);
    for (; unused > 0; unused--)
        bytes_append_char(out, '?');
}

// ---- ziplists -----------------------------------------------------------------------------------

// Walks to the end, in memory of exactly this size.
static enum old_packed_step walk(struct slice bytes, size_t *count)
{
    struct ziplist_iter iter;
    struct lp_value value;
    enum old_packed_step step = OLD_PACKED_DAMAGED;
    char *copy = malloc(bytes.len + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy + 1, bytes.ptr, bytes.len);
    if (ziplist_iter_init(&iter, (struct slice){ .ptr = copy + 1, .len = bytes.len })) {
        do {
            step = ziplist_next(&iter, &value);
            if (step == OLD_PACKED_ENTRY && value.text.ptr)
                ck_assert(value.text.ptr > copy &&
                          value.text.ptr + value.text.len < copy + 1 + bytes.len);
        } while (step == OLD_PACKED_ENTRY);
    }
    *count = iter.count;
    free(copy);
    return step;
}

static const size_t lengths[] = { 0, 1, 63, 64, 246, 250, 251, 252, 300, 16383, 16384, 70000 };
#define LENGTHS (sizeof(lengths) / sizeof(*lengths))

static const struct {
    int64_t value;
    size_t len;
} integers[] = {
    { 0, 0 },         { 12, 0 },      { 0, 1 },         { 13, 1 },        { -1, 1 },
    { -128, 1 },      { 127, 1 },     { -32768, 2 },    { 32767, 2 },     { -1, 2 },
    { -8388608, 3 },  { 8388607, 3 }, { -1, 3 },        { 5, 3 },         { INT32_MIN, 4 },
    { INT32_MAX, 4 }, { -1, 4 },      { INT64_MIN, 8 }, { INT64_MAX, 8 }, { -1, 8 },
};
#define INTEGERS (sizeof(integers) / sizeof(*integers))

static char text[70000];

static void make_sample(struct ziplist *zl, bool wide)
{
    memset(text, 'x', sizeof(text));
    ziplist_begin(zl);
    zl->wide = wide;
    for (size_t i = 0; i < LENGTHS; i++)
        add_text(zl, (struct slice){ .ptr = text, .len = lengths[i] });
    for (size_t i = 0; i < INTEGERS; i++)
        add_integer(zl, integers[i].value, integers[i].len);
}

static void check_sample(struct slice bytes)
{
    struct ziplist_iter iter;
    struct lp_value value;
    ck_assert(ziplist_iter_init(&iter, bytes));
    for (size_t i = 0; i < LENGTHS; i++) {
        ck_assert_int_eq(ziplist_next(&iter, &value), OLD_PACKED_ENTRY);
        ck_assert_ptr_nonnull(value.text.ptr);
        ck_assert(slice_equal(value.text, (struct slice){ .ptr = text, .len = lengths[i] }));
    }
    for (size_t i = 0; i < INTEGERS; i++) {
        ck_assert_int_eq(ziplist_next(&iter, &value), OLD_PACKED_ENTRY);
        ck_assert_ptr_null(value.text.ptr);
        ck_assert_int_eq(value.integer, integers[i].value);
    }
    ck_assert_int_eq(ziplist_next(&iter, &value), OLD_PACKED_END);
}

START_TEST(ziplists_are_read)
{
    for (int wide = 0; wide < 2; wide++) {
        for (int known = 0; known < 2; known++) {
            struct ziplist zl;
            make_sample(&zl, wide);
            check_sample(ziplist_end(&zl, known ? zl.count : UINT16_MAX));
            bytes_release(&zl.bytes);
        }
    }
    struct ziplist empty;
    size_t count;
    ziplist_begin(&empty);
    ck_assert_int_eq(walk(ziplist_end(&empty, 0), &count), OLD_PACKED_END);
    ck_assert_uint_eq(count, 0);
    bytes_release(&empty.bytes);
}
END_TEST

static void make_small(struct ziplist *zl)
{
    memset(text, 'x', sizeof(text));
    ziplist_begin(zl);
    add_text(zl, SLICE("a text"));
    add_text(zl, (struct slice){ .ptr = text, .len = 260 });
    add_integer(zl, 5, 0);
    add_integer(zl, 70000, 3);
    add_integer(zl, INT64_MAX, 8);
}

START_TEST(cut_ziplists_are_refused)
{
    struct ziplist zl;
    size_t count;
    make_small(&zl);
    struct slice bytes = ziplist_end(&zl, zl.count);
    ck_assert_int_eq(walk(bytes, &count), OLD_PACKED_END);
    for (size_t len = 0; len < bytes.len; len++) {
        ck_assert_int_eq(walk((struct slice){ .ptr = bytes.ptr, .len = len }, &count),
                         OLD_PACKED_DAMAGED);
        // Even if it says that it is as short.
        if (len < 11)
            continue;
        struct bytes copy = { 0 };
        bytes_append(&copy, bytes.ptr, len);
        store_le32(copy.data, (uint32_t)len);
        ck_assert_int_eq(walk(bytes_slice(&copy), &count), OLD_PACKED_DAMAGED);
        copy.data[len - 1] = '\xFF';
        ck_assert_int_eq(walk(bytes_slice(&copy), &count), OLD_PACKED_DAMAGED);
        bytes_release(&copy);
    }
    bytes_release(&zl.bytes);
}
END_TEST

START_TEST(what_a_header_says_is_compared)
{
    static const size_t places[] = { 0, 4, 8 };
    struct ziplist zl;
    size_t count;
    make_small(&zl);
    struct slice bytes = ziplist_end(&zl, zl.count);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        for (int delta = -1; delta <= 1; delta += 2) {
            zl.bytes.data[places[i]] = (char)(zl.bytes.data[places[i]] + delta);
            ck_assert_int_eq(walk(bytes, &count), OLD_PACKED_DAMAGED);
            zl.bytes.data[places[i]] = (char)(zl.bytes.data[places[i]] - delta);
        }
    }
    // The size of the entry before the last one; encodings that do not exist.
    zl.bytes.data[zl.last] = (char)(zl.bytes.data[zl.last] + 1);
    ck_assert_int_eq(walk(bytes, &count), OLD_PACKED_DAMAGED);
    zl.bytes.data[zl.last] = (char)(zl.bytes.data[zl.last] - 1);
    for (int encoding = 0xC0; encoding <= 0xFF; encoding++) {
        zl.bytes.data[zl.last + 1] = (char)encoding;
        bool right = encoding == 0xE0;
        ck_assert_int_eq(walk(bytes, &count), right ? OLD_PACKED_END : OLD_PACKED_DAMAGED);
    }
    bytes_release(&zl.bytes);
}
END_TEST

START_TEST(damaged_ziplists_do_no_harm)
{
    struct ziplist zl;
    struct random random;
    size_t count;
    make_small(&zl);
    struct slice bytes = ziplist_end(&zl, zl.count);
    random_seed(&random, 8);
    for (int i = 0; i < 200000; i++) {
        struct bytes copy = { 0 };
        bytes_append_slice(&copy, bytes);
        for (uint64_t n = random_below(&random, 4) + 1; n > 0; n--)
            copy.data[random_below(&random, bytes.len)] = (char)random_next(&random);
        ck_assert_int_ne(walk(bytes_slice(&copy), &count), OLD_PACKED_ENTRY);
        ck_assert_uint_le(count, bytes.len / 2);
        bytes_release(&copy);
    }
    bytes_release(&zl.bytes);
}
END_TEST

// ---- zipmaps ------------------------------------------------------------------------------------

static enum old_packed_step walk_map(struct slice bytes, size_t *count)
{
    struct zipmap_iter iter;
    enum old_packed_step step = OLD_PACKED_DAMAGED;
    char *copy = malloc(bytes.len + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy + 1, bytes.ptr, bytes.len);
    if (zipmap_iter_init(&iter, (struct slice){ .ptr = copy + 1, .len = bytes.len })) {
        struct slice pair[2];
        do {
            step = zipmap_next(&iter, pair);
        } while (step == OLD_PACKED_ENTRY && pair[0].ptr > copy &&
                 pair[1].ptr + pair[1].len < copy + 1 + bytes.len);
    }
    *count = iter.count;
    free(copy);
    return step;
}

static void make_map(struct bytes *out, uint8_t count)
{
    bytes_append_char(out, (char)count);
    memset(text, 'y', sizeof(text));
    zipmap_add(out, SLICE("field"), SLICE("value"), 0);
    zipmap_add(out, SLICE(""), SLICE(""), 3);
    zipmap_add(out, (struct slice){ .ptr = text, .len = 253 },
               (struct slice){ .ptr = text, .len = 254 }, 2);
    bytes_append_char(out, '\xFF');
}

START_TEST(zipmaps_are_read)
{
    struct bytes bytes = { 0 };
    struct zipmap_iter iter;
    struct slice pair[2];
    size_t count;
    make_map(&bytes, 3);
    ck_assert(zipmap_iter_init(&iter, bytes_slice(&bytes)));
    ck_assert_int_eq(zipmap_next(&iter, pair), OLD_PACKED_ENTRY);
    ck_assert(slice_equal(pair[0], SLICE("field")) && slice_equal(pair[1], SLICE("value")));
    ck_assert_int_eq(zipmap_next(&iter, pair), OLD_PACKED_ENTRY);
    ck_assert_uint_eq(pair[0].len + pair[1].len, 0);
    ck_assert_int_eq(zipmap_next(&iter, pair), OLD_PACKED_ENTRY);
    ck_assert_uint_eq(pair[0].len, 253);
    ck_assert_uint_eq(pair[1].len, 254);
    ck_assert_int_eq(zipmap_next(&iter, pair), OLD_PACKED_END);
    bytes.data[0] = '\xFE';
    ck_assert_int_eq(walk_map(bytes_slice(&bytes), &count), OLD_PACKED_END);
    bytes.data[0] = 4;
    ck_assert_int_eq(walk_map(bytes_slice(&bytes), &count), OLD_PACKED_DAMAGED);
    bytes_release(&bytes);
}
END_TEST

START_TEST(cut_zipmaps_are_refused)
{
    struct bytes bytes = { 0 };
    size_t count;
    make_map(&bytes, 3);
    for (size_t len = 1; len < bytes.len; len++) {
        struct bytes copy = { 0 };
        bytes_append(&copy, bytes.data, len);
        ck_assert_int_eq(walk_map(bytes_slice(&copy), &count), OLD_PACKED_DAMAGED);
        copy.data[len - 1] = '\xFF';
        ck_assert_int_eq(walk_map(bytes_slice(&copy), &count), OLD_PACKED_DAMAGED);
        bytes_release(&copy);
    }
    bytes_release(&bytes);
}
END_TEST

START_TEST(damaged_zipmaps_do_no_harm)
{
    struct bytes bytes = { 0 };
    struct random random;
    size_t count;
    make_map(&bytes, 254);
    random_seed(&random, 9);
    for (int i = 0; i < 200000; i++) {
        struct bytes copy = { 0 };
        bytes_append_slice(&copy, bytes_slice(&bytes));
        for (uint64_t n = random_below(&random, 4) + 1; n > 0; n--)
            copy.data[random_below(&random, bytes.len)] = (char)random_next(&random);
        ck_assert_int_ne(walk_map(bytes_slice(&copy), &count), OLD_PACKED_ENTRY);
        ck_assert_uint_le(count, bytes.len / 3);
        bytes_release(&copy);
    }
    bytes_release(&bytes);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("old_packed");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, ziplists_are_read);
    tcase_add_test(tcase, cut_ziplists_are_refused);
    tcase_add_test(tcase, what_a_header_says_is_compared);
    tcase_add_test(tcase, damaged_ziplists_do_no_harm);
    tcase_add_test(tcase, zipmaps_are_read);
    tcase_add_test(tcase, cut_zipmaps_are_refused);
    tcase_add_test(tcase, damaged_zipmaps_do_no_harm);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

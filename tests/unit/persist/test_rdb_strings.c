// SPDX-License-Identifier: BSD-3-Clause
// Tests of the RDB format's primitives: what is written is read again, from sources of all sizes, and
// what is cut or damaged is refused where it is.
#include "base/crc64.h"
#include "base/memory.h"
#include "base/random.h"
#include "persist/rdb.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_writer.h"
#include "support/unit.h"

#include <errno.h>
#include <string.h>

// A file in memory that is read in parts.
struct tape {
    struct bytes bytes;
    size_t at;
    size_t part;      // bytes a read
    size_t fails_at;  // 0: never
};

static enum status tape_write(void *udata, struct slice bytes)
{
    struct tape *tape = udata;
    if (tape->fails_at && tape->bytes.len + bytes.len > tape->fails_at) {
        errno = ENOSPC;
        return STATUS_IO;
    }
    bytes_append_slice(&tape->bytes, bytes);
    return STATUS_OK;
}

static enum status tape_read(void *udata, char *into, size_t room, size_t *got)
{
    struct tape *tape = udata;
    size_t len = tape->bytes.len - tape->at;
    len = len < room ? len : room;
    len = tape->part && len > tape->part ? tape->part : len;
    memcpy(into, tape->bytes.data + tape->at, len);
    tape->at += len;
    *got = len;
    return STATUS_OK;
}

static const char *const texts[] = {
    "",       "0",          "-1",          "127",
    "128",    "-129",       "32768",       "-32769",
    "012",    "2147483647", "-2147483648", "2147483648",
    "a text", "1.5",        "+1",          "99999999999999999999"
};
#define TEXTS (sizeof(texts) / sizeof(*texts))

static const uint64_t lengths[] = { 0,      1,         63,         64,
                                    16383,  16384,     UINT32_MAX, (uint64_t)UINT32_MAX + 1,
                                    100000, UINT64_MAX };
#define LENGTHS (sizeof(lengths) / sizeof(*lengths))

static void write_samples(struct tape *tape, bool compress)
{
    struct rdb_writer w;
    rdb_writer_init(&w, tape_write, tape, compress, true);
    for (size_t i = 0; i < TEXTS; i++)
        rdb_write_string(&w, slice_of(texts[i]));
    for (size_t i = 0; i < LENGTHS; i++)
        rdb_write_length(&w, lengths[i]);
    rdb_write_double(&w, -0.5);
    rdb_write_integer(&w, INT64_MIN);
    rdb_write_le64(&w, rdb_writer_checksum(&w));
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
    rdb_writer_release(&w);
}

static void read_samples(struct rdb_reader *r)
{
    struct slice text;
    for (size_t i = 0; i < TEXTS; i++) {
        ck_assert(rdb_read_string(r, 100, &text));
        ck_assert(slice_equal(text, slice_of(texts[i])));
    }
    for (size_t i = 0; i < LENGTHS; i++) {
        uint64_t len;
        ck_assert(rdb_read_length(r, &len));
        ck_assert_uint_eq(len, lengths[i]);
    }
    double score;
    ck_assert(rdb_read_double(r, &score));
    ck_assert_double_eq(score, -0.5);
    ck_assert(rdb_read_string(r, 100, &text));
    ck_assert(slice_equal(text, SLICE("-9223372036854775808")));
    uint64_t expected = rdb_reader_checksum(r);
    uint64_t checksum;
    ck_assert(rdb_read_le64(r, &checksum));
    ck_assert_uint_eq(checksum, expected);
}

START_TEST(what_is_written_is_read)
{
    struct tape tape = { 0 };
    write_samples(&tape, true);
    for (tape.part = 1; tape.part < 20; tape.part++) {
        struct rdb_reader r;
        tape.at = 0;
        rdb_reader_init(&r, tape_read, &tape, tape.bytes.len, true);
        read_samples(&r);
        ck_assert_uint_eq(rdb_reader_offset(&r), tape.bytes.len);
        uint8_t byte;
        ck_assert(!rdb_read_byte(&r, &byte));
        rdb_reader_release(&r);
    }
    bytes_release(&tape.bytes);
}
END_TEST

// The forms that the specification gives.
START_TEST(forms_are_those_of_the_format)
{
    struct tape tape = { 0 };
    struct rdb_writer w;
    rdb_writer_init(&w, tape_write, &tape, true, false);
    rdb_write_string(&w, SLICE("-2"));
    rdb_write_string(&w, SLICE("300"));
    rdb_write_string(&w, SLICE("70000"));
    rdb_write_string(&w, SLICE("abc"));
    rdb_write_length(&w, 700);
    rdb_write_length(&w, 17000);
    rdb_write_string(&w, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
    static const char expected[] = "\xC0\xFE"
                                   "\xC1\x2C\x01"
                                   "\xC2\x70\x11\x01\x00"
                                   "\x03"
                                   "abc"
                                   "\x42\xBC"
                                   "\x80\x00\x00\x42\x68"
                                   "\xC3";
    ck_assert_uint_gt(tape.bytes.len, sizeof(expected) - 1);
    ck_assert_mem_eq(tape.bytes.data, expected, sizeof(expected) - 1);
    rdb_writer_release(&w);
    bytes_release(&tape.bytes);
}
END_TEST

// Strings around the buffers' sizes, compressible and not.
START_TEST(long_strings)
{
    static const size_t sizes[] = { 20,     21,     65535,  65600,   131071,
                                    131072, 131073, 131074, 1048577, 5000000 };
    struct random random;
    random_seed(&random, 5);
    for (int known = 0; known < 2; known++) {
        struct tape tape = { .part = 100000 };
        struct rdb_writer w;
        struct bytes text = { 0 };
        bytes_reserve(&text, 5000000);
        rdb_writer_init(&w, tape_write, &tape, true, true);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            for (size_t k = 0; k < sizes[i]; k++)
                text.data[k] = (char)(i % 2 ? random_next(&random) : k / 7);
            rdb_write_string(&w, (struct slice){ .ptr = text.data, .len = sizes[i] });
        }
        ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
        struct rdb_reader r;
        random_seed(&random, 5);
        rdb_reader_init(&r, tape_read, &tape, known ? tape.bytes.len : UINT64_MAX, true);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            struct slice out;
            for (size_t k = 0; k < sizes[i]; k++)
                text.data[k] = (char)(i % 2 ? random_next(&random) : k / 7);
            ck_assert(rdb_read_string(&r, 5000000, &out));
            ck_assert(slice_equal(out, (struct slice){ .ptr = text.data, .len = sizes[i] }));
        }
        ck_assert_uint_eq(rdb_reader_checksum(&r), rdb_writer_checksum(&w));
        random_seed(&random, 5);
        rdb_reader_release(&r);
        rdb_writer_release(&w);
        bytes_release(&text);
        bytes_release(&tape.bytes);
    }
}
END_TEST

START_TEST(cut_anywhere_is_refused)
{
    struct tape tape = { 0 };
    struct rdb_writer w;
    rdb_writer_init(&w, tape_write, &tape, true, false);
    rdb_write_string(&w, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
    for (size_t len = 0; len < tape.bytes.len; len++) {
        struct rdb_reader r;
        struct slice text;
        rdb_reader_init_memory(&r, (struct slice){ .ptr = tape.bytes.data, .len = len });
        ck_assert(!rdb_read_string(&r, 100, &text));
        ck_assert(r.failed);
        ck_assert_uint_le(r.error_offset, len);
        rdb_reader_release(&r);
    }
    rdb_writer_release(&w);
    bytes_release(&tape.bytes);
}
END_TEST

// Nothing is allocated on the word of a length.
START_TEST(lengths_are_not_believed)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        { "\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9 },
        { "\x80\x7F\xFF\xFF\xFF"
          "abc",
          8 },
        { "\xC3\x03\x81\x00\x00\x00\x7F\xFF\xFF\xFF\xFF"
          "abc",
          14 },
        { "\xC3\x81\x00\x00\x00\x7F\xFF\xFF\xFF\xFF\x05"
          "abc",
          14 },
        { "\xC4", 1 },
        { "\x82", 1 },
    };
    size_t before = mem_used();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rdb_reader r;
        struct slice text;
        rdb_reader_init_memory(&r, (struct slice){ .ptr = cases[i].bytes, .len = cases[i].len });
        ck_assert(!rdb_read_string(&r, SIZE_MAX, &text));
        ck_assert_uint_eq(mem_used(), before);
        rdb_reader_release(&r);
        rdb_reader_init_memory(&r, (struct slice){ .ptr = cases[i].bytes, .len = cases[i].len });
        ck_assert(rdb_skip_string(&r) != r.failed);
        ck_assert_uint_eq(mem_used(), before);
        rdb_reader_release(&r);
    }
}
END_TEST

START_TEST(counts_are_not_believed)
{
    struct rdb_reader r;
    uint64_t count;
    rdb_reader_init_memory(&r, SLICE("\x05"
                                     "abcde"));
    ck_assert(rdb_read_count(&r, 1, &count));
    ck_assert_uint_eq(count, 5);
    rdb_reader_init_memory(&r, SLICE("\x05"
                                     "abcde"));
    ck_assert(!rdb_read_count(&r, 2, &count));
    ck_assert(r.failed);
    rdb_reader_release(&r);
}
END_TEST

START_TEST(a_failure_sticks)
{
    struct tape tape = { .fails_at = 3 << 20 };
    struct rdb_writer w;
    rdb_writer_init(&w, tape_write, &tape, false, true);
    for (int i = 0; i < 1 << 20; i++)
        rdb_write_string(&w, SLICE("eight..."));
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_IO);
    ck_assert_int_eq(w.error, ENOSPC);
    tape.fails_at = 0;
    size_t len = tape.bytes.len;
    rdb_write_string(&w, SLICE("more"));
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_IO);
    ck_assert_uint_eq(tape.bytes.len, len);
    rdb_writer_release(&w);
    bytes_release(&tape.bytes);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rdb_strings");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, forms_are_those_of_the_format);
    tcase_add_test(tcase, long_strings);
    tcase_add_test(tcase, cut_anywhere_is_refused);
    tcase_add_test(tcase, lengths_are_not_believed);
    tcase_add_test(tcase, counts_are_not_believed);
    tcase_add_test(tcase, a_failure_sticks);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

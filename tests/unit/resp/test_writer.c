// SPDX-License-Identifier: BSD-3-Clause
// Tests of the typed writer: every function in both protocols, byte for byte.
#include "support/unit.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "resp/writer.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

// ---- a queue and what is in it ------------------------------------------------------------------

static struct outq_pool pool;
static struct outq out;

static void setup(void)
{
    outq_init(&out, &pool);
}

static void teardown(void)
{
    outq_clear(&out);
    outq_pool_release(&pool);
}

static struct resp_writer writer(uint8_t proto)
{
    return (struct resp_writer){ .out = &out, .proto = proto };
}

// Everything that waits in the queue, which is empty afterwards.
static struct bytes taken(void)
{
    struct bytes all = { 0 };
    while (out.bytes > 0) {
        struct iovec vectors[16];
        int count = outq_vectors(&out, vectors, COUNT(vectors));
        size_t len = 0;
        ck_assert_int_gt(count, 0);
        for (int i = 0; i < count; i++) {
            bytes_append(&all, vectors[i].iov_base, vectors[i].iov_len);
            len += vectors[i].iov_len;
        }
        outq_consume(&out, len);
    }
    return all;
}

static void assert_written(const char *want, size_t len)
{
    struct bytes all = taken();
    struct bytes shown = { 0 };
    struct bytes wanted = { 0 };
    bytes_append_quoted(&shown, bytes_slice(&all));
    bytes_append_quoted(&wanted, (struct slice){ .ptr = want, .len = len });
    bytes_append_char(&shown, '\0');
    bytes_append_char(&wanted, '\0');
    ck_assert_str_eq(shown.data, wanted.data);
    bytes_release(&all);
    bytes_release(&shown);
    bytes_release(&wanted);
}

#define ASSERT_WRITTEN(literal) assert_written(literal, sizeof(literal) - 1)

// Writes the same in both protocols: `call` uses w.
#define CHECK_BOTH(call, resp2, resp3)     \
    do {                                   \
        struct resp_writer w2 = writer(2); \
        struct resp_writer w3 = writer(3); \
        struct resp_writer *w = &w2;       \
        call;                              \
        ASSERT_WRITTEN(resp2);             \
        w = &w3;                           \
        call;                              \
        ASSERT_WRITTEN(resp3);             \
    } while (0)

#define CHECK_SAME(call, want) CHECK_BOTH(call, want, want)

// ---- one line -----------------------------------------------------------------------------------

START_TEST(test_simple)
{
    CHECK_SAME(resp_ok(w), "+OK\r\n");
    CHECK_SAME(resp_simple(w, SLICE("PONG")), "+PONG\r\n");
    CHECK_SAME(resp_simple(w, SLICE("")), "+\r\n");
    CHECK_SAME(resp_simple(w, (struct slice){ 0 }), "+\r\n");
}
END_TEST

START_TEST(test_error)
{
    CHECK_SAME(resp_error(w, SLICE("ERR syntax error")), "-ERR syntax error\r\n");
    CHECK_SAME(resp_error(w, SLICE("ERR a\r\nb\rc\nd\r\n")), "-ERR a  b c d  \r\n");
    CHECK_SAME(resp_error(w, SLICE("ERR got '\0'")), "-ERR got '\0'\r\n");
    CHECK_SAME(resp_error(w, (struct slice){ 0 }), "-\r\n");
}
END_TEST

START_TEST(test_int)
{
    CHECK_SAME(resp_int(w, 0), ":0\r\n");
    CHECK_SAME(resp_int(w, 9), ":9\r\n");
    CHECK_SAME(resp_int(w, 10), ":10\r\n");
    CHECK_SAME(resp_int(w, 99), ":99\r\n");
    CHECK_SAME(resp_int(w, 100), ":100\r\n");
    CHECK_SAME(resp_int(w, 999), ":999\r\n");
    CHECK_SAME(resp_int(w, 1000), ":1000\r\n");
    CHECK_SAME(resp_int(w, 1234567890), ":1234567890\r\n");
    CHECK_SAME(resp_int(w, INT64_MAX), ":9223372036854775807\r\n");
    CHECK_SAME(resp_int(w, -1), ":-1\r\n");
    CHECK_SAME(resp_int(w, -10), ":-10\r\n");
    CHECK_SAME(resp_int(w, INT64_MIN), ":-9223372036854775808\r\n");
}
END_TEST

// Against the base layer's digits, through all lengths up to five.
START_TEST(test_int_digits)
{
    struct resp_writer w = writer(2);
    for (int64_t value = 0; value < 12345; value++) {
        char want[1 + INT64_TEXT_MAX + 2] = ":";
        size_t len = 1 + (size_t)format_int64(want + 1, value);
        memcpy(want + len, "\r\n", 2);
        resp_int(&w, value);
        struct bytes all = taken();
        ck_assert_uint_eq(all.len, len + 2);
        ck_assert_mem_eq(all.data, want, all.len);
        bytes_release(&all);
    }
}
END_TEST

START_TEST(test_nulls_and_bools)
{
    CHECK_BOTH(resp_null(w), "$-1\r\n", "_\r\n");
    CHECK_BOTH(resp_null_array(w), "*-1\r\n", "_\r\n");
    CHECK_BOTH(resp_bool(w, true), ":1\r\n", "#t\r\n");
    CHECK_BOTH(resp_bool(w, false), ":0\r\n", "#f\r\n");
}
END_TEST

START_TEST(test_double)
{
    CHECK_BOTH(resp_double(w, 0), "$1\r\n0\r\n", ",0\r\n");
    CHECK_BOTH(resp_double(w, 3), "$1\r\n3\r\n", ",3\r\n");
    CHECK_BOTH(resp_double(w, 0.1), "$3\r\n0.1\r\n", ",0.1\r\n");
    CHECK_BOTH(resp_double(w, -1.5), "$4\r\n-1.5\r\n", ",-1.5\r\n");
    CHECK_BOTH(resp_double(w, (double)INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
    CHECK_BOTH(resp_double(w, -(double)INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    CHECK_BOTH(resp_double(w, (double)NAN), "$3\r\nnan\r\n", ",nan\r\n");
}
END_TEST

START_TEST(test_big_number)
{
    CHECK_BOTH(resp_big_number(w, SLICE("3492890328409238509324850943850943825024385")),
               "$43\r\n3492890328409238509324850943850943825024385\r\n",
               "(3492890328409238509324850943850943825024385\r\n");
}
END_TEST

// ---- strings ------------------------------------------------------------------------------------

START_TEST(test_bulk)
{
    CHECK_SAME(resp_bulk(w, "value", 5), "$5\r\nvalue\r\n");
    CHECK_SAME(resp_bulk(w, "", 0), "$0\r\n\r\n");
    CHECK_SAME(resp_bulk(w, NULL, 0), "$0\r\n\r\n");
    CHECK_SAME(resp_bulk(w, "\0\r\n\xff", 4), "$4\r\n\0\r\n\xff\r\n");
    CHECK_SAME(resp_bulk_slice(w, SLICE("0123456789")), "$10\r\n0123456789\r\n");
    CHECK_SAME(resp_bulk_slice(w, (struct slice){ 0 }), "$0\r\n\r\n");
    CHECK_SAME(resp_bulk_text(w, "text"), "$4\r\ntext\r\n");
    CHECK_SAME(resp_bulk_text(w, ""), "$0\r\n\r\n");
    CHECK_SAME(resp_bulk_int(w, 0), "$1\r\n0\r\n");
    CHECK_SAME(resp_bulk_int(w, -12345), "$6\r\n-12345\r\n");
    CHECK_SAME(resp_bulk_int(w, INT64_MIN), "$20\r\n-9223372036854775808\r\n");
}
END_TEST

START_TEST(test_bulk_printf)
{
    CHECK_SAME(resp_bulk_printf(w, "%s=%d", "a", 7), "$3\r\na=7\r\n");
    CHECK_SAME(resp_bulk_printf(w, "%s", ""), "$0\r\n\r\n");
    struct resp_writer w = writer(2);
    resp_bulk_printf(&w, "%05000d", 1);
    struct bytes all = taken();
    ck_assert_uint_eq(all.len, strlen("$5000\r\n") + 5000 + 2);
    ck_assert_mem_eq(all.data, "$5000\r\n00", 9);
    ck_assert_mem_eq(all.data + all.len - 4, "01\r\n", 4);
    bytes_release(&all);
}
END_TEST

START_TEST(test_verbatim)
{
    CHECK_BOTH(resp_verbatim(w, "txt", SLICE("Some string")), "$11\r\nSome string\r\n",
               "=15\r\ntxt:Some string\r\n");
    CHECK_BOTH(resp_verbatim(w, "mkd", SLICE("")), "$0\r\n\r\n", "=4\r\nmkd:\r\n");
    CHECK_BOTH(resp_verbatim(w, "mkd", (struct slice){ 0 }), "$0\r\n\r\n", "=4\r\nmkd:\r\n");
}
END_TEST

START_TEST(test_raw)
{
    CHECK_SAME(resp_raw(w, "+PONG\r\n:1\r\n", 11), "+PONG\r\n:1\r\n");
    CHECK_SAME(resp_raw(w, NULL, 0), "");
}
END_TEST

// Around what is written in one piece, the size of a chunk, and well beyond.
static const size_t bulk_sizes[] = { 1,
                                     9,
                                     10,
                                     99,
                                     100,
                                     999,
                                     1000,
                                     1023,
                                     1024,
                                     1025,
                                     9999,
                                     10000,
                                     OUTQ_CHUNK_BYTES - 10,
                                     OUTQ_CHUNK_BYTES - 1,
                                     OUTQ_CHUNK_BYTES,
                                     OUTQ_CHUNK_BYTES + 1,
                                     3 * OUTQ_CHUNK_BYTES,
                                     1000000 };

// Three in a row, so that they begin at different places of a chunk.
START_TEST(test_bulk_sizes)
{
    size_t len = bulk_sizes[_i];
    char *payload = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        payload[i] = (char)(i * 31);
    struct bytes want = { 0 };
    struct resp_writer w = writer(3);
    for (int i = 0; i < 3; i++) {
        struct slice slice = { .ptr = payload, .len = len };
        bytes_printf(&want, "$%zu\r\n", len);
        bytes_append(&want, payload, len);
        bytes_printf(&want, "\r\n=%zu\r\ntxt:", len + 4);
        bytes_append(&want, payload, len);
        bytes_append_text(&want, "\r\n");
        resp_bulk_slice(&w, slice);
        resp_verbatim(&w, "txt", slice);
    }
    ck_assert_uint_eq(out.bytes, want.len);
    struct bytes all = taken();
    ck_assert_uint_eq(all.len, want.len);
    ck_assert_mem_eq(all.data, want.data, want.len);
    bytes_release(&all);
    bytes_release(&want);
    mem_free(payload, len);
}
END_TEST

// Thousands of small replies over many chunks: none is torn, little room is lost.
START_TEST(test_many_small_replies)
{
    struct resp_writer w = writer(2);
    struct bytes want = { 0 };
    for (int i = 0; i < 20000; i++) {
        resp_bulk(&w, "0123456789abcdefghijklmnopqrstuv", (size_t)i % 33);
        bytes_printf(&want, "$%d\r\n%.*s\r\n", i % 33, i % 33, "0123456789abcdefghijklmnopqrstuv");
    }
    ck_assert_uint_eq(out.bytes, want.len);
    ck_assert_uint_le(outq_memory(&out), want.len + want.len / 50 + 2 * 16384);
    struct bytes all = taken();
    ck_assert_mem_eq(all.data, want.data, want.len);
    bytes_release(&all);
    bytes_release(&want);
}
END_TEST

static void count_release(void *owner)
{
    ++*(int *)owner;
}

START_TEST(test_bulk_ref)
{
    static const char value[] = "sent from where it lies";
    struct resp_writer w = writer(2);
    int released = 0;
    resp_ok(&w);
    resp_bulk_ref(&w, value, strlen(value), count_release, &released);
    resp_ok(&w);
    struct iovec vectors[4];
    ck_assert_int_eq(outq_vectors(&out, vectors, 4), 3);
    ck_assert_ptr_eq(vectors[1].iov_base, value);
    ck_assert_int_eq(released, 0);
    ASSERT_WRITTEN("+OK\r\n$23\r\nsent from where it lies\r\n+OK\r\n");
    ck_assert_int_eq(released, 1);

    resp_bulk_ref(&w, value, 0, count_release, &released);
    ASSERT_WRITTEN("$0\r\n\r\n");
    ck_assert_int_eq(released, 2);

    resp_bulk_ref(&w, value, strlen(value), count_release, &released);
    outq_clear(&out);
    ck_assert_int_eq(released, 3);
}
END_TEST

// Longer than one reference can be; nobody reads the bytes, which are not there.
START_TEST(test_bulk_ref_of_gigabytes)
{
    static const char first;
    const size_t len = ((size_t)5 << 30) + 7;
    struct resp_writer w = writer(2);
    int released = 0;
    resp_bulk_ref(&w, &first, len, count_release, &released);
    ck_assert_uint_eq(out.bytes, strlen("$5368709127\r\n") + len + 2);
    outq_consume(&out, strlen("$5368709127\r\n") + len - 1);
    ck_assert_int_eq(released, 0);
    outq_consume(&out, 1);
    ck_assert_int_eq(released, 1);
    ASSERT_WRITTEN("\r\n");
}
END_TEST

// ---- aggregates ---------------------------------------------------------------------------------

START_TEST(test_aggregates)
{
    CHECK_SAME(resp_array(w, 0), "*0\r\n");
    CHECK_SAME(resp_array(w, 3), "*3\r\n");
    CHECK_SAME(resp_array(w, 123456), "*123456\r\n");
    CHECK_BOTH(resp_map(w, 0), "*0\r\n", "%0\r\n");
    CHECK_BOTH(resp_map(w, 7), "*14\r\n", "%7\r\n");
    CHECK_BOTH(resp_set(w, 2), "*2\r\n", "~2\r\n");
    CHECK_BOTH(resp_push(w, 3), "*3\r\n", ">3\r\n");
    struct resp_writer w3 = writer(3);
    resp_attribute(&w3, 1);
    ASSERT_WRITTEN("|1\r\n");
}
END_TEST

static void write_nested(struct resp_writer *w)
{
    struct resp_deferred outer, inner;
    resp_int(w, 1);
    resp_deferred_begin(w, &outer);
    resp_bulk_text(w, "key");
    resp_deferred_begin(w, &inner);
    resp_null(w);
    resp_bool(w, true);
    resp_deferred_end(w, &inner, resp_set, 2);
    resp_deferred_begin(w, &inner);
    resp_deferred_end(w, &inner, resp_array, 0);
    resp_deferred_end(w, &outer, resp_map, 1);
    resp_ok(w);
}

START_TEST(test_deferred)
{
    CHECK_BOTH(write_nested(w), ":1\r\n*2\r\n$3\r\nkey\r\n*2\r\n$-1\r\n:1\r\n*0\r\n+OK\r\n",
               ":1\r\n%1\r\n$3\r\nkey\r\n~2\r\n_\r\n#t\r\n*0\r\n+OK\r\n");
}
END_TEST

// As SCAN does: the cursor, known last, stands before the keys.
static void write_cursor(struct resp_writer *w)
{
    struct resp_deferred keys;
    resp_deferred_begin(w, &keys);
    resp_bulk_text(w, "a");
    resp_bulk_text(w, "b");
    resp_deferred_header(w, &keys);
    resp_array(w, 2);
    resp_bulk_text(w, "17");
    resp_array(w, 2);
    resp_deferred_append(w, &keys);
    resp_ok(w);
}

START_TEST(test_deferred_in_two_steps)
{
    CHECK_SAME(write_cursor(w), "*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n+OK\r\n");
}
END_TEST

// Elements of every size behind their header, in a queue that is empty, or not.
START_TEST(test_deferred_sizes)
{
    size_t len = bulk_sizes[_i];
    char *payload = mem_alloc_zeroed(len);
    struct bytes want = { 0 };
    struct resp_writer w = writer(2);
    for (int i = 0; i < 4; i++) {
        struct resp_deferred deferred;
        resp_deferred_begin(&w, &deferred);
        for (int k = 0; k < i; k++)
            resp_bulk(&w, payload, len);
        resp_deferred_end(&w, &deferred, resp_push, (size_t)i);
        resp_ok(&w);
        bytes_printf(&want, "*%d\r\n", i);
        for (int k = 0; k < i; k++) {
            bytes_printf(&want, "$%zu\r\n", len);
            bytes_append(&want, payload, len);
            bytes_append_text(&want, "\r\n");
        }
        bytes_append_text(&want, "+OK\r\n");
    }
    ck_assert_uint_eq(out.bytes, want.len);
    struct bytes all = taken();
    ck_assert_uint_eq(all.len, want.len);
    ck_assert_mem_eq(all.data, want.data, want.len);
    bytes_release(&all);
    bytes_release(&want);
    mem_free(payload, len);
}
END_TEST

// Many small ones share chunks; a reference inside is released whether it was copied or not.
START_TEST(test_deferred_memory)
{
    static const char value[8192] = "value";
    struct resp_writer w = writer(2);
    int released = 0;
    for (int i = 0; i < 1000; i++) {
        struct resp_deferred deferred;
        resp_deferred_begin(&w, &deferred);
        resp_bulk_ref(&w, value, 5, count_release, &released);
        resp_deferred_end(&w, &deferred, resp_array, 1);
    }
    ck_assert_int_eq(released, 1000);
    ck_assert_uint_le(outq_memory(&out), out.bytes + (size_t)2 * 16384);
    outq_clear(&out);

    struct resp_deferred deferred;
    resp_deferred_begin(&w, &deferred);
    resp_bulk_ref(&w, value, sizeof value, count_release, &released);
    resp_deferred_end(&w, &deferred, resp_array, 1);
    ck_assert_int_eq(released, 1000);
    outq_clear(&out);
    ck_assert_int_eq(released, 1001);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("resp/writer");

    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_simple);
    tcase_add_test(tcase, test_error);
    tcase_add_test(tcase, test_int);
    tcase_add_test(tcase, test_int_digits);
    tcase_add_test(tcase, test_nulls_and_bools);
    tcase_add_test(tcase, test_double);
    tcase_add_test(tcase, test_big_number);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("strings");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_bulk);
    tcase_add_test(tcase, test_bulk_printf);
    tcase_add_test(tcase, test_verbatim);
    tcase_add_test(tcase, test_raw);
    tcase_add_loop_test(tcase, test_bulk_sizes, 0, COUNT(bulk_sizes));
    tcase_add_test(tcase, test_many_small_replies);
    tcase_add_test(tcase, test_bulk_ref);
    tcase_add_test(tcase, test_bulk_ref_of_gigabytes);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("aggregates");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_aggregates);
    tcase_add_test(tcase, test_deferred);
    tcase_add_test(tcase, test_deferred_in_two_steps);
    tcase_add_loop_test(tcase, test_deferred_sizes, 0, COUNT(bulk_sizes));
    tcase_add_test(tcase, test_deferred_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

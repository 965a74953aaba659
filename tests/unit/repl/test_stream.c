// SPDX-License-Identifier: BSD-3-Clause
// The replication stream against a flat model: what it keeps, and what queues get of it.
#include "repl/stream.h"

#include "base/memory.h"
#include "base/outq.h"
#include "base/random.h"
#include "support/unit.h"

#include <string.h>

#define MODEL_BYTES (4u << 20)
#define KEEP_BYTES  300000
#define BLOCK_BYTES 65536

static struct stream stream;
static struct outq_pool pool;
static char model[MODEL_BYTES];
static size_t used_before;
static struct random seeded;

static void set_up(void)
{
    used_before = mem_used();
    pool = (struct outq_pool){ 0 };
    random_seed(&seeded, 77);
    stream_init(&stream, 1000, KEEP_BYTES);
}

static void tear_down(void)
{
    stream_release(&stream);
    outq_pool_release(&pool);
    ck_assert_uint_eq(mem_used(), used_before);
}

// Offsets in the model begin with 1000, as the stream's do.
static void append(size_t len)
{
    size_t at = stream.end - 1000;
    ck_assert_uint_le(at + len, MODEL_BYTES);
    for (size_t i = 0; i < len; i++)
        model[at + i] = (char)random_below(&seeded, 256);
    stream_append(&stream, (struct slice){ .ptr = model + at, .len = len });
}

// All bytes of the queue are those of the model from `from` on; it is empty afterwards.
static void expect_queued(struct outq *q, uint64_t from)
{
    size_t at = from - 1000;
    ck_assert_uint_eq(q->bytes, stream.end - from);
    while (q->bytes) {
        struct iovec vectors[8];
        int count = outq_vectors(q, vectors, 8);
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            ck_assert_mem_eq(vectors[i].iov_base, model + at + len, vectors[i].iov_len);
            len += vectors[i].iov_len;
        }
        at += len;
        outq_consume(q, len);
    }
}

START_TEST(keeps_what_it_has_to_and_little_more)
{
    for (int i = 0; i < 400; i++) {
        append((size_t)random_below(&seeded, 20000));
        uint64_t kept = stream.end - stream.begin;
        ck_assert_uint_ge(kept, stream.end - 1000 < KEEP_BYTES ? stream.end - 1000 : KEEP_BYTES);
        ck_assert_uint_le(kept, KEEP_BYTES + BLOCK_BYTES);
        ck_assert(stream_has(&stream, stream.begin) && stream_has(&stream, stream.end));
        ck_assert(!stream_has(&stream, stream.begin - 1) && !stream_has(&stream, stream.end + 1));
    }
}
END_TEST

START_TEST(queues_get_the_bytes_from_any_offset)
{
    for (int i = 0; i < 300; i++) {
        append((size_t)random_below(&seeded, 13000));
        uint64_t kept = stream.end - stream.begin;
        uint64_t from = stream.begin + random_below(&seeded, kept + 1);
        struct outq q;
        outq_init(&q, &pool);
        stream_queue(&stream, from, &q);
        expect_queued(&q, from);
        outq_clear(&q);
    }
}
END_TEST

START_TEST(what_is_held_is_kept)
{
    append(1000);
    uint64_t from = stream.end;
    stream_hold(&stream, from);
    while (stream.end < 2000000)
        append(7777);
    ck_assert(stream_has(&stream, from));
    stream_set_keep(&stream, 1000);
    ck_assert(stream_has(&stream, from));
    stream_hold(&stream, UINT64_MAX);
    ck_assert_uint_le(stream.end - stream.begin, 1000 + BLOCK_BYTES);
}
END_TEST

START_TEST(a_slow_queue_keeps_what_the_stream_forgets)
{
    struct outq q;
    outq_init(&q, &pool);
    append(1000);
    uint64_t from = stream.begin;
    for (uint64_t queued = from; stream.end < 2000000; queued = stream.end) {
        append(7777);
        stream_queue(&stream, queued, &q);
    }
    ck_assert_uint_gt(stream.begin, from);
    expect_queued(&q, from);
    outq_clear(&q);
}
END_TEST

START_TEST(a_queue_that_is_behind_costs_little_beyond_the_bytes)
{
    struct outq q;
    outq_init(&q, &pool);
    for (uint64_t queued = stream.begin; stream.end < 3000000; queued = stream.end) {
        append(100);
        stream_queue(&stream, queued, &q);
    }
    ck_assert_uint_lt(outq_memory(&q), 3000000 / BLOCK_BYTES * 100 + 1000);
    outq_clear(&q);
}
END_TEST

START_TEST(a_smaller_limit_lets_go_at_once)
{
    append(299999);
    size_t before = stream_memory(&stream);
    stream_set_keep(&stream, 1);
    ck_assert_uint_lt(stream_memory(&stream), before / 3);
    ck_assert(stream_has(&stream, stream.end));
}
END_TEST

START_TEST(a_restart_forgets_everything)
{
    append(100000);
    stream_restart(&stream, 7);
    ck_assert_uint_eq(stream.begin, 7);
    ck_assert_uint_eq(stream.end, 7);
    ck_assert(stream_has(&stream, 7) && !stream_has(&stream, 6));
    stream_append(&stream, SLICE("abc"));
    ck_assert_uint_eq(stream.end, 10);
    struct outq q;
    outq_init(&q, &pool);
    stream_queue(&stream, 8, &q);
    struct iovec vector;
    ck_assert_int_eq(outq_vectors(&q, &vector, 1), 1);
    ck_assert_uint_eq(vector.iov_len, 2);
    ck_assert_mem_eq(vector.iov_base, "bc", 2);
    outq_clear(&q);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("stream");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, keeps_what_it_has_to_and_little_more);
    tcase_add_test(all, queues_get_the_bytes_from_any_offset);
    tcase_add_test(all, what_is_held_is_kept);
    tcase_add_test(all, a_slow_queue_keeps_what_the_stream_forgets);
    tcase_add_test(all, a_queue_that_is_behind_costs_little_beyond_the_bytes);
    tcase_add_test(all, a_smaller_limit_lets_go_at_once);
    tcase_add_test(all, a_restart_forgets_everything);
    suite_add_tcase(suite, all);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

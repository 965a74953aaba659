// SPDX-License-Identifier: BSD-3-Clause
// Tests of the output queue against a flat model, and of its pool.
#include "base/outq.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_MAX   400000
#define VECTORS_MAX 64
#define QUEUES      2

static struct outq_pool pool;
static size_t used_before;
static int released;

static void count_release(void *owner)
{
    released++;
    *(int *)owner += 1;
}

static void set_up(void)
{
    used_before = mem_used();
    pool = (struct outq_pool){ 0 };
    released = 0;
}

// Whatever a test did: when its queues are cleared, the pool's blocks are all that is left.
static void tear_down(void)
{
    ck_assert_uint_eq(mem_used() - used_before,
                      pool.free_count * mem_good_size(16384) +
                          pool.free_reference_count * mem_good_size(sizeof(struct outq_chunk)));
    outq_pool_release(&pool);
    ck_assert_uint_eq(pool.free_count, 0);
    ck_assert_uint_eq(pool.free_reference_count, 0);
    ck_assert_uint_eq(mem_used(), used_before);
}

// Copies what waits, by vectors, and returns how much it is.
static size_t gather(const struct outq *q, char *out, size_t max)
{
    static struct iovec vectors[VECTORS_MAX];
    size_t len = 0;
    int count = outq_vectors(q, vectors, VECTORS_MAX);
    for (int i = 0; i < count; i++) {
        ck_assert_uint_gt(vectors[i].iov_len, 0);
        ck_assert_uint_le(len + vectors[i].iov_len, max);
        memcpy(out + len, vectors[i].iov_base, vectors[i].iov_len);
        len += vectors[i].iov_len;
    }
    return len;
}

static void assert_waiting(const struct outq *q, const char *data, size_t len)
{
    static char got[MODEL_MAX];
    ck_assert_uint_eq(q->bytes, len);
    size_t gathered = gather(q, got, sizeof got);
    ck_assert_uint_le(gathered, len);
    // With few vectors not all need fit.
    ck_assert(gathered == len || gathered >= VECTORS_MAX);
    ck_assert_int_eq(memcmp(got, data, gathered), 0);
}

START_TEST(an_empty_queue)
{
    struct outq q;
    struct iovec vector;
    outq_init(&q, &pool);
    ck_assert_uint_eq(q.bytes, 0);
    ck_assert_uint_eq(outq_memory(&q), 0);
    ck_assert_int_eq(outq_vectors(&q, &vector, 1), 0);
    outq_consume(&q, 0);
    outq_append(&q, NULL, 0);
    ck_assert_ptr_null(q.head);
    outq_clear(&q);
}
END_TEST

START_TEST(a_chunk_fills_its_class)
{
#ifndef __SANITIZE_ADDRESS__
    ck_assert_uint_eq(mem_good_size(sizeof(struct outq_chunk) + OUTQ_CHUNK_BYTES), 16384);
#endif
    struct outq q;
    outq_init(&q, &pool);
    outq_append(&q, "x", 1);
    ck_assert_uint_eq(outq_memory(&q), 16384);
    ck_assert_uint_eq(mem_used() - used_before, 16384);
    outq_consume(&q, 1);
    ck_assert_uint_eq(outq_memory(&q), 0);
    ck_assert_ptr_null(q.head);
    ck_assert_uint_eq(pool.free_count, 1);
}
END_TEST

START_TEST(reserve_and_commit)
{
    struct outq q;
    outq_init(&q, &pool);
    memcpy(outq_reserve(&q, 100), "hello", 5);
    ck_assert_uint_eq(q.bytes, 0);
    struct iovec vector;
    ck_assert_int_eq(outq_vectors(&q, &vector, 1), 0);
    outq_commit(&q, 5);
    char *room = outq_reserve(&q, OUTQ_CHUNK_BYTES - 5);
    ck_assert_ptr_eq(room, q.head->room + 5);
    memcpy(room, " world", 6);
    outq_commit(&q, 6);
    assert_waiting(&q, "hello world", 11);
    // One more than the chunk still has.
    outq_reserve(&q, OUTQ_CHUNK_BYTES - 10);
    ck_assert_ptr_ne(q.head, q.tail);
    outq_commit(&q, 0);
    assert_waiting(&q, "hello world", 11);
    outq_consume(&q, 11);
    ck_assert_ptr_null(q.head);
}
END_TEST

START_TEST(a_reserve_without_commit_is_harmless)
{
    struct outq q;
    outq_init(&q, &pool);
    outq_reserve(&q, 10);
    outq_reserve(&q, 100000);
    outq_reserve(&q, 200000);
    outq_append(&q, "abc", 3);
    assert_waiting(&q, "abc", 3);
    outq_consume(&q, 2);
    assert_waiting(&q, "c", 1);
    outq_reserve(&q, 300000);
    outq_clear(&q);
    ck_assert_uint_eq(outq_memory(&q), 0);
}
END_TEST

START_TEST(a_large_reserve_has_its_own_chunk)
{
    struct outq q;
    outq_init(&q, &pool);
    char *room = outq_reserve(&q, OUTQ_CHUNK_BYTES + 1);
    memset(room, 'r', OUTQ_CHUNK_BYTES + 1);
    outq_commit(&q, OUTQ_CHUNK_BYTES + 1);
    ck_assert_uint_eq(q.bytes, OUTQ_CHUNK_BYTES + 1);
    ck_assert_uint_eq(outq_memory(&q), sizeof(struct outq_chunk) + OUTQ_CHUNK_BYTES + 1);
    outq_consume(&q, OUTQ_CHUNK_BYTES + 1);
    ck_assert_uint_eq(pool.free_count, 0);
}
END_TEST

START_TEST(appending_fills_the_tail_first)
{
    static char data[100000];
    memset(data, 'd', sizeof data);
    struct outq q;
    struct iovec vectors[4];
    outq_init(&q, &pool);
    outq_append(&q, data, 1000);
    outq_append(&q, data, sizeof data);
    ck_assert_int_eq(outq_vectors(&q, vectors, 4), 2);
    ck_assert_uint_eq(vectors[0].iov_len, OUTQ_CHUNK_BYTES);
    ck_assert_uint_eq(vectors[1].iov_len, sizeof data + 1000 - OUTQ_CHUNK_BYTES);
    ck_assert_int_eq(outq_vectors(&q, vectors, 1), 1);
    ck_assert_int_eq(outq_vectors(&q, vectors, 0), 0);
    outq_clear(&q);
    ck_assert_uint_eq(q.bytes, 0);
    ck_assert_uint_eq(pool.free_count, 1);
}
END_TEST

START_TEST(references_are_released_once)
{
    static char value[50000];
    memset(value, 'v', sizeof value);
    struct outq q;
    int owner = 0;
    outq_init(&q, &pool);
    outq_append(&q, "$50000\r\n", 8);
    outq_append_ref(&q, value, sizeof value, count_release, &owner);
    outq_append(&q, "\r\n", 2);
    ck_assert_uint_eq(q.bytes, 50010);
    ck_assert_uint_lt(outq_memory(&q), sizeof value);
    struct iovec vectors[4];
    ck_assert_int_eq(outq_vectors(&q, vectors, 4), 3);
    ck_assert_ptr_eq(vectors[1].iov_base, value);
    outq_consume(&q, 8 + 49999);
    ck_assert_int_eq(owner, 0);
    outq_consume(&q, 1);
    ck_assert_int_eq(owner, 1);
    outq_consume(&q, 2);
    ck_assert_int_eq(owner, 1);
    // Dropped, and empty.
    outq_append_ref(&q, value, 1, count_release, &owner);
    outq_clear(&q);
    ck_assert_int_eq(owner, 2);
    outq_append_ref(&q, value, 0, count_release, &owner);
    ck_assert_int_eq(owner, 3);
    ck_assert_ptr_null(q.head);
}
END_TEST

START_TEST(nothing_is_written_behind_a_reference)
{
    static char value[10] = "0123456789";
    struct outq q;
    int owner = 0;
    outq_init(&q, &pool);
    outq_append_ref(&q, value, 10, count_release, &owner);
    char *room = outq_reserve(&q, 1);
    ck_assert(room < value || room >= value + 10);
    room[0] = '!';
    outq_commit(&q, 1);
    assert_waiting(&q, "0123456789!", 11);
    outq_clear(&q);
}
END_TEST

START_TEST(splicing)
{
    struct outq to;
    struct outq from;
    outq_init(&to, &pool);
    outq_init(&from, &pool);
    outq_splice(&to, &from);
    ck_assert_ptr_null(to.head);
    outq_append(&from, "one", 3);
    outq_splice(&to, &from);
    assert_waiting(&to, "one", 3);
    assert_waiting(&from, "", 0);
    outq_append(&from, "two", 3);
    outq_splice(&to, &from);
    outq_splice(&to, &from);
    assert_waiting(&to, "onetwo", 6);
    // Both are usable.
    outq_append(&from, "new", 3);
    outq_append(&to, "three", 5);
    assert_waiting(&to, "onetwothree", 11);
    assert_waiting(&from, "new", 3);
    ck_assert_uint_eq(outq_memory(&to), 2 * 16384);
    ck_assert_uint_eq(outq_memory(&from), 16384);
    outq_clear(&to);
    outq_clear(&from);
}
END_TEST

START_TEST(the_pool_is_used_and_bounded)
{
    struct outq q;
    outq_init(&q, &pool);
    outq_append(&q, "x", 1);
    const struct outq_chunk *chunk = q.head;
    outq_clear(&q);
    outq_append(&q, "y", 1);
    ck_assert_ptr_eq(q.head, chunk);
    outq_clear(&q);
    for (int i = 0; i < 3000; i++) {
        outq_reserve(&q, OUTQ_CHUNK_BYTES)[0] = 'c';
        outq_commit(&q, OUTQ_CHUNK_BYTES);
    }
    outq_clear(&q);
    ck_assert_uint_eq(pool.free_count, 1024);
}
END_TEST

// A block that holds this text.
static struct outq_block *block_of(const char *text, size_t cap)
{
    struct outq_block *block = outq_block_new(cap);
    if (!block)
        abort();
    memcpy(block->room, text, strlen(text));
    block->len = (uint32_t)strlen(text);
    return block;
}

START_TEST(neighbouring_bytes_of_a_block_are_one_reference)
{
    struct outq q;
    struct iovec vectors[4];
    struct outq_block *block = block_of("0123456789", 100);
    outq_init(&q, &pool);
    outq_append_shared(&q, block, 2, 0);
    ck_assert_ptr_null(q.head);
    outq_append_shared(&q, block, 0, 3);
    outq_append_shared(&q, block, 3, 4);
    ck_assert_int_eq(outq_vectors(&q, vectors, 4), 1);
    ck_assert_uint_eq(block->holders, 2);
    // A gap, the same again, and one behind that.
    outq_append_shared(&q, block, 8, 2);
    outq_append_shared(&q, block, 8, 2);
    ck_assert_int_eq(outq_vectors(&q, vectors, 4), 3);
    ck_assert_uint_eq(block->holders, 4);
    assert_waiting(&q, "01234568989", 11);
    ck_assert_uint_eq(q.shared_bytes, 11);
    ck_assert_uint_eq(outq_memory(&q), 3 * sizeof(struct outq_chunk));
    // Half sent, a reference goes on growing.
    outq_consume(&q, 10);
    ck_assert_uint_eq(block->holders, 2);
    memcpy(block->room + 10, "abc", 3);
    block->len += 3;
    outq_append_shared(&q, block, 10, 3);
    assert_waiting(&q, "9abc", 4);
    ck_assert_uint_eq(q.shared_bytes, 4);
    ck_assert_uint_eq(block->holders, 2);
    outq_consume(&q, 4);
    ck_assert_uint_eq(q.shared_bytes, 0);
    ck_assert_uint_eq(block->holders, 1);
    outq_block_release(block);
    outq_block_release(NULL);
}
END_TEST

START_TEST(a_block_lives_as_long_as_its_last_reference)
{
    struct outq queues[3];
    struct outq_block *block = block_of("0123456789", 100000);
    size_t used = mem_used();
    for (int i = 0; i < 3; i++) {
        outq_init(&queues[i], &pool);
        outq_append_shared(&queues[i], block, 0, 10);
    }
    outq_block_release(block);
    outq_clear(&queues[0]);
    ck_assert_uint_eq(queues[0].shared_bytes, 0);
    outq_consume(&queues[2], 10);
    ck_assert_uint_ge(mem_used(), used);
    outq_consume(&queues[1], 9);
    assert_waiting(&queues[1], "9", 1);
    outq_consume(&queues[1], 1);
    ck_assert_uint_lt(mem_used(), used);
}
END_TEST

START_TEST(shared_bytes_are_copied_where_there_is_own_room)
{
    struct outq q;
    struct outq_block *block = block_of("0123456789", 100);
    outq_init(&q, &pool);
    outq_append(&q, "own:", 4);
    outq_append_shared(&q, block, 0, 10);
    ck_assert_uint_eq(block->holders, 1);
    ck_assert_uint_eq(q.shared_bytes, 0);
    assert_waiting(&q, "own:0123456789", 14);
    // No room for all of them: none are copied.
    outq_reserve(&q, OUTQ_CHUNK_BYTES - 20);
    outq_commit(&q, OUTQ_CHUNK_BYTES - 20);
    outq_append_shared(&q, block, 0, 10);
    ck_assert_uint_eq(block->holders, 2);
    ck_assert_uint_eq(q.shared_bytes, 10);
    outq_append(&q, "!", 1);
    ck_assert_uint_eq(outq_memory(&q), 2 * 16384 + sizeof(struct outq_chunk));
    outq_clear(&q);
    outq_block_release(block);
}
END_TEST

START_TEST(shared_references_are_spliced)
{
    struct outq to;
    struct outq from;
    struct outq_block *block = block_of("0123456789", 100);
    outq_init(&to, &pool);
    outq_init(&from, &pool);
    outq_append_shared(&from, block, 0, 4);
    outq_append_shared(&to, block, 0, 2);
    outq_splice(&to, &from);
    ck_assert_uint_eq(to.shared_bytes, 6);
    ck_assert_uint_eq(from.shared_bytes, 0);
    outq_append_shared(&to, block, 4, 2);
    assert_waiting(&to, "01012345", 8);
    ck_assert_uint_eq(block->holders, 3);
    outq_clear(&to);
    outq_block_release(block);
}
END_TEST

START_TEST(references_come_from_the_pool)
{
    struct outq q;
    struct outq_block *block = block_of("01", 2);
    outq_init(&q, &pool);
    for (int round = 0; round < 3; round++) {
        size_t used = mem_used();
        for (int i = 0; i < 20000; i++)
            outq_append_shared(&q, block, (size_t)(i % 2), 1);
        // Those that follow one another merged.
        ck_assert_uint_eq(outq_memory(&q), 10000 * sizeof(struct outq_chunk));
        ck_assert(round == 0 || mem_used() == used);
        outq_clear(&q);
        ck_assert_uint_eq(pool.free_reference_count, 10000);
    }
    for (int i = 0; i < 20000; i++)
        outq_append_shared(&q, block, 0, 1);
    outq_clear(&q);
    ck_assert_uint_eq(pool.free_reference_count, 16384);
    outq_block_release(block);
}
END_TEST

// What is used between two trims stays, and half of the rest goes each time.
START_TEST(a_trim_frees_what_nobody_needs)
{
    struct outq queues[8];
    int owner = 0;
    for (int i = 0; i < 8; i++)
        outq_init(&queues[i], &pool);
    for (int i = 0; i < 8; i++) {
        outq_append(&queues[i], "x", 1);
        outq_append_ref(&queues[i], "y", 1, count_release, &owner);
    }
    for (int i = 0; i < 8; i++)
        outq_clear(&queues[i]);
    outq_pool_trim(&pool);
    ck_assert_uint_eq(pool.free_count, 8);
    ck_assert_uint_eq(pool.free_reference_count, 8);
    for (int i = 0; i < 3; i++)
        outq_append(&queues[i], "x", 1);
    for (int i = 0; i < 3; i++)
        outq_clear(&queues[i]);
    outq_pool_trim(&pool);
    ck_assert_uint_eq(pool.free_count, 5);
    ck_assert_uint_eq(pool.free_reference_count, 4);
    for (int i = 0; i < 4; i++)
        outq_pool_trim(&pool);
    ck_assert_uint_eq(pool.free_count, 0);
    ck_assert_uint_eq(pool.free_reference_count, 0);
    outq_append(&queues[0], "x", 1);
    outq_clear(&queues[0]);
    ck_assert_uint_eq(pool.free_count, 1);
}
END_TEST

START_TEST(a_block_without_memory)
{
    mem_fail_after(0);
    ck_assert_ptr_null(outq_block_new(1000));
    mem_fail_never();
}
END_TEST

// One queue and the bytes that should wait in it.
struct model {
    struct outq q;
    char *data;
    size_t len;
};

static int references_made;
static struct outq_block *shared_block;

// Bytes in a block, often right behind the last ones.
static void append_shared(struct model *m, struct random *random, const char *data, size_t count)
{
    struct outq_block *block = shared_block;
    if (!block || block->cap - block->len < count) {
        outq_block_release(block);
        block = shared_block = outq_block_new(random_below(random, 2) ? 5000 : 100000);
    }
    if (block->holders == 1 && random_below(random, 2))
        block->len = 0;
    uint32_t at = block->len;
    memcpy(block->room + at, data, count);
    block->len += (uint32_t)count;
    outq_append_shared(&m->q, block, at, count);
}

static void step(struct model *models, struct random *random, const char *data, size_t data_len)
{
    static int owner;
    struct model *m = &models[random_below(random, QUEUES)];
    uint64_t choice = random_below(random, 10);
    size_t count = random_below(random, random_below(random, 8) ? 300 : data_len);
    size_t offset = random_below(random, data_len - count);
    if (choice >= 7 || m->len + count > MODEL_MAX / 2) {
        size_t gone = random_below(random, 4) ? random_below(random, m->len + 1) : m->len;
        outq_consume(&m->q, gone);
        memmove(m->data, m->data + gone, m->len - gone);
        m->len -= gone;
        return;
    }
    if (choice == 0) {
        struct model *from = &models[m == &models[0]];
        if (m->len + from->len > MODEL_MAX)
            return;
        outq_splice(&m->q, &from->q);
        memcpy(m->data + m->len, from->data, from->len);
        m->len += from->len;
        from->len = 0;
        return;
    }
    if (choice == 1) {
        outq_append_ref(&m->q, data + offset, count, count_release, &owner);
        references_made++;
    } else if (choice >= 4 && count <= 5000) {
        append_shared(m, random, data + offset, count);
    } else if (choice == 2) {
        memcpy(outq_reserve(&m->q, count + random_below(random, 1000)), data + offset, count);
        outq_commit(&m->q, count);
    } else {
        outq_append(&m->q, data + offset, count);
    }
    memcpy(m->data + m->len, data + offset, count);
    m->len += count;
}

START_TEST(random_operations_follow_a_model)
{
    static char data[40000];
    static char room[QUEUES][MODEL_MAX];
    struct model models[QUEUES];
    struct random random;
    random_seed(&random, (uint64_t)_i);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)random_next(&random);
    for (int i = 0; i < QUEUES; i++) {
        models[i].data = room[i];
        models[i].len = 0;
        outq_init(&models[i].q, &pool);
    }
    references_made = 0;
    shared_block = NULL;
    for (int i = 0; i < 5000; i++) {
        step(models, &random, data, sizeof data);
        if (i % 10 != 0)
            continue;
        for (int j = 0; j < QUEUES; j++)
            assert_waiting(&models[j].q, models[j].data, models[j].len);
    }
    for (int i = 0; i < QUEUES; i++) {
        outq_clear(&models[i].q);
        ck_assert_uint_eq(outq_memory(&models[i].q), 0);
        ck_assert_uint_eq(models[i].q.shared_bytes, 0);
    }
    ck_assert_uint_eq(shared_block->holders, 1);
    outq_block_release(shared_block);
    ck_assert_int_gt(references_made, 100);
    ck_assert_int_eq(released, references_made);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outq");
    TCase *queue = tcase_create("queue");
    tcase_add_checked_fixture(queue, set_up, tear_down);
    tcase_add_test(queue, an_empty_queue);
    tcase_add_test(queue, a_chunk_fills_its_class);
    tcase_add_test(queue, reserve_and_commit);
    tcase_add_test(queue, a_reserve_without_commit_is_harmless);
    tcase_add_test(queue, a_large_reserve_has_its_own_chunk);
    tcase_add_test(queue, appending_fills_the_tail_first);
    tcase_add_test(queue, references_are_released_once);
    tcase_add_test(queue, nothing_is_written_behind_a_reference);
    tcase_add_test(queue, splicing);
    tcase_add_test(queue, the_pool_is_used_and_bounded);
    tcase_add_test(queue, neighbouring_bytes_of_a_block_are_one_reference);
    tcase_add_test(queue, a_block_lives_as_long_as_its_last_reference);
    tcase_add_test(queue, shared_bytes_are_copied_where_there_is_own_room);
    tcase_add_test(queue, shared_references_are_spliced);
    tcase_add_test(queue, references_come_from_the_pool);
    tcase_add_test(queue, a_trim_frees_what_nobody_needs);
    tcase_add_test(queue, a_block_without_memory);
    suite_add_tcase(suite, queue);

    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 60);
    tcase_add_checked_fixture(model, set_up, tear_down);
    tcase_add_loop_test(model, random_operations_follow_a_model, 0, 5);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of blobs: room, references, growth, and what happens when there is no memory.
#include "types/blob.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/base/child.h"
#include "unit/store/expect.h"

#include <signal.h>
#include <string.h>

static size_t used_before;

static void set_up(void)
{
    used_before = mem_used();
}

static void tear_down(void)
{
    mem_fail_never();
    ck_assert_uint_eq(mem_used(), used_before);
}

// A blob with `len` bytes, each told by its place.
static struct blob *make_blob(size_t len)
{
    struct blob *blob = blob_new(len);
    for (size_t i = 0; i < len; i++)
        blob->data[i] = (char)(i * 7 + len);
    blob->len = len;
    return blob;
}

// Holds what make_blob(len) wrote.
static bool is_made(const struct blob *blob, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (blob->data[i] != (char)(i * 7 + len))
            return false;
    }
    return blob->len == len;
}

START_TEST(a_new_blob_has_room)
{
    for (size_t cap = 0; cap < 5000; cap += 1 + cap / 64) {
        struct blob *blob = blob_try_new(cap);
        EXPECT(blob != NULL);
        EXPECT(blob->len == 0);
        EXPECT(blob->refs == 1);
        EXPECT(blob->cap >= cap);
        memset(blob->data, 'x', blob->cap);
        EXPECT(blob_memory(blob) == mem_used() - used_before);
        EXPECT(blob_memory(blob) >= sizeof(*blob) + blob->cap);
        blob_release(blob);
    }
}
END_TEST

// No byte that the allocator hands out is lost.
START_TEST(the_room_is_what_the_allocator_gives)
{
    for (size_t cap = 0; cap < 5000; cap += 13) {
        struct blob *blob = blob_new(cap);
        EXPECT(sizeof(*blob) + blob->cap == mem_good_size(sizeof(*blob) + cap));
        blob_release(blob);
    }
}
END_TEST

START_TEST(the_last_reference_frees)
{
    struct blob *blob = make_blob(1000);
    size_t used = mem_used();
    blob_retain(blob);
    blob_retain(blob);
    ck_assert_uint_eq(blob->refs, 3);
    blob_release(blob);
    blob_release(blob);
    ck_assert_uint_eq(blob->refs, 1);
    ck_assert_uint_eq(mem_used(), used);
    ck_assert(is_made(blob, 1000));
    blob_release(blob);
    ck_assert_uint_lt(mem_used(), used);
}
END_TEST

START_TEST(owning_what_one_owns_changes_nothing)
{
    struct blob *blob = make_blob(100);
    ck_assert_ptr_eq(blob_try_own(blob, 100), blob);
    ck_assert_ptr_eq(blob_try_own(blob, blob->cap), blob);
    ck_assert(is_made(blob, 100));
    ck_assert_uint_eq(blob->refs, 1);
    blob_release(blob);
}
END_TEST

START_TEST(owning_makes_room)
{
    struct blob *blob = make_blob(100);
    for (size_t cap = 100; cap < 3000000; cap += cap / 3) {
        blob = blob_try_own(blob, cap);
        ck_assert_ptr_nonnull(blob);
        ck_assert_uint_ge(blob->cap, cap);
        ck_assert_uint_eq(blob->refs, 1);
        ck_assert(is_made(blob, 100));
        memset(blob->data + 100, 'x', blob->cap - 100);
        ck_assert_uint_eq(blob_memory(blob), mem_used() - used_before);
    }
    blob_release(blob);
}
END_TEST

START_TEST(owning_a_shared_blob_copies_it)
{
    struct blob *shared = make_blob(500);
    blob_retain(shared);
    struct blob *own = blob_try_own(shared, 500);
    ck_assert_ptr_ne(own, shared);
    ck_assert_uint_eq(own->refs, 1);
    ck_assert_uint_eq(shared->refs, 1);
    ck_assert(is_made(own, 500));
    memset(own->data, 'x', own->cap);
    ck_assert(is_made(shared, 500));

    blob_retain(shared);
    struct blob *large = blob_try_own(shared, 100000);
    ck_assert_ptr_ne(large, shared);
    ck_assert_uint_ge(large->cap, 100000);
    ck_assert(is_made(large, 500));
    blob_release(shared);
    ck_assert(is_made(large, 500));
    blob_release(own);
    blob_release(large);
}
END_TEST

START_TEST(no_memory_for_a_new_one)
{
    mem_fail_after(0);
    ck_assert_ptr_null(blob_try_new(10));
    ck_assert_ptr_null(blob_try_new(1u << 20));
}
END_TEST

START_TEST(no_memory_to_grow)
{
    struct blob *blob = make_blob(100);
    size_t cap = blob->cap;
    mem_fail_after(0);
    ck_assert_ptr_null(blob_try_own(blob, cap + 1));
    ck_assert_uint_eq(blob->cap, cap);
    ck_assert_uint_eq(blob->refs, 1);
    ck_assert(is_made(blob, 100));
    // What needs no memory goes on.
    ck_assert_ptr_eq(blob_try_own(blob, cap), blob);
    blob_release(blob);
}
END_TEST

START_TEST(no_memory_to_copy)
{
    struct blob *blob = make_blob(100);
    blob_retain(blob);
    mem_fail_after(0);
    ck_assert_ptr_null(blob_try_own(blob, 100));
    ck_assert_uint_eq(blob->refs, 2);
    ck_assert(is_made(blob, 100));
    blob_release(blob);
    blob_release(blob);
}
END_TEST

static void make_without_memory(void)
{
    mem_fail_after(0);
    blob_release(blob_new(12345));
}

START_TEST(no_memory_where_it_must_be)
{
    struct child child;
    child_run(&child, make_without_memory);
    ck_assert(WIFSIGNALED(child.status));
    ck_assert_int_eq(WTERMSIG(child.status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(child.output, "out of memory"));
    ck_assert_ptr_nonnull(strstr(child.output, "12345"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("blob");
    TCase *room = tcase_create("room and references");
    tcase_add_checked_fixture(room, set_up, tear_down);
    tcase_add_test(room, a_new_blob_has_room);
    tcase_add_test(room, the_room_is_what_the_allocator_gives);
    tcase_add_test(room, the_last_reference_frees);
    tcase_add_test(room, owning_what_one_owns_changes_nothing);
    tcase_add_test(room, owning_makes_room);
    tcase_add_test(room, owning_a_shared_blob_copies_it);
    suite_add_tcase(suite, room);

    TCase *memory = tcase_create("no memory");
    tcase_add_checked_fixture(memory, set_up, tear_down);
    tcase_add_test(memory, no_memory_for_a_new_one);
    tcase_add_test(memory, no_memory_to_grow);
    tcase_add_test(memory, no_memory_to_copy);
    tcase_add_test(memory, no_memory_where_it_must_be);
    suite_add_tcase(suite, memory);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

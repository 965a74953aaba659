// SPDX-License-Identifier: BSD-3-Clause
// Tests of the input arena.
#include "net/arena.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"

#include <string.h>

static struct arena arena;
static size_t used_before;

static void set_up(void)
{
    used_before = mem_used();
    arena_init(&arena);
}

static void tear_down(void)
{
    arena_release(&arena);
    ck_assert_uint_eq(mem_used(), used_before);
}

START_TEST(nothing_is_taken_until_it_is_taken)
{
    char *room = arena_room(&arena);
    ck_assert_ptr_nonnull(room);
    memset(room, 'a', ARENA_READ);
    ck_assert_ptr_eq(arena_room(&arena), room);
    arena_take(&arena, 0);
    ck_assert_ptr_eq(arena_room(&arena), room);
}
END_TEST

START_TEST(what_was_taken_stays_until_the_reset)
{
    char *first = arena_room(&arena);
    memset(first, 'a', 100);
    arena_take(&arena, 100);
    char *second = arena_room(&arena);
    ck_assert(second >= first + 100);
    memset(second, 'b', ARENA_READ);
    arena_take(&arena, ARENA_READ);
    char *third = arena_room(&arena);
    ck_assert(third >= second + ARENA_READ);
    memset(third, 'c', ARENA_READ);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(first[i], 'a');
    ck_assert_int_eq(second[0], 'b');
    ck_assert_int_eq(second[ARENA_READ - 1], 'b');
    arena_reset(&arena);
    ck_assert_ptr_eq(arena_room(&arena), first);
}
END_TEST

START_TEST(it_is_bounded)
{
    size_t reads = 0;
    char *room;
    while ((room = arena_room(&arena)) != NULL) {
        memset(room, 'x', ARENA_READ);
        arena_take(&arena, ARENA_READ);
        reads++;
    }
    ck_assert_uint_eq(reads, ARENA_BYTES / ARENA_READ);
    ck_assert_ptr_null(arena_room(&arena));
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_room(&arena));
}
END_TEST

// Room for a whole read is there or none is, whatever the reads before took.
START_TEST(room_is_always_for_a_whole_read)
{
    struct random random;
    random_seed(&random, 1);
    for (int round = 0; round < 50; round++) {
        size_t taken = 0;
        const char *end = arena.base;
        char *room;
        while ((room = arena_room(&arena)) != NULL) {
            size_t len = 1 + random_below(&random, round % 2 ? 200 : ARENA_READ);
            ck_assert(room >= end);
            memset(room, round, ARENA_READ);
            arena_take(&arena, len);
            end = room + len;
            taken += len;
        }
        ck_assert_uint_le(taken, ARENA_BYTES);
        arena_reset(&arena);
    }
}
END_TEST

#ifdef RESPITE_DEBUG
START_TEST(a_reset_overwrites)
{
    char *room = arena_room(&arena);
    memset(room, 'a', 1000);
    arena_take(&arena, 1000);
    arena_reset(&arena);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_int_ne(room[i], 'a');
}
END_TEST
#endif

static Suite *make_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, nothing_is_taken_until_it_is_taken);
    tcase_add_test(tcase, what_was_taken_stays_until_the_reset);
    tcase_add_test(tcase, it_is_bounded);
    tcase_add_test(tcase, room_is_always_for_a_whole_read);
#ifdef RESPITE_DEBUG
    tcase_add_test(tcase, a_reset_overwrites);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

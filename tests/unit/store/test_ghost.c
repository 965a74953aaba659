// SPDX-License-Identifier: BSD-3-Clause
// Tests of remembering evicted keys: the young are there, the old are not, false finds are rare.
#include "store/ghost.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#define ROOM 8000

static struct ghost ghost;
static struct random dice;
static uint64_t hashes[20 * ROOM];

static void set_up(void)
{
    ghost = (struct ghost){ 0 };
    random_seed(&dice, 4711);
    for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
        hashes[i] = random_next(&dice);
}

static void tear_down(void)
{
    ghost_release(&ghost);
}

static void add(size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        ghost_add(&ghost, hashes[i]);
}

static size_t found(size_t from, size_t count)
{
    size_t there = 0;
    for (size_t i = from; i < from + count; i++)
        there += ghost_has(&ghost, hashes[i]);
    return there;
}

START_TEST(without_room_nothing_is_there)
{
    add(0, 100);
    ck_assert_uint_eq(found(0, 100), 0);
    ghost_fit(&ghost, ROOM, 0);
    ck_assert_uint_eq(ghost.count, 0);
    ghost_fit(&ghost, 7, ROOM);
    ck_assert_uint_eq(ghost.count, 0);
}
END_TEST

START_TEST(the_youngest_are_there_and_the_oldest_not)
{
    ghost_fit(&ghost, ROOM, SIZE_MAX);
    ck_assert_uint_eq(found(0, 1000), 0);
    add(0, 10 * ROOM);
    ck_assert_uint_eq(found(10 * ROOM - 1, 1), 1);
    // A tenth of the room: a word would have to get eight where it gets 0.8 on average.
    ck_assert_uint_eq(found(10 * ROOM - ROOM / 10, ROOM / 10), ROOM / 10);
    // By chance one in 32.
    ck_assert_uint_lt(found(0, ROOM), ROOM / 20);
    ck_assert_uint_lt(found(10 * ROOM, 10 * ROOM), 10 * ROOM / 20);
}
END_TEST

START_TEST(it_fits_the_keys_and_the_bytes)
{
    size_t before = mem_used();
    ghost_fit(&ghost, ROOM, SIZE_MAX);
    ck_assert_uint_eq(ghost.count, ROOM / 8);
    add(0, 10);
    // Small changes change nothing, large ones forget.
    ghost_fit(&ghost, ROOM * 2, SIZE_MAX);
    ghost_fit(&ghost, ROOM / 2, SIZE_MAX);
    ck_assert_uint_eq(ghost.count, ROOM / 8);
    ck_assert_uint_eq(found(0, 10), 10);
    ghost_fit(&ghost, ROOM * 10, ROOM * 4);
    ck_assert_uint_eq(ghost.count, ROOM / 2);
    ck_assert_uint_eq(found(0, 10), 0);
    ghost_fit(&ghost, ROOM, SIZE_MAX);
    ck_assert_uint_eq(ghost.count, ROOM / 8);
    ghost_release(&ghost);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ghost");
    TCase *tcase = tcase_create("ghost");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, without_room_nothing_is_there);
    tcase_add_test(tcase, the_youngest_are_there_and_the_oldest_not);
    tcase_add_test(tcase, it_fits_the_keys_and_the_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

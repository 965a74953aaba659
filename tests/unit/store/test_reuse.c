// SPDX-License-Identifier: BSD-3-Clause
// Tests of what eviction learns: what holds before anything is learned, and that what is used more
// than the policy supposes stays longer.
#include "store/reuse.h"

#include "base/memory.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#define MINUTE_MS INT64_C(60000)
#define KEYS      1600

static struct reuse reuse;
static struct access_rules rules;
static struct random dice;

static void at_s(int64_t seconds)
{
    access_set_time(&rules, 1000 * MINUTE_MS + seconds * 1000);
}

static void set_up(void)
{
    rules = (struct access_rules){ .frequency = true, .factor = 10, .decay_min = 1 };
    random_seed(&dice, 4711);
    at_s(0);
    reuse_start(&reuse, false);
}

static void tear_down(void)
{
    reuse_stop(&reuse);
}

// So many evictions of a key with these bits, until it is learned from them.
static void evict_until_learned(uint32_t access, size_t ghost_max_bytes)
{
    struct reuse_victim victim = { .access = access,
                                   .keys = KEYS,
                                   .ghost_max_bytes = ghost_max_bytes };
    unsigned evicted = 1;
    for (; !reuse_note_evicted(&reuse, &rules, &victim); evicted++)
        victim.hash = random_next(&dice);
    ck_assert_uint_le(evicted, KEYS / 8);
}

static void note(uint32_t access, unsigned looks, unsigned uses)
{
    for (unsigned i = 0; i < looks; i++)
        reuse_note_look(&reuse, &rules, access);
    for (unsigned i = 0; i < uses; i++)
        reuse_note_use(&reuse, &rules, access);
}

static bool goes_before(uint32_t first, uint32_t second)
{
    return reuse_score(&reuse, &rules, first) > reuse_score(&reuse, &rules, second);
}

static uint32_t used_times(unsigned uses)
{
    uint32_t access = access_new(&rules);
    for (unsigned i = 0; i < uses; i++)
        access = access_used(&rules, access, &dice);
    return access;
}

START_TEST(to_begin_with_the_least_counter_goes)
{
    rules.factor = 0;
    for (unsigned uses = 0; uses < 249; uses++) {
        EXPECT(goes_before(used_times(uses), used_times(uses + 1)));
        EXPECT(goes_before(used_times(uses), access_returned(used_times(uses + 1))));
    }
    ck_assert(goes_before(access_new(&rules), access_returned(access_new(&rules))));
    // Older ones first among equals, and what has decayed below what is new before all that has not.
    uint32_t old = used_times(10);
    rules.generation++;
    ck_assert(goes_before(old, used_times(10)));
    ck_assert(!goes_before(old, used_times(9)));
    at_s(3600);
    ck_assert(goes_before(old, access_new(&rules)));
    ck_assert_uint_lt(reuse_score(&reuse, &rules, 0), UINT64_MAX);
}
END_TEST

START_TEST(kinds_that_are_used_more_stay)
{
    uint32_t few = used_times(1);
    rules.factor = 0;
    uint32_t many = used_times(5);
    ck_assert(goes_before(few, many));
    note(few, 1000, 500);
    note(many, 1000, 5);
    evict_until_learned(access_new(&rules), 0);
    ck_assert(goes_before(many, few));
    // And the other way round, before long.
    for (unsigned i = 0; i < 5; i++) {
        note(few, 1000, 5);
        note(many, 1000, 500);
        evict_until_learned(access_new(&rules), 0);
    }
    ck_assert(goes_before(few, many));
}
END_TEST

START_TEST(evicted_keys_are_known_when_they_return)
{
    size_t before = mem_used();
    uint32_t fresh = access_new(&rules);
    evict_until_learned(fresh, SIZE_MAX);
    ck_assert_uint_gt(mem_used(), before);
    const struct reuse_victim victim = { .access = fresh, .hash = 4711, .keys = KEYS };
    ck_assert_uint_eq(reuse_arrival(&reuse, &rules, 4711, fresh), fresh);
    reuse_note_evicted(&reuse, &rules, &victim);
    ck_assert(access_is_returned(reuse_arrival(&reuse, &rules, 4711, fresh)));
    reuse_stop(&reuse);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(the_weight_of_unused_keys_follows_their_use)
{
    rules.frequency = false;
    uint32_t unused = access_new(&rules);
    uint32_t used = access_used(&rules, unused, &dice);
    at_s(100);
    // Used keys that are about to go are asked for, unused ones are not.
    for (unsigned i = 0; i < 100; i++) {
        note(unused, 1000, 1);
        note(used, 1000, 100);
        evict_until_learned(unused, 0);
    }
    ck_assert_uint_eq(reuse.unused_weight, 16 * 256);
    at_s(150);
    uint32_t young = access_new(&rules);
    at_s(159);
    // Idle for 9 s and 159 s: not yet.
    ck_assert(goes_before(used, young));
    at_s(161);
    ck_assert(goes_before(young, used));
    at_s(100);
    for (unsigned i = 0; i < 10; i++) {
        note(unused, 1000, 100);
        note(used, 1000, 1);
        evict_until_learned(unused, 0);
    }
    ck_assert_uint_eq(reuse.unused_weight, 256);
    at_s(161);
    ck_assert(goes_before(used, young));
}
END_TEST

START_TEST(keys_far_from_going_tell_nothing)
{
    rules.frequency = false;
    uint32_t unused = access_new(&rules);
    at_s(1000);
    for (unsigned i = 0; i < 50; i++)
        evict_until_learned(unused, 0);
    uint32_t before = reuse.unused_weight;
    uint32_t young = access_used(&rules, 0, &dice);
    at_s(1010);
    note(young, 1000, 1000);
    ck_assert_uint_eq(reuse.idle[true].uses + reuse.idle[true].looks, 0);
    evict_until_learned(unused, 0);
    ck_assert_uint_eq(reuse.unused_weight, before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reuse");
    TCase *tcase = tcase_create("reuse");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, to_begin_with_the_least_counter_goes);
    tcase_add_test(tcase, kinds_that_are_used_more_stay);
    tcase_add_test(tcase, evicted_keys_are_known_when_they_return);
    tcase_add_test(tcase, the_weight_of_unused_keys_follows_their_use);
    tcase_add_test(tcase, keys_far_from_going_tell_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

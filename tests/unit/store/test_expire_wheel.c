// SPDX-License-Identifier: BSD-3-Clause
// Tests of the expiry wheel: classes and what they stand for, and a key's life against a model clock.
#include "store/expire_wheel.h"

#include "base/random.h"
#include "expect.h"
#include "support/unit.h"

#include <stdbool.h>

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

// Some day in 2026; no multiple of anything.
#define SOME_TIME INT64_C(1781234567891)

static const int64_t distances[] = { 0,        1,        99,          100,       6300,     6400,
                                     6500,     409500,   409600,      409700,    26214300, 26214400,
                                     26214500, 19 * DAY, 20 * DAY,    400 * DAY, -1,       -100,
                                     -7000,    -DAY,     -1000 * DAY, 5000 * DAY };

#define DISTANCES (sizeof(distances) / sizeof(*distances))

static struct random dice;

static void set_up(void)
{
    random_seed(&dice, 71);
}

static int64_t random_time(int64_t end_ms)
{
    return (int64_t)random_below(&dice, (uint64_t)end_ms);
}

// In whichever direction the clock went. What is beyond the wheel is looked at when its parking slot
// comes: no base passes that.
static void expect_bound(int64_t due_ms, int64_t now_ms, int64_t base_ms)
{
    uint8_t class = wheel_class(due_ms, now_ms);
    EXPECT(class != WHEEL_NEVER);
    int64_t look_ms = wheel_look(due_ms, now_ms);
    EXPECT(look_ms <= due_ms);
    bool parks = due_ms > now_ms && (uint64_t)due_ms - (uint64_t)now_ms > 18 * DAY;
    if (parks && base_ms > look_ms)
        base_ms = look_ms;
    int64_t begins_ms = wheel_due(class, base_ms);
    EXPECT(begins_ms >= base_ms);
    EXPECT(begins_ms <= (due_ms > base_ms ? due_ms : base_ms));
}

// From any base that the key is not due before, its class is never taken for a later time.
START_TEST(a_class_is_never_late)
{
    for (size_t i = 0; i < DISTANCES; i++) {
        int64_t due_ms = SOME_TIME + distances[i];
        for (size_t k = 0; k < DISTANCES; k++) {
            expect_bound(due_ms, SOME_TIME, due_ms - (distances[k] > 0 ? distances[k] : 0));
            expect_bound(due_ms, SOME_TIME + distances[k], due_ms);
        }
    }
    for (int i = 0; i < 1000000; i++) {
        int64_t due_ms = SOME_TIME + random_time(40 * DAY);
        expect_bound(due_ms, due_ms - random_time(40 * DAY), due_ms - random_time(40 * DAY));
        expect_bound(due_ms, due_ms + random_time(40 * DAY), due_ms - random_time(40 * DAY));
    }
}
END_TEST

// Seen from where it was made, a class says when to within a slot of its level.
START_TEST(a_class_is_as_exact_as_its_level)
{
    static const struct {
        int64_t reach_ms;
        int64_t slot_ms;
    } levels[] = { { 6300, 100 },
                   { 403200, 6400 },
                   { 63 * 409600, 409600 },
                   { 62 * INT64_C(26214400), 26214400 } };
    for (int i = 0; i < 1000000; i++) {
        size_t level = random_below(&dice, 4);
        int64_t now_ms = SOME_TIME + random_time(DAY);
        int64_t due_ms = now_ms + random_time(levels[level].reach_ms);
        int64_t begins_ms = wheel_due(wheel_class(due_ms, now_ms), now_ms);
        EXPECT(begins_ms <= due_ms && due_ms - begins_ms < levels[level].slot_ms);
    }
}
END_TEST

START_TEST(every_class_is_used)
{
    bool used[256] = { false };
    for (int i = 0; i < 1000000; i++) {
        int64_t now_ms = SOME_TIME + random_time(60 * DAY);
        used[wheel_class(now_ms + (random_time(20 * DAY) >> random_below(&dice, 20)), now_ms)] =
            true;
    }
    ck_assert(!used[WHEEL_NEVER]);
    for (int i = 1; i < 256; i++)
        ck_assert_msg(used[i], "class %d", i);
}
END_TEST

START_TEST(the_ends_of_time)
{
    static const int64_t ends[] = { INT64_MIN, INT64_MIN + 1, -1,       0, 1,
                                    SOME_TIME, INT64_MAX - 1, INT64_MAX };
    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < 8; k++) {
            for (size_t l = 0; l <= i; l++)
                expect_bound(ends[i], ends[k], ends[l]);
        }
    }
}
END_TEST

// A key that lives alone: it is looked at when its class says so and gets a new one, until it is due.
// Returns how often that was.
static unsigned live(int64_t due_ms, int64_t now_ms)
{
    unsigned looks = 0;
    int64_t base_ms = now_ms;
    for (;;) {
        uint8_t class = wheel_class(due_ms, now_ms);
        int64_t next_ms = wheel_due(class, base_ms);
        EXPECT(next_ms <= due_ms);
        // Within the tick that it is due in, the sweep goes by what the key itself says.
        if (due_ms / WHEEL_TICK_MS == next_ms / WHEEL_TICK_MS)
            return looks;
        EXPECT(next_ms > now_ms);
        base_ms = now_ms = next_ms;
        looks++;
    }
}

START_TEST(a_key_is_looked_at_a_few_times_in_its_life)
{
    for (int i = 0; i < 200000; i++) {
        int64_t now_ms = SOME_TIME + random_time(DAY);
        EXPECT(live(now_ms + random_time(6000), now_ms) == 0);
        EXPECT(live(now_ms + random_time(400 * SECOND), now_ms) <= 1);
        EXPECT(live(now_ms + random_time(7 * HOUR), now_ms) <= 2);
        EXPECT(live(now_ms + random_time(18 * DAY), now_ms) <= 3);
        // Beyond the wheel: once more in 18 days.
        EXPECT(live(now_ms + random_time(1000 * DAY), now_ms) <= 3 + 1000 / 18 + 1);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("expire_wheel");
    TCase *wheel = tcase_create("wheel");
    tcase_add_checked_fixture(wheel, set_up, NULL);
    tcase_set_timeout(wheel, 60);
    tcase_add_test(wheel, a_class_is_never_late);
    tcase_add_test(wheel, a_class_is_as_exact_as_its_level);
    tcase_add_test(wheel, every_class_is_used);
    tcase_add_test(wheel, the_ends_of_time);
    tcase_add_test(wheel, a_key_is_looked_at_a_few_times_in_its_life);
    suite_add_tcase(suite, wheel);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

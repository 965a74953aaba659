// SPDX-License-Identifier: BSD-3-Clause
// Tests of the loop: the order of one turn, timers, signals, staying awake, stopping.
#include "net/loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "support/unit.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIPES 3

// What happened, a letter each.
static char story[64];
static struct loop *loop;
static size_t used_before;
static int pipes[PIPES][2];
static struct ev_io readers[PIPES];
static unsigned long turns;

static void tell(char letter)
{
    size_t len = strlen(story);
    if (len < sizeof(story) - 1)
        story[len] = letter;
}

static void tell_letter(void *udata)
{
    tell(*(const char *)udata);
}

static void stop(void *udata)
{
    (void)udata;
    loop_stop(loop);
}

static void count_turn(void *udata)
{
    (void)udata;
    turns++;
}

// Stops when the letter has been told as often as the turns to be made.
static void stop_after(void *udata)
{
    count_turn(udata);
    if (turns == *(const unsigned long *)udata)
        loop_stop(loop);
}

static void on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    char byte;
    (void)ev;
    (void)events;
    ck_assert_int_eq(read(watcher->fd, &byte, 1), 1);
    tell(byte);
}

static void set_up(void)
{
    used_before = mem_used();
    memset(story, 0, sizeof(story));
    turns = 0;
    loop = loop_new();
    for (int i = 0; i < PIPES; i++) {
        ck_assert_int_eq(pipe(pipes[i]), 0);
        ev_io_init(&readers[i], on_readable, pipes[i][0], EV_READ);
        ev_io_start(loop_ev(loop), &readers[i]);
    }
}

static void tear_down(void)
{
    for (int i = 0; i < PIPES; i++) {
        ev_io_stop(loop_ev(loop), &readers[i]);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    loop_free(loop);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void put(int number, const char *text)
{
    ck_assert_int_eq(write(pipes[number][1], text, strlen(text)), (ssize_t)strlen(text));
}

static void tell_on_ready_and_sleep(void)
{
    loop_on_ready(loop, tell_letter, "1");
    loop_on_ready(loop, tell_letter, "2");
    loop_on_sleep(loop, tell_letter, "x");
    loop_on_sleep(loop, tell_letter, "y");
}

START_TEST(reads_come_first_then_ready_then_sleep)
{
    static const unsigned long two = 2;
    tell_on_ready_and_sleep();
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&two);
    put(0, "r");
    loop_run(loop);
    ck_assert_str_eq(story, "xyr12xy");
}
END_TEST

START_TEST(all_reads_of_a_turn_come_before_ready)
{
    static const unsigned long three = 3;
    tell_on_ready_and_sleep();
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&three);
    put(0, "rr");
    put(1, "r");
    put(2, "rr");
    loop_run(loop);
    ck_assert_str_eq(story, "xyrrr12xyrr12xy");
}
END_TEST

static struct loop_timer *once;

static void put_and_tell(void *udata)
{
    tell('t');
    put(0, udata);
    loop_timer_set_period(loop, once, 3600000);
}

// What a timer makes readable is read in a later turn; what it does itself comes before READY.
START_TEST(timers_come_before_ready_too)
{
    static const unsigned long three = 3;
    tell_on_ready_and_sleep();
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&three);
    once = loop_every(loop, 1, put_and_tell, "r");
    loop_run(loop);
    ck_assert_str_eq(story, "xyt12xyr12xy");
}
END_TEST

START_TEST(a_signal_is_told_in_the_loop)
{
    static const unsigned long two = 2;
    tell_on_ready_and_sleep();
    loop_on_signal(loop, SIGUSR1, tell_letter, "u");
    loop_on_signal(loop, SIGUSR2, tell_letter, "v");
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&two);
    ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
    ck_assert_str_eq(story, "");
    loop_run(loop);
    ck_assert_str_eq(story, "xyv12xy");
}
END_TEST

START_TEST(several_signals_at_once)
{
    loop_on_signal(loop, SIGUSR1, tell_letter, "u");
    loop_on_signal(loop, SIGTERM, stop, NULL);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    loop_run(loop);
    ck_assert_str_eq(story, "u");
}
END_TEST

static void tell_five_times(void *udata)
{
    tell('t');
    if (strlen(story) >= 5)
        stop(udata);
}

START_TEST(a_timer_goes_on_and_on)
{
    loop_every(loop, 1, tell_five_times, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "ttttt");
}
END_TEST

START_TEST(a_timers_period_can_change)
{
    struct loop_timer *timer = loop_every(loop, 3600000, tell_five_times, NULL);
    loop_timer_set_period(loop, timer, 1);
    loop_run(loop);
    ck_assert_str_eq(story, "ttttt");
    loop_timer_set_period(loop, timer, 3600000);
    loop_every(loop, 30, stop, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "ttttt");
}
END_TEST

// With nothing to wait for, only a loop that is kept awake comes round.
START_TEST(an_awake_loop_does_not_sleep)
{
    struct loop_waker waker = { 0 };
    static const unsigned long many = 10000;
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&many);
    loop_keep_awake(loop, &waker, true);
    loop_keep_awake(loop, &waker, true);
    loop_run(loop);
    ck_assert_uint_eq(turns, many);
}
END_TEST

START_TEST(an_awake_loop_runs_its_hooks_and_reads)
{
    struct loop_waker waker = { 0 };
    static const unsigned long three = 3;
    tell_on_ready_and_sleep();
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&three);
    loop_keep_awake(loop, &waker, true);
    put(0, "rr");
    loop_run(loop);
    ck_assert_str_eq(story, "xyr12xyr12xy");
}
END_TEST

START_TEST(one_waker_is_enough)
{
    static const unsigned long many = 10000;
    struct loop_waker waker = { 0 };
    struct loop_waker other = { 0 };
    loop_keep_awake(loop, &waker, true);
    loop_keep_awake(loop, &other, true);
    loop_keep_awake(loop, &waker, false);
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&many);
    loop_run(loop);
    ck_assert_uint_eq(turns, many);
}
END_TEST

START_TEST(a_loop_sleeps_again_when_all_may)
{
    struct loop_waker waker = { 0 };
    struct loop_waker other = { 0 };
    loop_keep_awake(loop, &waker, true);
    loop_keep_awake(loop, &waker, true);
    loop_keep_awake(loop, &other, true);
    loop_keep_awake(loop, &waker, false);
    loop_keep_awake(loop, &waker, false);
    ck_assert(other.on);
    loop_keep_awake(loop, &other, false);
    loop_on_sleep(loop, count_turn, NULL);
    loop_every(loop, 50, stop, NULL);
    loop_run(loop);
    // A few would do; one that does not sleep makes hundred thousands.
    ck_assert_uint_lt(turns, 100);
}
END_TEST

START_TEST(the_turn_is_finished_before_the_loop_stops)
{
    tell_on_ready_and_sleep();
    loop_every(loop, 1, stop, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "xy12xy");
}
END_TEST

START_TEST(a_stopped_loop_can_run_again)
{
    static const unsigned long one = 1;
    loop_on_sleep(loop, stop_after, (void *)(uintptr_t)&one);
    loop_run(loop);
    ck_assert_str_eq(story, "");
    loop_every(loop, 1, tell_five_times, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "ttttt");
}
END_TEST

// ---- turns by hand ------------------------------------------------------------------------------

static void turn_by_hand(void *udata)
{
    tell('(');
    put(1, udata);
    loop_turn(loop, 0);
    tell(')');
    loop_stop(loop);
}

static void ask_for_a_turn(void *udata)
{
    if (!strchr(story, '('))
        loop_later(loop, turn_by_hand, udata);
}

// The turn in which it was asked for is finished first; the one by hand is whole.
START_TEST(what_comes_later_may_turn_the_loop)
{
    loop_on_ready(loop, tell_letter, "1");
    loop_on_ready(loop, ask_for_a_turn, "s");
    loop_on_sleep(loop, tell_letter, "x");
    put(0, "r");
    loop_run(loop);
    ck_assert_str_eq(story, "xr1x(xs1x)");
}
END_TEST

// It does not wait for events, is asked for once, may be taken back, and is put off by the end of the loop.
START_TEST(later_is_between_two_turns)
{
    static char a[] = "a";
    static char b[] = "b";
    static char c[] = "c";
    loop_later(loop, tell_letter, a);
    loop_later(loop, tell_letter, b);
    loop_later(loop, tell_letter, a);
    loop_later(loop, stop, NULL);
    loop_later(loop, tell_letter, c);
    loop_later_cancel(loop, tell_letter, b);
    loop_later_cancel(loop, stop, a);
    loop_run(loop);
    ck_assert_str_eq(story, "a");
    loop_later(loop, stop, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "ac");
}
END_TEST

static void ask_again(void *udata)
{
    tell('l');
    if (strlen(story) < 4)
        loop_later(loop, ask_again, udata);
    else
        loop_stop(loop);
}

START_TEST(what_comes_later_may_come_again)
{
    loop_later(loop, ask_again, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "llll");
}
END_TEST

static void wait_long(void *udata)
{
    (void)udata;
    tell('(');
    loop_turn(loop, 3600000);
    tell(')');
}

START_TEST(a_turn_by_hand_waits_for_events)
{
    loop_every(loop, 1, stop, NULL);
    loop_later(loop, wait_long, NULL);
    loop_run(loop);
    ck_assert_str_eq(story, "()");
}
END_TEST

START_TEST(a_turn_by_hand_does_not_wait_for_ever)
{
    struct loop_waker waker = { 0 };
    loop_on_sleep(loop, tell_letter, "x");
    loop_turn(loop, 1);
    // Nor at all, if somebody keeps the loop awake.
    loop_keep_awake(loop, &waker, true);
    loop_turn(loop, 3600000);
    loop_keep_awake(loop, &waker, false);
    ck_assert_str_eq(story, "xxxx");
}
END_TEST

// ---- what the loop says of itself ---------------------------------------------------------------

#define WORK_US 2000

static void work(void *udata)
{
    (void)udata;
    uint64_t from_us = clock_mono_us_now();
    while (clock_mono_us_now() - from_us < WORK_US)
        ;
}

static void turn(int count)
{
    while (count-- > 0)
        ev_run(loop_ev(loop), EVRUN_NOWAIT);
    // A turn is counted when the next one is about to wait.
    struct loop_stats stats;
    loop_stats(loop, &stats);
    ck_assert_uint_le(stats.ready_us, stats.busy_us);
}

START_TEST(turns_are_counted)
{
    struct loop_stats stats;
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 0);
    ck_assert_uint_eq(stats.busy_us, 0);
    turn(11);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 10);
    loop_reset_stats(loop);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 0);
    turn(1);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 1);
}
END_TEST

// Half of the work, at least, has to be seen: the tick counter is calibrated in a hurry.
START_TEST(ready_hooks_count_as_both)
{
    struct loop_stats stats;
    loop_on_ready(loop, work, NULL);
    turn(6);
    loop_stats(loop, &stats);
    ck_assert_uint_ge(stats.ready_us, 5 * WORK_US / 2);
    ck_assert_uint_ge(stats.busy_us, stats.ready_us);
}
END_TEST

START_TEST(sleep_hooks_count_as_busy)
{
    struct loop_stats stats;
    loop_on_sleep(loop, work, NULL);
    turn(6);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 5);
    ck_assert_uint_ge(stats.busy_us, 5 * WORK_US / 2);
    ck_assert_uint_ge(stats.busy_us - stats.ready_us, 5 * WORK_US / 2);
}
END_TEST

START_TEST(a_loop_that_was_stopped_has_counted_its_turn)
{
    struct loop_stats stats;
    loop_on_ready(loop, stop, NULL);
    loop_every(loop, 1, work, NULL);
    loop_run(loop);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 1);
    ck_assert_uint_ge(stats.busy_us, WORK_US / 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *order = tcase_create("order");
    tcase_add_checked_fixture(order, set_up, tear_down);
    tcase_add_test(order, reads_come_first_then_ready_then_sleep);
    tcase_add_test(order, all_reads_of_a_turn_come_before_ready);
    tcase_add_test(order, timers_come_before_ready_too);
    tcase_add_test(order, a_signal_is_told_in_the_loop);
    suite_add_tcase(suite, order);

    TCase *events = tcase_create("timers, signals, sleep");
    tcase_add_checked_fixture(events, set_up, tear_down);
    tcase_add_test(events, several_signals_at_once);
    tcase_add_test(events, a_timer_goes_on_and_on);
    tcase_add_test(events, a_timers_period_can_change);
    tcase_add_test(events, an_awake_loop_does_not_sleep);
    tcase_add_test(events, an_awake_loop_runs_its_hooks_and_reads);
    tcase_add_test(events, one_waker_is_enough);
    tcase_add_test(events, a_loop_sleeps_again_when_all_may);
    tcase_add_test(events, the_turn_is_finished_before_the_loop_stops);
    tcase_add_test(events, a_stopped_loop_can_run_again);
    suite_add_tcase(suite, events);

    TCase *hand = tcase_create("turns by hand");
    tcase_add_checked_fixture(hand, set_up, tear_down);
    tcase_add_test(hand, what_comes_later_may_turn_the_loop);
    tcase_add_test(hand, later_is_between_two_turns);
    tcase_add_test(hand, what_comes_later_may_come_again);
    tcase_add_test(hand, a_turn_by_hand_waits_for_events);
    tcase_add_test(hand, a_turn_by_hand_does_not_wait_for_ever);
    suite_add_tcase(suite, hand);

    TCase *stats = tcase_create("stats");
    tcase_add_checked_fixture(stats, set_up, tear_down);
    tcase_add_test(stats, turns_are_counted);
    tcase_add_test(stats, ready_hooks_count_as_both);
    tcase_add_test(stats, sleep_hooks_count_as_busy);
    tcase_add_test(stats, a_loop_that_was_stopped_has_counted_its_turn);
    suite_add_tcase(suite, stats);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

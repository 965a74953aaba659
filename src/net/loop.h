// SPDX-License-Identifier: BSD-3-Clause
// The event loop: libev, and the fixed order of what happens in one turn of it.
//
//   sleep/poll -> reads, timers, signals -> READY hooks -> SLEEP hooks -> sleep/poll ...
//
// READY hooks run after all reads of the turn (an ev_check of the lowest priority); SLEEP hooks run
// just before the loop would sleep (an ev_prepare).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct loop;

typedef void (*loop_fn)(void *udata);

// epoll on Linux; libev's own choice elsewhere. Ends the process if no loop can be had.
struct loop *loop_new(void);
void loop_free(struct loop *loop);

// Runs until loop_stop(); the turn that is under way is finished first.
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// One turn by hand, from outside of any, for who keeps the loop from running for long: all hooks run as ever. It
// waits for events, if there are none and nobody keeps the loop awake, for at most `wait_ms`. loop_stop() in it stops
// the loop_run() that is under way.
void loop_turn(struct loop *loop, unsigned wait_ms);

// The same, waiting for nothing.
void loop_poll(struct loop *loop);

// Runs `fn` once between two turns of loop_run(), so that it may turn the loop by hand: at once when this turn is
// over, in the order of asking. Asking again before it has run is asking once.
void loop_later(struct loop *loop, loop_fn fn, void *udata);

// It need not run any more.
void loop_later_cancel(struct loop *loop, loop_fn fn, const void *udata);

// In a child process that goes on with the loop instead of its parent.
void loop_forked(struct loop *loop);

// At start-up: registers hooks, called in the order of registration.
void loop_on_ready(struct loop *loop, loop_fn fn, void *udata);
void loop_on_sleep(struct loop *loop, loop_fn fn, void *udata);

// Who keeps the loop awake; all zero: not yet.
struct loop_waker {
    bool on;
};

// While any waker is on, the loop polls without sleeping: there is work left over.
void loop_keep_awake(struct loop *loop, struct loop_waker *waker, bool awake);

// What the loop has done: turns, the time that they took without the sleep, and how much of it went to
// READY hooks. Four reads of the CPU's tick counter a turn, nothing else.
struct loop_stats {
    uint64_t turns;
    uint64_t busy_us;
    uint64_t ready_us;
};
void loop_stats(const struct loop *loop, struct loop_stats *out);
void loop_reset_stats(struct loop *loop);

// Calls `fn` every `period_ms` from now on; the timer lives as long as the loop.
struct loop_timer;
struct loop_timer *loop_every(struct loop *loop, unsigned period_ms, loop_fn fn, void *udata);

// Calls its `fn` every `period_ms` from now on; 0 stops it until the next call.
void loop_timer_set_period(struct loop *loop, struct loop_timer *timer, unsigned period_ms);

// Calls `fn` in the loop (not in signal context) when the signal arrives.
void loop_on_signal(struct loop *loop, int signal, loop_fn fn, void *udata);

// A bell that other threads ring: `fn` runs in the loop, once for any number of rings before it. Ringing is
// safe in any thread; the bell lives until loop_async_free(), in the loop's thread, when nobody rings it
// any more.
struct loop_async;
struct loop_async *loop_async_new(struct loop *loop, loop_fn fn, void *udata);
void loop_async_ring(struct loop_async *async);
void loop_async_free(struct loop_async *async);

// The libev loop, for watchers of this folder.
struct ev_loop *loop_ev(struct loop *loop);

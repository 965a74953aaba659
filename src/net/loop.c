// SPDX-License-Identifier: BSD-3-Clause
// The event loop: see loop.h.
#include "net/loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"

#include <ev.h>
#include <string.h>

#define HOOKS_MAX  8
#define LATERS_MAX 8

struct hooks {
    int count;
    struct {
        loop_fn fn;
        void *udata;
    } items[HOOKS_MAX];
};

// What runs between two turns.
struct laters {
    int count;
    struct {
        loop_fn fn;
        void *udata;
    } items[LATERS_MAX];
};

struct loop_timer {
    struct ev_timer watcher;
    loop_fn fn;
    void *udata;
    struct loop_timer *next;
};

struct loop_signal {
    struct ev_signal watcher;
    loop_fn fn;
    void *udata;
    struct loop_signal *next;
};

struct loop {
    struct ev_loop *ev;
    struct ev_check wake;  // before everything else of a turn
    struct ev_check check;
    struct ev_prepare prepare;
    struct ev_idle idle;
    struct ev_timer patience;  // of a turn by hand
    bool stopped;              // since loop_run() was called
    struct laters laters;
    int wakers;  // that are on
    struct hooks ready;
    struct hooks sleep;
    bool turn_open;  // READY hooks have run, SLEEP hooks have not
    uint64_t woken_ticks;
    uint64_t turn_ready_ticks;
    uint64_t turns;
    uint64_t busy_ticks;
    uint64_t ready_ticks;
    struct loop_timer *timers;
    struct loop_signal *signals;
};

static void run_hooks(const struct hooks *hooks)
{
    for (int i = 0; i < hooks->count; i++)
        hooks->items[i].fn(hooks->items[i].udata);
}

static void add_hook(struct hooks *hooks, loop_fn fn, void *udata)
{
    ASSERT(hooks->count < HOOKS_MAX);
    hooks->items[hooks->count].fn = fn;
    hooks->items[hooks->count].udata = udata;
    hooks->count++;
}

static void on_wake(struct ev_loop *ev, struct ev_check *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = watcher->data;
    loop->woken_ticks = clock_ticks();
}

static void on_check(struct ev_loop *ev, struct ev_check *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = watcher->data;
    loop->turn_open = true;
    uint64_t from_ticks = clock_ticks();
    run_hooks(&loop->ready);
    loop->turn_ready_ticks = clock_ticks() - from_ticks;
}

static void end_turn(struct loop *loop)
{
    bool open = loop->turn_open;
    loop->turn_open = false;
    run_hooks(&loop->sleep);
    // The first time is before any turn.
    if (!open)
        return;
    loop->turns++;
    loop->busy_ticks += clock_ticks() - loop->woken_ticks;
    loop->ready_ticks += loop->turn_ready_ticks;
}

static void on_prepare(struct ev_loop *ev, struct ev_prepare *watcher, int events)
{
    (void)ev;
    (void)events;
    end_turn(watcher->data);
}

static void on_idle(struct ev_loop *ev, struct ev_idle *watcher, int events)
{
    // Being active is all that it is for.
    (void)ev;
    (void)watcher;
    (void)events;
}

static void on_patience(struct ev_loop *ev, struct ev_timer *watcher, int events)
{
    // Ending the wait is all that it is for.
    (void)ev;
    (void)watcher;
    (void)events;
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_alloc_zeroed(sizeof(*loop));
#ifdef __linux__
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
#else
    loop->ev = ev_loop_new(EVFLAG_NOENV);
#endif
    if (!loop->ev)
        PANIC("no event loop: libev offers no usable backend");

    ev_check_init(&loop->wake, on_wake);
    ev_set_priority(&loop->wake, EV_MAXPRI);
    loop->wake.data = loop;
    ev_check_start(loop->ev, &loop->wake);

    ev_check_init(&loop->check, on_check);
    ev_set_priority(&loop->check, EV_MINPRI);
    loop->check.data = loop;
    ev_check_start(loop->ev, &loop->check);

    ev_prepare_init(&loop->prepare, on_prepare);
    loop->prepare.data = loop;
    ev_prepare_start(loop->ev, &loop->prepare);

    ev_idle_init(&loop->idle, on_idle);
    ev_timer_init(&loop->patience, on_patience, 0., 0.);
    return loop;
}

void loop_free(struct loop *loop)
{
    while (loop->timers) {
        struct loop_timer *timer = loop->timers;
        loop->timers = timer->next;
        ev_timer_stop(loop->ev, &timer->watcher);
        mem_free(timer, sizeof(*timer));
    }
    while (loop->signals) {
        struct loop_signal *signal = loop->signals;
        loop->signals = signal->next;
        ev_signal_stop(loop->ev, &signal->watcher);
        mem_free(signal, sizeof(*signal));
    }
    ev_loop_destroy(loop->ev);
    mem_free(loop, sizeof(*loop));
}

static void forget_later(struct laters *laters, int i)
{
    laters->count--;
    memmove(&laters->items[i], &laters->items[i + 1],
            (size_t)(laters->count - i) * sizeof(laters->items[0]));
}

// No turn is under way: whoever runs here may make some, in which others may come.
static void run_laters(struct loop *loop)
{
    struct laters *laters = &loop->laters;
    while (laters->count > 0 && !loop->stopped) {
        loop_fn fn = laters->items[0].fn;
        void *udata = laters->items[0].udata;
        forget_later(laters, 0);
        fn(udata);
    }
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    run_laters(loop);
    while (!loop->stopped) {
        ev_run(loop->ev, 0);
        // A turn that was stopped in its middle still has to be finished.
        if (loop->turn_open)
            end_turn(loop);
        run_laters(loop);
    }
}

void loop_turn(struct loop *loop, unsigned wait_ms)
{
    if (wait_ms > 0) {
        // Counted from now, not from when the last turn began.
        ev_now_update(loop->ev);
        ev_timer_set(&loop->patience, wait_ms / 1000.0, 0.);
        ev_timer_start(loop->ev, &loop->patience);
    }
    ev_run(loop->ev, wait_ms > 0 ? EVRUN_ONCE : EVRUN_NOWAIT);
    ev_timer_stop(loop->ev, &loop->patience);
    if (loop->turn_open)
        end_turn(loop);
}

void loop_poll(struct loop *loop)
{
    loop_turn(loop, 0);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    ev_break(loop->ev, EVBREAK_ALL);
}

static int find_later(const struct laters *laters, loop_fn fn, const void *udata)
{
    for (int i = 0; i < laters->count; i++) {
        if (laters->items[i].fn == fn && laters->items[i].udata == udata)
            return i;
    }
    return -1;
}

void loop_later(struct loop *loop, loop_fn fn, void *udata)
{
    struct laters *laters = &loop->laters;
    if (find_later(laters, fn, udata) >= 0)
        return;
    ASSERT(laters->count < LATERS_MAX);
    laters->items[laters->count].fn = fn;
    laters->items[laters->count].udata = udata;
    laters->count++;
    ev_break(loop->ev, EVBREAK_ONE);
}

void loop_later_cancel(struct loop *loop, loop_fn fn, const void *udata)
{
    int i = find_later(&loop->laters, fn, udata);
    if (i >= 0)
        forget_later(&loop->laters, i);
}

void loop_forked(struct loop *loop)
{
    ev_loop_fork(loop->ev);
}

void loop_on_ready(struct loop *loop, loop_fn fn, void *udata)
{
    add_hook(&loop->ready, fn, udata);
}

void loop_on_sleep(struct loop *loop, loop_fn fn, void *udata)
{
    add_hook(&loop->sleep, fn, udata);
}

void loop_keep_awake(struct loop *loop, struct loop_waker *waker, bool awake)
{
    if (waker->on == awake)
        return;
    waker->on = awake;
    loop->wakers += awake ? 1 : -1;
    if (loop->wakers > 0)
        ev_idle_start(loop->ev, &loop->idle);
    else
        ev_idle_stop(loop->ev, &loop->idle);
}

void loop_stats(const struct loop *loop, struct loop_stats *out)
{
    out->turns = loop->turns;
    out->busy_us = clock_ticks_to_ns(loop->busy_ticks) / 1000;
    out->ready_us = clock_ticks_to_ns(loop->ready_ticks) / 1000;
}

void loop_reset_stats(struct loop *loop)
{
    loop->turns = loop->busy_ticks = loop->ready_ticks = 0;
}

static void on_timer(struct ev_loop *ev, struct ev_timer *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_timer *timer = watcher->data;
    timer->fn(timer->udata);
}

struct loop_timer *loop_every(struct loop *loop, unsigned period_ms, loop_fn fn, void *udata)
{
    struct loop_timer *timer = mem_alloc_zeroed(sizeof(*timer));
    timer->fn = fn;
    timer->udata = udata;
    timer->next = loop->timers;
    loop->timers = timer;
    ev_timer_init(&timer->watcher, on_timer, period_ms / 1000.0, period_ms / 1000.0);
    timer->watcher.data = timer;
    ev_timer_start(loop->ev, &timer->watcher);
    return timer;
}

void loop_timer_set_period(struct loop *loop, struct loop_timer *timer, unsigned period_ms)
{
    timer->watcher.repeat = period_ms / 1000.0;
    ev_timer_again(loop->ev, &timer->watcher);
}

static void on_signal(struct ev_loop *ev, struct ev_signal *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_signal *signal = watcher->data;
    signal->fn(signal->udata);
}

void loop_on_signal(struct loop *loop, int signal, loop_fn fn, void *udata)
{
    struct loop_signal *handler = mem_alloc_zeroed(sizeof(*handler));
    handler->fn = fn;
    handler->udata = udata;
    handler->next = loop->signals;
    loop->signals = handler;
    ev_signal_init(&handler->watcher, on_signal, signal);
    handler->watcher.data = handler;
    ev_signal_start(loop->ev, &handler->watcher);
}

struct loop_async {
    struct ev_async watcher;
    struct ev_loop *ev;
    loop_fn fn;
    void *udata;
};

static void on_async(struct ev_loop *ev, struct ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_async *async = watcher->data;
    async->fn(async->udata);
}

struct loop_async *loop_async_new(struct loop *loop, loop_fn fn, void *udata)
{
    struct loop_async *async = mem_alloc_zeroed(sizeof(*async));
    async->ev = loop->ev;
    async->fn = fn;
    async->udata = udata;
    ev_async_init(&async->watcher, on_async);
    async->watcher.data = async;
    ev_async_start(loop->ev, &async->watcher);
    return async;
}

void loop_async_ring(struct loop_async *async)
{
    ev_async_send(async->ev, &async->watcher);
}

void loop_async_free(struct loop_async *async)
{
    ev_async_stop(async->ev, &async->watcher);
    mem_free(async, sizeof(*async));
}

struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

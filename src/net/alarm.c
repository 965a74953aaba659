// SPDX-License-Identifier: BSD-3-Clause
// A call at a later time: see alarm.h.
#include "net/alarm.h"

// libev counts in seconds as a double: what is further away than this never comes.
#define DELAY_MS_MAX INT64_C(1000000000000000)

static void on_timer(struct ev_loop *ev, struct ev_timer *watcher, int events)
{
    (void)ev;
    (void)events;
    struct alarm *alarm = watcher->data;
    alarm->fn(alarm->udata);
}

void alarm_init(struct alarm *alarm, struct loop *loop, loop_fn fn, void *udata)
{
    ev_timer_init(&alarm->watcher, on_timer, 0, 0);
    alarm->watcher.data = alarm;
    alarm->loop = loop;
    alarm->fn = fn;
    alarm->udata = udata;
}

void alarm_set(struct alarm *alarm, int64_t delay_ms)
{
    struct ev_loop *ev = loop_ev(alarm->loop);
    alarm_clear(alarm);
    if (delay_ms > DELAY_MS_MAX)
        return;
    // libev counts from the beginning of this turn of the loop.
    double passed_s = ev_time() - ev_now(ev);
    ev_timer_set(&alarm->watcher, (double)delay_ms / 1000 + (passed_s > 0 ? passed_s : 0), 0);
    ev_timer_start(ev, &alarm->watcher);
}

void alarm_clear(struct alarm *alarm)
{
    ev_timer_stop(loop_ev(alarm->loop), &alarm->watcher);
}

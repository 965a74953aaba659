// SPDX-License-Identifier: BSD-3-Clause
// When the expiry sweep runs: see sweeper.h.
//
// The keyspace knows when something is due next (expire_due()), to the millisecond. A timer of its own
// wakes the loop then: an idle server with a million keys to expire tomorrow does nothing today. After
// each turn of the loop one comparison tells whether a command has brought that moment forward.
//
// Each pass costs something whatever it finds, so a pause follows it, in which what becomes due gathers:
// that is the lag that a key has as a rule. Where a pass takes longer than a slice it goes on after a
// shorter pause, so that sweeping takes its share of the time and no more, however much is due.
//
// The timer follows the monotonic clock, keys follow the wall clock. When that is set forward a cron job
// notices; when it is set back the timer only comes too early.
#include "server/sweeper.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/loop.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/histogram.h"
#include "server/info.h"
#include "server/latency.h"
#include "server/server.h"
#include "store/expire.h"

#include <string.h>

// Of one slice, in which no client is served.
#define SLICE_US 500

// Between two passes: from 50 ticks a second on the ticks of hz.
#define PAUSE_MS 20

// What a backlog may take of the time, and what each step of active-expire-effort adds to it.
#define SHARE_PERCENT        25
#define SHARE_EFFORT_PERCENT 2
#define EFFORT_MAX           10

// How often the wall clock is looked at, and how long the timer may run.
#define WATCH_MS      100
#define TIMER_LAST_MS 3600000

struct sweeper {
    struct server *server;
    struct loop_timer *timer;
    int64_t effort;
    int64_t awaited_ms;    // what the timer runs for; TABLE_DUE_NEVER: it does not run
    uint64_t earliest_us;  // when the pause after the last slice ends
    struct histogram lags;
};

static const struct config_directive sweeper_directives[] = {
    { .name = "active-expire-effort",
      .type = CONFIG_INT,
      .offset = offsetof(struct sweeper, effort),
      .default_text = "1",
      .min = 1,
      .max = EFFORT_MAX },
    { 0 },
};

static void note_lag(void *udata, int64_t lag_ms)
{
    struct sweeper *sweeper = udata;
    histogram_record(&sweeper->lags, lag_ms > 0 ? (uint64_t)lag_ms : 0);
}

// Lets the timer run until something is due and the pause is over; or stops it.
static void await_next(struct sweeper *sweeper)
{
    struct loop *loop = sweeper->server->loop;
    int64_t due_ms = expire_due(sweeper->server->keyspace);
    sweeper->awaited_ms = due_ms;
    if (due_ms == TABLE_DUE_NEVER) {
        loop_timer_set_period(loop, sweeper->timer, 0);
        return;
    }
    uint64_t now_us = clock_mono_us_now();
    int64_t pause_ms = sweeper->earliest_us > now_us
                           ? (int64_t)(sweeper->earliest_us - now_us + 999) / 1000
                           : 0;
    int64_t wait_ms = due_ms - clock_wall_us_now() / 1000;
    wait_ms = wait_ms > pause_ms ? wait_ms : pause_ms;
    if (wait_ms > TIMER_LAST_MS)
        wait_ms = TIMER_LAST_MS;
    // A timer without time to run would be stopped.
    loop_timer_set_period(loop, sweeper->timer, wait_ms == 0 ? 1 : (unsigned)wait_ms);
}

static uint64_t pause_us(const struct sweeper *sweeper, uint64_t spent_us, bool more)
{
    if (more) {
        uint64_t share = (uint64_t)(SHARE_PERCENT + SHARE_EFFORT_PERCENT * (sweeper->effort - 1));
        return spent_us * (100 - share) / share;
    }
    uint64_t tick_us = 1000000 / (uint64_t)cron_hz(sweeper->server->cron);
    return tick_us < PAUSE_MS * 1000 ? tick_us : PAUSE_MS * 1000;
}

static void sweep(void *udata)
{
    struct sweeper *sweeper = udata;
    struct server *server = sweeper->server;
    clock_update();
    uint64_t began_us = clock_mono_us();
    if (expire_due(server->keyspace) <= clock_wall_ms()) {
        bool more = expire_sweep(server->keyspace, SLICE_US);
        uint64_t ended_us = clock_mono_us_now();
        sweeper->earliest_us = ended_us + pause_us(sweeper, ended_us - began_us, more);
        latency_note(server, "expire-cycle", (ended_us - began_us) / 1000);
    }
    await_next(sweeper);
}

// After each turn of the loop: a command may have set an earlier time, or DEBUG let the sweep go on.
static void notice_earlier(void *udata)
{
    struct sweeper *sweeper = udata;
    if (unlikely(expire_due(sweeper->server->keyspace) < sweeper->awaited_ms))
        await_next(sweeper);
}

// What is due all of a sudden is not waited for any longer.
static void watch_clock(void *udata)
{
    struct sweeper *sweeper = udata;
    if (expire_due(sweeper->server->keyspace) <= clock_wall_ms())
        await_next(sweeper);
}

static void reset(void *udata)
{
    struct sweeper *sweeper = udata;
    memset(&sweeper->lags, 0, sizeof(sweeper->lags));
}

struct sweeper *sweeper_new(struct server *server)
{
    struct sweeper *sweeper = mem_alloc_zeroed(sizeof(*sweeper));
    sweeper->server = server;
    sweeper->awaited_ms = TABLE_DUE_NEVER;
    sweeper->timer = loop_every(server->loop, TIMER_LAST_MS, sweep, sweeper);
    loop_timer_set_period(server->loop, sweeper->timer, 0);
    server->keyspace->on_swept = note_lag;
    server->keyspace->on_swept_udata = sweeper;
    config_register(server->config, sweeper_directives, sweeper);
    info_on_reset(server->info, reset, sweeper);
    loop_on_sleep(server->loop, notice_earlier, sweeper);
    cron_add(server->cron, WATCH_MS, watch_clock, sweeper);
    return sweeper;
}

void sweeper_free(struct sweeper *sweeper)
{
    mem_free(sweeper, sizeof(*sweeper));
}

uint64_t sweeper_lag_ms(const struct sweeper *sweeper, double percent)
{
    return histogram_percentile(&sweeper->lags, percent);
}

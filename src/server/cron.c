// SPDX-License-Identifier: BSD-3-Clause
// Periodic work: see cron.h.
#include "server/cron.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "net/loop.h"
#include "server/client.h"
#include "server/config.h"
#include "server/server.h"

#define JOBS_MAX 16

// Ticks a second are brought within these.
#define HZ_MIN 1
#define HZ_MAX 500

// With more clients than this a tick, ticks come twice as often.
#define CLIENTS_A_TICK 200

struct cron {
    struct server *server;
    struct loop_timer *timer;
    int64_t hz;  // as configured
    bool dynamic;
    int64_t rate;  // ticks a second as they are
    int count;
    struct {
        void (*fn)(void *udata);
        void *udata;
        uint64_t period_us;
        uint64_t due_us;
    } jobs[JOBS_MAX];
};

static int64_t wanted_rate(const struct cron *cron)
{
    const struct clients *clients = cron->server->clients;
    int64_t rate = cron->hz;
    while (cron->dynamic && clients && rate < HZ_MAX &&
           clients->count > (size_t)rate * CLIENTS_A_TICK)
        rate *= 2;
    return rate < HZ_MAX ? rate : HZ_MAX;
}

static void adapt_rate(struct cron *cron)
{
    int64_t rate = wanted_rate(cron);
    if (rate == cron->rate)
        return;
    cron->rate = rate;
    if (cron->timer)
        loop_timer_set_period(cron->server->loop, cron->timer, 1000 / (unsigned)rate);
}

static bool apply_hz(void *owner, struct config_error *error)
{
    (void)error;
    struct cron *cron = owner;
    cron->hz = cron->hz < HZ_MIN ? HZ_MIN : cron->hz > HZ_MAX ? HZ_MAX : cron->hz;
    adapt_rate(cron);
    return true;
}

static const struct config_directive cron_directives[] = {
    { .name = "hz",
      .type = CONFIG_INT,
      .offset = offsetof(struct cron, hz),
      .default_text = "10",
      .max = INT32_MAX,
      .apply = apply_hz },
    { .name = "dynamic-hz",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct cron, dynamic),
      .default_text = "yes",
      .apply = apply_hz },
    { 0 },
};

struct cron *cron_new(struct server *server)
{
    struct cron *cron = mem_alloc_zeroed(sizeof(*cron));
    cron->server = server;
    config_register(server->config, cron_directives, cron);
    return cron;
}

void cron_free(struct cron *cron)
{
    mem_free(cron, sizeof(*cron));
}

void cron_add(struct cron *cron, unsigned period_ms, void (*fn)(void *udata), void *udata)
{
    ASSERT(cron->count < JOBS_MAX);
    int i = cron->count++;
    cron->jobs[i].fn = fn;
    cron->jobs[i].udata = udata;
    cron->jobs[i].period_us = (uint64_t)period_ms * 1000;
}

static void tick(void *udata)
{
    struct cron *cron = udata;
    clock_update();
    adapt_rate(cron);
    // Ticks come now a little early, now a little late: half a tick is not worth waiting for another.
    uint64_t now_us = clock_mono_us();
    uint64_t tick_us = 1000000 / (uint64_t)cron->rate;
    uint64_t soon_us = now_us + tick_us / 2;
    for (int i = 0; i < cron->count; i++) {
        uint64_t period_us = cron->jobs[i].period_us;
        uint64_t due_us = cron->jobs[i].due_us;
        if (period_us > tick_us && due_us > soon_us)
            continue;
        cron->jobs[i].due_us = (due_us + period_us > now_us ? due_us : now_us) + period_us;
        cron->jobs[i].fn(cron->jobs[i].udata);
    }
}

void cron_start(struct cron *cron)
{
    (void)apply_hz(cron, NULL);
    cron->timer = loop_every(cron->server->loop, 1000 / (unsigned)cron->rate, tick, cron);
}

int64_t cron_hz(const struct cron *cron)
{
    return cron->rate;
}

int64_t cron_configured_hz(const struct cron *cron)
{
    return cron->hz;
}

// SPDX-License-Identifier: BSD-3-Clause
// Periodic work: jobs that the subsystems register, run `hz` times a second or less often.
#pragma once

#include <stdint.h>

struct cron;
struct server;

struct cron *cron_new(struct server *server);
void cron_free(struct cron *cron);

// At start-up: `fn` runs every `period_ms`, or at every tick if that is 0.
void cron_add(struct cron *cron, unsigned period_ms, void (*fn)(void *udata), void *udata);

// Starts ticking. Once, when all is registered.
void cron_start(struct cron *cron);

// Ticks a second: as they are now, and as hz says. With dynamic-hz there are more while many clients are
// connected.
int64_t cron_hz(const struct cron *cron);
int64_t cron_configured_hz(const struct cron *cron);

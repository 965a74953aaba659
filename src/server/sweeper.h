// SPDX-License-Identifier: BSD-3-Clause
// When the expiry sweep runs: on time, in slices, and not at all while nothing is due.
#pragma once

#include <stdint.h>

struct server;
struct sweeper;

// Registers active-expire-effort, a cron job and a loop hook.
struct sweeper *sweeper_new(struct server *server);
void sweeper_free(struct sweeper *sweeper);

// How late, in ms, keys were that nobody asked for: the lag below which `percent` of them lie.
uint64_t sweeper_lag_ms(const struct sweeper *sweeper, double percent);

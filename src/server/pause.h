// SPDX-License-Identifier: BSD-3-Clause
// Pausing clients: for a time, their writes or all of their commands wait instead of being run. Meanwhile no key is
// deleted because its time is over: it only can't be seen any more.
//
// There may be several reasons at a time, of which each begins and ends by itself.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pause;
struct server;

// Registers its gates and its cron job.
struct pause *pause_new(struct server *server);
void pause_free(struct pause *pause);

enum pause_reason { PAUSE_CLIENT_COMMAND, PAUSE_FAILOVER, PAUSE_SHUTDOWN, PAUSE_REASONS };

// Whether there is one, for whatever reason.
bool pause_is_on(const struct pause *pause);

// Until pause_end().
#define PAUSE_FOREVER INT64_MAX

// Lets commands wait until `end_ms` (Unix time): all of them, or those that write or that replicas get
// to hear of. While there is a pause for this reason already, the later end and the stricter kind hold.
void pause_begin(struct pause *pause, enum pause_reason reason, int64_t end_ms, bool all);

// Ends the pause for this reason at once: what waits for nothing else is run.
void pause_end(struct pause *pause, enum pause_reason reason);

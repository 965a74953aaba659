// SPDX-License-Identifier: BSD-3-Clause
// Pausing clients: for a time, their writes or all of their commands wait instead of being run.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pause;
struct server;

// Registers its gates and its cron job.
struct pause *pause_new(struct server *server);
void pause_free(struct pause *pause);

// Lets commands wait until `end_ms` (Unix time): all of them, or those that write or that replicas get
// to hear of. While there is a pause already, the later end and the stricter kind hold.
void pause_begin(struct pause *pause, int64_t end_ms, bool all);

// Whether there is one.
bool pause_is_on(const struct pause *pause);

// Ends it at once: what waits is run.
void pause_end(struct pause *pause);

// SPDX-License-Identifier: BSD-3-Clause
// The latency monitor: what made everybody wait, as one series of samples a kind of event.
//
// Whoever may hold the server up tells how long it took; what reaches latency-monitor-threshold is
// kept: one sample a second, the worst of it, and the last 160 of them.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LATENCY_SAMPLES    160
#define LATENCY_EVENTS_MAX 64
#define LATENCY_NAME_MAX   31

struct latency;
struct server;

struct latency_sample {
    int64_t time_s;  // Unix time
    uint64_t ms;
};

struct latency_series {
    char event[LATENCY_NAME_MAX + 1];
    uint64_t max_ms;  // since the last reset
    size_t count;
    size_t next;  // where the next sample goes
    struct latency_sample samples[LATENCY_SAMPLES];
};

// Registers latency-monitor-threshold.
struct latency *latency_new(struct server *server);
void latency_free(struct latency *latency);

// "event" has taken so many ms. A new name starts a series, if there is room for one. Below the
// threshold it costs a compare.
void latency_note(const struct server *server, const char *event, uint64_t ms);

// From how many ms on something is noted; UINT64_MAX: nothing is.
uint64_t latency_threshold_ms(const struct latency *latency);

// All series, in the order in which they began.
size_t latency_count(const struct latency *latency);
const struct latency_series *latency_at(const struct latency *latency, size_t index);

// By name; NULL if there is none.
const struct latency_series *latency_find(const struct latency *latency, struct slice event);

// The samples of a series, oldest first; there is at least one.
struct latency_sample latency_sample_at(const struct latency_series *series, size_t index);

// Forgets one series (by name, any case), or all of them.
bool latency_reset(struct latency *latency, struct slice event);
void latency_reset_all(struct latency *latency);

// SPDX-License-Identifier: BSD-3-Clause
// How long each command takes: INFO latencystats and LATENCY HISTOGRAM, from a histogram a command.
#pragma once

#include "server/histogram.h"

#include <stdint.h>

struct command_entry;
struct latency_stats;
struct server;

// Registers latency-tracking, latency-tracking-info-percentiles and the INFO section.
struct latency_stats *latency_stats_new(struct server *server);
void latency_stats_free(struct latency_stats *stats);

// Gives the command its histogram, at its first call.
void latency_stats_begin(struct command_entry *command);

// LATENCY HISTOGRAM's buckets: each is twice the one before, the last takes all that is longer.
#define LATENCY_BUCKETS 21

struct latency_buckets {
    uint64_t calls;
    uint64_t counts[LATENCY_BUCKETS];
};

// The command's calls by these buckets; it has a histogram.
void latency_stats_buckets(const struct command_entry *command, struct latency_buckets *out);

// A bucket's upper bound in us, as Redis names it.
uint64_t latency_bucket_us(unsigned bucket);

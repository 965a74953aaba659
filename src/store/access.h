// SPDX-License-Identifier: BSD-3-Clause
// What the 24 access bits of an entry say: when it was used last, or how often.
//
// Recency: the number of the tick in which the entry was used. Frequency (LFU), as redis.conf describes
// it: 16 bits of minutes, when the counter was last brought up to date, and 8 bits of a logarithmic
// counter. A use raises the counter by one with the probability 1 / (factor * (counter - 5) + 1); each
// `decay` minutes without one lower it by one. What is new begins at 5, so that it is not the first to go.
#pragma once

#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_MASK 0xFFFFFFu

// What a new entry's counter says.
#define ACCESS_COUNTER_START 5

// Milliseconds that a tick of the recency lasts: Redis's second. Ticks of 100 ms made 0.4 % fewer misses with
// keys that live for 2 s (bench-eviction, zipf-0.99, allkeys-lru), and would wrap after 19 days instead of 194, so
// that a key nobody has used for longer looked fresh.
#define ACCESS_TICK_MS 1000

struct access_rules {
    bool frequency;      // the bits count uses; else they say when the last one was
    uint32_t factor;     // lfu-log-factor
    uint32_t decay_min;  // lfu-decay-time; 0: never
    uint64_t now_ticks;  // Unix time in ticks; entries have the lower 24 bits of theirs
    uint32_t now_min;    // Unix time in minutes, 16 bits
};

// Brings the clocks up to date.
void access_set_time(struct access_rules *rules, int64_t now_ms);

// What an entry gets that is made now.
uint32_t access_new(const struct access_rules *rules);

// Frequency: what an entry with these bits gets when it is used now.
uint32_t access_counted(const struct access_rules *rules, uint32_t access, struct random *random);

// Frequency: the counter that these bits stand for now.
uint32_t access_counter(const struct access_rules *rules, uint32_t access);

// Frequency: minutes since the counter was brought up to date.
uint32_t access_minutes(const struct access_rules *rules, uint32_t access);

// Recency: ticks since the last use; and seconds, as OBJECT IDLETIME says them.
uint32_t access_idle_ticks(const struct access_rules *rules, uint32_t access);
uint32_t access_idle_s(const struct access_rules *rules, uint32_t access);

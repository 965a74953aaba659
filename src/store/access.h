// SPDX-License-Identifier: BSD-3-Clause
// What the 24 access bits of an entry say: when it was used last, or how often.
//
// Recency: 23 bits of ticks, when it was used last, and one bit: whether it was used at all since
// it was made. Frequency (LFU), as redis.conf describes it: 13 bits of minutes, when the counter
// was last brought up to date, and 8 bits of a logarithmic counter; between them one bit, whether
// it was evicted shortly before it was made and has not been used since, and 2 bits of the
// generation in which it was used last. A use raises the counter by one with the probability 1 /
// (factor * (counter - 5) + 1); each `decay` minutes without one lower it by one. What is new
// begins at 5, so that it is not the first to go.
//
// Redis has 24 bits of seconds and 16 of minutes. The bits that are taken from them tell more of a
// key (reuse.c), at a price: idle times wrap after 48 days, minutes after 5.
#pragma once

#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_MASK 0xFFFFFFu

// What a new entry's counter says.
#define ACCESS_COUNTER_START 5

// Milliseconds that a tick of the recency lasts. Keys of a busy cache live for seconds.
#define ACCESS_TICK_MS 500

struct access_rules {
    bool frequency;      // the bits count uses; else they say when the last one was
    uint32_t factor;     // lfu-log-factor
    uint32_t decay_min;  // lfu-decay-time; 0: never
    uint64_t now_ticks;  // Unix time in ticks; entries have the lower 23 bits of theirs
    uint32_t now_min;    // Unix time in minutes, 13 bits
    uint32_t generation;
};

// Brings the clocks up to date.
void access_set_time(struct access_rules *rules, int64_t now_ms);

// What an entry gets that is made now.
uint32_t access_new(const struct access_rules *rules);

// What an entry with these bits gets when it is used now.
uint32_t access_used(const struct access_rules *rules, uint32_t access, struct random *random);

// Frequency: the counter that these bits stand for now.
uint32_t access_counter(const struct access_rules *rules, uint32_t access);

// Frequency: what it was when it was brought up to date last.
uint32_t access_stored_counter(uint32_t access);

// Frequency: marks a key that is made as evicted shortly before, until it is used; and whether it
// is.
uint32_t access_returned(uint32_t access);
bool access_is_returned(uint32_t access);

// Frequency: minutes since the counter was brought up to date.
uint32_t access_minutes(const struct access_rules *rules, uint32_t access);

// Frequency: generations since the last use, at most ACCESS_AGE_MAX; and the bits of one of that
// age, which has to be given them once a generation, or it looks young again.
#define ACCESS_AGE_MAX 2
uint32_t access_age(const struct access_rules *rules, uint32_t access);
uint32_t access_of_age_max(const struct access_rules *rules, uint32_t access);

// Recency: ticks since the last use; and seconds, as OBJECT IDLETIME says them.
uint32_t access_idle_ticks(const struct access_rules *rules, uint32_t access);
uint32_t access_idle_s(const struct access_rules *rules, uint32_t access);

// Recency: whether it has been used since it was made.
bool access_is_used(uint32_t access);

// The bits that say: not used for so many seconds; or: this is its counter. For values that come with what
// another server knew of them.
uint32_t access_of_idle_s(const struct access_rules *rules, uint64_t idle_s);
uint32_t access_of_counter(const struct access_rules *rules, uint8_t counter);

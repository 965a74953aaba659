// SPDX-License-Identifier: BSD-3-Clause
// Recency and frequency in 24 bits: see access.h.
#include "store/access.h"

// Recency.
#define TICKS_MASK 0x7FFFFFu
#define USED_BIT   0x800000u

// Frequency.
#define COUNTER_MAX      0xFFu
#define GENERATION_SHIFT 8
#define GENERATION_MASK  3u
#define RETURNED_BIT     (1u << 10)
#define MINUTES_SHIFT    11
#define MINUTES_MASK     0x1FFFu

void access_set_time(struct access_rules *rules, int64_t now_ms)
{
    rules->now_ticks = (uint64_t)now_ms / ACCESS_TICK_MS;
    rules->now_min = (uint32_t)(now_ms / 60000) & MINUTES_MASK;
}

static uint32_t frequency(const struct access_rules *rules, uint32_t counter)
{
    return rules->now_min << MINUTES_SHIFT |
           (rules->generation & GENERATION_MASK) << GENERATION_SHIFT | counter;
}

uint32_t access_new(const struct access_rules *rules)
{
    if (rules->frequency)
        return frequency(rules, ACCESS_COUNTER_START);
    return (uint32_t)rules->now_ticks & TICKS_MASK;
}

uint32_t access_minutes(const struct access_rules *rules, uint32_t access)
{
    return (rules->now_min - (access >> MINUTES_SHIFT)) & MINUTES_MASK;
}

uint32_t access_stored_counter(uint32_t access)
{
    return access & COUNTER_MAX;
}

uint32_t access_returned(uint32_t access)
{
    return access | RETURNED_BIT;
}

bool access_is_returned(uint32_t access)
{
    return access & RETURNED_BIT;
}

uint32_t access_counter(const struct access_rules *rules, uint32_t access)
{
    uint32_t counter = access_stored_counter(access);
    uint32_t minutes = access_minutes(rules, access);
    if (rules->decay_min == 0 || minutes < rules->decay_min)
        return counter;
    uint32_t lost = minutes / rules->decay_min;
    return counter > lost ? counter - lost : 0;
}

uint32_t access_age(const struct access_rules *rules, uint32_t access)
{
    uint32_t age = (rules->generation - (access >> GENERATION_SHIFT)) & GENERATION_MASK;
    return age < ACCESS_AGE_MAX ? age : ACCESS_AGE_MAX;
}

uint32_t access_of_age_max(const struct access_rules *rules, uint32_t access)
{
    uint32_t then = (rules->generation - ACCESS_AGE_MAX) & GENERATION_MASK;
    return (access & ~(GENERATION_MASK << GENERATION_SHIFT)) | then << GENERATION_SHIFT;
}

uint32_t access_used(const struct access_rules *rules, uint32_t access, struct random *random)
{
    if (!rules->frequency)
        return access_new(rules) | USED_BIT;
    uint32_t counter = access_counter(rules, access);
    if (counter == COUNTER_MAX)
        return frequency(rules, counter);
    uint64_t above = counter > ACCESS_COUNTER_START ? counter - ACCESS_COUNTER_START : 0;
    // A chance of one in so many, at most 2^31 * 250 + 1.
    bool raised = random_below(random, above * rules->factor + 1) == 0;
    return frequency(rules, counter + raised);
}

uint32_t access_idle_ticks(const struct access_rules *rules, uint32_t access)
{
    return ((uint32_t)rules->now_ticks - access) & TICKS_MASK;
}

uint32_t access_idle_s(const struct access_rules *rules, uint32_t access)
{
    return (uint32_t)((uint64_t)access_idle_ticks(rules, access) * ACCESS_TICK_MS / 1000);
}

bool access_is_used(uint32_t access)
{
    return access & USED_BIT;
}

uint32_t access_of_idle_s(const struct access_rules *rules, uint64_t idle_s)
{
    if (rules->frequency)
        return access_new(rules);
    uint64_t ticks = idle_s > TICKS_MASK ? TICKS_MASK : idle_s * 1000 / ACCESS_TICK_MS;
    ticks = ticks > TICKS_MASK ? TICKS_MASK : ticks;
    return (uint32_t)(rules->now_ticks - ticks) & TICKS_MASK;
}

uint32_t access_of_counter(const struct access_rules *rules, uint8_t counter)
{
    return rules->frequency ? frequency(rules, counter) : access_new(rules);
}

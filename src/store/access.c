// SPDX-License-Identifier: BSD-3-Clause
// Recency and frequency in 24 bits: see access.h.
#include "store/access.h"

#define COUNTER_BITS 8
#define COUNTER_MAX  0xFFu
#define MINUTES_MASK 0xFFFFu

void access_set_time(struct access_rules *rules, int64_t now_ms)
{
    rules->now_ticks = (uint64_t)now_ms / ACCESS_TICK_MS;
    rules->now_min = (uint32_t)(now_ms / 60000) & MINUTES_MASK;
}

static uint32_t frequency(const struct access_rules *rules, uint32_t counter)
{
    return rules->now_min << COUNTER_BITS | counter;
}

uint32_t access_new(const struct access_rules *rules)
{
    if (rules->frequency)
        return frequency(rules, ACCESS_COUNTER_START);
    return (uint32_t)rules->now_ticks & ACCESS_MASK;
}

uint32_t access_minutes(const struct access_rules *rules, uint32_t access)
{
    return (rules->now_min - (access >> COUNTER_BITS)) & MINUTES_MASK;
}

uint32_t access_counter(const struct access_rules *rules, uint32_t access)
{
    uint32_t counter = access & COUNTER_MAX;
    uint32_t minutes = access_minutes(rules, access);
    if (rules->decay_min == 0 || minutes < rules->decay_min)
        return counter;
    uint32_t lost = minutes / rules->decay_min;
    return counter > lost ? counter - lost : 0;
}

uint32_t access_counted(const struct access_rules *rules, uint32_t access, struct random *random)
{
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
    return ((uint32_t)rules->now_ticks - access) & ACCESS_MASK;
}

uint32_t access_idle_s(const struct access_rules *rules, uint32_t access)
{
    return (uint32_t)((uint64_t)access_idle_ticks(rules, access) * ACCESS_TICK_MS / 1000);
}

// SPDX-License-Identifier: BSD-3-Clause
// The expiry wheel: see expire_wheel.h.
#include "store/expire_wheel.h"

#define LEVEL_BITS 6
#define LEVELS     4
#define TOP_SLOTS  63

// Bases beyond this leave no room for a turn of the last level.
#define BASE_LAST_MS (INT64_MAX - (INT64_C(64) << (LEVELS * LEVEL_BITS)) * WHEEL_TICK_MS)

static int64_t tick_of(int64_t at_ms)
{
    return at_ms < 0 ? 0 : at_ms / WHEEL_TICK_MS;
}

static int64_t slots_of(unsigned level)
{
    return level == LEVELS - 1 ? TOP_SLOTS : 1 << LEVEL_BITS;
}

uint8_t wheel_class(int64_t due_ms, int64_t now_ms)
{
    int64_t due = tick_of(due_ms);
    int64_t now = tick_of(now_ms);
    unsigned level = 0;
    while (level < LEVELS - 1 && due - now >= 1 << LEVEL_BITS) {
        due >>= LEVEL_BITS;
        now >>= LEVEL_BITS;
        level++;
    }
    int64_t slots = slots_of(level);
    if (due - now >= slots)
        due = now + slots - 1;
    return (uint8_t)(1 + (level << LEVEL_BITS) + (unsigned)(due % slots));
}

int64_t wheel_due(uint8_t expiry_class, int64_t base_ms)
{
    if (base_ms < 0 || base_ms > BASE_LAST_MS)
        return base_ms;
    unsigned level = (expiry_class - 1u) >> LEVEL_BITS;
    int64_t slot = (expiry_class - 1u) & ((1u << LEVEL_BITS) - 1);
    unsigned shift = level * LEVEL_BITS;
    int64_t slots = slots_of(level);
    int64_t base = tick_of(base_ms) >> shift;
    int64_t ahead = (slot - base % slots + slots) % slots;
    int64_t due_ms = ((base + ahead) << shift) * WHEEL_TICK_MS;
    return due_ms > base_ms ? due_ms : base_ms;
}

int64_t wheel_look_parked(int64_t due_ms, int64_t now_ms)
{
    int64_t begins_ms = wheel_due(wheel_class(due_ms, now_ms), now_ms);
    return begins_ms < due_ms ? begins_ms : due_ms;
}

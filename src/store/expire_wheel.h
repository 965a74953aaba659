// SPDX-License-Identifier: BSD-3-Clause
// The expiry wheel: when a key is due, in the 8 bits that its slot has room for.
//
// A hierarchical timing wheel (Varghese and Lauck, 1987) without lists: the wheel's slot stands with the
// key, and the sweep meets it there. Ticks are 100 ms.
//
//   level 0: 64 slots of 1 tick       6.4 s         class 1 + 0 * 64 + tick % 64
//   level 1: 64 slots of 64 ticks     7 minutes     class 1 + 1 * 64 + tick / 64 % 64
//   level 2: 64 slots of 64^2 ticks   7 hours       class 1 + 2 * 64 + tick / 64^2 % 64
//   level 3: 63 slots of 64^3 ticks   19 days       class 1 + 3 * 64 + tick / 64^3 % 63
//
// Class 0 is "never", which the last level pays for with a slot. A time beyond it parks in its last slot.
// What parks has to be looked at when that slot comes (wheel_look()): were the base to pass it, the class would
// stand for the wheel's next turn.
//
// A class alone says when only modulo its level. What makes it a time is a base that no key with it is due
// before: the class then stands for the first slot from the base on that fits, and that is never later
// than the key is due. It may be earlier, after the clock was set back or where the base lags behind; who
// then looks at the key sees so and gives it a new class.
#pragma once

#include <stdint.h>

#define WHEEL_NEVER   0
#define WHEEL_TICK_MS 100

// What is due sooner than this does not park.
#define WHEEL_SURE_MS (UINT64_C(62) * (64 * 64 * 64) * WHEEL_TICK_MS)

// The class of what is due at `due_ms` (Unix time), as seen from `now_ms`.
uint8_t wheel_class(int64_t due_ms, int64_t now_ms);

// When the slot begins that the class (not WHEEL_NEVER) stands for, with nothing of it due before
// `base_ms`. Not later than anything with this class is due, and never before `base_ms`.
int64_t wheel_due(uint8_t expiry_class, int64_t base_ms);

int64_t wheel_look_parked(int64_t due_ms, int64_t now_ms);

// When what is due at `due_ms` and has its class from `now_ms` has to be looked at, at the latest: its base may not pass
// that. Not later than it is due.
static inline int64_t wheel_look(int64_t due_ms, int64_t now_ms)
{
    if (due_ms <= now_ms || (uint64_t)due_ms - (uint64_t)now_ms < WHEEL_SURE_MS)
        return due_ms;
    return wheel_look_parked(due_ms, now_ms);
}

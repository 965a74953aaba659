// SPDX-License-Identifier: BSD-3-Clause
// Time: read once a batch, then remembered; and a cheap tick for timing one command.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Milliseconds since 1970 and microseconds since some start, as of the last clock_update().
int64_t clock_wall_ms(void);
uint64_t clock_mono_us(void);

// Reads the system's clocks (vDSO, no system call).
void clock_update(void);

// Reads the clock now.
int64_t clock_wall_us_now(void);
uint64_t clock_mono_us_now(void);

// A counter of the CPU (TSC; on other machines the monotonic clock in ns) that costs a few
// nanoseconds to read, and its rate. Only differences mean something.
uint64_t clock_ticks(void);
uint64_t clock_ticks_to_ns(uint64_t ticks);
uint64_t clock_ns_to_ticks(uint64_t ns);

// Whether the counter is the CPU's; clock_ticks_inl() then reads it without a call.
bool clock_ticks_are_cpus(void);

// Calibrates the tick counter (a few milliseconds at most). Once, at the start.
void clock_init(void);

// Tests: clock_wall_ms() and clock_wall_us_now() are moved by `ms` from now on.
void clock_shift_ms(int64_t ms);

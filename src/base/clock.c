// SPDX-License-Identifier: BSD-3-Clause
// Clocks: the remembered time of the batch, and the CPU's tick counter with its rate.
#include "base/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define NS_PER_S       1000000000
#define CALIBRATION_NS 2000000

// Readings of both clocks, of which the best one counts.
#define READINGS 16

// The cached time and the tick counter's rate.
static struct {
    int64_t wall_ms;
    uint64_t mono_us;
    int64_t shift_us;
    bool tsc;
    uint64_t ns_per_tick_q32;  // ns a tick, 32 bits behind the point
} cached = { .ns_per_tick_q32 = UINT64_C(1) << 32 };

static uint64_t mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return cached.wall_ms;
}

uint64_t clock_mono_us(void)
{
    return cached.mono_us;
}

void clock_update(void)
{
    cached.wall_ms = clock_wall_us_now() / 1000;
    cached.mono_us = clock_mono_us_now();
}

int64_t clock_wall_us_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + cached.shift_us;
}

uint64_t clock_mono_us_now(void)
{
    return mono_ns() / 1000;
}

void clock_shift_ms(int64_t ms)
{
    cached.shift_us += ms * 1000;
    cached.wall_ms += ms;
}

#if defined(__x86_64__)

// A counter that stops or changes its rate would be worse than the slower clock.
static bool tsc_is_invariant(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && (edx & (1U << 8));
}

uint64_t clock_ticks(void)
{
    return cached.tsc ? __rdtsc() : mono_ns();
}

struct reading {
    uint64_t ticks;
    uint64_t ns;
};

// Both clocks at one moment: of several readings the one that nothing came between.
static struct reading read_both(void)
{
    struct reading best = { 0 };
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        uint64_t before = __rdtsc();
        uint64_t ns = mono_ns();
        uint64_t gap = __rdtsc() - before;
        if (gap >= best_gap)
            continue;
        best_gap = gap;
        best = (struct reading){ .ticks = before + gap / 2, .ns = ns };
    }
    return best;
}

static void calibrate(void)
{
    cached.tsc = tsc_is_invariant();
    if (!cached.tsc)
        return;
    struct reading from = read_both();
    while (mono_ns() - from.ns < CALIBRATION_NS)
        continue;
    struct reading to = read_both();
    cached.ns_per_tick_q32 = ((to.ns - from.ns) << 32) / (to.ticks - from.ticks);
}

#else

uint64_t clock_ticks(void)
{
    return mono_ns();
}

static void calibrate(void)
{
}

#endif

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * cached.ns_per_tick_q32) >> 32);
}

bool clock_ticks_are_cpus(void)
{
    return cached.tsc;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
    return (uint64_t)(((unsigned __int128)ns << 32) / cached.ns_per_tick_q32);
}

void clock_init(void)
{
    calibrate();
    clock_update();
}

// SPDX-License-Identifier: BSD-3-Clause
// clock_ticks() without the call, for who reads it millions of times a second.
#pragma once

#include "base/clock.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// As clock_ticks(); `are_cpus` is what clock_ticks_are_cpus() says, kept where it costs nothing to
// read.
static inline uint64_t clock_ticks_inl(bool are_cpus)
{
#if defined(__x86_64__)
    if (__builtin_expect(are_cpus, 1))
        return __rdtsc();
#endif
    return clock_ticks();
}

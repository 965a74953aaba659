// SPDX-License-Identifier: BSD-3-Clause
// A log-linear histogram of durations: recording one is a shift, an add and an increment.
//
//   value 0..63: a bucket each; from there on every power of two is cut into 32 buckets of one
//   width, so that a bucket is at most 1/32 of its values wide (HdrHistogram's layout). Values
//   beyond 2^38, a minute and a half at 3 GHz, share the last one.
//
// What a value means is the user's affair: the server records ticks of clock_ticks() and turns
// bounds into time when somebody asks.
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_TOP_BITS 38
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
    const uint64_t top = (UINT64_C(1) << HISTOGRAM_TOP_BITS) - 1;
    value = value < top ? value : top;
    // How many of the low bits don't matter.
    unsigned shift = 63u - (unsigned)__builtin_clzll(value | UINT64_C(1) << HISTOGRAM_SUB_BITS) -
                     HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_bucket(value)]++;
}

// The least and the greatest value of a bucket (the last one's: as if it had a bound).
uint64_t histogram_lowest(unsigned bucket);
uint64_t histogram_highest(unsigned bucket);

// How many values there are. O(buckets), as all below.
uint64_t histogram_total(const struct histogram *histogram);

// The least bound below which `percent` (0 to 100) of the values lie: the greatest value of the
// bucket in which the one of that rank is, or 0 if there are none. For 0 percent: the least value of
// the first one's bucket.
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

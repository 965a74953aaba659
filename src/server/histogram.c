// SPDX-License-Identifier: BSD-3-Clause
// Histograms of durations: see histogram.h.
#include "server/histogram.h"

uint64_t histogram_lowest(unsigned bucket)
{
    const unsigned half = 1u << HISTOGRAM_SUB_BITS;
    if (bucket < 2 * half)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    return (uint64_t)(half + bucket % half) << shift;
}

uint64_t histogram_highest(unsigned bucket)
{
    return histogram_lowest(bucket + 1) - 1;
}

uint64_t histogram_total(const struct histogram *histogram)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    return total;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank = (uint64_t)(percent / 100 * (double)histogram_total(histogram) + 0.5);
    uint64_t wanted = rank ? rank : 1;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted)
            return percent > 0 ? histogram_highest(i) : histogram_lowest(i);
    }
    return 0;
}

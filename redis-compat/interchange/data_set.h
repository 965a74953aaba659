// SPDX-License-Identifier: BSD-3-Clause
// The data that moves: every type and encoding, both sides of each threshold, and what is known to be tricky.
#pragma once

#include "host.h"

#include <stdint.h>

// Databases 0, 1 and 15 hold something.
#define DATA_DATABASES 16

enum data_part {
    DATA_FIRST,   // most of it
    DATA_SECOND,  // what may come behind a rewrite: changes, and more of all
};

// Keys that begin so have been changed by relative expiries and in place: what they are encoded as, and to the
// second when they expire, depends on the way that they came.
#define DATA_WORN "worn:"

// Commands that make a part; the same for the same seed and time.
void data_set_fill(struct host *host, enum data_part part, uint64_t seed, int64_t now_ms);

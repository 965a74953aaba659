// SPDX-License-Identifier: BSD-3-Clause
// Powers of ten to 128 bits, as the printing of doubles needs them.
#pragma once

#include <stdint.h>

#define POWER_OF_TEN_MIN (-292)
#define POWER_OF_TEN_MAX 324

// [k - POWER_OF_TEN_MIN]: 10^k scaled by a power of two into [2^127, 2^128) and rounded up to an
// integer; its high and its low half.
extern const uint64_t powers_of_ten[POWER_OF_TEN_MAX - POWER_OF_TEN_MIN + 1][2];

// SPDX-License-Identifier: BSD-3-Clause
// Text to numbers and back, exactly as Redis reads and prints them.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

// Longest texts, without a NUL.
#define INT64_TEXT_MAX  20
#define DOUBLE_TEXT_MAX 32

// Strict decimal int64: an optional '-', no '+', no leading zeros, no blanks, nothing behind it;
// "-0" is refused. The whole slice must be the number. False: `out` is untouched.
bool parse_int64(struct slice text, int64_t *out);

// As parse_int64() for an unsigned number.
bool parse_uint64(struct slice text, uint64_t *out);

// A double as strtod() reads it (decimal, hex, inf, infinity; any case), with no blank before it,
// nothing behind it, not NaN, not empty, at most 1,023 bytes; a finite text that overflows to
// infinity or vanishes to zero is refused. False: `out` is untouched.
bool parse_double(struct slice text, double *out);

// As parse_double() with the precision of a long double; for INCRBYFLOAT.
bool parse_long_double(struct slice text, long double *out);

// Decimal text with up to 17 digits behind the point, trailing zeros taken off, as INCRBYFLOAT prints
// its result. `out`: LONG_DOUBLE_TEXT_MAX bytes, no NUL. Returns the length. The value is finite.
#define LONG_DOUBLE_TEXT_MAX 5120
int format_long_double(char *out, long double value);

// A size with an optional unit, any case: b, k (1000), kb (1024), m, mb, g, gb. At least one digit,
// no sign, overflow refused.
bool parse_memory(struct slice text, uint64_t *out);

// Writes the decimal text (no NUL) and returns its length. `out`: INT64_TEXT_MAX bytes.
int format_int64(char *out, int64_t value);
int format_uint64(char *out, uint64_t value);

// Number of decimal digits of `value`, 1 to 20.
int uint64_digits(uint64_t value);

// The shortest text that reads back as the same double (of several the nearest), laid out as Redis
// 7.2 prints doubles in replies. `out`: DOUBLE_TEXT_MAX bytes, no NUL. Returns the length.
// - "inf", "-inf", "nan", "-0".
// - Integers up to 2^62 in size in full. These are the ones Redis prints as integers.
// - Others as fpconv_dtoa() does, the library that Redis 7.2 uses. With the digits as an integer
//   without trailing zeros, times 10^k: in full for 0 <= k <= 7 (negative numbers: 6); with a point
//   for -7 < k < 0, or if the first digit's power is within 10^-3 to 10^3; else "1.5e-7", "1e+22".
//   So 1234567.1234567 is 1.2345671234567e+6, with more than six digits behind the point.
int format_double(char *out, double value);

// A size for people as INFO prints it: "512B", "1.50K", "2.00M", "3.10G". `out`: 32 bytes with NUL.
void format_memory_human(char *out, uint64_t bytes);

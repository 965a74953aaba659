// SPDX-License-Identifier: BSD-3-Clause
// Doubles to the shortest text that reads back as the same double, and text to doubles.
//
// Printing is Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020): of the
// decimals inside the interval that rounds to the double, it finds the shortest, and of these the
// nearest, with three 64 by 128 bit multiplications and no loop. 64 bits more would be needed for
// exact products; rounding them to odd keeps every comparison right.
//
// Reading leaves the correct rounding to strtod(), save for short plain decimals, such as 3.25 or
// 1700000000.5: an integer below 2^53 divided by an exact power of ten is rounded just once.
#include "base/numbers.h"

#include "base/powers_of_ten.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_TEXT_MAX  1023
#define PARSE_SHORT_MAX 15
#define FRACTION_BITS   52
#define FRACTION_MASK   ((UINT64_C(1) << FRACTION_BITS) - 1)
#define EXPONENT_BIAS   1075

// --- text to double -----------------------------------------------------------------------------

// Plain decimals of at most 15 digits: [-]digits[.digits]. False: take the long way.
static bool parse_short_decimal(struct slice text, double *out)
{
    static const double powers[PARSE_SHORT_MAX + 1] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    };
    const char *at = text.ptr;
    const char *end = text.ptr + text.len;
    bool negative = at < end && *at == '-';
    at += negative;
    if (end - at < 1 || end - at > PARSE_SHORT_MAX + 1)
        return false;
    int64_t mantissa = 0;
    int digits = 0;
    const char *point = NULL;
    for (; at < end; at++) {
        if (*at >= '0' && *at <= '9') {
            mantissa = mantissa * 10 + (*at - '0');
            digits++;
        } else if (*at == '.' && !point) {
            point = at;
        } else {
            return false;
        }
    }
    if (digits == 0 || digits > PARSE_SHORT_MAX)
        return false;
    double value = (double)mantissa;
    if (point)
        value /= powers[end - point - 1];
    *out = negative ? -value : value;
    return true;
}

bool parse_double(struct slice text, double *out)
{
    if (text.len == 0 || text.len > PARSE_TEXT_MAX)
        return false;
    if (parse_short_decimal(text, out))
        return true;
    // strtod() would skip what isspace() knows.
    if (text.ptr[0] == ' ' || (text.ptr[0] >= '\t' && text.ptr[0] <= '\r'))
        return false;
    char copy[PARSE_TEXT_MAX + 1];
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    double value = strtod(copy, &end);
    if (end != copy + text.len || isnan(value))
        return false;
    if (errno == ERANGE && (isinf(value) || value == 0))
        return false;
    *out = value;
    return true;
}

// --- double to text -----------------------------------------------------------------------------

// digits x 10^exponent, no zero at the end.
struct decimal {
    char digits[INT64_TEXT_MAX];
    int count;
    int exponent;
};

static inline uint64_t high64(unsigned __int128 x)
{
    return (uint64_t)(x >> 64);
}

// The upper 64 of the 192 bits of power * factor; the lowest is set if any bit below it is. The
// lowest bit of the rest may be wrong, since the power is rounded, and is not looked at.
static inline uint64_t multiply_to_odd(const uint64_t power[2], uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power[1] * factor;
    unsigned __int128 high = (unsigned __int128)power[0] * factor + high64(low);
    return high64(high) | ((uint64_t)high > 1);
}

// floor(log10(2^e)), or floor(log10(3/4 * 2^e)); floor(log2(10^e)).
static inline int log10_of_pow2(int e, bool three_quarters)
{
    return (e * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

static inline int log2_of_pow10(int e)
{
    return (e * 1741647) >> 19;
}

// The shortest decimal of fraction x 2^exponent. `closer`: the next lower double is only half as
// far away as the next higher one. The names are the paper's; all are in quarters of 10^k.
static uint64_t shorten(uint64_t c, int q, bool closer, int *exponent)
{
    uint64_t odd = c & 1;  // the ends of the interval belong to an even number
    int k = log10_of_pow2(q, closer);
    int h = q + log2_of_pow10(-k) + 1;
    const uint64_t *power = powers_of_ten[-k - POWER_OF_TEN_MIN];
    uint64_t lower = multiply_to_odd(power, (4 * c - 2 + closer) << h) + odd;
    uint64_t value = multiply_to_odd(power, 4 * c << h);
    uint64_t upper = multiply_to_odd(power, (4 * c + 2) << h) - odd;

    uint64_t s = value / 4;
    *exponent = k;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down_inside = lower <= 40 * tens;
        bool up_inside = 40 * tens + 40 <= upper;
        if (down_inside != up_inside) {
            *exponent = k + 1;
            return tens + up_inside;
        }
    }
    bool down_inside = lower <= 4 * s;
    bool up_inside = 4 * s + 4 <= upper;
    if (down_inside != up_inside)
        return s + up_inside;
    uint64_t middle = 4 * s + 2;
    return s + (value > middle || (value == middle && (s & 1)));
}

// The decimal of a positive, finite number.
static void decimal_of(double value, struct decimal *out)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & FRACTION_MASK;
    int biased = (int)(bits >> FRACTION_BITS);
    uint64_t digits;
    int exponent;
    if (biased == 0)
        digits = shorten(fraction, 1 - EXPONENT_BIAS, false, &exponent);
    else
        digits = shorten(fraction | (FRACTION_MASK + 1), biased - EXPONENT_BIAS,
                         fraction == 0 && biased > 1, &exponent);
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    out->count = format_uint64(out->digits, digits);
    out->exponent = exponent;
}

static int put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return count;
}

static int put_digits(char *out, const char *digits, int count)
{
    memcpy(out, digits, (size_t)count);
    return count;
}

// d[.ddd]e[+-]x
static int lay_out_scientific(char *out, const struct decimal *decimal)
{
    int exponent = decimal->exponent + decimal->count - 1;
    int len = put_digits(out, decimal->digits, 1);
    if (decimal->count > 1) {
        out[len++] = '.';
        len += put_digits(out + len, decimal->digits + 1, decimal->count - 1);
    }
    out[len++] = 'e';
    out[len++] = exponent < 0 ? '-' : '+';
    return len + format_uint64(out + len, (uint64_t)abs(exponent));
}

// Digits with a point among or before them: exponent < 0.
static int lay_out_fraction(char *out, const struct decimal *decimal)
{
    int before_point = decimal->count + decimal->exponent;
    int len = 0;
    if (before_point > 0) {
        len += put_digits(out, decimal->digits, before_point);
        out[len++] = '.';
        return len +
               put_digits(out + len, decimal->digits + before_point, decimal->count - before_point);
    }
    out[len++] = '0';
    out[len++] = '.';
    len += put_zeros(out + len, -before_point);
    return len + put_digits(out + len, decimal->digits, decimal->count);
}

// The notations of fpconv_dtoa(), which are what Redis 7.2's clients see (numbers.h).
static int lay_out(char *out, const struct decimal *decimal, bool negative)
{
    int exponent = decimal->exponent;
    int zeros_max = negative ? 6 : 7;
    if (exponent >= 0 && exponent < zeros_max + 1) {
        int len = put_digits(out, decimal->digits, decimal->count);
        return len + put_zeros(out + len, exponent);
    }
    if (exponent < 0 && (exponent > -7 || abs(exponent + decimal->count - 1) < 4))
        return lay_out_fraction(out, decimal);
    return lay_out_scientific(out, decimal);
}

int format_double(char *out, double value)
{
    if (isnan(value))
        return put_digits(out, "nan", 3);
    bool negative = signbit(value);
    int len = 0;
    if (negative) {
        out[len++] = '-';
        value = -value;
    }
    if (isinf(value))
        return len + put_digits(out + len, "inf", 3);
    // Integers, as far as Redis prints them as such.
    if (value <= 0x1p62 && value == (double)(int64_t)value)
        return len + format_uint64(out + len, (uint64_t)value);
    struct decimal decimal;
    decimal_of(value, &decimal);
    return len + lay_out(out + len, &decimal, negative);
}

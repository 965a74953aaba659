// SPDX-License-Identifier: BSD-3-Clause
// Integers to text and back, strict parsing, sizes with units. Doubles are in doubles.c.
#include "base/numbers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool parse_uint64(struct slice text, uint64_t *out)
{
    if (text.len == 0 || text.len > INT64_TEXT_MAX)
        return false;
    if (text.ptr[0] == '0') {
        if (text.len > 1)
            return false;
        *out = 0;
        return true;
    }
    uint64_t value = 0;
    // Nineteen digits can't overflow; only the twentieth needs a look.
    size_t safe = text.len < INT64_TEXT_MAX ? text.len : INT64_TEXT_MAX - 1;
    for (size_t i = 0; i < safe; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (safe < text.len) {
        char last = text.ptr[safe];
        if (!is_digit(last) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(last - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool parse_int64(struct slice text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t magnitude;
    if (negative)
        text = (struct slice){ .ptr = text.ptr + 1, .len = text.len - 1 };
    if (!parse_uint64(text, &magnitude))
        return false;
    if (negative) {
        if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1)
            return false;
        // Negated as unsigned, since INT64_MIN has no positive counterpart.
        *out = (int64_t)-magnitude;
        return true;
    }
    if (magnitude > INT64_MAX)
        return false;
    *out = (int64_t)magnitude;
    return true;
}

bool parse_memory(struct slice text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        { "", 1 },
        { "b", 1 },
        { "k", 1000 },
        { "kb", 1024 },
        { "m", 1000 * 1000 },
        { "mb", 1024 * 1024 },
        { "g", 1000 * 1000 * 1000 },
        { "gb", 1024 * 1024 * 1024 },
    };
    size_t digits = 0;
    uint64_t value = 0;
    for (; digits < text.len && is_digit(text.ptr[digits]); digits++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[digits] - '0'), &value))
            return false;
    }
    if (digits == 0)
        return false;
    struct slice unit = { .ptr = text.ptr + digits, .len = text.len - digits };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (slice_is(unit, units[i].name))
            return !__builtin_mul_overflow(value, units[i].factor, out);
    }
    return false;
}

int uint64_digits(uint64_t value)
{
    static const uint64_t powers[] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        UINT64_C(10000000000000000000),
    };
    // bits * log10(2), then corrected by one comparison.
    int bits = 64 - __builtin_clzll(value | 1);
    int guess = bits * 1233 >> 12;
    return guess + (value >= powers[guess]);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

// The eight digits of a number below 10^8, one a byte, the first in the lowest: halved three times,
// all parts of a step at once. 10486 / 2^20 and 103 / 2^10 divide by 100 and 10 what is below 10^4
// and 10^2.
static inline uint64_t eight_digits(uint64_t value)
{
    uint64_t fours = value / 10000 | value % 10000 << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

static inline int format_short(char *out, uint64_t value)
{
    uint64_t digits = eight_digits(value);
    // Zero is one digit, too.
    unsigned leading_bits = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) & ~7u;
    uint64_t text = (digits + UINT64_C(0x3030303030303030)) >> leading_bits;
    memcpy(out, &text, sizeof text);
    return (int)(8 - leading_bits / 8);
}

#endif

int format_uint64(char *out, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (value < 100000000)
        return format_short(out, value);
#endif
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    int len = uint64_digits(value);
    char *at = out + len;
    while (value >= 100) {
        at -= 2;
        memcpy(at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, pairs + value * 2, 2);
    else
        at[-1] = (char)('0' + value);
    return len;
}

int format_int64(char *out, int64_t value)
{
    if (value >= 0)
        return format_uint64(out, (uint64_t)value);
    *out = '-';
    return 1 + format_uint64(out + 1, -(uint64_t)value);
}

void format_memory_human(char *out, uint64_t bytes)
{
    static const char units[] = { 'K', 'M', 'G', 'T', 'P', 'E' };
    if (bytes < 1024) {
        snprintf(out, 32, "%uB", (unsigned)bytes);
        return;
    }
    int unit = 0;
    double size = (double)bytes / 1024;
    while (size >= 1024 && unit < (int)sizeof units - 1) {
        size /= 1024;
        unit++;
    }
    snprintf(out, 32, "%.2f%c", size, units[unit]);
}

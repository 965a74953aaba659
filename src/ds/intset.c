// SPDX-License-Identifier: BSD-3-Clause
// Intsets: see intset.h for the format.
#include "ds/intset.h"

#include "base/little_endian.h"
#include "base/panic.h"

#include <string.h>

static size_t width_of(const unsigned char *set)
{
    return load_le32(set);
}

// The narrowest width that holds the integer.
static size_t width_for(int64_t value)
{
    if (value >= INT16_MIN && value <= INT16_MAX)
        return 2;
    return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

static int64_t read_at(const unsigned char *set, size_t width, size_t index)
{
    const unsigned char *p = set + INTSET_HEADER_BYTES + index * width;
    if (width == 2)
        return (int16_t)load_le16(p);
    return width == 4 ? (int32_t)load_le32(p) : (int64_t)load_le64(p);
}

static void write_at(unsigned char *set, size_t width, size_t index, int64_t value)
{
    unsigned char *p = set + INTSET_HEADER_BYTES + index * width;
    if (width == 2)
        store_le16(p, (uint16_t)value);
    else if (width == 4)
        store_le32(p, (uint32_t)value);
    else
        store_le64(p, (uint64_t)value);
}

void intset_init(unsigned char *set)
{
    store_le32(set, 2);
    store_le32(set + 4, 0);
}

size_t intset_count(const unsigned char *set)
{
    return load_le32(set + 4);
}

size_t intset_bytes(const unsigned char *set)
{
    return INTSET_HEADER_BYTES + intset_count(set) * width_of(set);
}

int64_t intset_at(const unsigned char *set, size_t index)
{
    DEBUG_ASSERT(index < intset_count(set));
    return read_at(set, width_of(set), index);
}

// The first index whose integer is not less than `value`. Halving without a branch on the
// comparison: which half it is can't be predicted.
static inline size_t lower_bound(const unsigned char *set, size_t width, int64_t value)
{
    size_t base = 0;
    size_t left = intset_count(set);
    while (left > 1) {
        size_t half = left / 2;
        base = read_at(set, width, base + half - 1) < value ? base + half : base;
        left -= half;
    }
    return left == 1 && read_at(set, width, base) < value ? base + 1 : base;
}

bool intset_find(const unsigned char *set, int64_t value, size_t *index)
{
    size_t count = intset_count(set);
    size_t width = width_of(set);
    // Integers often come in ascending order: behind all that are there.
    if (count == 0 || read_at(set, width, count - 1) < value) {
        *index = count;
        return false;
    }
    // Each width has a loop of its own.
    if (width == 2)
        *index = lower_bound(set, 2, value);
    else
        *index = width == 4 ? lower_bound(set, 4, value) : lower_bound(set, 8, value);
    return read_at(set, width, *index) == value;
}

size_t intset_bytes_with(const unsigned char *set, int64_t value)
{
    size_t width = width_of(set);
    size_t needed = width_for(value);
    return INTSET_HEADER_BYTES + (intset_count(set) + 1) * (needed > width ? needed : width);
}

// Spreads the integers to the new width, from the last on, since they lie in the same bytes; those
// from `index` on leave a place free before them.
static void widen(unsigned char *set, size_t width, size_t new_width, size_t index)
{
    for (size_t i = intset_count(set); i-- > 0;)
        write_at(set, new_width, i < index ? i : i + 1, read_at(set, width, i));
    store_le32(set, (uint32_t)new_width);
}

void intset_insert(unsigned char *set, size_t index, int64_t value)
{
    size_t count = intset_count(set);
    size_t width = width_of(set);
    size_t needed = width_for(value);
    ASSERT(index <= count && count < UINT32_MAX);
    if (needed > width) {
        widen(set, width, needed, index);
        width = needed;
    } else {
        unsigned char *p = set + INTSET_HEADER_BYTES + index * width;
        memmove(p + width, p, (count - index) * width);
    }
    write_at(set, width, index, value);
    store_le32(set + 4, (uint32_t)count + 1);
}

void intset_remove(unsigned char *set, size_t index)
{
    size_t count = intset_count(set);
    size_t width = width_of(set);
    ASSERT(index < count);
    unsigned char *p = set + INTSET_HEADER_BYTES + index * width;
    memmove(p, p + width, (count - index - 1) * width);
    store_le32(set + 4, (uint32_t)count - 1);
}

bool intset_validate(const unsigned char *set, size_t size)
{
    if (size < INTSET_HEADER_BYTES)
        return false;
    size_t width = width_of(set);
    if (width != 2 && width != 4 && width != 8)
        return false;
    size_t count = intset_count(set);
    if (size != INTSET_HEADER_BYTES + count * width)
        return false;
    for (size_t i = 1; i < count; i++)
        if (read_at(set, width, i - 1) >= read_at(set, width, i))
            return false;
    return true;
}

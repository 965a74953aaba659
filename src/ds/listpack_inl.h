// SPDX-License-Identifier: BSD-3-Clause
// Listpack elements decoded inline, for loops over many of them; others use listpack.h.
//
//   for (const unsigned char *p = lp + LP_HEADER_BYTES; !lp_at_end(p); p = lp_step(p))
//       use(lp_read(p));
#pragma once

#include "base/little_endian.h"
#include "base/panic.h"
#include "ds/listpack.h"

#define LP_END 0xFF

// The first bytes of encodings that have no data bits in theirs.
#define LP_TEXT32 0xF0
#define LP_INT16  0xF1
#define LP_INT24  0xF2
#define LP_INT32  0xF3
#define LP_INT64  0xF4

static inline bool lp_at_end(const unsigned char *p)
{
    return *p == LP_END;
}

static inline bool lp_is_text(const unsigned char *p)
{
    return (*p & 0xC0) == 0x80 || (*p & 0xF0) == 0xE0 || *p == LP_TEXT32;
}

// A string's bytes; the element is one.
static inline struct slice lp_read_text(const unsigned char *p)
{
    if (*p < 0xC0)
        return (struct slice){ .ptr = (const char *)p + 1, .len = *p & 0x3F };
    if (*p < LP_TEXT32)
        return (struct slice){ .ptr = (const char *)p + 2, .len = (*p & 0xFu) << 8 | p[1] };
    return (struct slice){ .ptr = (const char *)p + 5, .len = load_le32(p + 1) };
}

// An integer's value; the element is one.
static inline int64_t lp_read_integer(const unsigned char *p)
{
    if (*p < 0x80)
        return *p;
    switch (*p) {
    case LP_INT16: return (int16_t)load_le16(p + 1);
    case LP_INT24: return (int32_t)((uint32_t)load_le16(p + 1) << 8 | (uint32_t)p[3] << 24) >> 8;
    case LP_INT32: return (int32_t)load_le32(p + 1);
    case LP_INT64: return (int64_t)load_le64(p + 1);
    default: break;
    }
    // 13 bits, moved up for the sign's sake.
    return (int16_t)((*p & 0x1Fu) << 11 | (unsigned)p[1] << 3) >> 3;
}

static inline struct lp_value lp_read(const unsigned char *p)
{
    if (lp_is_text(p))
        return (struct lp_value){ .text = lp_read_text(p) };
    return (struct lp_value){ .integer = lp_read_integer(p) };
}

// Bytes of an element's encoding and data, of those with a first byte of their own.
static inline size_t lp_wide_bytes(const unsigned char *p)
{
    switch (*p) {
    case LP_TEXT32: return 5 + (size_t)load_le32(p + 1);
    case LP_INT16: return 3;
    case LP_INT24: return 4;
    case LP_INT32: return 5;
    default: return 9;
    }
}

// Bytes of an element's encoding and data: what its back length says.
static inline size_t lp_data_bytes(const unsigned char *p)
{
    unsigned first = *p;
    if (first < 0x80)
        return 1;
    if (first < 0xC0)
        return 1 + (first & 0x3F);
    if (first < 0xE0)
        return 2;
    if (first < LP_TEXT32)
        return 2 + ((first & 0xF) << 8 | p[1]);
    return lp_wide_bytes(p);
}

// Bytes that the back length of so many data bytes takes. The bounds of three and more bytes are one
// lower than what seven bits a byte could say: so the format's first implementation has it, and
// readers skip by it.
static inline size_t lp_back_bytes(size_t data)
{
    if (likely(data <= 127))
        return 1;
    if (data < 16383)
        return 2;
    if (data < 2097151)
        return 3;
    return data < 268435455 ? 4 : 5;
}

// The element behind this one, or the terminator.
static inline const unsigned char *lp_step(const unsigned char *p)
{
    size_t data = lp_data_bytes(p);
    return p + data + lp_back_bytes(data);
}

// SPDX-License-Identifier: BSD-3-Clause
// Ziplists, read: see ziplist.h.
#include "persist/ziplist.h"

#include "base/little_endian.h"

#include <endian.h>

#define HEADER_BYTES  10
#define TAIL_AT       4
#define COUNT_AT      8
#define END_BYTES     1
#define END           0xFF
#define LONG_BEFORE   0xFE
#define COUNT_UNKNOWN UINT16_MAX

#define INT16 0xC0
#define INT32 0xD0
#define INT64 0xE0
#define INT24 0xF0
#define INT8  0xFE

bool ziplist_iter_init(struct ziplist_iter *iter, struct slice bytes)
{
    *iter = (struct ziplist_iter){ .bytes = bytes, .at = HEADER_BYTES };
    return bytes.len >= HEADER_BYTES + END_BYTES && load_le32(bytes.ptr) == bytes.len;
}

// Whether so many bytes are left from `at` on, before the one that ends the ziplist.
static bool has(const struct ziplist_iter *iter, size_t at, size_t len)
{
    size_t end = iter->bytes.len - END_BYTES;
    return at <= end && len <= end - at;
}

// Passes over the size of the entry before; false if it is not that.
static bool pass_before(const struct ziplist_iter *iter, size_t *at)
{
    uint32_t before;
    if (!has(iter, *at, 1))
        return false;
    if ((uint8_t)iter->bytes.ptr[*at] < LONG_BEFORE) {
        before = (uint8_t)iter->bytes.ptr[*at];
        *at += 1;
    } else {
        if (!has(iter, *at, 1 + sizeof(before)))
            return false;
        before = load_le32(iter->bytes.ptr + *at + 1);
        *at += 1 + sizeof(before);
    }
    return before == iter->before;
}

// A string; false if it is cut off.
static bool read_text(const struct ziplist_iter *iter, size_t *at, struct slice *out)
{
    const char *bytes = iter->bytes.ptr + *at;
    uint8_t first = (uint8_t)*bytes;
    uint32_t big;
    size_t head = first < 0x40 ? 1 : first < 0x80 ? 2 : 1 + sizeof(big);
    if (!has(iter, *at, head))
        return false;
    switch (head) {
    case 1: out->len = first; break;
    case 2: out->len = (size_t)(first & 0x3F) << 8 | (uint8_t)bytes[1]; break;
    default:
        memcpy(&big, bytes + 1, sizeof(big));
        out->len = be32toh(big);
        break;
    }
    *at += head;
    if (!has(iter, *at, out->len))
        return false;
    out->ptr = iter->bytes.ptr + *at;
    *at += out->len;
    return true;
}

// Bytes of an integer behind its encoding; -1: there is no such encoding.
static int integer_bytes(uint8_t encoding)
{
    switch (encoding) {
    case INT8: return 1;
    case INT16: return 2;
    case INT24: return 3;
    case INT32: return 4;
    case INT64: return 8;
    default: return encoding > INT24 && encoding < INT8 ? 0 : -1;
    }
}

// An integer; false if it is cut off or of an unknown encoding.
static bool read_integer(const struct ziplist_iter *iter, size_t *at, int64_t *out)
{
    uint8_t encoding = (uint8_t)iter->bytes.ptr[*at];
    int len = integer_bytes(encoding);
    *at += 1;
    if (len < 0 || !has(iter, *at, (size_t)len))
        return false;
    if (len == 0) {
        *out = (encoding & 0x0F) - 1;
        return true;
    }
    // From the top byte down, so that the sign comes along.
    const char *bytes = iter->bytes.ptr + *at;
    uint64_t value = (uint64_t)(int64_t)(int8_t)bytes[len - 1];
    for (int i = len - 2; i >= 0; i--)
        value = value << 8 | (uint8_t)bytes[i];
    *out = (int64_t)value;
    *at += (size_t)len;
    return true;
}

// At the end: whether the header has told the truth.
static bool header_is_right(const struct ziplist_iter *iter)
{
    const char *bytes = iter->bytes.ptr;
    uint16_t count = load_le16(bytes + COUNT_AT);
    return iter->at == iter->bytes.len - END_BYTES && (uint8_t)bytes[iter->at] == END &&
           (count == COUNT_UNKNOWN || count == iter->count) &&
           load_le32(bytes + TAIL_AT) == iter->at - iter->before;
}

enum old_packed_step ziplist_next(struct ziplist_iter *iter, struct lp_value *out)
{
    size_t at = iter->at;
    if ((uint8_t)iter->bytes.ptr[at] == END)
        return header_is_right(iter) ? OLD_PACKED_END : OLD_PACKED_DAMAGED;
    *out = (struct lp_value){ .integer = 0 };
    if (!pass_before(iter, &at) || !has(iter, at, 1))
        return OLD_PACKED_DAMAGED;
    bool is_text = (uint8_t)iter->bytes.ptr[at] < INT16;
    if (!(is_text ? read_text(iter, &at, &out->text) : read_integer(iter, &at, &out->integer)))
        return OLD_PACKED_DAMAGED;
    iter->before = at - iter->at;
    iter->at = at;
    iter->count++;
    return OLD_PACKED_ENTRY;
}

// SPDX-License-Identifier: BSD-3-Clause
// Zipmaps, read: see zipmap.h.
#include "persist/zipmap.h"

#include "base/little_endian.h"

#define COUNT_BYTES   1
#define END_BYTES     1
#define END           0xFF
#define LONG_LENGTH   0xFE
#define COUNT_UNKNOWN 0xFE

bool zipmap_iter_init(struct zipmap_iter *iter, struct slice bytes)
{
    *iter = (struct zipmap_iter){ .bytes = bytes, .at = COUNT_BYTES };
    return bytes.len >= COUNT_BYTES + END_BYTES && (uint8_t)bytes.ptr[bytes.len - 1] == END;
}

// Whether so many bytes are left from `at` on, before the one that ends the zipmap.
static bool has(const struct zipmap_iter *iter, size_t at, size_t len)
{
    size_t end = iter->bytes.len - END_BYTES;
    return at <= end && len <= end - at;
}

static bool read_length(const struct zipmap_iter *iter, size_t *at, size_t *out)
{
    if (!has(iter, *at, 1))
        return false;
    uint8_t first = (uint8_t)iter->bytes.ptr[*at];
    *at += 1;
    *out = first;
    if (first < LONG_LENGTH)
        return true;
    if (first != LONG_LENGTH || !has(iter, *at, sizeof(uint32_t)))
        return false;
    *out = load_le32(iter->bytes.ptr + *at);
    *at += sizeof(uint32_t);
    return true;
}

static bool read_text(const struct zipmap_iter *iter, size_t *at, size_t len, struct slice *out)
{
    if (!has(iter, *at, len))
        return false;
    *out = (struct slice){ .ptr = iter->bytes.ptr + *at, .len = len };
    *at += len;
    return true;
}

// A value, with the free bytes behind it.
static bool read_value(const struct zipmap_iter *iter, size_t *at, struct slice *out)
{
    size_t len;
    if (!read_length(iter, at, &len) || !has(iter, *at, 1))
        return false;
    size_t unused = (uint8_t)iter->bytes.ptr[*at];
    *at += 1;
    if (!read_text(iter, at, len, out) || !has(iter, *at, unused))
        return false;
    *at += unused;
    return true;
}

enum old_packed_step zipmap_next(struct zipmap_iter *iter, struct slice pair[2])
{
    size_t at = iter->at;
    size_t len;
    if (at == iter->bytes.len - END_BYTES) {
        uint8_t count = (uint8_t)iter->bytes.ptr[0];
        return count == COUNT_UNKNOWN || count == iter->count ? OLD_PACKED_END : OLD_PACKED_DAMAGED;
    }
    if (!read_length(iter, &at, &len) || !read_text(iter, &at, len, &pair[0]) ||
        !read_value(iter, &at, &pair[1]))
        return OLD_PACKED_DAMAGED;
    iter->at = at;
    iter->count++;
    return OLD_PACKED_ENTRY;
}

// SPDX-License-Identifier: BSD-3-Clause
// Reading the RDB format: see rdb_reader.h.
//
//   source:  ...... already consumed ...... | window: at ......... end | left: not fetched yet
//
// The window is a buffer of 128 KiB; a string that lies in it whole is handed out where it lies. The
// checksum is taken when the window moves on, over all that was consumed of it.
#include "persist/rdb_reader.h"

#include "base/crc64.h"
#include "base/little_endian.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "persist/rdb.h"

#include <errno.h>
#include <liblzf/lzf.h>
#include <stdio.h>

// Small enough to stay in the cache beside what is made of it: a mebibyte took 10 % longer.
#define WINDOW_BYTES ((size_t)128 << 10)

// Where nobody knows how much is to come, long strings grow by as much as has come.
#define FIRST_PART ((size_t)1 << 20)

// LZF makes at most 264 bytes of 3.
#define LZF_RATIO_MAX 88

// Strings kept for reuse.
#define KEEP_BYTES ((size_t)1 << 20)

void rdb_reader_init(struct rdb_reader *r, rdb_source_fn source, void *udata, uint64_t size,
                     bool checksum)
{
    *r = (struct rdb_reader){
        .buf = mem_alloc(WINDOW_BYTES),
        .left = size,
        .checksum = checksum,
        .source = source,
        .udata = udata,
    };
    r->window = r->buf;
}

void rdb_reader_init_memory(struct rdb_reader *r, struct slice bytes)
{
    *r = (struct rdb_reader){ .window = bytes.ptr, .end = bytes.len };
}

void rdb_reader_release(struct rdb_reader *r)
{
    mem_free(r->buf, WINDOW_BYTES);
    bytes_release(&r->text);
    bytes_release(&r->unpacked);
    bytes_release(&r->converted);
    r->buf = NULL;
}

uint64_t rdb_reader_checksum(const struct rdb_reader *r)
{
    return r->checksum ? crc64(r->crc, r->window, r->at) : 0;
}

uint64_t rdb_reader_left(const struct rdb_reader *r)
{
    return r->left == UINT64_MAX ? UINT64_MAX : r->left + (r->end - r->at);
}

bool rdb_fail(struct rdb_reader *r, const char *format, ...)
{
    if (r->failed)
        return false;
    r->failed = true;
    r->error_offset = rdb_reader_offset(r);
    va_list args;
    va_start(args, format);
    vsnprintf(r->error, sizeof(r->error), format, args);
    va_end(args);
    return false;
}

bool rdb_fail_empty(struct rdb_reader *r, const char *what)
{
    if (!r->failed)
        r->empty = true;
    return rdb_fail(r, "%s is empty", what);
}

bool rdb_pass_empty(struct rdb_reader *r)
{
    if (!r->empty)
        return false;
    r->failed = r->empty = false;
    r->error[0] = '\0';
    return true;
}

bool rdb_fail_nomem(struct rdb_reader *r, size_t bytes)
{
    if (!r->failed)
        r->out_of_memory = true;
    return rdb_fail(r, "out of memory: %zu bytes are wanted", bytes);
}

// Moves the window on, keeping what has not been consumed of it. False: nothing more came.
static bool fetch(struct rdb_reader *r)
{
    if (r->failed || !r->buf)
        return false;
    if (r->checksum)
        r->crc = crc64(r->crc, r->buf, r->at);
    memmove(r->buf, r->buf + r->at, r->end - r->at);
    r->offset += r->at;
    r->end -= r->at;
    r->at = 0;
    size_t got = 0;
    enum status status = r->source(r->udata, r->buf + r->end, WINDOW_BYTES - r->end, &got);
    if (status != STATUS_OK)
        return rdb_fail(r, "cannot read: %s", strerror(errno));
    r->end += got;
    if (r->left != UINT64_MAX)
        r->left -= got < r->left ? got : r->left;
    return got > 0;
}

// Fetches until so many bytes, at most a window's, are in the window from `at` on; else fails.
static __attribute__((noinline)) bool fetch_enough(struct rdb_reader *r, size_t len)
{
    while (r->end - r->at < len) {
        if (!fetch(r))
            return rdb_fail(r, "the end comes too early: %zu bytes are missing",
                            len - (r->end - r->at));
    }
    return !r->failed;
}

static inline bool need(struct rdb_reader *r, size_t len)
{
    return likely(r->end - r->at >= len) ? !r->failed : fetch_enough(r, len);
}

bool rdb_read_raw(struct rdb_reader *r, void *into, size_t len)
{
    char *to = into;
    while (len > 0) {
        if (!need(r, 1))
            return false;
        size_t part = r->end - r->at < len ? r->end - r->at : len;
        memcpy(to, r->window + r->at, part);
        r->at += part;
        to += part;
        len -= part;
    }
    return !r->failed;
}

bool rdb_read_byte(struct rdb_reader *r, uint8_t *out)
{
    if (!need(r, 1))
        return false;
    *out = (uint8_t)r->window[r->at++];
    return true;
}

bool rdb_read_le32(struct rdb_reader *r, uint32_t *out)
{
    if (!need(r, sizeof(*out)))
        return false;
    *out = load_le32(r->window + r->at);
    r->at += sizeof(*out);
    return true;
}

bool rdb_read_le64(struct rdb_reader *r, uint64_t *out)
{
    if (!need(r, sizeof(*out)))
        return false;
    *out = load_le64(r->window + r->at);
    r->at += sizeof(*out);
    return true;
}

bool rdb_read_double(struct rdb_reader *r, double *out)
{
    uint64_t bits;
    if (!rdb_read_le64(r, &bits))
        return false;
    memcpy(out, &bits, sizeof(*out));
    return true;
}

// The rest of a length that begins with this byte.
static bool read_length_behind(struct rdb_reader *r, uint8_t first, uint64_t *out)
{
    uint32_t big32 = 0;
    uint64_t big64 = 0;
    uint8_t low;
    switch (first & 0xC0) {
    case RDB_LENGTH_6: *out = first; return true;
    case RDB_LENGTH_14:
        if (!rdb_read_byte(r, &low))
            return false;
        *out = (uint64_t)(first & 0x3F) << 8 | low;
        return true;
    default: break;
    }
    if (first == RDB_LENGTH_32) {
        if (!rdb_read_raw(r, &big32, sizeof(big32)))
            return false;
        *out = be32toh(big32);
        return true;
    }
    if (first == RDB_LENGTH_64) {
        if (!rdb_read_raw(r, &big64, sizeof(big64)))
            return false;
        *out = be64toh(big64);
        return true;
    }
    return rdb_fail(r, "byte 0x%02x is no length", first);
}

bool rdb_read_length(struct rdb_reader *r, uint64_t *out)
{
    uint8_t first;
    return rdb_read_byte(r, &first) && read_length_behind(r, first, out);
}

bool rdb_read_count(struct rdb_reader *r, size_t bytes_each, uint64_t *out)
{
    if (!rdb_read_length(r, out))
        return false;
    uint64_t left = rdb_reader_left(r);
    if (left != UINT64_MAX && *out > left / bytes_each)
        return rdb_fail(r, "%llu elements cannot be in the %llu bytes that are left",
                        (unsigned long long)*out, (unsigned long long)left);
    return true;
}

// Whether a string of so many bytes may be, and can be in what is left.
static bool check_length(struct rdb_reader *r, uint64_t len, size_t max)
{
    uint64_t left = rdb_reader_left(r);
    if (len > max)
        return rdb_fail(r, "a string of %llu bytes is longer than %zu", (unsigned long long)len,
                        max);
    if (left != UINT64_MAX && len > left)
        return rdb_fail(r, "a string of %llu bytes cannot be in the %llu that are left",
                        (unsigned long long)len, (unsigned long long)left);
    return true;
}

// Empties the buffer; what is large is not kept.
static void reuse(struct bytes *bytes)
{
    if (bytes->cap > KEEP_BYTES)
        bytes_release(bytes);
    bytes_clear(bytes);
}

// The next `len` bytes, in the window if they fit it.
static bool read_bytes(struct rdb_reader *r, size_t len, struct slice *out)
{
    if (likely(r->end - r->at >= len) || len <= WINDOW_BYTES / 2) {
        if (!need(r, len))
            return false;
        *out = (struct slice){ .ptr = r->window + r->at, .len = len };
        r->at += len;
        return true;
    }
    reuse(&r->text);
    bool known = r->left != UINT64_MAX;
    while (r->text.len < len) {
        size_t grown = r->text.len ? r->text.len : FIRST_PART;
        size_t part = len - r->text.len;
        if (!known && part > grown)
            part = grown;
        if (bytes_try_reserve(&r->text, part) != STATUS_OK)
            return rdb_fail_nomem(r, part);
        if (!rdb_read_raw(r, r->text.data + r->text.len, part))
            return false;
        r->text.len += part;
    }
    *out = bytes_slice(&r->text);
    return true;
}

static bool read_integer(struct rdb_reader *r, uint8_t first, struct slice *out)
{
    unsigned char bytes[4] = { 0 };
    size_t len = first == RDB_ENCODED_INT8 ? 1 : first == RDB_ENCODED_INT16 ? 2 : 4;
    if (!rdb_read_raw(r, bytes, len))
        return false;
    int64_t value = len == 1   ? (int8_t)bytes[0]
                    : len == 2 ? (int16_t)load_le16(bytes)
                               : (int32_t)load_le32(bytes);
    int digits = format_int64(r->digits, value);
    *out = (struct slice){ .ptr = r->digits, .len = (size_t)digits };
    return true;
}

static bool read_compressed(struct rdb_reader *r, size_t max, struct slice *out)
{
    uint64_t packed_len = 0;
    uint64_t len = 0;
    struct slice packed = { 0 };
    if (!rdb_read_length(r, &packed_len) || !rdb_read_length(r, &len) ||
        !check_length(r, packed_len, max))
        return false;
    if (len > max || len == 0 || len > packed_len * LZF_RATIO_MAX || packed_len > UINT32_MAX)
        return rdb_fail(r, "%llu compressed bytes cannot be a string of %llu",
                        (unsigned long long)packed_len, (unsigned long long)len);
    if (!read_bytes(r, packed_len, &packed))
        return false;
    reuse(&r->unpacked);
    if (bytes_try_reserve(&r->unpacked, len) != STATUS_OK)
        return rdb_fail_nomem(r, len);
    if (lzf_decompress(packed.ptr, (unsigned)packed.len, r->unpacked.data, (unsigned)len) != len)
        return rdb_fail(r, "a compressed string is damaged");
    r->unpacked.len = len;
    *out = bytes_slice(&r->unpacked);
    return true;
}

// The most frequent kind: plain, below 64 bytes, and in the window with the byte that says so.
static inline bool read_short(struct rdb_reader *r, size_t max, struct slice *out)
{
    size_t there = r->end - r->at;
    if (unlikely(there == 0) || unlikely(r->failed))
        return false;
    uint8_t len = (uint8_t)r->window[r->at];
    if (len > 0x3F || len >= there || len > max)
        return false;
    *out = (struct slice){ .ptr = r->window + r->at + 1, .len = len };
    r->at += 1 + (size_t)len;
    return true;
}

bool rdb_read_string(struct rdb_reader *r, size_t max, struct slice *out)
{
    if (likely(read_short(r, max, out)))
        return true;
    uint8_t first = 0;
    uint64_t len = 0;
    if (max > UINT32_MAX)
        max = UINT32_MAX;
    if (!rdb_read_byte(r, &first))
        return false;
    if (first >= RDB_ENCODED_INT8 && first <= RDB_ENCODED_INT32)
        return read_integer(r, first, out);
    if (first == RDB_ENCODED_LZF)
        return read_compressed(r, max, out);
    return read_length_behind(r, first, &len) && check_length(r, len, max) &&
           read_bytes(r, len, out);
}

static bool skip_bytes(struct rdb_reader *r, uint64_t len)
{
    while (len > 0) {
        if (!need(r, 1))
            return false;
        size_t part = r->end - r->at < len ? r->end - r->at : (size_t)len;
        r->at += part;
        len -= part;
    }
    return true;
}

bool rdb_skip_string(struct rdb_reader *r)
{
    uint8_t first = 0;
    uint64_t len = 0;
    struct slice digits;
    if (!rdb_read_byte(r, &first))
        return false;
    if (first >= RDB_ENCODED_INT8 && first <= RDB_ENCODED_INT32)
        return read_integer(r, first, &digits);
    if (first == RDB_ENCODED_LZF) {
        uint64_t unpacked_len = 0;
        return rdb_read_length(r, &len) && rdb_read_length(r, &unpacked_len) && skip_bytes(r, len);
    }
    return read_length_behind(r, first, &len) && skip_bytes(r, len);
}

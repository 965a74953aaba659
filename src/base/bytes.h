// SPDX-License-Identifier: BSD-3-Clause
// A view of bytes somebody else owns (slice) and a growable buffer (bytes).
#pragma once

#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Bytes owned by somebody else; may hold any byte, no NUL behind them.
struct slice {
    const char *ptr;
    size_t len;
};

// A slice over a string literal.
#define SLICE(literal) ((struct slice){ .ptr = (literal), .len = sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ .ptr = text, .len = strlen(text) };
}

// Whether `len` bytes are the same. Those of a key of usual length are compared without a call: two
// words that overlap.
static inline bool same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t parts[4];
    if (len < 8 || len > 16)
        return len == 0 || memcmp(a, b, len) == 0;
    memcpy(&parts[0], a, 8);
    memcpy(&parts[1], b, 8);
    memcpy(&parts[2], a + len - 8, 8);
    memcpy(&parts[3], b + len - 8, 8);
    return ((parts[0] ^ parts[1]) | (parts[2] ^ parts[3])) == 0;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && same_bytes(a.ptr, b.ptr, a.len);
}

// Compares with a NUL-terminated text, ASCII case ignored.
bool slice_is(struct slice slice, const char *text);

// ASCII case ignored.
bool slice_equal_nocase(struct slice a, struct slice b);

// A growable buffer. All zero is a valid empty one.
struct bytes {
    char *data;
    size_t len;
    size_t cap;
};

// Frees the memory; the buffer is empty and usable again.
void bytes_release(struct bytes *bytes);

// Forgets the contents, keeps the memory.
static inline void bytes_clear(struct bytes *bytes)
{
    bytes->len = 0;
}

// Makes room for `extra` bytes behind the contents and returns where they begin; the caller adds
// what it wrote to len. Grows by at least a half. Amortised O(1).
char *bytes_reserve(struct bytes *bytes, size_t extra);

// As bytes_reserve(), but STATUS_NOMEM, with the buffer untouched, when there is no memory.
MUST_CHECK enum status bytes_try_reserve(struct bytes *bytes, size_t extra);

void bytes_append(struct bytes *bytes, const void *data, size_t len);
void bytes_append_text(struct bytes *bytes, const char *text);
void bytes_append_slice(struct bytes *bytes, struct slice slice);
void bytes_append_char(struct bytes *bytes, char c);
void bytes_printf(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_vprintf(struct bytes *bytes, const char *format, va_list args);

// Appends the text in double quotes with \n \r \t \a \b \" \\ and \xHH escapes, as Redis shows
// keys and arguments to people.
void bytes_append_quoted(struct bytes *bytes, struct slice slice);

// Drops `count` bytes (<= len) at the front.
void bytes_consume(struct bytes *bytes, size_t count);

static inline struct slice bytes_slice(const struct bytes *bytes)
{
    return (struct slice){ .ptr = bytes->data, .len = bytes->len };
}

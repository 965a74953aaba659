// SPDX-License-Identifier: BSD-3-Clause
// The growable buffer, and comparisons of slices.
#include "base/bytes.h"

#include "base/memory.h"
#include "base/panic.h"

#include <stdint.h>
#include <stdio.h>

static inline unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower((unsigned char)a.ptr[i]) != lower((unsigned char)b.ptr[i]))
            return false;
    }
    return true;
}

bool slice_is(struct slice slice, const char *text)
{
    return slice_equal_nocase(slice, slice_of(text));
}

void bytes_release(struct bytes *bytes)
{
    mem_free(bytes->data, bytes->cap);
    *bytes = (struct bytes){ 0 };
}

// The capacity to grow to for `extra` more bytes, or 0 when no size_t can hold it.
static size_t grown_cap(const struct bytes *bytes, size_t extra)
{
    size_t needed;
    if (__builtin_add_overflow(bytes->len, extra, &needed) || needed > PTRDIFF_MAX)
        return 0;
    size_t half_more = bytes->cap + bytes->cap / 2;
    return mem_good_size(needed > half_more ? needed : half_more);
}

static inline bool has_room(const struct bytes *bytes, size_t extra)
{
    return likely(bytes->data && bytes->cap - bytes->len >= extra);
}

char *bytes_reserve(struct bytes *bytes, size_t extra)
{
    if (has_room(bytes, extra))
        return bytes->data + bytes->len;
    size_t cap = grown_cap(bytes, extra ? extra : 1);
    ASSERT(cap > 0);
    bytes->data = mem_realloc(bytes->data, bytes->cap, cap);
    bytes->cap = cap;
    return bytes->data + bytes->len;
}

enum status bytes_try_reserve(struct bytes *bytes, size_t extra)
{
    if (has_room(bytes, extra))
        return STATUS_OK;
    size_t cap = grown_cap(bytes, extra ? extra : 1);
    if (cap == 0)
        return STATUS_NOMEM;
    char *data = mem_try_realloc(bytes->data, bytes->cap, cap);
    if (!data)
        return STATUS_NOMEM;
    bytes->data = data;
    bytes->cap = cap;
    return STATUS_OK;
}

void bytes_append(struct bytes *bytes, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(bytes_reserve(bytes, len), data, len);
    bytes->len += len;
}

void bytes_append_text(struct bytes *bytes, const char *text)
{
    bytes_append(bytes, text, strlen(text));
}

void bytes_append_slice(struct bytes *bytes, struct slice slice)
{
    bytes_append(bytes, slice.ptr, slice.len);
}

void bytes_append_char(struct bytes *bytes, char c)
{
    *bytes_reserve(bytes, 1) = c;
    bytes->len++;
}

void bytes_printf(struct bytes *bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bytes_vprintf(bytes, format, args);
    va_end(args);
}

void bytes_vprintf(struct bytes *bytes, const char *format, va_list args)
{
    // Most texts are short: try with what there is first, then with what it takes.
    va_list again;
    va_copy(again, args);
    char *end = bytes_reserve(bytes, 64);
    size_t room = bytes->cap - bytes->len;
    int len = vsnprintf(end, room, format, args);
    ASSERT(len >= 0);
    if ((size_t)len >= room) {
        end = bytes_reserve(bytes, (size_t)len + 1);
        vsnprintf(end, (size_t)len + 1, format, again);
    }
    va_end(again);
    bytes->len += (size_t)len;
}

// The letter of a character's short escape, or 0.
static char escape_letter(unsigned char c)
{
    switch (c) {
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\a': return 'a';
    case '\b': return 'b';
    case '"': return '"';
    case '\\': return '\\';
    default: return 0;
    }
}

void bytes_append_quoted(struct bytes *bytes, struct slice slice)
{
    static const char hex[] = "0123456789abcdef";
    bytes_append_char(bytes, '"');
    for (size_t i = 0; i < slice.len; i++) {
        unsigned char c = (unsigned char)slice.ptr[i];
        char letter = escape_letter(c);
        if (letter) {
            bytes_append(bytes, (char[]){ '\\', letter }, 2);
        } else if (c >= ' ' && c <= '~') {
            bytes_append_char(bytes, (char)c);
        } else {
            bytes_append(bytes, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
        }
    }
    bytes_append_char(bytes, '"');
}

void bytes_consume(struct bytes *bytes, size_t count)
{
    ASSERT(count <= bytes->len);
    bytes->len -= count;
    if (bytes->len > 0 && count > 0)
        memmove(bytes->data, bytes->data + count, bytes->len);
}

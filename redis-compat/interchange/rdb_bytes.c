// SPDX-License-Identifier: BSD-3-Clause
// Writes the forms of RDB files that no server writes any more: see rdb_bytes.h.
#include "rdb_bytes.h"

#include <stdio.h>
#include <string.h>

uint64_t rdb_crc(struct span bytes)
{
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0x95AC9329AC4BC9B5) : 0);
    }
    return crc;
}

void put_le(struct buffer *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer_char(out, (char)(value >> 8 * i));
}

static void put_be(struct buffer *out, uint64_t value, int bytes)
{
    while (bytes-- > 0)
        buffer_char(out, (char)(value >> 8 * bytes));
}

void put_length_32(struct buffer *out, uint32_t len)
{
    buffer_char(out, (char)0x80);
    put_be(out, len, 4);
}

void put_length(struct buffer *out, uint64_t len)
{
    if (len < 64)
        buffer_char(out, (char)len);
    else if (len < 16384)
        put_be(out, 0x4000 | len, 2);
    else
        put_length_32(out, (uint32_t)len);
}

void put_string(struct buffer *out, struct span text)
{
    put_length(out, text.len);
    buffer_append(out, text);
}

void put_integer(struct buffer *out, int32_t value)
{
    int bytes = value == (int8_t)value ? 1 : value == (int16_t)value ? 2 : 4;
    buffer_char(out, (char)(0xC0 | bytes / 2));
    put_le(out, (uint32_t)value, bytes);
}

// LZF: runs of up to 32 literals, and references of 3 to 264 bytes to what came before.
void put_repeated(struct buffer *out, struct span text, size_t times)
{
    struct buffer packed = { 0 };
    size_t left = text.len * (times - 1);
    buffer_char(&packed, (char)(text.len - 1));
    buffer_append(&packed, text);
    while (left > 0) {
        size_t run = left > 264 + 3 ? 264 : left > 264 ? left - 3 : left;
        size_t distance = text.len - 1;
        if (run < 9) {
            buffer_char(&packed, (char)((run - 2) << 5 | distance >> 8));
        } else {
            buffer_char(&packed, (char)(7 << 5 | distance >> 8));
            buffer_char(&packed, (char)(run - 9));
        }
        buffer_char(&packed, (char)distance);
        left -= run;
    }
    buffer_char(out, (char)0xC3);
    put_length(out, packed.len);
    put_length(out, text.len * times);
    buffer_append(out, buffer_span(&packed));
    buffer_release(&packed);
}

void put_score(struct buffer *out, const char *score)
{
    if (strcmp(score, "inf") == 0 || strcmp(score, "-inf") == 0) {
        buffer_char(out, (char)(*score == '-' ? 255 : 254));
        return;
    }
    buffer_char(out, (char)strlen(score));
    buffer_text(out, score);
}

// A number as ziplists and listpacks store it: written as it reads back.
static bool is_integer(struct span text, int64_t *out)
{
    long long value;
    char again[32];
    if (text.len == 0 || text.len > 20 || !span_int(text, &value))
        return false;
    snprintf(again, sizeof(again), "%lld", value);
    *out = value;
    return span_is(text, again);
}

static void put_ziplist_integer(struct buffer *out, int64_t value)
{
    static const struct {
        unsigned char mark;
        int bytes;
    } widths[] = { { 0xFE, 1 }, { 0xC0, 2 }, { 0xF0, 3 }, { 0xD0, 4 }, { 0xE0, 8 } };
    if (value >= 0 && value <= 12) {
        buffer_char(out, (char)(0xF1 + value));
        return;
    }
    for (size_t i = 0;; i++) {
        int64_t half = widths[i].bytes == 8 ? 0 : INT64_C(1) << (8 * widths[i].bytes - 1);
        if (half && (value < -half || value >= half))
            continue;
        buffer_char(out, (char)widths[i].mark);
        put_le(out, (uint64_t)value, widths[i].bytes);
        return;
    }
}

static void put_ziplist_element(struct buffer *out, struct span text)
{
    int64_t value;
    if (is_integer(text, &value)) {
        put_ziplist_integer(out, value);
        return;
    }
    if (text.len < 64)
        buffer_char(out, (char)text.len);
    else if (text.len < 16384)
        put_be(out, 0x4000 | text.len, 2);
    else
        put_length_32(out, (uint32_t)text.len);
    buffer_append(out, text);
}

void put_ziplist(struct buffer *out, const struct span *elements, size_t count)
{
    struct buffer body = { 0 };
    struct buffer list = { 0 };
    size_t last = 0;
    size_t before = 0;  // bytes of the previous element
    for (size_t i = 0; i < count; i++) {
        last = body.len;
        buffer_char(&body, (char)(before < 254 ? before : 254));
        if (before >= 254)
            put_le(&body, before, 4);
        put_ziplist_element(&body, elements[i]);
        before = body.len - last;
    }
    put_le(&list, 10 + body.len + 1, 4);
    put_le(&list, 10 + last, 4);
    put_le(&list, count, 2);
    buffer_append(&list, buffer_span(&body));
    buffer_char(&list, (char)0xFF);
    put_string(out, buffer_span(&list));
    buffer_release(&list);
    buffer_release(&body);
}

static void put_zipmap_length(struct buffer *out, size_t len)
{
    buffer_char(out, (char)(len < 254 ? len : 254));
    if (len >= 254)
        put_le(out, len, 4);
}

void put_zipmap(struct buffer *out, const struct span *pairs, size_t count)
{
    struct buffer map = { 0 };
    buffer_char(&map, (char)(count / 2 < 254 ? count / 2 : 254));
    for (size_t i = 0; i < count; i += 2) {
        // Values may have up to four unused bytes behind them.
        size_t unused = i / 2 % 3;
        put_zipmap_length(&map, pairs[i].len);
        buffer_append(&map, pairs[i]);
        put_zipmap_length(&map, pairs[i + 1].len);
        buffer_char(&map, (char)unused);
        buffer_append(&map, pairs[i + 1]);
        put_le(&map, 0, (int)unused);
    }
    buffer_char(&map, (char)0xFF);
    put_string(out, buffer_span(&map));
    buffer_release(&map);
}

void put_intset(struct buffer *out, const int64_t *sorted, size_t count, int bytes_each)
{
    struct buffer set = { 0 };
    put_le(&set, (uint64_t)bytes_each, 4);
    put_le(&set, count, 4);
    for (size_t i = 0; i < count; i++)
        put_le(&set, (uint64_t)sorted[i], bytes_each);
    put_string(out, buffer_span(&set));
    buffer_release(&set);
}

static void put_listpack_element(struct buffer *out, struct span text)
{
    int64_t value;
    size_t begin = out->len;
    if (!is_integer(text, &value)) {
        if (text.len < 64)
            buffer_char(out, (char)(0x80 | text.len));
        else
            put_be(out, 0xE000 | text.len, 2);
        buffer_append(out, text);
    } else if (value >= 0 && value < 128) {
        buffer_char(out, (char)value);
    } else if (value >= -4096 && value < 4096) {
        put_be(out, 0xC000 | ((uint64_t)value & 0x1FFF), 2);
    } else {
        int bytes = value == (int16_t)value                ? 2
                    : value >= -8388608 && value < 8388608 ? 3
                    : value == (int32_t)value              ? 4
                                                           : 8;
        buffer_char(out, (char)(0xF1 + (bytes == 8 ? 3 : bytes - 2)));
        put_le(out, (uint64_t)value, bytes);
    }
    // The way back: seven bits a byte, the last one without the mark that more follow.
    size_t size = out->len - begin;
    if (size < 128)
        buffer_char(out, (char)size);
    else
        put_be(out, (size >> 7) << 8 | 0x80 | (size & 0x7F), 2);
}

void put_listpack(struct buffer *out, const struct span *elements, size_t count)
{
    struct buffer body = { 0 };
    struct buffer list = { 0 };
    for (size_t i = 0; i < count; i++)
        put_listpack_element(&body, elements[i]);
    put_le(&list, 6 + body.len + 1, 4);
    put_le(&list, count, 2);
    buffer_append(&list, buffer_span(&body));
    buffer_char(&list, (char)0xFF);
    put_string(out, buffer_span(&list));
    buffer_release(&list);
    buffer_release(&body);
}

// SPDX-License-Identifier: BSD-3-Clause
// Reads replies: see reply.h.
#include "reply.h"
#include "words.h"

#include <string.h>

#define DEPTH_MAX 64

// One header line: its type, its text, and where the next byte is.
struct header {
    char type;
    struct span text;
    size_t end;
};

static enum read_result read_header(struct span in, size_t pos, struct header *out)
{
    if (pos >= in.len)
        return READ_MORE;
    const char *begin = in.ptr + pos;
    const char *end = memchr(begin, '\n', in.len - pos);
    // A header that goes on for long is no header, unless it is a status, an error or a big number.
    if (!end)
        return in.len - pos > 65536 ? READ_BAD : READ_MORE;
    if (end - begin < 2 || end[-1] != '\r')
        return READ_BAD;
    out->type = *begin;
    out->text = (struct span){ begin + 1, (size_t)(end - begin) - 2 };
    out->end = pos + (size_t)(end - begin) + 1;
    return memchr(out->text.ptr, '\r', out->text.len) ? READ_BAD : READ_DONE;
}

// A length as the protocol writes it: no sign but -1's, no leading zeros.
static bool read_count(struct span text, long long *out)
{
    if (span_is(text, "-1")) {
        *out = -1;
        return true;
    }
    if (text.len > 1 && text.ptr[0] == '0')
        return false;
    return span_int(text, out) && *out >= 0;
}

static bool read_integer(struct span text)
{
    size_t digits = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    if (digits == text.len)
        return false;
    for (size_t i = digits; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return true;
}

static bool scalar_valid(const struct header *header)
{
    double number;
    long long integer;
    switch (header->type) {
    case REPLY_STATUS:
    case REPLY_ERROR: return true;
    case REPLY_INT: return span_int(header->text, &integer);
    case REPLY_NULL: return header->text.len == 0;
    case REPLY_BOOL: return span_is(header->text, "t") || span_is(header->text, "f");
    case REPLY_BIG: return read_integer(header->text);
    case REPLY_DOUBLE:
        return span_is(header->text, "inf") || span_is(header->text, "-inf") ||
               span_is(header->text, "nan") || span_number(header->text, &number);
    default: return false;
    }
}

static bool is_blob(char type)
{
    return type == REPLY_BULK || type == REPLY_VERBATIM || type == REPLY_BLOB_ERROR;
}

static bool is_aggregate(char type)
{
    return type == REPLY_ARRAY || type == REPLY_MAP || type == REPLY_SET || type == REPLY_PUSH ||
           type == REPLY_ATTRIBUTE;
}

static size_t items_of(char type, long long count)
{
    if (count < 0)
        return 0;
    return type == REPLY_MAP || type == REPLY_ATTRIBUTE ? 2 * (size_t)count : (size_t)count;
}

static enum read_result blob_length(struct span in, const struct header *header, size_t *pos)
{
    long long len;
    if (!read_count(header->text, &len))
        return READ_BAD;
    *pos = header->end;
    if (len < 0)
        return header->type == REPLY_BULK ? READ_DONE : READ_BAD;
    if ((unsigned long long)len > in.len || in.len - header->end < (size_t)len + 2)
        return READ_MORE;
    *pos += (size_t)len + 2;
    return memcmp(in.ptr + *pos - 2, "\r\n", 2) == 0 ? READ_DONE : READ_BAD;
}

static enum read_result value_length(struct span in, size_t *pos, int depth)
{
    struct header header;
    long long count;
    enum read_result result = read_header(in, *pos, &header);
    if (result != READ_DONE)
        return result;
    if (is_blob(header.type))
        return blob_length(in, &header, pos);
    *pos = header.end;
    if (!is_aggregate(header.type))
        return scalar_valid(&header) ? READ_DONE : READ_BAD;
    if (!read_count(header.text, &count) || depth == DEPTH_MAX)
        return READ_BAD;
    if (count < 0 && header.type != REPLY_ARRAY)
        return READ_BAD;
    for (size_t left = items_of(header.type, count); left > 0 && result == READ_DONE; left--)
        result = value_length(in, pos, depth + 1);
    return result;
}

enum read_result reply_length(struct span in, size_t *len)
{
    *len = 0;
    return value_length(in, len, 0);
}

// It is known to be whole and valid.
static void read_value(struct arena *arena, struct span in, size_t *pos, struct reply *out)
{
    struct header header = { 0 };
    long long count = 0;
    size_t begin = *pos;
    read_header(in, *pos, &header);
    *out = (struct reply){ .type = header.type, .text = header.text };
    *pos = header.end;
    if (is_blob(header.type) || is_aggregate(header.type))
        read_count(header.text, &count);
    out->null = header.type == REPLY_NULL || count < 0;
    if (is_blob(header.type)) {
        out->text = (struct span){ in.ptr + *pos, count < 0 ? 0 : (size_t)count };
        *pos += count < 0 ? 0 : (size_t)count + 2;
    } else if (is_aggregate(header.type)) {
        out->text.len = 0;
        out->count = items_of(header.type, count);
        out->items = arena_alloc(arena, out->count * sizeof(*out->items));
        for (size_t i = 0; i < out->count; i++)
            read_value(arena, in, pos, &out->items[i]);
    }
    out->raw = (struct span){ in.ptr + begin, *pos - begin };
}

void reply_read(struct arena *arena, struct span in, struct reply *out)
{
    size_t pos = 0;
    read_value(arena, in, &pos, out);
}

bool reply_is_aggregate(const struct reply *reply)
{
    return is_aggregate(reply->type);
}

bool reply_is_error(const struct reply *reply)
{
    return reply->type == REPLY_ERROR || reply->type == REPLY_BLOB_ERROR;
}

struct span reply_error_code(const struct reply *reply)
{
    struct span code = { reply->text.ptr, 0 };
    if (!reply_is_error(reply))
        return code;
    while (code.len < reply->text.len && code.ptr[code.len] != ' ')
        code.len++;
    return code;
}

const struct reply *reply_lookup(const struct reply *reply, const char *key)
{
    if (!reply || !reply_is_aggregate(reply))
        return NULL;
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        if (span_is(reply->items[i].text, key))
            return &reply->items[i + 1];
    }
    return NULL;
}

// --- Printing -----------------------------------------------------------------------------------

static void print_items(struct buffer *out, const struct reply *reply, size_t limit)
{
    bool map = reply->type == REPLY_MAP || reply->type == REPLY_ATTRIBUTE;
    for (size_t i = 0; i < reply->count; i++) {
        if (i > 0)
            buffer_text(out, map && i % 2 ? ": " : ", ");
        if (out->len > limit) {
            buffer_text(out, "...");
            return;
        }
        reply_print(out, &reply->items[i], limit);
    }
}

static void print_aggregate(struct buffer *out, const struct reply *reply, size_t limit)
{
    const char *brackets = "[]";
    if (reply->type == REPLY_MAP || reply->type == REPLY_ATTRIBUTE)
        brackets = "{}";
    if (reply->type == REPLY_SET)
        brackets = "<>";
    if (reply->type == REPLY_PUSH)
        buffer_text(out, "push ");
    if (reply->type == REPLY_ATTRIBUTE)
        buffer_text(out, "attributes ");
    buffer_char(out, brackets[0]);
    print_items(out, reply, limit);
    buffer_char(out, brackets[1]);
}

void reply_print(struct buffer *out, const struct reply *reply, size_t limit)
{
    if (reply->null) {
        const char *names = reply->type == REPLY_ARRAY ? "(null array)" : "(null)";
        buffer_text(out, names);
        return;
    }
    switch (reply->type) {
    case REPLY_STATUS: buffer_printf(out, "%.*s", SHOW(reply->text)); break;
    case REPLY_ERROR:
    case REPLY_BLOB_ERROR: buffer_printf(out, "(error) %.*s", SHOW(reply->text)); break;
    case REPLY_INT: buffer_printf(out, "(integer) %.*s", SHOW(reply->text)); break;
    case REPLY_DOUBLE: buffer_printf(out, "(double) %.*s", SHOW(reply->text)); break;
    case REPLY_BOOL: buffer_printf(out, "(boolean) %.*s", SHOW(reply->text)); break;
    case REPLY_BIG: buffer_printf(out, "(big number) %.*s", SHOW(reply->text)); break;
    case REPLY_VERBATIM:
        buffer_text(out, "(verbatim) ");
        words_escape(out, reply->text, limit);
        break;
    case REPLY_BULK: words_escape(out, reply->text, limit); break;
    default: print_aggregate(out, reply, limit); break;
    }
}

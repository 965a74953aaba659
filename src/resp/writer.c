// SPDX-License-Identifier: BSD-3-Clause
// The typed writer.
//
// A reply of the hot kinds is one reserve of an upper bound, plain stores, one commit. Room that a
// chunk's tail is too short for is lost to it, so only payloads of up to WHOLE_MAX bytes are written
// that way; longer ones are copied in pieces, where the copy costs more than the bookkeeping.
#include "resp/writer.h"

#include "base/numbers.h"
#include "base/panic.h"

#include <stdio.h>
#include <string.h>

// Type byte, digits, CRLF.
#define HEADER_MAX (1 + INT64_TEXT_MAX + 2)

// Longest payload that is kept in one piece with its header.
#define WHOLE_MAX 1024

// Up to this size the elements of a deferred aggregate are copied behind its header, so that many
// small replies share a chunk.
#define DEFERRED_COPY_MAX 4096

// A reference's length is 32 bits; longer ones are split on this.
#define REF_MAX ((size_t)1 << 31)

// ---- pieces -------------------------------------------------------------------------------------

static inline char *put_bytes(char *at, const char *ptr, size_t len)
{
    // Where GCC knows that a length is bounded it expands memcpy() to "rep movs", which takes 25 ns
    // to begin with (five times what all of a short reply costs): hide the bound.
    if (!__builtin_constant_p(len))
        __asm__("" : "+r"(len));
    // An empty slice may have no address, which memcpy() must not be given.
    if (likely(len > 0))
        memcpy(at, ptr, len);
    return at + len;
}

static inline char *put_crlf(char *at)
{
    memcpy(at, "\r\n", 2);
    return at + 2;
}

// Lengths, counts and most integers are short.
static inline char *put_uint(char *at, uint64_t value)
{
    if (value < 10) {
        at[0] = (char)('0' + value);
        return at + 1;
    }
    if (value < 100) {
        at[0] = (char)('0' + value / 10);
        at[1] = (char)('0' + value % 10);
        return at + 2;
    }
    if (value < 1000) {
        at[0] = (char)('0' + value / 100);
        at[1] = (char)('0' + value / 10 % 10);
        at[2] = (char)('0' + value % 10);
        return at + 3;
    }
    return at + format_uint64(at, value);
}

static inline char *put_header(char *at, char type, uint64_t value)
{
    *at = type;
    return put_crlf(put_uint(at + 1, value));
}

// Commits what was written from `begin`, the last reserve, up to `end`.
static inline void commit(struct resp_writer *w, const char *begin, const char *end)
{
    outq_commit(w->out, (size_t)(end - begin));
}

static inline void write_header(struct resp_writer *w, char type, uint64_t value)
{
    char *begin = outq_reserve(w->out, HEADER_MAX);
    commit(w, begin, put_header(begin, type, value));
}

// A few bytes, known (and so copied inline) at compile time.
static inline void write_constant(struct resp_writer *w, struct slice bytes)
{
    char *begin = outq_reserve(w->out, bytes.len);
    commit(w, begin, put_bytes(begin, bytes.ptr, bytes.len));
}

// Type, text, CRLF.
static inline void write_line(struct resp_writer *w, char type, struct slice text)
{
    char *begin = outq_reserve(w->out, 1 + text.len + 2);
    *begin = type;
    commit(w, begin, put_crlf(put_bytes(begin + 1, text.ptr, text.len)));
}

// ---- one line -----------------------------------------------------------------------------------

void resp_simple(struct resp_writer *w, struct slice text)
{
    write_line(w, '+', text);
}

void resp_ok(struct resp_writer *w)
{
    write_constant(w, SLICE("+OK\r\n"));
}

void resp_error(struct resp_writer *w, struct slice text)
{
    char *begin = outq_reserve(w->out, 1 + text.len + 2);
    char *at = begin;
    *at++ = '-';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        *at++ = c == '\r' || c == '\n' ? ' ' : c;
    }
    commit(w, begin, put_crlf(at));
}

void resp_int(struct resp_writer *w, int64_t value)
{
    char *begin = outq_reserve(w->out, HEADER_MAX);
    char *at = begin;
    *at++ = ':';
    if (likely(value >= 0))
        at = put_uint(at, (uint64_t)value);
    else
        at += format_int64(at, value);
    commit(w, begin, put_crlf(at));
}

void resp_null(struct resp_writer *w)
{
    if (w->proto > 2)
        write_constant(w, SLICE("_\r\n"));
    else
        write_constant(w, SLICE("$-1\r\n"));
}

void resp_null_array(struct resp_writer *w)
{
    if (w->proto > 2)
        write_constant(w, SLICE("_\r\n"));
    else
        write_constant(w, SLICE("*-1\r\n"));
}

void resp_bool(struct resp_writer *w, bool value)
{
    if (w->proto > 2)
        write_line(w, '#', value ? SLICE("t") : SLICE("f"));
    else
        write_line(w, ':', value ? SLICE("1") : SLICE("0"));
}

void resp_double(struct resp_writer *w, double value)
{
    char text[DOUBLE_TEXT_MAX];
    struct slice slice = { .ptr = text, .len = (size_t)format_double(text, value) };
    if (w->proto > 2)
        write_line(w, ',', slice);
    else
        resp_bulk_slice(w, slice);
}

void resp_big_number(struct resp_writer *w, struct slice digits)
{
    if (w->proto > 2)
        write_line(w, '(', digits);
    else
        resp_bulk_slice(w, digits);
}

// ---- strings ------------------------------------------------------------------------------------

void resp_bulk(struct resp_writer *w, const char *ptr, size_t len)
{
    if (unlikely(len > WHOLE_MAX)) {
        write_header(w, '$', len);
        outq_append(w->out, ptr, len);
        write_constant(w, SLICE("\r\n"));
        return;
    }
    char *begin = outq_reserve(w->out, HEADER_MAX + len + 2);
    commit(w, begin, put_crlf(put_bytes(put_header(begin, '$', len), ptr, len)));
}

void resp_bulk_slice(struct resp_writer *w, struct slice slice)
{
    resp_bulk(w, slice.ptr, slice.len);
}

void resp_bulk_text(struct resp_writer *w, const char *text)
{
    resp_bulk(w, text, strlen(text));
}

void resp_bulk_int(struct resp_writer *w, int64_t value)
{
    char text[INT64_TEXT_MAX];
    resp_bulk(w, text, (size_t)format_int64(text, value));
}

void resp_bulk_printf(struct resp_writer *w, const char *format, ...)
{
    struct bytes text = { 0 };
    va_list args;
    va_start(args, format);
    bytes_vprintf(&text, format, args);
    va_end(args);
    resp_bulk(w, text.data, text.len);
    bytes_release(&text);
}

static void release_nothing(void *owner)
{
    (void)owner;
}

void resp_bulk_ref(struct resp_writer *w, const char *ptr, size_t len, void (*release)(void *),
                   void *owner)
{
    write_header(w, '$', len);
    // The queue releases in its order, so the last part stands for all of them.
    for (; len > REF_MAX; ptr += REF_MAX, len -= REF_MAX)
        outq_append_ref(w->out, ptr, REF_MAX, release_nothing, NULL);
    outq_append_ref(w->out, ptr, len, release, owner);
    write_constant(w, SLICE("\r\n"));
}

void resp_verbatim(struct resp_writer *w, const char format[3], struct slice text)
{
    if (w->proto == 2) {
        resp_bulk_slice(w, text);
        return;
    }
    char *begin = outq_reserve(w->out, HEADER_MAX + 4);
    char *at = put_header(begin, '=', text.len + 4);
    at = put_bytes(at, format, 3);
    *at++ = ':';
    commit(w, begin, at);
    outq_append(w->out, text.ptr, text.len);
    write_constant(w, SLICE("\r\n"));
}

void resp_raw(struct resp_writer *w, const char *ptr, size_t len)
{
    outq_append(w->out, ptr, len);
}

// ---- aggregates ---------------------------------------------------------------------------------

void resp_array(struct resp_writer *w, size_t count)
{
    write_header(w, '*', count);
}

void resp_map(struct resp_writer *w, size_t pairs)
{
    if (w->proto > 2)
        write_header(w, '%', pairs);
    else
        write_header(w, '*', pairs * 2);
}

void resp_set(struct resp_writer *w, size_t count)
{
    write_header(w, w->proto > 2 ? '~' : '*', count);
}

void resp_push(struct resp_writer *w, size_t count)
{
    write_header(w, w->proto > 2 ? '>' : '*', count);
}

void resp_attribute(struct resp_writer *w, size_t pairs)
{
    ASSERT(w->proto > 2);
    write_header(w, '|', pairs);
}

static size_t header_size(uint64_t value)
{
    size_t size = sizeof("$0\r\n") - 1;
    for (; value >= 10; value /= 10)
        size++;
    return size;
}

size_t resp_push_size(const struct slice *items, size_t count)
{
    size_t size = header_size(count);
    for (size_t i = 0; i < count; i++)
        size += header_size(items[i].len) + items[i].len + 2;
    return size;
}

void resp_format_push(char *at, uint8_t proto, const struct slice *items, size_t count)
{
    at = put_header(at, proto > 2 ? '>' : '*', count);
    for (size_t i = 0; i < count; i++)
        at = put_crlf(put_bytes(put_header(at, '$', items[i].len), items[i].ptr, items[i].len));
}

void resp_deferred_begin(struct resp_writer *w, struct resp_deferred *deferred)
{
    deferred->before = *w->out;
    outq_init(w->out, deferred->before.pool);
}

void resp_deferred_header(struct resp_writer *w, struct resp_deferred *deferred)
{
    deferred->elements = *w->out;
    *w->out = deferred->before;
}

void resp_deferred_append(struct resp_writer *w, struct resp_deferred *deferred)
{
    struct outq *elements = &deferred->elements;
    if (elements->bytes > DEFERRED_COPY_MAX) {
        outq_splice(w->out, elements);
        return;
    }
    for (const struct outq_chunk *chunk = elements->head; chunk; chunk = chunk->next)
        outq_append(w->out, chunk->bytes + chunk->start, chunk->end - chunk->start);
    outq_clear(elements);
}

void resp_deferred_end(struct resp_writer *w, struct resp_deferred *deferred,
                       void (*header)(struct resp_writer *, size_t), size_t count)
{
    resp_deferred_header(w, deferred);
    header(w, count);
    resp_deferred_append(w, deferred);
}

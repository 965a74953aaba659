// SPDX-License-Identifier: BSD-3-Clause
// Replies, typed: a handler says what a value is, and the connection's protocol version decides how
// it looks. RESP2 and RESP3 differ here and nowhere else.
//
// Nothing here fails; memory comes from the queue's pool. Every function is O(bytes written); the
// hot ones are one reserve and one commit of the queue, a few nanoseconds.
//
// Source: the RESP specification (redis.io) and the RESP3 specification (antirez/RESP3).
#pragma once

#include "base/bytes.h"
#include "base/outq.h"

#include <stdbool.h>
#include <stdint.h>

struct resp_writer {
    struct outq *out;
    uint8_t proto;  // 2 or 3
};

// +text. The text has no CR or LF.
void resp_simple(struct resp_writer *w, struct slice text);
void resp_ok(struct resp_writer *w);

// -text: the code comes first ("ERR syntax error"). CR and LF in it become blanks.
void resp_error(struct resp_writer *w, struct slice text);

// :n
void resp_int(struct resp_writer *w, int64_t value);

// $len bytes. resp_bulk_ref() sends from where the bytes lie (base/outq.h): `release(owner)` is called
// once, when the last of them is sent or dropped; any length.
void resp_bulk(struct resp_writer *w, const char *ptr, size_t len);
void resp_bulk_slice(struct resp_writer *w, struct slice slice);
void resp_bulk_text(struct resp_writer *w, const char *text);
void resp_bulk_int(struct resp_writer *w, int64_t value);
void resp_bulk_printf(struct resp_writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void resp_bulk_ref(struct resp_writer *w, const char *ptr, size_t len, void (*release)(void *),
                   void *owner);

// No value where a string would stand: $-1, or _ in RESP3.
void resp_null(struct resp_writer *w);
// No value where an array would stand: *-1, or _ in RESP3.
void resp_null_array(struct resp_writer *w);

// Headers of aggregates; the elements follow. A map counts pairs: %n, or *2n in RESP2; a set ~n, or
// *n; a push >n, or *n. Attributes exist in RESP3 only, where alone they may be written (asserted).
void resp_array(struct resp_writer *w, size_t count);
void resp_map(struct resp_writer *w, size_t pairs);
void resp_set(struct resp_writer *w, size_t count);
void resp_push(struct resp_writer *w, size_t count);
void resp_attribute(struct resp_writer *w, size_t pairs);

// ,value with the shortest text that reads back (inf, -inf, nan); a bulk in RESP2.
void resp_double(struct resp_writer *w, double value);
// #t or #f; :1 or :0 in RESP2.
void resp_bool(struct resp_writer *w, bool value);
// (digits; a bulk in RESP2.
void resp_big_number(struct resp_writer *w, struct slice digits);
// =len, a format of three letters such as "txt", the text; a bulk in RESP2.
void resp_verbatim(struct resp_writer *w, const char format[3], struct slice text);

// Bytes that are RESP already.
void resp_raw(struct resp_writer *w, const char *ptr, size_t len);

// A whole push of strings, for bytes that many are sent: how long it gets, in either protocol, and
// writing it to `at`, which has that much room. O(bytes).
size_t resp_push_size(const struct slice *items, size_t count);
void resp_format_push(char *at, uint8_t proto, const struct slice *items, size_t count);

// An aggregate whose length is known only at its end: what is written between begin and end are its
// elements. May be nested. `count` as for the plain header, which is one of those above. Between the
// two, w->out holds the elements alone; O(1), plus a copy of at most 4 KiB at the end.
struct resp_deferred {
    struct outq before;
    struct outq elements;
};
void resp_deferred_begin(struct resp_writer *w, struct resp_deferred *deferred);
void resp_deferred_end(struct resp_writer *w, struct resp_deferred *deferred,
                       void (*header)(struct resp_writer *, size_t), size_t count);

// The same in two steps, for a header of more than a count: what is written between the two calls
// stands before the elements.
void resp_deferred_header(struct resp_writer *w, struct resp_deferred *deferred);
void resp_deferred_append(struct resp_writer *w, struct resp_deferred *deferred);

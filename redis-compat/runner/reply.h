// SPDX-License-Identifier: BSD-3-Clause
// Reads replies of RESP2 and RESP3, strictly: the runner's own reader, so that the server's writer is
// not held against itself.
#pragma once

#include "memory.h"

// A type is the byte that the protocol begins it with.
enum {
    REPLY_STATUS = '+',
    REPLY_ERROR = '-',
    REPLY_INT = ':',
    REPLY_BULK = '$',
    REPLY_ARRAY = '*',
    REPLY_NULL = '_',
    REPLY_DOUBLE = ',',
    REPLY_BOOL = '#',
    REPLY_BIG = '(',
    REPLY_BLOB_ERROR = '!',
    REPLY_VERBATIM = '=',
    REPLY_MAP = '%',
    REPLY_SET = '~',
    REPLY_PUSH = '>',
    REPLY_ATTRIBUTE = '|',
};

struct reply {
    char type;
    bool null;         // $-1, *-1 and _
    struct span raw;   // all its bytes
    struct span text;  // a scalar's text; a verbatim's with its "txt:"
    struct reply *items;
    size_t count;  // of items: a map has two a pair
};

enum read_result { READ_DONE, READ_MORE, READ_BAD };

// How long the reply at the beginning of `in` is, without allocating anything. *len is set if done.
enum read_result reply_length(struct span in, size_t *len);

// Reads a reply that reply_length() found whole. Its spans point into `in`.
void reply_read(struct arena *arena, struct span in, struct reply *out);

bool reply_is_aggregate(const struct reply *reply);
bool reply_is_error(const struct reply *reply);
// The word that an error begins with; otherwise empty.
struct span reply_error_code(const struct reply *reply);
// A map's value, in RESP2's flat array too; NULL without one.
const struct reply *reply_lookup(const struct reply *reply, const char *key);

// Appends a reply as people read it, on one line and no longer than about `limit` bytes.
void reply_print(struct buffer *out, const struct reply *reply, size_t limit);

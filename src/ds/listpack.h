// SPDX-License-Identifier: BSD-3-Clause
// Listpacks: small sequences of strings and integers in one run of bytes, byte for byte the published
// format, so that saving one is a copy.
//
//   +-------------+---------+---------+-----+---------+------+
//   | total bytes | count   | element | ... | element | 0xFF |
//   | 32 bits LE  | 16 bits |         |     |         |      |
//   +-------------+---------+---------+-----+---------+------+
//
//   element: encoding and data | back length (1 to 5 bytes, read from the right, 7 bits each)
//
//   0xxxxxxx            7-bit unsigned integer       10llllll data       string up to 63 bytes
//   110xxxxx x8         13-bit signed integer        1110llll l8 data    string up to 4095 bytes
//   11110001 16 bits    11110010 24 bits             11110000 l32 data   any string
//   11110011 32 bits    11110100 64 bits
//
// A back length of 16383, 2097151 or 268435455 takes one byte more than it would have to: so existing
// writers do it, and a reader that goes forward knows a back length's size only by such a rule.
//
// A count of 65535 means: more than can be told, count them. Texts that are integers as
// parse_int64() reads them are stored as integers, in the shortest encoding.
//
// This module owns no memory. It reads listpacks where they lie and edits them in place; its caller
// sees to the room: an edit is (1) find the offset, (2) make room for what lp_splice() will need,
// wherever the bytes then are, (3) lp_splice(). Positions are offsets from the listpack's first byte,
// so they survive a move; 0 is "none".
//
// Reading trusts the bytes: those that come from outside go through lp_validate() first.
//
// Source: the listpack specification (S. Sanfilippo, "Listpack -- a lists of strings serialization
// format").
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_HEADER_BYTES 6
#define LP_EMPTY_BYTES  7

// The most that an element's encoding and back length add to its bytes.
#define LP_OVERHEAD_MAX 10

// An integer's element, whole.
#define LP_INTEGER_MAX 10

// The largest listpack: its size takes 32 bits. Callers keep well below.
#define LP_BYTES_MAX UINT32_MAX

// What an element holds: text.ptr is NULL for an integer.
struct lp_value {
    struct slice text;
    int64_t integer;
};

// Writes an empty listpack: LP_EMPTY_BYTES.
void lp_init(unsigned char *lp);

size_t lp_bytes(const unsigned char *lp);

// How many elements. O(1) up to 65534.
size_t lp_count(const unsigned char *lp);

// The first and last element, and the neighbours of one; 0 at the ends. O(1).
size_t lp_first(const unsigned char *lp);
size_t lp_last(const unsigned char *lp);
size_t lp_next(const unsigned char *lp, size_t at);
size_t lp_prev(const unsigned char *lp, size_t at);

// Where the terminator stands: what lp_splice() appends at. O(1).
size_t lp_end(const unsigned char *lp);

// The element with this index, from the end if negative; 0 if there is none. O(distance to the
// nearer end).
size_t lp_seek(const unsigned char *lp, int64_t index);

// The element's value. A text lies in the listpack.
struct lp_value lp_get(const unsigned char *lp, size_t at);

// The value as text: an integer is written into `scratch`.
#define LP_SCRATCH 24
struct slice lp_text(const unsigned char *lp, size_t at, char scratch[LP_SCRATCH]);

// Bytes of the element with its back length.
size_t lp_element_bytes(const unsigned char *lp, size_t at);

// A value to look for or to store, with the integer it may be read as found out once. One that is made
// of an integer alone has an empty text.
struct lp_key {
    struct slice text;
    int64_t integer;
    bool is_integer;
};
struct lp_key lp_key_of(struct slice text);

bool lp_equal(const unsigned char *lp, size_t at, const struct lp_key *key);

// The first element from `at` (0: none) on that equals the key, looking at every (1 + skip)th; 0 if
// none does.
// O(n); texts of another length are passed over without comparing.
size_t lp_find(const unsigned char *lp, size_t at, const struct lp_key *key, unsigned skip);

// Bytes that the value will take as an element, and writing it: `out` has at least that much room;
// returns the bytes written.
size_t lp_encoded_bytes(const struct lp_key *key);
size_t lp_encode(unsigned char *out, const struct lp_key *key);
size_t lp_encoded_int_bytes(int64_t integer);
size_t lp_encode_int(unsigned char *out, int64_t integer);

// Replaces `removed` bytes at `at` (whole elements, `removed_count` of them) by `added` bytes (whole
// elements, `added_count`). The memory must hold lp_bytes() - removed + added bytes. With `bytes`
// NULL the caller fills them in at lp + at afterwards. O(bytes behind). `bytes` must not lie in the
// listpack; a result larger than LP_BYTES_MAX is a bug of the caller and ends the process.
struct lp_edit {
    size_t at;
    size_t removed;
    size_t removed_count;
    const unsigned char *bytes;
    size_t added;
    size_t added_count;
};
void lp_splice(unsigned char *lp, const struct lp_edit *edit);

// Bytes of `count` elements from `at` on, for removing them. O(count).
size_t lp_span(const unsigned char *lp, size_t at, size_t count);

// Whether `size` bytes from outside are a listpack, every element whole and every back length right.
// O(size). Nothing beyond `size` is read.
bool lp_validate(const unsigned char *lp, size_t size);

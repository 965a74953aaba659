// SPDX-License-Identifier: BSD-3-Clause
// Intsets: sorted sets of integers in one run of bytes, byte for byte the format that RDB files hold.
//
//   | width 32 bits LE: 2, 4 or 8 | count 32 bits LE | integers of that width, LE, ascending |
//
// As with listpacks, this module owns no memory: its caller makes room for what an insertion needs.
// An intset never goes back to a smaller width.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTSET_HEADER_BYTES 8

// Writes an empty one: INTSET_HEADER_BYTES.
void intset_init(unsigned char *set);

size_t intset_bytes(const unsigned char *set);
size_t intset_count(const unsigned char *set);

// The integer with this index, which must be below the count.
int64_t intset_at(const unsigned char *set, size_t index);

// Where the integer stands, or, with false, where it would have to. O(log n).
bool intset_find(const unsigned char *set, int64_t value, size_t *index);

// Bytes that the set will have with one more integer, which it does not have yet.
size_t intset_bytes_with(const unsigned char *set, int64_t value);

// Adds it at `index` (as intset_find() told it); there is room for intset_bytes_with(). O(n).
void intset_insert(unsigned char *set, size_t index, int64_t value);

// Takes the integer at `index` out. O(n).
void intset_remove(unsigned char *set, size_t index);

// Whether `size` bytes from outside are an intset, ascending without doubles. O(n).
bool intset_validate(const unsigned char *set, size_t size);

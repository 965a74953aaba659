// SPDX-License-Identifier: BSD-3-Clause
// What large sets and hashes are made of: a member, or a field with its value, in one allocation that a
// table points at.
//
//   | length: 1 or 5 bytes | text | [ length: 1 or 5 bytes | value ] |
//
// A length below 254 takes one byte; 255 and four bytes stand for others. 254 is kept for an element
// that has a time to live.
#pragma once

#include "base/bytes.h"

struct element;

// A member of a set.
struct element *element_new(struct slice text);

// A field of a hash.
struct element *element_new_field(struct slice field, struct slice value);

struct slice element_text(const struct element *element);
struct slice element_value(const struct element *field);

// The field with another value: in place where the allocation serves, else it moves.
struct element *element_with_value(struct element *field, struct slice value);

// Bytes as allocated.
size_t element_memory(const struct element *member);
size_t element_field_memory(const struct element *field);

void element_free(struct element *member);
void element_free_field(struct element *field);

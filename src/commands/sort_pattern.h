// SPDX-License-Identifier: BSD-3-Clause
// SORT's patterns: from an element to the value that it is sorted by, or that is returned for it.
#pragma once

#include "base/bytes.h"
#include "base/numbers.h"
#include "store/keyspace.h"
#include "types/hash.h"

enum sort_pattern_kind {
    SORT_PATTERN_FIXED,    // no '*': the same for all elements, so that it finds nothing
    SORT_PATTERN_ELEMENT,  // "#": the element itself
    SORT_PATTERN_STRING,   // "a*b": the string under the key with the element in place of the '*'
    SORT_PATTERN_FIELD,    // "a*b->f": the field f of the hash under that key
};

struct sort_pattern {
    enum sort_pattern_kind kind;
    struct slice before;
    struct slice after;
    struct slice field;
};

// What was found: text.ptr is NULL for nothing. The text may lie in the scratch, which is the caller's.
struct sort_value {
    struct slice text;
    const struct entry *string;  // that the text is the whole of, or NULL
};

_Static_assert(HASH_SCRATCH >= INT64_TEXT_MAX, "one scratch for both");

void sort_pattern_parse(struct slice text, struct sort_pattern *out);

// The value for an element; `key` is room for its key. Text is valid until something is written.
struct sort_value sort_pattern_find(const struct sort_pattern *pattern, struct db *db,
                                    struct slice element, struct bytes *key,
                                    char scratch[HASH_SCRATCH]);

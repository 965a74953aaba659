// SPDX-License-Identifier: BSD-3-Clause
// What may differ between two replies: the pattern language of case files, and the comparison.
//
//   =              the same bytes
//   type           the same type; of an error the same first word too
//   shape          the same types all the way down, and as many elements
//   int   bulk     integers; bulk strings or nulls
//   int~N          integers that differ by at most N; negative ones not at all
//   number~N       numbers in any clothes (integer, double, bulk) that differ by at most N
//   side(N)        numbers that are both below N, or both not
//   unordered      the same elements (of a map: pairs) in any order
//   unordered*     the same, all the way down
//   prefix(TEXT)   both begin with TEXT
//   behind(TEXT)   the same bytes behind the first TEXT in them
//   help           a HELP: status lines, of which the first is the same
//   fields(A B +C) lines of key=value or key:value: the keys are the same, the values too but for
//                  A's and B's (for all with *); only Respite has C
//   info(A B +C ~D) INFO: the same sections and fields in the same order, values of the same kind but for
//                  A's and B's; only Respite has C; the section D is left out
//   stats(A B)     lines of name:key=value,key=value in any order: the names and the keys are the same, the
//                  values too but for A's and B's (for all with *)
//   [P, P]  [P...] an array: element by element, or each element
//   {key: P, ...}  a map, or a flat array of pairs: the values of these keys; all else the same bytes
#pragma once

#include "reply.h"

enum pattern_kind {
    PATTERN_SAME,
    PATTERN_TYPE,
    PATTERN_SHAPE,
    PATTERN_INT,
    PATTERN_BULK,
    PATTERN_NUMBER,
    PATTERN_SIDE,
    PATTERN_UNORDERED,
    PATTERN_UNORDERED_DEEP,
    PATTERN_PREFIX,
    PATTERN_BEHIND,
    PATTERN_HELP,
    PATTERN_FIELDS,
    PATTERN_INFO,
    PATTERN_STATS,
    PATTERN_ITEMS,
    PATTERN_EACH,
    PATTERN_MAP,
};

struct pattern {
    enum pattern_kind kind;
    bool bounded;           // INT, NUMBER: by tolerance
    double tolerance;       // INT, NUMBER; SIDE: the limit
    struct span text;       // PREFIX, BEHIND
    struct span *names;     // FIELDS, INFO, STATS, MAP
    struct pattern *items;  // ITEMS, EACH, MAP
    size_t count;
};

// False: *error says why.
bool pattern_parse(struct arena *arena, struct span text, struct pattern *out, const char **error);

// Whether two replies match. If not, `why` gets the reason, with the place inside the reply.
bool pattern_match(const struct pattern *pattern, const struct reply *oracle,
                   const struct reply *ours, struct buffer *why);

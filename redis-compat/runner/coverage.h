// SPDX-License-Identifier: BSD-3-Clause
// What the cases exercise of each command that Respite has, and what is left.
//
// An argument counts once a call with it has been accepted by the oracle. The kinds of mistakes and
// odd values below count however it was answered.
#pragma once

#include "case.h"
#include "catalog.h"
#include "known.h"

#include <pthread.h>

enum coverage_what {
    COVER_SENT,
    COVER_ARITY,         // a wrong number of arguments
    COVER_WRONG_TYPE,    // a key of another type
    COVER_MISSING_KEY,   // a key that is not there
    COVER_EMPTY,         // an empty argument
    COVER_BINARY,        // an argument that is no text
    COVER_INT_MAX,       // 2^63-1
    COVER_INT_MIN,       // -2^63
    COVER_INT_BEYOND,    // 2^63 or more
    COVER_FLOAT_LIMITS,  // infinity or nan
    COVER_PIPELINED,     // in one write with others
    COVER_WHATS,
};

struct coverage {
    struct catalog *catalog;
    pthread_mutex_t lock;
};

// A command that a case has sent.
struct sent {
    const struct words *argv;
    const struct reply *oracle;  // its reply
    bool pipelined;
    bool missing_key;
};

void coverage_init(struct coverage *coverage, struct catalog *catalog);
void coverage_note(struct coverage *coverage, const struct sent *sent);

// What a case says it covers. False: there is no such command or word.
bool coverage_note_covers(struct coverage *coverage, const struct covers *covers);

struct coverage_totals {
    size_t pairs;   // of a command and an argument or token
    size_t checks;  // of a command and one of the above
    size_t left;
};

// Prints what is left, one a line.
void coverage_report(struct coverage *coverage, struct known_list *known, struct buffer *out,
                     struct coverage_totals *totals);

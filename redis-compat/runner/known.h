// SPDX-License-Identifier: BSD-3-Clause
// KNOWN_DIFFERENCES.md: the differences that may be, each with its reason.
//
// Its tables are read: rows whose first column is `an-id` in backticks.
//   | `id` | 7.2, run or own | reason |               a marker of a case refers to it
//   | `meta:COMMAND:PART` | what 7.2 says | reason |  metadata; the runner refers to it
//   | `uncovered:COMMAND:WHAT` | | reason |           what no case can exercise
#pragma once

#include "memory.h"

#include <stdatomic.h>

enum known_kind {
    KNOWN_VERSION,    // Redis 7.2 differs from the oracle
    KNOWN_RUN,        // differs from run to run
    KNOWN_OWN,        // words of our own
    KNOWN_META,       // a part of COMMAND's metadata in 7.2
    KNOWN_UNCOVERED,  // coverage that cannot be
};

struct known {
    struct span id;
    enum known_kind kind;
    struct span value;  // META: what Respite says
    atomic_uint used;
};

struct known_list {
    struct known *items;
    size_t count;
    struct arena arena;
};

// Ends the runner if the file cannot be read or has a mistake.
void known_read(struct known_list *list, const char *path);
void known_release(struct known_list *list);

// Finds an id and notes that it was used; NULL without one.
struct known *known_find(struct known_list *list, struct span id);

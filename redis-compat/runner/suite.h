// SPDX-License-Identifier: BSD-3-Clause
// Plays many cases, on several pairs of servers at a time.
#pragma once

#include "player.h"
#include "report.h"
#include "stream.h"

struct suite {
    struct player player;
    struct report *report;
    const struct case_list *cases;
    int jobs;
    enum stream_source streams;  // these are compared instead of replies
    bool verbose;                // tell of what passes too
    const char *only_case;       // cases whose name has this text; NULL: all
    const char *only_family;
};

// Plays them all. False: the filters leave none.
bool suite_run(const struct suite *suite);

// SPDX-License-Identifier: BSD-3-Clause
// Plays a case on both servers and tells where they differ.
#pragma once

#include "case.h"
#include "coverage.h"
#include "known.h"
#include "server.h"

// What all cases share.
struct player {
    struct known_list *known;
    struct catalog *catalog;
    struct coverage *coverage;
    bool any_reply;  // replies do not count, only that there are some
};

struct play_result {
    bool passed;
    bool dirty;       // the servers are not as they were: not to be used again
    size_t commands;  // sent to each server
};

// Plays a case in a protocol (2 or 3; with PROTOCOL_NONE it is a name only). What went wrong is
// appended to `out`. The servers' data should be empty.
struct play_result player_play(const struct player *player, struct pair *pair,
                               const struct test_case *test, int protocol, struct buffer *out);

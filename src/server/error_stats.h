// SPDX-License-Identifier: BSD-3-Clause
// INFO errorstats: how many error replies there were, by their first word.
//
// There is room for so many words (as in Redis since 7.4): one who can choose the words must not make
// the server grow. Others are then not counted, which a word of its own tells.
#pragma once

#include "base/bytes.h"

#define ERROR_STATS_MAX 128

struct error_stats;
struct server;

// Registers the INFO section.
struct error_stats *error_stats_new(struct server *server);
void error_stats_free(struct error_stats *stats);

// Counts an error reply ("ERR syntax error"). O(log n) in the words that are known.
void error_stats_count(struct error_stats *stats, struct slice text);

// Forgets all of it.
void error_stats_reset(struct error_stats *stats);

// SPDX-License-Identifier: BSD-3-Clause
// INFO commandstats: how often each command was called, refused and has failed, and how long it took.
// Dispatch counts, in the command's entry; this shows and resets.
#pragma once

struct server;

// Registers the INFO section, and that CONFIG RESETSTAT forgets calls, times and histograms of all
// commands, and the error replies.
void command_stats_register(struct server *server);

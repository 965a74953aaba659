// SPDX-License-Identifier: BSD-3-Clause
// INFO commandstats: how often each command was called, refused and has failed, and how long it took.
// Dispatch counts, in the command's entry; this shows and resets.
#pragma once

struct server;

// Registers the INFO section.
void command_stats_register(struct server *server);

// Forgets calls, times and histograms of all commands, and the error replies (CONFIG RESETSTAT).
void command_stats_reset(struct server *server);

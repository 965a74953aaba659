// SPDX-License-Identifier: BSD-3-Clause
// FAILOVER: the primary hands its role over to a replica that has everything; repl.h has what commands call.
//
//   none --failover_begin()--> waiting-for-sync: writes wait, a replica is to acknowledge our offset
//     it has, or the time is over and FORCE was said --> failover-in-progress: we follow it, and ask it to take over
//       it does --> none: writes that have waited are refused, as on any replica
//       it refuses, can't be reached or does not answer --> none: a primary again
//     the time is over, ABORT --> none
//
// A replica acknowledges every second; nothing is written meanwhile, and nothing else (PING, GETACK) may go into the
// stream, or no acknowledgement would ever be of its end.
#pragma once

#include <stdbool.h>

struct failover;
struct repl;

struct failover *failover_new(struct repl *repl);
void failover_free(struct failover *failover);

// At the end of a turn of the loop: looks whether a replica has everything now. O(replicas) while one waits for that.
void failover_turn(struct failover *failover);

// From the link that was told link_ask_failover(): what has come of it. The link is freed later in this turn, if not.
void failover_answered(struct failover *failover, bool accepted);

// Waiting: nothing that no client has asked for may go into the stream.
bool failover_is_waiting(const struct failover *failover);

// INFO's master_failover_state.
const char *failover_state_name(const struct failover *failover);

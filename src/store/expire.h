// SPDX-License-Identifier: BSD-3-Clause
// Deleting keys whose time has come without anybody asking for them.
//
// Access expires exactly (keyspace.h). The sweep here walks the databases in hash order, in bounded
// slices. Segments in which nothing is due are passed over by what they say of themselves
// (ds/table_due.h); in the others the classes in the buckets (expire_wheel.h) tell which entries are due
// by now, and only these are read: to be deleted, or to be given a new class where the wheel's slot was
// wider than the time that is left.
#pragma once

#include "store/keyspace.h"

// Why keys whose time is over are not deleted, as bits of keyspace->expire_passively.
enum expire_passively {
    EXPIRE_PASSIVELY_REPLICA = 1u << 0,  // somebody else says when
    EXPIRE_PASSIVELY_PAUSED = 1u << 1,   // writes wait: nothing may change beside them
};

// When there is something to sweep: Unix time in ms, or TABLE_DUE_NEVER. Never too late; may be early, as
// a key that was due may be gone. Behind the present while a pass is under way.
int64_t expire_due(const struct keyspace *keyspace);

// Sweeps for at most about `budget_us` microseconds; without anything due it costs a look at each database.
// Counts in the keyspace what it took and saw. True if it ran out of time: there is more.
// Does nothing while the keyspace expires passively or its sweep is paused.
bool expire_sweep(struct keyspace *keyspace, uint64_t budget_us);

// SPDX-License-Identifier: BSD-3-Clause
// Deleting keys whose time has come without anybody asking for them.
//
// Access expires exactly (keyspace.h). The sweep here walks the databases in hash order in bounded
// slices, reading the expiry classes in the buckets and dereferencing only entries that have one.
#pragma once

#include "store/keyspace.h"

// Sweeps for at most about `budget_us` microseconds; a database without expiries costs nothing.
// Counts in the keyspace what it took and saw.
// Does nothing while the keyspace expires passively or its sweep is paused.
void expire_sweep(struct keyspace *keyspace, uint64_t budget_us);

// SPDX-License-Identifier: BSD-3-Clause
// Databases aside: another data set in the making, while the one that there is answers.
//
// They are a keyspace of their own, keyspace->aside, so that nothing which walks, sweeps, evicts, listens to or looks
// up in the databases meets them.
#pragma once

#include "store/reclaim.h"

struct keyspace;

// Makes as many databases as there are, empty, with the same types and rules, to be loaded into. Nobody hears of what
// happens there, and no key's time comes. There are none yet.
void aside_open(struct keyspace *keyspace);

// They take the place of those that there are, which go as `why` says. Listeners hear once that a database is flushed
// (the first, which stands for all: who forgets all keys then need not do so again), and, once all have their new
// contents, that each is swapped. O(databases) beside the listeners, if the memory is given back in slices.
void aside_exchange(struct keyspace *keyspace, enum removal why);

// Gives them up, with what is in them; nothing happens without any.
void aside_drop(struct keyspace *keyspace, enum removal why);

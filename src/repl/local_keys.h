// SPDX-License-Identifier: BSD-3-Clause
// Keys with an expiry that clients of a writable replica have written: their time is nobody else's affair.
//
// A replica deletes nothing by itself, as its primary says when a key goes. Of keys that the primary does not have it
// never will: those are remembered here, by name, and deleted when they are due. What the primary writes itself
// is its own again. Nothing is remembered, or heard of, on a primary or a replica that is read-only.
#pragma once

#include <stdbool.h>

struct local_keys;
struct repl;

// Registers a cron job, a listener of the keyspace's and INFO's slave_expires_tracked_keys.
struct local_keys *local_keys_new(struct repl *repl);
void local_keys_free(struct local_keys *local);

// Whether this is a writable replica now; if not, everything is forgotten.
void local_keys_heed(struct local_keys *local, bool writable);

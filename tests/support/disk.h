// SPDX-License-Identifier: BSD-3-Clause
// A disk for servers of a test that fails on demand and can lose its power: support/faults.c, preloaded.
#pragma once

#include "support/faults.h"
#include "support/server.h"

// What is left of what was not synced when the power goes.
enum disk_cut {
    DISK_STRICT,  // nothing
    DISK_NAMES,  // names: new files are there, what was renamed or deleted is so; but not the bytes
    DISK_TORN,   // nothing but some bytes at the end of each file, as far as they were written
    DISK_CUTS,
};

struct test_disk {
    char dir[SERVER_PATH_MAX];  // where servers have their files
    char shadow[SERVER_PATH_MAX];
    char control[SERVER_PATH_MAX];
    struct faults_state *state;
};

// Servers that this test starts from now on have this disk below them, if they are given disk->dir as their
// folder. With `shadow` disk_lose_power() may be called, and syncs take longer.
void disk_init(struct test_disk *disk, bool shadow);

// From the next call on these rules hold, and no others: see faults.c. "" for none.
void disk_rules(const struct test_disk *disk, const char *rules);

// Ends a server with SIGKILL, and waits until its children have ended, too.
void disk_kill(struct test_server *server);

// The same, and the disk has what it would have if its power had gone: a server may be started on it.
void disk_lose_power(const struct test_disk *disk, struct test_server *server, enum disk_cut cut);

// For random moments; a test never waits for something to be done in this way.
void disk_nap_us(long us);

// Whether a sync of an append-only file is under way.
bool disk_is_syncing(const struct test_disk *disk);

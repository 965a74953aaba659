// SPDX-License-Identifier: BSD-3-Clause
// What the files about snapshots share.
#pragma once

#include "persist/rdb_save.h"
#include "persist/snapshot.h"

#include <stddef.h>

#define SAVE_POINTS_MAX 64

// Save when more than so many seconds have passed, with so many changes.
struct save_point {
    int64_t seconds;
    int64_t changes;
};

struct snapshot {
    struct server *server;
    void (*describe)(void *udata, struct rdb_about *about);  // NULL: nobody knows the history
    void *describe_udata;
    // Directives.
    struct save_point points[SAVE_POINTS_MAX];
    size_t point_count;
    char *file_name;
    bool compress;
    bool checksum;
    bool incremental_sync;
    int64_t key_delay_us;
    bool stop_writes;
    // Saving.
    struct child child;
    struct snapshot_guest guest;  // whose child it is; all zero: our own
    bool scheduled;
    bool failed;               // the last one
    uint64_t changes_at_fork;  // server->changes
    int64_t began_s;
    int64_t last_s;       // when the last one was complete
    int64_t last_try_s;   // when the last one of a child began
    int64_t last_took_s;  // -1: there was none
    uint64_t saves;
    uint64_t copied_bytes;  // by the last child, or its parent while it was there
    uint32_t misconf_gate;
};

// snapshot_config.c
void snapshot_register_config(struct snapshot *snapshot);
void snapshot_release_config(struct snapshot *snapshot);

// snapshot_info.c
void snapshot_register_info(struct snapshot *snapshot);

// snapshot.c: whether writes are refused has changed, perhaps.
void snapshot_update_gate(struct snapshot *snapshot);

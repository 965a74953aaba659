// SPDX-License-Identifier: BSD-3-Clause
// A replica of ours, for the files that feed it (replicas.c) and send it whole data sets (sync.c).
#pragma once

#include "base/list.h"
#include "repl/repl_internal.h"

#include <netinet/in.h>

struct sync;

enum replica_state {
    REPLICA_TALKING,    // REPLCONF has been said, and no PSYNC yet: an ordinary client
    REPLICA_WAITING,    // for a data set to be begun: "wait_bgsave"
    REPLICA_RECEIVING,  // a child sends it one; its client is corked: "send_bulk"
    REPLICA_LOADING,    // all of it has been sent; corked until it acknowledges: "send_bulk"
    REPLICA_ONLINE,
};

enum replica_capability { CAPABLE_EOF = 1u << 0, CAPABLE_PSYNC2 = 1u << 1 };

struct replica {
    struct list_link link;  // replicas->all, from PSYNC on
    struct replicas *replicas;
    struct client *client;
    enum replica_state state;
    uint32_t capabilities;
    char *announced_ip;  // NULL: as the connection says
    int port;            // that it listens on; 0: unknown
    bool rdb_only;       // it wants a data set and no stream
    bool without_data;   // rdb-filter-only that leaves the data out: functions
    bool old_protocol;   // SYNC: never acknowledges
    uint64_t queued;     // the stream up to here is in its queue
    uint64_t acked;
    uint64_t acked_on_disk;  // FACK
    int64_t acked_ms;        // monotonic
};

// --- sync.c
struct sync *sync_new(struct repl *repl);
void sync_free(struct sync *sync);
// It is REPLICA_WAITING: a data set will be begun for it, with the others that wait.
void sync_add(struct sync *sync, struct replica *replica);
// Its connection has gone.
void sync_remove(struct sync *sync, struct replica *replica);

// --- replicas.c, for sync.c
// A data set as of the stream's end is about to be sent: says FULLRESYNC (not with `old_protocol`), sends that at once,
// corks the client, and queues the stream from here on. False: the connection is broken.
bool replica_begin_receiving(struct replica *replica);
// All of it has been sent: goes online with its first acknowledgement, or now with `old_protocol` (if it isn't to be
// closed: `rdb_only`).
void replica_received(struct replica *replica);

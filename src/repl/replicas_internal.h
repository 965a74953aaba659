// SPDX-License-Identifier: BSD-3-Clause
// A replica of ours, for the files that feed it (replicas*.c) and send it whole data sets (sync.c).
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "net/alarm.h"
#include "repl/repl_internal.h"

#include <netinet/in.h>

struct sync;

// Longest address that a replica may announce, as in Redis.
#define REPLICA_IP_MAX 255

// "ip:port" as the log shows it.
#define REPLICA_NAME_MAX (REPLICA_IP_MAX + 40)

enum replica_state {
    REPLICA_TALKING,    // REPLCONF has been said, and no PSYNC yet: an ordinary client
    REPLICA_WAITING,    // for a data set to be begun: "wait_bgsave"
    REPLICA_RECEIVING,  // a child sends it one; its client is corked: "send_bulk"
    REPLICA_LOADING,    // all of it has been sent; corked until it acknowledges: "send_bulk"
    REPLICA_ONLINE,
};

enum replica_capability { CAPABLE_EOF = 1u << 0, CAPABLE_PSYNC2 = 1u << 1 };

struct replica {
    struct list_link link;  // replicas->all, from PSYNC on; ->talking before
    struct replicas *replicas;
    struct client *client;
    enum replica_state state;
    uint32_t capabilities;
    char peer_ip[INET6_ADDRSTRLEN];  // as the connection said when it was there
    char *announced_ip;              // NULL: peer_ip
    int port;                        // that it listens on; 0: unknown
    bool rdb_only;                   // it wants a data set and no stream
    bool without_data;               // rdb-filter-only that leaves the data out: functions
    bool old_protocol;               // SYNC: never acknowledges
    bool has_loaded;                 // has acknowledged something
    uint64_t queued;                 // the stream up to here is in its queue
    uint64_t acked;
    uint64_t acked_on_disk;  // FACK
    int64_t acked_ms;        // monotonic
    // When its socket took bytes last, monotonic: of the stream, or of a data set, which sync.c may note here. While it
    // is far behind, writers wait a little for a replica that goes on taking.
    int64_t took_ms;
    uint64_t sent;  // the stream up to here has been sent, when that was looked at last
};

struct replicas {
    struct repl *repl;
    struct sync *sync;
    struct list all;
    struct list talking;
    size_t count;                // of all
    struct list waiters;         // for acknowledgements: commands of server/block.h
    bool acked_more;             // since the waiters were looked at
    bool asks;                   // all are to acknowledge now
    unsigned unpinged_s;         // seconds since the last PING
    int64_t alone_since_ms;      // no replica since then, monotonic
    uint64_t only_queued_bytes;  // that the backlog has let go of, and queues hold
    uint32_t hurry_gate;         // writers wait for replicas that are far behind
    struct alarm hurry_alarm;
    uint64_t full_syncs;
    uint64_t partial_syncs;
    uint64_t partial_refusals;
};

static inline int64_t replicas_now_ms(void)
{
    return (int64_t)(clock_mono_us() / 1000);
}

// Gets the stream as it grows.
static inline bool replica_is_fed(const struct replica *replica)
{
    return replica->state >= REPLICA_RECEIVING && !replica->rdb_only;
}

// --- replicas.c

// From PSYNC or SYNC on the client is a replica's: it has the stream in place of replies.
void replica_attach(struct replica *replica);

// --- replicas_conf.c

// What is known of the client as a replica: nothing yet, if it is new.
struct replica *replica_of(struct client *client);

// --- replicas_sync.c

// It has acknowledged something: what it has been sent whole it has loaded.
void replica_go_online(struct replica *replica);

// --- replicas_info.c

// The address that it is known by: as the connection says, which may be gone later, or as it has announced; and "ip:port"
// for the log.
void replica_note_peer(struct replica *replica);
const char *replica_ip(const struct replica *replica);
void replica_name(const struct replica *replica, char out[REPLICA_NAME_MAX]);

// Acknowledged something within min-replicas-max-lag.
size_t replicas_good(const struct replicas *replicas);

// INFO memory and stats.
void replicas_register_info(struct replicas *replicas);

// --- sync.c
struct sync *sync_new(struct repl *repl);
void sync_free(struct sync *sync);
// It is REPLICA_WAITING: a data set will be begun for it, with the others that wait.
void sync_add(struct sync *sync, struct replica *replica);
// Its connection has gone.
void sync_remove(struct sync *sync, const struct replica *replica);

// --- replicas_sync.c, for sync.c
// A data set as of the stream's end is about to be sent: says FULLRESYNC (not with `old_protocol`), sends that at once,
// corks the client, and queues the stream from here on. False: the connection is broken.
bool replica_begin_receiving(struct replica *replica);
// All of it has been sent: goes online with its first acknowledgement, or now with `old_protocol` (if it isn't to be
// closed: `rdb_only`).
void replica_received(struct replica *replica);

// SPDX-License-Identifier: BSD-3-Clause
// What the files about replication share.
#pragma once

#include "base/list.h"
#include "repl/repl.h"
#include "repl/stream.h"
#include "server/server.h"

struct config_error;
struct failover;
struct link;
struct local_keys;
struct rdb_about;
struct rdb_loaded;
struct replica;
struct replicas;

// In the order of Redis's names.
enum diskless_load { DISKLESS_DISABLED, DISKLESS_ON_EMPTY_DB, DISKLESS_SWAPDB };

struct repl_config {
    char *primary_user;
    char *primary_password;
    bool serve_stale_data;
    bool read_only;
    bool ignore_max_memory;
    bool lazy_flush;
    bool announced;
    char *announce_ip;
    int64_t announce_port;
    int64_t priority;
    bool refuse_empty_primary;
    int64_t min_replicas;
    int64_t min_replicas_max_lag_s;
    bool diskless_sync;
    int64_t diskless_sync_delay_s;
    int64_t diskless_sync_max_replicas;
    int diskless_load;  // enum diskless_load
    bool disable_nodelay;
    int64_t backlog_bytes;
    int64_t backlog_ttl_s;
    int64_t timeout_s;
    int64_t ping_period_s;
    char *source_address;
};

struct repl {
    struct server *server;
    struct repl_config config;
    // The history: server->replication_id, and the one that it continues.
    struct stream stream;
    bool stream_on;                  // it is a sink of the effects, or fed by the link
    char second_id[RUN_ID_LEN + 1];  // zeros: none
    int64_t second_end;              // the common part's end, as INFO's second_repl_offset; -1
    int stream_db;                   // that the stream is in at its end, on a replica
    // The primary that we follow; NULL: we are one.
    char *primary_host;
    int primary_port;
    struct link *link;           // of link.c: NULL if we are one
    uint64_t link_lost_us;       // monotonic; 0: up, or never was
    uint64_t unexpected_errors;  // commands of the primary's that have failed here
    struct replicas *replicas;
    struct failover *failover;
    struct local_keys *local_keys;
    uint32_t readonly_gate;
    uint32_t stale_gate;         // MASTERDOWN
    uint32_t few_replicas_gate;  // NOREPLICAS
};

// --- repl.c

// A new random id for what is to come; the present one becomes the second one, which ends here.
void repl_begin_history(struct repl *repl);
// Takes over another history: of a primary that sent everything, or that told its new id.
void repl_take_history(struct repl *repl, const char *id, uint64_t offset);

// The history goes by this id from here on: our primary says so. The present one becomes the second one, which ends
// here.
void repl_rename_history(struct repl *repl, const char *id);

// Feeds the stream from the effects (a primary that has, or had, replicas), or lets it rest.
void repl_listen(struct repl *repl, bool on);

// "" and 0: none. Changes nothing else.
void repl_name_primary(struct repl *repl, struct slice host, int port);

// Something has changed of what the gates stand for: the role, the link, replicas, directives.
void repl_update_gates(struct repl *repl);

// For whoever writes a data set: what it says of the history.
// Nothing, if nobody has ever been fed.
void repl_describe(const struct repl *repl, struct rdb_about *about);

// --- replicas.c
struct replicas *replicas_new(struct repl *repl);
void replicas_free(struct replicas *replicas);
// At the end of a turn: what the stream has that is new goes into all queues.
void replicas_turn(struct replicas *replicas);
// What the backlog and the queues take now is not counted against maxmemory. O(1).
void replicas_count_memory(const struct replicas *replicas);
// A client with `replica` or CLIENT_REPLICA is about to be freed.
void replicas_gone(struct replicas *replicas, struct client *client);
// Closes the connections of all: their history is no longer ours.
void replicas_disconnect_all(struct replicas *replicas);
size_t replicas_count(const struct replicas *replicas);
// All of them, struct replica by `link`, from PSYNC on.
struct list *replicas_all(struct replicas *replicas);
// Fewer good ones than min-replicas-to-write.
bool replicas_are_few(const struct replicas *replicas);
// INFO: connected_slaves, min_slaves_good_slaves, slave0...
void replicas_info(const struct replicas *replicas, struct bytes *out);

// --- link.c
// Begins to connect at once, and goes on trying.
struct link *link_new(struct repl *repl);
// What the primary has is taken even if that is nothing, once: an administrator has said whom to follow.
void link_accept_empty(struct link *link);
// Closes the connection; breaks a sync off. NULL is fine.
void link_free(struct link *link);
// The client by which the primary's commands come is about to be freed.
void link_gone(struct link *link, const struct client *client);
// Right behind link_new(): its PSYNC asks the server there, a replica of ours, to become the primary (one more word,
// FAILOVER), for the history and offset that we have; never anything else. How that ends, failover_answered() is
// told once: with true for CONTINUE or FULLRESYNC, after which it goes on as any link; with false as soon as
// there is another answer, or none because the connection can't be made, breaks or is silent for repl-timeout. The
// link does nothing any more then: it is freed at the end of the turn.
void link_ask_failover(struct link *link);
// Connected, in sync, and fed.
bool link_is_up(const struct link *link);
// The database that the primary's stream is in.
int link_selected_db(const struct link *link);
// INFO: from master_host to replica_announced.
void link_info(const struct link *link, struct bytes *out);

// --- farewell.c
// Has the end of the server wait for replicas that lag behind (shutdown-timeout).
void farewell_register(struct repl *repl);

// --- apply.c: fit struct peer_hooks, of a struct repl
void apply_ran(void *udata, struct cmd_ctx *ctx);
void apply_skipped(void *udata, struct client *client, size_t bytes);

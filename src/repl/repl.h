// SPDX-License-Identifier: BSD-3-Clause
// Replication: the role of the server, for commands and main().
//
// A server is a primary (perhaps without replicas) or follows one. README.md has the map.
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "server/ctx.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct repl;
struct server;

// Before the commands: makes server->repl, which is freed with the server; registers directives, INFO replication,
// gates, cron jobs and peer hooks.
void repl_register(struct server *server);

// Once the configuration is read, before data is loaded: a replica keeps what has expired, which its primary will delete.
void repl_configured(struct repl *repl);

// When the data has been loaded and before the loop runs: takes over the history that the files tell of, and begins to
// follow a primary if the configuration says so.
void repl_start(struct repl *repl);

bool repl_is_replica(const struct repl *repl);

// --- The role (repl.c)

// REPLICAOF host port: follows this primary from now on; what is cached of the history of the last one, or of our
// own, is offered to it, so that a partial sync can do. The primary it follows already: nothing happens,
// and false.
bool repl_follow(struct repl *repl, struct slice host, int port);

// REPLICAOF NO ONE: a primary with a new history, which continues the old one. Nothing happens if it is one.
void repl_lead(struct repl *repl);

// Where the server is in its history: bytes so far, as INFO's master_repl_offset. On a replica: those that have been run.
uint64_t repl_offset(const struct repl *repl);

// --- FAILOVER (failover.c)

// A wish to hand the role over to a replica.
struct failover_wish {
    bool to;  // to this replica, else to whichever has everything first
    struct slice host;
    int64_t port;        // that it has announced
    int64_t timeout_ms;  // how long to wait for it; 0: for ever
    bool force;          // hand over then although it lags behind
};

// FAILOVER. Lets writes wait, and hands over once the replica has acknowledged everything. If it does not take over, we
// stay what we are, with a new history that continues ours. Returns ERROR_COUNT, or why it is refused.
enum error_id failover_begin(struct repl *repl, const struct failover_wish *wish);

// FAILOVER ABORT: back to normal, at once. False: there is none. Two servers may be primaries then, if the other one is
// just taking over.
bool failover_abort(struct repl *repl);

// From failover_begin() until the other one is the primary, or we are again.
bool repl_is_failing_over(const struct repl *repl);

// --- Replicas of ours (replicas.c, sync.c)

// REPLCONF, PSYNC and SYNC. They answer.
void replicas_replconf(struct cmd_ctx *ctx);
void replicas_psync(struct cmd_ctx *ctx);
void replicas_sync(struct cmd_ctx *ctx);

// Replicas that have acknowledged (`on_disk`: have it on their disks, as far as they say) this offset.
size_t replicas_reached(const struct repl *repl, uint64_t offset, bool on_disk);

// The offset behind the client's last write.
uint64_t replicas_offset_of(const struct repl *repl, const struct client *client);

// For a command that waits for replicas_reached(): it is run again whenever a replica has acknowledged more. They are
// asked to do so soon.
void replicas_wait(struct cmd_ctx *ctx, int64_t timeout_ms);

// For ROLE: one element a replica, [ip, port, offset].
void replicas_reply_role(struct cmd_ctx *ctx);

// --- Our primary (link.c)

// For ROLE: the whole reply of a replica.
void link_reply_role(struct cmd_ctx *ctx);

// SPDX-License-Identifier: BSD-3-Clause
// A client: its connection, what it sent and has not been run yet, and who it is.
//
// An idle client costs a few hundred bytes: input lies in the shared arena while it is being run, and
// in a buffer of the client's own only while a command is incomplete; output chunks come from a pool.
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "net/conn.h"
#include "resp/parser.h"
#include "server/client_config.h"
#include "server/client_flags.h"
#include "server/config.h"
#include "server/incoming.h"
#include "server/peer_hooks.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

struct blocked;
struct subscriptions;
struct transaction;
struct tracker;
struct replica;
struct cmd_ctx;
struct command_entry;
struct server;

// Bytes received and not yet run: in the arena, or in `own`.
struct client_input {
    char *buf;
    size_t pos;
    size_t len;
    struct bytes own;  // in use if buf == own.data
};

struct client {
    struct conn conn;
    struct server *server;
    struct db *db;
    uint64_t id;
    uint32_t flags;
    uint32_t gates;  // shut for this client: bits of server/registry.h
    uint8_t proto;   // 2 or 3
    struct resp_parser parser;
    struct client_input input;
    struct blocked *blocked;              // the command that waits, or NULL
    struct subscriptions *subscriptions;  // NULL without any
    struct transaction *transaction;      // queued commands and watched keys, or NULL
    struct tracker *tracker;              // CLIENT TRACKING, or NULL
    struct replica *replica;              // what repl/ knows of it, or NULL: REPLCONF has been said
    struct incoming *incoming;            // large arguments of the command that is arriving
    uint32_t turn_commands;               // run in this turn of the loop
    uint64_t effect_offset;               // of the stream, behind its last write
    struct list_link all_link;            // clients->all
    struct list_link ready_link;          // one of the batch's lists
    struct list_link pending_link;        // clients->pending or ->parked: has replies to send
    struct list_link closing_link;        // clients->closing
    struct list_link monitor_link;        // monitors->clients
    uint64_t created_us;                  // monotonic time
    uint64_t active_us;                   // of the last interaction
    uint64_t soft_limit_since_us;         // when the output passed the soft limit, 0 if it has not
    const struct command_entry *last_command;
    char *name;  // NUL-terminated, NULL without one
    char *lib_name;
    char *lib_ver;
};

// Longer strings are refused whatever proto-max-bulk-len says: lengths of keys and of what is sent by
// reference take 32 bits.
#define STRING_BYTES_MAX INT32_MAX

// Why a connection was not taken.
enum refusal { REFUSED_FULL, REFUSED_PROTECTED, REFUSALS };

struct clients {
    struct server *server;
    struct clients_config config;
    struct outq_pool pool;
    struct peer_hooks peer_hooks;  // all NULL without replication
    struct list all;
    struct list pending;
    struct list parked;
    size_t parked_count;
    struct list closing;
    size_t count;
    size_t held;  // whose input waits: INFO's blocked_clients
    uint64_t next_id;
    uint32_t auth_gate;
    struct resp_limits limits;          // of the parser; limits.max_bulk is that of all strings
    struct resp_limits unauth_limits;   // before authentication
    struct resp_limits primary_limits;  // what it has, we take
    struct log_limit refused[REFUSALS];
    struct log_limit attacks;   // requests that look like a web browser's
    uint64_t recent_max_input;  // largest buffers since the last clients_new_peaks()
    uint64_t recent_max_output;
    uint64_t least_output_limit;  // of all classes, in bytes; 0: not known yet
    uint64_t earlier_max_input;   // and between that one and the one before
    uint64_t earlier_max_output;
    size_t buffers_bytes;  // held by all clients but replicas when the last second ended
    uint64_t
        replica_limit_min_bytes;  // a lower hard limit for replicas counts as this: repl-backlog-size
};

// Registers directives, INFO section, gate, cron job and loop hook.
struct clients *clients_new(struct server *server);
void clients_free(struct clients *clients);

// To be called once the configuration is read.
void clients_configured(struct clients *clients);

// Takes a new connection, or refuses it with a reason (maxclients, protected mode). Fits accept_fn;
// `udata` is the struct clients.
void clients_accept(void *udata, int fd, bool is_unix);

// Makes a client of a connection that was made by this server: authenticated, and not counted as accepted. Takes
// ownership of `fd`.
struct client *clients_adopt(struct clients *clients, int fd);

// What waits to be sent to the client, and what is added, stays here until client_uncork(); limits count it.
void client_cork(struct client *client);
void client_uncork(struct client *client);

// Closes the client before the loop sleeps; what it has sent is not run any more.
void client_close(struct client *client);

// The same, and its peer sees it at once: before the reply of the one who had it closed is out.
void client_kill(struct client *client);

// Closes it once the replies are out.
void client_close_after_reply(struct client *client);

// To be called when something was added to the client's output: sends it before the loop sleeps,
// and cuts the client if it passes its output limits.
void client_output_added(struct client *client);

// What may wait to be sent to the client before it is cut; 0: any amount.
uint64_t client_hard_limit(const struct client *client);

// server->durable_offset has been raised: sends the replies that waited for it, and lets their clients go
// on. O(clients that wait).
void clients_made_durable(struct clients *clients);

// Closes, without a reply, whoever waits for one of these: their writes will never be durable. Returns how many.
size_t clients_drop_parked(struct clients *clients);

// Sets who the client is: authenticated or not.
void client_set_authenticated(struct client *client, bool authenticated);

// Lets it speak this version of the protocol from now on (HELLO).
void client_set_proto(struct client *client, uint8_t proto);

// Lets the client have replies again (CLIENT REPLY ON), from the running command's on.
void client_replies_on(struct cmd_ctx *ctx);

// Back to the state of a new connection (RESET).
void client_reset(struct client *client);

// Replaces a text of the client's (name, lib_name, lib_ver); an empty one clears it.
void client_set_text(char **field, struct slice text);

// Whether a password is wanted.
bool clients_need_password(const struct clients *clients);

// By id; NULL if there is none.
struct client *clients_find(const struct clients *clients, uint64_t id);

// The line of CLIENT LIST and INFO, without a line end.
void client_describe(const struct client *client, struct bytes *out);

// Bytes that a client holds, and all of them together, without replicas' buffers: what buffers take is as of the end
// of the last second. O(1).
size_t client_memory(const struct client *client);
size_t clients_memory(const struct clients *clients);

// Begins a new period of INFO's client_recent_max_*: what is older than the last one is forgotten. A
// cron job, of the struct clients.
void clients_new_peaks(void *udata);

// "addr:port" of the peer.
void client_address(const struct client *client, char out[CONN_NAME_MAX]);

// Idleness and age in whole seconds, as CLIENT LIST shows them.
uint64_t client_idle_s(const struct client *client);
uint64_t client_age_s(const struct client *client);

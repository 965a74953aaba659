// SPDX-License-Identifier: BSD-3-Clause
// The server: little more than pointers to its subsystems, made in main() and passed down.
#pragma once

#include "base/status.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPITE_VERSION "0.1.0"
// What we behave as: clients gate features on it.
#define REDIS_VERSION "7.2.4"

#define RUN_ID_LEN 40

struct loop;
struct cmd_ctx;
struct command_entry;
struct keyspace;
struct registry;
struct config;
struct clients;
struct batch;
struct effects;
struct info;
struct cron;
struct network;
struct process;
struct settings;
struct collection_limits;
struct blocks;
struct inert;
struct pause;
struct monitors;
struct error_stats;
struct latency_stats;
struct slowlog;
struct latency;
struct sweeper;
struct eviction;
struct client_limit;
struct pushes;
struct pubsub;
struct notifications;
struct transactions;
struct tracking;
struct snapshot;
struct loading_state;
struct aof;
struct child;
struct repl;

// What is to be done after the command that is running: bits of server->after_command.
enum after_command {
    AFTER_COMMAND_PUSHES = 1u << 0,   // its client has been pushed something
    AFTER_COMMAND_KEYS = 1u << 1,     // keys that clients wait for have been written
    AFTER_COMMAND_EFFECTS = 1u << 2,  // it has met an expired key: its effects are a group
};

// Counters of INFO stats; CONFIG RESETSTAT clears them.
struct server_stats {
    uint64_t commands;
    uint64_t connections;
    uint64_t rejected_connections;
    uint64_t error_replies;
    uint64_t net_input_bytes;
    uint64_t net_output_bytes;
    uint64_t net_repl_input_bytes;   // of these, from our primary
    uint64_t net_repl_output_bytes;  // and to replicas
    uint64_t reads;
    uint64_t writes;
    uint64_t query_limit_disconnections;
    uint64_t output_limit_disconnections;
    uint64_t auth_failures;
    uint64_t forks;
    uint64_t fork_us;  // that the last one took
};

// What happened in the last second, and the counters at its end.
struct server_rates {
    uint64_t commands;
    uint64_t net_input_bytes;
    uint64_t net_output_bytes;
    uint64_t net_repl_input_bytes;
    uint64_t net_repl_output_bytes;
    uint64_t turns;    // of the loop
    uint64_t turn_us;  // that one took on average, without the sleep
    struct server_stats counted;
    uint64_t counted_turns;
    uint64_t counted_busy_us;
};

// What dispatch measures commands with, in ticks of clock_ticks().
struct command_timing {
    uint64_t boundary_ticks;              // when the clock was read last
    uint64_t slow_ticks;                  // from so many on somebody wants to know
    bool tracking;                        // latency-tracking: histograms
    bool ticks_are_cpus;                  // clock_ticks_are_cpus()
    bool each;                            // a low threshold: no commands share a reading
    bool grouping;                        // they do now: not while a command runs others
    uint32_t depth;                       // of commands that run others
    uint8_t group_count;                  // commands since the last reading that share the next one
    struct command_entry *group_command;  // all of them are this one
    const struct cmd_ctx *group_last;
    uint64_t usual_share;   // of a command of the last usual group
    uint64_t expired_keys;  // as counted when the last group ended
};

#define SERVER_PARTS_MAX 8

typedef void (*server_part_fn)(void *part);

struct server {
    struct loop *loop;
    struct keyspace *keyspace;
    struct registry *registry;
    struct config *config;
    struct clients *clients;
    struct batch *batch;
    struct effects *effects;
    struct info *info;
    struct cron *cron;
    struct network *network;
    struct process *process;
    struct settings *settings;
    struct collection_limits *limits;
    struct inert *inert;
    struct blocks *blocks;
    struct pause *pause;
    struct monitors *monitors;
    struct error_stats *error_stats;
    struct latency_stats *latency_stats;
    struct slowlog *slowlog;
    struct latency *latency;
    struct sweeper *sweeper;
    struct eviction *eviction;
    struct client_limit *client_limit;
    struct pushes *pushes;
    struct pubsub *pubsub;
    struct notifications *notifications;
    struct transactions *transactions;
    struct tracking *tracking;
    struct lazyfree *lazyfree;
    struct snapshot *snapshot;  // of persist/
    struct loading_state *loading;
    int part_count;
    struct {
        server_part_fn free_part;
        void *part;
    } parts[SERVER_PARTS_MAX];
    struct aof *aof;               // NULL where no append-only file is offered
    struct child *child;           // of persist/: works on a copy of the data; NULL without one
    struct repl *repl;             // of repl/
    uint64_t changes;              // writes since the last save
    uint32_t gates;                // shut for everybody: bits of server/registry.h
    uint32_t holds;                // gates at which commands wait instead
    uint32_t observers;            // who looks at every command that has been run
    uint32_t notified;             // classes of events that somebody wants to hear of
    uint8_t after_command;         // bits of enum after_command
    uint64_t durable_offset;       // replies to effects beyond wait; UINT64_MAX: none do
    struct command_timing timing;  // beside what dispatch needs anyway
    struct server_stats stats;
    struct server_rates rates;
    size_t startup_bytes;  // mem_used() when the start was done
    size_t
        repl_buffer_bytes;  // of mem_used(): backlog and replicas' queues. maxmemory leaves them out
    int64_t start_ms;       // Unix time
    char run_id[RUN_ID_LEN + 1];          // of this process
    char replication_id[RUN_ID_LEN + 1];  // of its history of writes
    const char *executable;               // absolute path
    const char *config_file;              // absolute path, "" without one
};

// Who looks at commands, as bits of server->observers.
enum command_observer {
    OBSERVER_MONITOR = 1u << 0,
    OBSERVER_TRACKING = 1u << 1,
};

// At start-up: a subsystem of a higher layer, which server_free() frees before all others, the last one
// first.
void server_add_part(struct server *server, server_part_fn free_part, void *part);

// Makes the server's subsystems, which register what they offer; commands and types are registered by
// the caller, before the configuration is read.
struct server *server_new(void);

// Applies what the configuration says and opens the sockets. STATUS_IO: the reason is in the log.
enum status server_start(struct server *server) __attribute__((warn_unused_result));

// Ends the connections and frees everything.
void server_free(struct server *server);

// SPDX-License-Identifier: BSD-3-Clause
// INFO Stats: the counters, and what CONFIG RESETSTAT does to them.
#include "net/loop.h"
#include "server/info.h"
#include "server/sections.h"
#include "server/server.h"
#include "server/sweeper.h"
#include "store/keyspace.h"

#include <string.h>

static unsigned long long wide(uint64_t value)
{
    return value;
}

static void traffic_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    const struct server_stats *stats = &server->stats;
    bytes_printf(out,
                 "total_connections_received:%llu\r\n"
                 "total_commands_processed:%llu\r\n"
                 "instantaneous_ops_per_sec:%llu\r\n"
                 "total_net_input_bytes:%llu\r\n"
                 "total_net_output_bytes:%llu\r\n",
                 wide(stats->connections), wide(stats->commands), wide(server->rates.commands),
                 wide(stats->net_input_bytes), wide(stats->net_output_bytes));
}

static void rate_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out,
                 "instantaneous_input_kbps:%.2f\r\n"
                 "instantaneous_output_kbps:%.2f\r\n",
                 (double)server->rates.net_input_bytes / 1024,
                 (double)server->rates.net_output_bytes / 1024);
}

static void peer_traffic_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out,
                 "total_net_repl_input_bytes:%llu\r\n"
                 "total_net_repl_output_bytes:%llu\r\n",
                 wide(server->stats.net_repl_input_bytes),
                 wide(server->stats.net_repl_output_bytes));
}

static void peer_rate_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out,
                 "instantaneous_input_repl_kbps:%.2f\r\n"
                 "instantaneous_output_repl_kbps:%.2f\r\n",
                 (double)server->rates.net_repl_input_bytes / 1024,
                 (double)server->rates.net_repl_output_bytes / 1024);
}

static void refusal_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out, "rejected_connections:%llu\r\n", wide(server->stats.rejected_connections));
}

static void expiry_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    const struct keyspace *keyspace = server->keyspace;
    bytes_printf(out,
                 "expired_keys:%llu\r\n"
                 "expired_subkeys:0\r\n"
                 "expired_stale_perc:%.2f\r\n"
                 "expired_time_cap_reached_count:%llu\r\n"
                 "expire_cycle_cpu_milliseconds:%llu\r\n"
                 "expire_lag_p50_ms:%llu\r\n"
                 "expire_lag_p99_ms:%llu\r\n",
                 wide(keyspace->expired_keys), keyspace->stale_percent,
                 wide(keyspace->sweeps_cut_short), wide(keyspace->sweep_us / 1000),
                 wide(sweeper_lag_ms(server->sweeper, 50)),
                 wide(sweeper_lag_ms(server->sweeper, 99)));
}

static void keyspace_fields(void *udata, struct bytes *out)
{
    const struct keyspace *keyspace = ((const struct server *)udata)->keyspace;
    bytes_printf(out,
                 "keyspace_hits:%llu\r\n"
                 "keyspace_misses:%llu\r\n",
                 wide(keyspace->hits), wide(keyspace->misses));
}

static void error_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out, "total_error_replies:%llu\r\n", wide(server->stats.error_replies));
}

static void fork_fields(void *udata, struct bytes *out)
{
    const struct server_stats *stats = &((const struct server *)udata)->stats;
    bytes_printf(out,
                 "latest_fork_usec:%llu\r\n"
                 "total_forks:%llu\r\n",
                 wide(stats->fork_us), wide(stats->forks));
}

static void transfer_fields(void *udata, struct bytes *out)
{
    const struct server_stats *stats = &((const struct server *)udata)->stats;
    bytes_printf(out,
                 "total_reads_processed:%llu\r\n"
                 "total_writes_processed:%llu\r\n"
                 "io_threaded_reads_processed:0\r\n"
                 "io_threaded_writes_processed:0\r\n"
                 "client_query_buffer_limit_disconnections:%llu\r\n"
                 "client_output_buffer_limit_disconnections:%llu\r\n"
                 "reply_buffer_shrinks:0\r\n"
                 "reply_buffer_expands:0\r\n",
                 wide(stats->reads), wide(stats->writes), wide(stats->query_limit_disconnections),
                 wide(stats->output_limit_disconnections));
}

static void loop_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    struct loop_stats stats;
    loop_stats(server->loop, &stats);
    bytes_printf(out,
                 "eventloop_cycles:%llu\r\n"
                 "eventloop_duration_sum:%llu\r\n"
                 "eventloop_duration_cmd_sum:%llu\r\n"
                 "instantaneous_eventloop_cycles_per_sec:%llu\r\n"
                 "instantaneous_eventloop_duration_usec:%llu\r\n",
                 wide(stats.turns), wide(stats.busy_us), wide(stats.ready_us),
                 wide(server->rates.turns), wide(server->rates.turn_us));
}

static void access_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out,
                 "acl_access_denied_auth:%llu\r\n"
                 "acl_access_denied_cmd:0\r\n"
                 "acl_access_denied_key:0\r\n"
                 "acl_access_denied_channel:0\r\n",
                 wide(server->stats.auth_failures));
}

// In Redis's order. Where there are lines and no function, nobody counts these yet.
static const struct stats_subject {
    const char *name;
    info_section_fn fn;
    const char *lines;
} stats_subjects[] = {
    { .name = "replication traffic", .fn = peer_traffic_fields },
    { .name = "rates", .fn = rate_fields },
    { .name = "replication rates", .fn = peer_rate_fields },
    { .name = "refusals", .fn = refusal_fields },
    { .name = "synchronisation",
      .lines = "sync_full:0\r\n"
               "sync_partial_ok:0\r\n"
               "sync_partial_err:0\r\n" },
    { .name = "expiry", .fn = expiry_fields },
    // The places of eviction and client_limit.
    { .name = "evicted keys", .lines = "" },
    { .name = "evicted clients", .lines = "" },
    { .name = "evicted scripts", .lines = "evicted_scripts:0\r\n" },
    { .name = "eviction time", .lines = "" },
    { .name = "keyspace", .fn = keyspace_fields },
    // The place of pubsub.
    { .name = "pubsub", .lines = "" },
    { .name = "forks", .fn = fork_fields },
    { .name = "migration", .lines = "migrate_cached_sockets:0\r\n" },
    { .name = "replica expiry", .lines = "slave_expires_tracked_keys:0\r\n" },
    { .name = "defragmentation",
      .lines = "active_defrag_hits:0\r\n"
               "active_defrag_misses:0\r\n"
               "active_defrag_key_hits:0\r\n"
               "active_defrag_key_misses:0\r\n"
               "total_active_defrag_time:0\r\n"
               "current_active_defrag_time:0\r\n" },
    { .name = "tracking",
      .lines = "tracking_total_keys:0\r\n"
               "tracking_total_items:0\r\n"
               "tracking_total_prefixes:0\r\n" },
    { .name = "unexpected errors", .lines = "unexpected_error_replies:0\r\n" },
    { .name = "errors", .fn = error_fields },
    { .name = "payloads", .lines = "dump_payload_sanitizations:0\r\n" },
    { .name = "transfers", .fn = transfer_fields },
    { .name = "loop", .fn = loop_fields },
    { .name = "access", .fn = access_fields },
    { 0 },
};

static void reset_stats(void *udata)
{
    struct server *server = udata;
    struct keyspace *keyspace = server->keyspace;
    memset(&server->stats, 0, sizeof(server->stats));
    memset(&server->rates, 0, sizeof(server->rates));
    keyspace->hits = keyspace->misses = 0;
    keyspace->expired_keys = keyspace->expired_by_sweep = 0;
    keyspace->sweep_us = keyspace->sweeps_cut_short = 0;
    keyspace->stale_percent = 0;
    loop_reset_stats(server->loop);
}

void sections_register_stats(struct server *server)
{
    struct info *info = server->info;
    info_add_section(info, "Stats", true, traffic_fields, server);
    for (const struct stats_subject *row = stats_subjects; row->name; row++) {
        if (row->fn)
            info_add_fields(info, "Stats", row->name, row->fn, server);
        else
            info_add_lines(info, "Stats", row->name, row->lines);
    }
    info_on_reset(info, reset_stats, server);
}

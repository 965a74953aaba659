// SPDX-License-Identifier: BSD-3-Clause
// Making, starting and ending the server.
#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "base/random.h"
#include "net/loop.h"
#include "server/batch.h"
#include "server/block.h"
#include "server/client.h"
#include "server/client_limit.h"
#include "server/command_stats.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/dispatch.h"
#include "server/effects.h"
#include "server/error_stats.h"
#include "server/eviction.h"
#include "server/inert.h"
#include "server/info.h"
#include "server/latency.h"
#include "server/latency_stats.h"
#include "server/lazyfree.h"
#include "server/limits.h"
#include "server/monitor.h"
#include "server/network.h"
#include "server/notifications.h"
#include "server/pause.h"
#include "server/process.h"
#include "server/pubsub.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/sections.h"
#include "server/settings.h"
#include "server/slowlog.h"
#include "server/sweeper.h"
#include "server/tracking.h"
#include "server/transaction.h"
#include "store/keyspace.h"

#include <string.h>

// The access clock counts seconds; this keeps it within a tenth of one.
#define CLOCK_PERIOD_MS 100

static void keep_clock(void *udata)
{
    const struct server *server = udata;
    keyspace_set_clock(server->keyspace, clock_wall_ms());
}

static void note_loop_rates(struct server *server)
{
    struct server_rates *rates = &server->rates;
    struct loop_stats now;
    loop_stats(server->loop, &now);
    rates->turns = now.turns - rates->counted_turns;
    rates->turn_us = rates->turns ? (now.busy_us - rates->counted_busy_us) / rates->turns : 0;
    rates->counted_turns = now.turns;
    rates->counted_busy_us = now.busy_us;
}

static void note_rates(void *udata)
{
    struct server *server = udata;
    const struct server_stats *now = &server->stats;
    const struct server_stats *then = &server->rates.counted;
    server->rates.commands = now->commands - then->commands;
    server->rates.net_input_bytes = now->net_input_bytes - then->net_input_bytes;
    server->rates.net_output_bytes = now->net_output_bytes - then->net_output_bytes;
    server->rates.net_repl_input_bytes = now->net_repl_input_bytes - then->net_repl_input_bytes;
    server->rates.net_repl_output_bytes = now->net_repl_output_bytes - then->net_repl_output_bytes;
    server->rates.counted = *now;
    note_loop_rates(server);
    mem_note_peak();
}

struct server *server_new(void)
{
    struct server *server = mem_alloc_zeroed(sizeof(*server));
    server->executable = server->config_file = "";
    server->durable_offset = UINT64_MAX;
    random_hex(server->run_id, RUN_ID_LEN);
    random_hex(server->replication_id, RUN_ID_LEN);
    server->loop = loop_new();
    server->keyspace = mem_alloc_zeroed(sizeof(*server->keyspace));
    keyspace_init(server->keyspace);
    server->config = config_new();
    server->registry = registry_new();
    server->info = info_new();
    server->cron = cron_new(server);
    server->settings = settings_new(server);
    server->limits = limits_new(server);
    server->inert = inert_new(server);
    server->effects = effects_new(server);
    server->sweeper = sweeper_new(server);

    sections_register_server(server);
    server->batch = batch_new(server);
    server->clients = clients_new(server);
    server->monitors = monitors_new(server);
    server->pause = pause_new(server);
    server->blocks = blocks_new(server);
    server->network = network_new(server);
    server->process = process_new(server);
    sections_register_memory(server);
    sections_register_persistence(server);
    sections_register_stats(server);
    sections_register_replication(server);
    sections_register_cpu(server);
    sections_register_modules(server);
    command_stats_register(server);
    server->error_stats = error_stats_new(server);
    server->latency_stats = latency_stats_new(server);
    server->slowlog = slowlog_new(server);
    server->latency = latency_new(server);
    server->eviction = eviction_new(server);
    server->client_limit = client_limit_new(server);
    server->transactions = transactions_new(server);
    server->pushes = pushes_new(server);
    server->pubsub = pubsub_new(server);
    server->notifications = notifications_new(server);
    server->tracking = tracking_new(server);
    server->lazyfree = lazyfree_new(server);
    sections_register_cluster(server);
    sections_register_keyspace(server);

    cron_add(server->cron, CLOCK_PERIOD_MS, keep_clock, server);
    cron_add(server->cron, 1000, note_rates, server);
    return server;
}

enum status server_start(struct server *server)
{
    clock_update();
    server->start_ms = clock_wall_ms();
    if (settings_apply(server->settings) != STATUS_OK)
        return STATUS_IO;
    config_report_inert(server->config);
    keyspace_open(server->keyspace, (int)server->settings->databases);
    keyspace_set_clock(server->keyspace, clock_wall_ms());
    clients_configured(server->clients);
    dispatch_thresholds_changed(server);
    eviction_configured(server->eviction);
    lazyfree_configured(server->lazyfree);
    if (network_open(server->network) != STATUS_OK)
        return STATUS_IO;
    cron_start(server->cron);
    server->startup_bytes = mem_used();
    return STATUS_OK;
}

void server_add_part(struct server *server, server_part_fn free_part, void *part)
{
    ASSERT(server->part_count < SERVER_PARTS_MAX);
    server->parts[server->part_count].free_part = free_part;
    server->parts[server->part_count++].part = part;
}

void server_free(struct server *server)
{
    for (int i = server->part_count; i-- > 0;)
        server->parts[i].free_part(server->parts[i].part);
    network_free(server->network);
    clients_free(server->clients);
    monitors_free(server->monitors);
    tracking_free(server->tracking);
    pubsub_free(server->pubsub);
    pushes_free(server->pushes);
    pause_free(server->pause);
    blocks_free(server->blocks);
    process_free(server->process);
    transactions_free(server->transactions);
    batch_free(server->batch);
    sweeper_free(server->sweeper);
    effects_free(server->effects);
    inert_free(server, server->inert);
    notifications_free(server->notifications);
    lazyfree_free(server->lazyfree);
    client_limit_free(server->client_limit);
    eviction_free(server->eviction);
    latency_free(server->latency);
    slowlog_free(server->slowlog);
    latency_stats_free(server->latency_stats);
    error_stats_free(server->error_stats);
    settings_free(server, server->settings);
    limits_free(server->limits);
    cron_free(server->cron);
    info_free(server->info);
    registry_free(server->registry);
    config_free(server->config);
    keyspace_release(server->keyspace);
    mem_free(server->keyspace, sizeof(*server->keyspace));
    loop_free(server->loop);
    mem_free(server, sizeof(*server));
}

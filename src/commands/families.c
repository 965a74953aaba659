// SPDX-License-Identifier: BSD-3-Clause
// The list of the families.
#include "commands/families.h"

#include "commands/tables.h"
#include "server/registry.h"

// One a line.
// clang-format off
static const struct command *const families[] = {
    connection_commands,
    client_commands,
    string_commands,
    string_range_commands,
    counter_commands,
    lcs_commands,
    list_commands,
    list_search_commands,
    list_pop_commands,
    list_move_commands,
    set_commands,
    set_random_commands,
    set_algebra_commands,
    key_commands,
    object_commands,
    dump_commands,
    persistence_commands,
    aof_commands,
    hash_commands,
    hash_write_commands,
    hash_scan_commands,
    expire_commands,
    scan_commands,
    sort_commands,
    zset_commands,
    zset_range_commands,
    zset_pop_commands,
    zset_blocking_commands,
    zset_algebra_commands,
    zset_scan_commands,
    database_commands,
    admin_commands,
    config_commands,
    debug_commands,
    transaction_commands,
    monitor_commands,
    shutdown_commands,
    memory_commands,
    module_commands,
    replication_commands,
    replication_feed_commands,
    failover_commands,
    cluster_commands,
    lolwut_commands,
    slowlog_commands,
    latency_commands,
    pubsub_commands,
    introspection_commands,
};
// clang-format on

void commands_register(struct registry *registry)
{
    for (unsigned i = 0; i < sizeof(families) / sizeof(*families); i++)
        registry_add(registry, families[i]);
}

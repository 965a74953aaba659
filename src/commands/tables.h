// SPDX-License-Identifier: BSD-3-Clause
// The families' tables, for families.c; each ends with a row without a name.
#pragma once

#include "server/command.h"

extern const struct command connection_commands[];
extern const struct command client_commands[];
extern const struct command string_commands[];
extern const struct command string_range_commands[];
extern const struct command counter_commands[];
extern const struct command lcs_commands[];
extern const struct command list_commands[];
extern const struct command list_search_commands[];
extern const struct command list_pop_commands[];
extern const struct command list_move_commands[];
extern const struct command set_commands[];
extern const struct command set_random_commands[];
extern const struct command set_algebra_commands[];
extern const struct command key_commands[];
extern const struct command object_commands[];
extern const struct command dump_commands[];
extern const struct command persistence_commands[];
extern const struct command aof_commands[];
extern const struct command zset_commands[];
extern const struct command zset_range_commands[];
extern const struct command zset_pop_commands[];
extern const struct command zset_blocking_commands[];
extern const struct command zset_algebra_commands[];
extern const struct command zset_scan_commands[];
extern const struct command hash_commands[];
extern const struct command hash_write_commands[];
extern const struct command hash_scan_commands[];
extern const struct command database_commands[];
extern const struct command expire_commands[];
extern const struct command scan_commands[];
extern const struct command sort_commands[];
extern const struct command admin_commands[];
extern const struct command config_commands[];
extern const struct command debug_commands[];
extern const struct command transaction_commands[];
extern const struct command monitor_commands[];
extern const struct command shutdown_commands[];
extern const struct command memory_commands[];
extern const struct command module_commands[];
extern const struct command replication_commands[];
extern const struct command replication_feed_commands[];
extern const struct command failover_commands[];
extern const struct command cluster_commands[];
extern const struct command lolwut_commands[];
extern const struct command slowlog_commands[];
extern const struct command latency_commands[];
extern const struct command pubsub_commands[];
extern const struct command introspection_commands[];

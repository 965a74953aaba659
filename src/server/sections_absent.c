// SPDX-License-Identifier: BSD-3-Clause
// INFO sections of features that the server does not have yet: they answer as one that does not use
// them.
#include "server/info.h"
#include "server/sections.h"
#include "server/server.h"

void sections_register_persistence(struct server *server)
{
    struct info *info = server->info;
    info_add_section(info, "Persistence", true, NULL, NULL);
    // The place of snapshots.
    info_add_lines(info, "Persistence", "snapshots", "");
    info_add_lines(info, "Persistence", "aof",
                   "aof_enabled:0\r\n"
                   "aof_rewrite_in_progress:0\r\n"
                   "aof_rewrite_scheduled:0\r\n"
                   "aof_last_rewrite_time_sec:-1\r\n"
                   "aof_current_rewrite_time_sec:-1\r\n"
                   "aof_last_bgrewrite_status:ok\r\n"
                   "aof_rewrites:0\r\n"
                   "aof_rewrites_consecutive_failures:0\r\n"
                   "aof_last_write_status:ok\r\n"
                   "aof_last_cow_size:0\r\n");
    info_add_lines(info, "Persistence", "modules",
                   "module_fork_in_progress:0\r\n"
                   "module_fork_last_cow_size:0\r\n");
    // The place of an append-only file that is on.
    info_add_lines(info, "Persistence", "aof sizes", "");
}

void sections_register_replication(struct server *server)
{
    info_add_section(server->info, "Replication", true, NULL, NULL);
}

void sections_register_modules(struct server *server)
{
    info_add_section(server->info, "Modules", true, NULL, NULL);
}

void sections_register_cluster(struct server *server)
{
    info_add_section(server->info, "Cluster", true, NULL, NULL);
    info_add_lines(server->info, "Cluster", "cluster", "cluster_enabled:0\r\n");
}

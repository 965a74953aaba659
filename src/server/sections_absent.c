// SPDX-License-Identifier: BSD-3-Clause
// INFO sections of features that the server does not have yet: they answer as one that does not use
// them.
#include "server/info.h"
#include "server/sections.h"
#include "server/server.h"

static void info_replication(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out,
                 "role:master\r\n"
                 "connected_slaves:0\r\n"
                 "master_failover_state:no-failover\r\n"
                 "master_replid:%s\r\n"
                 "master_replid2:0000000000000000000000000000000000000000\r\n"
                 "master_repl_offset:0\r\n"
                 "second_repl_offset:-1\r\n"
                 "repl_backlog_active:0\r\n"
                 "repl_backlog_size:",
                 server->replication_id);
    sections_append_directive(server->config, "repl-backlog-size", "1048576", out);
    bytes_append_text(out, "\r\n"
                           "repl_backlog_first_byte_offset:0\r\n"
                           "repl_backlog_histlen:0\r\n");
}

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
    info_add_section(server->info, "Replication", true, info_replication, server);
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

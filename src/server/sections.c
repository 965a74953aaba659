// SPDX-License-Identifier: BSD-3-Clause
// INFO sections of the server as a whole: see sections.h.
#include "server/sections.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "server/client.h"
#include "server/cron.h"
#include "server/info.h"
#include "server/network.h"
#include "server/process.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <sys/utsname.h>
#include <unistd.h>

static void info_server(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    struct utsname os;
    uname(&os);
    int64_t now_us = clock_wall_us_now();
    int64_t uptime_s = (now_us / 1000 - server->start_ms) / 1000;
    bytes_printf(out,
                 "redis_version:" REDIS_VERSION "\r\n"
                 "redis_git_sha1:00000000\r\n"
                 "redis_git_dirty:0\r\n"
                 "redis_build_id:0\r\n"
                 "redis_mode:standalone\r\n"
                 "respite_version:" RESPITE_VERSION "\r\n"
                 "os:%s %s %s\r\n"
                 "arch_bits:%zu\r\n"
                 "monotonic_clock:POSIX clock_gettime\r\n"
                 "multiplexing_api:epoll\r\n"
                 "atomicvar_api:c11-builtin\r\n"
                 "gcc_version:%d.%d.%d\r\n"
                 "process_id:%ld\r\n"
                 "process_supervised:%s\r\n"
                 "run_id:%s\r\n"
                 "tcp_port:%d\r\n",
                 os.sysname, os.release, os.machine, sizeof(void *) * 8, __GNUC__, __GNUC_MINOR__,
                 __GNUC_PATCHLEVEL__, (long)getpid(), process_supervised(server->process),
                 server->run_id, network_port(server->network));
    bytes_printf(out,
                 "server_time_usec:%lld\r\n"
                 "uptime_in_seconds:%lld\r\n"
                 "uptime_in_days:%lld\r\n"
                 "hz:%lld\r\n"
                 "configured_hz:%lld\r\n"
                 "lru_clock:%u\r\n"
                 "executable:%s\r\n"
                 "config_file:%s\r\n"
                 "io_threads_active:0\r\n",
                 (long long)now_us, (long long)uptime_s, (long long)(uptime_s / 86400),
                 (long long)cron_hz(server->cron), (long long)cron_hz(server->cron),
                 server->keyspace->access_clock, server->executable, server->config_file);
    network_describe(server->network, out);
}

static void memory_line(struct bytes *out, const char *name, size_t bytes)
{
    char human[32];
    format_memory_human(human, bytes);
    bytes_printf(out, "%s:%zu\r\n%s_human:%s\r\n", name, bytes, name, human);
}

static double ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static size_t tables_memory(const struct keyspace *keyspace)
{
    size_t bytes = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        bytes += table_memory(&keyspace->dbs[i].table);
    return bytes;
}

static void info_memory(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    mem_note_peak();
    size_t used = mem_used();
    size_t rss = mem_rss();
    size_t overhead = server->startup_bytes + tables_memory(server->keyspace);
    overhead = overhead < used ? overhead : used;
    struct mem_allocator_stats allocator;
    mem_allocator_stats(&allocator);

    memory_line(out, "used_memory", used);
    memory_line(out, "used_memory_rss", rss);
    memory_line(out, "used_memory_peak", mem_peak());
    bytes_printf(
        out,
        "used_memory_peak_perc:%.2f%%\r\n"
        "used_memory_overhead:%zu\r\n"
        "used_memory_startup:%zu\r\n"
        "used_memory_dataset:%zu\r\n"
        "used_memory_dataset_perc:%.2f%%\r\n"
        "allocator_allocated:%zu\r\n"
        "allocator_active:%zu\r\n"
        "allocator_resident:%zu\r\n",
        ratio(used, mem_peak()) * 100, overhead, server->startup_bytes, used - overhead,
        ratio(used - overhead, used > server->startup_bytes ? used - server->startup_bytes : used) *
            100,
        allocator.allocated, allocator.active, allocator.resident);
    memory_line(out, "total_system_memory",
                (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
    bytes_printf(out,
                 "maxmemory:0\r\n"
                 "maxmemory_human:0B\r\n"
                 "maxmemory_policy:noeviction\r\n"
                 "allocator_frag_ratio:%.2f\r\n"
                 "allocator_frag_bytes:%zd\r\n"
                 "allocator_rss_ratio:%.2f\r\n"
                 "allocator_rss_bytes:%zd\r\n"
                 "rss_overhead_ratio:%.2f\r\n"
                 "rss_overhead_bytes:%zd\r\n"
                 "mem_fragmentation_ratio:%.2f\r\n"
                 "mem_fragmentation_bytes:%zd\r\n"
                 "mem_not_counted_for_evict:0\r\n"
                 "mem_clients_slaves:0\r\n"
                 "mem_clients_normal:%zu\r\n"
                 "mem_allocator:%s\r\n"
                 "active_defrag_running:0\r\n"
                 "lazyfree_pending_objects:0\r\n"
                 "lazyfreed_objects:0\r\n",
                 ratio(allocator.active, allocator.allocated),
                 (ssize_t)(allocator.active - allocator.allocated),
                 ratio(allocator.resident, allocator.active),
                 (ssize_t)(allocator.resident - allocator.active), ratio(rss, allocator.resident),
                 (ssize_t)(rss - allocator.resident), ratio(rss, used), (ssize_t)(rss - used),
                 clients_memory(server->clients), mem_allocator_name());
}

static void info_stats(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    const struct server_stats *stats = &server->stats;
    const struct keyspace *keyspace = server->keyspace;
    bytes_printf(
        out,
        "total_connections_received:%llu\r\n"
        "total_commands_processed:%llu\r\n"
        "instantaneous_ops_per_sec:%llu\r\n"
        "total_net_input_bytes:%llu\r\n"
        "total_net_output_bytes:%llu\r\n"
        "total_net_repl_input_bytes:0\r\n"
        "total_net_repl_output_bytes:0\r\n"
        "instantaneous_input_kbps:%.2f\r\n"
        "instantaneous_output_kbps:%.2f\r\n"
        "rejected_connections:%llu\r\n"
        "expired_keys:%llu\r\n"
        "evicted_keys:0\r\n"
        "keyspace_hits:%llu\r\n"
        "keyspace_misses:%llu\r\n",
        (unsigned long long)stats->connections, (unsigned long long)stats->commands,
        (unsigned long long)server->rates.commands, (unsigned long long)stats->net_input_bytes,
        (unsigned long long)stats->net_output_bytes, (double)server->rates.net_input_bytes / 1024,
        (double)server->rates.net_output_bytes / 1024,
        (unsigned long long)stats->rejected_connections, (unsigned long long)keyspace->expired_keys,
        (unsigned long long)keyspace->hits, (unsigned long long)keyspace->misses);
    bytes_printf(out,
                 "pubsub_channels:0\r\n"
                 "pubsub_patterns:0\r\n"
                 "pubsubshard_channels:0\r\n"
                 "latest_fork_usec:0\r\n"
                 "total_error_replies:%llu\r\n"
                 "total_reads_processed:%llu\r\n"
                 "total_writes_processed:%llu\r\n"
                 "client_query_buffer_limit_disconnections:%llu\r\n"
                 "client_output_buffer_limit_disconnections:%llu\r\n",
                 (unsigned long long)stats->error_replies, (unsigned long long)stats->reads,
                 (unsigned long long)stats->writes,
                 (unsigned long long)stats->query_limit_disconnections,
                 (unsigned long long)stats->output_limit_disconnections);
}

static void info_keyspace(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    for (int i = 0; i < server->keyspace->db_count; i++) {
        const struct db *db = &server->keyspace->dbs[i];
        if (db_size(db))
            bytes_printf(out, "db%d:keys=%zu,expires=%zu,avg_ttl=%lld\r\n", db->id, db_size(db),
                         db->expires, (long long)db->avg_ttl_ms);
    }
}

void sections_register_server(struct server *server)
{
    info_add_section(server->info, "Server", true, info_server, server);
}

void sections_register_memory(struct server *server)
{
    info_add_section(server->info, "Memory", true, info_memory, server);
}

void sections_register_stats(struct server *server)
{
    info_add_section(server->info, "Stats", true, info_stats, server);
}

void sections_register_keyspace(struct server *server)
{
    info_add_section(server->info, "Keyspace", true, info_keyspace, server);
}

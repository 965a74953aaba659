// SPDX-License-Identifier: BSD-3-Clause
// INFO Memory: what is used, by whom, and what the allocator and the system make of it.
#include "base/memory.h"
#include "base/numbers.h"
#include "server/client.h"
#include "server/info.h"
#include "server/sections.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <unistd.h>

static void size_line(struct bytes *out, const char *name, size_t bytes)
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
    return keyspace->aside ? bytes + tables_memory(keyspace->aside) : bytes;
}

static void used_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    mem_note_peak();
    size_t used = mem_used();
    size_t startup = server->startup_bytes;
    size_t overhead = startup + tables_memory(server->keyspace) + clients_memory(server->clients) +
                      server->repl_buffer_bytes;
    overhead = overhead < used ? overhead : used;
    struct mem_allocator_stats allocator;
    mem_allocator_stats(&allocator);

    size_line(out, "used_memory", used);
    size_line(out, "used_memory_rss", mem_rss());
    size_line(out, "used_memory_peak", mem_peak());
    bytes_printf(out,
                 "used_memory_peak_perc:%.2f%%\r\n"
                 "used_memory_overhead:%zu\r\n"
                 "used_memory_startup:%zu\r\n"
                 "used_memory_dataset:%zu\r\n"
                 "used_memory_dataset_perc:%.2f%%\r\n"
                 "allocator_allocated:%zu\r\n"
                 "allocator_active:%zu\r\n"
                 "allocator_resident:%zu\r\n"
                 "allocator_muzzy:%zu\r\n",
                 ratio(used, mem_peak()) * 100, overhead, startup, used - overhead,
                 ratio(used - overhead, used > startup ? used - startup : used) * 100,
                 allocator.allocated, allocator.active, allocator.resident, allocator.muzzy);
    size_line(out, "total_system_memory",
              (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
}

// Scripts and functions: there is no interpreter yet.
static const char no_scripts[] = "used_memory_lua:0\r\n"
                                 "used_memory_vm_eval:0\r\n"
                                 "used_memory_lua_human:0B\r\n"
                                 "used_memory_scripts_eval:0\r\n"
                                 "number_of_cached_scripts:0\r\n"
                                 "number_of_functions:0\r\n"
                                 "number_of_libraries:0\r\n"
                                 "used_memory_vm_functions:0\r\n"
                                 "used_memory_vm_total:0\r\n"
                                 "used_memory_vm_total_human:0B\r\n"
                                 "used_memory_functions:0\r\n"
                                 "used_memory_scripts:0\r\n"
                                 "used_memory_scripts_human:0B\r\n";

static void fragmentation_fields(void *udata, struct bytes *out)
{
    (void)udata;
    size_t rss = mem_rss();
    size_t used = mem_used();
    struct mem_allocator_stats allocator;
    mem_allocator_stats(&allocator);
    bytes_printf(out,
                 "allocator_frag_ratio:%.2f\r\n"
                 "allocator_frag_bytes:%zd\r\n"
                 "allocator_rss_ratio:%.2f\r\n"
                 "allocator_rss_bytes:%zd\r\n"
                 "rss_overhead_ratio:%.2f\r\n"
                 "rss_overhead_bytes:%zd\r\n"
                 "mem_fragmentation_ratio:%.2f\r\n"
                 "mem_fragmentation_bytes:%zd\r\n",
                 ratio(allocator.active, allocator.allocated),
                 (ssize_t)(allocator.active - allocator.allocated),
                 ratio(allocator.resident, allocator.active),
                 (ssize_t)(allocator.resident - allocator.active), ratio(rss, allocator.resident),
                 (ssize_t)(rss - allocator.resident), ratio(rss, used), (ssize_t)(rss - used));
}

static void clients_fields(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    bytes_printf(out, "mem_clients_normal:%zu\r\n", clients_memory(server->clients));
}

static void allocator_fields(void *udata, struct bytes *out)
{
    (void)udata;
    bytes_printf(out, "mem_allocator:%s\r\n", mem_allocator_name());
}

void sections_register_memory(struct server *server)
{
    struct info *info = server->info;
    info_add_section(info, "Memory", true, used_fields, server);
    info_add_lines(info, "Memory", "scripts", no_scripts);
    // Eviction's.
    info_add_lines(info, "Memory", "limit", "");
    info_add_fields(info, "Memory", "fragmentation", fragmentation_fields, server);
    info_add_lines(info, "Memory", "not counted", "mem_not_counted_for_evict:0\r\n");
    info_add_lines(info, "Memory", "replication",
                   "mem_replication_backlog:0\r\n"
                   "mem_total_replication_buffers:0\r\n"
                   "mem_clients_slaves:0\r\n");
    info_add_fields(info, "Memory", "clients", clients_fields, server);
    info_add_lines(info, "Memory", "cluster", "mem_cluster_links:0\r\n");
    info_add_lines(info, "Memory", "aof", "mem_aof_buffer:0\r\n");
    info_add_fields(info, "Memory", "allocator", allocator_fields, server);
    // The table grows in place: there is never a second one.
    info_add_lines(info, "Memory", "rehashing", "mem_overhead_db_hashtable_rehashing:0\r\n");
    info_add_lines(info, "Memory", "defragmentation", "active_defrag_running:0\r\n");
    // The lazy freeing's.
    info_add_lines(info, "Memory", "lazy freeing", "");
}

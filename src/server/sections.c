// SPDX-License-Identifier: BSD-3-Clause
// INFO Server, CPU and Keyspace: see sections.h.
#include "server/sections.h"

#include "base/clock.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/info.h"
#include "server/network.h"
#include "server/process.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <sys/resource.h>
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
                 (long long)cron_hz(server->cron), (long long)cron_configured_hz(server->cron),
                 (uint32_t)(clock_wall_ms() / 1000) & ACCESS_MASK, server->executable,
                 server->config_file);
    network_describe(server->network, out);
}

static void time_field(struct bytes *out, const char *name, const struct timeval *time)
{
    bytes_printf(out, "%s:%lld.%06ld\r\n", name, (long long)time->tv_sec, (long)time->tv_usec);
}

static void info_cpu(void *udata, struct bytes *out)
{
    (void)udata;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    time_field(out, "used_cpu_sys", &usage.ru_stime);
    time_field(out, "used_cpu_user", &usage.ru_utime);
    getrusage(RUSAGE_CHILDREN, &usage);
    time_field(out, "used_cpu_sys_children", &usage.ru_stime);
    time_field(out, "used_cpu_user_children", &usage.ru_utime);
#ifdef RUSAGE_THREAD
    // INFO is answered by the main thread.
    getrusage(RUSAGE_THREAD, &usage);
    time_field(out, "used_cpu_sys_main_thread", &usage.ru_stime);
    time_field(out, "used_cpu_user_main_thread", &usage.ru_utime);
#endif
}

static void info_keyspace(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    for (int i = 0; i < server->keyspace->db_count; i++) {
        const struct db *db = &server->keyspace->dbs[i];
        if (db_size(db))
            bytes_printf(out, "db%d:keys=%zu,expires=%zu,avg_ttl=%lld\r\n", db->id, db_size(db),
                         db->expires, (long long)db_avg_ttl(db));
    }
}

void sections_register_server(struct server *server)
{
    info_add_section(server->info, "Server", true, info_server, server);
}

void sections_register_cpu(struct server *server)
{
    info_add_section(server->info, "CPU", true, info_cpu, server);
}

void sections_register_keyspace(struct server *server)
{
    info_add_section(server->info, "Keyspace", true, info_keyspace, server);
}

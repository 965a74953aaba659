// SPDX-License-Identifier: BSD-3-Clause
// What INFO says of snapshots.
#include "base/clock.h"
#include "persist/loading.h"
#include "persist/snapshot_internal.h"
#include "server/info.h"
#include "server/server.h"

static unsigned long long wide(uint64_t value)
{
    return value;
}

// How far a child is, whatever it writes; zeros without one.
static void child_fields(const struct server *server, struct bytes *out)
{
    static const struct child none;
    const struct child *child = server->child ? server->child : &none;
    const struct child_report *report = &child->report;
    uint64_t copied = report->copied_bytes;
    uint64_t total = child->total_keys;
    int64_t age_ms = copied ? clock_wall_ms() - child->report_ms : 0;
    bytes_printf(out,
                 "current_cow_peak:%llu\r\n"
                 "current_cow_size:%llu\r\n"
                 "current_cow_size_age:%lld\r\n"
                 "current_fork_perc:%.2f\r\n"
                 "current_save_keys_processed:%llu\r\n"
                 "current_save_keys_total:%llu\r\n",
                 wide(child->copied_peak_bytes), wide(copied), (long long)(age_ms / 1000),
                 total ? (double)report->keys * 100 / (double)total : 0, wide(report->keys),
                 wide(total));
}

static void snapshot_fields(void *udata, struct bytes *out)
{
    const struct snapshot *snapshot = udata;
    const struct loading_state *loading = snapshot->server->loading;
    bool running = child_running(&snapshot->child);
    bytes_printf(out,
                 "loading:%d\r\n"
                 "async_loading:%d\r\n",
                 loading_on(loading), loading_aside(loading));
    child_fields(snapshot->server, out);
    bytes_printf(out,
                 "rdb_changes_since_last_save:%llu\r\n"
                 "rdb_bgsave_in_progress:%d\r\n"
                 "rdb_last_save_time:%lld\r\n"
                 "rdb_last_bgsave_status:%s\r\n"
                 "rdb_last_bgsave_time_sec:%lld\r\n"
                 "rdb_current_bgsave_time_sec:%lld\r\n"
                 "rdb_saves:%llu\r\n"
                 "rdb_last_cow_size:%llu\r\n"
                 "rdb_last_load_keys_expired:%llu\r\n"
                 "rdb_last_load_keys_loaded:%llu\r\n",
                 wide(snapshot->server->changes), running, (long long)snapshot->last_s,
                 snapshot->failed ? "err" : "ok", (long long)snapshot->last_took_s,
                 (long long)(running ? clock_wall_ms() / 1000 - snapshot->began_s : -1),
                 wide(snapshot->saves), wide(snapshot->copied_bytes),
                 wide(loading_expired_keys(loading)), wide(loading_keys(loading)));
}

static void reset(void *udata)
{
    struct snapshot *snapshot = udata;
    snapshot->saves = 0;
}

void snapshot_register_info(struct snapshot *snapshot)
{
    struct info *info = snapshot->server->info;
    info_add_fields(info, "Persistence", "snapshots", snapshot_fields, snapshot);
    info_on_reset(info, reset, snapshot);
}

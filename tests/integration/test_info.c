// SPDX-License-Identifier: BSD-3-Clause
// INFO: sections, fields, and figures that mean what they say.
#include "support/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INFO_MAX 65536

static void read_info(redisContext *c, const char *sections, char out[INFO_MAX])
{
    char command[128];
    snprintf(command, sizeof(command), "INFO %s", sections);
    client_text(c, out, INFO_MAX, command);
}

// The text of a field, up to the line's end; NULL without it.
static const char *find_field(const char *info, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = info; *line;) {
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1;
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : line + strlen(line);
    }
    return NULL;
}

static long long number(const char *info, const char *name)
{
    const char *text = find_field(info, name);
    ck_assert_msg(text != NULL, "no %s in %s", name, info);
    return strtoll(text, NULL, 10);
}

static void expect_value(const char *info, const char *name, const char *want)
{
    const char *text = find_field(info, name);
    ck_assert_msg(text != NULL, "no %s in %s", name, info);
    size_t len = strlen(want);
    ck_assert_msg(strncmp(text, want, len) == 0 && text[len] == '\r', "%s is '%.40s', wanted '%s'",
                  name, text, want);
}

static bool has_section(const char *info, const char *name)
{
    char header[64];
    snprintf(header, sizeof(header), "# %s\r\n", name);
    return strstr(info, header) != NULL;
}

// --- Form ---------------------------------------------------------------------------------------

// Parsers take each "# " line for a section's head and each other line for "name:value".
START_TEST(form)
{
    static char info[INFO_MAX];
    redisContext *c = plain();
    expect_ok(c, "SET a 1");
    read_info(c, "", info);
    ck_assert_int_eq(info[0], '#');
    int lines = 0;
    for (char *line = info; *line; lines++) {
        char *end = strstr(line, "\r\n");
        ck_assert_msg(end != NULL, "no line end behind '%.40s'", line);
        *end = '\0';
        ck_assert_msg(!*line || strncmp(line, "# ", 2) == 0 || strchr(line, ':') != NULL, "'%s'",
                      line);
        ck_assert_msg(strchr(line, '\n') == NULL, "'%s'", line);
        line = end + 2;
    }
    ck_assert_int_gt(lines, 60);
}
END_TEST

START_TEST(sections)
{
    static const char *const names[] = { "Server",  "Clients",     "Memory", "Persistence",
                                         "Stats",   "Replication", "CPU",    "Modules",
                                         "Cluster", "Keyspace" };
    static char info[INFO_MAX];
    redisContext *c = plain();
    const char *several[] = { "", "default", "all", "everything" };
    for (size_t i = 0; i < sizeof(several) / sizeof(*several); i++) {
        read_info(c, several[i], info);
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            ck_assert_msg(has_section(info, names[k]), "no %s in INFO %s", names[k], several[i]);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        read_info(c, names[i], info);
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            ck_assert_int_eq(has_section(info, names[k]), i == k);
    }
    read_info(c, "CLIENTS sTaTs", info);
    ck_assert(has_section(info, "Clients") && has_section(info, "Stats"));
    ck_assert(!has_section(info, "Server"));
    read_info(c, "clients clients clients", info);
    ck_assert_ptr_null(strstr(strstr(info, "# Clients") + 1, "# Clients"));
    expect_text(c, "", "INFO nosuch");
    expect_text(c, "# Keyspace\r\n", "INFO keyspace");
}
END_TEST

// What clients, exporters and dashboards read of these sections. Not one a line.
// clang-format off
static const char *const read_by_others[] = {
    "redis_version", "redis_git_sha1", "redis_git_dirty", "redis_build_id", "redis_mode",
    "respite_version", "os", "arch_bits", "monotonic_clock", "multiplexing_api",
    "atomicvar_api", "gcc_version", "process_id", "process_supervised", "run_id", "tcp_port",
    "server_time_usec", "uptime_in_seconds", "uptime_in_days", "hz", "configured_hz",
    "lru_clock", "executable", "config_file", "io_threads_active", "connected_clients",
    "cluster_connections", "maxclients", "client_recent_max_input_buffer",
    "client_recent_max_output_buffer", "blocked_clients", "tracking_clients", "pubsub_clients",
    "watching_clients", "clients_in_timeout_table", "total_watched_keys", "total_blocking_keys",
    "total_blocking_keys_on_nokey", "used_memory", "used_memory_human", "used_memory_rss",
    "used_memory_rss_human", "used_memory_peak", "used_memory_peak_human",
    "used_memory_peak_perc", "used_memory_overhead", "used_memory_startup",
    "used_memory_dataset", "used_memory_dataset_perc", "allocator_allocated",
    "allocator_active", "allocator_resident", "allocator_muzzy", "total_system_memory",
    "total_system_memory_human", "used_memory_lua", "used_memory_vm_eval",
    "used_memory_lua_human", "used_memory_scripts_eval", "number_of_cached_scripts",
    "number_of_functions", "number_of_libraries", "used_memory_vm_functions",
    "used_memory_vm_total", "used_memory_vm_total_human", "used_memory_functions",
    "used_memory_scripts", "used_memory_scripts_human", "maxmemory", "maxmemory_human",
    "maxmemory_policy", "allocator_frag_ratio", "allocator_frag_bytes", "allocator_rss_ratio",
    "allocator_rss_bytes", "rss_overhead_ratio", "rss_overhead_bytes",
    "mem_fragmentation_ratio", "mem_fragmentation_bytes", "mem_not_counted_for_evict",
    "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves",
    "mem_clients_normal", "mem_cluster_links", "mem_aof_buffer", "mem_allocator",
    "mem_overhead_db_hashtable_rehashing", "active_defrag_running", "lazyfree_pending_objects",
    "lazyfreed_objects", "loading", "async_loading", "current_cow_peak", "current_cow_size",
    "current_cow_size_age", "current_fork_perc", "current_save_keys_processed",
    "current_save_keys_total", "rdb_changes_since_last_save", "rdb_bgsave_in_progress",
    "rdb_last_save_time", "rdb_last_bgsave_status", "rdb_last_bgsave_time_sec",
    "rdb_current_bgsave_time_sec", "rdb_saves", "rdb_last_cow_size",
    "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded", "aof_enabled",
    "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_rewrite_time_sec",
    "aof_current_rewrite_time_sec", "aof_last_bgrewrite_status", "aof_rewrites",
    "aof_rewrites_consecutive_failures", "aof_last_write_status", "aof_last_cow_size",
    "module_fork_in_progress", "module_fork_last_cow_size", "total_connections_received",
    "total_commands_processed", "instantaneous_ops_per_sec", "total_net_input_bytes",
    "total_net_output_bytes", "total_net_repl_input_bytes", "total_net_repl_output_bytes",
    "instantaneous_input_kbps", "instantaneous_output_kbps", "instantaneous_input_repl_kbps",
    "instantaneous_output_repl_kbps", "rejected_connections", "sync_full", "sync_partial_ok",
    "sync_partial_err", "expired_keys", "expired_subkeys", "expired_stale_perc",
    "expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds",
    "expire_lag_p50_ms", "expire_lag_p99_ms", "evicted_keys",
    "evicted_clients", "evicted_scripts", "total_eviction_exceeded_time",
    "current_eviction_exceeded_time", "keyspace_hits", "keyspace_misses", "pubsub_channels",
    "pubsub_patterns", "pubsubshard_channels", "latest_fork_usec", "total_forks",
    "migrate_cached_sockets", "slave_expires_tracked_keys", "active_defrag_hits",
    "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
    "total_active_defrag_time", "current_active_defrag_time", "tracking_total_keys",
    "tracking_total_items", "tracking_total_prefixes", "unexpected_error_replies",
    "total_error_replies", "dump_payload_sanitizations", "total_reads_processed",
    "total_writes_processed", "io_threaded_reads_processed", "io_threaded_writes_processed",
    "client_query_buffer_limit_disconnections", "client_output_buffer_limit_disconnections",
    "reply_buffer_shrinks", "reply_buffer_expands", "eventloop_cycles",
    "eventloop_duration_sum", "eventloop_duration_cmd_sum",
    "instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec",
    "acl_access_denied_auth", "acl_access_denied_cmd", "acl_access_denied_key",
    "acl_access_denied_channel", "role", "connected_slaves", "master_failover_state",
    "master_replid", "master_replid2", "master_repl_offset", "second_repl_offset",
    "repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset",
    "repl_backlog_histlen", "used_cpu_sys", "used_cpu_user", "used_cpu_sys_children",
    "used_cpu_user_children", "used_cpu_sys_main_thread", "used_cpu_user_main_thread",
    "cluster_enabled",
};
// clang-format on

START_TEST(fields)
{
    static char info[INFO_MAX];
    char missing[1024] = "";
    size_t len = 0;
    read_info(plain(), "", info);
    for (size_t i = 0;
         i < sizeof(read_by_others) / sizeof(*read_by_others) && len < sizeof(missing); i++) {
        if (!find_field(info, read_by_others[i]))
            len += (size_t)snprintf(missing + len, sizeof(missing) - len, " %s", read_by_others[i]);
    }
    ck_assert_msg(len == 0, "these are missing:%s", missing);
}
END_TEST

// --- What the figures say -----------------------------------------------------------------------

START_TEST(server_section)
{
    static char info[INFO_MAX];
    char text[64];
    redisContext *c = plain();
    read_info(c, "server", info);
    expect_value(info, "redis_version", "7.2.4");
    expect_value(info, "redis_mode", "standalone");
    expect_value(info, "arch_bits", "64");
    expect_value(info, "multiplexing_api", "epoll");
    snprintf(text, sizeof(text), "%d", plain_server()->port);
    expect_value(info, "tcp_port", text);
    snprintf(text, sizeof(text), "%d", (int)plain_server()->pid);
    expect_value(info, "process_id", text);
    expect_value(info, "config_file", "");
    ck_assert_int_eq(strspn(find_field(info, "run_id"), "0123456789abcdef"), 40);
    ck_assert_int_ge(number(info, "uptime_in_seconds"), 0);
    ck_assert_int_lt(number(info, "uptime_in_seconds"), 120);
    ck_assert_int_eq(find_field(info, "executable")[0], '/');
}
END_TEST

START_TEST(clients_section)
{
    redisContext *others[5];
    static char info[INFO_MAX];
    redisContext *c = plain();
    for (int i = 0; i < 5; i++) {
        others[i] = client_connect(plain_server());
        expect_status(others[i], "PONG", "PING");
    }
    read_info(c, "clients", info);
    ck_assert_int_eq(number(info, "connected_clients"), 6);
    expect_value(info, "maxclients", "10000");
    for (int i = 0; i < 5; i++)
        redisFree(others[i]);
    struct deadline limit = deadline();
    for (;; deadline_wait(&limit)) {
        read_info(c, "clients", info);
        if (number(info, "connected_clients") == 1)
            break;
    }
}
END_TEST

START_TEST(stats_section)
{
    static char before[INFO_MAX];
    static char after[INFO_MAX];
    redisContext *c = plain();
    expect_ok(c, "SET a 1");
    read_info(c, "stats", before);
    for (int i = 0; i < 10; i++)
        expect_text(c, "1", "GET a");
    for (int i = 0; i < 5; i++)
        expect_nil(c, "GET nokey");
    expect_error(c, "ERR syntax error", "SET a b c");
    redisFree(client_connect(plain_server()));
    struct deadline limit = deadline();
    for (;; deadline_wait(&limit)) {
        read_info(c, "stats", after);
        if (number(after, "total_connections_received") >
            number(before, "total_connections_received"))
            break;
    }
#define RISE(name) (number(after, name) - number(before, name))
    ck_assert_int_eq(RISE("keyspace_hits"), 10);
    ck_assert_int_eq(RISE("keyspace_misses"), 5);
    ck_assert_int_eq(RISE("total_error_replies"), 1);
    ck_assert_int_eq(RISE("total_connections_received"), 1);
    ck_assert_int_ge(RISE("total_commands_processed"), 17);
    ck_assert_int_ge(RISE("total_net_input_bytes"), 15 * 20);
    ck_assert_int_ge(RISE("total_net_output_bytes"), 10 * 7 + 5 * 5);
    ck_assert_int_ge(RISE("total_reads_processed"), 17);
    ck_assert_int_ge(RISE("total_writes_processed"), 16);
#undef RISE
}
END_TEST

// Figures that move by themselves, or with what is done.
START_TEST(live_figures)
{
    static const char *const rising[] = {
        "server_time_usec", "eventloop_cycles",      "eventloop_duration_sum",
        "used_cpu_user",    "total_reads_processed", "eventloop_duration_cmd_sum",
    };
    static char before[INFO_MAX];
    static char after[INFO_MAX];
    redisContext *c = plain();
    read_info(c, "", before);
    struct deadline limit = deadline();
    for (size_t i = 0; i < sizeof(rising) / sizeof(*rising); deadline_wait(&limit)) {
        client_fill(c, "key:", 1000);
        read_info(c, "", after);
        while (i < sizeof(rising) / sizeof(*rising) &&
               strtod(find_field(after, rising[i]), NULL) >
                   strtod(find_field(before, rising[i]), NULL))
            i++;
    }
    do {
        deadline_wait(&limit);
        client_fill(c, "key:", 100);
        read_info(c, "stats", after);
    } while (number(after, "instantaneous_ops_per_sec") == 0 ||
             number(after, "instantaneous_eventloop_cycles_per_sec") == 0);
    long long cycles = number(after, "eventloop_cycles");
    expect_ok(c, "CONFIG RESETSTAT");
    read_info(c, "stats", after);
    ck_assert_int_lt(number(after, "eventloop_cycles"), cycles);
    ck_assert_int_lt(number(after, "total_reads_processed"), 10);
}
END_TEST

START_TEST(wrong_passwords_are_counted)
{
    redisContext *c = plain();
    expect_ok(c, "CONFIG SET requirepass secret");
    expect_error(c, "WRONGPASS invalid username-password pair or user is disabled.", "AUTH no");
    expect_error(c, "WRONGPASS invalid username-password pair or user is disabled.",
                 "HELLO 2 AUTH other secret");
    expect_ok(c, "AUTH secret");
    static char info[INFO_MAX];
    read_info(c, "stats", info);
    ck_assert_int_eq(number(info, "acl_access_denied_auth"), 2);
    expect_value(info, "acl_access_denied_cmd", "0");
}
END_TEST

START_TEST(keyspace_section)
{
    static char info[INFO_MAX];
    redisContext *c = plain();
    expect_text(c, "# Keyspace\r\n", "INFO keyspace");
    client_fill(c, "key:", 100);
    expect_text(c, "# Keyspace\r\ndb0:keys=100,expires=0,avg_ttl=0\r\n", "INFO keyspace");
    for (int i = 0; i < 50; i++)
        expect_int(c, 1, "EXPIRE key:%d 1000", i);
    expect_ok(c, "SELECT 7");
    expect_ok(c, "SET a 1 EX 500");
    // The mean follows with the sweep.
    struct deadline limit = deadline();
    for (;; deadline_wait(&limit)) {
        int keys = 0;
        int expires = 0;
        long long mean = 0;
        char line[128];
        char *end;
        read_info(c, "keyspace", info);
        const char *text = find_field(info, "db0");
        ck_assert_ptr_nonnull(text);
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\r"), text);
        ck_assert_msg(strncmp(line, "keys=", 5) == 0, "%s", line);
        keys = (int)strtol(line + 5, &end, 10);
        ck_assert_msg(strncmp(end, ",expires=", 9) == 0, "%s", line);
        expires = (int)strtol(end + 9, &end, 10);
        ck_assert_msg(strncmp(end, ",avg_ttl=", 9) == 0, "%s", line);
        mean = strtoll(end + 9, &end, 10);
        ck_assert_int_eq(*end, '\0');
        ck_assert_int_eq(keys, 100);
        ck_assert_int_eq(expires, 50);
        if (mean > 900000 && mean <= 1000000)
            break;
    }
    const char *text = find_field(info, "db7");
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(strncmp(text, "keys=1,expires=1,avg_ttl=", 25), 0);
    expect_ok(c, "SELECT 0");
    for (int i = 0; i < 20; i++)
        expect_int(c, 1, "PERSIST key:%d", i);
    for (int i = 20; i < 30; i++)
        expect_int(c, 1, "DEL key:%d", i);
    read_info(c, "keyspace", info);
    ck_assert_int_eq(strncmp(find_field(info, "db0"), "keys=90,expires=20,", 19), 0);
    expect_ok(c, "FLUSHALL");
    expect_text(c, "# Keyspace\r\n", "INFO keyspace");
}
END_TEST

// --- Memory -------------------------------------------------------------------------------------

START_TEST(memory_section)
{
    static char info[INFO_MAX];
    redisContext *c = plain();
    read_info(c, "memory", info);
    long long startup = number(info, "used_memory_startup");
    ck_assert_int_gt(startup, 0);
    ck_assert_int_ge(number(info, "used_memory"), startup);
    client_fill(c, "key:", 20000);
    read_info(c, "memory", info);
    long long used = number(info, "used_memory");
    ck_assert_int_gt(used, startup + 20000 * 20);
    ck_assert_int_ge(number(info, "used_memory_peak"), used);
    ck_assert_int_ge(number(info, "used_memory_overhead"), startup);
    ck_assert_int_eq(number(info, "used_memory_dataset"),
                     used - number(info, "used_memory_overhead"));
    ck_assert_int_gt(number(info, "used_memory_rss"), 0);
    expect_value(info, "maxmemory", "0");
    expect_value(info, "maxmemory_policy", "noeviction");
    expect_ok(c, "FLUSHALL");
    // What the keys took comes back, in slices.
    struct deadline end = deadline();
    while (server_info(plain_server(), "used_memory") >= startup + 400000)
        deadline_wait(&end);
    ck_assert_int_ge(server_info(plain_server(), "used_memory_peak"), used);
}
END_TEST

// Values of a few sizes, 160 MB in all, pipelined.
static void load_160_mb(redisContext *c)
{
    static char value[4096];
    const size_t sizes[] = { 30, 100, 700, 4000 };
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 130000; i++) {
        redisAppendCommand(c, "SET key:%d %b", i, value, sizes[i % 4]);
        if (i % 1000 != 999)
            continue;
        for (int k = 0; k < 1000; k++)
            freeReplyObject(client_next(c));
    }
}

// used_memory is the server's own account; allocator_allocated is jemalloc's.
START_TEST(used_memory_agrees_with_the_allocator)
{
    static char info[INFO_MAX];
    redisContext *c = plain();
    read_info(c, "memory", info);
    if (number(info, "allocator_allocated") == 0) {
        printf("skipped: this server's allocator keeps no figures\n");
        return;
    }
    load_160_mb(c);
    read_info(c, "memory", info);
    long long used = number(info, "used_memory");
    long long allocated = number(info, "allocator_allocated");
    ck_assert_int_gt(used, 100000000);
    ck_assert_msg(llabs(used - allocated) * 100 <= allocated,
                  "used_memory:%lld differs by more than 1 %% from allocator_allocated:%lld", used,
                  allocated);
    ck_assert_int_ge(number(info, "allocator_active"), allocated);
    ck_assert_int_ge(number(info, "allocator_resident"), number(info, "allocator_active"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("info");
    TCase *tcase = plain_tcase(suite, "form");
    tcase_add_test(tcase, form);
    tcase_add_test(tcase, sections);
    tcase_add_test(tcase, fields);
    tcase = plain_tcase(suite, "figures");
    tcase_add_test(tcase, server_section);
    tcase_add_test(tcase, clients_section);
    tcase_add_test(tcase, stats_section);
    tcase_add_test(tcase, live_figures);
    tcase_add_test(tcase, wrong_passwords_are_counted);
    tcase_add_test(tcase, keyspace_section);
    tcase = plain_tcase(suite, "memory");
    tcase_add_test(tcase, memory_section);
    tcase_add_test(tcase, used_memory_agrees_with_the_allocator);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

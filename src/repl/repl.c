// SPDX-License-Identifier: BSD-3-Clause
// The role of the server and its history: see repl.h, and README.md for the words.
#include "repl/repl.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"
#include "persist/history.h"
#include "persist/loading.h"
#include "persist/rdb_save.h"
#include "persist/snapshot.h"
#include "repl/failover.h"
#include "repl/local_keys.h"
#include "repl/repl_internal.h"
#include "server/block.h"
#include "server/client.h"
#include "server/config.h"
#include "server/effects.h"
#include "server/eviction.h"
#include "server/info.h"
#include "server/process.h"
#include "server/registry.h"
#include "store/expire.h"

#include <string.h>

static const char no_id[RUN_ID_LEN + 1] = "0000000000000000000000000000000000000000";

// --- Histories ----------------------------------------------------------------------------------

bool repl_is_replica(const struct repl *repl)
{
    return repl->primary_host != NULL;
}

uint64_t repl_offset(const struct repl *repl)
{
    return repl->stream.end;
}

void repl_rename_history(struct repl *repl, const char *id)
{
    struct server *server = repl->server;
    memcpy(repl->second_id, server->replication_id, sizeof(repl->second_id));
    repl->second_end = (int64_t)repl->stream.end + 1;
    memcpy(server->replication_id, id, sizeof(server->replication_id));
    log_notice("Setting secondary replication ID to %s, valid up to offset: %lld. New replication "
               "ID is %s",
               repl->second_id, (long long)repl->second_end, server->replication_id);
}

void repl_begin_history(struct repl *repl)
{
    char id[RUN_ID_LEN + 1];
    random_hex(id, RUN_ID_LEN);
    repl_rename_history(repl, id);
}

static void forget_second(struct repl *repl)
{
    memcpy(repl->second_id, no_id, sizeof(repl->second_id));
    repl->second_end = -1;
}

void repl_take_history(struct repl *repl, const char *id, uint64_t offset)
{
    memcpy(repl->server->replication_id, id, sizeof(repl->server->replication_id));
    forget_second(repl);
    stream_restart(&repl->stream, offset);
}

static void on_effect(void *udata, struct slice resp)
{
    struct repl *repl = udata;
    stream_append(&repl->stream, resp);
    replicas_count_memory(repl->replicas);
}

void repl_listen(struct repl *repl, bool on)
{
    if (repl->stream_on == on)
        return;
    repl->stream_on = on;
    if (on)
        effects_add_replica_sink(repl->server->effects, on_effect, repl);
    else
        effects_remove_sink(repl->server->effects, on_effect, repl);
}

void repl_describe(const struct repl *repl, struct rdb_about *about)
{
    if (!repl->primary_host && !repl->stream_on)
        return;
    about->replication_id = repl->server->replication_id;
    about->replication_offset = (int64_t)repl->stream.end;
    about->selected_db = repl->primary_host ? repl->stream_db : 0;
}

// --- Directives ---------------------------------------------------------------------------------

static bool set_primary(void *owner, const struct slice *words, size_t count,
                        struct config_error *error)
{
    struct repl *repl = owner;
    bool none = count == 0 || (count == 2 && slice_is(words[0], "no") && slice_is(words[1], "one"));
    int64_t port = 0;
    if (!none && count != 2)
        return config_refuse(error, "wrong number of arguments");
    if (!none && (!parse_int64(words[1], &port) || port < 0 || port > UINT16_MAX))
        return config_refuse(error, "Invalid master port");
    const struct slice nobody = { 0 };
    repl_name_primary(repl, none ? nobody : words[0], (int)port);
    return true;
}

static void get_primary(const void *owner, struct bytes *out)
{
    const struct repl *repl = owner;
    if (repl->primary_host)
        bytes_printf(out, "%s %d", repl->primary_host, repl->primary_port);
}

static bool apply_backlog(void *owner, struct config_error *error)
{
    (void)error;
    struct repl *repl = owner;
    stream_set_keep(&repl->stream, (size_t)repl->config.backlog_bytes);
    repl->server->clients->replica_limit_min_bytes = (uint64_t)repl->config.backlog_bytes;
    return true;
}

static bool apply_role(void *owner, struct config_error *error)
{
    (void)error;
    repl_update_gates(owner);
    return true;
}

static const struct config_name diskless_loads[] = { { "disabled", DISKLESS_DISABLED },
                                                     { "on-empty-db", DISKLESS_ON_EMPTY_DB },
                                                     { "swapdb", DISKLESS_SWAPDB },
                                                     { 0 } };

#define FIELD(member) offsetof(struct repl, config.member)
#define FLAG(NAME, ALIAS, MEMBER, DEFAULT)                                              \
    {                                                                                   \
        .name = (NAME), .alias = (ALIAS), .type = CONFIG_BOOL, .offset = FIELD(MEMBER), \
        .default_text = (DEFAULT), .apply = apply_role                                  \
    }
#define NUMBER(NAME, ALIAS, MEMBER, DEFAULT, MIN, MAX)                                 \
    {                                                                                  \
        .name = (NAME), .alias = (ALIAS), .type = CONFIG_INT, .offset = FIELD(MEMBER), \
        .default_text = (DEFAULT), .min = (MIN), .max = (MAX), .apply = apply_role     \
    }
#define TEXT(NAME, ALIAS, FLAGS, MEMBER)                                           \
    {                                                                              \
        .name = (NAME), .alias = (ALIAS), .type = CONFIG_STRING, .flags = (FLAGS), \
        .offset = FIELD(MEMBER), .default_text = ""                                \
    }

static const struct config_directive directives[] = {
    { .name = "replicaof",
      .alias = "slaveof",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_IMMUTABLE | CONFIG_WORDS,
      .default_text = "",
      .set = set_primary,
      .get = get_primary },
    TEXT("masterauth", NULL, CONFIG_SECRET, primary_password),
    TEXT("masteruser", NULL, 0, primary_user),
    FLAG("replica-serve-stale-data", "slave-serve-stale-data", serve_stale_data, "yes"),
    FLAG("replica-read-only", "slave-read-only", read_only, "yes"),
    FLAG("replica-ignore-maxmemory", "slave-ignore-maxmemory", ignore_max_memory, "yes"),
    FLAG("replica-lazy-flush", "slave-lazy-flush", lazy_flush, "yes"),
    FLAG("replica-announced", NULL, announced, "yes"),
    TEXT("replica-announce-ip", "slave-announce-ip", 0, announce_ip),
    NUMBER("replica-announce-port", "slave-announce-port", announce_port, "0", 0, UINT16_MAX),
    NUMBER("replica-priority", "slave-priority", priority, "100", 0, INT32_MAX),
    FLAG("replica-refuse-empty-primary", NULL, refuse_empty_primary, "yes"),
    NUMBER("min-replicas-to-write", "min-slaves-to-write", min_replicas, "0", 0, INT32_MAX),
    NUMBER("min-replicas-max-lag", "min-slaves-max-lag", min_replicas_max_lag_s, "10", 0,
           INT32_MAX),
    FLAG("repl-diskless-sync", NULL, diskless_sync, "yes"),
    NUMBER("repl-diskless-sync-delay", NULL, diskless_sync_delay_s, "5", 0, INT32_MAX),
    NUMBER("repl-diskless-sync-max-replicas", NULL, diskless_sync_max_replicas, "0", 0, INT32_MAX),
    { .name = "repl-diskless-load",
      .type = CONFIG_ENUM,
      .offset = FIELD(diskless_load),
      .default_text = "disabled",
      .names = diskless_loads },
    FLAG("repl-disable-tcp-nodelay", NULL, disable_nodelay, "no"),
    { .name = "repl-backlog-size",
      .type = CONFIG_MEMORY,
      .offset = FIELD(backlog_bytes),
      .default_text = "1mb",
      .min = 1,
      .max = CONFIG_UNBOUNDED,
      .apply = apply_backlog },
    NUMBER("repl-backlog-ttl", NULL, backlog_ttl_s, "3600", 0, INT64_MAX),
    NUMBER("repl-timeout", NULL, timeout_s, "60", 1, INT32_MAX),
    NUMBER("repl-ping-replica-period", "repl-ping-slave-period", ping_period_s, "10", 1, INT32_MAX),
    TEXT("bind-source-addr", NULL, 0, source_address),
    { 0 },
};

// --- The role -----------------------------------------------------------------------------------

void repl_name_primary(struct repl *repl, struct slice host, int port)
{
    if (repl->primary_host)
        mem_free(repl->primary_host, strlen(repl->primary_host) + 1);
    repl->primary_host = host.len ? mem_strndup(host.ptr, host.len) : NULL;
    repl->primary_port = host.len ? port : 0;
}

bool repl_follow(struct repl *repl, struct slice host, int port)
{
    if (repl->primary_host && slice_is(host, repl->primary_host) && repl->primary_port == port) {
        link_accept_empty(repl->link);
        return false;
    }
    bool was_primary = !repl->primary_host;
    link_free(repl->link);
    repl->link = NULL;
    if (was_primary)
        repl_listen(repl, false);
    repl_name_primary(repl, host, port);
    repl->link = link_new(repl);
    link_accept_empty(repl->link);
    log_set_role('S');
    repl_update_gates(repl);
    blocks_disconnect(repl->server);
    return true;
}

void repl_lead(struct repl *repl)
{
    if (!repl->primary_host)
        return;
    repl_name_primary(repl, (struct slice){ 0 }, 0);
    link_free(repl->link);
    repl->link = NULL;
    repl->link_lost_us = 0;
    log_set_role('M');
    // Replicas have to hear of the new id: they come back for a partial sync.
    replicas_disconnect_all(repl->replicas);
    repl_begin_history(repl);
    repl_listen(repl, true);
    repl_update_gates(repl);
}

// The files say of which history the data are a state. A replica offers that to its primary; a primary begins
// a new one, which continues it: replicas that had all of it may go on.
static void resume_history(struct repl *repl)
{
    const struct history *found = loading_history(repl->server->loading);
    if (!found->id[0])
        return;
    repl_take_history(repl, found->id, (uint64_t)found->offset);
    repl->stream_db = found->selected_db < repl->server->keyspace->db_count ? found->selected_db
                                                                            : 0;
    if (repl->primary_host)
        return;
    repl_begin_history(repl);
    repl_listen(repl, true);
}

static void describe(void *udata, struct rdb_about *about)
{
    repl_describe(udata, about);
}

void repl_configured(struct repl *repl)
{
    (void)apply_backlog(repl, NULL);
    repl_update_gates(repl);
}

void repl_start(struct repl *repl)
{
    resume_history(repl);
    if (repl->primary_host) {
        repl->link = link_new(repl);
        log_set_role('S');
    }
    repl_update_gates(repl);
}

// --- Gates --------------------------------------------------------------------------------------

static bool is_write(const struct command *row)
{
    return row->flags & CMD_WRITE;
}

static bool refuse_write(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_READONLY);
    return true;
}

static bool needs_fresh_data(const struct command *row)
{
    return !(row->flags & CMD_STALE);
}

static bool refuse_stale(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_MASTER_DOWN);
    return true;
}

static bool refuse_unreplicated(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_NO_REPLICAS);
    return true;
}

static void shut(struct server *server, uint32_t gate, bool on)
{
    server->gates = on ? server->gates | gate : server->gates & ~gate;
}

void repl_update_gates(struct repl *repl)
{
    struct server *server = repl->server;
    bool is_replica = repl->primary_host;
    bool is_stale = is_replica && !(repl->link && link_is_up(repl->link));
    shut(server, repl->readonly_gate, is_replica && repl->config.read_only);
    shut(server, repl->stale_gate, is_stale && !repl->config.serve_stale_data);
    shut(server, repl->few_replicas_gate, !is_replica && replicas_are_few(repl->replicas));
    // Somebody else says when a key's time has come.
    if (is_replica)
        server->keyspace->expire_passively |= EXPIRE_PASSIVELY_REPLICA;
    else
        server->keyspace->expire_passively &= (uint8_t)~EXPIRE_PASSIVELY_REPLICA;
    eviction_pause(server->eviction, EVICTION_RESTS_REPLICA,
                   is_replica && repl->config.ignore_max_memory);
    bool is_writable = is_replica && !repl->config.read_only;
    server->keyspace->expire_on_write = is_writable;
    local_keys_heed(repl->local_keys, is_writable);
}

// --- INFO ---------------------------------------------------------------------------------------

static void info_replication(void *udata, struct bytes *out)
{
    const struct repl *repl = udata;
    const struct stream *stream = &repl->stream;
    bool kept = repl->stream_on || repl->primary_host;
    bytes_printf(out, "role:%s\r\n", repl->primary_host ? "slave" : "master");
    if (repl->link)
        link_info(repl->link, out);
    replicas_info(repl->replicas, out);
    bytes_printf(out,
                 "master_failover_state:%s\r\n"
                 "master_replid:%s\r\n"
                 "master_replid2:%s\r\n"
                 "master_repl_offset:%llu\r\n"
                 "second_repl_offset:%lld\r\n"
                 "repl_backlog_active:%d\r\n"
                 "repl_backlog_size:%lld\r\n"
                 "repl_backlog_first_byte_offset:%llu\r\n"
                 "repl_backlog_histlen:%llu\r\n",
                 failover_state_name(repl->failover), repl->server->replication_id, repl->second_id,
                 (unsigned long long)stream->end, (long long)repl->second_end, kept,
                 (long long)repl->config.backlog_bytes,
                 kept ? (unsigned long long)stream->begin + 1 : 0ULL,
                 (unsigned long long)(stream->end - stream->begin));
}

static void info_errors(void *udata, struct bytes *out)
{
    const struct repl *repl = udata;
    bytes_printf(out, "unexpected_error_replies:%llu\r\n",
                 (unsigned long long)repl->unexpected_errors);
}

static void reset_errors(void *udata)
{
    ((struct repl *)udata)->unexpected_errors = 0;
}

// --- Making -------------------------------------------------------------------------------------

static void on_turn(void *udata)
{
    struct repl *repl = udata;
    replicas_turn(repl->replicas);
    failover_turn(repl->failover);
    process_look_at_wait(repl->server->process);
}

static void on_gone(void *udata, struct client *client)
{
    struct repl *repl = udata;
    if (client->flags & CLIENT_PRIMARY)
        link_gone(repl->link, client);
    else
        replicas_gone(repl->replicas, client);
}

static void free_repl(void *part)
{
    struct repl *repl = part;
    struct server *server = repl->server;
    link_free(repl->link);
    repl->link = NULL;
    failover_free(repl->failover);
    local_keys_free(repl->local_keys);
    replicas_free(repl->replicas);
    repl_name_primary(repl, (struct slice){ 0 }, 0);
    stream_release(&repl->stream);
    config_release_strings(server->config, repl);
    server->repl = NULL;
    mem_free(repl, sizeof(*repl));
}

void repl_register(struct server *server)
{
    struct repl *repl = mem_alloc_zeroed(sizeof(*repl));
    repl->server = server;
    server->repl = repl;
    config_register(server->config, directives, repl);
    stream_init(&repl->stream, 0, (size_t)repl->config.backlog_bytes);
    server->clients->replica_limit_min_bytes = (uint64_t)repl->config.backlog_bytes;
    forget_second(repl);
    // In the order in which Redis asks.
    repl->few_replicas_gate = registry_add_gate(server->registry, is_write, refuse_unreplicated);
    repl->readonly_gate = registry_add_gate(server->registry, is_write, refuse_write);
    repl->stale_gate = registry_add_gate(server->registry, needs_fresh_data, refuse_stale);
    info_add_section(server->info, "Replication", true, info_replication, repl);
    info_add_fields(server->info, "Stats", "unexpected errors", info_errors, repl);
    info_on_reset(server->info, reset_errors, repl);
    repl->replicas = replicas_new(repl);
    repl->failover = failover_new(repl);
    repl->local_keys = local_keys_new(repl);
    farewell_register(repl);
    server->clients->peer_hooks = (struct peer_hooks){
        .udata = repl, .ran = apply_ran, .skipped = apply_skipped, .gone = on_gone
    };
    effects_on_turn(server->effects, on_turn, repl);
    snapshot_describe_by(server->snapshot, describe, repl);
    server_add_part(server, free_repl, repl);
}

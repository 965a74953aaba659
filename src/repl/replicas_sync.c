// SPDX-License-Identifier: BSD-3-Clause
// How a replica gets to be fed: PSYNC and SYNC, the part of the stream that it lacks or a whole data set, its first
// acknowledgement.
#include "base/log.h"
#include "base/numbers.h"
#include "base/random.h"
#include "repl/replicas_internal.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/effects.h"

#include <stdio.h>

// An id that somebody asks for, as the log shows it.
#define SHOWN_ID_MAX 64

// --- Going online -------------------------------------------------------------------------------

void replica_go_online(struct replica *replica)
{
    char name[REPLICA_NAME_MAX];
    replica->state = REPLICA_ONLINE;
    replica->acked_ms = replicas_now_ms();
    client_uncork(replica->client);
    replica_name(replica, name);
    log_notice("Synchronization with replica %s succeeded", name);
    repl_update_gates(replica->replicas->repl);
}

// From now on the stream holds what the replica's queue is still to get.
static void begin_feeding(struct replica *replica, uint64_t from)
{
    struct stream *stream = &replica->replicas->repl->stream;
    replica->queued = from;
    if (stream->held > from)
        stream_hold(stream, from);
}

// --- Whole data sets ----------------------------------------------------------------------------

// Sends all that waits. False: the connection is broken, or doesn't take even that.
static bool send_now(struct client *client)
{
    struct server_stats *stats = &client->server->stats;
    size_t sent;
    enum status status = conn_flush(&client->conn, &sent);
    stats->net_output_bytes += sent;
    stats->net_repl_output_bytes += sent;
    stats->writes++;
    return status == STATUS_OK;
}

bool replica_begin_receiving(struct replica *replica)
{
    struct repl *repl = replica->replicas->repl;
    struct client *client = replica->client;
    char line[128];
    int len = snprintf(line, sizeof(line), "+FULLRESYNC %s %llu\r\n", repl->server->replication_id,
                       (unsigned long long)repl->stream.end);
    if (client->flags & CLIENT_CLOSING)
        return false;
    if (!replica->old_protocol)
        outq_append(&client->conn.out, line, (size_t)len);
    if (!send_now(client)) {
        client_close(client);
        return false;
    }
    client_cork(client);
    replica->state = REPLICA_RECEIVING;
    replica->took_ms = replicas_now_ms();
    begin_feeding(replica, repl->stream.end);
    replica->sent = replica->queued;
    // Its stream begins here: with the database that it is in.
    if (!repl_is_replica(repl))
        effects_restate_replica_db(repl->server->effects);
    return true;
}

void replica_received(struct replica *replica)
{
    char name[REPLICA_NAME_MAX];
    replica_name(replica, name);
    replica->state = REPLICA_LOADING;
    replica->acked_ms = replica->took_ms = replicas_now_ms();
    if (replica->rdb_only) {
        log_notice("RDB transfer completed, rdb only replica (%s) should be disconnected asap",
                   name);
        client_close(replica->client);
        return;
    }
    if (replica->old_protocol || replica->has_loaded)
        replica_go_online(replica);
}

// The first replica: from now on writes are kept. What has been written so far is in no history that anybody could
// know.
static void begin_backlog(struct repl *repl)
{
    char id[RUN_ID_LEN + 1];
    random_hex(id, RUN_ID_LEN);
    repl_take_history(repl, id, repl->stream.end);
    repl_listen(repl, true);
    log_notice("Replication backlog created, my new replication IDs are '%s' and '%s'", id,
               repl->second_id);
}

static void wait_for_data_set(struct replica *replica)
{
    struct replicas *replicas = replica->replicas;
    struct repl *repl = replicas->repl;
    replicas->full_syncs++;
    replica->state = REPLICA_WAITING;
    replica_attach(replica);
    if (!repl_is_replica(repl) && !repl->stream_on)
        begin_backlog(repl);
    sync_add(replicas->sync, replica);
}

// --- Partial syncs ------------------------------------------------------------------------------

// The history is one of ours, and the replica has a prefix of it. False: the log says why not.
static bool knows_history(const struct repl *repl, struct slice id, int64_t wanted,
                          const char *name)
{
    struct bytes shown = { 0 };
    if (slice_is(id, repl->server->replication_id))
        return true;
    bool is_second = slice_is(id, repl->second_id) && repl->second_end >= 0;
    if (is_second && wanted <= repl->second_end)
        return true;
    if (is_second) {
        log_notice("Partial resynchronization not accepted: Requested offset for second ID was "
                   "%lld, but I can reply up to %lld",
                   (long long)wanted, (long long)repl->second_end);
        return false;
    }
    if (id.len && id.ptr[0] == '?') {
        log_notice("Full resync requested by replica %s", name);
        return false;
    }
    id.len = id.len < SHOWN_ID_MAX ? id.len : SHOWN_ID_MAX;
    bytes_append_quoted(&shown, id);
    log_notice("Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
               "%.*s, my replication IDs are '%s' and '%s')",
               (int)shown.len, shown.data, repl->server->replication_id, repl->second_id);
    bytes_release(&shown);
    return false;
}

static bool can_go_on(const struct repl *repl, struct slice id, int64_t wanted, const char *name)
{
    const struct stream *stream = &repl->stream;
    if (!knows_history(repl, id, wanted, name))
        return false;
    bool kept = repl_is_replica(repl) || repl->stream_on;
    if (kept && wanted > 0 && stream_has(stream, (uint64_t)wanted - 1))
        return true;
    log_notice("Unable to partial resync with replica %s for lack of backlog (Replica request was: "
               "%lld). A larger repl-backlog-size (%lld now) keeps more",
               name, (long long)wanted, (long long)repl->config.backlog_bytes);
    if (wanted > 0 && (uint64_t)wanted - 1 > stream->end)
        log_warning("Warning: replica %s tried to PSYNC with an offset that is greater than the "
                    "master replication offset.",
                    name);
    return false;
}

static void go_on(struct replica *replica, uint64_t from, const char *name)
{
    struct repl *repl = replica->replicas->repl;
    struct client *client = replica->client;
    struct outq *out = &client->conn.out;
    char line[64];
    bool tells_id = replica->capabilities & CAPABLE_PSYNC2;
    int len = snprintf(line, sizeof(line), "+CONTINUE%s%s\r\n", tells_id ? " " : "",
                       tells_id ? repl->server->replication_id : "");
    replica_attach(replica);
    replica->state = REPLICA_ONLINE;
    replica->acked = from;
    replica->acked_ms = replica->took_ms = replicas_now_ms();
    replica->replicas->partial_syncs++;
    outq_append(out, line, (size_t)len);
    stream_queue(&repl->stream, from, out);
    begin_feeding(replica, repl->stream.end);
    replica->sent = from;
    client_output_added(client);
    repl_update_gates(repl);
    log_notice("Partial resynchronization request from %s accepted. Sending %llu bytes of backlog "
               "starting from offset %llu.",
               name, (unsigned long long)(repl->stream.end - from), (unsigned long long)from + 1);
}

// --- The commands -------------------------------------------------------------------------------

// There is nothing that it could be told.
static bool is_deaf(const struct client *client)
{
    return client->flags & (CLIENT_REPLICA | CLIENT_PRIMARY | CLIENT_MONITOR);
}

// True: the error has been replied.
static bool refuse_sync(struct cmd_ctx *ctx)
{
    const struct repl *repl = ctx->server->repl;
    if (repl_is_replica(repl) && !(repl->link && link_is_up(repl->link))) {
        reply_error(ctx, ERR_NO_MASTER_LINK);
        return true;
    }
    if (ctx->client->conn.out.bytes) {
        reply_error(ctx, ERR_SYNC_PENDING);
        return true;
    }
    return false;
}

// PSYNC ... FAILOVER: our primary hands over to us, and goes on as a replica. False: the error has been replied.
static bool take_over(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    if (!repl_is_replica(repl)) {
        reply_error(ctx, ERR_FAILOVER_TO_MASTER);
        return false;
    }
    if (!slice_is(ctx->argv[1], ctx->server->replication_id)) {
        reply_error(ctx, ERR_FAILOVER_ID);
        return false;
    }
    repl_lead(repl);
    return true;
}

void replicas_psync(struct cmd_ctx *ctx)
{
    struct repl *repl = ctx->server->repl;
    char name[REPLICA_NAME_MAX];
    int64_t wanted;
    if (is_deaf(ctx->client))
        return;
    if (ctx->argc > 3 && arg_is(ctx, 3, "failover") && !take_over(ctx))
        return;
    if (refuse_sync(ctx) || !arg_int64(ctx, 2, &wanted))
        return;
    struct replica *replica = replica_of(ctx->client);
    replica_name(replica, name);
    log_notice("Replica %s asks for synchronization", name);
    if (can_go_on(repl, ctx->argv[1], wanted, name)) {
        go_on(replica, (uint64_t)wanted - 1, name);
        return;
    }
    if (!slice_is(ctx->argv[1], "?"))
        repl->replicas->partial_refusals++;
    wait_for_data_set(replica);
}

void replicas_sync(struct cmd_ctx *ctx)
{
    char name[REPLICA_NAME_MAX];
    if (is_deaf(ctx->client) || refuse_sync(ctx))
        return;
    struct replica *replica = replica_of(ctx->client);
    replica->old_protocol = true;
    replica_name(replica, name);
    log_notice("Replica %s asks for synchronization", name);
    wait_for_data_set(replica);
}

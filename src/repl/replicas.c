// SPDX-License-Identifier: BSD-3-Clause
// Replicas of ours, from the first word to the last: who they are, and feeding them.
//
// The stream goes to them once a turn: each queue gets references to what is new, and the connection sends it as it
// sends replies. Until the queues have it the stream holds it, however much a turn brings.
//
// A replica that is far behind is cut at its limit, and comes back for all of the data: that costs more than a little
// patience. So while one that is past half of its limit goes on taking, writers wait at a gate, at most PAUSE_MS in each
// turn of the loop. Who takes nothing slows nobody.
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "repl/replicas_internal.h"
#include "server/batch.h"
#include "server/block.h"
#include "server/client.h"
#include "server/cron.h"
#include "server/effects.h"
#include "server/pause.h"
#include "server/pubsub.h"
#include "server/registry.h"
#include "server/tracking.h"

#include <netinet/tcp.h>
#include <string.h>

// How long writers wait in a turn of the loop, and for whom: a replica that has taken something within so long.
#define PAUSE_MS  10
#define TAKING_MS 200

#define PING   SLICE("*1\r\n$4\r\nping\r\n")
#define GETACK SLICE("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n")

// --- Who is there -------------------------------------------------------------------------------

void replica_attach(struct replica *replica)
{
    struct replicas *replicas = replica->replicas;
    struct client *client = replica->client;
    int off = 0;
    // Nothing may stand between the bytes of the stream.
    pubsub_forget(client);
    tracking_off(client);
    client->flags |= CLIENT_REPLICA;
    list_remove(&replica->link);
    list_append(&replicas->all, &replica->link);
    replicas->count++;
    // A UNIX socket has no such option, and needs none.
    if (replicas->repl->config.disable_nodelay)
        (void)setsockopt(client->conn.fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off));
}

static void free_replica(struct replica *replica)
{
    struct client *client = replica->client;
    list_remove(&replica->link);
    client->replica = NULL;
    client->flags &= ~(uint32_t)CLIENT_REPLICA;
    if (replica->announced_ip)
        mem_free(replica->announced_ip, strlen(replica->announced_ip) + 1);
    mem_free(replica, sizeof(*replica));
}

void replicas_gone(struct replicas *replicas, struct client *client)
{
    struct replica *replica = client->replica;
    if (!replica)
        return;
    if (replica->state != REPLICA_TALKING) {
        char name[REPLICA_NAME_MAX];
        replica_name(replica, name);
        log_warning("Connection with replica %s lost.", name);
        replicas->count--;
        if (replica->state == REPLICA_WAITING || replica->state == REPLICA_RECEIVING)
            sync_remove(replicas->sync, replica);
    }
    free_replica(replica);
    repl_update_gates(replicas->repl);
}

void replicas_disconnect_all(struct replicas *replicas)
{
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link))
        client_close(LIST_ITEM(link, struct replica, link)->client);
}

size_t replicas_count(const struct replicas *replicas)
{
    return replicas->count;
}

struct list *replicas_all(struct replicas *replicas)
{
    return &replicas->all;
}

bool replicas_are_few(const struct replicas *replicas)
{
    const struct repl_config *config = &replicas->repl->config;
    return config->min_replicas > 0 && config->min_replicas_max_lag_s > 0 &&
           replicas_good(replicas) < (size_t)config->min_replicas;
}

// --- Writers that wait --------------------------------------------------------------------------

static bool may_write(const struct command *row)
{
    return row->flags & (CMD_WRITE | CMD_MAY_REPLICATE);
}

static void hold_writers(struct replicas *replicas, bool hold)
{
    struct server *server = replicas->repl->server;
    if (!(server->holds & replicas->hurry_gate) == !hold)
        return;
    server->holds ^= replicas->hurry_gate;
    if (hold) {
        alarm_set(&replicas->hurry_alarm, PAUSE_MS);
        return;
    }
    alarm_clear(&replicas->hurry_alarm);
    batch_resume_held(server->batch);
}

// Those who wait have their turn, whatever the replicas do.
static void on_alarm(void *udata)
{
    hold_writers(udata, false);
}

// Whether it is worth waiting for.
static bool is_worth_waiting(struct replica *replica)
{
    const struct client *client = replica->client;
    size_t waiting = client->conn.out.bytes;
    uint64_t sent = replica->queued - waiting;
    uint64_t limit = client_hard_limit(client);
    int64_t now_ms = (int64_t)(clock_mono_us_now() / 1000);
    if (sent != replica->sent) {
        replica->sent = sent;
        replica->took_ms = now_ms;
    }
    return limit && waiting > limit / 2 && now_ms - replica->took_ms < TAKING_MS;
}

// --- The turn -----------------------------------------------------------------------------------

static void feed(struct replica *replica)
{
    struct client *client = replica->client;
    const struct stream *stream = &replica->replicas->repl->stream;
    if (replica->queued == stream->end)
        return;
    if (!stream_has(stream, replica->queued)) {
        char name[REPLICA_NAME_MAX];
        replica_name(replica, name);
        log_warning("Disconnecting replica %s: the history it follows is not ours any more", name);
        client_close(client);
        return;
    }
    stream_queue(stream, replica->queued, &client->conn.out);
    replica->queued = stream->end;
    client_output_added(client);
}

void replicas_count_memory(const struct replicas *replicas)
{
    replicas->repl->server->repl_buffer_bytes = stream_memory(&replicas->repl->stream) +
                                                replicas->only_queued_bytes;
}

// Returns whether writers are to wait.
static bool feed_all(struct replicas *replicas)
{
    struct stream *stream = &replicas->repl->stream;
    uint64_t oldest = stream->end;
    bool fed = false;
    bool wait = false;
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link)) {
        struct replica *replica = LIST_ITEM(link, struct replica, link);
        const struct client *client = replica->client;
        if (!replica_is_fed(replica) || client->flags & CLIENT_CLOSING)
            continue;
        feed(replica);
        wait |= client->conn.out.bytes && is_worth_waiting(replica);
        uint64_t begin = replica->queued - client->conn.out.shared_bytes;
        oldest = begin < oldest ? begin : oldest;
        fed = true;
    }
    stream_hold(stream, fed ? stream->end : UINT64_MAX);
    replicas->only_queued_bytes = oldest < stream->begin ? stream->begin - oldest : 0;
    return wait;
}

void replicas_turn(struct replicas *replicas)
{
    const struct repl *repl = replicas->repl;
    bool wait = false;
    if (replicas->acked_more) {
        replicas->acked_more = false;
        blocks_retry(&replicas->waiters);
    }
    if (replicas->asks && replicas->count && !repl_is_replica(repl))
        effects_tell_replicas(repl->server->effects, GETACK);
    replicas->asks = false;
    if (replicas->count || repl->stream.held != UINT64_MAX)
        wait = feed_all(replicas);
    hold_writers(replicas, wait);
    replicas_count_memory(replicas);
}

// --- Every second -------------------------------------------------------------------------------

static void check_replica(struct replica *replica, int64_t now_ms)
{
    struct client *client = replica->client;
    int64_t heard_ms = (int64_t)(client->active_us / 1000);
    if (replica->state == REPLICA_WAITING && client->conn.out.bytes == 0) {
        // Whatever takes long, the link is there.
        outq_append(&client->conn.out, "\n", 1);
        client_output_added(client);
    }
    if (replica->state < REPLICA_LOADING || replica->old_protocol)
        return;
    // While it loads, it sends line ends.
    heard_ms = replica->acked_ms > heard_ms ? replica->acked_ms : heard_ms;
    if (now_ms - heard_ms <= replica->replicas->repl->config.timeout_s * 1000)
        return;
    char name[REPLICA_NAME_MAX];
    replica_name(replica, name);
    log_warning("Disconnecting timedout replica (%s sync): %s",
                replica->state == REPLICA_ONLINE ? "streaming" : "full", name);
    client_close(client);
}

static void ping(struct replicas *replicas)
{
    const struct repl *repl = replicas->repl;
    if (++replicas->unpinged_s < repl->config.ping_period_s)
        return;
    replicas->unpinged_s = 0;
    if (replicas->count && !pause_is_on(repl->server->pause))
        effects_tell_replicas(repl->server->effects, PING);
}

// Writes that no replica will ever ask for are not kept for ever, by a primary. What is written from then on is unknown to the
// stream: it can't be the same history.
static void forget_backlog(struct replicas *replicas, int64_t now_ms)
{
    struct repl *repl = replicas->repl;
    char id[RUN_ID_LEN + 1];
    if (replicas->count || !repl->stream_on || repl_is_replica(repl))
        replicas->alone_since_ms = now_ms;
    if (!repl->config.backlog_ttl_s ||
        (now_ms - replicas->alone_since_ms) / 1000 < repl->config.backlog_ttl_s)
        return;
    repl_listen(repl, false);
    random_hex(id, RUN_ID_LEN);
    repl_take_history(repl, id, repl->stream.end);
    log_notice("Replication backlog freed after %lld seconds without connected replicas.",
               (long long)repl->config.backlog_ttl_s);
}

static void every_second(void *udata)
{
    struct replicas *replicas = udata;
    int64_t now_ms = replicas_now_ms();
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link))
        check_replica(LIST_ITEM(link, struct replica, link), now_ms);
    if (!repl_is_replica(replicas->repl))
        ping(replicas);
    forget_backlog(replicas, now_ms);
    repl_update_gates(replicas->repl);
}

// --- Making -------------------------------------------------------------------------------------

struct replicas *replicas_new(struct repl *repl)
{
    struct server *server = repl->server;
    struct replicas *replicas = mem_alloc_zeroed(sizeof(*replicas));
    replicas->repl = repl;
    list_init(&replicas->all);
    list_init(&replicas->talking);
    list_init(&replicas->waiters);
    replicas->alone_since_ms = replicas_now_ms();
    replicas->hurry_gate = registry_add_gate(server->registry, may_write, NULL);
    alarm_init(&replicas->hurry_alarm, server->loop, on_alarm, replicas);
    replicas_register_info(replicas);
    cron_add(server->cron, 1000, every_second, replicas);
    replicas->sync = sync_new(repl);
    return replicas;
}

// At the server's end: the clients go later.
static void free_all(struct list *list)
{
    struct list_link *link;
    while ((link = list_first(list)) != NULL)
        free_replica(LIST_ITEM(link, struct replica, link));
}

void replicas_free(struct replicas *replicas)
{
    sync_free(replicas->sync);
    alarm_clear(&replicas->hurry_alarm);
    free_all(&replicas->all);
    free_all(&replicas->talking);
    while (!list_empty(&replicas->waiters))
        list_remove(list_first(&replicas->waiters));
    mem_free(replicas, sizeof(*replicas));
}

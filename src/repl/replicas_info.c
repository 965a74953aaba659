// SPDX-License-Identifier: BSD-3-Clause
// Replicas as INFO, ROLE and the log show them.
#include "base/numbers.h"
#include "repl/replicas_internal.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/info.h"

#include <stdio.h>
#include <string.h>

// --- Names --------------------------------------------------------------------------------------

void replica_note_peer(struct replica *replica)
{
    char name[CONN_NAME_MAX];
    const char *begin = name;
    if (replica->client->flags & CLIENT_UNIX) {
        snprintf(replica->peer_ip, sizeof(replica->peer_ip), "/unixsocket");
        return;
    }
    // "ip:port" or "[ip6]:port".
    client_address(replica->client, name);
    char *end = strrchr(name, ':');
    if (name[0] == '[') {
        begin++;
        end--;
    }
    *end = '\0';
    snprintf(replica->peer_ip, sizeof(replica->peer_ip), "%.*s", INET6_ADDRSTRLEN - 1, begin);
}

const char *replica_ip(const struct replica *replica)
{
    return replica->announced_ip ? replica->announced_ip : replica->peer_ip;
}

void replica_name(const struct replica *replica, char out[REPLICA_NAME_MAX])
{
    const char *ip = replica_ip(replica);
    bool is_ip6 = strchr(ip, ':') != NULL;
    const char *open = is_ip6 ? "[" : "";
    const char *close = is_ip6 ? "]" : "";
    if (replica->port)
        snprintf(out, REPLICA_NAME_MAX, "%s%s%s:%d", open, ip, close, replica->port);
    else
        snprintf(out, REPLICA_NAME_MAX, "%s%s%s:<unknown-replica-port>", open, ip, close);
}

// --- Replication --------------------------------------------------------------------------------

static int64_t lag_s(const struct replica *replica)
{
    return (replicas_now_ms() - replica->acked_ms) / 1000;
}

size_t replicas_good(const struct replicas *replicas)
{
    size_t good = 0;
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link)) {
        const struct replica *replica = LIST_ITEM(link, struct replica, link);
        good += replica->state == REPLICA_ONLINE &&
                lag_s(replica) <= replicas->repl->config.min_replicas_max_lag_s;
    }
    return good;
}

void replicas_info(const struct replicas *replicas, struct bytes *out)
{
    static const char *const states[] = { [REPLICA_WAITING] = "wait_bgsave",
                                          [REPLICA_RECEIVING] = "send_bulk",
                                          [REPLICA_LOADING] = "send_bulk",
                                          [REPLICA_ONLINE] = "online" };
    const struct repl_config *config = &replicas->repl->config;
    int number = 0;
    bytes_printf(out, "connected_slaves:%zu\r\n", replicas->count);
    if (config->min_replicas && config->min_replicas_max_lag_s)
        bytes_printf(out, "min_slaves_good_slaves:%zu\r\n", replicas_good(replicas));
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link)) {
        const struct replica *replica = LIST_ITEM(link, struct replica, link);
        bytes_printf(out, "slave%d:ip=%s,port=%d,state=%s,offset=%llu,lag=%lld\r\n", number++,
                     replica_ip(replica), replica->port, states[replica->state],
                     (unsigned long long)replica->acked,
                     (long long)(replica->state == REPLICA_ONLINE ? lag_s(replica) : 0));
    }
}

static bool is_shown(const struct replica *replica)
{
    return replica->state == REPLICA_ONLINE;
}

void replicas_reply_role(struct cmd_ctx *ctx)
{
    const struct list *all = &ctx->server->repl->replicas->all;
    size_t count = 0;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link))
        count += is_shown(LIST_ITEM(link, struct replica, link));
    resp_array(&ctx->reply, count);
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        const struct replica *replica = LIST_ITEM(link, struct replica, link);
        if (!is_shown(replica))
            continue;
        resp_array(&ctx->reply, 3);
        resp_bulk_text(&ctx->reply, replica_ip(replica));
        resp_bulk_int(&ctx->reply, replica->port);
        resp_bulk_int(&ctx->reply, (int64_t)replica->acked);
    }
}

// --- Memory and stats ---------------------------------------------------------------------------

static void uncounted_fields(void *udata, struct bytes *out)
{
    const struct replicas *replicas = udata;
    bytes_printf(out, "mem_not_counted_for_evict:%zu\r\n",
                 replicas->repl->server->repl_buffer_bytes);
}

// Of a replica's own; what it shares with others is in the buffers.
static size_t replica_memory(const struct replica *replica)
{
    return sizeof(*replica) + client_memory(replica->client) -
           replica->client->conn.out.shared_bytes;
}

static void memory_fields(void *udata, struct bytes *out)
{
    const struct replicas *replicas = udata;
    size_t backlog = stream_memory(&replicas->repl->stream);
    size_t own = replicas->only_queued_bytes;
    for (struct list_link *link = list_first(&replicas->all); link;
         link = list_next(&replicas->all, link))
        own += replica_memory(LIST_ITEM(link, struct replica, link));
    bytes_printf(out,
                 "mem_replication_backlog:%zu\r\n"
                 "mem_total_replication_buffers:%zu\r\n"
                 "mem_clients_slaves:%zu\r\n",
                 backlog, backlog + (size_t)replicas->only_queued_bytes, own);
}

static void sync_fields(void *udata, struct bytes *out)
{
    const struct replicas *replicas = udata;
    bytes_printf(out,
                 "sync_full:%llu\r\n"
                 "sync_partial_ok:%llu\r\n"
                 "sync_partial_err:%llu\r\n",
                 (unsigned long long)replicas->full_syncs,
                 (unsigned long long)replicas->partial_syncs,
                 (unsigned long long)replicas->partial_refusals);
}

static void reset_stats(void *udata)
{
    struct replicas *replicas = udata;
    replicas->full_syncs = replicas->partial_syncs = replicas->partial_refusals = 0;
}

void replicas_register_info(struct replicas *replicas)
{
    struct info *info = replicas->repl->server->info;
    info_add_fields(info, "Memory", "not counted", uncounted_fields, replicas);
    info_add_fields(info, "Memory", "replication", memory_fields, replicas);
    info_add_fields(info, "Stats", "synchronisation", sync_fields, replicas);
    info_on_reset(info, reset_stats, replicas);
}

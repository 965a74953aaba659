// SPDX-License-Identifier: BSD-3-Clause
// The clients: accepting, sending, limits, closing. See client.h.
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "server/batch.h"
#include "server/block.h"
#include "server/client.h"
#include "server/cron.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/monitor.h"
#include "server/pubsub.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/tracking.h"
#include "server/transaction.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DENIED_TEXT                                                                              \
    "-DENIED Redis is running in protected mode because protected mode is enabled and no "       \
    "password is set for the default user: only connections from this machine are accepted. To " \
    "let others in, set a password (requirepass), or bind to the interfaces that should be "     \
    "served and set protected-mode no, in the configuration file or with CONFIG SET from this "  \
    "machine.\r\n"

// Descriptors for other things than clients: listeners, files, the loop.
#define RESERVED_DESCRIPTORS 32

// The largest buffers are those of this time and the one before.
#define PEAKS_PERIOD_MS 8000

#define MAX_CLIENTS_TEXT "-ERR max number of clients reached\r\n"

// --- Configuration ------------------------------------------------------------------------------

// Sees to it that so many clients can have a descriptor each; if not, lowers maxclients.
static void provide_descriptors(struct clients *clients)
{
    rlim_t wanted = (rlim_t)clients->config.max_clients + RESERVED_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    rlim_t had = limit.rlim_cur;
    if (limit.rlim_max < wanted) {
        // Only a privileged process may raise the hard limit.
        const struct rlimit raised = { .rlim_cur = wanted, .rlim_max = wanted };
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return;
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        wanted = had;
    int64_t possible = (int64_t)wanted - RESERVED_DESCRIPTORS;
    if (possible >= clients->config.max_clients)
        return;
    log_warning("maxclients %lld needs more open files than the %llu that this process may have: "
                "lowered to %lld. To have more, raise the limit (ulimit -n)",
                (long long)clients->config.max_clients, (unsigned long long)wanted,
                (long long)possible);
    clients->config.max_clients = possible > 1 ? possible : 1;
}

static bool apply_max_clients(void *owner, struct config_error *error)
{
    struct clients *clients = owner;
    int64_t wanted = clients->config.max_clients;
    provide_descriptors(clients);
    return clients->config.max_clients == wanted ||
           config_refuse(error,
                         "The operating system is not able to handle the specified number of "
                         "clients, try with %lld",
                         (long long)clients->config.max_clients);
}

// A new password holds for new connections; without one, nobody has to authenticate any more.
static bool apply_password(void *owner, struct config_error *error)
{
    (void)error;
    const struct clients *clients = owner;
    for (struct list_link *link = list_first(&clients->all);
         link && !clients_need_password(clients); link = list_next(&clients->all, link))
        client_set_authenticated(LIST_ITEM(link, struct client, all_link), true);
    return true;
}

static bool apply_limits(void *owner, struct config_error *error)
{
    (void)error;
    struct clients *clients = owner;
    int64_t max_bulk = clients->config.max_bulk_bytes;
    max_bulk = max_bulk < STRING_BYTES_MAX ? max_bulk : STRING_BYTES_MAX;
    clients->limits.max_bulk = clients->unauth_limits.max_bulk = max_bulk;
    return true;
}

static const char *const class_names[CLIENT_CLASSES] = { "normal", "slave", "pubsub" };

static bool set_one_limit(struct output_limit *limits, const struct slice *words,
                          struct config_error *error)
{
    int class = 0;
    while (class < CLIENT_CLASSES && !slice_is(words[0], class_names[class]) &&
           !(class == CLIENT_REPLICA_CLASS && slice_is(words[0], "replica")))
        class ++;
    if (class == CLIENT_CLASSES)
        return config_refuse(error,
                             "Invalid client class specified in buffer limit configuration.");
    struct output_limit limit;
    if (!parse_memory(words[1], &limit.hard_bytes) || !parse_memory(words[2], &limit.soft_bytes) ||
        !parse_uint64(words[3], &limit.soft_s))
        return config_refuse(error, "Error in hard, soft or soft_seconds setting in buffer limit "
                                    "configuration.");
    limits[class] = limit;
    return true;
}

static uint64_t lower_limit(uint64_t least, uint64_t limit_bytes)
{
    return limit_bytes && limit_bytes < least ? limit_bytes : least;
}

static void find_least_limit(struct clients *clients)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        least = lower_limit(least, clients->config.output_limits[i].hard_bytes);
        least = lower_limit(least, clients->config.output_limits[i].soft_bytes);
    }
    clients->least_output_limit = least;
}

static bool set_output_limits(void *owner, const struct slice *words, size_t count,
                              struct config_error *error)
{
    struct clients *clients = owner;
    struct output_limit limits[CLIENT_CLASSES];
    memcpy(limits, clients->config.output_limits, sizeof(limits));
    if (count % 4 != 0)
        return config_refuse(error, "Wrong number of arguments in buffer limit configuration.");
    for (size_t i = 0; i < count; i += 4) {
        if (!set_one_limit(limits, words + i, error))
            return false;
    }
    memcpy(clients->config.output_limits, limits, sizeof(limits));
    find_least_limit(clients);
    return true;
}

static void get_output_limits(const void *owner, struct bytes *out)
{
    const struct clients *clients = owner;
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        const struct output_limit *limit = &clients->config.output_limits[i];
        bytes_printf(out, "%s%s %llu %llu %llu", i ? " " : "", class_names[i],
                     (unsigned long long)limit->hard_bytes, (unsigned long long)limit->soft_bytes,
                     (unsigned long long)limit->soft_s);
    }
}

#define FIELD(member) offsetof(struct clients, config.member)

static const struct config_directive client_directives[] = {
    { .name = "maxclients",
      .type = CONFIG_INT,
      .offset = FIELD(max_clients),
      .default_text = "10000",
      .min = 1,
      .max = UINT32_MAX,
      .apply = apply_max_clients },
    { .name = "timeout",
      .type = CONFIG_INT,
      .offset = FIELD(timeout_s),
      .default_text = "0",
      .max = INT32_MAX },
    { .name = "tcp-keepalive",
      .type = CONFIG_INT,
      .offset = FIELD(keepalive_s),
      .default_text = "300",
      .max = INT32_MAX },
    { .name = "proto-max-bulk-len",
      .type = CONFIG_MEMORY,
      .offset = FIELD(max_bulk_bytes),
      .default_text = "512mb",
      .min = 1024 * 1024,
      .max = CONFIG_UNBOUNDED,
      .apply = apply_limits },
    { .name = "client-query-buffer-limit",
      .type = CONFIG_MEMORY,
      .offset = FIELD(query_buffer_bytes),
      .default_text = "1gb",
      .min = 1024 * 1024,
      .max = CONFIG_UNBOUNDED },
    { .name = "client-output-buffer-limit",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
      .set = set_output_limits,
      .get = get_output_limits,
      .line_words = 4 },
    { .name = "requirepass",
      .type = CONFIG_STRING,
      .flags = CONFIG_SECRET,
      .offset = FIELD(password),
      .default_text = "",
      .apply = apply_password },
    { .name = "protected-mode",
      .type = CONFIG_BOOL,
      .offset = FIELD(protected_mode),
      .default_text = "yes" },
    { 0 },
};

// --- Authentication -----------------------------------------------------------------------------

static bool needs_auth(const struct command *row)
{
    return !(row->flags & CMD_NO_AUTH);
}

static bool refuse_unauthenticated(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_NO_AUTH);
    return true;
}

bool clients_need_password(const struct clients *clients)
{
    return clients->config.password[0] != '\0';
}

void client_set_authenticated(struct client *client, bool authenticated)
{
    uint32_t gate = client->server->clients->auth_gate;
    if (authenticated) {
        client->flags |= CLIENT_AUTHENTICATED;
        client->gates &= ~gate;
    } else {
        client->flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
        client->gates |= gate;
    }
}

// --- Accepting and closing ----------------------------------------------------------------------

static void on_readable(struct conn *conn)
{
    struct client *client = LIST_ITEM(conn, struct client, conn);
    if (!(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY)))
        batch_read(client->server->batch, client);
    else
        conn_pause_reading(conn);
}

static void on_writable(struct conn *conn)
{
    struct client *client = LIST_ITEM(conn, struct client, conn);
    if (!list_linked(&client->pending_link) && !(client->flags & CLIENT_CORKED))
        list_append(&client->server->clients->pending, &client->pending_link);
}

static const struct conn_ops client_conn_ops = { .readable = on_readable, .writable = on_writable };

static struct client *client_new(struct clients *clients, int fd, bool is_unix)
{
    struct client *client = mem_alloc_zeroed(sizeof(*client));
    client->server = clients->server;
    client->id = clients->next_id++;
    client->proto = 2;
    client->db = &clients->server->keyspace->dbs[0];
    client->flags = is_unix ? CLIENT_UNIX : 0;
    client->created_us = client->active_us = clock_mono_us();
    conn_init(&client->conn, clients->server->loop, &clients->pool, fd, &client_conn_ops);
    if (!is_unix)
        conn_set_tcp_options(fd, (int)clients->config.keepalive_s);
    client_set_authenticated(client, !clients_need_password(clients));
    list_append(&clients->all, &client->all_link);
    clients->count++;
    return client;
}

struct client *clients_adopt(struct clients *clients, int fd)
{
    struct client *client = client_new(clients, fd, false);
    client_set_authenticated(client, true);
    return client;
}

static void client_free(struct client *client)
{
    struct clients *clients = client->server->clients;
    // At the server's end it need not be closing yet. What it has sent is not run any more.
    client->flags |= CLIENT_CLOSING;
    if (client->flags & (CLIENT_REPLICA | CLIENT_PRIMARY) || client->replica)
        clients->peer_hooks.gone(clients->peer_hooks.udata, client);
    list_remove(&client->all_link);
    list_remove(&client->ready_link);
    list_remove(&client->pending_link);
    list_remove(&client->closing_link);
    monitor_remove(client);
    tracking_forget(client);
    pubsub_forget(client);
    transaction_discard(client);
    block_forget(client);
    batch_resume(client->server->batch, client);
    conn_close(&client->conn);
    resp_parser_reset(&client->parser);
    bytes_release(&client->input.own);
    incoming_release(&client->incoming);
    client_set_text(&client->name, (struct slice){ 0 });
    client_set_text(&client->lib_name, (struct slice){ 0 });
    client_set_text(&client->lib_ver, (struct slice){ 0 });
    clients->parked_count -= client->flags & CLIENT_PARKED ? 1 : 0;
    clients->count--;
    mem_free(client, sizeof(*client));
}

// Best effort: the connection is closed whether or not the text gets out.
static void refuse_connection(struct clients *clients, int fd, const char *text)
{
    clients->server->stats.rejected_connections++;
    ssize_t ignored = write(fd, text, strlen(text));
    (void)ignored;
    close(fd);
}

// Outsiders must not fill the log: `events` more, said at once or when a second has passed.
static void say_refusals(struct clients *clients, enum refusal why, uint64_t events)
{
    uint64_t count = log_limit(&clients->refused[why], events);
    if (!count)
        return;
    if (why == REFUSED_FULL)
        log_notice("Refused %llu connection(s): maxclients (%lld) is reached; raise it with CONFIG "
                   "SET maxclients",
                   (unsigned long long)count, (long long)clients->config.max_clients);
    else
        log_notice("Refused %llu connection(s) from other machines: protected-mode is on and no "
                   "password is set; set requirepass, or protected-mode no",
                   (unsigned long long)count);
}

void clients_accept(void *udata, int fd, bool is_unix)
{
    struct clients *clients = udata;
    if (clients->count >= (size_t)clients->config.max_clients) {
        say_refusals(clients, REFUSED_FULL, 1);
        refuse_connection(clients, fd, MAX_CLIENTS_TEXT);
        return;
    }
    const struct conn probe = { .fd = fd };
    if (clients->config.protected_mode && !is_unix && !clients_need_password(clients) &&
        !conn_is_local(&probe)) {
        say_refusals(clients, REFUSED_PROTECTED, 1);
        refuse_connection(clients, fd, DENIED_TEXT);
        return;
    }
    client_new(clients, fd, is_unix);
    clients->server->stats.connections++;
}

void client_close(struct client *client)
{
    if (client->flags & CLIENT_CLOSING)
        return;
    client->flags |= CLIENT_CLOSING;
    conn_pause_reading(&client->conn);
    list_append(&client->server->clients->closing, &client->closing_link);
}

void client_kill(struct client *client)
{
    if (!(client->flags & CLIENT_CLOSING))
        conn_shut_down(&client->conn);
    pubsub_forget(client);
    client_close(client);
}

void client_close_after_reply(struct client *client)
{
    client->flags |= CLIENT_CLOSE_AFTER_REPLY;
    client_output_added(client);
}

void client_set_proto(struct client *client, uint8_t proto)
{
    client->proto = proto;
    pubsub_proto_changed(client);
}

void client_replies_on(struct cmd_ctx *ctx)
{
    ctx->client->flags &= ~(uint32_t)(CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP);
    ctx->reply.out = &ctx->client->conn.out;
}

void client_reset(struct client *client)
{
    struct clients *clients = client->server->clients;
    client->db = &client->server->keyspace->dbs[0];
    pubsub_forget(client);
    client_set_proto(client, 2);
    client->flags &= ~(uint32_t)(CLIENT_NO_TOUCH | CLIENT_NO_EVICT);
    monitor_remove(client);
    transaction_discard(client);
    tracking_off(client);
    client_set_text(&client->name, (struct slice){ 0 });
    client_set_authenticated(client, !clients_need_password(clients));
}

struct client *clients_find(const struct clients *clients, uint64_t id)
{
    for (struct list_link *link = list_first(&clients->all); link;
         link = list_next(&clients->all, link)) {
        struct client *client = LIST_ITEM(link, struct client, all_link);
        if (client->id == id)
            return client;
    }
    return NULL;
}

// --- Sending ------------------------------------------------------------------------------------

static enum client_class class_of(const struct client *client)
{
    if (client->flags & CLIENT_REPLICA)
        return CLIENT_REPLICA_CLASS;
    return client->flags & CLIENT_SUBSCRIBED ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

uint64_t client_hard_limit(const struct client *client)
{
    const struct clients *clients = client->server->clients;
    enum client_class class = class_of(client);
    uint64_t hard_bytes = clients->config.output_limits[class].hard_bytes;
    bool raised = class == CLIENT_REPLICA_CLASS && hard_bytes &&
                  hard_bytes < clients->replica_limit_min_bytes;
    return raised ? clients->replica_limit_min_bytes : hard_bytes;
}

static void cut_slow_reader(struct client *client, const char *which)
{
    struct bytes text = { 0 };
    client_describe(client, &text);
    log_warning("Client closed for overcoming of output buffer limits (%s limit of "
                "client-output-buffer-limit %s): it does not read what it is sent; to let more "
                "wait for it, raise that limit: %.*s",
                which, class_names[class_of(client)], (int)text.len, text.data);
    bytes_release(&text);
    client->server->stats.output_limit_disconnections++;
    client_close(client);
}

static void check_output_limits(struct client *client)
{
    const struct output_limit *limit =
        &client->server->clients->config.output_limits[class_of(client)];
    size_t waiting = client->conn.out.bytes;
    uint64_t hard_bytes = client_hard_limit(client);
    if (hard_bytes && waiting > hard_bytes) {
        cut_slow_reader(client, "hard");
        return;
    }
    if (!limit->soft_bytes || waiting <= limit->soft_bytes) {
        client->soft_limit_since_us = 0;
        return;
    }
    uint64_t now_us = clock_mono_us();
    if (!client->soft_limit_since_us)
        client->soft_limit_since_us = now_us;
    if (now_us - client->soft_limit_since_us >= limit->soft_s * 1000000)
        cut_slow_reader(client, "soft");
}

static void note_output(struct clients *clients, size_t waiting)
{
    if (waiting > clients->recent_max_output)
        clients->recent_max_output = waiting;
}

void client_output_added(struct client *client)
{
    struct clients *clients = client->server->clients;
    size_t waiting = client->conn.out.bytes;
    // Most replies: the client is to be sent some already, and is far from any limit.
    if (likely(list_linked(&client->pending_link)) && waiting <= clients->least_output_limit)
        return;
    note_output(clients, waiting);
    const struct output_limit *limit = &clients->config.output_limits[class_of(client)];
    if (unlikely((limit->hard_bytes && waiting > limit->hard_bytes) ||
                 (limit->soft_bytes && waiting > limit->soft_bytes) || client->soft_limit_since_us))
        check_output_limits(client);
    // One that waits for its socket to become writable is told by it.
    if (!list_linked(&client->pending_link) && !ev_is_active(&client->conn.write_watcher) &&
        likely(!(client->flags & CLIENT_CORKED)))
        list_append(&clients->pending, &client->pending_link);
}

void client_cork(struct client *client)
{
    client->flags |= CLIENT_CORKED;
    conn_pause_writing(&client->conn);
    list_remove(&client->pending_link);
}

void client_uncork(struct client *client)
{
    client->flags &= ~(uint32_t)CLIENT_CORKED;
    client_output_added(client);
}

static void send_replies(struct client *client)
{
    struct server_stats *stats = &client->server->stats;
    size_t sent;
    enum status status = conn_flush(&client->conn, &sent);
    stats->net_output_bytes += sent;
    if (unlikely(client->flags & CLIENT_REPLICA))
        stats->net_repl_output_bytes += sent;
    stats->writes++;
    bool last_sent = status == STATUS_OK && client->flags & CLIENT_CLOSE_AFTER_REPLY;
    if (status == STATUS_IO || last_sent)
        client_close(client);
}

// Nothing that it has written is acknowledged before it is durable. What the client sends meanwhile is not
// run: else there might always be one more write to wait for.
static void park(struct clients *clients, struct client *client)
{
    conn_pause_writing(&client->conn);
    batch_park(clients->server->batch, client);
    list_append(&clients->parked, &client->pending_link);
    clients->parked_count++;
}

void clients_made_durable(struct clients *clients)
{
    uint64_t durable = clients->server->durable_offset;
    struct list_link *next;
    for (struct list_link *link = list_first(&clients->parked); link; link = next) {
        struct client *client = LIST_ITEM(link, struct client, pending_link);
        next = list_next(&clients->parked, link);
        if (client->effect_offset > durable || client->flags & CLIENT_CLOSING)
            continue;
        list_remove(link);
        clients->parked_count--;
        send_replies(client);
        batch_unpark(clients->server->batch, client);
    }
}

size_t clients_drop_parked(struct clients *clients)
{
    size_t count = 0;
    struct list_link *next;
    for (struct list_link *link = list_first(&clients->parked); link; link = next, count++) {
        next = list_next(&clients->parked, link);
        client_close(LIST_ITEM(link, struct client, pending_link));
    }
    return count;
}

// Before the loop sleeps: sends every pending reply, then frees who is to be closed.
static void flush_all(void *udata)
{
    struct clients *clients = udata;
    struct list_link *link;
    while ((link = list_first(&clients->pending)) != NULL) {
        struct client *client = LIST_ITEM(link, struct client, pending_link);
        list_remove(link);
        if (client->flags & CLIENT_CLOSING)
            continue;
        note_output(clients, client->conn.out.bytes);
        if (unlikely(client->effect_offset > clients->server->durable_offset))
            park(clients, client);
        else
            send_replies(client);
    }
    while ((link = list_first(&clients->closing)) != NULL)
        client_free(LIST_ITEM(link, struct client, closing_link));
}

// --- Once a second ------------------------------------------------------------------------------

static void check_client(struct clients *clients, struct client *client)
{
    bool may_idle = client->flags & (CLIENT_HELD | CLIENT_PARKED | CLIENT_REPLICA | CLIENT_PRIMARY);
    if (clients->config.timeout_s && !may_idle &&
        client_idle_s(client) > (uint64_t)clients->config.timeout_s) {
        log_verbose("Closing idle client");
        client_close(client);
        return;
    }
    check_output_limits(client);
}

static void every_second(void *udata)
{
    struct clients *clients = udata;
    size_t buffers_bytes = 0;
    for (enum refusal why = 0; why < REFUSALS; why++)
        say_refusals(clients, why, 0);
    for (struct list_link *link = list_first(&clients->all); link;
         link = list_next(&clients->all, link)) {
        struct client *client = LIST_ITEM(link, struct client, all_link);
        check_client(clients, client);
        // What replicas wait for is counted by who feeds them.
        if (!(client->flags & CLIENT_REPLICA))
            buffers_bytes += client_memory(client) - sizeof(*client);
    }
    clients->buffers_bytes = buffers_bytes;
    outq_pool_trim(&clients->pool);
}

size_t clients_memory(const struct clients *clients)
{
    return clients->count * sizeof(struct client) + clients->buffers_bytes;
}

void clients_new_peaks(void *udata)
{
    struct clients *clients = udata;
    clients->earlier_max_input = clients->recent_max_input;
    clients->earlier_max_output = clients->recent_max_output;
    clients->recent_max_input = clients->recent_max_output = 0;
}

static unsigned long long larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void info_clients(void *udata, struct bytes *out)
{
    const struct clients *clients = udata;
    bytes_printf(out,
                 "connected_clients:%zu\r\n"
                 "cluster_connections:0\r\n"
                 "maxclients:%lld\r\n"
                 "client_recent_max_input_buffer:%llu\r\n"
                 "client_recent_max_output_buffer:%llu\r\n",
                 clients->count, (long long)clients->config.max_clients,
                 larger(clients->recent_max_input, clients->earlier_max_input),
                 larger(clients->recent_max_output, clients->earlier_max_output));
}

static void info_blocked(void *udata, struct bytes *out)
{
    const struct clients *clients = udata;
    bytes_printf(out, "blocked_clients:%zu\r\n", clients->held);
}

// What nobody counts yet: subjects to be taken over.
static void add_absent_fields(struct info *info)
{
    info_add_lines(info, "Clients", "tracking", "tracking_clients:0\r\n");
    // The place of pubsub.
    info_add_lines(info, "Clients", "pubsub", "");
    info_add_lines(info, "Clients", "watching", "watching_clients:0\r\n");
    info_add_lines(info, "Clients", "timeouts", "clients_in_timeout_table:0\r\n");
    info_add_lines(info, "Clients", "watched keys", "total_watched_keys:0\r\n");
    info_add_lines(info, "Clients", "blocking keys",
                   "total_blocking_keys:0\r\n"
                   "total_blocking_keys_on_nokey:0\r\n");
}

struct clients *clients_new(struct server *server)
{
    struct clients *clients = mem_alloc_zeroed(sizeof(*clients));
    clients->server = server;
    clients->next_id = 1;
    list_init(&clients->all);
    list_init(&clients->pending);
    list_init(&clients->parked);
    list_init(&clients->closing);
    config_register(server->config, client_directives, clients);
    clients->limits = (struct resp_limits){ .max_multibulk = INT32_MAX, .authenticated = true };
    clients->unauth_limits = (struct resp_limits){ .max_multibulk = INT32_MAX };
    clients->primary_limits = (struct resp_limits){ .max_multibulk = INT32_MAX,
                                                    .max_bulk = STRING_BYTES_MAX,
                                                    .authenticated = true };
    clients->auth_gate = registry_add_gate(server->registry, needs_auth, refuse_unauthenticated);
    info_add_section(server->info, "Clients", true, info_clients, clients);
    info_add_fields(server->info, "Clients", "blocking", info_blocked, clients);
    add_absent_fields(server->info);
    cron_add(server->cron, 1000, every_second, clients);
    cron_add(server->cron, PEAKS_PERIOD_MS, clients_new_peaks, clients);
    loop_on_sleep(server->loop, flush_all, clients);
    return clients;
}

void clients_configured(struct clients *clients)
{
    provide_descriptors(clients);
    (void)apply_limits(clients, NULL);
}

void clients_free(struct clients *clients)
{
    struct list_link *link;
    while ((link = list_first(&clients->all)) != NULL)
        client_free(LIST_ITEM(link, struct client, all_link));
    outq_pool_release(&clients->pool);
    config_release_strings(clients->server->config, clients);
    mem_free(clients, sizeof(*clients));
}

// SPDX-License-Identifier: BSD-3-Clause
// What clients send on its way into the batch: into the shared arena, a buffer of the client's own, or
// the blob of a large argument.
#include "base/clock.h"
#include "base/log.h"
#include "server/batch_internal.h"
#include "server/client.h"
#include "server/server.h"

// Reads into a client's own buffer grow with what is there, up to this.
#define OWN_READ_MAX (1u << 20)

static void note_read(struct batch *batch, struct client *client, size_t received)
{
    struct server *server = batch->server;
    server->stats.net_input_bytes += received;
    if (unlikely(client->flags & CLIENT_PRIMARY))
        server->stats.net_repl_input_bytes += received;
    server->stats.reads++;
    client->active_us = clock_mono_us();
    // libev tells what has happened last first: in front, they stand in the order of their arrival.
    if (!list_linked(&client->ready_link) && !(client->flags & (CLIENT_HELD | CLIENT_PARKED)))
        list_prepend(&batch->ready, &client->ready_link);
}

static void cut_for_memory(struct client *client, size_t bytes)
{
    log_warning("Closing client %llu: no memory for %zu more bytes of its request",
                (unsigned long long)client->id, bytes);
    client_close(client);
}

static void read_failed(struct client *client, enum status status)
{
    if (status != STATUS_AGAIN)
        client_close(client);
}

// What our primary has run we have to run, too: cut off, it would only send it again.
static uint64_t query_buffer_limit(const struct client *client)
{
    if (client->flags & CLIENT_PRIMARY)
        return UINT64_MAX;
    return (uint64_t)client->server->clients->config.query_buffer_bytes;
}

static void cut_query_buffer(struct client *client)
{
    struct bytes text = { 0 };
    client_describe(client, &text);
    log_warning("Closing client that reached max query buffer length (client-query-buffer-limit "
                "%llu): %.*s",
                (unsigned long long)query_buffer_limit(client), (int)text.len, text.data);
    bytes_release(&text);
    client->server->stats.query_limit_disconnections++;
    client_close(client);
}

void batch_limit_request(struct client *client, size_t kept_bytes)
{
    if (kept_bytes > query_buffer_limit(client))
        cut_query_buffer(client);
}

// Reads behind an incomplete command.
static void read_own(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    if (input->pos) {
        bytes_consume(&input->own, input->pos);
        input->pos = 0;
    }
    size_t room = input->own.len < ARENA_READ ? ARENA_READ : input->own.len;
    room = room < OWN_READ_MAX ? room : OWN_READ_MAX;
    uint64_t limit = query_buffer_limit(client);
    if (input->own.len >= limit) {
        cut_query_buffer(client);
        return;
    }
    room = input->own.len + room > limit ? limit - input->own.len : room;
    if (bytes_try_reserve(&input->own, room) != STATUS_OK) {
        cut_for_memory(client, room);
        return;
    }
    input->buf = input->own.data;
    size_t received;
    enum status status = conn_recv(&client->conn, input->buf + input->own.len, room, &received);
    if (status != STATUS_OK) {
        read_failed(client, status);
        return;
    }
    input->own.len += received;
    input->len = input->own.len;
    note_read(batch, client, received);
}

// Reads a large argument into its own place.
static void read_incoming(struct batch *batch, struct client *client)
{
    size_t received;
    enum status status = incoming_recv(client->incoming, &client->conn, &received);
    batch->server->stats.net_input_bytes += received;
    client->active_us = clock_mono_us();
    if (status == STATUS_OK)
        note_read(batch, client, 0);
    else
        read_failed(client, status);
}

// What a client sends while it is held is kept, so that its going away is noticed; up to a limit.
static void read_held(struct batch *batch, struct client *client)
{
    if (client->input.own.len >= OWN_READ_MAX)
        conn_pause_reading(&client->conn);
    else
        read_own(batch, client);
}

void batch_read(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    if (unlikely(client->flags & (CLIENT_HELD | CLIENT_PARKED)) &&
        !incoming_active(client->incoming)) {
        read_held(batch, client);
        return;
    }
    // Input that is still to be run (the client had its turn) is run before more is taken.
    if (list_linked(&client->ready_link))
        return;
    if (incoming_active(client->incoming)) {
        read_incoming(batch, client);
        return;
    }
    if (input->len) {
        read_own(batch, client);
        return;
    }
    char *room = arena_room(&batch->arena);
    if (!room) {
        batch_run(batch);
        if (client->flags & CLIENT_CLOSING || input->len)
            return;
        room = arena_room(&batch->arena);
    }
    size_t received;
    enum status status = conn_recv(&client->conn, room, ARENA_READ, &received);
    if (status != STATUS_OK) {
        read_failed(client, status);
        return;
    }
    arena_take(&batch->arena, received);
    input->buf = room;
    input->pos = 0;
    input->len = received;
    note_read(batch, client, received);
}

void batch_settle(struct client *client)
{
    struct client_input *input = &client->input;
    bool is_own = input->own.data && input->buf == input->own.data;
    size_t left = input->len - input->pos;
    struct clients *clients = client->server->clients;
    if (left > clients->recent_max_input)
        clients->recent_max_input = left;
    if (left == 0) {
        if (is_own)
            bytes_release(&input->own);
        input->buf = NULL;
        input->pos = input->len = 0;
    } else if (!is_own) {
        bytes_append(&input->own, input->buf + input->pos, left);
        input->buf = input->own.data;
        input->pos = 0;
        input->len = left;
    }
}

void batch_begin_incoming(struct client *client)
{
    struct client_input *input = &client->input;
    size_t len = input->len - input->pos;
    if (!(client->flags & CLIENT_AUTHENTICATED))
        return;
    switch (incoming_begin(&client->incoming, &client->parser, input->buf + input->pos, &len)) {
    case STATUS_OK:
        input->len = input->pos + len;
        if (input->buf == input->own.data)
            input->own.len = input->len;
        if (len + incoming_bytes(client->incoming) > query_buffer_limit(client))
            cut_query_buffer(client);
        break;
    case STATUS_NOMEM: cut_for_memory(client, client->parser.bulk_len); break;
    default: break;
    }
}

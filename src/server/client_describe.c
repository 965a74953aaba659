// SPDX-License-Identifier: BSD-3-Clause
// Clients as CLIENT LIST, INFO and the log show them.
#include "base/clock.h"
#include "base/memory.h"
#include "server/block.h"
#include "server/client.h"
#include "server/pubsub.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/tracking.h"
#include "server/transaction.h"

#include <string.h>

// What a client shows of its input buffer.
struct input_size {
    size_t used;
    size_t free;
};

static struct input_size input_size(const struct client *client)
{
    const struct client_input *input = &client->input;
    struct input_size size = { .used = input->len - input->pos };
    if (input->own.data)
        size.free = input->own.cap - input->own.len;
    return size;
}

void client_set_text(char **field, struct slice text)
{
    if (*field)
        mem_free(*field, strlen(*field) + 1);
    *field = text.len ? mem_strndup(text.ptr, text.len) : NULL;
}

void client_address(const struct client *client, char out[CONN_NAME_MAX])
{
    conn_peer_name(&client->conn, out);
}

uint64_t client_idle_s(const struct client *client)
{
    return (clock_mono_us() - client->active_us) / 1000000;
}

uint64_t client_age_s(const struct client *client)
{
    return (clock_mono_us() - client->created_us) / 1000000;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

// The letters of `flags`.
static void append_flags(const struct client *client, struct bytes *out)
{
    static const struct {
        uint32_t flag;
        char letter;
    } letters[] = {
        { CLIENT_REPLICA, 'S' },    { CLIENT_PRIMARY, 'M' }, { CLIENT_MONITOR, 'O' },
        { CLIENT_SUBSCRIBED, 'P' }, { CLIENT_MULTI, 'x' },   { CLIENT_HELD, 'b' },
        { CLIENT_TRACKING, 't' },   { CLIENT_TOUCHED, 'd' }, { CLIENT_CLOSE_AFTER_REPLY, 'c' },
        { CLIENT_CLOSING, 'A' },    { CLIENT_UNIX, 'U' },    { CLIENT_NO_EVICT, 'e' },
        { CLIENT_NO_TOUCH, 'T' },
    };
    uint32_t modes = tracking_modes(client);
    size_t before = out->len;
    for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
        if (client->flags & letters[i].flag)
            bytes_append_char(out, letters[i].letter);
        if (letters[i].flag == CLIENT_TRACKING && modes & TRACKING_BROKEN)
            bytes_append_char(out, 'R');
        if (letters[i].flag == CLIENT_TRACKING && modes & TRACKING_BCAST)
            bytes_append_char(out, 'B');
    }
    if (out->len == before)
        bytes_append_char(out, 'N');
}

// What arguments that have arrived, or wait, hold.
static size_t arguments_memory(const struct client *client)
{
    return resp_parser_memory(&client->parser) + incoming_memory(client->incoming) +
           block_memory(client);
}

// What waits for the client, as if nobody else waited for the same bytes: Redis counts them so.
static size_t output_memory(const struct client *client)
{
    return outq_memory(&client->conn.out) + client->conn.out.shared_bytes;
}

size_t client_memory(const struct client *client)
{
    return sizeof(*client) + client->input.own.cap + arguments_memory(client) +
           transaction_memory(client) + pubsub_memory(client) + tracking_memory(client) +
           output_memory(client);
}

void client_describe(const struct client *client, struct bytes *out)
{
    char peer[CONN_NAME_MAX];
    char local[CONN_NAME_MAX];
    conn_peer_name(&client->conn, peer);
    conn_local_name(&client->conn, local);
    struct input_size input = input_size(client);

    bytes_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu idle=%llu flags=",
                 (unsigned long long)client->id, peer, local, client->conn.fd,
                 or_empty(client->name), (unsigned long long)client_age_s(client),
                 (unsigned long long)client_idle_s(client));
    append_flags(client, out);
    bytes_printf(out,
                 " db=%d sub=%zu psub=%zu ssub=%zu multi=%d qbuf=%zu qbuf-free=%zu argv-mem=%zu "
                 "multi-mem=%zu rbs=0 rbp=0 obl=%zu oll=0 omem=%zu tot-mem=%zu events=%s%s cmd=%s "
                 "user=%s redir=%lld resp=%d lib-name=%s lib-ver=%s",
                 client->db->id, pubsub_count(client, PUBSUB_CHANNEL),
                 pubsub_count(client, PUBSUB_PATTERN), pubsub_count(client, PUBSUB_SHARD),
                 transaction_length(client), input.used, input.free, arguments_memory(client),
                 transaction_queue_memory(client), client->conn.out.bytes, output_memory(client),
                 client_memory(client), ev_is_active(&client->conn.read_watcher) ? "r" : "",
                 ev_is_active(&client->conn.write_watcher) ? "w" : "",
                 client->last_command ? client->last_command->full_name : "NULL",
                 client->flags & CLIENT_PRIMARY ? "(superuser)" : "default",
                 (long long)tracking_redirect(client), client->proto, or_empty(client->lib_name),
                 or_empty(client->lib_ver));
}

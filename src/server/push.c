// SPDX-License-Identifier: BSD-3-Clause
// Pushes: see push.h.
#include "server/push.h"

#include "base/memory.h"
#include "base/outq.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/server.h"

struct pushes {
    struct server *server;
    const struct client *woken;  // one that waited, whose command is being run again
    struct outq kept;            // for the client whose reply is being written
    struct outq nowhere;         // for those who get nothing any more
};

struct pushes *pushes_new(struct server *server)
{
    struct pushes *pushes = mem_alloc_zeroed(sizeof(*pushes));
    pushes->server = server;
    outq_init(&pushes->kept, &server->clients->pool);
    outq_init(&pushes->nowhere, &server->clients->pool);
    return pushes;
}

void pushes_free(struct pushes *pushes)
{
    mem_free(pushes, sizeof(*pushes));
}

struct outq *push_queue(struct client *client)
{
    struct pushes *pushes = client->server->pushes;
    if (unlikely(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY)))
        return &pushes->nowhere;
    const struct client *replying = pushes->woken ? pushes->woken
                                                  : batch_running_client(pushes->server->batch);
    return client == replying ? &pushes->kept : &client->conn.out;
}

void push_added(struct client *client, const struct outq *queue)
{
    struct pushes *pushes = client->server->pushes;
    if (likely(queue == &client->conn.out))
        client_output_added(client);
    else if (queue == &pushes->kept)
        client->server->after_command |= AFTER_COMMAND_PUSHES;
    else
        outq_clear(&pushes->nowhere);
}

void push_begin(struct client *client, struct resp_writer *writer)
{
    writer->proto = client->proto;
    writer->out = push_queue(client);
}

void push_end(struct client *client)
{
    push_added(client, push_queue(client));
}

void pushes_settle(struct pushes *pushes, struct client *client)
{
    pushes->server->after_command &= (uint8_t)~AFTER_COMMAND_PUSHES;
    outq_splice(&client->conn.out, &pushes->kept);
    client_output_added(client);
}

void pushes_woken(struct pushes *pushes, struct client *client, bool done)
{
    pushes->woken = done ? NULL : client;
    if (done && pushes->kept.head)
        pushes_settle(pushes, client);
}

// SPDX-License-Identifier: BSD-3-Clause
// Large arguments on their way in: see incoming.h.
#include "server/incoming.h"

#include "base/memory.h"
#include "base/panic.h"
#include "net/conn.h"
#include "resp/parser.h"

// Behind the payload stands a CRLF, which is received with it.
#define LINE_END 2

// One read takes at most this much, so that one large value does not hold up the turn.
#define RECV_MAX (1u << 20)

struct incoming {
    struct blob **blobs;  // complete ones, then the one being received
    size_t count;
    size_t cap;
    bool active;
    size_t got;   // bytes of the last one that have arrived, line end included
    size_t want;  // bytes in all, line end included
};

// Room for one more blob.
static bool make_room(struct incoming **incoming)
{
    if (!*incoming) {
        *incoming = mem_try_alloc(sizeof(**incoming));
        if (!*incoming)
            return false;
        **incoming = (struct incoming){ 0 };
    }
    struct incoming *in = *incoming;
    if (in->count < in->cap)
        return true;
    size_t cap = in->cap ? in->cap * 2 : 4;
    struct blob **blobs = mem_try_realloc(in->blobs, in->cap * sizeof(*blobs),
                                          cap * sizeof(*blobs));
    if (!blobs)
        return false;
    in->blobs = blobs;
    in->cap = cap;
    return true;
}

enum status incoming_begin(struct incoming **incoming, struct resp_parser *parser, const char *buf,
                           size_t *len)
{
    size_t offset;
    size_t bulk_len;
    if (!resp_parser_big_bulk(parser, &offset, &bulk_len))
        return STATUS_NOT_FOUND;
    struct blob *blob = make_room(incoming) ? blob_try_new(bulk_len + LINE_END) : NULL;
    if (!blob)
        return STATUS_NOMEM;

    struct incoming *in = *incoming;
    in->blobs[in->count++] = blob;
    in->active = true;
    in->want = bulk_len + LINE_END;
    in->got = *len - offset;
    DEBUG_ASSERT(in->got < in->want);
    memcpy(blob->data, buf + offset, in->got);
    blob->len = bulk_len;
    resp_parser_detach_bulk(parser, blob->data);
    *len = offset;
    return STATUS_OK;
}

bool incoming_active(const struct incoming *incoming)
{
    return incoming && incoming->active;
}

enum status incoming_recv(struct incoming *incoming, struct conn *conn, size_t *received)
{
    struct blob *blob = incoming->blobs[incoming->count - 1];
    size_t left = incoming->want - incoming->got;
    *received = 0;
    enum status status = conn_recv(conn, blob->data + incoming->got,
                                   left < RECV_MAX ? left : RECV_MAX, received);
    if (status != STATUS_OK)
        return status;
    incoming->got += *received;
    if (incoming->got < incoming->want)
        return STATUS_AGAIN;
    incoming->active = false;
    return STATUS_OK;
}

static struct blob *find(const struct incoming *incoming, struct slice argument)
{
    for (size_t i = 0; incoming && i < incoming->count; i++) {
        if (incoming->blobs[i]->data == argument.ptr)
            return incoming->blobs[i];
    }
    return NULL;
}

bool incoming_has(const struct incoming *incoming, struct slice argument)
{
    return find(incoming, argument) != NULL;
}

struct blob *incoming_share(const struct incoming *incoming, struct slice argument)
{
    struct blob *blob = find(incoming, argument);
    if (blob)
        blob_retain(blob);
    return blob;
}

size_t incoming_bytes(const struct incoming *incoming)
{
    size_t bytes = 0;
    for (size_t i = 0; incoming && i < incoming->count; i++)
        bytes += incoming->blobs[i]->len;
    return bytes;
}

size_t incoming_memory(const struct incoming *incoming)
{
    size_t bytes = 0;
    for (size_t i = 0; incoming && i < incoming->count; i++)
        bytes += blob_memory(incoming->blobs[i]);
    return bytes;
}

void incoming_release(struct incoming **incoming)
{
    struct incoming *in = *incoming;
    if (!in)
        return;
    for (size_t i = 0; i < in->count; i++)
        blob_release(in->blobs[i]);
    mem_free(in->blobs, in->cap * sizeof(*in->blobs));
    mem_free(in, sizeof(*in));
    *incoming = NULL;
}

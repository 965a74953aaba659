// SPDX-License-Identifier: BSD-3-Clause
// A connection: a non-blocking socket, its watchers and what waits to be sent.
//
// The owner embeds it, reads when told that bytes are there, and queues replies in `out`; conn_flush()
// sends them. Write readiness is watched only after a short write.
#pragma once

#include "base/outq.h"
#include "base/status.h"
#include "net/loop.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct conn;

struct conn_ops {
    void (*readable)(struct conn *conn);  // bytes or an end of file wait
    void (*writable)(struct conn *conn);  // what was left after a short write can be sent
};

struct conn {
    const struct conn_ops *ops;
    struct loop *loop;
    struct ev_io read_watcher;
    struct ev_io write_watcher;
    struct outq out;
    int fd;  // -1 once closed
};

// Takes ownership of `fd` (made non-blocking here) and starts reading.
void conn_init(struct conn *conn, struct loop *loop, struct outq_pool *pool, int fd,
               const struct conn_ops *ops);

// Stops the watchers, closes the socket, drops what waits.
void conn_close(struct conn *conn);

// Ends the connection in the peer's eyes at once; conn_close() is still to come.
void conn_shut_down(struct conn *conn);

// Reading off and on, to hold back a client.
void conn_pause_reading(struct conn *conn);
void conn_resume_reading(struct conn *conn);

// What waits to be sent goes on waiting: the socket is not watched for room any more, until conn_flush().
void conn_pause_writing(struct conn *conn);

// Receives at most `room` bytes; `received` is set on STATUS_OK. STATUS_AGAIN: nothing there now.
// STATUS_CLOSED: the peer is done. STATUS_IO: errno is set.
MUST_CHECK enum status conn_recv(struct conn *conn, char *into, size_t room, size_t *received);

// Sends what waits, as far as the socket takes it. STATUS_OK: all sent. STATUS_AGAIN: the rest will
// be announced by ops->writable. STATUS_IO: the connection is broken. `sent` counts the bytes.
MUST_CHECK enum status conn_flush(struct conn *conn, size_t *sent);

// "ip:port", "[ip6]:port" as INFO and CLIENT LIST show it (IPv6 in brackets), or "path:0".
#define CONN_NAME_MAX 128
void conn_peer_name(const struct conn *conn, char out[CONN_NAME_MAX]);
void conn_local_name(const struct conn *conn, char out[CONN_NAME_MAX]);

// Whether the peer is on this machine: a UNIX socket or a loopback address.
bool conn_is_local(const struct conn *conn);
bool conn_is_unix(const struct conn *conn);

// Options of a TCP socket: no delay, keepalive probes after `keepalive_s` seconds (0: none).
void conn_set_tcp_options(int fd, int keepalive_s);

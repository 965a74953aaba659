// SPDX-License-Identifier: BSD-3-Clause
// Listening sockets: TCP over IPv4 and IPv6, and UNIX sockets; bounded accepts a turn.
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "net/loop.h"

struct listener;

// A new connection: the callee owns `fd` (non-blocking, close-on-exec). `is_unix` tells its kind.
typedef void (*accept_fn)(void *udata, int fd, bool is_unix);

// Connections taken in one turn of the loop by one listener; others wait in the backlog, so that a
// storm of connections does not starve the clients that are there.
#define LISTENER_ACCEPTS_PER_TURN 64

struct listener_tcp {
    const char *address;  // an IPv4 or IPv6 address or a name; "*" and "::*" are all of a family
    int port;             // 0: any free one
    int backlog;
};

// Listens on a TCP address. STATUS_IO: errno is set.
MUST_CHECK enum status listener_open_tcp(struct loop *loop, const struct listener_tcp *options,
                                         accept_fn accept, void *udata, struct listener **out);

// Listens on a UNIX socket; an old socket file at `path` is replaced. `mode` 0 leaves its
// permissions to the umask.
MUST_CHECK enum status listener_open_unix(struct loop *loop, const char *path, unsigned mode,
                                          int backlog, accept_fn accept, void *udata,
                                          struct listener **out);

// Closes the socket and, if it is a UNIX socket, removes its file.
void listener_close(struct listener *listener);

// The port really listened on, 0 for a UNIX socket.
int listener_port(const struct listener *listener);

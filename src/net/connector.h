// SPDX-License-Identifier: BSD-3-Clause
// A connection to another server: its name is looked up and its addresses are tried, one after the other, while the
// loop goes on.
//
// Numeric addresses are taken as they are. For other names a thread of its own asks the system's resolver, which may
// take many seconds; it shares nothing with the loop but a socket, so that nobody need wait for it.
#pragma once

#include "net/loop.h"

struct connector;

struct connector_options {
    const char *host;    // a name, or an IPv4 or IPv6 address
    const char *source;  // a numeric address to connect from; NULL or "": any
    int port;
};

// Connected: the callee owns `fd` (TCP, non-blocking, close-on-exec), and `reason` is NULL. Else `fd` is -1, and
// `reason` says why not. In both cases the connector is gone already.
typedef void (*connected_fn)(void *udata, int fd, const char *reason);

// `connected` is called from the loop, once, never from here. There is no time limit but the system's: who has less
// patience cancels. `options` are copied.
struct connector *connector_start(struct loop *loop, const struct connector_options *options,
                                  connected_fn connected, void *udata);

// There will be no call. NULL is fine.
void connector_cancel(struct connector *connector);

// SPDX-License-Identifier: BSD-3-Clause
// What a higher layer does for clients that are other servers.
#pragma once

#include <stddef.h>

struct client;
struct cmd_ctx;

// What a higher layer does for clients that are replicas or our primary (CLIENT_REPLICA, CLIENT_PRIMARY), or have
// a `replica`.
struct peer_hooks {
    void *udata;
    // A command of the primary's has been run, or queued. Slices of it are still valid.
    void (*ran)(void *udata, struct cmd_ctx *ctx);
    // The primary has sent so many bytes that are no command.
    void (*skipped)(void *udata, struct client *client, size_t bytes);
    // The client is about to be freed.
    void (*gone)(void *udata, struct client *client);
};

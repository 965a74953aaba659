// SPDX-License-Identifier: BSD-3-Clause
// maxmemory-clients: what all clients may hold together. Above it those that hold most are closed, but for
// those that have said CLIENT NO-EVICT ON.
#pragma once

struct client_limit;
struct server;

// Registers the directive, INFO fields and the loop hook.
struct client_limit *client_limit_new(struct server *server);
void client_limit_free(struct client_limit *limit);

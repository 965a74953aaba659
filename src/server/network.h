// SPDX-License-Identifier: BSD-3-Clause
// Where the server listens: `bind`, `port`, `unixsocket` and their kin.
#pragma once

#include "base/status.h"

#include <stdbool.h>

struct bytes;
struct network;
struct server;

struct network *network_new(struct server *server);
void network_free(struct network *network);

// Opens the sockets that the configuration asks for. An address with a leading '-' may be missing;
// any other that cannot be had is logged and fails the start.
MUST_CHECK enum status network_open(struct network *network);

// Appends INFO's lines about the listeners.
void network_describe(const struct network *network, struct bytes *out);

// Whether a UNIX socket is listened on.
bool network_has_unix(const struct network *network);

// The TCP port, 0 if there is none.
int network_port(const struct network *network);

// SPDX-License-Identifier: BSD-3-Clause
// Tracking: which client may hold which key in a cache of its own, and telling it when that has become stale
// (CLIENT TRACKING).
//
// Keys that tracking clients read are remembered in one table for all; a write makes it forget the key and
// tells who had read it. In broadcasting mode clients name prefixes instead (ds/radix) and are told of all
// keys below them, once a turn of the loop. Nothing is listened to while nobody tracks.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct cmd_ctx;
struct server;
struct tracking;

// Registers directives, INFO fields, and itself as the keyspace's listener.
struct tracking *tracking_new(struct server *server);
void tracking_free(struct tracking *tracking);

// A tracking client's command has been run: remembers the keys that it has read. For dispatch, for clients
// with CLIENT_TRACKING.
void tracking_remember(struct cmd_ctx *ctx);

// The client is going away, or RESET.
void tracking_forget(struct client *client);

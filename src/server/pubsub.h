// SPDX-License-Identifier: BSD-3-Clause
// Channels, patterns and their subscribers.
//
// A message is encoded once a protocol, into a reference-counted block that all its subscribers' output
// refers to. Patterns are found by their literal prefix (ds/radix). Shard channels are a name space of their own.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct pubsub;
struct server;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

// Registers its gate (the restricted context of RESP2), INFO fields and directives.
struct pubsub *pubsub_new(struct server *server);
void pubsub_free(struct pubsub *pubsub);

// Whether anybody listens to anything: building a message is pointless if not.
bool pubsub_heard(const struct pubsub *pubsub);

// Sends the message to the channel's subscribers and, for kind PUBSUB_CHANNEL, to those of patterns that
// match it; returns how many were sent. O(subscribers + length of the channel's name).
size_t pubsub_publish(struct pubsub *pubsub, enum pubsub_kind kind, struct slice channel,
                      struct slice message);

// False: the client had (or had not) subscribed to it.
bool pubsub_subscribe(struct client *client, enum pubsub_kind kind, struct slice name);
bool pubsub_unsubscribe(struct client *client, enum pubsub_kind kind, struct slice name);

// How many of the kind the client has subscribed to.
size_t pubsub_count(const struct client *client, enum pubsub_kind kind);

// Ends all subscriptions: the client is going away, or RESET.
void pubsub_forget(struct client *client);

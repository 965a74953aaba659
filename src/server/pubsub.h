// SPDX-License-Identifier: BSD-3-Clause
// Channels, patterns and their subscribers.
//
// A message is encoded once a protocol, into a reference-counted block that all its subscribers' output
// refers to. Patterns are found by their literal prefix (ds/radix). Shard channels are a name space of their own.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct pubsub;
struct server;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

// Registers its gate (the restricted context of RESP2) and INFO fields.
struct pubsub *pubsub_new(struct server *server);
void pubsub_free(struct pubsub *pubsub);

// Whether anybody listens to anything: building a message is pointless if not.
bool pubsub_heard(const struct pubsub *pubsub);

// Sends the message to the channel's subscribers and, for kind PUBSUB_CHANNEL, to those of patterns that
// match it; returns how many they were, or -1: there is no memory for a message of this size, and not all
// of them got it. O(subscribers + length of the channel's name).
int64_t pubsub_publish(struct pubsub *pubsub, enum pubsub_kind kind, struct slice channel,
                       struct slice message);

// Subscribes the client, if it had not; STATUS_NOMEM: it could not be.
MUST_CHECK enum status pubsub_subscribe(struct client *client, enum pubsub_kind kind,
                                        struct slice name);
// False: it had not subscribed to it. The name may be one that pubsub_first() has returned. O(1).
bool pubsub_unsubscribe(struct client *client, enum pubsub_kind kind, struct slice name);

// How many of the kind the client has subscribed to, and the earliest of them (false: to none); the
// name is valid until it unsubscribes.
size_t pubsub_count(const struct client *client, enum pubsub_kind kind);
bool pubsub_first(const struct client *client, enum pubsub_kind kind, struct slice *name);

// Ends all subscriptions: the client is going away, or RESET.
void pubsub_forget(struct client *client);

// The client speaks another protocol now: the restricted context is RESP2's.
void pubsub_proto_changed(struct client *client);

// Bytes that the client's subscriptions take.
size_t pubsub_memory(const struct client *client);

// How many names of the kind have a subscriber; how many subscribers this one has; all of them.
size_t pubsub_names(const struct pubsub *pubsub, enum pubsub_kind kind);
size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct slice name);
void pubsub_each_name(const struct pubsub *pubsub, enum pubsub_kind kind,
                      void (*visit)(struct slice name, void *udata), void *udata);

// SPDX-License-Identifier: BSD-3-Clause
// Keyspace notifications: what happens to keys, as messages on channels (notify-keyspace-events).
//
// A handler tells which event of which class happened to its key when it says that it was written or removed
// (ctx_written() and its kin); while nobody has asked for the class, that costs one test. Expired and evicted
// keys, misses and new keys come from the keyspace itself, which is not listened to either while nobody has.
#pragma once

#include "base/bytes.h"

#include <stdint.h>

// The classes, by their letters in the directive.
enum notify_class {
    NOTIFY_KEYSPACE = 1u << 0,   // K
    NOTIFY_KEYEVENT = 1u << 1,   // E
    NOTIFY_GENERIC = 1u << 2,    // g
    NOTIFY_STRING = 1u << 3,     // $
    NOTIFY_LIST = 1u << 4,       // l
    NOTIFY_SET = 1u << 5,        // s
    NOTIFY_HASH = 1u << 6,       // h
    NOTIFY_ZSET = 1u << 7,       // z
    NOTIFY_EXPIRED = 1u << 8,    // x
    NOTIFY_EVICTED = 1u << 9,    // e
    NOTIFY_STREAM = 1u << 10,    // t
    NOTIFY_KEY_MISS = 1u << 11,  // m
    NOTIFY_MODULE = 1u << 12,    // d
    NOTIFY_NEW = 1u << 13,       // n
};

struct notifications;
struct server;

// Registers the directive, and itself as the keyspace's listener.
struct notifications *notifications_new(struct server *server);
void notifications_free(struct notifications *notifications);

// Whether anybody has subscribed to anything (pubsub_heard()) has changed, or the directive: settles which
// classes are told of at all, in server->notified. O(1).
void notifications_settle(struct notifications *notifications);

// Sends the event to __keyspace@DB__:KEY and __keyevent@DB__:EVENT, as far as the directive wants it. To be
// called for classes in server->notified.
void notifications_send(struct notifications *notifications, const char *event, struct slice key,
                        int db);

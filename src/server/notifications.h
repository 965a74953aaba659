// SPDX-License-Identifier: BSD-3-Clause
// Keyspace notifications: what happens to keys, as messages on channels (notify-keyspace-events).
//
// A handler tells which event of which class happened to which of its keys; while nobody has asked for the
// class, that costs one test. Expired and evicted keys, misses and new keys come from the keyspace itself.
#pragma once

#include "base/panic.h"
#include "server/ctx.h"
#include "server/server.h"

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

// Registers the directive, and itself as the keyspace's listener.
struct notifications *notifications_new(struct server *server);
void notifications_free(struct notifications *notifications);

// Sends the event to __keyspace@DB__:KEY and __keyevent@DB__:EVENT, as far as the directive wants it.
void notifications_send(struct server *server, uint32_t class, const char *event, struct slice key,
                        int db);

// For a handler: `event` happened to keys[i], in the client's database.
static inline void ctx_notify(struct cmd_ctx *ctx, uint32_t i, uint32_t class, const char *event)
{
    if (unlikely(ctx->server->notified & class))
        notifications_send(ctx->server, class, event, key_slice(&ctx->keys[i]), ctx->db->id);
}

// SPDX-License-Identifier: BSD-3-Clause
// A client connection of the runner: sends bytes, reads replies, never waits for ever.
#pragma once

#include "reply.h"

#include <stdint.h>

struct connection {
    int fd;  // -1: not open
    struct buffer in;
    size_t pos;  // what of `in` has been read
};

enum fetch_result {
    FETCH_REPLY,
    FETCH_CLOSED,   // the server closed the connection, and no bytes are left
    FETCH_TIMEOUT,  // no whole reply came
    FETCH_BAD,      // what came is no reply
};

int64_t now_ms(void);  // monotonic

// To a UNIX socket; with `path` NULL to a port of 127.0.0.1. False: errno says why.
bool connection_open(struct connection *c, const char *path, int port);
void connection_close(struct connection *c);

// False: not all could be sent. A server that has closed the connection is no failure here.
bool connection_send(struct connection *c, struct span bytes, int timeout_ms);

// The next reply; its spans live in the arena.
enum fetch_result connection_fetch(struct connection *c, struct arena *arena, int timeout_ms,
                                   struct reply *out);

// Waits for bytes that are no reply: FETCH_REPLY if connection_unread() may have more, FETCH_CLOSED or FETCH_TIMEOUT.
enum fetch_result connection_receive(struct connection *c, int64_t until_ms);

// What has arrived and has not been read.
struct span connection_unread(const struct connection *c);

// Appends a command as an array of bulk strings.
void command_append(struct buffer *out, const struct span *argv, size_t argc);

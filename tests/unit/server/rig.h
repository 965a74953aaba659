// SPDX-License-Identifier: BSD-3-Clause
// Talking to a server inside the test (rig_server.h): what is sent, and what must come back.
#pragma once

#include "unit/server/rig_server.h"

// Turns that anything may take.
#define RIG_PATIENCE 20000

// Longest text that can be expected.
#define RIG_TEXT_MAX 65536

// Sends all of it, turning the loop when the socket is full.
static inline void rig_send(int fd, const void *bytes, size_t len)
{
    const char *from = bytes;
    for (int turns = 0; len > 0; turns++) {
        ssize_t sent = send(fd, from, len, MSG_NOSIGNAL);
        if (sent > 0) {
            from += sent;
            len -= (size_t)sent;
            continue;
        }
        EXPECT(errno == EAGAIN && turns < RIG_PATIENCE);
        rig_turn();
    }
}

static inline void rig_say(int fd, const char *text)
{
    rig_send(fd, text, strlen(text));
}

// Waits for `len` bytes.
static inline void rig_receive(int fd, char *out, size_t len)
{
    size_t at = 0;
    for (int turns = 0; at < len; turns++) {
        ssize_t got = recv(fd, out + at, len - at, 0);
        if (got > 0) {
            at += (size_t)got;
            continue;
        }
        if (got == 0)
            ck_abort_msg("closed after %zu of %zu bytes: %.*s", at, len, (int)at, out);
        if (turns >= RIG_PATIENCE)
            ck_abort_msg("waited in vain: %zu of %zu bytes: %.*s", at, len, (int)at, out);
        rig_turn();
    }
}

// The next bytes that arrive are these.
static inline void rig_expect(int fd, const char *want)
{
    char got[RIG_TEXT_MAX + 1];
    size_t len = strlen(want);
    ck_assert_uint_le(len, RIG_TEXT_MAX);
    rig_receive(fd, got, len);
    got[len] = '\0';
    if (memcmp(got, want, len) != 0)
        ck_assert_str_eq(got, want);
}

static inline void rig_ask(int fd, const char *request, const char *want)
{
    rig_say(fd, request);
    rig_expect(fd, want);
}

// Nothing more has arrived and, after some turns, nothing does.
static inline void rig_expect_silence(int fd)
{
    char byte;
    rig_turns(5);
    ssize_t got = recv(fd, &byte, 1, 0);
    ck_assert_msg(got < 0 && errno == EAGAIN, "%s", got == 0 ? "closed" : "more has arrived");
}

// Nothing more arrives but the end of the connection.
static inline void rig_expect_closed(int fd)
{
    char byte;
    for (int turns = 0; turns < RIG_PATIENCE; turns++) {
        ssize_t got = recv(fd, &byte, 1, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return;
        ck_assert_msg(got < 0, "not closed: more has arrived");
        rig_turn();
    }
    ck_abort_msg("not closed");
}

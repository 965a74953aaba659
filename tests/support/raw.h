// SPDX-License-Identifier: BSD-3-Clause
// Talking to a test's server over a plain socket, where each byte matters.
//
// Each expectation fails the test with the place of the call, what was wanted and what came.
#pragma once

#include "support/client.h"

// A connected socket; reads and writes fail the test when they take too long. close() ends it.
int raw_connect(const struct test_server *server);
int raw_connect_unix(const struct test_server *server);

// Connects to an address of this machine; -1 with errno when that fails.
int raw_connect_to(const char *address, int port);

// Sends all of it.
void raw_send(int fd, const void *bytes, size_t len);
void raw_text(int fd, const char *text);

// Sends what the socket takes, without waiting; returns how much (0: nothing, -1: broken).
ssize_t raw_send_some(int fd, const void *bytes, size_t len);

// Sends the words, separated by blanks, as a RESP array. A word in double quotes may be empty and
// may hold blanks.
void raw_words(int fd, const char *words);

// The next bytes are these.
#define raw_expect(fd, want)            raw_expect_at(WHERE, fd, want, strlen(want))
#define raw_expect_bytes(fd, want, len) raw_expect_at(WHERE, fd, want, len)
void raw_expect_at(const char *where, int fd, const void *want, size_t len);

// raw_words(), then the reply is exactly this and nothing more.
#define raw_ask(fd, words, want) raw_ask_at(WHERE, fd, words, want)
void raw_ask_at(const char *where, int fd, const char *words, const char *want);

// The peer has closed the connection, or does; nothing more arrives.
#define raw_expect_closed(fd) raw_expect_closed_at(WHERE, fd)
void raw_expect_closed_at(const char *where, int fd);

// Nothing has arrived.
#define raw_expect_nothing(fd) raw_expect_nothing_at(WHERE, fd)
void raw_expect_nothing_at(const char *where, int fd);

// One line, without its CRLF, as text.
void raw_line(int fd, char *out, size_t room);

// Reads `len` bytes and drops them.
void raw_skip(int fd, size_t len);

// Reads what is there, waiting for the first byte: 0 when the connection is closed.
size_t raw_read(int fd, void *out, size_t room);

// Reads until the connection is closed; the text is in `out`.
void raw_read_all(int fd, char *out, size_t room);

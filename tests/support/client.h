// SPDX-License-Identifier: BSD-3-Clause
// Talking to a test's server with hiredis (RESP2): commands and what they must answer.
//
// Each expectation fails the test with the place of the call, what was wanted and what came.
#pragma once

#include "support/server.h"

#include <hiredis/hiredis.h>

#define WHERE_TEXT(line) #line
#define WHERE_LINE(line) WHERE_TEXT(line)
#define WHERE            __FILE__ ":" WHERE_LINE(__LINE__)

// A new connection over TCP, or the UNIX socket. redisFree() ends it.
redisContext *client_connect(const struct test_server *server);
redisContext *client_connect_unix(const struct test_server *server);

// Sends a command (format as redisCommand) and returns its reply, which is never NULL.
#define client_ask(c, ...) client_ask_at(WHERE, c, __VA_ARGS__)
redisReply *client_ask_at(const char *where, redisContext *c, const char *format, ...);

// Reads the next reply of a pipeline.
#define client_next(c) client_next_at(WHERE, c)
redisReply *client_next_at(const char *where, redisContext *c);

// expect_ok(c, "SET %s %d", "a", 1) and so on: the reply's type and value.
#define expect_ok(c, ...)           expect_status(c, "OK", __VA_ARGS__)
#define expect_status(c, want, ...) expect_text_at(WHERE, c, REDIS_REPLY_STATUS, want, __VA_ARGS__)
#define expect_error(c, want, ...)  expect_text_at(WHERE, c, REDIS_REPLY_ERROR, want, __VA_ARGS__)
#define expect_text(c, want, ...)   expect_text_at(WHERE, c, REDIS_REPLY_STRING, want, __VA_ARGS__)
#define expect_nil(c, ...)          expect_text_at(WHERE, c, REDIS_REPLY_NIL, "", __VA_ARGS__)
void expect_text_at(const char *where, redisContext *c, int type, const char *want,
                    const char *format, ...);

#define expect_int(c, want, ...) expect_int_at(WHERE, c, want, __VA_ARGS__)
void expect_int_at(const char *where, redisContext *c, long long want, const char *format, ...);

// A time to live, of which a slow machine may have used up some.
#define expect_ttl(c, want, ...) expect_ttl_at(WHERE, c, want, __VA_ARGS__)
void expect_ttl_at(const char *where, redisContext *c, long long want, const char *format, ...);

// An array of texts, given as one text with a blank between them; "(nil)" stands for a null.
#define expect_list(c, want, ...) expect_list_at(WHERE, c, want, __VA_ARGS__)
void expect_list_at(const char *where, redisContext *c, const char *want, const char *format, ...);

// The number that a command answers.
#define client_int(c, ...) client_int_at(WHERE, c, __VA_ARGS__)
long long client_int_at(const char *where, redisContext *c, const char *format, ...);

// The text that a command answers, as far as there is room.
#define client_text(c, out, room, ...) client_text_at(WHERE, c, out, room, __VA_ARGS__)
void client_text_at(const char *where, redisContext *c, char *out, size_t room, const char *format,
                    ...);

// Sets `count` keys "<prefix>0", "<prefix>1", ... to their own number, pipelined.
void client_fill(redisContext *c, const char *prefix, int count);

// A server with its defaults and a connection to it, for test cases that need nothing else: a
// checked fixture.
struct test_server *plain_server(void);
redisContext *plain(void);

// Adds a test case with that fixture and a time limit that suits sanitizers.
TCase *plain_tcase(Suite *suite, const char *name);

// Adds a test case whose tests start their own servers.
TCase *server_tcase(Suite *suite, const char *name);

// SPDX-License-Identifier: BSD-3-Clause
// A server that data moves into or out of: started in a folder, filled, asked, ended.
#pragma once

#include "../runner/server.h"

// For one reply, under sanitizers and on a busy machine.
#define REPLY_TIMEOUT_MS 60000

struct host {
    struct server server;
    struct connection c;
    struct buffer pending;  // commands that have not been sent
    size_t owed;            // replies to them
    struct arena arena;     // of the last reply
};

// Starts a server on what lies in the folder, with options in one line (words.h). False: `why` says why.
bool host_start(struct host *host, enum side side, const char *dir, const char *options,
                struct buffer *why);
// Ends it by SHUTDOWN NOSAVE. False: it didn't end well.
bool host_stop(struct host *host, struct buffer *why);

// Queues a command by its arguments' number and then each of them, or as a line. Ends the program if a reply
// is an error: what is fed is known to be well.
void host_begin(struct host *host, size_t argc);
void host_word(struct host *host, struct span word);
void host_feed(struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Sends what is queued, and reads the replies.
void host_flush(struct host *host);

// Sends a line, or what is queued, and gives the (first) reply, which lives until the next one is asked for.
const struct reply *host_ask(struct host *host, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const struct reply *host_ask_queued(struct host *host);
// The next of several replies; it lives in the arena.
void host_next(struct host *host, struct arena *arena, struct reply *out);

// Asks until the reply's text has this in it. False: it never had.
bool host_until(struct host *host, const char *wanted, const char *command);

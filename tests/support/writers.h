// SPDX-License-Identifier: BSD-3-Clause
// Clients that write until their server is killed, and know what was acknowledged: after the restart, what
// is missing?
//
// Each has a thread and keys of its own, and counts: a counter, a list of the numbers so far, a transaction that counts
// two keys and appends to a list, or a counter and a text in pipelines of several. What a server has
// after a restart is the first so many of a writer's writes, or it is wrong. A writer whose write is refused goes on from what
// the server has.
#pragma once

#include "support/client.h"

#include <pthread.h>
#include <stdatomic.h>

#define WRITERS      4
#define ACK_TIMES    65536  // the last so many are remembered
#define PROBLEM_ROOM 512

struct writer {
    int id;
    struct writers *all;
    pthread_t thread;
    long long sent;                // the last write that was sent
    long long acked;               // the last one that was answered
    long long promised;            // the last one that was answered while there was a promise
    unsigned long long *acked_ns;  // when, of each number modulo ACK_TIMES
};

struct writers {
    const struct test_server *server;
    char socket_path[SERVER_PATH_MAX];  // of a server that may be gone when a thread gets to it
    struct writer writers[WRITERS];
    // Odd while the server promises that what it answers will be kept.
    atomic_uint epoch;
};

// What is missing after a restart.
struct writers_loss {
    long long missing;            // promised writes, of all writers
    unsigned long long since_ns;  // when the first of them was acknowledged
    // What must never be: a torn transaction, a hole, numbers that were never sent. Empty: nothing of that kind.
    char problem[PROBLEM_ROOM];
};

// What is done to the server meanwhile.
enum disturbance {
    DO_NOTHING,
    DO_REWRITE,
    DO_BGSAVE,
    DO_REWRITE_AND_SAVE,
    DO_SAVE,
    DO_TURN_OFF,         // appendonly
    DO_TURN_OFF_AND_ON,  // and wait until there is a promise again
    DO_TURN_ALMOST_ON,   // and not
    DO_CHANGE_POLICY,    // appendfsync, and back to always
    DISTURBANCES,
};

// There is a promise from the start.
void writers_init(struct writers *writers);
void writers_free(struct writers *writers);

// Looks at what a server that has just started has, and takes that for the new state. Writers don't run.
void writers_check(struct writers *writers, const struct test_server *server,
                   struct writers_loss *out);

// Lets them write; they end when their connection does, not when the server refuses writes.
void writers_run(struct writers *writers, const struct test_server *server);
void writers_join(struct writers *writers);

// From now on what is answered counts as promised, or doesn't.
void writers_promise(struct writers *writers, bool promised);

// The promise follows from what is done.
void writers_disturb(struct writers *writers, redisContext *c, enum disturbance what);

// Writes that were acknowledged, of all writers; they may run.
long long writers_acked(const struct writers *writers);

// SPDX-License-Identifier: BSD-3-Clause
// What a replica says to its primary on a new connection, up to the answer to PSYNC.
//
//   PING; AUTH; REPLCONF listening-port, ip-address, capa; PSYNC, or SYNC where that is not known
//
// All after PING goes out together, but for PSYNC, which comes when everything has been answered. Answers are taken
// from the socket line by line: what stands behind the last one is somebody else's.
#pragma once

#include "net/readable.h"
#include "repl/repl_internal.h"

enum handshake_result {
    HANDSHAKE_FULL,      // a data set follows, as of `offset` of history `id`
    HANDSHAKE_OLD,       // a data set follows, and nothing is known of its history
    HANDSHAKE_CONTINUE,  // the stream follows, from where we are
    HANDSHAKE_FAILED,    // `reason`
};

#define HANDSHAKE_LINE_MAX 1024

struct handshake_answer {
    enum handshake_result result;
    char id[RUN_ID_LEN + 1];  // "": of the history that was offered
    uint64_t offset;
    char reason[HANDSHAKE_LINE_MAX + 128];
};

struct handshake;
typedef void (*handshake_fn)(void *udata, const struct handshake_answer *answer);

struct handshake {
    struct repl *repl;
    struct readable readable;
    handshake_fn answered;
    void *udata;
    int fd;
    int step;           // enum step of handshake.c: whose answer is awaited
    uint32_t sent;      // steps, as bits
    bool offers;        // PSYNC names our history
    bool hands_over;    // and asks the peer to be the primary from now on
    uint64_t heard_us;  // when the last byte came; monotonic
    char line[HANDSHAKE_LINE_MAX];
    size_t line_len;
};

// What PSYNC is to say.
enum handshake_wish {
    HANDSHAKE_ASKS_ALL,
    HANDSHAKE_OFFERS,      // the history that we have
    HANDSHAKE_HANDS_OVER,  // the same, and that the peer shall be the primary from now on; never SYNC
};

// Begins on a connected socket, which stays the caller's. `answered` is called once, from the loop.
void handshake_begin(struct handshake *handshake, struct repl *repl, int fd,
                     enum handshake_wish wish, handshake_fn answered, void *udata);

// No call any more; also behind the one that came. The socket is as it is.
void handshake_stop(struct handshake *handshake);

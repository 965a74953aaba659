// SPDX-License-Identifier: BSD-3-Clause
// The link to our primary, for the files that make it: the connection (link.c), what is applied (apply.c) and what is
// told of it (link_info.c).
#pragma once

#include "base/log.h"
#include "net/alarm.h"
#include "repl/handshake.h"
#include "repl/receive.h"
#include "repl/repl_internal.h"

struct connector;

enum link_state {
    LINK_WAITING,     // for the next try: "connect"
    LINK_CONNECTING,  // "connecting"
    LINK_TALKING,     // the handshake: "handshake"
    LINK_RECEIVING,   // a data set, from the next turn on: "sync"
    LINK_UP,          // "connected"
};

// The history was there when the effects were here; both are to be on the disk.
struct link_mark {
    uint64_t offset;
    uint64_t effects_offset;
};

#define LINK_MARKS_MAX 4

struct link {
    struct repl *repl;
    enum link_state state;
    struct connector *connector;  // LINK_CONNECTING
    struct handshake handshake;   // LINK_TALKING
    struct receive receive;       // LINK_RECEIVING
    struct client *client;        // LINK_UP
    int fd;                       // from LINK_TALKING on, until a client owns it; -1
    bool receiving;               // receive_run() runs
    bool abandoned;               // freed meanwhile: by whoever called it
    bool accepts_empty;   // an administrator wants what the primary has, even if that is nothing
    bool refused;         // until then, unless its history is one of ours, its data are not taken
    bool distrusted;      // what we have may not be what its history says: not offered
    bool hands_over;      // the peer is to become the primary: one try (failover.h)
    bool old_protocol;    // SYNC: there are no offsets that it would know
    struct alarm alarm;   // the next second, or the next try
    uint64_t begun_us;    // this state; monotonic, as all of these
    uint64_t said_us;     // the last line about failed tries
    uint64_t hurried_us;  // the last try at once
    uint64_t failures;    // since the link was up, or began
    char primary_id[RUN_ID_LEN + 1];  // as FULLRESYNC said
    uint64_t primary_offset;
    struct bytes transaction;                // what it has sent of one that is not over
    struct link_mark marks[LINK_MARKS_MAX];  // the oldest first: not yet on the disk
    unsigned mark_count;
    uint64_t offset_on_disk;
    struct log_limit errors;  // that commands of the primary have got
};

// When the last byte came, of what is under way; monotonic.
uint64_t link_heard_us(const struct link *link);

// Tells the primary how far we are. Nothing happens unless the link is up.
void link_acknowledge(struct link *link);

// The primary has sent what can't be run: the connection is closed, and only a whole data set will do.
void link_distrust(struct link *link);

// SPDX-License-Identifier: BSD-3-Clause
// What is unusual about a client, as bits.
#pragma once

enum client_flag {
    CLIENT_CLOSING = 1u << 0,            // will be freed before the loop sleeps
    CLIENT_CLOSE_AFTER_REPLY = 1u << 1,  // no more commands; closed when the replies are out
    CLIENT_UNIX = 1u << 2,
    CLIENT_AUTHENTICATED = 1u << 3,
    CLIENT_HELD = 1u << 4,        // what it has sent waits (batch_hold)
    CLIENT_REPLY_OFF = 1u << 5,   // CLIENT REPLY OFF
    CLIENT_REPLY_SKIP = 1u << 6,  // the next command's reply is not sent
    CLIENT_NO_TOUCH = 1u << 7,    // its commands leave access clocks as they are
    CLIENT_NO_EVICT = 1u << 8,    // not to be closed to save memory
    CLIENT_MONITOR = 1u << 9,
    CLIENT_SUBSCRIBED = 1u << 10,  // has subscribed to something
    CLIENT_MULTI = 1u << 11,       // inside a transaction
    CLIENT_TOUCHED = 1u << 13,     // a key that it watched has been touched
    CLIENT_TRACKING = 1u << 12,    // is told what became stale in its cache
    CLIENT_PARKED = 1u << 14,      // its replies wait until its writes are durable (batch_park)
    CLIENT_REPLICA = 1u << 15,     // the peer is a replica of ours: repl/ feeds it
    CLIENT_PRIMARY =
        1u << 16,              // the peer is our primary: what it sends is obeyed, and not answered
    CLIENT_CORKED = 1u << 17,  // what waits to be sent goes on waiting (client_uncork)
};

// Flags that a command's way has to look at.
#define CLIENT_UNUSUAL                                                                  \
    (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY | CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | \
     CLIENT_NO_TOUCH | CLIENT_PRIMARY | CLIENT_REPLICA)

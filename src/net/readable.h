// SPDX-License-Identifier: BSD-3-Clause
// A descriptor that is not a connection (a pipe): a call whenever it can be read. Its owner embeds it.
#pragma once

#include "net/loop.h"

#include <ev.h>

struct readable {
    struct ev_io watcher;
    struct loop *loop;
    loop_fn fn;
    void *udata;
};

// Calls `fn` while there is something to be read, or the other end is closed.
void readable_start(struct readable *readable, struct loop *loop, int fd, loop_fn fn, void *udata);

// Before the descriptor is closed.
void readable_stop(struct readable *readable);

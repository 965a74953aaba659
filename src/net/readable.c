// SPDX-License-Identifier: BSD-3-Clause
// A descriptor that can be read: see readable.h.
#include "net/readable.h"

static void on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct readable *readable = watcher->data;
    readable->fn(readable->udata);
}

void readable_start(struct readable *readable, struct loop *loop, int fd, loop_fn fn, void *udata)
{
    readable->loop = loop;
    readable->fn = fn;
    readable->udata = udata;
    ev_io_init(&readable->watcher, on_readable, fd, EV_READ);
    readable->watcher.data = readable;
    ev_io_start(loop_ev(loop), &readable->watcher);
}

void readable_stop(struct readable *readable)
{
    ev_io_stop(loop_ev(readable->loop), &readable->watcher);
}

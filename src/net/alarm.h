// SPDX-License-Identifier: BSD-3-Clause
// A call at a later time, once. Its owner embeds it; setting and clearing are O(log alarms).
#pragma once

#include "net/loop.h"

#include <ev.h>
#include <stdint.h>

struct alarm {
    struct ev_timer watcher;
    struct loop *loop;
    loop_fn fn;
    void *udata;
};

// Not set yet.
void alarm_init(struct alarm *alarm, struct loop *loop, loop_fn fn, void *udata);

// Calls `fn` in `delay_ms` from now, never earlier; an earlier setting is forgotten.
void alarm_set(struct alarm *alarm, int64_t delay_ms);

// No call any more.
void alarm_clear(struct alarm *alarm);

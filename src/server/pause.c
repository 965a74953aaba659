// SPDX-License-Identifier: BSD-3-Clause
// Pausing clients: see pause.h.
#include "server/pause.h"

#include "base/clock.h"
#include "base/memory.h"
#include "server/batch.h"
#include "server/cron.h"
#include "server/registry.h"
#include "server/server.h"

struct pause {
    struct server *server;
    uint32_t write_gate;
    uint32_t all_gate;
    int64_t end_ms;
};

static bool may_write(const struct command *row)
{
    return row->flags & (CMD_WRITE | CMD_MAY_REPLICATE);
}

static bool any(const struct command *row)
{
    (void)row;
    return true;
}

bool pause_is_on(const struct pause *pause)
{
    return pause->server->holds & (pause->write_gate | pause->all_gate);
}

static void end_when_due(void *udata)
{
    struct pause *pause = udata;
    if (pause_is_on(pause) && clock_wall_ms() >= pause->end_ms)
        pause_end(pause);
}

struct pause *pause_new(struct server *server)
{
    struct pause *pause = mem_alloc_zeroed(sizeof(*pause));
    pause->server = server;
    pause->write_gate = registry_add_gate(server->registry, may_write, NULL);
    pause->all_gate = registry_add_gate(server->registry, any, NULL);
    cron_add(server->cron, 0, end_when_due, pause);
    return pause;
}

void pause_free(struct pause *pause)
{
    mem_free(pause, sizeof(*pause));
}

void pause_begin(struct pause *pause, int64_t end_ms, bool all)
{
    if (end_ms <= clock_wall_ms())
        return;
    if (!pause_is_on(pause) || end_ms > pause->end_ms)
        pause->end_ms = end_ms;
    pause->server->holds |= all ? pause->all_gate : pause->write_gate;
}

void pause_end(struct pause *pause)
{
    pause->server->holds &= ~(pause->write_gate | pause->all_gate);
    batch_resume_held(pause->server->batch);
}

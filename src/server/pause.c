// SPDX-License-Identifier: BSD-3-Clause
// Pausing clients: see pause.h.
#include "server/pause.h"

#include "base/clock.h"
#include "base/memory.h"
#include "server/batch.h"
#include "server/cron.h"
#include "server/registry.h"
#include "server/server.h"
#include "store/expire.h"
#include "store/keyspace.h"

struct pause {
    struct server *server;
    uint32_t write_gate;
    uint32_t all_gate;
    struct {
        uint32_t gates;  // of the two; 0: no pause
        int64_t end_ms;
    } reasons[PAUSE_REASONS];
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

static void update(struct pause *pause)
{
    struct server *server = pause->server;
    uint32_t before = server->holds;
    server->holds &= ~(pause->write_gate | pause->all_gate);
    uint32_t gates = 0;
    for (int i = 0; i < PAUSE_REASONS; i++)
        gates |= pause->reasons[i].gates;
    server->holds |= gates;
    if (gates)
        server->keyspace->expire_passively |= EXPIRE_PASSIVELY_PAUSED;
    else
        server->keyspace->expire_passively &= (uint8_t)~EXPIRE_PASSIVELY_PAUSED;
    if (before & ~server->holds)
        batch_resume_held(server->batch);
}

static void end_when_due(void *udata)
{
    struct pause *pause = udata;
    for (enum pause_reason reason = 0; reason < PAUSE_REASONS; reason++) {
        if (pause->reasons[reason].gates && clock_wall_ms() >= pause->reasons[reason].end_ms)
            pause_end(pause, reason);
    }
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

void pause_begin(struct pause *pause, enum pause_reason reason, int64_t end_ms, bool all)
{
    if (end_ms <= clock_wall_ms())
        return;
    if (!pause->reasons[reason].gates || end_ms > pause->reasons[reason].end_ms)
        pause->reasons[reason].end_ms = end_ms;
    pause->reasons[reason].gates |= all ? pause->all_gate : pause->write_gate;
    update(pause);
}

void pause_end(struct pause *pause, enum pause_reason reason)
{
    pause->reasons[reason].gates = 0;
    update(pause);
}

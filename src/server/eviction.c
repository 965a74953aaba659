// SPDX-License-Identifier: BSD-3-Clause
// The memory limit: see eviction.h.
//
// The gate is shut while there is a limit, not only near it: one command may ask for half a gigabyte
// (SETRANGE), and a turn may run thousands.
//
// Memory may not pass the ceiling: the limit, or, after the limit was lowered below what is used, what is
// used now, which goes down from turn to turn. A write that finds more in use evicts first, for a bounded
// time. If that was not enough it runs all the same, but from then on writes wait at the gate
// (server/batch.h) until memory is back at the ceiling: that is how memory stays in bounds whatever a
// command brings, and other commands are served meanwhile. Those that had been parsed by then can't wait
// any more: they may bring a little, and are refused beyond it.
#include "server/eviction.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "net/loop.h"
#include "server/batch.h"
#include "server/config.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/latency.h"
#include "server/registry.h"
#include "server/server.h"
#include "store/evict.h"
#include "store/keyspace.h"

// Evictions between two looks at the clock, and a slice of freeing.
#define STEPS_A_READ 16
#define RECLAIM_US   20

// maxmemory-eviction-tenacity: so long in a row for each up to 10, twice as long for every five above, and
// without end.
#define TENACITY_US      50
#define TENACITY_USUAL   10
#define TENACITY_DOUBLES 5
#define TENACITY_NO_END  100

// A write may take longer for what it brings itself: a microsecond for each so many bytes, of at most so many.
#define BYTES_A_US    256
#define BROUGHT_BYTES (UINT64_C(2) << 20)

// Above the ceiling by this much between two turns (large arguments on their way, replies that nobody reads),
// writes wait.
#define SLACK_BYTES (UINT64_C(1) << 20)

// What writes may bring that should wait and can't.
#define LATE_BYTES (UINT64_C(2) << 20)

// What may be spent on remembering evicted keys: a part of the limit, and never so much that it takes long
// to zero.
#define GHOST_PART      256
#define GHOST_MAX_BYTES (UINT64_C(16) << 20)

// Below this a limit is probably meant to have a unit.
#define ODD_LIMIT_BYTES (1 << 20)

struct eviction {
    struct server *server;
    struct evict evict;
    struct loop_waker waker;
    uint32_t gate;
    uint64_t ceiling_bytes;  // that writes have to stay below
    bool lowered;            // below what is used: the ceiling is still to be found
    uint32_t paused;         // reasons
    uint64_t late_bytes;     // while writes wait: from here on those that can't are refused
    uint64_t exceeded_since_us;
    uint64_t exceeded_us;
    // Directives.
    int64_t limit_bytes;
    int policy;
    int64_t samples;
    int64_t tenacity;
    int64_t lfu_log_factor;
    int64_t lfu_decay_min;
};

enum room {
    ROOM_MADE,
    ROOM_LATER,  // time is over
    ROOM_NONE,   // there is nothing to evict
};

// What counts against the limit.
static size_t used_bytes(const struct eviction *eviction)
{
    size_t used = mem_used();
    size_t apart = eviction->server->repl_buffer_bytes;
    return used > apart ? used - apart : 0;
}

// --- Making room --------------------------------------------------------------------------------

static uint64_t budget_us(const struct eviction *eviction)
{
    if (eviction->tenacity == TENACITY_NO_END)
        return UINT64_MAX / 2;
    if (eviction->tenacity <= TENACITY_USUAL)
        return (uint64_t)eviction->tenacity * TENACITY_US;
    uint64_t doubles = (uint64_t)(eviction->tenacity - TENACITY_USUAL) / TENACITY_DOUBLES;
    return (uint64_t)TENACITY_USUAL * TENACITY_US << doubles;
}

static enum evict_result evict_watched(struct eviction *eviction)
{
    struct server *server = eviction->server;
    bool watched = latency_threshold_ms(server->latency) != UINT64_MAX;
    if (likely(!watched))
        return evict_one(&eviction->evict, server->keyspace);
    uint64_t start_us = clock_mono_us_now();
    enum evict_result result = evict_one(&eviction->evict, server->keyspace);
    latency_note(server, "eviction-del", (clock_mono_us_now() - start_us) / 1000);
    return result;
}

// Until no more than `goal_bytes` are used. What is being freed counts as freed: its memory comes first, and
// as long as there is some of it nothing else has to go.
static enum room make_room(struct eviction *eviction, uint64_t goal_bytes, uint64_t extra_us)
{
    struct keyspace *keyspace = eviction->server->keyspace;
    uint64_t end_us = 0;
    for (unsigned steps = 1; used_bytes(eviction) > goal_bytes; steps++) {
        bool reclaimed = reclaim_pending(&keyspace->reclaim);
        if (reclaimed)
            reclaim_some(keyspace, RECLAIM_US);
        else if (evict_watched(eviction) == EVICT_NO_KEYS)
            return ROOM_NONE;
        if (steps % STEPS_A_READ != 0 && !reclaimed)
            continue;
        uint64_t now_us = clock_mono_us_now();
        if (end_us == 0)
            end_us = now_us + budget_us(eviction) + extra_us;
        if (now_us >= end_us)
            return ROOM_LATER;
    }
    return ROOM_MADE;
}

static void note_exceeded(struct eviction *eviction, bool exceeded)
{
    if (!exceeded == !eviction->exceeded_since_us)
        return;
    uint64_t now_us = clock_mono_us_now();
    if (!exceeded)
        eviction->exceeded_us += now_us - eviction->exceeded_since_us;
    eviction->exceeded_since_us = exceeded ? now_us : 0;
}

static bool writes_wait(const struct eviction *eviction)
{
    return eviction->server->holds & eviction->gate;
}

static void let_writes_wait(struct eviction *eviction)
{
    if (writes_wait(eviction))
        return;
    eviction->server->holds |= eviction->gate;
    eviction->late_bytes = used_bytes(eviction) + LATE_BYTES;
}

static void let_writes_go(struct eviction *eviction)
{
    if (!writes_wait(eviction))
        return;
    eviction->server->holds &= ~eviction->gate;
    batch_resume_held(eviction->server->batch);
}

// After an attempt to get down to `goal_bytes` that ended so.
static void set_ceiling(struct eviction *eviction, enum room room, uint64_t goal_bytes)
{
    uint64_t used = used_bytes(eviction);
    if (room == ROOM_MADE)
        eviction->ceiling_bytes = goal_bytes;
    else if (room == ROOM_NONE)
        eviction->ceiling_bytes = (uint64_t)eviction->limit_bytes;
    else if (eviction->lowered || used < eviction->ceiling_bytes)
        eviction->ceiling_bytes = used > goal_bytes ? used : goal_bytes;
    eviction->lowered = false;
}

static enum room make_room_noted(struct eviction *eviction, uint64_t goal_bytes, uint64_t extra_us)
{
    struct server *server = eviction->server;
    uint64_t start_us = clock_mono_us_now();
    enum room room = make_room(eviction, goal_bytes, extra_us);
    set_ceiling(eviction, room, goal_bytes);
    note_exceeded(eviction, room != ROOM_MADE);
    latency_note(server, "eviction-cycle", (clock_mono_us_now() - start_us) / 1000);
    return room;
}

// --- When ---------------------------------------------------------------------------------------

static bool uses_memory(const struct command *row)
{
    return row->flags & CMD_DENYOOM;
}

// Time is over: whether the command may run nevertheless.
static bool may_run_late(struct eviction *eviction)
{
    uint64_t used = used_bytes(eviction);
    if (used <= eviction->ceiling_bytes)
        return true;
    let_writes_wait(eviction);
    return used <= eviction->late_bytes;
}

bool eviction_refuses(struct cmd_ctx *ctx)
{
    struct eviction *eviction = ctx->server->eviction;
    uint64_t used = used_bytes(eviction);
    if (!eviction->limit_bytes || used <= eviction->ceiling_bytes || eviction->paused)
        return false;
    uint64_t brought = used - eviction->ceiling_bytes;
    brought = brought < BROUGHT_BYTES ? brought : BROUGHT_BYTES;
    enum room room = make_room_noted(eviction, eviction->ceiling_bytes, brought / BYTES_A_US);
    if (room == ROOM_MADE || (room == ROOM_LATER && may_run_late(eviction)))
        return false;
    reply_error(ctx, ERR_OOM);
    return true;
}

// Before the loop sleeps: what is above the limit goes, as far as there is time.
static void keep_limit(void *udata)
{
    struct eviction *eviction = udata;
    uint64_t limit_bytes = (uint64_t)eviction->limit_bytes;
    if (likely(limit_bytes == 0) || eviction->paused)
        return;
    enum room room = ROOM_MADE;
    if (used_bytes(eviction) > limit_bytes)
        room = make_room_noted(eviction, limit_bytes, 0);
    else if (unlikely(eviction->exceeded_since_us || eviction->ceiling_bytes != limit_bytes)) {
        eviction->ceiling_bytes = limit_bytes;
        note_exceeded(eviction, false);
    }
    if (room == ROOM_LATER && used_bytes(eviction) > eviction->ceiling_bytes + SLACK_BYTES)
        let_writes_wait(eviction);
    else if (room != ROOM_LATER || used_bytes(eviction) <= eviction->ceiling_bytes)
        let_writes_go(eviction);
    loop_keep_awake(eviction->server->loop, &eviction->waker, room == ROOM_LATER);
}

void eviction_pause(struct eviction *eviction, enum eviction_rest reason, bool paused)
{
    if (!(eviction->paused & reason) == !paused)
        return;
    eviction->paused ^= reason;
    eviction->lowered = eviction->limit_bytes &&
                        used_bytes(eviction) > (uint64_t)eviction->limit_bytes;
}

// --- Configuration ------------------------------------------------------------------------------

bool eviction_by_use(const struct eviction *eviction)
{
    enum evict_policy policy = (enum evict_policy)eviction->policy;
    return policy == EVICT_VOLATILE_LRU || policy == EVICT_ALLKEYS_LRU || evict_is_lfu(policy);
}

uint64_t eviction_limit(const struct eviction *eviction)
{
    return (uint64_t)eviction->limit_bytes;
}

static size_t ghost_max_bytes(const struct eviction *eviction)
{
    uint64_t bytes = (uint64_t)eviction->limit_bytes / GHOST_PART;
    return bytes < GHOST_MAX_BYTES ? bytes : GHOST_MAX_BYTES;
}

static void take_over(struct eviction *eviction)
{
    struct server *server = eviction->server;
    enum evict_policy policy = (enum evict_policy)eviction->policy;
    server->gates &= ~eviction->gate;
    server->gates |= eviction->limit_bytes ? eviction->gate : 0;
    eviction->ceiling_bytes = (uint64_t)eviction->limit_bytes;
    eviction->lowered = used_bytes(eviction) > eviction->ceiling_bytes;
    eviction->evict.policy = policy;
    eviction->evict.samples = (unsigned)eviction->samples;
    eviction->evict.ghost_max_bytes = ghost_max_bytes(eviction);
    evict_forget(&eviction->evict, server->keyspace);
    keyspace_set_frequency(server->keyspace, evict_is_lfu(policy),
                           (uint32_t)eviction->lfu_log_factor, (uint32_t)eviction->lfu_decay_min);
    if (eviction->limit_bytes)
        return;
    let_writes_go(eviction);
    note_exceeded(eviction, false);
    loop_keep_awake(server->loop, &eviction->waker, false);
}

static bool apply(void *owner, struct config_error *error)
{
    (void)error;
    take_over(owner);
    return true;
}

static bool apply_limit(void *owner, struct config_error *error)
{
    struct eviction *eviction = owner;
    size_t used = used_bytes(eviction);
    if (eviction->limit_bytes && used > (uint64_t)eviction->limit_bytes)
        log_warning(
            "maxmemory is now %lld, but %zu bytes are in use: keys will be evicted, or writes "
            "refused, as maxmemory-policy says",
            (long long)eviction->limit_bytes, used);
    return apply(owner, error);
}

void eviction_configured(struct eviction *eviction)
{
    if (eviction->limit_bytes && eviction->limit_bytes < ODD_LIMIT_BYTES)
        log_warning("maxmemory is %lld bytes, less than an empty server takes: is a unit missing?",
                    (long long)eviction->limit_bytes);
    take_over(eviction);
}

static const struct config_name policies[] = {
    { "volatile-lru", EVICT_VOLATILE_LRU },
    { "volatile-lfu", EVICT_VOLATILE_LFU },
    { "volatile-random", EVICT_VOLATILE_RANDOM },
    { "volatile-ttl", EVICT_VOLATILE_TTL },
    { "allkeys-lru", EVICT_ALLKEYS_LRU },
    { "allkeys-lfu", EVICT_ALLKEYS_LFU },
    { "allkeys-random", EVICT_ALLKEYS_RANDOM },
    { "noeviction", EVICT_NOTHING },
    { 0 },
};

#define FIELD(member) offsetof(struct eviction, member)

static const struct config_directive eviction_directives[] = {
    { .name = "maxmemory",
      .type = CONFIG_MEMORY,
      .offset = FIELD(limit_bytes),
      .default_text = "0",
      .max = CONFIG_UNBOUNDED,
      .apply = apply_limit },
    { .name = "maxmemory-policy",
      .type = CONFIG_ENUM,
      .offset = FIELD(policy),
      .default_text = "noeviction",
      .names = policies,
      .apply = apply },
    { .name = "maxmemory-samples",
      .type = CONFIG_INT,
      .offset = FIELD(samples),
      .default_text = "5",
      .min = 1,
      .max = INT32_MAX,
      .apply = apply },
    { .name = "maxmemory-eviction-tenacity",
      .type = CONFIG_INT,
      .offset = FIELD(tenacity),
      .default_text = "10",
      .max = TENACITY_NO_END },
    { .name = "lfu-log-factor",
      .type = CONFIG_INT,
      .offset = FIELD(lfu_log_factor),
      .default_text = "10",
      .max = INT32_MAX,
      .apply = apply },
    { .name = "lfu-decay-time",
      .type = CONFIG_INT,
      .offset = FIELD(lfu_decay_min),
      .default_text = "1",
      .max = INT32_MAX,
      .apply = apply },
    { 0 },
};

// --- INFO ---------------------------------------------------------------------------------------

static void limit_fields(void *udata, struct bytes *out)
{
    const struct eviction *eviction = udata;
    char human[32];
    format_memory_human(human, (uint64_t)eviction->limit_bytes);
    bytes_printf(out,
                 "maxmemory:%lld\r\n"
                 "maxmemory_human:%s\r\n"
                 "maxmemory_policy:",
                 (long long)eviction->limit_bytes, human);
    const struct config_name *name = policies;
    while (name->value != eviction->policy)
        name++;
    bytes_printf(out, "%s\r\n", name->name);
}

static void evicted_fields(void *udata, struct bytes *out)
{
    const struct eviction *eviction = udata;
    bytes_printf(out, "evicted_keys:%llu\r\n", (unsigned long long)eviction->evict.evicted_keys);
}

static void time_fields(void *udata, struct bytes *out)
{
    const struct eviction *eviction = udata;
    uint64_t current_us = 0;
    if (eviction->exceeded_since_us)
        current_us = clock_mono_us_now() - eviction->exceeded_since_us;
    bytes_printf(out,
                 "total_eviction_exceeded_time:%llu\r\n"
                 "current_eviction_exceeded_time:%llu\r\n",
                 (unsigned long long)((eviction->exceeded_us + current_us) / 1000),
                 (unsigned long long)(current_us / 1000));
}

static void reset_stats(void *udata)
{
    struct eviction *eviction = udata;
    eviction->evict.evicted_keys = 0;
    eviction->exceeded_us = 0;
    if (eviction->exceeded_since_us)
        eviction->exceeded_since_us = clock_mono_us_now();
}

struct eviction *eviction_new(struct server *server)
{
    struct eviction *eviction = mem_alloc_zeroed(sizeof(*eviction));
    eviction->server = server;
    evict_init(&eviction->evict);
    config_register(server->config, eviction_directives, eviction);
    eviction->gate = registry_add_gate(server->registry, uses_memory, eviction_refuses);
    info_add_fields(server->info, "Memory", "limit", limit_fields, eviction);
    info_add_fields(server->info, "Stats", "evicted keys", evicted_fields, eviction);
    info_add_fields(server->info, "Stats", "eviction time", time_fields, eviction);
    info_on_reset(server->info, reset_stats, eviction);
    loop_on_sleep(server->loop, keep_limit, eviction);
    return eviction;
}

void eviction_free(struct eviction *eviction)
{
    mem_free(eviction, sizeof(*eviction));
}

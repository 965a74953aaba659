// SPDX-License-Identifier: BSD-3-Clause
// The effect stream: see effects.h.
#include "server/effects.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "resp/parser.h"
#include "resp/request.h"
#include "server/client.h"
#include "server/server.h"

#define SINKS_MAX      4
#define TURN_HOOKS_MAX 4

// The buffer is kept up to this size.
#define KEEP_BYTES (1u << 20)

// Whether effects belong together, and MULTI has been said.
enum grouping { UNGROUPED, GROUP_EMPTY, GROUP_BEGUN };

struct effects {
    struct keyspace *keyspace;
    int listener;
    int sink_count;
    struct {
        effect_sink_fn fn;
        void *udata;
        bool is_replicas;
    } sinks[SINKS_MAX];
    int turn_hook_count;
    struct {
        void (*fn)(void *udata);
        void *udata;
    } turn_hooks[TURN_HOOKS_MAX];
    enum grouping group;
    uint64_t offset;
    int selected_db;        // that the stream is in; -1 at its start
    struct bytes replaced;  // what the running command's handler said
    struct bytes encoded;
};

static void feed_sinks(struct effects *effects, struct slice resp)
{
    effects->offset += resp.len;
    for (int i = 0; i < effects->sink_count; i++)
        effects->sinks[i].fn(effects->sinks[i].udata, resp);
}

static void feed(struct effects *effects, struct slice resp)
{
    if (unlikely(effects->group == GROUP_EMPTY)) {
        effects->group = GROUP_BEGUN;
        feed_sinks(effects, SLICE("*1\r\n$5\r\nMULTI\r\n"));
    }
    feed_sinks(effects, resp);
}

static void feed_command(struct effects *effects, const struct slice *words, size_t count)
{
    bytes_clear(&effects->encoded);
    resp_append_request(&effects->encoded, words, count);
    feed(effects, bytes_slice(&effects->encoded));
    if (effects->encoded.cap > KEEP_BYTES)
        bytes_release(&effects->encoded);
}

static void select_db(struct effects *effects, int db)
{
    if (effects->selected_db == db)
        return;
    effects->selected_db = db;
    char number[INT64_TEXT_MAX] = "";
    size_t len = (size_t)format_int64(number, db);
    feed_command(effects, (struct slice[]){ SLICE("SELECT"), { .ptr = number, .len = len } }, 2);
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    struct effects *effects = udata;
    (void)event;
    select_db(effects, db->id);
    feed_command(effects, (struct slice[]){ SLICE("DEL"), key_slice(key) }, 2);
}

static void end_turn(void *udata)
{
    const struct effects *effects = udata;
    for (int i = 0; i < effects->turn_hook_count; i++)
        effects->turn_hooks[i].fn(effects->turn_hooks[i].udata);
}

struct effects *effects_new(struct server *server)
{
    struct effects *effects = mem_alloc_zeroed(sizeof(*effects));
    effects->selected_db = -1;
    effects->keyspace = server->keyspace;
    effects->listener = keyspace_listen(server->keyspace, on_key_event, effects);
    loop_on_sleep(server->loop, end_turn, effects);
    return effects;
}

void effects_free(struct effects *effects)
{
    bytes_release(&effects->replaced);
    bytes_release(&effects->encoded);
    mem_free(effects, sizeof(*effects));
}

static void hear(struct effects *effects)
{
    uint32_t events = KEY_EVENT(KEY_EXPIRED) | KEY_EVENT(KEY_EVICTED);
    keyspace_hear(effects->keyspace, effects->listener, effects->sink_count ? events : 0);
}

static void add_sink(struct effects *effects, effect_sink_fn fn, void *udata, bool is_replicas)
{
    ASSERT(effects->sink_count < SINKS_MAX);
    int i = effects->sink_count++;
    effects->sinks[i].fn = fn;
    effects->sinks[i].udata = udata;
    effects->sinks[i].is_replicas = is_replicas;
    hear(effects);
    // It has not heard yet which database the stream is in.
    effects->selected_db = -1;
}

void effects_add_sink(struct effects *effects, effect_sink_fn fn, void *udata)
{
    add_sink(effects, fn, udata, false);
}

void effects_add_replica_sink(struct effects *effects, effect_sink_fn fn, void *udata)
{
    add_sink(effects, fn, udata, true);
}

void effects_tell_replicas(struct effects *effects, struct slice resp)
{
    ASSERT(effects->group == UNGROUPED);
    effects->offset += resp.len;
    for (int i = 0; i < effects->sink_count; i++) {
        if (effects->sinks[i].is_replicas)
            effects->sinks[i].fn(effects->sinks[i].udata, resp);
    }
}

void effects_remove_sink(struct effects *effects, effect_sink_fn fn, const void *udata)
{
    int i = 0;
    while (i < effects->sink_count &&
           (effects->sinks[i].fn != fn || effects->sinks[i].udata != udata))
        i++;
    ASSERT(i < effects->sink_count);
    effects->sinks[i] = effects->sinks[--effects->sink_count];
    hear(effects);
}

void effects_on_turn(struct effects *effects, void (*fn)(void *udata), void *udata)
{
    ASSERT(effects->turn_hook_count < TURN_HOOKS_MAX);
    int i = effects->turn_hook_count++;
    effects->turn_hooks[i].fn = fn;
    effects->turn_hooks[i].udata = udata;
}

uint64_t effects_offset(const struct effects *effects)
{
    return effects->offset;
}

void effects_restate_db(struct effects *effects)
{
    effects->selected_db = -1;
}

bool effects_in_group(const struct effects *effects)
{
    return effects->group != UNGROUPED;
}

void effects_begin_group(struct effects *effects)
{
    effects->group = GROUP_EMPTY;
}

void effects_end_group(struct effects *effects)
{
    if (effects->group == GROUP_BEGUN)
        feed_sinks(effects, SLICE("*1\r\n$4\r\nEXEC\r\n"));
    effects->group = UNGROUPED;
}

bool effects_wanted(const struct effects *effects)
{
    return effects->sink_count > 0;
}

void effect_replace(struct cmd_ctx *ctx, const struct slice *words, size_t count)
{
    struct effects *effects = ctx->server->effects;
    // An earlier command may have said what was never sent, because it changed nothing after all.
    if (ctx->effect_mode != EFFECT_REPLACED)
        bytes_clear(&effects->replaced);
    ctx->effect_mode = EFFECT_REPLACED;
    if (effects_wanted(effects))
        resp_append_request(&effects->replaced, words, count);
}

void effect_drop(struct cmd_ctx *ctx)
{
    ctx->effect_mode = EFFECT_DROPPED;
    bytes_clear(&ctx->server->effects->replaced);
}

void effects_commit(struct cmd_ctx *ctx)
{
    struct effects *effects = ctx->server->effects;
    ctx->server->changes += ctx->changes;
    if (!effects_wanted(effects) || ctx->effect_mode == EFFECT_DROPPED)
        return;
    select_db(effects, ctx->db->id);
    if (ctx->effect_mode == EFFECT_REPLACED)
        feed(effects, bytes_slice(&effects->replaced));
    else if (ctx->raw_is_resp && resp_is_regular(ctx->raw, ctx->argv, ctx->argc))
        feed(effects, ctx->raw);
    else
        feed_command(effects, ctx->argv, ctx->argc);
    ctx->client->effect_offset = effects->offset;
    bytes_clear(&effects->replaced);
    if (effects->replaced.cap > KEEP_BYTES)
        bytes_release(&effects->replaced);
}

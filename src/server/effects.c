// SPDX-License-Identifier: BSD-3-Clause
// The effect stream: see effects.h.
#include "server/effects.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "resp/parser.h"
#include "resp/request.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/server.h"

#define SINKS_MAX      4
#define TURN_HOOKS_MAX 4

// The buffer is kept up to this size.
#define KEEP_BYTES (1u << 20)

// Effects that belong together: MULTI is said when there is a second one, for one alone needs none. Until then the
// first one is held back.
enum grouping { UNGROUPED, GROUP_EMPTY, GROUP_OF_ONE, GROUP_BEGUN };

enum audience { FILE_SINKS = 1, REPLICA_SINKS = 2, ALL_SINKS = 3 };

struct effects {
    struct server *server;
    int listener;
    int sink_count;
    int replica_sink_count;
    struct {
        effect_sink_fn fn;
        void *udata;
        enum audience audience;
    } sinks[SINKS_MAX];
    int turn_hook_count;
    struct {
        void (*fn)(void *udata);
        void *udata;
    } turn_hooks[TURN_HOOKS_MAX];
    enum grouping group;
    enum audience held_for;
    struct bytes held;      // a group's first effect
    struct client *writer;  // whose effects the group has
    uint64_t offset;
    int selected_db;  // that all sinks are in; -1: one of them is to be told
    int files_db;     // that those of one audience are in; -1: they have not heard yet
    int replicas_db;
    struct bytes replaced;  // what the running command's handler said
    unsigned replaced_count;
    struct bytes encoded;
};

static void trim(struct bytes *bytes)
{
    bytes_clear(bytes);
    if (bytes->cap > KEEP_BYTES)
        bytes_release(bytes);
}

static inline void feed_all(struct effects *effects, struct slice resp)
{
    effects->offset += resp.len;
    for (int i = 0; i < effects->sink_count; i++)
        effects->sinks[i].fn(effects->sinks[i].udata, resp);
}

// The offset follows what replicas hear: from one effect to the next their stream and it grow alike.
static void feed_some(struct effects *effects, struct slice resp, enum audience audience)
{
    if (audience == REPLICA_SINKS)
        effects->offset += resp.len;
    for (int i = 0; i < effects->sink_count; i++) {
        if (effects->sinks[i].audience == audience)
            effects->sinks[i].fn(effects->sinks[i].udata, resp);
    }
}

static void feed_sinks(struct effects *effects, struct slice resp, enum audience audience)
{
    if (audience == ALL_SINKS)
        feed_all(effects, resp);
    else
        feed_some(effects, resp, audience);
}

// Says MULTI, and what has been held back.
static void open_group(struct effects *effects)
{
    enum grouping was = effects->group;
    effects->group = GROUP_BEGUN;
    if (was == GROUP_BEGUN)
        return;
    feed_all(effects, SLICE("*1\r\n$5\r\nMULTI\r\n"));
    if (was == GROUP_OF_ONE)
        feed_sinks(effects, bytes_slice(&effects->held), effects->held_for);
    trim(&effects->held);
}

static void feed_group(struct effects *effects, struct slice resp, enum audience audience)
{
    if (effects->group == GROUP_EMPTY) {
        effects->group = GROUP_OF_ONE;
        effects->held_for = audience;
        bytes_append_slice(&effects->held, resp);
        return;
    }
    open_group(effects);
    feed_sinks(effects, resp, audience);
}

static void feed(struct effects *effects, struct slice resp, enum audience audience)
{
    if (likely(effects->group == UNGROUPED))
        feed_sinks(effects, resp, audience);
    else
        feed_group(effects, resp, audience);
}

static struct slice encode(struct effects *effects, const struct slice *words, size_t count)
{
    bytes_clear(&effects->encoded);
    resp_append_request(&effects->encoded, words, count);
    return bytes_slice(&effects->encoded);
}

static void change_db(struct effects *effects, int db)
{
    enum audience audience = (effects->files_db != db ? FILE_SINKS : 0) |
                             (effects->replicas_db != db ? REPLICA_SINKS : 0);
    effects->selected_db = effects->files_db = effects->replicas_db = db;
    char number[INT64_TEXT_MAX] = "";
    size_t len = (size_t)format_int64(number, db);
    struct slice words[] = { SLICE("SELECT"), { .ptr = number, .len = len } };
    // Ahead of the group's MULTI, or between two effects of it.
    if (effects->group == GROUP_OF_ONE)
        open_group(effects);
    feed_sinks(effects, encode(effects, words, 2), audience);
}

static inline void select_db(struct effects *effects, int db)
{
    if (unlikely(effects->selected_db != db))
        change_db(effects, db);
}

// What a command meets belongs to its own effects.
static void join_command(struct effects *effects)
{
    if (effects->group != UNGROUPED || !batch_running_client(effects->server->batch))
        return;
    effects->group = GROUP_EMPTY;
    effects->server->after_command |= AFTER_COMMAND_EFFECTS;
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    struct effects *effects = udata;
    enum removal why = event == KEY_EXPIRED ? REMOVED_BY_EXPIRY : REMOVED_BY_EVICTION;
    struct slice words[] = { effect_removal(effects, why), key_slice(key) };
    if (event == KEY_EXPIRED)
        join_command(effects);
    select_db(effects, db->id);
    feed(effects, encode(effects, words, 2), ALL_SINKS);
    trim(&effects->encoded);
}

static void end_turn(void *udata)
{
    const struct effects *effects = udata;
    ASSERT(effects->group == UNGROUPED);
    for (int i = 0; i < effects->turn_hook_count; i++)
        effects->turn_hooks[i].fn(effects->turn_hooks[i].udata);
}

struct effects *effects_new(struct server *server)
{
    struct effects *effects = mem_alloc_zeroed(sizeof(*effects));
    effects->selected_db = effects->files_db = effects->replicas_db = -1;
    effects->server = server;
    effects->listener = keyspace_listen(server->keyspace, on_key_event, effects);
    loop_on_sleep(server->loop, end_turn, effects);
    return effects;
}

void effects_free(struct effects *effects)
{
    bytes_release(&effects->held);
    bytes_release(&effects->replaced);
    bytes_release(&effects->encoded);
    mem_free(effects, sizeof(*effects));
}

static void hear(struct effects *effects)
{
    uint32_t events = KEY_EVENT(KEY_EXPIRED) | KEY_EVENT(KEY_EVICTED);
    keyspace_hear(effects->server->keyspace, effects->listener, effects->sink_count ? events : 0);
}

static void restate_db(struct effects *effects, enum audience audience)
{
    int *said = audience == FILE_SINKS ? &effects->files_db : &effects->replicas_db;
    effects->selected_db = *said = -1;
}

static void add_sink(struct effects *effects, effect_sink_fn fn, void *udata,
                     enum audience audience)
{
    ASSERT(effects->sink_count < SINKS_MAX);
    int i = effects->sink_count++;
    effects->sinks[i].fn = fn;
    effects->sinks[i].udata = udata;
    effects->sinks[i].audience = audience;
    effects->replica_sink_count += audience == REPLICA_SINKS;
    hear(effects);
    // It has not heard yet which database the stream is in.
    restate_db(effects, audience);
}

void effects_add_sink(struct effects *effects, effect_sink_fn fn, void *udata)
{
    add_sink(effects, fn, udata, FILE_SINKS);
}

void effects_add_replica_sink(struct effects *effects, effect_sink_fn fn, void *udata)
{
    add_sink(effects, fn, udata, REPLICA_SINKS);
}

void effects_tell_replicas(struct effects *effects, struct slice resp)
{
    ASSERT(effects->group == UNGROUPED);
    feed_some(effects, resp, REPLICA_SINKS);
}

void effects_remove_sink(struct effects *effects, effect_sink_fn fn, const void *udata)
{
    int i = 0;
    while (i < effects->sink_count &&
           (effects->sinks[i].fn != fn || effects->sinks[i].udata != udata))
        i++;
    ASSERT(i < effects->sink_count);
    effects->replica_sink_count -= effects->sinks[i].audience == REPLICA_SINKS;
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

void effects_restate_file_db(struct effects *effects)
{
    restate_db(effects, FILE_SINKS);
}

void effects_restate_replica_db(struct effects *effects)
{
    restate_db(effects, REPLICA_SINKS);
}

bool effects_in_group(const struct effects *effects)
{
    return effects->group != UNGROUPED;
}

void effects_begin_group(struct effects *effects)
{
    // What an expired key has begun goes on.
    if (effects->group == UNGROUPED)
        effects->group = GROUP_EMPTY;
}

void effects_end_group(struct effects *effects)
{
    enum grouping was = effects->group;
    effects->group = UNGROUPED;
    effects->server->after_command &= (uint8_t)~AFTER_COMMAND_EFFECTS;
    if (was == GROUP_OF_ONE)
        feed_sinks(effects, bytes_slice(&effects->held), effects->held_for);
    else if (was == GROUP_BEGUN)
        feed_all(effects, SLICE("*1\r\n$4\r\nEXEC\r\n"));
    trim(&effects->held);
    if (effects->writer)
        effects->writer->effect_offset = effects->offset;
    effects->writer = NULL;
}

bool effects_wanted(const struct effects *effects)
{
    return effects->sink_count > 0;
}

struct slice effect_removal(const struct effects *effects, enum removal why)
{
    bool at_once = effects->server->keyspace->freed_at_once & REMOVAL(why);
    return at_once ? SLICE("DEL") : SLICE("UNLINK");
}

void effect_replace(struct cmd_ctx *ctx, const struct slice *words, size_t count)
{
    struct effects *effects = ctx->server->effects;
    // An earlier command may have said what was never sent, because it changed nothing after all.
    if (ctx->effect_mode != EFFECT_REPLACED) {
        trim(&effects->replaced);
        effects->replaced_count = 0;
    }
    ctx->effect_mode = EFFECT_REPLACED;
    effects->replaced_count++;
    if (effects_wanted(effects))
        resp_append_request(&effects->replaced, words, count);
}

void effect_drop(struct cmd_ctx *ctx)
{
    ctx->effect_mode = EFFECT_DROPPED;
    bytes_clear(&ctx->server->effects->replaced);
}

static bool is_as_it_came(const struct cmd_ctx *ctx)
{
    return ctx->raw_is_resp && resp_is_regular(ctx->raw, ctx->argv, ctx->argc);
}

static void feed_command(struct effects *effects, const struct cmd_ctx *ctx, enum audience audience)
{
    if (is_as_it_came(ctx)) {
        feed(effects, ctx->raw, audience);
        return;
    }
    feed(effects, encode(effects, ctx->argv, ctx->argc), audience);
    trim(&effects->encoded);
}

void effect_tell_replicas(struct cmd_ctx *ctx)
{
    struct effects *effects = ctx->server->effects;
    if (likely(!effects->replica_sink_count))
        return;
    select_db(effects, ctx->db->id);
    feed_command(effects, ctx, REPLICA_SINKS);
}

// What a handler said in several commands belongs together.
static void feed_replaced(struct effects *effects)
{
    bool is_group = effects->replaced_count > 1;
    bool is_whole_group = is_group && effects->group == UNGROUPED;
    if (is_group)
        open_group(effects);
    feed(effects, bytes_slice(&effects->replaced), ALL_SINKS);
    if (is_whole_group)
        effects_end_group(effects);
    trim(&effects->replaced);
}

static void commit_otherwise(struct effects *effects, const struct cmd_ctx *ctx)
{
    if (ctx->effect_mode == EFFECT_REPLACED)
        feed_replaced(effects);
    else
        feed_command(effects, ctx, ALL_SINKS);
    if (effects->group != UNGROUPED)
        effects->writer = ctx->client;
}

void effects_commit(struct cmd_ctx *ctx)
{
    struct effects *effects = ctx->server->effects;
    ctx->server->changes += ctx->changes;
    if (!effects_wanted(effects) || ctx->effect_mode == EFFECT_DROPPED)
        return;
    select_db(effects, ctx->db->id);
    bool is_plain = ctx->effect_mode == EFFECT_VERBATIM && effects->group == UNGROUPED;
    if (likely(is_plain && is_as_it_came(ctx)))
        feed_all(effects, ctx->raw);
    else
        commit_otherwise(effects, ctx);
    ctx->client->effect_offset = effects->offset;
}

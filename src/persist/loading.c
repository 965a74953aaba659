// SPDX-License-Identifier: BSD-3-Clause
// Loading, as others see it: see loading.h.
#include "persist/loading.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "persist/history.h"
#include "persist/rdb_load.h"
#include "server/config.h"
#include "server/ctx.h"
#include "server/eviction.h"
#include "server/info.h"
#include "server/lazyfree.h"
#include "server/process.h"
#include "server/registry.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <string.h>

// Clients are served so often, and the log is told.
#define SERVE_PERIOD_US UINT64_C(20000)
#define SAY_PERIOD_US   UINT64_C(5000000)

struct loading_state {
    struct server *server;
    bool on;
    bool aside;  // the databases that are loaded are not those that answer
    bool serving;
    bool stopped;
    bool sweep_paused_before;
    int64_t began_s;
    uint64_t began_us;
    uint64_t served_us;
    uint64_t said_us;
    uint64_t total_bytes;
    uint64_t done_bytes;   // of the files before the one at hand
    uint64_t file_bytes;   // of this one
    uint64_t used_memory;  // when the RDB was written, as it says
    uint64_t keys;
    uint64_t expired_keys;
    struct history history;
    uint32_t gate;
    uint32_t aside_gate;
};

// --- Progress -----------------------------------------------------------------------------------

// Bytes that are to be read; where nobody knows, as many as the data takes in memory, which is as a rule more.
static uint64_t expected_bytes(const struct loading_state *loading)
{
    return loading->total_bytes ? loading->total_bytes : loading->used_memory;
}

// A file may grow while it is read.
static uint64_t loaded_bytes(const struct loading_state *loading)
{
    uint64_t bytes = loading->done_bytes + loading->file_bytes;
    return bytes < loading->total_bytes || !loading->total_bytes ? bytes : loading->total_bytes;
}

static double loaded_percent(const struct loading_state *loading)
{
    uint64_t expected = expected_bytes(loading);
    uint64_t loaded = loaded_bytes(loading);
    if (loaded > expected)
        loaded = expected;
    return expected ? (double)loaded * 100 / (double)expected : 0;
}

static int64_t eta_s(const struct loading_state *loading)
{
    uint64_t expected = expected_bytes(loading);
    uint64_t loaded = loaded_bytes(loading);
    if (loaded == 0)
        return 1;
    if (loaded >= expected)
        return 0;
    double passed_s = (double)(clock_mono_us_now() - loading->began_us) / 1e6;
    return (int64_t)(passed_s * (double)(expected - loaded) / (double)loaded);
}

static uint64_t count_keys(const struct loading_state *loading)
{
    const struct keyspace *keyspace = loading->server->keyspace;
    uint64_t keys = 0;
    if (loading->aside)
        keyspace = keyspace->aside;
    for (int i = 0; i < keyspace->db_count; i++)
        keys += db_size(&keyspace->dbs[i]);
    return keys;
}

static void say_progress(struct loading_state *loading, uint64_t now_us)
{
    if (now_us - loading->said_us < SAY_PERIOD_US)
        return;
    loading->said_us = now_us;
    log_notice("Loading the DB: %.1f MB, %.1f %%, %llu keys, about %lld seconds to go",
               (double)loaded_bytes(loading) / (1 << 20), loaded_percent(loading),
               (unsigned long long)count_keys(loading), (long long)eta_s(loading));
}

static void serve(struct loading_state *loading)
{
    clock_update();
    loop_poll(loading->server->loop);
    loading->served_us = clock_mono_us_now();
    loading->stopped = process_stopping(loading->server->process);
}

bool loading_progress(struct loading_state *loading, uint64_t file_bytes)
{
    uint64_t now_us = clock_mono_us_now();
    loading->file_bytes = file_bytes;
    say_progress(loading, now_us);
    if (loading->serving && !loading->stopped && now_us - loading->served_us >= SERVE_PERIOD_US)
        serve(loading);
    return !loading->stopped;
}

void loading_next_file(struct loading_state *loading, uint64_t file_bytes)
{
    loading->done_bytes += file_bytes;
    loading->file_bytes = 0;
}

// --- RDB ----------------------------------------------------------------------------------------

static bool on_progress(void *udata, const struct rdb_reader *r, uint64_t keys)
{
    struct loading_state *loading = udata;
    loading->keys = keys;
    return loading_progress(loading, rdb_reader_offset(r));
}

static void on_aux(void *udata, struct slice name, struct slice value)
{
    struct loading_state *loading = udata;
    int64_t bytes;
    if (slice_is(name, "used-mem") && parse_int64(value, &bytes) && bytes > 0)
        loading->used_memory = (uint64_t)bytes;
}

void loading_follow(struct loading_state *loading, struct rdb_load_options *options)
{
    options->progress = on_progress;
    options->aux = on_aux;
    options->udata = loading;
}

void loading_note(struct loading_state *loading, const struct rdb_loaded *loaded)
{
    struct history history = { .offset = loaded->replication_offset,
                               .selected_db = loaded->selected_db > 0 ? loaded->selected_db : 0 };
    loading->keys = loaded->keys;
    loading->expired_keys = loaded->expired;
    if (strlen(loaded->replication_id) == RUN_ID_LEN && loaded->replication_offset >= 0)
        memcpy(history.id, loaded->replication_id, sizeof(history.id));
    loading_note_history(loading, &history);
}

void loading_note_history(struct loading_state *loading, const struct history *history)
{
    loading->history = *history;
}

const struct history *loading_history(const struct loading_state *loading)
{
    return &loading->history;
}

// --- Beginning and end --------------------------------------------------------------------------

static void begin(struct loading_state *loading, uint64_t total_bytes)
{
    uint64_t now_us = clock_mono_us_now();
    *loading = (struct loading_state){
        .server = loading->server,
        .began_s = clock_wall_ms() / 1000,
        .began_us = now_us,
        .served_us = now_us,
        .said_us = now_us,
        .total_bytes = total_bytes,
        .gate = loading->gate,
        .aside_gate = loading->aside_gate,
    };
    config_set_loading(loading->server->config, true);
}

void loading_begin(struct loading_state *loading, uint64_t total_bytes, bool serving)
{
    struct server *server = loading->server;
    begin(loading, total_bytes);
    loading->on = true;
    loading->serving = serving;
    loading->sweep_paused_before = server->keyspace->sweep_paused;
    server->keyspace->sweep_paused = true;
    server->gates |= loading->gate;
    eviction_pause(server->eviction, EVICTION_RESTS_LOADING, true);
    lazyfree_pause(server->lazyfree, true);
}

void loading_begin_aside(struct loading_state *loading, uint64_t total_bytes, bool answering)
{
    begin(loading, total_bytes);
    loading->on = !answering;
    loading->aside = true;
    loading->server->gates |= answering ? loading->aside_gate : loading->gate;
    // While there are two data sets, the one that answers does not make room for the other.
    eviction_pause(loading->server->eviction, EVICTION_RESTS_LOADING, true);
}

void loading_end(struct loading_state *loading)
{
    struct server *server = loading->server;
    loading->on = false;
    server->gates &= ~(loading->gate | loading->aside_gate);
    config_set_loading(server->config, false);
    eviction_pause(server->eviction, EVICTION_RESTS_LOADING, false);
    if (loading->aside) {
        loading->aside = false;
        return;
    }
    server->keyspace->sweep_paused = loading->sweep_paused_before;
    lazyfree_pause(server->lazyfree, false);
}

bool loading_on(const struct loading_state *loading)
{
    return loading->on;
}

bool loading_aside(const struct loading_state *loading)
{
    return loading->aside && !loading->on;
}

bool loading_stopped(const struct loading_state *loading)
{
    return loading->stopped;
}

uint64_t loading_keys(const struct loading_state *loading)
{
    return loading->keys;
}

uint64_t loading_expired_keys(const struct loading_state *loading)
{
    return loading->expired_keys;
}

// --- Making -------------------------------------------------------------------------------------

static bool needs_data(const struct command *row)
{
    return !(row->flags & CMD_LOADING);
}

static bool touches_loading(const struct command *row)
{
    return row->flags & CMD_NO_ASYNC_LOADING;
}

// Whom to follow may be said at any time while a primary's data set comes: it may never become whole.
static bool changes_role(const struct command *row)
{
    return strcmp(row->name, "replicaof") == 0 || strcmp(row->name, "slaveof") == 0;
}

static bool refuse(struct cmd_ctx *ctx)
{
    if (ctx->server->loading->aside && changes_role(ctx->command->row))
        return false;
    reply_error(ctx, ERR_LOADING);
    return true;
}

static void info_fields(void *udata, struct bytes *out)
{
    const struct loading_state *loading = udata;
    if (!loading->on && !loading->aside)
        return;
    bytes_printf(out,
                 "loading_start_time:%lld\r\n"
                 "loading_total_bytes:%llu\r\n"
                 "loading_rdb_used_mem:%llu\r\n"
                 "loading_loaded_bytes:%llu\r\n"
                 "loading_loaded_perc:%.2f\r\n"
                 "loading_eta_seconds:%lld\r\n",
                 (long long)loading->began_s, (unsigned long long)loading->total_bytes,
                 (unsigned long long)loading->used_memory,
                 (unsigned long long)loaded_bytes(loading), loaded_percent(loading),
                 (long long)eta_s(loading));
}

static void free_loading(void *part)
{
    struct loading_state *loading = part;
    loading->server->loading = NULL;
    mem_free(loading, sizeof(*loading));
}

void loading_register(struct server *server)
{
    struct loading_state *loading = mem_alloc_zeroed(sizeof(*loading));
    server->loading = loading;
    loading->server = server;
    loading->aside_gate = registry_add_last_gate(server->registry, touches_loading, refuse);
    loading->gate = registry_add_last_gate(server->registry, needs_data, refuse);
    info_add_fields(server->info, "Persistence", "loading", info_fields, loading);
    server_add_part(server, free_loading, loading);
}

// SPDX-License-Identifier: BSD-3-Clause
// Running one command: see dispatch.h.
#include "server/dispatch.h"

#include "base/clock_inl.h"
#include "base/log.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/latency.h"
#include "server/latency_stats.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/slowlog.h"

void dispatch_resolve(struct cmd_ctx *ctx)
{
    struct command_entry *command = registry_lookup(ctx->server->registry, ctx->argv[0]);
    if (unlikely(command && command->is_container && ctx->argc > 1)) {
        struct command_entry *sub = registry_subcommand(command, ctx->argv[1]);
        if (sub)
            command = sub;
    }
    ctx->command = command;
}

bool dispatch_right_arity(const struct command_entry *command, uint32_t argc)
{
    return command->arity >= 0 ? argc == (uint32_t)command->arity
                               : argc >= (uint32_t)-command->arity;
}

// A web page that makes a browser send us requests is somebody's attempt to reach us: the connection
// is cut before anything of the request is run.
static bool is_http(const struct cmd_ctx *ctx)
{
    return slice_is(ctx->argv[0], "post") || slice_is(ctx->argv[0], "host:");
}

static void refuse_unknown(struct cmd_ctx *ctx)
{
    if (!is_http(ctx)) {
        reply_unknown_command(ctx);
        return;
    }
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    log_warning("Possible SECURITY ATTACK detected: POST or Host: commands from %s, likely an "
                "attempt to use cross-protocol scripting. Connection aborted.",
                address);
    client_close(ctx->client);
}

// Answers what cannot be run; true if it has.
static bool refuse(struct cmd_ctx *ctx)
{
    const struct command_entry *command = ctx->command;
    if (unlikely(!command)) {
        refuse_unknown(ctx);
        return true;
    }
    if (unlikely(command->is_container && ctx->argc > 1)) {
        reply_unknown_subcommand(ctx);
        return true;
    }
    if (unlikely(!dispatch_right_arity(command, ctx->argc) || !command->handler)) {
        reply_wrong_arity(ctx);
        return true;
    }
    uint32_t shut = command->gates & (ctx->client->gates | ctx->server->gates);
    return unlikely(shut) && registry_ask_gates(ctx->server->registry, shut, ctx);
}

// The command was not run: its name was unknown, or it was rejected.
static void count_refused(const struct cmd_ctx *ctx)
{
    struct command_entry *command = ctx->command;
    bool unknown = !command || (command->is_container && ctx->argc > 1);
    if (!unknown && ctx->failed)
        command->rejected_calls++;
    dispatch_begin(ctx->server);
}

// It took long enough for the slow log or the latency monitor to want to know.
static void note_slow(const struct cmd_ctx *ctx, uint64_t ticks)
{
    uint64_t us = clock_ticks_to_ns(ticks) / 1000;
    bool is_fast = ctx->command->flags & CMD_FAST;
    slowlog_note(ctx->server->slowlog, ctx, us);
    latency_note(ctx->server, is_fast ? "fast-command" : "command", us / 1000);
}

// The command has been run: how often, how long, how well.
static inline void count_call(struct cmd_ctx *ctx, uint64_t start_ticks)
{
    struct server *server = ctx->server;
    struct command_entry *command = ctx->command;
    uint64_t now_ticks = clock_ticks_inl(server->timing.ticks_are_cpus);
    uint64_t ticks = now_ticks - start_ticks;
    // Counters of two cores may differ by a little.
    if (unlikely((int64_t)ticks < 0))
        ticks = 0;
    server->timing.boundary_ticks = now_ticks;
    server->stats.commands++;
    command->calls++;
    command->ticks += ticks;
    if (likely(server->timing.tracking)) {
        if (unlikely(!command->histogram))
            latency_stats_begin(command);
        histogram_record(command->histogram, ticks);
    }
    if (unlikely(ctx->failed))
        command->failed_calls++;
    if (unlikely(ticks >= server->timing.slow_ticks))
        note_slow(ctx, ticks);
}

void dispatch(struct cmd_ctx *ctx)
{
    ctx->failed = false;
    if (refuse(ctx)) {
        count_refused(ctx);
        return;
    }
    struct client *client = ctx->client;
    ctx->db = client->db;
    ctx->secret_args = 0;
    client->last_command = ctx->command;
    // A handler may run commands itself, which moves the boundary.
    uint64_t start_ticks = ctx->server->timing.boundary_ticks;
    ctx->command->handler(ctx);
    if (ctx->changes)
        effects_commit(ctx);
    count_call(ctx, start_ticks);
}

void dispatch_begin(struct server *server)
{
    server->timing.boundary_ticks = clock_ticks();
}

void dispatch_thresholds_changed(struct server *server)
{
    uint64_t slow_us = slowlog_threshold_us(server->slowlog);
    uint64_t pause_ms = latency_threshold_ms(server->latency);
    uint64_t pause_us = pause_ms > UINT64_MAX / 1000 ? UINT64_MAX : pause_ms * 1000;
    uint64_t us = slow_us < pause_us ? slow_us : pause_us;
    server->timing.ticks_are_cpus = clock_ticks_are_cpus();
    server->timing.slow_ticks = us > INT64_MAX / 1000 ? UINT64_MAX : clock_ns_to_ticks(us * 1000);
}

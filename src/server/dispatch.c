// SPDX-License-Identifier: BSD-3-Clause
// Running one command: see dispatch.h.
#include "server/dispatch.h"

#include "base/clock_inl.h"
#include "base/log.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/latency.h"
#include "server/latency_stats.h"
#include "server/monitor.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/slowlog.h"
#include "server/tracking.h"
#include "server/transaction.h"
#include "store/keyspace.h"

// Brief commands that share a reading of the clock.
#define GROUP_MAX 4

// Below this threshold somebody wants to know exactly: every command is timed by itself.
#define EACH_BELOW_US 1000

// More than this, some ten to thirty us, is unusual for a group of brief commands.
#define USUAL_TICKS (UINT64_C(1) << 16)

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
    uint64_t count = log_limit(&ctx->server->clients->attacks, 1);
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    if (count)
        log_warning("Possible SECURITY ATTACK detected: POST or Host: commands from %s, likely an "
                    "attempt to use cross-protocol scripting. Connection aborted. (%llu such "
                    "connections since the last line)",
                    address, (unsigned long long)count);
    client_close(ctx->client);
}

static bool ask_gates(struct cmd_ctx *ctx, uint32_t shut)
{
    // Our primary's commands have passed its own gates: only those of the link itself (a transaction) hold.
    if (ctx->client->flags & CLIENT_PRIMARY)
        shut &= ctx->client->gates;
    ctx->refused = true;
    ctx->refused = registry_ask_gates(ctx->server->registry, shut, ctx);
    return ctx->refused;
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
        ctx->refused = true;
        reply_wrong_arity(ctx);
        return true;
    }
    uint32_t shut = command->gates & (ctx->client->gates | ctx->server->gates);
    return unlikely(shut) && ask_gates(ctx, shut);
}

// It took long enough for the slow log or the latency monitor to want to know.
static void note_slow(const struct cmd_ctx *ctx, uint64_t ticks)
{
    uint64_t us = clock_ticks_to_ns(ticks) / 1000;
    bool is_fast = ctx->command->flags & CMD_FAST;
    slowlog_note(ctx->server->slowlog, ctx, us);
    latency_note(ctx->server, is_fast ? "fast-command" : "command", us / 1000);
}

// So many calls took so many ticks each.
static inline void count_calls(struct server *server, struct command_entry *command, unsigned count,
                               uint64_t ticks)
{
    server->stats.commands += count;
    command->calls += count;
    command->ticks += count * ticks;
    if (unlikely(!server->timing.tracking))
        return;
    if (unlikely(!command->histogram))
        latency_stats_begin(command);
    command->histogram->counts[histogram_bucket(ticks)] += count;
}

// Reads the clock: the ticks since the last reading but this one, which is remembered.
static inline uint64_t next_boundary(struct command_timing *timing, uint64_t start_ticks)
{
    uint64_t now_ticks = clock_ticks_inl(timing->ticks_are_cpus);
    timing->boundary_ticks = now_ticks;
    // The counters of two cores may differ by a little.
    return now_ticks > start_ticks ? now_ticks - start_ticks : 0;
}

// Ends a group of brief commands: each gets its share. If it took unusually long, the last one gets
// what is more than usual.
static void end_group(struct server *server)
{
    struct command_timing *timing = &server->timing;
    const unsigned count = timing->group_count;
    uint64_t ticks = next_boundary(timing, timing->boundary_ticks);
    timing->group_count = 0;
    // Most groups are whole, or of one: no division.
    uint64_t share = count == GROUP_MAX ? ticks / GROUP_MAX : count == 1 ? ticks : ticks / count;
    if (likely(ticks <= USUAL_TICKS)) {
        timing->usual_share = share;
        count_calls(server, timing->group_command, count, share);
        return;
    }
    if (share > timing->usual_share)
        share = timing->usual_share;
    uint64_t last = ticks - share * (count - 1);
    count_calls(server, timing->group_command, count - 1, share);
    count_calls(server, timing->group_command, 1, last);
    if (last >= timing->slow_ticks)
        note_slow(timing->group_last, last);
}

void dispatch_end(struct server *server)
{
    if (server->timing.group_count)
        end_group(server);
}

// The command was not run: its name was unknown, or it was rejected.
static void count_refused(const struct cmd_ctx *ctx)
{
    struct command_entry *command = ctx->command;
    bool unknown = !command || (command->is_container && ctx->argc > 1);
    if (!unknown && ctx->failed)
        command->rejected_calls++;
    transaction_refused(ctx);
    if (unlikely(ctx->server->observers & OBSERVER_TRACKING))
        tracking_refused(ctx);
    dispatch_end(ctx->server);
    dispatch_begin(ctx->server);
}

static void tell_observers(const struct cmd_ctx *ctx)
{
    uint32_t observers = ctx->server->observers;
    if (observers & OBSERVER_TRACKING)
        tracking_ran(ctx);
    if (observers & OBSERVER_MONITOR && !ctx->woken)
        monitor_feed(ctx);
}

static inline void run(struct cmd_ctx *ctx)
{
    ctx->command->handler(ctx);
    if (ctx->changes)
        effects_commit(ctx);
    if (unlikely(ctx->server->observers))
        tell_observers(ctx);
    if (unlikely(ctx->failed))
        ctx->command->failed_calls++;
}

static inline void run_brief(struct cmd_ctx *ctx)
{
    struct server *server = ctx->server;
    struct command_timing *timing = &server->timing;
    if (unlikely(timing->group_command != ctx->command)) {
        dispatch_end(server);
        timing->group_command = ctx->command;
    }
    run(ctx);
    timing->group_last = ctx;
    // What it has removed because it was expired may have been large.
    uint64_t expired_keys = server->keyspace->expired_keys;
    if (++timing->group_count == GROUP_MAX || unlikely(expired_keys != timing->expired_keys)) {
        timing->expired_keys = expired_keys;
        end_group(server);
    }
}

static void run_timed(struct cmd_ctx *ctx)
{
    struct command_timing *timing = &ctx->server->timing;
    dispatch_end(ctx->server);
    // A handler may run commands itself: they move the boundary, and their contexts don't live long.
    uint64_t start_ticks = timing->boundary_ticks;
    timing->depth++;
    timing->grouping = false;
    run(ctx);
    timing->depth--;
    timing->grouping = !timing->depth && !timing->each;
    uint64_t ticks = next_boundary(timing, start_ticks);
    // One that waits is counted when it is done.
    if (unlikely(ctx->waits))
        return;
    count_calls(ctx->server, ctx->command, 1, ticks);
    if (unlikely(ticks >= timing->slow_ticks))
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
    if (ctx->command->is_brief && likely(ctx->server->timing.grouping))
        run_brief(ctx);
    else
        run_timed(ctx);
}

void dispatch_admitted(struct cmd_ctx *ctx)
{
    run_timed(ctx);
}

void dispatch_gave_up(struct cmd_ctx *ctx)
{
    ctx->command->failed_calls += ctx->failed;
    count_calls(ctx->server, ctx->command, 1, 0);
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
    server->timing.each = us < EACH_BELOW_US;
    server->timing.grouping = !server->timing.each;
    server->timing.slow_ticks = us > INT64_MAX / 1000 ? UINT64_MAX : clock_ns_to_ticks(us * 1000);
}

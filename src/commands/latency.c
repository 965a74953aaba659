// SPDX-License-Identifier: BSD-3-Clause
// LATENCY: what held the server up, and how long commands take.
#include "server/latency.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/latency_report.h"
#include "server/latency_stats.h"
#include "server/registry.h"
#include "server/server.h"

#include <string.h>

// LATENCY LATEST
static void cmd_latency_latest(struct cmd_ctx *ctx)
{
    const struct latency *latency = ctx->server->latency;
    resp_array(&ctx->reply, latency_count(latency));
    for (size_t i = 0; i < latency_count(latency); i++) {
        const struct latency_series *series = latency_at(latency, i);
        struct latency_sample last = latency_sample_at(series, series->count - 1);
        resp_array(&ctx->reply, 4);
        resp_bulk_text(&ctx->reply, series->event);
        reply_int(ctx, last.time_s);
        reply_int(ctx, (int64_t)last.ms);
        reply_int(ctx, (int64_t)series->max_ms);
    }
}

// LATENCY HISTORY event
static void cmd_latency_history(struct cmd_ctx *ctx)
{
    const struct latency_series *series = latency_find(ctx->server->latency, ctx->argv[2]);
    size_t count = series ? series->count : 0;
    resp_array(&ctx->reply, count);
    for (size_t i = 0; i < count; i++) {
        struct latency_sample sample = latency_sample_at(series, i);
        resp_array(&ctx->reply, 2);
        reply_int(ctx, sample.time_s);
        reply_int(ctx, (int64_t)sample.ms);
    }
}

// LATENCY RESET [event ...]
static void cmd_latency_reset(struct cmd_ctx *ctx)
{
    struct latency *latency = ctx->server->latency;
    if (ctx->argc == 2) {
        reply_int(ctx, (int64_t)latency_count(latency));
        latency_reset_all(latency);
        return;
    }
    int64_t count = 0;
    for (uint32_t i = 2; i < ctx->argc; i++)
        count += latency_reset(latency, ctx->argv[i]);
    reply_int(ctx, count);
}

// LATENCY GRAPH event
static void cmd_latency_graph(struct cmd_ctx *ctx)
{
    struct slice event = ctx->argv[2];
    const struct latency_series *series = latency_find(ctx->server->latency, event);
    if (!series) {
        const char *end = event.len ? memchr(event.ptr, '\0', event.len) : NULL;
        size_t len = end ? (size_t)(end - event.ptr) : event.len;
        reply_errorf(ctx, "ERR No samples available for event '%.*s'", (int)len, event.ptr);
        return;
    }
    struct bytes text = { 0 };
    latency_draw(series, &text);
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// LATENCY DOCTOR
static void cmd_latency_doctor(struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    latency_explain(ctx->server->latency, &text);
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// The histogram of a command that has one; how many of its buckets are not empty is known before
// they are written.
static void reply_histogram(struct cmd_ctx *ctx, const struct command_entry *command)
{
    struct latency_buckets buckets;
    latency_stats_buckets(command, &buckets);
    size_t used = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        used += buckets.counts[i] > 0;

    resp_bulk_text(&ctx->reply, command->full_name);
    resp_map(&ctx->reply, 2);
    resp_bulk_text(&ctx->reply, "calls");
    reply_int(ctx, (int64_t)buckets.calls);
    resp_bulk_text(&ctx->reply, "histogram_usec");
    resp_map(&ctx->reply, used);
    uint64_t so_far = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        so_far += buckets.counts[i];
        if (!buckets.counts[i])
            continue;
        reply_int(ctx, (int64_t)latency_bucket_us(i));
        reply_int(ctx, (int64_t)so_far);
    }
}

// A command with its subcommands; returns how many histograms that are.
static size_t reply_histograms(struct cmd_ctx *ctx, const struct command_entry *command)
{
    size_t count = 0;
    if (command->histogram) {
        reply_histogram(ctx, command);
        count++;
    }
    for (int i = 0; i < command->subcommand_count; i++)
        count += reply_histograms(ctx, &command->subcommands[i]);
    return count;
}

// "get", "config" or "config|get"; NULL if there is none.
static const struct command_entry *find_command(const struct registry *registry, struct slice name)
{
    const char *bar = name.len ? memchr(name.ptr, '|', name.len) : NULL;
    if (!bar)
        return registry_lookup(registry, name);
    size_t len = (size_t)(bar - name.ptr);
    const struct command_entry *container = registry_lookup(
        registry, (struct slice){ .ptr = name.ptr, .len = len });
    struct slice sub = { .ptr = bar + 1, .len = name.len - len - 1 };
    return container ? registry_subcommand(container, sub) : NULL;
}

// LATENCY HISTOGRAM [command ...]
static void cmd_latency_histogram(struct cmd_ctx *ctx)
{
    const struct registry *registry = ctx->server->registry;
    struct resp_deferred pairs;
    size_t count = 0;
    resp_deferred_begin(&ctx->reply, &pairs);
    for (uint32_t i = 2; i < ctx->argc; i++) {
        const struct command_entry *command = find_command(registry, ctx->argv[i]);
        count += command ? reply_histograms(ctx, command) : 0;
    }
    for (size_t i = 0; ctx->argc == 2 && i < registry_count(registry); i++)
        count += reply_histograms(ctx, registry_at(registry, i));
    resp_deferred_end(&ctx->reply, &pairs, resp_map, count);
}

// LATENCY HELP
static void cmd_latency_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    What has held the server up, and what may help, in words.",
        "GRAPH <event>",
        "    The samples of an event, drawn.",
        "HELP",
        "    These lines.",
        "HISTOGRAM [<command> ...]",
        "    How many calls of these commands (or of all) took how many microseconds at the most.",
        "HISTORY <event>",
        "    The samples of an event: Unix time and milliseconds.",
        "LATEST",
        "    The last sample and the worst of every event.",
        "RESET [<event> ...]",
        "    Forget the samples of these events, or of all.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

#define LATENCY_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const struct command latency_subcommands[] = {
    { .name = "latest",
      .summary = "Returns the last sample of every event.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = LATENCY_FLAGS,
      .tips = { "nondeterministic_output", "request_policy:all_nodes", "response_policy:special" },
      .handler = cmd_latency_latest },
    { .name = "history",
      .summary = "Returns the samples of an event.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = LATENCY_FLAGS,
      .tips = { "nondeterministic_output", "request_policy:all_nodes", "response_policy:special" },
      .args = ARGS({ .name = "event", .type = ARG_STRING }),
      .handler = cmd_latency_history },
    { .name = "reset",
      .summary = "Forgets the samples of events.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = LATENCY_FLAGS,
      .tips = { "request_policy:all_nodes", "response_policy:all_succeeded" },
      .args = ARGS({ .name = "event", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_latency_reset },
    { .name = "graph",
      .summary = "Draws the samples of an event.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = LATENCY_FLAGS,
      .tips = { "nondeterministic_output", "request_policy:all_nodes", "response_policy:special" },
      .args = ARGS({ .name = "event", .type = ARG_STRING }),
      .handler = cmd_latency_graph },
    { .name = "doctor",
      .summary = "Says in words what has held the server up.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = LATENCY_FLAGS,
      .tips = { "nondeterministic_output", "request_policy:all_nodes", "response_policy:special" },
      .handler = cmd_latency_doctor },
    { .name = "histogram",
      .summary = "Returns how long commands took, as histograms.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of commands with a histogram",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = LATENCY_FLAGS,
      .tips = { "nondeterministic_output", "request_policy:all_nodes", "response_policy:special" },
      .args = ARGS({ .name = "command", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_latency_histogram },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_latency_help },
    { 0 },
};

const struct command latency_commands[] = {
    { .name = "latency",
      .summary = "A container for commands about latency.",
      .since = "2.8.13",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = latency_subcommands },
    { 0 },
};

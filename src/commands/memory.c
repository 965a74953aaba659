// SPDX-License-Identifier: BSD-3-Clause
// MEMORY: where the memory is.
#include "base/memory.h"

#include "commands/memory_doctor.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"

// MEMORY USAGE key [SAMPLES count]
// Each value's memory is known as it is, so there is nothing to take samples of.
static void cmd_memory_usage(struct cmd_ctx *ctx)
{
    for (uint32_t i = 3; i < ctx->argc; i += 2) {
        int64_t samples;
        if (!arg_is(ctx, i, "samples") || i + 1 == ctx->argc) {
            reply_error(ctx, ERR_SYNTAX);
            return;
        }
        if (!arg_int64(ctx, i + 1, &samples))
            return;
        if (samples < 0) {
            reply_error(ctx, ERR_SYNTAX);
            return;
        }
    }
    const struct entry *entry = db_peek(ctx->db, &ctx->keys[0]).entry;
    if (!entry) {
        reply_null(ctx);
        return;
    }
    size_t share = ctx->db->table.memory / db_size(ctx->db);
    reply_int(ctx, (int64_t)(db_entry_memory(ctx->db, entry) + share));
}

static struct memory_figures measure(const struct server *server)
{
    mem_note_peak();
    struct memory_figures figures = {
        .used = mem_used(),
        .peak = mem_peak(),
        .startup = server->startup_bytes,
        .rss = mem_rss(),
        .clients = clients_memory(server->clients),
        .client_count = server->clients->count,
    };
    mem_allocator_stats(&figures.allocator);
    figures.overhead = figures.startup + figures.clients;
    for (int i = 0; i < server->keyspace->db_count; i++) {
        figures.keys += db_size(&server->keyspace->dbs[i]);
        figures.overhead += server->keyspace->dbs[i].table.memory;
    }
    // What was there at the start may be gone by now.
    if (figures.overhead > figures.used)
        figures.overhead = figures.used;
    return figures;
}

static void field_bytes(struct resp_writer *w, const char *name, size_t bytes)
{
    resp_bulk_text(w, name);
    resp_int(w, (int64_t)bytes);
}

static void field_ratio(struct resp_writer *w, const char *name, double ratio)
{
    resp_bulk_text(w, name);
    resp_double(w, ratio);
}

// A ratio, and the difference under the other name.
static void field_pair(struct resp_writer *w, const char *const names[2], size_t whole, size_t part)
{
    field_ratio(w, names[0], memory_ratio(whole, part));
    field_bytes(w, names[1], whole - part);
}

static void reply_dbs(struct resp_writer *w, const struct keyspace *keyspace)
{
    for (int i = 0; i < keyspace->db_count; i++) {
        const struct db *db = &keyspace->dbs[i];
        if (db_size(db) == 0)
            continue;
        resp_bulk_printf(w, "db.%d", db->id);
        resp_map(w, 3);
        field_bytes(w, "overhead.hashtable.main", db->table.memory);
        // Expiries lie in the entries, slots do not exist.
        field_bytes(w, "overhead.hashtable.expires", 0);
        field_bytes(w, "overhead.hashtable.slot-to-keys", 0);
    }
}

static void reply_allocator(struct resp_writer *w, const struct memory_figures *figures)
{
    static const char *const fragmentation[] = { "allocator-fragmentation.ratio",
                                                 "allocator-fragmentation.bytes" };
    static const char *const resident[] = { "allocator-rss.ratio", "allocator-rss.bytes" };
    static const char *const process[] = { "rss-overhead.ratio", "rss-overhead.bytes" };
    static const char *const all[] = { "fragmentation", "fragmentation.bytes" };
    const struct mem_allocator_stats *allocator = &figures->allocator;
    field_bytes(w, "allocator.allocated", allocator->allocated);
    field_bytes(w, "allocator.active", allocator->active);
    field_bytes(w, "allocator.resident", allocator->resident);
    field_pair(w, fragmentation, allocator->active, allocator->allocated);
    field_pair(w, resident, allocator->resident, allocator->active);
    field_pair(w, process, figures->rss, allocator->resident);
    field_pair(w, all, figures->rss, figures->used);
}

// MEMORY STATS
static void cmd_memory_stats(struct cmd_ctx *ctx)
{
    struct resp_writer *w = &ctx->reply;
    const struct keyspace *keyspace = ctx->server->keyspace;
    struct memory_figures figures = measure(ctx->server);
    size_t dataset = figures.used - figures.overhead;
    size_t since_start = figures.used > figures.startup ? figures.used - figures.startup : 0;
    size_t dbs = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        dbs += db_size(&keyspace->dbs[i]) > 0;

    resp_map(w, 27 + dbs);
    field_bytes(w, "peak.allocated", figures.peak);
    field_bytes(w, "total.allocated", figures.used);
    field_bytes(w, "startup.allocated", figures.startup);
    field_bytes(w, "replication.backlog", 0);
    field_bytes(w, "clients.slaves", 0);
    field_bytes(w, "clients.normal", figures.clients);
    field_bytes(w, "cluster.links", 0);
    field_bytes(w, "aof.buffer", 0);
    field_bytes(w, "lua.caches", 0);
    field_bytes(w, "functions.caches", 0);
    reply_dbs(w, keyspace);
    field_bytes(w, "overhead.total", figures.overhead);
    field_bytes(w, "keys.count", figures.keys);
    field_bytes(w, "keys.bytes-per-key", figures.keys ? since_start / figures.keys : 0);
    field_bytes(w, "dataset.bytes", dataset);
    field_ratio(w, "dataset.percentage", memory_ratio(dataset, since_start) * 100);
    field_ratio(w, "peak.percentage", memory_ratio(figures.used, figures.peak) * 100);
    reply_allocator(w, &figures);
}

// MEMORY DOCTOR
static void cmd_memory_doctor(struct cmd_ctx *ctx)
{
    struct memory_figures figures = measure(ctx->server);
    struct bytes text = { 0 };
    memory_doctor(&figures, &text);
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// MEMORY PURGE
static void cmd_memory_purge(struct cmd_ctx *ctx)
{
    mem_purge();
    reply_ok(ctx);
}

// MEMORY MALLOC-STATS
static void cmd_memory_malloc_stats(struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    if (!mem_allocator_report(&text))
        bytes_append_text(&text, "Stats not supported for the current allocator");
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// MEMORY HELP
static void cmd_memory_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    What is wrong with the use of memory, in words.",
        "HELP",
        "    These lines.",
        "MALLOC-STATS",
        "    The allocator's own report.",
        "PURGE",
        "    Give unused memory back to the system.",
        "STATS",
        "    How much memory is used for what.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that the key and its value take, with their share of the table. They",
        "    are counted, not estimated: the number of samples does not matter.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

static const struct command memory_subcommands[] = {
    { .name = "usage",
      .summary = "Counts the bytes that a key and its value take.",
      .since = "4.0.0",
      .complexity = "O(N) for N samples",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_READONLY,
      .keys = { KEYS_SECOND(KEY_RO) },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "count", .type = ARG_INTEGER, .token = "SAMPLES", .flags = ARG_OPTIONAL }),
      .handler = cmd_memory_usage },
    { .name = "stats",
      .summary = "Returns figures of the use of memory.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .tips = { "nondeterministic_output", "request_policy:all_shards", "response_policy:special" },
      .handler = cmd_memory_stats },
    { .name = "doctor",
      .summary = "Says what is wrong with the use of memory, if anything.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .tips = { "nondeterministic_output", "request_policy:all_shards", "response_policy:special" },
      .handler = cmd_memory_doctor },
    { .name = "purge",
      .summary = "Gives unused memory back to the system.",
      .since = "4.0.0",
      .complexity = "Depends on the memory in use; may be slow",
      .group = GROUP_SERVER,
      .arity = 2,
      .tips = { "request_policy:all_shards", "response_policy:all_succeeded" },
      .handler = cmd_memory_purge },
    { .name = "malloc-stats",
      .summary = "Returns the memory allocator's own report.",
      .since = "4.0.0",
      .complexity = "Depends on the memory in use; may be slow",
      .group = GROUP_SERVER,
      .arity = 2,
      .tips = { "nondeterministic_output", "request_policy:all_shards", "response_policy:special" },
      .handler = cmd_memory_malloc_stats },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_memory_help },
    { 0 },
};

const struct command memory_commands[] = {
    { .name = "memory",
      .summary = "A container for commands about memory.",
      .since = "4.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = memory_subcommands },
    { 0 },
};

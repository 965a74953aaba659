// SPDX-License-Identifier: BSD-3-Clause
// SLOWLOG: the commands that took long.
#include "server/slowlog.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

#define DEFAULT_COUNT 10

static void emit_entry(const struct slowlog_entry *entry, void *udata)
{
    struct resp_writer *reply = udata;
    resp_array(reply, 6);
    resp_int(reply, (int64_t)entry->id);
    resp_int(reply, entry->time_s);
    resp_int(reply, (int64_t)entry->duration_us);
    resp_array(reply, entry->argc);
    for (uint32_t i = 0; i < entry->argc; i++)
        resp_bulk_slice(reply, entry->argv[i]);
    resp_bulk_slice(reply, entry->client_address);
    resp_bulk_slice(reply, entry->client_name);
}

// SLOWLOG GET [count]
static void cmd_slowlog_get(struct cmd_ctx *ctx)
{
    if (ctx->argc > 3) {
        reply_errorf(ctx,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try SLOWLOG "
                     "HELP.",
                     (int)(ctx->argv[1].len < 128 ? ctx->argv[1].len : 128), ctx->argv[1].ptr);
        return;
    }
    int64_t count = DEFAULT_COUNT;
    if (ctx->argc == 3 && (!parse_int64(ctx->argv[2], &count) || count < -1)) {
        reply_errorf(ctx, "ERR count should be greater than or equal to -1");
        return;
    }
    const struct slowlog *slowlog = ctx->server->slowlog;
    size_t len = slowlog_len(slowlog);
    size_t shown = count == -1 || (uint64_t)count > len ? len : (size_t)count;
    resp_array(&ctx->reply, shown);
    slowlog_each(slowlog, shown, emit_entry, &ctx->reply);
}

// SLOWLOG LEN
static void cmd_slowlog_len(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)slowlog_len(ctx->server->slowlog));
}

// SLOWLOG RESET
static void cmd_slowlog_reset(struct cmd_ctx *ctx)
{
    slowlog_reset(ctx->server->slowlog);
    reply_ok(ctx);
}

// SLOWLOG HELP
static void cmd_slowlog_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    The last <count> slow commands (10; -1: all), newest first. Of each: id, Unix time,",
        "    duration in microseconds, arguments, the client's address and name.",
        "HELP",
        "    These lines.",
        "LEN",
        "    How many there are.",
        "RESET",
        "    Forget them.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

static const struct command slowlog_subcommands[] = {
    { .name = "get",
      .summary = "Returns the last slow commands.",
      .since = "2.2.12",
      .complexity = "O(N) where N is the number of commands returned",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE,
      .tips = { "request_policy:all_nodes", "nondeterministic_output" },
      .args = ARGS({ .name = "count", .type = ARG_INTEGER, .flags = ARG_OPTIONAL }),
      .handler = cmd_slowlog_get },
    { .name = "len",
      .summary = "Returns how many slow commands are kept.",
      .since = "2.2.12",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE,
      .tips = { "request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output" },
      .handler = cmd_slowlog_len },
    { .name = "reset",
      .summary = "Forgets the slow commands.",
      .since = "2.2.12",
      .complexity = "O(N) where N is the number of commands kept",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_ADMIN | CMD_LOADING | CMD_STALE,
      .tips = { "request_policy:all_nodes", "response_policy:all_succeeded" },
      .handler = cmd_slowlog_reset },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_slowlog_help },
    { 0 },
};

const struct command slowlog_commands[] = {
    { .name = "slowlog",
      .summary = "A container for commands about slow commands.",
      .since = "2.2.12",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = slowlog_subcommands },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// SHUTDOWN: the end of the server, asked for by a client.
#include "base/log.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/process.h"
#include "server/server.h"

// ABORT is a wish of its own, not a way to stop.
#define ABORT (1u << 31)

// False: the arguments contradict each other, or are none.
static bool parse_flags(const struct cmd_ctx *ctx, uint32_t *flags)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } words[] = {
        { "nosave", STOP_NOSAVE }, { "save", STOP_SAVE }, { "now", STOP_NOW },
        { "force", STOP_FORCE },   { "abort", ABORT },
    };
    const size_t count = sizeof(words) / sizeof(*words);
    *flags = 0;
    for (uint32_t i = 1; i < ctx->argc; i++) {
        size_t n = 0;
        while (n < count && !arg_is(ctx, i, words[n].word))
            n++;
        if (n == count)
            return false;
        *flags |= words[n].flag;
    }
    bool both = *flags & STOP_SAVE && *flags & STOP_NOSAVE;
    return !both && (!(*flags & ABORT) || *flags == ABORT);
}

static enum stop_result stop(const struct cmd_ctx *ctx, uint32_t flags)
{
    char address[CONN_NAME_MAX];
    client_address(ctx->client, address);
    log_notice("Received SHUTDOWN from client %llu at %s", (unsigned long long)ctx->client->id,
               address);
    return process_stop(ctx->server->process, flags);
}

static void answer(struct cmd_ctx *ctx, enum stop_result result)
{
    switch (result) {
    case STOP_BEGUN: client_close_after_reply(ctx->client); break;
    case STOP_WAITS: process_wait_for_stop(ctx); break;
    case STOP_REFUSED: reply_error(ctx, ERR_SHUTDOWN); break;
    }
}

static void abort_stop(struct cmd_ctx *ctx)
{
    if (process_abort_stop(ctx->server->process))
        reply_ok(ctx);
    else
        reply_error(ctx, ERR_NO_SHUTDOWN);
}

// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
static void cmd_shutdown(struct cmd_ctx *ctx)
{
    const struct process *process = ctx->server->process;
    uint32_t flags;
    if (!parse_flags(ctx, &flags))
        reply_error(ctx, ERR_SYNTAX);
    else if (flags & ABORT)
        abort_stop(ctx);
    else if (ctx->woken)
        answer(ctx, process_stopping(process) ? STOP_BEGUN : STOP_REFUSED);
    else
        answer(ctx, stop(ctx, flags));
}

const struct command shutdown_commands[] = {
    { .name = "shutdown",
      .summary = "Ends the server, after saving the data if it is to be saved.",
      .since = "1.0.0",
      .complexity = "O(N) when saving, where N is the number of keys in all databases; else O(1)",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI | CMD_ALLOW_BUSY,
      .barrier = true,
      .args = ARGS({ .name = "nosave_save",
                     .type = ARG_ONEOF,
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "nosave", .type = ARG_PURE_TOKEN, .token = "NOSAVE" },
                                  { .name = "save", .type = ARG_PURE_TOKEN, .token = "SAVE" }) },
                   { .name = "now",
                     .type = ARG_PURE_TOKEN,
                     .token = "NOW",
                     .since = "7.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "force",
                     .type = ARG_PURE_TOKEN,
                     .token = "FORCE",
                     .since = "7.0.0",
                     .flags = ARG_OPTIONAL },
                   { .name = "abort",
                     .type = ARG_PURE_TOKEN,
                     .token = "ABORT",
                     .since = "7.0.0",
                     .flags = ARG_OPTIONAL }),
      .handler = cmd_shutdown },
    { 0 },
};

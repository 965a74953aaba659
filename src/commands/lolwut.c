// SPDX-License-Identifier: BSD-3-Clause
// LOLWUT: a picture, and the version.
//
// Ropes that cross: in every cell one of three ways to go on, chosen at random.
#include "base/numbers.h"
#include "base/random.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

#define COLUMNS     40
#define ROWS        8
#define COLUMNS_MAX 160
#define ROWS_MAX    80

static int64_t within(int64_t value, int64_t max)
{
    return value < 1 ? 1 : value > max ? max : value;
}

static void draw(struct bytes *out, struct random *random, int64_t columns, int64_t rows)
{
    static const char *const ways[] = { "\u2571", "\u2572", "\u2573" };
    // Crossings are rare.
    static const unsigned char choice[] = { 0, 0, 0, 0, 1, 1, 1, 1, 2 };
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t column = 0; column < columns; column++)
            bytes_append_text(out, ways[choice[random_below(random, sizeof(choice))]]);
        bytes_append_char(out, '\n');
    }
    bytes_append_char(out, '\n');
}

// LOLWUT [VERSION version [columns [rows]]]
// Versions 5 and 6 take numbers for their pictures, so these do for ours.
static void cmd_lolwut(struct cmd_ctx *ctx)
{
    int64_t version = 0;
    int64_t size[] = { COLUMNS, ROWS };
    if (ctx->argc > 2 && arg_is(ctx, 1, "version") && !arg_int64(ctx, 2, &version))
        return;
    for (uint32_t i = 0; i < 2 && i + 3 < ctx->argc && (version == 5 || version == 6); i++) {
        if (!arg_int64(ctx, i + 3, &size[i]))
            return;
    }
    struct bytes text = { 0 };
    draw(&text, &ctx->server->keyspace->random, within(size[0], COLUMNS_MAX),
         within(size[1], ROWS_MAX));
    bytes_append_text(&text, "Redis ver. " REDIS_VERSION "\n");
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

const struct command lolwut_commands[] = {
    { .name = "lolwut",
      .summary = "Draws a picture, and names the version.",
      .since = "5.0.0",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_READONLY | CMD_FAST,
      .args = ARGS(
          { .name = "version", .type = ARG_INTEGER, .token = "VERSION", .flags = ARG_OPTIONAL }),
      .handler = cmd_lolwut },
    { 0 },
};

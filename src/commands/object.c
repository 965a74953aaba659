// SPDX-License-Identifier: BSD-3-Clause
// OBJECT: how a value lies in memory.
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

// The entry under the key, untouched; if there is none, replies.
static const struct entry *find_object(struct cmd_ctx *ctx)
{
    const struct entry *entry = db_peek(ctx->db, &ctx->keys[0]).entry;
    if (!entry)
        reply_null(ctx);
    return entry;
}

static const struct type_ops *ops_of(const struct cmd_ctx *ctx, const struct entry *entry)
{
    return ctx->server->keyspace->types[entry_type(entry)];
}

// OBJECT ENCODING key
static void cmd_object_encoding(struct cmd_ctx *ctx)
{
    const struct entry *entry = find_object(ctx);
    if (entry)
        resp_bulk_text(&ctx->reply, ops_of(ctx, entry)->encoding_name(entry));
}

// OBJECT FREQ key
static void cmd_object_freq(struct cmd_ctx *ctx)
{
    const struct entry *entry = find_object(ctx);
    const struct access_rules *rules = &ctx->server->keyspace->access;
    if (!entry)
        return;
    if (rules->frequency)
        reply_int(ctx, access_counter(rules, entry_access(entry)));
    else
        reply_error(ctx, ERR_NO_LFU);
}

// OBJECT IDLETIME key
static void cmd_object_idletime(struct cmd_ctx *ctx)
{
    const struct entry *entry = find_object(ctx);
    const struct access_rules *rules = &ctx->server->keyspace->access;
    if (!entry)
        return;
    if (rules->frequency)
        reply_error(ctx, ERR_LFU);
    else
        reply_int(ctx, access_idle_s(rules, entry_access(entry)));
}

// OBJECT REFCOUNT key
static void cmd_object_refcount(struct cmd_ctx *ctx)
{
    const struct entry *entry = find_object(ctx);
    if (entry)
        reply_int(ctx, ops_of(ctx, entry)->refcount ? ops_of(ctx, entry)->refcount(entry) : 1);
}

// OBJECT HELP
static void cmd_object_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    How the value lies in memory.",
        "FREQ <key>",
        "    How often it has been asked for of late, on a logarithmic scale.",
        "HELP",
        "    These lines.",
        "IDLETIME <key>",
        "    Seconds since it was last asked for.",
        "REFCOUNT <key>",
        "    How many references the value has.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

static const struct command object_subcommands[] = {
    { .name = "encoding",
      .summary = "Tells how a value lies in memory.",
      .since = "2.2.3",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_SECOND(KEY_RO) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_object_encoding },
    { .name = "freq",
      .summary = "Tells how often a key has been asked for.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_SECOND(KEY_RO) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_object_freq },
    { .name = "idletime",
      .summary = "Tells how long ago a key was last asked for.",
      .since = "2.2.3",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_SECOND(KEY_RO) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_object_idletime },
    { .name = "refcount",
      .summary = "Counts the references of a value.",
      .since = "2.2.3",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 3,
      .flags = CMD_READONLY,
      .acl = ACL_KEYSPACE,
      .keys = { KEYS_SECOND(KEY_RO) },
      .tips = { "nondeterministic_output" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_object_refcount },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_GENERIC,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_KEYSPACE,
      .handler = cmd_object_help },
    { 0 },
};

const struct command object_commands[] = {
    { .name = "object",
      .summary = "A container for commands about how values lie in memory.",
      .since = "2.2.3",
      .complexity = "Depends on subcommand.",
      .group = GROUP_GENERIC,
      .arity = -2,
      .subcommands = object_subcommands },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// COMMAND DOCS: what commands are for and which arguments they take.
#include "commands/introspection.h"
#include "server/server.h"

static const char *const group_names[] = {
    [GROUP_GENERIC] = "generic",
    [GROUP_STRING] = "string",
    [GROUP_LIST] = "list",
    [GROUP_SET] = "set",
    [GROUP_SORTED_SET] = "sorted-set",
    [GROUP_HASH] = "hash",
    [GROUP_PUBSUB] = "pubsub",
    [GROUP_TRANSACTIONS] = "transactions",
    [GROUP_CONNECTION] = "connection",
    [GROUP_SERVER] = "server",
    [GROUP_CLUSTER] = "cluster",
};

static const char *const type_names[] = {
    [ARG_STRING] = "string",         [ARG_INTEGER] = "integer",
    [ARG_DOUBLE] = "double",         [ARG_KEY] = "key",
    [ARG_PATTERN] = "pattern",       [ARG_UNIX_TIME] = "unix-time",
    [ARG_PURE_TOKEN] = "pure-token", [ARG_ONEOF] = "oneof",
    [ARG_BLOCK] = "block",
};

static void reply_field(struct resp_writer *w, const char *name, const char *value)
{
    resp_bulk_text(w, name);
    resp_bulk_text(w, value);
}

static size_t count_args(const struct command_arg *args)
{
    size_t count = 0;
    while (args && args[count].name)
        count++;
    return count;
}

static void reply_arg_flags(struct resp_writer *w, uint32_t flags)
{
    static const char *const names[] = { "optional", "multiple", "multiple_token" };
    resp_bulk_text(w, "flags");
    resp_set(w, (size_t)__builtin_popcount(flags));
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (flags & 1u << i)
            resp_simple(w, slice_of(names[i]));
    }
}

// A tree of arguments; it is as deep as the row that declares it.
// NOLINTNEXTLINE(misc-no-recursion)
static void reply_args(struct resp_writer *w, const struct command_arg *args)
{
    size_t count = count_args(args);
    resp_bulk_text(w, "arguments");
    resp_array(w, count);
    for (size_t i = 0; i < count; i++) {
        const struct command_arg *arg = &args[i];
        bool is_tree = arg->type == ARG_ONEOF || arg->type == ARG_BLOCK;
        bool has_key_spec = arg->type == ARG_KEY || arg->key_spec > 0;
        resp_map(w, 2 + !is_tree + has_key_spec + (arg->token != NULL) + (arg->since != NULL) +
                        (arg->deprecated_since != NULL) + (arg->flags != 0) + is_tree);
        reply_field(w, "name", arg->name);
        reply_field(w, "type", type_names[arg->type]);
        if (!is_tree)
            reply_field(w, "display_text", arg->name);
        if (has_key_spec) {
            resp_bulk_text(w, "key_spec_index");
            resp_int(w, arg->key_spec);
        }
        if (arg->token)
            reply_field(w, "token", arg->token);
        if (arg->since)
            reply_field(w, "since", arg->since);
        if (arg->deprecated_since)
            reply_field(w, "deprecated_since", arg->deprecated_since);
        if (arg->flags)
            reply_arg_flags(w, arg->flags);
        if (is_tree)
            reply_args(w, arg->args);
    }
}

// NOLINTNEXTLINE(misc-no-recursion): a container's subcommands have none.
static void reply_docs(struct resp_writer *w, const struct command_entry *command)
{
    const struct command *row = command->row;
    bool deprecated = row->deprecated_since != NULL;
    resp_bulk_text(w, command->full_name);
    resp_map(w, 3 + (row->complexity != NULL) + row->is_syscmd + 3u * deprecated +
                    (row->args != NULL) + command->is_container);
    reply_field(w, "summary", row->summary);
    reply_field(w, "since", row->since);
    reply_field(w, "group", group_names[row->group]);
    if (row->complexity)
        reply_field(w, "complexity", row->complexity);
    if (deprecated || row->is_syscmd) {
        resp_bulk_text(w, "doc_flags");
        resp_set(w, 1);
        resp_simple(w, deprecated ? SLICE("deprecated") : SLICE("syscmd"));
    }
    if (deprecated) {
        reply_field(w, "deprecated_since", row->deprecated_since);
        reply_field(w, "replaced_by", row->replaced_by);
    }
    if (row->args)
        reply_args(w, row->args);
    if (command->is_container) {
        resp_bulk_text(w, "subcommands");
        resp_map(w, (size_t)command->subcommand_count);
        for (int i = 0; i < command->subcommand_count; i++)
            reply_docs(w, &command->subcommands[i]);
    }
}

// COMMAND DOCS [command-name [command-name ...]]
void cmd_command_docs(struct cmd_ctx *ctx)
{
    const struct registry *registry = ctx->server->registry;
    if (ctx->argc == 2) {
        size_t count = registry_count(registry);
        resp_map(&ctx->reply, count);
        for (size_t i = 0; i < count; i++)
            reply_docs(&ctx->reply, registry_at(registry, i));
        return;
    }
    struct resp_deferred docs;
    size_t count = 0;
    resp_deferred_begin(&ctx->reply, &docs);
    for (uint32_t i = 2; i < ctx->argc; i++) {
        const struct command_entry *command = find_command_by_name(registry, ctx->argv[i]);
        if (!command)
            continue;
        reply_docs(&ctx->reply, command);
        count++;
    }
    resp_deferred_end(&ctx->reply, &docs, resp_map, count);
}

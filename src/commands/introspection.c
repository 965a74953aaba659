// SPDX-License-Identifier: BSD-3-Clause
// COMMAND: what the server says of its own commands.
#include "commands/introspection.h"
#include "base/glob.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/registry.h"
#include "server/server.h"

#include <stdio.h>

struct bit_name {
    uint32_t bit;
    const char *name;
};

static const struct bit_name flag_names[] = {
    { CMD_WRITE, "write" },
    { CMD_READONLY, "readonly" },
    { CMD_DENYOOM, "denyoom" },
    { CMD_ADMIN, "admin" },
    { CMD_PUBSUB, "pubsub" },
    { CMD_NOSCRIPT, "noscript" },
    { CMD_BLOCKING, "blocking" },
    { CMD_LOADING, "loading" },
    { CMD_STALE, "stale" },
    { CMD_SKIP_MONITOR, "skip_monitor" },
    { CMD_SKIP_SLOWLOG, "skip_slowlog" },
    { CMD_ASKING, "asking" },
    { CMD_FAST, "fast" },
    { CMD_NO_AUTH, "no_auth" },
    { CMD_NO_MANDATORY_KEYS, "no_mandatory_keys" },
    { CMD_NO_ASYNC_LOADING, "no_async_loading" },
    { CMD_NO_MULTI, "no_multi" },
    { CMD_MOVABLE_KEYS, "movablekeys" },
    { CMD_ALLOW_BUSY, "allow_busy" },
    { 0 },
};

static const struct bit_name category_names[] = {
    { ACL_KEYSPACE, "@keyspace" },
    { ACL_READ, "@read" },
    { ACL_WRITE, "@write" },
    { ACL_SET, "@set" },
    { ACL_SORTEDSET, "@sortedset" },
    { ACL_LIST, "@list" },
    { ACL_HASH, "@hash" },
    { ACL_STRING, "@string" },
    { ACL_BITMAP, "@bitmap" },
    { ACL_HYPERLOGLOG, "@hyperloglog" },
    { ACL_GEO, "@geo" },
    { ACL_STREAM, "@stream" },
    { ACL_PUBSUB, "@pubsub" },
    { ACL_ADMIN, "@admin" },
    { ACL_FAST, "@fast" },
    { ACL_SLOW, "@slow" },
    { ACL_BLOCKING, "@blocking" },
    { ACL_DANGEROUS, "@dangerous" },
    { ACL_CONNECTION, "@connection" },
    { ACL_TRANSACTION, "@transaction" },
    { ACL_SCRIPTING, "@scripting" },
    { 0 },
};

static const struct bit_name key_flag_names[] = {
    { KEY_RO, "RO" },
    { KEY_RW, "RW" },
    { KEY_OW, "OW" },
    { KEY_RM, "RM" },
    { KEY_ACCESS, "access" },
    { KEY_UPDATE, "update" },
    { KEY_INSERT, "insert" },
    { KEY_DELETE, "delete" },
    { KEY_NOT_KEY, "not_key" },
    { KEY_INCOMPLETE, "incomplete" },
    { KEY_VARIABLE_FLAGS, "variable_flags" },
    { 0 },
};

// The names of the set bits, as a set of status texts.
static void reply_bits(struct resp_writer *w, uint32_t bits, const struct bit_name *names)
{
    size_t count = 0;
    for (const struct bit_name *name = names; name->name; name++)
        count += (bits & name->bit) != 0;
    resp_set(w, count);
    for (const struct bit_name *name = names; name->name; name++) {
        if (bits & name->bit)
            resp_simple(w, slice_of(name->name));
    }
}

void reply_key_flags(struct resp_writer *w, uint32_t flags)
{
    reply_bits(w, flags, key_flag_names);
}

static void reply_tips(struct resp_writer *w, const struct command *row)
{
    const size_t max = sizeof(row->tips) / sizeof(*row->tips);
    size_t count = 0;
    while (count < max && row->tips[count])
        count++;
    resp_set(w, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk_text(w, row->tips[i]);
}

static void reply_named_int(struct resp_writer *w, const char *name, int64_t value)
{
    resp_bulk_text(w, name);
    resp_int(w, value);
}

static void reply_key_begin(struct resp_writer *w, const struct key_spec *spec)
{
    resp_bulk_text(w, "begin_search");
    resp_map(w, 2);
    resp_bulk_text(w, "type");
    switch (spec->begin) {
    case KEY_BEGIN_INDEX:
        resp_bulk_text(w, "index");
        resp_bulk_text(w, "spec");
        resp_map(w, 1);
        reply_named_int(w, "index", spec->begin_index);
        break;
    case KEY_BEGIN_KEYWORD:
        resp_bulk_text(w, "keyword");
        resp_bulk_text(w, "spec");
        resp_map(w, 2);
        resp_bulk_text(w, "keyword");
        resp_bulk_text(w, spec->keyword);
        reply_named_int(w, "startfrom", spec->begin_index);
        break;
    case KEY_BEGIN_NONE:
    case KEY_BEGIN_UNKNOWN:
        resp_bulk_text(w, "unknown");
        resp_bulk_text(w, "spec");
        resp_map(w, 0);
        break;
    }
}

static void reply_key_find(struct resp_writer *w, const struct key_spec *spec)
{
    resp_bulk_text(w, "find_keys");
    resp_map(w, 2);
    resp_bulk_text(w, "type");
    switch (spec->find) {
    case KEY_FIND_RANGE:
        resp_bulk_text(w, "range");
        resp_bulk_text(w, "spec");
        resp_map(w, 3);
        reply_named_int(w, "lastkey", spec->last);
        reply_named_int(w, "keystep", spec->step);
        reply_named_int(w, "limit", spec->limit);
        break;
    case KEY_FIND_KEYNUM:
        resp_bulk_text(w, "keynum");
        resp_bulk_text(w, "spec");
        resp_map(w, 3);
        reply_named_int(w, "keynumidx", spec->keynum_index);
        reply_named_int(w, "firstkey", spec->keynum_first);
        reply_named_int(w, "keystep", spec->step);
        break;
    case KEY_FIND_UNKNOWN:
        resp_bulk_text(w, "unknown");
        resp_bulk_text(w, "spec");
        resp_map(w, 0);
        break;
    }
}

static void reply_key_specs(struct resp_writer *w, const struct command *row)
{
    size_t count = 0;
    while (count < COMMAND_KEY_SPECS_MAX && row->keys[count].begin != KEY_BEGIN_NONE)
        count++;
    resp_set(w, count);
    for (size_t i = 0; i < count; i++) {
        const struct key_spec *spec = &row->keys[i];
        resp_map(w, spec->notes ? 4 : 3);
        if (spec->notes) {
            resp_bulk_text(w, "notes");
            resp_bulk_text(w, spec->notes);
        }
        resp_bulk_text(w, "flags");
        reply_key_flags(w, spec->flags);
        reply_key_begin(w, spec);
        reply_key_find(w, spec);
    }
}

// The ten parts of one command's description.
static void reply_command(struct resp_writer *w, const struct command_entry *command)
{
    resp_array(w, 10);
    resp_bulk_text(w, command->full_name);
    resp_int(w, command->arity);
    reply_bits(w, command->flags, flag_names);
    resp_int(w, command->shown_keys.first);
    // A last key that is counted from the end is named as it is; others by their position.
    resp_int(w, command->shown_keys.last);
    resp_int(w, command->shown_keys.step);
    reply_bits(w, command->acl, category_names);
    reply_tips(w, command->row);
    reply_key_specs(w, command->row);
    resp_set(w, (size_t)command->subcommand_count);
    for (int i = 0; i < command->subcommand_count; i++)
        reply_command(w, &command->subcommands[i]);
}

const struct command_entry *find_command_by_name(const struct registry *registry, struct slice name)
{
    const char *bar = memchr(name.ptr, '|', name.len);
    if (!bar)
        return registry_lookup(registry, name);
    struct slice container = { .ptr = name.ptr, .len = (size_t)(bar - name.ptr) };
    struct slice sub = { .ptr = bar + 1, .len = name.len - container.len - 1 };
    const struct command_entry *entry = registry_lookup(registry, container);
    return entry ? registry_subcommand(entry, sub) : NULL;
}

// COMMAND
static void cmd_command(struct cmd_ctx *ctx)
{
    const struct registry *registry = ctx->server->registry;
    size_t count = registry_count(registry);
    resp_array(&ctx->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_command(&ctx->reply, registry_at(registry, i));
}

// COMMAND COUNT
static void cmd_command_count(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)registry_count(ctx->server->registry));
}

// COMMAND INFO [command-name [command-name ...]]
static void cmd_command_info(struct cmd_ctx *ctx)
{
    if (ctx->argc == 2) {
        cmd_command(ctx);
        return;
    }
    resp_array(&ctx->reply, ctx->argc - 2);
    for (uint32_t i = 2; i < ctx->argc; i++) {
        const struct command_entry *command = find_command_by_name(ctx->server->registry,
                                                                   ctx->argv[i]);
        if (command)
            reply_command(&ctx->reply, command);
        else
            reply_null(ctx);
    }
}

enum list_filter { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN };

static uint32_t category_bit(struct slice name)
{
    for (const struct bit_name *category = category_names; category->name; category++) {
        if (slice_is(name, category->name + 1))
            return category->bit;
    }
    return 0;
}

static bool passes(const struct command_entry *command, enum list_filter filter, struct slice word)
{
    switch (filter) {
    case LIST_ALL: return true;
    case LIST_MODULE: return false;
    case LIST_CATEGORY: return command->acl & category_bit(word);
    case LIST_PATTERN: return glob_match(word, slice_of(command->full_name), true);
    }
    return false;
}

// Emits a command and its subcommands, as far as they pass.
static size_t list_command(struct cmd_ctx *ctx, const struct command_entry *command,
                           enum list_filter filter, struct slice word)
{
    size_t count = 0;
    if (passes(command, filter, word)) {
        resp_bulk_text(&ctx->reply, command->full_name);
        count++;
    }
    for (int i = 0; i < command->subcommand_count; i++)
        count += list_command(ctx, &command->subcommands[i], filter, word);
    return count;
}

// COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]
static void cmd_command_list(struct cmd_ctx *ctx)
{
    enum list_filter filter = LIST_ALL;
    struct slice word = { .ptr = "" };
    if (ctx->argc != 2) {
        bool filterby = ctx->argc == 5 && arg_is(ctx, 2, "filterby");
        if (filterby && arg_is(ctx, 3, "module"))
            filter = LIST_MODULE;
        else if (filterby && arg_is(ctx, 3, "aclcat"))
            filter = LIST_CATEGORY;
        else if (filterby && arg_is(ctx, 3, "pattern"))
            filter = LIST_PATTERN;
        else {
            reply_error(ctx, ERR_SYNTAX);
            return;
        }
        word = ctx->argv[4];
    }
    struct resp_deferred names;
    size_t count = 0;
    resp_deferred_begin(&ctx->reply, &names);
    for (size_t i = 0; i < registry_count(ctx->server->registry); i++)
        count += list_command(ctx, registry_at(ctx->server->registry, i), filter, word);
    resp_deferred_end(&ctx->reply, &names, resp_array, count);
}

// COMMAND HELP
static void cmd_command_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    All commands, described.",
        "COUNT",
        "    The number of commands.",
        "DOCS [<command> ...]",
        "    What the commands are for and which arguments they take.",
        "GETKEYS <command> <arg> [<arg> ...]",
        "    The keys among the arguments of a command.",
        "GETKEYSANDFLAGS <command> <arg> [<arg> ...]",
        "    The same, with what the command does to each key.",
        "HELP",
        "    These lines.",
        "INFO [<command> ...]",
        "    The commands, described; all of them without a name.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    The names of the commands.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

static const struct command command_subcommands[] = {
    { .name = "count",
      .summary = "Counts the commands.",
      .since = "2.8.13",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .handler = cmd_command_count },
    { .name = "info",
      .summary = "Describes commands.",
      .since = "2.8.13",
      .complexity = "O(N) where N is the number of commands",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output_order" },
      .args = ARGS(
          { .name = "command-name", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_command_info },
    { .name = "docs",
      .summary = "Documents commands.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of commands",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output_order" },
      .args = ARGS(
          { .name = "command-name", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_command_docs },
    { .name = "getkeys",
      .summary = "Finds the keys among the arguments of a command.",
      .since = "2.8.13",
      .complexity = "O(N) where N is the number of arguments",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .handler = cmd_command_getkeys },
    { .name = "getkeysandflags",
      .summary = "Finds the keys among the arguments of a command, and what it does to them.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of arguments",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .handler = cmd_command_getkeysandflags },
    { .name = "list",
      .summary = "Lists the names of the commands.",
      .since = "7.0.0",
      .complexity = "O(N) where N is the number of commands",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output_order" },
      .args = ARGS(
          { .name = "filterby",
            .type = ARG_ONEOF,
            .token = "FILTERBY",
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "module-name", .type = ARG_STRING, .token = "MODULE" },
                         { .name = "category", .type = ARG_STRING, .token = "ACLCAT" },
                         { .name = "pattern", .type = ARG_PATTERN, .token = "PATTERN" }) }),
      .handler = cmd_command_list },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .handler = cmd_command_help },
    { 0 },
};

const struct command introspection_commands[] = {
    { .name = "command",
      .summary = "Describes all commands.",
      .since = "2.8.13",
      .complexity = "O(N) where N is the number of commands",
      .group = GROUP_SERVER,
      .arity = -1,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output_order" },
      .handler = cmd_command,
      .subcommands = command_subcommands },
    { 0 },
};

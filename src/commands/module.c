// SPDX-License-Identifier: BSD-3-Clause
// MODULE: there are no modules, and none can be loaded.
#include "commands/tables.h"
#include "server/ctx.h"

// MODULE LIST
static void cmd_module_list(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 0);
}

// MODULE LOAD path [arg ...]
// MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS arg [arg ...]]
// MODULE UNLOAD name
static void cmd_module_refused(struct cmd_ctx *ctx)
{
    reply_error(ctx, ERR_MODULE_REFUSED);
}

// MODULE HELP
static void cmd_module_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "HELP",
        "    These lines.",
        "LIST",
        "    The modules that are loaded: none, there is nothing to load them.",
        "LOAD <path> [<arg> ...]",
        "    Refused.",
        "LOADEX <path> [CONFIG <name> <value> ...] [ARGS <arg> ...]",
        "    Refused.",
        "UNLOAD <name>",
        "    Refused.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

static const struct command module_subcommands[] = {
    { .name = "list",
      .summary = "Lists the modules that are loaded.",
      .since = "4.0.0",
      .complexity = "O(N) for N modules",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_ADMIN | CMD_NOSCRIPT,
      .tips = { "nondeterministic_output_order" },
      .handler = cmd_module_list },
    { .name = "load",
      .summary = "Loads a module.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
      .args = ARGS({ .name = "path", .type = ARG_STRING },
                   { .name = "arg", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }),
      .handler = cmd_module_refused },
    { .name = "loadex",
      .summary = "Loads a module with its configuration.",
      .since = "7.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = -3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
      .args = ARGS({ .name = "path", .type = ARG_STRING },
                   { .name = "configs",
                     .type = ARG_BLOCK,
                     .token = "CONFIG",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN,
                     .args = ARGS({ .name = "name", .type = ARG_STRING },
                                  { .name = "value", .type = ARG_STRING }) },
                   { .name = "args",
                     .type = ARG_BLOCK,
                     .token = "ARGS",
                     .flags = ARG_OPTIONAL | ARG_MULTIPLE,
                     .args = ARGS({ .name = "arg", .type = ARG_STRING }) }),
      .handler = cmd_module_refused },
    { .name = "unload",
      .summary = "Unloads a module.",
      .since = "4.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 3,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
      .args = ARGS({ .name = "name", .type = ARG_STRING }),
      .handler = cmd_module_refused },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_SERVER,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .handler = cmd_module_help },
    { 0 },
};

const struct command module_commands[] = {
    { .name = "module",
      .summary = "A container for commands about modules.",
      .since = "4.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .subcommands = module_subcommands },
    { 0 },
};

// SPDX-License-Identifier: BSD-3-Clause
// Directives that belong to the process as a whole: databases, log, working directory, debug command.
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;
struct server;

enum debug_command { DEBUG_COMMAND_NO, DEBUG_COMMAND_YES, DEBUG_COMMAND_LOCAL };

struct settings {
    struct registry *registry;  // of the commands that rename-command renames
    int64_t databases;
    int log_level;
    int log_format;  // enum log_format
    char *log_file;
    char *dir;
    int debug_command;  // enum debug_command
    bool ignore_unsupported;
};

struct settings *settings_new(struct server *server);
void settings_free(struct server *server, struct settings *settings);

// Once the configuration is read: log and working directory. STATUS_IO: the reason is in the log.
MUST_CHECK enum status settings_apply(struct settings *settings);

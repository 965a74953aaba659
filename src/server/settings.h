// SPDX-License-Identifier: BSD-3-Clause
// Directives that belong to the process as a whole: databases, log, working directory, debug command.
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct server;

enum debug_command { DEBUG_COMMAND_NO, DEBUG_COMMAND_YES, DEBUG_COMMAND_LOCAL };

struct settings {
    int64_t databases;
    int log_level;
    char *log_file;
    char *dir;
    int debug_command;  // enum debug_command
    // Answered to clients that ask; nothing is persisted yet.
    char *save;
    bool ignore_unsupported;
};

struct settings *settings_new(struct server *server);
void settings_free(struct server *server, struct settings *settings);

// Once the configuration is read: log and working directory. STATUS_IO: the reason is in the log.
MUST_CHECK enum status settings_apply(struct settings *settings);

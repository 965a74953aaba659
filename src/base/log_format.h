// SPDX-License-Identifier: BSD-3-Clause
// One line of the log in its three forms; for log.c.
#pragma once

#include "base/log.h"

#include <stddef.h>
#include <stdint.h>

// A message is cut at this length.
#define LOG_MESSAGE_MAX 1024

// The longest line: every byte of the message as six ("\u0001"), and the fields before it.
#define LOG_LINE_MAX (6 * LOG_MESSAGE_MAX + 256)

struct log_event {
    enum log_level level;
    int64_t time_us;  // since 1970
    int zone_s;       // seconds east of UTC
    int pid;
    char role;
    const char *message;
    size_t message_len;
};

// Writes the line with its line feed, without a NUL, and returns its length. Takes no lock and
// allocates nothing: a forked child may log. `out`: LOG_LINE_MAX bytes.
size_t log_format_line(char *out, enum log_format format, const struct log_event *event);

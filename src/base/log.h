// SPDX-License-Identifier: BSD-3-Clause
// The server's log: one line an event, in Redis's classic form, as JSON or as logfmt.
//
//   <pid>:<role> <dd Mon yyyy hh:mm:ss.mmm> <mark> <message>
//   {"time":"<ISO 8601>","level":"notice","pid":1,"role":"primary","message":"..."}
//   time=<ISO 8601> level=notice pid=1 role=primary message="..."
//
// with role M (primary), S (replica), C (child), X (sentinel) and mark . - * # for debug, verbose,
// notice, warning. One write() a line; a line is cut at 1,024 bytes of message. Writing a line takes no
// lock, so that a forked child may do it.
#pragma once

#include "base/status.h"

#include <stdint.h>

// As the level of a message LOG_NOTHING means: whatever the log's level is (crash reports).
enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };

enum log_format { LOG_CLASSIC, LOG_JSON, LOG_LOGFMT };

#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_write(LOG_VERBOSE, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Messages below `level` are dropped. Default: LOG_NOTICE.
void log_set_level(enum log_level level);
enum log_level log_level(void);

// Default: LOG_CLASSIC.
void log_set_format(enum log_format format);

// Takes over the offset of the local time zone; until then lines are in UTC. Takes the C library's
// lock: for the main thread, now and then, so that daylight saving is noticed.
void log_update_zone(void);

// Where lines go: a path, appended to, or "" for standard output (the default). On STATUS_IO (errno
// is set) the old destination stays.
MUST_CHECK enum status log_set_file(const char *path);

// Opens the same path again, for log rotation.
MUST_CHECK enum status log_reopen(void);

// While a server starts: warnings that go to a file are also written to this descriptor, for who
// looks at the terminal. -1 (the default): not.
void log_echo_warnings(int fd);

// Events that outsiders can cause as often as they like, but that must be seen: at most one line a
// second, which says how many it stands for. All zero is where it begins; of one thread.
struct log_limit {
    uint64_t count;
    uint64_t said_us;
};

// Adds so many events (0: only time has passed) and returns how many a line should tell of now; 0: no
// line now.
uint64_t log_limit(struct log_limit *limit, uint64_t events);

void log_set_role(char role);

// The descriptor that lines go to; for the crash report.
int log_fd(void);

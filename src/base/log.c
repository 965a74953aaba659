// SPDX-License-Identifier: BSD-3-Clause
// The server's log: formats a line on the stack and writes it at once.
#include "base/log.h"

#include "base/clock.h"
#include "base/log_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_US 1000000

// Helper threads log too, hence the atomics; path is the main thread's alone.
static struct {
    _Atomic int fd;
    _Atomic int level;
    _Atomic int format;
    _Atomic int zone_s;
    _Atomic int echo_fd;
    _Atomic char role;
    char path[PATH_MAX];
} sink = { .fd = STDOUT_FILENO, .level = LOG_NOTICE, .echo_fd = -1, .role = 'M' };

// Nobody is left to be told when the log itself can't be written.
static void write_line(int fd, const char *line, size_t len)
{
    ssize_t ignored = write(fd, line, len);
    (void)ignored;
}

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&sink.level, memory_order_relaxed))
        return;

    char message[LOG_MESSAGE_MAX + 1];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const struct log_event event = {
        .level = level,
        .time_us = clock_wall_us_now(),
        .zone_s = atomic_load_explicit(&sink.zone_s, memory_order_relaxed),
        .pid = (int)getpid(),
        .role = atomic_load_explicit(&sink.role, memory_order_relaxed),
        .message = message,
        .message_len = wanted < 0                 ? 0
                       : wanted < LOG_MESSAGE_MAX ? (size_t)wanted
                                                  : LOG_MESSAGE_MAX,
    };
    char line[LOG_LINE_MAX];
    int form = atomic_load_explicit(&sink.format, memory_order_relaxed);
    size_t len = log_format_line(line, (enum log_format)form, &event);
    int fd = log_fd();
    write_line(fd, line, len);
    int echo_fd = atomic_load_explicit(&sink.echo_fd, memory_order_relaxed);
    if (echo_fd >= 0 && fd != STDOUT_FILENO && level >= LOG_WARNING)
        write_line(echo_fd, line, len);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&sink.level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&sink.level, memory_order_relaxed);
}

void log_set_role(char role)
{
    atomic_store_explicit(&sink.role, role, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&sink.format, (int)format, memory_order_relaxed);
}

void log_update_zone(void)
{
    time_t now = (time_t)(clock_wall_us_now() / 1000000);
    struct tm local;
    if (localtime_r(&now, &local))
        atomic_store_explicit(&sink.zone_s, (int)local.tm_gmtoff, memory_order_relaxed);
}

void log_echo_warnings(int fd)
{
    atomic_store_explicit(&sink.echo_fd, fd, memory_order_relaxed);
}

uint64_t log_limit(struct log_limit *limit, uint64_t events)
{
    limit->count += events;
    uint64_t now_us = clock_mono_us();
    bool soon = limit->said_us && now_us - limit->said_us < LIMIT_US;
    if (!limit->count || soon)
        return 0;
    uint64_t count = limit->count;
    limit->count = 0;
    limit->said_us = now_us;
    return count;
}

int log_fd(void)
{
    return atomic_load_explicit(&sink.fd, memory_order_relaxed);
}

// Lets `fd` be the destination. A file's descriptor number is kept when there is one, so that
// another thread in the middle of a line never meets a closed descriptor.
static enum status redirect(int fd)
{
    int old = log_fd();
    if (old == STDOUT_FILENO || fd == STDOUT_FILENO) {
        atomic_store_explicit(&sink.fd, fd, memory_order_relaxed);
        if (old != STDOUT_FILENO)
            close(old);
        return STATUS_OK;
    }
    int result = dup3(fd, old, O_CLOEXEC);
    int error = errno;
    close(fd);
    errno = error;
    return result < 0 ? STATUS_IO : STATUS_OK;
}

// The path from the root on, so that it stays the same file when the working directory changes.
static enum status make_absolute(const char *path, char out[PATH_MAX])
{
    size_t at = 0;
    out[0] = '\0';
    if (path[0] && path[0] != '/') {
        if (!getcwd(out, PATH_MAX - 1))
            return STATUS_IO;
        at = strlen(out);
        out[at++] = '/';
    }
    size_t len = strlen(path);
    if (at + len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    memcpy(out + at, path, len + 1);
    return STATUS_OK;
}

enum status log_set_file(const char *path)
{
    char absolute[PATH_MAX];
    if (make_absolute(path, absolute) != STATUS_OK)
        return STATUS_IO;
    int fd = STDOUT_FILENO;
    if (absolute[0]) {
        fd = open(absolute, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return STATUS_IO;
    }
    enum status status = STATUS_OK;
    if (fd != log_fd())
        status = redirect(fd);
    if (status == STATUS_OK)
        memcpy(sink.path, absolute, sizeof sink.path);
    return status;
}

enum status log_reopen(void)
{
    return log_set_file(sink.path);
}

// SPDX-License-Identifier: BSD-3-Clause
// The server's log: formats a line on the stack and writes it at once.
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define PREFIX_MAX  80

// Helper threads log too, hence the atomics; path is the main thread's alone.
static struct {
    _Atomic int fd;
    _Atomic int level;
    _Atomic char role;
    char path[PATH_MAX];
} sink = { .fd = STDOUT_FILENO, .level = LOG_NOTICE, .role = 'M' };

// "<pid>:<role> <dd Mon yyyy hh:mm:ss.mmm> <mark> "; returns its length.
static size_t format_prefix(char *out, enum log_level level)
{
    static const char marks[] = { '.', '-', '*', '#', '#' };
    int64_t now_us = clock_wall_us_now();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%d %b %Y %H:%M:%S", &local);
    int len = snprintf(out, PREFIX_MAX, "%d:%c %s.%03d %c ", (int)getpid(),
                       atomic_load_explicit(&sink.role, memory_order_relaxed), stamp,
                       (int)(now_us / 1000 % 1000), marks[level]);
    return (size_t)len;
}

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&sink.level, memory_order_relaxed))
        return;

    char line[PREFIX_MAX + MESSAGE_MAX + 2];
    size_t len = format_prefix(line, level);
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + len, MESSAGE_MAX + 1, format, args);
    va_end(args);
    if (wanted > 0)
        len += (size_t)(wanted < MESSAGE_MAX ? wanted : MESSAGE_MAX);
    line[len++] = '\n';
    // Nobody is left to be told when the log itself can't be written.
    ssize_t ignored = write(log_fd(), line, len);
    (void)ignored;
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

enum status log_set_file(const char *path)
{
    size_t len = strlen(path);
    if (len >= sizeof sink.path) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    int fd = STDOUT_FILENO;
    if (len > 0) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return STATUS_IO;
    }
    enum status status = STATUS_OK;
    if (fd != log_fd())
        status = redirect(fd);
    if (status == STATUS_OK)
        memmove(sink.path, path, len + 1);
    return status;
}

enum status log_reopen(void)
{
    return log_set_file(sink.path);
}

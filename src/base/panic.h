// SPDX-License-Identifier: BSD-3-Clause
// Assertions that stay on in release builds, and the crash report.
//
// ASSERT is for our own bugs only: bytes from outside are validated and answered, never asserted.
#pragma once

#include <stdnoreturn.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ASSERT(cond)                                                     \
    do {                                                                 \
        if (unlikely(!(cond)))                                           \
            panic_at(__FILE__, __LINE__, "assertion failed: %s", #cond); \
    } while (0)

// An assertion too dear for a release build; it is compiled, and checked in debug builds only.
#ifdef RESPITE_DEBUG
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)sizeof(cond))
#endif

#define PANIC(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

// Logs the message with its place and a stack trace, then aborts. Does not allocate.
noreturn void panic_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Writes what the process was doing when it crashed (which command ran, for which client) to
// `fd`. Called from a signal handler: only async-signal-safe calls.
typedef void (*panic_context_fn)(int fd, void *udata);

// Installs handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT that write a report (signal,
// address, stack trace, context) to the log's file descriptor and then end the process with the
// same signal. `context` may be NULL. To be called once, early in main().
void panic_install(panic_context_fn context, void *udata);

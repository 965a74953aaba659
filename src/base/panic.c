// SPDX-License-Identifier: BSD-3-Clause
// Panics, and the crash report written from a signal handler.
//
// Everything below the handler uses write() and the stack alone. backtrace() loads the unwinder the
// first time it is called, which allocates: panic_install() calls it once for that reason.
#include "base/panic.h"

#include "base/log.h"

#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_MAX   64
#define SIGNAL_STACK (64 * 1024)
#define MESSAGE_MAX  1024
#define NUMBER_TEXT  24

// What the signal handler needs: it gets no argument of ours.
static struct {
    bool installed;
    volatile sig_atomic_t reporting;
    panic_context_fn context;
    void *udata;
    // A stack of its own, so that a stack overflow can be reported.
    _Alignas(16) char stack[SIGNAL_STACK];
} crash;

static void write_text(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written <= 0)
            return;
        text += written;
        len -= (size_t)written;
    }
}

static void write_number(int fd, uint64_t value, unsigned base)
{
    char text[NUMBER_TEXT];
    char *at = text + sizeof text;
    *--at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    write_text(fd, at);
}

static void write_stack_trace(int fd)
{
    void *frames[FRAMES_MAX];
    write_text(fd, "------ STACK TRACE ------\n");
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), fd);
}

static const char *signal_name(int signo)
{
    switch (signo) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    default: return "signal";
    }
}

static void write_cause(int fd, int signo, const siginfo_t *info)
{
    write_text(fd, "Respite ");
    write_number(fd, (uint64_t)getpid(), 10);
    write_text(fd, " crashed by ");
    write_text(fd, signal_name(signo));
    // A positive code is the kernel's: the address is then meant.
    if (info->si_code > 0) {
        write_text(fd, ", accessing address 0x");
        write_number(fd, (uint64_t)(uintptr_t)info->si_addr, 16);
    } else {
        write_text(fd, ", sent by pid ");
        write_number(fd, (uint64_t)info->si_pid, 10);
    }
    write_text(fd, "\n");
}

static void on_crash(int signo, siginfo_t *info, void *ucontext)
{
    (void)ucontext;
    // A crash inside the report must not report again.
    if (!crash.reporting) {
        crash.reporting = 1;
        int fd = log_fd();
        write_text(fd, "\n=== CRASH REPORT: cut here and include it when reporting the bug ===\n");
        write_cause(fd, signo, info);
        write_stack_trace(fd);
        if (crash.context) {
            write_text(fd, "------ CONTEXT ------\n");
            crash.context(fd, crash.udata);
        }
        write_text(fd, "=== END OF CRASH REPORT ===\n");
    }
    // The default action is back (SA_RESETHAND); the signal is delivered when this returns.
    raise(signo);
}

void panic_install(panic_context_fn context, void *udata)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

    void *frame;
    (void)backtrace(&frame, 1);

    crash.context = context;
    crash.udata = udata;
    stack_t stack = { .ss_sp = crash.stack, .ss_size = sizeof crash.stack };
    sigaltstack(&stack, NULL);

    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    action.sa_sigaction = on_crash;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
    crash.installed = true;
}

void panic_at(const char *file, int line, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    // LOG_NOTHING as a message's level: written whatever the log's level is.
    log_write(LOG_NOTHING, "=== PANIC at %s:%d: %s ===", file, line, message);
    // With the handler installed, abort() brings the stack trace.
    if (!crash.installed)
        write_stack_trace(log_fd());
    abort();
}

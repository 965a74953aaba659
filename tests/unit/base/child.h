// SPDX-License-Identifier: BSD-3-Clause
// Runs a function in a child process and catches what it prints: for what ends the process.
#pragma once

#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int status;          // as of waitpid()
    char output[16384];  // standard output and standard error, cut, with a NUL
};

// A child that returns from `run` exits with 0.
static inline void child_run(struct child *child, void (*run)(void))
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        run();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0) {
        // What does not fit is read and dropped, so that the child never waits for us.
        char rest[1024];
        size_t room = sizeof child->output - 1 - len;
        got = room > 0 ? read(ends[0], child->output + len, room)
                       : read(ends[0], rest, sizeof rest);
        if (got > 0 && room > 0)
            len += (size_t)got;
    }
    child->output[len] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &child->status, 0), pid);
}

// SPDX-License-Identifier: BSD-3-Clause
// A forked child: see child.h.
#include "persist/child.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "server/latency.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TELL_PERIOD_US 100000

// Measuring the memory takes long where there is much of it: no more than a hundredth of the time.
#define MEASURING_SHARE 100

#define CHILD_PRIORITY 10

// --- The child ----------------------------------------------------------------------------------

// What of its memory is its own: pages that either process has written to since the fork.
static uint64_t copied_bytes(void)
{
    char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = '\0';
    const char *field = strstr(text, "Private_Dirty:");
    return field ? strtoull(field + sizeof("Private_Dirty:") - 1, NULL, 10) * 1024 : 0;
}

static void measure(struct child_voice *voice)
{
    uint64_t from_us = clock_mono_us_now();
    voice->report.copied_bytes = copied_bytes();
    voice->measured_us = clock_mono_us_now();
    voice->measuring_us = voice->measured_us - from_us;
}

// Reports are shorter than what a pipe takes in one piece.
static void say(struct child_voice *voice)
{
    ssize_t sent;
    do {
        sent = write(voice->fd, &voice->report, sizeof(voice->report));
    } while (sent < 0 && errno == EINTR);
}

void child_tell(struct child_voice *voice, uint64_t keys)
{
    uint64_t now_us = clock_mono_us_now();
    voice->report.keys = keys;
    if (now_us - voice->told_us < TELL_PERIOD_US)
        return;
    voice->told_us = now_us;
    if (now_us - voice->measured_us >= voice->measuring_us * MEASURING_SHARE)
        measure(voice);
    say(voice);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

// Closes all but the standard ones, `own`, the log's and the job's.
static void close_others(const struct child_job *job, int own)
{
    size_t count = job->fd_count + 2;
    int *kept = mem_alloc(count * sizeof(*kept));
    kept[0] = own;
    kept[1] = log_fd();
    if (job->fd_count)
        memcpy(kept + 2, job->fds, job->fd_count * sizeof(*kept));
    qsort(kept, count, sizeof(*kept), compare_fds);
    unsigned from = STDERR_FILENO + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned fd = (unsigned)kept[i];
        if (fd > from)
            close_range(from, fd - 1, 0);
        from = fd >= from ? fd + 1 : from;
    }
    close_range(from, UINT_MAX, 0);
    mem_free(kept, count * sizeof(*kept));
}

static void reset_signals(void)
{
    static const int handled[] = { SIGTERM, SIGINT };
    for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++)
        signal(handled[i], SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void be_child(int fd, pid_t parent, const struct child_job *job)
{
    // One that goes on alone would some day put old data in the place of new.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    reset_signals();
    close_others(job, fd);
    prctl(PR_SET_NAME, job->name);
    (void)setpriority(PRIO_PROCESS, 0, CHILD_PRIORITY);
    log_set_role('C');
    struct child_voice voice = { .fd = fd };
    voice.report.error = job->run(job->udata, &voice);
    voice.report.finished = true;
    measure(&voice);
    say(&voice);
    _exit(voice.report.error ? 1 : 0);
}

// --- The parent ---------------------------------------------------------------------------------

// Waits, which is short: the child has closed its end of the pipe.
static int reap(struct child *child)
{
    int status = 0;
    readable_stop(&child->readable);
    close(child->fd);
    pid_t gone;
    do {
        gone = waitpid(child->pid, &status, 0);
    } while (gone < 0 && errno == EINTR);
    child->pid = 0;
    child->server->child = NULL;
    return status;
}

static void on_readable(void *udata)
{
    struct child *child = udata;
    struct child_report report;
    ssize_t got;
    while ((got = read(child->fd, &report, sizeof(report))) == (ssize_t)sizeof(report)) {
        child->report = report;
        if (report.copied_bytes > child->copied_peak_bytes)
            child->copied_peak_bytes = report.copied_bytes;
        child->report_ms = clock_wall_ms();
    }
    if (got != 0)
        return;
    child->on_end(child->udata, reap(child));
}

static void note_fork(struct server *server, uint64_t us)
{
    server->stats.forks++;
    server->stats.fork_us = us;
    latency_note(server, "fork", us / 1000);
}

static uint64_t count_keys(const struct keyspace *keyspace)
{
    uint64_t keys = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        keys += db_size(&keyspace->dbs[i]);
    return keys;
}

enum status child_begin(struct child *child, struct server *server, const struct child_job *job)
{
    int ends[2];
    if (server->child)
        return STATUS_EXISTS;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return STATUS_IO;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    // A signal in the child, before its handlers are reset, would be the parent's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t parent = getpid();
    uint64_t from_us = clock_mono_us_now();
    pid_t pid = fork();
    if (pid == 0)
        be_child(ends[1], parent, job);
    int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = why;
        return STATUS_IO;
    }
    note_fork(server, clock_mono_us_now() - from_us);
    *child = (struct child){
        .server = server,
        .pid = pid,
        .fd = ends[0],
        .on_end = job->on_end,
        .udata = job->udata,
        .total_keys = count_keys(server->keyspace),
        .report_ms = clock_wall_ms(),
    };
    server->child = child;
    readable_start(&child->readable, server->loop, ends[0], on_readable, child);
    return STATUS_OK;
}

bool child_succeeded(const struct child *child, int status, const char *what, const char *file)
{
    const struct child_report *report = &child->report;
    if (WIFSIGNALED(status))
        log_warning("%s terminated by signal %d", what, WTERMSIG(status));
    else if (report->finished && report->error)
        log_warning("%s error: '%s': %s", what, file, strerror(report->error));
    else if (!report->finished || WEXITSTATUS(status))
        log_warning("%s error: the child exited with status %d", what, WEXITSTATUS(status));
    else
        return true;
    return false;
}

void child_kill(struct child *child)
{
    if (!child->pid)
        return;
    kill(child->pid, SIGKILL);
    (void)reap(child);
}

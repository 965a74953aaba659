// SPDX-License-Identifier: BSD-3-Clause
// The server as a process: see process.h.
#include "server/process.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "net/alarm.h"
#include "net/loop.h"
#include "server/block.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/network.h"
#include "server/notify.h"
#include "server/pause.h"
#include "server/server.h"
#include "server/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Where the pid goes in the background if no other file is set.
#define DEFAULT_PID_FILE "/var/run/respite.pid"

#define STOP_HOOKS_MAX 4

enum supervisor { SUPERVISED_NO, SUPERVISED_SYSTEMD, SUPERVISED_UPSTART, SUPERVISED_AUTO };

// For others that lag behind.
struct stop_wait {
    bool on;
    unsigned flags;  // of the first who wanted the end
    int64_t timeout_s;
    int64_t end_ms;  // Unix time
    struct alarm alarm;
    struct list clients;  // whose SHUTDOWN waits
    process_wait_fn lags;
    void *udata;
};

struct process {
    struct server *server;
    bool daemonize;
    char *pid_file;
    int wanted_supervisor;       // enum supervisor
    enum supervisor supervisor;  // which it is: not AUTO
    struct notify notify;
    bool stopping;
    struct stop_wait wait;
    int stop_count;
    struct {
        process_stop_fn fn;
        void *udata;
    } stop[STOP_HOOKS_MAX];
    unsigned on_sigint;  // enum stop_flag
    unsigned on_sigterm;
    bool signalled;               // by SIGTERM or SIGINT: the next one ends the process
    int parent_fd;                // the process in the foreground waits at its other end; or -1
    char written_file[PATH_MAX];  // the pid file to be removed, absolute; or ""
};

static const struct config_name supervisors[] = {
    { "upstart", SUPERVISED_UPSTART },
    { "systemd", SUPERVISED_SYSTEMD },
    { "auto", SUPERVISED_AUTO },
    { "no", SUPERVISED_NO },
    { 0 },
};

static const struct config_name stop_words[] = {
    { "default", 0 },    { "save", STOP_SAVE },   { "nosave", STOP_NOSAVE },
    { "now", STOP_NOW }, { "force", STOP_FORCE }, { 0 },
};

static bool set_stop_flags(unsigned *field, const struct slice *words, size_t count,
                           struct config_error *error)
{
    unsigned flags = 0;
    bool valid = count > 0;
    for (size_t i = 0; i < count && valid; i++) {
        const struct config_name *name = stop_words;
        while (name->name && !slice_is(words[i], name->name))
            name++;
        valid = name->name != NULL;
        flags |= (unsigned)name->value;
    }
    if (!valid)
        return config_refuse(error, "argument(s) must be one of the following: default, save, "
                                    "nosave, now, force");
    if (flags & STOP_SAVE && flags & STOP_NOSAVE)
        return config_refuse(error,
                             "shutdown options SAVE and NOSAVE can't be used simultaneously");
    *field = flags;
    return true;
}

static void get_stop_flags(unsigned flags, struct bytes *out)
{
    if (!flags)
        bytes_append_text(out, stop_words[0].name);
    const char *blank = "";
    for (const struct config_name *name = stop_words + 1; name->name; name++) {
        if (!(flags & (unsigned)name->value))
            continue;
        bytes_printf(out, "%s%s", blank, name->name);
        blank = " ";
    }
}

static bool set_on_sigint(void *owner, const struct slice *words, size_t count,
                          struct config_error *error)
{
    return set_stop_flags(&((struct process *)owner)->on_sigint, words, count, error);
}

static void get_on_sigint(const void *owner, struct bytes *out)
{
    get_stop_flags(((const struct process *)owner)->on_sigint, out);
}

static bool set_on_sigterm(void *owner, const struct slice *words, size_t count,
                           struct config_error *error)
{
    return set_stop_flags(&((struct process *)owner)->on_sigterm, words, count, error);
}

static void get_on_sigterm(const void *owner, struct bytes *out)
{
    get_stop_flags(((const struct process *)owner)->on_sigterm, out);
}

#define FIELD(member) offsetof(struct process, member)

static const struct config_directive process_directives[] = {
    { .name = "daemonize",
      .type = CONFIG_BOOL,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(daemonize),
      .default_text = "no" },
    { .name = "pidfile",
      .type = CONFIG_STRING,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(pid_file),
      .default_text = "" },
    { .name = "supervised",
      .type = CONFIG_ENUM,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(wanted_supervisor),
      .default_text = "no",
      .names = supervisors },
    { .name = "shutdown-timeout",
      .type = CONFIG_INT,
      .offset = FIELD(wait.timeout_s),
      .default_text = "10",
      .max = INT32_MAX },
    { .name = "shutdown-on-sigint",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "default",
      .set = set_on_sigint,
      .get = get_on_sigint },
    { .name = "shutdown-on-sigterm",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "default",
      .set = set_on_sigterm,
      .get = get_on_sigterm },
    { 0 },
};

static void info_wait(void *udata, struct bytes *out)
{
    const struct stop_wait *wait = &((const struct process *)udata)->wait;
    if (wait->on)
        bytes_printf(out, "shutdown_in_milliseconds:%lld\r\n",
                     (long long)(wait->end_ms - clock_wall_ms()));
}

// Daylight saving may begin or end.
static void update_zone(void *udata)
{
    (void)udata;
    log_update_zone();
}

static void on_wait_over(void *udata);

struct process *process_new(struct server *server)
{
    struct process *process = mem_alloc_zeroed(sizeof(*process));
    process->server = server;
    process->parent_fd = -1;
    config_register(server->config, process_directives, process);
    alarm_init(&process->wait.alarm, server->loop, on_wait_over, process);
    list_init(&process->wait.clients);
    info_add_fields(server->info, "Server", "stopping", info_wait, process);
    cron_add(server->cron, 1000, update_zone, NULL);
    return process;
}

void process_free(struct process *process)
{
    alarm_clear(&process->wait.alarm);
    if (process->parent_fd >= 0)
        close(process->parent_fd);
    config_release_strings(process->server->config, process);
    mem_free(process, sizeof(*process));
}

const char *process_supervised(const struct process *process)
{
    switch (process->supervisor) {
    case SUPERVISED_SYSTEMD: return "systemd";
    case SUPERVISED_UPSTART: return "upstart";
    case SUPERVISED_AUTO:
    case SUPERVISED_NO: break;
    }
    return "no";
}

// --- The start ----------------------------------------------------------------------------------

static void find_supervisor(struct process *process)
{
    const char *job = getenv("UPSTART_JOB");
    const char *socket_path = getenv("NOTIFY_SOCKET");
    bool automatic = process->wanted_supervisor == SUPERVISED_AUTO;
    bool upstart = automatic || process->wanted_supervisor == SUPERVISED_UPSTART;
    bool systemd = automatic || process->wanted_supervisor == SUPERVISED_SYSTEMD;
    if (upstart && job) {
        process->supervisor = SUPERVISED_UPSTART;
        return;
    }
    if (systemd && socket_path) {
        if (notify_init(&process->notify, socket_path))
            process->supervisor = SUPERVISED_SYSTEMD;
        else
            log_warning("NOTIFY_SOCKET is neither a path nor an abstract name: going on without "
                        "systemd");
        return;
    }
    if (!automatic && (upstart || systemd))
        log_warning("supervised %s, but %s is not in the environment: going on without",
                    upstart ? "upstart" : "systemd", upstart ? "UPSTART_JOB" : "NOTIFY_SOCKET");
}

// In the process in the foreground: ends it as the start in the background ends. The ready child writes
// one byte; one that fails ends, which closes the pipe.
static _Noreturn void wait_for_child(int fd, pid_t child)
{
    char byte;
    ssize_t got;
    do {
        got = read(fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1)
        _exit(0);
    int status;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
        _exit(WEXITSTATUS(status));
    fprintf(stderr, "respite-server: the process in the background ended before it could serve\n");
    _exit(1);
}

static enum status go_into_background(struct process *process)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(stderr, "respite-server: daemonize: %s\n", strerror(errno));
        return STATUS_IO;
    }
    pid_t child = fork();
    if (child > 0) {
        close(ends[1]);
        wait_for_child(ends[0], child);
    }
    close(ends[0]);
    if (child < 0) {
        fprintf(stderr, "respite-server: daemonize: %s\n", strerror(errno));
        close(ends[1]);
        return STATUS_IO;
    }
    process->parent_fd = ends[1];
    setsid();
    loop_forked(process->server->loop);
    return STATUS_OK;
}

enum status process_begin(struct process *process)
{
    find_supervisor(process);
    log_echo_warnings(STDERR_FILENO);
    // A supervisor wants to see the process that it started.
    if (!process->daemonize || process->supervisor != SUPERVISED_NO)
        return STATUS_OK;
    if (!process->pid_file[0]) {
        config_release_strings(process->server->config, process);
        process->pid_file = mem_strndup(DEFAULT_PID_FILE, sizeof(DEFAULT_PID_FILE) - 1);
    }
    return go_into_background(process);
}

static void write_pid_file(struct process *process)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    int fd = open(process->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, (size_t)len) == len;
    if (!written)
        log_warning("Failed to write PID file '%s': %s", process->pid_file, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (written && !realpath(process->pid_file, process->written_file))
        process->written_file[0] = '\0';
}

// From now on nobody looks at the terminal: lets it go, and the process that waits in front of it.
static void leave_terminal(struct process *process)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        log_warning("Can't open /dev/null: %s", strerror(errno));
    } else {
        dup2(null_fd, STDIN_FILENO);
        dup2(null_fd, STDOUT_FILENO);
        dup2(null_fd, STDERR_FILENO);
        if (null_fd > STDERR_FILENO)
            close(null_fd);
    }
    if (write(process->parent_fd, "", 1) != 1)
        log_verbose("The process that started this one is gone");
    close(process->parent_fd);
    process->parent_fd = -1;
}

// --- The end ------------------------------------------------------------------------------------

// Signal context.
static _Noreturn void on_impatience(int signal_number)
{
    static const char text[] = "Another signal to stop: ending at once\n";
    (void)signal_number;
    ssize_t ignored = write(log_fd(), text, sizeof(text) - 1);
    (void)ignored;
    _exit(1);
}

void process_on_stop(struct process *process, process_stop_fn fn, void *udata)
{
    ASSERT(process->stop_count < STOP_HOOKS_MAX);
    process->stop[process->stop_count].fn = fn;
    process->stop[process->stop_count++].udata = udata;
}

static bool may_stop(const struct process *process, unsigned flags)
{
    for (int i = 0; i < process->stop_count; i++) {
        if (!process->stop[i].fn(process->stop[i].udata, flags))
            return false;
    }
    return true;
}

bool process_stopping(const struct process *process)
{
    return process->stopping;
}

void process_on_wait(struct process *process, process_wait_fn lags, void *udata)
{
    process->wait.lags = lags;
    process->wait.udata = udata;
}

bool process_stop_waits(const struct process *process)
{
    return process->wait.on;
}

void process_wait_for_stop(struct cmd_ctx *ctx)
{
    block_in_queue(ctx, &ctx->server->process->wait.clients, 0);
}

// Those who have asked for it hear of it, one way or the other.
static void end_wait(struct process *process)
{
    process->wait.on = false;
    alarm_clear(&process->wait.alarm);
    if (!process->stopping)
        pause_end(process->server->pause, PAUSE_SHUTDOWN);
    blocks_retry(&process->wait.clients);
}

static enum stop_result stop_now(struct process *process, unsigned flags)
{
    if (!process->stopping && !may_stop(process, flags)) {
        log_warning("Errors trying to shut down the server. Check the logs for more information.");
        return STOP_REFUSED;
    }
    if (process->supervisor == SUPERVISED_SYSTEMD)
        notify_send(&process->notify, "STOPPING=1\nSTATUS=Stopping\n");
    process->stopping = true;
    loop_stop(process->server->loop);
    return STOP_BEGUN;
}

static enum stop_result stop_after_wait(struct process *process)
{
    (void)process->wait.lags(process->wait.udata, true);
    enum stop_result result = stop_now(process, process->wait.flags);
    end_wait(process);
    return result;
}

static void on_wait_over(void *udata)
{
    clock_update();
    (void)stop_after_wait(udata);
}

void process_look_at_wait(struct process *process)
{
    if (process->wait.on && !process->wait.lags(process->wait.udata, false))
        (void)stop_after_wait(process);
}

bool process_abort_stop(struct process *process)
{
    if (!process->wait.on)
        return false;
    log_notice("Shutdown manually aborted.");
    end_wait(process);
    return true;
}

static enum stop_result begin_wait(struct process *process, unsigned flags)
{
    int64_t timeout_ms = process->wait.timeout_s * 1000;
    log_notice("Waiting for replicas before shutting down.");
    process->wait.on = true;
    process->wait.flags = flags;
    process->wait.end_ms = clock_wall_ms() + timeout_ms;
    alarm_set(&process->wait.alarm, timeout_ms);
    pause_begin(process->server->pause, PAUSE_SHUTDOWN, PAUSE_FOREVER, false);
    return STOP_WAITS;
}

enum stop_result process_stop(struct process *process, unsigned flags)
{
    struct stop_wait *wait = &process->wait;
    if (wait->on && !(flags & STOP_NOW))
        return STOP_WAITS;
    log_notice("User requested shutdown...");
    if (wait->on) {
        wait->flags = flags;
        return stop_after_wait(process);
    }
    bool patient = !process->stopping && !(flags & STOP_NOW) && wait->lags;
    if (patient && wait->timeout_s && wait->lags(wait->udata, false))
        return begin_wait(process, flags);
    if (patient)
        (void)wait->lags(wait->udata, true);
    return stop_now(process, flags);
}

void process_end(struct process *process)
{
    // The loop takes its signal handlers along when it is freed.
    sigset_t terminate;
    sigemptyset(&terminate);
    sigaddset(&terminate, SIGTERM);
    if (!process->signalled)
        sigprocmask(SIG_BLOCK, &terminate, NULL);
    if (process->written_file[0]) {
        log_notice("Removing the pid file.");
        unlink(process->written_file);
    }
    log_notice("Respite is now ready to exit, bye bye...");
}

// --- Signals ------------------------------------------------------------------------------------

// Once one has come, the next one ends the process at once. After SHUTDOWN the first one changes nothing:
// an orchestrator may send it because of that end.
static void stop_for_signal(struct process *process, const char *name, unsigned flags)
{
    struct sigaction action = { .sa_handler = on_impatience };
    sigemptyset(&action.sa_mask);
    log_notice("Received %s scheduling shutdown...", name);
    // The second one, while replicas are waited for, ends that; it is the first one for what follows. One that is refused
    // leaves the next one its chance.
    flags |= process->wait.on ? STOP_NOW | process->wait.flags : 0;
    if (process_stop(process, flags) != STOP_BEGUN)
        return;
    process->signalled = true;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void on_sigterm(void *udata)
{
    stop_for_signal(udata, "SIGTERM", ((const struct process *)udata)->on_sigterm);
}

static void on_sigint(void *udata)
{
    stop_for_signal(udata, "SIGINT", ((const struct process *)udata)->on_sigint);
}

static void on_sighup(void *udata)
{
    const struct process *process = udata;
    const char *path = process->server->settings->log_file;
    if (!path[0])
        log_notice("Received SIGHUP: the log goes to standard output, nothing to reopen");
    else if (log_reopen() == STATUS_OK)
        log_notice("Received SIGHUP: the log file '%s' is open anew", path);
    else
        log_warning(
            "Received SIGHUP: can't reopen the log file '%s': %s; going on with the old one", path,
            strerror(errno));
}

// --- Ready --------------------------------------------------------------------------------------

static void say_ready(const struct process *process)
{
    const struct server *server = process->server;
    int port = network_port(server->network);
    log_notice("Respite version=" RESPITE_VERSION " (as Redis version=" REDIS_VERSION
               "), bits=%zu, pid=%ld, port=%d, just started",
               sizeof(void *) * CHAR_BIT, (long)getpid(), port);
    if (server->config_file[0])
        log_notice("Configuration loaded from %s", server->config_file);
    else
        log_notice("No configuration file: no config file specified, using the default config. "
                   "respite-server /path/to/respite.conf names one");
    log_notice("Server initialized");
    if (port)
        log_notice("Ready to accept connections tcp");
    if (network_has_unix(server->network))
        log_notice("Ready to accept connections unix");
}

void process_listen(struct process *process)
{
    struct loop *loop = process->server->loop;
    loop_on_signal(loop, SIGTERM, on_sigterm, process);
    loop_on_signal(loop, SIGINT, on_sigint, process);
    loop_on_signal(loop, SIGHUP, on_sighup, process);
}

void process_ready(struct process *process)
{
    if (process->pid_file[0])
        write_pid_file(process);
    say_ready(process);
    log_echo_warnings(-1);
    if (process->parent_fd >= 0)
        leave_terminal(process);
    if (process->supervisor == SUPERVISED_SYSTEMD)
        notify_send(&process->notify, "READY=1\nSTATUS=Ready to accept connections\n");
    // Upstart's "expect stop": who stops himself is ready, and is woken again.
    if (process->supervisor == SUPERVISED_UPSTART)
        raise(SIGSTOP);
}

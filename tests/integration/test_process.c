// SPDX-License-Identifier: BSD-3-Clause
// The server as a process: daemonize, pid file, supervisors, signals, the log, SHUTDOWN.
#include "support/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 16384

// A folder of the test, and files in it.
static char dir[SERVER_PATH_MAX];
static char log_path[SERVER_PATH_MAX + 8];
static char old_path[SERVER_PATH_MAX + 8];
static char pid_path[SERVER_PATH_MAX + 8];
static char notify_path[SERVER_PATH_MAX + 8];

// Once a suite, in the process that outlives failed tests.
static void make_folder(void)
{
    server_temp_dir(dir);
    snprintf(log_path, sizeof(log_path), "%.80s/log.0", dir);
    snprintf(old_path, sizeof(old_path), "%.80s/log.1", dir);
    snprintf(pid_path, sizeof(pid_path), "%.80s/pid", dir);
    snprintf(notify_path, sizeof(notify_path), "%.80s/notify", dir);
}

static long read_pid(void)
{
    char text[32];
    server_read_file(pid_path, text, sizeof(text));
    char *end;
    long pid = strtol(text, &end, 10);
    return strcmp(end, "\n") == 0 ? pid : 0;
}

// A daemon that a failed test has left does not die with it.
static void end_daemon(void)
{
    long pid = read_pid();
    if (pid > 0)
        kill((pid_t)pid, SIGKILL);
    unlink(pid_path);
    unlink(log_path);
    unlink(old_path);
    unlink(notify_path);
    rmdir(dir);
}

static void clean_folder(void)
{
    unlink(pid_path);
    unlink(log_path);
    unlink(old_path);
    unlink(notify_path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("UPSTART_JOB");
}

static const char *file_text(const char *path)
{
    static char text[1 << 20];
    server_read_file(path, text, sizeof(text));
    return text;
}

static void expect_said(const char *text, const char *want)
{
    ck_assert_msg(strstr(text, want) != NULL, "\"%s\" is not in: %s", want, text);
}

static void wait_for_text(const char *path, const char *want)
{
    struct deadline limit = deadline();
    while (!strstr(file_text(path), want))
        deadline_wait(&limit);
}

// The exit status of a process that ends; -1 if a signal has ended it.
static int wait_exit(pid_t pid)
{
    int status = 0;
    struct deadline limit = deadline();
    while (waitpid(pid, &status, WNOHANG) != pid)
        deadline_wait(&limit);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// --- daemonize and pidfile ----------------------------------------------------------------------

static void expect_null_device(pid_t pid, int fd)
{
    char link[64];
    char target[64] = "";
    snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)pid, fd);
    ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
    ck_assert_str_eq(target, "/dev/null");
}

START_TEST(daemonize)
{
    char output[OUTPUT_MAX];
    struct test_server server = { 0 };
    snprintf(server.socket_path, sizeof(server.socket_path), "%.80s/s", dir);
    // The daemon becomes this process's child when its parent is gone, so that it can be waited for.
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int status = server_run(dir,
                            SERVER_ARGS("--daemonize", "yes", "--port", "0", "--unixsocket",
                                        server.socket_path, "--pidfile", pid_path, "--logfile",
                                        "log.0"),
                            output, sizeof(output));
    ck_assert_msg(status == 0, "%d: %s", status, output);
    ck_assert_str_eq(output, "");

    // It serves by the time that the command has ended.
    redisContext *c = client_connect_unix(&server);
    expect_status(c, "PONG", "PING");
    pid_t pid = (pid_t)read_pid();
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(server_info(&server, "process_id"), pid);
    ck_assert_int_eq(getsid(pid), pid);
    for (int fd = 0; fd < 3; fd++)
        expect_null_device(pid, fd);
    expect_said(file_text(log_path), "Ready to accept connections unix");

    // What the loop needs is the daemon's own: timers and many connections work.
    expect_ok(c, "SET a 1 PX 20");
    struct deadline limit = deadline();
    while (client_int(c, "DBSIZE") != 0)
        deadline_wait(&limit);
    redisFree(c);
    kill(pid, SIGTERM);
    ck_assert_int_eq(wait_exit(pid), 0);
    ck_assert_int_ne(access(pid_path, F_OK), 0);
    expect_said(file_text(log_path), "Removing the pid file");
}
END_TEST

// The terminal sees why, and the status tells.
START_TEST(daemonize_that_fails)
{
    char output[OUTPUT_MAX];
    int status = server_run(dir,
                            SERVER_ARGS("--daemonize", "yes", "--port", "0", "--unixsocket",
                                        "/nosuchdir/s", "--pidfile", pid_path),
                            output, sizeof(output));
    ck_assert_msg(status == 1, "%d: %s", status, output);
    expect_said(output, "/nosuchdir/s: No such file or directory");
    status = server_run(dir,
                        SERVER_ARGS("--daemonize", "yes", "--port", "0", "--unixsocket",
                                    "/nosuchdir/s", "--logfile", log_path, "--pidfile", pid_path),
                        output, sizeof(output));
    ck_assert_msg(status == 1, "%d: %s", status, output);
    expect_said(output, "/nosuchdir/s: No such file or directory");
    expect_said(file_text(log_path), "/nosuchdir/s: No such file or directory");
    status = server_run(dir, SERVER_ARGS("--daemonize", "yes", "--maxclients", "x"), output,
                        sizeof(output));
    ck_assert_msg(status == 1, "%d: %s", status, output);
    expect_said(output, "maxclients");
    ck_assert_int_ne(access(pid_path, F_OK), 0);
}
END_TEST

START_TEST(pid_file)
{
    struct test_server *server = server_start(SERVER_ARGS("--pidfile", pid_path));
    ck_assert_int_eq(read_pid(), server->pid);
    server_stop(server);
    ck_assert_int_ne(access(pid_path, F_OK), 0);

    // In the foreground there is none unless it is set.
    server = server_start(NULL);
    redisContext *c = client_connect(server);
    expect_list(c, "pidfile ", "CONFIG GET pidfile");
    expect_list(c, "daemonize no", "CONFIG GET daemonize");
    redisFree(c);
    server_stop(server);

    server = server_start(SERVER_ARGS("--pidfile", "/nosuchdir/pid"));
    ck_assert(server_logged(server, "Failed to write PID file '/nosuchdir/pid': No such file"));
    server_stop(server);
}
END_TEST

// --- Supervisors --------------------------------------------------------------------------------

// A socket as systemd has it; `name` as in NOTIFY_SOCKET.
static int listen_notify(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(name);
    ck_assert_uint_lt(len, sizeof(address.sun_path));
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect_notified(int fd, const char *want)
{
    char text[512];
    ssize_t len = -1;
    struct deadline limit = deadline();
    while ((len = recv(fd, text, sizeof(text) - 1, 0)) < 0 && errno == EAGAIN)
        deadline_wait(&limit);
    ck_assert_int_gt(len, 0);
    text[len] = '\0';
    ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%s", text);
    expect_said(text, "\nSTATUS=");
}

static void expect_supervised(const struct test_server *server, const char *want)
{
    char text[OUTPUT_MAX];
    char line[64];
    redisContext *c = client_connect_unix(server);
    client_text(c, text, sizeof(text), "INFO server");
    snprintf(line, sizeof(line), "\r\nprocess_supervised:%s\r\n", want);
    expect_said(text, line);
    redisFree(c);
}

static void supervised_by_systemd(const char *name, const char *word)
{
    int fd = listen_notify(name);
    // Under a supervisor it stays in the foreground whatever daemonize says.
    struct test_server *server = server_start(
        SERVER_ARGS("--supervised", word, "--daemonize", "yes"));
    expect_notified(fd, "READY=1\n");
    expect_supervised(server, "systemd");
    char byte;
    ck_assert_int_lt(recv(fd, &byte, 1, 0), 0);
    server_stop(server);
    expect_notified(fd, "STOPPING=1\n");
    close(fd);
}

START_TEST(systemd)
{
    supervised_by_systemd(notify_path, "systemd");
    char name[64];
    snprintf(name, sizeof(name), "@respite-test-%ld", (long)getpid());
    supervised_by_systemd(name, "auto");
}
END_TEST

START_TEST(systemd_that_is_not_there)
{
    struct test_server *server = server_start(SERVER_ARGS("--supervised", "systemd"));
    ck_assert(server_logged(server, "NOTIFY_SOCKET is not in the environment"));
    expect_supervised(server, "no");
    server_stop(server);

    server = server_start(SERVER_ARGS("--supervised", "auto"));
    ck_assert(!server_logged(server, "NOTIFY_SOCKET"));
    expect_supervised(server, "no");
    server_stop(server);

    setenv("NOTIFY_SOCKET", "relative", 1);
    server = server_start(SERVER_ARGS("--supervised", "systemd"));
    ck_assert(server_logged(server, "NOTIFY_SOCKET is neither"));
    expect_supervised(server, "no");
    server_stop(server);

    // Nobody listens any more: it serves all the same.
    setenv("NOTIFY_SOCKET", notify_path, 1);
    server = server_start(SERVER_ARGS("--supervised", "systemd"));
    ck_assert(server_logged(server, "Can't tell systemd"));
    server_stop(server);

    // Whose socket it is, if nobody asked for it, is not our business.
    int fd = listen_notify(notify_path);
    server = server_start(NULL);
    expect_supervised(server, "no");
    server_stop(server);
    char byte;
    ck_assert_int_lt(recv(fd, &byte, 1, 0), 0);
    close(fd);
}
END_TEST

// Upstart's "expect stop".
START_TEST(upstart)
{
    char socket_path[SERVER_PATH_MAX];
    const char *program = getenv("RESPITE_SERVER");
    snprintf(socket_path, sizeof(socket_path), "%.80s/s", dir);
    setenv("UPSTART_JOB", "respite", 1);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program ? program : "build/respite-server", "respite-server", "--port", "0", "--save",
              "", "--unixsocket", socket_path, "--supervised", "auto", "--logfile", log_path,
              (char *)NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    expect_said(file_text(log_path), "Ready to accept connections unix");
    kill(pid, SIGCONT);
    struct test_server server = { 0 };
    memcpy(server.socket_path, socket_path, sizeof(socket_path));
    expect_supervised(&server, "upstart");
    kill(pid, SIGTERM);
    ck_assert_int_eq(wait_exit(pid), 0);
}
END_TEST

// --- The log and signals ------------------------------------------------------------------------

START_TEST(start_up_lines)
{
    char want[32];
    struct test_server *server = server_start(NULL);
    const char *log = file_text(server->log_path);
    expect_said(log, "no config file specified, using the default config");
    expect_said(log, "* Server initialized\n");
    expect_said(log, "* Ready to accept connections tcp\n");
    expect_said(log, "* Ready to accept connections unix\n");
    snprintf(want, sizeof(want), "pid=%ld, port=%d,", (long)server->pid, server->port);
    expect_said(log, want);
    server_stop(server);

    FILE *file = fopen(old_path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("log-format logfmt\n", file);
    fclose(file);
    server = server_start_with(&(struct server_options){ .config_file = old_path });
    log = file_text(server->log_path);
    expect_said(log, "Configuration loaded from ");
    expect_said(log, "/log.1\"\n");
    ck_assert_ptr_null(strstr(log, "no config file"));
    server_stop(server);
}
END_TEST

START_TEST(log_formats)
{
    struct test_server *server = server_start(SERVER_ARGS("--log-format", "json"));
    redisContext *c = client_connect(server);
    for (const char *line = file_text(server->log_path); *line; line = strchr(line, '\n') + 1)
        ck_assert_msg(strncmp(line, "{\"time\":\"20", 11) == 0, "%s", line);
    expect_list(c, "log-format json", "CONFIG GET log-format");
    expect_ok(c, "CONFIG SET log-format logfmt");
    kill(server->pid, SIGHUP);
    wait_for_text(server->log_path, " level=notice pid=");
    expect_ok(c, "CONFIG SET log-format classic");
    kill(server->pid, SIGHUP);
    wait_for_text(server->log_path, " * Received SIGHUP: the log goes to standard output");
    redisFree(c);
    server_stop(server);
    char output[OUTPUT_MAX];
    ck_assert_int_eq(server_run(dir, SERVER_ARGS("--log-format", "xml"), output, sizeof(output)),
                     1);
    expect_said(output, "log-format");
}
END_TEST

START_TEST(log_rotation)
{
    struct test_server *server = server_start(SERVER_ARGS("--logfile", log_path));
    redisContext *c = client_connect(server);
    ck_assert_int_eq(rename(log_path, old_path), 0);
    kill(server->pid, SIGHUP);
    wait_for_text(log_path, "Received SIGHUP: the log file");
    ck_assert_ptr_null(strstr(file_text(old_path), "SIGHUP"));
    expect_said(file_text(old_path), "Server initialized");

    // What cannot be opened leaves the old one in use.
    ck_assert_int_eq(rename(log_path, old_path), 0);
    ck_assert_int_eq(mkdir(log_path, 0700), 0);
    kill(server->pid, SIGHUP);
    wait_for_text(old_path, "can't reopen the log file");
    ck_assert_int_eq(rmdir(log_path), 0);
    expect_status(c, "PONG", "PING");
    redisFree(c);
    server_stop(server);
    expect_said(file_text(old_path), "Received SIGTERM scheduling shutdown...");
    expect_said(file_text(old_path), "Respite is now ready to exit, bye bye...");
}
END_TEST

START_TEST(signals_are_named)
{
    struct test_server *server = server_start(SERVER_ARGS("--logfile", log_path));
    server_stop_with(server, SIGINT);
    expect_said(file_text(log_path), "Received SIGINT scheduling shutdown...");
}
END_TEST

// The sum of the counts of all "Refused N connection" lines, and how many lines there are.
static long long refused_in(const char *log, int *lines)
{
    long long sum = 0;
    *lines = 0;
    for (const char *at = log; (at = strstr(at, "* Refused ")) != NULL; (*lines)++) {
        at += strlen("* Refused ");
        sum += strtoll(at, NULL, 10);
    }
    return sum;
}

START_TEST(refusals_are_logged)
{
    enum { COUNT = 200 };
    int lines;
    int fd = -1;
    char said[OUTPUT_MAX];
    struct test_server *server = server_start(SERVER_ARGS("--maxclients", "1"));
    // The connection by which the start was seen may still be there.
    for (struct deadline limit = deadline(); fd < 0; deadline_wait(&limit)) {
        fd = raw_connect(server);
        raw_text(fd, "PING\r\n");
        if (raw_read(fd, said, sizeof(said)) > 0 && said[0] == '+')
            break;
        close(fd);
        fd = -1;
    }
    long long start_ms = monotonic_ms();
    for (int i = 0; i < COUNT; i++) {
        int refused = raw_connect(server);
        raw_read_all(refused, said, sizeof(said));
        ck_assert_str_eq(said, "-ERR max number of clients reached\r\n");
        close(refused);
    }
    raw_ask(fd, "CONFIG SET maxclients 100", "+OK\r\n");
    long long wanted = server_info(server, "rejected_connections");
    ck_assert_int_ge(wanted, COUNT);
    struct deadline limit = deadline();
    while (refused_in(file_text(server->log_path), &lines) != wanted)
        deadline_wait(&limit);
    ck_assert_int_le(lines, (monotonic_ms() - start_ms) / 1000 + 2);
    expect_said(file_text(server->log_path), "maxclients (1) is reached");
    close(fd);
    server_stop(server);
}
END_TEST

// --- SHUTDOWN -----------------------------------------------------------------------------------

// What was asked before gets its answer, what comes behind it is not run any more.
START_TEST(shutdown_answers_others)
{
    struct test_server *server = server_start(SERVER_ARGS("--logfile", log_path));
    int other = raw_connect(server);
    int fd = raw_connect(server);
    raw_ask(other, "PING", "+PONG\r\n");
    raw_text(fd, "SET a 1\r\nSHUTDOWN NOSAVE\r\nSET a 2\r\n");
    raw_expect(fd, "+OK\r\n");
    raw_expect_closed(fd);
    raw_expect_closed(other);
    close(fd);
    close(other);
    server_stop_with(server, 0);
    expect_said(file_text(log_path), "Received SHUTDOWN from client ");
    expect_said(file_text(log_path), "User requested shutdown...");
}
END_TEST

START_TEST(shutdown_and_save)
{
    struct test_server *server = server_start(
        SERVER_ARGS("--logfile", log_path, "--save", "900 1", "--dir", "/proc"));
    redisContext *c = client_connect(server);
    expect_error(c, "ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN SAVE");
    expect_said(file_text(log_path), "Error trying to save the DB, can't exit");
    expect_status(c, "PONG", "PING");
    expect_error(c, "ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN");
    ck_assert_ptr_null(redisCommand(c, "SHUTDOWN NOSAVE"));
    redisFree(c);
    server_stop_with(server, 0);

    server = server_start(SERVER_ARGS("--logfile", log_path, "--dir", "/proc"));
    c = client_connect(server);
    ck_assert_ptr_null(redisCommand(c, "SHUTDOWN SAVE FORCE"));
    redisFree(c);
    server_stop_with(server, 0);
    expect_said(file_text(log_path), "Exit anyway.");
}
END_TEST

START_TEST(shutdown_needs_authentication)
{
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", "secret"));
    int fd = raw_connect(server);
    raw_ask(fd, "SHUTDOWN NOSAVE", "-NOAUTH Authentication required.\r\n");
    raw_ask(fd, "AUTH secret", "+OK\r\n");
    raw_text(fd, "SHUTDOWN NOSAVE\r\n");
    raw_expect_closed(fd);
    close(fd);
    server_stop_with(server, 0);
}
END_TEST

// An orchestrator that has asked for the end may send SIGTERM as well.
START_TEST(shutdown_and_sigterm)
{
    for (int keys = 1; keys <= 100000; keys *= 10) {
        struct test_server *server = server_start(NULL);
        redisContext *c = client_connect(server);
        client_fill(c, "key:", keys);
        ck_assert_ptr_null(redisCommand(c, "SHUTDOWN"));
        redisFree(c);
        server_stop_with(server, SIGTERM);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = server_tcase(suite, "daemon");
    tcase_add_unchecked_fixture(tcase, make_folder, end_daemon);
    tcase_add_checked_fixture(tcase, clean_folder, clean_folder);
    tcase_add_test(tcase, daemonize);
    tcase_add_test(tcase, daemonize_that_fails);
    tcase_add_test(tcase, pid_file);
    tcase = server_tcase(suite, "supervisors");
    tcase_add_unchecked_fixture(tcase, make_folder, end_daemon);
    tcase_add_checked_fixture(tcase, clean_folder, clean_folder);
    tcase_add_test(tcase, systemd);
    tcase_add_test(tcase, systemd_that_is_not_there);
    tcase_add_test(tcase, upstart);
    tcase = server_tcase(suite, "log");
    tcase_add_unchecked_fixture(tcase, make_folder, end_daemon);
    tcase_add_checked_fixture(tcase, clean_folder, clean_folder);
    tcase_add_test(tcase, start_up_lines);
    tcase_add_test(tcase, log_formats);
    tcase_add_test(tcase, log_rotation);
    tcase_add_test(tcase, signals_are_named);
    tcase_add_test(tcase, refusals_are_logged);
    tcase = server_tcase(suite, "shutdown");
    tcase_add_unchecked_fixture(tcase, make_folder, end_daemon);
    tcase_add_checked_fixture(tcase, clean_folder, clean_folder);
    tcase_add_test(tcase, shutdown_answers_others);
    tcase_add_test(tcase, shutdown_and_save);
    tcase_add_test(tcase, shutdown_needs_authentication);
    tcase_add_test(tcase, shutdown_and_sigterm);
    return suite;
}

SERVER_TEST_MAIN(make_suite)

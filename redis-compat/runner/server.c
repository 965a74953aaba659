// SPDX-License-Identifier: BSD-3-Clause
// Starts and ends the two servers: see server.h.
#include "server.h"
#include "words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// How long a server may take to start, or to end, under sanitizers and on a busy machine.
#define PATIENCE_MS 20000
#define ARGS_MAX    64
#define LOG_SHOWN   2000

// Set once, before any server starts: atexit() gives no argument.
static char root_dir[64];
static const char *programs[SIDES];

const char *side_name(enum side side)
{
    return side == ORACLE ? "oracle " : "respite";
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

static void remove_root(void)
{
    nftw(root_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// Who ends the runner wants the folders gone as well: exit() sees to that.
static void *watch_signals(void *udata)
{
    int number;
    sigwait(udata, &number);
    exit(128 + number);
}

// Before any other thread is started: they inherit what is blocked here.
static void begin_to_watch(void)
{
    static sigset_t ends;
    pthread_t watcher;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (pthread_create(&watcher, NULL, watch_signals, &ends) != 0)
        die("no thread");
    pthread_detach(watcher);
}

// A program that the environment names; a path is made absolute, for servers change the folder.
static const char *find_program(const char *name, const char *otherwise, char room[PATH_MAX])
{
    const char *value = getenv(name);
    if (!value || !*value)
        value = otherwise;
    if (!strchr(value, '/'))
        return value;
    if (!realpath(value, room))
        die("%s: %s", value, strerror(errno));
    return room;
}

void servers_init(void)
{
    static char paths[SIDES][PATH_MAX];
    programs[ORACLE] = find_program("REDIS_SERVER", "redis-server", paths[ORACLE]);
    programs[OURS] = find_program("RESPITE_SERVER", "build/respite-server", paths[OURS]);
    // A path as short as the name of a UNIX socket wants it.
    snprintf(root_dir, sizeof(root_dir), "/tmp/respite-compat-XXXXXX");
    if (!mkdtemp(root_dir))
        die("mkdtemp %s: %s", root_dir, strerror(errno));
    atexit(remove_root);
    begin_to_watch();
}

static void nap_ms(long ms)
{
    struct timespec left = { .tv_nsec = ms * 1000000 };
    nanosleep(&left, NULL);
}

// From below the range in which outgoing connections get theirs.
static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        uint16_t pick;
        if (getrandom(&pick, sizeof(pick), 0) != sizeof(pick))
            die("no free port: %s", strerror(errno));
        address.sin_port = htons((uint16_t)(20000 + pick % 12000));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            die("no free port: %s", strerror(errno));
        bool is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (is_free)
            return ntohs(address.sin_port);
    }
}

// In the child.
_Noreturn static void become(const char *dir, char *const *argv, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(dir) != 0)
        _exit(127);
    int out = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0)
        _exit(127);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void spawn(struct server *server, struct arena *arena, const struct server_options *options)
{
    char port[16];
    char *argv[ARGS_MAX];
    size_t argc = 0;
    snprintf(port, sizeof(port), "%d", server->port);
    const char *usual[] = { programs[server->side],
                            "--port",
                            port,
                            "--bind",
                            "127.0.0.1",
                            "--unixsocket",
                            server->socket,
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--dir",
                            server->dir };
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
        argv[argc++] = arena_text(arena, span_of(usual[i]));
    for (size_t i = 0; options->words && i < options->words->count; i++) {
        if (argc == ARGS_MAX - 1)
            die("too many options for a server");
        argv[argc++] = arena_text(arena, options->words->items[i]);
    }
    argv[argc] = NULL;
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid < 0)
        die("fork: %s", strerror(errno));
    if (server->pid == 0)
        become(server->dir, argv, parent);
}

bool server_alive(struct server *server)
{
    int status = -1;
    if (server->pid > 0 && waitpid(server->pid, &status, WNOHANG) != 0) {
        server->pid = 0;
        server->ended_well = status == 0;
    }
    return server->pid > 0;
}

bool server_connect(const struct server *server, bool tcp, struct connection *out)
{
    return connection_open(out, tcp ? NULL : server->socket, server->port);
}

// The end of what a server wrote.
static void append_log(struct buffer *why, const struct server *server)
{
    char path[120];
    struct buffer log = { 0 };
    snprintf(path, sizeof(path), "%s/log", server->dir);
    if (buffer_read_file(&log, path) && log.len > 0) {
        size_t skipped = log.len > LOG_SHOWN ? log.len - LOG_SHOWN : 0;
        buffer_append(why, (struct span){ log.data + skipped, log.len - skipped });
    }
    buffer_release(&log);
}

bool server_tell(const struct server *server, const char *command, struct buffer *answer)
{
    struct connection c;
    struct arena arena = { 0 };
    struct reply reply = { 0 };
    struct buffer bytes = { 0 };
    if (!server_connect(server, server->port != 0, &c))
        return false;
    // The server closes: afterwards it does not count this connection any more.
    buffer_printf(&bytes, "%s\r\nQUIT\r\n", command);
    bool ok = connection_send(&c, buffer_span(&bytes), PATIENCE_MS) &&
              connection_fetch(&c, &arena, PATIENCE_MS, &reply) == FETCH_REPLY;
    buffer_append(answer, reply.raw);
    enum fetch_result rest;
    do
        rest = ok ? connection_fetch(&c, &arena, PATIENCE_MS, &reply) : FETCH_CLOSED;
    while (rest == FETCH_REPLY);
    connection_close(&c);
    buffer_release(&bytes);
    arena_release(&arena);
    return ok;
}

// Any reply to a PING will do: a server with a password answers an error.
static bool answers(const struct server *server)
{
    struct buffer answer = { 0 };
    bool ok = server_tell(server, "PING", &answer) &&
              !span_starts(buffer_span(&answer), "-LOADING");
    buffer_release(&answer);
    return ok;
}

static bool wait_until_up(struct server *server, struct buffer *why)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;
    while (server_alive(server) && now_ms() < until_ms) {
        if (answers(server))
            return true;
        nap_ms(2);
    }
    buffer_printf(why, "%s does not start:\n", programs[server->side]);
    append_log(why, server);
    return false;
}

void servers_folder(char dir[SERVER_DIR_MAX])
{
    static atomic_uint number;
    snprintf(dir, SERVER_DIR_MAX, "%s/%u", root_dir, number++);
    if (mkdir(dir, 0700) != 0)
        die("mkdir %s: %s", dir, strerror(errno));
}

static void begin(struct server *server, enum side side, const char *dir,
                  const struct server_options *options)
{
    struct arena arena = { 0 };
    *server = (struct server){ .side = side, .port = options->tcp ? free_port() : 0 };
    snprintf(server->dir, sizeof(server->dir), "%s", dir);
    snprintf(server->socket, sizeof(server->socket), "%s/s", dir);
    spawn(server, &arena, options);
    arena_release(&arena);
}

bool server_start(struct server *server, enum side side, const char *dir,
                  const struct server_options *options, struct buffer *why)
{
    begin(server, side, dir, options);
    return wait_until_up(server, why);
}

bool pair_start(struct pair *pair, const struct server_options *options, struct buffer *why)
{
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS; side++) {
        char dir[SERVER_DIR_MAX];
        servers_folder(dir);
        begin(&pair->servers[side], side, dir, options);
    }
    for (enum side side = ORACLE; side <= OURS && ok; side++)
        ok = wait_until_up(&pair->servers[side], why);
    return ok;
}

// The status a server ends with; -1 if it has to be killed.
static int end_server(struct server *server)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;
    int status = 0;
    kill(server->pid, SIGTERM);
    for (;;) {
        if (waitpid(server->pid, &status, WNOHANG) != 0)
            return status;
        if (now_ms() > until_ms)
            break;
        nap_ms(2);
    }
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    return -1;
}

// The oracle has nothing to lose and would take its time; ours has to end well.
static bool stop_one(struct server *server, struct buffer *why)
{
    if (server->pid > 0 && server->side == ORACLE) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
        return true;
    }
    bool ok = server_alive(server) ? end_server(server) == 0 : server->ended_well;
    server->pid = 0;
    if (ok)
        return true;
    buffer_printf(why, "%s ended with an error; the end of its log:\n", programs[server->side]);
    append_log(why, server);
    return false;
}

bool server_shut_down(struct server *server, struct buffer *why)
{
    struct buffer answer = { 0 };
    int64_t until_ms = now_ms() + PATIENCE_MS;
    (void)server_tell(server, "SHUTDOWN NOSAVE", &answer);
    while (server_alive(server) && now_ms() < until_ms)
        nap_ms(1);
    bool ok = server->pid == 0 && server->ended_well;
    if (server->pid > 0)
        (void)end_server(server);
    server->pid = 0;
    if (!ok) {
        buffer_printf(why, "%s did not end well: %.*s\n", programs[server->side],
                      SHOW(buffer_span(&answer)));
        append_log(why, server);
    }
    buffer_release(&answer);
    return ok;
}

bool pair_stop(struct pair *pair, struct buffer *why)
{
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct server *server = &pair->servers[side];
        ok = stop_one(server, why) && ok;
        nftw(server->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return ok;
}

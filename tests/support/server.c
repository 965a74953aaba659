// SPDX-License-Identifier: BSD-3-Clause
// Live servers for tests: see server.h.
#include "support/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
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

// How long anything may take, under sanitizers and on a busy machine.
#define PATIENCE_MS 30000

#define ARGS_MAX     64
#define PORT_TRIES   8
#define PORT_FIRST   20000
#define PORT_RANGE   12000  // up to where outgoing connections take theirs from
#define LOG_SHOWN    20000
#define FILES_WANTED 16384

// Set before the suite runs; its folders are those of the servers.
static char root_dir[64];
static char server_path[PATH_MAX];

// --- Time ---------------------------------------------------------------------------------------

long long monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int server_rounds(int rounds)
{
    const char *given = getenv("TEST_ROUNDS");
    return given ? (int)strtol(given, NULL, 10) : rounds;
}

static void nap_ms(long ms)
{
    struct timespec left = { .tv_nsec = ms * 1000000 };
    nanosleep(&left, NULL);
}

struct deadline deadline(void)
{
    return (struct deadline){ .end_ms = monotonic_ms() + PATIENCE_MS };
}

void deadline_wait(const struct deadline *limit)
{
    if (monotonic_ms() > limit->end_ms)
        ck_abort_msg("waited for %d s in vain", PATIENCE_MS / 1000);
    nap_ms(5);
}

// --- Files --------------------------------------------------------------------------------------

void server_temp_dir(char out[SERVER_PATH_MAX])
{
    int len = snprintf(out, SERVER_PATH_MAX, "%s/XXXXXX", root_dir);
    ck_assert_int_lt(len, SERVER_PATH_MAX);
    ck_assert_msg(mkdtemp(out) != NULL, "mkdtemp %s: %s", out, strerror(errno));
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void server_read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(out, 1, room - 1, file) : 0;
    out[len] = '\0';
    if (file)
        fclose(file);
}

bool server_logged(const struct test_server *server, const char *text)
{
    static char log[1 << 20];
    server_read_file(server->log_path, log, sizeof(log));
    return strstr(log, text) != NULL;
}

// --- Starting -----------------------------------------------------------------------------------

int server_free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        uint16_t pick;
        ck_assert_int_eq(getrandom(&pick, sizeof(pick), 0), sizeof(pick));
        address.sin_port = htons((uint16_t)(PORT_FIRST + pick % PORT_RANGE));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        bool is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (is_free)
            return ntohs(address.sin_port);
    }
}

// What the process that becomes the server needs to know.
struct birth {
    const char *program;  // NULL: ours
    const char *dir;
    const char *input_path;
    const char *log_path;
    long file_limit;
    long memory_limit_mb;
    pid_t parent;
};

static void set_limit(int resource, long value)
{
    const struct rlimit limit = { .rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value };
    if (value && setrlimit(resource, &limit) != 0)
        _exit(125);
}

// In the child: becomes the server. Dies with the test.
static void become_server(const struct birth *birth, const char *const *argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log_fd = open(birth->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int input_fd = open(birth->input_path, O_RDONLY | O_CLOEXEC);
    if (getppid() != birth->parent || log_fd < 0 || input_fd < 0 || chdir(birth->dir) != 0)
        _exit(126);
    dup2(input_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    set_limit(RLIMIT_NOFILE, birth->file_limit);
    set_limit(RLIMIT_AS, birth->memory_limit_mb << 20);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

// argv[0] is put in front of `args`.
static pid_t spawn(struct birth *birth, const char *const *args)
{
    const char *argv[ARGS_MAX + 1] = { birth->program ? birth->program : server_path };
    int argc = 1;
    for (; args[argc - 1]; argc++) {
        ck_assert_int_lt(argc, ARGS_MAX);
        argv[argc] = args[argc - 1];
    }
    argv[argc] = NULL;
    birth->parent = getpid();
    fflush(stdout);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        become_server(birth, argv);
    return pid;
}

static redisContext *connect_unix(const char *path)
{
    redisContext *connection = redisConnectUnix(path);
    if (connection && !connection->err)
        return connection;
    redisFree(connection);
    return NULL;
}

// Any reply will do: it may want a password.
static bool answers(const struct test_server *server)
{
    redisContext *connection = connect_unix(server->socket_path);
    if (!connection)
        return false;
    redisReply *reply = redisCommand(connection, "PING");
    bool done = reply != NULL;
    freeReplyObject(reply);
    redisFree(connection);
    return done;
}

// False: it has ended.
static bool wait_ready(const struct test_server *server)
{
    int status;
    for (struct deadline limit = deadline(); !answers(server); deadline_wait(&limit)) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid)
            return false;
    }
    return true;
}

static const char *make_input(const struct test_server *server, const char *text,
                              char path[SERVER_PATH_MAX + 8])
{
    if (!text)
        return "/dev/null";
    snprintf(path, SERVER_PATH_MAX + 8, "%s/input", server->dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void spawn_on_port(struct test_server *server, const struct server_options *options)
{
    char port[8];
    char input[SERVER_PATH_MAX + 8];
    const char *args[ARGS_MAX];
    int argc = 0;
    server->port = server_free_port();
    snprintf(port, sizeof(port), "%d", server->port);
    if (options->config_file)
        args[argc++] = options->config_file;
    const char *const own[] = { "--port", port, "--unixsocket", server->socket_path, "--save",
                                "",       NULL };
    for (int i = 0; own[i]; i++)
        args[argc++] = own[i];
    args[argc++] = "--bind";
    args[argc++] = options->bind ? options->bind : "127.0.0.1";
    for (int i = 0; options->args && options->args[i]; i++) {
        ck_assert_int_lt(argc, ARGS_MAX - 1);
        args[argc++] = options->args[i];
    }
    args[argc] = NULL;
    struct birth birth = { .program = options->program,
                           .dir = server->dir,
                           .input_path = make_input(server, options->stdin_text, input),
                           .log_path = server->log_path,
                           .file_limit = options->file_limit,
                           .memory_limit_mb = options->memory_limit_mb };
    server->pid = spawn(&birth, args);
}

struct test_server *server_start_with(const struct server_options *options)
{
    struct test_server *server = calloc(1, sizeof(*server));
    ck_assert_ptr_nonnull(server);
    server_temp_dir(server->dir);
    // Together they are shorter than what sun_path takes.
    if (options->socket_path)
        snprintf(server->socket_path, SERVER_PATH_MAX, "%s", options->socket_path);
    else
        snprintf(server->socket_path, SERVER_PATH_MAX, "%.80s/s", server->dir);
    snprintf(server->log_path, SERVER_PATH_MAX, "%.80s/log", server->dir);
    for (int i = 0; i < PORT_TRIES; i++) {
        spawn_on_port(server, options);
        if (wait_ready(server))
            return server;
        // Somebody else may have taken the port meanwhile.
        if (!server_logged(server, "in use"))
            break;
    }
    char log[2000];
    server_read_file(server->log_path, log, sizeof(log));
    ck_abort_msg("the server did not start: %s", log);
    return NULL;
}

struct test_server *server_start(const char *const *args)
{
    return server_start_with(&(struct server_options){ .args = args });
}

// --- Stopping -----------------------------------------------------------------------------------

// False: it had to be ended by force.
static bool wait_end(pid_t pid, int *status)
{
    long long end_ms = monotonic_ms() + PATIENCE_MS;
    while (waitpid(pid, status, WNOHANG) == 0) {
        if (monotonic_ms() > end_ms) {
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return false;
        }
        nap_ms(2);
    }
    return true;
}

void server_stop_with(struct test_server *server, int signal_number)
{
    int status = 0;
    kill(server->pid, signal_number);
    bool ended = wait_end(server->pid, &status);
    ck_assert_msg(ended, "the server did not end on signal %d", signal_number);
    ck_assert_msg(!WIFSIGNALED(status), "the server ended by signal %d", WTERMSIG(status));
    ck_assert_msg(WEXITSTATUS(status) == 0, "the server exited with status %d",
                  WEXITSTATUS(status));
    remove_tree(server->dir);
    free(server);
}

void server_stop(struct test_server *server)
{
    server_stop_with(server, SIGTERM);
}

void server_kill(struct test_server *server)
{
    int status = 0;
    kill(server->pid, SIGKILL);
    ck_assert(wait_end(server->pid, &status));
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    remove_tree(server->dir);
    free(server);
}

int server_run(const char *dir, const char *const *args, char *output, size_t room)
{
    char log_path[SERVER_PATH_MAX + 8];
    int status;
    snprintf(log_path, sizeof(log_path), "%s/output", dir);
    unlink(log_path);
    struct birth birth = { .dir = dir, .input_path = "/dev/null", .log_path = log_path };
    pid_t pid = spawn(&birth, args);
    bool ended = wait_end(pid, &status);
    server_read_file(log_path, output, room);
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// --- Asking -------------------------------------------------------------------------------------

// The number behind "name:" at a line's start.
static long long field_value(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return strtoll(line + len + 1, NULL, 10);
    }
    return -1;
}

long long server_info(const struct test_server *server, const char *field)
{
    redisContext *connection = connect_unix(server->socket_path);
    ck_assert_msg(connection != NULL, "no connection to %s", server->socket_path);
    redisReply *reply = redisCommand(connection, "INFO");
    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type == REDIS_REPLY_STRING, "INFO: %s", reply->str);
    long long value = field_value(reply->str, field);
    freeReplyObject(reply);
    redisFree(connection);
    return value;
}

void server_await_info(const struct test_server *server, const char *field, long long want)
{
    struct deadline limit = deadline();
    while (server_info(server, field) != want)
        deadline_wait(&limit);
}

void server_limit_files(const struct test_server *server, rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

void server_await_rewrites(const struct test_server *server, long long at_least)
{
    struct deadline limit = deadline();
    while (server_info(server, "aof_rewrites") < at_least ||
           server_info(server, "aof_rewrite_in_progress") != 0 ||
           server_info(server, "aof_rewrites_consecutive_failures") != 0)
        deadline_wait(&limit);
}

// --- main ---------------------------------------------------------------------------------------

static void show_log(const char *dir)
{
    static char log[LOG_SHOWN];
    char path[SERVER_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%.*s/log", SERVER_PATH_MAX, dir);
    server_read_file(path, log, sizeof(log));
    if (log[0])
        printf("---- log of a server that a failed test left in %s:\n%s\n", dir, log);
}

static void show_left_logs(void)
{
    DIR *root = opendir(root_dir);
    if (!root)
        return;
    const struct dirent *entry;
    while ((entry = readdir(root)) != NULL) {
        char path[SERVER_PATH_MAX];
        snprintf(path, sizeof(path), "%s/%.20s", root_dir, entry->d_name);
        if (entry->d_name[0] != '.')
            show_log(path);
    }
    closedir(root);
}

// Tests with thousands of connections need as many files, here and in the server.
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= FILES_WANTED)
        return;
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool prepare(void)
{
    const char *program = getenv("RESPITE_SERVER");
    if (!program)
        program = "build/respite-server";
    // Servers change their folder. Links stay: some programs go by the name they are called with.
    char here[PATH_MAX] = "";
    if (program[0] != '/' && !getcwd(here, sizeof(here)))
        return false;
    int len = snprintf(server_path, sizeof(server_path), "%s%s%s", here, here[0] ? "/" : "",
                       program);
    if (len >= (int)sizeof(server_path) || access(server_path, X_OK) != 0) {
        fprintf(stderr, "no server to test: %s: %s\n", server_path, strerror(errno));
        return false;
    }
    const char *temp = getenv("TMPDIR");
    snprintf(root_dir, sizeof(root_dir), "%.40s/respite-XXXXXX", temp ? temp : "/tmp");
    if (!mkdtemp(root_dir)) {
        fprintf(stderr, "mkdtemp %s: %s\n", root_dir, strerror(errno));
        return false;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    return true;
}

int server_test_main(Suite *(*make)(void), int argc, char **argv)
{
    const char *only_case = argc > 1 ? argv[1] : NULL;
    if (!prepare())
        return EXIT_FAILURE;
    SRunner *runner = srunner_create(make());
    srunner_run(runner, NULL, only_case, CK_NORMAL);
    int ran = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    show_left_logs();
    remove_tree(root_dir);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

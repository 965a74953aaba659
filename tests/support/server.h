// SPDX-License-Identifier: BSD-3-Clause
// A live server for one test, and the main function of the programs in tests/integration/.
//
// The server is the program that RESPITE_SERVER names (build/respite-server by default). It runs in a
// temporary folder of its own, on a free loopback port and a UNIX socket in that folder. It ends with
// server_stop(), which fails the test unless the server ended cleanly; when a test fails before that,
// the server dies with the test's process, and its log is shown when the suite is done.
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SERVER_PATH_MAX 96

struct test_server {
    pid_t pid;
    int port;
    char dir[SERVER_PATH_MAX];
    char socket_path[SERVER_PATH_MAX];
    char log_path[SERVER_PATH_MAX];
};

// How to start it. All zero is the default.
struct server_options {
    const char *program;      // absolute path of another one, which takes our arguments; NULL: ours
    const char *config_file;  // first argument: a path, or "-"; NULL: none
    const char *stdin_text;   // what it finds on standard input; NULL: nothing
    const char *const *args;  // more arguments, up to a NULL; they come last; NULL: none
    const char *bind;         // NULL: 127.0.0.1
    const char *socket_path;  // NULL: in its own folder
    long file_limit;          // files it may open; 0: as many as we
    long memory_limit_mb;     // address space it may take; 0: no limit
};

// Arguments in place: SERVER_ARGS("--maxclients", "3").
#define SERVER_ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

// Starts it and waits until it answers; fails the test if it does not. The caller stops it.
struct test_server *server_start(const char *const *args);
struct test_server *server_start_with(const struct server_options *options);

// Ends it with SIGTERM and frees the struct. Fails the test unless it exits with status 0 in time.
void server_stop(struct test_server *server);

// The same with another signal.
void server_stop_with(struct test_server *server, int signal_number);

// Ends it with SIGKILL, in the middle of whatever it does, and frees the struct.
void server_kill(struct test_server *server);

// For starts that must fail: runs the server with exactly these arguments (a NULL ends them) in
// `dir` until it exits, and returns its exit status (-1: it ended by a signal or had to be ended).
// What it printed is in `output`, as text.
int server_run(const char *dir, const char *const *args, char *output, size_t room);

// A folder that goes away with the program.
void server_temp_dir(char out[SERVER_PATH_MAX]);

// A loopback port that nobody listened on a moment ago, from below the range in which outgoing
// connections get theirs: what connects meanwhile does not take it.
int server_free_port(void);

// Reads a whole file as text, at most `room` - 1 bytes of it.
void server_read_file(const char *path, char *out, size_t room);

// Whether the server's log holds the text.
bool server_logged(const struct test_server *server, const char *text);

// The number of a field of INFO (asked over the UNIX socket), -1 without it.
long long server_info(const struct test_server *server, const char *field);

// Waits until it is this number.
void server_await_info(const struct test_server *server, const char *field, long long want);

// No file that the server writes may be longer from now on (RLIM_INFINITY: as before); the user's limit above that stays.
void server_limit_files(const struct test_server *server, rlim_t bytes);

// Waits until so many rewrites of the append-only file have been begun since the start, and the last one has succeeded.
void server_await_rewrites(const struct test_server *server, long long at_least);

// Polling: `for (struct deadline d = deadline(); !done(); deadline_wait(&d))`. Fails the test when
// it takes too long, which is half a minute.
struct deadline {
    long long end_ms;
};
struct deadline deadline(void);
void deadline_wait(const struct deadline *limit);

// How often what is left to chance is tried: TEST_ROUNDS, or so often.
int server_rounds(int rounds);

// Milliseconds that pass steadily.
long long monotonic_ms(void);

// Runs the suite; argv[1], if given, is the one test case to run.
int server_test_main(Suite *(*make)(void), int argc, char **argv);

#define SERVER_TEST_MAIN(make)                     \
    int main(int argc, char **argv)                \
    {                                              \
        return server_test_main(make, argc, argv); \
    }

// SPDX-License-Identifier: BSD-3-Clause
// Arguments, configuration, and the subsystems in the order in which they start and stop.
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "base/random.h"
#include "commands/families.h"
#include "net/loop.h"
#include "persist/aof.h"
#include "persist/aof_worker.h"
#include "persist/snapshot.h"
#include "repl/repl.h"
#include "server/batch.h"
#include "server/config.h"
#include "server/ping.h"
#include "server/process.h"
#include "server/server.h"
#include "server/settings.h"
#include "store/keyspace.h"
#include "types/types.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: respite-server [/path/to/respite.conf] [--directive value ...]\n"
    "       respite-server -            (configuration from standard input)\n"
    "       respite-server --check-config /path/to/respite.conf [--directive value ...]\n"
    "       respite-server --ping [address [seconds]]\n"
    "       respite-server -v, --version\n"
    "       respite-server -h, --help\n"
    "\n"
    "Directives are those of a redis.conf of Redis 7.2; conf/respite.conf explains them. "
    "Directives\n"
    "among the arguments win over those of the file.\n"
    "\n"
    "--ping exits with 0 only if the server at the address answers PONG within 3 seconds, or the\n"
    "seconds given; else it says why not. An address is host:port, [IPv6 address]:port, or the "
    "path\n"
    "of a UNIX socket (/path or unix:/path); 127.0.0.1:6379 without one. The password, if there "
    "is\n"
    "one, comes from the environment variable RESPITE_PASSWORD (or REDISCLI_AUTH).\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop the server, a second one at once; SIGHUP reopens the log "
    "file.\n"
    "\n"
    "Examples:\n"
    "       respite-server                              (the defaults)\n"
    "       respite-server conf/respite.conf --port 7777\n"
    "       respite-server conf/respite.conf --daemonize yes --logfile /var/log/respite.log\n"
    "       respite-server --unixsocket /tmp/respite.sock --port 0\n"
    "       respite-server --ping /tmp/respite.sock\n";

// For the crash report: which command was running. Signal context.
static void report_command(int fd, void *udata)
{
    const struct server *server = udata;
    unsigned long long client_id = 0;
    const char *name = batch_running(server->batch, &client_id);
    char line[128];
    int len = name ? snprintf(line, sizeof(line), "running: %s, of client %llu\n", name, client_id)
                   : snprintf(line, sizeof(line), "running: no command\n");
    if (len > 0 && write(fd, line, (size_t)len) < 0)
        return;
}

static void init_process(void)
{
    mem_init();
    clock_init();
    clock_update();
    log_update_zone();
    uint8_t hash_key[HASH_KEY_BYTES];
    random_secret(hash_key, sizeof(hash_key));
    hash_set_key(hash_key);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    // A file that may not grow is an error of write(), not the end.
    signal(SIGXFSZ, SIG_IGN);
}

static char *absolute_path(const char *path)
{
    char *resolved = realpath(path, NULL);
    return resolved ? resolved : strdup(path);
}

// As redis-server reads its arguments: a file, or - for standard input; then directives; a - at the
// end is standard input too, whose lines come before those directives.
static enum status read_config(struct server *server, int argc, char **argv, char **config_file,
                               struct config_error *error)
{
    enum status status = STATUS_OK;
    bool is_stdin = false;
    if (argc > 0 && argv[0][0] != '-') {
        server->config_file = *config_file = absolute_path(argv[0]);
        status = config_load_file(server->config, argv[0], error);
        argc--;
        argv++;
    } else if (argc > 0 && strcmp(argv[0], "-") == 0) {
        is_stdin = true;
        argc--;
        argv++;
    }
    if (argc > 0 && strcmp(argv[argc - 1], "-") == 0) {
        is_stdin = true;
        argc--;
    }
    if (status == STATUS_OK && is_stdin)
        status = config_load_file(server->config, "-", error);
    if (status == STATUS_OK)
        status = config_load_args(server->config, argc, argv, error);
    if (status == STATUS_OK)
        status = config_check_unsupported(server->config, server->settings->ignore_unsupported,
                                          error);
    return status;
}

// False: the reason has been printed.
static bool load_config(struct server *server, int argc, char **argv, char **config_file)
{
    struct config_error error;
    if (read_config(server, argc, argv, config_file, &error) == STATUS_OK)
        return true;
    fprintf(stderr, "respite-server: %s\n", error.text);
    return false;
}

static int report_check(const struct server *server)
{
    config_report_inert(server->config);
    puts("The configuration is OK");
    return 0;
}

static int serve(struct server *server)
{
    if (process_begin(server->process) != STATUS_OK || server_start(server) != STATUS_OK)
        return 1;
    repl_configured(server->repl);
    process_listen(server->process);
    if (aof_start(server->aof) != STATUS_OK)
        return 1;
    bool stopped = process_stopping(server->process);
    if (!aof_is_on(server->aof) && !stopped && snapshot_load(server->snapshot) != STATUS_OK)
        return 1;
    if (!process_stopping(server->process)) {
        repl_start(server->repl);
        process_ready(server->process);
        loop_run(server->loop);
    }
    enum status status = aof_stop(server->aof);
    process_end(server->process);
    return status == STATUS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0)) {
        printf("Respite server v=" RESPITE_VERSION " redis=" REDIS_VERSION " bits=%zu\n",
               sizeof(void *) * CHAR_BIT);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--ping") == 0)
        return ping(argc - 2, argv + 2);
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        fputs(usage, stdout);
        return 0;
    }

    init_process();
    struct server *server = server_new();
    aof_new(server, &aof_system_calls);
    panic_install(report_command, server);
    types_register(server->keyspace);
    snapshot_register(server);
    repl_register(server);
    commands_register(server->registry);

    char *executable = absolute_path(argv[0]);
    char *config_file = NULL;
    server->executable = executable;
    bool only_check = argc > 2 && strcmp(argv[1], "--check-config") == 0;
    int first = only_check ? 2 : 1;
    int result = 1;
    if (load_config(server, argc - first, argv + first, &config_file))
        result = only_check ? report_check(server) : serve(server);

    aof_free(server->aof);
    server_free(server);
    free(executable);
    free(config_file);
    return result;
}

// SPDX-License-Identifier: BSD-3-Clause
// Moving house: data sets that redis-server has written are loaded by Respite, and the other way round, key by
// key.
#include "run.h"

#include <getopt.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "interchange [--seed N] [--verbose] [PART...]\n"
    "\n"
    "Lets redis-server and Respite load each other's files, and compares what comes of them.\n"
    "The environment names the servers: REDIS_SERVER (redis-server), RESPITE_SERVER\n"
    "(build/respite-server). Parts: rdb, payloads, aof, access, old, hostile; all of them\n"
    "without one.\n";

struct part {
    const char *name;
    void (*play)(struct run *run);
    bool needs_golden;
    enum contents_depth depth;
};

static const struct part parts[] = {
    { "rdb", run_rdb, false, CONTENTS_DIGEST },
    { "payloads", run_payloads, true, CONTENTS_VALUES },
    { "aof", run_aof, true, CONTENTS_VALUES },
    { "access", run_access, false, CONTENTS_DIGESTS },
    { "old", run_old, false, CONTENTS_DIGESTS },
    { "hostile", run_hostile, false, CONTENTS_DIGESTS },
};
#define PARTS (sizeof(parts) / sizeof(*parts))

void run_check(struct run *run, bool ok, struct buffer *why, const char *format, ...)
{
    pthread_mutex_lock(&run->lock);
    *(ok ? &run->passed : &run->failed) += 1;
    if (!ok || run->verbose) {
        va_list args;
        va_start(args, format);
        printf("%s", ok ? "ok    " : "FAIL  ");
        vprintf(format, args);
        va_end(args);
        printf("\n%.*s", ok ? 0 : (int)why->len, ok ? "" : why->data ? why->data : "");
        fflush(stdout);
    }
    pthread_mutex_unlock(&run->lock);
    buffer_clear(why);
}

bool run_load(struct run *run, struct host *host, enum side side, const char *dir,
              const char *options, const struct contents *expected, const char *name)
{
    struct buffer why = { 0 };
    struct contents got;
    bool started = host_start(host, side, dir, options, &why);
    run_check(run, started, &why, "%s: %s starts", name, program_name(side));
    if (started) {
        contents_read(&got, host, run->depth);
        bool ok = contents_equal(expected, &got, &why);
        run_check(run, ok, &why, "%s: %s has the same %zu keys", name, program_name(side),
                  contents_keys(expected));
        contents_release(&got);
    }
    buffer_release(&why);
    return started;
}

void run_stop(struct run *run, struct host *host, const char *name)
{
    struct buffer why = { 0 };
    enum side side = host->server.side;
    bool ok = host_stop(host, &why);
    run_check(run, ok, &why, "%s: %s ends well", name, program_name(side));
    buffer_release(&why);
}

struct direction {
    struct run *run;
    enum side from;
    void (*play)(struct run *run, enum side from);
};

static void *play_direction(void *udata)
{
    const struct direction *direction = udata;
    direction->play(direction->run, direction->from);
    return NULL;
}

void run_both(struct run *run, void (*play)(struct run *run, enum side from))
{
    pthread_t thread;
    struct direction direction = { run, ORACLE, play };
    if (pthread_create(&thread, NULL, play_direction, &direction) != 0)
        die("no thread");
    play(run, OURS);
    pthread_join(thread, NULL);
}

enum side other(enum side side)
{
    return side == ORACLE ? OURS : ORACLE;
}

const char *program_name(enum side side)
{
    return side == ORACLE ? "redis-server" : "respite-server";
}

// Ours lies beside the server.
static void find_checker(struct run *run)
{
    char path[PATH_BYTES];
    const char *server = getenv("RESPITE_SERVER");
    snprintf(path, sizeof(path), "%s", server && *server ? server : "build/respite-server");
    snprintf(run->check_rdb, sizeof(run->check_rdb), "%.200s/respite-check-rdb", dirname(path));
    if (access(run->check_rdb, X_OK) != 0)
        die("%s is missing", run->check_rdb);
}

static bool wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static void play(struct run *run, char **names)
{
    bool made = false;
    for (size_t i = 0; i < PARTS; i++) {
        if (!wanted(parts[i].name, names))
            continue;
        int64_t began_ms = now_ms();
        if (parts[i].needs_golden && !made)
            run_rdb(run);
        run->depth = parts[i].depth;
        if (parts[i].play != run_rdb || !made)
            parts[i].play(run);
        made = made || parts[i].needs_golden || parts[i].play == run_rdb;
        if (run->verbose)
            printf("%s: %.1f s\n", parts[i].name, (double)(now_ms() - began_ms) / 1000);
    }
}

static void read_options(struct run *run, int argc, char **argv)
{
    static const struct option known[] = {
        { "seed", required_argument, NULL, 's' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's': run->seed = strtoull(optarg, NULL, 10); break;
        case 'v': run->verbose = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: fputs(help, stderr); exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct run run = { .seed = 1, .began_ms = (int64_t)time(NULL) * 1000 };
    pthread_mutex_init(&run.lock, NULL);
    read_options(&run, argc, argv);
    find_checker(&run);
    servers_init();
    play(&run, argv + optind);
    contents_release(&run.golden[ORACLE]);
    contents_release(&run.golden[OURS]);
    printf("%zu passed, %zu failed\n", run.passed, run.failed);
    return run.failed == 0 && run.passed > 0 ? 0 : 1;
}

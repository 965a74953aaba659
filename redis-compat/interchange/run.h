// SPDX-License-Identifier: BSD-3-Clause
// A run of the interchange: what its parts share, and the parts.
#pragma once

#include "contents.h"
#include "data_set.h"
#include "files.h"
#include "host.h"

#include <pthread.h>
#include <stdint.h>

// What a server is always started with.
#define USUAL "--enable-debug-command yes --databases 16"

struct run {
    uint64_t seed;
    int64_t began_ms;  // wall clock: what times to live are counted from
    bool verbose;
    char check_rdb[PATH_BYTES];     // our checker of RDB files
    struct contents golden[SIDES];  // the data set, as each server has it that was fed with it
    char saved[SIDES][2][SERVER_DIR_MAX];  // and its snapshots
    enum contents_depth depth;             // what run_load() compares
    pthread_mutex_t lock;                  // of the sums and of what is printed
    size_t passed;
    size_t failed;
};

// One check: counts it, and says what is wrong.
void run_check(struct run *run, bool ok, struct buffer *why, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Starts a server on the folder, and holds what it has loaded against `expected`. False: it does not start.
bool run_load(struct run *run, struct host *host, enum side side, const char *dir,
              const char *options, const struct contents *expected, const char *name);
void run_stop(struct run *run, struct host *host, const char *name);

// Does something for both servers, beside each other.
void run_both(struct run *run, void (*play)(struct run *run, enum side from));

enum side other(enum side side);
const char *program_name(enum side side);

void run_rdb(struct run *run);       // snapshots; makes the golden contents
void run_payloads(struct run *run);  // DUMP and RESTORE
void run_aof(struct run *run);       // append-only files
void run_access(struct run *run);    // what is known of keys' use, and keys that are over
void run_old(struct run *run);       // files of earlier and later versions
void run_hostile(struct run *run);   // files and payloads that are damaged

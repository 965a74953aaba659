// SPDX-License-Identifier: BSD-3-Clause
// Snapshots that move: saved by one server in each way, checked by the tools, loaded by the other.
#include "run.h"

#include <stdio.h>

// Elements beyond this are nodes of their own in a list of redis-server's.
#define PLAIN_BYTES "2000"

static void name_move(char name[PATH_BYTES], enum side from, const char *how)
{
    snprintf(name, PATH_BYTES, "rdb of %s, %s", program_name(from), how);
}

static void check_file(struct run *run, enum side from, const char *dir, const char *name)
{
    struct buffer why = { 0 };
    const char *program = from == OURS ? "redis-check-rdb" : run->check_rdb;
    bool ok = checker_agrees(program, dir, "dump.rdb", &why);
    run_check(run, ok, &why, "%s: %s", name, from == OURS ? program : "respite-check-rdb");
    buffer_release(&why);
}

// The other server on a copy of the folder.
static void move(struct run *run, enum side from, const char *dir, const char *how)
{
    char name[PATH_BYTES];
    char copy[SERVER_DIR_MAX];
    struct host host;
    enum side to = other(from);
    name_move(name, from, how);
    files_copy(dir, copy);
    check_file(run, from, copy, name);
    if (run_load(run, &host, to, copy, USUAL, &run->golden[to], name))
        run_stop(run, &host, name);
}

static void expect_ok(struct run *run, struct host *host, const char *command)
{
    struct buffer why = { 0 };
    const struct reply *reply = host_ask(host, "%s", command);
    buffer_append(&why, reply->text);
    buffer_char(&why, '\n');
    run_check(run, !reply_is_error(reply), &why, "%s: %s", program_name(host->server.side),
              command);
    buffer_release(&why);
}

static void background_save(struct run *run, struct host *host)
{
    struct buffer why = { 0 };
    expect_ok(run, host, "BGSAVE");
    bool ended = host_until(host, "rdb_bgsave_in_progress:0", "INFO persistence") &&
                 host_until(host, "rdb_last_bgsave_status:ok", "INFO persistence");
    run_check(run, ended, &why, "%s: BGSAVE ends", program_name(host->server.side));
    buffer_release(&why);
}

static void fill(struct run *run, struct host *host)
{
    if (host->server.side == ORACLE)
        host_feed(host, "DEBUG QUICKLIST-PACKED-THRESHOLD " PLAIN_BYTES);
    data_set_fill(host, DATA_FIRST, run->seed, run->began_ms);
    data_set_fill(host, DATA_SECOND, run->seed, run->began_ms);
    contents_read(&run->golden[host->server.side], host, CONTENTS_DIGESTS);
}

// A folder with a snapshot by SAVE, and one by BGSAVE that is not compressed.
static void save_both(struct run *run, enum side side)
{
    struct buffer why = { 0 };
    struct host host;
    char dir[SERVER_DIR_MAX];
    servers_folder(dir);
    if (!host_start(&host, side, dir, USUAL " --list-compress-depth 1", &why))
        die("%.*s", SHOW(buffer_span(&why)));
    fill(run, &host);
    expect_ok(run, &host, "SAVE");
    files_copy(dir, run->saved[side][0]);
    expect_ok(run, &host, "CONFIG SET rdbcompression no");
    background_save(run, &host);
    files_copy(dir, run->saved[side][1]);
    run_stop(run, &host, "filled");
    buffer_release(&why);
}

// Without a checksum, by a server that has loaded its own.
static void save_unchecked(struct run *run, enum side side, const char *dir)
{
    char copy[SERVER_DIR_MAX];
    char name[PATH_BYTES];
    struct host host;
    name_move(name, side, "its own");
    files_copy(dir, copy);
    if (!run_load(run, &host, side, copy, USUAL " --rdbchecksum no --list-compress-depth 2",
                  &run->golden[side], name))
        return;
    expect_ok(run, &host, "SAVE");
    run_stop(run, &host, name);
    move(run, side, copy, "without a checksum");
}

static void move_all(struct run *run, enum side from)
{
    move(run, from, run->saved[from][0], "SAVE");
    move(run, from, run->saved[from][1], "BGSAVE, not compressed");
    save_unchecked(run, from, run->saved[from][1]);
}

void run_rdb(struct run *run)
{
    struct buffer why = { 0 };
    run_both(run, save_both);
    run_check(run, contents_equal(&run->golden[ORACLE], &run->golden[OURS], &why), &why,
              "both servers hold the same after the same commands");
    run_both(run, move_all);
    buffer_release(&why);
}

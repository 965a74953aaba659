// SPDX-License-Identifier: BSD-3-Clause
// Append-only files that move, in all the forms that they have had.
#include "run.h"

#include <stdio.h>
#include <string.h>

#define LOGGED USUAL " --appendonly yes --appendfsync no"

#define MANIFEST "appendonlydir/appendonly.aof.manifest"
#define SINGLE   "appendonly.aof"

static void name_move(char name[PATH_BYTES], enum side from, const char *how)
{
    snprintf(name, PATH_BYTES, "aof of %s, %s", program_name(from), how);
}

// redis-server's own tool about a file that we have written.
static void check_file(struct run *run, const char *dir, const char *name, const char *file)
{
    struct buffer why = { 0 };
    run_check(run, checker_agrees("redis-check-aof", dir, file, &why), &why, "%s: redis-check-aof",
              name);
    buffer_release(&why);
}

static void move(struct run *run, enum side from, const char *dir, const char *how,
                 const char *file)
{
    char name[PATH_BYTES];
    struct host host;
    enum side to = other(from);
    name_move(name, from, how);
    if (from == OURS)
        check_file(run, dir, name, file);
    if (run_load(run, &host, to, dir, LOGGED, &run->golden[to], name))
        run_stop(run, &host, name);
}

static void move_copy(struct run *run, enum side from, const char *dir, const char *how)
{
    char copy[SERVER_DIR_MAX];
    files_copy(dir, copy);
    move(run, from, copy, how, MANIFEST);
}

static void rewrite(struct run *run, struct host *host)
{
    struct buffer why = { 0 };
    host_feed(host, "BGREWRITEAOF");
    bool ended = host_until(host, "aof_rewrites:1", "INFO persistence") &&
                 host_until(host, "aof_rewrite_in_progress:0", "INFO persistence") &&
                 host_until(host, "aof_last_bgrewrite_status:ok", "INFO persistence");
    run_check(run, ended, &why, "%s: BGREWRITEAOF ends", program_name(host->server.side));
    buffer_release(&why);
}

// A server writes the data set into a folder, and its file anew half-way if that is wanted.
static void write_files(struct run *run, enum side side, const char *options, bool rewritten,
                        char dir[SERVER_DIR_MAX])
{
    struct buffer why = { 0 };
    struct host host;
    servers_folder(dir);
    if (!host_start(&host, side, dir, options, &why))
        die("%.*s", SHOW(buffer_span(&why)));
    data_set_fill(&host, DATA_FIRST, run->seed, run->began_ms);
    if (rewritten)
        rewrite(run, &host);
    data_set_fill(&host, DATA_SECOND, run->seed, run->began_ms);
    run_stop(run, &host, "aof written");
    buffer_release(&why);
}

// A manifest without a base: as if there had never been one.
static void move_only_incr(struct run *run, enum side from, const char *dir)
{
    char copy[SERVER_DIR_MAX];
    struct buffer manifest = { 0 };
    struct buffer kept = { 0 };
    struct span line;
    files_copy(dir, copy);
    files_read(&manifest, copy, MANIFEST);
    struct span text = buffer_span(&manifest);
    while (span_next_line(&text, &line))
        if (line.len > 2 && memcmp(line.ptr + line.len - 2, " b", 2) != 0 &&
            !memmem(line.ptr, line.len, " type b", 7))
            buffer_printf(&kept, "%.*s\n", SHOW(line));
    files_write(copy, MANIFEST, buffer_span(&kept));
    move(run, from, copy, "nothing but the incremental file", MANIFEST);
    buffer_release(&manifest);
    buffer_release(&kept);
}

// One file, as before version 7: with the base in front of it or without one.
static void move_single(struct run *run, enum side from, const char *dir, bool preamble)
{
    char folder[SERVER_DIR_MAX];
    char name[PATH_BYTES];
    struct buffer bytes = { 0 };
    struct buffer incr = { 0 };
    servers_folder(folder);
    if (preamble) {
        files_find(dir, ".base.rdb", name);
        files_read(&bytes, dir, name);
    }
    files_find(dir, ".incr.aof", name);
    files_read(&incr, dir, name);
    buffer_append(&bytes, buffer_span(&incr));
    files_write(folder, SINGLE, buffer_span(&bytes));
    move(run, from, folder, preamble ? "a single file behind an RDB" : "a single file", SINGLE);
    buffer_release(&bytes);
    buffer_release(&incr);
}

// There and back: the other one writes on, and writes anew, in the same folder.
static void move_on(struct run *run, enum side from, const char *dir, bool rewritten)
{
    char name[PATH_BYTES];
    struct contents then;
    struct host host;
    enum side to = other(from);
    name_move(name, from, rewritten ? "written anew by the other" : "written on by the other");
    if (!run_load(run, &host, to, dir, LOGGED, &run->golden[to], name))
        return;
    host_feed(&host, "SET worn:on 1 EX 100000");
    if (rewritten)
        rewrite(run, &host);
    host_feed(&host, "SADD worn:back 1 2 3");
    host_feed(&host, "SPOP worn:back");
    host_feed(&host, "DEL hash:many");
    host_flush(&host);
    contents_read(&then, &host, run->depth);
    run_stop(run, &host, name);
    if (run_load(run, &host, from, dir, LOGGED, &then, name))
        run_stop(run, &host, name);
    contents_release(&then);
}

static void moves_from(struct run *run, enum side from)
{
    char plain[SERVER_DIR_MAX];
    char preamble[SERVER_DIR_MAX];
    char texts[SERVER_DIR_MAX];
    write_files(run, from, LOGGED, false, plain);
    move_copy(run, from, plain, "as it came");
    move_only_incr(run, from, plain);
    move_single(run, from, plain, false);
    write_files(run, from, LOGGED " --aof-use-rdb-preamble yes", true, preamble);
    move_copy(run, from, preamble, "written anew as an RDB");
    move_single(run, from, preamble, true);
    write_files(run, from, LOGGED " --aof-use-rdb-preamble no --aof-timestamp-enabled yes", true,
                texts);
    move_copy(run, from, texts, "written anew as commands, with timestamps");
    move_on(run, from, plain, false);
    move_on(run, from, preamble, true);
}

void run_aof(struct run *run)
{
    run_both(run, moves_from);
}

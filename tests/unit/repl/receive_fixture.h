// SPDX-License-Identifier: BSD-3-Clause
// A server that receives a data set from a primary which the test plays: a script of bytes, sent in parts, one a turn
// of the loop.
#pragma once

#include "base/random.h"
#include "persist/loading.h"
#include "persist/rdb_save.h"
#include "persist/snapshot.h"
#include "repl/receive.h"
#include "store/digest.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <string.h>
#include <sys/ioctl.h>

#define FIXTURE_MARK "0123456789abcdefghijklmnopqrstuvwxyzABCD"

// What the primary sends, and what happens meanwhile.
struct primary {
    int fd;
    struct bytes script;
    size_t at;
    size_t part;         // bytes a turn; 0: at random
    size_t hold_at;      // here it waits until `held` says go on (SIZE_MAX: nowhere)
    bool (*held)(void);  // called once a turn
    bool closes;         // when all is said
    unsigned long turns;
    bool on;
};

static struct primary primary;
static struct receive receive;
static struct random receive_dice;

static inline void primary_turn(void *udata)
{
    (void)udata;
    primary.turns++;
    if (!primary.on)
        return;
    if (primary.at == primary.hold_at && primary.held) {
        if (!primary.held())
            return;
        primary.hold_at = SIZE_MAX;
    }
    size_t part = primary.part ? primary.part : 1 + random_below(&receive_dice, 40);
    size_t end = primary.at < primary.hold_at && primary.hold_at < primary.script.len
                     ? primary.hold_at
                     : primary.script.len;
    part = part < end - primary.at ? part : end - primary.at;
    if (part > 0) {
        ssize_t sent = send(primary.fd, primary.script.data + primary.at, part, MSG_NOSIGNAL);
        primary.at += sent > 0 ? (size_t)sent : 0;
    } else if (primary.closes) {
        shutdown(primary.fd, SHUT_WR);
        primary.closes = false;
    }
}

// Before rig_start().
static inline void receive_register(void)
{
    primary = (struct primary){ .hold_at = SIZE_MAX };
    random_seed(&receive_dice, 5);
    snapshot_register(server);
    repl_register(server);
    loop_on_sleep(server->loop, primary_turn, NULL);
}

static inline void receive_release(void)
{
    bytes_release(&primary.script);
}

static inline enum status receive_append(void *udata, struct slice bytes)
{
    bytes_append_slice(udata, bytes);
    return STATUS_OK;
}

// A data set as a primary sends it, without a frame.
static inline void write_data_set(struct bytes *out, const struct keyspace *keyspace,
                                  int selected_db)
{
    static const char id[] = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";
    const struct rdb_about about = {
        .replication_id = id,
        .replication_offset = 100,
        .selected_db = selected_db,
        .checksum = true,
    };
    const struct rdb_progress nobody = { .fn = NULL };
    struct rdb_writer w;
    rdb_writer_init(&w, receive_append, out, true, true);
    rdb_save_keyspace(&w, keyspace, &about, &nobody);
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
    rdb_writer_release(&w);
}

// What the primary has.
static inline void open_theirs(struct keyspace *theirs)
{
    keyspace_init(theirs);
    memcpy(theirs->types, server->keyspace->types, sizeof(theirs->types));
    keyspace_open(theirs, server->keyspace->db_count);
}

static inline void add_string(struct keyspace *keyspace, int db, const char *name,
                              const char *value, int64_t expiry)
{
    const struct key key = key_of(slice_of(name));
    struct entry *entry = string_entry_new(slice_of(name), 0, expiry, slice_of(value));
    struct entry_ref there = db_peek(&keyspace->dbs[db], &key);
    db_put(&keyspace->dbs[db], &key, &there, entry);
}

static inline bool has_key(int db, const char *name)
{
    const struct key key = key_of(slice_of(name));
    return db_peek(&server->keyspace->dbs[db], &key).entry != NULL;
}

static inline void say(const char *text)
{
    bytes_append_slice(&primary.script, slice_of(text));
}

// The data set in a frame.
static inline void say_data_set(struct slice data_set, bool marked)
{
    if (marked)
        say("$EOF:" FIXTURE_MARK "\r\n");
    else
        bytes_printf(&primary.script, "$%zu\r\n", data_set.len);
    bytes_append_slice(&primary.script, data_set);
    if (marked)
        say(FIXTURE_MARK);
}

// Runs what the primary has to say. What it has not said when that ends it does not say any more.
static inline enum receive_result run_receive(bool accepts_empty)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    primary.fd = ends[1];
    primary.at = 0;
    primary.on = true;
    receive = (struct receive){
        .repl = server->repl,
        .fd = ends[0],
        .accepts_empty = accepts_empty,
        .selected_db = -7,
    };
    enum receive_result result = receive_run(&receive);
    primary.on = false;
    ck_assert_ptr_null(server->keyspace->aside);
    ck_assert(!loading_on(server->loading) && !loading_aside(server->loading));
    return result;
}

static inline void hang_up(void)
{
    close(receive.fd);
    close(primary.fd);
    bytes_clear(&primary.script);
}

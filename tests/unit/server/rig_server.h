// SPDX-License-Identifier: BSD-3-Clause
// A whole server inside the test, with clients at the other ends of socket pairs. The loop is turned
// by hand, so that a test decides what happens in one turn. Talking to it is in rig.h.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/loop.h"
#include "server/client.h"
#include "server/command.h"
#include "server/config.h"
#include "server/registry.h"
#include "server/server.h"
#include "types/string.h"
#include "types/types.h"
#include "unit/store/expect.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RIG_CLIENTS_MAX 1024

static struct server *server;
static char rig_folder[64];
static char rig_path[96];
static int rig_clients[RIG_CLIENTS_MAX];
static int rig_client_count;
static size_t rig_used_before;

// Makes a server that knows these commands, if any; to be followed by rig_start().
static inline void rig_make(const struct command *commands)
{
    log_set_level(LOG_NOTHING);
    snprintf(rig_folder, sizeof(rig_folder), "/tmp/respite-rig-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig_folder));
    snprintf(rig_path, sizeof(rig_path), "%s/socket", rig_folder);
    rig_client_count = 0;
    rig_used_before = mem_used();
    server = server_new();
    types_register(server->keyspace);
    if (commands)
        registry_add(server->registry, commands);
}

static inline void rig_start(void)
{
    char *args[] = { "--port",     "0",       "--unixsocket", rig_path,
                     "--loglevel", "nothing", "--dir",        rig_folder };
    struct config_error error;
    ck_assert_msg(config_load_args(server->config, 8, args, &error) == STATUS_OK, "%s", error.text);
    ck_assert_int_eq(server_start(server), STATUS_OK);
}

static inline void rig_stop(void)
{
    server_free(server);
    while (rig_client_count > 0)
        close(rig_clients[--rig_client_count]);
    unlink(rig_path);
    // Of tests that save.
    unlink("dump.rdb");
    rmdir(rig_folder);
    ck_assert_uint_eq(mem_used(), rig_used_before);
}

// One turn of the loop that waits for nothing. What it reads and runs is sent by the next one.
static inline void rig_turn(void)
{
    ev_run(loop_ev(server->loop), EVRUN_NOWAIT);
}

static inline void rig_turns(int count)
{
    while (count-- > 0)
        rig_turn();
}

// A new client; its end of the connection does not block.
static inline int rig_connect(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_lt(rig_client_count, RIG_CLIENTS_MAX);
    rig_clients[rig_client_count++] = ends[1];
    clients_accept(server->clients, ends[0], true);
    return ends[1];
}

// Closes the client's end.
static inline void rig_disconnect(int fd)
{
    for (int i = 0; i < rig_client_count; i++) {
        if (rig_clients[i] == fd) {
            rig_clients[i] = rig_clients[--rig_client_count];
            close(fd);
            return;
        }
    }
    ck_abort_msg("no such client: %d", fd);
}

// The client that was accepted last, as the server sees it.
static inline struct client *rig_last_client(void)
{
    struct client *client = clients_find(server->clients, server->clients->next_id - 1);
    ck_assert_ptr_nonnull(client);
    return client;
}

static inline enum status rig_config_set(const char *name, const char *value)
{
    const struct slice pairs[] = { slice_of(name), slice_of(value) };
    struct config_error error;
    return config_set(server->config, pairs, 1, &error);
}

static inline void rig_count_turn(void *udata)
{
    (*(unsigned long *)udata)++;
}

static inline void rig_end_run(void *udata)
{
    loop_stop(udata);
}

// Whether the loop sleeps when nothing happens: it is left to itself for a while.
static inline bool rig_loop_sleeps(void)
{
    static unsigned long turns;
    turns = 0;
    loop_on_sleep(server->loop, rig_count_turn, &turns);
    loop_every(server->loop, 50, rig_end_run, server->loop);
    loop_run(server->loop);
    // A handful is usual; a loop that does not sleep makes ten thousands.
    return turns < 1000;
}

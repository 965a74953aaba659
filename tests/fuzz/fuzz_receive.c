// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: what a primary sends behind its FULLRESYNC. The first byte chooses what there is before; the rest is all
// that comes, and then the connection is closed. Unless it is whole, nothing may have changed.
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_values.h"
#include "persist/snapshot.h"
#include "repl/receive.h"
#include "server/server.h"
#include "types/string.h"
#include "types/types.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    OPTION_HAS_DATA = 1,
    OPTION_ACCEPTS_EMPTY = 2,
};

// What fits the socket whatever it is made of.
#define INPUT_MAX 32768

static struct server *server;

static void add(const char *name)
{
    const struct key key = key_of(slice_of(name));
    db_insert(&server->keyspace->dbs[0], &key,
              string_entry_new(slice_of(name), 0, EXPIRY_NONE, slice_of("value")));
}

static void flush_all(void)
{
    for (int i = 0; i < server->keyspace->db_count; i++)
        db_flush(&server->keyspace->dbs[i], REMOVED_NOW);
    reclaim_all(server->keyspace);
}

static void check_entries(void)
{
    for (int i = 0; i < server->keyspace->db_count; i++) {
        struct table_iter iter;
        const struct table_slot *slot;
        table_iter_init(&iter, &server->keyspace->dbs[i].table);
        while ((slot = table_iter_next(&iter)) != NULL)
            fuzz_check_entry(table_slot_entry(slot));
    }
}

static enum receive_result receive_bytes(const uint8_t *data, size_t size, bool accepts_empty)
{
    int ends[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    ASSERT(failed == 0);
    ssize_t sent = size ? send(ends[1], data, size, MSG_NOSIGNAL) : 0;
    ASSERT(sent == (ssize_t)size);
    shutdown(ends[1], SHUT_WR);
    struct receive receive = {
        .repl = server->repl,
        .fd = ends[0],
        .accepts_empty = accepts_empty,
    };
    enum receive_result result = receive_run(&receive);
    ASSERT(receive.selected_db >= 0 && receive.selected_db < server->keyspace->db_count);
    close(ends[0]);
    close(ends[1]);
    return result;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_set_up();
    server = server_new();
    types_register(server->keyspace);
    snapshot_register(server);
    repl_register(server);
    // Nobody is to connect, and nothing else of the start is needed.
    keyspace_open(server->keyspace, 16);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    size_t used = mem_used();
    if (data[0] & OPTION_HAS_DATA)
        add("ours");
    struct digest before = digest_keyspace(server->keyspace);
    enum receive_result result = receive_bytes(data + 1, size - 1, data[0] & OPTION_ACCEPTS_EMPTY);
    struct digest after = digest_keyspace(server->keyspace);
    ASSERT(result == RECEIVE_DONE || fuzz_same(&before, &after));
    ASSERT(result != RECEIVE_STOPPED && !server->keyspace->aside);
    check_entries();
    flush_all();
    ASSERT(mem_used() == used);
    return 0;
}

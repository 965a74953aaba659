// SPDX-License-Identifier: BSD-3-Clause
// Reading an append-only file: see aof_load.h.
#include "persist/aof_load.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "persist/aof_cut.h"
#include "persist/aof_reader.h"
#include "persist/loading.h"
#include "persist/rdb.h"
#include "persist/rdb_load.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/registry.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Commands between two looks at the clock.
#define LOOK_COMMANDS 8

struct loader {
    struct server *server;
    const char *path;
    const struct aof_load_options *options;
    struct aof_loaded *out;
    char *error;
    int fd;
    uint64_t size;
    uint64_t begin;  // of the commands
    struct aof_reader reader;
    struct command_entry *command;  // that was vetted last
    struct client *client;
    struct outq nowhere;
    struct key *keys;
    size_t key_cap;
    uint64_t steps;
};

// --- Running ------------------------------------------------------------------------------------

// False: no memory.
static bool find_keys(struct loader *loader, struct cmd_ctx *ctx)
{
    const struct command_entry *command = ctx->command;
    struct key_place places[1];
    int64_t last = command->key_last >= 0 ? command->key_last
                                          : (int64_t)ctx->argc + command->key_last;
    if (loader->key_cap < ctx->argc) {
        struct key *keys = mem_try_realloc(loader->keys, loader->key_cap * sizeof(*keys),
                                           (size_t)ctx->argc * sizeof(*keys));
        if (!keys)
            return false;
        loader->keys = keys;
        loader->key_cap = ctx->argc;
    }
    ctx->keys = loader->keys;
    for (int64_t i = command->key_first; i > 0 && i <= last && i < ctx->argc;
         i += command->key_step)
        ctx->keys[ctx->key_count++] = key_of(ctx->argv[i]);
    if (command->key_first || !command->keys_complex)
        return true;
    int count = registry_find_keys(command, ctx->argv, ctx->argc, places, 1);
    if (count <= 0)
        return true;
    struct key_place *all = mem_try_alloc((size_t)count * sizeof(*all));
    if (!all || (uint32_t)count > ctx->argc) {
        mem_free(all, all ? (size_t)count * sizeof(*all) : 0);
        return false;
    }
    registry_find_keys(command, ctx->argv, ctx->argc, all, count);
    for (int i = 0; i < count; i++)
        ctx->keys[ctx->key_count++] = key_of(ctx->argv[all[i].position]);
    mem_free(all, (size_t)count * sizeof(*all));
    return true;
}

struct command_entry *aof_vet(struct aof_reader *r, const struct registry *registry, int db_count)
{
    struct slice name = r->argv.items[0];
    int name_len = (int)(name.len < 32 ? name.len : 32);
    struct command_entry *command = registry_lookup(registry, name);
    struct command_entry *sub = NULL;
    if (command && command->is_container && r->argc > 1)
        sub = registry_subcommand(command, r->argv.items[1]);
    command = sub ? sub : command;
    bool is_select = slice_is(name, "select");
    int64_t db;
    if (!command || !command->handler)
        aof_refuse(r, "unknown command '%.*s'", name_len, name.ptr);
    else if (!dispatch_right_arity(command, r->argc))
        aof_refuse(r, "'%.*s' has %u words", name_len, name.ptr, r->argc);
    else if (!is_select && !(command->flags & CMD_WRITE))
        aof_refuse(r, "'%.*s' does not write", name_len, name.ptr);
    else if (is_select && (!parse_int64(r->argv.items[1], &db) || db < 0 || db >= db_count))
        aof_refuse(r, "a database is selected that does not exist: 'databases' is %d", db_count);
    else
        return command;
    return NULL;
}

// False: the server is to end.
static bool go_on(struct loader *loader)
{
    if (++loader->steps % LOOK_COMMANDS != 0)
        return true;
    return loading_progress(loader->server->loading, loader->reader.at);
}

static bool vet(void *udata, struct aof_reader *r)
{
    struct loader *loader = udata;
    const struct server *server = loader->server;
    if (!go_on(loader))
        return aof_refuse(r, "the server was asked to stop");
    loader->command = aof_vet(r, server->registry, server->keyspace->db_count);
    return loader->command != NULL;
}

static enum aof_found run(struct loader *loader)
{
    struct client *client = loader->client;
    struct cmd_ctx ctx = {
        .server = loader->server,
        .client = client,
        .db = client->db,
        .command = loader->command,
        .argv = loader->reader.argv.items,
        .argc = loader->reader.argc,
        .reply = { .out = &loader->nowhere, .proto = 2 },
        .must_not_wait = true,
    };
    if (!find_keys(loader, &ctx)) {
        errno = ENOMEM;
        return AOF_FAILED;
    }
    ctx.command->handler(&ctx);
    outq_clear(&loader->nowhere);
    loader->out->commands++;
    loader->out->failed += ctx.failed;
    loader->server->changes += ctx.changes;
    return AOF_COMMAND;
}

static enum aof_found run_all(struct loader *loader)
{
    for (;;) {
        enum aof_found found = aof_reader_next(&loader->reader);
        if (found == AOF_COMMAND)
            found = run(loader);
        if (found != AOF_COMMAND)
            return found;
    }
}

// --- The end ------------------------------------------------------------------------------------

static void fail(struct loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct loader *loader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(loader->error, AOF_ERROR_TEXT_MAX, format, args);
    va_end(args);
}

static enum status cut(struct loader *loader)
{
    char kept[PATH_MAX];
    const char *why = loader->reader.reason;
    uint64_t keep = loader->reader.whole;
    loader->out->cut_bytes = loader->size - keep;
    loader->out->size = keep;
    if (aof_cut(loader->fd, loader->path, loader->size, keep, kept) != STATUS_OK) {
        fail(loader, "%s: %s, and cutting it back to %llu bytes failed: %s", loader->path, why,
             (unsigned long long)keep, strerror(errno));
        return STATUS_IO;
    }
    log_warning("%s: %s: the last %llu bytes, from byte %llu on, are cut off and kept in %s",
                loader->path, why, (unsigned long long)loader->out->cut_bytes,
                (unsigned long long)keep, kept);
    return STATUS_OK;
}

static enum status conclude(struct loader *loader, enum aof_found found)
{
    const struct aof_load_options *options = loader->options;
    const struct aof_reader *r = &loader->reader;
    uint64_t tail = loader->size - r->whole;
    if (found == AOF_END)
        return STATUS_OK;
    if (loading_stopped(loader->server->loading)) {
        fail(loader, "%s: the server was asked to stop", loader->path);
        return STATUS_INVALID;
    }
    if (found == AOF_FAILED) {
        fail(loader, "%s: at byte %llu: %s", loader->path, (unsigned long long)r->at,
             strerror(errno));
        return STATUS_IO;
    }
    if (found == AOF_TORN && options->is_last && options->cut_truncated)
        return cut(loader);
    if (found == AOF_GARBAGE && options->is_last && tail <= options->cut_tail_max)
        return cut(loader);
    if (found == AOF_TORN)
        fail(
            loader,
            "%s: at byte %llu: %s. With 'aof-load-truncated yes' the last file may end so, and the "
            "server starts without what was torn; respite-check-aof tells more",
            loader->path, (unsigned long long)r->whole, r->reason);
    else
        fail(loader,
             "%s: bad file format at byte %llu: %s (whole commands end at byte %llu). Make a "
             "backup, then respite-check-aof --fix <manifest> cuts the file there",
             loader->path, (unsigned long long)r->at, r->reason, (unsigned long long)r->whole);
    return STATUS_INVALID;
}

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    ssize_t len;
    do {
        len = read(((const struct loader *)udata)->fd, into, room);
    } while (len < 0 && errno == EINTR);
    *got = len > 0 ? (size_t)len : 0;
    return len < 0 ? STATUS_IO : STATUS_OK;
}

// The RDB that the file begins with, if it does; then the file stands behind it.
static enum status load_rdb_part(struct loader *loader)
{
    char magic[sizeof(RDB_MAGIC) - 1];
    if (pread(loader->fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
        memcmp(magic, RDB_MAGIC, sizeof(magic)) != 0)
        return STATUS_OK;
    struct rdb_load_options options = {
        .limits = loader->server->limits,
        // What comes behind it may have been done to a key that has expired since.
        .keep_expired = true,
    };
    struct rdb_loaded loaded;
    struct rdb_reader r;
    loading_follow(loader->server->loading, &options);
    rdb_reader_init(&r, read_source, loader, loader->size, true);
    bool good = rdb_load_keyspace(&r, loader->server->keyspace, &options, &loaded);
    if (!good)
        fail(loader, "%s: at byte %llu: %.200s", loader->path, (unsigned long long)r.error_offset,
             r.error);
    loader->begin = rdb_reader_offset(&r);
    loader->out->keys = loaded.keys;
    loading_note(loader->server->loading, &loaded);
    rdb_reader_release(&r);
    if (!good)
        return STATUS_INVALID;
    return lseek(loader->fd, (off_t)loader->begin, SEEK_SET) >= 0 ? STATUS_OK : STATUS_IO;
}

static void init_client(struct loader *loader)
{
    struct server *server = loader->server;
    struct client *client = mem_alloc_zeroed(sizeof(*client));
    client->server = server;
    client->db = &server->keyspace->dbs[0];
    client->proto = 2;
    client->flags = CLIENT_AUTHENTICATED | CLIENT_NO_EVICT;
    client->conn.fd = -1;
    outq_init(&client->conn.out, &server->clients->pool);
    outq_init(&loader->nowhere, &server->clients->pool);
    loader->client = client;
}

static void release(struct loader *loader)
{
    loader->out->selected_db = loader->client->db->id;
    if (!history_parse_line(slice_of(loader->reader.remark), &loader->out->history))
        loader->out->history.id[0] = '\0';
    aof_reader_release(&loader->reader);
    mem_free(loader->keys, loader->key_cap * sizeof(*loader->keys));
    mem_free(loader->client, sizeof(*loader->client));
    close(loader->fd);
}

enum status aof_load_file(struct server *server, const char *path,
                          const struct aof_load_options *options, struct aof_loaded *out,
                          char error[AOF_ERROR_TEXT_MAX])
{
    struct loader loader = {
        .server = server,
        .path = path,
        .options = options,
        .out = out,
        .error = error,
    };
    struct stat stat;
    *out = (struct aof_loaded){ 0 };
    loader.fd = open(path, (options->is_last ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (loader.fd < 0 || fstat(loader.fd, &stat) != 0) {
        enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
        fail(&loader, "%s: %s", path, strerror(errno));
        if (loader.fd >= 0)
            close(loader.fd);
        return status;
    }
    loader.size = out->size = (uint64_t)stat.st_size;
    (void)posix_fadvise(loader.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    init_client(&loader);
    bool kept = server->keyspace->keep_expired;
    server->keyspace->keep_expired = true;
    enum status status = load_rdb_part(&loader);
    if (status == STATUS_OK) {
        aof_reader_init(&loader.reader, loader.begin, read_source, vet, &loader);
        status = conclude(&loader, run_all(&loader));
    }
    server->keyspace->keep_expired = kept;
    release(&loader);
    return status;
}

// SPDX-License-Identifier: BSD-3-Clause
// Reading an append-only file: see aof_load.h.
#include "persist/aof_load.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "persist/loading.h"
#include "persist/rdb.h"
#include "persist/rdb_load.h"
#include "resp/parser.h"
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

#define READ_BYTES ((size_t)1 << 20)

// A line of comment: a time stamp is 20 bytes.
#define COMMENT_MAX 65536

// Commands between two looks at the clock.
#define LOOK_COMMANDS 8

enum outcome {
    GOT_COMMAND,
    GOT_END,
    GOT_PART,  // the file ends within a command
    GOT_GARBAGE,
    GOT_ERROR,    // of read()
    GOT_STOPPED,  // the server is to end
};

struct loader {
    struct server *server;
    const char *path;
    const struct aof_load_options *options;
    struct aof_loaded *out;
    char *error;
    int fd;
    bool at_end;
    uint64_t size;
    struct bytes window;  // of the file: what has not been run
    uint64_t offset;      // of the window
    size_t pos;           // of the next command in it
    size_t group;         // where the transaction that is being read begins in it
    bool in_group;
    struct resp_parser parser;
    struct resp_argv argv;
    struct client *client;
    struct outq nowhere;
    struct key *keys;
    size_t key_cap;
    uint64_t steps;
    char reason[128];
};

static enum outcome garbage(struct loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum outcome garbage(struct loader *loader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(loader->reason, sizeof(loader->reason), format, args);
    va_end(args);
    return GOT_GARBAGE;
}

// --- The file -----------------------------------------------------------------------------------

// Reads more behind the window; what has been run goes.
static enum outcome read_more(struct loader *loader)
{
    size_t done = loader->in_group ? loader->group : loader->pos;
    if (done > 0) {
        bytes_consume(&loader->window, done);
        loader->offset += done;
        loader->pos -= done;
        loader->group = 0;
    }
    size_t room = loader->window.len > READ_BYTES ? loader->window.len : READ_BYTES;
    if (bytes_try_reserve(&loader->window, room) != STATUS_OK)
        return garbage(loader, "there is no memory for so large a command or transaction");
    ssize_t got;
    do {
        got = read(loader->fd, loader->window.data + loader->window.len, room);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return GOT_ERROR;
    loader->at_end = got == 0;
    loader->window.len += (size_t)got;
    return GOT_COMMAND;
}

// Comments tell of the time; they are passed over. GOT_END: there is nothing more.
static enum outcome skip_comments(struct loader *loader)
{
    for (;;) {
        const char *at = loader->window.data + loader->pos;
        size_t left = loader->window.len - loader->pos;
        const char *end = left > 0 && *at == '#' ? memchr(at, '\n', left) : NULL;
        if (left > 0 && *at != '#')
            return GOT_COMMAND;
        if (end) {
            loader->pos += (size_t)(end - at) + 1;
            continue;
        }
        if (left > COMMENT_MAX)
            return garbage(loader, "a comment has no end");
        if (loader->at_end)
            return left == 0 ? GOT_END : GOT_PART;
        enum outcome outcome = read_more(loader);
        if (outcome != GOT_COMMAND)
            return outcome;
    }
}

// The next command; its words are in loader->argv, until anything else is read.
static enum outcome next_command(struct loader *loader, struct resp_command *parsed)
{
    const struct resp_limits limits = {
        .max_bulk = STRING_BYTES_MAX,
        .max_multibulk = INT32_MAX,
        .authenticated = true,
    };
    char text[RESP_ERROR_TEXT_MAX];
    enum outcome outcome = skip_comments(loader);
    while (outcome == GOT_COMMAND) {
        char *at = loader->window.data + loader->pos;
        size_t left = loader->window.len - loader->pos;
        if (*at != '*')
            return garbage(loader, "a command begins with '*', here is byte 0x%02x",
                           (unsigned char)*at);
        resp_argv_clear(&loader->argv);
        switch (resp_parse(&loader->parser, at, left, &limits, &loader->argv, parsed)) {
        case RESP_ERROR: return garbage(loader, "%s", resp_parser_error(&loader->parser, text));
        case RESP_COMMAND:
            if (parsed->argc == 0)
                return garbage(loader, "a command without a name");
            if (!resp_is_regular((struct slice){ .ptr = at, .len = parsed->consumed },
                                 loader->argv.items, parsed->argc))
                return garbage(loader, "a line has no CRLF at its end");
            loader->pos += parsed->consumed;
            return GOT_COMMAND;
        default: break;
        }
        if (loader->at_end)
            return GOT_PART;
        outcome = read_more(loader);
    }
    return outcome;
}

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

static enum outcome run(struct loader *loader, uint32_t argc)
{
    struct client *client = loader->client;
    struct cmd_ctx ctx = {
        .server = loader->server,
        .client = client,
        .db = client->db,
        .argv = loader->argv.items,
        .argc = argc,
        .reply = { .out = &loader->nowhere, .proto = 2 },
        .must_not_wait = true,
    };
    int name_len = (int)(ctx.argv[0].len < 32 ? ctx.argv[0].len : 32);
    dispatch_resolve(&ctx);
    if (!ctx.command || !ctx.command->handler)
        return garbage(loader, "unknown command '%.*s'", name_len, ctx.argv[0].ptr);
    bool is_select = slice_is(ctx.argv[0], "select");
    if (!dispatch_right_arity(ctx.command, argc))
        return garbage(loader, "'%.*s' has %u words", name_len, ctx.argv[0].ptr, argc);
    if (!is_select && !(ctx.command->flags & CMD_WRITE))
        return garbage(loader, "'%.*s' does not write", name_len, ctx.argv[0].ptr);
    if (!find_keys(loader, &ctx))
        return garbage(loader, "there is no memory for the keys of a command");
    ctx.command->handler(&ctx);
    outq_clear(&loader->nowhere);
    loader->out->commands++;
    loader->out->failed += ctx.failed;
    loader->server->changes += ctx.changes;
    if (is_select && ctx.failed)
        return garbage(loader, "a database is selected that does not exist: 'databases' is %d",
                       loader->server->keyspace->db_count);
    return GOT_COMMAND;
}

// False: the server is to end.
static bool go_on(struct loader *loader)
{
    if (++loader->steps % LOOK_COMMANDS != 0)
        return true;
    return loading_progress(loader->server->loading, loader->offset + loader->pos);
}

// Whether the command of this name begins or ends a transaction.
static bool is_frame(struct slice name)
{
    return slice_is(name, "multi") || slice_is(name, "exec");
}

// The whole transaction is in the window: runs it from its beginning. It has been parsed once.
static enum outcome run_group(struct loader *loader)
{
    struct resp_command parsed = { 0 };
    enum outcome outcome = GOT_COMMAND;
    size_t end = loader->pos;
    loader->pos = loader->group;
    while (outcome == GOT_COMMAND && loader->pos < end) {
        outcome = next_command(loader, &parsed);
        if (outcome == GOT_COMMAND && !go_on(loader))
            outcome = GOT_STOPPED;
        else if (outcome == GOT_COMMAND && !is_frame(loader->argv.items[0]))
            outcome = run(loader, parsed.argc);
    }
    loader->in_group = outcome != GOT_COMMAND;
    return outcome;
}

static enum outcome take(struct loader *loader, const struct resp_command *parsed)
{
    struct slice name = loader->argv.items[0];
    if (!go_on(loader))
        return GOT_STOPPED;
    if (slice_is(name, "multi")) {
        if (loader->in_group)
            return garbage(loader, "MULTI within MULTI");
        loader->in_group = true;
        loader->group = loader->pos - parsed->consumed;
        return GOT_COMMAND;
    }
    if (slice_is(name, "exec"))
        return loader->in_group ? run_group(loader) : garbage(loader, "EXEC without MULTI");
    return loader->in_group ? GOT_COMMAND : run(loader, parsed->argc);
}

// `good` is behind the last thing that was run, or passed over.
static enum outcome run_all(struct loader *loader, uint64_t *good)
{
    struct resp_command parsed = { 0 };
    for (;;) {
        *good = loader->offset + (loader->in_group ? loader->group : loader->pos);
        enum outcome outcome = next_command(loader, &parsed);
        if (outcome == GOT_COMMAND)
            outcome = take(loader, &parsed);
        if (outcome == GOT_END && loader->in_group)
            outcome = GOT_PART;
        if (outcome != GOT_COMMAND)
            return outcome;
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

// Copies what is behind `good` to a file beside this one.
static bool keep_tail(const struct loader *loader, uint64_t good, const char *path)
{
    char buf[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    uint64_t at = good;
    bool done = true;
    while (done && at < loader->size) {
        ssize_t got = pread(loader->fd, buf, sizeof(buf), (off_t)at);
        done = got > 0 &&
               file_write(fd, (struct slice){ .ptr = buf, .len = (size_t)got }) == STATUS_OK;
        at += done ? (uint64_t)got : 0;
    }
    done = fsync(fd) == 0 && done;
    close(fd);
    return done;
}

static enum status cut(struct loader *loader, uint64_t good, const char *why)
{
    struct bytes path = { 0 };
    bytes_printf(&path, "%s.cut-%llu", loader->path, (unsigned long long)good);
    bytes_append_char(&path, '\0');
    loader->out->cut_bytes = loader->size - good;
    loader->out->size = good;
    bool done = keep_tail(loader, good, path.data) && ftruncate(loader->fd, (off_t)good) == 0 &&
                fsync(loader->fd) == 0;
    if (done)
        log_warning("%s: %s: the last %llu bytes, from byte %llu on, are cut off and kept in %s",
                    loader->path, why, (unsigned long long)loader->out->cut_bytes,
                    (unsigned long long)good, path.data);
    else
        fail(loader, "%s: %s, and cutting it back to %llu bytes failed: %s", loader->path, why,
             (unsigned long long)good, strerror(errno));
    bytes_release(&path);
    return done ? STATUS_OK : STATUS_IO;
}

static enum status conclude(struct loader *loader, enum outcome outcome, uint64_t good)
{
    const struct aof_load_options *options = loader->options;
    uint64_t tail = loader->size - good;
    unsigned long long at = loader->offset + loader->pos;
    const char *what = loader->in_group ? "the file ends within a transaction"
                                        : "the file ends within a command";
    if (outcome == GOT_END)
        return STATUS_OK;
    if (outcome == GOT_ERROR) {
        fail(loader, "%s: %s", loader->path, strerror(errno));
        return STATUS_IO;
    }
    if (outcome == GOT_STOPPED) {
        fail(loader, "%s: the server was asked to stop", loader->path);
        return STATUS_INVALID;
    }
    if (outcome == GOT_PART && options->is_last && options->cut_truncated)
        return cut(loader, good, what);
    if (outcome == GOT_GARBAGE && options->is_last && tail <= options->cut_tail_max)
        return cut(loader, good, loader->reason);
    if (outcome == GOT_PART)
        fail(
            loader,
            "%s: at byte %llu: %s. With 'aof-load-truncated yes' the last file may end so, and the "
            "server starts without that command",
            loader->path, (unsigned long long)good, what);
    else
        fail(loader,
             "%s: bad file format at byte %llu: %s (whole commands end at byte %llu). Make a "
             "backup, "
             "then redis-check-aof --fix <manifest> cuts the file there",
             loader->path, at, loader->reason, (unsigned long long)good);
    return STATUS_INVALID;
}

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    ssize_t len;
    do {
        len = read(*(const int *)udata, into, room);
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
    rdb_reader_init(&r, read_source, &loader->fd, loader->size, true);
    bool good = rdb_load_keyspace(&r, loader->server->keyspace, &options, &loaded);
    if (!good)
        fail(loader, "%s: at byte %llu: %.200s", loader->path, (unsigned long long)r.error_offset,
             r.error);
    loader->offset = rdb_reader_offset(&r);
    loader->out->keys = loaded.keys;
    loading_note(loader->server->loading, &loaded);
    rdb_reader_release(&r);
    if (!good)
        return STATUS_INVALID;
    return lseek(loader->fd, (off_t)loader->offset, SEEK_SET) >= 0 ? STATUS_OK : STATUS_IO;
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
    resp_parser_reset(&loader->parser);
    resp_argv_release(&loader->argv);
    bytes_release(&loader->window);
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
        uint64_t good = 0;
        enum outcome outcome = run_all(&loader, &good);
        status = conclude(&loader, outcome, good);
    }
    server->keyspace->keep_expired = kept;
    release(&loader);
    return status;
}

// SPDX-License-Identifier: BSD-3-Clause
// Reads the stream of effects of a server: see stream.h.
#include "stream.h"
#include "words.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Under sanitizers and on a busy machine.
#define PATIENCE_MS 20000

// A replica goes online with an acknowledgement, but not before the child is gone that wrote the data set.
#define ACK_MS 50

#define EOF_MARK_LEN 40

// Two databases that no case uses are swapped twice: that says something, changes nothing, and is
// allowed when memory is short.
#define MARK       "SWAPDB 13 14"
#define MARK_TIMES 2

static void nap_ms(long ms)
{
    struct timespec left = { .tv_nsec = ms * 1000000 };
    nanosleep(&left, NULL);
}

static void add_word(struct arena *arena, struct words *words, struct span word)
{
    words->items = arena_grow(arena, words->items, words->count, sizeof(*words->items));
    words->items[words->count++] = word;
}

struct words stream_options(struct arena *arena, enum stream_source source,
                            const struct words *others)
{
    static const char *const aof[] = { "--appendonly", "yes", "--appendfsync", "no" };
    static const char *const psync[] = { "--repl-diskless-sync-delay", "0" };
    struct words words = { 0 };
    // Their defaults differ, and with them DEL and UNLINK.
    static const char *const both[] = { "--lazyfree-lazy-expire",   "no",
                                        "--lazyfree-lazy-eviction", "no",
                                        "--lazyfree-lazy-user-del", "no" };
    for (size_t i = 0; source && i < sizeof(both) / sizeof(*both); i++)
        add_word(arena, &words, span_of(both[i]));
    for (size_t i = 0; source == STREAM_AOF && i < sizeof(aof) / sizeof(*aof); i++)
        add_word(arena, &words, span_of(aof[i]));
    for (size_t i = 0; source == STREAM_PSYNC && i < sizeof(psync) / sizeof(*psync); i++)
        add_word(arena, &words, span_of(psync[i]));
    for (size_t i = 0; others && i < others->count; i++)
        add_word(arena, &words, others->items[i]);
    return words;
}

bool stream_plays(enum stream_source source, const struct test_case *test)
{
    if (test->stream.len > 0)
        return false;
    for (size_t i = 0; i < test->options.count; i++) {
        if (span_is(test->options.items[i], "--requirepass"))
            return false;
    }
    // Files that are begun anew cannot be followed.
    return source != STREAM_AOF ||
           (!span_is(test->family, "persist") && !span_is(test->family, "admin"));
}

// --- A replica ----------------------------------------------------------------------------------

// Waits until this many bytes are unread.
static bool await(struct connection *c, size_t bytes, int64_t until_ms)
{
    while (connection_unread(c).len < bytes) {
        if (connection_receive(c, until_ms) != FETCH_REPLY)
            return false;
    }
    return true;
}

// The next line, without its end; blank ones keep the connection alive.
static bool take_line(struct connection *c, int64_t until_ms, char *out, size_t room)
{
    size_t len = 0;
    while (await(c, 1, until_ms)) {
        char byte = connection_unread(c).ptr[0];
        c->pos++;
        if (byte == '\n' && len > 0) {
            out[len] = '\0';
            return true;
        }
        if (byte != '\n' && byte != '\r' && len < room - 1)
            out[len++] = byte;
    }
    return false;
}

// Skips the data set behind "$LENGTH" or "$EOF:MARK".
static bool skip_data(struct connection *c, int64_t until_ms, const char *line)
{
    long long len;
    if (strncmp(line, "$EOF:", 5) != 0) {
        if (line[0] != '$' || !span_int(span_of(line + 1), &len) ||
            !await(c, (size_t)len, until_ms))
            return false;
        c->pos += (size_t)len;
        return true;
    }
    if (strlen(line + 5) != EOF_MARK_LEN)
        return false;
    for (;;) {
        struct span unread = connection_unread(c);
        const char *mark = unread.len < EOF_MARK_LEN
                               ? NULL
                               : memmem(unread.ptr, unread.len, line + 5, EOF_MARK_LEN);
        if (mark) {
            c->pos += (size_t)(mark - unread.ptr) + EOF_MARK_LEN;
            return true;
        }
        if (connection_receive(c, until_ms) != FETCH_REPLY)
            return false;
    }
}

static bool say(struct connection *c, const char *command)
{
    struct buffer bytes = { 0 };
    buffer_printf(&bytes, "%s\r\n", command);
    bool ok = connection_send(c, buffer_span(&bytes), PATIENCE_MS);
    buffer_release(&bytes);
    return ok;
}

static bool become_replica(struct connection *c, struct buffer *why)
{
    char line[256] = "";
    int64_t until_ms = now_ms() + PATIENCE_MS;
    bool ok = say(c, "REPLCONF capa eof capa psync2") &&
              take_line(c, until_ms, line, sizeof(line)) && strcmp(line, "+OK") == 0 &&
              say(c, "PSYNC ? -1") && take_line(c, until_ms, line, sizeof(line)) &&
              strncmp(line, "+FULLRESYNC ", 12) == 0 &&
              take_line(c, until_ms, line, sizeof(line)) && skip_data(c, until_ms, line);
    if (!ok)
        buffer_printf(why, "    no stream for a replica: %s\n", line);
    return ok;
}

static enum fetch_result next_for_replica(struct connection *c, struct arena *arena,
                                          struct reply *out)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;
    enum fetch_result result;
    do {
        if (!say(c, "REPLCONF ACK 0"))
            return FETCH_CLOSED;
        result = connection_fetch(c, arena, ACK_MS, out);
    } while (result == FETCH_TIMEOUT && now_ms() < until_ms);
    return result;
}

// --- An append-only file ------------------------------------------------------------------------

// The last file that the manifest names.
static bool find_file(const struct stream *stream, struct buffer *path)
{
    struct buffer manifest = { 0 };
    struct span line;
    char name[200];
    snprintf(name, sizeof(name), "%s/appendonlydir/appendonly.aof.manifest", stream->server->dir);
    bool ok = buffer_read_file(&manifest, name);
    struct span text = buffer_span(&manifest);
    buffer_clear(path);
    while (ok && span_next_line(&text, &line)) {
        span_take_word(&line);
        struct span file = span_take_word(&line);
        buffer_clear(path);
        buffer_printf(path, "%s/appendonlydir/%.*s", stream->server->dir, SHOW(file));
    }
    buffer_release(&manifest);
    return ok && path->len > 0;
}

// What has been added to it: bytes, or -1.
static ssize_t read_file(struct stream *stream)
{
    struct buffer *in = &stream->connection.in;
    int fd = open(stream->file.data, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    if (fd < 0)
        return -1;
    const size_t had = stream->taken;
    do {
        buffer_reserve(in, 65536);
        got = pread(fd, in->data + in->len, 65536, (off_t)stream->taken);
        if (got > 0) {
            in->len += (size_t)got;
            stream->taken += (size_t)got;
        }
    } while (got > 0);
    close(fd);
    return got < 0 ? -1 : (ssize_t)(stream->taken - had);
}

static enum fetch_result next_in_file(struct stream *stream, struct arena *arena, struct reply *out)
{
    struct connection *c = &stream->connection;
    int64_t until_ms = now_ms() + PATIENCE_MS;
    size_t len = 0;
    enum read_result result;
    while ((result = reply_length(connection_unread(c), &len)) == READ_MORE) {
        if (now_ms() > until_ms)
            return FETCH_TIMEOUT;
        ssize_t more = read_file(stream);
        if (more < 0)
            return FETCH_CLOSED;
        if (more == 0)
            nap_ms(1);
    }
    if (result == READ_BAD)
        return FETCH_BAD;
    reply_read(arena, arena_copy(arena, (struct span){ c->in.data + c->pos, len }), out);
    c->pos += len;
    if (c->pos == c->in.len) {
        c->pos = 0;
        buffer_clear(&c->in);
    }
    return FETCH_REPLY;
}

// --- Both ---------------------------------------------------------------------------------------

bool stream_open(struct stream *stream, const struct server *server, enum stream_source source,
                 struct buffer *why)
{
    *stream = (struct stream){ .source = source, .server = server, .connection = { .fd = -1 } };
    if (source == STREAM_AOF) {
        if (find_file(stream, &stream->file))
            return true;
        buffer_text(why, "    no append-only file\n");
        return false;
    }
    return server_connect(server, server->port != 0, &stream->connection) &&
           become_replica(&stream->connection, why);
}

void stream_close(struct stream *stream)
{
    connection_close(&stream->connection);
    buffer_release(&stream->file);
}

static bool is_mark(const struct reply *command)
{
    return command->count == 3 && span_is(command->items[0].text, "SWAPDB") &&
           span_is(command->items[1].text, "13") && span_is(command->items[2].text, "14");
}

static bool keeps_alive(const struct reply *command)
{
    return command->count > 0 && (span_is_word(command->items[0].text, "ping") ||
                                  span_is_word(command->items[0].text, "replconf"));
}

static bool say_mark(const struct stream *stream)
{
    struct buffer answer = { 0 };
    bool ok = true;
    for (int i = 0; i < MARK_TIMES && ok; i++) {
        buffer_clear(&answer);
        ok = server_tell(stream->server, MARK, &answer) && span_is(buffer_span(&answer), "+OK\r\n");
    }
    buffer_release(&answer);
    return ok;
}

enum stream_result stream_read(struct stream *stream, struct arena *arena, struct stream_part *part,
                               struct buffer *why)
{
    *part = (struct stream_part){ 0 };
    if (!say_mark(stream))
        return STREAM_NO_MARK;
    for (int marks = 0; marks < MARK_TIMES;) {
        struct reply command = { 0 };
        enum fetch_result got = stream->source == STREAM_AOF
                                    ? next_in_file(stream, arena, &command)
                                    : next_for_replica(&stream->connection, arena, &command);
        if (got != FETCH_REPLY || command.type != REPLY_ARRAY) {
            buffer_printf(why, "    %s: the stream breaks off\n", side_name(stream->server->side));
            return STREAM_BROKEN;
        }
        if (is_mark(&command)) {
            marks++;
        } else if (!keeps_alive(&command)) {
            part->commands = arena_grow(arena, part->commands, part->count,
                                        sizeof(*part->commands));
            part->commands[part->count++] = command;
        }
    }
    return STREAM_READ;
}

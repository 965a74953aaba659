// SPDX-License-Identifier: BSD-3-Clause
// The data set that a primary sends: see receive.h.
//
//   FULLRESYNC ...\r\n   \n ... \n   $<bytes>\r\n    data set           the stream, once we have acknowledged
//                        alive       $EOF:<mark>\r\n data set <mark>
//
// The socket is read into the window of the RDB reader, without a copy between. Where it has nothing, and every few
// milliseconds where it has, the loop is turned by hand: clients are served with the old data, signals are heard. What
// has come by then lies in databases aside (store/aside.h), whose exchange with the old ones is all that clients
// notice; when anything goes wrong, they are dropped.
//
// The end of a marked data set is known only when it has been read, and then the window may have bytes behind it: those
// of the mark, and no others, as a primary sends nothing else before it has heard of us. Other bytes there are an error.
#include "repl/receive.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "net/readable.h"
#include "persist/aof.h"
#include "persist/loading.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/block.h"
#include "server/process.h"
#include "store/aside.h"
#include "store/keyspace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

// So long is read before the loop is turned again, and at least so many times as long as the last turn took: clients
// are answered soon, and may slow it down, but not bring it to a stop.
#define READ_US    UINT64_C(2000)
#define READ_SHARE 2

// How long a turn waits if there is nothing to be read.
#define WAIT_MS 50

// The primary hears from us so often: it has a timeout, too.
#define ALIVE_PERIOD_US UINT64_C(1000000)

#define MARK_LEN 40
// "$EOF:", the mark, and "\r".
#define HEADER_MAX 46

#define WHY_MAX 320

struct transfer {
    struct receive *receive;
    struct server *server;
    struct readable readable;
    bool is_marked;
    char mark[MARK_LEN];
    uint64_t
        left;  // bytes of the data set that are still to be read from the socket; UINT64_MAX: unknown
    bool loading;       // the header has come
    uint64_t turn_us;   // when the loop is to be turned next
    uint64_t alive_us;  // the last newline to the primary
    bool ended;         // before its time
    enum receive_result result;
    char why[WHY_MAX];              // RECEIVE_BROKEN
    struct rdb_load_options inner;  // what the loading subsystem wants to hear
};

// --- Going on, or not ---------------------------------------------------------------------------

static bool end(struct transfer *t, enum receive_result result)
{
    if (!t->ended) {
        t->ended = true;
        t->result = result;
    }
    return false;
}

// Always false.
static bool break_off(struct transfer *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool break_off(struct transfer *t, const char *format, ...)
{
    if (t->ended)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(t->why, sizeof(t->why), format, args);
    va_end(args);
    return end(t, RECEIVE_BROKEN);
}

// A primary that is slow to hear it does not need it.
static void say_alive(struct transfer *t, uint64_t now_us)
{
    if (!t->loading || now_us - t->alive_us < ALIVE_PERIOD_US)
        return;
    t->alive_us = now_us;
    (void)send(t->receive->fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// False: it is over.
static bool turn(struct transfer *t, unsigned wait_ms)
{
    struct receive *receive = t->receive;
    uint64_t began_us = clock_mono_us_now();
    clock_update();
    loop_turn(t->server->loop, wait_ms);
    clock_update();
    uint64_t now_us = clock_mono_us_now();
    uint64_t share_us = wait_ms ? 0 : (now_us - began_us) * READ_SHARE;
    t->turn_us = now_us + (share_us > READ_US ? share_us : READ_US);
    if (receive->stopped || process_stopping(t->server->process))
        return end(t, RECEIVE_STOPPED);
    say_alive(t, now_us);
    return true;
}

// There is nothing to be read: waits for a moment. The turns of others do not count as the primary's silence.
static void wait_for_more(struct transfer *t)
{
    int64_t silent_ms = (int64_t)(clock_mono_us_now() / 1000) - t->receive->last_io_ms;
    int64_t timeout_s = t->receive->repl->config.timeout_s;
    if (silent_ms < timeout_s * 1000)
        turn(t, WAIT_MS);
    else
        break_off(t, "the primary has sent nothing for %lld seconds (repl-timeout)",
                  (long long)timeout_s);
}

static bool turn_if_due(struct transfer *t)
{
    if (t->ended)
        return false;
    return clock_mono_us_now() < t->turn_us || turn(t, 0);
}

// --- The socket ---------------------------------------------------------------------------------

// Ending the wait is all that it is for.
static void on_readable(void *udata)
{
    (void)udata;
}

// How many bytes have come, waiting for the first; 0: it is over.
static size_t receive_some(struct transfer *t, char *into, size_t room)
{
    struct receive *receive = t->receive;
    while (turn_if_due(t)) {
        ssize_t len = recv(receive->fd, into, room, 0);
        if (len > 0) {
            receive->last_io_ms = (int64_t)(clock_mono_us_now() / 1000);
            return (size_t)len;
        }
        if (len == 0)
            break_off(t, "the primary closed the connection");
        else if (errno == EAGAIN)
            wait_for_more(t);
        else if (errno != EINTR)
            break_off(t, "cannot read from the primary: %s", strerror(errno));
    }
    return 0;
}

// Byte by byte, so that nothing behind it is read. Newlines ahead of it say that the primary is alive.
static bool read_line(struct transfer *t, char line[HEADER_MAX + 1], size_t *len)
{
    char byte;
    *len = 0;
    while (receive_some(t, &byte, 1)) {
        if (byte == '\n' && *len == 0)
            continue;
        if (byte == '\n')
            return true;
        if (*len == HEADER_MAX)
            return break_off(t, "the primary announces no data set, but \"%.*s...\"", HEADER_MAX,
                             line);
        // For the log.
        line[(*len)++] = (byte < ' ' || byte > '~') && byte != '\r' ? '?' : byte;
    }
    return false;
}

static bool read_header(struct transfer *t)
{
    char line[HEADER_MAX + 1];
    size_t len;
    int64_t bytes;
    if (!read_line(t, line, &len))
        return false;
    len -= len > 0 && line[len - 1] == '\r';
    if (len == 5 + MARK_LEN && memcmp(line, "$EOF:", 5) == 0) {
        memcpy(t->mark, line + 5, MARK_LEN);
        t->is_marked = true;
        t->left = UINT64_MAX;
        return true;
    }
    const struct slice digits = { .ptr = line + 1, .len = len ? len - 1 : 0 };
    if (len == 0 || line[0] != '$' || !parse_int64(digits, &bytes) || bytes < 0)
        return break_off(t, "the primary announces no data set, but \"%.*s\"", (int)len, line);
    t->left = t->receive->total_bytes = (uint64_t)bytes;
    return true;
}

// --- The data set -------------------------------------------------------------------------------

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    struct transfer *t = udata;
    if (!t->is_marked && room > t->left)
        room = (size_t)t->left;
    *got = 0;
    if (room == 0)
        return STATUS_OK;
    *got = receive_some(t, into, room);
    if (*got == 0) {
        // Why is known better here than errno tells.
        errno = ECONNABORTED;
        return STATUS_IO;
    }
    t->receive->read_bytes += *got;
    if (!t->is_marked)
        t->left -= *got;
    return STATUS_OK;
}

static bool on_progress(void *udata, const struct rdb_reader *r, uint64_t keys)
{
    struct transfer *t = udata;
    return t->inner.progress(t->inner.udata, r, keys) && turn_if_due(t);
}

static void on_aux(void *udata, struct slice name, struct slice value)
{
    const struct transfer *t = udata;
    t->inner.aux(t->inner.udata, name, value);
}

// The data set has been read: what is behind it must be the mark, or nothing.
static bool check_end(struct transfer *t, const struct rdb_reader *r)
{
    char mark[MARK_LEN];
    size_t len = r->end - r->at;
    uint64_t behind = rdb_reader_left(r);
    if (!t->is_marked)
        return behind == 0 ||
               break_off(t, "%llu bytes of what the primary announced are behind the data set",
                         (unsigned long long)behind);
    if (len > MARK_LEN)
        return break_off(t, "the primary has sent more than the mark behind the data set");
    memcpy(mark, r->window + r->at, len);
    while (len < MARK_LEN) {
        size_t got = receive_some(t, mark + len, MARK_LEN - len);
        if (got == 0)
            return false;
        len += got;
    }
    return memcmp(mark, t->mark, MARK_LEN) == 0 ||
           break_off(t, "the mark behind the data set is not the one that was announced");
}

// Where the stream behind it goes on.
static bool check_stream(struct transfer *t, const struct rdb_loaded *loaded)
{
    int db = loaded->selected_db;
    int count = t->server->keyspace->db_count;
    if (db >= count)
        return break_off(t, "the primary writes to database %d: 'databases' is %d, set it higher",
                         db, count);
    // -1: one that says nothing has written to no other.
    t->receive->selected_db = db > 0 ? db : 0;
    return true;
}

static bool load(struct transfer *t, struct rdb_loaded *loaded)
{
    struct server *server = t->server;
    struct rdb_load_options options = { 0 };
    struct rdb_reader r;
    loading_follow(server->loading, &options);
    t->inner = options;
    options = (struct rdb_load_options){
        .limits = server->limits,
        .keep_expired = true,
        // Who may send any number of keys need not lie about it.
        .believes_counts = true,
        .progress = on_progress,
        .aux = on_aux,
        .udata = t,
    };
    rdb_reader_init(&r, read_source, t, t->left, true);
    bool good = rdb_load_keyspace(&r, server->keyspace->aside, &options, loaded);
    if (good)
        good = check_end(t, &r) && check_stream(t, loaded);
    else
        break_off(t, "at byte %llu of the data set: %.200s", (unsigned long long)r.error_offset,
                  r.error);
    rdb_reader_release(&r);
    return good;
}

// --- What becomes of it -------------------------------------------------------------------------

static uint64_t count_keys(const struct keyspace *keyspace)
{
    uint64_t keys = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        keys += db_size(&keyspace->dbs[i]);
    return keys;
}

static bool is_to_be_refused(const struct transfer *t)
{
    const struct receive *receive = t->receive;
    return !receive->accepts_empty && receive->repl->config.refuse_empty_primary &&
           count_keys(t->server->keyspace->aside) == 0 && count_keys(t->server->keyspace) > 0;
}

// Whatever is still being made of the old data would only keep its memory, and put it in the place of the new one.
static void take_over(struct transfer *t)
{
    struct server *server = t->server;
    bool later = t->receive->repl->config.lazy_flush;
    snapshot_abort(server->snapshot);
    aside_exchange(server->keyspace, later ? REMOVED_LATER : REMOVED_NOW);
    server->changes++;
    if (server->aof)
        aof_begin_anew(server->aof);
    if (server->after_command & AFTER_COMMAND_KEYS)
        blocks_serve(server->blocks);
}

static enum receive_result conclude(struct transfer *t, bool good, uint64_t began_us,
                                    const struct rdb_loaded *loaded)
{
    struct server *server = t->server;
    if (good && !is_to_be_refused(t)) {
        take_over(t);
        loading_note(server->loading, loaded);
        log_notice("Full sync: done, %llu keys, %llu bytes, %.3f seconds",
                   (unsigned long long)loaded->keys, (unsigned long long)t->receive->read_bytes,
                   (double)(clock_mono_us_now() - began_us) / 1e6);
        return RECEIVE_DONE;
    }
    aside_drop(server->keyspace, REMOVED_LATER);
    if (!good)
        return t->result;
    log_warning("Full sync refused: the primary has another history and no data, and this replica "
                "has %llu keys, which it keeps. To follow it all the same, and lose them, say "
                "REPLICAOF once more, or CONFIG SET replica-refuse-empty-primary no",
                (unsigned long long)count_keys(server->keyspace));
    return RECEIVE_REFUSED;
}

static enum receive_result load_aside(struct transfer *t)
{
    struct server *server = t->server;
    struct receive *receive = t->receive;
    uint64_t began_us = clock_mono_us_now();
    uint64_t keys = count_keys(server->keyspace);
    struct rdb_loaded loaded;
    if (t->is_marked)
        log_notice("Full sync: receiving a data set from the primary");
    else
        log_notice("Full sync: receiving a data set of %llu bytes from the primary",
                   (unsigned long long)receive->total_bytes);
    t->loading = true;
    aside_open(server->keyspace);
    loading_begin_aside(server->loading, receive->total_bytes, keys > 0);
    bool good = load(t, &loaded);
    enum receive_result result = conclude(t, good, began_us, &loaded);
    loading_end(server->loading);
    return result;
}

enum receive_result receive_run(struct receive *receive)
{
    uint64_t now_us = clock_mono_us_now();
    struct transfer t = {
        .receive = receive,
        .server = receive->repl->server,
        .turn_us = now_us + READ_US,
        .alive_us = now_us,
    };
    receive->total_bytes = receive->read_bytes = 0;
    receive->last_io_ms = (int64_t)(now_us / 1000);
    readable_start(&t.readable, t.server->loop, receive->fd, on_readable, NULL);
    enum receive_result result = RECEIVE_BROKEN;
    if (read_header(&t))
        result = load_aside(&t);
    else
        result = t.result;
    readable_stop(&t.readable);
    if (result == RECEIVE_BROKEN)
        log_warning("Full sync broken off: %s", t.why);
    else if (result == RECEIVE_STOPPED)
        log_notice("Full sync broken off: it is not wanted any more");
    return result;
}

void receive_stop(struct receive *receive)
{
    receive->stopped = true;
}

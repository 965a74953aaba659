// SPDX-License-Identifier: BSD-3-Clause
// A server that data moves into or out of: see host.h.
#include "host.h"

#include "../runner/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FLUSH_BYTES ((size_t)1 << 20)
#define FLUSH_OWED  2000

bool host_start(struct host *host, enum side side, const char *dir, const char *options,
                struct buffer *why)
{
    struct arena arena = { 0 };
    struct words words;
    const char *error;
    *host = (struct host){ .c = { .fd = -1 } };
    if (!words_split(&arena, span_of(options), NULL, &words, &error))
        die("%s: %s", options, error);
    bool ok = server_start(&host->server, side, dir, &(struct server_options){ .words = &words },
                           why);
    arena_release(&arena);
    if (ok && !server_connect(&host->server, false, &host->c))
        die("no connection to the server in %s", dir);
    return ok;
}

bool host_stop(struct host *host, struct buffer *why)
{
    connection_close(&host->c);
    buffer_release(&host->pending);
    arena_release(&host->arena);
    return server_shut_down(&host->server, why);
}

void host_begin(struct host *host, size_t argc)
{
    if (host->pending.len >= FLUSH_BYTES || host->owed >= FLUSH_OWED)
        host_flush(host);
    buffer_printf(&host->pending, "*%zu\r\n", argc);
    host->owed++;
}

void host_word(struct host *host, struct span word)
{
    buffer_printf(&host->pending, "$%zu\r\n", word.len);
    buffer_append(&host->pending, word);
    buffer_text(&host->pending, "\r\n");
}

static void queue_line(struct host *host, const char *format, va_list args)
{
    struct arena arena = { 0 };
    struct words words;
    const char *error;
    char line[1024];
    if (vsnprintf(line, sizeof(line), format, args) >= (int)sizeof(line))
        die("a line is too long: %s", format);
    if (!words_split(&arena, span_of(line), NULL, &words, &error))
        die("%s: %s", line, error);
    host_begin(host, words.count);
    for (size_t i = 0; i < words.count; i++)
        host_word(host, words.items[i]);
    arena_release(&arena);
}

void host_feed(struct host *host, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    queue_line(host, format, args);
    va_end(args);
}

static void send_queued(struct host *host)
{
    if (!connection_send(&host->c, buffer_span(&host->pending), REPLY_TIMEOUT_MS))
        die("%s does not read", side_name(host->server.side));
    buffer_clear(&host->pending);
    host->owed = 0;
}

void host_next(struct host *host, struct arena *arena, struct reply *out)
{
    if (host->owed)
        send_queued(host);
    if (connection_fetch(&host->c, arena, REPLY_TIMEOUT_MS, out) != FETCH_REPLY)
        die("%s, in %s, does not answer", side_name(host->server.side), host->server.dir);
}

void host_flush(struct host *host)
{
    struct arena arena = { 0 };
    struct reply reply;
    size_t owed = host->owed;
    for (; owed > 0; owed--) {
        host_next(host, &arena, &reply);
        if (reply_is_error(&reply))
            die("%s refuses: %.*s", side_name(host->server.side), SHOW(reply.text));
        arena_release(&arena);
    }
}

const struct reply *host_ask_queued(struct host *host)
{
    arena_release(&host->arena);
    struct reply *reply = arena_alloc(&host->arena, sizeof(*reply));
    host_next(host, &host->arena, reply);
    return reply;
}

const struct reply *host_ask(struct host *host, const char *format, ...)
{
    va_list args;
    host_flush(host);
    va_start(args, format);
    queue_line(host, format, args);
    va_end(args);
    return host_ask_queued(host);
}

bool host_until(struct host *host, const char *wanted, const char *command)
{
    int64_t until_ms = now_ms() + REPLY_TIMEOUT_MS;
    const struct timespec nap = { .tv_nsec = 2000000 };
    while (now_ms() < until_ms) {
        struct span text = host_ask(host, "%s", command)->text;
        if (memmem(text.ptr, text.len, wanted, strlen(wanted)))
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

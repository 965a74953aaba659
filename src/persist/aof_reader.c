// SPDX-License-Identifier: BSD-3-Clause
// Reading the commands of an append-only file: see aof_reader.h.
#include "persist/aof_reader.h"

#include "base/numbers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// What is read at once: twice as much each time, as long as there is so much.
#define READ_FIRST_BYTES ((size_t)16 << 10)
#define READ_MAX_BYTES   ((size_t)1 << 20)

// A line of comment: a time stamp is 20 bytes.
#define COMMENT_MAX 65536

// No string is longer.
#define BULK_BYTES_MAX INT32_MAX

enum {
    STATE_PLAIN,
    STATE_AHEAD,  // within a transaction that is read to its end first
    STATE_GROUP,  // within one that is handed out
};

void aof_reader_init(struct aof_reader *r, uint64_t offset, aof_source_fn source, aof_vet_fn vet,
                     void *udata)
{
    *r = (struct aof_reader){
        .at = offset,
        .whole = offset,
        .offset = offset,
        .room = READ_FIRST_BYTES,
        .until_s = INT64_MAX,
        .first_stamp_s = -1,
        .last_stamp_s = -1,
        .source = source,
        .vet = vet,
        .udata = udata,
    };
}

void aof_reader_release(struct aof_reader *r)
{
    resp_parser_reset(&r->parser);
    resp_argv_release(&r->argv);
    bytes_release(&r->window);
}

bool aof_refuse(struct aof_reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->reason, sizeof(r->reason), format, args);
    va_end(args);
    // Bytes of the file may be among it, and it goes to logs and terminals.
    for (char *c = r->reason; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    return false;
}

static enum aof_found garbage(struct aof_reader *r, const char *reason)
{
    aof_refuse(r, "%s", reason);
    return AOF_GARBAGE;
}

static enum aof_found torn(struct aof_reader *r, const char *within)
{
    aof_refuse(r, "the file ends within a %s", r->state == STATE_AHEAD ? "transaction" : within);
    return AOF_TORN;
}

// Reads more behind the window; what has been handed out goes.
static enum aof_found read_more(struct aof_reader *r)
{
    size_t done = r->state == STATE_AHEAD ? r->group : r->pos;
    if (done > 0) {
        bytes_consume(&r->window, done);
        r->offset += done;
        r->pos -= done;
        r->group = 0;
    }
    size_t room = r->window.len > r->room ? r->window.len : r->room;
    size_t got = 0;
    if (bytes_try_reserve(&r->window, room) != STATUS_OK) {
        errno = ENOMEM;
        return AOF_FAILED;
    }
    if (r->source(r->udata, r->window.data + r->window.len, room, &got) != STATUS_OK)
        return AOF_FAILED;
    if (got >= r->room && r->room < READ_MAX_BYTES)
        r->room *= 2;
    r->at_end = got == 0;
    r->window.len += got;
    return AOF_COMMAND;
}

// A comment. False: it is a time stamp that lies beyond what is wanted.
static bool pass_comment(struct aof_reader *r, const char *line, size_t len)
{
    static const char mark[] = "#TS:";
    size_t mark_len = sizeof(mark) - 1;
    int64_t stamp_s;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    snprintf(r->remark, sizeof(r->remark), "%.*s", (int)len, line);
    if (len <= mark_len || memcmp(line, mark, mark_len) != 0 ||
        !parse_int64((struct slice){ .ptr = line + mark_len, .len = len - mark_len }, &stamp_s))
        return true;
    if (stamp_s > r->until_s)
        return false;
    if (r->first_stamp_s < 0)
        r->first_stamp_s = stamp_s;
    r->last_stamp_s = stamp_s;
    return true;
}

// AOF_COMMAND: one begins here.
static enum aof_found skip_comments(struct aof_reader *r)
{
    for (;;) {
        size_t left = r->window.len - r->pos;
        const char *at = left > 0 ? r->window.data + r->pos : NULL;
        const char *end = left > 0 && *at == '#' ? memchr(at, '\n', left) : NULL;
        r->at = r->offset + r->pos;
        if (r->state == STATE_PLAIN)
            r->whole = r->at;
        if (left > 0 && *at != '#')
            return AOF_COMMAND;
        if (end) {
            if (!pass_comment(r, at, (size_t)(end - at)))
                return AOF_LATER;
            r->pos += (size_t)(end - at) + 1;
            continue;
        }
        if (left > COMMENT_MAX)
            return garbage(r, "a comment has no end");
        if (r->at_end && left == 0 && r->state == STATE_PLAIN)
            return AOF_END;
        if (r->at_end)
            return torn(r, "comment");
        enum aof_found found = read_more(r);
        if (found != AOF_COMMAND)
            return found;
    }
}

static enum aof_found parsed(struct aof_reader *r, const char *at, size_t len, uint32_t argc)
{
    if (argc == 0)
        return garbage(r, "a command without a name");
    if (!resp_is_regular((struct slice){ .ptr = at, .len = len }, r->argv.items, argc))
        return garbage(r, "a line has no CRLF at its end");
    r->argc = argc;
    r->pos += len;
    r->remark[0] = '\0';
    return AOF_COMMAND;
}

static enum aof_found read_command(struct aof_reader *r)
{
    const struct resp_limits limits = {
        .max_bulk = BULK_BYTES_MAX,
        .max_multibulk = INT32_MAX,
        .authenticated = true,
    };
    struct resp_command command;
    char text[RESP_ERROR_TEXT_MAX];
    enum aof_found found = skip_comments(r);
    while (found == AOF_COMMAND) {
        char *at = r->window.data + r->pos;
        if (*at != '*') {
            aof_refuse(r, "a command begins with '*', here is byte 0x%02x", (unsigned char)*at);
            return AOF_GARBAGE;
        }
        resp_argv_clear(&r->argv);
        switch (resp_parse(&r->parser, at, r->window.len - r->pos, &limits, &r->argv, &command)) {
        case RESP_ERROR: return garbage(r, resp_parser_error(&r->parser, text));
        case RESP_COMMAND: return parsed(r, at, command.consumed, command.argc);
        case RESP_INCOMPLETE: break;
        }
        if (r->at_end)
            return torn(r, "command");
        found = read_more(r);
    }
    return found;
}

// AOF_COMMAND: goes on behind MULTI.
static enum aof_found begin_group(struct aof_reader *r)
{
    if (r->state == STATE_AHEAD)
        return garbage(r, "MULTI within MULTI");
    if (r->state == STATE_PLAIN) {
        r->state = STATE_AHEAD;
        r->group = (size_t)(r->at - r->offset);
    }
    return AOF_COMMAND;
}

// The whole transaction is in the window: goes on at its beginning. Or it has been handed out.
static enum aof_found end_group(struct aof_reader *r)
{
    if (r->state == STATE_PLAIN)
        return garbage(r, "EXEC without MULTI");
    bool is_read = r->state == STATE_AHEAD;
    if (is_read)
        r->pos = r->group;
    r->state = is_read ? STATE_GROUP : STATE_PLAIN;
    return AOF_COMMAND;
}

enum aof_found aof_reader_next(struct aof_reader *r)
{
    for (;;) {
        enum aof_found found = read_command(r);
        if (found != AOF_COMMAND)
            return found;
        struct slice name = r->argv.items[0];
        bool begins = slice_is(name, "multi");
        if (begins || slice_is(name, "exec")) {
            found = begins ? begin_group(r) : end_group(r);
            if (found != AOF_COMMAND)
                return found;
            continue;
        }
        if (r->vet && !r->vet(r->udata, r))
            return AOF_GARBAGE;
        if (r->state != STATE_AHEAD)
            return AOF_COMMAND;
    }
}

// SPDX-License-Identifier: BSD-3-Clause
// The handshake with our primary: see handshake.h.
#include "repl/handshake.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "resp/request.h"
#include "server/network.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum step { STEP_PING, STEP_AUTH, STEP_PORT, STEP_ADDRESS, STEP_CAPABILITIES, STEP_PSYNC };

static const char *const step_names[] = {
    "PING", "AUTH", "REPLCONF listening-port", "REPLCONF ip-address", "REPLCONF capa", "PSYNC"
};

// --- Ends ---------------------------------------------------------------------------------------

void handshake_stop(struct handshake *handshake)
{
    if (handshake->fd < 0)
        return;
    readable_stop(&handshake->readable);
    handshake->fd = -1;
}

static void finish(struct handshake *handshake, const struct handshake_answer *answer)
{
    handshake_stop(handshake);
    handshake->answered(handshake->udata, answer);
}

static void fail(struct handshake *handshake, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct handshake *handshake, const char *format, ...)
{
    struct handshake_answer answer = { .result = HANDSHAKE_FAILED };
    va_list args;
    va_start(args, format);
    vsnprintf(answer.reason, sizeof(answer.reason), format, args);
    va_end(args);
    finish(handshake, &answer);
}

// --- Saying -------------------------------------------------------------------------------------

// The socket is new: what is said here fits its buffer. False: it is broken.
static bool say(const struct handshake *handshake, struct bytes *text)
{
    ssize_t sent = send(handshake->fd, text->data, text->len, MSG_NOSIGNAL);
    bool whole = sent >= 0 && (size_t)sent == text->len;
    bytes_release(text);
    return whole;
}

static struct slice number(char text[INT64_TEXT_MAX], uint64_t value)
{
    return (struct slice){ .ptr = text, .len = (size_t)format_uint64(text, value) };
}

#define APPEND(handshake, out, step, ...)                               \
    append(handshake, out, step, (const struct slice[]){ __VA_ARGS__ }, \
           sizeof((const struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice))

static void append(struct handshake *handshake, struct bytes *out, enum step step,
                   const struct slice *words, size_t count)
{
    resp_append_request(out, words, count);
    handshake->sent |= 1u << step;
}

static bool introduce(struct handshake *handshake)
{
    const struct repl_config *config = &handshake->repl->config;
    struct bytes out = { 0 };
    char port[INT64_TEXT_MAX];
    int listens_on = network_port(handshake->repl->server->network);
    if (config->primary_password[0] && config->primary_user[0])
        APPEND(handshake, &out, STEP_AUTH, SLICE("AUTH"), slice_of(config->primary_user),
               slice_of(config->primary_password));
    else if (config->primary_password[0])
        APPEND(handshake, &out, STEP_AUTH, SLICE("AUTH"), slice_of(config->primary_password));
    APPEND(handshake, &out, STEP_PORT, SLICE("REPLCONF"), SLICE("listening-port"),
           number(port, (uint64_t)(config->announce_port ? config->announce_port : listens_on)));
    if (config->announce_ip[0])
        APPEND(handshake, &out, STEP_ADDRESS, SLICE("REPLCONF"), SLICE("ip-address"),
               slice_of(config->announce_ip));
    APPEND(handshake, &out, STEP_CAPABILITIES, SLICE("REPLCONF"), SLICE("capa"), SLICE("eof"),
           SLICE("capa"), SLICE("psync2"));
    return say(handshake, &out);
}

static bool ask_for_stream(struct handshake *handshake)
{
    const struct repl *repl = handshake->repl;
    struct bytes out = { 0 };
    if (handshake->offers) {
        char offset[INT64_TEXT_MAX];
        struct slice from = number(offset, repl->stream.end + 1);
        log_notice("Trying a partial resynchronization (request %s:%.*s)",
                   repl->server->replication_id, (int)from.len, from.ptr);
        if (handshake->hands_over)
            APPEND(handshake, &out, STEP_PSYNC, SLICE("PSYNC"),
                   slice_of(repl->server->replication_id), from, SLICE("FAILOVER"));
        else
            APPEND(handshake, &out, STEP_PSYNC, SLICE("PSYNC"),
                   slice_of(repl->server->replication_id), from);
    } else {
        log_notice("Asking the primary for all data: there is no history to go on from");
        APPEND(handshake, &out, STEP_PSYNC, SLICE("PSYNC"), SLICE("?"), SLICE("-1"));
    }
    return say(handshake, &out);
}

// --- Hearing ------------------------------------------------------------------------------------

static bool starts_with(struct slice line, const char *text)
{
    size_t len = strlen(text);
    return line.len >= len && memcmp(line.ptr, text, len) == 0;
}

// The next word of the line, up to a blank; empty: none.
static struct slice next_word(struct slice *line)
{
    while (line->len && *line->ptr == ' ') {
        line->ptr++;
        line->len--;
    }
    struct slice word = { .ptr = line->ptr };
    while (word.len < line->len && word.ptr[word.len] != ' ')
        word.len++;
    line->ptr += word.len;
    line->len -= word.len;
    return word;
}

static bool take_id(struct slice word, char out[RUN_ID_LEN + 1])
{
    if (word.len != RUN_ID_LEN)
        return false;
    for (size_t i = 0; i < RUN_ID_LEN; i++) {
        if (!isalnum((unsigned char)word.ptr[i]))
            return false;
    }
    memcpy(out, word.ptr, RUN_ID_LEN);
    out[RUN_ID_LEN] = '\0';
    return true;
}

static void judge_full(struct handshake *handshake, struct slice line)
{
    struct handshake_answer answer = { .result = HANDSHAKE_FULL };
    struct slice rest = line;
    int64_t offset;
    next_word(&rest);
    if (!take_id(next_word(&rest), answer.id) || !parse_int64(next_word(&rest), &offset) ||
        offset < 0) {
        fail(handshake, "no history in the primary's '%.*s'", (int)line.len, line.ptr);
        return;
    }
    answer.offset = (uint64_t)offset;
    finish(handshake, &answer);
}

static void judge_continue(struct handshake *handshake, struct slice line)
{
    struct handshake_answer answer = { .result = HANDSHAKE_CONTINUE };
    struct slice rest = line;
    next_word(&rest);
    struct slice id = next_word(&rest);
    if (!handshake->offers || (id.len && !take_id(id, answer.id))) {
        fail(handshake, "the primary says '%.*s', which is no answer to what it was asked",
             (int)line.len, line.ptr);
        return;
    }
    finish(handshake, &answer);
}

static void judge_psync(struct handshake *handshake, struct slice line)
{
    struct bytes sync = { 0 };
    if (!line.len)
        return;
    if (starts_with(line, "+CONTINUE")) {
        judge_continue(handshake, line);
    } else if (starts_with(line, "+FULLRESYNC")) {
        judge_full(handshake, line);
    } else if (!starts_with(line, "-ERR") || handshake->hands_over) {
        // It has no data itself now (-NOMASTERLINK, -LOADING), or does not want us.
        fail(handshake, "the primary answers PSYNC with '%.*s'", (int)line.len, line.ptr);
    } else {
        log_notice("The primary does not know PSYNC ('%.*s'): asking for all data by SYNC",
                   (int)line.len, line.ptr);
        resp_append_request(&sync, (const struct slice[]){ SLICE("SYNC") }, 1);
        if (say(handshake, &sync))
            finish(handshake, &(const struct handshake_answer){ .result = HANDSHAKE_OLD });
        else
            fail(handshake, "the connection broke while SYNC was sent");
    }
}

// One that wants a password says so already here; others must be able to serve us.
static bool is_good_pong(struct slice line)
{
    return starts_with(line, "+") || starts_with(line, "-NOAUTH") || starts_with(line, "-NOPERM") ||
           starts_with(line, "-ERR operation not permitted");
}

// Goes on with what has been sent and not been answered yet, or, when all has been, with PSYNC.
static void go_on(struct handshake *handshake)
{
    do
        handshake->step++;
    while (handshake->step < STEP_PSYNC && !(handshake->sent >> handshake->step & 1));
    if (handshake->step == STEP_PSYNC && !ask_for_stream(handshake))
        fail(handshake, "the connection broke while PSYNC was sent");
}

static void judge(struct handshake *handshake, struct slice line)
{
    const char *name = step_names[handshake->step];
    if (handshake->step == STEP_PSYNC) {
        judge_psync(handshake, line);
        return;
    }
    bool is_refusal = starts_with(line, "-");
    bool is_vital = handshake->step == STEP_AUTH;
    if (handshake->step == STEP_PING ? !is_good_pong(line) : is_refusal && is_vital) {
        fail(handshake, "the primary answers %s with '%.*s'", name, (int)line.len, line.ptr);
        return;
    }
    if (is_refusal && handshake->step > STEP_AUTH)
        log_notice("The primary refuses %s, which it can do without: %.*s", name, (int)line.len,
                   line.ptr);
    if (handshake->step == STEP_PING && !introduce(handshake))
        fail(handshake, "the connection broke while we introduced ourselves");
    else
        go_on(handshake);
}

// For the log: no byte of it may do anything there.
static void make_printable(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
}

static void take_line(struct handshake *handshake)
{
    size_t len = handshake->line_len - 1;
    if (len && handshake->line[len - 1] == '\r')
        len--;
    handshake->line_len = 0;
    make_printable(handshake->line, len);
    judge(handshake, (struct slice){ .ptr = handshake->line, .len = len });
}

static void on_readable(void *udata)
{
    struct handshake *handshake = udata;
    char *room = handshake->line + handshake->line_len;
    size_t room_len = HANDSHAKE_LINE_MAX - handshake->line_len;
    ssize_t got = recv(handshake->fd, room, room_len, MSG_PEEK);
    if (got > 0) {
        const char *end = memchr(room, '\n', (size_t)got);
        size_t wanted = end ? (size_t)(end - room) + 1 : (size_t)got;
        got = recv(handshake->fd, room, wanted, 0);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const char *name = step_names[handshake->step];
    if (got <= 0) {
        fail(handshake, "%s is not answered: %s", name,
             got ? strerror(errno) : "the primary closed the connection");
        return;
    }
    handshake->heard_us = clock_mono_us_now();
    handshake->line_len += (size_t)got;
    if (handshake->line[handshake->line_len - 1] == '\n')
        take_line(handshake);
    else if (handshake->line_len == HANDSHAKE_LINE_MAX)
        fail(handshake, "the primary's answer to %s has no end", name);
}

void handshake_begin(struct handshake *handshake, struct repl *repl, int fd,
                     enum handshake_wish wish, handshake_fn answered, void *udata)
{
    *handshake = (struct handshake){ .repl = repl,
                                     .fd = fd,
                                     .offers = wish != HANDSHAKE_ASKS_ALL,
                                     .hands_over = wish == HANDSHAKE_HANDS_OVER,
                                     .answered = answered,
                                     .udata = udata,
                                     .heard_us = clock_mono_us_now() };
    struct bytes ping = { 0 };
    resp_append_request(&ping, (const struct slice[]){ SLICE("PING") }, 1);
    // If that fails, so does the reading.
    (void)say(handshake, &ping);
    readable_start(&handshake->readable, repl->server->loop, fd, on_readable, handshake);
}

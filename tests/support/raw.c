// SPDX-License-Identifier: BSD-3-Clause
// Plain sockets and expectations: see raw.h.
#include "support/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 30
#define WORDS_MAX  64
#define SHOWN_MAX  600

static int prepared(int fd)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

int raw_connect_to(const char *address, int port)
{
    char service[8];
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *info;
    snprintf(service, sizeof(service), "%d", port);
    ck_assert_int_eq(getaddrinfo(address, service, &hints, &info), 0);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int done = fd < 0 ? -1 : connect(fd, info->ai_addr, info->ai_addrlen);
    int error = errno;
    freeaddrinfo(info);
    if (done != 0) {
        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return prepared(fd);
}

int raw_connect(const struct test_server *server)
{
    int fd = raw_connect_to("127.0.0.1", server->port);
    ck_assert_msg(fd >= 0, "no connection: %s", strerror(errno));
    return fd;
}

int raw_connect_unix(const struct test_server *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    int done = connect(fd, (struct sockaddr *)&address, sizeof(address));
    ck_assert_msg(done == 0, "no connection: %s", strerror(errno));
    return prepared(fd);
}

void raw_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0)
            ck_abort_msg("send: %s", strerror(errno));
        at += sent;
        len -= (size_t)sent;
    }
}

void raw_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

ssize_t raw_send_some(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

// Splits off the next word; `*text` moves behind it. False: there is none.
static bool next_word(const char **text, const char **word, size_t *len)
{
    const char *at = *text + strspn(*text, " ");
    if (!*at)
        return false;
    bool quoted = *at == '"';
    at += quoted;
    *word = at;
    *len = strcspn(at, quoted ? "\"" : " ");
    *text = at + *len + (quoted && at[*len] == '"');
    return true;
}

void raw_words(int fd, const char *words)
{
    char out[4096];
    const char *text = words;
    const char *word;
    size_t word_len;
    int count = 0;
    while (next_word(&text, &word, &word_len))
        count++;
    size_t len = (size_t)snprintf(out, sizeof(out), "*%d\r\n", count);
    text = words;
    while (next_word(&text, &word, &word_len) && len < sizeof(out))
        len += (size_t)snprintf(out + len, sizeof(out) - len, "$%zu\r\n%.*s\r\n", word_len,
                                (int)word_len, word);
    if (len >= sizeof(out))
        ck_abort_msg("too many words");
    raw_send(fd, out, len);
}

// Printable, with the usual escapes.
static void escape(const char *bytes, size_t len, char out[SHOWN_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < len && at < SHOWN_MAX - 8; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\r' || byte == '\n')
            at += (size_t)snprintf(out + at, SHOWN_MAX - at, byte == '\r' ? "\\r" : "\\n");
        else if (byte < ' ' || byte > '~')
            at += (size_t)snprintf(out + at, SHOWN_MAX - at, "\\x%02x", byte);
        else
            out[at++] = (char)byte;
    }
    out[at] = '\0';
}

static void mismatch(const char *where, const char *want, size_t want_len, const char *got,
                     size_t got_len)
{
    char wanted[SHOWN_MAX];
    char shown[SHOWN_MAX];
    escape(want, want_len, wanted);
    escape(got, got_len, shown);
    ck_abort_msg("%s: wanted \"%s\", got \"%s\"", where, wanted, shown);
}

// Bytes that come behind a difference help to understand it.
static size_t read_rest(int fd, char *into, size_t room)
{
    ssize_t more = recv(fd, into, room, MSG_DONTWAIT);
    return more > 0 ? (size_t)more : 0;
}

void raw_expect_at(const char *where, int fd, const void *want, size_t len)
{
    char *got = malloc(len + SHOWN_MAX);
    if (!got)
        ck_abort_msg("no memory for %zu bytes", len);
    size_t have = 0;
    while (have < len) {
        ssize_t n = recv(fd, got + have, len - have, 0);
        if (n <= 0)
            mismatch(where, want, len, got, have);
        have += (size_t)n;
        if (memcmp(got, want, have) != 0)
            mismatch(where, want, len, got, have + read_rest(fd, got + have, SHOWN_MAX));
    }
    free(got);
}

void raw_expect_nothing_at(const char *where, int fd)
{
    char got[SHOWN_MAX];
    ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
    if (n > 0)
        mismatch(where, "", 0, got, (size_t)n);
    if (n == 0 || errno != EAGAIN)
        ck_abort_msg("%s: the connection is closed", where);
}

void raw_ask_at(const char *where, int fd, const char *words, const char *want)
{
    raw_words(fd, words);
    raw_expect_at(where, fd, want, strlen(want));
    raw_expect_nothing_at(where, fd);
}

void raw_expect_closed_at(const char *where, int fd)
{
    char got[SHOWN_MAX];
    ssize_t n = recv(fd, got, sizeof(got), 0);
    if (n > 0)
        mismatch(where, "(closed)", 8, got, (size_t)n);
    ck_assert_msg(n == 0 || errno == ECONNRESET, "%s: not closed: %s", where, strerror(errno));
}

void raw_line(int fd, char *out, size_t room)
{
    size_t len = 0;
    for (;;) {
        if (len == room || recv(fd, out + len, 1, 0) != 1)
            ck_abort_msg("no line: %s", len == room ? "it is too long" : strerror(errno));
        len++;
        if (len >= 2 && out[len - 2] == '\r' && out[len - 1] == '\n') {
            out[len - 2] = '\0';
            return;
        }
    }
}

void raw_skip(int fd, size_t len)
{
    static char dropped[1 << 16];
    while (len > 0) {
        ssize_t n = recv(fd, dropped, len < sizeof(dropped) ? len : sizeof(dropped), 0);
        if (n <= 0)
            ck_abort_msg("%zu bytes are missing: %s", len, n ? strerror(errno) : "closed");
        len -= (size_t)n;
    }
}

size_t raw_read(int fd, void *out, size_t room)
{
    ssize_t n = recv(fd, out, room, 0);
    ck_assert_msg(n >= 0 || errno == ECONNRESET, "recv: %s", strerror(errno));
    return n > 0 ? (size_t)n : 0;
}

void raw_read_all(int fd, char *out, size_t room)
{
    size_t len = 0;
    size_t n;
    while (len < room - 1 && (n = raw_read(fd, out + len, room - 1 - len)) > 0)
        len += n;
    out[len] = '\0';
}

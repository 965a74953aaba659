// SPDX-License-Identifier: BSD-3-Clause
// A client connection of the runner: see connection.h.
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_tcp(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

bool connection_open(struct connection *c, const char *path, int port)
{
    *c = (struct connection){ .fd = path ? connect_unix(path) : connect_tcp(port) };
    return c->fd >= 0;
}

void connection_close(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->pos = 0;
    buffer_release(&c->in);
}

static bool wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd waiting = { .fd = fd, .events = events };
    int64_t left = until_ms - now_ms();
    int ready = poll(&waiting, 1, left > 0 ? (int)left : 0);
    return ready > 0 || (ready < 0 && errno == EINTR && left > 0);
}

bool connection_send(struct connection *c, struct span bytes, int timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    while (bytes.len > 0) {
        ssize_t sent = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes.ptr += sent;
            bytes.len -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return true;
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(c->fd, POLLOUT, until_ms)) {
            return false;
        }
    }
    return true;
}

enum fetch_result connection_receive(struct connection *c, int64_t until_ms)
{
    if (!wait_for(c->fd, POLLIN, until_ms))
        return FETCH_TIMEOUT;
    buffer_reserve(&c->in, c->in.len > READ_BYTES ? c->in.len : READ_BYTES);
    ssize_t got = recv(c->fd, c->in.data + c->in.len, c->in.cap - c->in.len - 1, MSG_DONTWAIT);
    if (got > 0) {
        c->in.len += (size_t)got;
        return FETCH_REPLY;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return FETCH_REPLY;
    return FETCH_CLOSED;
}

struct span connection_unread(const struct connection *c)
{
    return (struct span){ c->in.data + c->pos, c->in.len - c->pos };
}

enum fetch_result connection_fetch(struct connection *c, struct arena *arena, int timeout_ms,
                                   struct reply *out)
{
    int64_t until_ms = now_ms() + timeout_ms;
    size_t len = 0;
    if (c->fd < 0)
        return FETCH_CLOSED;
    if (c->pos == c->in.len) {
        c->pos = 0;
        buffer_clear(&c->in);
    }
    for (;;) {
        enum read_result result = c->in.len > c->pos ? reply_length(connection_unread(c), &len)
                                                     : READ_MORE;
        if (result == READ_BAD)
            return FETCH_BAD;
        if (result == READ_DONE)
            break;
        enum fetch_result more = connection_receive(c, until_ms);
        if (more == FETCH_CLOSED && c->in.len > c->pos)
            return FETCH_BAD;
        if (more != FETCH_REPLY)
            return more;
    }
    struct span raw = { c->in.data + c->pos, len };
    c->pos += len;
    reply_read(arena, arena_copy(arena, raw), out);
    return FETCH_REPLY;
}

void command_append(struct buffer *out, const struct span *argv, size_t argc)
{
    buffer_printf(out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buffer_printf(out, "$%zu\r\n", argv[i].len);
        buffer_append(out, argv[i]);
        buffer_text(out, "\r\n");
    }
}

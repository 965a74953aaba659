// SPDX-License-Identifier: BSD-3-Clause
// Connections: see conn.h.
#include "net/conn.h"

#include "base/panic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Vectors and bytes of one send: a slow reader of a large reply must not hold up the turn.
#define FLUSH_VECTORS   64
#define FLUSH_BYTES_MAX (1u << 20)

static void on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct conn *conn = watcher->data;
    conn->ops->readable(conn);
}

static void on_writable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct conn *conn = watcher->data;
    conn->ops->writable(conn);
}

void conn_init(struct conn *conn, struct loop *loop, struct outq_pool *pool, int fd,
               const struct conn_ops *ops)
{
    conn->ops = ops;
    conn->loop = loop;
    conn->fd = fd;
    outq_init(&conn->out, pool);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    ev_io_init(&conn->read_watcher, on_readable, fd, EV_READ);
    ev_io_init(&conn->write_watcher, on_writable, fd, EV_WRITE);
    conn->read_watcher.data = conn->write_watcher.data = conn;
    ev_io_start(loop_ev(loop), &conn->read_watcher);
}

void conn_close(struct conn *conn)
{
    if (conn->fd < 0)
        return;
    ev_io_stop(loop_ev(conn->loop), &conn->read_watcher);
    ev_io_stop(loop_ev(conn->loop), &conn->write_watcher);
    outq_clear(&conn->out);
    close(conn->fd);
    conn->fd = -1;
}

void conn_pause_reading(struct conn *conn)
{
    ev_io_stop(loop_ev(conn->loop), &conn->read_watcher);
}

void conn_resume_reading(struct conn *conn)
{
    ev_io_start(loop_ev(conn->loop), &conn->read_watcher);
}

enum status conn_recv(struct conn *conn, char *into, size_t room, size_t *received)
{
    ssize_t n = recv(conn->fd, into, room, 0);
    if (likely(n > 0)) {
        *received = (size_t)n;
        return STATUS_OK;
    }
    if (n == 0)
        return STATUS_CLOSED;
    return errno == EAGAIN || errno == EINTR ? STATUS_AGAIN : STATUS_IO;
}

// Sends what one call takes; `offered` is how much that was.
static ssize_t send_some(struct conn *conn, size_t *offered)
{
    const struct outq_chunk *head = conn->out.head;
    if (likely(!head->next)) {
        *offered = head->end - head->start;
        return send(conn->fd, head->bytes + head->start, *offered, MSG_NOSIGNAL);
    }
    struct iovec vectors[FLUSH_VECTORS];
    int count = outq_vectors(&conn->out, vectors, FLUSH_VECTORS);
    *offered = 0;
    for (int i = 0; i < count; i++)
        *offered += vectors[i].iov_len;
    struct msghdr message = { .msg_iov = vectors, .msg_iovlen = (size_t)count };
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

// The rest waits for the socket to become writable.
static enum status wait_writable(struct conn *conn)
{
    ev_io_start(loop_ev(conn->loop), &conn->write_watcher);
    return STATUS_AGAIN;
}

void conn_pause_writing(struct conn *conn)
{
    ev_io_stop(loop_ev(conn->loop), &conn->write_watcher);
}

enum status conn_flush(struct conn *conn, size_t *sent)
{
    *sent = 0;
    while (conn->out.bytes) {
        if (*sent >= FLUSH_BYTES_MAX)
            return wait_writable(conn);
        size_t offered;
        ssize_t n = send_some(conn, &offered);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? wait_writable(conn) : STATUS_IO;
        outq_consume(&conn->out, (size_t)n);
        *sent += (size_t)n;
        if ((size_t)n < offered)
            return wait_writable(conn);
    }
    if (ev_is_active(&conn->write_watcher))
        ev_io_stop(loop_ev(conn->loop), &conn->write_watcher);
    return STATUS_OK;
}

void conn_shut_down(struct conn *conn)
{
    // It may be broken already.
    (void)shutdown(conn->fd, SHUT_RDWR);
}

static void format_address(const struct sockaddr_storage *address, char out[CONN_NAME_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        snprintf(out, CONN_NAME_MAX, "%s:%d", ip, ntohs(in->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
        snprintf(out, CONN_NAME_MAX, "[%s]:%d", ip, ntohs(in6->sin6_port));
    } else {
        snprintf(out, CONN_NAME_MAX, "?:0");
    }
}

static void unix_name(const struct conn *conn, char out[CONN_NAME_MAX])
{
    struct sockaddr_un address = { 0 };
    socklen_t len = sizeof(address);
    getsockname(conn->fd, (struct sockaddr *)&address, &len);
    snprintf(out, CONN_NAME_MAX, "%.108s:0", address.sun_path);
}

bool conn_is_unix(const struct conn *conn)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);
    getsockname(conn->fd, (struct sockaddr *)&address, &len);
    return address.ss_family == AF_UNIX;
}

void conn_peer_name(const struct conn *conn, char out[CONN_NAME_MAX])
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);
    if (conn_is_unix(conn)) {
        unix_name(conn, out);
        return;
    }
    if (getpeername(conn->fd, (struct sockaddr *)&address, &len) != 0)
        address.ss_family = AF_UNSPEC;
    format_address(&address, out);
}

void conn_local_name(const struct conn *conn, char out[CONN_NAME_MAX])
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);
    if (conn_is_unix(conn)) {
        unix_name(conn, out);
        return;
    }
    if (getsockname(conn->fd, (struct sockaddr *)&address, &len) != 0)
        address.ss_family = AF_UNSPEC;
    format_address(&address, out);
}

bool conn_is_local(const struct conn *conn)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);
    if (getpeername(conn->fd, (struct sockaddr *)&address, &len) != 0)
        return false;
    if (address.ss_family == AF_UNIX)
        return true;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address.ss_family != AF_INET6)
        return false;
    const struct in6_addr *ip6 = &((const struct sockaddr_in6 *)(const void *)&address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip6) || (IN6_IS_ADDR_V4MAPPED(ip6) && ip6->s6_addr[12] == 127);
}

void conn_set_tcp_options(int fd, int keepalive_s)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (keepalive_s <= 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
#ifdef TCP_KEEPIDLE
    // Probes a third of the time apart; three without an answer end the connection.
    int interval_s = keepalive_s / 3 > 0 ? keepalive_s / 3 : 1;
    int probes = 3;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
#endif
}

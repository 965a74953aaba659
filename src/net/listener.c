// SPDX-License-Identifier: BSD-3-Clause
// Listening sockets: see listener.h.
#include "net/listener.h"

#include "base/log.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// How long no connection is taken after one could not be.
#define PAUSE_MS 100

struct listener {
    struct ev_io watcher;
    struct ev_timer pause;  // while there are no descriptors for more connections
    struct loop *loop;
    struct log_limit failures;
    accept_fn accept;
    void *udata;
    int fd;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];  // empty for TCP
};

// Those who wait are still there in a while: trying at once would keep the loop spinning.
static void pause_accepting(struct listener *listener)
{
    const char *reason = strerror(errno);
    uint64_t count = log_limit(&listener->failures, 1);
    if (count)
        log_warning("Accepting client connection: %s; the next try is in %d ms (%llu failed since "
                    "the last line)",
                    reason, PAUSE_MS, (unsigned long long)count);
    ev_io_stop(loop_ev(listener->loop), &listener->watcher);
    ev_timer_set(&listener->pause, PAUSE_MS / 1000.0, 0);
    ev_timer_start(loop_ev(listener->loop), &listener->pause);
}

static void on_pause_over(struct ev_loop *ev, struct ev_timer *timer, int events)
{
    (void)events;
    struct listener *listener = timer->data;
    ev_io_start(ev, &listener->watcher);
}

static void on_connection(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct listener *listener = watcher->data;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->accept(listener->udata, fd, listener->path[0] != '\0');
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            pause_accepting(listener);
        return;
    }
}

static struct listener *listener_new(struct loop *loop, int fd, accept_fn accept, void *udata)
{
    struct listener *listener = mem_alloc_zeroed(sizeof(*listener));
    listener->loop = loop;
    listener->fd = fd;
    listener->accept = accept;
    listener->udata = udata;
    ev_io_init(&listener->watcher, on_connection, fd, EV_READ);
    listener->watcher.data = listener;
    ev_init(&listener->pause, on_pause_over);
    listener->pause.data = listener;
    ev_io_start(loop_ev(loop), &listener->watcher);
    return listener;
}

static int open_socket(const struct addrinfo *info, int backlog)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum status listener_open_tcp(struct loop *loop, const struct listener_tcp *options,
                              accept_fn accept, void *udata, struct listener **out)
{
    const char *address = options->address;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    if (strcmp(address, "*") == 0) {
        hints.ai_family = AF_INET;
        address = NULL;
    } else if (strcmp(address, "::*") == 0) {
        hints.ai_family = AF_INET6;
        address = NULL;
    }
    char port[8];
    snprintf(port, sizeof(port), "%d", options->port);
    struct addrinfo *infos;
    if (getaddrinfo(address, port, &hints, &infos) != 0) {
        errno = EADDRNOTAVAIL;
        return STATUS_IO;
    }
    int fd = -1;
    for (const struct addrinfo *info = infos; info && fd < 0; info = info->ai_next)
        fd = open_socket(info, options->backlog);
    freeaddrinfo(infos);
    if (fd < 0)
        return STATUS_IO;
    *out = listener_new(loop, fd, accept, udata);
    return STATUS_OK;
}

enum status listener_open_unix(struct loop *loop, const char *path, unsigned mode, int backlog,
                               accept_fn accept, void *udata, struct listener **out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen(path) + 1;
    if (size > sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return STATUS_IO;
    struct stat old;
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(path);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!bound || (mode && chmod(path, mode) != 0) || listen(fd, backlog) != 0) {
        int error = errno;
        close(fd);
        if (bound)
            unlink(path);
        errno = error;
        return STATUS_IO;
    }
    *out = listener_new(loop, fd, accept, udata);
    memcpy((*out)->path, path, size);
    return STATUS_OK;
}

void listener_close(struct listener *listener)
{
    ev_io_stop(loop_ev(listener->loop), &listener->watcher);
    ev_timer_stop(loop_ev(listener->loop), &listener->pause);
    close(listener->fd);
    if (listener->path[0])
        unlink(listener->path);
    mem_free(listener, sizeof(*listener));
}

int listener_port(const struct listener *listener)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);
    if (getsockname(listener->fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

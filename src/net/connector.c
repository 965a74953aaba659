// SPDX-License-Identifier: BSD-3-Clause
// Connecting: see connector.h.
#include "net/connector.h"

#include "base/memory.h"
#include "net/alarm.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Of one name; more are not tried.
#define ADDRESSES_MAX 8

#define REASON_MAX 128

// What a look-up yields: one message.
struct found {
    int error;  // of getaddrinfo(), 0: none
    int count;
    struct {
        struct sockaddr_storage address;
        socklen_t len;
    } items[ADDRESSES_MAX];
};

struct connector {
    struct loop *loop;
    connected_fn connected;
    void *udata;
    struct found found;
    struct found source;
    int next;             // address to be tried
    int fd;               // that is being connected, or on which the look-up's result will come; -1
    struct ev_io answer;  // of the look-up
    struct ev_io writable;  // connected, or not
    struct alarm soon;
    char reason[REASON_MAX];  // why the last try failed
};

// --- Looking up ---------------------------------------------------------------------------------

static void look_up(const char *host, int port, int flags, struct found *out)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = flags | AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    *out = (struct found){ .error = getaddrinfo(host, service, &hints, &list) };
    if (out->error)
        return;
    for (const struct addrinfo *at = list; at && out->count < ADDRESSES_MAX; at = at->ai_next) {
        memcpy(&out->items[out->count].address, at->ai_addr, at->ai_addrlen);
        out->items[out->count++].len = at->ai_addrlen;
    }
    freeaddrinfo(list);
}

// The thread's own. Its memory is the C library's: the counters of base/memory are for threads that stay.
struct question {
    int fd;
    int port;
    char host[];
};

static void *answer_question(void *udata)
{
    struct question *question = udata;
    struct found found;
    look_up(question->host, question->port, 0, &found);
    // If nobody waits any more, nobody hears.
    (void)send(question->fd, &found, sizeof(found), MSG_NOSIGNAL);
    close(question->fd);
    free(question);
    return NULL;
}

// The thread must not run handlers of signals that are meant for the loop's.
static int start_thread(struct question *question)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, answer_question, question);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_detach(thread);
    return error;
}

// The descriptor that the result will come on, or -1 with errno.
static int ask(const char *host, int port)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    size_t len = strlen(host) + 1;
    struct question *question = malloc(sizeof(*question) + len);
    int error = question ? 0 : ENOMEM;
    if (question) {
        question->fd = ends[1];
        question->port = port;
        memcpy(question->host, host, len);
        error = start_thread(question);
    }
    if (!error)
        return ends[0];
    free(question);
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

// --- Connecting ---------------------------------------------------------------------------------

static void let_go(struct connector *connector)
{
    ev_io_stop(loop_ev(connector->loop), &connector->answer);
    ev_io_stop(loop_ev(connector->loop), &connector->writable);
    alarm_clear(&connector->soon);
    if (connector->fd >= 0)
        close(connector->fd);
    connector->fd = -1;
}

void connector_cancel(struct connector *connector)
{
    if (!connector)
        return;
    let_go(connector);
    mem_free(connector, sizeof(*connector));
}

static void finish(struct connector *connector, int fd)
{
    connected_fn connected = connector->connected;
    void *udata = connector->udata;
    char reason[REASON_MAX];
    memcpy(reason, connector->reason, sizeof(reason));
    connector->fd = -1;
    connector_cancel(connector);
    connected(udata, fd, fd >= 0 ? NULL : reason);
}

static void note_error(struct connector *connector, int error)
{
    snprintf(connector->reason, sizeof(connector->reason), "%s", strerror(error));
}

// False: errno is set.
static bool bind_source(const struct connector *connector, int fd, int family)
{
    if (!connector->source.count)
        return true;
    for (int i = 0; i < connector->source.count; i++) {
        const struct sockaddr *address = (const void *)&connector->source.items[i].address;
        if (address->sa_family == family)
            return bind(fd, address, connector->source.items[i].len) == 0;
    }
    errno = EADDRNOTAVAIL;
    return false;
}

// Begins to connect to the next address; false: that has failed, the reason is noted.
static bool try_next(struct connector *connector)
{
    const struct sockaddr *address = (const void *)&connector->found.items[connector->next].address;
    socklen_t len = connector->found.items[connector->next++].len;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_source(connector, fd, address->sa_family) &&
        (connect(fd, address, len) == 0 || errno == EINPROGRESS)) {
        connector->fd = fd;
        ev_io_set(&connector->writable, fd, EV_WRITE);
        ev_io_start(loop_ev(connector->loop), &connector->writable);
        return true;
    }
    note_error(connector, errno);
    if (fd >= 0)
        close(fd);
    return false;
}

static void try_addresses(void *udata)
{
    struct connector *connector = udata;
    while (connector->next < connector->found.count) {
        if (try_next(connector))
            return;
    }
    finish(connector, -1);
}

static void on_writable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)events;
    struct connector *connector = watcher->data;
    int error = 0;
    socklen_t len = sizeof(error);
    ev_io_stop(ev, watcher);
    if (getsockopt(connector->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (!error) {
        finish(connector, connector->fd);
        return;
    }
    note_error(connector, error);
    let_go(connector);
    try_addresses(connector);
}

static void on_answer(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    struct connector *connector = watcher->data;
    struct found *found = &connector->found;
    ssize_t got = recv(connector->fd, found, sizeof(*found), 0);
    let_go(connector);
    if (got != (ssize_t)sizeof(*found))
        *found = (struct found){ .error = EAI_FAIL };
    if (found->error)
        snprintf(connector->reason, sizeof(connector->reason), "can't resolve the name: %s",
                 gai_strerror(found->error));
    try_addresses(connector);
}

struct connector *connector_start(struct loop *loop, const struct connector_options *options,
                                  connected_fn connected, void *udata)
{
    struct connector *connector = mem_alloc_zeroed(sizeof(*connector));
    connector->loop = loop;
    connector->connected = connected;
    connector->udata = udata;
    connector->fd = -1;
    ev_io_init(&connector->answer, on_answer, -1, EV_READ);
    connector->answer.data = connector;
    ev_io_init(&connector->writable, on_writable, -1, EV_WRITE);
    connector->writable.data = connector;
    alarm_init(&connector->soon, loop, try_addresses, connector);

    bool from_any = !options->source || !options->source[0];
    if (!from_any)
        look_up(options->source, 0, AI_NUMERICHOST, &connector->source);
    look_up(options->host, options->port, AI_NUMERICHOST, &connector->found);
    if (!from_any && connector->source.error) {
        connector->found.count = 0;
        snprintf(connector->reason, sizeof(connector->reason), "%s is no address to connect from",
                 options->source);
    } else if (connector->found.error) {
        connector->fd = ask(options->host, options->port);
        if (connector->fd < 0)
            note_error(connector, errno);
    }
    if (connector->fd < 0) {
        alarm_set(&connector->soon, 0);
        return connector;
    }
    ev_io_set(&connector->answer, connector->fd, EV_READ);
    ev_io_start(loop_ev(loop), &connector->answer);
    return connector;
}

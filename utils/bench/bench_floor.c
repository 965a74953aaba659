// SPDX-License-Identifier: BSD-3-Clause
// A server that parses nothing: the floor of what a server with one thread costs on this machine.
//
//   bench_floor PORT FILE [PAUSE_US]
//
// It counts the requests that arrive on 127.0.0.1 and answers each with the bytes of FILE, one
// reply of a real server, whatever it asks for. So what it costs is the sockets: one epoll_wait a
// turn, for each connection with requests one recv and, when all have been read, one send, as
// Respite does it. SIGTERM ends it. With PAUSE_US it sleeps that long after each turn, so that the
// next one finds more connections ready: what is then saved is what being woken often costs.
//
// A request is counted as its '*' arrives, wherever reads cut it: that is right as long as nothing
// else in a request is one, which holds of all that redis-benchmark and the commands of bench.sh
// send. A reply may then be on its way before the end of its request is here, which a client does
// not notice: it waits until it has sent everything before it reads.
//
// Replies wait ready in a row, so that those of a pipeline are one send, up to ROW_BYTES. A
// connection that does not take them is not read from until it has.
#include "connect.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES  65536
#define ROW_BYTES   (256u << 10)  // of replies in a row, or one that is larger
#define REPLY_BYTES (16u << 20)   // the largest reply
#define LANE_BYTES  128           // of requests counted at a time: at most 255
#define LINKS       1024
#define EVENTS      256
#define BACKLOG     511

// Copies of the reply, one behind the other.
struct row {
    char *data;
    size_t len;
    size_t reply_len;
};

struct link {
    int fd;
    bool waits;      // until the socket takes more
    size_t at;       // in the reply whose rest is due
    uint64_t bytes;  // of replies that are due
};

struct floor {
    int poll;
    int listener;
    useconds_t pause_us;  // after each turn
    struct row row;
    struct link links[LINKS];  // by their sockets
    struct link *due[EVENTS];  // those of this turn that have something to send
    int due_count;
};

// ---- the reply ----------------------------------------------------------------------------------

static char *read_reply(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *data = malloc(REPLY_BYTES);
    if (!file || !data)
        fail("cannot read the reply's file");
    *len = fread(data, 1, REPLY_BYTES, file);
    if (*len == 0 || *len == REPLY_BYTES)
        fail("the reply is empty or too large");
    fclose(file);
    return data;
}

static void make_row(struct row *row, const char *path)
{
    char *reply = read_reply(path, &row->reply_len);
    size_t copies = row->reply_len < ROW_BYTES ? ROW_BYTES / row->reply_len : 1;
    row->len = copies * row->reply_len;
    row->data = malloc(row->len);
    if (!row->data)
        fail("no memory");
    for (size_t at = 0; at < row->len; at += row->reply_len)
        memcpy(row->data + at, reply, row->reply_len);
    free(reply);
}

// ---- connections --------------------------------------------------------------------------------

static void watch(struct floor *floor, int how, int fd, uint32_t events, struct link *link)
{
    struct epoll_event event = { .events = events, .data.ptr = link };
    if (epoll_ctl(floor->poll, how, fd, &event) != 0)
        fail("epoll_ctl");
}

static void accept_link(struct floor *floor)
{
    int fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        fail("cannot set TCP_NODELAY");
    if (fd >= LINKS)
        fail("too many connections");
    floor->links[fd] = (struct link){ .fd = fd };
    watch(floor, EPOLL_CTL_ADD, fd, EPOLLIN, &floor->links[fd]);
}

// Lanes of a known size, whose counts fit in bytes, are what the compiler vectorises.
static size_t count_requests(const char *data, size_t len)
{
    size_t count = 0;
    size_t at = 0;
    for (; len - at >= LANE_BYTES; at += LANE_BYTES) {
        uint8_t stars = 0;
        for (size_t i = 0; i < LANE_BYTES; i++)
            stars += data[at + i] == '*';
        count += stars;
    }
    for (; at < len; at++)
        count += data[at] == '*';
    return count;
}

// False when the link is gone.
static bool receive(struct floor *floor, struct link *link)
{
    static char buffer[READ_BYTES];
    ssize_t got = recv(link->fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        close(link->fd);
        return false;
    }
    link->bytes += count_requests(buffer, (size_t)got) * floor->row.reply_len;
    return true;
}

// As much as the socket takes. False when the link is gone.
static bool send_replies(const struct row *row, struct link *link)
{
    while (link->bytes > 0) {
        size_t rest = row->len - link->at;
        size_t len = link->bytes < rest ? (size_t)link->bytes : rest;
        ssize_t sent = send(link->fd, row->data + link->at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent < 0) {
            close(link->fd);
            return false;
        }
        link->at = (link->at + (size_t)sent) % row->reply_len;
        link->bytes -= (uint64_t)sent;
        if ((size_t)sent < len)
            return true;
    }
    return true;
}

static void flush_due(struct floor *floor)
{
    for (int i = 0; i < floor->due_count; i++) {
        struct link *link = floor->due[i];
        if (!send_replies(&floor->row, link))
            continue;
        bool waits = link->bytes > 0;
        if (waits != link->waits)
            watch(floor, EPOLL_CTL_MOD, link->fd, waits ? EPOLLOUT : EPOLLIN, link);
        link->waits = waits;
    }
    floor->due_count = 0;
}

// ---- program ------------------------------------------------------------------------------------

static void serve(struct floor *floor)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(floor->poll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
        struct link *link = events[i].data.ptr;
        if (!link)
            accept_link(floor);
        else if ((link->waits || receive(floor, link)) && link->bytes > 0)
            floor->due[floor->due_count++] = link;
    }
    flush_due(floor);
    if (floor->pause_us)
        usleep(floor->pause_us);
}

static void start_listening(struct floor *floor, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    floor->listener = make_socket();
    if (setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(floor->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(floor->listener, BACKLOG) != 0)
        fail("cannot listen on that port");
    watch(floor, EPOLL_CTL_ADD, floor->listener, EPOLLIN, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        fail("usage: bench_floor PORT FILE [PAUSE_US]");
    struct floor floor = { .poll = epoll_create1(EPOLL_CLOEXEC) };
    if (floor.poll < 0)
        fail("epoll_create1");
    if (argc == 4)
        floor.pause_us = (useconds_t)option_number(argv[3], 1000000);
    make_row(&floor.row, argv[2]);
    start_listening(&floor, (uint16_t)option_number(argv[1], UINT16_MAX));
    while (true)
        serve(&floor);
}

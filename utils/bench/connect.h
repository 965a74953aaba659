// SPDX-License-Identifier: BSD-3-Clause
// What the load programs share: a connection to a server on this machine.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

__attribute__((noreturn)) static inline void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

// A TCP socket for connect_local_with().
static inline int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("cannot make a socket");
    return fd;
}

// Connects the socket to 127.0.0.1, blocking and without Nagle's delay; ends the program if that
// fails.
static inline int connect_local_with(int fd, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        fail("cannot set TCP_NODELAY");
    return fd;
}

static inline int connect_local(uint16_t port)
{
    return connect_local_with(make_socket(), port);
}

// Sends all of it, waiting for room.
static inline void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            fail("the server closed the connection");
        data += sent;
        len -= (size_t)sent;
    }
}

// A whole number of an option, 0 to `max`.
static inline uint64_t option_number(const char *text, uint64_t max)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number > max)
        fail("an option wants another number");
    return number;
}

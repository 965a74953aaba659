// SPDX-License-Identifier: BSD-3-Clause
// Telling systemd how the service is doing: lines of NAME=VALUE in a datagram to the socket that
// NOTIFY_SOCKET names, as sd_notify(3) describes it.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    struct sockaddr_un address;
    socklen_t len;
};

// Takes the socket's name: an absolute path, or '@' and an abstract name. False: it is neither.
bool notify_init(struct notify *notify, const char *name);

// Sends the lines; that nobody takes them is logged and changes nothing.
void notify_send(const struct notify *notify, const char *lines);

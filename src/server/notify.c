// SPDX-License-Identifier: BSD-3-Clause
// Telling systemd how the service is doing: see notify.h.
#include "server/notify.h"

#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

bool notify_init(struct notify *notify, const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(notify->address.sun_path))
        return false;
    notify->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(notify->address.sun_path, name, len);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

void notify_send(const struct notify *notify, const char *lines)
{
    size_t len = strlen(lines);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = { .tv_sec = 1 };
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    bool sent = fd >= 0 &&
                sendto(fd, lines, len, MSG_NOSIGNAL, (const struct sockaddr *)&notify->address,
                       notify->len) == (ssize_t)len;
    if (!sent)
        log_warning("Can't tell systemd (NOTIFY_SOCKET): %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

// SPDX-License-Identifier: BSD-3-Clause
// Small files, whole: see file.h.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

enum status file_read(int fd, size_t max_bytes, struct bytes *out)
{
    for (size_t total = 0;;) {
        char *room = bytes_reserve(out, READ_STEP);
        ssize_t got = read(fd, room, READ_STEP);
        if (got == 0)
            return STATUS_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_IO;
        out->len += (size_t)got;
        total += (size_t)got;
        if (total > max_bytes)
            return STATUS_FULL;
    }
}

static bool write_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t done = write(fd, text.ptr, text.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        text.ptr += done;
        text.len -= (size_t)done;
    }
    return true;
}

// Mode and owner of the file that is replaced, if there is one.
static bool take_rights(int fd, const char *path)
{
    struct stat old;
    if (stat(path, &old) != 0)
        return errno == ENOENT;
    // Only root may give a file away; the mode is set behind it, which would drop some bits.
    if ((old.st_uid != geteuid() || old.st_gid != getegid()) &&
        fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
        return false;
    return fchmod(fd, old.st_mode & 07777) == 0;
}

static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + (slash == path) : 1;
    snprintf(folder, sizeof(folder), "%.*s", len, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    // Some file systems can't sync a folder, and say so with EINVAL.
    bool done = fsync(fd) == 0 || errno == EINVAL;
    close(fd);
    return done;
}

enum status file_replace(const char *path, struct slice text)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return STATUS_IO;
    bool written = take_rights(fd, path) && write_all(fd, text) && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && written) {
        written = false;
        why = errno;
    }
    if (written && rename(temporary, path) == 0)
        return sync_folder(path) ? STATUS_OK : STATUS_IO;
    if (written)
        why = errno;
    unlink(temporary);
    errno = why;
    return STATUS_IO;
}

// SPDX-License-Identifier: BSD-3-Clause
// Cutting the damaged end off an append-only file: see aof_cut.h.
#include "persist/aof_cut.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define COPY_BYTES 65536

// Names that are tried.
#define NAMES_MAX 1000

// A new file: what was cut off before stays. -1: errno is set.
static int make_kept(const char *path, uint64_t keep, char kept[PATH_MAX])
{
    int fd = -1;
    for (int i = 0; i < NAMES_MAX && fd < 0; i++) {
        char suffix[16] = "";
        if (i > 0)
            snprintf(suffix, sizeof(suffix), ".%d", i);
        int len = snprintf(kept, PATH_MAX, "%s.cut-%llu%s", path, (unsigned long long)keep, suffix);
        if (len < 0 || len >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return fd;
}

static bool copy_tail(int from, int to, uint64_t at, uint64_t end)
{
    char buf[COPY_BYTES];
    while (at < end) {
        ssize_t got = pread(from, buf, sizeof(buf), (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;  // it has become shorter: somebody else is at it
        if (got <= 0 ||
            file_write(to, (struct slice){ .ptr = buf, .len = (size_t)got }) != STATUS_OK)
            return false;
        at += (uint64_t)got;
    }
    return fsync(to) == 0;
}

enum status aof_cut(int fd, const char *path, uint64_t size, uint64_t keep, char kept[PATH_MAX])
{
    int copy = make_kept(path, keep, kept);
    if (copy < 0)
        return STATUS_IO;
    bool done = copy_tail(fd, copy, keep, size) && file_sync_folder(kept) == STATUS_OK;
    int why = errno;
    close(copy);
    if (!done) {
        unlink(kept);
        errno = why;
        return STATUS_IO;
    }
    return ftruncate(fd, (off_t)keep) == 0 && fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
}

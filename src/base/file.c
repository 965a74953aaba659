// SPDX-License-Identifier: BSD-3-Clause
// Small files, whole: see file.h.
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

// Between the target's name and six letters: nobody else's files look like that.
#define DRAFT_MARK   ".draft-"
#define DRAFT_RANDOM 6

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

enum status file_write(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return STATUS_IO;
        bytes.ptr += done;
        bytes.len -= (size_t)done;
    }
    return STATUS_OK;
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

static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + (slash == path) : 1;
    snprintf(folder, PATH_MAX, "%.*s", len, slash ? path : ".");
}

enum status file_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return STATUS_IO;
    // Some file systems can't sync a folder, and say so with EINVAL.
    bool done = fsync(fd) == 0 || errno == EINVAL;
    int why = errno;
    close(fd);
    errno = why;
    return done ? STATUS_OK : STATUS_IO;
}

enum status file_draft_begin(struct file_draft *draft, const char *target)
{
    draft->target = target;
    int len = snprintf(draft->path, sizeof(draft->path), "%s" DRAFT_MARK "XXXXXX", target);
    if (len < 0 || (size_t)len >= sizeof(draft->path)) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    draft->fd = mkostemp(draft->path, O_CLOEXEC);
    if (draft->fd < 0)
        return STATUS_IO;
    if (take_rights(draft->fd, target))
        return STATUS_OK;
    file_draft_drop(draft);
    return STATUS_IO;
}

enum status file_draft_commit(struct file_draft *draft)
{
    if (fsync(draft->fd) != 0) {
        file_draft_drop(draft);
        return STATUS_IO;
    }
    int fd = draft->fd;
    draft->fd = -1;
    if (close(fd) != 0 || rename(draft->path, draft->target) != 0) {
        file_draft_drop(draft);
        return STATUS_IO;
    }
    return file_sync_folder(draft->target);
}

void file_draft_drop(struct file_draft *draft)
{
    int why = errno;
    if (draft->fd >= 0)
        close(draft->fd);
    unlink(draft->path);
    draft->fd = -1;
    errno = why;
}

size_t file_drafts_remove(const char *target)
{
    char folder[PATH_MAX];
    char mark[NAME_MAX + 1];
    const char *slash = strrchr(target, '/');
    folder_of(target, folder);
    int len = snprintf(mark, sizeof(mark), "%s" DRAFT_MARK, slash ? slash + 1 : target);
    DIR *dir = len > 0 && (size_t)len < sizeof(mark) ? opendir(folder) : NULL;
    if (!dir)
        return 0;
    size_t count = 0;
    const struct dirent *file;
    while ((file = readdir(dir)) != NULL) {
        if (strncmp(file->d_name, mark, (size_t)len) == 0 &&
            strlen(file->d_name) == (size_t)len + DRAFT_RANDOM)
            count += unlinkat(dirfd(dir), file->d_name, 0) == 0;
    }
    closedir(dir);
    return count;
}

enum status file_replace(const char *path, struct slice text)
{
    struct file_draft draft;
    if (file_draft_begin(&draft, path) != STATUS_OK)
        return STATUS_IO;
    if (file_write(draft.fd, text) == STATUS_OK)
        return file_draft_commit(&draft);
    file_draft_drop(&draft);
    return STATUS_IO;
}

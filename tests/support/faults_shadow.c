// SPDX-License-Identifier: BSD-3-Clause
// What a disk would have if the power went now: the shadow that the preloaded library of disk faults keeps.
//
// A power cut is played by ending the server with SIGKILL and putting the shadow in the place of its folder
// (support/disk.c). A killed process alone proves nothing about syncs: the kernel still has all that was written.
//
// The shadow believes no more than POSIX promises:
//   - a file has the bytes that it had when the last sync of it began that has succeeded;
//   - a folder has the names that it had when the last sync of it (of the folder) began that has succeeded: a new
//     file is gone without that, even if it was synced itself, a rename has not happened, what was deleted is there again;
//   - what a failed sync should have covered is zeros from then on, also when a later sync succeeds: the kernel
//     takes such pages for clean.
//
// Files go by their inodes. A file that the shadow knows is linked into its pins, so that nobody else gets its
// number while it lives there. Bytes are copied from where the last sync left off; a file that is not opened for appending,
// or has been cut since, is copied whole.
#include "support/faults.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define FILES_MAX 256
#define COPY_STEP 65536

// How far the bytes of a file are known, by this process.
struct known {
    ino_t inode;
    off_t len;        // so many are in the shadow, and have not changed since
    off_t lost_from;  // what a failed sync left behind
    off_t lost_to;
};

// The lock guards `files`.
static struct {
    pthread_mutex_t lock;
    char dir[PATH_MAX / 2];
    struct known files[FILES_MAX];
    unsigned next;  // place for a new one
} shadow = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "faults: the shadow of the disk: %s: %s\n", what, strerror(errno));
    abort();
}

static void path_in(char out[PATH_MAX], const char *part, unsigned long long inode)
{
    snprintf(out, PATH_MAX, "%s/%s/%llu", shadow.dir, part, inode);
}

static unsigned long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

static struct known *find(ino_t inode)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        if (shadow.files[i].inode == inode)
            return &shadow.files[i];
    }
    return NULL;
}

static struct known *find_or_add(ino_t inode)
{
    struct known *known = find(inode);
    if (known)
        return known;
    known = &shadow.files[shadow.next++ % FILES_MAX];
    *known = (struct known){ .inode = inode };
    return known;
}

static void pin(const char *path, ino_t inode)
{
    char name[PATH_MAX];
    path_in(name, SHADOW_PINS, inode);
    // It may be gone already: then no name of it is kept either.
    if (linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST &&
        errno != ENOENT)
        fail(path);
}

// Puts bytes in the place of a file of the shadow, whole or not at all.
static void put_file(const char *path, const char *bytes, size_t len)
{
    static unsigned count;
    char draft[PATH_MAX];
    unsigned number = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
    snprintf(draft, sizeof(draft), "%s/draft-%d-%u", shadow.dir, getpid(), number);
    int fd = sys_open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || sys_write(fd, bytes, len) != (ssize_t)len)
        fail(draft);
    close(fd);
    if (sys_rename(draft, path) != 0)
        fail(path);
}

// --- Files --------------------------------------------------------------------------------------

static char *read_range(int fd, off_t from, size_t len)
{
    char *bytes = malloc(len + 1);
    if (!bytes)
        fail("memory");
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, bytes + done, len - done, from + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail("reading");
        // Somebody cuts the file meanwhile.
        if (got == 0)
            memset(bytes + done, 0, len - done);
        done += got == 0 ? len - done : (size_t)got;
    }
    return bytes;
}

static void file_begin(struct shadow_sync *sync, int fd, off_t size)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    int reader = sys_open(link, O_RDONLY | O_CLOEXEC, 0);
    if (reader < 0)
        fail(link);
    pthread_mutex_lock(&shadow.lock);
    const struct known *known = find_or_add(sync->inode);
    bool grows = fcntl(fd, F_GETFL) & O_APPEND && known->len <= size;
    sync->from = grows ? known->len : 0;
    pthread_mutex_unlock(&shadow.lock);
    sync->len = (size_t)(size - sync->from);
    sync->bytes = read_range(reader, sync->from, sync->len);
    close(reader);
    pin(link, sync->inode);
}

// With the lock.
static void blank_what_was_lost(const struct known *known, struct shadow_sync *sync)
{
    off_t from = known->lost_from > sync->from ? known->lost_from : sync->from;
    off_t end = sync->from + (off_t)sync->len;
    off_t to = known->lost_to < end ? known->lost_to : end;
    if (from < to)
        memset(sync->bytes + (from - sync->from), 0, (size_t)(to - from));
}

static void file_done(struct known *known, struct shadow_sync *sync)
{
    char path[PATH_MAX];
    path_in(path, SHADOW_BYTES, sync->inode);
    blank_what_was_lost(known, sync);
    if (sync->from == 0) {
        put_file(path, sync->bytes, sync->len);
    } else {
        int fd = sys_open(path, O_WRONLY | O_CLOEXEC, 0);
        if (fd < 0 || sys_pwrite(fd, sync->bytes, sync->len, sync->from) != (ssize_t)sync->len)
            fail(path);
        close(fd);
    }
    known->len = sync->from + (off_t)sync->len;
}

static void file_lost(struct known *known, const struct shadow_sync *sync)
{
    off_t from = known->len < sync->from ? known->len : sync->from;
    off_t to = sync->from + (off_t)sync->len;
    if (known->lost_from == known->lost_to || from < known->lost_from)
        known->lost_from = from;
    if (to > known->lost_to)
        known->lost_to = to;
}

static void file_end(struct shadow_sync *sync, enum sync_outcome outcome)
{
    pthread_mutex_lock(&shadow.lock);
    struct known *known = find_or_add(sync->inode);
    if (outcome == SYNC_DONE)
        file_done(known, sync);
    else if (outcome == SYNC_FAILED)
        file_lost(known, sync);
    pthread_mutex_unlock(&shadow.lock);
}

void shadow_cut(int fd, off_t len)
{
    struct stat info;
    int kept = errno;
    if (!shadow_is_on() || fstat(fd, &info) != 0)
        return;
    pthread_mutex_lock(&shadow.lock);
    struct known *known = find(info.st_ino);
    if (known && known->len > len)
        known->len = 0;
    if (known && known->lost_to > len)
        known->lost_to = len > known->lost_from ? len : known->lost_from;
    pthread_mutex_unlock(&shadow.lock);
    errno = kept;
}

// --- Folders ------------------------------------------------------------------------------------

// The lines that tell what is in a folder.
static char *list_names(const char *folder, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    DIR *dir = opendir(folder);
    if (!out || !dir)
        fail(folder);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bool is_dir = entry->d_type == DT_DIR;
        if (!is_dir && snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
            pin(path, entry->d_ino);
        fprintf(out, SHADOW_NAME_LINE, is_dir ? 'd' : 'f', (unsigned long long)entry->d_ino,
                entry->d_name);
    }
    closedir(dir);
    if (fclose(out) != 0)
        fail(folder);
    return text;
}

// The listing that began last counts, whoever ends last.
static void folder_done(const struct shadow_sync *sync)
{
    char path[PATH_MAX];
    char stamp_path[PATH_MAX];
    unsigned long long stamp = 0;
    snprintf(path, sizeof(path), "%s/lock", shadow.dir);
    int lock = sys_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        fail(path);
    snprintf(stamp_path, sizeof(stamp_path), "%s/stamp-%llu", shadow.dir,
             (unsigned long long)sync->inode);
    int fd = sys_open(stamp_path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        if (read(fd, &stamp, sizeof(stamp)) != (ssize_t)sizeof(stamp))
            stamp = 0;
        close(fd);
    }
    if (stamp <= sync->began_ns) {
        path_in(path, SHADOW_NAMES, sync->inode);
        put_file(path, sync->bytes, sync->len);
        put_file(stamp_path, (const char *)&sync->began_ns, sizeof(sync->began_ns));
    }
    close(lock);
}

// --- A sync -------------------------------------------------------------------------------------

bool shadow_is_on(void)
{
    return shadow.dir[0] != '\0';
}

void shadow_sync_begin(struct shadow_sync *sync, int fd, bool is_dir)
{
    struct stat info;
    char link[32];
    *sync = (struct shadow_sync){ .is_dir = is_dir };
    if (!shadow_is_on())
        return;
    if (fstat(fd, &info) != 0)
        fail("fstat");
    sync->inode = info.st_ino;
    sync->began_ns = now_ns();
    if (!is_dir) {
        file_begin(sync, fd, info.st_size);
        return;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    sync->bytes = list_names(link, &sync->len);
}

void shadow_sync_end(struct shadow_sync *sync, enum sync_outcome outcome)
{
    if (!shadow_is_on())
        return;
    if (!sync->is_dir)
        file_end(sync, outcome);
    else if (outcome == SYNC_DONE)
        folder_done(sync);
    free(sync->bytes);
}

// --- Starting -----------------------------------------------------------------------------------

static void copy_file(const char *path, ino_t inode)
{
    char to[PATH_MAX];
    struct stat info;
    int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &info) != 0)
        fail(path);
    char *bytes = read_range(fd, 0, (size_t)info.st_size);
    close(fd);
    path_in(to, SHADOW_BYTES, inode);
    put_file(to, bytes, (size_t)info.st_size);
    free(bytes);
    find_or_add(inode)->len = info.st_size;
}

// All that a folder holds is on the disk.
static void take_folder(const char *folder)
{
    size_t len;
    struct stat info;
    char to[PATH_MAX];
    if (stat(folder, &info) != 0)
        fail(folder);
    char *names = list_names(folder, &len);
    path_in(to, SHADOW_NAMES, info.st_ino);
    put_file(to, names, len);
    char *rest;
    for (const char *line = strtok_r(names, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char type;
        unsigned long long inode;
        char path[PATH_MAX];
        const char *name = shadow_name_line(line, &type, &inode);
        if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX)
            fail(name);
        if (type == 'd')
            take_folder(path);
        else
            copy_file(path, (ino_t)inode);
    }
    free(names);
}

void shadow_init(const char *dir)
{
    static const char *const parts[] = { SHADOW_BYTES, SHADOW_PINS, SHADOW_NAMES };
    char path[PATH_MAX];
    const char *given = getenv("FAULTS_SHADOW");
    if (!given || !given[0])
        return;
    if (snprintf(shadow.dir, sizeof(shadow.dir), "%s", given) >= (int)sizeof(shadow.dir))
        fail(given);
    snprintf(path, sizeof(path), "%s/%s", shadow.dir, SHADOW_READY);
    if (access(path, F_OK) == 0)
        return;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        snprintf(path, sizeof(path), "%s/%s", shadow.dir, parts[i]);
        if (syscall(SYS_mkdirat, AT_FDCWD, path, 0700) != 0 && errno != EEXIST)
            fail(path);
    }
    take_folder(dir);
    snprintf(path, sizeof(path), "%s/%s", shadow.dir, SHADOW_READY);
    put_file(path, "", 0);
}

void shadow_before_fork(void)
{
    pthread_mutex_lock(&shadow.lock);
}

void shadow_after_fork(void)
{
    pthread_mutex_unlock(&shadow.lock);
}

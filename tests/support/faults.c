// SPDX-License-Identifier: BSD-3-Clause
// A disk that fails on demand: a library to preload into a server (LD_PRELOAD=.../faults.so), ours or redis-server.
//
// It stands in front of the calls that change files: write, open, fsync, fdatasync, rename, unlink, truncate, mkdir, in all
// their forms, and lets everything pass that is not below the folder FAULTS_DIR (an absolute path without
// links in it). What a program writes with stdio is not seen.
//
//   FAULTS_DIR       the folder; without it nothing happens
//   FAULTS           rules
//   FAULTS_CONTROL   a file of rules, which replace those that held before when it changes; read before the next call.
//                    To be put there by rename
//   FAULTS_SHADOW    a folder, on the same file system but not below FAULTS_DIR, that will hold what a disk would
//                    have if the power went now: faults_shadow.c
//
// Rules, with commas between them: CALL[:from=N][:count=N][:path=TEXT][:dir|:file]:ACTION
//
//   CALL     write (pwrite, writev ...), open (creat, mkostemp ...), fsync, fdatasync, sync (both of them), rename, unlink,
//            truncate, mkdir, any
//   from     the rule applies from the N-th call on that it is for; count: to so many. Each process counts from
//            the time when it read the rules; a forked child goes on where its parent was
//   path     only if the file's path (of a rename: its new one) has this in it
//   dir      only for folders, file: only for what is none
//   ACTION   error=ENOSPC|EIO|...   it fails, and nothing is done
//            short                  half of it is written
//            nothing                it succeeds, and nothing is done
//            delay=MICROSECONDS     first nothing happens for this long; then what another rule says
//
//   FAULTS=fdatasync:delay=500000                 a slow disk
//   FAULTS=write:from=3:count=1:error=ENOSPC      the third write fails
#include "support/faults.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

#define LETTERS      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define LETTER_COUNT (sizeof(LETTERS) - 1)

// Set before there are threads.
static char faults_dir[PATH_MAX];
static size_t faults_dir_len;

// --- Whom it concerns ---------------------------------------------------------------------------

static bool is_below(const char *path)
{
    return strncmp(path, faults_dir, faults_dir_len) == 0 &&
           (path[faults_dir_len] == '/' || path[faults_dir_len] == '\0');
}

// Whether anything is to be thought about: most calls end here.
static bool is_on(enum call call)
{
    return faults_dir_len > 0 && rules_want(call);
}

static bool fd_path(int fd, char path[PATH_MAX])
{
    char entry[32];
    int kept = errno;
    snprintf(entry, sizeof(entry), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(entry, path, PATH_MAX - 1);
    path[len < 0 ? 0 : len] = '\0';
    errno = kept;
    return is_below(path);
}

// False: it is of no concern, or too long.
static bool full_path(int at, const char *path, char out[PATH_MAX])
{
    char folder[PATH_MAX] = "";
    int kept = errno;
    if (path[0] != '/' && at == AT_FDCWD && !getcwd(folder, sizeof(folder)))
        folder[0] = '\0';
    else if (path[0] != '/' && at != AT_FDCWD)
        (void)fd_path(at, folder);
    errno = kept;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    int len = snprintf(out, PATH_MAX, "%s%s%s", folder, folder[0] ? "/" : "", path);
    return len < PATH_MAX && is_below(out);
}

static bool is_folder(int fd)
{
    struct stat info;
    int kept = errno;
    bool folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    errno = kept;
    return folder;
}

static void wait_us(unsigned long long us)
{
    if (us == 0)
        return;
    struct timespec left = { .tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

// True: the call is not to be made, and this is its result.
static bool is_settled(const struct verdict *verdict, long *result)
{
    if (verdict->error) {
        errno = verdict->error;
        *result = -1;
        return true;
    }
    *result = 0;
    return verdict->nothing;
}

// The system's headers call parameters __fd and the like.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)

// --- write --------------------------------------------------------------------------------------

// True: settled. False: `len` bytes are to be written.
static bool judge_write(int fd, size_t *len, long *result)
{
    char path[PATH_MAX];
    if (!is_on(CALL_WRITE) || !fd_path(fd, path))
        return false;
    struct verdict verdict = rules_judge(CALL_WRITE, path, false);
    wait_us(verdict.delay_us);
    size_t whole = *len;
    if (verdict.half && *len > 1)
        *len /= 2;
    if (!is_settled(&verdict, result))
        return false;
    *result = *result < 0 ? -1 : (long)whole;
    return true;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    long result;
    return judge_write(fd, &len, &result) ? result : sys_write(fd, bytes, len);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    long result;
    return judge_write(fd, &len, &result) ? result : sys_pwrite(fd, bytes, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return pwrite(fd, bytes, len, at);
}

// A short one writes half of its first piece.
EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    long result;
    size_t whole = 0;
    for (int i = 0; i < count; i++)
        whole += pieces[i].iov_len;
    size_t len = whole;
    if (judge_write(fd, &len, &result))
        return result;
    if (len == whole)
        return syscall(SYS_writev, fd, pieces, count);
    return sys_write(fd, pieces[0].iov_base, (pieces[0].iov_len + 1) / 2);
}

// --- fsync, fdatasync ---------------------------------------------------------------------------

static int sync_file(enum call call, int fd)
{
    char path[PATH_MAX];
    struct verdict verdict = { 0 };
    struct shadow_sync sync;
    long result = 0;
    int number = call == CALL_FSYNC ? SYS_fsync : SYS_fdatasync;
    bool wanted = faults_dir_len > 0 && (shadow_is_on() || rules_want(call));
    if (!wanted || !fd_path(fd, path))
        return (int)syscall(number, fd);
    bool is_dir = is_folder(fd);
    if (rules_want(call))
        verdict = rules_judge(call, path, is_dir);
    shadow_sync_begin(&sync, fd, is_dir);
    wait_us(verdict.delay_us);
    bool settled = is_settled(&verdict, &result);
    if (!settled)
        result = syscall(number, fd);
    int kept = errno;
    enum sync_outcome outcome = settled ? SYNC_SKIPPED : SYNC_DONE;
    if (result != 0)
        outcome = errno == EINTR || errno == EINVAL ? SYNC_SKIPPED : SYNC_FAILED;
    shadow_sync_end(&sync, outcome);
    errno = kept;
    return (int)result;
}

EXPORT int fsync(int fd)
{
    return sync_file(CALL_FSYNC, fd);
}

EXPORT int fdatasync(int fd)
{
    return sync_file(CALL_FDATASYNC, fd);
}

// --- open ---------------------------------------------------------------------------------------

static bool judge_path(enum call call, int at, const char *path, long *result)
{
    char full[PATH_MAX];
    if (!is_on(call) || !full_path(at, path, full))
        return false;
    struct verdict verdict = rules_judge(call, full, call == CALL_MKDIR);
    wait_us(verdict.delay_us);
    return is_settled(&verdict, result);
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
    long result;
    char full[PATH_MAX];
    if (judge_path(CALL_OPEN, at, path, &result))
        return (int)result;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && flags & O_TRUNC && shadow_is_on() && fd_path(fd, full))
        shadow_cut(fd, 0);
    return fd;
}

#define MODE_OF(flags, mode)                                       \
    do {                                                           \
        if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) { \
            va_list args;                                          \
            va_start(args, flags);                                 \
            (mode) = va_arg(args, mode_t);                         \
            va_end(args);                                          \
        }                                                          \
    } while (0)

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int at, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_at(at, path, flags, mode);
}

EXPORT int openat64(int at, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_at(at, path, flags, mode);
}

EXPORT int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
    return creat(path, mode);
}

// What programs call that were built with more checks.
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

// libc's own would open the file past us.
EXPORT int mkostemp(char *template, int flags)
{
    char *letters = template + strlen(template) - 6;
    for (int tries = 0; tries < 1000; tries++) {
        unsigned char random[6];
        if (getentropy(random, sizeof(random)) != 0)
            return -1;
        for (int i = 0; i < 6; i++)
            letters[i] = LETTERS[random[i] % LETTER_COUNT];
        int fd = open_at(AT_FDCWD, template, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

EXPORT int mkostemp64(char *template, int flags)
{
    return mkostemp(template, flags);
}

EXPORT int mkstemp(char *template)
{
    return mkostemp(template, 0);
}

EXPORT int mkstemp64(char *template)
{
    return mkostemp(template, 0);
}

// --- Names --------------------------------------------------------------------------------------

EXPORT int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    long result;
    if (judge_path(CALL_RENAME, to_at, to, &result))
        return (int)result;
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
}

EXPORT int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return renameat2(from_at, from, to_at, to, 0);
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int unlinkat(int at, const char *path, int flags)
{
    long result;
    if (judge_path(CALL_UNLINK, at, path, &result))
        return (int)result;
    return (int)syscall(SYS_unlinkat, at, path, flags);
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    long result;
    if (judge_path(CALL_MKDIR, AT_FDCWD, path, &result))
        return (int)result;
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

EXPORT int ftruncate(int fd, off_t len)
{
    char path[PATH_MAX];
    long result;
    bool wanted = faults_dir_len > 0 && (shadow_is_on() || rules_want(CALL_TRUNCATE));
    if (!wanted || !fd_path(fd, path))
        return sys_truncate(fd, len);
    struct verdict verdict = rules_judge(CALL_TRUNCATE, path, false);
    wait_us(verdict.delay_us);
    if (is_settled(&verdict, &result))
        return (int)result;
    int done = sys_truncate(fd, len);
    if (done == 0)
        shadow_cut(fd, len);
    return done;
}

EXPORT int ftruncate64(int fd, off64_t len)
{
    return ftruncate(fd, len);
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)

// --- Starting -----------------------------------------------------------------------------------

static void before_fork(void)
{
    rules_before_fork();
    shadow_before_fork();
}

static void after_fork(void)
{
    shadow_after_fork();
    rules_after_fork();
}

__attribute__((constructor)) static void start(void)
{
    const char *dir = getenv("FAULTS_DIR");
    size_t len = dir ? strlen(dir) : 0;
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len == 0 || len >= sizeof(faults_dir))
        return;
    snprintf(faults_dir, sizeof(faults_dir), "%.*s", (int)len, dir);
    rules_init();
    shadow_init(faults_dir);
    pthread_atfork(before_fork, after_fork, after_fork);
    faults_dir_len = len;
}

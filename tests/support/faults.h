// SPDX-License-Identifier: BSD-3-Clause
// What the files of the preloaded library of disk faults share, and where its shadow keeps what: see faults.c.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// --- The shadow's folder ------------------------------------------------------------------------

#define SHADOW_READY "ready"  // it holds what there was at the start
#define SHADOW_BYTES "bytes"  // <inode>: what the disk has of this file
#define SHADOW_PINS \
    "pins"  // <inode>: a link to the file itself, so that its number is not given to another
#define SHADOW_NAMES \
    "names"  // <inode>: what the disk has of this folder: lines "<d or f> <inode> <name>"

#define SHADOW_NAME_LINE "%c %llu %s\n"

// Takes such a line apart; the name lies within it.
static inline const char *shadow_name_line(const char *line, char *type, unsigned long long *inode)
{
    char *end;
    *type = line[0];
    *inode = strtoull(line + 2, &end, 10);
    return end + 1;
}

// --- Calls past the interposed ones -------------------------------------------------------------

static inline int sys_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static inline ssize_t sys_write(int fd, const void *bytes, size_t len)
{
    return syscall(SYS_write, fd, bytes, len);
}

static inline ssize_t sys_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return syscall(SYS_pwrite64, fd, bytes, len, at);
}

static inline int sys_truncate(int fd, off_t len)
{
    return (int)syscall(SYS_ftruncate, fd, len);
}

static inline int sys_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

// --- faults_rules.c -----------------------------------------------------------------------------

enum call {
    CALL_WRITE,
    CALL_OPEN,
    CALL_FSYNC,
    CALL_FDATASYNC,
    CALL_RENAME,
    CALL_UNLINK,
    CALL_TRUNCATE,
    CALL_MKDIR,
    CALL_COUNT,
};

// What is to be done with a call.
struct verdict {
    int error;     // it fails with this; 0: it does not
    bool nothing;  // it succeeds, and nothing is done
    bool half;
    unsigned long long delay_us;  // before anything else
};

// Reads FAULTS and FAULTS_CONTROL.
void rules_init(void);
// Whether any rule is for this call; reads the control file again if it has changed.
bool rules_want(enum call call);
// Counts the call.
struct verdict rules_judge(enum call call, const char *path, bool is_dir);
void rules_before_fork(void);
void rules_after_fork(void);

// --- faults_shadow.c ----------------------------------------------------------------------------

enum sync_outcome {
    SYNC_DONE,
    SYNC_FAILED,   // what it should have covered never reaches the disk, whatever a later sync says
    SYNC_SKIPPED,  // it never took place
};

// A sync that is under way: what there was when it began.
struct shadow_sync {
    bool is_dir;
    ino_t inode;
    unsigned long long began_ns;
    char *bytes;  // owned; from `from` on, or the lines of a folder
    size_t len;
    off_t from;
};

// Reads FAULTS_SHADOW. What there is in `dir` counts as being on the disk, unless the shadow knows already.
void shadow_init(const char *dir);
bool shadow_is_on(void);
// A file has lost what was behind `len`.
void shadow_cut(int fd, off_t len);
void shadow_sync_begin(struct shadow_sync *sync, int fd, bool is_dir);
void shadow_sync_end(struct shadow_sync *sync, enum sync_outcome outcome);
void shadow_before_fork(void);
void shadow_after_fork(void);

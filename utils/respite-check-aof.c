// SPDX-License-Identifier: BSD-3-Clause
// respite-check-aof: reads the files of an append-only file as the server would, says what is wrong where, and cuts
// off a damaged end, or what was written after some time.
#include "check_rdb.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/numbers.h"
#include "commands/families.h"
#include "persist/aof_cut.h"
#include "persist/aof_load.h"
#include "persist/aof_manifest.h"
#include "persist/aof_reader.h"
#include "persist/rdb.h"
#include "server/registry.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What is looked at of a file to see whether it is a manifest.
#define BEGINNING_BYTES 65536

static const char usage[] =
    "Usage: respite-check-aof [--fix | --truncate-to-timestamp SECONDS] FILE\n"
    "\n"
    "Reads an append-only file as respite-server would: FILE is a manifest (all files it names "
    "are\n"
    "read, in order), or one file, with or without an RDB at its beginning. Says what is in it, "
    "and\n"
    "where and why the server would refuse it. Exits with 0 if all is whole, or has been made so;\n"
    "with 1 if something is wrong.\n"
    "\n"
    "       --fix                             asks whether to cut the last file behind its last "
    "whole\n"
    "                                         command, or transaction\n"
    "       --truncate-to-timestamp SECONDS   cuts the last file in front of the first time stamp\n"
    "                                         beyond this Unix time (aof-timestamp-enabled)\n"
    "       -h, --help\n"
    "       -v, --version\n"
    "\n"
    "No server may have the files open while they are cut. What is cut off is kept beside the "
    "file,\n"
    "as <file>.cut-<offset>.\n";

struct check {
    const struct registry *registry;
    bool fix;
    int64_t until_s;  // 0: nothing is cut for its time
};

struct target {
    const struct check *check;
    const char *path;
    bool is_last;
    int fd;
    uint64_t size;
    uint64_t left;  // that is still to be read of it: what is appended meanwhile stays out
};

typedef unsigned long long ull;

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    struct target *target = udata;
    ssize_t len;
    if (room > target->left)
        room = target->left;
    do {
        len = read(target->fd, into, room);
    } while (len < 0 && errno == EINTR);
    *got = len > 0 ? (size_t)len : 0;
    target->left -= *got;
    return len < 0 ? STATUS_IO : STATUS_OK;
}

// --- Cutting ------------------------------------------------------------------------------------

static bool cut(const struct target *target, uint64_t keep)
{
    char kept[PATH_MAX];
    int fd = open(target->path, O_RDWR | O_CLOEXEC);
    bool done = fd >= 0 && aof_cut(fd, target->path, target->size, keep, kept) == STATUS_OK;
    if (done)
        printf("%s: cut back to %llu bytes; the other %llu are in %s\n", target->path, (ull)keep,
               (ull)(target->size - keep), kept);
    else
        printf("%s: cannot be cut: %m\n", target->path);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool is_agreed(void)
{
    char answer[16] = "";
    printf("Continue? [y/N]: ");
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

// The file is damaged. True: it no longer is.
static bool mend(const struct target *target, uint64_t keep)
{
    ull tail = target->size - keep;
    if (!target->is_last) {
        printf("%s: it is not the last file, so it cannot be cut\n", target->path);
        return false;
    }
    if (!target->check->fix) {
        printf("%s: with --fix its last %llu bytes would be cut off, and %llu left\n", target->path,
               tail, (ull)keep);
        return false;
    }
    printf("%s: of its %llu bytes, the last %llu will be cut off, and %llu left\n", target->path,
           (ull)target->size, tail, (ull)keep);
    if (is_agreed())
        return cut(target, keep);
    printf("%s: nothing is changed\n", target->path);
    return false;
}

// A later time begins here. True: the file ends there now.
static bool cut_later(const struct target *target, uint64_t keep)
{
    printf("%s: at byte %llu: what follows was written after %lld\n", target->path, (ull)keep,
           (long long)target->check->until_s);
    if (keep == 0)
        printf("%s: that is all of it, so it is not cut\n", target->path);
    else if (!target->is_last)
        printf("%s: it is not the last file, so it is not cut: take the files behind it away, and "
               "their lines out of the manifest, then try again\n",
               target->path);
    else
        return cut(target, keep);
    return false;
}

// --- Reading ------------------------------------------------------------------------------------

static bool vet(void *udata, struct aof_reader *r)
{
    const struct target *target = udata;
    return aof_vet(r, target->check->registry, INT32_MAX) != NULL;
}

static void print_whole(const struct target *target, const struct aof_reader *r, ull commands)
{
    printf("%s: %llu bytes, %llu commands", target->path, (ull)target->size, commands);
    if (r->first_stamp_s >= 0)
        printf(", time stamps from %lld to %lld", (long long)r->first_stamp_s,
               (long long)r->last_stamp_s);
    printf(": whole\n");
}

static bool conclude(const struct target *target, const struct aof_reader *r, enum aof_found found,
                     ull commands)
{
    switch (found) {
    case AOF_LATER: return cut_later(target, r->whole);
    case AOF_TORN:
    case AOF_GARBAGE: break;
    case AOF_FAILED: printf("%s: at byte %llu: %m\n", target->path, (ull)r->at); return false;
    default: print_whole(target, r, commands); return true;
    }
    printf("%s: at byte %llu: %s\n"
           "%s: %llu whole commands, which end at byte %llu\n",
           target->path, (ull)r->at, r->reason, target->path, commands, (ull)r->whole);
    // A file that is to be cut for its time has to be whole up to there.
    return target->check->until_s == 0 && mend(target, r->whole);
}

static bool check_commands(struct target *target, uint64_t begin)
{
    struct aof_reader r;
    ull commands = 0;
    enum aof_found found;
    target->left = target->size - begin;
    aof_reader_init(&r, begin, read_source, vet, target);
    if (target->check->until_s > 0)
        r.until_s = target->check->until_s;
    while ((found = aof_reader_next(&r)) == AOF_COMMAND)
        commands++;
    bool good = conclude(target, &r, found, commands);
    aof_reader_release(&r);
    return good;
}

// The RDB that the file begins with, if it does: it ends at byte `end`.
static bool check_rdb_part(struct target *target, uint64_t *end)
{
    char magic[sizeof(RDB_MAGIC) - 1];
    if (pread(target->fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
        memcmp(magic, RDB_MAGIC, sizeof(magic)) != 0)
        return true;
    printf("%s: an RDB file at its beginning\n", target->path);
    if (!check_rdb(target->fd, target->path, target->size, end)) {
        printf("%s: an RDB file cannot be mended: take a backup, or the base before this one\n",
               target->path);
        return false;
    }
    if (lseek(target->fd, (off_t)*end, SEEK_SET) >= 0)
        return true;
    printf("%s: cannot be read: %m\n", target->path);
    return false;
}

static bool check_file(const struct check *check, const char *path, bool is_last)
{
    struct target target = { .check = check, .path = path, .is_last = is_last };
    struct stat stat;
    uint64_t begin = 0;
    target.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (target.fd < 0 || fstat(target.fd, &stat) != 0) {
        printf("%s: cannot be read: %m\n", path);
        if (target.fd >= 0)
            close(target.fd);
        return false;
    }
    target.size = (uint64_t)stat.st_size;
    (void)posix_fadvise(target.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    bool good = check_rdb_part(&target, &begin) && check_commands(&target, begin);
    close(target.fd);
    return good;
}

// --- The manifest -------------------------------------------------------------------------------

// STATUS_FULL: there is more.
static enum status read_beginning(const char *path, size_t max, struct bytes *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status status = fd < 0 ? STATUS_IO : file_read(fd, max, out);
    if (fd >= 0)
        close(fd);
    if (status == STATUS_IO)
        printf("%s: cannot be read: %m\n", path);
    return status;
}

// By its name, or because its first line that is no comment names a file. `text` is its beginning.
static bool is_manifest(const char *path, struct slice text)
{
    size_t len = strlen(path);
    size_t suffix_len = sizeof(AOF_MANIFEST_SUFFIX) - 1;
    if (len > suffix_len && strcmp(path + len - suffix_len, AOF_MANIFEST_SUFFIX) == 0)
        return true;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (*at != '#')
            return end - at > 5 && memcmp(at, "file ", 5) == 0;
        at = newline ? newline + 1 : end;
    }
    return false;
}

static bool check_files(const struct check *check, const char *path,
                        const struct aof_manifest *manifest)
{
    const struct aof_file *last = aof_manifest_last(manifest);
    const char *slash = strrchr(path, '/');
    int folder_len = slash ? (int)(slash + 1 - path) : 0;
    if (!last)
        last = aof_manifest_base(manifest);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *file = &manifest->files[i];
        char name[PATH_MAX];
        int len = snprintf(name, sizeof(name), "%.*s%s", folder_len, path, file->name);
        if (file->type == AOF_HISTORY)
            continue;
        if (len < 0 || len >= (int)sizeof(name)) {
            printf("%s: the path is too long\n", path);
            return false;
        }
        if (!check_file(check, name, file == last))
            return false;
    }
    printf("%s: all files are whole\n", path);
    return true;
}

static bool check_manifest(const struct check *check, const char *path)
{
    struct bytes text = { 0 };
    struct aof_manifest manifest = { 0 };
    struct aof_manifest_error error;
    enum status status = read_beginning(path, AOF_MANIFEST_BYTES_MAX, &text);
    bool good = status == STATUS_OK;
    if (status == STATUS_FULL)
        printf("%s: it is larger than a manifest can be\n", path);
    if (good && !aof_manifest_parse(&manifest, bytes_slice(&text), &error)) {
        printf("%s: line %u: %s\n", path, error.line, error.reason);
        good = false;
    }
    good = good && check_files(check, path, &manifest);
    aof_manifest_release(&manifest);
    bytes_release(&text);
    return good;
}

static bool check_path(const struct check *check, const char *path)
{
    struct bytes text = { 0 };
    bool there = read_beginning(path, BEGINNING_BYTES, &text) != STATUS_IO;
    bool names_files = there && is_manifest(path, bytes_slice(&text));
    bytes_release(&text);
    if (!there)
        return false;
    return names_files ? check_manifest(check, path) : check_file(check, path, true);
}

// --- The program --------------------------------------------------------------------------------

// The file that is to be checked, or NULL: the arguments make no sense.
static const char *read_arguments(int argc, char **argv, struct check *check)
{
    const char *path = argv[argc - 1];
    if (argc < 2 || *path == '\0' || *path == '-')
        return NULL;
    if (argc == 2)
        return path;
    check->fix = argc == 3 && strcmp(argv[1], "--fix") == 0;
    if (check->fix)
        return path;
    bool is_time = argc == 4 && strcmp(argv[1], "--truncate-to-timestamp") == 0 &&
                   parse_int64(slice_of(argv[2]), &check->until_s) && check->until_s > 0;
    return is_time ? path : NULL;
}

static int run(const struct check *rules, const char *path)
{
    struct check check = *rules;
    check_set_up();
    struct registry *registry = registry_new();
    commands_register(registry);
    check.registry = registry;
    bool good = check_path(&check, path);
    registry_free(registry);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct check check = { 0 };
    const char *word = argc == 2 ? argv[1] : "";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0) {
        puts("respite-check-aof " RESPITE_VERSION);
        return EXIT_SUCCESS;
    }
    const char *path = read_arguments(argc, argv, &check);
    if (!path) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    return run(&check, path);
}

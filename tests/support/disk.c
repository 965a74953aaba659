// SPDX-License-Identifier: BSD-3-Clause
// A disk that fails on demand and can lose its power: see disk.h.
#include "support/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define NAME_ROOM  (SERVER_PATH_MAX + 64)
#define BYTES_MAX  ((size_t)64 << 20)
#define OPEN_FILES 16

// --- Files --------------------------------------------------------------------------------------

// The caller frees it. NULL: there is no such file.
static char *read_whole(const char *path, size_t *len)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ck_assert_int_eq(fstat(fd, &info), 0);
    *len = (size_t)info.st_size;
    ck_assert_uint_lt(*len, BYTES_MAX);
    char *bytes = calloc(1, *len + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(read(fd, bytes, *len), (ssize_t)*len);
    close(fd);
    return bytes;
}

static void write_whole(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    return walk->level == 0 ? 0 : remove(path);
}

// All that is in it, not the folder itself.
static void empty_folder(const char *path)
{
    ck_assert_int_eq(nftw(path, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS), 0);
}

// --- A disk -------------------------------------------------------------------------------------

static void preload(void)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    ck_assert_int_gt(len, 0);
    path[len] = '\0';
    // build/<mode>/tests/integration/<program>
    *strrchr(path, '/') = '\0';
    char library[PATH_MAX + 32];
    snprintf(library, sizeof(library), "%s/../support/faults.so", path);
    ck_assert_msg(access(library, R_OK) == 0, "%s: %s", library, strerror(errno));
    setenv("LD_PRELOAD", library, 1);
    const char *options = getenv("ASAN_OPTIONS");
    char more[1024];
    snprintf(more, sizeof(more), "%s:verify_asan_link_order=0", options ? options : "");
    setenv("ASAN_OPTIONS", more, 1);
}

static void make_state(struct test_disk *disk)
{
    char path[SERVER_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s.state", disk->control);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(*disk->state)), 0);
    disk->state = mmap(NULL, sizeof(*disk->state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(disk->state != MAP_FAILED);
    close(fd);
    setenv("FAULTS_STATE", path, 1);
}

void disk_init(struct test_disk *disk, bool shadow)
{
    char folder[SERVER_PATH_MAX];
    server_temp_dir(disk->dir);
    server_temp_dir(folder);
    snprintf(disk->control, sizeof(disk->control), "%.80s/rules", folder);
    make_state(disk);
    disk_rules(disk, "");
    setenv("FAULTS_DIR", disk->dir, 1);
    setenv("FAULTS_CONTROL", disk->control, 1);
    if (shadow) {
        server_temp_dir(disk->shadow);
        setenv("FAULTS_SHADOW", disk->shadow, 1);
    }
    preload();
    // Children of a server that was killed become ours.
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

void disk_rules(const struct test_disk *disk, const char *rules)
{
    char draft[SERVER_PATH_MAX + 8];
    snprintf(draft, sizeof(draft), "%s.new", disk->control);
    write_whole(draft, rules, strlen(rules));
    ck_assert_int_eq(rename(draft, disk->control), 0);
}

void disk_nap_us(long us)
{
    struct timespec left = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
    nanosleep(&left, NULL);
}

bool disk_is_syncing(const struct test_disk *disk)
{
    return atomic_load(&disk->state->began) > atomic_load(&disk->state->ended);
}

void disk_kill(struct test_server *server)
{
    server_kill(server);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

// --- The cut ------------------------------------------------------------------------------------

static void shadow_path(const struct test_disk *disk, const char *part, unsigned long long inode,
                        char out[NAME_ROOM])
{
    snprintf(out, NAME_ROOM, "%s/%s/%llu", disk->shadow, part, inode);
}

// The lines of a folder's names: what the disk has, or all that there are. NULL: no such folder.
static char *names_of(const struct test_disk *disk, const char *folder, unsigned long long inode,
                      enum disk_cut cut)
{
    size_t len;
    char *text = NULL;
    if (cut != DISK_NAMES) {
        char path[NAME_ROOM];
        shadow_path(disk, SHADOW_NAMES, inode, path);
        return read_whole(path, &len);
    }
    DIR *dir = opendir(folder);
    FILE *out = open_memstream(&text, &len);
    const struct dirent *entry;
    ck_assert(dir && out);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            fprintf(out, SHADOW_NAME_LINE, entry->d_type == DT_DIR ? 'd' : 'f',
                    (unsigned long long)entry->d_ino, entry->d_name);
    }
    closedir(dir);
    fclose(out);
    return text;
}

// Bytes of a file: those that were synced, and with DISK_TORN some of those behind them.
static char *bytes_of(const struct test_disk *disk, unsigned long long inode, enum disk_cut cut,
                      size_t *len)
{
    char path[NAME_ROOM];
    size_t real_len = 0;
    *len = 0;
    shadow_path(disk, SHADOW_BYTES, inode, path);
    char *bytes = read_whole(path, len);
    if (cut != DISK_TORN)
        return bytes ? bytes : calloc(1, 1);
    shadow_path(disk, SHADOW_PINS, inode, path);
    char *real = read_whole(path, &real_len);
    if (!real || real_len <= *len) {
        free(real);
        return bytes ? bytes : calloc(1, 1);
    }
    if (*len > 0)
        memcpy(real, bytes, *len);
    *len += (size_t)random() % (real_len - *len + 1);
    free(bytes);
    return real;
}

// What is to be in a folder, with all that is to be in folders within it.
struct plan {
    const struct test_disk *disk;
    enum disk_cut cut;
    const char *from;  // the folder as it is
    const char *to;    // an empty one
};

static void build(const struct plan *plan, unsigned long long inode);

static void build_entry(const struct plan *plan, const char *line)
{
    char type;
    unsigned long long inode;
    size_t len;
    char from[PATH_MAX];
    char to[PATH_MAX];
    const char *name = shadow_name_line(line, &type, &inode);
    snprintf(from, sizeof(from), "%s/%s", plan->from, name);
    snprintf(to, sizeof(to), "%s/%s", plan->to, name);
    if (type == 'd') {
        const struct plan inner = { .disk = plan->disk, .cut = plan->cut, .from = from, .to = to };
        ck_assert_int_eq(mkdir(to, 0700), 0);
        build(&inner, inode);
        return;
    }
    char *bytes = bytes_of(plan->disk, inode, plan->cut, &len);
    ck_assert_ptr_nonnull(bytes);
    write_whole(to, bytes, len);
    free(bytes);
}

static void build(const struct plan *plan, unsigned long long inode)
{
    char *rest;
    char *names = names_of(plan->disk, plan->from, inode, plan->cut);
    if (!names)
        return;
    for (const char *line = strtok_r(names, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        build_entry(plan, line);
    free(names);
}

void disk_lose_power(const struct test_disk *disk, struct test_server *server, enum disk_cut cut)
{
    char was[SERVER_PATH_MAX + 8];
    struct stat info;
    disk_kill(server);
    snprintf(was, sizeof(was), "%s.was", disk->dir);
    ck_assert_int_eq(stat(disk->dir, &info), 0);
    ck_assert_int_eq(rename(disk->dir, was), 0);
    ck_assert_int_eq(mkdir(disk->dir, 0700), 0);
    const struct plan plan = { .disk = disk, .cut = cut, .from = was, .to = disk->dir };
    build(&plan, info.st_ino);
    empty_folder(was);
    ck_assert_int_eq(rmdir(was), 0);
    empty_folder(disk->shadow);
}

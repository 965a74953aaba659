// SPDX-License-Identifier: BSD-3-Clause
// Tests of reading and replacing whole files, faults included.
#include "base/file.h"

#include "support/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/respite-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
}

static void tear_down(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int count_files(void)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static enum status read_path(size_t max_bytes, struct bytes *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    enum status status = file_read(fd, max_bytes, out);
    close(fd);
    return status;
}

static void expect_text(const char *want, size_t len)
{
    struct bytes text = { 0 };
    ck_assert_int_eq(read_path(1 << 24, &text), STATUS_OK);
    ck_assert_uint_eq(text.len, len);
    ck_assert_int_eq(len ? memcmp(text.data, want, len) : 0, 0);
    bytes_release(&text);
}

START_TEST(writes_and_reads)
{
    static char large[300000];
    memset(large, 'x', sizeof(large));
    ck_assert_int_eq(file_replace(path, SLICE("a\0b\n")), STATUS_OK);
    expect_text("a\0b\n", 4);
    ck_assert_int_eq(file_replace(path, (struct slice){ large, sizeof(large) }), STATUS_OK);
    expect_text(large, sizeof(large));
    ck_assert_int_eq(file_replace(path, SLICE("")), STATUS_OK);
    expect_text("", 0);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(a_bound_on_what_is_read)
{
    struct bytes text = { 0 };
    ck_assert_int_eq(file_replace(path, SLICE("12345")), STATUS_OK);
    ck_assert_int_eq(read_path(4, &text), STATUS_FULL);
    bytes_clear(&text);
    ck_assert_int_eq(read_path(5, &text), STATUS_OK);
    bytes_release(&text);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(file_read(fd, 1 << 20, &text), STATUS_FULL);
    close(fd);
    bytes_release(&text);
    fd = open(folder, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(file_read(fd, 1 << 20, &text), STATUS_IO);
    ck_assert_int_eq(errno, EISDIR);
    close(fd);
    bytes_release(&text);
}
END_TEST

START_TEST(the_mode_is_kept)
{
    struct stat now;
    mode_t mask = umask(022);
    ck_assert_int_eq(file_replace(path, SLICE("a")), STATUS_OK);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_eq(now.st_mode & 07777, 0600);
    ck_assert_int_eq(chmod(path, 0664), 0);
    ck_assert_int_eq(file_replace(path, SLICE("b")), STATUS_OK);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_uint_eq(now.st_mode & 07777, 0664);
    umask(mask);
}
END_TEST

// The file is as it was, and nothing lies beside it.
static void expect_untouched(int want_errno)
{
    static char large[100000];
    errno = 0;
    ck_assert_int_eq(file_replace(path, (struct slice){ large, sizeof(large) }), STATUS_IO);
    ck_assert_int_eq(errno, want_errno);
    expect_text("old", 3);
    ck_assert_int_eq(count_files(), 1);
}

// As a full disk does, the limit lets a part of it be written.
START_TEST(no_room)
{
    struct rlimit limit = { .rlim_cur = 50000, .rlim_max = RLIM_INFINITY };
    ck_assert_int_eq(file_replace(path, SLICE("old")), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_untouched(EFBIG);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_untouched(EFBIG);
}
END_TEST

START_TEST(a_folder_that_can_not_be_written)
{
    ck_assert_int_eq(file_replace(path, SLICE("old")), STATUS_OK);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    // Root may write everywhere.
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    expect_untouched(EACCES);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
}
END_TEST

START_TEST(places_where_nothing_can_be)
{
    char other[256];
    snprintf(other, sizeof(other), "%s/none/file", folder);
    ck_assert_int_eq(file_replace(other, SLICE("x")), STATUS_IO);
    ck_assert_int_eq(errno, ENOENT);
    // A folder has that name.
    snprintf(other, sizeof(other), "%s/sub", folder);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(file_replace(other, SLICE("x")), STATUS_IO);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(rmdir(other), 0);
    char longest[5000];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(file_replace(longest, SLICE("x")), STATUS_IO);
    ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(a_path_without_a_folder)
{
    char before[4096];
    ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(file_replace("file", SLICE("here")), STATUS_OK);
    ck_assert_int_eq(chdir(before), 0);
    expect_text("here", 4);
}
END_TEST

START_TEST(a_folder_is_synced)
{
    char below[PATH_MAX];
    ck_assert_int_eq(file_sync_folder(path), STATUS_OK);
    ck_assert_int_eq(file_sync_folder("a_name_alone"), STATUS_OK);
    snprintf(below, sizeof(below), "%s.missing/x", path);
    ck_assert_int_eq(file_sync_folder(below), STATUS_IO);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *tcase = tcase_create("file");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, writes_and_reads);
    tcase_add_test(tcase, a_bound_on_what_is_read);
    tcase_add_test(tcase, the_mode_is_kept);
    tcase_add_test(tcase, no_room);
    tcase_add_test(tcase, a_folder_that_can_not_be_written);
    tcase_add_test(tcase, places_where_nothing_can_be);
    tcase_add_test(tcase, a_path_without_a_folder);
    tcase_add_test(tcase, a_folder_is_synced);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

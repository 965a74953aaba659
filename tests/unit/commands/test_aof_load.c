// SPDX-License-Identifier: BSD-3-Clause
// Tests of reading an append-only file that was cut at every byte, or has a byte changed: what it holds up to
// there is loaded, and cut off where it is torn, or it is refused; never half a transaction.
#include "persist/aof_load.h"
#include "persist/loading.h"

#include "base/file.h"
#include "base/random.h"
#include "commands/families.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FLIPS 3000

static const char text[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
                           "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
                           "#TS:1700000000\r\n"
                           "*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\nx\r\n"
                           "*1\r\n$5\r\nMULTI\r\n"
                           "*2\r\n$4\r\nINCR\r\n$2\r\nt1\r\n"
                           "*2\r\n$4\r\nINCR\r\n$2\r\nt2\r\n"
                           "*1\r\n$4\r\nEXEC\r\n"
                           "*5\r\n$3\r\nSET\r\n$1\r\ne\r\n$1\r\n1\r\n$4\r\nPXAT\r\n$1\r\n5\r\n"
                           "*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\ny\r\n"
                           "*3\r\n$4\r\nMSET\r\n$1\r\nm\r\n$1\r\n1\r\n";
#define LEN (sizeof(text) - 1)

static char path[128];
static struct aof_loaded loaded;
static char why[AOF_ERROR_TEXT_MAX];

static void set_up(void)
{
    rig_make(NULL);
    loading_register(server);
    commands_register(server->registry);
    rig_start();
    snprintf(path, sizeof(path), "%s/aof", rig_folder);
}

static void tear_down(void)
{
    unlink(path);
    rig_stop();
}

static enum status load(const char *bytes, size_t len, bool is_last)
{
    const struct aof_load_options options = { .is_last = is_last, .cut_truncated = true };
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT(fd >= 0);
    EXPECT(file_write(fd, (struct slice){ .ptr = bytes, .len = len }) == STATUS_OK);
    close(fd);
    db_flush(&server->keyspace->dbs[0], REMOVED_BY_FLUSH);
    why[0] = '\0';
    enum status status = aof_load_file(server, path, &options, &loaded, why);
    char cut[192];
    snprintf(cut, sizeof(cut), "%s.cut-%llu", path, (unsigned long long)loaded.size);
    EXPECT((unlink(cut) == 0) == (loaded.cut_bytes > 0));
    return status;
}

static bool exists(const char *name)
{
    const struct key key = key_of(slice_of(name));
    return db_peek(&server->keyspace->dbs[0], &key).entry != NULL;
}

START_TEST(cut_at_every_byte)
{
    for (size_t len = 0; len <= LEN; len++) {
        struct stat info;
        ck_assert_msg(load(text, len, true) == STATUS_OK, "%zu: %s", len, why);
        ck_assert_uint_eq(loaded.size + loaded.cut_bytes, len);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_eq((uint64_t)info.st_size, loaded.size);
        ck_assert_int_eq(exists("t1"), exists("t2"));
        ck_assert_uint_eq(loaded.failed, 0);
        // What is left is whole.
        char left[sizeof(text)];
        size_t left_len = loaded.size;
        memcpy(left, text, left_len);
        uint64_t commands = loaded.commands;
        ck_assert_int_eq(load(left, left_len, false), STATUS_OK);
        ck_assert_uint_eq(loaded.commands, commands);
    }
    ck_assert(exists("m") && exists("l") && exists("a") && exists("t1"));
    // Its time was over when it was written.
    ck_assert(!exists("e"));
}
END_TEST

START_TEST(only_the_last_file_is_cut)
{
    for (size_t len = 0; len < LEN; len++) {
        enum status status = load(text, len, true);
        bool was_whole = loaded.cut_bytes == 0;
        ck_assert_int_eq(status, STATUS_OK);
        status = load(text, len, false);
        ck_assert_int_eq(status, was_whole ? STATUS_OK : STATUS_INVALID);
        ck_assert_uint_eq(loaded.cut_bytes, 0);
        ck_assert_int_eq(why[0] == '\0', was_whole);
    }
}
END_TEST

START_TEST(any_byte_may_be_another)
{
    struct random dice;
    random_seed(&dice, 7);
    for (int i = 0; i < FLIPS; i++) {
        char bytes[sizeof(text)];
        memcpy(bytes, text, LEN);
        bytes[random_below(&dice, LEN)] = (char)random_below(&dice, 256);
        enum status status = load(bytes, LEN, random_below(&dice, 2));
        ck_assert(status == STATUS_OK || status == STATUS_INVALID);
        ck_assert(status == STATUS_OK || strstr(why, path));
        ck_assert(status != STATUS_OK || loaded.size <= LEN);
    }
}
END_TEST

START_TEST(garbage_and_zeros)
{
    static char zeros[100000];
    ck_assert_int_eq(load(zeros, sizeof(zeros), true), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(why, "byte 0:"));
    static const char huge[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$99999999999\r\nx";
    ck_assert_int_eq(load(huge, sizeof(huge) - 1, true), STATUS_INVALID);
    static const char many[] = "*2147483647\r\n$3\r\nDEL\r\n";
    ck_assert_int_eq(load(many, sizeof(many) - 1, true), STATUS_OK);
    ck_assert_uint_eq(loaded.size, 0);
}
END_TEST

START_TEST(a_large_file_is_read_in_parts)
{
    struct bytes large = { 0 };
    bytes_append(&large, text, LEN);
    bytes_append_text(&large, "*1\r\n$5\r\nMULTI\r\n");
    for (int i = 0; i < 100000; i++)
        bytes_append_text(&large, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
    bytes_append_text(&large, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$3000000\r\n");
    memset(bytes_reserve(&large, 3000000), 'x', 3000000);
    large.len += 3000000;
    bytes_append_text(&large, "\r\n*1\r\n$4\r\nEXEC\r\n");
    bytes_append(&large, text, LEN);
    ck_assert_msg(load(large.data, large.len, true) == STATUS_OK, "%s", why);
    ck_assert_uint_eq(loaded.commands, 100001 + 2 * 8);
    const struct key key = key_of(SLICE("b"));
    ck_assert_uint_eq(string_length(db_peek(&server->keyspace->dbs[0], &key).entry), 3000000);
    bytes_release(&large);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof_load");
    TCase *tcase = tcase_create("load");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, cut_at_every_byte);
    tcase_add_test(tcase, only_the_last_file_is_cut);
    tcase_add_test(tcase, any_byte_may_be_another);
    tcase_add_test(tcase, garbage_and_zeros);
    tcase_add_test(tcase, a_large_file_is_read_in_parts);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of what the start makes of a damaged append-only file: its last 2 kB cut at every byte, every byte of them
// changed, and tails of zeros and garbage behind it. What is whole in front of the damage is loaded, or the file
// is refused with its place, and left alone.
#include "base/file.h"
#include "base/random.h"
#include "commands/families.h"
#include "persist/aof_load.h"
#include "persist/loading.h"
#include "support/unit.h"
#include "types/list.h"
#include "unit/server/rig.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TAIL_BYTES  2048
#define UNITS_MAX   200
#define NO_LIMIT    UINT64_MAX
#define VALUE_BYTES 23

// Each unit, a command or a transaction, pushes numbers to a list: 0, 1, 2 ...
struct unit {
    size_t end;
    unsigned pushed;  // with all before it
};

static struct bytes good;
static struct unit units[UNITS_MAX];
static size_t unit_count;
static struct random dice;
static char folder[] = "/dev/shm/respite-XXXXXX";
static bool is_in_memory;
static char path[128];
static struct aof_loaded loaded;
static char why[AOF_ERROR_TEXT_MAX];

// --- The good file ------------------------------------------------------------------------------

static void add_command(const struct slice *words, int count)
{
    bytes_printf(&good, "*%d\r\n", count);
    for (int i = 0; i < count; i++) {
        bytes_printf(&good, "$%zu\r\n", words[i].len);
        bytes_append_slice(&good, words[i]);
        bytes_append_text(&good, "\r\n");
    }
}

static void add_push(unsigned number)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", number);
    const struct slice words[] = { SLICE("RPUSH"), SLICE("marks"), slice_of(text) };
    add_command(words, 3);
}

// Bytes that look like commands are among it.
static void add_set(void)
{
    static const char alphabet[] = "\r\n*$#123\0\xff";
    char value[VALUE_BYTES];
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = alphabet[random_below(&dice, sizeof(alphabet) - 1)];
    const struct slice words[] = { SLICE("SET"),
                                   SLICE("binary"),
                                   { .ptr = value, .len = sizeof(value) } };
    add_command(words, 3);
}

static void add_unit(unsigned *pushed)
{
    static const struct slice multi = SLICE("MULTI");
    static const struct slice exec = SLICE("EXEC");
    bool is_group = unit_count % 3 == 1;
    if (unit_count % 4 == 0)
        bytes_printf(&good, "#TS:%zu\r\n", 1700000000 + unit_count);
    if (unit_count % 5 == 0) {
        add_set();
        units[unit_count++] = (struct unit){ .end = good.len, .pushed = *pushed };
    }
    if (is_group)
        add_command(&multi, 1);
    add_push((*pushed)++);
    if (is_group) {
        add_set();
        add_push((*pushed)++);
        add_command(&exec, 1);
    }
    units[unit_count++] = (struct unit){ .end = good.len, .pushed = *pushed };
}

static void set_up(void)
{
    unsigned pushed = 0;
    const struct slice select[] = { SLICE("SELECT"), SLICE("0") };
    rig_make(NULL);
    loading_register(server);
    commands_register(server->registry);
    rig_start();
    // Each cut is synced, thousands of times: in memory, where there is such a folder.
    is_in_memory = mkdtemp(folder) != NULL;
    snprintf(path, sizeof(path), "%s/aof", is_in_memory ? folder : rig_folder);
    random_seed(&dice, 11);
    unit_count = 0;
    add_command(select, 2);
    while (good.len < TAIL_BYTES + 200)
        add_unit(&pushed);
}

static void tear_down(void)
{
    bytes_release(&good);
    unlink(path);
    if (is_in_memory)
        rmdir(folder);
    rig_stop();
}

// --- Loading ------------------------------------------------------------------------------------

// What has been pushed by all units that end at `at` or before.
static unsigned pushed_until(size_t at)
{
    unsigned pushed = 0;
    for (size_t i = 0; i < unit_count && units[i].end <= at; i++)
        pushed = units[i].pushed;
    return pushed;
}

static unsigned marks(void)
{
    const struct key key = key_of(SLICE("marks"));
    struct entry_ref ref = db_peek(&server->keyspace->dbs[0], &key);
    return ref.entry ? (unsigned)list_entry_count(ref.entry) : 0;
}

static void write_file(struct slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT(fd >= 0);
    EXPECT(file_write(fd, bytes) == STATUS_OK);
    close(fd);
}

static void expect_file(const char *name, struct slice want)
{
    struct bytes got = { 0 };
    int fd = open(name, O_RDONLY);
    ck_assert_msg(fd >= 0, "%s is not there", name);
    EXPECT(file_read(fd, SIZE_MAX, &got) == STATUS_OK);
    close(fd);
    ck_assert(slice_equal(bytes_slice(&got), want));
    bytes_release(&got);
}

// Whatever comes of it is one of three things, and none has lost a byte.
static enum status load(struct slice bytes, uint64_t cut_tail_max)
{
    const struct aof_load_options options = {
        .is_last = true,
        .cut_truncated = true,
        .cut_tail_max = cut_tail_max,
    };
    write_file(bytes);
    db_flush(&server->keyspace->dbs[0], REMOVED_BY_FLUSH);
    why[0] = '\0';
    enum status status = aof_load_file(server, path, &options, &loaded, why);
    if (status == STATUS_OK) {
        char kept[PATH_MAX];
        snprintf(kept, sizeof(kept), "%s.cut-%llu", path, (unsigned long long)loaded.size);
        ck_assert_uint_eq(loaded.size + loaded.cut_bytes, bytes.len);
        expect_file(path, (struct slice){ .ptr = bytes.ptr, .len = loaded.size });
        if (loaded.cut_bytes > 0)
            expect_file(kept,
                        (struct slice){ .ptr = bytes.ptr + loaded.size, .len = loaded.cut_bytes });
        ck_assert_int_eq(unlink(kept) == 0, loaded.cut_bytes > 0);
        return status;
    }
    ck_assert_int_eq(status, STATUS_INVALID);
    ck_assert_msg(strstr(why, path) && strstr(why, "at byte ") && strstr(why, "respite-check-aof"),
                  "%s", why);
    ck_assert_uint_eq(loaded.cut_bytes, 0);
    expect_file(path, bytes);
    return status;
}

// --- Tests --------------------------------------------------------------------------------------

START_TEST(cut_at_every_byte)
{
    for (size_t len = good.len - TAIL_BYTES; len <= good.len; len++) {
        ck_assert_int_eq(load((struct slice){ .ptr = good.data, .len = len }, 0), STATUS_OK);
        ck_assert_uint_eq(marks(), pushed_until(len));
        ck_assert_uint_eq(pushed_until(loaded.size), pushed_until(len));
        ck_assert_uint_eq(loaded.failed, 0);
    }
}
END_TEST

// With and without leave to cut garbage off.
START_TEST(every_byte_is_another)
{
    uint64_t cut_tail_max = _i ? NO_LIMIT : 0;
    unsigned outcomes[3] = { 0 };
    struct bytes bad = { 0 };
    bytes_append_slice(&bad, bytes_slice(&good));
    for (size_t at = good.len - TAIL_BYTES; at < good.len; at++) {
        char was = bad.data[at];
        bad.data[at] = (char)(was ^ (1 + random_below(&dice, 255)));
        enum status status = load(bytes_slice(&bad), cut_tail_max);
        ck_assert_uint_ge(marks(), pushed_until(at));
        if (status == STATUS_OK)
            ck_assert_uint_ge(pushed_until(loaded.size), pushed_until(at));
        outcomes[status != STATUS_OK ? 2 : loaded.cut_bytes > 0]++;
        bad.data[at] = was;
    }
    bytes_release(&bad);
    ck_assert_uint_gt(outcomes[0], 0);
    // Garbage is refused, or cut off.
    ck_assert_uint_gt(outcomes[cut_tail_max > 0 ? 1 : 2], 0);
    ck_assert(cut_tail_max == 0 || outcomes[2] == 0);
}
END_TEST

START_TEST(a_tail_of_zeros_or_garbage)
{
    for (size_t len = 1; len <= 4096; len *= 2) {
        struct bytes bad = { 0 };
        bytes_append_slice(&bad, bytes_slice(&good));
        char *tail = bytes_reserve(&bad, len);
        for (size_t i = 0; i < len; i++)
            tail[i] = _i ? (char)random_below(&dice, 256) : '\0';
        // Otherwise it could begin a command, or a comment.
        tail[0] = _i ? 'x' : '\0';
        bad.len += len;
        ck_assert_int_eq(load(bytes_slice(&bad), len - 1), STATUS_INVALID);
        ck_assert_int_eq(load(bytes_slice(&bad), len), STATUS_OK);
        ck_assert_uint_eq(loaded.cut_bytes, len);
        ck_assert_uint_eq(marks(), pushed_until(good.len));
        bytes_release(&bad);
    }
}
END_TEST

// Of a transaction that holds a command which can't be, nothing is run.
START_TEST(no_half_transaction)
{
    static const char group[] =
        "*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$5\r\nmarks\r\n$1\r\nx\r\n"
        "*1\r\n$4\r\nWHAT\r\n*1\r\n$4\r\nEXEC\r\n";
    struct bytes bad = { 0 };
    bytes_append_slice(&bad, bytes_slice(&good));
    bytes_append_text(&bad, group);
    ck_assert_int_eq(load(bytes_slice(&bad), NO_LIMIT), STATUS_OK);
    ck_assert_uint_eq(loaded.size, good.len);
    ck_assert_uint_eq(marks(), pushed_until(good.len));
    ck_assert_int_eq(load(bytes_slice(&bad), 0), STATUS_INVALID);
    ck_assert_uint_eq(marks(), pushed_until(good.len));
    bytes_release(&bad);
}
END_TEST

// What a first cut has kept stays when a second comes to the same place.
START_TEST(kept_twice)
{
    static const char *const tails[] = { "*3\r\n$3", "*1\r\n" };
    const struct aof_load_options options = { .is_last = true, .cut_truncated = true };
    char kept[2][PATH_MAX];
    snprintf(kept[0], PATH_MAX, "%s.cut-%zu", path, good.len);
    snprintf(kept[1], PATH_MAX, "%s.cut-%zu.1", path, good.len);
    for (int i = 0; i < 2; i++) {
        struct bytes torn = { 0 };
        bytes_append_slice(&torn, bytes_slice(&good));
        bytes_append_text(&torn, tails[i]);
        write_file(bytes_slice(&torn));
        ck_assert_int_eq(aof_load_file(server, path, &options, &loaded, why), STATUS_OK);
        bytes_release(&torn);
    }
    for (int i = 0; i < 2; i++) {
        expect_file(kept[i], slice_of(tails[i]));
        unlink(kept[i]);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("aof_damage");
    TCase *tcase = tcase_create("damage");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, cut_at_every_byte);
    tcase_add_loop_test(tcase, every_byte_is_another, 0, 2);
    tcase_add_loop_test(tcase, a_tail_of_zeros_or_garbage, 0, 2);
    tcase_add_test(tcase, no_half_transaction);
    tcase_add_test(tcase, kept_twice);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

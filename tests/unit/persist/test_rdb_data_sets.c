// SPDX-License-Identifier: BSD-3-Clause
// Tests of whole data sets: what was saved is loaded, key by key, with encodings, expiries and what is known of
// their use; and files.
#include "base/log.h"
#include "ds/quicklist.h"
#include "unit/persist/rdb_fixture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- values of all kinds ------------------------------------------------------------------------

enum { SMALL = 5, LARGE = 3000 };

// A text, a number, or bytes of any kind; different for each number.
static struct slice nth(size_t i, char scratch[64])
{
    int len = i % 3 == 0   ? snprintf(scratch, 64, "%d", (int)(i * 7919) - 3000)
              : i % 3 == 1 ? snprintf(scratch, 64, "element-%zu-and-a-longer-text", i)
                           : snprintf(scratch, 64, "%c%c\n%zx", (char)(i | 1), (char)0xFF, i);
    return (struct slice){ .ptr = scratch, .len = (size_t)len };
}

static struct entry *make_list(struct slice key, size_t count)
{
    struct quicklist *list = quicklist_new(-2);
    char scratch[64];
    for (size_t i = 0; i < count; i++)
        quicklist_push(list, QUICKLIST_TAIL, nth(i, scratch));
    return list_entry_of(key, 0, &limits, list);
}

static struct entry *make_set(struct slice key, size_t count, bool numbers)
{
    struct entry *entry = NULL;
    struct set_member member;
    char scratch[64];
    for (size_t i = 0; i < count; i++) {
        set_member_init(&member, nth(numbers ? 3 * i : i, scratch));
        if (entry)
            set_add(&entry, &limits, &member);
        else
            entry = set_new(key, 0, &limits, &member, 1);
    }
    return entry;
}

static struct entry *make_hash(struct slice key, size_t count)
{
    char scratch[2][64];
    struct slice pair[2] = { nth(0, scratch[0]), nth(1, scratch[1]) };
    struct entry *entry = hash_new(key, 0, &limits, pair, 1);
    for (size_t i = 1; i < count; i++)
        hash_set(&entry, &limits, nth(i, scratch[0]), nth(i + 1, scratch[1]));
    return entry;
}

static struct entry *make_zset(struct slice key, size_t count)
{
    static const double scores[] = { 0, -0.5, 1, 1e300, -7, 3.25, 1.0 / 3, 1e17 };
    struct entry *entry = zset_new(key, 0);
    char scratch[64];
    for (size_t i = 0; i < count; i++) {
        double score = i == 0 ? (double)INFINITY : i == 1 ? -(double)INFINITY : scores[i % 8];
        zset_add(&entry, &limits, nth(i, scratch), 0, &score);
    }
    return entry;
}

static struct entry *make_string(struct slice key, const char *text, size_t times)
{
    struct bytes value = { 0 };
    for (; times > 0; times--)
        bytes_append_text(&value, text);
    struct entry *entry = string_entry_new(key, 0, EXPIRY_NONE,
                                           value.len ? bytes_slice(&value) : SLICE(""));
    bytes_release(&value);
    return entry;
}

static void fill_database(int db)
{
    insert(&from, db, make_string(SLICE("empty"), "", 0));
    insert(&from, db, make_string(SLICE("int"), "-70000", 1));
    insert(&from, db, make_string(SLICE("max"), "9223372036854775807", 1));
    insert(&from, db, make_string(SLICE("short"), "text", 1));
    insert(&from, db, make_string(SLICE("raw"), "abcdefg-0123", 100));
    insert(&from, db, make_string(SLICE("huge"), "abcdefg-0123", 300000));
    insert(&from, db, make_list(SLICE("list"), SMALL));
    insert(&from, db, make_list(SLICE("long list"), LARGE));
    insert(&from, db, make_set(SLICE("ints"), SMALL, true));
    insert(&from, db, make_set(SLICE("many ints"), LARGE, true));
    insert(&from, db, make_set(SLICE("set"), SMALL, false));
    insert(&from, db, make_set(SLICE("large set"), LARGE, false));
    insert(&from, db, make_hash(SLICE("hash"), SMALL));
    insert(&from, db, make_hash(SLICE("large hash"), LARGE));
    insert(&from, db, make_zset(SLICE("zset"), SMALL));
    insert(&from, db, make_zset(SLICE("large zset"), LARGE));
    insert(&from, db, make_string(SLICE("\x00\r\n\xff"), "binary key", 1));
}

static void set_expiry(struct keyspace *keyspace, int db, const char *name, int64_t at_ms)
{
    const struct key key = key_of(slice_of(name));
    struct entry_ref ref = db_peek(&keyspace->dbs[db], &key);
    ck_assert_ptr_nonnull(ref.entry);
    db_set_expiry(&keyspace->dbs[db], &key, &ref, at_ms);
}

static void save_to(struct tape *tape, const struct rdb_about *about)
{
    struct rdb_writer w;
    const struct rdb_progress progress = { .fn = NULL };
    rdb_writer_init(&w, tape_write, tape, about->compress, about->checksum);
    rdb_save_keyspace(&w, &from, about, &progress);
    ck_assert_int_eq(rdb_writer_flush(&w), STATUS_OK);
    rdb_writer_release(&w);
}

static void expect_same_entry(int db, const struct entry *entry)
{
    const struct key key = key_of(entry_key(entry));
    const struct entry *other = db_peek(&to.dbs[db], &key).entry;
    ck_assert_ptr_nonnull(other);
    ck_assert_int_eq(entry_type(other), entry_type(entry));
    ck_assert_str_eq(encoding_of(&to, other), encoding_of(&from, entry));
    ck_assert_int_eq(entry_expiry(other), entry_expiry(entry));
    struct digest a = digest_value(&from, entry);
    struct digest b = digest_value(&to, other);
    ck_assert_mem_eq(a.bytes, b.bytes, sizeof(a.bytes));
    if (entry_type(other) == TYPE_ZSET)
        zset_check(other);
    if (entry_type(other) == TYPE_LIST && entry_encoding(other) == LIST_ENC_QUICKLIST)
        quicklist_check(entry_pointer(other));
}

static void expect_same(void)
{
    for (int db = 0; db < FIXTURE_DBS; db++) {
        struct table_iter iter;
        const struct table_slot *slot;
        ck_assert_uint_eq(db_size(&to.dbs[db]), db_size(&from.dbs[db]));
        ck_assert_uint_eq(to.dbs[db].expires, from.dbs[db].expires);
        table_iter_init(&iter, &from.dbs[db].table);
        while ((slot = table_iter_next(&iter)) != NULL)
            expect_same_entry(db, table_slot_entry(slot));
        table_check(&to.dbs[db].table);
    }
    struct digest a = digest_keyspace(&from);
    struct digest b = digest_keyspace(&to);
    ck_assert_mem_eq(a.bytes, b.bytes, sizeof(a.bytes));
}

START_TEST(all_values_come_back)
{
    fill_database(0);
    fill_database(2);
    for (int variant = 0; variant < 4; variant++) {
        struct tape tape = { 0 };
        const struct rdb_about about = { .compress = variant & 1, .checksum = variant & 2 };
        const struct rdb_load_options options = { .limits = &limits };
        save_to(&tape, &about);
        clear_keyspace(&to);
        // Parts that cut everything somewhere.
        struct outcome outcome = load_with(bytes_slice(&tape.bytes), variant ? 4099 : 0, &options,
                                           true);
        ck_assert_msg(outcome.good, "%s", outcome.error);
        ck_assert_uint_eq(outcome.loaded.keys, 34);
        ck_assert_int_eq(outcome.loaded.has_checksum, about.checksum);
        expect_same();
        bytes_release(&tape.bytes);
    }
}
END_TEST

START_TEST(expiries)
{
    struct tape tape = { 0 };
    const struct rdb_about about = { .checksum = true };
    int64_t now_ms = clock_wall_ms();
    fill_database(1);
    set_expiry(&from, 1, "list", now_ms + 100000000);
    set_expiry(&from, 1, "int", now_ms + 1);
    set_expiry(&from, 1, "large hash", INT64_MAX);
    set_expiry(&from, 1, "large zset", now_ms + 5000000);
    struct rdb_load_options options = { .limits = &limits, .keep_expired = true };
    save_to(&tape, &about);
    struct outcome outcome = load_with(bytes_slice(&tape.bytes), 0, &options, true);
    ck_assert(outcome.good);
    expect_same();
    ck_assert_int_eq(entry_expiry(find(&to, 1, "list")), now_ms + 100000000);
    ck_assert_int_eq(entry_expiry(find(&to, 1, "large hash")), INT64_MAX);
    bytes_release(&tape.bytes);
}
END_TEST

START_TEST(what_is_over_is_left_out)
{
    // In seconds and milliseconds; -1 ms, which is not "none"; in 2038; without one.
    const struct slice file = SLICE("REDIS0003"
                                    "\xFE\x01"
                                    "\xFD\x10\x0E\x00\x00"
                                    "\x00\x01k\x01v"
                                    "\xFC\x01\x00\x00\x00\x00\x00\x00\x00"
                                    "\x00\x01m\x01v"
                                    "\xFC\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                    "\x00\x01n\x01v"
                                    "\xFD\xFF\xFF\xFF\x7F"
                                    "\x00\x01l\x01v"
                                    "\x00\x01o\x01v"
                                    "\xFF");
    struct outcome outcome = load(file);
    ck_assert_msg(outcome.good, "%s", outcome.error);
    ck_assert_uint_eq(outcome.loaded.keys, 2);
    ck_assert_uint_eq(outcome.loaded.expired, 3);
    ck_assert_int_eq(entry_expiry(find(&to, 1, "l")), INT64_C(2147483647) * 1000);
    ck_assert_int_eq(entry_expiry(find(&to, 1, "o")), EXPIRY_NONE);
    clear_keyspace(&to);
    const struct rdb_load_options options = { .limits = &limits, .keep_expired = true };
    outcome = load_with(file, 0, &options, true);
    ck_assert(outcome.good);
    ck_assert_uint_eq(outcome.loaded.keys, 5);
    ck_assert_uint_eq(to.dbs[1].expires, 4);
}
END_TEST

static uint32_t access_of(struct keyspace *keyspace, const char *name)
{
    return entry_access(find(keyspace, 0, name));
}

START_TEST(use_comes_back)
{
    struct rdb_about about = { .access = true };
    for (int frequency = 0; frequency < 2; frequency++) {
        struct tape tape = { 0 };
        clear_keyspace(&from);
        clear_keyspace(&to);
        keyspace_set_frequency(&from, frequency, 10, 1);
        keyspace_set_frequency(&to, frequency, 10, 1);
        struct entry *entry = make_string(SLICE("k"), "v", 1);
        entry_set_access(entry, frequency ? access_of_counter(&from.access, 77)
                                          : access_of_idle_s(&from.access, 1000));
        insert(&from, 0, entry);
        insert(&from, 0, make_list(SLICE("l"), SMALL));
        save_to(&tape, &about);
        expect_loaded(bytes_slice(&tape.bytes), 2);
        if (frequency)
            ck_assert_uint_eq(access_counter(&to.access, access_of(&to, "k")), 77);
        else
            ck_assert_uint_eq(access_idle_s(&to.access, access_of(&to, "k")), 1000);
        bytes_release(&tape.bytes);
    }
}
END_TEST

// An entry without a word of its use is as new, whatever the one before it had.
START_TEST(use_is_of_one_entry)
{
    expect_loaded(SLICE("REDIS0003"
                        "\xF8\x43\xE8\x00\x01k\x01v"
                        "\x00\x01l\x01v"
                        "\xF9\x05\x00\x01m\x01v"
                        "\xFF"),
                  3);
    ck_assert_uint_eq(access_idle_s(&to.access, access_of(&to, "k")), 1000);
    ck_assert_uint_le(access_idle_s(&to.access, access_of(&to, "l")), 1);
}
END_TEST

// ---- what a file says of itself -----------------------------------------------------------------

static void note_aux(void *udata, struct slice name, struct slice value)
{
    struct bytes *seen = udata;
    bytes_printf(seen, "%.*s=%.*s;", (int)name.len, name.ptr, (int)value.len, value.ptr);
}

START_TEST(aux_fields)
{
    struct tape tape = { 0 };
    struct bytes seen = { 0 };
    const struct rdb_about about = { .replication_id = "0123456789abcdef0123456789abcdef01234567",
                                     .replication_offset = INT64_C(1) << 40,
                                     .selected_db = 2,
                                     .aof_base = true,
                                     .checksum = true };
    const struct rdb_load_options options = { .limits = &limits, .aux = note_aux, .udata = &seen };
    save_to(&tape, &about);
    struct outcome outcome = load_with(bytes_slice(&tape.bytes), 0, &options, true);
    ck_assert(outcome.good);
    ck_assert_int_eq(outcome.loaded.version, 10);
    ck_assert_str_eq(outcome.loaded.replication_id, about.replication_id);
    ck_assert_int_eq(outcome.loaded.replication_offset, about.replication_offset);
    ck_assert_int_eq(outcome.loaded.selected_db, 2);
    ck_assert(outcome.loaded.aof_base);
    ck_assert_int_ge(outcome.loaded.created_s, clock_wall_ms() / 1000 - 60);
    ck_assert_uint_gt(outcome.loaded.used_memory, 0);
    bytes_append_char(&seen, '\0');
    ck_assert_ptr_nonnull(strstr(seen.data, "redis-ver=7.2.4;"));
    ck_assert_ptr_nonnull(strstr(seen.data, "redis-bits=64;"));
    bytes_release(&seen);
    bytes_release(&tape.bytes);
    // Without any; with one that nobody knows; with an id that is too long.
    outcome = load(SLICE("REDIS0003\xFF"));
    ck_assert(outcome.good);
    ck_assert_int_eq(outcome.loaded.replication_offset, -1);
    ck_assert_int_eq(outcome.loaded.selected_db, -1);
    ck_assert_str_eq(outcome.loaded.replication_id, "");
    expect_loaded(SLICE("REDIS0003\xFA\x07unknown\xC0\x05\xFF"), 0);
    outcome = load(SLICE("REDIS0003\xFA\x07repl-id\x29"
                         "01234567890123456789012345678901234567890\xFF"));
    ck_assert(outcome.good);
    ck_assert_str_eq(outcome.loaded.replication_id, "");
}
END_TEST

static void count_visit(void *udata, int db_id, struct entry *entry, uint64_t bytes)
{
    uint64_t *sum = udata;
    *sum += bytes + 1000 * (uint64_t)db_id;
    to.types[entry_type(entry)]->release(entry);
    entry_free(entry);
}

START_TEST(who_only_looks)
{
    uint64_t sum = 0;
    const struct rdb_load_options options = { .limits = &limits,
                                              .visit = count_visit,
                                              .udata = &sum };
    struct outcome outcome = load_with(SLICE("REDIS0003"
                                             "\x00\x01k\x01v"
                                             "\xFE\x02"
                                             "\xFD\x10\x0E\x00\x00\x04\x01k\x01\x01"
                                             "f\x01v"
                                             "\xFF"),
                                       0, &options, true);
    ck_assert(outcome.good);
    ck_assert_uint_eq(outcome.loaded.keys, 2);
    ck_assert_uint_eq(outcome.loaded.expired, 0);
    ck_assert_uint_eq(sum, 5 + 8 + 2000);
    ck_assert_uint_eq(db_size(&to.dbs[0]) + db_size(&to.dbs[2]), 0);
}
END_TEST

// ---- files --------------------------------------------------------------------------------------

static char folder[] = "/tmp/respite-test-XXXXXX";

static void path_in(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

START_TEST(files)
{
    char path[64];
    char error[RDB_ERROR_TEXT_MAX] = "";
    struct rdb_loaded loaded;
    const struct rdb_about about = { .compress = true, .checksum = true };
    const struct rdb_progress progress = { .fn = NULL };
    const struct rdb_load_options options = { .limits = &limits };
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path_in(path, sizeof(path), "dump.rdb");
    ck_assert_int_eq(rdb_load_file(path, &to, &options, &loaded, error), STATUS_NOT_FOUND);
    fill_database(0);
    ck_assert_int_eq(rdb_save_file(path, &from, &about, &progress), STATUS_OK);
    ck_assert_int_eq(rdb_load_file(path, &to, &options, &loaded, error), STATUS_OK);
    expect_same();
    // A damaged one, with its name and the place.
    struct stat stat_before;
    ck_assert_int_eq(stat(path, &stat_before), 0);
    ck_assert_int_eq(truncate(path, stat_before.st_size - 3), 0);
    clear_keyspace(&to);
    ck_assert_int_eq(rdb_load_file(path, &to, &options, &loaded, error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error, path));
    ck_assert_ptr_nonnull(strstr(error, "the end comes too early: 3 bytes are missing"));
    ck_assert_int_eq(unlink(path), 0);
    // A folder is there, but cannot be read or replaced.
    ck_assert_int_eq(mkdir(path, 0700), 0);
    clear_keyspace(&to);
    ck_assert_int_ne(rdb_load_file(path, &to, &options, &loaded, error), STATUS_OK);
    ck_assert_int_eq(rdb_save_file(path, &from, &about, &progress), STATUS_IO);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_int_eq(rmdir(path), 0);
    // Nothing was left beside it.
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

// Redis leaves them out, too: its own bugs have written such. What is known of them is not the next one's.
START_TEST(empty_collections_are_left_out)
{
    struct outcome outcome = load(SLICE("REDIS0003"
                                        "\xFC\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00"
                                        "\x04\x01h\x00"
                                        "\x00\x01k\x01v"
                                        "\x01\x01l\x00\x02\x01s\x00\x05\x01z\x00"
                                        "\x0B\x01i\x08\x02\x00\x00\x00\x00\x00\x00\x00"
                                        "\x10\x01p\x07\x07\x00\x00\x00\x00\x00\xFF"
                                        "\xFF"));
    ck_assert_msg(outcome.good, "%s", outcome.error);
    ck_assert_uint_eq(outcome.loaded.keys, 1);
    ck_assert_uint_eq(outcome.loaded.empty, 6);
    ck_assert_int_eq(entry_expiry(find(&to, 0, "k")), EXPIRY_NONE);
}
END_TEST

START_TEST(functions_are_left_out_with_a_word)
{
    char path[64];
    char line[256] = "";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path_in(path, sizeof(path), "log");
    ck_assert_int_eq(log_set_file(path), STATUS_OK);
    struct outcome outcome = load(SLICE("REDIS0010"
                                        "\xF5\x09#!lua one"
                                        "\xF5\x09#!lua two"
                                        "\x00\x01k\x01v"
                                        "\xFF\x00\x00\x00\x00\x00\x00\x00\x00"));
    ck_assert_int_eq(log_set_file(""), STATUS_OK);
    ck_assert_msg(outcome.good, "%s", outcome.error);
    ck_assert_uint_eq(outcome.loaded.functions, 2);
    ck_assert_uint_eq(outcome.loaded.keys, 1);
    FILE *log = fopen(path, "r");
    ck_assert_ptr_nonnull(log);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), log));
    ck_assert_ptr_nonnull(strstr(line, "libraries of functions"));
    ck_assert_ptr_null(fgets(line, sizeof(line), log));
    fclose(log);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rdb_data_sets");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, open_both, release_both);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_values_come_back);
    tcase_add_test(tcase, expiries);
    tcase_add_test(tcase, what_is_over_is_left_out);
    tcase_add_test(tcase, use_comes_back);
    tcase_add_test(tcase, use_is_of_one_entry);
    tcase_add_test(tcase, aux_fields);
    tcase_add_test(tcase, who_only_looks);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, empty_collections_are_left_out);
    tcase_add_test(tcase, functions_are_left_out_with_a_word);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

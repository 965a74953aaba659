// SPDX-License-Identifier: BSD-3-Clause
// Tests of files that are not what they should be: refused where it is wrong, with a reason, and nothing is left
// behind or allocated on their word.
#include "base/crc64.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "base/random.h"
#include "ds/quicklist.h"
#include "unit/persist/rdb_fixture.h"

#include <stdio.h>

// All forms that values have had, with a ziplist, a zipmap, listpacks, an intset, and LZF.
#define ZIPLIST_AB                                         \
    "\x11\x11\x00\x00\x00\x0D\x00\x00\x00\x02\x00\x00\x01" \
    "a\x03\x01"                                            \
    "b\xFF"
#define LISTPACK_AB                    \
    "\x0D\x0D\x00\x00\x00\x02\x00\x81" \
    "a\x02\x81"                        \
    "b\x02\xFF"
#define LISTPACK_A1                    \
    "\x0C\x0C\x00\x00\x00\x02\x00\x81" \
    "a\x02\x01\x01\xFF"

static const struct slice all_forms = SLICE(
    "REDIS0012"
    "\xFA\x03"
    "aux\x05value"
    "\xFE\x00\xFB\x0E\x01"
    "\xFC\xFF\xFF\xFF\xFF\xFF\x00\x01\x00\x00\x02s1\x04text"
    "\x00\x02s2\xC2\x70\x11\x01\x00"
    "\x00\x02s3\xC3\x09\x40\x35\x01"
    "aa\xE0\x28\x00\x01"
    "aa"
    "\xF8\x05\x01\x02l1\x02\x01"
    "a\xC0\x05"
    "\xF9\x05\x0A\x02l2" ZIPLIST_AB "\x0E\x02l3\x02" ZIPLIST_AB ZIPLIST_AB
    "\x12\x02l4\x02\x02" LISTPACK_AB "\x01\x05plain"
    "\x02\x02t1\x02\x01"
    "a\x01"
    "b"
    "\x0B\x02t2\x0C\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00"
    "\x14\x02t3" LISTPACK_AB "\x04\x02h1\x01\x01"
    "a\x01"
    "b"
    "\x09\x02h2\x07\x01\x01"
    "a\x01\x00"
    "b\xFF"
    "\x0D\x02h3" ZIPLIST_AB "\x10\x02h4" LISTPACK_AB "\xFE\x01"
    "\x03\x02z1\x02\x01"
    "a\x03"
    "1.5\x01"
    "b\xFE"
    "\x05\x02z2\x01\x01"
    "a\x00\x00\x00\x00\x00\x00\xF8\x3F"
    "\x0C\x02z3\x10\x10\x00\x00\x00\x0D\x00\x00\x00\x02\x00\x00\x01"
    "a\x03\xF2\xFF"
    "\x11\x02z4" LISTPACK_A1 "\xFF\x00\x00\x00\x00\x00\x00\x00\x00");
#define ALL_KEYS 18

START_TEST(all_forms_are_read)
{
    static const char *const encodings[][2] = {
        { "l2", "listpack" }, { "l3", "listpack" }, { "l4", "listpack" }, { "t1", "listpack" },
        { "t2", "intset" },   { "t3", "listpack" }, { "h1", "listpack" }, { "h2", "listpack" },
        { "h3", "listpack" }, { "h4", "listpack" }, { "s3", "raw" },
    };
    expect_loaded(all_forms, ALL_KEYS);
    for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
        const struct entry *entry = find(&to, 0, encodings[i][0]);
        ck_assert_ptr_nonnull(entry);
        ck_assert_str_eq(encoding_of(&to, entry), encodings[i][1]);
    }
    // What is equal is equal, however it was written.
    struct digest h1 = digest_value(&to, find(&to, 0, "h1"));
    for (char name[] = "h2"; name[1] <= '4'; name[1]++) {
        struct digest other = digest_value(&to, find(&to, 0, name));
        ck_assert_mem_eq(h1.bytes, other.bytes, sizeof(h1.bytes));
    }
    struct digest t1 = digest_value(&to, find(&to, 0, "t1"));
    struct digest t3 = digest_value(&to, find(&to, 0, "t3"));
    ck_assert_mem_eq(t1.bytes, t3.bytes, sizeof(t1.bytes));
    static const double scores[] = { 1.5, 1.5, 1, 1 };
    for (int i = 0; i < 4; i++) {
        char name[] = { 'z', (char)('1' + i), '\0' };
        double score = 0;
        ck_assert(zset_score(find(&to, 1, name), SLICE("a"), &score));
        ck_assert_double_eq(score, scores[i]);
    }
}
END_TEST

// ---- cut, flipped, mixed ------------------------------------------------------------------------

START_TEST(cut_anywhere_is_refused)
{
    size_t used = mem_used();
    for (size_t len = 0; len < all_forms.len; len++) {
        struct outcome outcome = load((struct slice){ .ptr = all_forms.ptr, .len = len });
        ck_assert(!outcome.good);
        ck_assert_uint_le(outcome.offset, len);
        ck_assert_str_ne(outcome.error, "");
        clear_keyspace(&to);
    }
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

// Deep checks of all that came of a file, damaged or not.
static void check_loaded(void)
{
    for (int db = 0; db < FIXTURE_DBS; db++) {
        struct table_iter iter;
        const struct table_slot *slot;
        // Times beyond a turn of the wheel, some three years, break what it knows of expiries.
        if (to.dbs[db].expires == 0)
            table_check(&to.dbs[db].table);
        table_iter_init(&iter, &to.dbs[db].table);
        while ((slot = table_iter_next(&iter)) != NULL) {
            const struct entry *entry = table_slot_entry(slot);
            if (entry_type(entry) == TYPE_ZSET)
                zset_check(entry);
            if (entry_type(entry) == TYPE_LIST && entry_encoding(entry) == LIST_ENC_QUICKLIST)
                quicklist_check(entry_pointer(entry));
        }
    }
    (void)digest_keyspace(&to);
}

START_TEST(damaged_files_do_no_harm)
{
    struct random random;
    size_t used = mem_used();
    random_seed(&random, 10);
    log_set_level(LOG_NOTHING);
    for (int i = 0; i < 30000; i++) {
        struct bytes copy = { 0 };
        bytes_append_slice(&copy, all_forms);
        for (uint64_t n = random_below(&random, 3) + 1; n > 0; n--)
            copy.data[9 + random_below(&random, all_forms.len - 9)] = (char)random_next(&random);
        (void)load(bytes_slice(&copy));
        check_loaded();
        clear_keyspace(&to);
        bytes_release(&copy);
    }
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

// ---- the frame ----------------------------------------------------------------------------------

START_TEST(headers)
{
    for (int version = 0; version <= 14; version++) {
        char file[64];
        int len = snprintf(file, sizeof(file), "REDIS%04d\xFF", version);
        memset(file + len, 0, 8);
        struct outcome outcome = load((struct slice){ .ptr = file, .len = (size_t)len + 8 });
        ck_assert_int_eq(outcome.good, version >= 1 && version <= 12);
        if (outcome.good)
            ck_assert_int_eq(outcome.loaded.version, version);
    }
    expect_refused(SLICE("REDIS0013\xFF"), 9, "version 13; those from 1 to 12 can be read");
    expect_refused(SLICE("REDIS001x\xFF"), 9, "the version is not a number");
    expect_refused(SLICE("REDIS -10\xFF"), 9, "the version is not a number");
    expect_refused(SLICE("VALKEY001\xFF"), 9, "this is no RDB file: it does not begin with REDIS");
    expect_refused(SLICE(""), 0, "the end comes too early: 1 bytes are missing");
}
END_TEST

static struct slice sealed(struct bytes *out, struct slice body, uint64_t wrong_by)
{
    char crc[8];
    bytes_clear(out);
    bytes_append_slice(out, body);
    store_le64(crc, crc64(0, body.ptr, body.len) + wrong_by);
    bytes_append(out, crc, sizeof(crc));
    return bytes_slice(out);
}

START_TEST(checksums)
{
    const struct slice body = SLICE("REDIS0010\x00\x01k\x01v\xFF");
    const struct rdb_load_options options = { .limits = &limits };
    struct bytes file = { 0 };
    struct outcome outcome = load(sealed(&file, body, 0));
    ck_assert(outcome.good && outcome.loaded.has_checksum);
    clear_keyspace(&to);
    outcome = load(sealed(&file, body, 1));
    ck_assert(!outcome.good);
    ck_assert_ptr_eq(strstr(outcome.error, "the checksum is wrong: "), outcome.error);
    clear_keyspace(&to);
    // The reader doesn't look.
    outcome = load_with(bytes_slice(&file), 0, &options, false);
    ck_assert(outcome.good && !outcome.loaded.has_checksum);
    clear_keyspace(&to);
    // The writer took none.
    outcome = load(SLICE("REDIS0010\x00\x01k\x01v\xFF\x00\x00\x00\x00\x00\x00\x00\x00"));
    ck_assert(outcome.good && !outcome.loaded.has_checksum);
    clear_keyspace(&to);
    // There is none before version 5.
    outcome = load(SLICE("REDIS0004\x00\x01k\x01v\xFF"));
    ck_assert(outcome.good && !outcome.loaded.has_checksum);
    clear_keyspace(&to);
    expect_refused(SLICE("REDIS0005\x00\x01k\x01v\xFF"), 15,
                   "the end comes too early: 8 bytes are missing");
    bytes_release(&file);
}
END_TEST

START_TEST(what_is_not_supported_is_said)
{
    expect_refused(SLICE("REDIS0009\x0F\x01s\x00"), 12,
                   "value of type 15: a stream, which is not supported (value of type 15 of key "
                   "\"s\" in database 0)");
    expect_refused(SLICE("REDIS0009\xFE\x02\x07\x01m\x00"), 14,
                   "value of type 7: a module's value, which is not supported (value of type 7 of "
                   "key \"m\" in database 2)");
    expect_refused(
        SLICE("REDIS0012\x18\x01h\x00"), 12,
        "value of type 24: a hash with fields that expire, which is not supported (value "
        "of type 24 of key \"h\" in database 0)");
    expect_refused(SLICE("REDIS0009\x63\x01k\x00"), 12,
                   "there is no value type 99 (value of type 99 of key \"k\" in database 0)");
    expect_refused(SLICE("REDIS0009\xF7\x00"), 10,
                   "the file holds data of modules, which are not supported");
    expect_refused(SLICE("REDIS0009\xF6\x00"), 10,
                   "the file holds functions of a release candidate, which are not supported");
    expect_refused(SLICE("REDIS0009\xFE\x03"), 11,
                   "database 3 does not exist: 'databases' is 3, set it higher");
    // Of slots there is nothing to know.
    expect_loaded(SLICE("REDIS0003\xF4\x01\x02\x03\x00\x01k\x01v\xFF"), 1);
}
END_TEST

START_TEST(doubles_are_refused)
{
    expect_refused(SLICE("REDIS0003\x00\x01k\x01"
                         "a\x00\x01k\x01"
                         "b\xFF"),
                   19, "a key is there twice (value of type 0 of key \"k\" in database 0)");
    clear_keyspace(&to);
    expect_loaded(SLICE("REDIS0003\x00\x01k\x01"
                        "a\xFE\x01\x00\x01k\x01"
                        "b\xFF"),
                  2);
    clear_keyspace(&to);
    expect_refused(SLICE("REDIS0003\x02\x01k\x02\x01"
                         "a\x01"
                         "a\xFF"),
                   17, "a set has a member twice (value of type 2 of key \"k\" in database 0)");
}
END_TEST

// Many more than wait together for a place in the table, and one of them again.
START_TEST(doubles_may_be_far_apart)
{
    enum { KEYS = 10000, KEY_BYTES = 9 };
    struct bytes file = { 0 };
    struct rdb_load_options options = { .limits = &limits };
    bytes_append_text(&file, "REDIS0003");
    for (unsigned i = 0; i < KEYS; i++)
        bytes_printf(&file, "%c\x05%05u\x01%c", 0, i, 'a');
    ck_assert_uint_eq(file.len, 9 + KEYS * KEY_BYTES);
    bytes_printf(&file, "%c\x05%05u\x01%c", 0, _i, 'b');
    size_t end = file.len;
    for (unsigned i = KEYS; i < KEYS + 10; i++)
        bytes_printf(&file, "%c\x05%05u\x01%c", 0, i, 'a');
    bytes_append_char(&file, (char)0xFF);
    struct outcome outcome = load_with(bytes_slice(&file), 0, &options, true);
    ck_assert(!outcome.good);
    ck_assert_uint_eq(outcome.offset, end);
    ck_assert_msg(strncmp(outcome.error, "a key is there twice", 20) == 0, "%s", outcome.error);
    clear_keyspace(&to);
    options.replace = true;
    outcome = load_with(bytes_slice(&file), 0, &options, true);
    ck_assert_msg(outcome.good, "%s", outcome.error);
    ck_assert_uint_eq(db_size(&to.dbs[0]), KEYS + 10);
    char name[8];
    char scratch[INT64_TEXT_MAX];
    int len = snprintf(name, sizeof(name), "%05d", _i);
    const struct key key = key_of((struct slice){ .ptr = name, .len = (size_t)len });
    struct entry_ref found = db_peek(&to.dbs[0], &key);
    ck_assert_ptr_nonnull(found.entry);
    ck_assert(slice_is(string_bytes(found.entry, scratch), "b"));
    bytes_release(&file);
}
END_TEST

// ---- memory -------------------------------------------------------------------------------------

START_TEST(sizes_are_not_believed)
{
    static const struct {
        const char *bytes;
        size_t len;
    } files[] = {
        // Tables for four billion keys, strings and collections of as many.
        { "REDIS0003\xFB\x80\xFF\xFF\xFF\xFF\x80\xFF\xFF\xFF\xFF\xFF", 21 },
        { "REDIS0003\x00\x80\xFF\xFF\xFF\xFF", 15 },
        { "REDIS0003\x00\x01k\x80\xFF\xFF\xFF\xFF", 17 },
        { "REDIS0003\x01\x01k\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 22 },
        { "REDIS0003\x02\x01k\x80\xFF\xFF\xFF\xFF\x01", 18 },
        { "REDIS0003\x04\x01k\x80\xFF\xFF\xFF\xFF\x01", 18 },
        { "REDIS0003\x05\x01k\x80\xFF\xFF\xFF\xFF\x01", 18 },
        { "REDIS0003\x12\x01k\x80\xFF\xFF\xFF\xFF\x01", 18 },
        { "REDIS0003\x00\x01k\xC3\x01\x80\xFF\xFF\xFF\xFF\x01", 19 },
    };
    const struct rdb_load_options options = { .limits = &limits };
    size_t used = mem_used();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct rdb_reader r;
        struct rdb_loaded loaded;
        rdb_reader_init_memory(&r, (struct slice){ .ptr = files[i].bytes, .len = files[i].len });
        bool good = rdb_load_keyspace(&r, &to, &options, &loaded);
        ck_assert_int_eq(good, i == 0);
        ck_assert_uint_le(mem_used(), used + 65536);
        rdb_reader_release(&r);
        clear_keyspace(&to);
    }
}
END_TEST

static void drop(void *udata, int db_id, struct entry *entry, uint64_t bytes)
{
    const struct keyspace *keyspace = udata;
    (void)db_id;
    (void)bytes;
    keyspace->types[entry_type(entry)]->release(entry);
    entry_free(entry);
}

// Each of the reader's own allocations may fail, whose sizes the file says: then it is not loaded, and that is
// said.
START_TEST(no_memory)
{
    const struct slice file = SLICE("REDIS0003"
                                    "\xFA\x03"
                                    "aux\x05value"
                                    "\x00\x02s3\xC3\x09\x40\x35\x01"
                                    "aa\xE0\x28\x00\x01"
                                    "aa"
                                    "\x0A\x02l2" ZIPLIST_AB "\x04\x02h1\x01\x01"
                                    "a\x01"
                                    "b"
                                    "\x09\x02h2\x07\x01\x01"
                                    "a\x01\x00"
                                    "b\xFF"
                                    "\xFF");
    const struct rdb_load_options options = { .limits = &limits, .visit = drop, .udata = &to };
    size_t used = mem_used();
    bool good = false;
    unsigned failures = 0;
    for (unsigned successes = 0; !good; successes++) {
        mem_fail_after(successes);
        struct outcome outcome = load_with(file, 0, &options, true);
        mem_fail_never();
        good = outcome.good;
        if (!good) {
            ck_assert(outcome.out_of_memory);
            ck_assert_ptr_nonnull(strstr(outcome.error, "out of memory"));
            failures++;
        }
    }
    ck_assert_uint_ge(failures, 4);
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rdb_hostile");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, open_both, release_both);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_forms_are_read);
    tcase_add_test(tcase, cut_anywhere_is_refused);
    tcase_add_test(tcase, damaged_files_do_no_harm);
    tcase_add_test(tcase, headers);
    tcase_add_test(tcase, checksums);
    tcase_add_test(tcase, what_is_not_supported_is_said);
    tcase_add_test(tcase, doubles_are_refused);
    // The last one waits together with it, the first one does not.
    tcase_add_loop_test(tcase, doubles_may_be_far_apart, 0, 1);
    tcase_add_loop_test(tcase, doubles_may_be_far_apart, 9999, 10000);
    tcase_add_test(tcase, sizes_are_not_believed);
    tcase_add_test(tcase, no_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

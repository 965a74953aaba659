// SPDX-License-Identifier: BSD-3-Clause
// Tests of the entry's layout: keys and payloads around every length that changes it.
#include "store/entry.h"

#include "base/memory.h"
#include "base/random.h"
#include "expect.h"
#include "support/unit.h"

#include <stdlib.h>

// Lengths up to here are tried in all combinations.
#define LENGTHS 301

#define SOME_EXPIRY INT64_C(1795287731123)

static char noise[1u << 20];

static void set_up(void)
{
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)random_next(&random);
}

static struct slice noise_at(size_t offset, size_t len)
{
    return (struct slice){ .ptr = noise + offset, .len = len };
}

// The drawing in entry.h, said once more.
static size_t drawn_size(size_t key_len, bool has_expiry, bool embedded, size_t payload)
{
    size_t size = 4 + (key_len < 255 ? 1 : 5) + key_len + (has_expiry ? 8 : 0);
    return size + (embedded ? (payload < 255 ? 1 : 5) + payload : 8);
}

static char *writable(struct slice bytes)
{
    return (char *)(uintptr_t)bytes.ptr;
}

static struct entry *make_embedded(struct slice key, int64_t expiry, struct slice value)
{
    struct entry *entry = entry_new(key, &(struct entry_spec){
                                             .type = TYPE_SET,
                                             .encoding = 5,
                                             .access = 0xABCDEF,
                                             .expiry = expiry,
                                             .embedded = true,
                                             .embedded_len = value.len,
                                         });
    memcpy(writable(entry_embedded_bytes(entry)), value.ptr, value.len);
    return entry;
}

static struct entry *make_word(struct slice key, int64_t expiry, uint64_t word)
{
    return entry_new(
        key,
        &(struct entry_spec){
            .type = TYPE_HASH, .encoding = 2, .access = 0x123456, .expiry = expiry, .word = word });
}

static void expect_embedded(const struct entry *entry, struct slice key, int64_t expiry,
                            struct slice value)
{
    EXPECT(entry_type(entry) == TYPE_SET);
    EXPECT(entry_encoding(entry) == 5);
    EXPECT(entry_access(entry) == 0xABCDEF);
    EXPECT(entry_embedded(entry));
    EXPECT(entry_has_expiry(entry) == (expiry != EXPIRY_NONE));
    EXPECT(entry_expiry(entry) == expiry);
    EXPECT(slice_equal(entry_key(entry), key));
    EXPECT(slice_equal(entry_embedded_bytes(entry), value));
    EXPECT(entry_size(entry) == drawn_size(key.len, expiry != EXPIRY_NONE, true, value.len));
}

static void expect_word(const struct entry *entry, struct slice key, int64_t expiry, uint64_t word)
{
    EXPECT(entry_type(entry) == TYPE_HASH);
    EXPECT(entry_encoding(entry) == 2);
    EXPECT(entry_access(entry) == 0x123456);
    EXPECT(!entry_embedded(entry));
    EXPECT(entry_has_expiry(entry) == (expiry != EXPIRY_NONE));
    EXPECT(entry_expiry(entry) == expiry);
    EXPECT(slice_equal(entry_key(entry), key));
    EXPECT(entry_word(entry) == word);
    EXPECT((uintptr_t)entry_pointer(entry) == word);
    EXPECT(entry_size(entry) == drawn_size(key.len, expiry != EXPIRY_NONE, false, 0));
}

START_TEST(the_layout_is_as_drawn)
{
    unsigned char want[] = "....\2........abc\3xyz";
    const uint32_t header = TYPE_SET | 5u << 3 | 1u << 6 | 1u << 7 | 0xABCDEFu << 8;
    const int64_t expiry = SOME_EXPIRY;
    memcpy(want, &header, sizeof(header));
    want[4] = 3;
    memcpy(want + 5, &expiry, sizeof(expiry));
    memcpy(want + 13, "abc\3xyz", 7);
    struct entry *entry = make_embedded(SLICE("abc"), SOME_EXPIRY, SLICE("xyz"));
    ck_assert_uint_eq(entry_size(entry), 20);
    ck_assert_mem_eq(entry, want, 20);
    entry_free(entry);
}
END_TEST

START_TEST(long_lengths_take_five_bytes)
{
    ck_assert_uint_eq(entry_length_size(0), 1);
    ck_assert_uint_eq(entry_length_size(254), 1);
    ck_assert_uint_eq(entry_length_size(255), 5);
    ck_assert_uint_eq(entry_length_size(256), 5);
    ck_assert_uint_eq(entry_length_size(ENTRY_KEY_MAX), 5);

    const uint32_t len = 255;
    struct entry *entry = make_embedded(noise_at(0, 255), EXPIRY_NONE, noise_at(300, 255));
    ck_assert_uint_eq(entry->rest[0], 255);
    ck_assert_mem_eq(entry->rest + 1, &len, sizeof(len));
    ck_assert_mem_eq(entry->rest + 5, noise, 255);
    ck_assert_uint_eq(entry->rest[260], 255);
    ck_assert_mem_eq(entry->rest + 261, &len, sizeof(len));
    ck_assert_mem_eq(entry->rest + 265, noise + 300, 255);
    entry_free(entry);
}
END_TEST

START_TEST(every_key_length_with_every_embedded_length)
{
    size_t before = mem_used();
    for (size_t k = 0; k < LENGTHS; k++) {
        for (size_t v = 0; v < LENGTHS; v++) {
            int64_t expiry = (k + v) % 2 ? SOME_EXPIRY : EXPIRY_NONE;
            struct slice key = noise_at(v, k);
            struct slice value = noise_at(2000 + k, v);
            struct entry *entry = make_embedded(key, expiry, value);
            expect_embedded(entry, key, expiry, value);
            EXPECT(entry_size_for(k, expiry != EXPIRY_NONE, true, v) == entry_size(entry));
            EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
            entry_free(entry);
            EXPECT(mem_used() == before);
        }
    }
}
END_TEST

START_TEST(every_key_length_with_a_word)
{
    static const uint64_t words[] = { 0, 1, INT64_MAX, UINT64_MAX, UINT64_C(0xFFFF00FF00FF00FF) };
    size_t before = mem_used();
    for (size_t k = 0; k < LENGTHS; k++) {
        for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
            int64_t expiry = (k + w) % 2 ? SOME_EXPIRY : EXPIRY_NONE;
            struct entry *entry = make_word(noise_at(w, k), expiry, words[w]);
            expect_word(entry, noise_at(w, k), expiry, words[w]);
            entry_set_word(entry, ~words[w]);
            expect_word(entry, noise_at(w, k), expiry, ~words[w]);
            EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
            entry_free(entry);
        }
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

// Each field at its extremes beside each other one at its extremes.
START_TEST(the_fields_of_the_header_do_not_touch_each_other)
{
    static const uint32_t accesses[] = { 0, 1, 0x800000, 0xFFFFFF };
    for (unsigned bits = 0; bits < TYPE_COUNT * 8 * 4 * 4; bits++) {
        struct entry_spec spec = {
            .type = (enum value_type)(bits % TYPE_COUNT),
            .encoding = bits / TYPE_COUNT % 8,
            .access = accesses[bits / TYPE_COUNT / 8 % 4],
            .expiry = bits / TYPE_COUNT / 32 & 1 ? SOME_EXPIRY : EXPIRY_NONE,
            .embedded = bits / TYPE_COUNT / 32 & 2,
        };
        struct entry *entry = entry_new(SLICE("key"), &spec);
        for (unsigned a = 0; a <= 4; a++) {
            uint32_t access = a ? accesses[a - 1] : spec.access;
            if (a)
                entry_set_access(entry, access);
            EXPECT(entry_access(entry) == access);
            EXPECT(entry_type(entry) == spec.type);
            EXPECT(entry_encoding(entry) == spec.encoding);
            EXPECT(entry_embedded(entry) == spec.embedded);
            EXPECT(entry_expiry(entry) == spec.expiry);
            EXPECT(slice_equal(entry_key(entry), SLICE("key")));
        }
        entry_free(entry);
    }
}
END_TEST

START_TEST(any_time_but_the_one_that_means_none_is_an_expiry)
{
    static const int64_t times[] = { 0, 1, -2, INT64_MAX, INT64_MIN, SOME_EXPIRY };
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        struct entry *entry = make_word(SLICE("k"), times[i], 7);
        expect_word(entry, SLICE("k"), times[i], 7);
        entry = entry_with_expiry(entry, times[i] - (times[i] != 0 && times[i] != INT64_MIN));
        ck_assert(entry_has_expiry(entry));
        entry_free(entry);
    }
}
END_TEST

START_TEST(long_keys_and_values)
{
    static const size_t lens[] = { 0xFFFF, 0x10000, 0x10001, 1u << 19 };
    size_t before = mem_used();
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        struct slice key = noise_at(0, lens[i]);
        struct slice value = noise_at(17, lens[i] + 1);
        struct entry *entry = make_embedded(key, SOME_EXPIRY, value);
        expect_embedded(entry, key, SOME_EXPIRY, value);
        entry_free(entry);
        entry = make_word(key, EXPIRY_NONE, 42);
        expect_word(entry, key, EXPIRY_NONE, 42);
        entry_free(entry);
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

// none -> some -> other -> none, for all lengths that matter.
START_TEST(an_expiry_comes_changes_and_goes)
{
    static const size_t lens[] = { 0, 1, 3, 7, 100, 246, 253, 254, 255, 256, 300 };
    const size_t count = sizeof(lens) / sizeof(*lens);
    size_t before = mem_used();
    for (size_t i = 0; i < count * count; i++) {
        struct slice key = noise_at(i, lens[i / count]);
        struct slice value = noise_at(1000 + i, lens[i % count]);
        struct entry *entry = make_embedded(key, EXPIRY_NONE, value);
        EXPECT(entry_with_expiry(entry, EXPIRY_NONE) == entry);
        entry = entry_with_expiry(entry, SOME_EXPIRY);
        expect_embedded(entry, key, SOME_EXPIRY, value);
        EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
        // The same flag: the same place.
        EXPECT(entry_with_expiry(entry, 1) == entry);
        expect_embedded(entry, key, 1, value);
        entry = entry_with_expiry(entry, EXPIRY_NONE);
        expect_embedded(entry, key, EXPIRY_NONE, value);
        EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
        entry_free(entry);

        entry = make_word(key, EXPIRY_NONE, i);
        entry = entry_with_expiry(entry, SOME_EXPIRY);
        expect_word(entry, key, SOME_EXPIRY, i);
        entry = entry_with_expiry(entry, EXPIRY_NONE);
        expect_word(entry, key, EXPIRY_NONE, i);
        entry_free(entry);
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(a_clone_has_another_key)
{
    static const size_t lens[] = { 0, 1, 7, 254, 255, 300 };
    const size_t count = sizeof(lens) / sizeof(*lens);
    size_t before = mem_used();
    for (size_t i = 0; i < count * count; i++) {
        int64_t expiry = i % 2 ? SOME_EXPIRY : EXPIRY_NONE;
        struct slice key = noise_at(i, lens[i / count]);
        struct slice value = noise_at(1000, lens[i % count]);
        struct slice other = noise_at(3000 + i, lens[(i + 1) % count]);
        struct entry *entry = make_embedded(key, expiry, value);
        struct entry *clone = entry_clone(entry, other);
        expect_embedded(clone, other, expiry, value);
        expect_embedded(entry, key, expiry, value);
        entry_free(entry);
        expect_embedded(clone, other, expiry, value);
        entry_free(clone);

        entry = make_word(key, expiry, i);
        clone = entry_clone(entry, other);
        expect_word(clone, other, expiry, i);
        expect_word(entry, key, expiry, i);
        entry_free(entry);
        entry_free(clone);
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

// An entry is rewritten over itself, its own key being the key it is given.
START_TEST(writing_over_itself_keeps_the_key)
{
    static const size_t lens[] = { 0, 1, 7, 8, 9, 254, 255, 300 };
    const size_t count = sizeof(lens) / sizeof(*lens);
    struct random random;
    random_seed(&random, 3);
    struct entry *entry = mem_alloc(1024);
    for (size_t k = 0; k < count; k++) {
        struct slice key = noise_at(k, lens[k]);
        entry_write(entry, key, &(struct entry_spec){ .expiry = EXPIRY_NONE });
        for (int round = 0; round < 200; round++) {
            struct entry_spec spec = {
                .type = TYPE_SET,
                .encoding = 5,
                .access = 0xABCDEF,
                .expiry = random_below(&random, 2) ? SOME_EXPIRY + round : EXPIRY_NONE,
                .embedded = true,
                .embedded_len = lens[random_below(&random, count)],
            };
            struct slice value = noise_at((size_t)round, spec.embedded_len);
            entry_write(entry, entry_key(entry), &spec);
            memcpy(writable(entry_embedded_bytes(entry)), value.ptr, value.len);
            expect_embedded(entry, key, spec.expiry, value);
        }
    }
    mem_free(entry, 1024);
}
END_TEST

// Wherever in the memory to be written the key lies.
START_TEST(the_key_may_overlap_what_is_written)
{
    char *room = mem_alloc(1024);
    struct entry *entry = (struct entry *)(void *)room;
    for (size_t len = 250; len < 260; len++) {
        for (size_t offset = 0; offset < 64; offset++) {
            int64_t expiry = offset % 2 ? SOME_EXPIRY : EXPIRY_NONE;
            memcpy(room + offset, noise, len);
            entry_write(entry, (struct slice){ .ptr = room + offset, .len = len },
                        &(struct entry_spec){ .type = TYPE_HASH,
                                              .encoding = 2,
                                              .access = 0x123456,
                                              .expiry = expiry,
                                              .word = offset });
            expect_word(entry, noise_at(0, len), expiry, offset);
        }
    }
    mem_free(room, 1024);
}
END_TEST

// What follows the loop index: a key of one of these lengths, with an expiry or without.
static const size_t payload_key_lens[] = { 0, 16, 250, 300 };

#define PAYLOAD_KEYS (sizeof payload_key_lens / sizeof *payload_key_lens)

static struct slice payload_key(int i)
{
    return noise_at(7, payload_key_lens[(size_t)i % PAYLOAD_KEYS]);
}

static int64_t payload_expiry(int i)
{
    return (size_t)i < PAYLOAD_KEYS ? EXPIRY_NONE : SOME_EXPIRY;
}

// Takes the entry to another length; `from` is where the noise begins that it holds and must hold.
static struct entry *resize_checked(struct entry *entry, size_t len, size_t from)
{
    size_t have = entry_embedded_bytes(entry).len;
    size_t kept = have < len ? have : len;
    entry = entry_resize_embedded(entry, len);
    struct slice value = entry_embedded_bytes(entry);
    EXPECT(value.len == len);
    EXPECT(memcmp(value.ptr, noise + from, kept) == 0);
    memcpy(writable(value), noise + from, len);
    return entry;
}

START_TEST(an_embedded_payload_takes_any_other_length)
{
    static const size_t lens[] = {
        0, 1, 7, 8, 100, 240, 253, 254, 255, 256, 257, 300, 1000, 70000
    };
    const size_t before = mem_used();
    const struct slice key = payload_key(_i);
    const int64_t expiry = payload_expiry(_i);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (size_t j = 0; j < sizeof lens / sizeof *lens; j++) {
            struct entry *entry = make_embedded(key, expiry, noise_at(500, lens[i]));
            entry = resize_checked(entry, lens[j], 500);
            expect_embedded(entry, key, expiry, noise_at(500, lens[j]));
            EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
            entry_free(entry);
        }
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(an_embedded_payload_grows_and_shrinks_at_random)
{
    const size_t before = mem_used();
    const struct slice key = payload_key(_i);
    int64_t expiry = payload_expiry(_i);
    struct random random;
    random_seed(&random, (uint64_t)_i + 1);
    struct entry *entry = make_embedded(key, expiry, noise_at(900, 0));
    for (int round = 0; round < 5000; round++) {
        size_t len = random_below(&random, random_below(&random, 8) ? 270 : 2000);
        entry = resize_checked(entry, len, 900);
        if (random_below(&random, 8) == 0) {
            expiry = expiry == EXPIRY_NONE ? SOME_EXPIRY : EXPIRY_NONE;
            entry = entry_with_expiry(entry, expiry);
        }
        expect_embedded(entry, key, expiry, noise_at(900, len));
        EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
    }
    entry_free(entry);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(payloads_of_one_kind_become_the_other)
{
    const size_t before = mem_used();
    const struct slice key = payload_key(_i);
    const int64_t expiry = payload_expiry(_i);
    for (size_t len = 0; len < LENGTHS; len++) {
        struct entry *entry = make_embedded(key, expiry, noise_at(0, len));
        entry = entry_with_word(entry, 2, UINT64_C(0xFEDCBA9876543210));
        EXPECT(entry_type(entry) == TYPE_SET && entry_encoding(entry) == 2);
        EXPECT(!entry_embedded(entry) && entry_access(entry) == 0xABCDEF);
        EXPECT(slice_equal(entry_key(entry), key) && entry_expiry(entry) == expiry);
        EXPECT(entry_word(entry) == UINT64_C(0xFEDCBA9876543210));
        EXPECT(entry_size(entry) == drawn_size(key.len, expiry != EXPIRY_NONE, false, 0));
        EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
        // A word that is replaced by another, for another encoding.
        entry = entry_with_word(entry, 7, len);
        EXPECT(entry_encoding(entry) == 7 && entry_word(entry) == len);
        entry = entry_with_embedded(entry, 5, len);
        memcpy(writable(entry_embedded_bytes(entry)), noise + 3, len);
        expect_embedded(entry, key, expiry, noise_at(3, len));
        // And bytes by others.
        entry = entry_with_embedded(entry, 5, len / 2);
        memcpy(writable(entry_embedded_bytes(entry)), noise + 5, len / 2);
        expect_embedded(entry, key, expiry, noise_at(5, len / 2));
        EXPECT(mem_used() - before == mem_good_size(entry_size(entry)));
        entry_free(entry);
    }
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("entry");
    TCase *layout = tcase_create("layout");
    tcase_add_checked_fixture(layout, set_up, NULL);
    tcase_set_timeout(layout, 60);
    tcase_add_test(layout, the_layout_is_as_drawn);
    tcase_add_test(layout, long_lengths_take_five_bytes);
    tcase_add_test(layout, every_key_length_with_every_embedded_length);
    tcase_add_test(layout, every_key_length_with_a_word);
    tcase_add_test(layout, the_fields_of_the_header_do_not_touch_each_other);
    tcase_add_test(layout, any_time_but_the_one_that_means_none_is_an_expiry);
    tcase_add_test(layout, long_keys_and_values);
    suite_add_tcase(suite, layout);

    TCase *rewriting = tcase_create("rewriting");
    tcase_add_checked_fixture(rewriting, set_up, NULL);
    tcase_set_timeout(rewriting, 60);
    tcase_add_test(rewriting, an_expiry_comes_changes_and_goes);
    tcase_add_test(rewriting, a_clone_has_another_key);
    tcase_add_test(rewriting, writing_over_itself_keeps_the_key);
    tcase_add_test(rewriting, the_key_may_overlap_what_is_written);
    suite_add_tcase(suite, rewriting);

    TCase *payloads = tcase_create("payloads");
    tcase_add_checked_fixture(payloads, set_up, NULL);
    tcase_set_timeout(payloads, 60);
    tcase_add_loop_test(payloads, an_embedded_payload_takes_any_other_length, 0, 2 * PAYLOAD_KEYS);
    tcase_add_loop_test(payloads, an_embedded_payload_grows_and_shrinks_at_random, 0,
                        2 * PAYLOAD_KEYS);
    tcase_add_loop_test(payloads, payloads_of_one_kind_become_the_other, 0, 2 * PAYLOAD_KEYS);
    suite_add_tcase(suite, payloads);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

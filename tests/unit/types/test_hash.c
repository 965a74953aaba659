// SPDX-License-Identifier: BSD-3-Clause
// Tests of hashes: against a naive model with random operations through both encodings, their memory to
// the byte, copies, scans, and fair choices.
#include "types/hash.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#include <stdio.h>

#define FIELDS_MAX 400
#define TEXT_MAX   96
#define SEEDS      8
#define STEPS      4000

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

// What a hash should hold: an array that is searched from end to end.
struct model {
    struct text fields[FIELDS_MAX];
    struct text values[FIELDS_MAX];
    size_t count;
};

static struct keyspace keyspace;
static struct random dice;
static struct model model;
static struct collection_limits limits;
static size_t used_before;

static void set_up(void)
{
    used_before = mem_used();
    keyspace_init(&keyspace);
    keyspace_register_type(&keyspace, TYPE_HASH, &hash_type_ops);
    keyspace_open(&keyspace, 1);
    random_seed(&dice, 11);
    model.count = 0;
    limits = (struct collection_limits){ .hash_max_listpack_entries = 512,
                                         .hash_max_listpack_value = 64 };
}

static void tear_down(void)
{
    keyspace_release(&keyspace);
    ck_assert_uint_eq(mem_used(), used_before);
}

static struct slice slice_text(const struct text *text)
{
    return (struct slice){ .ptr = text->bytes, .len = text->len };
}

static struct text make_text(const char *format, int number)
{
    struct text text;
    text.len = (size_t)snprintf(text.bytes, sizeof(text.bytes), format, number);
    return text;
}

static struct text random_value(size_t len_max)
{
    struct text text;
    if (random_below(&dice, 2))
        return make_text("%d", (int)(random_next(&dice) >> random_below(&dice, 32)));
    text.len = random_below(&dice, len_max + 1);
    for (size_t i = 0; i < text.len; i++)
        text.bytes[i] = (char)random_next(&dice);
    return text;
}

// Some are numbers, which listpacks keep as such.
static struct text random_field(unsigned fields)
{
    int number = (int)random_below(&dice, fields);
    return make_text(number % 3 == 0 ? "%d" : number % 3 == 1 ? "field:%d" : "0%d", number);
}

static size_t model_find(struct slice field)
{
    for (size_t i = 0; i < model.count; i++) {
        if (slice_equal(slice_text(&model.fields[i]), field))
            return i;
    }
    return FIELDS_MAX;
}

static bool model_set(const struct text *field, const struct text *value)
{
    size_t i = model_find(slice_text(field));
    bool added = i == FIELDS_MAX;
    if (added) {
        i = model.count++;
        EXPECT(i < FIELDS_MAX);
        model.fields[i] = *field;
    }
    model.values[i] = *value;
    return added;
}

static bool model_delete(struct slice field)
{
    size_t i = model_find(field);
    if (i == FIELDS_MAX)
        return false;
    model.count--;
    model.fields[i] = model.fields[model.count];
    model.values[i] = model.values[model.count];
    return true;
}

static struct entry *new_hash(void)
{
    return hash_new(SLICE("hash"), 0, &limits, NULL, 0);
}

static void free_hash(struct entry *entry)
{
    hash_type_ops.release(entry);
    entry_free(entry);
}

static size_t entry_memory(const struct entry *entry)
{
    return mem_good_size(entry_size(entry)) + hash_type_ops.memory(entry);
}

// Every field of the model, and no other, is in the hash.
static void check_all(const struct entry *entry)
{
    char scratch[HASH_SCRATCH];
    struct slice value;
    EXPECT(hash_len(entry) == model.count);
    for (size_t i = 0; i < model.count; i++) {
        EXPECT(hash_get(entry, slice_text(&model.fields[i]), scratch, &value));
        EXPECT(slice_equal(value, slice_text(&model.values[i])));
    }
    struct hash_iter iter;
    struct hash_pair pair;
    size_t seen = 0;
    hash_iter_init(&iter, entry);
    while (hash_iter_next(&iter, &pair)) {
        size_t i = model_find(pair.field);
        EXPECT(i < FIELDS_MAX && slice_equal(pair.value, slice_text(&model.values[i])));
        seen++;
    }
    EXPECT(seen == model.count);
}

static void check_many(const struct entry *entry, unsigned fields)
{
    struct text wanted[HASH_GET_MANY_MAX];
    struct slice names[HASH_GET_MANY_MAX];
    struct slice values[HASH_GET_MANY_MAX];
    char scratches[HASH_GET_MANY_MAX][HASH_SCRATCH];
    size_t count = random_below(&dice, HASH_GET_MANY_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        wanted[i] = random_field(fields);
        names[i] = slice_text(&wanted[i]);
    }
    hash_get_many(entry, names, count, scratches, values);
    for (size_t i = 0; i < count; i++) {
        size_t at = model_find(names[i]);
        EXPECT((values[i].ptr != NULL) == (at != FIELDS_MAX));
        EXPECT(at == FIELDS_MAX || slice_equal(values[i], slice_text(&model.values[at])));
    }
}

static void random_step(struct entry **entry, unsigned fields, size_t value_max)
{
    struct text field = random_field(fields);
    if (random_below(&dice, 5) < 3) {
        struct text value = random_value(value_max);
        bool added = hash_set(entry, &limits, slice_text(&field), slice_text(&value));
        EXPECT(added == model_set(&field, &value));
        return;
    }
    bool deleted = hash_delete(entry, slice_text(&field));
    EXPECT(deleted == model_delete(slice_text(&field)));
}

// Odd rounds stay small, even ones soon are tables.
START_TEST(a_hash_does_what_an_array_does)
{
    unsigned fields = _i % 2 ? 20 : FIELDS_MAX;
    random_seed(&dice, (uint64_t)_i + 1);
    limits.hash_max_listpack_entries = _i % 4 == 0 ? 30 : 512;
    size_t before = mem_used();
    struct entry *entry = new_hash();
    for (int i = 0; i < STEPS; i++) {
        random_step(&entry, fields, _i == 2 ? TEXT_MAX : 60);
        EXPECT(mem_used() - before == entry_memory(entry));
        if (i % 100 == 0) {
            check_all(entry);
            check_many(entry, fields);
        }
    }
    check_all(entry);
    EXPECT(entry_encoding(entry) == (_i % 4 == 0 || _i == 2 ? HASH_ENC_TABLE : HASH_ENC_LISTPACK));
    free_hash(entry);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(a_new_hash_holds_what_it_is_given)
{
    static struct text texts[2 * FIELDS_MAX];
    static struct slice pairs[2 * FIELDS_MAX];
    random_seed(&dice, (uint64_t)_i + 1);
    size_t count = random_below(&dice, 200) + 1;
    limits.hash_max_listpack_entries = (int64_t)random_below(&dice, 200);
    for (size_t i = 0; i < count; i++) {
        texts[2 * i] = random_field(150);
        texts[2 * i + 1] = random_value(_i % 3 ? 20 : 66);
        pairs[2 * i] = slice_text(&texts[2 * i]);
        pairs[2 * i + 1] = slice_text(&texts[2 * i + 1]);
        model_set(&texts[2 * i], &texts[2 * i + 1]);
    }
    size_t before = mem_used();
    struct entry *entry = hash_new(SLICE("key"), 77, &limits, pairs, count);
    check_all(entry);
    ck_assert_uint_eq(mem_used() - before, entry_memory(entry));
    ck_assert_uint_eq(entry_access(entry), 77);
    ck_assert(slice_equal(entry_key(entry), SLICE("key")));
    free_hash(entry);
}
END_TEST

static void set_numbered(struct entry **entry, int count)
{
    for (int i = 0; i < count; i++) {
        struct text field = make_text("field:%d", i);
        struct text value = make_text("value:%d", i);
        hash_set(entry, &limits, slice_text(&field), slice_text(&value));
        model_set(&field, &value);
    }
}

START_TEST(limits_decide_the_encoding)
{
    limits.hash_max_listpack_entries = 3;
    struct entry *entry = new_hash();
    set_numbered(&entry, 3);
    ck_assert_str_eq(hash_type_ops.encoding_name(entry), "listpack");
    set_numbered(&entry, 4);
    ck_assert_str_eq(hash_type_ops.encoding_name(entry), "hashtable");
    check_all(entry);
    free_hash(entry);

    char large[65] = { 0 };
    entry = new_hash();
    hash_set(&entry, &limits, SLICE("f"), (struct slice){ .ptr = large, .len = 64 });
    ck_assert_str_eq(hash_type_ops.encoding_name(entry), "listpack");
    hash_set(&entry, &limits, SLICE("f"), (struct slice){ .ptr = large, .len = 65 });
    ck_assert_str_eq(hash_type_ops.encoding_name(entry), "hashtable");
    free_hash(entry);
}
END_TEST

// In place means: the same bytes in use at every moment, at the same place.
START_TEST(a_value_of_the_same_size_is_written_in_place)
{
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    struct entry *entry = new_hash();
    set_numbered(&entry, 5);
    const struct entry *same = entry;
    size_t used = mem_used();
    ck_assert(!hash_set(&entry, &limits, SLICE("field:3"), SLICE("other:3")));
    ck_assert_ptr_eq(entry, same);
    ck_assert_uint_eq(mem_used(), used);
    char scratch[HASH_SCRATCH];
    struct slice value;
    ck_assert(hash_get(entry, SLICE("field:3"), scratch, &value));
    ck_assert(slice_equal(value, SLICE("other:3")));
    free_hash(entry);
}
END_TEST

START_TEST(a_copy_is_a_hash_of_its_own)
{
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    size_t before = mem_used();
    struct entry *entry = new_hash();
    set_numbered(&entry, 50);
    size_t one = mem_used() - before;
    struct entry *copy = db_copy_entry(&keyspace.dbs[0], entry, SLICE("copy"));
    ck_assert_uint_eq(entry_memory(copy), mem_used() - before - one);
    ck_assert_uint_eq(hash_len(copy), 50);
    for (int i = 0; i < 50; i++) {
        struct text field = make_text("field:%d", i);
        ck_assert(hash_delete(&entry, slice_text(&field)));
    }
    ck_assert_uint_eq(hash_len(entry), 0);
    free_hash(entry);
    check_all(copy);
    free_hash(copy);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(a_large_hash_is_released_in_slices)
{
    limits.hash_max_listpack_entries = 2;
    size_t before = mem_used();
    struct entry *entry = new_hash();
    set_numbered(&entry, 300);
    ck_assert_uint_eq(hash_type_ops.pieces(entry), 300);
    unsigned slices = 1;
    while (!hash_type_ops.release_some(entry, 50))
        slices++;
    ck_assert_uint_ge(slices, 6);
    ck_assert_uint_le(slices, 7);
    entry_free(entry);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(a_small_hash_is_released_at_once)
{
    struct entry *entry = new_hash();
    set_numbered(&entry, 100);
    ck_assert_uint_eq(hash_type_ops.pieces(entry), 1);
    ck_assert(hash_type_ops.release_some(entry, 1));
    entry_free(entry);
}
END_TEST

static unsigned met[FIELDS_MAX];

static void count_field(const struct hash_pair *pair, void *udata)
{
    (void)udata;
    size_t i = model_find(pair->field);
    EXPECT(i < FIELDS_MAX && slice_equal(pair->value, slice_text(&model.values[i])));
    met[i]++;
}

START_TEST(a_scan_meets_every_field)
{
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    struct entry *entry = new_hash();
    set_numbered(&entry, 300);
    memset(met, 0, sizeof(met));
    uint64_t cursor = 0;
    size_t steps = 0;
    do {
        cursor = hash_scan(entry, cursor, count_field, NULL);
        // What comes and goes between the steps makes nothing else be missed.
        struct text field = make_text("other:%d", (int)steps);
        struct text value = make_text("%d", (int)steps++);
        hash_set(&entry, &limits, slice_text(&field), slice_text(&value));
        model_set(&field, &value);
    } while (cursor != 0 && steps < 90);
    ck_assert_uint_eq(cursor, 0);
    for (size_t i = 0; i < 300; i++)
        EXPECT(met[i] >= 1);
    free_hash(entry);
}
END_TEST

// Chi-square of `count` fields that should be equally frequent; the bound is that of p = 10^-6 for the
// numbers of fields below.
static void check_fair(size_t count, double bound)
{
    double total = 0;
    double chi_square = 0;
    for (size_t i = 0; i < count; i++)
        total += met[i];
    double expected = total / (double)count;
    for (size_t i = 0; i < count; i++)
        chi_square += (met[i] - expected) * (met[i] - expected) / expected;
    ck_assert_double_lt(chi_square, bound);
}

START_TEST(a_random_field_is_any)
{
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    struct entry *entry = new_hash();
    set_numbered(&entry, 100);
    memset(met, 0, sizeof(met));
    for (int i = 0; i < 50000; i++) {
        struct hash_pair pair;
        hash_random(entry, &dice, &pair);
        count_field(&pair, NULL);
    }
    check_fair(100, 180);
    free_hash(entry);
}
END_TEST

static unsigned met_before[FIELDS_MAX];

// Each field at most once a sample.
static void check_sample(const struct entry *entry, size_t count)
{
    memcpy(met_before, met, sizeof(met));
    hash_sample(entry, &dice, count, count_field, NULL);
    size_t taken = 0;
    for (size_t i = 0; i < model.count; i++) {
        EXPECT(met[i] - met_before[i] <= 1);
        taken += met[i] - met_before[i];
    }
    EXPECT(taken == (count < model.count ? count : model.count));
}

START_TEST(a_sample_is_fair_and_repeats_nothing)
{
    static const size_t counts[] = { 1, 5, 25, 26, 60, 99, 100, 1000 };
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    struct entry *entry = new_hash();
    set_numbered(&entry, 100);
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        memset(met, 0, sizeof(met));
        for (int round = 0; round < 4000; round++)
            check_sample(entry, counts[i]);
        check_fair(100, 180);
    }
    free_hash(entry);
}
END_TEST

// Pairs of fields come together as often as any other pair would: 45 of them.
START_TEST(a_sample_prefers_no_company)
{
    limits.hash_max_listpack_entries = _i ? 2 : 512;
    struct entry *entry = new_hash();
    set_numbered(&entry, 10);
    static unsigned pairs[FIELDS_MAX];
    memset(pairs, 0, sizeof(pairs));
    for (int round = 0; round < 20000; round++) {
        memset(met, 0, sizeof(met));
        hash_sample(entry, &dice, 2, count_field, NULL);
        size_t index = 0;
        for (size_t a = 0; a < 10; a++) {
            for (size_t b = a + 1; b < 10; b++, index++)
                pairs[index] += met[a] && met[b];
        }
    }
    memcpy(met, pairs, sizeof(met));
    check_fair(45, 105);
    free_hash(entry);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_hash_does_what_an_array_does, 0, SEEDS);
    tcase_add_loop_test(tcase, a_new_hash_holds_what_it_is_given, 0, 200);
    tcase_add_test(tcase, limits_decide_the_encoding);
    tcase_add_loop_test(tcase, a_value_of_the_same_size_is_written_in_place, 0, 2);
    tcase_add_loop_test(tcase, a_copy_is_a_hash_of_its_own, 0, 2);
    tcase_add_test(tcase, a_large_hash_is_released_in_slices);
    tcase_add_test(tcase, a_small_hash_is_released_at_once);
    tcase_add_loop_test(tcase, a_scan_meets_every_field, 0, 2);
    tcase_add_loop_test(tcase, a_random_field_is_any, 0, 2);
    tcase_add_loop_test(tcase, a_sample_is_fair_and_repeats_nothing, 0, 2);
    tcase_add_loop_test(tcase, a_sample_prefers_no_company, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

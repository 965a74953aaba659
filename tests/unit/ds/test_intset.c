// SPDX-License-Identifier: BSD-3-Clause
// Tests of intsets against the bytes of the format, and random changes against a naive model.
#include "ds/intset.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

#define MODEL_MAX 400

static unsigned char *set_new(void)
{
    unsigned char *set = mem_alloc(INTSET_HEADER_BYTES);
    intset_init(set);
    return set;
}

static void set_free(unsigned char *set)
{
    mem_free(set, intset_bytes(set));
}

// In a block of exactly its size, so that a sanitizer sees what is written beyond it.
static unsigned char *set_add(unsigned char *set, int64_t value)
{
    size_t index;
    if (intset_find(set, value, &index))
        return set;
    size_t size = intset_bytes_with(set, value);
    set = mem_realloc(set, intset_bytes(set), size);
    intset_insert(set, index, value);
    EXPECT(intset_bytes(set) == size);
    EXPECT(intset_at(set, index) == value);
    return set;
}

static unsigned char *set_remove(unsigned char *set, int64_t value)
{
    size_t index;
    if (!intset_find(set, value, &index))
        return set;
    size_t old_size = intset_bytes(set);
    intset_remove(set, index);
    return mem_realloc(set, old_size, intset_bytes(set));
}

// ---- the format ---------------------------------------------------------------------------------

START_TEST(sets_have_the_specified_bytes)
{
    static const struct {
        int64_t values[3];
        size_t count;
        unsigned char bytes[32];
        size_t len;
    } sets
        [] = {
            { { 0 }, 0, { 2, 0, 0, 0, 0, 0, 0, 0 }, 8 },
            { { 2, 1 }, 2, { 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0 }, 12 },
            { { 32767, 1, -1 }, 3, { 2, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0xFF, 1, 0, 0xFF, 0x7F }, 14 },
            { { -5, 32768 },
              2,
              { 4, 0, 0, 0, 2, 0, 0, 0, 0xFB, 0xFF, 0xFF, 0xFF, 0, 0x80, 0, 0 },
              16 },
            { { -32769 }, 1, { 4, 0, 0, 0, 1, 0, 0, 0, 0xFF, 0x7F, 0xFF, 0xFF }, 12 },
            { { 2147483648, -1 },
              2,
              { 8, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0x80, 0, 0 },
              24 },
            { { INT64_MAX, INT64_MIN },
              2,
              { 8, 0, 0, 0,   2,   0,   0,   0,   0,   0,   0,   0,
                0, 0, 0, 128, 255, 255, 255, 255, 255, 255, 255, 127 },
              24 },
        };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        unsigned char *set = set_new();
        for (size_t j = 0; j < sets[i].count; j++)
            set = set_add(set, sets[i].values[j]);
        ck_assert_uint_eq(intset_bytes(set), sets[i].len);
        ck_assert_mem_eq(set, sets[i].bytes, sets[i].len);
        ck_assert(intset_validate(set, sets[i].len));
        set_free(set);
    }
}
END_TEST

START_TEST(each_width_is_taken_when_it_must_be_and_kept)
{
    static const struct {
        int64_t value;
        unsigned width;
    } steps[] = {
        { 0, 2 },         { INT16_MAX, 2 },
        { INT16_MIN, 2 }, { INT16_MAX + 1, 4 },
        { 5, 4 },         { INT32_MAX, 4 },
        { INT32_MIN, 4 }, { INT32_MIN - INT64_C(1), 8 },
        { 6, 8 },         { INT32_MAX + INT64_C(1), 8 },
    };
    unsigned char *set = set_new();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        set = set_add(set, steps[i].value);
        ck_assert_uint_eq(set[0], steps[i].width);
        ck_assert_uint_eq(intset_count(set), i + 1);
        ck_assert(intset_validate(set, intset_bytes(set)));
    }
    for (size_t i = sizeof steps / sizeof *steps; i-- > 1;)
        set = set_remove(set, steps[i].value);
    ck_assert_uint_eq(set[0], 8);
    ck_assert_uint_eq(intset_count(set), 1);
    ck_assert_int_eq(intset_at(set, 0), 0);
    set_free(set);
}
END_TEST

START_TEST(places_are_found_at_every_count)
{
    unsigned char *set = set_new();
    for (int64_t count = 0; count < 70; count++) {
        // The set is 0, 10, 20, ...
        for (int64_t value = -5; value <= 10 * count; value += 5) {
            size_t index;
            bool there = value >= 0 && value % 10 == 0 && value < 10 * count;
            EXPECT(intset_find(set, value, &index) == there);
            EXPECT(index == (size_t)(value < 0 ? 0 : (value + 9) / 10));
        }
        set = set_add(set, 10 * count);
    }
    set_free(set);
}
END_TEST

static bool validates(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    bool valid = intset_validate(copy, size);
    free(copy);
    return valid;
}

START_TEST(bytes_that_are_no_intset_are_refused)
{
    ck_assert(!validates("", 0));
    ck_assert(!validates("\2\0\0\0\0\0\0", 7));
    ck_assert(!validates("\0\0\0\0\0\0\0\0", 8));
    ck_assert(!validates("\3\0\0\0\0\0\0\0", 8));
    ck_assert(!validates("\20\0\0\0\0\0\0\0", 8));
    ck_assert(!validates("\2\1\0\0\0\0\0\0", 8));
    ck_assert(!validates("\2\0\0\0\1\0\0\0", 8));                     // the integer is missing
    ck_assert(!validates("\2\0\0\0\1\0\0\0\1", 9));                   // half of it
    ck_assert(!validates("\2\0\0\0\1\0\0\0\1\0\2\0", 12));            // one too many
    ck_assert(!validates("\2\0\0\0\2\0\0\0\1\0\1\0", 12));            // a double
    ck_assert(!validates("\2\0\0\0\2\0\0\0\1\0\377\377", 12));        // -1 behind 1
    ck_assert(!validates("\10\0\0\0\0\0\0\40\0\0\0\0\0\0\0\0", 16));  // 2^29 integers
    ck_assert(!validates("\10\0\0\0\1\0\0\200\0\0\0\0\0\0\0\0", 16));
    ck_assert(validates("\2\0\0\0\2\0\0\0\377\377\1\0", 12));
    ck_assert(validates("\2\0\0\0\0\0\0\0", 8));
}
END_TEST

// ---- the model ----------------------------------------------------------------------------------

struct model {
    int64_t values[MODEL_MAX];  // ascending
    size_t count;
};

static size_t model_place(const struct model *model, int64_t value)
{
    size_t i = 0;
    while (i < model->count && model->values[i] < value)
        i++;
    return i;
}

static void model_toggle(struct model *model, int64_t value)
{
    size_t i = model_place(model, value);
    int64_t *place = model->values + i;
    if (i < model->count && *place == value) {
        memmove(place, place + 1, (--model->count - i) * sizeof *place);
        return;
    }
    memmove(place + 1, place, (model->count++ - i) * sizeof *place);
    *place = value;
}

static void compare(const unsigned char *set, const struct model *model)
{
    EXPECT(intset_count(set) == model->count);
    EXPECT(intset_validate(set, intset_bytes(set)));
    for (size_t i = 0; i < model->count; i++)
        EXPECT(intset_at(set, i) == model->values[i]);
}

// Small values come often, so that they are met again; the wide ones come later.
static int64_t pick(struct random *random, int round)
{
    unsigned bits = round < 400 ? 10 : round < 800 ? 18 : round < 1200 ? 34 : 64;
    bits = random_below(random, 3) ? 9 : bits;
    return (int64_t)(random_next(random) << (64 - bits)) >> (64 - bits);
}

START_TEST(random_changes_agree_with_the_model)
{
    size_t before = mem_used();
    struct random random;
    random_seed(&random, (uint64_t)_i + 1);
    struct model model = { .count = 0 };
    unsigned char *set = set_new();
    for (int round = 0; round < 1600; round++) {
        int64_t value = pick(&random, round);
        if (model.count == MODEL_MAX || (model.count && random_below(&random, 4) == 0))
            value = model.values[random_below(&random, model.count)];
        size_t index;
        size_t place = model_place(&model, value);
        bool there = place < model.count && model.values[place] == value;
        EXPECT(intset_find(set, value, &index) == there);
        EXPECT(index == place);
        set = there ? set_remove(set, value) : set_add(set, value);
        model_toggle(&model, value);
        compare(set, &model);
    }
    set_free(set);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("intset");
    TCase *format = tcase_create("format");
    tcase_add_test(format, sets_have_the_specified_bytes);
    tcase_add_test(format, each_width_is_taken_when_it_must_be_and_kept);
    tcase_add_test(format, places_are_found_at_every_count);
    tcase_add_test(format, bytes_that_are_no_intset_are_refused);
    suite_add_tcase(suite, format);

    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 60);
    tcase_add_loop_test(model, random_changes_agree_with_the_model, 0, 4);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

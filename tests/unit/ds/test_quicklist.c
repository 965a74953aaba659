// SPDX-License-Identifier: BSD-3-Clause
// The quicklist's operations one by one: what they do at every position, what memory they take.
#include "quicklist_model.h"

#include "support/unit.h"

#include <stdio.h>

static struct slice numbered(char text[32], size_t number)
{
    return (struct slice){ .ptr = text, .len = (size_t)sprintf(text, "element:%zu", number) };
}

static struct item number_item(size_t number)
{
    return (struct item){ .number = (int64_t)number, .integer = true };
}

// A list of the integers from 0 on.
static struct model *model_of_numbers(int fill, size_t count)
{
    struct model *model = model_new(fill, 1);
    for (size_t i = 0; i < count; i++)
        both_push(model, QUICKLIST_TAIL, number_item(i));
    return model;
}

static void count_chunk(const unsigned char *lp, void *udata)
{
    EXPECT(lp_validate(lp, lp_bytes(lp)));
    ++*(size_t *)udata;
}

START_TEST(empty_list_answers)
{
    struct model *model = model_new(-2, 1);
    size_t chunks = 0;
    ck_assert_ptr_null(quicklist_seek(model->list, 0).chunk);
    ck_assert_ptr_null(quicklist_seek(model->list, -1).chunk);
    ck_assert_ptr_null(quicklist_seek(model->list, 1).chunk);
    ck_assert_ptr_null(quicklist_seek(model->list, INT64_MIN).chunk);
    ck_assert_ptr_null(quicklist_only_listpack(model->list));
    quicklist_each_chunk(model->list, count_chunk, &chunks);
    ck_assert_uint_eq(chunks, 0);
    ck_assert_uint_eq(quicklist_chunks(model->list), 0);
    quicklist_remove_range(model->list, 0, 10);
    model_verify(model);
    struct quicklist *copy = quicklist_copy(model->list);
    quicklist_check(copy);
    ck_assert_uint_eq(quicklist_count(copy), 0);
    quicklist_free(copy);
    model_free(model);
}
END_TEST

START_TEST(pushes_and_pops_at_both_ends)
{
    static const int fills[] = { -5, -2, -1, 1, 2, 7, 128 };
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        for (unsigned mode = 0; mode < 4; mode++) {
            struct model *model = model_new(fills[f], mode);
            for (size_t i = 0; i < 1500; i++)
                both_push(model, mode & 1, item_random(model));
            model_verify(model);
            while (model->count > 0) {
                both_remove(model, mode & 2 ? 0 : model->count - 1);
                model_glance(model);
                if (model->count % 64 == 0)
                    quicklist_check(model->list);
            }
            model_verify(model);
            model_free(model);
        }
    }
}
END_TEST

// Pushes at one end, pops at the other, at a steady length.
START_TEST(queues_of_every_length)
{
    for (size_t length = 1; length < 3000; length = length * 2 + 1) {
        for (unsigned end = 0; end < 2; end++) {
            struct model *model = model_new(-1, length);
            both_fill(model, length);
            for (size_t i = 0; i < 2000; i++) {
                both_push(model, end, number_item(i * i));
                both_remove(model, end == QUICKLIST_TAIL ? 0 : model->count - 1);
                model_glance(model);
            }
            model_verify(model);
            model_free(model);
        }
    }
}
END_TEST

// An alternating list doesn't keep what it doesn't need, whatever side its room is on.
START_TEST(both_ends_in_turn)
{
    struct model *model = model_new(-2, 5);
    for (size_t i = 0; i < 20000; i++) {
        both_push(model, i & 1, number_item(i));
        if (i % 3 == 0)
            both_remove(model, i % 2 ? model->count - 1 : 0);
        model_glance(model);
        if (i % 500 == 0)
            quicklist_check(model->list);
    }
    model_verify(model);
    model_free(model);
}
END_TEST

START_TEST(every_index_from_both_ends)
{
    static const int fills[] = { 1, 2, 7, -1 };
    const int64_t count = 5000;
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        struct model *model = model_of_numbers(fills[f], (size_t)count);
        quicklist_check(model->list);
        for (int64_t i = 0; i < count; i++) {
            struct quicklist_at at = quicklist_seek(model->list, i);
            EXPECT(lp_get(quicklist_listpack(at), at.offset).integer == i);
            struct quicklist_at same = quicklist_seek(model->list, i - count);
            EXPECT(same.chunk == at.chunk && same.offset == at.offset);
        }
        ck_assert_ptr_null(quicklist_seek(model->list, count).chunk);
        ck_assert_ptr_null(quicklist_seek(model->list, -count - 1).chunk);
        ck_assert_ptr_null(quicklist_seek(model->list, INT64_MAX).chunk);
        ck_assert_ptr_null(quicklist_seek(model->list, INT64_MIN).chunk);
        model_free(model);
    }
}
END_TEST

START_TEST(inserting_at_every_place)
{
    static const int fills[] = { 1, 2, 3, 7 };
    static const struct item larger[] = {
        { .number = 77, .integer = true }, { .len = 0 }, { .len = 5000 }, { .len = TEXT_MAX }
    };
    for (size_t k = 0; k < sizeof larger / sizeof larger[0]; k++) {
        for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
            for (size_t place = 0; place < 60; place++) {
                struct model *model = model_of_numbers(fills[f], 30);
                both_insert(model, place / 2, place & 1, larger[k]);
                model_verify(model);
                model_free(model);
            }
        }
    }
}
END_TEST

// A pivot in the middle of many full chunks; the chunks stay well filled.
START_TEST(inserting_splits_into_halves)
{
    struct model *model = model_of_numbers(-1, 20000);
    size_t chunks = quicklist_chunks(model->list);
    for (size_t i = 0; i < 3000; i++)
        both_insert(model, 9999, i & 1, number_item(i));
    model_verify(model);
    ck_assert_uint_gt(quicklist_chunks(model->list), chunks);
    ck_assert_uint_le(quicklist_chunks(model->list), chunks * 23000 / 20000 * 2 + 2);
    for (size_t i = 0; i < 20000; i++)
        both_insert(model, random_below(&model->random, model->count), i & 1, number_item(i));
    model_verify(model);
    ck_assert_uint_le(quicklist_chunks(model->list), chunks * 43000 / 20000 * 8 / 5);
    model_free(model);
}
END_TEST

START_TEST(replacing_at_every_place)
{
    static const int fills[] = { 1, 2, 7, -1 };
    static const uint32_t lens[] = { 0, 3, 70, 3000, 4200, TEXT_MAX };
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        for (size_t n = 0; n < sizeof lens / sizeof lens[0]; n++) {
            struct model *model = model_of_numbers(fills[f], 20);
            for (size_t i = 0; i < 20; i++) {
                both_replace(model, i, (struct item){ .number = 5, .len = lens[n] });
                model_verify(model);
            }
            for (size_t i = 20; i-- > 0;) {
                both_replace(model, i, number_item(i));
                model_verify(model);
            }
            model_free(model);
        }
    }
}
END_TEST

START_TEST(removing_any_range)
{
    static const int fills[] = { 1, 2, 7, 128 };
    const size_t total = 23;
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        for (size_t index = 0; index <= total; index++) {
            for (size_t count = 0; count <= total - index + 1; count++) {
                struct model *model = model_of_numbers(fills[f], total);
                both_remove_range(model, index, count);
                model_verify(model);
                model_free(model);
            }
        }
    }
}
END_TEST

START_TEST(removing_long_ranges)
{
    static const size_t cuts[][2] = {
        { 0, 99990 },   { 10, SIZE_MAX }, { 0, SIZE_MAX }, { 1, 99998 },
        { 50000, 100 }, { 3000, 90000 },  { SIZE_MAX, 1 }, { 99999, 1 },
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct model *model = model_of_numbers(16, 100000);
        both_remove_range(model, cuts[i][0], cuts[i][1]);
        model_verify(model);
        both_fill(model, 100);
        model_verify(model);
        model_free(model);
    }
}
END_TEST

// As LREM does it: what is removed is anywhere.
START_TEST(removing_while_walking)
{
    struct model *model = model_of_numbers(-1, 30000);
    struct quicklist_at at = quicklist_seek(model->list, 0);
    size_t index = 0;
    while (at.chunk) {
        EXPECT(item_at(model, &model->items[index], at));
        if (model->items[index].number % 10 != 3) {
            at = quicklist_remove(model->list, at);
            model_remove(model, index, 1);
        } else {
            at = quicklist_next(model->list, at);
            index++;
        }
    }
    ck_assert_uint_eq(model->count, 3000);
    model_verify(model);
    // 4 bytes an element: some 4 chunks if they were full.
    ck_assert_uint_le(quicklist_chunks(model->list), 12);
    ck_assert_uint_le(quicklist_memory(model->list), 3000 * 4 * 3);
    model_free(model);
}
END_TEST

START_TEST(small_neighbours_are_merged)
{
    struct model *model = model_of_numbers(-2, 200000);
    size_t chunks = quicklist_chunks(model->list);
    size_t memory = quicklist_memory(model->list);
    while (model->count > 2000)
        both_remove_range(model, random_below(&model->random, model->count), 50);
    model_verify(model);
    ck_assert_uint_le(quicklist_chunks(model->list), chunks / 100 * 4 + 2);
    ck_assert_uint_le(quicklist_memory(model->list), memory / 100 * 4);
    model_free(model);
}
END_TEST

START_TEST(drained_lists_give_memory_back)
{
    for (unsigned end = 0; end < 2; end++) {
        struct model *model = model_of_numbers(-2, 6000);
        while (model->count > 10) {
            both_remove(model, end ? model->count - 1 : 0);
            size_t used = LP_INTEGER_MAX * model->count;
            EXPECT(quicklist_memory(model->list) <= 4 * used + 500);
        }
        model_verify(model);
        model_free(model);
    }
}
END_TEST

// Between full neighbours there is nothing to be merged with.
START_TEST(a_chunk_that_has_lost_most_gives_memory_back)
{
    struct model *model = model_of_numbers(1000, 3000);
    size_t memory = quicklist_memory(model->list);
    size_t chunk = memory / 3;
    both_remove_range(model, 1100, 700);
    model_verify(model);
    ck_assert_uint_eq(quicklist_chunks(model->list), 3);
    ck_assert_uint_le(quicklist_memory(model->list), memory - chunk / 2);
    model_free(model);
}
END_TEST

// Chunks are allocated as the list has them on average, which tells little here.
START_TEST(full_chunks_are_cut_to_size)
{
    for (unsigned end = 0; end < 2; end++) {
        struct model *model = model_new(100, 1);
        for (size_t i = 0; i < 5000; i++)
            both_push(model, end, (struct item){ .number = (int64_t)i, .len = 60 });
        size_t memory = quicklist_memory(model->list);
        for (size_t i = 0; i < 5000; i++)
            both_push(model, end, number_item(7));
        model_verify(model);
        ck_assert_uint_le(quicklist_memory(model->list), memory + memory / 7);
        model_free(model);
    }
}
END_TEST

START_TEST(small_nodes_of_the_index_are_joined)
{
    struct model *model = model_of_numbers(1, 30000);
    for (size_t i = 0; i < model->count; i++)
        both_remove_range(model, i, 9);
    model_verify(model);
    ck_assert_uint_eq(model->count, 3000);
    // A chunk takes 64 bytes, and a node 512 of at least some eight.
    ck_assert_uint_le(quicklist_memory(model->list), 3000 * (64 + 512 / 8));
    model_free(model);
}
END_TEST

static unsigned char *listpack_of(struct model *model, size_t count)
{
    unsigned char *lp = malloc(count * (TEXT_MAX + LP_OVERHEAD_MAX) + LP_EMPTY_BYTES);
    ck_assert_ptr_nonnull(lp);
    lp_init(lp);
    for (size_t i = 0; i < count; i++) {
        struct item item = item_random(model);
        struct lp_key key = lp_key_of(item_text(model, &item));
        size_t end = lp_end(lp);
        struct lp_edit edit = { .at = end, .added = lp_encoded_bytes(&key), .added_count = 1 };
        lp_splice(lp, &edit);
        lp_encode(lp + end, &key);
        model_insert(model, model->count, item);
    }
    return lp;
}

START_TEST(listpacks_are_taken_over)
{
    static const int fills[] = { -2, -1, 1, 7, 128 };
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        struct model *model = model_new(fills[f], f);
        for (size_t round = 0; round < 30; round++) {
            unsigned char *lp = listpack_of(model, random_below(&model->random, 150));
            quicklist_append_listpack(model->list, lp);
            free(lp);
            model_verify(model);
            both_fill(model, random_below(&model->random, 20));
        }
        model_verify(model);
        model_free(model);
    }
}
END_TEST

START_TEST(only_one_chunk)
{
    struct model *model = model_of_numbers(4, 4);
    const unsigned char *lp = quicklist_only_listpack(model->list);
    ck_assert_ptr_nonnull(lp);
    ck_assert_uint_eq(lp_count(lp), 4);
    ck_assert(lp_validate(lp, lp_bytes(lp)));
    both_push(model, QUICKLIST_HEAD, number_item(9));
    ck_assert_ptr_null(quicklist_only_listpack(model->list));
    both_remove(model, 0);
    lp = quicklist_only_listpack(model->list);
    ck_assert_ptr_nonnull(lp);
    ck_assert_int_eq(lp_get(lp, lp_first(lp)).integer, 0);
    model_free(model);
}
END_TEST

START_TEST(a_copy_is_the_same_and_apart)
{
    static const int fills[] = { -3, -1, 1, 7 };
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        struct model *model = model_new(fills[f], 3 + f);
        both_fill(model, 3000);
        struct quicklist *list = model->list;
        struct quicklist *copy = quicklist_copy(list);
        ck_assert_uint_le(quicklist_memory(copy), quicklist_memory(list));
        quicklist_remove_range(list, 0, 1000);
        quicklist_free(list);
        model->list = copy;
        model_verify(model);
        both_fill(model, 200);
        model_verify(model);
        model_free(model);
    }
}
END_TEST

START_TEST(freed_in_slices)
{
    size_t before = mem_used();
    struct model *model = model_of_numbers(8, 10000);
    struct quicklist *list = model->list;
    size_t chunks = quicklist_chunks(list);
    ck_assert_uint_eq(chunks, 1250);
    while (!quicklist_free_step(list, 100)) {
        ck_assert_uint_eq(quicklist_chunks(list), chunks - 100);
        ck_assert_uint_eq(mem_used() - before, quicklist_memory(list));
        quicklist_check(list);
        chunks -= 100;
    }
    ck_assert_uint_le(chunks, 100);
    ck_assert_uint_eq(mem_used(), before);
    free(model->items);
    free(model);
}
END_TEST

static void note_largest(const unsigned char *lp, void *udata)
{
    size_t *largest = udata;
    if (lp_bytes(lp) > largest[0])
        largest[0] = lp_bytes(lp);
    if (lp_count(lp) > largest[1])
        largest[1] = lp_count(lp);
}

START_TEST(chunks_are_as_large_as_the_fill_says)
{
    static const struct {
        int fill;
        size_t bytes;
        size_t count;
    } rows[] = {
        { -1, 4096, SIZE_MAX },
        { -2, 8192, SIZE_MAX },
        { -3, 16384, SIZE_MAX },
        { -4, 32768, SIZE_MAX },
        { -5, 65536, SIZE_MAX },
        { -9, 65536, SIZE_MAX },
        { 0, 8192, 1 },
        { 1, 8192, 1 },
        { 200, 8192, 200 },
        { 32767, 8192, 32767 },
        { INT32_MAX, 8192, SIZE_MAX },
        { INT32_MIN, 65536, SIZE_MAX },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct model *model = model_of_numbers(rows[i].fill, 30000);
        size_t largest[2] = { 0, 0 };
        quicklist_each_chunk(model->list, note_largest, largest);
        ck_assert_uint_le(largest[0], rows[i].bytes);
        ck_assert_uint_le(largest[1], rows[i].count);
        bool by_bytes = largest[0] + 50 > rows[i].bytes;
        ck_assert(by_bytes || largest[1] == rows[i].count);
        model_free(model);
    }
}
END_TEST

START_TEST(a_million_elements_in_16_5_bytes_each)
{
    char text[32];
    for (unsigned end = 0; end < 2; end++) {
        struct quicklist *list = quicklist_new(-2);
        for (size_t i = 0; i < 1000000; i++) {
            quicklist_push(list, end, numbered(text, i));
            if (i + 1 >= 500000 && (i + 1) % 100000 == 0)
                ck_assert_uint_le(quicklist_memory(list), (i + 1) * 33 / 2);
        }
        quicklist_check(list);
        quicklist_free(list);
    }
}
END_TEST

// From a hundred elements on a quarter is the most that is lost, however the list was made.
START_TEST(short_lists_waste_little)
{
    char text[32];
    for (unsigned mode = 0; mode < 4; mode++) {
        struct quicklist *list = quicklist_new(-2);
        size_t used = 0;
        for (size_t i = 0; i < 3000; i++) {
            struct slice value = numbered(text, i);
            used += value.len + 2;
            quicklist_push(list, mode < 2 ? mode : (i & (mode - 1)) != 0, value);
            EXPECT(i < 100 || quicklist_memory(list) <= used * 4 / 3);
        }
        quicklist_free(list);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("quicklist");
    TCase *tcase = tcase_create("operations");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, empty_list_answers);
    tcase_add_test(tcase, pushes_and_pops_at_both_ends);
    tcase_add_test(tcase, queues_of_every_length);
    tcase_add_test(tcase, both_ends_in_turn);
    tcase_add_test(tcase, every_index_from_both_ends);
    tcase_add_test(tcase, inserting_at_every_place);
    tcase_add_test(tcase, inserting_splits_into_halves);
    tcase_add_test(tcase, replacing_at_every_place);
    tcase_add_test(tcase, removing_any_range);
    tcase_add_test(tcase, removing_long_ranges);
    tcase_add_test(tcase, removing_while_walking);
    tcase_add_test(tcase, small_neighbours_are_merged);
    tcase_add_test(tcase, drained_lists_give_memory_back);
    tcase_add_test(tcase, a_chunk_that_has_lost_most_gives_memory_back);
    tcase_add_test(tcase, full_chunks_are_cut_to_size);
    tcase_add_test(tcase, small_nodes_of_the_index_are_joined);
    tcase_add_test(tcase, listpacks_are_taken_over);
    tcase_add_test(tcase, only_one_chunk);
    tcase_add_test(tcase, a_copy_is_the_same_and_apart);
    tcase_add_test(tcase, freed_in_slices);
    tcase_add_test(tcase, chunks_are_as_large_as_the_fill_says);
    tcase_add_test(tcase, a_million_elements_in_16_5_bytes_each);
    tcase_add_test(tcase, short_lists_waste_little);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

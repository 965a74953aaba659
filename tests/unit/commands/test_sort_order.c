// SPDX-License-Identifier: BSD-3-Clause
// Tests of SORT's order: any number of items and of wanted ones, against a slow sort of the same items;
// and what is a number.
#include "commands/sort_order.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>

#define ITEMS_MAX 300

static struct sort_item items[ITEMS_MAX];
static struct sort_item model[ITEMS_MAX];
static char texts[ITEMS_MAX][8];

// Few different elements and weights, so that many are equal.
static void make_items(struct random *random, size_t count, bool alpha)
{
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "%d", (int)random_below(random, 40) - 9);
        struct slice text = { .ptr = texts[i], .len = (size_t)len };
        items[i] = (struct sort_item){ .element.text = text, .place = i };
        if (alpha && random_below(random, 3) > 0)
            items[i].by.text = (struct slice){ .ptr = texts[i], .len = 1 };
        else if (!alpha)
            items[i].by.number = (double)random_below(random, 5) - 2;
    }
}

static int compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, common);
    return order ? order : (int)a.len - (int)b.len;
}

static bool goes_before(const struct sort_item *a, const struct sort_item *b,
                        const struct sort_order *how)
{
    int order = 0;
    if (!how->alpha) {
        order = (a->by.number > b->by.number) - (a->by.number < b->by.number);
        order = order ? order : compare(a->element.text, b->element.text);
    } else if (a->by.text.ptr && b->by.text.ptr) {
        order = compare(a->by.text, b->by.text);
    } else {
        order = (a->by.text.ptr != NULL) - (b->by.text.ptr != NULL);
    }
    if (order)
        return how->backwards ? order > 0 : order < 0;
    int64_t a_value = 0;
    int64_t b_value = 0;
    ck_assert(parse_int64(a->element.text, &a_value) && parse_int64(b->element.text, &b_value));
    if (how->settled && a_value != b_value)
        return a_value < b_value;
    return a->place < b->place;
}

static void sort_slowly(size_t count, const struct sort_order *how)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && goes_before(&items[i], &model[at - 1], how); at--)
            model[at] = model[at - 1];
        model[at] = items[i];
    }
}

START_TEST(as_a_slow_sort)
{
    struct random random;
    random_seed(&random, 7);
    for (int round = 0; round < 2000; round++) {
        size_t count = random_below(&random, round % 10 ? 20 : ITEMS_MAX);
        size_t wanted = random_below(&random, count + 1);
        struct sort_order how = { .alpha = _i & 1, .backwards = _i & 2, .settled = _i & 4 };
        make_items(&random, count, how.alpha);
        sort_slowly(count, &how);
        sort_items(items, count, wanted, &how);
        for (size_t i = 0; i < wanted; i++)
            ck_assert_uint_eq(items[i].place, model[i].place);
    }
}
END_TEST

// Integers and their texts are the same element, wherever it lies.
START_TEST(integers_and_texts)
{
    struct sort_order settled = { .alpha = true, .settled = true };
    struct sort_item mixed[] = {
        { .element.text = SLICE("b"), .place = 0 },   { .element.text = SLICE("10"), .place = 1 },
        { .element.integer = 9, .place = 2 },         { .element.text = SLICE("-1"), .place = 3 },
        { .element.text = SLICE("007"), .place = 4 }, { .element.integer = 100, .place = 5 },
    };
    sort_items(mixed, 6, 6, &settled);
    static const size_t want[] = { 3, 2, 1, 5, 4, 0 };
    for (size_t i = 0; i < 6; i++)
        ck_assert_uint_eq(mixed[i].place, want[i]);

    struct sort_order by_number = { 0 };
    struct sort_item numbers[] = {
        { .element.integer = 9, .place = 0 },
        { .element.text = SLICE("+9"), .place = 1 },
        { .element.integer = 10, .place = 2 },
    };
    sort_items(numbers, 3, 3, &by_number);
    static const size_t want_numbers[] = { 1, 2, 0 };
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(numbers[i].place, want_numbers[i]);
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        struct slice text;
        double value;
    } good[] = {
        { SLICE(""), 0 },
        { SLICE("12"), 12 },
        { SLICE(" 3"), 3 },
        { SLICE("-0"), 0 },
        { SLICE("+5"), 5 },
        { SLICE("0x10"), 16 },
        { SLICE("1e3"), 1000 },
        { SLICE(".5"), 0.5 },
        { SLICE("inf"), INFINITY },
        { SLICE("-inf"), -INFINITY },
        { SLICE("5\0ab"), 5 },
        { SLICE("\0x"), 0 },
        { SLICE("9223372036854775807"), 9223372036854775807.0 },
    };
    static const struct slice bad[] = {
        SLICE("a"),     SLICE("1 "),     SLICE("1a"),     SLICE("nan"), SLICE(" "),   SLICE("0x"),
        SLICE("1e400"), SLICE("-1e400"), SLICE("4e-310"), SLICE("1_0"), SLICE("1,5"),
    };
    double value;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert(sort_number(good[i].text, &value));
        ck_assert(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert(!sort_number(bad[i], &value));
    // What failed before does not matter.
    ck_assert(sort_number(SLICE("1.5"), &value));
}
END_TEST

START_TEST(long_numbers)
{
    mem_init();
    static const size_t lens[] = { 100, 127, 128, 129, 5000 };
    size_t used = mem_used();
    char text[5001];
    double value;
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        memset(text, '0', sizeof(text));
        text[lens[i] - 1] = '7';
        text[lens[i]] = 'x';
        ck_assert(sort_number((struct slice){ text, lens[i] }, &value));
        ck_assert(value == 7);
        ck_assert(!sort_number((struct slice){ text, lens[i] + 1 }, &value));
    }
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sort_order");
    TCase *tcase = tcase_create("core");
    tcase_add_loop_test(tcase, as_a_slow_sort, 0, 8);
    tcase_add_test(tcase, integers_and_texts);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, long_numbers);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

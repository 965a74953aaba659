// SPDX-License-Identifier: BSD-3-Clause
// Tests of what types say of their elements: every range, both ways, in every encoding.
#include "store/elements.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "store/keyspace.h"
#include "support/unit.h"
#include "types/list.h"
#include "types/set.h"
#include "types/zset.h"

#include <stdio.h>

#define KEY   SLICE("key")
#define COUNT 40

static const struct collection_limits small = {
    .list_max_listpack_size = -2,
    .set_max_intset_entries = 512,
    .set_max_listpack_entries = 128,
    .set_max_listpack_value = 64,
    .zset_max_listpack_entries = 128,
    .zset_max_listpack_value = 64,
};
static const struct collection_limits large = { .list_max_listpack_size = 8 };

// Of element `i`: texts and integers by turns.
static struct slice element_name(size_t i, char out[24])
{
    return (struct slice){ out, (size_t)snprintf(out, 24, i % 2 ? "%zu" : "e%zu", i) };
}

static struct entry *make_list(const struct collection_limits *limits)
{
    char name[24];
    struct slice text = element_name(0, name);
    struct entry *entry = list_entry_new(KEY, 0, limits, LIST_RIGHT, &text, 1);
    for (size_t i = 1; i < COUNT; i++) {
        text = element_name(i, name);
        list_entry_push(&entry, limits, LIST_RIGHT, &text, 1);
    }
    return entry;
}

static struct entry *make_set(const struct collection_limits *limits)
{
    char name[24];
    struct set_member member;
    set_member_init(&member, element_name(0, name));
    struct entry *entry = set_new(KEY, 0, limits, &member, 1);
    for (size_t i = 1; i < COUNT; i++) {
        set_member_init(&member, element_name(i, name));
        set_add(&entry, limits, &member);
    }
    return entry;
}

static struct entry *make_zset(const struct collection_limits *limits)
{
    char name[24];
    struct entry *entry = zset_new(KEY, 0);
    for (size_t i = 0; i < COUNT; i++) {
        double score = (double)i;
        zset_add(&entry, limits, element_name(i, name), 0, &score);
    }
    return entry;
}

static const struct {
    const struct type_ops *ops;
    struct entry *(*make)(const struct collection_limits *limits);
    const struct collection_limits *limits;
    const char *encoding;
} collections[] = {
    { &list_type_ops, make_list, &small, "listpack" },
    { &list_type_ops, make_list, &large, "quicklist" },
    { &set_type_ops, make_set, &small, "listpack" },
    { &set_type_ops, make_set, &large, "hashtable" },
    { &zset_type_ops, make_zset, &small, "listpack" },
    { &zset_type_ops, make_zset, &large, "skiplist" },
};
#define COLLECTIONS ((int)(sizeof(collections) / sizeof(*collections)))

struct seen {
    size_t count;
    char names[COUNT][24];
};

static void see(struct lp_value element, void *udata)
{
    struct seen *seen = udata;
    ck_assert_uint_lt(seen->count, COUNT);
    char *name = seen->names[seen->count++];
    if (element.text.ptr)
        snprintf(name, 24, "%.*s", (int)element.text.len, element.text.ptr);
    else
        snprintf(name, 24, "%lld", (long long)element.integer);
}

// Both ways, if there is an order.
static void expect_range(const struct element_ops *ops, const struct entry *entry,
                         struct element_range range, const struct seen *all)
{
    int ways = ops->ordered ? 2 : 1;
    for (int reverse = 0; reverse < ways; reverse++) {
        range.reverse = reverse;
        struct seen some = { 0 };
        ops->each(entry, &range, see, &some);
        ck_assert_uint_eq(some.count, range.count);
        for (size_t i = 0; i < some.count; i++) {
            size_t at = range.first + i;
            ck_assert_str_eq(some.names[i], all->names[reverse ? COUNT - 1 - at : at]);
        }
    }
}

START_TEST(every_range)
{
    mem_init();
    const struct element_ops *ops = collections[_i].ops->elements;
    struct entry *entry = collections[_i].make(collections[_i].limits);
    ck_assert_str_eq(collections[_i].ops->encoding_name(entry), collections[_i].encoding);
    ck_assert_uint_eq(ops->count(entry), COUNT);
    ck_assert(ops->ordered == (collections[_i].ops != &set_type_ops));

    struct seen all = { 0 };
    ops->each(entry, &(struct element_range){ .count = COUNT }, see, &all);
    ck_assert_uint_eq(all.count, COUNT);
    char name[24];
    for (size_t i = 0; i < COUNT && ops->ordered; i++) {
        element_name(i, name);
        ck_assert_str_eq(all.names[i], name);
    }
    struct element_range range = { 0 };
    for (range.first = 0; range.first < COUNT; range.first++) {
        for (range.count = 1; range.first + range.count <= COUNT; range.count++)
            expect_range(ops, entry, range, &all);
    }
    collections[_i].ops->release(entry);
    entry_free(entry);
}
END_TEST

// Nothing twice, whatever the order.
START_TEST(sets_are_whole)
{
    mem_init();
    static const struct collection_limits *const limits[] = { &small, &large };
    struct entry *entry = make_set(limits[_i]);
    struct seen all = { 0 };
    set_type_ops.elements->each(entry, &(struct element_range){ .count = COUNT }, see, &all);
    for (size_t i = 0; i < COUNT; i++) {
        char name[24];
        size_t found = 0;
        element_name(i, name);
        for (size_t at = 0; at < all.count; at++)
            found += strcmp(all.names[at], name) == 0;
        ck_assert_uint_eq(found, 1);
    }
    set_type_ops.release(entry);
    entry_free(entry);
}
END_TEST

START_TEST(intsets)
{
    mem_init();
    struct set_member member;
    set_member_init(&member, SLICE("70"));
    struct entry *entry = set_new(KEY, 0, &small, &member, 1);
    set_member_init(&member, SLICE("-5"));
    set_add(&entry, &small, &member);
    ck_assert_str_eq(set_type_ops.encoding_name(entry), "intset");
    struct seen all = { 0 };
    set_type_ops.elements->each(entry, &(struct element_range){ .count = 2 }, see, &all);
    ck_assert_str_eq(all.names[0], "-5");
    ck_assert_str_eq(all.names[1], "70");
    set_type_ops.release(entry);
    entry_free(entry);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("elements");
    TCase *tcase = tcase_create("core");
    tcase_add_loop_test(tcase, every_range, 0, COLLECTIONS);
    tcase_add_loop_test(tcase, sets_are_whole, 0, 2);
    tcase_add_test(tcase, intsets);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of the intrusive list.
#include "base/list.h"

#include "base/random.h"
#include "support/unit.h"

#include <string.h>

#define ITEMS 20

struct item {
    char name;
    struct list_link link;
};

static struct list list;
static struct item items[ITEMS];

static void set_up(void)
{
    memset(items, 0, sizeof items);
    for (int i = 0; i < ITEMS; i++)
        items[i].name = (char)('a' + i);
    list_init(&list);
}

// Walks both ways.
static void assert_list(const char *names)
{
    char got[ITEMS + 1] = "";
    size_t len = 0;
    for (const struct list_link *link = list_first(&list); link; link = list_next(&list, link))
        got[len++] = LIST_ITEM(link, const struct item, link)->name;
    ck_assert_str_eq(got, names);
    for (const struct list_link *link = list.head.prev; link != &list.head; link = link->prev)
        ck_assert_int_eq(LIST_ITEM(link, const struct item, link)->name, got[--len]);
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(list_empty(&list), names[0] == '\0');
}

START_TEST(appending_keeps_the_order)
{
    assert_list("");
    ck_assert_ptr_null(list_first(&list));
    for (int i = 0; i < 3; i++) {
        ck_assert(!list_linked(&items[i].link));
        list_append(&list, &items[i].link);
        ck_assert(list_linked(&items[i].link));
    }
    assert_list("abc");
}
END_TEST

START_TEST(prepending_reverses_the_order)
{
    for (int i = 0; i < 3; i++)
        list_prepend(&list, &items[i].link);
    assert_list("cba");
    list_append(&list, &items[3].link);
    assert_list("cbad");
    list_remove(&items[2].link);
    list_prepend(&list, &items[2].link);
    assert_list("cbad");
}
END_TEST

START_TEST(removing)
{
    for (int i = 0; i < 4; i++)
        list_append(&list, &items[i].link);
    list_remove(&items[1].link);
    assert_list("acd");
    list_remove(&items[0].link);
    assert_list("cd");
    list_remove(&items[3].link);
    assert_list("c");
    // What is on no list stays so.
    list_remove(&items[3].link);
    ck_assert(!list_linked(&items[3].link));
    list_remove(&items[2].link);
    assert_list("");
    list_append(&list, &items[3].link);
    assert_list("d");
}
END_TEST

START_TEST(random_operations_follow_a_model)
{
    char names[ITEMS + 1] = "";
    struct random random;
    random_seed(&random, 2);
    for (int step = 0; step < 2000; step++) {
        struct item *item = &items[random_below(&random, ITEMS)];
        char *found = strchr(names, item->name);
        ck_assert_int_eq(list_linked(&item->link), found != NULL);
        if (found) {
            list_remove(&item->link);
            memmove(found, found + 1, strlen(found));
        } else {
            list_append(&list, &item->link);
            size_t len = strlen(names);
            names[len] = item->name;
            names[len + 1] = '\0';
        }
        assert_list(names);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, appending_keeps_the_order);
    tcase_add_test(tcase, prepending_reverses_the_order);
    tcase_add_test(tcase, removing);
    tcase_add_test(tcase, random_operations_follow_a_model);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

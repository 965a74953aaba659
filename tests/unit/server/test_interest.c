// SPDX-License-Identifier: BSD-3-Clause
// Tests of the tables of keys that clients take an interest in.
#include "server/interest.h"

#include "base/hash.h"
#include "base/memory.h"
#include "store/keyspace.h"
#include "support/unit.h"

// An owner's struct.
struct owner {
    struct interest interest;
    long mark;
};

static struct keyspace keyspace;
static struct table interests;

static void set_up(void)
{
    keyspace_init(&keyspace);
    keyspace_open(&keyspace, 2);
    interests_init(&interests);
}

static void tear_down(void)
{
    table_release(&interests, NULL, NULL);
    keyspace_release(&keyspace);
}

static struct interest *provide(int db, const char *name)
{
    struct key key = key_of(slice_of(name));
    return interest_provide(&interests, &keyspace.dbs[db], &key, sizeof(struct owner));
}

static struct interest *find(int db, const char *name)
{
    struct key key = key_of(slice_of(name));
    return interest_find(&interests, &keyspace.dbs[db], &key);
}

START_TEST(a_key_of_each_database_is_one)
{
    struct interest *first = provide(0, "k");
    struct interest *second = provide(1, "k");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_ne(first, second);
    ck_assert_ptr_eq(provide(0, "k"), first);
    ck_assert_ptr_eq(find(0, "k"), first);
    ck_assert_ptr_eq(find(1, "k"), second);
    ck_assert_ptr_null(find(0, "l"));
    ck_assert_uint_eq(interests.count, 2);
    ck_assert(interest_trim(&interests, first));
    ck_assert(interest_trim(&interests, second));
    ck_assert_uint_eq(interests.count, 0);
}
END_TEST

// The name is its own, and the owner's part begins as zero.
START_TEST(it_keeps_the_name)
{
    char name[] = "name";
    struct key key = key_of(slice_of(name));
    struct interest *interest = interest_provide(&interests, &keyspace.dbs[0], &key,
                                                 sizeof(struct owner));
    ck_assert_ptr_nonnull(interest);
    memset(name, 'x', 4);
    ck_assert(slice_equal(key_slice(&interest->key), SLICE("name")));
    ck_assert_int_eq(LIST_ITEM(interest, struct owner, interest)->mark, 0);
    ck_assert_ptr_eq(find(0, "name"), interest);
    ck_assert_ptr_null(find(0, "xxxx"));
    struct interest *empty = provide(0, "");
    ck_assert_ptr_nonnull(empty);
    ck_assert_ptr_eq(find(0, ""), empty);
    ck_assert(interest_trim(&interests, empty));
    ck_assert(interest_trim(&interests, interest));
}
END_TEST

START_TEST(it_lives_as_long_as_its_members)
{
    struct list_link members[2] = { 0 };
    struct interest *interest = provide(0, "k");
    interest_join(interest, &members[0]);
    interest_join(interest, &members[1]);
    ck_assert_ptr_eq(list_first(&interest->members), &members[0]);
    ck_assert(!interest_trim(&interests, interest));
    interest_leave(interest, &members[0]);
    ck_assert(!interest_trim(&interests, interest));
    ck_assert_ptr_eq(find(0, "k"), interest);
    interest_leave(interest, &members[1]);
    ck_assert(interest_trim(&interests, interest));
    ck_assert_ptr_null(find(0, "k"));
}
END_TEST

START_TEST(no_memory)
{
    size_t before = mem_used();
    for (uint64_t successes = 0; successes < 2; successes++) {
        mem_fail_after(successes);
        ck_assert_ptr_null(provide(0, "k"));
        mem_fail_never();
        ck_assert_uint_eq(mem_used(), before);
        ck_assert_uint_eq(interests.count, 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("interest");
    TCase *test_case = tcase_create("interest");
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_add_test(test_case, a_key_of_each_database_is_one);
    tcase_add_test(test_case, it_keeps_the_name);
    tcase_add_test(test_case, it_lives_as_long_as_its_members);
    tcase_add_test(test_case, no_memory);
    suite_add_tcase(suite, test_case);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

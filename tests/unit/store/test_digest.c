// SPDX-License-Identifier: BSD-3-Clause
// Tests of the digests: equal for equal data, whatever way it came about, and for no other. That they
// are redis-server's is what redis-compat/cases/debug holds them to.
#include "store/digest.h"

#include "keyspace_fixture.h"
#include "support/unit.h"

#define KEYS 500

static bool equal(struct digest a, struct digest b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static bool is_zero(struct digest digest)
{
    return equal(digest, (struct digest){ { 0 } });
}

static struct entry_ref add(int db, size_t number, uint64_t value, int64_t expiry)
{
    char name[FIXTURE_NAME_MAX];
    return fixture_add(&keyspace.dbs[db], fixture_name(name, number), value, expiry);
}

static void remove_key(int db, size_t number)
{
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, number));
    db_remove(&keyspace.dbs[db], &key, db_peek(&keyspace.dbs[db], &key));
}

START_TEST(nothing_is_zero)
{
    EXPECT(is_zero(digest_keyspace(&keyspace)));
    EXPECT(is_zero(digest_value(&keyspace, NULL)));
    add(1, 0, 5, EXPIRY_NONE);
    EXPECT(!is_zero(digest_keyspace(&keyspace)));
    remove_key(1, 0);
    EXPECT(is_zero(digest_keyspace(&keyspace)));
}
END_TEST

START_TEST(the_order_does_not_matter)
{
    for (size_t i = 0; i < KEYS; i++)
        add(0, i, i, EXPIRY_NONE);
    struct digest digest = digest_keyspace(&keyspace);
    db_flush(&keyspace.dbs[0], REMOVED_LATER);
    for (size_t i = 2 * KEYS; i-- > 0;)
        add(0, i, i, EXPIRY_NONE);
    EXPECT(!equal(digest_keyspace(&keyspace), digest));
    for (size_t i = KEYS; i < 2 * KEYS; i++)
        remove_key(0, i);
    EXPECT(equal(digest_keyspace(&keyspace), digest));
}
END_TEST

START_TEST(keys_values_and_databases_matter)
{
    struct digest seen[4];
    add(0, 1, 5, EXPIRY_NONE);
    seen[0] = digest_keyspace(&keyspace);
    remove_key(0, 1);
    add(0, 2, 5, EXPIRY_NONE);
    seen[1] = digest_keyspace(&keyspace);
    remove_key(0, 2);
    add(0, 1, 6, EXPIRY_NONE);
    seen[2] = digest_keyspace(&keyspace);
    remove_key(0, 1);
    add(2, 1, 5, EXPIRY_NONE);
    seen[3] = digest_keyspace(&keyspace);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < i; k++)
            EXPECT(!equal(seen[i], seen[k]));
    }
    db_swap(&keyspace.dbs[2], &keyspace.dbs[0]);
    EXPECT(equal(digest_keyspace(&keyspace), seen[0]));
}
END_TEST

START_TEST(that_there_is_an_expiry_matters_but_not_which)
{
    int64_t now_ms = clock_wall_ms();
    struct digest none = digest_value(&keyspace, add(0, 1, 5, EXPIRY_NONE).entry);
    struct digest soon = digest_value(&keyspace, add(1, 2, 5, now_ms + 1000).entry);
    struct digest later = digest_value(&keyspace, add(2, 3, 5, now_ms + 9000).entry);
    EXPECT(!equal(none, soon));
    EXPECT(equal(soon, later));
}
END_TEST

START_TEST(the_type_matters_and_the_key_does_not)
{
    struct digest small = digest_value(&keyspace, add(0, 1, 5, EXPIRY_NONE).entry);
    EXPECT(equal(digest_value(&keyspace, add(0, 2, 5, EXPIRY_NONE).entry), small));
    struct key key = key_of(SLICE("large"));
    struct entry *large = fixture_entry(SLICE("large"), 5, true, EXPIRY_NONE);
    db_insert(&keyspace.dbs[0], &key, large);
    EXPECT(!equal(digest_value(&keyspace, large), small));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_add_test(tcase, nothing_is_zero);
    tcase_add_test(tcase, the_order_does_not_matter);
    tcase_add_test(tcase, keys_values_and_databases_matter);
    tcase_add_test(tcase, that_there_is_an_expiry_matters_but_not_which);
    tcase_add_test(tcase, the_type_matters_and_the_key_does_not);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

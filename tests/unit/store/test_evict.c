// SPDX-License-Identifier: BSD-3-Clause
// Tests of choosing what to evict: each policy on small databases, candidates that are gone or changed by
// the time, several databases, few keys with an expiry among many.
#include "store/evict.h"

#include "keyspace_fixture.h"
#include "support/unit.h"

#define KEYS 1000

static struct evict evict;
static int64_t now_ms;
static unsigned evicted_events;
static unsigned expired_events;

static void hear(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)udata;
    // Announced while it is there.
    EXPECT(table_find(&db->table, key->hash, key) != NULL);
    evicted_events += event == KEY_EVICTED;
    expired_events += event == KEY_EXPIRED;
}

static void at_s(int64_t seconds)
{
    keyspace_set_clock(&keyspace, now_ms + seconds * 1000);
}

static void set_up(void)
{
    fixture_open();
    clock_update();
    now_ms = clock_wall_ms();
    evicted_events = expired_events = 0;
    int listener = keyspace_listen(&keyspace, hear, NULL);
    keyspace_hear(&keyspace, listener, KEY_EVENT(KEY_EVICTED) | KEY_EVENT(KEY_EXPIRED));
    evict_init(&evict);
    at_s(0);
}

static void use_policy(enum evict_policy policy)
{
    evict.policy = policy;
    evict_forget(&evict, &keyspace);
    keyspace_set_frequency(&keyspace, evict_is_lfu(policy), 10, 1);
}

// Adds key:<from> to key:<from + count - 1>.
static void add(struct db *db, size_t from, size_t count, int64_t expiry)
{
    for (size_t i = from; i < from + count; i++) {
        char name[FIXTURE_NAME_MAX];
        struct entry_ref ref = fixture_add(db, fixture_name(name, i), i, expiry);
        entry_set_access(ref.entry, keyspace.access_clock);
    }
}

static bool has(struct db *db, size_t number)
{
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, number));
    return table_find(&db->table, key.hash, &key) != NULL;
}

static size_t count_of(struct db *db, size_t from, size_t count)
{
    size_t found = 0;
    for (size_t i = from; i < from + count; i++)
        found += has(db, i);
    return found;
}

static void use_all(struct db *db, size_t from, size_t count, unsigned times)
{
    for (size_t i = from; i < from + count; i++) {
        char name[FIXTURE_NAME_MAX];
        struct key key = key_of(fixture_name(name, i));
        for (unsigned use = 0; use < times; use++)
            EXPECT(db_find(db, &key).entry != NULL);
    }
}

// Evicts so many, however often it has to ask.
static void evict_keys(size_t count)
{
    for (unsigned asked = 0; count > 0; asked++) {
        enum evict_result result = evict_one(&evict, &keyspace);
        EXPECT(result != EVICT_NO_KEYS && asked < 1000000);
        count -= result == EVICT_DONE;
    }
}

START_TEST(no_policy_no_eviction)
{
    add(&keyspace.dbs[0], 0, 10, EXPIRY_NONE);
    ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
    ck_assert_uint_eq(db_size(&keyspace.dbs[0]), 10);
}
END_TEST

START_TEST(nothing_to_evict)
{
    for (enum evict_policy policy = EVICT_VOLATILE_LRU; policy <= EVICT_NOTHING; policy++) {
        use_policy(policy);
        ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
    }
}
END_TEST

START_TEST(lru_evicts_what_was_used_longest_ago)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_ALLKEYS_LRU);
    add(db, 0, KEYS, EXPIRY_NONE);
    at_s(100);
    use_all(db, 0, KEYS / 2, 1);
    at_s(200);
    evict_keys(KEYS / 4);
    // By samples: almost all of those that went had not been used.
    ck_assert_uint_ge(count_of(db, 0, KEYS / 2), KEYS / 2 - KEYS / 100);
    ck_assert_uint_eq(evicted_events, KEYS / 4);
    ck_assert_uint_eq(evict.evicted_keys, KEYS / 4);
    ck_assert_uint_eq(db_size(db), KEYS - KEYS / 4);
    table_check(&db->table);
}
END_TEST

START_TEST(lfu_evicts_what_is_used_least)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_ALLKEYS_LFU);
    add(db, 0, KEYS, EXPIRY_NONE);
    use_all(db, 0, KEYS / 2, 20);
    evict_keys(KEYS / 4);
    ck_assert_uint_ge(count_of(db, 0, KEYS / 2), KEYS / 2 - KEYS / 100);
    // An hour later they have lost it again, and what is new stays.
    at_s(3600);
    add(db, KEYS, KEYS / 4, EXPIRY_NONE);
    evict_keys(KEYS / 2);
    ck_assert_uint_ge(count_of(db, KEYS, KEYS / 4), KEYS / 4 - KEYS / 100);
}
END_TEST

START_TEST(ttl_evicts_what_expires_first)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_VOLATILE_TTL);
    add(db, 0, KEYS / 2, now_ms + 1000000);
    add(db, KEYS / 2, KEYS / 2, now_ms + 2000000);
    evict_keys(KEYS / 4);
    ck_assert_uint_ge(count_of(db, KEYS / 2, KEYS / 2), KEYS / 2 - KEYS / 100);
}
END_TEST

START_TEST(random_evicts_anybody)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(_i ? EVICT_VOLATILE_RANDOM : EVICT_ALLKEYS_RANDOM);
    add(db, 0, KEYS, now_ms + 1000000);
    evict_keys(KEYS / 2);
    // Of 500 that stay, 250 in each half; 11 is one standard deviation.
    size_t first = count_of(db, 0, KEYS / 2);
    ck_assert_uint_gt(first, 170);
    ck_assert_uint_lt(first, 330);
}
END_TEST

START_TEST(volatile_policies_leave_persistent_keys_alone)
{
    struct db *db = &keyspace.dbs[1];
    use_policy((enum evict_policy)_i);
    add(db, 0, KEYS, EXPIRY_NONE);
    add(db, KEYS, 50, now_ms + 1000000);
    at_s(100);
    evict_keys(50);
    ck_assert_uint_eq(db->expires, 0);
    ck_assert_uint_eq(db_size(db), KEYS);
    ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
    ck_assert_uint_eq(db_size(db), KEYS);
    // One that has lost its time to live as a candidate.
    add(db, KEYS, 2, now_ms + 1000000);
    evict_keys(1);
    size_t left = has(db, KEYS) ? KEYS : KEYS + 1;
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, left));
    struct entry_ref ref = db_find(db, &key);
    db_set_expiry(db, &key, &ref, EXPIRY_NONE);
    ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
    ck_assert(has(db, left));
}
END_TEST

START_TEST(candidates_that_were_persisted_stay)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_VOLATILE_LRU);
    add(db, 0, KEYS, now_ms + 1000000);
    evict_keys(1);
    // All candidates lose their expiry; one key that is none keeps it.
    for (size_t i = 0; i < KEYS; i++) {
        char name[FIXTURE_NAME_MAX];
        struct key key = key_of(fixture_name(name, i));
        struct entry_ref ref = db_peek(db, &key);
        if (ref.entry && db->expires > 1)
            db_set_expiry(db, &key, &ref, EXPIRY_NONE);
    }
    ck_assert_uint_eq(db->expires, 1);
    evict_keys(1);
    ck_assert_uint_eq(db->expires, 0);
    ck_assert_uint_eq(db_size(db), KEYS - 2);
}
END_TEST

START_TEST(candidates_that_are_gone_or_used_are_passed_over)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_ALLKEYS_LRU);
    for (unsigned round = 0; round < 50; round++) {
        size_t from = (size_t)round * 2000;
        at_s(round * 100);
        add(db, from, 100, EXPIRY_NONE);
        at_s(round * 100 + 50);
        evict_keys(20);
        // Everything goes, and what comes may get its addresses.
        if (round % 3 == 0)
            db_flush(db, REMOVED_LATER);
        else if (round % 3 == 1)
            db_swap(db, &keyspace.dbs[1]);
        reclaim_all(&keyspace);
        add(db, from + 1000, 100, EXPIRY_NONE);
        at_s(round * 100 + 60);
        use_all(db, from + 1000, 50, 1);
        evict_keys(10);
        ck_assert_uint_ge(count_of(db, from + 1000, 50), 48);
        table_check(&db->table);
    }
}
END_TEST

START_TEST(all_databases_give)
{
    use_policy(EVICT_ALLKEYS_LRU);
    add(&keyspace.dbs[0], 0, 3000, EXPIRY_NONE);
    add(&keyspace.dbs[2], 0, 1000, EXPIRY_NONE);
    at_s(10);
    evict_keys(2000);
    // By their sizes: 1500 of one, 500 of the other.
    ck_assert_uint_gt(db_size(&keyspace.dbs[0]), 1200);
    ck_assert_uint_lt(db_size(&keyspace.dbs[0]), 1800);
    ck_assert_uint_gt(db_size(&keyspace.dbs[2]), 200);
    evict_keys(2000);
    ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
}
END_TEST

START_TEST(few_volatile_among_many)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_VOLATILE_LFU);
    add(db, 0, 200000, EXPIRY_NONE);
    add(db, 200000, 3, now_ms + 1000000);
    evict_keys(3);
    ck_assert_uint_eq(db_size(db), 200000);
    ck_assert_int_eq(evict_one(&evict, &keyspace), EVICT_NO_KEYS);
}
END_TEST

START_TEST(what_has_expired_goes_first)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_ALLKEYS_LRU);
    add(db, 0, 200, EXPIRY_NONE);
    at_s(100);
    add(db, 200, 20, now_ms - 1);
    evict_keys(40);
    ck_assert_uint_ge(expired_events, 15);
    ck_assert_uint_eq(keyspace.expired_keys, expired_events);
    ck_assert_uint_eq(evict.evicted_keys, 40 - expired_events);
}
END_TEST

static uint64_t uses_counted(void)
{
    uint64_t uses = 0;
    for (size_t i = 0; i < REUSE_KINDS; i++)
        uses += keyspace.reuse.kinds[i].uses;
    return uses;
}

START_TEST(only_uses_of_candidates_tell)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_VOLATILE_LFU);
    add(db, 0, 100, EXPIRY_NONE);
    add(db, 100, 100, now_ms + 1000000);
    use_all(db, 0, 200, 1);
    ck_assert_uint_eq(uses_counted(), 0);
    evict_keys(1);
    use_all(db, 0, 100, 3);
    ck_assert_uint_eq(uses_counted(), 0);
    size_t left = has(db, 100) ? 100 : 101;
    use_all(db, left, 1, 3);
    ck_assert_uint_eq(uses_counted(), 3);
    // Who evicts nothing any more forgets.
    evict_forget(&evict, &keyspace);
    use_all(db, left, 1, 3);
    ck_assert_uint_eq(uses_counted(), 3);
    evict_keys(1);
    ck_assert_uint_eq(uses_counted(), 0);
}
END_TEST

START_TEST(what_returns_is_known)
{
    struct db *db = &keyspace.dbs[0];
    use_policy(EVICT_ALLKEYS_LFU);
    evict.ghost_max_bytes = SIZE_MAX;
    add(db, 0, 2 * KEYS, EXPIRY_NONE);
    // Some until there is room for what is remembered, and some that are.
    evict_keys(KEYS);
    size_t returned = 0;
    for (size_t i = 0; i < 2 * KEYS; i++) {
        char name[FIXTURE_NAME_MAX];
        struct key key = key_of(fixture_name(name, i));
        if (!has(db, i))
            returned += access_is_returned(
                entry_access(fixture_add(db, fixture_name(name, i), i, EXPIRY_NONE).entry));
        else
            ck_assert(!access_is_returned(entry_access(db_peek(db, &key).entry)));
    }
    ck_assert_uint_gt(returned, KEYS / 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("evict");
    TCase *tcase = tcase_create("evict");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, set_up, fixture_close);
    tcase_add_test(tcase, no_policy_no_eviction);
    tcase_add_test(tcase, nothing_to_evict);
    tcase_add_test(tcase, lru_evicts_what_was_used_longest_ago);
    tcase_add_test(tcase, lfu_evicts_what_is_used_least);
    tcase_add_test(tcase, ttl_evicts_what_expires_first);
    tcase_add_loop_test(tcase, random_evicts_anybody, 0, 2);
    tcase_add_loop_test(tcase, volatile_policies_leave_persistent_keys_alone, EVICT_VOLATILE_LRU,
                        EVICT_VOLATILE_TTL + 1);
    tcase_add_test(tcase, candidates_that_were_persisted_stay);
    tcase_add_test(tcase, candidates_that_are_gone_or_used_are_passed_over);
    tcase_add_test(tcase, all_databases_give);
    tcase_add_test(tcase, few_volatile_among_many);
    tcase_add_test(tcase, what_has_expired_goes_first);
    tcase_add_test(tcase, only_uses_of_candidates_tell);
    tcase_add_test(tcase, what_returns_is_known);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// The databases against a naive model under random operations, and the fairness of random choice.
#include "keyspace_fixture.h"
#include "support/unit.h"

#include <stdlib.h>

#define KEYS       3000
#define OPERATIONS 300000

// What the model knows of one key of one database.
struct model_key {
    bool in_table;  // an expired one stays there until somebody looks
    uint64_t value;
    int64_t expiry;
    uint32_t drawn;  // by random choice
};

static struct model_key model[FIXTURE_DBS][KEYS];
static char names[KEYS][300];
static struct key keys[KEYS];
static struct random dice;
static uint64_t expired_events;
static uint64_t hits;
static uint64_t misses;

// Names of all lengths up to 280, each beginning with its number.
static void make_names(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        memset(names[i], 'x', sizeof(names[i]));
        int digits = snprintf(names[i], sizeof(names[i]), "%zu", i);
        names[i][digits] = ':';
        size_t len = (size_t)digits + 1 + i % 273;
        keys[i] = key_of((struct slice){ .ptr = names[i], .len = len });
    }
}

static struct model_key *model_of(const struct db *db, struct slice name)
{
    size_t number = strtoul(name.ptr, NULL, 10);
    EXPECT(number < KEYS);
    EXPECT(slice_equal(name, key_slice(&keys[number])));
    return &model[db->id][number];
}

static bool model_expired(const struct model_key *key)
{
    return key->expiry != EXPIRY_NONE && key->expiry <= clock_wall_ms();
}

// The only event here: the keyspace deletes what is due, and nothing else.
static void on_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)udata;
    EXPECT(event == KEY_EXPIRED);
    struct model_key *known = model_of(db, key_slice(key));
    EXPECT(known->in_table);
    EXPECT(model_expired(known));
    known->in_table = false;
    expired_events++;
}

static void set_up(void)
{
    fixture_open();
    make_names();
    memset(model, 0, sizeof(model));
    random_seed(&dice, 7);
    expired_events = hits = misses = 0;
    keyspace_hear(&keyspace, keyspace_listen(&keyspace, on_event, NULL), KEY_EVENT(KEY_EXPIRED));
}

static int64_t some_expiry(void)
{
    return random_below(&dice, 2) ? EXPIRY_NONE
                                  : clock_wall_ms() + 1 + (int64_t)random_below(&dice, 300);
}

// What a look-up gave is what the model has; after it an expired key is in the table no more.
static bool check_found(const struct model_key *known, const struct entry *entry)
{
    EXPECT((entry != NULL) == (known->in_table && !model_expired(known)));
    if (!entry) {
        EXPECT(!known->in_table);
        return false;
    }
    EXPECT(fixture_value(entry) == known->value);
    EXPECT(entry_expiry(entry) == known->expiry);
    return true;
}

static void set_key(struct db *db, size_t i)
{
    struct model_key *known = &model[db->id][i];
    struct entry_ref ref = db_find(db, &keys[i]);
    bool found = check_found(known, ref.entry);
    *known = (struct model_key){ .in_table = true,
                                 .value = random_next(&dice),
                                 .expiry = some_expiry() };
    struct entry *entry = fixture_entry(key_slice(&keys[i]), known->value, random_below(&dice, 2),
                                        known->expiry);
    if (found)
        db_replace(db, &ref, entry);
    else
        ref = db_insert(db, &keys[i], entry);
    EXPECT(ref.entry == entry);
    EXPECT(table_slot_entry(ref.slot) == entry);
}

static void expire_key(struct db *db, size_t i)
{
    struct model_key *known = &model[db->id][i];
    struct entry_ref ref = db_find(db, &keys[i]);
    if (!check_found(known, ref.entry))
        return;
    known->expiry = some_expiry();
    db_set_expiry(db, &keys[i], &ref, known->expiry);
    check_found(known, ref.entry);
}

static void remove_key(struct db *db, size_t i)
{
    struct model_key *known = &model[db->id][i];
    struct entry_ref ref = db_find(db, &keys[i]);
    if (!check_found(known, ref.entry))
        return;
    db_remove(db, &keys[i], ref);
    known->in_table = false;
}

static void read_key(struct db *db, size_t i)
{
    const struct model_key *known = &model[db->id][i];
    struct entry_ref ref = random_below(&dice, 2) ? db_find_read(db, &keys[i])
                                                  : db_peek_read(db, &keys[i]);
    if (check_found(known, ref.entry))
        hits++;
    else
        misses++;
}

static void draw_key(struct db *db)
{
    const struct entry *entry = db_random(db);
    if (entry)
        check_found(model_of(db, entry_key(entry)), entry);
}

// Counters, and each entry that is in the table.
static void check_all(void)
{
    for (int d = 0; d < FIXTURE_DBS; d++) {
        struct db *db = &keyspace.dbs[d];
        size_t in_table = 0;
        size_t expires = 0;
        for (size_t i = 0; i < KEYS; i++) {
            in_table += model[d][i].in_table;
            expires += model[d][i].in_table && model[d][i].expiry != EXPIRY_NONE;
        }
        EXPECT(db_size(db) == in_table);
        EXPECT(db->expires == expires);
        table_check(&db->table);
        struct table_iter iter;
        table_iter_init(&iter, &db->table);
        const struct table_slot *slot;
        while ((slot = table_iter_next(&iter)) != NULL) {
            const struct entry *entry = table_slot_entry(slot);
            const struct model_key *known = model_of(db, entry_key(entry));
            EXPECT(known->in_table);
            EXPECT(fixture_value(entry) == known->value);
            EXPECT(entry_expiry(entry) == known->expiry);
        }
    }
    EXPECT(keyspace.expired_keys == expired_events);
    EXPECT(keyspace.hits == hits);
    EXPECT(keyspace.misses == misses);
}

static void flush_db(struct db *db)
{
    db_flush(db, REMOVED_LATER);
    for (size_t i = 0; i < KEYS; i++)
        model[db->id][i].in_table = false;
}

START_TEST(random_operations)
{
    for (size_t n = 0; n < OPERATIONS; n++) {
        struct db *db = &keyspace.dbs[random_below(&dice, FIXTURE_DBS)];
        // Now one that few share, now all of them: the tables grow and shrink.
        size_t i = random_below(&dice, n / 50000 % 2 ? 100 : KEYS);
        switch (random_below(&dice, 10)) {
        case 0:
        case 1:
        case 2: set_key(db, i); break;
        case 3:
        case 4: expire_key(db, i); break;
        case 5:
        case 6: remove_key(db, i); break;
        case 7:
        case 8: read_key(db, i); break;
        default: draw_key(db); break;
        }
        if (random_below(&dice, 200) == 0)
            clock_shift_ms((int64_t)random_below(&dice, 20));
        if (random_below(&dice, 100000) == 0)
            flush_db(db);
        if (n % 20000 == 0)
            check_all();
    }
    check_all();
    ck_assert_uint_gt(expired_events, 1000);
    ck_assert_uint_gt(hits, 1000);
}
END_TEST

// Chi-square of `count` numbers that should be alike, per degree of freedom.
static double unfairness(const uint32_t *drawn, size_t count)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += drawn[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (drawn[i] - mean) * (drawn[i] - mean);
    return squares / mean / (double)(count - 1);
}

// The first choice of a small database, where keys are due: each living one is as likely.
START_TEST(random_choice_is_fair_among_expired_keys)
{
    enum { LIVING = 10, DUE = 6, ROUNDS = 20000 };
    uint32_t drawn[LIVING] = { 0 };
    struct db *db = &keyspace.dbs[0];
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < LIVING + DUE; i++) {
            // Due ones stand between the others.
            model[0][i] = (struct model_key){
                .in_table = true, .value = i, .expiry = i < LIVING ? EXPIRY_NONE : clock_wall_ms()
            };
            db_insert(db, &keys[i],
                      fixture_entry(key_slice(&keys[i]), i, false, model[0][i].expiry));
        }
        const struct entry *entry = db_random(db);
        ck_assert_ptr_nonnull(entry);
        EXPECT(fixture_value(entry) < LIVING);
        drawn[fixture_value(entry)]++;
        flush_db(db);
    }
    // 9 degrees of freedom: chance goes beyond 5 once in a million.
    ck_assert_double_lt(unfairness(drawn, LIVING), 5);
}
END_TEST

START_TEST(random_choice_is_fair_in_a_large_database)
{
    static uint32_t drawn[KEYS];
    struct db *db = &keyspace.dbs[0];
    size_t living = 0;
    for (size_t i = 0; i < KEYS; i++) {
        int64_t expiry = i % 3 ? EXPIRY_NONE : clock_wall_ms();
        model[0][i] = (struct model_key){ .in_table = true, .value = i, .expiry = expiry };
        db_insert(db, &keys[i], fixture_entry(key_slice(&keys[i]), i, false, expiry));
    }
    for (size_t n = 0; n < KEYS * 100; n++) {
        uint64_t value = fixture_value(db_random(db));
        EXPECT(value % 3 != 0);
        model[0][value].drawn++;
    }
    for (size_t i = 0; i < KEYS; i++) {
        if (i % 3)
            drawn[living++] = model[0][i].drawn;
    }
    // 1,999 degrees of freedom: the deviation of this figure is 0.032.
    ck_assert_double_lt(unfairness(drawn, living), 1.16);
    ck_assert_uint_eq(db_size(db), living);
}
END_TEST

START_TEST(random_choice_among_expired_keys_alone_finds_nothing)
{
    struct db *db = &keyspace.dbs[0];
    for (size_t i = 0; i < 100; i++) {
        model[0][i] = (struct model_key){ .in_table = true, .expiry = clock_wall_ms() };
        db_insert(db, &keys[i], fixture_entry(key_slice(&keys[i]), i, false, clock_wall_ms()));
    }
    ck_assert_ptr_null(db_random(db));
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(expired_events, 100);
}
END_TEST

START_TEST(random_choice_hides_expired_keys_that_others_delete)
{
    struct db *db = &keyspace.dbs[0];
    keyspace.expire_passively = true;
    for (size_t i = 0; i < 100; i++) {
        int64_t expiry = i % 2 ? EXPIRY_NONE : clock_wall_ms();
        db_insert(db, &keys[i], fixture_entry(key_slice(&keys[i]), i, false, expiry));
    }
    for (int n = 0; n < 1000; n++)
        EXPECT(!db_expired(db_random(db)));
    ck_assert_uint_eq(db_size(db), 100);
    ck_assert_uint_eq(expired_events, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("keyspace under random operations");
    TCase *operations = tcase_create("operations");
    tcase_add_checked_fixture(operations, set_up, fixture_close);
    tcase_set_timeout(operations, 120);
    tcase_add_test(operations, random_operations);
    suite_add_tcase(suite, operations);

    TCase *choice = tcase_create("random choice");
    tcase_add_checked_fixture(choice, set_up, fixture_close);
    tcase_set_timeout(choice, 60);
    tcase_add_test(choice, random_choice_is_fair_among_expired_keys);
    tcase_add_test(choice, random_choice_is_fair_in_a_large_database);
    tcase_add_test(choice, random_choice_among_expired_keys_alone_finds_nothing);
    tcase_add_test(choice, random_choice_hides_expired_keys_that_others_delete);
    suite_add_tcase(suite, choice);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of the expiry sweep: it removes what is due, leaves the rest, and keeps to its budget.
#include "store/expire.h"

#include "keyspace_fixture.h"
#include "support/unit.h"

// More than any sweep here takes: the whole of every database is swept.
#define NO_HURRY_US 60000000

static size_t announced;

static void on_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)udata;
    EXPECT(event == KEY_EXPIRED);
    const struct table_slot *slot = table_find(&db->table, key->hash, key);
    EXPECT(slot != NULL);
    EXPECT(db_expired(table_slot_entry(slot)));
    announced++;
}

static void set_up(void)
{
    fixture_open();
    announced = 0;
    keyspace_hear(&keyspace, keyspace_listen(&keyspace, on_event, NULL), KEY_EVENT(KEY_EXPIRED));
}

// Adds `count` keys from number `first` on, all with this expiry.
static void fill(struct db *db, size_t first, size_t count, int64_t expiry)
{
    char name[FIXTURE_NAME_MAX];
    for (size_t i = first; i < first + count; i++)
        fixture_add(db, fixture_name(name, i), i, expiry);
}

static bool is_there(struct db *db, size_t number)
{
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, number));
    return table_find(&db->table, key.hash, &key) != NULL;
}

START_TEST(what_is_due_goes_and_the_rest_stays)
{
    struct db *db = &keyspace.dbs[0];
    for (size_t i = 0; i < 3000; i += 3) {
        fill(db, i, 1, clock_wall_ms() + 10 + (int64_t)(i % 7));
        fill(db, i + 1, 1, clock_wall_ms() + 100000);
        fill(db, i + 2, 1, EXPIRY_NONE);
    }
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(db), 3000);
    clock_shift_ms(20);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(db), 2000);
    ck_assert_uint_eq(db->expires, 1000);
    ck_assert_uint_eq(keyspace.expired_keys, 1000);
    ck_assert_uint_eq(keyspace.expired_by_sweep, 1000);
    ck_assert_uint_eq(announced, 1000);
    ck_assert_uint_eq(fixture_released, 1000);
    for (size_t i = 0; i < 3000; i++)
        EXPECT(is_there(db, i) == (i % 3 != 0));
}
END_TEST

// An expiry that came, went or changed after the insertion counts as it is now.
START_TEST(the_expiry_that_counts_is_the_last)
{
    struct db *db = &keyspace.dbs[0];
    int64_t now = clock_wall_ms();
    char name[FIXTURE_NAME_MAX];
    fill(db, 0, 100, now + 5);
    fill(db, 100, 100, EXPIRY_NONE);
    fill(db, 200, 100, now + 1000);
    for (size_t i = 0; i < 300; i++) {
        struct key key = key_of(fixture_name(name, i));
        struct entry_ref ref = db_find(db, &key);
        db_set_expiry(db, &key, &ref, i < 100 ? EXPIRY_NONE : now + 5);
    }
    clock_shift_ms(10);
    expire_sweep(&keyspace, NO_HURRY_US);
    for (size_t i = 0; i < 300; i++)
        EXPECT(is_there(db, i) == (i < 100));
    ck_assert_uint_eq(db->expires, 0);
}
END_TEST

// Beyond the wheel's turn of 19 days, alone in their segments: the table's promise holds all the while, whether the
// sweep comes in between or not, and no key is late.
START_TEST(a_distant_time_is_kept_to)
{
    static const int64_t day_ms = INT64_C(86400000);
    static const int days[] = { 18, 19, 20, 30, 38, 100, 400, 1200, 5000 };
    for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
        for (int step = 1; step <= 2; step++) {
            struct db *db = &keyspace.dbs[0];
            int64_t due_ms = clock_wall_ms() + days[i] * day_ms;
            fill(db, i, 1, due_ms);
            table_check(&db->table);
            for (int day = 0; step == 1 && day < days[i]; day += 7) {
                clock_shift_ms(day > 0 ? 7 * day_ms : 0);
                expire_sweep(&keyspace, NO_HURRY_US);
                table_check(&db->table);
                ck_assert_uint_eq(db_size(db), 1);
            }
            clock_shift_ms(due_ms - clock_wall_ms());
            ck_assert_int_le(expire_due(&keyspace), due_ms);
            expire_sweep(&keyspace, NO_HURRY_US);
            ck_assert_msg(db_size(db) == 0, "%d days, %d", days[i], step);
        }
    }
}
END_TEST

START_TEST(every_database_is_swept)
{
    for (int i = 0; i < FIXTURE_DBS; i++)
        fill(&keyspace.dbs[i], 0, 100, clock_wall_ms() + 1);
    clock_shift_ms(1);
    expire_sweep(&keyspace, NO_HURRY_US);
    for (int i = 0; i < FIXTURE_DBS; i++)
        ck_assert_uint_eq(db_size(&keyspace.dbs[i]), 0);
    ck_assert_uint_eq(keyspace.expired_by_sweep, 100 * FIXTURE_DBS);
}
END_TEST

START_TEST(an_empty_keyspace_is_swept)
{
    expire_sweep(&keyspace, NO_HURRY_US);
    fill(&keyspace.dbs[1], 0, 100, EXPIRY_NONE);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(&keyspace.dbs[1]), 100);
    ck_assert_uint_eq(keyspace.expired_keys, 0);
}
END_TEST

// Without a budget a sweep does little, but goes on where the last one ended.
START_TEST(a_sweep_is_bounded_and_the_next_goes_on)
{
    enum { COUNT = 100000 };
    struct db *db = &keyspace.dbs[0];
    fill(db, 0, COUNT, clock_wall_ms());
    expire_sweep(&keyspace, 0);
    size_t first = COUNT - db_size(db);
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_lt(first, 2000);
    size_t sweeps = 1;
    for (; db_size(db) > 0 && sweeps < COUNT; sweeps++)
        expire_sweep(&keyspace, 0);
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_gt(sweeps, COUNT / 2000);
    ck_assert_uint_eq(keyspace.expired_by_sweep, COUNT);
}
END_TEST

// A database with many keys must not keep the sweep from the others.
START_TEST(a_large_database_does_not_starve_the_others)
{
    enum { COUNT = 20000 };
    int64_t now = clock_wall_ms();
    fill(&keyspace.dbs[0], 0, COUNT, now);
    fill(&keyspace.dbs[1], 0, 100, now);
    // Something new is always due in the first one.
    for (size_t i = 0; db_size(&keyspace.dbs[1]); i++) {
        fill(&keyspace.dbs[0], COUNT + i * 200, 200, now);
        expire_sweep(&keyspace, 0);
        EXPECT(i < COUNT);
    }
    ck_assert_uint_gt(db_size(&keyspace.dbs[0]), 0);
}
END_TEST

START_TEST(expired_keys_left_to_somebody_else_are_left)
{
    struct db *db = &keyspace.dbs[0];
    fill(db, 0, 100, clock_wall_ms() + 1);
    clock_shift_ms(1);
    keyspace.expire_passively = true;
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(db), 100);
    ck_assert_uint_eq(announced, 0);
    ck_assert_uint_eq(keyspace.expired_keys, 0);
    ck_assert_uint_eq(keyspace.expired_by_sweep, 0);
}
END_TEST

START_TEST(a_paused_sweep_leaves_everything)
{
    struct db *db = &keyspace.dbs[0];
    fill(db, 0, 100, clock_wall_ms() - 1);
    keyspace.sweep_paused = true;
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(db), 100);
    // Who asks for a key finds it gone all the same.
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, 7));
    EXPECT(!db_find(db, &key).entry);
    ck_assert_uint_eq(db_size(db), 99);
    keyspace.sweep_paused = false;
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_uint_eq(db_size(db), 0);
}
END_TEST

START_TEST(the_mean_time_to_live_is_noted)
{
    struct db *db = &keyspace.dbs[2];
    fill(db, 0, 100, clock_wall_ms() + 1000);
    fill(db, 100, 100, clock_wall_ms() + 3000);
    fill(db, 200, 500, EXPIRY_NONE);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_int_eq(db_avg_ttl(db), 2000);
    clock_shift_ms(1500);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_int_eq(db_avg_ttl(db), 1500);
    // Every way of changing an expiry.
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, 150));
    struct entry_ref ref = db_find(db, &key);
    db_set_expiry(db, &key, &ref, clock_wall_ms() + 1700);
    ck_assert_int_eq(db_avg_ttl(db), 1502);
    db_replace(db, &ref, fixture_entry(fixture_name(name, 150), 1, true, EXPIRY_NONE));
    ck_assert_int_eq(db_avg_ttl(db), 1500);
    db_put(db, &key, &ref, fixture_entry(key_slice(&key), 1, true, clock_wall_ms() + 2500));
    ck_assert_int_eq(db_avg_ttl(db), 1510);
    db_remove(db, &key, ref);
    ck_assert_int_eq(db_avg_ttl(db), 1500);
    ck_assert_int_eq(db_avg_ttl(&keyspace.dbs[0]), 0);
    clock_shift_ms(1500);
    // What is overdue and still there does not count below nothing.
    ck_assert_int_eq(db_avg_ttl(db), 0);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_int_eq(db_avg_ttl(db), 0);
}
END_TEST

// As far away as PEXPIREAT lets them be.
START_TEST(the_mean_of_very_distant_times_does_not_overflow)
{
    struct db *db = &keyspace.dbs[0];
    fill(db, 0, 1000, INT64_MAX);
    expire_sweep(&keyspace, NO_HURRY_US);
    // Give or take what a double rounds.
    ck_assert_int_ge(db_avg_ttl(db), (INT64_MAX - clock_wall_ms()) / 1000 * 999);
}
END_TEST

START_TEST(what_the_sweep_saw_is_noted)
{
    struct db *db = &keyspace.dbs[0];
    fill(db, 0, 300, clock_wall_ms() + 10);
    fill(db, 300, 900, clock_wall_ms() + 100000);
    fill(db, 1200, 500, EXPIRY_NONE);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_double_eq(keyspace.stale_percent, 0);
    clock_shift_ms(20);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_double_eq_tol(keyspace.stale_percent, 25, 1e-9);
    ck_assert_uint_eq(keyspace.sweeps_cut_short, 0);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_double_eq(keyspace.stale_percent, 0);
    clock_shift_ms(200000);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_double_eq_tol(keyspace.stale_percent, 100, 1e-9);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_double_eq(keyspace.stale_percent, 0);
}
END_TEST

START_TEST(a_sweep_that_ran_out_of_time_is_counted)
{
    expire_sweep(&keyspace, 0);
    ck_assert_uint_eq(keyspace.sweeps_cut_short, 0);
    ck_assert_uint_eq(keyspace.sweep_us, 0);
    fill(&keyspace.dbs[0], 0, 20000, clock_wall_ms() + 100000);
    expire_sweep(&keyspace, 0);
    ck_assert_uint_eq(keyspace.sweeps_cut_short, 0);
    clock_shift_ms(100000);
    for (int i = 1; i <= 3; i++) {
        ck_assert(expire_sweep(&keyspace, 0));
        ck_assert_uint_eq(keyspace.sweeps_cut_short, i);
    }
    ck_assert(!expire_sweep(&keyspace, NO_HURRY_US));
    ck_assert_uint_gt(keyspace.sweep_us, 0);
    ck_assert_uint_eq(keyspace.sweeps_cut_short, 3);
}
END_TEST

// --- Against a model ---------------------------------------------------------------------------

#define MODEL_KEYS 6000

static int64_t model_due[MODEL_KEYS];  // EXPIRY_NONE: never; 0: not there
static struct random dice;

// Far more often soon than late, and now and then beyond the wheel, or never.
static int64_t some_due(void)
{
    static const uint64_t reaches[] = {
        50, 3000, 10000, 500000, 30000000, 2000000000, 90000000000
    };
    if (random_below(&dice, 20) == 0)
        return EXPIRY_NONE;
    return clock_wall_ms() + 1 + (int64_t)random_below(&dice, reaches[random_below(&dice, 7)]);
}

static void change_some_key(struct db *db)
{
    size_t i = random_below(&dice, MODEL_KEYS);
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, i));
    struct entry_ref ref = db_find(db, &key);
    int64_t due = some_due();
    if (!ref.entry)
        db_insert(db, &key, fixture_entry(key_slice(&key), i, false, due));
    else if (random_below(&dice, 3))
        db_set_expiry(db, &key, &ref, due);
    else
        db_put(db, &key, &ref, fixture_entry(key_slice(&key), i, true, due));
    model_due[i] = due;
}

// Sweeps, and holds what is left against the model: all that is due is gone, and nothing else.
static void sweep_and_compare(struct db *db)
{
    expire_sweep(&keyspace, NO_HURRY_US);
    EXPECT(expire_due(&keyspace) > clock_wall_ms());
    int64_t soonest = TABLE_DUE_NEVER;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        if (model_due[i] != EXPIRY_NONE && model_due[i] <= clock_wall_ms())
            model_due[i] = 0;
        if (model_due[i] > 0 && model_due[i] < soonest)
            soonest = model_due[i];
        EXPECT(is_there(db, i) == (model_due[i] != 0));
    }
    EXPECT(expire_due(&keyspace) <= soonest);
    table_check(&db->table);
}

// Steps of a millisecond to months, forward as a rule.
static int64_t some_step(void)
{
    static const uint64_t reaches[] = { 10, 300, 7000, 450000, 27000000, 2000000000 };
    return 1 + (int64_t)random_below(&dice, reaches[random_below(&dice, 6)]);
}

static void live_by_the_model(unsigned rounds, bool backward)
{
    struct db *db = &keyspace.dbs[1];
    random_seed(&dice, 91 + backward);
    memset(model_due, 0, sizeof(model_due));
    for (unsigned round = 0; round < rounds; round++) {
        for (int i = 0; i < 400; i++)
            change_some_key(db);
        table_check(&db->table);
        bool back = backward && random_below(&dice, 3) == 0;
        clock_shift_ms(back ? -some_step() : some_step());
        sweep_and_compare(db);
    }
    ck_assert_uint_gt(keyspace.expired_by_sweep, rounds * 50);
}

START_TEST(a_long_life_by_the_model)
{
    live_by_the_model(400, false);
}
END_TEST

START_TEST(a_clock_that_jumps_loses_nothing)
{
    live_by_the_model(400, true);
}
END_TEST

// --- When it has to come ---------------------------------------------------------------------------

START_TEST(what_is_due_next_is_known)
{
    struct db *db = &keyspace.dbs[2];
    int64_t now = clock_wall_ms();
    ck_assert(expire_due(&keyspace) == TABLE_DUE_NEVER);
    fill(db, 0, 10, EXPIRY_NONE);
    ck_assert(expire_due(&keyspace) == TABLE_DUE_NEVER);
    fill(db, 10, 1000, now + 86400000);
    fill(&keyspace.dbs[0], 0, 1, now + 777);
    ck_assert_int_eq(expire_due(&keyspace), now + 777);
    clock_shift_ms(777);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_int_eq(expire_due(&keyspace), now + 86400000);
    // Nobody is to come in vain.
    keyspace.sweep_paused = true;
    ck_assert(expire_due(&keyspace) == TABLE_DUE_NEVER);
    keyspace.sweep_paused = false;
    keyspace.expire_passively = true;
    ck_assert(expire_due(&keyspace) == TABLE_DUE_NEVER);
    keyspace.expire_passively = false;
    db_flush(db, REMOVED_LATER);
    expire_sweep(&keyspace, NO_HURRY_US);
    db_swap(db, &keyspace.dbs[0]);
    fill(db, 0, 1, now + 5000);
    ck_assert_int_le(expire_due(&keyspace), now + 5000);
}
END_TEST

static int64_t lag_sum_ms;

static void add_lag(void *udata, int64_t lag_ms)
{
    (void)udata;
    lag_sum_ms += lag_ms;
}

// Of those that the sweep takes, not of those that somebody asks for.
START_TEST(the_lag_is_told)
{
    struct db *db = &keyspace.dbs[0];
    keyspace.on_swept = add_lag;
    lag_sum_ms = 0;
    fill(db, 0, 10, clock_wall_ms() + 100);
    fill(db, 10, 10, clock_wall_ms() + 130);
    clock_shift_ms(150);
    EXPECT(!is_there(db, 20));
    char name[FIXTURE_NAME_MAX];
    struct key key = key_of(fixture_name(name, 3));
    EXPECT(!db_find(db, &key).entry);
    expire_sweep(&keyspace, NO_HURRY_US);
    ck_assert_int_eq(lag_sum_ms, 9 * 50 + 10 * 20);
    ck_assert_uint_eq(keyspace.expired_by_sweep, 19);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("expire");
    TCase *sweep = tcase_create("sweep");
    tcase_add_checked_fixture(sweep, set_up, fixture_close);
    tcase_set_timeout(sweep, 60);
    tcase_add_test(sweep, what_is_due_goes_and_the_rest_stays);
    tcase_add_test(sweep, the_expiry_that_counts_is_the_last);
    tcase_add_test(sweep, a_distant_time_is_kept_to);
    tcase_add_test(sweep, every_database_is_swept);
    tcase_add_test(sweep, an_empty_keyspace_is_swept);
    tcase_add_test(sweep, a_sweep_is_bounded_and_the_next_goes_on);
    tcase_add_test(sweep, a_large_database_does_not_starve_the_others);
    tcase_add_test(sweep, expired_keys_left_to_somebody_else_are_left);
    tcase_add_test(sweep, a_paused_sweep_leaves_everything);
    tcase_add_test(sweep, the_mean_time_to_live_is_noted);
    tcase_add_test(sweep, the_mean_of_very_distant_times_does_not_overflow);
    tcase_add_test(sweep, what_the_sweep_saw_is_noted);
    tcase_add_test(sweep, a_sweep_that_ran_out_of_time_is_counted);
    tcase_add_test(sweep, what_is_due_next_is_known);
    tcase_add_test(sweep, the_lag_is_told);
    suite_add_tcase(suite, sweep);
    TCase *model = tcase_create("model");
    tcase_add_checked_fixture(model, set_up, fixture_close);
    tcase_set_timeout(model, 60);
    tcase_add_test(model, a_long_life_by_the_model);
    tcase_add_test(model, a_clock_that_jumps_loses_nothing);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Tests of the databases: look-ups, expiry on access, events, counters, random choice.
#include "keyspace_fixture.h"
#include "support/unit.h"

#define EVENTS_MAX 64

// What a listener heard.
struct heard {
    enum key_event event;
    int listener;
    int db;
    char key[16];
    bool was_there;  // the key was still in its table
};

static struct heard heard[EVENTS_MAX];
static size_t heard_count;

static void hear(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    EXPECT(heard_count < EVENTS_MAX);
    struct heard *note = &heard[heard_count++];
    *note = (struct heard){ .event = event, .listener = *(const int *)udata, .db = db->id };
    if (!key) {
        note->was_there = db_size(db) > 0;
        return;
    }
    snprintf(note->key, sizeof(note->key), "%.*s", (int)key->len, key->ptr);
    note->was_there = table_find(&db->table, key->hash, key) != NULL;
}

static const int listener_ids[KEYSPACE_LISTENERS_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static void set_up(void)
{
    heard_count = 0;
    fixture_open();
}

static void listen_for(int listener, uint32_t events)
{
    int number = keyspace_listen(&keyspace, hear, (void *)(uintptr_t)&listener_ids[listener]);
    keyspace_hear(&keyspace, number, events);
}

static void listen_with(int listener)
{
    listen_for(listener, UINT32_MAX);
}

START_TEST(a_new_keyspace_is_empty)
{
    struct key key = key_of(SLICE("nobody"));
    for (int i = 0; i < FIXTURE_DBS; i++) {
        struct db *db = &keyspace.dbs[i];
        ck_assert_int_eq(db->id, i);
        ck_assert_ptr_eq(db->keyspace, &keyspace);
        ck_assert_uint_eq(db_size(db), 0);
        ck_assert_ptr_null(db_find(db, &key).entry);
        ck_assert_ptr_null(db_random(db));
        db_prefetch_bucket(db, key.hash);
        db_prefetch_entry(db, key.hash);
        db_flush(db, REMOVED_LATER);
    }
}
END_TEST

START_TEST(databases_are_apart)
{
    fixture_add(&keyspace.dbs[0], SLICE("a"), 1, EXPIRY_NONE);
    fixture_add(&keyspace.dbs[1], SLICE("a"), 2, EXPIRY_NONE);
    struct key key = key_of(SLICE("a"));
    ck_assert_uint_eq(fixture_value(db_find(&keyspace.dbs[0], &key).entry), 1);
    ck_assert_uint_eq(fixture_value(db_find(&keyspace.dbs[1], &key).entry), 2);
    ck_assert_ptr_null(db_find(&keyspace.dbs[2], &key).entry);
    db_flush(&keyspace.dbs[0], REMOVED_LATER);
    reclaim_all(&keyspace);
    ck_assert_uint_eq(fixture_released, 1);
    ck_assert_uint_eq(db_size(&keyspace.dbs[0]), 0);
    ck_assert_uint_eq(fixture_value(db_find(&keyspace.dbs[1], &key).entry), 2);
}
END_TEST

// The hash decides where to look, the bytes decide what is found.
START_TEST(keys_are_told_apart_by_their_bytes)
{
    static const struct slice names[] = {
        SLICE(""), SLICE("a"), SLICE("b"), SLICE("ab"), { .ptr = "a\0", .len = 2 }
    };
    struct db *db = &keyspace.dbs[0];
    for (size_t i = 0; i < 5; i++) {
        struct key key = { .ptr = names[i].ptr, .len = names[i].len, .hash = 12345 };
        ck_assert_ptr_null(db_find(db, &key).entry);
        db_insert(db, &key, fixture_entry(names[i], i, false, EXPIRY_NONE));
    }
    for (size_t i = 0; i < 5; i++) {
        struct key key = { .ptr = names[i].ptr, .len = names[i].len, .hash = 12345 };
        ck_assert_uint_eq(fixture_value(db_find(db, &key).entry), i);
    }
}
END_TEST

START_TEST(a_ref_follows_its_entry)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = fixture_add(db, SLICE("k"), 1, EXPIRY_NONE);
    ck_assert_ptr_eq(db_peek(db, &key).entry, ref.entry);
    db_replace(db, &ref, fixture_entry(SLICE("k"), 2, true, EXPIRY_NONE));
    ck_assert_uint_eq(fixture_released, 1);
    ck_assert_ptr_eq(db_peek(db, &key).entry, ref.entry);
    ck_assert_uint_eq(fixture_value(ref.entry), 2);
    db_set_expiry(db, &key, &ref, clock_wall_ms() + 5000);
    ck_assert_ptr_eq(db_peek(db, &key).entry, ref.entry);
    ck_assert_int_eq(entry_expiry(ref.entry), clock_wall_ms() + 5000);
    db_set_expiry(db, &key, &ref, EXPIRY_NONE);
    ck_assert_ptr_eq(db_peek(db, &key).entry, ref.entry);
    ck_assert_uint_eq(fixture_value(ref.entry), 2);
    ck_assert_uint_eq(db_size(db), 1);
    // The key may be the entry's own.
    struct key own = key_of(entry_key(ref.entry));
    db_remove(db, &own, ref);
    ck_assert_uint_eq(fixture_released, 2);
    ck_assert_uint_eq(db_size(db), 0);
}
END_TEST

// An entry moved by somebody else.
START_TEST(a_moved_entry_is_noted)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = fixture_add(db, SLICE("k"), 1, EXPIRY_NONE);
    struct entry *moved = entry_with_expiry(ref.entry, clock_wall_ms() + 10);
    db_entry_moved(db, &key, &ref, moved, EXPIRY_NONE);
    ck_assert_ptr_eq(ref.entry, moved);
    ck_assert_ptr_eq(db_peek(db, &key).entry, moved);
    ck_assert_uint_eq(db->expires, 1);
    int64_t old_expiry = entry_expiry(moved);
    db_entry_moved(db, &key, &ref, entry_with_expiry(moved, EXPIRY_NONE), old_expiry);
    ck_assert_uint_eq(db->expires, 0);
}
END_TEST

START_TEST(expiries_are_counted)
{
    struct db *db = &keyspace.dbs[0];
    int64_t later = clock_wall_ms() + 1000;
    struct key key = key_of(SLICE("with"));
    struct entry_ref ref = fixture_add(db, SLICE("with"), 1, later);
    ck_assert_uint_eq(db->expires, 1);
    db_set_expiry(db, &key, &ref, later + 1);
    ck_assert_uint_eq(db->expires, 1);
    db_replace(db, &ref, fixture_entry(SLICE("with"), 1, true, later));
    ck_assert_uint_eq(db->expires, 1);
    db_replace(db, &ref, fixture_entry(SLICE("with"), 1, false, EXPIRY_NONE));
    ck_assert_uint_eq(db->expires, 0);
    db_replace(db, &ref, fixture_entry(SLICE("with"), 1, true, later));
    ck_assert_uint_eq(db->expires, 1);
    db_set_expiry(db, &key, &ref, EXPIRY_NONE);
    db_set_expiry(db, &key, &ref, EXPIRY_NONE);
    ck_assert_uint_eq(db->expires, 0);
    db_set_expiry(db, &key, &ref, later);
    db_remove(db, &key, ref);
    ck_assert_uint_eq(db->expires, 0);
    fixture_add(db, SLICE("again"), 1, later);
    db_flush(db, REMOVED_LATER);
    ck_assert_uint_eq(db->expires, 0);
}
END_TEST

START_TEST(a_key_is_there_until_its_time_has_come)
{
    struct db *db = &keyspace.dbs[1];
    struct key key = key_of(SLICE("k"));
    fixture_add(db, SLICE("k"), 1, clock_wall_ms() + 100);
    clock_shift_ms(99);
    struct entry_ref ref = db_find(db, &key);
    ck_assert_ptr_nonnull(ref.entry);
    ck_assert(!db_expired(ref.entry));
    clock_shift_ms(1);
    ck_assert(db_expired(ref.entry));
    ck_assert_ptr_null(db_find(db, &key).entry);
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(db->expires, 0);
    ck_assert_uint_eq(keyspace.expired_keys, 1);
    ck_assert_uint_eq(keyspace.expired_by_sweep, 0);
    ck_assert_uint_eq(fixture_released, 1);
}
END_TEST

START_TEST(each_look_up_expires)
{
    static struct entry_ref (*const look_ups[])(
        struct db *, const struct key *) = { db_find, db_find_read, db_peek, db_peek_read };
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    for (size_t i = 0; i < 4; i++) {
        fixture_add(db, SLICE("k"), i, clock_wall_ms() + 1);
        clock_shift_ms(2);
        ck_assert_ptr_null(look_ups[i](db, &key).entry);
        ck_assert_uint_eq(keyspace.expired_keys, i + 1);
        ck_assert_uint_eq(db_size(db), 0);
    }
    ck_assert_uint_eq(keyspace.misses, 2);
}
END_TEST

START_TEST(reads_are_hits_or_misses)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    db_find_read(db, &key);
    db_peek_read(db, &key);
    ck_assert_uint_eq(keyspace.misses, 2);
    fixture_add(db, SLICE("k"), 1, EXPIRY_NONE);
    db_find(db, &key);
    db_peek(db, &key);
    ck_assert_uint_eq(keyspace.hits, 0);
    db_find_read(db, &key);
    db_peek_read(db, &key);
    ck_assert_uint_eq(keyspace.hits, 2);
    ck_assert_uint_eq(keyspace.misses, 2);
}
END_TEST

START_TEST(only_finding_touches)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    const struct entry *entry = fixture_add(db, SLICE("k"), 1, EXPIRY_NONE).entry;
    keyspace_set_clock(&keyspace, INT64_C(1700000000) * 1000 + 999);
    ck_assert_uint_eq(keyspace.access_clock, access_new(&keyspace.access));
    db_peek(db, &key);
    db_peek_read(db, &key);
    ck_assert_uint_eq(entry_access(entry), 0);
    db_find(db, &key);
    ck_assert(access_is_used(entry_access(entry)));
    ck_assert_uint_eq(access_idle_ticks(&keyspace.access, entry_access(entry)), 0);
    keyspace_set_clock(&keyspace, INT64_C(1700000007) * 1000 + 999);
    ck_assert_uint_eq(access_idle_s(&keyspace.access, entry_access(entry)), 7);
    db_find_read(db, &key);
    ck_assert_uint_eq(access_idle_s(&keyspace.access, entry_access(entry)), 0);
}
END_TEST

START_TEST(listeners_hear_in_the_order_in_which_they_came)
{
    struct key key = key_of(SLICE("k"));
    keyspace_announce(&keyspace, KEY_WRITTEN, &keyspace.dbs[0], &key);
    ck_assert_uint_eq(heard_count, 0);
    for (int i = 0; i < KEYSPACE_LISTENERS_MAX; i++)
        listen_with(i);
    keyspace_announce(&keyspace, KEY_WRITTEN, &keyspace.dbs[0], &key);
    keyspace_announce(&keyspace, KEY_EVICTED, &keyspace.dbs[2], &key);
    ck_assert_uint_eq(heard_count, 2 * KEYSPACE_LISTENERS_MAX);
    for (int i = 0; i < KEYSPACE_LISTENERS_MAX; i++) {
        ck_assert_int_eq(heard[i].listener, i);
        ck_assert_int_eq(heard[i].event, KEY_WRITTEN);
        ck_assert_int_eq(heard[i].db, 0);
        const struct heard *second = &heard[KEYSPACE_LISTENERS_MAX + i];
        ck_assert_int_eq(second->listener, i);
        ck_assert_int_eq(second->event, KEY_EVICTED);
        ck_assert_int_eq(second->db, 2);
        ck_assert_str_eq(second->key, "k");
    }
}
END_TEST

START_TEST(listeners_hear_what_they_asked_for)
{
    struct key key = key_of(SLICE("k"));
    int number = keyspace_listen(&keyspace, hear, (void *)(uintptr_t)&listener_ids[0]);
    keyspace_announce(&keyspace, KEY_WRITTEN, &keyspace.dbs[0], &key);
    ck_assert_uint_eq(heard_count, 0);
    keyspace_hear(&keyspace, number, KEY_EVENT(KEY_REMOVED));
    keyspace_announce(&keyspace, KEY_WRITTEN, &keyspace.dbs[0], &key);
    keyspace_announce(&keyspace, KEY_REMOVED, &keyspace.dbs[0], &key);
    ck_assert_uint_eq(heard_count, 1);
    ck_assert_int_eq(heard[0].event, KEY_REMOVED);
    keyspace_hear(&keyspace, number, 0);
    keyspace_announce(&keyspace, KEY_REMOVED, &keyspace.dbs[0], &key);
    ck_assert_uint_eq(heard_count, 1);
}
END_TEST

START_TEST(whole_databases_are_announced)
{
    fixture_add(&keyspace.dbs[1], SLICE("k"), 1, EXPIRY_NONE);
    listen_with(0);
    db_swap(&keyspace.dbs[0], &keyspace.dbs[1]);
    ck_assert_uint_eq(heard_count, 2);
    ck_assert_int_eq(heard[0].event, DB_SWAPPED);
    ck_assert_int_eq(heard[0].db, 0);
    ck_assert(heard[0].was_there);
    ck_assert_int_eq(heard[1].event, DB_SWAPPED);
    ck_assert_int_eq(heard[1].db, 1);
    ck_assert(!heard[1].was_there);
    db_flush(&keyspace.dbs[0], REMOVED_LATER);
    ck_assert_uint_eq(heard_count, 3);
    ck_assert_int_eq(heard[2].event, DB_FLUSHED);
    ck_assert(heard[2].was_there);
    ck_assert_uint_eq(db_size(&keyspace.dbs[0]), 0);
}
END_TEST

START_TEST(an_expiry_is_announced_before_the_key_is_gone)
{
    struct db *db = &keyspace.dbs[2];
    listen_for(3, KEY_EVENT(KEY_EXPIRED));
    fixture_add(db, SLICE("k"), 1, clock_wall_ms() + 1);
    clock_shift_ms(1);
    struct key key = key_of(SLICE("k"));
    db_find_read(db, &key);
    ck_assert_uint_eq(heard_count, 1);
    ck_assert_int_eq(heard[0].event, KEY_EXPIRED);
    ck_assert_int_eq(heard[0].listener, 3);
    ck_assert_int_eq(heard[0].db, 2);
    ck_assert_str_eq(heard[0].key, "k");
    ck_assert(heard[0].was_there);
    // Gone once, announced once.
    db_find_read(db, &key);
    ck_assert_uint_eq(heard_count, 1);
}
END_TEST

START_TEST(removing_and_replacing_announce_nothing)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = fixture_add(db, SLICE("k"), 1, EXPIRY_NONE);
    listen_with(0);
    db_replace(db, &ref, fixture_entry(SLICE("k"), 2, true, EXPIRY_NONE));
    db_set_expiry(db, &key, &ref, clock_wall_ms() + 1);
    db_remove(db, &key, ref);
    ck_assert_uint_eq(heard_count, 0);
}
END_TEST

START_TEST(new_keys_and_misses_are_announced)
{
    struct db *db = &keyspace.dbs[1];
    struct key key = key_of(SLICE("k"));
    listen_with(0);
    // Nobody reads here.
    db_find(db, &key);
    db_peek(db, &key);
    ck_assert_uint_eq(heard_count, 0);
    db_find_read(db, &key);
    db_peek_read(db, &key);
    ck_assert_uint_eq(heard_count, 2);
    struct entry_ref ref = { 0 };
    db_put(db, &key, &ref, fixture_entry(SLICE("k"), 1, true, EXPIRY_NONE));
    ck_assert_uint_eq(heard_count, 3);
    db_put(db, &key, &ref, fixture_entry(SLICE("k"), 2, true, EXPIRY_NONE));
    db_find_read(db, &key);
    db_peek_read(db, &key);
    ck_assert_uint_eq(heard_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(heard[i].event, i < 2 ? KEY_MISSED : KEY_CREATED);
        ck_assert_int_eq(heard[i].db, 1);
        ck_assert_str_eq(heard[i].key, "k");
        ck_assert_int_eq(heard[i].was_there, i == 2);
    }
}
END_TEST

START_TEST(expired_keys_can_be_left_to_somebody_else)
{
    struct db *db = &keyspace.dbs[0];
    listen_for(0, ~(KEY_EVENT(KEY_CREATED) | KEY_EVENT(KEY_MISSED)));
    keyspace.expire_passively = true;
    struct key key = key_of(SLICE("k"));
    fixture_add(db, SLICE("k"), 1, clock_wall_ms() + 1);
    ck_assert_ptr_nonnull(db_find_read(db, &key).entry);
    clock_shift_ms(1);
    ck_assert_ptr_null(db_find(db, &key).entry);
    ck_assert_ptr_null(db_peek(db, &key).entry);
    ck_assert_ptr_null(db_find_read(db, &key).entry);
    ck_assert_ptr_null(db_peek_read(db, &key).entry);
    ck_assert_uint_eq(keyspace.hits, 1);
    ck_assert_uint_eq(keyspace.misses, 2);
    ck_assert_uint_eq(db_size(db), 1);
    ck_assert_uint_eq(db->expires, 1);
    ck_assert_uint_eq(keyspace.expired_keys, 0);
    ck_assert_uint_eq(heard_count, 0);

    keyspace.expire_passively = false;
    ck_assert_ptr_null(db_find(db, &key).entry);
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(keyspace.expired_keys, 1);
    ck_assert_uint_eq(heard_count, 1);
}
END_TEST

// A write that finds nothing must not leave two entries with one key.
START_TEST(writing_over_a_hidden_expired_key_leaves_one)
{
    struct db *db = &keyspace.dbs[0];
    keyspace.expire_passively = true;
    struct key key = key_of(SLICE("k"));
    fixture_add(db, SLICE("k"), 1, clock_wall_ms() + 1);
    clock_shift_ms(1);
    ck_assert_ptr_null(db_find(db, &key).entry);
    db_insert(db, &key, fixture_entry(SLICE("k"), 2, false, EXPIRY_NONE));
    ck_assert_uint_eq(db_size(db), 1);
    ck_assert_uint_eq(db->expires, 0);
    ck_assert_uint_eq(fixture_value(db_find(db, &key).entry), 2);
}
END_TEST

START_TEST(a_detached_entry_is_the_callers)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = fixture_add(db, SLICE("k"), 7, clock_wall_ms() + 1000);
    struct entry *entry = db_detach(db, &key, ref);
    ck_assert_ptr_eq(entry, ref.entry);
    ck_assert_uint_eq(fixture_released, 0);
    ck_assert_uint_eq(db_size(db), 0);
    ck_assert_uint_eq(db->expires, 0);
    ck_assert_ptr_null(db_find(db, &key).entry);
    // It can go on elsewhere.
    db_insert(&keyspace.dbs[1], &key, entry);
    ck_assert_uint_eq(fixture_value(db_find(&keyspace.dbs[1], &key).entry), 7);
    ck_assert_uint_eq(keyspace.dbs[1].expires, 1);
}
END_TEST

START_TEST(putting_adds_or_replaces)
{
    struct db *db = &keyspace.dbs[0];
    struct key key = key_of(SLICE("k"));
    struct entry_ref ref = db_find(db, &key);
    db_put(db, &key, &ref, fixture_entry(SLICE("k"), 1, true, clock_wall_ms() + 1000));
    ck_assert_ptr_eq(db_find(db, &key).entry, ref.entry);
    ck_assert_uint_eq(db->expires, 1);
    db_put(db, &key, &ref, fixture_entry(SLICE("k"), 2, false, EXPIRY_NONE));
    ck_assert_ptr_eq(db_find(db, &key).entry, ref.entry);
    ck_assert_uint_eq(fixture_value(ref.entry), 2);
    ck_assert_uint_eq(fixture_released, 1);
    ck_assert_uint_eq(db_size(db), 1);
    ck_assert_uint_eq(db->expires, 0);
}
END_TEST

START_TEST(a_copy_has_a_value_of_its_own)
{
    struct db *db = &keyspace.dbs[0];
    int64_t expiry = clock_wall_ms() + 1000;
    for (int large = 0; large < 2; large++) {
        struct key from = key_of(SLICE("from"));
        struct key to = key_of(SLICE("a-longer-name"));
        db_insert(db, &from, fixture_entry(SLICE("from"), 5, large, expiry));
        struct entry *copy = db_copy_entry(db, db_find(db, &from).entry, SLICE("a-longer-name"));
        db_insert(db, &to, copy);
        db_remove(db, &from, db_find(db, &from));
        const struct entry *entry = db_find(db, &to).entry;
        ck_assert_uint_eq(fixture_value(entry), 5);
        ck_assert_int_eq(entry_expiry(entry), expiry);
        ck_assert_int_eq(entry_type(entry), large ? TYPE_LIST : TYPE_STRING);
        db_flush(db, REMOVED_LATER);
    }
}
END_TEST

START_TEST(databases_can_be_swapped)
{
    struct db *a = &keyspace.dbs[0];
    struct db *b = &keyspace.dbs[2];
    struct key key = key_of(SLICE("k"));
    char name[FIXTURE_NAME_MAX];
    for (size_t i = 0; i < 1000; i++)
        fixture_add(a, fixture_name(name, i), i, i % 2 ? EXPIRY_NONE : clock_wall_ms() + 1000);
    fixture_add(b, SLICE("k"), 77, EXPIRY_NONE);
    db_swap(a, b);
    ck_assert_int_eq(a->id, 0);
    ck_assert_int_eq(b->id, 2);
    ck_assert_uint_eq(db_size(a), 1);
    ck_assert_uint_eq(db_size(b), 1000);
    ck_assert_uint_eq(a->expires, 0);
    ck_assert_uint_eq(b->expires, 500);
    ck_assert_uint_eq(fixture_value(db_find(a, &key).entry), 77);
    ck_assert_ptr_null(db_find(b, &key).entry);
    // Both go on as databases do, and tell their own numbers.
    listen_with(0);
    clock_shift_ms(2000);
    key = key_of(fixture_name(name, 0));
    ck_assert_ptr_null(db_find(b, &key).entry);
    ck_assert_int_eq(heard[0].db, 2);
    fixture_add(a, SLICE("new"), 1, EXPIRY_NONE);
    db_swap(a, a);
    ck_assert_uint_eq(db_size(a), 2);
    db_swap(b, a);
    ck_assert_uint_eq(db_size(b), 2);
    ck_assert_uint_eq(db_size(a), 999);
}
END_TEST

START_TEST(memory_of_an_entry)
{
    struct db *db = &keyspace.dbs[0];
    struct entry_ref ref = fixture_add(db, SLICE("k"), 1, EXPIRY_NONE);
    ck_assert_uint_eq(db_entry_memory(db, ref.entry), mem_good_size(entry_size(ref.entry)));
    db_replace(db, &ref, fixture_entry(SLICE("k"), 1, true, EXPIRY_NONE));
    ck_assert_uint_eq(db_entry_memory(db, ref.entry),
                      mem_good_size(entry_size(ref.entry)) + mem_good_size(FIXTURE_VALUE_BYTES));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("keyspace");
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, set_up, fixture_close);
    tcase_add_test(keys, a_new_keyspace_is_empty);
    tcase_add_test(keys, databases_are_apart);
    tcase_add_test(keys, keys_are_told_apart_by_their_bytes);
    tcase_add_test(keys, a_ref_follows_its_entry);
    tcase_add_test(keys, a_moved_entry_is_noted);
    tcase_add_test(keys, reads_are_hits_or_misses);
    tcase_add_test(keys, only_finding_touches);
    tcase_add_test(keys, a_detached_entry_is_the_callers);
    tcase_add_test(keys, putting_adds_or_replaces);
    tcase_add_test(keys, a_copy_has_a_value_of_its_own);
    tcase_add_test(keys, databases_can_be_swapped);
    tcase_add_test(keys, memory_of_an_entry);
    suite_add_tcase(suite, keys);

    TCase *expiry = tcase_create("expiry");
    tcase_add_checked_fixture(expiry, set_up, fixture_close);
    tcase_add_test(expiry, expiries_are_counted);
    tcase_add_test(expiry, a_key_is_there_until_its_time_has_come);
    tcase_add_test(expiry, each_look_up_expires);
    tcase_add_test(expiry, expired_keys_can_be_left_to_somebody_else);
    tcase_add_test(expiry, writing_over_a_hidden_expired_key_leaves_one);
    suite_add_tcase(suite, expiry);

    TCase *events = tcase_create("events");
    tcase_add_checked_fixture(events, set_up, fixture_close);
    tcase_add_test(events, listeners_hear_in_the_order_in_which_they_came);
    tcase_add_test(events, listeners_hear_what_they_asked_for);
    tcase_add_test(events, whole_databases_are_announced);
    tcase_add_test(events, an_expiry_is_announced_before_the_key_is_gone);
    tcase_add_test(events, removing_and_replacing_announce_nothing);
    tcase_add_test(events, new_keys_and_misses_are_announced);
    suite_add_tcase(suite, events);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

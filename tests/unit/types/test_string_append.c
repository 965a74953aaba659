// SPDX-License-Identifier: BSD-3-Clause
// Tests of appending to strings, also without memory, and of strings against a naive model.
#include "strings_fixture.h"
#include "support/unit.h"
#include "types/string.h"

#define MODEL_KEYS    60
#define MODEL_BYTES   6000
#define MODEL_PENDING 16
#define MODEL_STEPS   200000
#define LATER         (clock_wall_ms() + 100000)

START_TEST(appending_to_every_encoding)
{
    static const struct slice firsts[] = { SLICE(""),
                                           SLICE("a"),
                                           SLICE("17"),
                                           SLICE("-1"),
                                           { .ptr = noise, .len = 200 },
                                           { .ptr = noise, .len = 5000 } };
    for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
        int64_t expiry = i % 2 ? LATER : EXPIRY_NONE;
        struct bytes want = { 0 };
        struct entry_ref ref = set(SLICE("k"), firsts[i], expiry);
        entry_set_access(ref.entry, 1234);
        bytes_reserve(&want, 1);
        bytes_append_slice(&want, firsts[i]);
        for (size_t len = 0; len < 3000; len = len * 2 + 1) {
            bytes_append_slice(&want, noise_at(len, len));
            ck_assert_int_eq(string_append(db, &ref, noise_at(len, len)), STATUS_OK);
            ck_assert_uint_eq(entry_access(ref.entry), 1234);
            expect_string(SLICE("k"), ref, bytes_slice(&want), expiry);
        }
        ck_assert_uint_eq(db->expires, expiry != EXPIRY_NONE);
        bytes_release(&want);
    }
}
END_TEST

// A byte at a time: the string moves rarely, and what it takes stays in proportion.
START_TEST(growth_is_amortised)
{
    enum { COUNT = 300000 };
    struct entry_ref ref = set(SLICE("k"), SLICE("x"), EXPIRY_NONE);
    size_t grown = 0;
    size_t cap = 0;
    for (size_t i = 1; i < COUNT; i++) {
        EXPECT(string_append(db, &ref, noise_at(i % 1000, 1)) == STATUS_OK);
        const struct blob *blob = string_blob(ref.entry);
        EXPECT(blob->len == i + 1);
        EXPECT(blob->cap <= 3 * blob->len + 64);
        grown += blob->cap != cap;
        cap = blob->cap;
    }
    ck_assert_uint_le(grown, 40);
    for (size_t i = 1; i < COUNT; i++)
        EXPECT(string_blob(ref.entry)->data[i] == noise[i % 1000]);
}
END_TEST

START_TEST(appending_to_a_shared_blob_leaves_the_reader_alone)
{
    struct entry_ref ref = set(SLICE("k"), noise_at(0, 1000), EXPIRY_NONE);
    ck_assert_int_eq(string_append(db, &ref, SLICE("a")), STATUS_OK);
    struct blob *read = string_blob(ref.entry);
    ck_assert_uint_gt(read->cap, 1100);
    blob_retain(read);
    ck_assert_int_eq(string_append(db, &ref, SLICE("b")), STATUS_OK);
    ck_assert_ptr_ne(string_blob(ref.entry), read);
    ck_assert_uint_eq(read->refs, 1);
    ck_assert_uint_eq(read->len, 1001);
    ck_assert_uint_eq(string_length(ref.entry), 1002);
    blob_release(read);
}
END_TEST

START_TEST(no_memory_leaves_the_string_as_it_was)
{
    static const struct slice values[] = { SLICE("text"),
                                           SLICE("12345"),
                                           { .ptr = noise, .len = 3000 } };
    for (size_t i = 0; i < 3; i++) {
        struct entry_ref ref = set(SLICE("k"), values[i], LATER);
        mem_fail_after(0);
        ck_assert_int_eq(string_append(db, &ref, noise_at(0, 3000)), STATUS_NOMEM);
        mem_fail_never();
        expect_string(SLICE("k"), ref, values[i], LATER);
        ck_assert_int_eq(string_append(db, &ref, SLICE("!")), STATUS_OK);
        ck_assert_uint_eq(string_length(ref.entry), values[i].len + 1);
    }
    // A shared one.
    struct entry_ref ref = set(SLICE("k"), values[2], LATER);
    struct blob *blob = string_blob(ref.entry);
    blob_retain(blob);
    mem_fail_after(0);
    ck_assert_int_eq(string_append(db, &ref, SLICE("!")), STATUS_NOMEM);
    mem_fail_never();
    ck_assert_uint_eq(blob->refs, 2);
    ck_assert_ptr_eq(string_blob(ref.entry), blob);
    expect_string(SLICE("k"), ref, values[2], LATER);
    blob_release(blob);
}
END_TEST

START_TEST(a_part_is_overwritten)
{
    static const struct slice firsts[] = { SLICE("hello world"),
                                           SLICE("12345678901"),
                                           { .ptr = noise, .len = 300 } };
    for (size_t i = 0; i < 3; i++) {
        for (size_t offset = 0; offset < 400; offset += 7) {
            char want[500] = { 0 };
            struct entry_ref ref = set(SLICE("k"), firsts[i], LATER);
            memcpy(want, firsts[i].ptr, firsts[i].len);
            memcpy(want + offset, "new", 3);
            size_t end = offset + 3;
            size_t len = end > firsts[i].len ? end : firsts[i].len;
            ck_assert_int_eq(string_set_range(db, &ref, offset, SLICE("new")), STATUS_OK);
            expect_string(SLICE("k"), ref, (struct slice){ .ptr = want, .len = len }, LATER);
        }
    }
}
END_TEST

START_TEST(a_part_of_a_shared_blob_is_overwritten)
{
    struct entry_ref ref = set(SLICE("k"), noise_at(0, 1000), EXPIRY_NONE);
    struct blob *read = string_blob(ref.entry);
    blob_retain(read);
    ck_assert_int_eq(string_set_range(db, &ref, 10, SLICE("!!!")), STATUS_OK);
    ck_assert_mem_eq(read->data, noise, 1000);
    ck_assert_uint_eq(read->refs, 1);
    ck_assert_mem_eq(string_blob(ref.entry)->data + 10, "!!!", 3);
    blob_release(read);
    mem_fail_after(0);
    ck_assert_int_eq(string_set_range(db, &ref, 1u << 20, SLICE("x")), STATUS_NOMEM);
    mem_fail_never();
    ck_assert_uint_eq(string_length(ref.entry), 1000);
    ck_assert_mem_eq(string_blob(ref.entry)->data + 10, "!!!", 3);
}
END_TEST

// ---- against a model ----------------------------------------------------------------------------

struct model_string {
    bool there;
    int64_t expiry;
    size_t len;
    char bytes[MODEL_BYTES];
};

// A reply under way: a blob and what it must hold until it is sent.
struct pending {
    struct blob *blob;
    size_t len;
    char bytes[MODEL_BYTES];
};

static struct model_string model[MODEL_KEYS];
static struct pending pendings[MODEL_PENDING];
static struct random dice;

// Of all lengths from 0 to 240 and some beyond, all alike in their first bytes.
static struct slice name_of(size_t i)
{
    return noise_at(100, i * 5);
}

static bool alive(const struct model_string *known)
{
    return known->there && (known->expiry == EXPIRY_NONE || known->expiry > clock_wall_ms());
}

static struct slice known_bytes(const struct model_string *known)
{
    return (struct slice){ .ptr = known->bytes, .len = known->len };
}

static void model_set(struct model_string *known, struct slice value, int64_t expiry)
{
    memcpy(known->bytes, value.ptr, value.len);
    known->len = value.len;
    known->there = true;
    known->expiry = expiry;
}

// Short texts, numbers and long texts, each often.
static struct slice some_value(char scratch[INT64_TEXT_MAX])
{
    static const size_t most[] = { 30, 300, MODEL_BYTES };
    uint64_t kind = random_below(&dice, 4);
    if (kind < 3)
        return noise_at(random_below(&dice, 1000), random_below(&dice, most[kind]));
    int64_t number = (int64_t)random_next(&dice) >> random_below(&dice, 64);
    return (struct slice){ .ptr = scratch, .len = (size_t)format_int64(scratch, number) };
}

static int64_t some_expiry(void)
{
    return random_below(&dice, 2) ? EXPIRY_NONE
                                  : clock_wall_ms() + 1 + (int64_t)random_below(&dice, 200);
}

static void step_append(size_t i, struct entry_ref ref)
{
    struct model_string *known = &model[i];
    struct slice more = noise_at(random_below(&dice, 1000), random_below(&dice, 600));
    if (!ref.entry || known->len + more.len > MODEL_BYTES)
        return;
    EXPECT(string_append(db, &ref, more) == STATUS_OK);
    memcpy(known->bytes + known->len, more.ptr, more.len);
    known->len += more.len;
    expect_string(name_of(i), ref, known_bytes(known), known->expiry);
}

static void step_set_range(size_t i, struct entry_ref ref)
{
    struct model_string *known = &model[i];
    struct slice part = noise_at(random_below(&dice, 1000), 1 + random_below(&dice, 300));
    size_t offset = random_below(&dice, MODEL_BYTES - 300);
    if (!ref.entry)
        return;
    EXPECT(string_set_range(db, &ref, offset, part) == STATUS_OK);
    if (offset > known->len)
        memset(known->bytes + known->len, 0, offset - known->len);
    memcpy(known->bytes + offset, part.ptr, part.len);
    known->len = offset + part.len > known->len ? offset + part.len : known->len;
    expect_string(name_of(i), ref, known_bytes(known), known->expiry);
}

static void step_expire(size_t i, struct entry_ref ref)
{
    if (!ref.entry)
        return;
    model[i].expiry = some_expiry();
    struct key key = key_of(name_of(i));
    db_set_expiry(db, &key, &ref, model[i].expiry);
    expect_string(name_of(i), ref, known_bytes(&model[i]), model[i].expiry);
}

// Lets go of one reply, having looked at it, and takes up another.
static void step_read(struct entry_ref ref)
{
    struct pending *pending = &pendings[random_below(&dice, MODEL_PENDING)];
    if (pending->blob) {
        EXPECT(pending->blob->len == pending->len);
        EXPECT(memcmp(pending->blob->data, pending->bytes, pending->len) == 0);
        blob_release(pending->blob);
    }
    pending->blob = ref.entry ? string_blob(ref.entry) : NULL;
    if (!pending->blob)
        return;
    blob_retain(pending->blob);
    pending->len = pending->blob->len;
    memcpy(pending->bytes, pending->blob->data, pending->len);
}

static void step(void)
{
    size_t i = random_below(&dice, MODEL_KEYS);
    struct model_string *known = &model[i];
    struct key key = key_of(name_of(i));
    struct entry_ref ref = db_find(db, &key);
    EXPECT((ref.entry != NULL) == alive(known));
    if (ref.entry)
        expect_string(name_of(i), ref, known_bytes(known), known->expiry);
    known->there = ref.entry != NULL;

    char scratch[INT64_TEXT_MAX];
    int64_t expiry = some_expiry();
    struct slice value = some_value(scratch);
    switch (random_below(&dice, 9)) {
    case 0:
    case 1:
        expect_string(name_of(i), set(name_of(i), value, expiry), value, expiry);
        model_set(known, value, expiry);
        break;
    case 2:
        expect_string(name_of(i), set_blob(name_of(i), value, expiry), value, expiry);
        model_set(known, value, expiry);
        break;
    case 3:
        expiry = known->there ? known->expiry : EXPIRY_NONE;
        value = SLICE("-31415926535");
        expect_string(name_of(i), set_int(name_of(i), INT64_C(-31415926535)), value, expiry);
        model_set(known, value, expiry);
        break;
    case 4: step_append(i, ref); break;
    case 5: step_expire(i, ref); break;
    case 6: step_read(ref); break;
    case 7: step_set_range(i, ref); break;
    default:
        if (ref.entry)
            db_remove(db, &key, ref);
        known->there = false;
        break;
    }
}

START_TEST(random_operations)
{
    memset(model, 0, sizeof(model));
    memset(pendings, 0, sizeof(pendings));
    random_seed(&dice, 11);
    for (size_t n = 0; n < MODEL_STEPS; n++) {
        step();
        if (n % 100 == 0)
            clock_shift_ms((int64_t)random_below(&dice, 30));
    }
    size_t there = 0;
    size_t expires = 0;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        there += model[i].there;
        expires += model[i].there && model[i].expiry != EXPIRY_NONE;
    }
    ck_assert_uint_eq(db_size(db), there);
    ck_assert_uint_eq(db->expires, expires);
    for (size_t n = 0; n < MODEL_PENDING; n++) {
        if (pendings[n].blob)
            blob_release(pendings[n].blob);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("appending and random operations");
    TCase *appending = tcase_create("appending");
    tcase_add_checked_fixture(appending, strings_open, strings_close);
    tcase_set_timeout(appending, 60);
    tcase_add_test(appending, appending_to_every_encoding);
    tcase_add_test(appending, growth_is_amortised);
    tcase_add_test(appending, appending_to_a_shared_blob_leaves_the_reader_alone);
    tcase_add_test(appending, no_memory_leaves_the_string_as_it_was);
    tcase_add_test(appending, a_part_is_overwritten);
    tcase_add_test(appending, a_part_of_a_shared_blob_is_overwritten);
    suite_add_tcase(suite, appending);

    TCase *operations = tcase_create("random operations");
    tcase_add_checked_fixture(operations, strings_open, strings_close);
    tcase_set_timeout(operations, 120);
    tcase_add_test(operations, random_operations);
    suite_add_tcase(suite, operations);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

// SPDX-License-Identifier: BSD-3-Clause
// Two databases for strings, and a second type to be overwritten by them.
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "types/string.h"
#include "unit/store/expect.h"

#define STRINGS_NOISE_BYTES (1u << 16)

static struct keyspace keyspace;
static struct db *db;
static size_t used_before;
static size_t other_released;
static char noise[STRINGS_NOISE_BYTES];

static inline void release_other(struct entry *entry)
{
    (void)entry;
    other_released++;
}

static inline size_t memory_other(const struct entry *entry)
{
    (void)entry;
    return 0;
}

static inline const char *encoding_other(const struct entry *entry)
{
    (void)entry;
    return "other";
}

static const struct type_ops other_ops = { .name = "other",
                                           .release = release_other,
                                           .memory = memory_other,
                                           .encoding_name = encoding_other };

// A checked fixture. The noise holds letters only, so that no piece of it is a number.
static inline void strings_open(void)
{
    struct random random;
    random_seed(&random, 5);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)('a' + random_below(&random, 26));
    other_released = 0;
    used_before = mem_used();
    keyspace_init(&keyspace);
    keyspace_register_type(&keyspace, TYPE_STRING, &string_type_ops);
    keyspace_register_type(&keyspace, TYPE_LIST, &other_ops);
    keyspace_open(&keyspace, 2);
    db = &keyspace.dbs[0];
}

static inline void strings_close(void)
{
    mem_fail_never();
    keyspace_release(&keyspace);
    ck_assert_uint_eq(mem_used(), used_before);
}

static inline struct slice noise_at(size_t offset, size_t len)
{
    EXPECT(offset + len <= sizeof(noise));
    return (struct slice){ .ptr = noise + offset, .len = len };
}

static inline struct entry_ref find(struct slice name)
{
    struct key key = key_of(name);
    return db_find(db, &key);
}

// SET, as its handler does it.
static inline struct entry_ref set(struct slice name, struct slice value, int64_t expiry)
{
    struct key key = key_of(name);
    struct entry_ref ref = db_find(db, &key);
    string_set(db, &key, &ref, value, expiry);
    return ref;
}

static inline struct entry_ref set_int(struct slice name, int64_t value)
{
    struct key key = key_of(name);
    struct entry_ref ref = db_find(db, &key);
    string_set_int64(db, &key, &ref, value);
    return ref;
}

static inline struct entry_ref set_blob(struct slice name, struct slice value, int64_t expiry)
{
    struct key key = key_of(name);
    struct entry_ref ref = db_find(db, &key);
    struct blob *blob = blob_new(value.len);
    memcpy(blob->data, value.ptr, value.len);
    blob->len = value.len;
    string_set_blob(db, &key, &ref, blob, expiry);
    return ref;
}

// The ref is what a new look-up finds, and the entry is a string with this key, value and expiry.
static inline void expect_string(struct slice name, struct entry_ref ref, struct slice value,
                                 int64_t expiry)
{
    char scratch[INT64_TEXT_MAX];
    struct key key = key_of(name);
    struct entry_ref again = db_peek(db, &key);
    EXPECT(ref.entry != NULL);
    EXPECT(again.entry == ref.entry);
    EXPECT(again.slot == ref.slot);
    EXPECT(entry_type(ref.entry) == TYPE_STRING);
    EXPECT(slice_equal(entry_key(ref.entry), name));
    EXPECT(slice_equal(string_bytes(ref.entry, scratch), value));
    EXPECT(string_length(ref.entry) == value.len);
    EXPECT(entry_expiry(ref.entry) == expiry);
    EXPECT((string_blob(ref.entry) != NULL) == (entry_encoding(ref.entry) == STRING_ENC_BLOB));
}

// SPDX-License-Identifier: BSD-3-Clause
// A keyspace of three databases with two value types that count what is released, and a clock that
// stands still unless a test moves it.
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "expect.h"
#include "store/digest.h"
#include "store/keyspace.h"

#include <stdio.h>

#define FIXTURE_DBS 3

// Memory that one value of the pointing type stands for.
#define FIXTURE_VALUE_BYTES 48

static struct keyspace keyspace;
static size_t fixture_released;
static size_t fixture_used_before;

static inline void fixture_release_small(struct entry *entry)
{
    EXPECT(entry_type(entry) == TYPE_STRING);
    fixture_released++;
}

static inline void fixture_release_large(struct entry *entry)
{
    EXPECT(entry_type(entry) == TYPE_LIST);
    mem_free(entry_pointer(entry), FIXTURE_VALUE_BYTES);
    fixture_released++;
}

static inline size_t fixture_memory_small(const struct entry *entry)
{
    (void)entry;
    return 0;
}

static inline size_t fixture_memory_large(const struct entry *entry)
{
    (void)entry;
    return mem_good_size(FIXTURE_VALUE_BYTES);
}

static inline const char *fixture_encoding(const struct entry *entry)
{
    return entry_embedded(entry) ? "small" : "large";
}

static inline void fixture_unshare_small(struct entry *clone)
{
    EXPECT(entry_type(clone) == TYPE_STRING);
}

static inline void fixture_unshare_large(struct entry *clone)
{
    const uint64_t *shared = entry_pointer(clone);
    uint64_t *own = mem_alloc(FIXTURE_VALUE_BYTES);
    *own = *shared;
    entry_set_word(clone, (uintptr_t)own);
}

static inline uint64_t fixture_value(const struct entry *entry);

static inline void fixture_digest(const struct entry *entry, struct digest *digest)
{
    uint64_t value = fixture_value(entry);
    digest_mix(digest, (struct slice){ .ptr = (const char *)&value, .len = sizeof(value) });
}

static const struct type_ops fixture_small_ops = { .name = "small",
                                                   .release = fixture_release_small,
                                                   .memory = fixture_memory_small,
                                                   .encoding_name = fixture_encoding,
                                                   .unshare = fixture_unshare_small,
                                                   .digest = fixture_digest };
static const struct type_ops fixture_large_ops = { .name = "large",
                                                   .release = fixture_release_large,
                                                   .memory = fixture_memory_large,
                                                   .encoding_name = fixture_encoding,
                                                   .unshare = fixture_unshare_large,
                                                   .digest = fixture_digest };

// A checked fixture.
static inline void fixture_open(void)
{
    fixture_used_before = mem_used();
    fixture_released = 0;
    keyspace_init(&keyspace);
    random_seed(&keyspace.random, 1);
    keyspace_register_type(&keyspace, TYPE_STRING, &fixture_small_ops);
    keyspace_register_type(&keyspace, TYPE_LIST, &fixture_large_ops);
    keyspace_open(&keyspace, FIXTURE_DBS);
}

// Nothing may be left behind, whatever a test did.
static inline void fixture_close(void)
{
    keyspace_release(&keyspace);
    ck_assert_uint_eq(mem_used(), fixture_used_before);
}

// An entry whose value is the number: of the small type, embedded, or of the large one, pointed to.
static inline struct entry *fixture_entry(struct slice name, uint64_t value, bool large,
                                          int64_t expiry)
{
    struct entry_spec spec = { .type = large ? TYPE_LIST : TYPE_STRING, .expiry = expiry };
    if (large) {
        uint64_t *apart = mem_alloc(FIXTURE_VALUE_BYTES);
        *apart = value;
        spec.word = (uintptr_t)apart;
        return entry_new(name, &spec);
    }
    spec.embedded = true;
    spec.embedded_len = sizeof(value);
    struct entry *entry = entry_new(name, &spec);
    memcpy((char *)(uintptr_t)entry_embedded_bytes(entry).ptr, &value, sizeof(value));
    return entry;
}

static inline uint64_t fixture_value(const struct entry *entry)
{
    uint64_t value;
    if (entry_type(entry) == TYPE_LIST)
        return *(const uint64_t *)entry_pointer(entry);
    EXPECT(entry_embedded_bytes(entry).len == sizeof(value));
    memcpy(&value, entry_embedded_bytes(entry).ptr, sizeof(value));
    return value;
}

// Adds a key that is not there.
static inline struct entry_ref fixture_add(struct db *db, struct slice name, uint64_t value,
                                           int64_t expiry)
{
    struct key key = key_of(name);
    EXPECT(!db_peek(db, &key).entry);
    return db_insert(db, &key, fixture_entry(name, value, false, expiry));
}

// "key:<number>", in `out`.
#define FIXTURE_NAME_MAX 32
static inline struct slice fixture_name(char out[FIXTURE_NAME_MAX], size_t number)
{
    int len = snprintf(out, FIXTURE_NAME_MAX, "key:%zu", number);
    return (struct slice){ .ptr = out, .len = (size_t)len };
}

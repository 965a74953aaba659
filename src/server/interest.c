// SPDX-License-Identifier: BSD-3-Clause
// Keys that clients wait for or watch: see interest.h.
#include "server/interest.h"

#include "base/memory.h"
#include "store/keyspace.h"

#include <string.h>

struct wanted {
    const struct db *db;
    const struct key *key;
};

static uint64_t hash_in(const struct db *db, uint64_t hash)
{
    return hash ^ (uint64_t)db->id * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t interest_hash(const void *entry)
{
    const struct interest *interest = entry;
    return hash_in(interest->db, interest->key.hash);
}

static bool interest_match(const void *entry, const void *udata)
{
    const struct interest *interest = entry;
    const struct wanted *wanted = udata;
    return interest->db == wanted->db &&
           slice_equal(key_slice(&interest->key), key_slice(wanted->key));
}

static const struct table_ops interest_ops = { .hash = interest_hash, .match = interest_match };

void interests_init(struct table *interests)
{
    table_init(interests, &interest_ops);
}

struct interest *interest_find(const struct table *interests, const struct db *db,
                               const struct key *key)
{
    const struct wanted wanted = { .db = db, .key = key };
    const struct table_slot *slot = table_find(interests, hash_in(db, key->hash), &wanted);
    return slot ? table_slot_entry(slot) : NULL;
}

struct interest *interest_provide(struct table *interests, struct db *db, const struct key *key,
                                  size_t bytes)
{
    struct interest *interest = interest_find(interests, db, key);
    if (interest)
        return interest;
    interest = mem_try_alloc(bytes + key->len);
    if (!interest)
        return NULL;
    memset(interest, 0, bytes);
    char *name = (char *)interest + bytes;
    if (key->len)
        memcpy(name, key->ptr, key->len);
    interest->db = db;
    interest->key = (struct key){ .ptr = name, .len = key->len, .hash = key->hash };
    interest->bytes = bytes + key->len;
    list_init(&interest->members);
    if (table_insert(interests, interest_hash(interest), interest, NULL) == STATUS_OK)
        return interest;
    mem_free(interest, interest->bytes);
    return NULL;
}

void interest_join(struct interest *interest, struct list_link *member)
{
    list_append(&interest->members, member);
    interest->count++;
}

void interest_leave(struct interest *interest, struct list_link *member)
{
    list_remove(member);
    interest->count--;
}

bool interest_trim(struct table *interests, struct interest *interest)
{
    if (interest->count > 0)
        return false;
    const struct wanted wanted = { .db = interest->db, .key = &interest->key };
    uint64_t hash = interest_hash(interest);
    table_remove(interests, hash, table_find(interests, hash, &wanted));
    mem_free(interest, interest->bytes);
    return true;
}

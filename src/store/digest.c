// SPDX-License-Identifier: BSD-3-Clause
// Fingerprints: see digest.h.
#include "store/digest.h"

// What redis-server XORs in for an expiry, as two values that differ in nothing else show it.
static const struct digest digest_expiry = { {
    0xe6, 0x85, 0xfe, 0xff, 0xdc, 0x39, 0xea, 0x54, 0xc1, 0x16,
    0xeb, 0xf8, 0x45, 0x6a, 0xcf, 0x9b, 0x1a, 0xae, 0x41, 0x83,
} };

static struct digest hash(struct slice bytes)
{
    struct digest digest = { { 0 } };
    sha1(bytes, digest.bytes);
    return digest;
}

static struct slice bytes_of(const struct digest *digest)
{
    return (struct slice){ .ptr = (const char *)digest->bytes, .len = sizeof(digest->bytes) };
}

static void exclusive_or(struct digest *digest, const struct digest *other)
{
    for (size_t i = 0; i < sizeof(digest->bytes); i++)
        digest->bytes[i] ^= other->bytes[i];
}

void digest_mix(struct digest *digest, struct slice bytes)
{
    struct digest hashed = hash(bytes);
    exclusive_or(digest, &hashed);
    *digest = hash(bytes_of(digest));
}

void digest_xor(struct digest *digest, struct slice bytes)
{
    struct digest hashed = hash(bytes);
    exclusive_or(digest, &hashed);
}

static void mix_number(struct digest *digest, uint32_t number)
{
    const unsigned char bytes[4] = { (unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                     (unsigned char)(number >> 8), (unsigned char)number };
    digest_mix(digest, (struct slice){ .ptr = (const char *)bytes, .len = sizeof(bytes) });
}

static void mix_value(const struct keyspace *keyspace, struct digest *digest,
                      const struct entry *entry)
{
    mix_number(digest, entry_type(entry));
    keyspace->types[entry_type(entry)]->digest(entry, digest);
    if (entry_has_expiry(entry))
        exclusive_or(digest, &digest_expiry);
}

struct digest digest_value(const struct keyspace *keyspace, const struct entry *entry)
{
    struct digest digest = { { 0 } };
    if (entry)
        mix_value(keyspace, &digest, entry);
    return digest;
}

static void add_db(struct digest *digest, const struct db *db)
{
    mix_number(digest, (uint32_t)db->id);
    struct table_iter iter;
    table_iter_init(&iter, &db->table);
    for (struct table_slot *slot; (slot = table_iter_next(&iter));) {
        const struct entry *entry = table_slot_entry(slot);
        struct digest key = { { 0 } };
        digest_mix(&key, entry_key(entry));
        mix_value(db->keyspace, &key, entry);
        struct digest hashed = hash(bytes_of(&key));
        exclusive_or(digest, &hashed);
    }
}

struct digest digest_keyspace(const struct keyspace *keyspace)
{
    struct digest digest = { { 0 } };
    for (int i = 0; i < keyspace->db_count; i++) {
        if (db_size(&keyspace->dbs[i]) > 0)
            add_db(&digest, &keyspace->dbs[i]);
    }
    return digest;
}

// SPDX-License-Identifier: BSD-3-Clause
// An entry of the keyspace: key, expiry, metadata and small values in ONE allocation.
//
//   0        4      5 or 9          (+8)       + key length
//   +--------+------+---------------+----------+----------------------------------------------+
//   | header | klen | expiry, int64 | key      | payload                                      |
//   +--------+------+---------------+----------+----------------------------------------------+
//              1 or   only if the               embedded: length (1 or 5 bytes), then the bytes
//              5      header says so            else: one 8-byte word, an integer or a pointer
//
//   header, bits 0-2 type | 3-5 encoding | 6 payload embedded | 7 has expiry | 8-31 access clock
//
// A length below 255 takes one byte, others a byte 255 and four more. Fields behind the header are
// unaligned and are read with memcpy. The 24 access bits are the LRU clock or the LFU counter, with
// Redis's meaning (access.h). There are no reference counts and no separate key object.
//
// An entry may move whenever it is written: nobody keeps a pointer to it across a write.
#pragma once

#include "base/bytes.h"
#include "base/memory.h"
#include "store/type_ops.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// No expiry.
#define EXPIRY_NONE INT64_C(-1)

// Entries up to this size may hold their value; larger values lie apart.
#define ENTRY_EMBED_MAX 256

// Longest key: a key's length takes at most 32 bits.
#define ENTRY_KEY_MAX UINT32_MAX

struct entry {
    uint32_t header;
    unsigned char rest[];
};

#define ENTRY_TYPE_MASK    0x07u
#define ENTRY_ENC_SHIFT    3
#define ENTRY_ENC_MASK     0x38u
#define ENTRY_EMBEDDED     0x40u
#define ENTRY_HAS_EXPIRY   0x80u
#define ENTRY_ACCESS_SHIFT 8
#define ENTRY_LONG_LENGTH  0xFFu

static inline enum value_type entry_type(const struct entry *entry)
{
    return (enum value_type)(entry->header & ENTRY_TYPE_MASK);
}

// The encoding's number, whose meaning belongs to the type.
static inline unsigned entry_encoding(const struct entry *entry)
{
    return (entry->header & ENTRY_ENC_MASK) >> ENTRY_ENC_SHIFT;
}

static inline bool entry_embedded(const struct entry *entry)
{
    return entry->header & ENTRY_EMBEDDED;
}

static inline bool entry_has_expiry(const struct entry *entry)
{
    return entry->header & ENTRY_HAS_EXPIRY;
}

static inline uint32_t entry_access(const struct entry *entry)
{
    return entry->header >> ENTRY_ACCESS_SHIFT;
}

// Written only if it changes, so that reading does not dirty the line.
static inline void entry_set_access(struct entry *entry, uint32_t access)
{
    if (entry_access(entry) != access)
        entry->header = (entry->header & 0xFFu) | access << ENTRY_ACCESS_SHIFT;
}

// Bytes that a length field takes.
static inline size_t entry_length_size(size_t len)
{
    return len < ENTRY_LONG_LENGTH ? 1 : 5;
}

// Reads a length field and the bytes behind it.
static inline struct slice entry_read_counted(const unsigned char *p)
{
    if (*p != ENTRY_LONG_LENGTH)
        return (struct slice){ .ptr = (const char *)p + 1, .len = *p };
    uint32_t len;
    memcpy(&len, p + 1, sizeof(len));
    return (struct slice){ .ptr = (const char *)p + 5, .len = len };
}

// Where the expiry stands, if there is one.
static inline const unsigned char *entry_expiry_at(const struct entry *entry)
{
    return entry->rest + (entry->rest[0] == ENTRY_LONG_LENGTH ? 5 : 1);
}

static inline struct slice entry_key(const struct entry *entry)
{
    struct slice key = entry_read_counted(entry->rest);
    key.ptr += (entry->header & ENTRY_HAS_EXPIRY) >> 4;  // 0 or 8
    return key;
}

// Unix time in ms, or EXPIRY_NONE.
static inline int64_t entry_expiry(const struct entry *entry)
{
    int64_t at_ms = EXPIRY_NONE;
    if (entry_has_expiry(entry))
        memcpy(&at_ms, entry_expiry_at(entry), sizeof(at_ms));
    return at_ms;
}

// Where the payload begins.
static inline unsigned char *entry_payload(const struct entry *entry)
{
    struct slice key = entry_key(entry);
    return (unsigned char *)(uintptr_t)(key.ptr + key.len);
}

// The bytes of an embedded payload.
static inline struct slice entry_embedded_bytes(const struct entry *entry)
{
    return entry_read_counted(entry_payload(entry));
}

// The word of a payload that is not embedded.
static inline uint64_t entry_word(const struct entry *entry)
{
    uint64_t word;
    memcpy(&word, entry_payload(entry), sizeof(word));
    return word;
}

static inline void entry_set_word(struct entry *entry, uint64_t word)
{
    memcpy(entry_payload(entry), &word, sizeof(word));
}

static inline void *entry_pointer(const struct entry *entry)
{
    return (void *)(uintptr_t)entry_word(entry);
}

// Size in bytes as it was allocated, from the entry alone.
size_t entry_size(const struct entry *entry);

// Size of an entry to be: `payload` bytes embedded, or a word if `embedded` is false.
size_t entry_size_for(size_t key_len, bool has_expiry, bool embedded, size_t payload);

// What a new entry is made of.
struct entry_spec {
    enum value_type type;
    unsigned encoding;
    uint32_t access;
    int64_t expiry;  // or EXPIRY_NONE
    bool embedded;
    size_t embedded_len;  // embedded payload: its bytes are filled in by the caller
    uint64_t word;        // other payload
};

// A new entry with this key; freed with entry_free(). An embedded payload's length is written, its
// bytes are not.
struct entry *entry_new(struct slice key, const struct entry_spec *spec);

// Writes an entry's fields into memory of at least entry_size_for(); the key may overlap.
void entry_write(struct entry *entry, struct slice key, const struct entry_spec *spec);

// The entry with `len` bytes of embedded payload, whose beginning is kept as far as there is room; what is
// new is not filled in. In place where the allocation serves, else the entry moves.
struct entry *entry_resize_embedded(struct entry *entry, size_t len);

// The entry with another encoding and, instead of its payload, a word or `len` embedded bytes to be filled
// in. The entry moves; what the old payload pointed to is the caller's.
struct entry *entry_with_word(struct entry *entry, unsigned encoding, uint64_t word);
struct entry *entry_with_embedded(struct entry *entry, unsigned encoding, size_t len);

// Frees the entry alone, not what its payload points to.
void entry_free(struct entry *entry);

// A new entry under another key, otherwise the same: what it points to then belongs to both, and one of
// the two has to let go of it or get its own (type_ops.unshare).
struct entry *entry_clone(const struct entry *entry, struct slice key);

// The entry with another expiry (or EXPIRY_NONE): rewritten in place where the flag stays the same,
// else a new allocation that replaces the old one, which is freed.
struct entry *entry_with_expiry(struct entry *entry, int64_t expiry);

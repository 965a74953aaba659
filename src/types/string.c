// SPDX-License-Identifier: BSD-3-Clause
// Strings: see string.h.
#include "types/string.h"

#include "base/memory.h"
#include "base/panic.h"
#include "store/digest.h"

// Longest string that Redis embeds, which decides what OBJECT ENCODING says.
#define EMBSTR_MAX 44

// Integers below this are shared objects in Redis.
#define SHARED_INTEGERS 10000

// How much room a growing string gets beyond its length at the most.
#define GROWTH_MAX ((size_t)1 << 20)

static void string_release(struct entry *entry)
{
    struct blob *blob = string_blob(entry);
    if (blob)
        blob_release(blob);
}

static size_t string_memory(const struct entry *entry)
{
    const struct blob *blob = string_blob(entry);
    return blob ? blob_memory(blob) : 0;
}

static const char *string_encoding_name(const struct entry *entry)
{
    if (entry_encoding(entry) == STRING_ENC_INT)
        return "int";
    if (entry_encoding(entry) == STRING_ENC_EMBEDDED && string_length(entry) <= EMBSTR_MAX)
        return "embstr";
    return "raw";
}

// A blob is shared until one of its owners writes.
static void string_unshare(struct entry *clone)
{
    struct blob *blob = string_blob(clone);
    if (blob)
        blob_retain(blob);
}

// Redis shares small integers among all keys and shows a count that cannot be reached.
static int64_t string_refcount(const struct entry *entry)
{
    uint64_t word = entry_encoding(entry) == STRING_ENC_INT ? entry_word(entry) : UINT64_MAX;
    return word < SHARED_INTEGERS ? INT32_MAX : 1;
}

static void string_digest(const struct entry *entry, struct digest *digest)
{
    char scratch[INT64_TEXT_MAX];
    digest_mix(digest, string_bytes(entry, scratch));
}

const struct type_ops string_type_ops = {
    .name = "string",
    .release = string_release,
    .memory = string_memory,
    .encoding_name = string_encoding_name,
    .unshare = string_unshare,
    .refcount = string_refcount,
    .digest = string_digest,
};

struct blob *string_blob(const struct entry *entry)
{
    return entry_encoding(entry) == STRING_ENC_BLOB ? entry_pointer(entry) : NULL;
}

struct slice string_bytes(const struct entry *entry, char scratch[INT64_TEXT_MAX])
{
    switch ((enum string_encoding)entry_encoding(entry)) {
    case STRING_ENC_EMBEDDED: return entry_embedded_bytes(entry);
    case STRING_ENC_BLOB: {
        const struct blob *blob = entry_pointer(entry);
        return (struct slice){ .ptr = blob->data, .len = blob->len };
    }
    case STRING_ENC_INT: break;
    }
    int len = format_int64(scratch, (int64_t)entry_word(entry));
    return (struct slice){ .ptr = scratch, .len = (size_t)len };
}

size_t string_length(const struct entry *entry)
{
    char scratch[INT64_TEXT_MAX];
    return string_bytes(entry, scratch).len;
}

bool string_int64(const struct entry *entry, int64_t *out)
{
    if (entry_encoding(entry) == STRING_ENC_INT) {
        *out = (int64_t)entry_word(entry);
        return true;
    }
    char scratch[INT64_TEXT_MAX];
    return parse_int64(string_bytes(entry, scratch), out);
}

// The access bits of what is put at `ref`: a frequency is handed on.
static uint32_t access_after(const struct db *db, const struct entry_ref *ref)
{
    const struct keyspace *keyspace = db->keyspace;
    return unlikely(keyspace->access.frequency) && ref->entry ? entry_access(ref->entry)
                                                              : keyspace->access_clock;
}

// Whether the allocation of `entry` serves for one of `size` bytes.
static bool same_class(const struct entry *entry, size_t size)
{
    return mem_good_size(entry_size(entry)) == mem_good_size(size);
}

// Writes the entry that `spec` describes under `key`: over the old string where its allocation
// serves, else as a new one.
static struct entry *place(struct db *db, const struct key *key, struct entry_ref *ref,
                           const struct entry_spec *spec)
{
    struct entry *old = ref->entry;
    size_t size = entry_size_for(key->len, spec->expiry != EXPIRY_NONE, spec->embedded,
                                 spec->embedded_len);
    if (old && entry_type(old) == TYPE_STRING && same_class(old, size)) {
        int64_t old_expiry = entry_expiry(old);
        string_release(old);
        entry_write(old, entry_key(old), spec);
        db_entry_moved(db, key, ref, old, old_expiry);
        return old;
    }
    struct entry *entry = entry_new(key_slice(key), spec);
    db_put(db, key, ref, entry);
    return entry;
}

static void fill(struct entry *entry, struct slice value)
{
    memcpy((char *)(uintptr_t)entry_embedded_bytes(entry).ptr, value.ptr, value.len);
}

// The commonest write: a value of the same length in the same place.
static bool overwrite(struct entry *entry, struct slice value, int64_t expiry)
{
    if (!entry || entry_type(entry) != TYPE_STRING || !entry_embedded(entry) ||
        entry_has_expiry(entry) || expiry != EXPIRY_NONE)
        return false;
    struct slice have = entry_embedded_bytes(entry);
    if (have.len != value.len)
        return false;
    memcpy((char *)(uintptr_t)have.ptr, value.ptr, value.len);
    return true;
}

// Whether a text of this length lies in its entry.
static bool is_embedded(size_t key_len, bool has_expiry, size_t len)
{
    return len <= EMBSTR_MAX || entry_size_for(key_len, has_expiry, true, len) <= ENTRY_EMBED_MAX;
}

struct entry *string_entry_new(struct slice key, uint32_t access, int64_t expiry,
                               struct slice value)
{
    struct entry_spec spec = { .type = TYPE_STRING, .access = access, .expiry = expiry };
    int64_t number;
    if (value.len <= INT64_TEXT_MAX && parse_int64(value, &number)) {
        spec.encoding = STRING_ENC_INT;
        spec.word = (uint64_t)number;
        return entry_new(key, &spec);
    }
    if (is_embedded(key.len, expiry != EXPIRY_NONE, value.len)) {
        spec.encoding = STRING_ENC_EMBEDDED;
        spec.embedded = true;
        spec.embedded_len = value.len;
        struct entry *entry = entry_new(key, &spec);
        fill(entry, value);
        return entry;
    }
    struct blob *blob = blob_try_new(value.len);
    if (!blob)
        return NULL;
    memcpy(blob->data, value.ptr, value.len);
    blob->len = value.len;
    spec.encoding = STRING_ENC_BLOB;
    spec.word = (uintptr_t)blob;
    return entry_new(key, &spec);
}

void string_set(struct db *db, const struct key *key, struct entry_ref *ref, struct slice value,
                int64_t expiry)
{
    int64_t number;
    if (value.len > INT64_TEXT_MAX || !parse_int64(value, &number)) {
        string_set_text(db, key, ref, value, expiry);
        return;
    }
    const struct entry_spec spec = {
        .type = TYPE_STRING,
        .encoding = STRING_ENC_INT,
        .access = access_after(db, ref),
        .expiry = expiry,
        .word = (uint64_t)number,
    };
    place(db, key, ref, &spec);
}

void string_set_text(struct db *db, const struct key *key, struct entry_ref *ref,
                     struct slice value, int64_t expiry)
{
    if (overwrite(ref->entry, value, expiry))
        return;
    if (is_embedded(key->len, expiry != EXPIRY_NONE, value.len)) {
        const struct entry_spec spec = {
            .type = TYPE_STRING,
            .encoding = STRING_ENC_EMBEDDED,
            .access = access_after(db, ref),
            .expiry = expiry,
            .embedded = true,
            .embedded_len = value.len,
        };
        fill(place(db, key, ref, &spec), value);
        return;
    }
    struct blob *blob = blob_new(value.len);
    memcpy(blob->data, value.ptr, value.len);
    blob->len = value.len;
    string_set_blob(db, key, ref, blob, expiry);
}

void string_set_blob(struct db *db, const struct key *key, struct entry_ref *ref, struct blob *blob,
                     int64_t expiry)
{
    struct entry_spec spec = {
        .type = TYPE_STRING,
        .encoding = STRING_ENC_BLOB,
        .access = access_after(db, ref),
        .expiry = expiry,
        .word = (uintptr_t)blob,
    };
    place(db, key, ref, &spec);
}

void string_set_int64(struct db *db, const struct key *key, struct entry_ref *ref, int64_t value)
{
    if (ref->entry && entry_type(ref->entry) == TYPE_STRING &&
        entry_encoding(ref->entry) == STRING_ENC_INT) {
        entry_set_word(ref->entry, (uint64_t)value);
        return;
    }
    struct entry_spec spec = {
        .type = TYPE_STRING,
        .encoding = STRING_ENC_INT,
        .access = access_after(db, ref),
        .expiry = ref->entry ? entry_expiry(ref->entry) : EXPIRY_NONE,
        .word = (uint64_t)value,
    };
    place(db, key, ref, &spec);
}

// Turns the string at `ref` into a blob of its own with room for `cap` bytes.
static struct blob *as_blob(struct db *db, struct entry_ref *ref, size_t cap)
{
    struct blob *blob = string_blob(ref->entry);
    if (blob) {
        blob = blob_try_own(blob, cap);
        if (blob)
            entry_set_word(ref->entry, (uintptr_t)blob);
        return blob;
    }
    blob = blob_try_new(cap);
    if (!blob)
        return NULL;
    char scratch[INT64_TEXT_MAX];
    struct slice have = string_bytes(ref->entry, scratch);
    memcpy(blob->data, have.ptr, have.len);
    blob->len = have.len;
    const struct entry_spec spec = {
        .type = TYPE_STRING,
        .encoding = STRING_ENC_BLOB,
        .access = entry_access(ref->entry),
        .expiry = entry_expiry(ref->entry),
        .word = (uintptr_t)blob,
    };
    db_replace(db, ref, entry_new(entry_key(ref->entry), &spec));
    return blob;
}

// Room for a string that grows to `len` bytes: as much again, up to 1 MiB more, so that growing stays
// amortised O(1).
static size_t growing_cap(const struct entry *entry, size_t len)
{
    const struct blob *blob = string_blob(entry);
    if (blob && blob->refs == 1 && len <= blob->cap)
        return len;
    return len < GROWTH_MAX ? len * 2 : len + GROWTH_MAX;
}

enum status string_append(struct db *db, struct entry_ref *ref, struct slice more)
{
    return string_set_range(db, ref, string_length(ref->entry), more);
}

enum status string_set_range(struct db *db, struct entry_ref *ref, size_t offset,
                             struct slice bytes)
{
    size_t end = offset + bytes.len;
    size_t len = string_length(ref->entry);
    size_t new_len = end > len ? end : len;
    struct blob *blob = as_blob(db, ref, growing_cap(ref->entry, new_len));
    if (!blob)
        return STATUS_NOMEM;
    if (offset > len)
        memset(blob->data + len, 0, offset - len);
    memcpy(blob->data + offset, bytes.ptr, bytes.len);
    blob->len = new_len;
    return STATUS_OK;
}

// SPDX-License-Identifier: BSD-3-Clause
// The layout of an entry: see entry.h for the drawing.
#include "store/entry.h"

#include "base/panic.h"

size_t entry_size_for(size_t key_len, bool has_expiry, bool embedded, size_t payload)
{
    size_t size = sizeof(struct entry) + entry_length_size(key_len) + key_len;
    if (has_expiry)
        size += sizeof(int64_t);
    size += embedded ? entry_length_size(payload) + payload : sizeof(uint64_t);
    return size;
}

size_t entry_size(const struct entry *entry)
{
    size_t payload = entry_embedded(entry) ? entry_embedded_bytes(entry).len : 0;
    return entry_size_for(entry_key(entry).len, entry_has_expiry(entry), entry_embedded(entry),
                          payload);
}

static unsigned char *write_length(unsigned char *p, size_t len)
{
    if (len < ENTRY_LONG_LENGTH) {
        *p = (unsigned char)len;
        return p + 1;
    }
    uint32_t wide = (uint32_t)len;
    *p = ENTRY_LONG_LENGTH;
    memcpy(p + 1, &wide, sizeof(wide));
    return p + 5;
}

void entry_write(struct entry *entry, struct slice key, const struct entry_spec *spec)
{
    bool has_expiry = spec->expiry != EXPIRY_NONE;
    unsigned char *p = entry->rest + entry_length_size(key.len) + (has_expiry ? 8 : 0);
    memmove(p, key.ptr, key.len);
    unsigned char *payload = p + key.len;

    entry->header = (uint32_t)spec->type | spec->encoding << ENTRY_ENC_SHIFT |
                    (spec->embedded ? ENTRY_EMBEDDED : 0) | (has_expiry ? ENTRY_HAS_EXPIRY : 0) |
                    spec->access << ENTRY_ACCESS_SHIFT;
    p = write_length(entry->rest, key.len);
    if (has_expiry)
        memcpy(p, &spec->expiry, sizeof(spec->expiry));
    if (spec->embedded)
        write_length(payload, spec->embedded_len);
    else
        memcpy(payload, &spec->word, sizeof(spec->word));
}

struct entry *entry_new(struct slice key, const struct entry_spec *spec)
{
    DEBUG_ASSERT(key.len <= ENTRY_KEY_MAX);
    struct entry *entry = mem_alloc(
        entry_size_for(key.len, spec->expiry != EXPIRY_NONE, spec->embedded, spec->embedded_len));
    entry_write(entry, key, spec);
    return entry;
}

void entry_free(struct entry *entry)
{
    mem_free(entry, entry_size(entry));
}

// The entry's fields, but for its payload.
static struct entry_spec spec_of(const struct entry *entry)
{
    return (struct entry_spec){
        .type = entry_type(entry),
        .encoding = entry_encoding(entry),
        .access = entry_access(entry),
        .expiry = entry_expiry(entry),
    };
}

struct entry *entry_resize_embedded(struct entry *entry, size_t len)
{
    size_t have = entry_embedded_bytes(entry).len;
    size_t size = entry_size(entry);
    size_t wanted = entry_size_for(entry_key(entry).len, entry_has_expiry(entry), true, len);
    if (entry_length_size(len) == entry_length_size(have)) {
        entry = mem_realloc(entry, size, wanted);
        write_length(entry_payload(entry), len);
        return entry;
    }
    // The length field itself takes another size: the payload begins elsewhere.
    struct entry_spec spec = spec_of(entry);
    spec.embedded = true;
    spec.embedded_len = len;
    struct entry *moved = entry_new(entry_key(entry), &spec);
    memcpy((char *)(uintptr_t)entry_embedded_bytes(moved).ptr, entry_embedded_bytes(entry).ptr,
           have < len ? have : len);
    entry_free(entry);
    return moved;
}

struct entry *entry_with_word(struct entry *entry, unsigned encoding, uint64_t word)
{
    struct entry_spec spec = spec_of(entry);
    spec.encoding = encoding;
    spec.word = word;
    struct entry *moved = entry_new(entry_key(entry), &spec);
    entry_free(entry);
    return moved;
}

struct entry *entry_with_embedded(struct entry *entry, unsigned encoding, size_t len)
{
    struct entry_spec spec = spec_of(entry);
    spec.encoding = encoding;
    spec.embedded = true;
    spec.embedded_len = len;
    struct entry *moved = entry_new(entry_key(entry), &spec);
    entry_free(entry);
    return moved;
}

static struct entry *clone_with(const struct entry *entry, struct slice key, int64_t expiry)
{
    bool embedded = entry_embedded(entry);
    struct slice value = embedded ? entry_embedded_bytes(entry) : (struct slice){ 0 };
    const struct entry_spec spec = {
        .type = entry_type(entry),
        .encoding = entry_encoding(entry),
        .access = entry_access(entry),
        .expiry = expiry,
        .embedded = embedded,
        .embedded_len = value.len,
        .word = embedded ? 0 : entry_word(entry),
    };
    struct entry *clone = entry_new(key, &spec);
    if (embedded && value.len)
        memcpy((char *)(uintptr_t)entry_embedded_bytes(clone).ptr, value.ptr, value.len);
    return clone;
}

struct entry *entry_clone(const struct entry *entry, struct slice key)
{
    return clone_with(entry, key, entry_expiry(entry));
}

struct entry *entry_with_expiry(struct entry *entry, int64_t expiry)
{
    if (entry_has_expiry(entry) && expiry != EXPIRY_NONE) {
        memcpy((unsigned char *)(uintptr_t)entry_expiry_at(entry), &expiry, sizeof(expiry));
        return entry;
    }
    if (entry_has_expiry(entry) == (expiry != EXPIRY_NONE))
        return entry;

    struct entry *moved = clone_with(entry, entry_key(entry), expiry);
    entry_free(entry);
    return moved;
}

// SPDX-License-Identifier: BSD-3-Clause
// Small collections: see packed.h.
#include "types/packed.h"

#include "base/memory.h"

static bool fits(const struct entry *entry, size_t size)
{
    return entry_size_for(entry_key(entry).len, entry_has_expiry(entry), true, size) <=
           ENTRY_EMBED_MAX;
}

unsigned char *packed_bytes(const struct entry *entry)
{
    if (entry_embedded(entry))
        return (unsigned char *)(uintptr_t)entry_embedded_bytes(entry).ptr;
    return entry_pointer(entry);
}

struct entry *packed_new(struct slice key, const struct entry_spec *spec,
                         const unsigned char *bytes, size_t size)
{
    struct entry_spec full = *spec;
    full.embedded = entry_size_for(key.len, spec->expiry != EXPIRY_NONE, true, size) <=
                    ENTRY_EMBED_MAX;
    full.embedded_len = full.embedded ? size : 0;
    full.word = full.embedded ? 0 : (uintptr_t)mem_alloc(size);
    struct entry *entry = entry_new(key, &full);
    memcpy(packed_bytes(entry), bytes, size);
    return entry;
}

// The payload goes from the entry to a place of its own, or back.
static unsigned char *relocate(struct entry **entry, size_t old_size, size_t size)
{
    unsigned encoding = entry_encoding(*entry);
    size_t kept = old_size < size ? old_size : size;
    if (entry_embedded(*entry)) {
        unsigned char *apart = mem_alloc(size);
        memcpy(apart, packed_bytes(*entry), kept);
        *entry = entry_with_word(*entry, encoding, (uintptr_t)apart);
        return apart;
    }
    unsigned char *apart = entry_pointer(*entry);
    *entry = entry_with_embedded(*entry, encoding, size);
    unsigned char *bytes = packed_bytes(*entry);
    memcpy(bytes, apart, kept);
    mem_free(apart, old_size);
    return bytes;
}

unsigned char *packed_resize(struct entry **entry, size_t old_size, size_t size)
{
    bool embed = fits(*entry, size);
    if (embed != entry_embedded(*entry))
        return relocate(entry, old_size, size);
    if (embed) {
        *entry = entry_resize_embedded(*entry, size);
        return packed_bytes(*entry);
    }
    void *apart = mem_realloc(entry_pointer(*entry), old_size, size);
    entry_set_word(*entry, (uintptr_t)apart);
    return apart;
}

unsigned char *packed_convert(struct entry **entry, unsigned encoding, size_t old_size, size_t size)
{
    packed_release(*entry, old_size);
    if (fits(*entry, size))
        *entry = entry_with_embedded(*entry, encoding, size);
    else
        *entry = entry_with_word(*entry, encoding, (uintptr_t)mem_alloc(size));
    return packed_bytes(*entry);
}

void packed_splice(struct entry **entry, const struct lp_edit *edit)
{
    size_t old_size = lp_bytes(packed_bytes(*entry));
    size_t size = old_size - edit->removed + edit->added;
    if (size > old_size)
        packed_resize(entry, old_size, size);
    lp_splice(packed_bytes(*entry), edit);
    if (size < old_size)
        packed_resize(entry, old_size, size);
}

void packed_leave(struct entry **entry, unsigned encoding, size_t old_size, void *pointer)
{
    packed_release(*entry, old_size);
    *entry = entry_with_word(*entry, encoding, (uintptr_t)pointer);
}

void packed_enter(struct entry **entry, unsigned encoding, const unsigned char *bytes, size_t size)
{
    if (fits(*entry, size))
        *entry = entry_with_embedded(*entry, encoding, size);
    else
        *entry = entry_with_word(*entry, encoding, (uintptr_t)mem_alloc(size));
    memcpy(packed_bytes(*entry), bytes, size);
}

void packed_release(const struct entry *entry, size_t size)
{
    if (!entry_embedded(entry))
        mem_free(entry_pointer(entry), size);
}

size_t packed_memory(const struct entry *entry, size_t size)
{
    return entry_embedded(entry) ? 0 : mem_good_size(size);
}

void packed_unshare(struct entry *clone, size_t size)
{
    if (entry_embedded(clone))
        return;
    unsigned char *own = mem_alloc(size);
    memcpy(own, entry_pointer(clone), size);
    entry_set_word(clone, (uintptr_t)own);
}

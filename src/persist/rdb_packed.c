// SPDX-License-Identifier: BSD-3-Clause
// Listpacks and intsets that come from outside: see rdb_packed.h.
#include "persist/rdb_packed.h"

#include "base/hash.h"
#include "base/little_endian.h"
#include "base/memory.h"
#include "ds/intset.h"
#include "ds/listpack_inl.h"
#include "persist/ziplist.h"
#include "persist/zipmap.h"

#include <stdlib.h>

// Far more than any limit lets stay packed, far less than a length can say.
#define PACKED_MAX ((size_t)1 << 30)

// The room for a converted one is kept up to this.
#define CONVERTED_KEEP ((size_t)1 << 20)

// Hashes of so many elements lie on the stack.
#define FEW 64

bool rdb_read_listpack(struct rdb_reader *r, const unsigned char **lp)
{
    struct slice bytes;
    if (!rdb_read_string(r, PACKED_MAX, &bytes))
        return false;
    *lp = (const unsigned char *)bytes.ptr;
    if (!lp_validate(*lp, bytes.len))
        return rdb_fail(r, "a listpack of %zu bytes is damaged", bytes.len);
    return true;
}

// ---- of old encodings ---------------------------------------------------------------------------

// Empties the room for a listpack, which is kept unless it is large.
static bool begin_converted(struct rdb_reader *r)
{
    struct bytes *lp = &r->converted;
    if (lp->cap > CONVERTED_KEEP)
        bytes_release(lp);
    bytes_clear(lp);
    if (bytes_try_reserve(lp, LP_EMPTY_BYTES) != STATUS_OK)
        return rdb_fail_nomem(r, LP_EMPTY_BYTES);
    lp->len = LP_HEADER_BYTES;
    return true;
}

static bool add_converted(struct rdb_reader *r, const struct lp_key *element)
{
    struct bytes *lp = &r->converted;
    size_t size = lp_encoded_bytes(element);
    // The byte that ends it has its place already.
    if (bytes_try_reserve(lp, size + 1) != STATUS_OK)
        return rdb_fail_nomem(r, size);
    lp->len += lp_encode((unsigned char *)lp->data + lp->len, element);
    return true;
}

// Closes the listpack of so many elements.
static const unsigned char *end_converted(struct rdb_reader *r, size_t count)
{
    struct bytes *lp = &r->converted;
    lp->data[lp->len++] = (char)LP_END;
    store_le32(lp->data, (uint32_t)lp->len);
    store_le16(lp->data + sizeof(uint32_t), count < UINT16_MAX ? (uint16_t)count : UINT16_MAX);
    return (const unsigned char *)lp->data;
}

bool rdb_read_ziplist(struct rdb_reader *r, const unsigned char **lp)
{
    struct slice bytes;
    struct ziplist_iter iter;
    struct lp_value value;
    enum old_packed_step step = OLD_PACKED_DAMAGED;
    if (!rdb_read_string(r, PACKED_MAX, &bytes) || !begin_converted(r))
        return false;
    if (ziplist_iter_init(&iter, bytes))
        step = ziplist_next(&iter, &value);
    for (; step == OLD_PACKED_ENTRY; step = ziplist_next(&iter, &value)) {
        struct lp_key element = { .integer = value.integer, .is_integer = true };
        if (value.text.ptr)
            element = lp_key_of(value.text);
        if (!add_converted(r, &element))
            return false;
    }
    if (step == OLD_PACKED_DAMAGED)
        return rdb_fail(r, "a ziplist of %zu bytes is damaged", bytes.len);
    *lp = end_converted(r, iter.count);
    return true;
}

bool rdb_read_zipmap(struct rdb_reader *r, const unsigned char **lp)
{
    struct slice bytes;
    struct zipmap_iter iter;
    struct slice pair[2];
    enum old_packed_step step = OLD_PACKED_DAMAGED;
    if (!rdb_read_string(r, PACKED_MAX, &bytes) || !begin_converted(r))
        return false;
    if (zipmap_iter_init(&iter, bytes))
        step = zipmap_next(&iter, pair);
    for (; step == OLD_PACKED_ENTRY; step = zipmap_next(&iter, pair)) {
        const struct lp_key field = lp_key_of(pair[0]);
        const struct lp_key value = lp_key_of(pair[1]);
        if (!add_converted(r, &field) || !add_converted(r, &value))
            return false;
    }
    if (step == OLD_PACKED_DAMAGED)
        return rdb_fail(r, "a zipmap of %zu bytes is damaged", bytes.len);
    *lp = end_converted(r, 2 * iter.count);
    return true;
}

// ---- others ------------------------------------------------------------------------------------

bool rdb_read_intset(struct rdb_reader *r, const unsigned char **set)
{
    struct slice bytes;
    if (!rdb_read_string(r, PACKED_MAX, &bytes))
        return false;
    *set = (const unsigned char *)bytes.ptr;
    if (!intset_validate(*set, bytes.len))
        return rdb_fail(r, "an intset of %zu bytes is damaged", bytes.len);
    if (intset_count(*set) == 0)
        return rdb_fail_empty(r, "an intset");
    return true;
}

bool rdb_listpack_is_canonical(const unsigned char *lp)
{
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        struct lp_value value = lp_get(lp, at);
        struct lp_key key = { .integer = value.integer, .is_integer = true };
        if (value.text.ptr) {
            key = lp_key_of(value.text);
            if (key.is_integer)
                return false;
        }
        if (lp_encoded_bytes(&key) != lp_element_bytes(lp, at))
            return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

// Of a few: sorts them as it goes, which is faster than calling for each comparison.
static bool few_have_doubles(uint64_t *hashes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t hash = hashes[i];
        size_t at = i;
        for (; at > 0 && hashes[at - 1] > hash; at--)
            hashes[at] = hashes[at - 1];
        if (at > 0 && hashes[at - 1] == hash)
            return true;
        hashes[at] = hash;
    }
    return false;
}

bool rdb_listpack_has_doubles(const unsigned char *lp, unsigned skip)
{
    uint64_t few[FEW];
    size_t max = lp_count(lp) / (1 + skip) + 1;
    uint64_t *hashes = max <= FEW ? few : mem_alloc(max * sizeof(*hashes));
    size_t count = 0;
    unsigned turn = 0;
    // Equal elements of a canonical listpack are the same bytes.
    for (size_t at = lp_first(lp); at; at = lp_next(lp, at)) {
        if (turn == 0)
            hashes[count++] = hash_bytes((const char *)lp + at, lp_element_bytes(lp, at));
        turn = turn == skip ? 0 : turn + 1;
    }
    if (hashes == few)
        return few_have_doubles(hashes, count);
    qsort(hashes, count, sizeof(*hashes), compare);
    bool found = false;
    for (size_t i = 1; i < count && !found; i++)
        found = hashes[i] == hashes[i - 1];
    mem_free(hashes, max * sizeof(*hashes));
    return found;
}

// SPDX-License-Identifier: BSD-3-Clause
// Listpacks and intsets that come from outside: see rdb_packed.h.
#include "persist/rdb_packed.h"

#include "base/memory.h"
#include "base/siphash.h"
#include "ds/intset.h"
#include "ds/listpack_inl.h"

#include <stdlib.h>

// Far more than any limit lets stay packed, far less than a length can say.
#define PACKED_MAX ((size_t)1 << 30)

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
    if (lp_count(*lp) == 0)
        return rdb_fail(r, "a listpack is empty");
    return true;
}

bool rdb_read_intset(struct rdb_reader *r, const unsigned char **set)
{
    struct slice bytes;
    if (!rdb_read_string(r, PACKED_MAX, &bytes))
        return false;
    *set = (const unsigned char *)bytes.ptr;
    if (!intset_validate(*set, bytes.len))
        return rdb_fail(r, "an intset of %zu bytes is damaged", bytes.len);
    if (intset_count(*set) == 0)
        return rdb_fail(r, "an intset is empty");
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
    qsort(hashes, count, sizeof(*hashes), compare);
    bool found = false;
    for (size_t i = 1; i < count && !found; i++)
        found = hashes[i] == hashes[i - 1];
    if (hashes != few)
        mem_free(hashes, max * sizeof(*hashes));
    return found;
}

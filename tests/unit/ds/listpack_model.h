// SPDX-License-Identifier: BSD-3-Clause
// What the listpack's tests share: a listpack in a block of exactly its size, so that a sanitizer sees
// what is read or written beyond it, and editing it as its callers do.
#pragma once

#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"
#include "ds/listpack.h"
#include "ds/listpack_inl.h"

#include <check.h>
#include <string.h>

// Check writes a record for every assertion; in loops that is most of the time. This one reports
// only failures.
#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

static inline unsigned char *pack_new(void)
{
    unsigned char *lp = mem_alloc(LP_EMPTY_BYTES);
    lp_init(lp);
    return lp;
}

static inline void pack_free(unsigned char *lp)
{
    mem_free(lp, lp_bytes(lp));
}

static inline unsigned char *pack_splice(unsigned char *lp, const struct lp_edit *edit)
{
    size_t old_size = lp_bytes(lp);
    size_t size = old_size - edit->removed + edit->added;
    if (size > old_size)
        lp = mem_realloc(lp, old_size, size);
    lp_splice(lp, edit);
    if (size < old_size)
        lp = mem_realloc(lp, old_size, size);
    EXPECT(lp_bytes(lp) == size);
    return lp;
}

// Puts the text in the place of `removed` elements at `at`.
static inline unsigned char *pack_replace(unsigned char *lp, size_t at, size_t removed,
                                          struct slice text)
{
    struct lp_key key = lp_key_of(text);
    size_t len = lp_encoded_bytes(&key);
    EXPECT(len <= text.len + LP_OVERHEAD_MAX);
    unsigned char *element = mem_alloc(len);
    EXPECT(lp_encode(element, &key) == len);
    lp = pack_splice(lp, &(struct lp_edit){ .at = at,
                                            .removed = lp_span(lp, at, removed),
                                            .removed_count = removed,
                                            .bytes = element,
                                            .added = len,
                                            .added_count = 1 });
    mem_free(element, len);
    return lp;
}

static inline unsigned char *pack_append(unsigned char *lp, struct slice text)
{
    return pack_replace(lp, lp_end(lp), 0, text);
}

static inline unsigned char *pack_remove(unsigned char *lp, size_t at, size_t count)
{
    return pack_splice(
        lp,
        &(struct lp_edit){ .at = at, .removed = lp_span(lp, at, count), .removed_count = count });
}

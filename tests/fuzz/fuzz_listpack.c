// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target of listpacks: bytes from outside are refused, or can be walked, searched and edited.
//
// Input: a byte of options (enum below), one that chooses the edits, then what may be a listpack.
#include "fuzz/fuzz.h"

#include "base/little_endian.h"
#include "base/memory.h"
#include "base/panic.h"
#include "base/random.h"
#include "ds/listpack.h"

#include <string.h>

enum {
    OPTION_MEND_SIZE = 1,      // so that what was cut or grew may still pass
    OPTION_UNKNOWN_COUNT = 2,  // likewise
};

#define EDITS 8

// Large counts are walked, but not squared.
#define SEEK_MAX 200

static void check_element(const unsigned char *lp, size_t at)
{
    char scratch[24];
    struct lp_value value = lp_get(lp, at);
    struct lp_key key = lp_key_of(lp_text(lp, at, scratch));
    ASSERT(at + lp_element_bytes(lp, at) <= lp_end(lp));
    ASSERT(lp_equal(lp, at, &key));
    ASSERT(lp_find(lp, at, &key, 0) == at);
    if (value.text.ptr) {
        ASSERT((const unsigned char *)value.text.ptr + value.text.len < lp + lp_end(lp));
        // Not every writer chooses the shortest encoding, but none finds a shorter one.
        ASSERT(lp_encoded_bytes(&key) <= lp_element_bytes(lp, at));
        return;
    }
    ASSERT(key.is_integer && key.integer == value.integer);
    ASSERT(lp_encoded_int_bytes(value.integer) <= lp_element_bytes(lp, at));
}

static void check_walks(const unsigned char *lp)
{
    size_t count = lp_count(lp);
    size_t forward = 0;
    size_t sum = 0;
    for (size_t at = lp_first(lp); at != 0; at = lp_next(lp, at)) {
        check_element(lp, at);
        if (forward < SEEK_MAX) {
            ASSERT(lp_seek(lp, (int64_t)forward) == at);
            ASSERT(lp_seek(lp, (int64_t)forward - (int64_t)count) == at);
        }
        forward++;
        sum += at;
    }
    size_t backward = 0;
    for (size_t at = lp_last(lp); at != 0; at = lp_prev(lp, at)) {
        backward++;
        sum -= at;
    }
    ASSERT(forward == count && backward == count && sum == 0);
    ASSERT(lp_seek(lp, (int64_t)count) == 0);
    ASSERT(count == 0 || lp_span(lp, lp_first(lp), count) == lp_bytes(lp) - LP_EMPTY_BYTES);
}

static unsigned char *splice(unsigned char *lp, const struct lp_edit *edit)
{
    size_t old_size = lp_bytes(lp);
    size_t size = old_size - edit->removed + edit->added;
    if (size > old_size)
        lp = mem_realloc(lp, old_size, size);
    lp_splice(lp, edit);
    return size < old_size ? mem_realloc(lp, old_size, size) : lp;
}

// Replaces up to three elements by one that is there already, or by another.
static unsigned char *edit(unsigned char *lp, struct random *random)
{
    static const char *const texts[] = { "", "0", "-4097", "member", "99999999999" };
    size_t count = lp_count(lp);
    size_t index = random_below(random, count + 1);
    size_t removed = random_below(random, 4);
    if (removed > count - index)
        removed = count - index;
    struct lp_key key = lp_key_of(slice_of(texts[random_below(random, 5)]));
    unsigned char element[64];
    size_t at = index < count ? lp_seek(lp, (int64_t)index) : lp_end(lp);
    bool add = random_below(random, 3) > 0;
    lp = splice(lp, &(struct lp_edit){ .at = at,
                                       .removed = lp_span(lp, at, removed),
                                       .removed_count = removed,
                                       .bytes = element,
                                       .added = add ? lp_encode(element, &key) : 0,
                                       .added_count = add });
    ASSERT(lp_validate(lp, lp_bytes(lp)));
    ASSERT(lp_count(lp) == count - removed + add);
    ASSERT(!add || lp_equal(lp, at, &key));
    return lp;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    return 0;
}

static void mend(unsigned char *lp, size_t size, unsigned options)
{
    if (size < LP_EMPTY_BYTES)
        return;
    if (options & OPTION_MEND_SIZE) {
        store_le32(lp, (uint32_t)size);
        lp[size - 1] = 0xFF;
    }
    if (options & OPTION_UNKNOWN_COUNT)
        store_le16(lp + 4, UINT16_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct random random;
    random_seed(&random, data[1]);
    size_t len = size - 2;
    unsigned char *lp = mem_alloc(len);
    memcpy(lp, data + 2, len);
    mend(lp, len, data[0]);
    if (!lp_validate(lp, len)) {
        mem_free(lp, len);
        return 0;
    }
    check_walks(lp);
    for (int i = 0; i < EDITS; i++)
        lp = edit(lp, &random);
    check_walks(lp);
    mem_free(lp, lp_bytes(lp));
    return 0;
}

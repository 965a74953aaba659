// SPDX-License-Identifier: BSD-3-Clause
// Elements of large sorted sets: see zset_element.h.
#include "types/zset_element.h"

#include "base/memory.h"
#include "base/panic.h"

static size_t size_for(size_t len)
{
    return sizeof(double) + entry_length_size(len) + len;
}

struct zset_element *zset_element_new(struct slice member, double score)
{
    struct zset_element *element = mem_alloc(size_for(member.len));
    zset_element_set_score(element, score);
    unsigned char *p = element->bytes + sizeof(double);
    if (entry_length_size(member.len) == 1) {
        *p++ = (unsigned char)member.len;
    } else {
        ASSERT(member.len <= UINT32_MAX);
        uint32_t wide = (uint32_t)member.len;
        *p++ = ENTRY_LONG_LENGTH;
        memcpy(p, &wide, sizeof(wide));
        p += sizeof(wide);
    }
    memcpy(p, member.ptr, member.len);
    return element;
}

void zset_element_free(struct zset_element *element)
{
    mem_free(element, size_for(zset_element_member(element).len));
}

size_t zset_element_memory(const struct zset_element *element)
{
    return mem_good_size(size_for(zset_element_member(element).len));
}

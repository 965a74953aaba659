// SPDX-License-Identifier: BSD-3-Clause
// Large strings: see blob.h.
#include "types/blob.h"

#include "base/memory.h"
#include "base/panic.h"

static size_t blob_size(size_t cap)
{
    return sizeof(struct blob) + cap;
}

// Uses what the allocator would round up anyway.
static size_t rounded_cap(size_t cap)
{
    return mem_good_size(blob_size(cap)) - sizeof(struct blob);
}

struct blob *blob_try_new(size_t cap)
{
    cap = rounded_cap(cap);
    struct blob *blob = mem_try_alloc(blob_size(cap));
    if (!blob)
        return NULL;
    blob->len = 0;
    blob->cap = cap;
    blob->refs = 1;
    return blob;
}

struct blob *blob_new(size_t cap)
{
    struct blob *blob = blob_try_new(cap);
    if (!blob)
        PANIC("out of memory: a string of %zu bytes", cap);
    return blob;
}

void blob_release(void *udata)
{
    struct blob *blob = udata;
    if (--blob->refs == 0)
        mem_free(blob, blob_size(blob->cap));
}

struct blob *blob_try_own(struct blob *blob, size_t cap)
{
    if (blob->refs == 1 && cap <= blob->cap)
        return blob;
    if (blob->refs == 1) {
        cap = rounded_cap(cap);
        struct blob *grown = mem_try_realloc(blob, blob_size(blob->cap), blob_size(cap));
        if (grown)
            grown->cap = cap;
        return grown;
    }
    struct blob *copy = blob_try_new(cap);
    if (!copy)
        return NULL;
    memcpy(copy->data, blob->data, blob->len);
    copy->len = blob->len;
    blob_release(blob);
    return copy;
}

size_t blob_memory(const struct blob *blob)
{
    return mem_good_size(blob_size(blob->cap));
}

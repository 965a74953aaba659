// SPDX-License-Identifier: BSD-3-Clause
// A large string that lies apart from its entry: growable bytes, shared by count with replies that
// are still being sent.
#pragma once

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

struct blob {
    size_t len;
    size_t cap;     // room in data
    uint32_t refs;  // owner and pending replies
    char data[];
};

// A blob with room for `cap` bytes, len 0, one reference; NULL when there is no memory.
struct blob *blob_try_new(size_t cap);

// As blob_try_new(), ending the process when there is no memory.
struct blob *blob_new(size_t cap);

static inline void blob_retain(struct blob *blob)
{
    blob->refs++;
}

// Drops a reference to the blob `udata`; the last one frees. Fits outq_append_ref().
void blob_release(void *udata);

// A blob with the same bytes that nobody else refers to, with room for `cap` bytes in all (at least
// len): the same one grown in place where it can be, else a copy; the caller's reference moves to
// it. NULL, with `blob` untouched, when there is no memory.
struct blob *blob_try_own(struct blob *blob, size_t cap);

// Allocated bytes.
size_t blob_memory(const struct blob *blob);

// SPDX-License-Identifier: BSD-3-Clause
// A key with its hash, which is computed once a command.
#pragma once

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

// A key with its hash, owned by somebody else.
struct key {
    const char *ptr;
    size_t len;
    uint64_t hash;
};

struct key key_of(struct slice name);

static inline struct slice key_slice(const struct key *key)
{
    return (struct slice){ .ptr = key->ptr, .len = key->len };
}

// SPDX-License-Identifier: BSD-3-Clause
// How far collections stay small: what the directives of server/limits.c say.
#pragma once

#include <stdint.h>

struct collection_limits {
    int64_t list_max_listpack_size;  // elements, or -1 to -5: 4 to 64 KiB
    int64_t list_compress_depth;     // accepted, without effect
    int64_t set_max_intset_entries;
    int64_t set_max_listpack_entries;
    int64_t set_max_listpack_value;  // bytes of an element
    int64_t hash_max_listpack_entries;
    int64_t hash_max_listpack_value;
    int64_t zset_max_listpack_entries;
    int64_t zset_max_listpack_value;
};

// SPDX-License-Identifier: BSD-3-Clause
// The directives that say how far collections stay small: see limits.h.
#include "server/limits.h"

#include "base/memory.h"
#include "server/config.h"
#include "server/server.h"
#include "types/limits.h"

#include <stddef.h>

#define FIELD(member) offsetof(struct collection_limits, member)

// A number of entries, or of bytes, from 0.
#define BOUND(name_text, alias_text, kind, member, text)                                     \
    {                                                                                        \
        .name = (name_text), .alias = (alias_text), .type = (kind), .offset = FIELD(member), \
        .default_text = (text), .max = INT64_MAX                                             \
    }

static const struct config_directive limits_directives[] = {
    { .name = "list-max-listpack-size",
      .alias = "list-max-ziplist-size",
      .type = CONFIG_INT,
      .offset = FIELD(list_max_listpack_size),
      .default_text = "-2",
      .min = INT32_MIN,
      .max = INT32_MAX },
    { .name = "list-compress-depth",
      .type = CONFIG_INT,
      .flags = CONFIG_INERT,
      .offset = FIELD(list_compress_depth),
      .default_text = "0",
      .max = INT32_MAX },
    BOUND("set-max-intset-entries", NULL, CONFIG_INT, set_max_intset_entries, "512"),
    BOUND("set-max-listpack-entries", NULL, CONFIG_INT, set_max_listpack_entries, "128"),
    BOUND("set-max-listpack-value", NULL, CONFIG_MEMORY, set_max_listpack_value, "64"),
    BOUND("hash-max-listpack-entries", "hash-max-ziplist-entries", CONFIG_INT,
          hash_max_listpack_entries, "512"),
    BOUND("hash-max-listpack-value", "hash-max-ziplist-value", CONFIG_MEMORY,
          hash_max_listpack_value, "64"),
    BOUND("zset-max-listpack-entries", "zset-max-ziplist-entries", CONFIG_INT,
          zset_max_listpack_entries, "128"),
    BOUND("zset-max-listpack-value", "zset-max-ziplist-value", CONFIG_MEMORY,
          zset_max_listpack_value, "64"),
    { 0 },
};

struct collection_limits *limits_new(struct server *server)
{
    struct collection_limits *limits = mem_alloc_zeroed(sizeof(*limits));
    config_register(server->config, limits_directives, limits);
    return limits;
}

void limits_free(struct collection_limits *limits)
{
    mem_free(limits, sizeof(*limits));
}

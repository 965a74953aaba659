// SPDX-License-Identifier: BSD-3-Clause
// Strings in the RDB format.
#include "persist/rdb_codec.h"
#include "types/string.h"

static enum rdb_type type_of(const struct entry *entry)
{
    (void)entry;
    return RDB_STRING;
}

static void save(struct rdb_writer *w, const struct entry *entry)
{
    char scratch[INT64_TEXT_MAX];
    rdb_write_string(w, string_bytes(entry, scratch));
}

const struct rdb_codec rdb_string_codec = { .type = type_of, .save = save };

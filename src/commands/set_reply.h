// SPDX-License-Identifier: BSD-3-Clause
// How members of sets are replied.
#pragma once

#include "resp/writer.h"
#include "types/set.h"

static inline void reply_member(struct resp_writer *reply, const struct set_member *member)
{
    if (member->key.text.ptr)
        resp_bulk_slice(reply, member->key.text);
    else
        resp_bulk_int(reply, member->key.integer);
}

// All members, behind a header that the caller has written.
static inline void reply_members(struct resp_writer *reply, const struct entry *entry)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++)
            reply_member(reply, &members[i]);
    }
}

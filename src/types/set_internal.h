// SPDX-License-Identifier: BSD-3-Clause
// What the files of the set share.
#pragma once

#include "base/hash.h"
#include "types/element.h"
#include "types/packed.h"
#include "types/set.h"

// A large set.
struct set_table {
    struct table_drain drain;  // drain.table is the set; the rest is used once it is being released
    size_t members_bytes;      // allocated by the elements
};

static inline enum set_encoding set_encoding_of(const struct entry *entry)
{
    return (enum set_encoding)entry_encoding(entry);
}

static inline struct set_table *set_table_of(const struct entry *entry)
{
    return entry_pointer(entry);
}

static inline bool set_element_matches(const void *entry, const void *key)
{
    return slice_equal(element_text(entry), *(const struct slice *)key);
}

static inline bool set_member_is_integer(struct set_member *member)
{
    if (!member->parsed) {
        member->key = lp_key_of(member->key.text);
        member->parsed = true;
    }
    return member->key.is_integer;
}

static inline uint64_t set_member_hash(struct set_member *member)
{
    if (!member->hashed) {
        struct slice text = set_member_text(member);
        member->hash = hash_bytes(text.ptr, text.len);
        member->hashed = true;
    }
    return member->hash;
}

static inline void set_member_init_integer(struct set_member *member, int64_t integer)
{
    member->key = (struct lp_key){ .integer = integer, .is_integer = true };
    member->parsed = true;
    member->hashed = false;
}

static inline void set_member_init_value(struct set_member *member, struct lp_value value)
{
    member->key = (struct lp_key){ .text = value.text,
                                   .integer = value.integer,
                                   .is_integer = !value.text.ptr };
    member->parsed = true;
    member->hashed = false;
}

// A member that a walk has met, as it lies in the set.
static inline struct lp_value set_member_value(const struct set_member *member)
{
    if (member->parsed && member->key.is_integer)
        return (struct lp_value){ .integer = member->key.integer };
    return (struct lp_value){ .text = member->key.text };
}

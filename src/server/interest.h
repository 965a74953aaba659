// SPDX-License-Identifier: BSD-3-Clause
// Keys, each in one database, that clients take an interest in (they wait for them, or watch them), in tables.
#pragma once

#include "base/list.h"
#include "ds/table.h"
#include "store/key.h"

#include <stddef.h>

struct db;

// A key and the members who care for it. It is the first member of its owner's struct, behind which the
// key's bytes stand.
struct interest {
    struct db *db;
    struct key key;
    struct list members;
    size_t count;  // of them
    size_t bytes;  // of the whole allocation
};

void interests_init(struct table *interests);

// NULL: it is not in the table. O(1).
struct interest *interest_find(const struct table *interests, const struct db *db,
                               const struct key *key);

// The key's interest; made, of `bytes` that are zero but for the struct interest, if there is none. NULL: no memory.
struct interest *interest_provide(struct table *interests, struct db *db, const struct key *key,
                                  size_t bytes);

// Lets a member come or go. One without members is removed by interest_trim(), which is true then.
void interest_join(struct interest *interest, struct list_link *member);
void interest_leave(struct interest *interest, struct list_link *member);
bool interest_trim(struct table *interests, struct interest *interest);

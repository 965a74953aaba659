// SPDX-License-Identifier: BSD-3-Clause
// Sets: an intset while all members are integers, a listpack while there are few and short ones, else a
// table of elements.
//
// A set never is empty where others see it: who removes the last member removes the key.
//
// What goes in and comes out is a struct set_member: each encoding needs it in a form of its own (an
// integer, a text, a hash), which is found out when it is first needed and then kept. Walks and look-ups
// work in batches, so that a large set's misses of the cache overlap.
#pragma once

#include "base/numbers.h"
#include "base/random.h"
#include "ds/listpack.h"
#include "ds/table.h"
#include "store/keyspace.h"
#include "types/limits.h"

enum set_encoding {
    SET_ENC_INTSET,    // the payload is packed (types/packed.h)
    SET_ENC_LISTPACK,  // the payload is packed
    SET_ENC_TABLE,     // the word points to a table of elements
};

extern const struct type_ops set_type_ops;

// A member. Its text may lie in itself: it must not be copied.
struct set_member {
    struct lp_key key;
    uint64_t hash;
    bool parsed;  // whether it is an integer is known
    bool hashed;
    char digits[INT64_TEXT_MAX];
};

// A member with this text, which has to live as long as the member.
static inline void set_member_init(struct set_member *member, struct slice text)
{
    member->key.text = text.ptr ? text : SLICE("");
    member->parsed = false;
    member->hashed = false;
}

// Its text.
struct slice set_member_text(struct set_member *member);

// A set of one member. `expected` members will follow: a set that will not stay small is a table
// at once. The caller owns it.
struct entry *set_new(struct slice key, uint32_t access, const struct collection_limits *limits,
                      struct set_member *member, size_t expected);

// As many members are about to be added: a set that will not stay small becomes a table.
void set_expect(struct entry **entry, const struct collection_limits *limits, size_t count);

// Whether a new set of the same members would have this encoding too, as far as that can be told at once:
// a table may have shrunk, a listpack may have lost its last text. O(1).
bool set_is_smallest(const struct entry *entry, const struct collection_limits *limits);

// How many members. O(1).
size_t set_count(const struct entry *entry);

// Adds a member; false if it is there. The entry may move. The text must not lie in it. O(1); O(n) in
// small encodings.
bool set_add(struct entry **entry, const struct collection_limits *limits,
             struct set_member *member);

// Removes a member; false if there is none. The entry may move. The member's text may lie in the
// set, and is gone then.
bool set_remove(struct entry **entry, struct set_member *member);

bool set_has(const struct entry *entry, struct set_member *member);

// Members that are dealt with at a time; sets of them are masks, bit i for the i-th.
#define SET_BATCH 16

static inline uint32_t set_batch_all(size_t count)
{
    return (UINT32_C(1) << count) - 1;
}

// Fetches what looking these members up or adding them will need.
void set_prefetch(const struct entry *entry, struct set_member *members, uint32_t mask);

// Which of the members in `mask` are in the set.
uint32_t set_has_many(const struct entry *entry, struct set_member *members, uint32_t mask);

// Walks all members; the set must not change meanwhile. Texts of members lie in the set, or in the member.
struct set_walk {
    const struct entry *entry;
    size_t at;  // index in an intset, offset in a listpack
    struct table_iter table;
};
void set_walk_begin(struct set_walk *walk, const struct entry *entry);

// The next members, up to SET_BATCH; 0 at the end.
size_t set_walk_next(struct set_walk *walk, struct set_member members[SET_BATCH]);

typedef void (*set_emit_fn)(struct set_member *member, void *udata);

// One step of a scan with the guarantee of table_scan(); small encodings are emitted in one step,
// whatever the cursor.
uint64_t set_scan(const struct entry *entry, uint64_t cursor, set_emit_fn emit, void *udata);

// A fair choice. O(1) on average; O(n) in a listpack.
void set_random(const struct entry *entry, struct random *random, struct set_member *member);

// Emits `count` (at most all) different members, each choice of so many as likely as any other. At most
// O(n); O(count) if that is much less.
void set_sample(const struct entry *entry, struct random *random, size_t count, set_emit_fn emit,
                void *udata);

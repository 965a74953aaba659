// SPDX-License-Identifier: BSD-3-Clause
// Lists: a listpack in the entry or apart while they are small, a quicklist from then on.
//
// A list becomes large when it would go beyond list-max-listpack-size, and small again when what is
// left takes half of that or less, so that one on the border does not go to and fro.
//
// Functions that change a list may move its entry. An empty one is the caller's to remove.
#pragma once

#include "ds/listpack_inl.h"
#include "ds/quicklist.h"
#include "store/keyspace.h"
#include "types/limits.h"

enum list_encoding {
    LIST_ENC_LISTPACK,   // the payload is packed
    LIST_ENC_QUICKLIST,  // the word points to a struct quicklist
};

extern const struct type_ops list_type_ops;

enum list_end { LIST_LEFT, LIST_RIGHT };

// A new list under this key of `count` values, pushed one after another at `end`.
struct entry *list_entry_new(struct slice key, uint32_t access,
                             const struct collection_limits *limits, enum list_end end,
                             const struct slice *values, size_t count);

// A free-standing list under this key of what is in `list`, which it takes over: a small one if it may be. The
// caller owns it.
struct entry *list_entry_of(struct slice key, uint32_t access,
                            const struct collection_limits *limits, struct quicklist *list);

// O(1).
size_t list_entry_count(const struct entry *entry);

// Pushes the values one after another. They must not lie in the list. O(1) each, plus the bytes of a
// small list.
void list_entry_push(struct entry **entry, const struct collection_limits *limits,
                     enum list_end end, const struct slice *values, size_t count);

// Removes the element at this end of a list that is not empty. O(1), plus the bytes of a small list.
void list_entry_pop(struct entry **entry, const struct collection_limits *limits,
                    enum list_end end);

// Removes `count` elements from `index` on; there are that many. O(log n + bytes removed).
void list_entry_remove_range(struct entry **entry, const struct collection_limits *limits,
                             size_t index, size_t count);

// Puts another value in the place of an element, counted from the end if negative; false if there is
// none. O(log n + bytes of a chunk).
bool list_entry_set(struct entry **entry, const struct collection_limits *limits, int64_t index,
                    struct slice value);

// Inserts a value in front of the first element that equals the pivot, or behind it; false if none
// does. O(n).
bool list_entry_insert(struct entry **entry, const struct collection_limits *limits,
                       struct slice pivot, bool behind, struct slice value);

// Removes the first `count` elements that equal the value, the last ones if negative, all if 0;
// returns how many. O(n).
size_t list_entry_remove_equal(struct entry **entry, const struct collection_limits *limits,
                               struct slice value, int64_t count);

// Where an element lies; dies with the next change of the list.
struct list_place {
    const struct quicklist *large;  // NULL: a small list
    struct quicklist_chunk *chunk;  // of a large one
    const unsigned char *lp;        // that it lies in; NULL: nowhere
    size_t offset;
};

// O(log n), O(1) near the ends. Negative indexes count from the tail.
struct list_place list_entry_seek(const struct entry *entry, int64_t index);

// The neighbours; nowhere behind the ends. O(1).
void list_place_next(struct list_place *place);
void list_place_prev(struct list_place *place);

static inline struct lp_value list_place_value(const struct list_place *place)
{
    return lp_read(place->lp + place->offset);
}

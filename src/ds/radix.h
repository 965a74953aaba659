// SPDX-License-Identifier: BSD-3-Clause
// A radix tree: byte strings to pointers, in byte order, and the look-up that a hash table cannot
// do: every key that a given text begins with.
//
// Nodes hold as many children as they have, and chains without a branch are one node, so a tree
// takes memory in proportion to its keys' bytes. Empty keys are keys like any other.
//
// Source: D. R. Morrison, "PATRICIA" (1968); V. Leis and others, "The Adaptive Radix Tree" (2013),
// for the sizes of nodes.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct radix_node;

// All zero is an empty tree.
struct radix {
    struct radix_node *root;
    size_t count;
    size_t bytes;  // of memory
};

// Frees the tree, which is then empty and usable again; `release` (may be NULL) is called for each
// value, in no order. Needs no memory. O(nodes).
void radix_release(struct radix *radix, void (*release)(void *value, void *udata), void *udata);

// The value of this key, or NULL. O(length of the key).
void *radix_find(const struct radix *radix, struct slice key);

// Sets the key's value (not NULL); `old` is the one that it had, or NULL. STATUS_NOMEM: nothing has
// changed. O(length of the key).
MUST_CHECK enum status radix_put(struct radix *radix, struct slice key, void *value, void **old);

// Removes the key and returns its value; NULL if it is not there. Works without memory too: the
// tree is then less compact than it could be. O(length of the key).
void *radix_remove(struct radix *radix, struct slice key);

// Calls `visit` with the value of every key that `text` begins with, the shortest first, until it
// returns false; then returns false as well. O(length of the text), whatever else is in the tree.
// The tree must not change meanwhile.
bool radix_prefixes_of(const struct radix *radix, struct slice text,
                       bool (*visit)(void *value, size_t key_len, void *udata), void *udata);

// The same for every key in byte order that begins with `prefix` (an empty one: all). The key is
// valid during the call. Takes memory for the longest key and 24 bytes a level. O(what is visited).
bool radix_walk(const struct radix *radix, struct slice prefix,
                bool (*visit)(struct slice key, void *value, void *udata), void *udata);

// Checks all invariants (tests).
void radix_check(const struct radix *radix);

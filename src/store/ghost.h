// SPDX-License-Identifier: BSD-3-Clause
// Which keys were evicted not long ago: eight bits of each one's hash.
//
// A word holds the tags of the last eight that fell into it, the youngest lowest; one more pushes
// the oldest out. So a word is a queue, and all of them together are a queue that is a little
// blurred. One key in thirty that never was here seems to have been.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ghost {
    uint64_t *words;
    size_t count;
};

// Room for about `keys` of them in at most `max_bytes`. Forgets all if it has to change its size,
// which it only does when it is off by more than a factor of two.
void ghost_fit(struct ghost *ghost, size_t keys, size_t max_bytes);
void ghost_release(struct ghost *ghost);

// One line of memory each. Nothing is added, and nothing is there, while there is no room.
void ghost_add(struct ghost *ghost, uint64_t hash);
bool ghost_has(const struct ghost *ghost, uint64_t hash);

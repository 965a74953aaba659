// SPDX-License-Identifier: BSD-3-Clause
// Which keys were evicted not long ago: see ghost.h.
#include "store/ghost.h"

#include "base/memory.h"

#define TAG_BITS 8
#define ALL_TAGS UINT64_C(0x0101010101010101)
#define ALL_TOPS (ALL_TAGS << 7)

void ghost_release(struct ghost *ghost)
{
    mem_free(ghost->words, ghost->count * sizeof(*ghost->words));
    *ghost = (struct ghost){ 0 };
}

void ghost_fit(struct ghost *ghost, size_t keys, size_t max_bytes)
{
    size_t bytes = keys < max_bytes ? keys : max_bytes;
    size_t count = bytes / sizeof(*ghost->words);
    if (count <= ghost->count * 2 && count >= ghost->count / 2)
        return;
    ghost_release(ghost);
    if (count == 0)
        return;
    ghost->words = mem_alloc_zeroed(count * sizeof(*ghost->words));
    ghost->count = count;
}

static uint64_t *word_of(const struct ghost *ghost, uint64_t hash)
{
    return &ghost->words[(unsigned __int128)hash * ghost->count >> 64];
}

// Never 0, which is an empty place.
static uint64_t tag_of(uint64_t hash)
{
    return hash % UINT8_MAX + 1;
}

void ghost_add(struct ghost *ghost, uint64_t hash)
{
    if (ghost->count == 0)
        return;
    uint64_t *word = word_of(ghost, hash);
    *word = *word << TAG_BITS | tag_of(hash);
}

// Alan Mycroft's test for a byte that is zero (1987).
bool ghost_has(const struct ghost *ghost, uint64_t hash)
{
    if (ghost->count == 0)
        return false;
    uint64_t differences = *word_of(ghost, hash) ^ (tag_of(hash) * ALL_TAGS);
    return (differences - ALL_TAGS) & ~differences & ALL_TOPS;
}

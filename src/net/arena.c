// SPDX-License-Identifier: BSD-3-Clause
// The shared input arena: see arena.h.
#include "net/arena.h"

#include "base/memory.h"
#include "base/panic.h"

#include <string.h>

#define POISON 0xA5

void arena_init(struct arena *arena)
{
    arena->base = mem_alloc(ARENA_BYTES);
    arena->used = 0;
}

void arena_release(struct arena *arena)
{
    mem_free(arena->base, ARENA_BYTES);
    arena->base = NULL;
}

char *arena_room(struct arena *arena)
{
    if (arena->used + ARENA_READ > ARENA_BYTES)
        return NULL;
    return arena->base + arena->used;
}

void arena_take(struct arena *arena, size_t len)
{
    DEBUG_ASSERT(len <= ARENA_READ);
    // Whole cache lines, so that two clients' bytes do not share one.
    arena->used += (len + 63) & ~(size_t)63;
}

void arena_reset(struct arena *arena)
{
#ifdef RESPITE_DEBUG
    memset(arena->base, POISON, arena->used);
#endif
    arena->used = 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// The shared input arena: where the bytes of one turn's reads lie while the batch that uses them
// runs. Bounded; slices into it die when it is reset.
#pragma once

#include <stddef.h>

// Bytes in all, and what one read gets at most.
#define ARENA_BYTES (1u << 20)
#define ARENA_READ  16384u

struct arena {
    char *base;
    size_t used;
};

void arena_init(struct arena *arena);
void arena_release(struct arena *arena);

// Room for ARENA_READ bytes at the returned place, or NULL when the arena is full. Nothing is taken
// until arena_take().
char *arena_room(struct arena *arena);

// Takes the first `len` bytes of the last arena_room().
void arena_take(struct arena *arena, size_t len);

// Forgets all; debug builds overwrite what was there, so that a slice kept too long shows.
void arena_reset(struct arena *arena);

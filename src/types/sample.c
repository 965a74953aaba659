// SPDX-License-Identifier: BSD-3-Clause
// Some of many: see sample.h.
#include "types/sample.h"

#include "base/memory.h"
#include "base/panic.h"

// Drawing one by one pays while at most one in so many is wanted: walking costs less an entry than a
// draw, and draws begin to repeat.
#define DRAW_RATIO 4

// Entries that have been drawn: open addressing, at most half full.
struct drawn {
    uintptr_t *slots;
    size_t mask;
};

bool sample_take(struct sample_walk *walk)
{
    bool take = random_below(walk->random, walk->left--) < walk->wanted;
    walk->wanted -= take;
    return take;
}

static void walk_table(const struct table *table, struct random *random, size_t count,
                       void (*emit)(void *entry, void *udata), void *udata)
{
    struct sample_walk walk = { .random = random, .left = table->count, .wanted = count };
    struct table_iter iter;
    table_iter_init(&iter, table);
    while (walk.wanted > 0) {
        const struct table_slot *slot = table_iter_next(&iter);
        ASSERT(slot);
        if (sample_take(&walk))
            emit(table_slot_entry(slot), udata);
    }
}

// False: it is among them already.
static bool note_drawn(struct drawn *drawn, const void *entry)
{
    uintptr_t word = (uintptr_t)entry;
    size_t i = (size_t)((word >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
    while (drawn->slots[i & drawn->mask] != 0) {
        if (drawn->slots[i & drawn->mask] == word)
            return false;
        i++;
    }
    drawn->slots[i & drawn->mask] = word;
    return true;
}

void sample_table(const struct table *table, struct random *random, size_t count,
                  void (*emit)(void *entry, void *udata), void *udata)
{
    if (count > table->count)
        count = table->count;
    if (count > table->count / DRAW_RATIO) {
        walk_table(table, random, count, emit, udata);
        return;
    }
    size_t size = 4;
    while (size < count * 2)
        size *= 2;
    struct drawn drawn = { .slots = mem_alloc_zeroed(size * sizeof(*drawn.slots)),
                           .mask = size - 1 };
    while (count > 0) {
        void *entry = table_slot_entry(table_random(table, random));
        if (!note_drawn(&drawn, entry))
            continue;
        emit(entry, udata);
        count--;
    }
    mem_free(drawn.slots, size * sizeof(*drawn.slots));
}

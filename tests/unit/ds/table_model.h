// SPDX-License-Identifier: BSD-3-Clause
// What the table's tests share: items with a hash of the test's choosing, and a naive model that
// knows which of them the table must hold.
#pragma once

#include "base/memory.h"
#include "ds/table_due.h"

#include <check.h>
#include <stdlib.h>

// Check writes a record for every assertion; in loops that is most of the time. This one reports
// only failures.
#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

// Dues of items are below.
#define MODEL_DUE_END 1000000

struct item {
    uint64_t id;
    uint64_t hash;
    bool present;      // the model: is it in the table?
    uint8_t in_class;  // the model: its expiry class
    int64_t due;       // the model: what it may not lie in a segment beyond
    uint32_t seen;     // for the test's own counting
};

// How an item's hash follows from its id.
typedef uint64_t (*hash_fn)(uint64_t id);

// splitmix64's output function.
static inline uint64_t hash_uniform(uint64_t id)
{
    uint64_t z = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t item_hash(const void *entry)
{
    return ((const struct item *)entry)->hash;
}

// The key is a pointer to the id.
static inline bool item_match(const void *entry, const void *key)
{
    return ((const struct item *)entry)->id == *(const uint64_t *)key;
}

static inline bool item_due_holds(const void *entry, uint8_t expiry_class, int64_t due)
{
    const struct item *item = entry;
    return item->in_class == expiry_class && due <= item->due;
}

static const struct table_ops item_ops = { .hash = item_hash,
                                           .match = item_match,
                                           .due_holds = item_due_holds };

struct model {
    struct table table;
    struct item *items;
    size_t nitems;
    size_t present;
    struct random random;
};

static inline void model_init(struct model *model, size_t nitems, hash_fn hash, uint64_t seed)
{
    table_init(&model->table, &item_ops);
    model->items = calloc(nitems, sizeof(struct item));
    ck_assert_ptr_nonnull(model->items);
    model->nitems = nitems;
    model->present = 0;
    random_seed(&model->random, seed);
    for (size_t i = 0; i < nitems; i++) {
        model->items[i].id = i;
        model->items[i].hash = hash(i);
    }
}

static inline void model_release(struct model *model)
{
    table_release(&model->table, NULL, NULL);
    free(model->items);
}

static inline struct table_slot *model_find(const struct model *model, const struct item *item)
{
    return table_find(&model->table, item->hash, &item->id);
}

// Gives the item a new class, any, and a due to go with it; 0 goes with none.
static inline void model_set_due(struct model *model, struct item *item, struct table_slot *slot)
{
    item->in_class = (uint8_t)random_next(&model->random);
    item->due = item->in_class == 0 ? TABLE_DUE_NEVER
                                    : (int64_t)random_below(&model->random, MODEL_DUE_END);
    table_slot_set_class(slot, item->in_class);
    table_lower_due(&model->table, item->hash, item->due);
}

static inline void model_note_inserted(struct model *model, struct item *item,
                                       struct table_slot *slot)
{
    EXPECT(table_slot_entry(slot) == item);
    EXPECT(table_slot_class(slot) == 0);
    item->present = true;
    model_set_due(model, item, slot);
    model->present++;
}

static inline void model_insert(struct model *model, struct item *item)
{
    struct table_slot *slot = NULL;
    EXPECT(table_insert(&model->table, item->hash, item, &slot) == STATUS_OK);
    model_note_inserted(model, item, slot);
}

static inline void model_remove(struct model *model, struct item *item)
{
    struct table_slot *slot = model_find(model, item);
    EXPECT(slot != NULL);
    table_remove(&model->table, item->hash, slot);
    item->present = false;
    model->present--;
}

static inline struct item *model_pick(struct model *model)
{
    return &model->items[random_below(&model->random, model->nitems)];
}

// Inserts items drawn at random that are absent, or removes present ones, until `count` are in.
static inline void model_resize(struct model *model, size_t count)
{
    while (model->present != count) {
        struct item *item = model_pick(model);
        bool grow = model->present < count;
        if (grow && !item->present) {
            model_insert(model, item);
        } else if (!grow && item->present) {
            model_remove(model, item);
        }
    }
}

// The table has exactly the model's items, by look-up and by iteration, and all is in order.
static inline void model_verify(struct model *model)
{
    table_check(&model->table);
    EXPECT(model->table.count == model->present);
    for (size_t i = 0; i < model->nitems; i++) {
        struct item *item = &model->items[i];
        const struct table_slot *slot = model_find(model, item);
        item->seen = 0;
        EXPECT((slot != NULL) == item->present);
        if (slot != NULL) {
            EXPECT(table_slot_entry(slot) == item);
            EXPECT(table_slot_class(slot) == item->in_class);
        }
    }
    struct table_iter iter;
    table_iter_init(&iter, &model->table);
    size_t count = 0;
    for (const struct table_slot *slot; (slot = table_iter_next(&iter)) != NULL; count++) {
        struct item *item = table_slot_entry(slot);
        EXPECT(item->present && item->seen++ == 0);
    }
    EXPECT(count == model->present);
}

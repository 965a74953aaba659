// SPDX-License-Identifier: BSD-3-Clause
// What the quicklist's tests share: a naive model that knows what a list must hold, and does to both
// what a test asks for.
#pragma once

#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"
#include "ds/quicklist.h"

#include <check.h>
#include <stdlib.h>

// Check writes a record for every assertion; in loops that is most of the time. This one reports
// only failures.
#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond))                                       \
            ck_abort_msg("expectation failed: %s", #cond); \
    } while (0)

#define TEXT_MAX 100000

// A value: an integer, or `len` bytes made from the number.
struct item {
    int64_t number;
    uint32_t len;
    bool integer;
};

struct model {
    struct quicklist *list;
    struct item *items;
    size_t count;
    size_t room;
    size_t mem_before;
    struct random random;
    char text[TEXT_MAX];
};

static inline struct model *model_new(int fill, uint64_t seed)
{
    struct model *model = calloc(1, sizeof *model);
    ck_assert_ptr_nonnull(model);
    model->mem_before = mem_used();
    model->list = quicklist_new(fill);
    random_seed(&model->random, seed);
    return model;
}

static inline void model_free(struct model *model)
{
    quicklist_free(model->list);
    EXPECT(mem_used() == model->mem_before);
    free(model->items);
    free(model);
}

// The item's text, in the model's buffer.
static inline struct slice item_text(struct model *model, const struct item *item)
{
    struct slice text = { .ptr = model->text, .len = item->len };
    if (item->integer) {
        text.len = (size_t)format_int64(model->text, item->number);
        return text;
    }
    uint64_t bits = (uint64_t)item->number * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < item->len; i++)
        model->text[i] = (char)(bits >> (i % 8 * 8) ^ i >> 3);
    return text;
}

static inline bool item_at(struct model *model, const struct item *item, struct quicklist_at at)
{
    char scratch[24];
    return slice_equal(lp_text(quicklist_listpack(at), at.offset, scratch), item_text(model, item));
}

// Few bytes as a rule, lengths around which encodings change, now and then a large one.
static inline struct item item_random(struct model *model)
{
    struct random *random = &model->random;
    struct item item = { .number = (int64_t)random_next(random) };
    switch (random_below(random, 24)) {
    case 0:
    case 1:
        item.number >>= random_below(random, 64);
        item.integer = true;
        break;
    case 3: item.len = 60 + (uint32_t)random_below(random, 8); break;
    case 4: item.len = 124 + (uint32_t)random_below(random, 8); break;
    case 5: item.len = (uint32_t)random_below(random, 2000); break;
    case 6: item.len = 4000 + (uint32_t)random_below(random, 200); break;
    case 7:
        if (random_below(random, 16) == 0)
            item.len = (uint32_t)random_below(random, TEXT_MAX + 1);
        break;
    default: item.len = (uint32_t)random_below(random, 30); break;
    }
    return item;
}

static inline void model_insert(struct model *model, size_t index, struct item item)
{
    if (model->count == model->room) {
        model->room = model->room * 2 + 16;
        model->items = realloc(model->items, model->room * sizeof item);
        ck_assert_ptr_nonnull(model->items);
    }
    struct item *place = &model->items[index];
    memmove(place + 1, place, (model->count - index) * sizeof item);
    *place = item;
    model->count++;
}

static inline void model_remove(struct model *model, size_t index, size_t count)
{
    model->count -= count;
    memmove(&model->items[index], &model->items[index + count],
            (model->count - index) * sizeof model->items[0]);
}

// --- the same to both ----------------------------------------------------------------------------

static inline void both_push(struct model *model, enum quicklist_end end, struct item item)
{
    quicklist_push(model->list, end, item_text(model, &item));
    model_insert(model, end == QUICKLIST_HEAD ? 0 : model->count, item);
}

static inline void both_insert(struct model *model, size_t index, bool behind, struct item item)
{
    struct quicklist_at at = quicklist_seek(model->list, (int64_t)index);
    quicklist_insert(model->list, at, behind, item_text(model, &item));
    model_insert(model, index + behind, item);
}

static inline void both_replace(struct model *model, size_t index, struct item item)
{
    struct quicklist_at at = quicklist_seek(model->list, (int64_t)index);
    quicklist_replace(model->list, at, item_text(model, &item));
    model->items[index] = item;
}

// Removes the element and looks at the one that follows it.
static inline void both_remove(struct model *model, size_t index)
{
    struct quicklist_at at = quicklist_seek(model->list, (int64_t)index);
    EXPECT(item_at(model, &model->items[index], at));
    at = quicklist_remove(model->list, at);
    model_remove(model, index, 1);
    EXPECT((at.chunk != NULL) == (index < model->count));
    EXPECT(!at.chunk || item_at(model, &model->items[index], at));
}

static inline void both_remove_range(struct model *model, size_t index, size_t count)
{
    quicklist_remove_range(model->list, index, count);
    if (index >= model->count)
        return;
    model_remove(model, index, count > model->count - index ? model->count - index : count);
}

static inline void both_fill(struct model *model, size_t count)
{
    for (size_t i = 0; i < count; i++)
        both_push(model, random_next(&model->random) & 1, item_random(model));
}

// The cheap part: counts, memory, the ends.
static inline void model_glance(struct model *model)
{
    EXPECT(quicklist_count(model->list) == model->count);
    EXPECT(mem_used() - model->mem_before == quicklist_memory(model->list));
    struct quicklist_at first = quicklist_seek(model->list, 0);
    struct quicklist_at last = quicklist_seek(model->list, -1);
    if (model->count == 0) {
        EXPECT(!first.chunk && !last.chunk);
        return;
    }
    EXPECT(first.chunk && item_at(model, &model->items[0], first));
    EXPECT(last.chunk && item_at(model, &model->items[model->count - 1], last));
}

// Everything, in both directions.
static inline void model_verify(struct model *model)
{
    model_glance(model);
    quicklist_check(model->list);
    struct quicklist_at at = quicklist_seek(model->list, 0);
    for (size_t i = 0; i < model->count; i++, at = quicklist_next(model->list, at)) {
        EXPECT(at.chunk && item_at(model, &model->items[i], at));
    }
    EXPECT(at.chunk == NULL);
    at = quicklist_seek(model->list, -1);
    for (size_t i = model->count; i > 0; i--, at = quicklist_prev(model->list, at)) {
        EXPECT(at.chunk && item_at(model, &model->items[i - 1], at));
    }
    EXPECT(at.chunk == NULL);
}

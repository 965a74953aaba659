// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target of radix trees: any order of puts and removals of any keys, with and without memory,
// leaves a tree that knows exactly the keys that it should.
//
// Input: operations of two bytes and a key. The first: bit 0 removal, bits 1 and 2 how many
// allocations succeed (3: all), bit 3 ask what the key begins with. The second: the key's length.
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/radix.h"

#define KEYS_MAX 64

// The keys that must be there, in no order. They lie in the input, and are the values as well.
struct model {
    struct radix tree;
    struct slice keys[KEYS_MAX];
    size_t count;
};

static size_t model_find(const struct model *model, struct slice key)
{
    size_t at = 0;
    while (at < model->count && !slice_equal(model->keys[at], key))
        at++;
    return at;
}

static void put(struct model *model, struct slice key)
{
    size_t at = model_find(model, key);
    void *old;
    if (at == KEYS_MAX)
        return;
    if (radix_put(&model->tree, key, (void *)key.ptr, &old) != STATUS_OK) {
        ASSERT(at == model->count && old == NULL);
        return;
    }
    ASSERT(old == (at < model->count ? model->keys[at].ptr : NULL));
    model->keys[at] = key;
    model->count += at == model->count;
}

static void take(struct model *model, struct slice key)
{
    size_t at = model_find(model, key);
    void *value = radix_remove(&model->tree, key);
    ASSERT(value == (at < model->count ? model->keys[at].ptr : NULL));
    if (at < model->count)
        model->keys[at] = model->keys[--model->count];
}

struct visits {
    const struct model *model;
    struct slice text;
    struct bytes last;
    size_t count;
};

// cppcheck-suppress constParameter ; a visitor's type
static bool visit_prefix(void *value, size_t key_len, void *udata)
{
    struct visits *visits = udata;
    struct slice key = { .ptr = visits->text.ptr, .len = key_len };
    ASSERT(key_len <= visits->text.len && visits->last.len <= key_len);
    ASSERT(visits->model->keys[model_find(visits->model, key)].ptr == value);
    visits->last.len = key_len;
    visits->count++;
    return true;
}

static void ask(const struct model *model, struct slice text)
{
    struct visits visits = { .model = model, .text = text };
    size_t there = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct slice key = model->keys[i];
        there += key.len <= text.len && memcmp(key.ptr, text.ptr, key.len) == 0;
    }
    ASSERT(radix_prefixes_of(&model->tree, text, visit_prefix, &visits));
    ASSERT(visits.count == there);
}

// cppcheck-suppress constParameter ; a visitor's type
static bool visit_key(struct slice key, void *value, void *udata)
{
    struct visits *visits = udata;
    struct bytes *last = &visits->last;
    size_t shorter = key.len < last->len ? key.len : last->len;
    int order = shorter == 0 ? 0 : memcmp(last->data, key.ptr, shorter);
    ASSERT(visits->count == 0 || order < 0 || (order == 0 && last->len < key.len));
    ASSERT(visits->model->keys[model_find(visits->model, key)].ptr == value);
    bytes_clear(last);
    bytes_append_slice(last, key);
    visits->count++;
    return true;
}

static void check(const struct model *model)
{
    struct visits visits = { .model = model };
    radix_check(&model->tree);
    ASSERT(radix_walk(&model->tree, SLICE(""), visit_key, &visits));
    ASSERT(visits.count == model->count && model->tree.count == model->count);
    for (size_t i = 0; i < model->count; i++)
        ASSERT(radix_find(&model->tree, model->keys[i]) == model->keys[i].ptr);
    bytes_release(&visits.last);
}

static void run(struct model *model, unsigned what, struct slice key)
{
    unsigned allocations = what >> 1 & 3;
    if (what & 8) {
        ask(model, key);
        return;
    }
    if (allocations < 3)
        mem_fail_after(allocations);
    if (what & 1)
        take(model, key);
    else
        put(model, key);
    mem_fail_never();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model model = { 0 };
    for (size_t at = 0; at + 2 <= size;) {
        size_t len = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        struct slice key = { .ptr = (const char *)data + at + 2, .len = len };
        run(&model, data[at], key);
        check(&model);
        at += 2 + len;
    }
    radix_release(&model.tree, NULL, NULL);
    ASSERT(model.tree.bytes == 0);
    return 0;
}

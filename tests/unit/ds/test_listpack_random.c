// SPDX-License-Identifier: BSD-3-Clause
// Random edits of listpacks against a naive model: an array of texts.
#include "listpack_model.h"
#include "support/unit.h"

#define ELEMENTS_MAX 300
#define TEXT_MAX     40000

struct model {
    struct random random;
    unsigned char *lp;
    struct slice texts[ELEMENTS_MAX];
    size_t count;
};

static char noise[TEXT_MAX];

// A text that the model owns: integers of every size, short strings that repeat, some long ones.
static struct slice make_text(struct model *model)
{
    static const size_t bounds[] = { 3, 3, 3, 63, 70, 200, 4100, 17000, TEXT_MAX };
    char *text = mem_alloc(TEXT_MAX);
    size_t len;
    uint64_t kind = random_below(&model->random, 10);
    if (kind < 4) {
        uint64_t bits = random_next(&model->random) >> random_below(&model->random, 64);
        len = (size_t)format_int64(text, (int64_t)(kind & 1 ? bits : -bits));
    } else {
        size_t pick = random_below(&model->random, 64);
        size_t bound = bounds[pick < 9 ? pick : pick % 6];
        len = random_below(&model->random, bound + 1);
        memcpy(text, noise + (bound > 3 ? random_below(&model->random, TEXT_MAX - len + 1) : 0),
               len);
    }
    text = mem_realloc(text, TEXT_MAX, len + 1);
    return (struct slice){ .ptr = text, .len = len };
}

static void free_text(struct slice text)
{
    mem_free((char *)(uintptr_t)text.ptr, text.len + 1);
}

// Replaces `removed` texts at `index` by `added` new ones, in the listpack by one edit.
static void change(struct model *model, size_t index, size_t removed, size_t added)
{
    struct bytes elements = { 0 };
    size_t at = index < model->count ? lp_seek(model->lp, (int64_t)index) : lp_end(model->lp);
    for (size_t i = 0; i < removed; i++)
        free_text(model->texts[index + i]);
    memmove(model->texts + index + added, model->texts + index + removed,
            (model->count - index - removed) * sizeof *model->texts);
    for (size_t i = 0; i < added; i++) {
        struct slice text = make_text(model);
        struct lp_key key = lp_key_of(text);
        size_t len = lp_encoded_bytes(&key);
        bytes_reserve(&elements, len);
        EXPECT(lp_encode((unsigned char *)elements.data + elements.len, &key) == len);
        elements.len += len;
        model->texts[index + i] = text;
    }
    model->count += added - removed;
    model->lp = pack_splice(model->lp,
                            &(struct lp_edit){ .at = at,
                                               .removed = lp_span(model->lp, at, removed),
                                               .removed_count = removed,
                                               .bytes = (const unsigned char *)elements.data,
                                               .added = elements.len,
                                               .added_count = added });
    bytes_release(&elements);
}

static void check_order(const struct model *model)
{
    const unsigned char *lp = model->lp;
    char scratch[24];
    size_t at = lp_first(lp);
    for (size_t i = 0; i < model->count; i++, at = lp_next(lp, at)) {
        EXPECT(at != 0 && slice_equal(lp_text(lp, at, scratch), model->texts[i]));
        EXPECT(lp_seek(lp, (int64_t)i) == at);
        EXPECT(lp_seek(lp, (int64_t)i - (int64_t)model->count) == at);
    }
    EXPECT(at == 0);
    at = lp_last(lp);
    for (size_t i = model->count; i-- > 0; at = lp_prev(lp, at))
        EXPECT(at != 0 && slice_equal(lp_text(lp, at, scratch), model->texts[i]));
    EXPECT(at == 0);
    EXPECT(lp_seek(lp, (int64_t)model->count) == 0);
    EXPECT(lp_seek(lp, -(int64_t)model->count - 1) == 0);
}

static void check_find(struct model *model)
{
    if (model->count == 0)
        return;
    bool foreign = random_below(&model->random, 2);
    struct slice text = foreign ? make_text(model)
                                : model->texts[random_below(&model->random, model->count)];
    struct lp_key key = lp_key_of(text);
    unsigned skip = (unsigned)random_below(&model->random, 3);
    size_t i = random_below(&model->random, model->count);
    size_t at = lp_seek(model->lp, (int64_t)i);
    while (i < model->count && !slice_equal(model->texts[i], text))
        i += 1 + skip;
    size_t want = i < model->count ? lp_seek(model->lp, (int64_t)i) : 0;
    EXPECT(lp_find(model->lp, at, &key, skip) == want);
    if (foreign)
        free_text(text);
}

static void check_inline(const struct model *model)
{
    size_t i = 0;
    const unsigned char *p = model->lp + LP_HEADER_BYTES;
    for (; !lp_at_end(p); p = lp_step(p), i++) {
        struct lp_value value = lp_read(p);
        struct lp_key key = lp_key_of(model->texts[i]);
        EXPECT(!value.text.ptr == key.is_integer);
        EXPECT(value.text.ptr ? slice_equal(value.text, key.text) : value.integer == key.integer);
    }
    EXPECT(i == model->count);
    EXPECT((size_t)(p - model->lp) == lp_end(model->lp));
}

static void step(struct model *model)
{
    size_t index = random_below(&model->random, model->count + 1);
    size_t rest = model->count - index;
    size_t removed = random_below(&model->random, (rest < 5 ? rest : 5) + 1);
    size_t room = ELEMENTS_MAX - model->count + removed;
    size_t added = random_below(&model->random, (room < 5 ? room : 5) + 1);
    // Sometimes nearly everything goes.
    if (random_below(&model->random, 200) == 0) {
        index = 0;
        removed = model->count - random_below(&model->random, model->count / 8 + 1);
        added = 0;
    }
    change(model, index, removed, added);
    EXPECT(lp_validate(model->lp, lp_bytes(model->lp)));
    EXPECT(lp_count(model->lp) == model->count);
    for (int i = 0; i < 4; i++)
        check_find(model);
}

START_TEST(random_edits_agree_with_the_model)
{
    size_t before = mem_used();
    struct model *model = mem_alloc_zeroed(sizeof *model);
    random_seed(&model->random, (uint64_t)_i + 1);
    for (size_t i = 0; i < TEXT_MAX; i++)
        noise[i] = (char)random_next(&model->random);
    model->lp = pack_new();
    for (int i = 0; i < 600; i++) {
        step(model);
        if (i % 10 == 0) {
            check_order(model);
            check_inline(model);
        }
    }
    change(model, 0, model->count, 0);
    ck_assert_uint_eq(lp_bytes(model->lp), LP_EMPTY_BYTES);
    pack_free(model->lp);
    mem_free(model, sizeof *model);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("listpack_random");
    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 120);
    tcase_add_loop_test(model, random_edits_agree_with_the_model, 0, 6);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

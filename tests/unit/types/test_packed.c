// SPDX-License-Identifier: BSD-3-Clause
// Tests of packed collections: random growth and shrinking across the size up to which they lie in
// their entry, against a naive model, with every byte of memory accounted for.
#include "types/packed.h"

#include "base/memory.h"
#include "base/random.h"
#include "ds/listpack.h"
#include "support/unit.h"

#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)

#define SIZE_LIMIT  700
#define SOME_EXPIRY INT64_C(1795287731123)
#define ACCESS      0xABCDEF

static const size_t key_lens[] = { 0, 16, 250, 300 };

#define KEYS (sizeof key_lens / sizeof *key_lens)

// What the entry must hold.
struct model {
    struct random random;
    struct entry *entry;
    size_t used_before;
    char key[300];
    struct slice name;
    int64_t expiry;
    unsigned encoding;
    unsigned char bytes[SIZE_LIMIT];
    size_t size;
};

static struct entry_spec spec_of(const struct model *model)
{
    return (struct entry_spec){
        .type = TYPE_HASH,
        .encoding = model->encoding,
        .access = ACCESS,
        .expiry = model->expiry,
    };
}

static void fill(struct model *model, unsigned char *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        bytes[i] = model->bytes[i] = (unsigned char)random_next(&model->random);
}

// The loop index chooses the key and whether there is an expiry.
static void open_model(struct model *model, int i)
{
    random_seed(&model->random, (uint64_t)i + 1);
    model->used_before = mem_used();
    for (size_t j = 0; j < sizeof model->key; j++)
        model->key[j] = (char)random_next(&model->random);
    model->name = (struct slice){ .ptr = model->key, .len = key_lens[(size_t)i % KEYS] };
    model->expiry = (size_t)i / KEYS % 2 ? SOME_EXPIRY : EXPIRY_NONE;
    model->encoding = 3;
    model->size = 1;
    fill(model, model->bytes, 0, 1);
    struct entry_spec spec = spec_of(model);
    model->entry = packed_new(model->name, &spec, model->bytes, model->size);
}

static void close_model(struct model *model)
{
    packed_release(model->entry, model->size);
    entry_free(model->entry);
    ck_assert_uint_eq(mem_used(), model->used_before);
}

static bool must_embed(const struct model *model)
{
    size_t header = 4 + (model->name.len < 255 ? 1 : 5) + (model->expiry == EXPIRY_NONE ? 0 : 8);
    size_t payload = (model->size < 255 ? 1 : 5) + model->size;
    return header + model->name.len + payload <= ENTRY_EMBED_MAX;
}

static void check_fields(const struct entry *entry, const struct model *model)
{
    EXPECT(entry_type(entry) == TYPE_HASH);
    EXPECT(entry_encoding(entry) == model->encoding);
    EXPECT(entry_access(entry) == ACCESS);
    EXPECT(entry_expiry(entry) == model->expiry);
    EXPECT(slice_equal(entry_key(entry), model->name));
}

static void check(const struct model *model)
{
    const struct entry *entry = model->entry;
    check_fields(entry, model);
    EXPECT(memcmp(packed_bytes(entry), model->bytes, model->size) == 0);
    size_t apart = packed_memory(entry, model->size);
    EXPECT(apart == (entry_embedded(entry) ? 0 : mem_good_size(model->size)));
    EXPECT(mem_used() - model->used_before == mem_good_size(entry_size(entry)) + apart);
}

static void resize(struct model *model, size_t size)
{
    unsigned char *bytes = packed_resize(&model->entry, model->size, size);
    EXPECT(bytes == packed_bytes(model->entry));
    size_t kept = model->size < size ? model->size : size;
    EXPECT(memcmp(bytes, model->bytes, kept) == 0);
    fill(model, bytes, kept, size);
    model->size = size;
    check(model);
    EXPECT(entry_embedded(model->entry) == must_embed(model));
}

START_TEST(every_size_up_and_down)
{
    struct model model;
    open_model(&model, _i);
    for (size_t size = 1; size < SIZE_LIMIT; size++)
        resize(&model, size);
    for (size_t size = SIZE_LIMIT; size-- > 1;)
        resize(&model, size);
    close_model(&model);
}
END_TEST

START_TEST(a_new_one_of_every_size)
{
    struct model model;
    open_model(&model, _i);
    for (size_t size = 1; size < SIZE_LIMIT; size++) {
        packed_release(model.entry, model.size);
        entry_free(model.entry);
        fill(&model, model.bytes, 0, size);
        model.size = size;
        struct entry_spec spec = spec_of(&model);
        model.entry = packed_new(model.name, &spec, model.bytes, size);
        check(&model);
        EXPECT(entry_embedded(model.entry) == must_embed(&model));
    }
    close_model(&model);
}
END_TEST

static void convert(struct model *model, size_t size)
{
    model->encoding = (model->encoding + 1) % 8;
    unsigned char *bytes = packed_convert(&model->entry, model->encoding, model->size, size);
    EXPECT(bytes == packed_bytes(model->entry));
    fill(model, bytes, 0, size);
    model->size = size;
    check(model);
    EXPECT(entry_embedded(model->entry) == must_embed(model));
}

static void toggle_expiry(struct model *model)
{
    model->expiry = model->expiry == EXPIRY_NONE ? SOME_EXPIRY : EXPIRY_NONE;
    model->entry = entry_with_expiry(model->entry, model->expiry);
    check(model);
}

// The clone takes the original's place, as a copy or as the renamed entry would.
static void replace_by_clone(struct model *model)
{
    struct entry *clone = entry_clone(model->entry, model->name);
    packed_unshare(clone, model->size);
    EXPECT(memcmp(packed_bytes(clone), model->bytes, model->size) == 0);
    memset(packed_bytes(model->entry), 0, model->size);
    packed_release(model->entry, model->size);
    entry_free(model->entry);
    model->entry = clone;
    check(model);
}

// Mostly near the limit, where both sides are.
static size_t random_size(struct model *model)
{
    if (random_below(&model->random, 4) == 0)
        return 1 + random_below(&model->random, SIZE_LIMIT - 1);
    size_t rest = model->name.len < 240 ? 250 - model->name.len : 10;
    size_t spread = random_below(&model->random, 40);
    return rest + 20 > spread ? rest + 20 - spread : 1;
}

START_TEST(random_changes_agree_with_the_model)
{
    struct model model;
    open_model(&model, _i);
    for (int round = 0; round < 3000; round++) {
        switch (random_below(&model.random, 8)) {
        case 0: toggle_expiry(&model); break;
        case 1: convert(&model, random_size(&model)); break;
        case 2: replace_by_clone(&model); break;
        default: resize(&model, random_size(&model)); break;
        }
    }
    close_model(&model);
}
END_TEST

START_TEST(a_collection_that_grows_up_leaves_its_bytes)
{
    struct model model;
    open_model(&model, _i);
    for (size_t size = 1; size < SIZE_LIMIT; size += 3) {
        resize(&model, size);
        int target = 0;
        model.encoding = 5;
        packed_leave(&model.entry, model.encoding, model.size, &target);
        check_fields(model.entry, &model);
        EXPECT(!entry_embedded(model.entry));
        EXPECT(entry_pointer(model.entry) == &target);
        EXPECT(mem_used() - model.used_before == mem_good_size(entry_size(model.entry)));
        entry_free(model.entry);
        struct entry_spec spec = spec_of(&model);
        model.entry = packed_new(model.name, &spec, model.bytes, size);
    }
    close_model(&model);
}
END_TEST

// ---- listpacks ----------------------------------------------------------------------------------

static void splice_randomly(struct model *model, unsigned char *plain)
{
    char text[64];
    struct slice value = { .ptr = text, .len = random_below(&model->random, sizeof text) };
    memset(text, 'a' + (int)random_below(&model->random, 26), sizeof text);
    struct lp_key key = lp_key_of(value);
    unsigned char element[sizeof text + LP_OVERHEAD_MAX];
    size_t count = lp_count(plain);
    size_t index = random_below(&model->random, count + 1);
    size_t removed = random_below(&model->random, 3);
    bool add = lp_bytes(plain) < SIZE_LIMIT - 100 && random_below(&model->random, 8) > 0;
    if (removed > count - index)
        removed = count - index;
    size_t at = index < count ? lp_seek(plain, (int64_t)index) : lp_end(plain);
    const struct lp_edit edit = { .at = at,
                                  .removed = lp_span(plain, at, removed),
                                  .removed_count = removed,
                                  .bytes = element,
                                  .added = add ? lp_encode(element, &key) : 0,
                                  .added_count = add };
    packed_splice(&model->entry, &edit);
    lp_splice(plain, &edit);
    model->size = lp_bytes(plain);
}

START_TEST(a_listpack_is_edited_wherever_it_lies)
{
    struct model model;
    open_model(&model, _i);
    unsigned char *bytes = packed_resize(&model.entry, model.size, LP_EMPTY_BYTES);
    lp_init(bytes);
    lp_init(model.bytes);
    model.size = LP_EMPTY_BYTES;
    bool was[2] = { false, false };
    for (int round = 0; round < 2000; round++) {
        splice_randomly(&model, model.bytes);
        check(&model);
        EXPECT(entry_embedded(model.entry) == must_embed(&model));
        EXPECT(lp_validate(packed_bytes(model.entry), model.size));
        was[entry_embedded(model.entry)] = true;
    }
    ck_assert(was[false]);
    ck_assert(was[true] == (model.name.len < 240));
    close_model(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("packed");
    TCase *sizes = tcase_create("sizes");
    tcase_set_timeout(sizes, 60);
    tcase_add_loop_test(sizes, every_size_up_and_down, 0, 2 * KEYS);
    tcase_add_loop_test(sizes, a_new_one_of_every_size, 0, 2 * KEYS);
    tcase_add_loop_test(sizes, a_collection_that_grows_up_leaves_its_bytes, 0, 2 * KEYS);
    suite_add_tcase(suite, sizes);

    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 60);
    tcase_add_loop_test(model, random_changes_agree_with_the_model, 0, 2 * KEYS);
    tcase_add_loop_test(model, a_listpack_is_edited_wherever_it_lies, 0, 2 * KEYS);
    suite_add_tcase(suite, model);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

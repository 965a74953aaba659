// SPDX-License-Identifier: BSD-3-Clause
// Tests of the table's dues: a walk meets what is due and passes over the rest, whatever happens to the
// segments. That no segment claims to be due later than an entry in it is table_check()'s affair, in
// these tests and all others that use the model.
#include "ds/table_due.h"

#include "support/unit.h"
#include "table_model.h"

#define NO_BUDGET 1000000

// What an owner does with a segment: takes note of what is due, and says when it is due again.
static size_t look_into(struct table_segment *head, int64_t now)
{
    struct table_slot *slots[TABLE_TAGGED_MAX];
    int64_t earliest = TABLE_DUE_NEVER;
    size_t found = 0;
    struct table_segment *part = head;
    while (part != NULL) {
        size_t count;
        part = table_segment_tagged(part, slots, &count);
        EXPECT(count < TABLE_TAGGED_MAX);
        for (size_t i = 0; i < count; i++) {
            struct item *item = table_slot_entry(slots[i]);
            EXPECT(item->in_class != 0 && table_slot_class(slots[i]) == item->in_class);
            EXPECT(item->due >= table_segment_due(head));
            item->seen += item->due <= now;
            found += item->due <= now;
            earliest = item->due > now && item->due < earliest ? item->due : earliest;
        }
    }
    table_segment_set_due(head, earliest);
    return found;
}

// Takes the time off all that was seen.
static void disarm_seen(struct model *model)
{
    for (size_t i = 0; i < model->nitems; i++) {
        struct item *item = &model->items[i];
        if (item->seen > 0) {
            item->due = TABLE_DUE_NEVER;
            item->in_class = 0;
            table_slot_set_class(model_find(model, item), 0);
            item->seen = 0;
        }
    }
}

static size_t count_due(const struct model *model, int64_t now)
{
    size_t count = 0;
    for (size_t i = 0; i < model->nitems; i++) {
        const struct item *item = &model->items[i];
        count += item->present && item->in_class != 0 && item->due <= now;
    }
    return count;
}

// Walks the whole table; returns how many segments were met.
static size_t walk_all(struct model *model, int64_t now)
{
    struct table_due_walk walk = { .earliest = TABLE_DUE_NEVER, .budget = NO_BUDGET };
    size_t due = count_due(model, now);
    size_t found = 0;
    size_t met = 0;
    for (struct table_segment *head; (head = table_due_next(&model->table, &walk, now)); met++) {
        EXPECT(table_segment_due(head) <= now);
        found += look_into(head, now);
    }
    EXPECT(walk.done);
    EXPECT(walk.earliest > now);
    EXPECT(found == due);
    disarm_seen(model);
    table_check(&model->table);
    return met;
}

static void reset_items(struct model *model)
{
    for (size_t i = 0; i < model->nitems; i++)
        model->items[i].due = TABLE_DUE_NEVER;
}

// Random insertions and removals, and now and then a walk a little later than the one before.
static void live_and_walk(struct model *model, const size_t *counts, size_t rounds)
{
    reset_items(model);
    int64_t now = 0;
    for (size_t i = 0; i < rounds; i++) {
        model_resize(model, counts[i % 4]);
        now += MODEL_DUE_END / (int64_t)rounds;
        walk_all(model, now);
        // Nothing is left over.
        ck_assert_uint_eq(count_due(model, now), 0);
    }
}

START_TEST(what_is_due_is_met_while_the_table_grows_and_shrinks)
{
    static const size_t counts[4] = { 20000, 500, 8000, 40 };
    struct model model;
    model_init(&model, 20000, hash_uniform, 31);
    live_and_walk(&model, counts, 12);
    model_release(&model);
}
END_TEST

START_TEST(small_tables)
{
    static const size_t counts[4] = { 1, 9, 0, 30 };
    struct model model;
    model_init(&model, 30, hash_uniform, 32);
    live_and_walk(&model, counts, 100);
    model_release(&model);
}
END_TEST

// Half of the items have one hash.
static uint64_t hash_clustered(uint64_t id)
{
    return id % 2 == 0 ? hash_uniform(id) : UINT64_C(0x123456789abcdef0);
}

START_TEST(chains_are_due_as_one)
{
    static const size_t counts[4] = { 5000, 900, 2500, 10 };
    struct model model;
    struct table_stats stats;
    model_init(&model, 5000, hash_clustered, 33);
    live_and_walk(&model, counts, 1);
    table_stats(&model.table, &stats);
    ck_assert_uint_gt(stats.chained_segments, 1);
    live_and_walk(&model, counts, 20);
    model_release(&model);
}
END_TEST

START_TEST(what_is_not_due_is_passed_over)
{
    struct model model;
    model_init(&model, 20000, hash_uniform, 34);
    model_resize(&model, 20000);
    for (size_t i = 0; i < model.nitems; i++) {
        model.items[i].seen = 1;
    }
    disarm_seen(&model);
    ck_assert_uint_eq(walk_all(&model, MODEL_DUE_END) <= model.table.segments, 1);
    ck_assert_uint_eq(walk_all(&model, MODEL_DUE_END), 0);
    for (size_t i = 0; i < 3; i++) {
        struct item *item = &model.items[i * 5000];
        item->in_class = 7;
        item->due = (int64_t)i;
        table_slot_set_class(model_find(&model, item), item->in_class);
        table_lower_due(&model.table, item->hash, item->due);
    }
    ck_assert_uint_eq(walk_all(&model, 0), 1);
    size_t met = walk_all(&model, 2);
    ck_assert(met == 1 || met == 2);
    model_release(&model);
}
END_TEST

// A walk that is left and gone on with meets all that was due from its start to its end.
START_TEST(a_walk_goes_on_whatever_happens_in_between)
{
    struct model model;
    model_init(&model, 30000, hash_uniform, 35);
    model_resize(&model, 15000);
    size_t lasting = 0;
    for (size_t i = 0; i < model.nitems; i++) {
        lasting += i % 3 == 0 && model.items[i].present && model.items[i].in_class != 0;
    }
    struct table_due_walk walk = { .earliest = TABLE_DUE_NEVER };
    for (size_t step = 0; !walk.done; step++) {
        walk.budget = 1;
        struct table_segment *head = table_due_next(&model.table, &walk, MODEL_DUE_END);
        if (head != NULL) {
            look_into(head, MODEL_DUE_END);
        }
        // Every third item stays throughout; the others come and go, by the thousand.
        for (size_t i = 0; i < 2000; i++) {
            struct item *item = model_pick(&model);
            if (item->id % 3 != 0 && item->present == (step % 2 == 0)) {
                item->present ? model_remove(&model, item) : model_insert(&model, item);
            }
        }
        ck_assert_uint_lt(step, 1000);
    }
    size_t seen = 0;
    for (size_t i = 0; i < model.nitems; i += 3) {
        seen += model.items[i].seen > 0;
    }
    ck_assert_uint_eq(seen, lasting);
    ck_assert_ptr_null(table_due_next(&model.table, &walk, MODEL_DUE_END));
    model_release(&model);
}
END_TEST

START_TEST(an_empty_table_has_nothing_due)
{
    struct model model;
    model_init(&model, 1, hash_uniform, 36);
    ck_assert_uint_eq(walk_all(&model, MODEL_DUE_END), 0);
    model_release(&model);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("table_due");
    TCase *due = tcase_create("due");
    tcase_add_test(due, what_is_due_is_met_while_the_table_grows_and_shrinks);
    tcase_add_test(due, small_tables);
    tcase_add_test(due, chains_are_due_as_one);
    tcase_add_test(due, what_is_not_due_is_passed_over);
    tcase_add_test(due, a_walk_goes_on_whatever_happens_in_between);
    tcase_add_test(due, an_empty_table_has_nothing_due);
    tcase_set_timeout(due, 60);
    suite_add_tcase(suite, due);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

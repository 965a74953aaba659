// SPDX-License-Identifier: BSD-3-Clause
// Tests of the command registry: look-up by name, subcommands, what follows from a row, gates.
#include "server/registry.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define NAMES    120
#define NAME_MAX 45

static struct registry *registry;
static size_t used_before;
static char names[NAMES + 1][NAME_MAX];
static struct command table[NAMES + 1];
static struct random dice;

static void handler_one(struct cmd_ctx *ctx)
{
    (void)ctx;
}

static void handler_two(struct cmd_ctx *ctx)
{
    (void)ctx;
}

static void set_up(void)
{
    used_before = mem_used();
    registry = registry_new();
    random_seed(&dice, 4);
}

static void tear_down(void)
{
    registry_free(registry);
    ck_assert_uint_eq(mem_used(), used_before);
}

// Names of 1 to 40 bytes, three of each length: letters, '-' and '_', two of which differ in one
// byte in the middle only.
static void register_names(void)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz-_";
    memset(table, 0, sizeof(table));
    for (size_t i = 0; i < NAMES; i++) {
        size_t len = 1 + i / 3;
        memset(names[i], 0, NAME_MAX);
        for (size_t k = 0; k < len; k++)
            names[i][k] = letters[random_below(&dice, sizeof(letters) - 1)];
        if (i % 3 == 1)
            memcpy(names[i], names[i - 1], len);
        names[i][len / 2] = "xyz"[i % 3];
        table[i] = (struct command){ .name = names[i], .arity = (int)i, .handler = handler_one };
    }
    registry_add(registry, table);
}

// The name in memory of just its size: reading behind it shows.
static struct command_entry *look_up(const char *name, size_t len)
{
    char *exact = malloc(len ? len : 1);
    memcpy(exact, name, len);
    struct command_entry *found = registry_lookup(registry,
                                                  (struct slice){ .ptr = exact, .len = len });
    free(exact);
    return found;
}

START_TEST(every_name_in_any_case)
{
    register_names();
    ck_assert_uint_eq(registry_count(registry), NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        size_t len = strlen(names[i]);
        struct command_entry *entry = registry_at(registry, i);
        EXPECT(entry->row == &table[i]);
        EXPECT(look_up(names[i], len) == entry);
        for (int round = 0; round < 50; round++) {
            char mixed[NAME_MAX];
            for (size_t k = 0; k < len; k++) {
                bool upper = round == 0 || random_below(&dice, 2);
                mixed[k] = (char)(upper ? toupper(names[i][k]) : names[i][k]);
            }
            EXPECT(look_up(mixed, len) == entry);
        }
    }
}
END_TEST

// What the name should find: one of the three of its length.
static const struct command_entry *expected(const char *name, size_t len)
{
    size_t first = (len - 1) * 3;
    if (len == 0 || first >= NAMES || memchr(name, '\0', len))
        return NULL;
    for (size_t i = first; i < first + 3; i++) {
        if (strncasecmp(names[i], name, len) == 0)
            return registry_at(registry, i);
    }
    return NULL;
}

// Each name with one byte replaced by every other one: also those that differ in bit 5 alone.
START_TEST(names_that_nearly_match)
{
    register_names();
    size_t matches = 0;
    for (size_t i = 0; i < NAMES; i++) {
        size_t len = strlen(names[i]);
        for (size_t k = 0; k < len; k++) {
            char near[NAME_MAX];
            memcpy(near, names[i], len);
            for (int byte = 0; byte < 256; byte++) {
                near[k] = (char)byte;
                const struct command_entry *found = registry_lookup(
                    registry, (struct slice){ .ptr = near, .len = len });
                // The slow way only where the fast one says yes, or may have missed.
                if (found || tolower(byte) == tolower(names[i][k]))
                    EXPECT(found == expected(near, len));
                matches += found != NULL;
            }
        }
    }
    ck_assert_uint_gt(matches, NAMES);
}
END_TEST

START_TEST(names_of_other_lengths)
{
    register_names();
    for (size_t i = 0; i < NAMES; i++) {
        char longer[NAME_MAX + 2] = "";
        size_t len = strlen(names[i]);
        memcpy(longer, names[i], len);
        EXPECT(look_up(names[i], len - 1) == expected(names[i], len - 1));
        EXPECT(!look_up(longer, len + 1));
        longer[len] = ' ';
        EXPECT(!look_up(longer, len + 1));
    }
    static char huge[100000];
    memset(huge, 'a', sizeof(huge));
    ck_assert_ptr_null(look_up(huge, sizeof(huge)));
    ck_assert_ptr_null(look_up("", 0));
    for (size_t len = 1; len < 100; len++)
        EXPECT(look_up(huge, len) == expected(huge, len));
}
END_TEST

START_TEST(nothing_is_found_in_an_empty_registry)
{
    ck_assert_uint_eq(registry_count(registry), 0);
    ck_assert_ptr_null(look_up("get", 3));
    ck_assert_ptr_null(look_up("", 0));
}
END_TEST

static const struct command inner[] = {
    { .name = "get", .arity = -3, .flags = CMD_ADMIN, .handler = handler_one },
    { .name = "very-long-subcommand-name", .arity = 2, .handler = handler_two },
    { 0 },
};

static const struct command outer[] = {
    { .name = "config", .arity = -2, .subcommands = inner },
    { .name = "command", .arity = -1, .handler = handler_one, .subcommands = inner },
    { .name = "get", .arity = 2, .handler = handler_two },
    { 0 },
};

static size_t places_of(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < registry_count(registry); i++)
        count += strcmp(registry_at(registry, i)->row->name, name) == 0;
    return count;
}

START_TEST(renaming)
{
    register_names();
    const struct command_entry *entry = registry_lookup(registry, slice_of(names[50]));
    ck_assert_int_eq(registry_rename(registry, slice_of(names[50]), SLICE("Quite-new 7")),
                     STATUS_OK);
    ck_assert_ptr_null(registry_lookup(registry, slice_of(names[50])));
    ck_assert_ptr_eq(registry_lookup(registry, SLICE("qUITE-NEW 7")), entry);
    ck_assert_ptr_null(registry_lookup(registry, SLICE("quite-new 8")));
    // Descriptions keep the old name.
    ck_assert_str_eq(entry->full_name, names[50]);
    ck_assert_uint_eq(places_of(names[50]), 1);
    ck_assert_uint_eq(registry_count(registry), NAMES);
    // Again, in another case, and to its own name.
    ck_assert_int_eq(registry_rename(registry, SLICE("QUITE-new 7"), SLICE("other")), STATUS_OK);
    ck_assert_int_eq(registry_rename(registry, SLICE("other"), SLICE("OTHER")), STATUS_OK);
    ck_assert_ptr_eq(registry_lookup(registry, SLICE("other")), entry);
    // A name that is free again can be taken.
    ck_assert_int_eq(registry_rename(registry, slice_of(names[51]), slice_of(names[50])),
                     STATUS_OK);
    ck_assert_ptr_eq(registry_lookup(registry, slice_of(names[50])), registry_at(registry, 51));
    for (size_t i = 52; i < NAMES; i++)
        ck_assert_ptr_eq(registry_lookup(registry, slice_of(names[i])), registry_at(registry, i));
}
END_TEST

START_TEST(renaming_that_is_refused)
{
    register_names();
    ck_assert_int_eq(registry_rename(registry, SLICE("no such"), SLICE("x1")), STATUS_NOT_FOUND);
    ck_assert_int_eq(registry_rename(registry, SLICE(""), SLICE("")), STATUS_NOT_FOUND);
    ck_assert_int_eq(registry_rename(registry, slice_of(names[9]), slice_of(names[10])),
                     STATUS_EXISTS);
    ck_assert_ptr_eq(registry_lookup(registry, slice_of(names[9])), registry_at(registry, 9));
    ck_assert_ptr_eq(registry_lookup(registry, slice_of(names[10])), registry_at(registry, 10));
}
END_TEST

START_TEST(disabling)
{
    register_names();
    for (size_t i = 0; i < NAMES; i += 2)
        ck_assert_int_eq(registry_rename(registry, slice_of(names[i]), SLICE("")), STATUS_OK);
    ck_assert_uint_eq(registry_count(registry), NAMES / 2);
    for (size_t i = 0; i < NAMES; i++) {
        const struct command_entry *entry = registry_lookup(registry, slice_of(names[i]));
        if (i % 2 == 0)
            ck_assert_ptr_null(entry);
        else
            ck_assert_ptr_eq(entry, registry_at(registry, i / 2));
    }
}
END_TEST

START_TEST(subcommands)
{
    registry_add(registry, outer);
    ck_assert_uint_eq(registry_count(registry), 3);
    const struct command_entry *config = look_up("CONFIG", 6);
    ck_assert(config->is_container);
    ck_assert_ptr_null(config->handler);
    ck_assert_ptr_null(config->parent);
    ck_assert_int_eq(config->subcommand_count, 2);
    const struct command_entry *get = registry_subcommand(config, SLICE("GeT"));
    ck_assert_ptr_nonnull(get);
    ck_assert_ptr_eq(get->parent, config);
    ck_assert_str_eq(get->full_name, "config|get");
    ck_assert_int_eq(get->arity, -3);
    ck_assert_uint_eq(get->flags, CMD_ADMIN);
    ck_assert(!get->is_container);
    const struct command_entry *other = registry_subcommand(config,
                                                            SLICE("very-LONG-subcommand-name"));
    ck_assert_str_eq(other->full_name, "config|very-long-subcommand-name");
    ck_assert_ptr_eq((void *)(uintptr_t)other->handler, (void *)(uintptr_t)handler_two);

    ck_assert_ptr_null(registry_subcommand(config, SLICE("")));
    ck_assert_ptr_null(registry_subcommand(config, SLICE("ge")));
    ck_assert_ptr_null(registry_subcommand(config, SLICE("gett")));
    ck_assert_ptr_null(registry_subcommand(config, SLICE("get\0")));
    ck_assert_ptr_null(registry_subcommand(look_up("get", 3), SLICE("get")));
    ck_assert_ptr_null(look_up("config|get", 10));
    // One that has both.
    ck_assert(look_up("command", 7)->is_container);
    ck_assert_str_eq(registry_subcommand(look_up("command", 7), SLICE("get"))->full_name,
                     "command|get");
    ck_assert_str_eq(look_up("get", 3)->full_name, "get");
}
END_TEST

START_TEST(categories_follow_from_flags)
{
    static const struct command rows[] = {
        { .name = "a", .flags = CMD_WRITE, .acl = ACL_STRING },
        { .name = "b", .flags = CMD_READONLY | CMD_FAST },
        { .name = "c", .flags = CMD_ADMIN | CMD_BLOCKING },
        { .name = "d", .flags = CMD_PUBSUB | CMD_FAST, .acl = ACL_CONNECTION },
        { .name = "e" },
        { 0 },
    };
    registry_add(registry, rows);
    ck_assert_uint_eq(look_up("a", 1)->acl, ACL_WRITE | ACL_STRING | ACL_SLOW);
    ck_assert_uint_eq(look_up("b", 1)->acl, ACL_READ | ACL_FAST);
    ck_assert_uint_eq(look_up("c", 1)->acl, ACL_ADMIN | ACL_DANGEROUS | ACL_BLOCKING | ACL_SLOW);
    ck_assert_uint_eq(look_up("d", 1)->acl, ACL_PUBSUB | ACL_CONNECTION | ACL_FAST);
    ck_assert_uint_eq(look_up("e", 1)->acl, ACL_SLOW);
}
END_TEST

static void expect_range(const char *name, int first, int last, int step, bool complex)
{
    const struct command_entry *entry = look_up(name, strlen(name));
    ck_assert_int_eq(entry->key_first, first);
    ck_assert_int_eq(entry->key_last, last);
    ck_assert_int_eq(entry->key_step, step);
    ck_assert_int_eq(entry->keys_complex, complex);
}

START_TEST(ranges_of_keys)
{
    static const struct command rows[] = {
        { .name = "none" },
        { .name = "first", .keys = { KEYS_FIRST(KEY_RO) } },
        { .name = "all", .keys = { KEYS_ALL(KEY_RO) } },
        { .name = "pairs", .keys = { KEYS_EVERY_SECOND(KEY_OW) } },
        { .name = "two",
          .keys = { { .begin = KEY_BEGIN_INDEX, .begin_index = 2, .last = 1, .step = 1 } } },
        { .name = "but-last",
          .keys = { { .begin = KEY_BEGIN_INDEX, .begin_index = 1, .last = -2, .step = 1 } } },
        { .name = "keyword",
          .keys = { { .begin = KEY_BEGIN_KEYWORD,
                      .begin_index = 1,
                      .keyword = "keys",
                      .last = -1,
                      .step = 1 } } },
        { .name = "keynum",
          .keys = { { .begin = KEY_BEGIN_INDEX,
                      .begin_index = 1,
                      .find = KEY_FIND_KEYNUM,
                      .keynum_first = 1,
                      .step = 1 } } },
        { .name = "twice", .keys = { KEYS_FIRST(KEY_RO), KEYS_FIRST(KEY_RO) } },
        { .name = "in-a-row", .keys = { KEYS_FIRST(KEY_RO), KEYS_SECOND(KEY_OW) } },
        { .name = "gap",
          .keys = { KEYS_FIRST(KEY_RO),
                    { .begin = KEY_BEGIN_INDEX, .begin_index = 3, .step = 1 } } },
        { .name = "no-key",
          .keys = { { .flags = KEY_NOT_KEY,
                      .begin = KEY_BEGIN_INDEX,
                      .begin_index = 1,
                      .step = 1 } } },
        { .name = "no-key-and-key",
          .keys = { { .flags = KEY_NOT_KEY, .begin = KEY_BEGIN_INDEX, .begin_index = 1, .step = 1 },
                    KEYS_SECOND(KEY_RO) } },
        { 0 },
    };
    registry_add(registry, rows);
    expect_range("none", 0, 0, 0, false);
    expect_range("first", 1, 1, 1, false);
    expect_range("all", 1, -1, 1, false);
    expect_range("pairs", 1, -1, 2, false);
    expect_range("two", 2, 3, 1, false);
    expect_range("but-last", 1, -2, 1, false);
    expect_range("keyword", 0, 0, 0, true);
    expect_range("keynum", 0, 0, 0, true);
    expect_range("twice", 0, 0, 0, true);
    expect_range("in-a-row", 1, 2, 1, false);
    expect_range("gap", 0, 0, 0, true);
    // Shown, and never looked up.
    expect_range("no-key", 0, 0, 0, false);
    ck_assert_int_eq(look_up("no-key", 6)->shown_keys.first, 1);
    expect_range("no-key-and-key", 0, 0, 0, true);
}
END_TEST

// ---- gates --------------------------------------------------------------------------------------

static char asked[8];
static char refusing;

static void ask(char letter)
{
    asked[strlen(asked)] = letter;
}

static bool applies_to_writes(const struct command *row)
{
    return row->flags & CMD_WRITE;
}

static bool applies_to_all(const struct command *row)
{
    (void)row;
    return true;
}

static bool refuse_a(struct cmd_ctx *ctx)
{
    ck_assert_ptr_null(ctx);
    ask('a');
    return refusing == 'a';
}

static bool refuse_b(struct cmd_ctx *ctx)
{
    ck_assert_ptr_null(ctx);
    ask('b');
    return refusing == 'b';
}

static bool refuse_c(struct cmd_ctx *ctx)
{
    ck_assert_ptr_null(ctx);
    ask('c');
    return refusing == 'c';
}

static void expect_asked(uint32_t bits, char who_refuses, bool want, const char *whom)
{
    memset(asked, 0, sizeof(asked));
    refusing = who_refuses;
    ck_assert_int_eq(registry_ask_gates(registry, bits, NULL), want);
    ck_assert_str_eq(asked, whom);
}

START_TEST(gates_are_asked_in_order)
{
    uint32_t a = registry_add_gate(registry, applies_to_all, refuse_a);
    uint32_t b = registry_add_gate(registry, applies_to_writes, refuse_b);
    uint32_t c = registry_add_gate(registry, applies_to_all, refuse_c);
    ck_assert_int_eq(__builtin_popcount(a | b | c), 3);
    expect_asked(a | b | c, 0, false, "abc");
    expect_asked(a | c, 0, false, "ac");
    expect_asked(0, 'a', false, "");
    expect_asked(a | b | c, 'b', true, "ab");
    expect_asked(b | c, 'a', false, "bc");
    expect_asked(a | b | c, 'a', true, "a");
    expect_asked(c, 'c', true, "c");
}
END_TEST

START_TEST(rows_are_subject_to_gates)
{
    static const struct command subs[] = {
        { .name = "write", .flags = CMD_WRITE },
        { .name = "read", .flags = CMD_READONLY },
        { 0 },
    };
    static const struct command rows[] = {
        { .name = "write", .flags = CMD_WRITE },
        { .name = "read", .flags = CMD_READONLY },
        { .name = "container", .subcommands = subs },
        { 0 },
    };
    uint32_t all = registry_add_gate(registry, applies_to_all, refuse_a);
    uint32_t writes = registry_add_gate(registry, applies_to_writes, refuse_b);
    registry_add(registry, rows);
    ck_assert_uint_eq(look_up("write", 5)->gates, all | writes);
    ck_assert_uint_eq(look_up("read", 4)->gates, all);
    const struct command_entry *container = look_up("container", 9);
    ck_assert_uint_eq(registry_subcommand(container, SLICE("write"))->gates, all | writes);
    ck_assert_uint_eq(registry_subcommand(container, SLICE("read"))->gates, all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("registry");
    TCase *lookup = tcase_create("look-up");
    tcase_add_checked_fixture(lookup, set_up, tear_down);
    tcase_set_timeout(lookup, 60);
    tcase_add_test(lookup, nothing_is_found_in_an_empty_registry);
    tcase_add_test(lookup, every_name_in_any_case);
    tcase_add_test(lookup, names_that_nearly_match);
    tcase_add_test(lookup, names_of_other_lengths);
    tcase_add_test(lookup, renaming);
    tcase_add_test(lookup, renaming_that_is_refused);
    tcase_add_test(lookup, disabling);
    tcase_add_test(lookup, subcommands);
    suite_add_tcase(suite, lookup);

    TCase *rows = tcase_create("rows and gates");
    tcase_add_checked_fixture(rows, set_up, tear_down);
    tcase_add_test(rows, categories_follow_from_flags);
    tcase_add_test(rows, ranges_of_keys);
    tcase_add_test(rows, gates_are_asked_in_order);
    tcase_add_test(rows, rows_are_subject_to_gates);
    suite_add_tcase(suite, rows);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

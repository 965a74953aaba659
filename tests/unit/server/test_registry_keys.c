// SPDX-License-Identifier: BSD-3-Clause
// Tests of finding the keys of a request by every kind of key specification.
#include "base/memory.h"
#include "base/random.h"
#include "server/registry.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX  64
#define FOUND_MAX 64

// One row with one or more specifications; the step comes first.
#define ROW(...) (&(const struct command){ .name = "x", .keys = { __VA_ARGS__ } })
#define SPEC(keys_step, ...)             \
    {                                    \
        .step = (keys_step), __VA_ARGS__ \
    }

#define FROM_INDEX(i)         .begin = KEY_BEGIN_INDEX, .begin_index = (i)
#define FROM_KEYWORD(word, i) .begin = KEY_BEGIN_KEYWORD, .keyword = (word), .begin_index = (i)
#define COUNTED(index, first) \
    .find = KEY_FIND_KEYNUM, .keynum_index = (index), .keynum_first = (first)

static struct command_entry entry_of(const struct command *row)
{
    return (struct command_entry){ .row = row, .keys_complex = true };
}

// Positions, written with a blank behind each; "-1" if the arguments make no sense.
static const char *find(const struct command *row, const char *request)
{
    static char text[ARGS_MAX * 4];
    char copy[512];
    struct slice argv[ARGS_MAX];
    uint32_t argc = 0;
    struct key_place found[FOUND_MAX];
    char *rest = NULL;
    snprintf(copy, sizeof(copy), "%s", request);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = slice_of(word);
    struct command_entry entry = entry_of(row);
    int count = registry_find_keys(&entry, argv, argc, found, FOUND_MAX);
    if (count < 0)
        return "-1";
    text[0] = '\0';
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), 8, "%u ", found[i].position);
    return text;
}

#define EXPECT_KEYS(row, request, want) ck_assert_str_eq(find(row, request), want)

START_TEST(no_specification)
{
    EXPECT_KEYS(ROW({ 0 }), "ping a b", "");
    EXPECT_KEYS(ROW(SPEC(1, .begin = KEY_BEGIN_UNKNOWN)), "x a b", "");
    EXPECT_KEYS(ROW(SPEC(1, FROM_INDEX(1), .flags = KEY_NOT_KEY)), "x a b", "");
}
END_TEST

START_TEST(ranges_from_an_index)
{
    const struct command *first = ROW(SPEC(1, FROM_INDEX(1)));
    EXPECT_KEYS(first, "get a", "1 ");
    EXPECT_KEYS(first, "get a b", "1 ");
    EXPECT_KEYS(first, "get", "-1");
    const struct command *all = ROW(SPEC(1, FROM_INDEX(1), .last = -1));
    EXPECT_KEYS(all, "mget a b c", "1 2 3 ");
    EXPECT_KEYS(all, "mget a", "1 ");
    EXPECT_KEYS(all, "mget", "");
    const struct command *pairs = ROW(SPEC(2, FROM_INDEX(1), .last = -1));
    EXPECT_KEYS(pairs, "mset a 1 b 2", "1 3 ");
    EXPECT_KEYS(pairs, "mset a 1 b", "1 3 ");
    const struct command *but_last = ROW(SPEC(1, FROM_INDEX(1), .last = -2));
    EXPECT_KEYS(but_last, "blpop a b 0", "1 2 ");
    EXPECT_KEYS(but_last, "blpop 0", "");
    const struct command *two = ROW(SPEC(1, FROM_INDEX(2), .last = 1));
    EXPECT_KEYS(two, "x sub a b c", "2 3 ");
    EXPECT_KEYS(two, "x sub a", "-1");
}
END_TEST

START_TEST(halves_behind_a_keyword)
{
    const struct command *xread = ROW(SPEC(1, FROM_KEYWORD("streams", 1), .last = -1, .limit = 2));
    EXPECT_KEYS(xread, "xread streams a 0", "2 ");
    EXPECT_KEYS(xread, "xread COUNT 2 STREAMS a b c 0 0 0", "4 5 6 ");
    EXPECT_KEYS(xread, "xread StReAmS a b 0 0", "2 3 ");
    // Not an even number: what there is to be had.
    EXPECT_KEYS(xread, "xread streams a b c", "2 ");
    EXPECT_KEYS(xread, "xread count 2", "");
    EXPECT_KEYS(xread, "xread", "");
    // A keyword with nothing behind it begins nothing.
    EXPECT_KEYS(xread, "xread count streams", "");
    EXPECT_KEYS(xread, "xread streams", "");
    // The first one counts.
    EXPECT_KEYS(xread, "xread streams streams 0", "2 ");
    // The search starts where it is told to.
    const struct command *later = ROW(SPEC(1, FROM_KEYWORD("streams", 4), .last = -1, .limit = 2));
    EXPECT_KEYS(later, "xreadgroup group streams c streams a 0", "5 ");
}
END_TEST

START_TEST(keywords_from_the_end)
{
    const struct command *migrate = ROW(SPEC(1, FROM_KEYWORD("keys", -2), .last = -1));
    EXPECT_KEYS(migrate, "migrate host port x 0 10 keys a b", "7 8 ");
    // The last one counts.
    EXPECT_KEYS(migrate, "migrate keys keys x keys a", "5 ");
    EXPECT_KEYS(migrate, "migrate host port a 0 10", "");
    EXPECT_KEYS(migrate, "migrate", "");
    EXPECT_KEYS(migrate, "migrate keys", "");
    EXPECT_KEYS(migrate, "keys a", "");
}
END_TEST

START_TEST(counted_keys)
{
    const struct command *eval = ROW(SPEC(1, FROM_INDEX(2), COUNTED(0, 1)));
    EXPECT_KEYS(eval, "eval script 0", "");
    EXPECT_KEYS(eval, "eval script 0 a b", "");
    EXPECT_KEYS(eval, "eval script 1 a b", "3 ");
    EXPECT_KEYS(eval, "eval script 2 a b", "3 4 ");
    EXPECT_KEYS(eval, "eval script 3 a b", "-1");
    EXPECT_KEYS(eval, "eval script -1 a b", "-1");
    EXPECT_KEYS(eval, "eval script 1x a b", "-1");
    EXPECT_KEYS(eval, "eval script 9223372036854775807 a", "-1");
    EXPECT_KEYS(eval, "eval script -9223372036854775808 a", "-1");
    EXPECT_KEYS(eval, "eval script 18446744073709551617 a", "-1");
    EXPECT_KEYS(eval, "eval script 4294967297 a", "-1");
    EXPECT_KEYS(eval, "eval script", "-1");
    EXPECT_KEYS(eval, "eval", "-1");
    const struct command *pairs = ROW(SPEC(2, FROM_INDEX(1), COUNTED(0, 1)));
    EXPECT_KEYS(pairs, "x 2 a 1 b 2", "2 4 ");
    EXPECT_KEYS(pairs, "x 2 a 1 b", "2 4 ");
    EXPECT_KEYS(pairs, "x 2 a 1", "-1");
    // The number may stand behind the keys' begin.
    const struct command *behind = ROW(SPEC(1, FROM_INDEX(1), COUNTED(2, 3)));
    EXPECT_KEYS(behind, "x a b 1 c", "4 ");
    EXPECT_KEYS(behind, "x a b", "-1");
}
END_TEST

START_TEST(several_specifications)
{
    const struct command *store = ROW(SPEC(1, FROM_INDEX(1)),
                                      SPEC(1, FROM_INDEX(2), COUNTED(0, 1)));
    EXPECT_KEYS(store, "zunionstore d 2 a b weights 1 2", "1 3 4 ");
    EXPECT_KEYS(store, "zunionstore d 3 a b", "-1");
    const struct command *sort = ROW(SPEC(1, FROM_INDEX(1)),
                                     SPEC(1, .begin = KEY_BEGIN_UNKNOWN, .find = KEY_FIND_UNKNOWN),
                                     SPEC(1, FROM_KEYWORD("store", 2)));
    EXPECT_KEYS(sort, "sort a by b* store d", "1 5 ");
    EXPECT_KEYS(sort, "sort a", "1 ");
    const struct command *some = ROW(SPEC(1, FROM_INDEX(1), .flags = KEY_NOT_KEY),
                                     SPEC(1, FROM_INDEX(2)));
    EXPECT_KEYS(some, "x channel a", "2 ");
}
END_TEST

// Never more than there is room for, and the number of all the same.
START_TEST(less_room_than_keys)
{
    const struct command *all = ROW(SPEC(1, FROM_INDEX(1), .last = -1));
    struct command_entry entry = entry_of(all);
    struct slice argv[ARGS_MAX];
    for (size_t i = 0; i < ARGS_MAX; i++)
        argv[i] = SLICE("k");
    for (int max = 0; max < 10; max++) {
        struct key_place *out = malloc(((size_t)max + 1) * sizeof(*out));
        out[max].position = 12345;
        ck_assert_int_eq(registry_find_keys(&entry, argv, ARGS_MAX, out, max), ARGS_MAX - 1);
        for (int i = 0; i < max; i++)
            ck_assert_uint_eq(out[i].position, (uint32_t)i + 1);
        ck_assert_uint_eq(out[max].position, 12345);
        free(out);
    }
}
END_TEST

static uint32_t flags_of_request(const struct slice *argv, uint32_t argc)
{
    ck_assert_uint_eq(argc, 3);
    return slice_equal(argv[2], SLICE("w")) ? KEY_RW : KEY_RO;
}

// Each key has the flags of the specification that found it; some depend on the request.
START_TEST(flags_of_keys)
{
    const struct command row = { .name = "x",
                                 .keys = { SPEC(1, FROM_INDEX(1), .flags = KEY_OW | KEY_UPDATE),
                                           SPEC(1, FROM_INDEX(2),
                                                .flags = KEY_RW | KEY_VARIABLE_FLAGS) },
                                 .key_flags = flags_of_request };
    struct command_entry entry = entry_of(&row);
    struct slice argv[] = { SLICE("x"), SLICE("a"), SLICE("w") };
    struct key_place found[2];
    ck_assert_int_eq(registry_find_keys(&entry, argv, 3, found, 2), 2);
    ck_assert_uint_eq(found[0].flags, KEY_OW | KEY_UPDATE);
    ck_assert_uint_eq(found[1].flags, KEY_RW);
    argv[2] = SLICE("r");
    ck_assert_int_eq(registry_find_keys(&entry, argv, 3, found, 2), 2);
    ck_assert_uint_eq(found[0].flags, KEY_OW | KEY_UPDATE);
    ck_assert_uint_eq(found[1].flags, KEY_RO);
}
END_TEST

// Any specification with any arguments: positions are those of arguments, in memory that is there.
START_TEST(random_requests)
{
    static const char *const words[] = { "a",  "keys", "1",  "2",  "0",  "-1",
                                         "60", "b",    "99", "17", "+1", "" };
    struct random dice;
    random_seed(&dice, 6);
    for (int round = 0; round < 200000; round++) {
        struct key_spec spec = {
            .begin = (enum key_begin)(1 + random_below(&dice, 3)),
            .begin_index = (int)random_below(&dice, 8),
            .keyword = "keys",
            .find = (enum key_find)random_below(&dice, 3),
            .last = (int)random_below(&dice, 8) - 4,
            .step = 1 + (int)random_below(&dice, 3),
            .limit = (int)random_below(&dice, 4),
            .keynum_index = (int)random_below(&dice, 4),
            .keynum_first = (int)random_below(&dice, 4),
        };
        if (spec.begin == KEY_BEGIN_INDEX && spec.begin_index == 0)
            spec.begin_index = 1;
        if (spec.begin == KEY_BEGIN_KEYWORD)
            spec.begin_index -= 4;
        uint32_t argc = 1 + (uint32_t)random_below(&dice, 12);
        struct slice *argv = malloc(argc * sizeof(*argv));
        for (uint32_t i = 0; i < argc; i++)
            argv[i] = slice_of(words[random_below(&dice, sizeof(words) / sizeof(*words))]);
        struct command_entry entry = entry_of(ROW(spec));
        struct key_place found[FOUND_MAX];
        int count = registry_find_keys(&entry, argv, argc, found, FOUND_MAX);
        EXPECT(count >= -1 && count < (int)argc);
        for (int i = 0; i < count; i++)
            EXPECT(found[i].position >= 1 && found[i].position < argc);
        free(argv);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("keys of a request");
    TCase *tcase = tcase_create("keys");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_specification);
    tcase_add_test(tcase, ranges_from_an_index);
    tcase_add_test(tcase, halves_behind_a_keyword);
    tcase_add_test(tcase, keywords_from_the_end);
    tcase_add_test(tcase, counted_keys);
    tcase_add_test(tcase, several_specifications);
    tcase_add_test(tcase, less_room_than_keys);
    tcase_add_test(tcase, flags_of_keys);
    tcase_add_test(tcase, random_requests);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

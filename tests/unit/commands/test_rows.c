// SPDX-License-Identifier: BSD-3-Clause
// Tests of the commands' rows: that each is found, complete, and fits together.
#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <ctype.h>
#include <regex.h>

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
}

// Calls `fn` for every command and subcommand.
static void each_command(void (*fn)(const struct command_entry *command))
{
    for (size_t i = 0; i < registry_count(server->registry); i++) {
        const struct command_entry *command = registry_at(server->registry, i);
        fn(command);
        for (int k = 0; k < command->subcommand_count; k++)
            fn(&command->subcommands[k]);
    }
}

static bool is_like(const char *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool like = text && regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return like;
}

#define EXPECT_OF(command, cond) ck_assert_msg(cond, "%s: not %s", (command)->full_name, #cond)

static void check_texts(const struct command_entry *command)
{
    const struct command *row = command->row;
    EXPECT_OF(command, is_like(row->name, "^[a-z]+([_-][a-z]+)*$"));
    EXPECT_OF(command, is_like(row->summary, "^[A-Z].*[.]$"));
    EXPECT_OF(command, is_like(row->since, "^[0-9]+[.][0-9]+[.][0-9]+$"));
    EXPECT_OF(command, !row->complexity || *row->complexity);
    EXPECT_OF(command, row->arity != 0);
    EXPECT_OF(command, row->handler || row->subcommands);
    EXPECT_OF(command, !row->deprecated_since == !row->replaced_by);
    EXPECT_OF(command, (int)command->row->arity == command->arity);
    EXPECT_OF(command, !command->parent || abs(row->arity) >= 2);
}

START_TEST(rows_are_complete)
{
    each_command(check_texts);
}
END_TEST

// Either it writes or it does not, and its keys say the same.
static void check_flags(const struct command_entry *command)
{
    const uint32_t modes = KEY_RO | KEY_RW | KEY_OW | KEY_RM;
    bool writes = command->flags & CMD_WRITE;
    EXPECT_OF(command, !(writes && command->flags & CMD_READONLY));
    EXPECT_OF(command, !(command->flags & CMD_DENYOOM) || writes);
    for (int i = 0; i < COMMAND_KEY_SPECS_MAX; i++) {
        const struct key_spec *spec = &command->row->keys[i];
        if (spec->begin == KEY_BEGIN_NONE)
            break;
        bool is_key = !(spec->flags & KEY_NOT_KEY);
        EXPECT_OF(command, __builtin_popcount(spec->flags & modes) == is_key);
        EXPECT_OF(command, writes || !(spec->flags & (KEY_RW | KEY_OW | KEY_RM)));
        EXPECT_OF(command, spec->find == KEY_FIND_UNKNOWN || spec->step >= 1);
        EXPECT_OF(command, spec->begin != KEY_BEGIN_KEYWORD || spec->keyword);
        EXPECT_OF(command, spec->begin != KEY_BEGIN_INDEX || spec->begin_index >= 1);
        EXPECT_OF(command, !spec->locate || spec->begin == KEY_BEGIN_UNKNOWN);
        // Keys at fixed places are there in every request of the right arity.
        if (spec->begin == KEY_BEGIN_INDEX && spec->find == KEY_FIND_RANGE && spec->last >= 0)
            EXPECT_OF(command, spec->begin_index + spec->last < abs(command->arity));
    }
}

START_TEST(flags_and_keys_fit_together)
{
    each_command(check_flags);
}
END_TEST

static void check_look_up(const struct command_entry *command)
{
    char name[64];
    struct random dice;
    random_seed(&dice, 3);
    for (int round = 0; round < 20; round++) {
        snprintf(name, sizeof(name), "%s", command->row->name);
        for (char *p = name; *p; p++)
            *p = (char)(round == 0 || random_below(&dice, 2) ? toupper(*p) : *p);
        const struct command_entry *found = command->parent
                                                ? registry_subcommand(command->parent,
                                                                      slice_of(name))
                                                : registry_lookup(server->registry, slice_of(name));
        ck_assert_msg(found == command, "%s is not found as %s", command->full_name, name);
    }
}

START_TEST(every_name_is_found_in_any_case)
{
    each_command(check_look_up);
    ck_assert_uint_ge(registry_count(server->registry), 40);
}
END_TEST

// One argument too few, and too many where there can be too many.
static void check_arity(const struct command_entry *command)
{
    const int wrong[] = { abs(command->arity) - 1, command->arity + 1 };
    int least = command->parent ? 2 : 1;
    char want[128];
    for (int i = 0; i < (command->arity > 0 ? 2 : 1); i++) {
        if (wrong[i] < least || !command->handler)
            continue;
        struct bytes request = { 0 };
        int fd = rig_connect();
        if (command->parent)
            bytes_printf(&request, "%s ", command->parent->row->name);
        bytes_append_text(&request, command->row->name);
        for (int k = least; k < wrong[i]; k++)
            bytes_append_text(&request, " x");
        bytes_append_text(&request, "\r\n");
        bytes_append_char(&request, '\0');
        const char *refusal = command->row->refusal ? command->row->refusal : "ERR ";
        snprintf(want, sizeof(want), "-%swrong number of arguments for '%s' command\r\n", refusal,
                 command->full_name);
        rig_ask(fd, request.data, want);
        rig_disconnect(fd);
        rig_turns(2);
        bytes_release(&request);
    }
}

START_TEST(wrong_numbers_of_arguments_are_refused)
{
    each_command(check_arity);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, rows_are_complete);
    tcase_add_test(tcase, flags_and_keys_fit_together);
    tcase_add_test(tcase, every_name_is_found_in_any_case);
    tcase_add_test(tcase, wrong_numbers_of_arguments_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

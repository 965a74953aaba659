// SPDX-License-Identifier: BSD-3-Clause
// Tests of the configuration: types and bounds, files, arguments, CONFIG GET.
#include "server/config.h"

#include "config_fixture.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void set_up(void)
{
    snprintf(path, sizeof(path), "/tmp/respite-config-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    fixture_open();
}

static void tear_down(void)
{
    fixture_close();
    unlink(path);
}

static enum status load(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return config_load_file(config, path, &error);
}

static void expect_loaded(const char *text, const char *name, const char *value)
{
    ck_assert_msg(load(text) == STATUS_OK, "%s: %s", text, error.text);
    expect_value(name, value);
}

// The error names the file, the line's number and something of the reason.
static void expect_refused(const char *text, unsigned line, const char *reason)
{
    char place[96];
    ck_assert_msg(load(text) == STATUS_INVALID, "accepted: %s", text);
    ck_assert_ptr_nonnull(memchr(error.text, '\0', sizeof(error.text)));
    snprintf(place, sizeof(place), "%s, line %u:", path, line);
    ck_assert_msg(strstr(error.text, place) != NULL, "no '%s' in: %s", place, error.text);
    ck_assert_msg(strstr(error.text, reason) != NULL, "no '%s' in: %s", reason, error.text);
}

START_TEST(defaults_are_set)
{
    ck_assert(owner.flag);
    ck_assert_int_eq(owner.number, 10);
    ck_assert_int_eq(owner.bytes, 1024 * 1024);
    ck_assert_int_eq(owner.mode, 0640);
    ck_assert_int_eq(owner.word, 2);
    ck_assert_str_eq(owner.text, "some text");
    ck_assert_str_eq(owner.empty, "");
    ck_assert_int_eq(owner.list_len, 2);
    ck_assert_uint_eq(owner.applied, 0);
}
END_TEST

START_TEST(values_are_read_as_text)
{
    expect_value("flag", "yes");
    expect_value("number", "10");
    expect_value("bytes", "1048576");
    expect_value("mode", "640");
    expect_value("word", "two");
    expect_value("text", "some text");
    expect_value("empty", "");
    expect_value("list", "a b");
}
END_TEST

START_TEST(booleans)
{
    expect_loaded("flag no\n", "flag", "no");
    expect_loaded("flag YES\n", "flag", "yes");
    expect_loaded("FLAG No\n", "flag", "no");
    expect_refused("flag 1\n", 1, "'yes' or 'no'");
    expect_refused("flag true\n", 1, "'yes' or 'no'");
    expect_refused("flag \"\"\n", 1, "'yes' or 'no'");
    expect_value("flag", "no");
}
END_TEST

START_TEST(integers)
{
    expect_loaded("number -5\n", "number", "-5");
    expect_loaded("number 100\n", "number", "100");
    expect_refused("number 101\n", 1, "between -5 and 100");
    expect_refused("number -6\n", 1, "between -5 and 100");
    expect_refused("number 9223372036854775808\n", 1, "integer");
    expect_refused("number 1x\n", 1, "integer");
    expect_refused("number 1kb\n", 1, "integer");
    expect_refused("number \"\"\n", 1, "integer");
    expect_value("number", "100");
    expect_loaded("large 9223372036854775807\n", "large", "9223372036854775807");
}
END_TEST

START_TEST(amounts_of_memory)
{
    expect_loaded("bytes 100\n", "bytes", "100");
    expect_loaded("bytes 1k\n", "bytes", "1000");
    expect_loaded("bytes 1KB\n", "bytes", "1024");
    expect_loaded("bytes 2mb\n", "bytes", "2097152");
    expect_loaded("bytes 1Gb\n", "bytes", "1073741824");
    expect_refused("bytes 99\n", 1, "between");
    expect_refused("bytes 2gb\n", 1, "between");
    expect_refused("bytes -100\n", 1, "memory");
    expect_refused("bytes 1tb\n", 1, "memory");
    expect_refused("bytes 18446744073709551615\n", 1, "memory");
    expect_value("bytes", "1073741824");
}
END_TEST

START_TEST(modes)
{
    expect_loaded("mode 700\n", "mode", "700");
    expect_loaded("mode 0777\n", "mode", "777");
    expect_loaded("mode 0\n", "mode", "0");
    expect_refused("mode 1000\n", 1, "between");
    expect_refused("mode 8\n", 1, "integer");
    expect_refused("mode rwx\n", 1, "integer");
    expect_refused("mode -1\n", 1, "between");
    expect_refused("mode \"\"\n", 1, "integer");
    expect_refused("mode 7777777777777777777777777777\n", 1, "");
    ck_assert_int_eq(owner.mode, 0);
}
END_TEST

START_TEST(words_of_a_list)
{
    expect_loaded("word one\n", "word", "one");
    expect_loaded("word THREE\n", "word", "three");
    expect_refused("word four\n", 1, "one, two, three");
    expect_refused("word \"\"\n", 1, "one, two, three");
    expect_refused("word on\n", 1, "one, two, three");
    expect_value("word", "three");
}
END_TEST

START_TEST(texts_and_quotes)
{
    expect_loaded("text plain\n", "text", "plain");
    expect_loaded("text \"two words\"\n", "text", "two words");
    expect_loaded("text 'two  words'\n", "text", "two  words");
    expect_loaded("text \"a\\tb\\x41\\\"\"\n", "text", "a\tbA\"");
    expect_loaded("text 'it\\'s'\n", "text", "it's");
    expect_loaded("text \"\"\n", "text", "");
    expect_loaded("text a#b\n", "text", "a#b");
    expect_refused("text two words\n", 1, "wrong number");
    expect_refused("text\n", 1, "wrong number");
    expect_refused("text \"open\n", 1, "quotes");
    expect_refused("text 'a'b\n", 1, "quotes");
    expect_value("text", "a#b");
}
END_TEST

START_TEST(custom_directives)
{
    expect_loaded("list x\n", "list", "x");
    expect_loaded("list one \"two\" 'three'\n", "list", "one two three");
    expect_refused("list 1 2 3 4 5\n", 1, "too many for the list");
    expect_value("list", "one two three");
    expect_loaded("list\n", "list", "");
    // One word that holds several is several; among others, a word with blanks is one.
    expect_loaded("list \"a b\"\n", "list", "a b");
    ck_assert_int_eq(owner.list_len, 2);
    expect_loaded("list \"a\tb  'c d'\"\n", "list", "a b c d");
    ck_assert_int_eq(owner.list_len, 3);
    expect_loaded("list \"a b\" c\n", "list", "a b c");
    ck_assert_int_eq(owner.list_len, 2);
    expect_loaded("list \"\"\n", "list", "");
    ck_assert_int_eq(owner.list_len, 0);
}
END_TEST

START_TEST(older_names_work_too)
{
    expect_loaded("old-number 7\n", "number", "7");
    expect_value("old-number", "7");
}
END_TEST

START_TEST(lines_of_a_file)
{
    ck_assert_int_eq(load(""), STATUS_OK);
    ck_assert_int_eq(load("# a comment\n\n   \t \n  # another one\r\n"), STATUS_OK);
    expect_loaded("\tnumber   3  \n", "number", "3");
    expect_loaded("number 4\r\nflag no\r\n", "number", "4");
    expect_value("flag", "no");
    // The last line may have no end; the last value counts.
    expect_loaded("number 5\nnumber 6", "number", "6");
    // What comes at run time is not told at start-up.
    ck_assert_uint_eq(owner.applied, 0);
    // Not by CONFIG SET does not mean not in a file.
    expect_loaded("fixed 77\n", "fixed", "77");
    expect_loaded("guarded 78\n", "guarded", "78");
}
END_TEST

START_TEST(errors_of_a_file)
{
    expect_refused("# fine\nnumber 1\n\nnumbre 2\n", 4, "numbre");
    expect_value("number", "1");
    expect_refused("number 1\nnumber 2 3\n", 2, "wrong number");
    expect_refused("number 1\nnumber 2000\nflag no\n", 2, "between");
    // It stops there.
    expect_value("flag", "yes");
}
END_TEST

START_TEST(hostile_lines)
{
    static char text[100000];
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    expect_refused(text, 1, "xxx");
    memcpy(text, "text ", 5);
    ck_assert_int_eq(load(text), STATUS_OK);
    ck_assert_uint_eq(strlen(owner.text), sizeof(text) - 7);
    // Many words.
    for (size_t i = 4; i < sizeof(text) - 2; i += 2)
        text[i] = ' ';
    expect_refused(text, 1, "wrong number");
    memcpy(text, "list ", 5);
    expect_refused(text, 1, "too many for the list");
}
END_TEST

// A text ends at a NUL: one with a NUL in it can't be kept.
START_TEST(a_text_with_a_nul_is_refused)
{
    expect_refused("text \"ab\\x00cd\"\n", 1, "");
    expect_value("text", "some text");
}
END_TEST

START_TEST(files_that_can_not_be_read)
{
    ck_assert_int_eq(config_load_file(config, "/nonexistent/respite.conf", &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "/nonexistent/respite.conf"));
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
    // A folder can be opened, but not read.
    error.text[0] = '\0';
    ck_assert_int_eq(config_load_file(config, "/tmp", &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "/tmp"));
}
END_TEST

START_TEST(standard_input)
{
    ck_assert_int_eq(load("number 42\n"), STATUS_OK);
    owner.number = 0;
    ck_assert_ptr_nonnull(freopen(path, "r", stdin));
    ck_assert_int_eq(config_load_file(config, "-", &error), STATUS_OK);
    expect_value("number", "42");
}
END_TEST

// Words are separated by commas here.
static enum status load_args(const char *text)
{
    static char copy[4096];
    char *args[128];
    int count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = copy, *end; word; word = end) {
        end = strchr(word, ',');
        if (end)
            *end++ = '\0';
        args[count++] = word;
    }
    return config_load_args(config, count, args, &error);
}

START_TEST(arguments)
{
    ck_assert_int_eq(config_load_args(config, 0, NULL, &error), STATUS_OK);
    ck_assert_int_eq(load_args("--number,7"), STATUS_OK);
    expect_value("number", "7");
    ck_assert_int_eq(load_args("--number,-5,--FLAG,no,--text,two words,--list,x,y"), STATUS_OK);
    expect_value("number", "-5");
    expect_value("flag", "no");
    expect_value("text", "two words");
    expect_value("list", "x y");
    // One argument with several words in it.
    ck_assert_int_eq(load_args("--list,p \"q r\" s"), STATUS_OK);
    ck_assert_int_eq(owner.list_len, 3);
    expect_value("list", "p q r s");
    ck_assert_int_eq(load_args("--list,"), STATUS_OK);
    ck_assert_int_eq(owner.list_len, 0);
    ck_assert_int_eq(load_args("--empty,"), STATUS_OK);
    ck_assert_int_eq(load_args("--fixed,9"), STATUS_OK);
    expect_value("fixed", "9");
}
END_TEST

// What redis-server 7 makes of arguments.
START_TEST(odd_arguments)
{
    ck_assert_int_eq(load_args("--"), STATUS_OK);
    ck_assert_int_eq(load_args("number,8"), STATUS_OK);
    expect_value("number", "8");
    ck_assert_int_eq(load_args("--number 9"), STATUS_OK);
    expect_value("number", "9");
    ck_assert_int_eq(load_args("--text \"a b\",--flag,no"), STATUS_OK);
    expect_value("text", "a b");
    expect_value("flag", "no");
    ck_assert_int_eq(load_args("--text,--flag,--number,10"), STATUS_OK);
    expect_value("text", "--flag");
    expect_value("number", "10");
    ck_assert_int_eq(load_args("--text,\"quoted\" \\x41\n"), STATUS_OK);
    expect_value("text", "\"quoted\" \\x41\n");
    // A directive that may stand alone does.
    ck_assert_int_eq(load_args("--pairs,a,b,--pairs,c d"), STATUS_OK);
    expect_value("pairs", "a b c d");
    ck_assert_int_eq(load_args("--PAIRS,--number,11"), STATUS_OK);
    expect_value("pairs", "");
    expect_value("number", "11");
    ck_assert_int_eq(load_args("--pairs"), STATUS_OK);
}
END_TEST

static void expect_args_refused(const char *text, const char *reason)
{
    ck_assert_msg(load_args(text) == STATUS_INVALID, "accepted: %s", text);
    ck_assert_msg(strstr(error.text, reason) != NULL, "no '%s' in: %s", reason, error.text);
}

START_TEST(errors_of_arguments)
{
    expect_args_refused("numbre,7", "numbre");
    expect_args_refused("-number,7", "-number");
    expect_args_refused("--numbre,7", "numbre");
    expect_args_refused("--number=7", "number=7");
    expect_args_refused("--number", "wrong number");
    expect_args_refused("--number,7,8", "arguments: 'number \"7\" \"8\"': wrong number");
    // What follows a name is its word.
    expect_args_refused("--number,--flag,no", "'number \"--flag\" \"no\"'");
    expect_args_refused("--number,7,--flag,maybe", "'flag \"maybe\"': argument must be");
    expect_args_refused("--list,'open", "quotes");
    expect_args_refused("--secret,a,b", "'secret ...': wrong number");
    expect_args_refused("--list,1,2,3,4,5,6,7", "too many");
    char many[400] = "--list";
    size_t len = strlen(many);
    for (int i = 0; i < 80; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, ",w");
    expect_args_refused(many, "");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *types = tcase_create("types");
    tcase_add_checked_fixture(types, set_up, tear_down);
    tcase_add_test(types, defaults_are_set);
    tcase_add_test(types, values_are_read_as_text);
    tcase_add_test(types, booleans);
    tcase_add_test(types, integers);
    tcase_add_test(types, amounts_of_memory);
    tcase_add_test(types, modes);
    tcase_add_test(types, words_of_a_list);
    tcase_add_test(types, texts_and_quotes);
    tcase_add_test(types, custom_directives);
    tcase_add_test(types, older_names_work_too);
    tcase_add_test(types, a_text_with_a_nul_is_refused);
    suite_add_tcase(suite, types);

    TCase *sources = tcase_create("files and arguments");
    tcase_add_checked_fixture(sources, set_up, tear_down);
    tcase_add_test(sources, lines_of_a_file);
    tcase_add_test(sources, errors_of_a_file);
    tcase_add_test(sources, hostile_lines);
    tcase_add_test(sources, files_that_can_not_be_read);
    tcase_add_test(sources, standard_input);
    tcase_add_test(sources, arguments);
    tcase_add_test(sources, odd_arguments);
    tcase_add_test(sources, errors_of_arguments);
    suite_add_tcase(suite, sources);
    return suite;
}

UNIT_TEST_MAIN(make_suite)

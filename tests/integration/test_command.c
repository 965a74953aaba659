// SPDX-License-Identifier: BSD-3-Clause
// COMMAND, COMMAND COUNT, INFO and LIST: shapes, and what they say of some commands.
#include "support/raw.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The commands of the first day.
static const char *const first_commands[] = {
    "ping",      "echo",     "hello",   "auth",    "select", "quit",   "reset",  "client",
    "get",       "set",      "setex",   "setnx",   "getdel", "mget",   "mset",   "incr",
    "decr",      "incrby",   "append",  "strlen",  "del",    "unlink", "exists", "expire",
    "pexpire",   "ttl",      "pttl",    "persist", "type",   "scan",   "keys",   "dbsize",
    "randomkey", "flushall", "flushdb", "command", "config", "info",   "time",   "debug",
};
#define FIRST_COUNT (sizeof(first_commands) / sizeof(*first_commands))

static const char *const subcommands[] = {
    "client|id",      "client|info", "client|list",      "client|setname", "client|getname",
    "client|setinfo", "client|kill", "command|count",    "command|info",   "command|list",
    "config|get",     "config|set",  "config|resetstat",
};
#define SUB_COUNT (sizeof(subcommands) / sizeof(*subcommands))

// The ten parts of a description have the types they should, down to the subcommands.
static void check_description(const redisReply *command)
{
    static const int types[] = { REDIS_REPLY_STRING,  REDIS_REPLY_INTEGER, REDIS_REPLY_ARRAY,
                                 REDIS_REPLY_INTEGER, REDIS_REPLY_INTEGER, REDIS_REPLY_INTEGER,
                                 REDIS_REPLY_ARRAY,   REDIS_REPLY_ARRAY,   REDIS_REPLY_ARRAY,
                                 REDIS_REPLY_ARRAY };
    ck_assert_int_eq(command->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(command->elements, 10);
    for (size_t i = 0; i < 10; i++)
        ck_assert_msg(command->element[i]->type == types[i], "part %zu of %s", i,
                      command->element[0]->str);
    ck_assert_int_ne(command->element[1]->integer, 0);
    const redisReply *flags = command->element[2];
    for (size_t i = 0; i < flags->elements; i++)
        ck_assert_int_eq(flags->element[i]->type, REDIS_REPLY_STATUS);
    const redisReply *categories = command->element[6];
    for (size_t i = 0; i < categories->elements; i++) {
        ck_assert_int_eq(categories->element[i]->type, REDIS_REPLY_STATUS);
        ck_assert_int_eq(categories->element[i]->str[0], '@');
    }
    const redisReply *subs = command->element[9];
    size_t len = strlen(command->element[0]->str);
    for (size_t i = 0; i < subs->elements; i++) {
        check_description(subs->element[i]);
        const char *name = subs->element[i]->element[0]->str;
        ck_assert(strncmp(name, command->element[0]->str, len) == 0 && name[len] == '|');
    }
}

static bool has_text(const redisReply *list, const char *text)
{
    for (size_t i = 0; i < list->elements; i++) {
        if (strcmp(list->element[i]->str, text) == 0)
            return true;
    }
    return false;
}

START_TEST(all_commands)
{
    redisContext *c = plain();
    redisReply *all = client_ask(c, "COMMAND");
    ck_assert_int_eq(all->type, REDIS_REPLY_ARRAY);
    ck_assert_uint_ge(all->elements, FIRST_COUNT);
    expect_int(c, (long long)all->elements, "COMMAND COUNT");
    for (size_t i = 0; i < all->elements; i++)
        check_description(all->element[i]);
    redisReply *info = client_ask(c, "COMMAND INFO");
    ck_assert_uint_eq(info->elements, all->elements);
    freeReplyObject(info);
    freeReplyObject(all);
    expect_error(c, "ERR wrong number of arguments for 'command|count' command", "COMMAND COUNT x");
}
END_TEST

START_TEST(command_info)
{
    redisContext *c = plain();
    for (size_t i = 0; i < FIRST_COUNT; i++) {
        redisReply *reply = client_ask(c, "COMMAND INFO %s", first_commands[i]);
        ck_assert_uint_eq(reply->elements, 1);
        ck_assert_msg(reply->element[0]->type == REDIS_REPLY_ARRAY, "no %s", first_commands[i]);
        check_description(reply->element[0]);
        ck_assert_str_eq(reply->element[0]->element[0]->str, first_commands[i]);
        freeReplyObject(reply);
    }
    for (size_t i = 0; i < SUB_COUNT; i++) {
        redisReply *reply = client_ask(c, "COMMAND INFO %s", subcommands[i]);
        ck_assert_msg(reply->element[0]->type == REDIS_REPLY_ARRAY, "no %s", subcommands[i]);
        ck_assert_str_eq(reply->element[0]->element[0]->str, subcommands[i]);
        freeReplyObject(reply);
    }
    redisReply *reply = client_ask(c, "COMMAND INFO GET nosuch Set client|nosuch");
    ck_assert_uint_eq(reply->elements, 4);
    ck_assert_str_eq(reply->element[0]->element[0]->str, "get");
    ck_assert_int_eq(reply->element[1]->type, REDIS_REPLY_NIL);
    ck_assert_str_eq(reply->element[2]->element[0]->str, "set");
    ck_assert_int_eq(reply->element[3]->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
}
END_TEST

#define GET_INFO                                                                     \
    "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" \
    "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n"                                   \
    "*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"                            \
    "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n"                     \
    "$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n"                                      \
    "$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n"                         \
    "$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n"             \
    "$5\r\nlimit\r\n:0\r\n*0\r\n"

// With RESP3 the sets are sets and the maps are maps.
#define GET_INFO_3                                                                   \
    "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" \
    "~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n"                                   \
    "~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n"                            \
    "$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n"                     \
    "$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n"                                      \
    "$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n"                         \
    "$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n"             \
    "$5\r\nlimit\r\n:0\r\n~0\r\n"

START_TEST(info_of_get_byte_by_byte)
{
    int fd = raw_connect(plain_server());
    char line[64];
    raw_ask(fd, "COMMAND INFO get", GET_INFO);
    raw_ask(fd, "COMMAND INFO nosuch", "*1\r\n$-1\r\n");
    raw_text(fd, "HELLO 3\r\n");
    do {
        raw_line(fd, line, sizeof(line));
    } while (strcmp(line, "*0") != 0);
    raw_ask(fd, "COMMAND INFO get", GET_INFO_3);
    raw_ask(fd, "COMMAND INFO nosuch", "*1\r\n_\r\n");
    close(fd);
}
END_TEST

// Arity and key positions, by which clients and proxies route.
START_TEST(arities_and_keys)
{
    static const struct {
        const char *name;
        int arity;
        int first;
        int last;
        int step;
    } rows[] = {
        { "set", -3, 1, 1, 1 },      { "mget", -2, 1, -1, 1 },  { "mset", -3, 1, -1, 2 },
        { "del", -2, 1, -1, 1 },     { "expire", -3, 1, 1, 1 }, { "incrby", 3, 1, 1, 1 },
        { "ping", -1, 0, 0, 0 },     { "scan", -2, 0, 0, 0 },   { "config", -2, 0, 0, 0 },
        { "flushall", -1, 0, 0, 0 }, { "dbsize", 1, 0, 0, 0 },  { "exists", -2, 1, -1, 1 },
        { "setex", 4, 1, 1, 1 },     { "strlen", 2, 1, 1, 1 },  { "hello", -1, 0, 0, 0 },
    };
    redisContext *c = plain();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        redisReply *reply = client_ask(c, "COMMAND INFO %s", rows[i].name);
        const redisReply *command = reply->element[0];
        ck_assert_int_eq(command->element[1]->integer, rows[i].arity);
        ck_assert_int_eq(command->element[3]->integer, rows[i].first);
        ck_assert_int_eq(command->element[4]->integer, rows[i].last);
        ck_assert_int_eq(command->element[5]->integer, rows[i].step);
        freeReplyObject(reply);
    }
}
END_TEST

START_TEST(flags_and_categories)
{
    redisContext *c = plain();
    redisReply *reply = client_ask(c, "COMMAND INFO set flushall hello config|set");
    ck_assert(has_text(reply->element[0]->element[2], "write"));
    ck_assert(has_text(reply->element[0]->element[2], "denyoom"));
    ck_assert(has_text(reply->element[0]->element[6], "@string"));
    ck_assert(has_text(reply->element[0]->element[6], "@slow"));
    ck_assert(has_text(reply->element[1]->element[6], "@dangerous"));
    ck_assert(has_text(reply->element[2]->element[2], "no_auth"));
    ck_assert(has_text(reply->element[2]->element[2], "fast"));
    ck_assert(has_text(reply->element[3]->element[2], "admin"));
    ck_assert(has_text(reply->element[3]->element[6], "@admin"));
    freeReplyObject(reply);
}
END_TEST

START_TEST(command_list)
{
    redisContext *c = plain();
    redisReply *reply = client_ask(c, "COMMAND LIST");
    // Subcommands are listed as well.
    ck_assert_uint_ge(reply->elements, (size_t)client_int(c, "COMMAND COUNT") + SUB_COUNT);
    for (size_t i = 0; i < FIRST_COUNT; i++)
        ck_assert_msg(has_text(reply, first_commands[i]), "no %s", first_commands[i]);
    for (size_t i = 0; i < SUB_COUNT; i++)
        ck_assert_msg(has_text(reply, subcommands[i]), "no %s", subcommands[i]);
    freeReplyObject(reply);

    reply = client_ask(c, "COMMAND LIST FILTERBY PATTERN p?*");
    ck_assert(has_text(reply, "ping") && has_text(reply, "pttl"));
    for (size_t i = 0; i < reply->elements; i++)
        ck_assert_int_eq(reply->element[i]->str[0], 'p');
    freeReplyObject(reply);

    reply = client_ask(c, "COMMAND LIST FILTERBY PATTERN client|set*");
    ck_assert(has_text(reply, "client|setname"));
    ck_assert(has_text(reply, "client|setinfo"));
    freeReplyObject(reply);

    reply = client_ask(c, "command list filterby aclcat dangerous");
    ck_assert(has_text(reply, "flushall") && has_text(reply, "keys"));
    ck_assert(has_text(reply, "client|kill"));
    ck_assert(!has_text(reply, "get"));
    freeReplyObject(reply);

    expect_list(c, "", "COMMAND LIST FILTERBY MODULE nosuch");
    expect_list(c, "", "COMMAND LIST FILTERBY ACLCAT nosuch");
    expect_list(c, "", "COMMAND LIST FILTERBY PATTERN nosuch*");
    expect_error(c, "ERR syntax error", "COMMAND LIST FOO");
    expect_error(c, "ERR syntax error", "COMMAND LIST FILTERBY");
    expect_error(c, "ERR syntax error", "COMMAND LIST FILTERBY FOO bar");
}
END_TEST

// Every command that the server names checks the number of its arguments as it says.
START_TEST(arity_is_checked)
{
    redisContext *c = plain();
    redisReply *all = client_ask(c, "COMMAND");
    int checked = 0;
    for (size_t i = 0; i < all->elements; i++) {
        const redisReply *command = all->element[i];
        if (command->element[1]->integer == 1 || command->element[1]->integer == -1)
            continue;
        char want[128] = "ERR wrong number of arguments for '";
        strncat(want, command->element[0]->str, 40);
        strncat(want, "' command", 16);
        expect_error(c, want, "%s", command->element[0]->str);
        checked++;
    }
    ck_assert_int_gt(checked, 20);
    freeReplyObject(all);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("command");
    TCase *tcase = plain_tcase(suite, "command");
    tcase_add_test(tcase, all_commands);
    tcase_add_test(tcase, command_info);
    tcase_add_test(tcase, info_of_get_byte_by_byte);
    tcase_add_test(tcase, arities_and_keys);
    tcase_add_test(tcase, flags_and_categories);
    tcase_add_test(tcase, command_list);
    tcase_add_test(tcase, arity_is_checked);
    return suite;
}

SERVER_TEST_MAIN(make_suite)
